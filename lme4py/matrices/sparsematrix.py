"""X as a sparse matrix: the columns of a plan, written without a dense one beside them.

Each column is found where it can be other than zero, which is what the rarest factor of
its product leaves, and multiplied there in the order in which the dense matrix is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import FloatArray
from lme4py.matrices.plan import ModelMatrix, Plan
from lme4py.matrices.variables import Coded, Indicators, Numbers

__all__ = ["sparse_matrix"]

_INT32_LIMIT = 2**31 - 1
_ALL = slice(None)


def sparse_matrix(plan: Plan) -> ModelMatrix:
    """Return the model matrix of a plan, its values as a csc_array.

    No zeros are stored; NaN is no zero. Indices are int32 whenever they fit.

    Examples
    --------
    >>> codes = np.array([0, 1, 1], dtype=np.int32)
    >>> factors = Indicators(codes, 0, ("p", "q"))
    >>> products = ((factors, 0),), ((factors, 1),)
    >>> made = sparse_matrix(
    ...     Plan(names=("fp", "fq"), assign=(1, 1), contrasts={}, rows=3, products=products))
    >>> made.values.toarray().tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """
    from scipy.sparse import csc_array

    supports = _Supports(plan.rows)
    columns = [supports.column(factors) for factors in plan.products]
    pointers = np.zeros(len(columns) + 1, dtype=np.int64)
    np.cumsum([values.size for _, values in columns], out=pointers[1:])
    kind = np.int32 if max(int(pointers[-1]), plan.rows) <= _INT32_LIMIT else np.int64
    indices, data = np.empty(pointers[-1], dtype=kind), np.empty(pointers[-1])
    # Written from the last column on, so that each piece is let go when it has been copied.
    for begin, end in zip(pointers[-2::-1], pointers[:0:-1], strict=True):
        rows, values = columns.pop()
        indices[begin:end], data[begin:end] = rows, values
    shape = (plan.rows, len(plan.products))
    starts = pointers.astype(np.int32) if kind is np.int32 else pointers
    matrix = csc_array((data, indices, starts), shape=shape)
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return ModelMatrix(matrix, plan.names, plan.assign, plan.contrasts, plan.indicators)


@dataclass(frozen=True, slots=True)
class _Supports:
    """Where the columns of variables differ from zero; the rows of each level found once."""

    rows: int
    _levels: dict[int, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    _infinite: dict[int, NDArray[Any]] = field(default_factory=dict)

    def column(
        self, factors: tuple[tuple[Numbers | Indicators | Coded, int], ...]
    ) -> tuple[NDArray[Any], FloatArray]:
        """Return the rows of a column that hold no zero, and its values there."""
        if not factors:
            return np.arange(self.rows, dtype=np.int32), np.ones(self.rows)
        found: NDArray[Any] | None = None
        for variable, column in factors:
            rows = self._support(variable, column)
            if rows is not None and (found is None or rows.size < found.size):
                found = rows
        if found is not None and len(factors) > 1:
            found = self._with_infinite(found, factors)
        where: NDArray[Any] | slice = _ALL if found is None else found
        variable, column = factors[0]
        product = _at(variable, column, where).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            for variable, column in factors[1:]:
                product *= _at(variable, column, where)
        stored = product != 0
        if found is None:
            return np.flatnonzero(stored), product[stored]
        return (found, product) if stored.all() else (found[stored], product[stored])

    def _support(self, variable: Numbers | Indicators | Coded, column: int) -> NDArray[Any] | None:
        """Return the rows where a variable's column can differ from zero, None for all."""
        match variable:
            case Indicators(codes=codes, first=first):
                order, starts = self._by_level(codes)
                level = first + column
                return (
                    order[starts[level] : starts[level + 1]]
                    if level + 1 < starts.size
                    else order[:0]
                )
            case Coded(codes=codes, table=table):
                return np.flatnonzero(np.take(table[:, column] != 0, codes, mode="wrap"))
            case _:
                return None

    def _by_level(self, codes: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the rows sorted by level, and where each level begins."""
        key = id(codes)
        if key not in self._levels:
            order = np.argsort(codes, kind="stable").astype(np.int32, copy=False)
            starts = np.concatenate(([0], np.cumsum(np.bincount(codes))))
            self._levels[key] = order, starts
        return self._levels[key]

    def _with_infinite(
        self, found: NDArray[Any], factors: tuple[tuple[Numbers | Indicators | Coded, int], ...]
    ) -> NDArray[Any]:
        """Return the rows with those where a number is infinite or missing: 0 times it is NaN."""
        extra = [self._not_finite(variable, column) for variable, column in factors]
        extra = [rows for rows in extra if rows.size]
        return np.unique(np.concatenate([found, *extra])) if extra else found

    def _not_finite(self, variable: Numbers | Indicators | Coded, column: int) -> NDArray[Any]:
        match variable:
            case Numbers(columns=columns):
                # The numbers are the plan's, which lives longer than this: the key stays theirs.
                key = id(columns[column])
                if key not in self._infinite:
                    self._infinite[key] = np.flatnonzero(~np.isfinite(columns[column]))
                return self._infinite[key]
            case Coded() if not variable.finite(column):
                return np.flatnonzero(~np.isfinite(_at(variable, column, _ALL)))
            case _:
                return np.zeros(0, dtype=np.int64)


def _at(
    variable: Numbers | Indicators | Coded, column: int, rows: NDArray[Any] | slice
) -> NDArray[Any]:
    match variable:
        case Numbers(columns=columns):
            return columns[column][rows]
        case Indicators(codes=codes, first=first):
            marks: NDArray[Any] = codes[rows] == first + column
            return marks
        case Coded(codes=codes, table=table):
            return np.take(table[:, column], codes[rows], mode="wrap")
