"""Mathematical functions of numbers, element by element: a numpy formula with R's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.values import (
    Character,
    Factor,
    MalformedFactor,
    Null,
    Numeric,
    Value,
    is_difftime,
)
from lme4py.functions.calendar import truncated_date
from lme4py.functions.coercion import (
    NON_NUMERIC,
    Time,
    align,
    as_string,
    column_names,
    elements,
    higher,
    logical,
    recycle,
    reject_classes,
    scalar,
    shaped,
    time_of,
)
from lme4py.functions.table import MISSING, Context, Dot, function

Array: TypeAlias = NDArray[Any]
Formula: TypeAlias = Callable[..., Array]

# These keep the class of a difference of times.
_KEEP_DIFFTIME = frozenset(("floor", "ceiling", "sign", "abs", "trunc", "round", "signif"))
_KEEP_DATE = frozenset(("trunc", "round"))
_DECIMALS = 15
_LOG10_2 = 0.301029995663981195213738894724
_MOST_DIGITS = 308
_ZERO, _ONE, _SIX = (scalar(number, "double") for number in (0, 1, 6))


def silent(_: str) -> None:
    """Take a warning that R does not give for functions."""


def scipy_special(name: str) -> Formula:
    """Return scipy's function of that name, imported when it is first called."""

    def formula(*arrays: Array) -> Array:
        from scipy import special

        result: Array = getattr(special, name)(*arrays)
        return result

    return formula


def warn_nan(result: Array, inputs: tuple[Array, ...], context: Context) -> None:
    """Give R's warning if a result is NaN where no argument was."""
    if (lost := np.isnan(result)).any():
        known = np.zeros(1, dtype=np.bool_)
        for array in inputs:
            known = known | np.isnan(array)
        if (lost & ~known).any():
            context.warn("NaNs produced")


def _class_kept(name: str, x: Value) -> Time:
    """Return the class of times that the function keeps; raise R's error where it has none."""
    time = time_of(x)
    if is_difftime(time) and name in _KEEP_DIFFTIME:
        return time
    if time == "Date" and name in _KEEP_DATE:
        return time
    reject_classes(x, name)
    return None


def _numbers(*values: Value) -> tuple[Array, ...]:
    """Return the numbers of the arguments, aligned without R's warning."""
    if any(isinstance(value, Null) for value in values):
        raise DataError(NON_NUMERIC)
    arrays = tuple(elements(value, NON_NUMERIC)[0] for value in values)
    return arrays if len(arrays) == 1 else align(arrays[0], arrays[1], silent)


def _mapped(formula: Formula, context: Context, *values: Value, time: Time = None) -> Value:
    """Return a formula of one argument or two as doubles, warning when numbers gave none."""
    arrays = _numbers(*values)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(*arrays))
    warn_nan(result, arrays, context)
    return shaped(result, "double", column_names(*values), time)


# Formulas of one number ---------------------------------------------------------------------


def _gamma(x: Array) -> Array:
    result = scipy_special("gamma")(x)
    return np.where((x <= 0) & (np.floor(x) == x), np.nan, result)


_FORMULAS: Mapping[str, tuple[Formula, str]] = {
    "log2": (np.log2, "Logarithm to base 2."),
    "log10": (np.log10, "Logarithm to base 10."),
    "log1p": (np.log1p, "log(1 + x), exact near 0."),
    "exp": (np.exp, "Exponential."),
    "expm1": (np.expm1, "exp(x) - 1, exact near 0."),
    "sqrt": (np.sqrt, "Square root."),
    "floor": (np.floor, "Rounded down."),
    "ceiling": (np.ceil, "Rounded up."),
    "sign": (np.sign, "Sign: -1, 0 or 1."),
    "sin": (np.sin, "Sine."),
    "cos": (np.cos, "Cosine."),
    "tan": (np.tan, "Tangent."),
    "asin": (np.arcsin, "Inverse sine."),
    "acos": (np.arccos, "Inverse cosine."),
    "atan": (np.arctan, "Inverse tangent."),
    "sinh": (np.sinh, "Hyperbolic sine."),
    "cosh": (np.cosh, "Hyperbolic cosine."),
    "tanh": (np.tanh, "Hyperbolic tangent."),
    "asinh": (np.arcsinh, "Inverse hyperbolic sine."),
    "acosh": (np.arccosh, "Inverse hyperbolic cosine."),
    "atanh": (np.arctanh, "Inverse hyperbolic tangent."),
    "gamma": (_gamma, "Gamma function."),
    "lgamma": (scipy_special("gammaln"), "Logarithm of the gamma function."),
}


@function({name: purpose for name, (_, purpose) in _FORMULAS.items()}, role="elementwise")
def _formula_of_x(x: Value, context: Context, called: str) -> Value:
    return _mapped(_FORMULAS[called][0], context, x, time=_class_kept(called, x))


@function("abs", role="elementwise")
def _abs(x: Value) -> Value:
    """Return the absolute value."""
    time = _class_kept("abs", x)
    (array,) = _numbers(x)
    kind = higher(elements(x, NON_NUMERIC)[1], "integer")
    return shaped(np.abs(array), kind, column_names(x), time)


def _log_to_base(x: Array, base: Array) -> Array:
    return np.where(
        base == 10, np.log10(x), np.where(base == 2, np.log2(x), np.log(x) / np.log(base))
    )


@function("log", role="elementwise")
def _log(x: Value, context: Context, base: Value = MISSING) -> Value:
    """Return the natural logarithm, or that to a base."""
    reject_classes(x, "log")
    if base is MISSING:
        return _mapped(np.log, context, x)
    return _mapped(_log_to_base, context, x, base)


@function("atan2", role="elementwise")
def _atan2(y: Value, x: Value, context: Context) -> Value:
    """Return the angle of the point (x, y)."""
    return _mapped(np.arctan2, context, y, x)


# Rounding -----------------------------------------------------------------------------------


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


@function("round", role="elementwise")
def _round(x: Value, digits: Value = _ZERO) -> Value:
    """Return numbers rounded to digits; ties to even."""
    return _rounded("round", x, digits, round_digits)


@function("signif", role="elementwise")
def _signif(x: Value, digits: Value = _SIX) -> Value:
    """Return numbers rounded to significant digits."""
    return _rounded("signif", x, digits, significant_digits)


def _rounded(name: str, x: Value, digits: Value, formula: Formula) -> Value:
    time = _class_kept(name, x)
    (array,) = _numbers(x)
    places, _ = elements(digits, NON_NUMERIC)
    if not places.size:
        raise DataError("invalid second argument of length 0")
    return shaped(formula(*align(array, places, silent)), "double", column_names(x), time)


@function("trunc", role="elementwise")
def _trunc(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    """Return numbers rounded towards zero, a date as the first day of its unit."""
    time = _class_kept("trunc", x)
    if time == "Date" and isinstance(x, Numeric):
        return truncated_date(x, as_string(dots[0].value, "units") if dots else "secs")
    return _mapped(np.trunc, context, x, time=time)


# Questions about each element ----------------------------------------------------------------

_QUESTIONS: Mapping[str, tuple[Formula, str]] = {
    "is.na": (np.isnan, "Whether missing."),
    "is.nan": (np.isnan, "Whether not a number; NA counts, too."),
    "is.finite": (np.isfinite, "Whether finite."),
    "is.infinite": (np.isinf, "Whether infinite."),
}


@function({name: purpose for name, (_, purpose) in _QUESTIONS.items()}, role="elementwise")
def _question(x: Value, called: str) -> Value:
    if isinstance(x, Factor | Character):
        if called == "is.na":
            return logical(x.codes < 0)
        present = isinstance(x, Factor) and called == "is.finite"
        return logical((x.codes >= 0) & present)
    if isinstance(x, MalformedFactor):
        x = Numeric(x.values, x.kind)
    array, kind = elements(x, "default method not implemented for type 'closure'")
    if called == "is.nan" and kind != "double":
        # One NaN stands for NA and NaN; only doubles can hold the latter.
        return logical(np.zeros(array.shape, dtype=np.bool_), names=column_names(x))
    return logical(_QUESTIONS[called][0](array), names=column_names(x))


# Distributions ---------------------------------------------------------------------------------

_STATS_NON_NUMERIC = "Non-numeric argument to mathematical function"


def _recycled(arrays: list[Array]) -> list[Array]:
    """Return the arguments of a distribution function, recycled to one length."""
    first = arrays[0]
    if not all(array.size for array in arrays):
        return [np.empty(0) for _ in arrays]
    if first.ndim == 2:
        return [align(first, array, silent)[1] for array in arrays]
    size = max(array.size for array in arrays)
    flattened = [array.reshape(-1, order="F") for array in arrays]
    return [array if array.size == 1 else recycle(array, size) for array in flattened]


def _computed(values: tuple[Value, Value, Value], formula: Formula, context: Context) -> Value:
    if any(isinstance(value, Null) for value in values):
        raise DataError(_STATS_NON_NUMERIC)
    first, centre, spread = _recycled([elements(value, _STATS_NON_NUMERIC)[0] for value in values])
    with np.errstate(all="ignore"):
        result = np.asarray(formula(first, centre, spread))
    missing = np.isnan(first) | np.isnan(centre) | np.isnan(spread)
    if missing.any():
        result = np.where(missing, np.nan, result)
    warn_nan(result, (first, centre, spread), context)
    names = column_names(*values) if result.ndim == 2 else None
    return shaped(result, "double", names)


def _quantiles(share: Array, centre: Array, spread: Array, standard: Array, log: bool) -> Array:
    """Return quantiles from those of the standard distribution; the ends come before the spread."""
    found = np.where(spread < 0, np.nan, centre + spread * standard)
    outside = share > 0 if log else (share < 0) | (share > 1)
    return np.where(outside, np.nan, np.where(np.isinf(standard), standard, found))


@function("plogis", role="elementwise", package="stats")
def _plogis(
    q: Value,
    context: Context,
    location: Value = _ZERO,
    scale: Value = _ONE,
    lower_tail: bool = True,
    log_p: bool = False,
) -> Value:
    """Return the logistic distribution function: the inverse logit."""

    def formula(x: Array, centre: Array, spread: Array) -> Array:
        z = (x - centre) / spread
        z = -z if lower_tail else z
        result = -np.logaddexp(0.0, z) if log_p else 1 / (1 + np.exp(z))
        return np.where(spread <= 0, np.nan, result)

    return _computed((q, location, scale), formula, context)


@function("qlogis", role="elementwise", package="stats")
def _qlogis(
    p: Value,
    context: Context,
    location: Value = _ZERO,
    scale: Value = _ONE,
    lower_tail: bool = True,
    log_p: bool = False,
) -> Value:
    """Return logistic quantiles: the logit."""

    def formula(share: Array, centre: Array, spread: Array) -> Array:
        if log_p:
            other = np.where(share > -np.log(2), np.log(-np.expm1(share)), np.log1p(-np.exp(share)))
            logit = share - other if lower_tail else other - share
        else:
            logit = np.log(share / (1 - share) if lower_tail else (1 - share) / share)
        return _quantiles(share, centre, spread, logit, log_p)

    return _computed((p, location, scale), formula, context)


@function("qnorm", role="elementwise", package="stats")
def _qnorm(
    p: Value,
    context: Context,
    mean: Value = _ZERO,
    sd: Value = _ONE,
    lower_tail: bool = True,
    log_p: bool = False,
) -> Value:
    """Return normal quantiles."""

    def formula(share: Array, centre: Array, spread: Array) -> Array:
        z = scipy_special("ndtri_exp" if log_p else "ndtri")(share)
        return _quantiles(share, centre, spread, z if lower_tail else -z, log_p)

    return _computed((p, mean, sd), formula, context)
