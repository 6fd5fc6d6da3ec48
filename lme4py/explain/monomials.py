"""The columns of X and Z as products of the variables' own columns.

Two columns are made of the same thing when the names and the numbers agree: a factor
coded by sums in X and by treatments in Z has columns of one name that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.expression import Quantity
from lme4py.explain.hierarchy import CONTRADICTION, Hierarchy
from lme4py.export.coordinates import dense
from lme4py.formula.syntax import Call, Node, Symbol, call, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.functions.table import lookup
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm

ALL = slice(None)
Column: TypeAlias = Callable[[slice], FloatArray]
"""Returns some rows of a column."""


def column_of_X(design: MixedDesign, number: int) -> FloatArray:
    """Return one column of X as a dense array."""
    return dense(design.X[:, [number]]).ravel()


def fixed_terms(design: MixedDesign) -> Terms:
    """Return the terms of the fixed part."""
    return terms(design.formula.nobars().node, design.model_frame.names)


def left_side(design: MixedDesign, term: RandomTerm) -> Terms:
    """Return the terms of the left side of a bar."""
    return terms(call("~", term.bar.effects), design.model_frame.names)


class Monomials:
    """What the columns of a design are products of, and at which level that lies.

    `chosen` says to which grouping factor a variable belongs, None: to the observations, instead
    of what the data say.
    """

    def __init__(
        self, design: MixedDesign, levels: Hierarchy, chosen: Mapping[str, str | None]
    ) -> None:
        # What computes some rows of an atom's numbers, so that none are kept.
        self.values: dict[Quantity, Column] = {}
        # The grouping factor that each variable belongs to, and the variables in its expression.
        self.places: dict[str, int | None] = {}
        self.inside: dict[str, frozenset[str]] = {}
        self._labelled: dict[str, list[Quantity]] = {}
        self._frame, self._levels = design.model_frame, levels
        self._chosen = chosen

    def __repr__(self) -> str:
        return f"<Monomials: {', '.join(self.places) or 'no variables'}>"

    def check_chosen(self) -> None:
        """Raise a DataError for a chosen level of what is no variable of the columns."""
        used = set(map(self._label, self.places))
        for name in self._chosen:
            if name not in used:
                known = used | set(self.places)
                raise DataError(
                    f"'{name}' is not a variable of the model's columns",
                    hint=nearest(str(name), known)
                    or f"its variables: {', '.join(sorted(known)) or 'none'}",
                )

    def atoms(self, found: Terms, plan: Plan, number: int) -> tuple[Quantity, ...]:
        """Return what a planned column of these terms multiplies; nothing for an intercept."""
        picked = plan.products[number]
        named: list[tuple[str, Node]]
        if plan.whole:
            # Ready arrays know a column by R's name alone, which says not what is variable in it.
            named = [(plan.names[number], Symbol(plan.names[number]))]
        else:
            positions = found.positions(found.members[plan.assign[number] - 1]) if picked else ()
            named = [(found.frame_names[place], found.variables[place]) for place in positions]
        atoms = []
        for (name, node), part in zip(named, picked, strict=not plan.whole):

            def numbers(rows: slice, part: Any = part) -> FloatArray:
                values: FloatArray = part.take(rows).astype(np.float64)
                return values

            atoms.append(self._atom(name, node, part.suffix, numbers))
        return tuple(atoms)

    def _atom(self, name: str, node: Node, part: str, numbers: Column) -> Quantity:
        if name not in self.places:
            self.inside[name] = frozenset(symbol.name for symbol in symbols(node))
            self.places[name] = self._place(name, node)
        place = self.places[name]
        factors, row = ((), "i") if place is None else ((place,), "")
        atom = Quantity("predictor", name, part, factors=factors, row=row)
        for known in self._labelled.setdefault(name + part, []):
            if np.array_equal(self.values[known](ALL), numbers(ALL), equal_nan=True):
                return known
            if known.name == name:
                atom = replace(atom, copy=known.copy + 1)
        self._labelled[name + part].append(atom)
        self.values[atom] = numbers
        return atom

    def _label(self, name: str) -> str:
        """Return by which name the level of a variable is chosen, or of the one inside it."""
        inside = self.inside[name]
        return next(iter(inside)) if name not in self._chosen and len(inside) == 1 else name

    def _place(self, name: str, node: Node) -> int | None:
        """Return the level of a variable: the chosen one, or what the data say."""
        label, value = self._label(name), self._frame.get(name)
        if value is None:
            return None
        if label not in self._chosen:
            return self._home(name, node)
        factor = self._chosen[label]
        if factor is None:
            return None
        place = self._levels.position(str(factor))
        level = self._levels.factors[place].exception(value, CONTRADICTION)
        if level is not None:
            raise DataError(
                f"'{name}' cannot belong to '{factor}': it has several values in level '{level}'"
            )
        return place

    def _home(self, name: str, node: Node) -> int | None:
        """Return the position of the factor that a variable belongs to; None: to no factor.

        Of several it is the coarsest, on one stage the first. In a factor with one level for each
        row nothing could change. An expression that is computed row by row belongs where the
        variables inside it do, if the model frame has them; all else goes by its own values.
        """
        values = [self._frame.get(symbol) for symbol in self.inside[name]]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values) or not _row_by_row(node):
            known = [self._frame.variables[name]]
        found = [
            place
            for place, factor in enumerate(self._levels.factors)
            if factor.size < self._frame.rows and not any(map(factor.exception, known))
        ]
        return max(found, key=lambda place: (self._levels.stage[place], -place), default=None)


def _row_by_row(node: Node) -> bool:
    """Tell whether the value of an expression in a row follows from its variables' values there."""
    if not isinstance(node, Call):
        return True
    entry = lookup(node.name) if node.name else None
    known = entry is not None and entry.role in ("elementwise", "summary", "basis")
    return known and all(map(_row_by_row, node.operands))
