"""Vectors put together: c, rep, and those of nothing yet, such as numeric(3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    as_number,
    flat,
    higher,
    pack,
    recycle,
    select,
    text,
    union_codes,
)
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.functions.times import in_one_unit
from lme4py.frame.functions.vectors.lengths import bounded, counts_of
from lme4py.frame.values import (
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
)


def _joined_factors(factors: list[Factor]) -> Factor:
    """Return several factors as one whose levels are the union, in order of appearance."""
    levels: dict[str | None, int] = {}
    for factor in factors:
        for level in factor.levels:
            levels.setdefault(level, len(levels))
    parts = [
        np.array([*(levels[level] for level in factor.levels), -1], dtype=np.int32)[factor.codes]
        for factor in factors
    ]
    ordered = all(factor.ordered and factor.levels == factors[0].levels for factor in factors)
    return Factor(np.concatenate(parts), tuple(levels), ordered)


@function("c", "...", role="shape", purpose="One vector of all arguments.")
def _combine(dots: tuple[Dot, ...] = ()) -> Value:
    values: list[Value] = [dot.value for dot in dots if not isinstance(dot.value, Null)]
    if not values:
        return Null()
    factors = [value for value in values if isinstance(value, Factor)]
    if len(factors) == len(values):
        return _joined_factors(factors)
    if any(isinstance(value, FunctionName) for value in values):
        raise DataError("c() of functions is not supported")
    if any(isinstance(value, Character) for value in values):
        joined = Character(np.empty(0, dtype=np.int32), ())
        for value in values:
            bare = value
            if isinstance(value, Factor):
                bare = pack(np.where(value.codes < 0, np.nan, value.codes + 1.0), "integer")
            elif isinstance(value, Numeric):
                bare = Numeric(value.values, value.kind)
            one, two, pool = union_codes(joined, text(bare))
            joined = Character(np.concatenate((one, two)), pool)
        return joined
    values = in_one_unit(values)
    first = values[0]
    time = first.time if isinstance(first, Numeric) else None
    if time == "Date" and any(
        not isinstance(value, Numeric) or value.time != "Date" for value in values
    ):
        raise DataError("'origin' must be supplied")
    if is_difftime(time) and any(
        not isinstance(value, Numeric | Matrix)
        or value.kind == "logical"
        or (isinstance(value, Numeric) and value.time not in (None, time))
        for value in values
    ):
        raise DataError("'tim' is not character or numeric")
    kind: Kind = "logical"
    arrays = []
    for value in values:
        if isinstance(value, Factor):
            arrays.append(np.where(value.codes < 0, np.nan, value.codes + 1.0))
            kind = higher(kind, "integer")
        else:
            array, part = flat(value, "invalid argument of c()")
            arrays.append(array)
            kind = higher(kind, part)
    return pack(np.concatenate(arrays), kind, time)


def vector(value: Value) -> Value:
    """Return a matrix as the vector of its columns, other values as they are."""
    if isinstance(value, Matrix):
        return pack(value.values.reshape(-1, order="F"), value.kind)
    return value


@function(
    "rep",
    "x, times?, each?, length.out?, ...",
    role="shape",
    purpose="Repeated, whole or each element.",
)
def _rep(
    x: Value,
    times: Value | None = None,
    each: Value | None = None,
    length_out: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    value = vector(x)
    if isinstance(value, Factor):
        value = replace(value, contrasts=None)
    size = length(value)
    rows = np.arange(size)
    if each is not None and not np.isnan(as_number(each, "each")):
        count = int(counts_of(each, "each")[0])
        bounded(float(size) * count)
        rows = np.repeat(rows, count)
    if length_out is not None and not isinstance(length_out, Null):
        wanted = int(counts_of(length_out, "length.out")[0])
        bounded(wanted)
        rows = recycle(rows, wanted) if rows.size else rows
    elif times is not None:
        counts = counts_of(times, "times")
        if counts.size == 1:
            bounded(float(rows.size) * float(counts[0]))
            rows = np.tile(rows, int(counts[0]))
        elif counts.size == rows.size:
            bounded(float(counts.sum()))
            rows = np.repeat(rows, counts)
        else:
            raise DataError("invalid 'times' argument")
    return select(value, rows)


@function("rep_len", "x, length.out", role="shape", purpose="Repeated to a length.")
def _rep_len(x: Value, length_out: Value) -> Value:
    result: Value = _rep(x, length_out=length_out)
    return result


@function("rep.int", "x, times", role="shape", purpose="Repeated some times.")
def _rep_int(x: Value, times: Value) -> Value:
    result: Value = _rep(x, times=times)
    return result


def _empty(length: Value | None) -> int:
    """Return the length argument of ``numeric(length)`` and its kin."""
    if length is None:
        return 0
    array, _ = flat(length, "invalid 'length' argument")
    if array.size != 1 or not array[0] >= 0:
        raise DataError("invalid 'length' argument")
    bounded(float(array[0]))
    return int(array[0])


def _enter_constructor(name: str, kind: Kind) -> None:
    def compute(length: Value | None = None) -> Value:
        return pack(np.zeros(_empty(length)), kind)

    function(name, "length=0", role="summary", purpose=f"Zeros of type {kind}.")(compute)


_enter_constructor("numeric", "double")


_enter_constructor("double", "double")


_enter_constructor("integer", "integer")


_enter_constructor("logical", "logical")


@function("character", "length=0", role="summary", purpose="Empty texts.")
def _character(length: Value | None = None) -> Value:
    return Character(np.zeros(_empty(length), dtype=np.int32), ("",))
