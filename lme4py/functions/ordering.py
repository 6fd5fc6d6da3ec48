"""Functions of all rows together: orders, running totals, repetitions, groups."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py import moments
from lme4py.errors import DataError
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
)
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    NON_NUMERIC,
    Array,
    as_number,
    as_string,
    as_vector,
    column_names,
    elements,
    flat,
    higher,
    logical,
    pack,
    reject_classes,
    select,
    shaped,
    sort_keys,
    time_of,
)
from lme4py.functions.leveling import crossed
from lme4py.functions.table import Context, Dot, Function, function, lookup

_NOT_VECTOR = "argument 1 is not a vector"
_TRUE = Numeric(np.array([True]), "logical")
_FALSE = Numeric(np.array([False]), "logical")
_MEAN = FunctionName("mean")


# Orders ---------------------------------------------------------------------------------------


def _last(value: Value) -> bool | None:
    """Return whether missing values go last, first, or (None) nowhere."""
    number = as_number(value, "na.last")
    return None if np.isnan(number) else number != 0


def _sorted_rows(keys: list[Array], decreasing: bool, last: bool | None) -> NDArray[np.intp]:
    """Return the stable permutation that sorts by the first key, then the next."""
    columns: list[Array] = []
    for key in reversed(keys):
        columns.append(-key if decreasing else key)
        missing = np.isnan(key)
        columns.append(~missing if last is False else missing)
    rows = np.lexsort(columns)
    if last is None:
        lost = np.any([np.isnan(key) for key in keys], axis=0)
        rows = rows[~lost[rows]]
    return rows


@function("rev", role="whole")
def _rev(x: Value) -> Value:
    """Return the elements in reverse."""
    return select(as_vector(x), slice(None, None, -1))


@function("order", role="whole")
def _order(
    context: Context,
    dots: tuple[Dot, ...] = (),
    na_last: Value = _TRUE,
    decreasing: bool = False,
    _method: str = "auto",
) -> Value:
    """Return the positions that sort the arguments."""
    keys = [sort_keys(dot.value, context.collation, _NOT_VECTOR) for dot in dots]
    if len({key.size for key in keys}) > 1:
        raise DataError("argument lengths differ")
    rows = _sorted_rows(keys, decreasing, _last(na_last)) if keys else np.empty(0)
    return pack(rows.astype(np.int64) + 1, "integer")


@function("rank", role="whole")
def _rank(
    x: Value, context: Context, na_last: Value = _TRUE, ties_method: str = "average"
) -> Value:
    """Return ranks; equal values share theirs."""
    keep = isinstance(na_last, Character)
    if keep and as_string(na_last, "na.last") != "keep":
        raise DataError("invalid 'na.last' argument")
    last = None if keep else _last(na_last)
    keys = sort_keys(x, context.collation, _NOT_VECTOR)
    missing = np.isnan(keys)
    known = keys[~missing]
    _, group, counts = np.unique(known, return_inverse=True, return_counts=True)
    places = np.arange(known.size)
    greatest = np.cumsum(counts)
    least = greatest - counts + 1
    of_group = {"average": (least + greatest) / 2, "min": least, "max": greatest}
    rank = np.empty(known.size)
    if ties_method in of_group:
        rank = of_group[ties_method][group.reshape(-1)].astype(np.float64)
    elif ties_method in ("first", "last"):
        ties = places if ties_method == "first" else -places
        rank[np.lexsort((ties, group.reshape(-1)))] = places + 1
    else:
        raise DataError(f"ties.method '{ties_method}' is not supported")
    kind: Kind = "double" if ties_method == "average" else "integer"
    if not missing.any() or (last is None and not keep):
        return pack(rank, kind)
    lost = int(missing.sum())
    result = np.full(keys.size, np.nan)
    result[~missing] = rank + (lost if last is False else 0)
    if not keep:
        result[missing] = np.arange(1, lost + 1) + (known.size if last else 0)
    return pack(result, kind)


# Running totals and what was there before -----------------------------------------------------


@function(
    {
        "cumsum": "Running total.",
        "cumprod": "Running product.",
        "cummax": "Greatest so far.",
        "cummin": "Least so far.",
    },
    role="whole",
)
def _cumulative(x: Value, context: Context, called: str) -> Value:
    reject_classes(x, called)
    if isinstance(x, Character):
        raise DataError(f"'{called}' of text is not supported")
    array, kind = flat(x, NON_NUMERIC)
    kind = higher(kind, "integer")
    with np.errstate(all="ignore"):
        match called:
            case "cumsum":
                result = moments.running_total(array).astype(np.float64)
                if kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
                    context.warn("integer overflow in 'cumsum'; use 'cumsum(as.numeric(.))'")
                    result = np.where(np.cumsum(beyond) > 0, np.nan, result)
            case "cumprod":
                wide = np.multiply.accumulate(array.astype(np.longdouble))
                result, kind = wide.astype(np.float64), "double"
            case "cummax":
                result = np.maximum.accumulate(array)
            case _:
                result = np.minimum.accumulate(array)
    return pack(result, kind)


@function("diff", role="whole")
def _diff(x: Value, lag: int = 1, differences: int = 1, _dots: tuple[Dot, ...] = ()) -> Value:
    """Return differences of elements that follow each other."""
    if isinstance(x, Null):
        raise DataError("non-numeric argument to binary operator")
    array, kind = elements(x, "non-numeric argument to binary operator")
    if lag < 1 or differences < 1:
        raise DataError("'lag' and 'differences' must be integers >= 1")
    if time_of(x) is not None:
        raise DataError("diff() of times is not supported", hint="use diff(as.numeric(x))")
    for _ in range(differences):
        array = array[lag:] - array[:-lag] if len(array) > lag else array[:0]
    return shaped(array, higher(kind, "integer"), column_names(x))


@function("which", role="whole")
def _which(x: Value, arr_ind: bool = False, _useNames: bool = True) -> Value:
    """Return the places of what is true."""
    if not isinstance(x, Numeric | Matrix) or x.kind != "logical":
        raise DataError("argument to 'which' is not logical")
    if isinstance(x, Matrix) and arr_ind:
        raise DataError("which(arr.ind = TRUE) is not supported")
    return pack(np.flatnonzero(flat(x, "")[0] == 1) + 1, "integer")


@function("duplicated", role="whole")
def _duplicated(
    x: Value,
    incomparables: Value = _FALSE,
    fromLast: bool = False,
    _dots: tuple[Dot, ...] = (),
) -> Value:
    """Return whether an element was there before."""
    if not isinstance(incomparables, Numeric) or as_number(incomparables, "incomparables") != 0:
        raise DataError("duplicated(incomparables = ) is not supported")
    if fromLast:
        return _rev(_duplicated(_rev(x)))
    if isinstance(x, Matrix | FunctionName | MalformedFactor):
        raise DataError("duplicated() is for vectors")
    keys = x.codes if isinstance(x, Character | Factor) else elements(x, "")[0]
    repeated = np.ones(keys.size, dtype=np.bool_)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return logical(repeated)


# Groups and shares ----------------------------------------------------------------------------


def _of_group(entry: Function, value: Numeric, context: Context) -> Numeric:
    """Return what a function of the table makes of the elements of one group."""
    first = entry.formals[0]
    given: Any = (Dot(None, value),) if first == "..." else value
    more = {"context": context} if entry.takes_context else {}
    made = entry.compute(**{"dots" if first == "..." else first: given}, **more)
    if not isinstance(made, Numeric) or made.values.size not in (1, max(value.values.size, 1)):
        raise DataError(f"ave(FUN = {entry.name}) is not supported")
    return made


@function("ave", role="whole", package="stats")
def _ave(x: Value, context: Context, dots: tuple[Dot, ...] = (), FUN: Value = _MEAN) -> Value:
    """Return the mean, or another function, of the group that each row is in."""
    if not isinstance(x, Numeric) or x.time is not None:
        raise DataError("ave() is for numbers")
    if not isinstance(FUN, FunctionName):
        raise DataError("the FUN of ave() is the name of a function here")
    entry = lookup(FUN.name)
    if entry is None or entry.role == "basis" or not entry.formals:
        raise DataError(f"ave(FUN = {FUN.name}) is not supported")
    groups = [np.arange(x.values.size)]
    if dots:
        factor = crossed([dot.value for dot in dots], context.collation)
        if factor.codes.size != x.values.size:
            raise DataError("the groups of ave() are not as long as its numbers")
        order = np.argsort(factor.codes, kind="stable")
        ends = np.searchsorted(factor.codes[order], np.arange(len(factor.levels) + 1))
        # In R 4.2 levels without rows are asked too: min() warns of them.
        least = 1 if context.lme4.averages_what_is_there else 0
        groups = [order[start:end] for start, end in pairwise(ends) if end - start >= least]
    result, kind = x.as_float().copy(), x.kind
    for rows in groups:
        made = _of_group(entry, pack(x.values[rows], x.kind), context)
        if rows.size:
            kind = higher(kind, made.kind)
            result[rows] = made.as_float()
    return pack(result, kind)


@function(
    {
        "proportions": "Each element as a share of the sum.",
        "prop.table": "The older name of proportions.",
    },
    role="whole",
)
def _proportions(x: Value, margin: Value | None = None) -> Value:
    if margin is not None:
        raise DataError("proportions(margin = ) is not supported")
    array, _ = elements(x, "invalid 'type' (character) of argument")
    with np.errstate(all="ignore"):
        shares = array / moments.total(array.reshape(-1, order="F"))
    return shaped(shares, "double", column_names(x))
