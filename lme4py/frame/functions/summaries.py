"""Summaries: functions of a whole variable that give one number or a few."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py import moments
from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    as_flag,
    as_integer,
    as_number,
    elements,
    flat,
    higher,
    pack,
    scalar,
    string,
    text,
)
from lme4py.frame.functions.conversions import numbers_of_text, truth_of_text
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.functions.times import in_one_unit
from lme4py.frame.values import (
    Character,
    Factor,
    Kind,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
)

__all__: list[str] = []

FloatArray: TypeAlias = NDArray[np.float64]

_MISSING = "missing values and NaN's not allowed if 'na.rm' is FALSE"
_VAR_OF_FACTOR = (
    "Calling var(x) on a factor x is defunct.\n"
    "  Use something like 'all(duplicated(x)[-1L])' to test for a constant vector."
)


def _flag(value: Value | None, name: str = "na.rm") -> bool:
    return value is not None and as_flag(value, name)


def _present(array: FloatArray) -> FloatArray:
    return array[~np.isnan(array)]


def _time(value: Value) -> Any:
    return value.time if isinstance(value, Numeric) else None


@function(
    "mean", "x, trim=0, na.rm=FALSE, ...", role="summary", purpose="Arithmetic mean, or trimmed."
)
def _mean(
    x: Value,
    context: Context,
    trim: Value | None = None,
    na_rm: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if not isinstance(x, Numeric | Matrix):
        context.warn("argument is not numeric or logical: returning NA")
        return scalar(np.nan, "double")
    array, kind = flat(x, "")
    if _flag(na_rm):
        array = _present(array)
    share = 0.0 if trim is None else as_number(trim, "trim")
    if share > 0 and array.size:
        if np.isnan(array).any():
            return scalar(np.nan, "double", _time(x))
        if share >= 0.5:
            return scalar(float(np.median(array)), "double", _time(x))
        cut = int(array.size * share)
        array = np.sort(array)[cut : array.size - cut]
        kind = "double"
    if kind == "double" or not array.size:
        return scalar(moments.mean(array), "double", _time(x))
    # Whole numbers: the total is exact, and R corrects nothing.
    with np.errstate(invalid="ignore"):
        return scalar(float(moments.running_total(array)[-1] / array.size), "double", _time(x))


def _spread(x: Value, na_rm: Value | None, context: Context) -> float:
    """Return R's ``var`` of one variable."""
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
    if _flag(na_rm):
        array = _present(array)
    return moments.variance(array)


@function("var", "x, y=NULL, na.rm=FALSE", role="summary", package="stats", purpose="Variance.")
def _var(x: Value, context: Context, y: Value | None = None, na_rm: Value | None = None) -> Value:
    if y is not None and not isinstance(y, Null):
        raise DataError("var() of two variables is not supported in a formula")
    return scalar(_spread(x, na_rm, context), "double")


@function("sd", "x, na.rm=FALSE", role="summary", package="stats", purpose="Standard deviation.")
def _sd(x: Value, context: Context, na_rm: Value | None = None) -> Value:
    if isinstance(x, Matrix):
        x = Numeric(x.values.reshape(-1, order="F"), "double")
    return scalar(float(np.sqrt(_spread(x, na_rm, context))), "double")


def _middle(array: FloatArray, kind: Kind) -> tuple[float, Kind]:
    """Return the median of numbers without missing values, and R's type of it."""
    size = array.size
    half = (size + 1) // 2
    if size % 2:
        return float(np.partition(array, half - 1)[half - 1]), kind
    pair = np.partition(array, (half - 1, half))[half - 1 : half + 1]
    return moments.mean(pair), "double"


@function("median", "x, na.rm=FALSE, ...", role="summary", package="stats", purpose="Median.")
def _median(
    x: Value,
    na_rm: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if isinstance(x, Factor | Character):
        raise DataError("need numeric data")
    array, kind = flat(x, "need numeric data")
    if _flag(na_rm):
        array = _present(array)
    if not array.size or np.isnan(array).any():
        return scalar(np.nan, kind, _time(x))
    value, kind = _middle(array, kind)
    return scalar(value, kind, _time(x))


@function(
    "mad",
    "x, center?, constant=1.4826, na.rm=FALSE, low=FALSE, high=FALSE",
    role="summary",
    package="stats",
    purpose="Median absolute deviation.",
)
def _mad(
    x: Value,
    center: Value | None = None,
    constant: Value | None = None,
    na_rm: Value | None = None,
    low: Value | None = None,
    high: Value | None = None,
) -> Value:
    if isinstance(x, Factor | Character):
        raise DataError("need numeric data")
    array, kind = flat(x, "need numeric data")
    if _flag(na_rm):
        array = _present(array)
    if not array.size or np.isnan(array).any():
        return scalar(np.nan, "double")
    middle = _middle(array, kind)[0] if center is None else as_number(center, "center")
    factor = 1.4826 if constant is None else as_number(constant, "constant")
    with np.errstate(invalid="ignore"):
        away = np.abs(array - middle)
    if np.isnan(away).any():
        return scalar(np.nan, "double")
    lower, upper = _flag(low, "low"), _flag(high, "high")
    if lower and upper:
        raise DataError("'low' and 'high' cannot be both TRUE")
    if (lower or upper) and array.size % 2 == 0:
        place = array.size // 2 + int(upper) - 1
        return scalar(factor * float(np.partition(away, place)[place]), "double")
    return scalar(factor * _middle(away, "double")[0], "double")


@function(
    "quantile",
    "x, probs?, na.rm=FALSE, names=TRUE, type=7, ...",
    role="summary",
    package="stats",
    purpose="Quantiles, R's types 1 to 9.",
)
def _quantile(
    x: Value,
    probs: Value | None = None,
    na_rm: Value | None = None,
    names: Value | None = None,  # noqa: ARG001
    type: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    kind = 7 if type is None else as_integer(type, "type")
    if isinstance(x, Factor) and not x.ordered:
        raise DataError("(unordered) factors are not allowed")
    if isinstance(x, Factor):
        if kind not in (1, 3):
            raise DataError("'type' must be 1 or 3 for ordered factors")
        array = np.where(x.codes < 0, np.nan, x.codes.astype(np.float64))
    else:
        array, _ = flat(x, "non-numeric argument to binary operator")
    if _flag(na_rm):
        array = _present(array)
    if np.isnan(array).any():
        raise DataError(_MISSING)
    wanted = np.linspace(0, 1, 5) if probs is None else flat(probs, "invalid 'probs'")[0]
    result = moments.quantile(array, wanted, kind)
    if isinstance(x, Factor):
        codes = np.where(np.isnan(result), -1, result).astype(np.int32)
        return Factor(codes, x.levels, True)
    return Numeric(result, "double", _time(x))


@function(
    "IQR",
    "x, na.rm=FALSE, type=7",
    role="summary",
    package="stats",
    purpose="Distance between the quartiles.",
)
def _iqr(x: Value, na_rm: Value | None = None, type: Value | None = None) -> Value:
    if isinstance(x, Factor):
        array = np.where(x.codes < 0, np.nan, x.codes + 1.0)
    else:
        array, _ = flat(x, "non-numeric argument to binary operator")
    if _flag(na_rm):
        array = _present(array)
    quartiles = moments.quantile(
        array, [0.25, 0.75], 7 if type is None else as_integer(type, "type")
    )
    with np.errstate(invalid="ignore"):
        return scalar(float(quartiles[1] - quartiles[0]), "double")


def _refuse(name: str, values: list[Value], ordered_too: bool) -> None:
    """Raise R's error of the group of summaries for factors and times that have none."""
    for value in values:
        if isinstance(value, Factor) and value.ordered and ordered_too:
            raise DataError(f"'{name}' not defined for ordered factors")
        if isinstance(value, Factor) and not value.ordered:
            raise DataError(f"‘{name}’ not meaningful for factors")
        time = _time(value)
        if ordered_too and time == "Date":
            raise DataError(f'{name} not defined for "Date" objects')
        if ordered_too and (time == "POSIXct" or (is_difftime(time) and name != "sum")):
            shown = "POSIXt" if time == "POSIXct" else "difftime"
            raise DataError(f"'{name}' not defined for \"{shown}\" objects")


def _gathered(values: list[Value], na_rm: Value | None) -> list[tuple[FloatArray, Kind]]:
    """Return the numbers of all arguments, without the missing ones if `na_rm`."""
    remove = _flag(na_rm)
    parts = []
    for value in values:
        shown = {"Character": "character", "FunctionName": "closure"}.get(
            value.__class__.__name__, "list"
        )
        array, kind = flat(value, f"invalid 'type' ({shown}) of argument")
        parts.append((_present(array) if remove else array, kind))
    return parts


@function("sum", "..., na.rm=FALSE", role="summary", purpose="Sum.")
def _sum(dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    values = [dot.value for dot in dots]
    _refuse("sum", values, ordered_too=True)
    values = in_one_unit(values)
    parts = _gathered(values, na_rm)
    kind = higher("integer", *(part for _, part in parts))
    joined = np.concatenate([array for array, _ in parts]) if parts else np.empty(0)
    result = moments.total(joined)
    if kind == "integer" and abs(result) > LARGEST_INTEGER:
        kind = "double"  # R goes on in doubles
    return scalar(result, kind, _time(values[0]) if values else None)


@function("prod", "..., na.rm=FALSE", role="summary", purpose="Product.")
def _prod(dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    values = [dot.value for dot in dots]
    _refuse("prod", values, ordered_too=True)
    parts = _gathered(values, na_rm)
    product = np.longdouble(1.0)
    with np.errstate(all="ignore"):
        for array, _ in parts:
            if array.size:
                product = product * np.multiply.accumulate(array.astype(np.longdouble))[-1]
    return scalar(float(product), "double")


def _extreme_text(
    name: str, values: list[Value], na_rm: Value | None, context: Context
) -> list[str | None]:
    """Return the least and greatest text of all arguments; None is NA."""
    pool: set[str] = set()
    missing = False
    for value in values:
        words = text(value)
        used = np.unique(words.codes)
        missing = missing or bool((used < 0).any())
        pool.update(words.pool[int(code)] for code in used if code >= 0)
    if missing and not _flag(na_rm):
        return [None, None]
    if not pool:
        if name == "range":
            raise DataError("no non-missing arguments, returning NA")
        context.warn("no non-missing arguments, returning NA")
        return [None, None]
    ranked = context.collation.sort(pool)
    return [ranked[0], ranked[-1]]


def _extreme_level(name: str, values: list[Value], na_rm: Value | None) -> Factor:
    """Return the least and greatest level of ordered factors."""
    first = values[0]
    factors = [value for value in values if isinstance(value, Factor) and value.ordered]
    if (
        not isinstance(first, Factor)
        or len(factors) != len(values)
        or any(value.levels != first.levels for value in factors)
    ):
        raise DataError(
            f"'{name}' is only meaningful for ordered factors if all arguments have the same "
            "level sets"
        )
    codes = np.concatenate([value.codes for value in factors])
    if _flag(na_rm):
        codes = codes[codes >= 0]
    if not codes.size or (codes < 0).any():
        ends = np.array([-1, -1])
    else:
        ends = np.array([codes.min(), codes.max()])
    return Factor(ends.astype(np.int32), first.levels, True)


def _extremes(
    name: str, dots: tuple[Dot, ...], na_rm: Value | None, context: Context
) -> tuple[Value, Value]:
    """Return minimum and maximum of all arguments."""
    values = [dot.value for dot in dots]
    if any(isinstance(value, Factor) and value.ordered for value in values):
        ends = _extreme_level(name, values, na_rm)
        return (
            Factor(ends.codes[:1], ends.levels, True),
            Factor(ends.codes[1:], ends.levels, True),
        )
    _refuse(name, values, ordered_too=False)
    values = in_one_unit(values)
    if any(isinstance(value, Character) for value in values):
        low, high = _extreme_text(name, values, na_rm, context)
        return string(low), string(high)
    parts = _gathered(values, na_rm)
    kind = higher("integer", *(part for _, part in parts))
    time = _time(values[0]) if values else None
    joined = np.concatenate([array for array, _ in parts]) if parts else np.empty(0)
    if not joined.size:
        if name in ("min", "range"):
            context.warn("no non-missing arguments to min; returning Inf")
        if name in ("max", "range"):
            context.warn("no non-missing arguments to max; returning -Inf")
        return scalar(np.inf, "double", time), scalar(-np.inf, "double", time)
    return (
        scalar(float(joined.min()), kind, time),
        scalar(float(joined.max()), kind, time),
    )


@function("min", "..., na.rm=FALSE", role="summary", purpose="Least value.")
def _min(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _extremes("min", dots, na_rm, context)[0]


@function("max", "..., na.rm=FALSE", role="summary", purpose="Greatest value.")
def _max(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _extremes("max", dots, na_rm, context)[1]


@function("range", "..., na.rm=FALSE", role="summary", purpose="Least and greatest value.")
def _range(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    low, high = _extremes("range", dots, na_rm, context)
    if isinstance(low, Numeric) and isinstance(high, Numeric):
        return pack(np.concatenate((low.as_float(), high.as_float())), low.kind, low.time)
    if isinstance(low, Factor) and isinstance(high, Factor):
        return Factor(np.concatenate((low.codes, high.codes)), low.levels, True)
    if isinstance(low, Character) and isinstance(high, Character):
        codes = np.array([low.codes[0], 0 if high.codes[0] < 0 else 1], dtype=np.int32)
        if low.codes[0] < 0:
            return Character(np.array([-1, -1], dtype=np.int32), ())
        if low.pool == high.pool:
            return Character(np.zeros(2, dtype=np.int32), low.pool)
        return Character(codes, low.pool + high.pool)
    raise DataError("invalid arguments of range()")


def _decide(name: str, dots: tuple[Dot, ...], na_rm: Value | None, context: Context) -> Value:
    """Return ``any`` or ``all`` of the arguments in three-valued logic."""
    remove = _flag(na_rm)
    missing = False
    for value in (dot.value for dot in dots):
        _refuse(name, [value], ordered_too=True)
        if isinstance(value, Character):
            context.warn("coercing argument of type 'character' to logical")
            array = truth_of_text(value)
        else:
            array, kind = flat(value, "invalid 'type' (list) of argument")
            if kind == "double" and not isinstance(value, Null):
                context.warn("coercing argument of type 'double' to logical")
        known = _present(array)
        missing = missing or (known.size < array.size and not remove)
        if name == "any" and (known != 0).any():
            return scalar(True, "logical")
        if name == "all" and (known == 0).any():
            return scalar(False, "logical")
    return scalar(np.nan if missing else float(name == "all"), "logical")


@function("any", "..., na.rm=FALSE", role="summary", purpose="Whether any is true.")
def _any(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _decide("any", dots, na_rm, context)


@function("all", "..., na.rm=FALSE", role="summary", purpose="Whether all are true.")
def _all(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _decide("all", dots, na_rm, context)


@function("length", "x", role="summary", purpose="Number of elements.")
def _length(x: Value) -> Value:
    return scalar(x.values.size if isinstance(x, Matrix) else length(x), "integer")


@function("nrow", "x", role="summary", purpose="Number of rows of a matrix, else NULL.")
def _nrow(x: Value) -> Value:
    return scalar(x.values.shape[0], "integer") if isinstance(x, Matrix) else Null()


@function("ncol", "x", role="summary", purpose="Number of columns of a matrix, else NULL.")
def _ncol(x: Value) -> Value:
    return scalar(x.values.shape[1], "integer") if isinstance(x, Matrix) else Null()


@function("NROW", "x", role="summary", purpose="Number of rows; a vector is a column.")
def _nrow_of_any(x: Value) -> Value:
    return scalar(length(x), "integer")


@function("NCOL", "x", role="summary", purpose="Number of columns; a vector is a column.")
def _ncol_of_any(x: Value) -> Value:
    return scalar(x.values.shape[1] if isinstance(x, Matrix) else 1, "integer")
