"""The columns of X and Z as products of the variables' own columns.

Two columns are made of the same thing when the names and the numbers agree: a factor
coded by sums in X and by treatments in Z has columns of one name that differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.columns import column_of_X
from lme4py.explain.expression import Symbol
from lme4py.explain.levels import Hierarchy, hierarchy, place_of
from lme4py.formula.syntax import Call, Node, call, symbols
from lme4py.formula.syntax import Symbol as Variable
from lme4py.formula.terms import Terms, terms
from lme4py.frame.values import FloatArray
from lme4py.matrices.plan import Plan

__all__ = ["FixedColumn", "Monomials", "RandomColumn", "monomials"]


@dataclass(frozen=True, slots=True)
class FixedColumn:
    """A column of X.

    Parameters
    ----------
    position : int
        Its place in X.
    atoms : tuple of Symbol
        What it multiplies; empty for the intercept.
    scale : float
        What the product is multiplied by: not 1 after ``check_scaleX`` rescaled the column.
    """

    position: int
    atoms: tuple[Symbol, ...]
    scale: float


@dataclass(frozen=True, slots=True)
class RandomColumn:
    """A column of a random-effects term: one column of Z for each level.

    Parameters
    ----------
    term : int
        Position of the term in the random part.
    column : int
        Its place among the columns of the term.
    factor : int
        Position of the grouping factor in the hierarchy.
    atoms : tuple of Symbol
        What it multiplies.
    """

    term: int
    column: int
    factor: int
    atoms: tuple[Symbol, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Monomials:
    """All columns of a design, what they are made of, and at which level that lies.

    Parameters
    ----------
    levels : Hierarchy
        The grouping factors.
    fixed : tuple of FixedColumn
    random : tuple of RandomColumn
    values : mapping of Symbol to ndarray, shape (n,)
        The numbers of every atom.
    places : mapping of str to (int or None)
        The grouping factor each variable belongs to, None for the observations.
    """

    levels: Hierarchy
    fixed: tuple[FixedColumn, ...]
    random: tuple[RandomColumn, ...]
    values: Mapping[Symbol, FloatArray]
    places: Mapping[str, int | None]

    def stage(self, atom: Symbol) -> int:
        """Return the stage of an atom: 0 if it varies between rows."""
        return self.levels.stage[atom.factors[0]] if atom.factors else 0


def monomials(design: MixedDesign, chosen: Mapping[str, str | None] | None = None) -> Monomials:
    """Take the columns of a design apart.

    Parameters
    ----------
    design : MixedDesign
        The design.
    chosen : mapping of str to (str or None), optional
        The grouping factor a variable belongs to, None for the level of the
        observations, instead of what the data say.

    Raises
    ------
    DataError
        If `chosen` names what is not there, or the data contradict it.
    """
    return _Reader(design, dict(chosen or {})).read()


class _Reader:
    def __init__(self, design: MixedDesign, chosen: dict[str, str | None]) -> None:
        self.design = design
        self.frame = design.model_frame
        self.levels = hierarchy(design)
        self.values: dict[Symbol, FloatArray] = {}
        self.places: dict[str, int | None] = {}
        self.chosen = chosen
        self.used: set[str] = set()
        self.known: set[str] = set()

    def read(self) -> Monomials:
        fixed = tuple(self._fixed())
        random = tuple(self._random())
        for name in self.chosen:
            if name not in self.used:
                raise DataError(
                    f"'{name}' is not a variable of the model's columns",
                    hint=nearest(str(name), self.known)
                    or f"its variables: {', '.join(sorted(self.known)) or 'none'}",
                )
        return Monomials(self.levels, fixed, random, self.values, self.places)

    def _fixed(self) -> Iterator[FixedColumn]:
        design, plan = self.design, self.design.fixed.plan
        found = terms(design.formula.nobars().node, self.frame.names)
        position = 0
        for number, name in enumerate(plan.names):
            if position == len(design.fixed.names):
                return
            same = (name, plan.assign[number]) == (
                design.fixed.names[position],
                int(design.fixed.assign[position]),
            )
            scale = design.fixed.scales.get(name, 1.0)
            # Names may repeat; a dropped column differs from the kept one of its name.
            if same and len(plan.names) > len(design.fixed.names):
                kept = column_of_X(design, position)
                same = np.array_equal(kept, plan.column(number) / scale, equal_nan=True)
            if same:
                atoms = self._atoms(found, plan, number)
                with np.errstate(divide="ignore"):
                    yield FixedColumn(position, atoms, float(np.divide(1.0, scale)))
                position += 1

    def _random(self) -> Iterator[RandomColumn]:
        for number, term in enumerate(self.design.random.terms):
            found = terms(call("~", term.bar.effects), self.frame.names)
            factor = self.levels.position(term.bar.group_name)
            for column in range(term.columns):
                yield RandomColumn(number, column, factor, self._atoms(found, term.plan, column))

    def _atoms(self, found: Terms, plan: Plan, number: int) -> tuple[Symbol, ...]:
        picked = plan.products[number]
        if not picked:
            return ()
        if plan.whole:
            name = plan.names[number]
            return (self._atom(name, Variable(name), "", plan.column(number)),)
        positions = found.positions(found.members[plan.assign[number] - 1])
        atoms = []
        for position, (variable, column) in zip(positions, picked, strict=True):
            name = found.frame_names[position]
            values = np.empty(plan.rows)
            variable.fill(column, slice(None), values)
            atoms.append(
                self._atom(name, found.variables[position], variable.suffixes[column], values)
            )
        return tuple(atoms)

    def _atom(self, name: str, node: Node, part: str, values: FloatArray) -> Symbol:
        if name not in self.places:
            self.places[name] = self._place(name, node)
        place = self.places[name]
        symbol = Symbol(
            "predictor",
            name,
            part,
            factors=() if place is None else (place,),
            row="i" if place is None else "",
        )
        while symbol in self.values:
            if np.array_equal(self.values[symbol], values, equal_nan=True):
                return symbol
            symbol = replace(symbol, copy=symbol.copy + 1)
        self.values[symbol] = values
        return symbol

    def _place(self, name: str, node: Node) -> int | None:
        """Return the level of a variable; `chosen` may name it or the one variable inside it."""
        inside = list(dict.fromkeys(symbol.name for symbol in symbols(node)))
        label = name
        if name not in self.chosen and isinstance(node, Call) and len(inside) == 1:
            label = inside[0]
        self.known |= {name, label}
        self.used |= {label}
        value = self.frame.get(name)
        if value is None:
            return None
        chosen = {name: self.chosen[label]} if label in self.chosen else {}
        return place_of(value, name, self.levels, chosen)
