"""Mathematical functions of numbers, element by element, and cumulative ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py import moments
from lme4py.errors import DataError
from lme4py.frame.functions.calendar import truncated_date
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    NON_NUMERIC,
    Time,
    align,
    as_flag,
    as_string,
    elements,
    flat,
    higher,
    pack,
    recycle,
    reject_classes,
    shaped,
    text,
    union_codes,
)
from lme4py.frame.functions.conversions import truth_of_text
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.functions.times import in_one_unit
from lme4py.frame.values import (
    Character,
    Factor,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
)

__all__ = ["round_digits", "significant_digits"]

Array: TypeAlias = NDArray[Any]
Formula: TypeAlias = Callable[..., Array]

_NAN = "NaNs produced"
_STATS_NON_NUMERIC = "Non-numeric argument to mathematical function"
_DECIMALS = 15
_LOG10_2 = 0.301029995663981195213738894724
_MOST_DIGITS = 308


def _column_names(*values: Value) -> tuple[str, ...] | None:
    for value in values:
        if isinstance(value, Matrix) and value.names is not None:
            return value.names
    return None


def _mapped(x: Value, formula: Formula, context: Context, complaint: str = NON_NUMERIC) -> Value:
    """Return ``formula(x)`` as doubles, warning when a number gave none."""
    if isinstance(x, Null):
        raise DataError(complaint)
    array, _ = elements(x, complaint)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(array))
    _warn_nan(result, (array,), context)
    return shaped(result, "double", _column_names(x))


def _warn_nan(result: Array, inputs: tuple[Array, ...], context: Context) -> None:
    """Give R's warning if a result is NaN where no argument was."""
    if (lost := np.isnan(result)).any():
        known = np.zeros(1, dtype=np.bool_)
        for array in inputs:
            known = known | np.isnan(array)
        if (lost & ~known).any():
            context.warn(_NAN)


def _special(name: str) -> Formula:
    """Return scipy's function of that name, imported when it is first called."""

    def formula(*arrays: Array) -> Array:
        from scipy import special

        result: Array = getattr(special, name)(*arrays)
        return result

    return formula


def _gamma(x: Array) -> Array:
    result = _special("gamma")(x)
    return np.where((x <= 0) & (np.floor(x) == x), np.nan, result)


def _cosine_of_pi(x: Array) -> Array:
    x = np.fmod(np.abs(x), 2)
    exact = np.where(x == 1, -1.0, np.where(x == 0, 1.0, 0.0))
    return np.where(np.fmod(x, 0.5) == 0, exact, np.cos(np.pi * x))


def _sine_of_pi(x: Array) -> Array:
    x = np.fmod(x, 2)
    x = np.where(x <= -1, x + 2, np.where(x > 1, x - 2, x))
    exact = np.where(x == 0.5, 1.0, np.where(x == -0.5, -1.0, 0.0))
    return np.where(np.fmod(x, 0.5) == 0, np.where(np.isnan(x), np.nan, exact), np.sin(np.pi * x))


def _tangent_of_pi(x: Array) -> Array:
    x = np.fmod(x, 1)
    x = np.where(x <= -0.5, x + 1, np.where(x > 0.5, x - 1, x))
    result = np.tan(np.pi * x)
    for place, value in ((0.0, 0.0), (0.5, np.nan), (0.25, 1.0), (-0.25, -1.0)):
        result = np.where(x == place, value, result)
    return result


def _trigamma(x: Array) -> Array:
    from scipy import special

    result: Array = special.polygamma(1, x)
    return result


_MATHEMATICS: dict[str, tuple[Formula, str]] = {
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
    "sinpi": (_sine_of_pi, "sin(pi x)."),
    "cospi": (_cosine_of_pi, "cos(pi x)."),
    "tanpi": (_tangent_of_pi, "tan(pi x)."),
    "gamma": (_gamma, "Gamma function."),
    "lgamma": (_special("gammaln"), "Logarithm of the gamma function."),
    "digamma": (_special("digamma"), "Derivative of lgamma."),
    "trigamma": (_trigamma, "Second derivative of lgamma."),
}
# These groups keep the class of a difference of times.
_KEEP_DIFFTIME = frozenset(("floor", "ceiling", "sign", "abs", "trunc", "round", "signif"))
_KEEP_DATE = frozenset(("trunc", "round"))


def _class_kept(name: str, x: Value) -> Time:
    """Return the class of times that the function keeps; raise R's error where it has none."""
    time = x.time if isinstance(x, Numeric) else None
    if is_difftime(time) and name in _KEEP_DIFFTIME:
        return time
    if time == "Date" and name in _KEEP_DATE:
        return time
    reject_classes(x, name)
    return None


def _enter_mathematics() -> None:
    for name, (formula, purpose) in _MATHEMATICS.items():

        def mapped(
            x: Value, context: Context, _name: str = name, _formula: Formula = formula
        ) -> Value:
            time = _class_kept(_name, x)
            result = _mapped(x, _formula, context)
            if time is not None and isinstance(result, Numeric):
                return Numeric(result.values, result.kind, time)
            return result

        function(name, "x", role="elementwise", purpose=purpose)(mapped)


_enter_mathematics()


@function("abs", "x", role="elementwise", purpose="Absolute value.")
def _abs(x: Value) -> Value:
    time = _class_kept("abs", x)
    if isinstance(x, Null):
        raise DataError(NON_NUMERIC)
    array, kind = elements(x, NON_NUMERIC)
    return shaped(np.abs(array), higher(kind, "integer"), _column_names(x), time)


def _mapped_pair(
    x: Value, y: Value, formula: Formula, context: Context, complaint: str = NON_NUMERIC
) -> Value:
    """Return ``formula(x, y)`` as doubles, recycled as R does."""
    if isinstance(x, Null) or isinstance(y, Null):
        raise DataError(complaint)
    left, right = align(elements(x, complaint)[0], elements(y, complaint)[0], _silent)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(left, right))
    _warn_nan(result, (left, right), context)
    return shaped(result, "double", _column_names(x, y))


def _silent(_: str) -> None:
    """Take a warning that R does not give for functions."""


def _log(x: Array, base: Array) -> Array:
    return np.where(
        base == 10, np.log10(x), np.where(base == 2, np.log2(x), np.log(x) / np.log(base))
    )


@function("log", "x, base?", role="elementwise", purpose="Natural logarithm, or to a base.")
def _logarithm(x: Value, context: Context, base: Value | None = None) -> Value:
    reject_classes(x, "log")
    if base is None:
        return _mapped(x, np.log, context)
    return _mapped_pair(x, base, _log, context)


@function("atan2", "y, x", role="elementwise", purpose="Angle of the point (x, y).")
def _atan2(y: Value, x: Value, context: Context) -> Value:
    return _mapped_pair(y, x, np.arctan2, context)


def _beta(a: Array, b: Array) -> Array:
    result = np.where((a == 0) | (b == 0), np.inf, _special("beta")(a, b))
    return np.where((a < 0) | (b < 0), np.nan, result)


def _logarithm_of_beta(a: Array, b: Array) -> Array:
    result = np.where((a == 0) | (b == 0), np.inf, _special("betaln")(a, b))
    return np.where((a < 0) | (b < 0), np.nan, result)


@function("beta", "a, b", role="elementwise", purpose="Beta function.")
def _beta_function(a: Value, b: Value, context: Context) -> Value:
    return _mapped_pair(a, b, _beta, context)


@function("lbeta", "a, b", role="elementwise", purpose="Logarithm of the beta function.")
def _lbeta(a: Value, b: Value, context: Context) -> Value:
    return _mapped_pair(a, b, _logarithm_of_beta, context)


def _choose(n: Array, k: Array) -> Array:
    n, k = np.broadcast_arrays(n, np.rint(k))
    near = np.abs(n - np.rint(n)) <= 1e-7 * np.maximum(1.0, np.abs(n))
    whole = np.where(near, np.rint(n), n)
    # Of two equal choices R multiplies out the smaller.
    k = np.where(near & (whole - k < k) & (whole >= 0) & (k < 30), whole - k, k)
    result = np.where(k < 0, 0.0, np.where(k == 0, 1.0, n))
    small = k < 30
    most = int(np.nanmax(np.where(small, k, 0), initial=0))
    for step in range(2, most + 1):
        active = small & (k >= step)
        result = np.where(active, result * ((n - step + 1) / step), result)
    result = np.where(small & near & (k >= 2), np.rint(result), result)
    large = ~small & ~np.isnan(k) & ~np.isnan(n)
    if large.any():
        result = np.where(large, _choose_large(n, k, near & large), result)
    return np.where(np.isnan(n) | np.isnan(k), np.nan, result)


def _choose_large(n: Array, k: Array, near: Array) -> Array:
    """Return binomial coefficients for k of 30 and more; `near` marks those of whole numbers."""
    from scipy import special

    whole = np.rint(n)
    other = np.where(near & (n >= 0), whole - k, 30.0)
    few = (other >= 0) & (other < 30)
    result = np.asarray(special.binom(np.where(near, whole, n), k))
    if few.any():
        result = np.where(few, _choose(whole, np.where(few, other, 0.0)), result)
    result = np.where(near & (n >= 0) & (other < 0), 0.0, result)
    result = np.where(near, np.rint(result), result)
    if (negative := near & (n < 0)).any():
        sign = np.where(k % 2 == 1, -1.0, 1.0)
        upper = np.where(negative, k - whole - 1, 0.0)
        result = np.where(negative, sign * _choose(upper, np.where(negative, k, 0.0)), result)
    return result


@function("choose", "n, k", role="elementwise", purpose="Binomial coefficient.")
def _choose_function(n: Value, k: Value, context: Context) -> Value:
    return _mapped_pair(n, k, _choose, context)


@function("factorial", "x", role="elementwise", purpose="gamma(x + 1).")
def _factorial(x: Value, context: Context) -> Value:
    reject_classes(x, "gamma")
    return _mapped(x, lambda array: _gamma(array + 1), context)


@function("lfactorial", "x", role="elementwise", purpose="lgamma(x + 1).")
def _lfactorial(x: Value, context: Context) -> Value:
    reject_classes(x, "lgamma")
    return _mapped(x, lambda array: _special("gammaln")(array + 1), context)


# --- rounding -------------------------------------------------------------------------


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
    time = _class_kept(name, x)
    if isinstance(x, Null):
        raise DataError(NON_NUMERIC)
    array, _ = elements(x, NON_NUMERIC)
    places = np.array([standard]) if digits is None else elements(digits, NON_NUMERIC)[0]
    if not places.size:
        raise DataError("invalid second argument of length 0")
    left, right = align(array, places, _silent)
    return shaped(formula(left, right), "double", _column_names(x), time)


@function("round", "x, digits=0", role="elementwise", purpose="Rounded; ties to even.")
def _round(x: Value, digits: Value | None = None) -> Value:
    return _rounded("round", x, digits, 0.0, round_digits)


@function("signif", "x, digits=6", role="elementwise", purpose="Significant digits.")
def _signif(x: Value, digits: Value | None = None) -> Value:
    return _rounded("signif", x, digits, 6.0, significant_digits)


@function("trunc", "x, ...", role="elementwise", purpose="Rounded towards zero.")
def _trunc(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    time = _class_kept("trunc", x)
    if time == "Date" and isinstance(x, Numeric):
        unit = as_string(dots[0].value, "units") if dots else "secs"
        return truncated_date(x, unit)
    result = _mapped(x, np.trunc, context)
    return Numeric(result.values, "double", time) if isinstance(result, Numeric) else result


# --- distributions --------------------------------------------------------------------


def _arguments(
    values: tuple[Value | None, ...], standards: tuple[float, ...]
) -> tuple[tuple[Array, ...], tuple[str, ...] | None]:
    """Return the arguments of a distribution function, recycled to one length."""
    arrays = []
    for value, standard in zip(values, standards, strict=True):
        if value is None:
            arrays.append(np.array([standard]))
        elif isinstance(value, Null):
            raise DataError(_STATS_NON_NUMERIC)
        else:
            arrays.append(elements(value, _STATS_NON_NUMERIC)[0])
    if not all(array.size for array in arrays):
        return tuple(np.empty(0) for _ in arrays), None
    first = arrays[0]
    if first.ndim == 2:
        return tuple(align(first, array, _silent)[1] for array in arrays), _names_of(values)
    size = max(array.size for array in arrays)
    flattened = [array.reshape(-1, order="F") for array in arrays]
    return tuple(array if array.size == 1 else recycle(array, size) for array in flattened), None


def _names_of(values: tuple[Value | None, ...]) -> tuple[str, ...] | None:
    return _column_names(*(value for value in values if value is not None))


def _distribution(
    values: tuple[Value | None, ...],
    standards: tuple[float, ...],
    formula: Formula,
    context: Context,
) -> Value:
    arrays, names = _arguments(values, standards)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(*arrays))
    missing = np.zeros(1, dtype=np.bool_)
    for array in arrays:
        missing = missing | np.isnan(array)
    if missing.any():
        result = np.where(missing, np.nan, result)
    _warn_nan(result, arrays, context)
    return shaped(result, "double", names)


def _tail(lower_tail: Value | None, log_p: Value | None) -> tuple[bool, bool]:
    lower = lower_tail is None or as_flag(lower_tail, "lower.tail")
    return lower, log_p is not None and as_flag(log_p, "log.p")


@function(
    "plogis",
    "q, location=0, scale=1, lower.tail=TRUE, log.p=FALSE",
    role="elementwise",
    package="stats",
    purpose="Logistic distribution function: the inverse logit.",
)
def _plogis(
    q: Value,
    context: Context,
    location: Value | None = None,
    scale: Value | None = None,
    lower_tail: Value | None = None,
    log_p: Value | None = None,
) -> Value:
    lower, log = _tail(lower_tail, log_p)

    def formula(x: Array, centre: Array, spread: Array) -> Array:
        z = (x - centre) / spread
        z = -z if lower else z
        result = -np.logaddexp(0.0, z) if log else 1 / (1 + np.exp(z))
        return np.where(spread <= 0, np.nan, result)

    return _distribution((q, location, scale), (0.0, 0.0, 1.0), formula, context)


@function(
    "qlogis",
    "p, location=0, scale=1, lower.tail=TRUE, log.p=FALSE",
    role="elementwise",
    package="stats",
    purpose="Logistic quantiles: the logit.",
)
def _qlogis(
    p: Value,
    context: Context,
    location: Value | None = None,
    scale: Value | None = None,
    lower_tail: Value | None = None,
    log_p: Value | None = None,
) -> Value:
    lower, log = _tail(lower_tail, log_p)

    def formula(share: Array, centre: Array, spread: Array) -> Array:
        if log:
            other = np.where(share > -np.log(2), np.log(-np.expm1(share)), np.log1p(-np.exp(share)))
            logit = share - other if lower else other - share
        else:
            logit = np.log(share / (1 - share) if lower else (1 - share) / share)
        result = centre + spread * logit
        outside = share > 0 if log else (share < 0) | (share > 1)
        result = np.where((spread < 0) | outside, np.nan, result)
        return np.where((spread == 0) & ~outside, centre, result)

    return _distribution((p, location, scale), (0.0, 0.0, 1.0), formula, context)


@function(
    "pnorm",
    "q, mean=0, sd=1, lower.tail=TRUE, log.p=FALSE",
    role="elementwise",
    package="stats",
    purpose="Normal distribution function.",
)
def _pnorm(
    q: Value,
    context: Context,
    mean: Value | None = None,
    sd: Value | None = None,
    lower_tail: Value | None = None,
    log_p: Value | None = None,
) -> Value:
    lower, log = _tail(lower_tail, log_p)

    def formula(x: Array, centre: Array, spread: Array) -> Array:
        z = (x - centre) / spread
        z = np.where((spread == 0) & (x == centre), np.inf, z)
        z = z if lower else -z
        result = _special("log_ndtr" if log else "ndtr")(z)
        undefined = (spread < 0) | (~np.isfinite(x) & (x == centre))
        return np.where(undefined, np.nan, result)

    return _distribution((q, mean, sd), (0.0, 0.0, 1.0), formula, context)


@function(
    "qnorm",
    "p, mean=0, sd=1, lower.tail=TRUE, log.p=FALSE",
    role="elementwise",
    package="stats",
    purpose="Normal quantiles.",
)
def _qnorm(
    p: Value,
    context: Context,
    mean: Value | None = None,
    sd: Value | None = None,
    lower_tail: Value | None = None,
    log_p: Value | None = None,
) -> Value:
    lower, log = _tail(lower_tail, log_p)

    def formula(share: Array, centre: Array, spread: Array) -> Array:
        z = _special("ndtri_exp" if log else "ndtri")(share)
        result = centre + spread * (z if lower else -z)
        outside = share > 0 if log else (share < 0) | (share > 1)
        result = np.where((spread < 0) | outside, np.nan, result)
        inside = ~outside & np.isfinite(z)
        return np.where((spread == 0) & inside, centre, result)

    return _distribution((p, mean, sd), (0.0, 0.0, 1.0), formula, context)


@function(
    "dnorm",
    "x, mean=0, sd=1, log=FALSE",
    role="elementwise",
    package="stats",
    purpose="Normal density.",
)
def _dnorm(
    x: Value,
    context: Context,
    mean: Value | None = None,
    sd: Value | None = None,
    log: Value | None = None,
) -> Value:
    logarithm = log is not None and as_flag(log, "log")

    def formula(place: Array, centre: Array, spread: Array) -> Array:
        z = np.abs((place - centre) / spread)
        if logarithm:
            result = -(0.5 * np.log(2 * np.pi) + 0.5 * z * z + np.log(spread))
        else:
            # Far out, z*z in one piece would lose digits that exp() magnifies.
            coarse = np.rint(z * 65536) / 65536
            fine = z - coarse
            exact = np.exp(-0.5 * coarse * coarse) * np.exp((-0.5 * fine - coarse) * fine)
            near = np.exp(-0.5 * z * z)
            result = np.where(z < 5, near, exact) * (1 / np.sqrt(2 * np.pi)) / spread
        point = np.where(place == centre, np.inf, -np.inf if logarithm else 0.0)
        result = np.where(spread == 0, point, result)
        result = np.where(np.isinf(spread), -np.inf if logarithm else 0.0, result)
        undefined = (spread < 0) | (~np.isfinite(place) & (place == centre))
        return np.where(undefined, np.nan, result)

    return _distribution((x, mean, sd), (0.0, 0.0, 1.0), formula, context)


# --- choices --------------------------------------------------------------------------


def _parallel(name: str, dots: tuple[Dot, ...], na_rm: Value | None, context: Context) -> Value:
    """Return ``pmin`` or ``pmax``."""
    remove = na_rm is not None and as_flag(na_rm, "na.rm")
    values = [dot.value for dot in dots]
    if not values:
        raise DataError("no arguments")
    if any(isinstance(value, Factor) for value in values):
        raise DataError(f"{name}() of factors is not supported")
    if any(length(value) == 0 for value in values):
        return Numeric(np.empty(0), "double")
    if any(isinstance(value, Character) for value in values):
        return _parallel_text(name, values, remove, context)
    size = max(
        value.values.size if isinstance(value, Matrix) else length(value) for value in values
    )
    values = in_one_unit(values, values[0].time or "" if isinstance(values[0], Numeric) else "")
    kind: Kind = "integer"
    choose = np.minimum if name == "pmin" else np.maximum
    result: Array | None = None
    for value in values:
        array, part = flat(value, "invalid input type")
        kind = higher(kind, part)
        if size % array.size:
            context.warn("an argument will be fractionally recycled")
        array = array if array.size == 1 else recycle(array, size)
        if result is not None and remove:
            # Not np.fmin: R's NA is a signalling NaN, which wins there.
            result = np.where(np.isnan(result), array, result)
            array = np.where(np.isnan(array), result, array)
        result = array if result is None else choose(result, array)
    first = values[0]
    spread = np.broadcast_to(np.asarray(result), (size,))
    if isinstance(first, Matrix) and first.values.size == size:
        return shaped(spread.reshape(first.values.shape, order="F"), kind, first.names)
    return pack(np.array(spread), kind, first.time if isinstance(first, Numeric) else None)


def _parallel_text(name: str, values: list[Value], remove: bool, context: Context) -> Value:
    result = text(values[0])
    for value in values[1:]:
        one, two, pool = union_codes(result, text(value))
        order = context.collation.sort(pool)
        rank = {item: place for place, item in enumerate(order)}
        table = np.array([rank[item] for item in pool] + [-1])
        if max(one.size, two.size) % min(one.size, two.size):
            context.warn("an argument will be fractionally recycled")
        size = max(one.size, two.size)
        left, right = recycle(table[one], size), recycle(table[two], size)
        best = np.minimum(left, right) if name == "pmin" else np.maximum(left, right)
        missing = (left < 0) | (right < 0)
        best = np.where(missing, np.maximum(left, right) if remove else -1, best)
        result = Character(best.astype(np.int32), tuple(order))
    return result


@function("pmin", "..., na.rm=FALSE", role="elementwise", purpose="Least of the arguments.")
def _pmin(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _parallel("pmin", dots, na_rm, context)


@function("pmax", "..., na.rm=FALSE", role="elementwise", purpose="Greatest of the arguments.")
def _pmax(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _parallel("pmax", dots, na_rm, context)


def _branch(value: Value) -> tuple[Array, Kind] | Character:
    """Return what ``ifelse`` takes from one branch: text, or bare numbers."""
    if isinstance(value, Character):
        return value
    if isinstance(value, Factor):
        return np.where(value.codes < 0, np.nan, value.codes + 1.0), "integer"
    return flat(value, "invalid branch of ifelse()")


@function(
    "ifelse", "test, yes, no", role="elementwise", purpose="One of two values, element by element."
)
def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    if isinstance(test, Character):
        truth: Array = truth_of_text(test)
        plain = True
    elif isinstance(test, Factor):
        raise DataError("ifelse() of a factor is not supported: compare it first")
    else:
        truth, _ = elements(test, 'argument "test" is not logical')
        plain = not isinstance(test, Matrix) and not (
            isinstance(test, Numeric) and test.time is not None
        )
    decided = truth.reshape(-1, order="F")
    if decided.size == 1 and plain:
        if np.isnan(decided[0]):
            return Numeric(np.array([np.nan]), "logical")
        branch = yes if decided[0] else no
        bare = isinstance(branch, Character) or (
            isinstance(branch, Numeric) and branch.time is None
        )
        if bare and length(branch) == 1:
            return branch
    chosen = [(decided != 0) & ~np.isnan(decided), decided == 0]
    parts = [_branch(value) for value in (yes, no)]
    size = decided.size
    for mask, part in zip(chosen, parts, strict=True):
        empty = part.codes.size == 0 if isinstance(part, Character) else part[0].size == 0
        if mask.any() and empty:
            raise DataError("replacement has length zero")
    live = [
        (mask, part, value)
        for mask, part, value in zip(chosen, parts, (yes, no), strict=True)
        if mask.any()
    ]
    if any(isinstance(part, Character) for _, part, _ in live):
        return _chosen_text(size, live)
    result = np.full(size, np.nan)
    kind: Kind = "logical"
    for mask, part, _ in live:
        if not isinstance(part, Character):
            kind = higher(kind, part[1])
            array = np.broadcast_to(part[0], size) if part[0].size == 1 else recycle(part[0], size)
            result = np.where(mask, array, result)
    if isinstance(test, Matrix):
        return shaped(result.reshape(test.values.shape, order="F"), kind, test.names)
    return pack(result, kind)


def _chosen_text(
    size: int, live: list[tuple[NDArray[np.bool_], tuple[Array, Kind] | Character, Value]]
) -> Character:
    result = Character(np.full(size, -1, dtype=np.int32), ())
    for mask, part, value in live:
        if isinstance(part, Character):
            words = part
        else:
            words = text(pack(part[0], part[1]) if not isinstance(value, Matrix) else value)
        codes, others, pool = union_codes(result, words)
        result = Character(np.where(mask, recycle(others, size), codes).astype(np.int32), pool)
    return result


# --- questions about elements ---------------------------------------------------------


def _enter_tests() -> None:
    def missing(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isnan(array)

    def not_a_number(array: Array, kind: Kind) -> Array:
        # One NaN stands for NA and NaN; only doubles can hold the latter.
        return np.isnan(array) if kind == "double" else np.zeros(array.shape, dtype=np.bool_)

    def finite(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isfinite(array)

    def infinite(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isinf(array)

    tests: dict[str, tuple[Callable[[Array, Kind], Array], str]] = {
        "is.na": (missing, "Whether missing."),
        "is.nan": (not_a_number, "Whether not a number; NA counts, too."),
        "is.finite": (finite, "Whether finite."),
        "is.infinite": (infinite, "Whether infinite."),
    }
    for name, (test, purpose) in tests.items():

        def answer(
            x: Value, _name: str = name, _test: Callable[[Array, Kind], Array] = test
        ) -> Value:
            if isinstance(x, Factor | Character):
                if _name == "is.na":
                    return pack(x.codes < 0, "logical")
                present = isinstance(x, Factor) and _name == "is.finite"
                return pack((x.codes >= 0) & present, "logical")
            if isinstance(x, MalformedFactor):
                x = Numeric(x.values, x.kind)
            array, kind = elements(x, "default method not implemented for type 'closure'")
            return shaped(_test(array, kind), "logical", _column_names(x))

        function(name, "x", role="elementwise", purpose=purpose)(answer)


_enter_tests()


# --- cumulative functions -------------------------------------------------------------


def _cumulative(name: str, x: Value, context: Context) -> Value:
    reject_classes(x, name)
    if isinstance(x, Character):
        raise DataError(f"'{name}' of text is not supported")
    array, kind = flat(x, NON_NUMERIC)
    kind = higher(kind, "integer")
    with np.errstate(all="ignore"):
        if name == "cumsum":
            result = np.asarray(moments.running_total(array).astype(np.float64))
            if kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
                context.warn("integer overflow in 'cumsum'; use 'cumsum(as.numeric(.))'")
                result = np.where(np.cumsum(beyond) > 0, np.nan, result)
        elif name == "cumprod":
            wide = np.multiply.accumulate(array.astype(np.longdouble))
            result, kind = wide.astype(np.float64), "double"
        elif name == "cummax":
            result = np.maximum.accumulate(array)
        else:
            result = np.minimum.accumulate(array)
    return pack(result, kind)


def _enter_cumulative() -> None:
    purposes = {
        "cumsum": "Running total.",
        "cumprod": "Running product.",
        "cummax": "Greatest so far.",
        "cummin": "Least so far.",
    }
    for name, purpose in purposes.items():

        def running(x: Value, context: Context, _name: str = name) -> Value:
            return _cumulative(_name, x, context)

        function(name, "x", role="whole", purpose=purpose)(running)


_enter_cumulative()
