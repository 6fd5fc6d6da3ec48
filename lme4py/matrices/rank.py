"""Columns of X that carry nothing new are dropped as lme4 drops them.

R's ``qr`` walks the columns from left to right and sets a column aside when what is
left of it, after projecting out the kept ones, is below 1e-7 of its own norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import CheckError
from lme4py.frame.values import FloatArray
from lme4py.linpack import column_squares, limited_rank
from lme4py.matrices.plan import ModelMatrix
from lme4py.matrices.sparserank import sparse_rank

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["Reduced", "drop_dependent_columns", "rank_of"]

_TOLERANCE = 1e-7
_NOT_FINITE = "NA/NaN/Inf in foreign function call (arg 1)"


@dataclass(frozen=True, eq=False, slots=True)
class Reduced:
    """A model matrix of full column rank, and what was dropped to get it.

    Parameters
    ----------
    matrix : ModelMatrix
        The kept columns.
    dropped : dict of str to int
        Name and 0-based position, in the full matrix, of each dropped column.
    kept : tuple of int
        Position in the full matrix of each column that is left.
    message : str or None
        lme4's notice.
    """

    matrix: ModelMatrix
    dropped: dict[str, int]
    kept: tuple[int, ...]
    message: str | None


def rank_of(
    values: FloatArray | csc_array, squares: FloatArray | None = None
) -> tuple[int, NDArray[np.int64]]:
    """Return the rank and R's pivot: kept columns in order, then the dropped ones.

    `squares` are the sums of squares of the columns, where they are known.

    Raises
    ------
    CheckError
        If a value is missing or infinite, in the words of R's ``qr``.
    """
    if not isinstance(values, np.ndarray):
        if not np.isfinite(values.data).all():
            raise CheckError(_NOT_FINITE)
        return sparse_rank(values, _TOLERANCE)
    # A sum of squares is finite only if every value is; large values overflow, though.
    squares = column_squares(values) if squares is None else squares
    if not np.isfinite(squares).all() and not np.isfinite(values).all():
        raise CheckError(_NOT_FINITE)
    rank, pivot = limited_rank(values, _TOLERANCE, squares)
    return rank, np.asarray(pivot, dtype=np.int64)


def drop_dependent_columns(matrix: ModelMatrix) -> Reduced:
    """Return the matrix without its dependent columns (lme4's ``chkRank.drop.cols``)."""
    rank, pivot = rank_of(matrix.values, matrix.squares)
    columns = len(matrix.names)
    if rank == columns:
        return Reduced(matrix, {}, tuple(range(columns)), None)
    count = columns - rank
    plural = "columns / coefficients" if count > 1 else "column / coefficient"
    kept = pivot[:rank]
    chosen = matrix.values[:, kept]
    reduced = ModelMatrix(
        chosen if not isinstance(chosen, np.ndarray) else np.asfortranarray(chosen),
        tuple(matrix.names[i] for i in kept),
        tuple(matrix.assign[i] for i in kept),
        matrix.contrasts,
        tuple(matrix.indicators[i] for i in kept),
    )
    # As in lme4: names in the order of the columns, positions in the order of the pivot.
    # The two disagree when there are fewer rows than columns.
    names = (matrix.names[i] for i in sorted(pivot[rank:]))
    dropped = {name: int(i) for name, i in zip(names, pivot[rank:], strict=True)}
    message = f"fixed-effect model matrix is rank deficient so dropping {count} {plural}"
    return Reduced(reduced, dropped, tuple(kept.tolist()), message)
