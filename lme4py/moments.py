"""Totals, means, spreads and quantiles of float arrays, with R's own arithmetic.

One unit in the last place of a mean or a knot is 1e-10 of a variable that carries
an offset of 1e6, so these follow R step by step: sums from left to right in the
platform's long double (R does the same), means corrected by the mean residual,
quantiles by R's formula rather than numpy's equivalent one. Sums of squares, which only
tell how large numbers are, need no such care.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.errors import DataError

FloatArray = NDArray[np.float64]

# BLAS adds so few on one thread: more would spin for longer than the whole pass takes.
_SERIAL = 1 << 13
_PIECE = 1 << 14
_WIDE = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant


def running_total(values: ArrayLike) -> NDArray[np.longdouble]:
    """Return the cumulative sums from left to right, in long double, down the rows."""
    with np.errstate(all="ignore"):
        return np.cumsum(np.asarray(values), axis=0, dtype=np.longdouble)


def _sum(values: NDArray[Any]) -> Any:
    """Return the sum from left to right in long double (exactly rounded where there is none)."""
    if not values.size:
        return np.longdouble(0.0)
    if not _WIDE and np.isfinite(values).all():
        return np.longdouble(math.fsum(values))
    sum_so_far = np.longdouble(0.0)
    for begin in range(0, values.size, _PIECE):
        piece = values[begin : begin + _PIECE].astype(np.longdouble)
        piece[0] += sum_so_far
        sum_so_far = running_total(piece)[-1]
    return sum_so_far


def total(values: ArrayLike) -> float:
    """Return R's ``sum`` of doubles; missing values make it NaN.

    Examples
    --------
    >>> total([0.1] * 10)
    1.0
    """
    with np.errstate(all="ignore"):
        return float(_sum(np.asarray(values, dtype=np.float64)))


def sum_of_squares(values: FloatArray) -> float:
    """Return the sum of squares of numbers, shape (n,); finite only where every one is.

    Examples
    --------
    >>> sum_of_squares(np.array([3.0, 4.0])), sum_of_squares(np.array([1.0, np.nan]))
    (25.0, nan)
    """
    whole = values.size // _SERIAL * _SERIAL
    with np.errstate(over="ignore", invalid="ignore"):
        rest = values[whole:]
        found = float(rest @ rest)
        if whole:
            rows = values[:whole].reshape(-1, _SERIAL)
            found += float(np.vecdot(rows, rows).sum())
        return found


def mean(values: ArrayLike) -> float:
    """Return R's ``mean`` of doubles: the total over n, then corrected by the mean residual.

    Missing values make the mean NaN; no values at all do, too.

    Examples
    --------
    >>> mean([1e8, 1e8 + 1, 1e8 + 3])
    100000001.33333333
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return math.nan
    with np.errstate(all="ignore"):
        centre = _sum(array) / array.size
        if not np.isfinite(float(centre)):
            return float(centre)
        return float(centre + _sum(array - centre) / array.size)


def variance(values: ArrayLike) -> float:
    """Return R's ``var`` of doubles: squares around the corrected mean, over n - 1.

    With fewer than two values it is NaN (R's NA).

    Examples
    --------
    >>> variance([1, 2, 4])
    2.3333333333333335
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return math.nan
    with np.errstate(all="ignore"):
        residuals = array.astype(np.longdouble) - mean(array)
        return float(_sum(residuals * residuals) / (array.size - 1))


def quantile(values: ArrayLike, probs: ArrayLike) -> FloatArray:
    """Return R's ``quantile(values, probs, names = FALSE)``, which is of its type 7.

    A missing probability gives NaN. A missing value, or a probability outside [0, 1], is a
    `DataError`.

    Examples
    --------
    >>> quantile([1, 2, 4, 7, 11], [0, 0.25, 0.4])
    array([1. , 2. , 3.2])
    """
    x = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    p = np.atleast_1d(np.asarray(probs, dtype=np.float64))
    if np.isnan(x).any():
        raise DataError("missing values and NaN's not allowed if 'na.rm' is FALSE")
    slack = 100 * float(np.finfo(np.float64).eps)
    known = ~np.isnan(p)
    if ((p[known] < -slack) | (p[known] > 1 + slack)).any():
        raise DataError("'probs' outside [0,1]")
    result = np.full(p.shape, np.nan)
    if not x.size or not known.any():
        return result
    index = (x.size - 1) * np.clip(p[known], 0.0, 1.0) + 1
    low = np.floor(index)
    weight = index - low
    below, above = x[low.astype(np.int64) - 1], x[np.ceil(index).astype(np.int64) - 1]
    with np.errstate(invalid="ignore"):
        mixed = (1 - weight) * below + weight * above
    result[known] = np.where((weight == 0) | (below == above), below, mixed)
    return result
