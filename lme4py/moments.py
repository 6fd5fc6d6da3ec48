"""Totals, means, spreads and quantiles of float arrays, with R's own arithmetic.

One unit in the last place of a mean or a knot is 1e-10 of a variable that carries
an offset of 1e6, so these follow R step by step: sums from left to right in the
platform's long double (R does the same), means corrected by the mean residual,
quantiles by R's formula rather than numpy's equivalent one. Sums of squares, which only
tell how large numbers are, need no such care.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.errors import DataError

FloatArray = NDArray[np.float64]

# BLAS adds so few on one thread: more would spin for longer than the whole pass takes.
_SERIAL = 1 << 13
_PIECE = 1 << 14
WIDE = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
"""Whether long double is wider than double, so that sums from left to right can be R's."""

_T = TypeVar("_T")

Sums: TypeAlias = tuple[tuple[int, Any], ...]
"""Of some arrays each: how many numbers it has, and their sum in long double."""

Asking: TypeAlias = Generator[Sequence[NDArray[Any]], Sums, _T]
"""What is computed from sums alone: it asks for those of some arrays, one question after the other.

The arrays may be those of all rows, or of a block of them, whose sums are carried on.
"""


def running_total(values: ArrayLike) -> NDArray[np.longdouble]:
    """Return the cumulative sums from left to right, in long double, down the rows."""
    with np.errstate(all="ignore"):
        return np.cumsum(np.asarray(values), axis=0, dtype=np.longdouble)


def _sum(values: NDArray[Any], sum_so_far: Any = 0.0) -> Any:
    """Return the sum from left to right in long double (exactly rounded where there is none)."""
    sum_so_far = np.longdouble(sum_so_far)
    if not values.size:
        return sum_so_far
    if not WIDE and np.isfinite(values).all():
        return sum_so_far + np.longdouble(math.fsum(values))
    for begin in range(0, values.size, _PIECE):
        piece = values[begin : begin + _PIECE].astype(np.longdouble)
        piece[0] += sum_so_far
        sum_so_far = running_total(piece)[-1]
    return sum_so_far


def sums_after(sums: Sums, arrays: Sequence[NDArray[Any]]) -> Sums:
    """Return the sums of rows, and of the arrays of those that follow.

    Examples
    --------
    >>> [(size, float(total)) for size, total in sums_after(((2, 0.5),), [np.array([1.0])])]
    [(3, 1.5)]
    """
    with np.errstate(all="ignore"):
        pairs = zip(sums, arrays, strict=True)
        return tuple((size + array.size, _sum(array, total)) for (size, total), array in pairs)


def resumed(
    asking: Asking[_T], answers: Sequence[Sums]
) -> tuple[Sequence[NDArray[Any]], _T | None]:
    """Return what is asked for after some answers, or nothing, and what was computed.

    Examples
    --------
    >>> resumed(means([np.array([1.0, 2.0])], corrected=False), [])
    ([array([1., 2.])], None)
    """
    with np.errstate(all="ignore"):
        try:
            arrays = next(asking)
            for answer in answers:
                arrays = asking.send(answer)
        except StopIteration as end:
            return (), end.value
    return arrays, None


def answered(asking: Asking[_T]) -> _T:
    """Return what is computed where the arrays are those of all rows.

    Examples
    --------
    >>> answered(means([np.array([1.0, 2.0]), np.array([5.0])], corrected=True))
    [1.5, 5.0]
    """
    with np.errstate(all="ignore"):
        try:
            arrays = next(asking)
            while True:
                arrays = asking.send(sums_after(((0, 0.0),) * len(arrays), arrays))
        except StopIteration as end:
            found: _T = end.value
            return found


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


def means(arrays: Sequence[NDArray[Any]], *, corrected: bool) -> Asking[list[float]]:
    """Return the mean of each array: the total over n, which R's ``mean`` corrects.

    To it the mean of what is left of the numbers is added. Missing values make a mean NaN; no
    values at all do, too.
    """
    sums = yield arrays
    nothing = np.longdouble(math.nan)
    centres = [total / size if size else nothing for size, total in sums]
    if corrected and any(map(np.isfinite, centres)):
        pairs = list(zip(arrays, centres, strict=True))
        left = yield [array - centre for array, centre in pairs]
        centres = [
            centre + rest / size if np.isfinite(centre) else centre
            for centre, (size, rest) in zip(centres, left, strict=True)
        ]
    return [float(centre) for centre in centres]


def mean(values: ArrayLike) -> float:
    """Return R's ``mean`` of doubles.

    Examples
    --------
    >>> mean([1e8, 1e8 + 1, 1e8 + 3])
    100000001.33333333
    """
    return answered(means([np.asarray(values, dtype=np.float64)], corrected=True))[0]


def variance(array: FloatArray) -> Asking[float]:
    """Return R's ``var`` of doubles: squares around the corrected mean, over n - 1.

    With fewer than two values it is NaN (R's NA).

    Examples
    --------
    >>> answered(variance(np.array([1.0, 2.0, 4.0])))
    2.3333333333333335
    """
    (middle,) = yield from means([array], corrected=True)
    residuals = array.astype(np.longdouble) - middle
    ((size, squares),) = yield [residuals * residuals]
    return math.nan if size < 2 else float(squares / (size - 1))


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
