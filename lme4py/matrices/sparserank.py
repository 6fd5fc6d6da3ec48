"""The rank of a sparse X by R's rule, from its Gram matrix.

The Gram matrix tells what the columns before it leave of a column, but only to half of
the digits. Where that is not plainly much, the residual itself is computed; where a
column lies near the tolerance, the dense matrix decides, as it would without sparsity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import FloatArray
from lme4py.linpack import limited_rank

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["sparse_rank"]

_CLEAR = 1e-6
_MARGIN = 2.0
_REFINEMENTS = 3


def sparse_rank(x: csc_array, tolerance: float) -> tuple[int, NDArray[np.int64]]:
    """Return rank and pivot of R's ``qr(x, tol = tolerance)`` for a sparse matrix.

    Parameters
    ----------
    x : csc_array, shape (n, p)
        Finite numbers.
    tolerance : float
        A column is dependent when less than this share of its norm is left.

    Examples
    --------
    >>> from scipy.sparse import csc_array
    >>> x = csc_array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> rank, pivot = sparse_rank(x, 1e-7)
    >>> rank, pivot.tolist()
    (2, [0, 1, 2])
    """
    rows, columns = x.shape
    with np.errstate(all="ignore"):
        kept = _kept(x, tolerance) if rows > columns > 0 else None
    if kept is None:
        return limited_rank(x.toarray(order="F"), tolerance)
    dropped = sorted(set(range(columns)) - set(kept))
    return len(kept), np.array([*kept, *dropped], dtype=np.int64)


def _kept(x: csc_array, tolerance: float) -> list[int] | None:
    """Return the independent columns, None where only the dense matrix can tell."""
    from scipy.linalg import solve_triangular

    gram = (x.T @ x).toarray()
    norms = np.sqrt(np.diag(gram))
    positive = norms > 0
    if not np.isfinite(norms).all() or (norms[positive] < 1e-150).any():
        return None
    scales = np.where(positive, norms, 1.0)
    gram /= np.outer(scales, scales)
    if positive.all():
        try:
            if np.diag(np.linalg.cholesky(gram)).min() ** 2 > _CLEAR:
                return list(range(x.shape[1]))
        except np.linalg.LinAlgError:
            pass
    factor = np.zeros_like(gram)
    kept: list[int] = []
    for j in range(x.shape[1]):
        size = len(kept)
        share = solve_triangular(
            factor[:size, :size], gram[kept, j], lower=True, check_finite=False
        )
        left = gram[j, j] - float(share @ share)
        if left <= _CLEAR:
            if positive[j]:
                ratio = _residual(x, kept, j, factor[:size, :size], scales, tolerance)
                if ratio >= tolerance / _MARGIN:
                    return None
            continue
        factor[size, :size], factor[size, size] = share, np.sqrt(left)
        kept.append(j)
    return kept


def _residual(
    x: csc_array,
    kept: list[int],
    j: int,
    factor: FloatArray,
    scales: FloatArray,
    tolerance: float,
) -> float:
    """Return the share of a column's norm that others leave of it, or one below `tolerance`."""
    from scipy.linalg import cho_solve

    rest = x[:, [j]].toarray()[:, 0] / scales[j]
    # Zeros for the columns that do not count: choosing the others copies the matrix.
    shares, left = np.zeros(x.shape[1]), 1.0
    for _ in range(_REFINEMENTS):
        across = (x.T @ rest)[kept] / scales[kept]
        shares[kept] = cho_solve((factor, True), across) / scales[kept]
        rest = rest - x @ shares
        left = float(np.sqrt(np.einsum("i,i", rest, rest)))
        # What some combination of the others leaves, the best one does not exceed.
        if left < tolerance / 100:
            break
    return left
