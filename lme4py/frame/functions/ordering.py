"""Order and reversal: functions in which each row depends on every row."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import as_flag, as_number, as_string, flat, pack, select
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.values import Character, Factor, Kind, Matrix, Null, Value

__all__: list[str] = []

Array: TypeAlias = NDArray[Any]


def _keys(value: Value, context: Context) -> Array:
    """Return floats that sort as R sorts the value, NaN where missing."""
    if isinstance(value, Character):
        ranks = {item: place for place, item in enumerate(context.collation.sort(value.pool))}
        table = np.array([*(float(ranks[item]) for item in value.pool), np.nan])
        return table[value.codes]
    if isinstance(value, Factor):
        return np.where(value.codes < 0, np.nan, value.codes.astype(np.float64))
    return flat(value, "argument 1 is not a vector")[0]


def _is_true(value: Value | None, name: str) -> bool:
    return value is not None and as_flag(value, name)


def _last(value: Value | None) -> bool | None:
    """Return whether missing values go last, first, or (None) nowhere."""
    if value is None:
        return True
    number = as_number(value, "na.last")
    return None if np.isnan(number) else number != 0


def _order(keys: list[Array], decreasing: bool, last: bool | None) -> NDArray[np.intp]:
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


@function("rev", "x", role="whole", purpose="Reversed.")
def _rev(x: Value) -> Value:
    if isinstance(x, Matrix):
        x = pack(x.values.reshape(-1, order="F"), x.kind)
    return select(x, slice(None, None, -1))


@function(
    "order",
    '..., na.last=TRUE, decreasing=FALSE, method="auto"',
    role="whole",
    purpose="Positions that sort the arguments.",
)
def _order_of(
    context: Context,
    dots: tuple[Dot, ...] = (),
    na_last: Value | None = None,
    decreasing: Value | None = None,
    method: Value | None = None,  # noqa: ARG001
) -> Value:
    keys = [_keys(dot.value, context) for dot in dots]
    if not keys:
        return pack(np.empty(0), "integer")
    if len({key.size for key in keys}) > 1:
        raise DataError("argument lengths differ")
    rows = _order(keys, _is_true(decreasing, "decreasing"), _last(na_last))
    return pack(rows.astype(np.int64) + 1, "integer")


@function("sort", "x, decreasing=FALSE, na.last=NA, ...", role="whole", purpose="Sorted.")
def _sort(
    x: Value,
    context: Context,
    decreasing: Value | None = None,
    na_last: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if isinstance(x, Null):
        return x
    if isinstance(x, Matrix):
        x = pack(x.values.reshape(-1, order="F"), x.kind)
    last = None if na_last is None else _last(na_last)
    return select(x, _order([_keys(x, context)], _is_true(decreasing, "decreasing"), last))


@function(
    "rank",
    'x, na.last=TRUE, ties.method="average"',
    role="whole",
    purpose="Ranks; equal values share theirs.",
)
def _rank(
    x: Value,
    context: Context,
    na_last: Value | None = None,
    ties_method: Value | None = None,
) -> Value:
    method = "average" if ties_method is None else as_string(ties_method, "ties.method")
    keep = isinstance(na_last, Character)
    if keep and na_last is not None and as_string(na_last, "na.last") != "keep":
        raise DataError("invalid 'na.last' argument")
    last = None if keep else _last(na_last)
    keys = _keys(x, context)
    missing = np.isnan(keys)
    known = keys[~missing]
    rows = np.argsort(known, kind="stable")
    place = np.empty(known.size)
    place[rows] = np.arange(1, known.size + 1)
    if method in ("average", "min", "max"):
        _, group, counts = np.unique(known, return_inverse=True, return_counts=True)
        greatest = np.cumsum(counts)
        least = greatest - counts + 1
        of_group = {"average": (least + greatest) / 2, "min": least, "max": greatest}[method]
        place = of_group[group.reshape(-1)].astype(np.float64)
    elif method == "last":
        _, group = np.unique(known, return_inverse=True)
        rows = np.lexsort((-np.arange(known.size), group.reshape(-1)))
        place[rows] = np.arange(1, known.size + 1)
    elif method != "first":
        raise DataError(f"ties.method '{method}' is not supported")
    kind: Kind = "double" if method == "average" else "integer"
    if not missing.any() or (last is None and not keep):
        return pack(place, kind)
    result = np.full(keys.size, np.nan)
    if keep:
        result[~missing] = place
    elif last:
        result[~missing] = place
        result[missing] = np.arange(known.size + 1, keys.size + 1)
    else:
        result[~missing] = place + missing.sum()
        result[missing] = np.arange(1, missing.sum() + 1)
    return pack(result, kind)
