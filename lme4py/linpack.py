"""Householder QR with R's limited column pivoting, and the rank decided by it.

R's ``qr(X, LAPACK = FALSE)`` moves a column to the end when its norm, after the
columns before it are taken out, falls below ``tolerance`` times what it was. Which
columns count as dependent, and the rounding noise of ``poly`` and ``contr.poly``,
hang on this rule and on sums taken from left to right, so both are kept here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "QR",
    "column_squares",
    "limited_rank",
    "q_times",
    "q_transpose_times",
    "qr",
    "sum_of_squares",
]

FloatArray = NDArray[np.float64]

_RECOMPUTE = 1e-6
_MARGIN = 2.0
# A residual ratio above this in a scaled Gram matrix cannot be rounding error there.
_CLEARLY_INDEPENDENT = 1e-3
# A share of a column above this is not near any tolerance that R's rule is run with.
_CLEARLY_LEFT = 1e-5
_SMALL_SQUARE = 1e-300
_SAMPLE = 4096
_SAMPLED_WORK = 1 << 18
# OpenBLAS multiplies on one thread up to twice this many products.
_SERIAL = 1 << 17
_DOT = 1 << 13
_WIDE = 250
_BIG, _SMALL = 2.0**486, 2.0**-511
_BIG_SCALE, _SMALL_SCALE = 2.0**-538, 2.0**537


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
    """Return column norms; values whose squares leave the range are scaled, as in BLAS 3.10."""
    size = np.abs(columns)
    if not size.size:
        return np.zeros(columns.shape[1])
    big, small = size > _BIG, (size < _SMALL) & (size > 0)
    if not big.any() and not small.any():
        return np.sqrt(_sums(size * size))
    norms = np.empty(columns.shape[1])
    for j in range(columns.shape[1]):
        column = size[:, j : j + 1]
        is_big, is_small = big[:, j], small[:, j]
        middle = float(_sums(column[~(is_big | is_small)] ** 2)[0])
        large = float(_sums((column[is_big] * _BIG_SCALE) ** 2)[0])
        tiny = float(_sums((column[is_small] * _SMALL_SCALE) ** 2)[0])
        if large > 0:
            if middle > 0:
                large += middle * _BIG_SCALE * _BIG_SCALE
            norms[j] = math.sqrt(large) / _BIG_SCALE
        elif tiny > 0:
            low, high = sorted((math.sqrt(middle), math.sqrt(tiny) / _SMALL_SCALE))
            norms[j] = (
                math.sqrt(high * high * (1 + (low / high) ** 2))
                if middle > 0
                else (math.sqrt(tiny) / _SMALL_SCALE)
            )
        else:
            norms[j] = math.sqrt(middle)
    return norms


def _decompose(x: FloatArray, tolerance: float) -> tuple[QR, list[float]]:
    """Return the decomposition and every ratio that was held against the tolerance."""
    packed = np.array(x, dtype=np.float64, order="F")
    rows, columns = packed.shape
    pivot = np.arange(columns)
    norm = _norms(packed)
    original = np.where(norm == 0.0, 1.0, norm)
    bound = columns
    ratios: list[float] = []
    for step in range(min(rows, columns)):
        while step < bound:
            ratios.append(float(norm[step] / original[step]))
            # Not the ratio: the product is what R compares.
            if norm[step] >= original[step] * tolerance:
                break
            moved = [*range(step + 1, columns), step]
            packed[:, step:] = packed[:, moved]
            for per_column in (pivot, norm, original):
                per_column[step:] = per_column[moved]
            bound -= 1
        if step == rows - 1:
            break
        head = float(_norms(packed[step:, step : step + 1])[0])
        if head == 0.0:
            continue
        if packed[step, step] != 0.0:
            head = math.copysign(head, packed[step, step])
        packed[step:, step] *= 1.0 / head
        packed[step, step] += 1.0
        mirror = packed[step:, step]
        for j in range(step + 1, columns):
            column = packed[step:, j]
            factor = -float(np.cumsum(mirror * column)[-1]) / mirror[0]
            column += factor * mirror
            if norm[j] == 0.0:
                continue
            left = max(1.0 - (abs(column[0]) / norm[j]) ** 2, 0.0)
            if left < _RECOMPUTE:
                norm[j] = float(_norms(packed[step + 1 :, j : j + 1])[0])
            else:
                norm[j] *= math.sqrt(left)
        norm[step] = packed[step, step]
        packed[step, step] = -head
    return QR(packed, norm, pivot, min(bound, rows)), ratios


def qr(x: FloatArray, tolerance: float = 1e-7) -> QR:
    """Return R's ``qr(x, tol = tolerance, LAPACK = FALSE)``.

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
        return _decompose(x, tolerance)[0]


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
    packed, rows = decomposition.qr, decomposition.qr.shape[0]
    result = np.array(y, dtype=np.float64, order="F")
    with np.errstate(all="ignore"):
        for step in reversed(range(min(decomposition.rank, rows - 1))):
            if decomposition.qraux[step] == 0.0:
                continue
            mirror = packed[step:, step].copy()
            mirror[0] = decomposition.qraux[step]
            for j in range(result.shape[1]):
                column = result[step:, j]
                column += (-float(np.cumsum(mirror * column)[-1]) / mirror[0]) * mirror
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
        In C order.

    Examples
    --------
    >>> x = np.array([[3.0], [4.0]])
    >>> q_transpose_times(qr(x), x).ravel().round(12).tolist()
    [-5.0, 0.0]
    """
    packed, rows = decomposition.qr, decomposition.qr.shape[0]
    result = np.array(y, dtype=np.float64, order="C")
    with np.errstate(all="ignore"):
        for step in range(min(decomposition.rank, rows - 1)):
            if decomposition.qraux[step] == 0.0:
                continue
            mirror = packed[step:, step].copy()
            mirror[0] = decomposition.qraux[step]
            product = np.zeros(result.shape[1])
            for weight, row in zip(mirror, result[step:], strict=True):
                product += weight * row
            product /= -mirror[0]
            result[step:] += product * mirror[:, None]
    return result


def sum_of_squares(values: FloatArray) -> float:
    """Return the sum of squares of numbers, shape (n,); finite only where every one is.

    Examples
    --------
    >>> sum_of_squares(np.array([3.0, 4.0])), sum_of_squares(np.array([1.0, np.nan]))
    (25.0, nan)
    """
    with np.errstate(all="ignore"):
        # Products so short that BLAS starts no threads, which would spin for longer
        # than the whole pass takes.
        parts = (values[i : i + _DOT] for i in range(0, values.size, _DOT))
        return float(sum(np.dot(part, part) for part in parts))


def column_squares(x: FloatArray) -> FloatArray:
    """Return the sum of squares of each column, shape (p,).

    Finite only where every value of the column is.

    Examples
    --------
    >>> column_squares(np.array([[3.0, 1.0], [4.0, np.nan]])).tolist()
    [25.0, nan]
    """
    return np.array([sum_of_squares(column) for column in x.T], dtype=np.float64)


def _gram(x: FloatArray) -> FloatArray:
    """Return X'X, by products so small that BLAS starts no threads for them."""
    columns = x.shape[1]
    piece = max(2, _SERIAL // columns**2)
    if piece >= x.shape[0] or columns > _WIDE:
        return x.T @ x
    total = np.zeros((columns, columns))
    for begin in range(0, x.shape[0], piece):
        rows = x[begin : begin + piece]
        total += rows.T @ rows
    return total


def _clearly_full(x: FloatArray, squares: FloatArray, step: int) -> bool:
    """Tell whether the Gram matrix of every `step`-th row proves full rank, with a wide margin.

    What some rows leave of a column, after the columns before it are taken out as well
    as these rows allow, is a lower bound of what all rows leave of it.
    """
    if not np.isfinite(squares).all() or not (squares > _SMALL_SQUARE).all():
        return False
    some = x[::step]
    gram = x.T @ x if step == 1 else _gram(some)
    sizes = np.sqrt(np.diag(gram))
    if not (sizes > 0).all():
        return False
    try:
        factor = np.linalg.cholesky(gram / np.outer(sizes, sizes))
    except np.linalg.LinAlgError:
        return False
    # The diagonal is what R tests: the share of each column that those before leave.
    left = np.diag(factor)
    return bool(
        left.min() > _CLEARLY_INDEPENDENT
        and (left * sizes / np.sqrt(squares)).min() > _CLEARLY_LEFT
    )


def limited_rank(
    x: FloatArray, tolerance: float = 1e-7, squares: FloatArray | None = None
) -> tuple[int, NDArray[np.int64]]:
    """Return rank and pivot of R's ``qr(x, tol = tolerance, LAPACK = FALSE)``.

    The rule runs on the small triangular factor of an ordinary QR; only when a
    column lies so near the tolerance that rounding decides does it run on `x`.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Finite numbers; the caller sees to that.
    tolerance : float
        As in `qr`.
    squares : ndarray, shape (p,), optional
        `column_squares` of `x`, where they are known.

    Returns
    -------
    rank : int
    pivot : ndarray of int, shape (p,)
        0-based; the first `rank` entries are the columns R keeps, in order.

    Examples
    --------
    >>> limited_rank(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]))
    (1, array([0, 1]))
    """
    rows, columns = x.shape
    plain: NDArray[Any] = np.arange(columns)
    with np.errstate(all="ignore"):
        if columns == 0:
            return 0, plain
        if rows > columns and tolerance <= _CLEARLY_LEFT / 100:
            sums = column_squares(x) if squares is None else squares
            sample = max(4 * columns, min(_SAMPLE, _SAMPLED_WORK // columns))
            step = max(1, rows // sample)
            if _clearly_full(x, sums, step) or (step > 1 and _clearly_full(x, sums, 1)):
                return columns, plain
        if rows > columns:
            triangle: FloatArray = np.asarray(np.linalg.qr(x, mode="r"))
            small, ratios = _decompose(triangle, tolerance)
            if not any(tolerance / _MARGIN <= ratio <= tolerance * _MARGIN for ratio in ratios):
                return small.rank, small.pivot
        found = _decompose(x, tolerance)[0]
        return found.rank, found.pivot
