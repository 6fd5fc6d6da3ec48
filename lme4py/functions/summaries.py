"""Functions of a whole variable: summaries, orders, running totals, repetitions, groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py import moments
from lme4py.data.factors import as_factor, recode
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
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
    NON_NUMERIC,
    FloatArray,
    Time,
    as_columns,
    as_vector,
    by_elements,
    elements,
    encoded,
    higher,
    logical,
    pack,
    reject_classes,
    scalar,
    select,
    sort_keys,
    time_of,
)
from lme4py.functions.leveling import crossed, frozen, thawed
from lme4py.functions.table import (
    MISSING,
    TRUE,
    Context,
    Dot,
    Function,
    State,
    as_flag,
    as_string,
    function,
    lookup,
)
from lme4py.functions.times import in_one_unit
from lme4py.numerals import LARGEST_INTEGER


def _present(array: FloatArray, na_rm: bool = True) -> FloatArray:
    return array[~np.isnan(array)] if na_rm else array


# Mean, spread and quantiles -------------------------------------------------------------------


@function("mean", role="summary")
def _mean(
    x: Value, context: Context, trim: float = 0, na_rm: bool = False
) -> moments.Asking[Value]:
    """Return the arithmetic mean."""
    if trim:
        raise DataError("mean(trim = ) is not supported")
    if not isinstance(x, Numeric | Matrix):
        context.warn("argument is not numeric or logical: returning NA")
        return scalar(np.nan, "double")
    array, kind = elements(x, "")
    # Of whole numbers the total is exact, and R corrects nothing.
    (found,) = yield from moments.means([_present(array, na_rm)], corrected=kind == "double")
    return scalar(found, "double", time_of(x))


@function("var", role="summary", package="stats")
def _var(x: Value, y: Value | None = None, na_rm: bool = False) -> moments.Asking[Numeric]:
    """Return the variance."""
    if y is not None or (isinstance(x, Matrix) and x.values.shape[1] != 1):
        raise DataError("var() is for one variable here")
    array, _ = elements(x, "var() is for numbers")
    found = yield from moments.variance(_present(array, na_rm))
    return scalar(found, "double")


@function("sd", role="summary", package="stats")
def _sd(x: Value, na_rm: bool = False) -> moments.Asking[Value]:
    """Return the standard deviation."""
    found = yield from _var(as_vector(x), na_rm=na_rm)
    return scalar(float(np.sqrt(found.values[0])), "double")


@function("median", role="summary", package="stats")
def _median(x: Value, na_rm: bool = False) -> Value:
    """Return the median."""
    array, kind = elements(x, "need numeric data")
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
    array, _ = elements(x, "quantile() is for numbers")
    wanted = np.linspace(0, 1, 5) if probs is MISSING else elements(probs, "invalid 'probs'")[0]
    return Numeric(moments.quantile(_present(array, na_rm), wanted), "double", time_of(x))


# The group Summary: sum, min, max, range -------------------------------------------------------


def _gathered(
    name: str, dots: tuple[Dot, ...], na_rm: bool, *timed: Time
) -> tuple[list[FloatArray], Kind, Time]:
    """Return the numbers of each argument, R's type of all, and the class of the first.

    `timed` are the classes beside differences of times that the function is defined for.
    """
    values = in_one_unit([dot.value for dot in dots])
    time = time_of(values[0]) if values else None
    arrays, kinds = [], [LADDER[1]]
    for value in values:
        if time_class(time_of(value)) != time_class(time):
            raise DataError(f"{name}() of values with different classes")
        if not is_difftime(time) and time_class(time) not in timed:
            reject_classes(value, name)
        array, kind = elements(value, f"{name}() is for numbers and times")
        arrays.append(_present(array, na_rm))
        kinds.append(kind)
    return arrays, higher(*kinds), time


@function("sum", role="summary")
def _sum(dots: tuple[Dot, ...] = (), na_rm: bool = False) -> moments.Asking[Value]:
    """Return the sum."""
    arrays, kind, time = _gathered("sum", dots, na_rm)
    sums = yield arrays
    # The sum of each argument is a double before R adds these.
    result = sum((float(total) for _, total in sums), start=0.0)
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
    arrays, kind, time = _gathered(called, dots, na_rm, "Date", "POSIXct")
    array = np.concatenate([np.empty(0), *arrays])
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


_NOT_VECTOR = "argument 1 is not a vector"
_MEAN = FunctionName("mean")


# Orders ---------------------------------------------------------------------------------------


@function("rev", role="whole")
def _rev(x: Value) -> Value:
    """Return the elements in reverse."""
    return select(as_vector(x), slice(None, None, -1))


@function("order", role="whole")
def _order(
    context: Context, dots: tuple[Dot, ...] = (), na_last: bool = True, decreasing: bool = False
) -> Value:
    """Return the positions that sort the arguments, missing values last."""
    if not na_last:
        raise DataError("order() takes na.last = TRUE here")
    keys = [sort_keys(dot.value, context.collation, _NOT_VECTOR) for dot in dots]
    if len({key.size for key in keys}) > 1:
        raise DataError("argument lengths differ")
    columns = [-key if decreasing else key for key in reversed(keys)]
    rows = np.lexsort(columns) if keys else np.empty(0)
    return pack(rows.astype(np.int64) + 1, "integer")


@function("rank", role="whole")
def _rank(x: Value, context: Context, na_last: Value = TRUE, ties_method: str = "average") -> Value:
    """Return ranks; equal values share theirs."""
    import pandas as pd

    keep = isinstance(na_last, Character) and as_string(na_last, "na.last") == "keep"
    if not keep and not as_flag(na_last, "na.last"):
        raise DataError("rank() takes na.last = TRUE or 'keep' here")
    keys = sort_keys(x, context.collation, _NOT_VECTOR)
    if ties_method not in ("average", "min", "max"):
        raise DataError(f"ties.method '{ties_method}' is not supported")
    method: Any = ties_method
    result = pd.Series(keys).rank(method=method).to_numpy(copy=True)
    missing = np.flatnonzero(np.isnan(keys))
    if not keep:
        result[missing] = np.arange(keys.size - missing.size, keys.size) + 1
    return pack(result, "double" if ties_method == "average" else "integer")


# Running totals and what was there before -----------------------------------------------------


@function({"cumsum": "Running total.", "cummax": "Greatest so far."}, role="whole")
def _cumulative(x: Value, context: Context, called: str) -> Value:
    reject_classes(x, called)
    if isinstance(x, Character):
        raise DataError(f"'{called}' of text is not supported")
    array, kind = elements(x, NON_NUMERIC)
    kind = higher(kind, "integer")
    with np.errstate(all="ignore"):
        if called == "cummax":
            return pack(np.maximum.accumulate(array), kind)
        result = moments.running_total(array).astype(np.float64)
    if kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
        context.warn("integer overflow in 'cumsum'; use 'cumsum(as.numeric(.))'")
        result = np.where(np.cumsum(beyond) > 0, np.nan, result)
    return pack(result, kind)


@function("diff", role="whole")
def _diff(x: Value, lag: int = 1, differences: int = 1) -> Value:
    """Return differences of elements that follow each other."""
    complaint = "non-numeric argument to binary operator"
    array, kind = as_columns(x, complaint), higher(elements(x, complaint)[1], "integer")
    if lag < 1 or differences < 1:
        raise DataError("'lag' and 'differences' must be integers >= 1")
    if time_of(x) is not None:
        raise DataError("diff() of times is not supported", hint="use diff(as.numeric(x))")
    for _ in range(min(differences, len(array))):
        array = array[lag:] - array[:-lag] if len(array) > lag else array[:0]
    result = Matrix(np.asfortranarray(array), x.names if isinstance(x, Matrix) else None, kind)
    return result if isinstance(x, Matrix) else as_vector(result)


@function("which", role="whole")
def _which(x: Value) -> Value:
    """Return the places of what is true."""
    if not isinstance(x, Numeric | Matrix) or x.kind != "logical":
        raise DataError("argument to 'which' is not logical")
    return pack(np.flatnonzero(elements(x, "")[0] == 1) + 1, "integer")


@function("duplicated", role="whole")
def _duplicated(x: Value, incomparables: bool = False, fromLast: bool = False) -> Value:
    """Return whether an element was there before."""
    import pandas as pd

    if incomparables:
        raise DataError("duplicated(incomparables = ) is not supported")
    if isinstance(x, Matrix | FunctionName):
        raise DataError("duplicated() is for vectors")
    keys = x.codes if isinstance(x, Character | Factor) else elements(x, "")[0]
    repeated = pd.Series(keys).duplicated(keep="last" if fromLast else "first")
    return logical(repeated.to_numpy())


# Groups and shares ----------------------------------------------------------------------------


def _by_group(
    caller: str, fun: Value, context: Context
) -> tuple[Function, Callable[[Numeric], Numeric]]:
    """Return a function of the table, and what it makes of the elements of one group."""
    if not isinstance(fun, FunctionName):
        raise DataError(f"the FUN of {caller}() is the name of a function here")
    entry = lookup(fun.name)
    if entry is None or entry.role == "basis" or not entry.formals:
        raise DataError(f"{caller}(FUN = {fun.name}) is not supported")
    first = next(iter(entry.formals))

    def of_group(value: Numeric) -> Numeric:
        given = {"dots": (Dot(None, value),)} if first == "..." else {first: value}
        made = entry.compute(context=context, **given)
        if not isinstance(made, Numeric) or made.values.size not in (1, max(value.values.size, 1)):
            raise DataError(f"{caller}(FUN = {entry.name}) is not supported")
        return made

    return entry, of_group


def _rows_of_levels(factor: Factor) -> list[NDArray[np.int64]]:
    order = np.argsort(factor.codes, kind="stable")
    ends = np.searchsorted(factor.codes[order], np.arange(len(factor.levels) + 1))
    return [order[start:end] for start, end in pairwise(ends)]


def _groups_of(values: Sequence[Value], rows: int, context: Context) -> Factor:
    """Return the group that each row is in: one for all where there are no factors."""
    if not values:
        return Factor(np.zeros(rows, dtype=np.int32), ("",))
    factor = crossed(values, context.collation)
    if factor.codes.size != rows:
        raise DataError("the groups of ave() are not as long as its numbers")
    return factor


def _ave_again(state: State, x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    """Return what was found for the groups that rows are in."""
    if state["values"] is None:
        raise DataError(
            "ave() with a function of all rows of a group cannot be computed for new rows",
            hint="put it into the data as a column",
        )
    if not isinstance(x, Numeric):
        raise DataError("ave() is for numbers")
    found = _groups_of([dot.value for dot in dots], x.values.size, context)
    known = thawed(state, "ave", found)
    values = np.append(np.asarray(state["values"], dtype=np.float64), np.nan)[known.codes]
    return pack(np.where(known.codes < 0, x.as_float(), values), state["kind"])


@function("ave", role="basis", package="stats", replay=_ave_again)
def _ave(
    x: Value, context: Context, dots: tuple[Dot, ...] = (), FUN: Value = _MEAN
) -> tuple[Value, State]:
    """Return the mean, or another function, of the group that each row is in."""
    if not isinstance(x, Numeric) or x.time is not None:
        raise DataError("ave() is for numbers")
    entry, of_group = _by_group("ave", FUN, context)
    factor = _groups_of([dot.value for dot in dots], x.values.size, context)
    groups = _rows_of_levels(factor)
    # In R 4.2 levels without rows are asked too: min() warns of them.
    asked = not context.lme4.averages_what_is_there
    result, kind = x.as_float().copy(), x.kind
    values = np.full(len(groups), np.nan)
    for place, rows in enumerate(groups):
        if not (rows.size or asked):
            continue
        made = of_group(pack(x.values[rows], x.kind))
        if rows.size:
            kind = higher(kind, made.kind)
            result[rows] = made.as_float()
            values[place] = result[rows[0]]
    state = {
        **frozen(factor),
        "values": values if entry.role == "summary" else None,
        "kind": kind,
    }
    return pack(result, kind), state


@function("reorder", role="basis", package="stats", replay=thawed)
def _reorder(
    x: Value,
    X: Value,
    context: Context,
    FUN: Value = _MEAN,
    order: bool = False,
    decreasing: bool = False,
) -> tuple[Factor, State]:
    """Return a factor whose levels are in the order of a summary of `X` in each of them."""
    _, of_group = _by_group("reorder", FUN, context)
    made = as_factor(x, context.collation)
    values = elements(X, "reorder() is by numbers")[0]
    if len(values) != made.codes.size:
        raise DataError("arguments must have same length")
    scores = np.full(len(made.levels), np.nan)
    for place, rows in enumerate(_rows_of_levels(made)):
        if rows.size:
            scores[place] = of_group(pack(values[rows], "double")).as_float()[0]
    places = np.argsort(-scores if decreasing else scores, kind="stable")
    levels = tuple(made.levels[place] for place in places)
    codes = recode(made.codes, np.argsort(places).tolist())
    found = Factor(codes, levels, made.ordered or order)
    return found, frozen(found)


@function("prop.table", role="whole")
@by_elements
def _proportions(x: Value) -> Value:
    """Return each element as a share of the sum."""
    array, _ = elements(x, "invalid 'type' (character) of argument")
    with np.errstate(all="ignore"):
        return pack(array / moments.total(array), "double")
