"""Mathematical functions of numbers, element by element: a numpy formula with R's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from lme4py.data.values import Character, Factor, Value, is_difftime
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    NON_NUMERIC,
    Array,
    Time,
    align,
    by_elements,
    elements,
    higher,
    logical,
    numbers,
    pack,
    reject_classes,
    time_of,
)
from lme4py.functions.table import MISSING, Context, function

Formula: TypeAlias = Callable[..., Array]

# These keep the class of a difference of times.
_KEEP_DIFFTIME = frozenset(("floor", "ceiling", "sign", "abs", "trunc", "round", "signif"))
_DECIMALS = 15
_LOG10_2 = 0.301029995663981195213738894724
_LARGEST_POWER = 308
_ALL_DIGITS = 22


def scipy_special(name: str) -> Formula:
    """Return scipy's function of that name, imported when it is first called."""

    def formula(*arrays: Array) -> Array:
        from scipy import special

        return np.asarray(getattr(special, name)(*arrays))

    return formula


def _class_kept(name: str, x: Value) -> Time:
    """Return the class of times that the function keeps; raise R's error where it has none."""
    time = time_of(x)
    if is_difftime(time) and name in _KEEP_DIFFTIME:
        return time
    reject_classes(x, name)
    return None


@by_elements
def _mapped(
    formula: Formula,
    context: Context,
    *values: Value,
    time: Time = None,
    complaint: str = NON_NUMERIC,
) -> Value:
    """Return a formula of one argument or two as doubles, warning when numbers gave none."""
    arrays = [numbers(value, complaint)[0] for value in values]
    if len(arrays) == 2:
        arrays = [*align(arrays[0], arrays[1], lambda _: None)]
    with np.errstate(all="ignore"):
        result = np.asarray(formula(*arrays))
    lost = np.isnan(result)
    if lost.any() and (lost & ~np.isnan(arrays[0]) & ~np.isnan(arrays[-1])).any():
        context.warn("NaNs produced")
    return pack(result, "double", time)


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
    "trunc": (np.trunc, "Rounded towards zero."),
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
@by_elements
def _abs(x: Value) -> Value:
    """Return the absolute value."""
    time = _class_kept("abs", x)
    array, kind = numbers(x, NON_NUMERIC)
    return pack(np.abs(array), higher(kind, "integer"), time)


@function("log", role="elementwise")
def _log(x: Value, context: Context, base: Value = MISSING) -> Value:
    """Return the natural logarithm, or that to a base."""
    reject_classes(x, "log")
    if base is MISSING:
        return _mapped(np.log, context, x)

    def formula(x: Array, base: Array) -> Array:
        natural = np.log(x) / np.log(base)
        return np.where(base == 10, np.log10(x), np.where(base == 2, np.log2(x), natural))

    return _mapped(formula, context, x, base)


_OF_STATS = "Non-numeric argument to mathematical function"


@function("plogis", role="elementwise", package="stats")
def _logistic(q: Value, context: Context) -> Value:
    """Return the inverse logit, of the standard logistic distribution."""
    return _mapped(lambda q: 1 / (1 + np.exp(-q)), context, q, complaint=_OF_STATS)


def _logit(p: Array) -> Array:
    return np.where((p < 0) | (p > 1), np.nan, np.log(p / (1 - p)))


@function(
    {
        "qlogis": "The logit, of the standard logistic distribution.",
        "qnorm": "Quantiles of the standard normal distribution.",
    },
    role="elementwise",
    package="stats",
)
def _quantiles(p: Value, context: Context, called: str) -> Value:
    formula = _logit if called == "qlogis" else scipy_special("ndtri")
    return _mapped(formula, context, p, complaint=_OF_STATS)


# Rounding -----------------------------------------------------------------------------------


def round_digits(x: Array, places: int) -> Array:
    """Return R's ``round(x, places)`` of a float array.

    Of the two decimals around `x` with that many digits the nearer one, compared as
    doubles; the even one in a tie. Beyond 15 significant digits `x` itself.

    Examples
    --------
    >>> round_digits(np.array([0.15, 2.675]), 2), round_digits(np.array([0.25, -2.5]), 1)
    (array([0.15, 2.67]), array([ 0.2, -2.5]))
    """
    if places == 0:
        return np.rint(x)
    # For negative digits R multiplies by the inexact 1 / 10^k, too.
    scale = 10.0**places if places > 0 else 1 / 10.0**-places
    size = np.abs(x)
    low, high = np.floor(size * scale), np.ceil(size * scale)
    below, above = low / scale, high / scale
    to_below, to_above = size - below, above - size
    lower = (to_below < to_above) | ((to_below == to_above) & (np.fmod(low, 2) == 0))
    result = np.copysign(np.where(lower, below, above), x)
    fine = places + _LOG10_2 * (0.5 + (np.frexp(size)[1] - 1)) > _DECIMALS
    return np.where(fine | ~np.isfinite(x) | (x == 0), x, result)


def significant_digits(x: Array, digits: int) -> Array:
    """Return R's ``signif(x, digits)`` of a float array.

    Examples
    --------
    >>> significant_digits(np.array([123456.0, 0.00012345]), 2)
    array([1.2e+05, 1.2e-04])
    """
    if digits > _ALL_DIGITS:
        return x
    size = np.where(np.isfinite(x) & (x != 0), np.abs(x), 1.0)
    shift = max(digits, 1) - 1 - np.floor(np.log10(size))
    extra = np.power(10.0, np.maximum(shift - _LARGEST_POWER, 0.0))
    scale = np.power(10.0, np.minimum(np.abs(shift), _LARGEST_POWER))
    result = np.where(
        shift > 0,
        np.rint((size * scale) * extra) / scale / extra,
        np.rint(size / scale) * scale,
    )
    return np.where(np.isfinite(x) & (x != 0), np.copysign(result, x), x)


def _rounded(
    name: str, x: Value, context: Context, formula: Callable[[Array, int], Array], digits: int
) -> Value:
    if abs(digits) > _LARGEST_POWER:
        raise DataError(f"{name}() to {digits} digits")
    time = _class_kept(name, x)
    return _mapped(lambda array: formula(array, digits), context, x, time=time)


@function("round", role="elementwise")
def _round(x: Value, context: Context, digits: int = 0) -> Value:
    """Return numbers rounded to digits; ties to even."""
    return _rounded("round", x, context, round_digits, digits)


@function("signif", role="elementwise")
def _signif(x: Value, context: Context, digits: int = 6) -> Value:
    """Return numbers rounded to significant digits."""
    return _rounded("signif", x, context, significant_digits, digits)


# Questions about each element ----------------------------------------------------------------

_QUESTIONS: Mapping[str, tuple[Formula, str]] = {
    "is.na": (np.isnan, "Whether missing."),
    "is.nan": (np.isnan, "Whether not a number; NA counts, too."),
    "is.finite": (np.isfinite, "Whether finite."),
    "is.infinite": (np.isinf, "Whether infinite."),
}


@function({name: purpose for name, (_, purpose) in _QUESTIONS.items()}, role="elementwise")
@by_elements
def _question(x: Value, called: str) -> Value:
    if isinstance(x, Factor | Character):
        if called == "is.na":
            return logical(x.codes < 0)
        present = isinstance(x, Factor) and called == "is.finite"
        return logical((x.codes >= 0) & present)
    array, kind = elements(x, "default method not implemented for type 'closure'")
    if called == "is.nan" and kind != "double":
        # One NaN stands for NA and NaN; only doubles can hold the latter.
        return logical(np.zeros(array.size, dtype=np.bool_))
    return logical(_QUESTIONS[called][0](array))
