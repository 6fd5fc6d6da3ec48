"""Whether Z has as many independent directions as rows, found without a huge dense matrix.

lme4's check asks one thing of the rank of Z: is it the number of observations? So most
models are answered by counting, and the rest by ever dearer steps: a matching of rows and
columns, a dense decomposition of a small matrix, a sparse one of a large matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lme4py.matrices.zt import Entries

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["has_full_row_rank"]

_DENSE = 1_000_000
_INT32_LIMIT = 2**31


def has_full_row_rank(entries: Entries) -> bool:
    """Tell whether the columns of Zt, one per observation, are linearly independent.

    Parameters
    ----------
    entries : Entries
        Zt, shape (q, n), of finite numbers.

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
    if max(Zt.nnz, q) < _INT32_LIMIT and structural_rank(csc_array(narrow, shape=(q, n))) < n:
        return False
    return bool(_smallest_share(Zt) >= max(q, n) * np.finfo(np.float64).eps)


def _smallest_share(matrix: csc_array) -> float:
    """Return the smallest pivot of a decomposition as a share of the largest, 0 if singular."""
    if matrix.shape[0] * matrix.shape[1] <= _DENSE:
        from scipy.linalg import qr

        triangle = qr(matrix.toarray(), mode="r", pivoting=True, check_finite=False)[0]
        pivots = np.abs(np.diagonal(triangle))
    else:
        from scipy.sparse import block_array, eye_array
        from scipy.sparse.linalg import splu

        # [[I, A], [A', 0]] is regular if A has full rank.
        scaled = matrix / np.abs(matrix.data).max()
        corner = eye_array(matrix.shape[0])
        try:
            factors = splu(block_array([[corner, scaled], [scaled.T, None]], format="csc"))
        except RuntimeError:  # SuperLU's word for "exactly singular"
            return 0.0
        pivots = np.abs(factors.U.diagonal())
    return float(pivots.min() / pivots.max()) if pivots.max() > 0 else 0.0
