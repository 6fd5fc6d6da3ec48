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

__all__ = ["mean", "quantile", "running_total", "sum_of_squares", "total", "variance"]

FloatArray = NDArray[np.float64]

_WIDE = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
_FUZZ = 4 * float(np.finfo(np.float64).eps)
_PLOTTING = {
    4: (0.0, 1.0),
    5: (0.5, 0.5),
    6: (0.0, 0.0),
    7: (1.0, 1.0),
    8: (1 / 3, 1 / 3),
    9: (3 / 8, 3 / 8),
}


def running_total(values: ArrayLike) -> NDArray[np.longdouble]:
    """Return the cumulative sums from left to right, in long double.

    Parameters
    ----------
    values : array_like, shape (n,) or (n, k)
        Sums run down the rows.
    """
    with np.errstate(all="ignore"):
        return np.cumsum(np.asarray(values), axis=0, dtype=np.longdouble)


def _sum(values: NDArray[Any]) -> Any:
    """Return the sum from left to right in long double (exactly rounded where there is none)."""
    if not values.size:
        return np.longdouble(0.0)
    if not _WIDE and np.isfinite(values).all():
        return np.longdouble(math.fsum(values))
    return running_total(values)[-1]


def total(values: ArrayLike) -> float:
    """Return R's ``sum`` of doubles.

    Parameters
    ----------
    values : array_like, shape (n,)
        Missing values make the total NaN.

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
    # Not by BLAS, whose threads would spin for longer than the whole pass takes.
    return float(np.einsum("i,i", values, values))


def mean(values: ArrayLike) -> float:
    """Return R's ``mean`` of doubles: the total over n, then corrected by the mean residual.

    Parameters
    ----------
    values : array_like, shape (n,)
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

    Parameters
    ----------
    values : array_like, shape (n,)
        With fewer than two values the variance is NaN (R's NA).

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


def quantile(values: ArrayLike, probs: ArrayLike, type: int = 7) -> FloatArray:
    """Return R's ``quantile(values, probs, type = type, names = FALSE)``.

    Parameters
    ----------
    values : array_like, shape (n,)
        Without missing values; in any order.
    probs : array_like, shape (k,)
        Probabilities; a missing one gives NaN.
    type : int
        1 to 9, R's numbering of the definitions.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    DataError
        If a value is missing, a probability lies outside [0, 1] or `type` is unknown.

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
    if type not in range(1, 10):
        raise DataError("'type' must be one of 1 to 9")
    result = np.full(p.shape, np.nan)
    n = x.size
    if not n or not known.any():
        return result
    p = np.clip(p[known], 0.0, 1.0)
    if type == 7:
        index = (n - 1) * p + 1
        low = np.floor(index)
        weight = index - low
        below, above = x[low.astype(np.int64) - 1], x[np.ceil(index).astype(np.int64) - 1]
    else:
        if type <= 3:
            place = n * p - 0.5 if type == 3 else n * p
            low = np.floor(place)
            past = place > low
            if type == 1:
                weight = past.astype(np.float64)
            elif type == 2:
                weight = (past + 1.0) / 2
            else:
                weight = ((place != low) | (low % 2 == 1)).astype(np.float64)
        else:
            a, b = _PLOTTING[type]
            place = a + p * (n + 1 - a - b)
            low = np.floor(place + _FUZZ)
            weight = place - low
            weight[np.abs(weight) < _FUZZ] = 0.0
        padded = np.concatenate((x[:1], x[:1], x, x[-1:], x[-1:]))
        position = low.astype(np.int64) + 1
        below, above = padded[position], padded[position + 1]
    with np.errstate(invalid="ignore"):
        mixed = (1 - weight) * below + weight * above
    mixed = np.where((weight == 0) | (below == above), below, mixed)
    result[known] = np.where(weight == 1, above, mixed)
    return result
