"""Householder QR with R's limited column pivoting, and the rank decided by it.

R's ``qr(X, LAPACK = FALSE)`` moves a column to the end when its norm, after the
columns before it are taken out, falls below 1e-7 times what it was. Which
columns count as dependent, and the rounding noise of ``poly`` and ``contr.poly``,
hang on this rule and on sums taken from left to right, so both are kept here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-7
"""A column is dependent when less than this share of its norm is left: R's default."""

_RECOMPUTE = 1e-6
_BIG, _SMALL = 2.0**486, 2.0**-511
# Rows, and numbers, that are worked on at a time, so that they stay in the cache.
_ROWS, _SIZE = 1 << 12, 1 << 16


@dataclass(frozen=True, eq=False, slots=True)
class QR:
    """A QR decomposition in LINPACK's packed form, of a matrix of shape (n, p)."""

    qr: FloatArray  # shape (n, p): R in the upper triangle, the reflections below it
    qraux: FloatArray  # shape (p,): the leading element of each reflection
    pivot: NDArray[np.int64]  # from 0: column j of the decomposition is this one of the matrix
    rank: int  # so many columns count as independent; they come first


def _sums(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the column sums of a product, taken from the first row to the last."""
    total = np.zeros(right.shape[1])
    for begin in range(0, len(right), _ROWS):
        rows = slice(begin, begin + _ROWS)
        products = left[rows] * right[rows]
        products[0] += total
        total = np.cumsum(products, axis=0)[-1]
    return total


def _norms(columns: FloatArray) -> FloatArray:
    """Return column norms; columns whose squares leave the range are scaled by a power of two."""
    largest = np.maximum(columns.max(axis=0, initial=0.0), -columns.min(axis=0, initial=0.0))
    scales = np.ones_like(largest)
    far = (largest > _BIG) | ((largest < _SMALL) & (largest > 0))
    scales[far] = np.ldexp(1.0, np.frexp(largest[far])[1])
    scaled = columns / scales if far.any() else columns
    norms: FloatArray = scales * np.sqrt(_sums(scaled, scaled))
    return norms


def _reflect(mirror: FloatArray, block: FloatArray) -> None:
    """Reflect the columns of a block, in place."""
    column = mirror[:, None]
    width = max(1, _SIZE // min(len(mirror), _ROWS))
    for first in range(0, block.shape[1], width):
        strip = block[:, first : first + width]
        shares = _sums(column, strip) / -mirror[0]
        for begin in range(0, len(strip), _ROWS):
            rows = slice(begin, begin + _ROWS)
            strip[rows] += shares * column[rows]


@np.errstate(all="ignore")
def qr(x: FloatArray, *, overwrite: bool = False) -> QR:
    """Return R's ``qr(x, LAPACK = FALSE)`` of finite numbers, shape (n, p).

    Columns that count as dependent are moved to the end, and reflected among themselves. With
    `overwrite` the memory of `x`, in Fortran order, becomes that of the result.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0], [1.0, 2.0, 2.0]])
    >>> found = qr(x)
    >>> found.rank, found.pivot.tolist()
    (2, [0, 2, 1])
    """
    packed = x if overwrite else np.array(x, dtype=np.float64, order="F")
    rows, columns = packed.shape
    pivot = np.arange(columns)
    norm = _norms(packed)
    original = np.where(norm == 0.0, 1.0, norm)
    bound = columns
    for step in range(min(rows, columns)):
        # Not the ratio: the product is what R compares.
        enough = norm[step:bound] >= original[step:bound] * TOLERANCE
        passed = int(enough.argmax()) if enough.any() else max(bound - step, 0)
        if passed:
            moved = [*range(step + passed, columns), *range(step, step + passed)]
            packed[:, step:] = packed[:, moved]
            for per_column in (pivot, norm, original):
                per_column[step:] = per_column[moved]
            bound -= passed
        if step == rows - 1:
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


@np.errstate(all="ignore")
def q_times(decomposition: QR, y: FloatArray, *, transposed: bool = False) -> FloatArray:
    """Return Q y, or Q' y where `transposed`: R's ``qr.qy`` and ``qr.qty``.

    Of y, shape (m, k), the rows beyond the first m are zeros; the result has shape (n, k) and
    the memory order of y.

    Examples
    --------
    >>> x = np.array([[3.0], [4.0]])
    >>> q_times(qr(x), np.array([[1.0]])).ravel().round(12).tolist()
    [-0.6, -0.8]
    >>> q_times(qr(x), x, transposed=True).ravel().round(12).tolist()
    [-5.0, 0.0]
    """
    rows = len(decomposition.qr)
    result = np.zeros((rows, y.shape[1]), order="C" if y.flags.c_contiguous else "F")
    result[: len(y)] = y
    reflections = np.flatnonzero(decomposition.qraux[: min(decomposition.rank, rows - 1)])
    for step in reflections if transposed else reflections[::-1]:
        mirror = decomposition.qr[step:, step].copy()
        mirror[0] = decomposition.qraux[step]
        _reflect(mirror, result[step:])
    return result
