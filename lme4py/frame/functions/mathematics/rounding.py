"""Rounding: to digits, to significant digits, towards zero."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.calendar import truncated_date
from lme4py.frame.functions.coercion import NON_NUMERIC, align, as_string, elements, shaped
from lme4py.frame.functions.mathematics.elementwise import (
    Array,
    Formula,
    class_kept,
    column_names,
    mapped,
    silent,
)
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.values import Null, Numeric, Value

__all__ = ["round_digits", "significant_digits"]

_DECIMALS = 15
_LOG10_2 = 0.301029995663981195213738894724
_MOST_DIGITS = 308


def round_digits(x: Array, digits: Array) -> Array:
    """Return R's ``round(x, digits)`` of float arrays.

    Of the two decimals around `x` with that many digits the nearer one, compared as
    doubles; the even one in a tie. Beyond 15 significant digits `x` itself.

    Examples
    --------
    >>> round_digits(np.array([0.15, 0.25, 2.675, -2.5]), np.array([1.0, 1.0, 2.0, 0.0]))
    array([ 0.1 ,  0.2 ,  2.67, -2.  ])
    """
    with np.errstate(all="ignore"):
        x, digits = np.broadcast_arrays(x, digits)
        places = np.floor(digits + 0.5)
        size = np.abs(x)
        exponent = np.frexp(size)[1] - 1
        fine = places + (_LOG10_2 * (0.5 + exponent)) > _DECIMALS
        clipped = np.clip(places, -_MOST_DIGITS, _MOST_DIGITS)
        # For negative digits R multiplies by the inexact 1 / 10^k, too.
        scale = np.power(10.0, np.abs(clipped))
        scale = np.where(clipped < 0, 1 / scale, scale)
        scaled = size * scale
        low, high = np.floor(scaled), np.ceil(scaled)
        below, above = low / scale, high / scale
        to_below, to_above = size - below, above - size
        lower = (to_below < to_above) | ((to_below == to_above) & (np.fmod(low, 2) == 0))
        result = np.copysign(np.where(lower, below, above), x)
        result = np.where(places == 0, np.rint(x), np.where(fine, x, result))
        result = np.where(np.isfinite(x) & (x != 0), result, x)
        result = np.where(places < -_MOST_DIGITS, 0.0, result)
        return np.where(np.isnan(x) | np.isnan(digits), np.nan, result)


def significant_digits(x: Array, digits: Array) -> Array:
    """Return R's ``signif(x, digits)`` of float arrays.

    Examples
    --------
    >>> significant_digits(np.array([123456.0, 0.00012345]), np.array(2.0))
    array([1.2e+05, 1.2e-04])
    """
    with np.errstate(all="ignore"):
        x, digits = np.broadcast_arrays(x, digits)
        wanted = np.where(np.isposinf(digits), 99.0, np.where(np.isneginf(digits), 1.0, digits))
        wanted = np.maximum(np.rint(wanted), 1.0)
        size = np.where(np.isfinite(x) & (x != 0), np.abs(x), 1.0)
        shift = wanted - 1 - np.floor(np.log10(size))
        extra = np.power(10.0, np.maximum(shift - _MOST_DIGITS, 0.0))
        scale = np.power(10.0, np.minimum(np.abs(shift), float(_MOST_DIGITS)))
        result = np.where(
            shift > 0,
            np.rint((size * scale) * extra) / scale / extra,
            np.rint(size / scale) * scale,
        )
        result = np.copysign(result, x)
        result = np.where((wanted > 22) | ~np.isfinite(x) | (x == 0), x, result)
        return np.where(np.isnan(x) | np.isnan(digits), np.nan, result)


def _rounded(name: str, x: Value, digits: Value | None, standard: float, formula: Formula) -> Value:
    time = class_kept(name, x)
    if isinstance(x, Null):
        raise DataError(NON_NUMERIC)
    array, _ = elements(x, NON_NUMERIC)
    places = np.array([standard]) if digits is None else elements(digits, NON_NUMERIC)[0]
    if not places.size:
        raise DataError("invalid second argument of length 0")
    left, right = align(array, places, silent)
    return shaped(formula(left, right), "double", column_names(x), time)


@function("round", "x, digits=0", role="elementwise", purpose="Rounded; ties to even.")
def _round(x: Value, digits: Value | None = None) -> Value:
    return _rounded("round", x, digits, 0.0, round_digits)


@function("signif", "x, digits=6", role="elementwise", purpose="Significant digits.")
def _signif(x: Value, digits: Value | None = None) -> Value:
    return _rounded("signif", x, digits, 6.0, significant_digits)


@function("trunc", "x, ...", role="elementwise", purpose="Rounded towards zero.")
def _trunc(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    time = class_kept("trunc", x)
    if time == "Date" and isinstance(x, Numeric):
        unit = as_string(dots[0].value, "units") if dots else "secs"
        return truncated_date(x, unit)
    result = mapped(x, np.trunc, context)
    return Numeric(result.values, "double", time) if isinstance(result, Numeric) else result
