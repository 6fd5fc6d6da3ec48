"""The mean of a random effect, found from the columns of X and Z.

The columns of X that lie in the span of a term's columns Z_c are Z_c A for one matrix A,
so the mean of the effect of column c is row c of A times β. A slope whose column stands
in X, too, is the common case (A = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lme4py.explain.monomials import column_of_X
from lme4py.explain.words.reading import Reading
from lme4py.frame.values import FloatArray
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Effect", "effects_of", "in_span_of_x"]


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

    @property
    def is_intercept(self) -> bool:
        """Whether it is its term's intercept."""
        return self.term.plan.assign[self.number] == 0


def effects_of(reading: Reading, term: RandomTerm) -> list[Effect]:
    """Return the columns of a term, each with the mean of its effects where it can be told."""
    design, names = reading.design, term.plan.names
    fixed = {name: number for number, name in enumerate(design.fixed.names)}
    shared = [
        name in fixed and np.array_equal(column_of_X(design, fixed[name]), term.plan.column(number))
        for number, name in enumerate(names)
    ]
    own: list[tuple[tuple[float, str], ...]] = [((1.0, name),) for name in names]
    means = own if all(shared) else _means(reading, term)
    return [
        Effect(term, number, mean, shared[number] and mean == own[number])
        for number, mean in enumerate(means)
    ]


def _means(reading: Reading, term: RandomTerm) -> list[tuple[tuple[float, str], ...]] | list[None]:
    """Return the mean of each effect: rows of A, where Z A are the columns of X in Z's span."""
    names = reading.design.fixed.names
    count = len(term.plan.names)
    if reading.rows * count * (count + len(names)) > _LARGEST_SPAN:
        return [None] * count
    Z = np.empty((reading.rows, count))
    term.plan.fill(Z)
    X = _dense_X(reading)
    if not (np.isfinite(Z).all() and np.isfinite(X).all()):
        return [None] * count
    solution, _, rank, _ = np.linalg.lstsq(Z, X, rcond=None)
    if rank < count:
        return [None] * count
    left = np.abs(X - Z @ solution).max(axis=0, initial=0.0)
    inside = left <= _TOLERANCE * np.abs(X).max(axis=0, initial=0.0)
    A = np.where(np.abs(solution) > _TOLERANCE, np.round(solution, 9), 0.0) * inside
    return [tuple((float(row[k]), names[k]) for k in np.flatnonzero(row)) for row in A]


def _dense_X(reading: Reading) -> FloatArray:
    columns = [column_of_X(reading.design, k) for k in range(len(reading.design.fixed.names))]
    return np.column_stack([np.empty((reading.rows, 0)), *columns])


def in_span_of_x(reading: Reading, effect: Effect) -> bool:
    """Tell whether columns of X add up to an effect's column."""
    column = effect.term.plan.column(effect.number)
    X = _dense_X(reading)
    left = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _TOLERANCE * np.abs(column).max(initial=0.0))
