"""Householder QR with R's limited column pivoting, and the rank decided by it.

R's ``qr(X, LAPACK = FALSE)`` moves a column to the end when its norm, after the
columns before it are taken out, falls below ``tolerance`` times what it was. Which
columns count as dependent, and the rounding noise of ``poly`` and ``contr.poly``,
hang on this rule and on sums taken from left to right, so both are kept here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["QR", "q_times", "q_transpose_times", "qr"]

FloatArray = NDArray[np.float64]

_RECOMPUTE = 1e-6
_BIG, _SMALL = 2.0**486, 2.0**-511
# Numbers that are worked on at a time, so that they stay in the cache.
_STRIP = 1 << 15


@dataclass(frozen=True, eq=False, slots=True)
class QR:
    """A QR decomposition in LINPACK's packed form.

    Parameters
    ----------
    qr : ndarray, shape (n, p)
        R in the upper triangle, the reflections below it.
    qraux : ndarray, shape (p,)
        The leading element of each reflection.
    pivot : ndarray of int, shape (p,)
        0-based: column j of the decomposition is column ``pivot[j]`` of the matrix.
    rank : int
        Number of columns that count as independent; they come first.
    """

    qr: FloatArray
    qraux: FloatArray
    pivot: NDArray[np.int64]
    rank: int


def _sums(products: FloatArray) -> FloatArray:
    """Return column sums taken from the first row to the last."""
    if not products.shape[0]:
        return np.zeros(products.shape[1])
    total: FloatArray = np.cumsum(products, axis=0)[-1]
    return total


def _norms(columns: FloatArray) -> FloatArray:
    """Return column norms; columns whose squares leave the range are scaled by a power of two."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    scales = np.ones_like(largest)
    far = (largest > _BIG) | ((largest < _SMALL) & (largest > 0))
    scales[far] = np.ldexp(1.0, np.frexp(largest[far])[1])
    scaled = columns / scales if far.any() else columns
    norms: FloatArray = scales * np.sqrt(_sums(scaled * scaled))
    return norms


def _reflect(mirror: FloatArray, block: FloatArray) -> None:
    """Reflect the columns of a block, in place."""
    width = max(1, _STRIP // len(mirror))
    for begin in range(0, block.shape[1], width):
        strip = block[:, begin : begin + width]
        shares = _sums(mirror[:, None] * strip) / -mirror[0]
        strip += shares * mirror[:, None]


def qr(x: FloatArray, tolerance: float = 1e-7) -> QR:
    """Return R's ``qr(x, tol = tolerance, LAPACK = FALSE)``.

    Columns that count as dependent are moved to the end, but not reflected among themselves.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Finite numbers; the caller sees to that.
    tolerance : float
        A column is dependent when less than this share of its norm is left.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0], [1.0, 2.0, 2.0]])
    >>> found = qr(x)
    >>> found.rank, found.pivot.tolist()
    (2, [0, 2, 1])
    """
    with np.errstate(all="ignore"):
        return _decomposed(np.array(x, dtype=np.float64, order="F"), tolerance)


def _decomposed(packed: FloatArray, tolerance: float) -> QR:
    """Decompose a matrix in its own memory."""
    rows, columns = packed.shape
    pivot = np.arange(columns)
    norm = _norms(packed)
    original = np.where(norm == 0.0, 1.0, norm)
    bound = columns
    for step in range(min(rows, columns)):
        # Not the ratio: the product is what R compares.
        enough = norm[step:bound] >= original[step:bound] * tolerance
        passed = int(enough.argmax()) if enough.any() else bound - step
        if passed:
            moved = [*range(step + passed, columns), *range(step, step + passed)]
            packed[:, step:] = packed[:, moved]
            for per_column in (pivot, norm, original):
                per_column[step:] = per_column[moved]
            bound -= passed
        if step in (bound, rows - 1):
            break
        head = float(_norms(packed[step:, step : step + 1])[0])
        if head == 0.0:
            continue
        if packed[step, step] != 0.0:
            head = math.copysign(head, packed[step, step])
        packed[step:, step] *= 1.0 / head
        packed[step, step] += 1.0
        _reflect(packed[step:, step], packed[step:, step + 1 :])
        left = norm[step + 1 :]
        share = np.maximum(1.0 - (np.abs(packed[step, step + 1 :]) / left) ** 2, 0.0)
        anew = np.flatnonzero((share < _RECOMPUTE) & (left != 0.0))
        left *= np.where(left == 0.0, 0.0, np.sqrt(share))
        left[anew] = _norms(packed[step + 1 :, step + 1 + anew])
        norm[step] = packed[step, step]
        packed[step, step] = -head
    return QR(packed, norm, pivot, min(bound, rows))


def q_times(decomposition: QR, y: FloatArray) -> FloatArray:
    """Return Q y, R's ``qr.qy``.

    Parameters
    ----------
    decomposition : QR
    y : ndarray, shape (n, k)

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> x = np.array([[3.0], [4.0]])
    >>> q_times(qr(x), np.array([[1.0], [0.0]])).ravel().round(12).tolist()
    [-0.6, -0.8]
    """
    result = np.array(y, dtype=np.float64, order="F")
    with np.errstate(all="ignore"):
        for step, mirror in reversed(_mirrors(decomposition)):
            _reflect(mirror, result[step:])
    return result


def q_transpose_times(decomposition: QR, y: FloatArray) -> FloatArray:
    """Return Q' y, R's ``qr.qty``; meant for few rows and any number of columns.

    Parameters
    ----------
    decomposition : QR
    y : ndarray, shape (n, k)

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> x = np.array([[3.0], [4.0]])
    >>> q_transpose_times(qr(x), x).ravel().round(12).tolist()
    [-5.0, 0.0]
    """
    result = np.array(y, dtype=np.float64, order="C")
    with np.errstate(all="ignore"):
        for step, mirror in _mirrors(decomposition):
            product = np.zeros(result.shape[1])
            for weight, row in zip(mirror, result[step:], strict=True):
                product += weight * row
            result[step:] += product / -mirror[0] * mirror[:, None]
    return result


def _mirrors(decomposition: QR) -> list[tuple[int, FloatArray]]:
    """Return the steps and vectors of the reflections."""
    found = []
    for step in range(min(decomposition.rank, decomposition.qr.shape[0] - 1)):
        if decomposition.qraux[step] != 0.0:
            mirror = decomposition.qr[step:, step].copy()
            mirror[0] = decomposition.qraux[step]
            found.append((step, mirror))
    return found
