"""X as a sparse matrix: the columns of a plan, written without a dense one beside them.

A column with a factor's indicator among its parts is computed in the rows of that level
alone; any other column is computed whole, and its zeros are left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.matrices.plan import Indicators, ModelMatrix, Plan

__all__ = ["sparse_matrix"]

_INT32_LIMIT = 2**31 - 1


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

    by_level = cache(_rows_by_level)
    finite = cache(lambda variable, column: variable.finite(column))

    def entries(number: int) -> tuple[NDArray[Any], FloatArray]:
        """Return the rows of a column that hold no zero, and its values there."""
        factors = plan.products[number]
        rows = None
        # Zero times a number that is not finite is an entry, too.
        if all(finite(variable, column) for variable, column in factors):
            marked = [
                by_level(variable)[variable.first + column]
                for variable, column in factors
                if isinstance(variable, Indicators)
            ]
            rows = min(marked, key=len, default=None)
        values = plan.column(number, rows)
        if rows is not None and values.all():
            return rows, values
        stored = np.flatnonzero(values)
        return (stored if rows is None else rows[stored]), values[stored]

    columns = [entries(number) for number in range(len(plan.products))]
    pointers = np.zeros(len(columns) + 1, dtype=np.int64)
    np.cumsum([values.size for _, values in columns], out=pointers[1:])
    narrow = max(int(pointers[-1]), plan.rows) <= _INT32_LIMIT
    kind = np.int32 if narrow else np.int64
    indices, data = np.empty(pointers[-1], dtype=kind), np.empty(pointers[-1])
    # Written from the last column on, so that each piece is let go when it has been copied.
    for begin, end in zip(pointers[-2::-1], pointers[:0:-1], strict=True):
        rows, values = columns.pop()
        indices[begin:end], data[begin:end] = rows, values
    starts = pointers.astype(np.int32) if narrow else pointers
    shape = (plan.rows, len(plan.products))
    matrix = csc_array((data, indices, starts), shape=shape)
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return ModelMatrix(matrix, plan.names, plan.assign, plan.contrasts, plan.indicators)


def _rows_by_level(factor: Indicators) -> list[NDArray[Any]]:
    """Return the rows of each level."""
    order = np.argsort(factor.codes, kind="stable").astype(np.int32)
    counts = np.bincount(factor.codes, minlength=factor.first + len(factor.suffixes))
    return np.split(order, np.cumsum(counts)[:-1])
