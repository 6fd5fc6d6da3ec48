"""Summaries: functions of a whole variable that give one number or a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lme4py import moments
from lme4py.errors import DataError
from lme4py.frame.values import (
    Character,
    Codes,
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
from lme4py.functions.coercion import (
    LADDER,
    LARGEST_INTEGER,
    FloatArray,
    as_vector,
    codes_as_numbers,
    elements,
    encoded,
    flat,
    higher,
    joined_text,
    pack,
    ranks,
    reject_classes,
    scalar,
    time_of,
)
from lme4py.functions.conversions import numbers_of_text
from lme4py.functions.table import MISSING, Context, Dot, function
from lme4py.functions.times import in_one_unit

_VAR_OF_FACTOR = (
    "Calling var(x) on a factor x is defunct.\n"
    "  Use something like 'all(duplicated(x)[-1L])' to test for a constant vector."
)


def _present(array: FloatArray, na_rm: bool = True) -> FloatArray:
    return array[~np.isnan(array)] if na_rm else array


# Mean, spread and quantiles -------------------------------------------------------------------


@function("mean", role="summary")
def _mean(
    x: Value,
    context: Context,
    trim: float = 0,
    na_rm: bool = False,
    _dots: tuple[Dot, ...] = (),
) -> Value:
    """Return the arithmetic mean, or the trimmed one."""
    if not isinstance(x, Numeric | Matrix):
        context.warn("argument is not numeric or logical: returning NA")
        return scalar(np.nan, "double")
    array, kind = flat(x, "")
    array = _present(array, na_rm)
    if trim > 0 and array.size:
        if np.isnan(array).any():
            return scalar(np.nan, "double", time_of(x))
        if trim >= 0.5:
            return scalar(float(np.median(array)), "double", time_of(x))
        cut = int(array.size * trim)
        array = np.sort(array)[cut : array.size - cut]
        kind = "double"
    if kind == "double" or not array.size:
        return scalar(moments.mean(array), "double", time_of(x))
    # Whole numbers: the total is exact, and R corrects nothing.
    with np.errstate(invalid="ignore"):
        return scalar(float(moments.running_total(array)[-1] / array.size), "double", time_of(x))


@function("var", role="summary", package="stats")
def _var(x: Value, context: Context, y: Value | None = None, na_rm: bool = False) -> Numeric:
    """Return the variance."""
    if y is not None:
        raise DataError("var() of two variables is not supported in a formula")
    if isinstance(x, Factor):
        raise DataError(_VAR_OF_FACTOR)
    if isinstance(x, Null):
        raise DataError("'x' is NULL")
    if isinstance(x, Character):
        array = numbers_of_text(x, context)
    else:
        array, _ = elements(x, "is.atomic(x) is not TRUE")
    if array.ndim == 2:
        if array.shape[1] != 1:
            raise DataError("var() of a matrix is a matrix, which a formula has no use for")
        array = array[:, 0]
    return scalar(moments.variance(_present(array, na_rm)), "double")


@function("sd", role="summary", package="stats")
def _sd(x: Value, context: Context, na_rm: bool = False) -> Value:
    """Return the standard deviation."""
    variance = _var(as_vector(x), context, na_rm=na_rm)
    return scalar(float(np.sqrt(variance.values[0])), "double")


@function("median", role="summary", package="stats")
def _median(x: Value, na_rm: bool = False, _dots: tuple[Dot, ...] = ()) -> Value:
    """Return the median."""
    array, kind = flat(x, "need numeric data")
    array = _present(array, na_rm)
    if not array.size or np.isnan(array).any():
        return scalar(np.nan, kind, time_of(x))
    half = (array.size + 1) // 2
    if array.size % 2:
        return scalar(float(np.partition(array, half - 1)[half - 1]), kind, time_of(x))
    pair = np.partition(array, (half - 1, half))[half - 1 : half + 1]
    return scalar(moments.mean(pair), "double", time_of(x))


@function("quantile", role="summary", package="stats")
def _quantile(
    x: Value,
    probs: Value = MISSING,
    na_rm: bool = False,
    _names: bool = True,
    type: int = 7,
    _dots: tuple[Dot, ...] = (),
) -> Value:
    """Return quantiles, R's types 1 to 9."""
    if isinstance(x, Factor):
        if not x.ordered:
            raise DataError("(unordered) factors are not allowed")
        if type not in (1, 3):
            raise DataError("'type' must be 1 or 3 for ordered factors")
        array = codes_as_numbers(x) - 1
    else:
        array, _ = flat(x, "non-numeric argument to binary operator")
    wanted = np.linspace(0, 1, 5) if probs is MISSING else flat(probs, "invalid 'probs'")[0]
    result = moments.quantile(_present(array, na_rm), wanted, type)
    if isinstance(x, Factor):
        codes = np.where(np.isnan(result), -1, result).astype(np.int32)
        return Factor(codes, x.levels, True)
    return Numeric(result, "double", time_of(x))


# The group Summary: sum, range, any, ... ------------------------------------------------------


def _gathered(values: Sequence[Value]) -> tuple[FloatArray, Kind]:
    """Return the numbers of all arguments, and R's type of them, at least integer."""
    arrays, kind = [np.empty(0)], LADDER[1]
    for value in values:
        shown = {"Character": "character", "FunctionName": "closure"}.get(
            type(value).__name__, "list"
        )
        array, part = flat(value, f"invalid 'type' ({shown}) of argument")
        arrays.append(array)
        kind = higher(kind, part)
    return np.concatenate(arrays), kind


@function("sum", role="summary")
def _sum(dots: tuple[Dot, ...] = (), na_rm: bool = False) -> Value:
    """Return the sum."""
    values = [dot.value for dot in dots]
    for value in values:
        if isinstance(value, Factor) and value.ordered:
            raise DataError("'sum' not defined for ordered factors")
        if not is_difftime(time_of(value)):
            reject_classes(value, "sum")
    values = in_one_unit(values)
    array, kind = _gathered(values)
    result = moments.total(_present(array, na_rm))
    if kind == "integer" and abs(result) > LARGEST_INTEGER:
        kind = "double"  # R goes on in doubles
    return scalar(result, kind, time_of(values[0]) if values else None)


def _ranked(
    name: str, values: list[Value], context: Context
) -> tuple[FloatArray, Callable[[FloatArray], Value]]:
    """Return numbers that sort as the arguments do, and what makes values of them again."""
    if any(isinstance(value, Factor) and value.ordered for value in values):
        factors = [value for value in values if isinstance(value, Factor) and value.ordered]
        levels = factors[0].levels
        if len(factors) < len(values) or any(factor.levels != levels for factor in factors):
            raise DataError(
                f"'{name}' is only meaningful for ordered factors if all arguments have the same "
                "level sets"
            )
        codes = np.concatenate([codes_as_numbers(factor) - 1 for factor in factors])
        return codes, lambda ends: Factor(_as_codes(ends), levels, True)
    for value in values:
        if isinstance(value, Factor):
            reject_classes(value, name)
    if any(isinstance(value, Character) for value in values):
        joined = joined_text(values)
        table, ordered = ranks(joined.pool, context.collation)
        return table[joined.codes], lambda ends: encoded(_as_codes(ends), ordered)
    values = in_one_unit(values)
    array, kind = _gathered(values)
    time = time_of(values[0]) if values else None
    return array, lambda ends: pack(ends, kind, time)


def _as_codes(ends: FloatArray) -> Codes:
    return np.where(np.isnan(ends), -1, ends).astype(np.int32)


@function(
    {"min": "Least value.", "max": "Greatest value.", "range": "Least and greatest value."},
    role="summary",
)
def _extremes(
    context: Context, called: str, dots: tuple[Dot, ...] = (), na_rm: bool = False
) -> Value:
    numbers, valued = _ranked(called, [dot.value for dot in dots], context)
    numbers = _present(numbers, na_rm)
    wanted = {"min": slice(0, 1), "max": slice(1, 2), "range": slice(0, 2)}[called]
    if numbers.size:
        return valued(np.array([numbers.min(), numbers.max()])[wanted])
    nothing = valued(np.full(2, np.nan)[wanted])
    if isinstance(nothing, Factor):
        return nothing
    if isinstance(nothing, Character):
        if called == "range":
            raise DataError("no non-missing arguments, returning NA")
        context.warn("no non-missing arguments, returning NA")
        return nothing
    for name, infinity in (("min", "Inf"), ("max", "-Inf")):
        if called in (name, "range"):
            context.warn(f"no non-missing arguments to {name}; returning {infinity}")
    return pack(np.array([np.inf, -np.inf])[wanted], "double", time_of(nothing))


# Sizes and levels -----------------------------------------------------------------------------

_SIZES: Mapping[str, tuple[Callable[[Value], int], str]] = {
    "length": (lambda x: length(as_vector(x)), "Number of elements."),
    "nlevels": (
        lambda x: len(x.levels) if isinstance(x, Factor) else 0,
        "Number of levels of a factor.",
    ),
}


@function({name: purpose for name, (_, purpose) in _SIZES.items()}, role="summary")
def _size(x: Value, called: str) -> Value:
    return scalar(_SIZES[called][0](x), "integer")


@function("levels", role="summary")
def _levels(x: Value) -> Value:
    """Return the levels of a factor."""
    if not isinstance(x, Factor | MalformedFactor):
        return Null()
    return encoded(np.arange(len(x.levels)), x.levels)
