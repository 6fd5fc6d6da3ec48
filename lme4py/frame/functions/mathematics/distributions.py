"""The normal and the logistic distribution: probabilities, quantiles, densities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import align, as_flag, elements, recycle, shaped
from lme4py.frame.functions.mathematics.elementwise import (
    Array,
    Formula,
    column_names,
    scipy_special,
    silent,
    warn_nan,
)
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Null, Value

_STATS_NON_NUMERIC = "Non-numeric argument to mathematical function"


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
        return tuple(align(first, array, silent)[1] for array in arrays), _names_of(values)
    size = max(array.size for array in arrays)
    flattened = [array.reshape(-1, order="F") for array in arrays]
    return tuple(array if array.size == 1 else recycle(array, size) for array in flattened), None


def _names_of(values: tuple[Value | None, ...]) -> tuple[str, ...] | None:
    return column_names(*(value for value in values if value is not None))


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
    warn_nan(result, arrays, context)
    return shaped(result, "double", names)


def _enter(
    name: str,
    arguments: tuple[str, str, str],
    options: Mapping[str, bool],
    purpose: str,
    formula_of: Callable[..., Formula],
) -> None:
    """Enter a function of x, location and scale; its options say which formula it is."""
    first, *others = arguments
    parts = [first, *(f"{other}={value}" for other, value in zip(others, (0, 1), strict=True))]
    parts += [f"{option}={str(standard).upper()}" for option, standard in options.items()]

    def compute(context: Context, **given: Value) -> Value:
        chosen = []
        for option, standard in options.items():
            value = given.get(option.replace(".", "_"))
            chosen.append(standard if value is None else as_flag(value, option))
        values = tuple(given.get(argument) for argument in arguments)
        return _distribution(values, (0.0, 0.0, 1.0), formula_of(*chosen), context)

    signature = ", ".join(parts)
    function(name, signature, role="elementwise", package="stats", purpose=purpose)(compute)


def _logistic_probabilities(lower: bool, log: bool) -> Formula:
    def formula(x: Array, centre: Array, spread: Array) -> Array:
        z = (x - centre) / spread
        z = -z if lower else z
        result = -np.logaddexp(0.0, z) if log else 1 / (1 + np.exp(z))
        return np.where(spread <= 0, np.nan, result)

    return formula


def _logistic_quantiles(lower: bool, log: bool) -> Formula:
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

    return formula


def _normal_probabilities(lower: bool, log: bool) -> Formula:
    def formula(x: Array, centre: Array, spread: Array) -> Array:
        z = (x - centre) / spread
        z = np.where((spread == 0) & (x == centre), np.inf, z)
        z = z if lower else -z
        result = scipy_special("log_ndtr" if log else "ndtr")(z)
        undefined = (spread < 0) | (~np.isfinite(x) & (x == centre))
        return np.where(undefined, np.nan, result)

    return formula


def _normal_quantiles(lower: bool, log: bool) -> Formula:
    def formula(share: Array, centre: Array, spread: Array) -> Array:
        z = scipy_special("ndtri_exp" if log else "ndtri")(share)
        result = centre + spread * (z if lower else -z)
        outside = share > 0 if log else (share < 0) | (share > 1)
        result = np.where((spread < 0) | outside, np.nan, result)
        inside = ~outside & np.isfinite(z)
        return np.where((spread == 0) & inside, centre, result)

    return formula


def _normal_densities(logarithm: bool) -> Formula:
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

    return formula


_TAILS = {"lower.tail": True, "log.p": False}

_enter(
    "plogis",
    ("q", "location", "scale"),
    _TAILS,
    "Logistic distribution function: the inverse logit.",
    _logistic_probabilities,
)
_enter(
    "qlogis",
    ("p", "location", "scale"),
    _TAILS,
    "Logistic quantiles: the logit.",
    _logistic_quantiles,
)
_enter("pnorm", ("q", "mean", "sd"), _TAILS, "Normal distribution function.", _normal_probabilities)
_enter("qnorm", ("p", "mean", "sd"), _TAILS, "Normal quantiles.", _normal_quantiles)
_enter("dnorm", ("x", "mean", "sd"), {"log": False}, "Normal density.", _normal_densities)
