"""Regular sequences: seq and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.calendar import months_from
from lme4py.frame.functions.coercion import LARGEST_INTEGER, as_number, pack
from lme4py.frame.functions.table import function
from lme4py.frame.functions.timecuts import DATE_UNITS, steps_of
from lme4py.frame.functions.times import in_unit
from lme4py.frame.functions.vectors.construction import vector
from lme4py.frame.functions.vectors.lengths import Array, bounded
from lme4py.frame.values import Character, Null, Numeric, Value, is_difftime, length

_ONE_END = "'to' must be of length 1"
_WRONG_SIGN = "wrong sign in 'by' argument"
_EPS = float(np.finfo(np.float64).eps)


def _steps(first: float, by: float, count: int) -> Array:
    bounded(count)
    return first + np.arange(count, dtype=np.float64) * by


def _is_whole(value: Value | None) -> bool:
    """Tell whether R stores the value as integer or logical."""
    return isinstance(value, Numeric) and value.kind != "double"


def _one(value: Value, name: str) -> float:
    if length(value) != 1:
        raise DataError(f"'{name}' must be of length 1")
    number = as_number(value, name)
    if not np.isfinite(number):
        raise DataError(f"'{name}' must be a finite number")
    return number


def _range(first: float, last: float) -> Value:
    """Return R's ``first:last``."""
    bounded(abs(last - first))
    count = int(abs(last - first) + 1e-10) + 1
    values = _steps(first, 1.0 if first <= last else -1.0, count)
    whole = first == int(first) and max(abs(first), abs(float(values[-1]))) <= LARGEST_INTEGER
    return pack(values, "integer" if whole else "double")


def _by(first: Value, last: Value, by: Value) -> Value:
    start, stop, step = _one(first, "from"), _one(last, "to"), as_number(by, "by")
    if length(by) != 1:
        raise DataError("'by' must be of length 1")
    whole = _is_whole(first) and _is_whole(last) and _is_whole(by)
    delta = stop - start
    if delta == 0 and stop == 0:
        return last
    count = delta / step if step != 0 else np.nan
    if not np.isfinite(count):
        if step == 0 and delta == 0:
            return first
        raise DataError("invalid '(to - from)/by'")
    if count < 0:
        raise DataError("wrong sign in 'by' argument")
    if count > LARGEST_INTEGER:
        raise DataError("'by' argument is much too small")
    if abs(delta) / max(abs(stop), abs(start)) < 100 * _EPS:
        return first
    if whole:
        return pack(_steps(start, step, int(count) + 1), "integer")
    values = _steps(start, step, int(count + 1e-10) + 1)
    # The last step may pass the end by a rounding error.
    values = np.minimum(values, stop) if step > 0 else np.maximum(values, stop)
    first_whole = _is_whole(first) and _is_whole(by)
    return pack(values, "integer" if first_whole and _is_whole(last) else "double")


def _spaced(first: Value | None, last: Value | None, by: Value | None, size: Value) -> Value:
    """Return a sequence of given length."""
    count = as_number(size, "length.out")
    if not np.isfinite(count) or count < 0:
        raise DataError("'length.out' must be a non-negative number")
    count = float(np.ceil(count))
    bounded(count)
    n = int(count)
    if n == 0:
        return pack(np.empty(0), "integer")
    if by is None:
        if last is None:
            start = 1.0 if first is None else _one(first, "from")
            stop = start + (n - 1)
            whole = _is_whole(size) and (first is None or _is_whole(first))
            whole = whole and stop <= LARGEST_INTEGER
        elif first is None:
            stop = _one(last, "to")
            start = stop - (n - 1)
            whole = _is_whole(size) and _is_whole(last)
        else:
            start, stop = _one(first, "from"), _one(last, "to")
            whole = _is_whole(first) and _is_whole(last)
        return _between(start, stop, n, whole, _is_whole(size))
    step = as_number(by, "by")
    if first is None and last is not None:
        stop = _one(last, "to")
        values = stop - np.arange(n - 1, -1, -1, dtype=np.float64) * step
        whole = _is_whole(last) and _is_whole(by)
    elif last is None:
        start = 1.0 if first is None else _one(first, "from")
        values = _steps(start, step, n)
        whole = (first is None or _is_whole(first)) and _is_whole(by)
    else:
        raise DataError("too many arguments")
    return pack(values, "integer" if whole else "double")


def _seq_dates(first: Numeric, last: Value | None, by: Value | None, size: Value | None) -> Value:
    """Return R's ``seq`` of dates: by days, weeks, months, quarters or years."""
    if length(first) != 1 or (last is not None and length(last) != 1):
        raise DataError("'from' must be of length 1" if length(first) != 1 else _ONE_END)
    if last is not None and not (isinstance(last, Numeric) and last.time == "Date"):
        raise DataError("'to' must be a \"Date\" object")
    if sum(item is not None for item in (last, by, size)) != 2:
        raise DataError(
            "exactly two of 'to', 'by' and 'length.out' / 'along.with' must be specified"
        )
    start = float(first.as_float()[0])
    stop = float(last.as_float()[0]) if isinstance(last, Numeric) else None
    count = None if size is None else int(np.ceil(as_number(size, "length.out")))
    if by is None:
        return Numeric(np.linspace(start, stop or 0.0, count or 0), "double", "Date")
    unit = "days"
    step: float
    if isinstance(by, Character):
        sign = by.pool[int(by.codes[0])] if by.codes.size == 1 and by.codes[0] >= 0 else ""
        step, unit = steps_of(sign.removeprefix("-"), DATE_UNITS, "invalid string for 'by'")
        step = -step if sign.startswith("-") else step
    elif isinstance(by, Numeric) and is_difftime(by.time):
        step = as_number(in_unit(by, "days"), "by")
    else:
        step = as_number(by, "by")
    step = step * 7 if unit == "weeks" else step
    months = {"months": 1, "quarters": 3, "years": 12}.get(unit)
    if count is None:
        span = (stop or 0.0) - start
        reach = span / (28.0 * months if months else 1.0)
        if step == 0 or not np.isfinite(reach / step) or reach / step < 0:
            raise DataError("invalid '(to - from)/by' in seq(.)" if step == 0 else _WRONG_SIGN)
        count = int(reach / step + 1e-10) + 1
    bounded(count)
    steps = np.arange(count, dtype=np.float64) * step
    days = months_from(start, (steps * months).astype(np.int64)) if months else start + steps
    if stop is not None:
        days = days[days <= stop] if step > 0 else days[days >= stop]
    return Numeric(days, "double", "Date")


def _between(start: float, stop: float, n: int, whole: bool, whole_size: bool) -> Value:
    if n <= 2:
        return pack(np.array([start, stop])[:n], "integer" if whole else "double")
    if start == stop:
        return pack(np.full(n, start), "integer" if whole else "double")
    gaps = n - 1
    if whole and whole_size and start % gaps == stop % gaps:
        return pack(_steps(start, stop // gaps - start // gaps, n), "integer")
    inner = start + np.arange(1, n - 1, dtype=np.float64) * ((stop - start) / gaps)
    values = np.concatenate(([start], inner, [stop]))
    return pack(values, "double")


@function(
    "seq",
    "from?, to?, by?, length.out=NULL, along.with=NULL, ...",
    role="whole",
    purpose="Regular sequence.",
)
def _seq(**given: Any) -> Value:
    first, last, by = given.get("from"), given.get("to"), given.get("by")
    size, along = given.get("length_out"), given.get("along_with")
    size = None if isinstance(size, Null) else size
    if isinstance(first, Numeric) and first.time == "Date":
        return _seq_dates(first, last, by, size)
    if along is not None and not isinstance(along, Null):
        size = pack(np.array([float(length(along))]), "integer")
        if first is None and last is None and by is None:
            return _range(1, length(along)) if length(along) else pack(np.empty(0), "integer")
    if size is not None:
        if first is None and last is None and by is None:
            counted: Value = _seq_len(size)
            return counted
        return _spaced(first, last, by, size)
    if first is not None and last is None and by is None:
        if length(first) != 1:
            result: Value = _seq_along(first)
            return result
        stop = as_number(first, "from")
        return _range(1, stop)
    start = first if first is not None else pack(np.array([1.0]), "double")
    stop_value = last if last is not None else pack(np.array([1.0]), "double")
    if by is None:
        return _range(_one(start, "from"), _one(stop_value, "to"))
    return _by(start, stop_value, by)


function(
    "seq.int",
    "from?, to?, by?, length.out=NULL, along.with=NULL, ...",
    role="whole",
    purpose="Regular sequence.",
)(_seq)


@function("seq_len", "length.out", role="summary", purpose="1, 2, ... n.")
def _seq_len(length_out: Value) -> Value:
    count = as_number(length_out, "length.out")
    if not np.isfinite(count) or count < 0:
        raise DataError("argument must be coercible to non-negative integer")
    bounded(count)
    return pack(np.arange(1, int(count) + 1), "integer")


@function("seq_along", "along.with", role="whole", purpose="1, 2, ... up to the length.")
def _seq_along(along_with: Value) -> Value:
    value = vector(along_with)
    return pack(np.arange(1, length(value) + 1), "integer")
