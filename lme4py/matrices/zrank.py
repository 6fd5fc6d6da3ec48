"""Whether Z has as many independent directions as rows, found without a huge dense matrix.

lme4's check asks one thing of the rank of Z: is it the number of observations? So most
models are answered by counting, and the rest by ever dearer steps: a matching of rows
and columns, taking out observations that have a random effect of their own, a dense
decomposition of a small remainder, a sparse one of a large remainder.
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
_ROUNDS = 100


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
    tolerance = max(q, n) * np.finfo(np.float64).eps
    rest = _without_private_effects(Zt, tolerance)
    if rest.shape[1] == 0:
        return True
    if rest.shape[0] < rest.shape[1]:
        return False
    if rest.shape[0] * rest.shape[1] <= _DENSE:
        return _dense(rest, tolerance)
    return _sparse(rest, tolerance)


def _without_private_effects(Zt: csc_array, tolerance: float) -> csc_array:
    """Return what is left when observations with an effect that no other one has are taken out."""
    rest = Zt.tocsr()
    threshold = tolerance * np.abs(rest.data).max(initial=0.0)
    for _ in range(_ROUNDS):
        alone = np.flatnonzero(np.diff(rest.indptr) == 1)
        places = rest.indptr[alone]
        places = places[np.abs(rest.data[places]) > threshold]
        if not places.size:
            break
        keep = np.ones(rest.shape[1], dtype=np.bool_)
        keep[rest.indices[places]] = False
        rest = rest[:, np.flatnonzero(keep)]
        rest = rest[np.flatnonzero(np.diff(rest.indptr))]
    return rest.tocsc()


def _dense(matrix: csc_array, tolerance: float) -> bool:
    from scipy.linalg import qr

    triangle = qr(matrix.toarray(), mode="r", pivoting=True, check_finite=False)[0]
    diagonal = np.abs(np.diagonal(triangle))
    return bool(diagonal.min() >= tolerance * diagonal.max() > 0)


def _sparse(matrix: csc_array, tolerance: float) -> bool:
    """Decide by the LU factors of [[I, A], [A', 0]], which is regular if A has full rank."""
    from scipy.sparse import block_array, eye_array
    from scipy.sparse.linalg import splu

    scale = np.abs(matrix.data).max()
    scaled = matrix / scale
    system = block_array([[eye_array(matrix.shape[0]), scaled], [scaled.T, None]], format="csc")
    try:
        factors = splu(system)
    except RuntimeError:
        # SuperLU's word for "exactly singular".
        return False
    diagonal = np.abs(factors.U.diagonal())
    return bool(diagonal.min() >= tolerance * diagonal.max())
