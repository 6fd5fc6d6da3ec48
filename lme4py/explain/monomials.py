"""The columns of X and Z as products of the variables' own columns.

Two columns are made of the same thing when the names and the numbers agree: a factor
coded by sums in X and by treatments in Z has columns of one name that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.expression import Quantity
from lme4py.explain.hierarchy import CONTRADICTION, hierarchy
from lme4py.formula.syntax import Call, Node, Symbol, call, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.variables import VariableColumns

__all__ = [
    "ALL",
    "Column",
    "ColumnProduct",
    "Monomials",
    "column_of_X",
    "fixed_terms",
    "left_side",
]


ALL = slice(None)
Column: TypeAlias = Callable[[slice], FloatArray]
"""Returns some rows of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProduct:
    """A column of X, or of a random-effects term: then one column of Z for each level.

    Parameters
    ----------
    atoms : tuple of Quantity
        What it multiplies; empty for an intercept.
    scale : float
        What the product is multiplied by: not 1 after ``check_scaleX`` rescaled a column of X.
    term, column : int
        Position of the term in the random part, and its place among the term's columns.
    factor : int
        Position of the term's grouping factor in the hierarchy.
    """

    atoms: tuple[Quantity, ...]
    scale: float = 1.0
    term: int = -1
    column: int = -1
    factor: int = -1


def column_of_X(design: MixedDesign, number: int) -> FloatArray:
    """Return one column of X as a dense array."""
    X: Any = design.X
    column = X[:, [number]]
    dense: FloatArray = np.asarray(column.toarray() if hasattr(column, "toarray") else column)
    return dense.ravel()


def _column_of(plan: Plan, number: int, rows: slice) -> FloatArray:
    return plan.column(number)[rows]


def _part_of(variable: VariableColumns, column: int, rows: slice) -> FloatArray:
    return variable.part(column, rows).astype(np.float64)


def fixed_terms(design: MixedDesign) -> Terms:
    """Return the terms of the fixed part."""
    return terms(design.formula.nobars().node, design.model_frame.names)


def left_side(design: MixedDesign, term: RandomTerm) -> Terms:
    """Return the terms of the left side of a bar."""
    return terms(call("~", term.bar.effects), design.model_frame.names)


class Monomials:
    """All columns of a design, what they are made of, and at which level that lies.

    Parameters
    ----------
    design : MixedDesign
        The design.
    chosen : mapping of str to (str or None), optional
        The grouping factor a variable belongs to, None for the level of the
        observations, instead of what the data say.

    Attributes
    ----------
    levels : Hierarchy
        The grouping factors.
    fixed, random : tuple of ColumnProduct
        Of X, and of the random terms.
    values : mapping of Quantity to callable
        Computes some rows of an atom's numbers, so that none are kept.
    places : mapping of str to (int or None)
        The grouping factor each variable belongs to, None for the observations.
    inside : mapping of str to set of str
        The variables in the expression of each.

    Raises
    ------
    DataError
        If `chosen` names what is not there, or the data contradict it.
    """

    def __init__(self, design: MixedDesign, chosen: Mapping[str, str | None] | None = None) -> None:
        self.levels = hierarchy(design)
        self.values: dict[Quantity, Column] = {}
        self.places: dict[str, int | None] = {}
        self.inside: dict[str, frozenset[str]] = {}
        self._labelled: dict[str, list[Quantity]] = {}
        self._design, self._chosen, self._used = design, chosen or {}, set[str]()
        self.fixed, self.random = tuple(self._fixed()), tuple(self._random())
        for name in self._chosen:
            if name not in self._used:
                known = self._used | set(self.places)
                raise DataError(
                    f"'{name}' is not a variable of the model's columns",
                    hint=nearest(str(name), known)
                    or f"its variables: {', '.join(sorted(known)) or 'none'}",
                )

    def __repr__(self) -> str:
        return f"<Monomials: {len(self.fixed)} columns of X, {len(self.random)} of random terms>"

    def stage(self, atom: Quantity) -> int:
        """Return the stage of an atom: 0 if it varies between rows."""
        return self.levels.stage[atom.factors[0]] if atom.factors else 0

    def _fixed(self) -> Iterator[ColumnProduct]:
        fixed, plan = self._design.fixed, self._design.fixed.plan
        found = fixed_terms(self._design)
        position = 0
        for number, name in enumerate(plan.names):
            if position == len(fixed.names):
                return
            own = (fixed.names[position], int(fixed.assign[position]))
            same = own == (name, plan.assign[number])
            scale = fixed.scales.get(name, 1.0)
            # Names may repeat; a dropped column differs from the kept one of its name.
            if same and len(plan.names) > len(fixed.names):
                kept = column_of_X(self._design, position)
                same = np.array_equal(kept, plan.column(number) / scale, equal_nan=True)
            if same:
                atoms = self._atoms(found, plan, number)
                with np.errstate(divide="ignore"):
                    yield ColumnProduct(atoms=atoms, scale=float(np.divide(1.0, scale)))
                position += 1

    def _random(self) -> Iterator[ColumnProduct]:
        for number, term in enumerate(self._design.random.terms):
            found = left_side(self._design, term)
            factor = self.levels.position(term.bar.group_name)
            for column in range(term.columns):
                atoms = self._atoms(found, term.plan, column)
                yield ColumnProduct(atoms=atoms, term=number, column=column, factor=factor)

    def _atoms(self, found: Terms, plan: Plan, number: int) -> tuple[Quantity, ...]:
        picked = plan.products[number]
        if not picked:
            return ()
        if plan.whole:
            name = plan.names[number]
            return (self._atom(name, Symbol(name), "", partial(_column_of, plan, number)),)
        positions = found.positions(found.members[plan.assign[number] - 1])
        atoms = []
        for position, (variable, column) in zip(positions, picked, strict=True):
            name, node = found.frame_names[position], found.variables[position]
            part = partial(_part_of, variable, column)
            atoms.append(self._atom(name, node, variable.suffixes[column], part))
        return tuple(atoms)

    def _atom(self, name: str, node: Node, part: str, numbers: Column) -> Quantity:
        if name not in self.places:
            self.places[name] = self._place(name, node)
            self.inside[name] = frozenset(symbol.name for symbol in symbols(node))
        place = self.places[name]
        factors, row = ((), "i") if place is None else ((place,), "")
        atom = Quantity("predictor", name, part, factors=factors, row=row)
        # Ready arrays know a column by R's name alone, which says no more what is variable in it.
        for known in self._labelled.setdefault(name + part, []):
            if np.array_equal(self.values[known](ALL), numbers(ALL), equal_nan=True):
                return known
            if known.name == name:
                atom = replace(atom, copy=known.copy + 1)
        self._labelled[name + part].append(atom)
        self.values[atom] = numbers
        return atom

    def _place(self, name: str, node: Node) -> int | None:
        """Return the level of a variable; `chosen` may name it or the one variable inside it."""
        inside = list(dict.fromkeys(symbol.name for symbol in symbols(node)))
        alone = name not in self._chosen and isinstance(node, Call) and len(inside) == 1
        label = inside[0] if alone else name
        self._used.add(label)
        value = self._design.model_frame.get(name)
        if value is None:
            return None
        if label not in self._chosen:
            return self.levels.home(name, node)
        factor = self._chosen[label]
        if factor is None:
            return None
        place = self.levels.position(factor)
        level = self.levels.factors[place].exception(value, CONTRADICTION)
        if level is not None:
            raise DataError(
                f"'{name}' cannot belong to '{factor}': it has several values in level '{level}'"
            )
        return place
