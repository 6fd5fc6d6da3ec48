"""The mean of a random effect, found from the columns of X and Z.

The columns of X that lie in the span of a term's columns Z_c are Z_c A for one matrix A,
so the mean of the effect of column c is row c of A times β. A slope whose column stands
in X, too, is the common case (A = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lme4py.explain.columns import column_of_X
from lme4py.explain.words.model import Model, left_side, variables_of
from lme4py.frame.values import FloatArray
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Effect", "columns_of_x", "effects_of", "in_span_of_x", "is_intercept", "moves"]


# Work (rows x columns x columns) up to which the span of a term's columns is computed.
_LARGEST_SPAN = 400_000_000
_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Effect:
    """One column of a random term with the mean of its effects, in elements of β."""

    term: RandomTerm
    number: int
    mean: tuple[tuple[float, str], ...] | None
    shared: bool

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.term.plan.names[self.number]


def is_intercept(effect: Effect) -> bool:
    """Tell whether an effect is its term's intercept."""
    return effect.term.plan.assign[effect.number] == 0


def columns_of_x(model: Model) -> list[FloatArray]:
    """Return the columns of X."""
    return [column_of_X(model.matrices, k) for k in range(len(model.matrices.fixed.names))]


def effects_of(model: Model, term: RandomTerm) -> list[Effect]:
    """Return the columns of a term, each with the mean of its effects where it can be told."""
    fixed = {name: number for number, name in enumerate(model.matrices.fixed.names)}
    names = term.plan.names
    shared = [
        name in fixed
        and np.array_equal(column_of_X(model.matrices, fixed[name]), term.plan.column(k))
        for k, name in enumerate(names)
    ]
    if all(shared):
        return [Effect(term, k, ((1.0, name),), True) for k, name in enumerate(names)]
    means = _means(model, term)
    return [
        Effect(term, k, mean, shared[k] and mean == ((1.0, names[k]),))
        for k, mean in enumerate(means)
    ]


def _means(model: Model, term: RandomTerm) -> list[tuple[tuple[float, str], ...] | None]:
    """Return the mean of each effect: rows of A, where Z A are the columns of X in Z's span."""
    count, p = len(term.plan.names), len(model.matrices.fixed.names)
    unknown: list[tuple[tuple[float, str], ...] | None] = [None] * count
    if model.rows * count * (count + p) > _LARGEST_SPAN:
        return unknown
    Z = np.empty((model.rows, count))
    term.plan.fill(Z)
    X = np.column_stack([np.empty((model.rows, 0)), *columns_of_x(model)])
    if not (np.isfinite(Z).all() and np.isfinite(X).all()):
        return unknown
    solution, _, rank, _ = np.linalg.lstsq(Z, X, rcond=None)
    if rank < count:
        return unknown
    left = np.abs(X - Z @ solution).max(axis=0, initial=0.0)
    inside = left <= _TOLERANCE * np.abs(X).max(axis=0, initial=0.0)
    A = np.where(np.abs(solution) > _TOLERANCE, np.round(solution, 9), 0.0) * inside
    names = model.matrices.fixed.names
    return [tuple((float(row[k]), names[k]) for k in np.flatnonzero(row)) for row in A]


def in_span_of_x(model: Model, effect: Effect) -> bool:
    """Tell whether columns of X add up to an effect's column."""
    column = effect.term.plan.column(effect.number)
    X = np.column_stack([np.zeros(model.rows), *columns_of_x(model)])
    left = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _TOLERANCE * np.abs(column).max(initial=0.0))


def moves(model: Model, number: int, effect: Effect) -> bool:
    """Return whether a fixed term is this column's term times variables of the group."""
    members = set(variables_of(model.fixed_terms, model.fixed_terms.members[number - 1]))
    left = left_side(model, effect.term)
    place = effect.term.plan.assign[effect.number]
    own = set(variables_of(left, left.members[place - 1])) if place else set()
    rest = members - own
    return (
        own < members
        and bool(model.columns(number))
        and all(effect.term.bar.group_name == model.home(name) for name in rest)
    )
