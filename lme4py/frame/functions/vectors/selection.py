"""Elements picked out or looked up: head, tail, unique, match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import as_integer, pack, select, text, union_codes
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
)


@function("head", "x, n=6L, ...", role="summary", package="utils", purpose="The first elements.")
def _head(x: Value, n: Value | None = None, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    count = 6 if n is None else as_integer(n, "n")
    size = length(x)
    return select(x, slice(0, count if count >= 0 else max(size + count, 0)))


@function("tail", "x, n=6L, ...", role="summary", package="utils", purpose="The last elements.")
def _tail(x: Value, n: Value | None = None, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    count = 6 if n is None else as_integer(n, "n")
    size = length(x)
    return select(x, slice(max(size - count, 0) if count >= 0 else min(-count, size), size))


@function("unique", "x, ...", role="summary", purpose="Distinct values, in order of appearance.")
def _unique(x: Value, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    if isinstance(x, Matrix | FunctionName | MalformedFactor):
        raise DataError("unique() is for vectors")
    if isinstance(x, Null):
        return x
    keys = x.codes if isinstance(x, Factor | Character) else x.as_float()
    _, first = np.unique(keys, return_index=True)
    if isinstance(x, Numeric) and is_difftime(x.time):
        x = Numeric(x.values, x.kind)
    if isinstance(x, Factor):
        x = replace(x, contrasts=None)
    return select(x, np.sort(first))


@function("match", "x, table", role="elementwise", purpose="Place in a set.", tables=("table",))
def _match(x: Value, table: Value) -> Value:
    one, two, pool = union_codes(text(x), text(table))
    place = np.full(len(pool) + 1, np.nan)
    place[two[::-1]] = np.arange(two.size, 0, -1)
    return pack(place[one], "integer")
