"""The rank of X, and which of its columns carry nothing new; the rank of Z.

R's ``qr`` walks the columns from left to right and sets a column aside when what is
left of it, after projecting out the kept ones, is below 1e-7 of its own norm. The Gram
matrix tells what is left of a column to half of the digits: mostly it is plainly much.
Otherwise the rule runs on the triangular factor of an ordinary QR, or, for a sparse matrix,
on residuals; and where a column lies so near the tolerance that rounding decides, on the
dense matrix itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.errors import CheckError
from lme4py.linpack import TOLERANCE, qr
from lme4py.matrices.randomterm import Entries
from lme4py.moments import sum_of_squares

if TYPE_CHECKING:
    from scipy.sparse import csc_array

_NOT_FINITE = "NA/NaN/Inf in foreign function call (arg 1)"
_MARGIN = 2.0
# A share of a column above this cannot be rounding error in a scaled Gram matrix.
_CLEARLY_INDEPENDENT = 1e-3
# A share above this is not near the tolerance that R's rule is run with.
_CLEARLY_LEFT = 1e-5
_SMALL_NORM = 1e-150
_SAMPLE = 4096
# OpenBLAS multiplies on one thread up to so many products.
_SERIAL = 1 << 18
_REFINEMENTS = 3
# Columns that are projected at a time.
_TOGETHER = 64
_INT32_LIMIT = 2**31 - 1
# The largest Z whose rank is found of a dense matrix.
_DENSE = 1_000_000


def rank_of(
    values: FloatArray | csc_array, squares: FloatArray | None = None
) -> tuple[int, NDArray[np.int64]]:
    """Return rank and pivot of R's ``qr(x, tol = 1e-7, LAPACK = FALSE)``, x of shape (n, p).

    The first `rank` places of the pivot, from 0, are those of the columns that R keeps.
    `squares` are the sums of squares of the columns, or bounds of them, where they are known. It
    is a `CheckError` in the words of R's ``qr`` if a value is missing or infinite.

    Examples
    --------
    >>> rank, pivot = rank_of(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 2.0]]))
    >>> rank, pivot.tolist()
    (2, [0, 2, 1])
    """
    if not isinstance(values, np.ndarray):
        if not np.isfinite(values.data).all():
            raise CheckError(_NOT_FINITE)
        rows, columns = values.shape
        with np.errstate(all="ignore"):
            kept = _independent(values) if rows > columns > 0 else None
        if kept is not None:
            dropped = sorted(set(range(columns)) - set(kept))
            return len(kept), np.array([*kept, *dropped], dtype=np.int64)
        values, squares = values.toarray(order="F"), None
    if squares is None:
        squares = np.array([sum_of_squares(column) for column in values.T])
    # A sum of squares is finite only if every value is; large values overflow, though.
    if not np.isfinite(squares).all() and not np.isfinite(values).all():
        raise CheckError(_NOT_FINITE)
    return _dense_rank(values, squares)


def _dense_rank(x: FloatArray, squares: FloatArray) -> tuple[int, NDArray[np.int64]]:
    rows, columns = x.shape
    if columns == 0:
        return 0, np.arange(0)
    with np.errstate(all="ignore"):
        if rows > columns:
            # What some rows leave of a column, after the columns before it are taken out as
            # well as these rows allow, is a lower bound of what all rows leave of it.
            sample = max(4 * columns, min(_SAMPLE, _SERIAL // columns**2))
            step = max(1, rows // sample)
            for some in (x[::step], x) if step > 1 else (x,):
                if clearly_full(some.T @ some, squares):
                    return columns, np.arange(columns)
        small = np.asarray(np.linalg.qr(x, mode="r")) if rows > 2 * columns else x
        plain = _plain_rank(small)
    if plain is not None:
        return plain
    found = qr(x)
    return found.rank, found.pivot


def _plain_rank(x: FloatArray) -> tuple[int, NDArray[np.int64]] | None:
    """Return rank and pivot by R's rule, None where a column lies near the tolerance.

    What is left of the columns is found by projections, many columns at a time: twice on
    the columns kept before, once on those kept beside them.
    """
    rows, columns = x.shape
    norms = np.sqrt(np.einsum("ij,ij->j", x, x))
    if not np.isfinite(norms).all() or (norms[norms > 0] < _SMALL_NORM).any():
        return None
    basis = np.empty((rows, min(rows, columns)), order="F")
    tested = np.zeros(columns, dtype=bool)
    kept: list[int] = []
    for begin in range(0, columns, _TOGETHER):
        some = slice(begin, begin + _TOGETHER)
        rest = np.asfortranarray(x[:, some] / np.where(norms[some] > 0, norms[some], 1.0))
        for _ in range(2):
            known = basis[:, : len(kept)]
            rest -= known @ (known.T @ rest)
        for j in range(rest.shape[1]):
            if len(kept) == rows:
                break
            tested[begin + j] = True
            left = float(np.sqrt(rest[:, j] @ rest[:, j]))
            if left < TOLERANCE / _MARGIN:
                continue
            if left <= TOLERANCE * _MARGIN:
                return None
            direction = basis[:, len(kept)] = rest[:, j] / left
            rest[:, j + 1 :] -= np.outer(direction, direction @ rest[:, j + 1 :])
            kept.append(begin + j)
    untested = np.flatnonzero(~tested)
    tested[kept] = False
    pivot = np.concatenate((np.array(kept, dtype=np.int64), untested, np.flatnonzero(tested)))
    return len(kept), pivot


def clearly_full(gram: FloatArray, squares: FloatArray) -> bool:
    """Tell whether the Gram matrix of some rows proves full rank, with a wide margin.

    `squares` are the sums of squares of the columns in all rows, or more.
    """
    sizes, norms = np.sqrt(np.diag(gram)), np.sqrt(squares)
    if not (np.isfinite(norms).all() and (norms > _SMALL_NORM).all() and (sizes > 0).all()):
        return False
    try:
        factor = np.linalg.cholesky(gram / np.outer(sizes, sizes))
    except np.linalg.LinAlgError:
        return False
    # The diagonal is what R tests: the share of each column that those before leave.
    left = np.diag(factor)
    return bool(left.min() > _CLEARLY_INDEPENDENT and (left * sizes / norms).min() > _CLEARLY_LEFT)


def _independent(x: csc_array) -> list[int] | None:
    """Return the independent columns, None where only the dense matrix can tell."""
    from scipy.linalg import solve_triangular

    gram = (x.T @ x).toarray()
    if clearly_full(gram, np.diag(gram)):
        return list(range(x.shape[1]))
    norms = np.sqrt(np.diag(gram))
    positive = norms > 0
    if not np.isfinite(norms).all() or (norms[positive] < _SMALL_NORM).any():
        return None
    scales = np.where(positive, norms, 1.0)
    gram /= np.outer(scales, scales)
    factor = np.zeros_like(gram)
    kept: list[int] = []
    for j in np.flatnonzero(positive).tolist():
        size = len(kept)
        known = factor[:size, :size]
        share = solve_triangular(known, gram[kept, j], lower=True, check_finite=False)
        left = gram[j, j] - float(share @ share)
        if left > _CLEARLY_INDEPENDENT**2:
            factor[size, :size], factor[size, size] = share, np.sqrt(left)
            kept.append(j)
        elif _residual(x, kept, j, known, scales) >= TOLERANCE / _MARGIN:
            return None
    return kept


def _residual(
    x: csc_array,
    kept: list[int],
    j: int,
    factor: FloatArray,
    scales: FloatArray,
) -> float:
    """Return the share of a column's norm that others leave of it, or one below the tolerance."""
    from scipy.linalg import cho_solve

    rest = x[:, [j]].toarray()[:, 0] / scales[j]
    # Zeros for the columns that do not count: choosing the others copies the matrix.
    shares, left = np.zeros(x.shape[1]), 1.0
    for _ in range(_REFINEMENTS):
        across = (x.T @ rest)[kept] / scales[kept]
        shares[kept] = cho_solve((factor, True), across) / scales[kept]
        rest = rest - x @ shares
        left = np.sqrt(sum_of_squares(rest))
        # What some combination of the others leaves, the best one does not exceed.
        if left < TOLERANCE / 100:
            break
    return left


def has_full_row_rank(entries: Entries) -> bool:
    """Tell whether the columns of Zt, one per observation, are linearly independent.

    Its entries are finite numbers.

    Examples
    --------
    >>> ones, diagonal = np.ones(2), np.arange(2)
    >>> has_full_row_rank(Entries(ones, diagonal, np.arange(3), (2, 2)))
    True
    >>> has_full_row_rank(Entries(ones, diagonal * 0, np.arange(3), (2, 2)))
    False
    """
    q, n = entries.shape
    if n == 0:
        return True
    if q < n or np.diff(entries.indptr).min() == 0:
        return False
    from scipy.sparse import csc_array
    from scipy.sparse.csgraph import structural_rank

    Zt = entries.matrix()
    # scipy before 1.15 matches on int32 indices only.
    narrow = (Zt.data, Zt.indices.astype(np.int32), Zt.indptr.astype(np.int32))
    if max(Zt.nnz, q) <= _INT32_LIMIT and structural_rank(csc_array(narrow, shape=(q, n))) < n:
        return False
    if q * n <= _DENSE:
        from scipy.linalg import qr

        triangle = qr(Zt.toarray(), mode="r", pivoting=True, check_finite=False)[0]
        pivots = np.abs(np.diagonal(triangle))
    else:
        from scipy.sparse import block_array, eye_array
        from scipy.sparse.linalg import splu

        # [[I, A], [A', 0]] is regular if A has full rank.
        scaled = Zt / np.abs(Zt.data).max()
        corner = eye_array(q)
        try:
            factors = splu(block_array([[corner, scaled], [scaled.T, None]], format="csc"))
        except RuntimeError:  # SuperLU's word for "exactly singular"
            return False
        pivots = np.abs(factors.U.diagonal())
    # The smallest pivot of a decomposition as a share of the largest.
    least: float = pivots.max() * max(q, n) * np.finfo(np.float64).eps
    return bool(pivots.max() > 0 and pivots.min() >= least)
