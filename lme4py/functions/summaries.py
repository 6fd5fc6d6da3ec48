"""Summaries: functions of a whole variable that give one number or a few."""

from __future__ import annotations

import numpy as np

from lme4py import moments
from lme4py.data.values import (
    Factor,
    Kind,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
    time_class,
)
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    LADDER,
    LARGEST_INTEGER,
    FloatArray,
    Time,
    as_vector,
    encoded,
    flat,
    higher,
    pack,
    reject_classes,
    scalar,
    time_of,
)
from lme4py.functions.table import MISSING, Context, Dot, function
from lme4py.functions.times import in_one_unit


def _present(array: FloatArray, na_rm: bool = True) -> FloatArray:
    return array[~np.isnan(array)] if na_rm else array


# Mean, spread and quantiles -------------------------------------------------------------------


@function("mean", role="summary")
def _mean(x: Value, context: Context, trim: float = 0, na_rm: bool = False) -> Value:
    """Return the arithmetic mean."""
    if trim:
        raise DataError("mean(trim = ) is not supported")
    if not isinstance(x, Numeric | Matrix):
        context.warn("argument is not numeric or logical: returning NA")
        return scalar(np.nan, "double")
    array, kind = flat(x, "")
    array = _present(array, na_rm)
    if kind == "double" or not array.size:
        return scalar(moments.mean(array), "double", time_of(x))
    # Whole numbers: the total is exact, and R corrects nothing.
    with np.errstate(invalid="ignore"):
        return scalar(float(moments.running_total(array)[-1] / array.size), "double", time_of(x))


@function("var", role="summary", package="stats")
def _var(x: Value, y: Value | None = None, na_rm: bool = False) -> Numeric:
    """Return the variance."""
    if y is not None or (isinstance(x, Matrix) and x.values.shape[1] != 1):
        raise DataError("var() is for one variable here")
    array, _ = flat(x, "var() is for numbers")
    return scalar(moments.variance(_present(array, na_rm)), "double")


@function("sd", role="summary", package="stats")
def _sd(x: Value, na_rm: bool = False) -> Value:
    """Return the standard deviation."""
    return scalar(float(np.sqrt(_var(as_vector(x), na_rm=na_rm).values[0])), "double")


@function("median", role="summary", package="stats")
def _median(x: Value, na_rm: bool = False) -> Value:
    """Return the median."""
    array, kind = flat(x, "need numeric data")
    array = _present(array, na_rm)
    if not array.size or np.isnan(array).any():
        return scalar(np.nan, kind, time_of(x))
    low, high = (array.size - 1) // 2, array.size // 2
    pair = np.partition(array, (low, high))[low : high + 1]
    if low == high:
        return scalar(float(pair[0]), kind, time_of(x))
    return scalar(moments.mean(pair), "double", time_of(x))


@function("quantile", role="summary", package="stats")
def _quantile(
    x: Value,
    probs: Value = MISSING,
    na_rm: bool = False,
    names: bool = True,  # noqa: ARG001  # a vector has no names here
) -> Value:
    """Return quantiles, R's type 7."""
    array, _ = flat(x, "quantile() is for numbers")
    wanted = np.linspace(0, 1, 5) if probs is MISSING else flat(probs, "invalid 'probs'")[0]
    return Numeric(moments.quantile(_present(array, na_rm), wanted), "double", time_of(x))


# The group Summary: sum, min, max, range -------------------------------------------------------


def _gathered(
    name: str, dots: tuple[Dot, ...], na_rm: bool, *timed: Time
) -> tuple[FloatArray, Kind, Time]:
    """Return the numbers of all arguments, R's type of them, and the class of the first.

    `timed` are the classes beside differences of times that the function is defined for.
    """
    values = in_one_unit([dot.value for dot in dots])
    time = time_of(values[0]) if values else None
    arrays, kinds = [np.empty(0)], [LADDER[1]]
    for value in values:
        if time_class(time_of(value)) != time_class(time):
            raise DataError(f"{name}() of values with different classes")
        if not is_difftime(time) and time_class(time) not in timed:
            reject_classes(value, name)
        array, kind = flat(value, f"{name}() is for numbers and times")
        arrays.append(_present(array, na_rm))
        kinds.append(kind)
    return np.concatenate(arrays), higher(*kinds), time


@function("sum", role="summary")
def _sum(dots: tuple[Dot, ...] = (), na_rm: bool = False) -> Value:
    """Return the sum."""
    array, kind, time = _gathered("sum", dots, na_rm)
    result = moments.total(array)
    # R goes on in doubles.
    large = kind == "integer" and abs(result) > LARGEST_INTEGER
    return scalar(result, "double" if large else kind, time)


_ENDS = {"min": slice(0, 1), "max": slice(1, 2), "range": slice(0, 2)}


@function(
    {"min": "Least value.", "max": "Greatest value.", "range": "Least and greatest value."},
    role="summary",
    rows="extremes",
)
def _extremes(
    context: Context, called: str, dots: tuple[Dot, ...] = (), na_rm: bool = False
) -> Value:
    array, kind, time = _gathered(called, dots, na_rm, "Date", "POSIXct")
    if array.size:
        return pack(np.array([array.min(), array.max()])[_ENDS[called]], kind, time)
    for name, infinity in (("min", "Inf"), ("max", "-Inf")):
        if called in (name, "range"):
            context.warn(f"no non-missing arguments to {name}; returning {infinity}")
    return pack(np.array([np.inf, -np.inf])[_ENDS[called]], "double", time)


# Sizes and levels -----------------------------------------------------------------------------


@function({"length": "Number of elements."}, role="summary")
def _length(x: Value) -> Value:
    return scalar(length(as_vector(x)), "integer")


@function({"nlevels": "Number of levels of a factor."}, role="summary")
def _count_of_levels(x: Value) -> Value:
    return scalar(len(x.levels) if isinstance(x, Factor) else 0, "integer")


@function("levels", role="summary", rows="distinct")
def _levels(x: Value) -> Value:
    """Return the levels of a factor."""
    if not isinstance(x, Factor):
        return Null()
    return encoded(np.arange(len(x.levels)), x.levels)
