"""Zt of new rows: grouping factors on the model's levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, FormulaError
from lme4py.formula.bars import Bar
from lme4py.formula.syntax import call, symbols
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.evaluate import Scope
from lme4py.frame.factors import factor_of
from lme4py.frame.schema import Levels, known_levels, place_levels, unknown_levels
from lme4py.frame.values import Character, Factor, Matrix, Numeric, Value
from lme4py.matrices.grouping import group_value
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.modelspec.frame import NewFrame
from lme4py.modelspec.recipe import Group, Recipe, joins_names
from lme4py.modelspec.rows import NewLevels

__all__ = ["random_term"]


def random_term(
    recipe: Recipe, bar: Bar, group: Group, frame: NewFrame, scope: Scope, new_levels: NewLevels
) -> RandomTerm:
    """Return one bar's part of Zt of the new rows, on the model's levels."""
    factors = _NewFactors(frame, recipe.grouping, closed=not joins_names(bar.group))
    inner = replace(scope, frozen=dict(group.frozen))
    try:
        found = group_value(bar, factors, inner)
    except FormulaError as error:
        raise DataError(
            f"couldn't evaluate grouping factor {bar.group_name} for the new rows: {error.message}",
            error.span or bar.group.span,
            error.hint,
        ) from None
    if found.codes.size != frame.rows:
        raise DataError(
            f"the grouping factor {bar.group_name} has {found.codes.size} elements for "
            f"{frame.rows} rows",
            bar.group.span,
        )
    if new_levels == "error":
        factors.refuse_unknown(bar)
    placed = place_levels(found, group.levels)
    codes = placed.codes
    if len(placed.levels) > len(group.levels):
        lost = codes >= len(group.levels)
        # A missing part is no new level: the row has no level at all.
        known = lost & ~factors.unknown_parts(bar)
        if new_levels == "error" and bool(known.any()):
            new = [str(placed.levels[code]) for code in np.unique(codes[known])]
            raise _new_group_levels(bar.group_name, new, group.levels, bar)
        codes = np.where(lost, np.int32(-1), codes)
    left = call("~", bar.effects, span=bar.effects.span)
    columns = plan(
        terms(left, recipe.frame_names),
        factors.with_groups(bar),
        frame.rows,
        Collation(recipe.collation),
        default_contrasts=recipe.default_contrasts,
    )
    return RandomTerm(bar, Factor(codes, group.levels, group.ordered), columns)


class _NewFactors:
    """The variables that a bar's group names, as factors on the model's levels.

    Levels the model did not have stand behind the known ones; where `closed`, they
    are missing values.
    """

    def __init__(self, frame: NewFrame, levels: Mapping[str, Levels], closed: bool) -> None:
        self.frame = frame
        self.levels = levels
        self._closed = closed
        self._open: dict[str, Factor] = {}

    def open(self, name: str) -> Factor | None:
        """Return a variable as a factor, new levels behind the known ones."""
        if name not in self.levels or name not in self.frame.values:
            return None
        if name not in self._open:
            value = self.frame.values[name]
            if isinstance(value, Matrix):
                raise DataError(f"a matrix cannot be a grouping factor: '{name}'")
            if isinstance(value, Numeric):
                value = factor_of(value, Collation("C"))
            if not isinstance(value, Character | Factor):
                raise DataError(f"'{name}' cannot be a grouping factor")
            placed = place_levels(value, self.levels[name])
            kind = self.frame.types[name]
            ordered = kind.kind == "factor" and kind.ordered
            self._open[name] = Factor(placed.codes, placed.levels, ordered)
        return self._open[name]

    def get(self, name: str) -> Factor | None:
        """Return a variable as a factor, or None where there is none."""
        found = self.open(name)
        if found is None or not self._closed:
            return found
        known = self.levels[name]
        codes = np.where(found.codes < len(known), found.codes, np.int32(-1))
        return Factor(codes, known, found.ordered)

    def refuse_unknown(self, bar: Bar) -> None:
        """Raise an error if a variable that the group names has a new level."""
        for symbol in symbols(bar.group):
            found = self.open(symbol.name)
            if found is not None and len(found.levels) > len(self.levels[symbol.name]):
                known = self.levels[symbol.name]
                new = [str(level) for level in found.levels[len(known) :]]
                raise _new_group_levels(symbol.name, new, known, bar)

    def unknown_parts(self, bar: Bar) -> NDArray[np.bool_]:
        """Return the rows where a variable that the group names is missing."""
        lost = np.zeros(self.frame.rows, dtype=np.bool_)
        for symbol in symbols(bar.group):
            found = self.open(symbol.name)
            if found is not None:
                lost |= found.codes < 0
        return lost

    def with_groups(self, bar: Bar) -> _LeftFrame:
        """Return the frame as the left side of a bar sees it."""
        return _LeftFrame(self, frozenset(symbol.name for symbol in symbols(bar.group)))


@dataclass(frozen=True, eq=False, slots=True)
class _LeftFrame:
    """The frame in which what the group names are factors, as in lme4."""

    factors: _NewFactors
    grouping: frozenset[str]

    @property
    def names(self) -> Sequence[str]:
        """Names of the variables."""
        return self.factors.frame.names

    def get(self, name: str) -> Value | None:
        """Return a variable, or None."""
        if name not in self.grouping:
            return self.factors.frame.get(name)
        found = self.factors.open(name)
        if found is None:
            return self.factors.frame.get(name)
        known = self.factors.levels[name]
        if len(found.levels) > len(known):
            raise unknown_levels(name, found.levels, known)
        return replace(found, contrasts=self.factors.frame.types[name].contrasts)


def _new_group_levels(name: str, new: Sequence[str], known: Levels, bar: Bar) -> DataError:
    shown = ", ".join(f"'{level}'" for level in new[:8]) + (", ..." if len(new) > 8 else "")
    hint = known_levels([f"'{level}'" for level in new], known)
    return DataError(
        f"new levels detected in newdata: {shown} of the grouping factor {name}",
        bar.group.span,
        f'{hint}; new_levels="zero" gives such rows no random effect',
    )
