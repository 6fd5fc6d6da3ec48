"""Grouping factors: the right side of a bar, evaluated on the model frame.

lme4 turns every frame column that a grouping expression names into a factor before
anything of that bar is evaluated, its left side included; then ``a:b`` joins the
combinations that occur, and any other expression is called on the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.data.collation import Collation
from lme4py.data.factors import as_factor, drop_unused, factor_of, interaction_of, recode
from lme4py.data.schema import known_levels, listed, place_levels, unknown_levels
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Levels,
    LevelTable,
    Matrix,
    Null,
    Numeric,
    Value,
    without_dim,
)
from lme4py.errors import DataError, FormulaError, Lme4pyError
from lme4py.formula.bars import Bar
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node, Symbol, call, calls_in, symbols
from lme4py.formula.terms import terms
from lme4py.frame.combinations import Combinations
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.state import NOTHING, State
from lme4py.functions.table import Context
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm

_ROWS_PER_LEVEL = 4
_ARITHMETIC = (
    "R computes with this operator here, which gives factors no value: write g:h or two terms "
    "(lme4 expands the groups of structures only where they have no further argument)"
)


@dataclass(frozen=True, eq=False, slots=True)
class Grouping:
    """The columns of a frame that grouping expressions name, as factors.

    `names` are the columns of the frame that was learned from: what ``.`` stands for left of a bar.
    In `factors`, levels that were not learned stand behind those that were, which are `levels`.
    """

    frame: ModelFrame
    context: Context
    names: tuple[str, ...]
    factors: Mapping[str, Factor]
    levels: Mapping[str, Levels]

    @classmethod
    def of(
        cls,
        frame: ModelFrame,
        bars: Iterable[Bar],
        context: Context,
        levels: Mapping[str, Levels] | None = None,
        names: tuple[str, ...] | None = None,
    ) -> Grouping:
        """Return the columns as factors on their own levels, or on those that were learned.

        `names` are those of the frame that was learned from, if it is another.
        """
        factors: dict[str, Factor] = {}
        for name in dict.fromkeys(symbol.name for bar in bars for symbol in symbols(bar.group)):
            value = without_dim(frame.variables.get(name, Null()))
            # A matrix is told where it is used.
            if isinstance(value, Null | Matrix):
                continue
            if levels is None:
                factors[name] = as_factor(value, context.collation)
            elif name in levels:
                found = factor_of(value, Collation("C")) if isinstance(value, Numeric) else value
                if not isinstance(found, Character | Factor):
                    raise DataError(f"'{name}' cannot be a grouping factor")
                factors[name] = place_levels(found, levels[name])
        if levels is None:
            levels = {name: factor.levels for name, factor in factors.items()}
        return cls(frame, replace(context, rows=frame.rows), names or frame.names, factors, levels)

    def get(self, name: str) -> Factor | None:
        """Return a column as a factor, None where there is none; a matrix is an error."""
        if name not in self.factors and isinstance(self.frame.variables.get(name), Matrix):
            raise DataError(f"a matrix cannot be a grouping factor: '{name}'")
        return self.factors.get(name)

    def new(self, name: str) -> tuple[str, ...]:
        """Return the levels of a column that were not learned."""
        found = self.factors.get(name)
        return () if found is None else tuple(map(str, found.levels[len(self.levels[name]) :]))

    def closed(self) -> Grouping:
        """Return the same without new levels, which are missing values then."""
        if not any(map(self.new, self.factors)):
            return self
        factors = {}
        for name, found in self.factors.items():
            known = self.levels[name]
            codes = np.where(found.codes < len(known), found.codes, np.int32(-1))
            factors[name] = replace(found, codes=codes, levels=known)
        return replace(self, factors=factors)


@dataclass(frozen=True, slots=True)
class BarFrame:
    """The frame as one bar sees it: the columns its group names are factors.

    The group itself sees levels that are new (`open_levels`); the columns of a bar have no
    place for them.
    """

    bar: Bar
    grouping: Grouping
    open_levels: bool = False

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        return self.grouping.names

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""
        named = any(symbol.name == name for symbol in symbols(self.bar.group))
        found = self.grouping.get(name) if named else None
        if found is None:
            return self.grouping.frame.get(name)
        if not self.open_levels and self.grouping.new(name):
            raise unknown_levels(name, found.levels, self.grouping.levels[name])
        return found


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class LearnedGroup(Abbreviated):
    """What is learned of the grouping factor of one bar.

    The levels are in the order of the rows of Zt, and none is missing; `columns` are those of the
    bar's left side, `state` is what the functions in the grouping expression learned.
    """

    levels: Levels
    ordered: bool
    columns: tuple[str, ...]
    state: State = NOTHING


def random_term(
    bar: Bar,
    grouping: Grouping,
    scope: Scope,
    learned: LearnedGroup | None = None,
    combinations: Combinations | None = None,
    *,
    allow_new: bool = False,
) -> tuple[RandomTerm, LearnedGroup]:
    """Return one random-effects term on the frame (lme4's ``mkBlist``), and what it learned.

    With what was `learned` from other rows, the rows of Zt are those of its levels, of which
    `combinations` tells where they are ``a:b``; others stop, or have no effect where they are
    allowed.
    """
    # What is looked up is made of all levels, which does not pay for a few rows.
    if learned and combinations and grouping.frame.rows * _ROWS_PER_LEVEL >= len(learned.levels):
        # Of many rows no texts are made, if all of them are learned combinations.
        codes = combinations.find([grouping.factors[name].codes for name in joined_names(bar)])
        if codes is not None:
            group = Factor(codes, learned.levels, learned.ordered)
            return RandomTerm(bar, group, left_side(bar, grouping)), learned
    factor, state = _group_value(bar, grouping, scope, learned)
    group = _without_missing_level(factor)
    if learned is not None:
        group = _placed(bar, group, grouping, learned, allow_new=allow_new)
    plan = left_side(bar, grouping)
    if learned is None:
        for text in plan.warnings:
            scope.context.warn(text)
        learned = LearnedGroup(group.levels, group.ordered, plan.names, state)
    return RandomTerm(bar, group, plan), learned


def _group_value(
    bar: Bar, grouping: Grouping, scope: Scope, learned: LearnedGroup | None
) -> tuple[Factor, State]:
    """Return the value of a grouping expression, on levels that occur, and what it learned."""
    rows = grouping.frame.rows
    # Through a function a new level would become something else without a word.
    seen = grouping if joined_names(bar) else grouping.closed()
    inside = Scope(BarFrame(bar, seen, open_levels=True), scope.env, grouping.context)
    try:
        factor, state = _factor(bar.group, inside, None if learned is None else learned.state)
    except Lme4pyError as error:
        if learned is not None and isinstance(error, DataError):
            raise
        where = "within model frame" if learned is None else "for the new rows"
        raise FormulaError(
            f"couldn't evaluate grouping factor {bar.group_name} {where}: {error.message}",
            error.span or bar.group.span,
            error.hint or "try adding grouping factor to data frame explicitly if possible",
        ) from None
    if factor.codes.size != rows:
        raise FormulaError(
            "(p <- ncol(X)) == ncol(Y) is not TRUE: "
            f"the grouping factor has {factor.codes.size} elements for {rows} rows",
            bar.group.span,
        )
    if learned is not None:
        return factor, state
    if not factor.codes.size or int(factor.codes.max()) < 0 or not factor.levels:
        # An operator that computes stands where ":" or "/" is meant.
        arithmetic = isinstance(bar.group, Call) and bar.group.name in ("+", "-", "*", "/", "^")
        raise FormulaError(
            f"Invalid grouping factor specification, {bar.group_name}",
            bar.group.span,
            _ARITHMETIC if arithmetic else "every value of it is missing",
        )
    return drop_unused(factor), state


def _placed(
    bar: Bar, found: Factor, grouping: Grouping, learned: LearnedGroup, *, allow_new: bool
) -> Factor:
    """Return the grouping factor of new rows on the levels that were learned."""
    parts = dict.fromkeys(symbol.name for symbol in symbols(bar.group))
    for name in () if allow_new else parts:
        if grouping.new(name):
            raise _new_levels(name, grouping.new(name), grouping.levels[name], bar)
    placed = place_levels(found, learned.levels)
    codes, lost = placed.codes, placed.codes >= len(learned.levels)
    if len(placed.levels) > len(learned.levels):
        # A missing part is no new level: the row has no level at all.
        factors = [factor for name in parts if (factor := grouping.get(name)) is not None]
        new = lost & ~np.any([factor.codes < 0 for factor in factors], axis=0)
        if not allow_new and bool(new.any()):
            names = [str(placed.levels[code]) for code in np.unique(codes[new])]
            raise _new_levels(bar.group_name, names, learned.levels, bar)
        codes = np.where(lost, np.int32(-1), codes)
    return Factor(codes, learned.levels, learned.ordered)


def left_side(bar: Bar, grouping: Grouping) -> Plan:
    """Return the columns of a bar's left side, planned."""
    frame = BarFrame(bar, grouping)
    left = call("~", bar.effects, span=bar.effects.span)
    return plan(terms(left, frame.names), frame, grouping.context)


def _factor(
    node: Node, scope: Scope, state: State | None, *, joined: bool = False
) -> tuple[Factor, State]:
    """Return the value of a grouping expression as a factor, which what `:` joins must be.

    Of ``a:b`` these are the combinations that occur, by a's level and then b's.
    """
    if isinstance(node, Symbol):
        found = scope.columns.get(node.name)
        if isinstance(found, Factor):
            return found, NOTHING
    elif isinstance(node, Call) and (node.name, len(node.operands)) in (("(", 1), (":", 2)):
        joined = joined or node.name == ":"
        parts = [
            _factor(operand, scope, None if state is None else state.part(place), joined=joined)
            for place, operand in enumerate(node.operands)
        ]
        factors = [factor for factor, _ in parts]
        above = State.above([part for _, part in parts])
        return interaction_of(*factors) if len(factors) > 1 else factors[0], above
    result = evaluate(node, scope, state)
    value = result.value
    if isinstance(value, Factor):
        return value, result.state
    if joined and not isinstance(node, Symbol):
        raise DataError("both inputs must be factors", node.span)
    if isinstance(value, FunctionName | Null | Matrix):
        raise DataError(f"the grouping expression {deparse(node)} gives no factor", node.span)
    return factor_of(value, scope.context.collation), result.state


def _without_missing_level(factor: Factor) -> Factor:
    """Return the factor with an NA level (R's ``addNA``) turned into missing values."""
    levels = LevelTable.of(factor.levels)
    if not levels.holds_missing:
        # Those of pandas are narrower where there are few levels.
        codes = factor.codes.astype(np.int32, copy=False)
        return Factor(codes, levels, factor.ordered)
    known = [place for place, level in enumerate(levels) if level is not None]
    positions = np.full(len(levels), -1, dtype=np.int32)
    positions[known] = np.arange(len(known), dtype=np.int32)
    kept = tuple(levels[place] for place in known)
    return Factor(recode(factor.codes, positions), kept, factor.ordered)


def joined_names(bar: Bar) -> tuple[str, ...]:
    """Return the names that a group joins by ``:``, or its only one; none for other groups."""
    if any(item.name not in (":", "(") for item in calls_in(bar.group)):
        return ()
    return tuple(symbol.name for symbol in symbols(bar.group))


def _new_levels(name: str, new: Sequence[str], known: Levels, bar: Bar) -> DataError:
    return DataError(
        f"new levels detected in newdata: {listed(new)} of the grouping factor {name}",
        bar.group.span,
        f'{known_levels(new, known)}; new_levels="zero" gives such rows no random effect',
    )
