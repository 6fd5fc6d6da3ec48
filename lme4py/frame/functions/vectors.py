"""Vectors made from parts: ``c``, ``rep``, ``seq`` and their kin."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.calendar import months_from
from lme4py.frame.functions.coercion import (
    LADDER,
    LARGEST_INTEGER,
    as_flag,
    as_integer,
    as_number,
    flat,
    higher,
    pack,
    recycle,
    select,
    text,
    union_codes,
)
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.functions.timecuts import DATE_UNITS, steps_of
from lme4py.frame.functions.times import in_one_unit, in_unit
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
    is_difftime,
    length,
)

__all__: list[str] = []

Array: TypeAlias = NDArray[Any]

_LONGEST = 2**21
_ONE_END = "'to' must be of length 1"
_WRONG_SIGN = "wrong sign in 'by' argument"
_EPS = float(np.finfo(np.float64).eps)


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


def _counts(value: Value, name: str) -> Array:
    array, _ = flat(value, f"invalid '{name}' argument")
    if not array.size or not (array >= 0).all():
        raise DataError(f"invalid '{name}' argument")
    _bounded(float(array.max()))
    return np.trunc(array).astype(np.int64)


def _bounded(size: float) -> None:
    if not size < _LONGEST:
        raise DataError("result would be too long a vector")


def _vector(value: Value) -> Value:
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
    value = _vector(x)
    size = length(value)
    rows = np.arange(size)
    if each is not None and not np.isnan(as_number(each, "each")):
        count = int(_counts(each, "each")[0])
        _bounded(float(size) * count)
        rows = np.repeat(rows, count)
    if length_out is not None and not isinstance(length_out, Null):
        wanted = int(_counts(length_out, "length.out")[0])
        _bounded(wanted)
        rows = recycle(rows, wanted) if rows.size else rows
    elif times is not None:
        counts = _counts(times, "times")
        if counts.size == 1:
            _bounded(float(rows.size) * float(counts[0]))
            rows = np.tile(rows, int(counts[0]))
        elif counts.size == rows.size:
            _bounded(float(counts.sum()))
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


def _steps(first: float, by: float, count: int) -> Array:
    _bounded(count)
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
    _bounded(abs(last - first))
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
    _bounded(count)
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
    _bounded(count)
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
    _bounded(count)
    return pack(np.arange(1, int(count) + 1), "integer")


@function("seq_along", "along.with", role="whole", purpose="1, 2, ... up to the length.")
def _seq_along(along_with: Value) -> Value:
    value = _vector(along_with)
    return pack(np.arange(1, length(value) + 1), "integer")


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
    return select(x, np.sort(first))


# Vectors of nothing yet -------------------------------------------------------------------


def _empty(length: Value | None) -> int:
    """Return the length argument of ``numeric(length)`` and its kin."""
    if length is None:
        return 0
    array, _ = flat(length, "invalid 'length' argument")
    if array.size != 1 or not array[0] >= 0:
        raise DataError("invalid 'length' argument")
    _bounded(float(array[0]))
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


@function("match", "x, table", role="elementwise", purpose="Place in a set.", tables=("table",))
def _match(x: Value, table: Value) -> Value:
    one, two, pool = union_codes(text(x), text(table))
    place = np.full(len(pool) + 1, np.nan)
    place[two[::-1]] = np.arange(two.size, 0, -1)
    return pack(place[one], "integer")


# Matrices ---------------------------------------------------------------------------------


def _extent(value: Value | None, name: str) -> int | None:
    if value is None:
        return None
    array, _ = flat(value, f"non-numeric matrix extent '{name}'")
    if not array.size:
        raise DataError(f"invalid '{name}' value (too large or NA)")
    if np.isnan(array[0]) or array[0] >= _LONGEST:
        raise DataError(f"invalid '{name}' value (too large or NA)")
    if array[0] < 0:
        raise DataError(f"invalid '{name}' value (< 0)")
    return int(array[0])


def _shape(size: int, rows: int | None, columns: int | None) -> tuple[int, int]:
    """Return the number of rows and columns; what is not given follows from the size."""
    if rows is not None and columns is not None:
        return rows, columns
    if rows is not None:
        return rows, -(-size // rows) if rows else 0
    if columns is not None:
        return -(-size // columns) if columns else 0, columns
    return size, 1


def _uneven(size: int, extent: int) -> bool:
    return extent > 0 and (size % extent != 0 if size > extent else extent % size != 0)


@function(
    "matrix",
    "data=NA, nrow?, ncol?, byrow=FALSE, dimnames=NULL",
    role="shape",
    purpose="A vector as a matrix, column after column.",
)
def _matrix(
    context: Context,
    data: Value | None = None,
    nrow: Value | None = None,
    ncol: Value | None = None,
    byrow: Value | None = None,
    dimnames: Value | None = None,
) -> Value:
    if dimnames is not None and not isinstance(dimnames, Null):
        raise DataError("matrix(dimnames = ) is not supported", hint="cbind() names its columns")
    if isinstance(data, Null):
        raise DataError("'data' must be of a vector type, was 'NULL'")
    if isinstance(data, Character | Factor):
        raise DataError("a matrix of text cannot be used in a model")
    array, kind = (
        (np.array([np.nan]), LADDER[0])
        if data is None
        else flat(data, "'data' must be of a vector type")
    )
    size = array.size
    rows, columns = _shape(size, _extent(nrow, "nrow"), _extent(ncol, "ncol"))
    cells = rows * columns
    _bounded(float(cells))
    if size > 1 and cells % size:
        if _uneven(size, rows):
            _warn_uneven(context, size, "rows", rows)
        elif _uneven(size, columns):
            _warn_uneven(context, size, "columns", columns)
        else:
            context.warn(f"data length differs from size of matrix: [{size} != {rows} x {columns}]")
    elif size > 1 and cells == 0:
        context.warn("non-empty data for zero-extent matrix")
    filled = recycle(array, cells) if size else np.full(cells, np.nan)
    by_row = byrow is not None and as_flag(byrow, "byrow")
    values = filled.reshape((rows, columns), order="C" if by_row else "F")
    return Matrix(np.asfortranarray(values, dtype=np.float64), None, kind)


def _warn_uneven(context: Context, size: int, what: str, extent: int) -> None:
    context.warn(
        f"data length [{size}] is not a sub-multiple or multiple of the number of {what} [{extent}]"
    )


def _row_sums(x: Value, na_rm: Value | None) -> tuple[Array, Array]:
    """Return the sum of each row and how many numbers went into it."""
    if not isinstance(x, Matrix):
        raise DataError("'x' must be an array of at least two dimensions")
    values: Array = x.values
    counted = np.ones(values.shape, dtype=np.bool_)
    if na_rm is not None and as_flag(na_rm, "na.rm"):
        counted = ~np.isnan(values)
        values = np.where(counted, values, 0.0)
    sums = np.zeros(values.shape[0], dtype=np.longdouble)
    for column in values.T:
        sums += column
    return sums, counted.sum(axis=1)


@function(
    "rowSums", "x, na.rm=FALSE, dims=1L", role="elementwise", purpose="Sums of a matrix's rows."
)
def _row_sums_of(x: Value, na_rm: Value | None = None, dims: Value | None = None) -> Value:  # noqa: ARG001
    return pack(_row_sums(x, na_rm)[0].astype(np.float64), "double")


@function(
    "rowMeans", "x, na.rm=FALSE, dims=1L", role="elementwise", purpose="Means of a matrix's rows."
)
def _row_means_of(x: Value, na_rm: Value | None = None, dims: Value | None = None) -> Value:  # noqa: ARG001
    sums, counts = _row_sums(x, na_rm)
    with np.errstate(all="ignore"):
        means = sums / counts
    return pack(means.astype(np.float64), "double")
