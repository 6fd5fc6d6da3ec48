"""Vectors put together, repeated, chosen from and looked up; vectors as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.formula.syntax import Symbol
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
from lme4py.functions.coercion import (
    LADDER,
    Array,
    as_number,
    as_vector,
    bare_numbers,
    bounded,
    codes_as_numbers,
    column_names,
    elements,
    encoded,
    flat,
    higher,
    joined_text,
    logical,
    pack,
    ranks,
    recycle,
    select,
    shaped,
    text,
    time_of,
    union_codes,
    untimed,
)
from lme4py.functions.conversions import truth_of_text
from lme4py.functions.table import MISSING, NA, Context, Dot, function
from lme4py.functions.times import in_one_unit

# The value as it is ---------------------------------------------------------------------------


@function("I", role="elementwise")
def _as_is(x: Value) -> Value:
    """Return an expression protected from the formula's algebra."""
    if isinstance(x, MalformedFactor) and x.kind == "double":
        raise DataError('adding class "factor" to an invalid object')
    return x


@function("identity", role="elementwise")
def _identity(x: Value) -> Value:
    """Return the value itself."""
    return x


@function("unlist", role="elementwise")
def _unlist(x: Value, _recursive: bool = True, _use_names: bool = True) -> Value:
    """Return the value itself: there are no lists here."""
    return x


@function("offset", role="elementwise", package="stats")
def _offset(object: Value) -> Value:
    """Return a known offset; the formula gives it its meaning."""
    return object


# Put together ---------------------------------------------------------------------------------


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


@function("c", role="shape")
def _combine(dots: tuple[Dot, ...] = ()) -> Value:
    """Return one vector of all arguments."""
    values: list[Value] = [dot.value for dot in dots if not isinstance(dot.value, Null)]
    if not values:
        return Null()
    factors = [value for value in values if isinstance(value, Factor)]
    if len(factors) == len(values):
        return _joined_factors(factors)
    if any(isinstance(value, FunctionName) for value in values):
        raise DataError("c() of functions is not supported")
    if any(isinstance(value, Character) for value in values):
        return joined_text(values)
    values = in_one_unit(values)
    time = time_of(values[0])
    if time == "Date" and any(time_of(value) != "Date" for value in values):
        raise DataError("'origin' must be supplied")
    if is_difftime(time) and any(
        not isinstance(value, Numeric | Matrix)
        or value.kind == "logical"
        or time_of(value) not in (None, time)
        for value in values
    ):
        raise DataError("'tim' is not character or numeric")
    parts = [bare_numbers(value, "invalid argument of c()") for value in values]
    joined = np.concatenate([array.reshape(-1, order="F") for array, _ in parts])
    return pack(joined, higher(*(kind for _, kind in parts)), time)


def _counts(value: Value, name: str) -> NDArray[np.int64]:
    """Return the whole numbers of an argument that counts; R's error for others."""
    array, _ = flat(value, f"invalid '{name}' argument")
    if not array.size or not (array >= 0).all():
        raise DataError(f"invalid '{name}' argument")
    bounded(float(array.max()))
    return np.trunc(array).astype(np.int64)


@function("rep", role="shape")
def _rep(
    x: Value,
    times: Value = MISSING,
    each: Value = MISSING,
    length_out: Value | None = None,
    _dots: tuple[Dot, ...] = (),
) -> Value:
    """Return a vector repeated, whole or each element."""
    value = replace(x, contrasts=None) if isinstance(x, Factor) else as_vector(x)
    rows = np.arange(length(value))
    if each is not MISSING and not np.isnan(as_number(each, "each")):
        count = int(_counts(each, "each")[0])
        bounded(float(rows.size) * count)
        rows = np.repeat(rows, count)
    if length_out is not None:
        rows = recycle(rows, int(_counts(length_out, "length.out")[0]))
    elif times is not MISSING:
        counts = _counts(times, "times")
        if counts.size not in (1, rows.size):
            raise DataError("invalid 'times' argument")
        bounded(float(counts.sum()) * (rows.size if counts.size == 1 else 1))
        rows = np.tile(rows, counts[0]) if counts.size == 1 else np.repeat(rows, counts)
    return select(value, rows)


@function("seq_along", role="whole")
def _seq_along(along_with: Value) -> Value:
    """Return 1, 2, ... up to the length."""
    return pack(np.arange(1, length(as_vector(along_with)) + 1), "integer")


# Chosen ---------------------------------------------------------------------------------------


@function(
    {"pmin": "Least of the arguments.", "pmax": "Greatest of the arguments."}, role="elementwise"
)
def _parallel(
    context: Context, called: str, dots: tuple[Dot, ...] = (), na_rm: bool = False
) -> Value:
    values = [dot.value for dot in dots]
    if not values:
        raise DataError("no arguments")
    if any(isinstance(value, Factor) for value in values):
        raise DataError(f"{called}() of factors is not supported")
    first, sizes = values[0], [length(as_vector(value)) for value in values]
    size = max(sizes)
    if 0 in sizes:
        return Numeric(np.empty(0), "double")
    kind, order = LADDER[1], None
    if any(isinstance(value, Character) for value in values):
        words = joined_text(values)
        table, order = ranks(words.pool, context.collation)
        arrays = np.split(table[words.codes], np.cumsum(sizes)[:-1])
    else:
        same = in_one_unit(values, time_of(first) or "")
        parts = [flat(value, "invalid input type") for value in same]
        arrays, kind = [array for array, _ in parts], higher(kind, *(part for _, part in parts))
    choose = np.minimum if called == "pmin" else np.maximum
    result = np.full(size, np.nan)
    for place, array in enumerate(arrays):
        if size % array.size:
            context.warn("an argument will be fractionally recycled")
        spread = recycle(array, size)
        if na_rm or not place:
            # Not np.fmin: R's NA is a signalling NaN, which wins there.
            result = np.where(np.isnan(result), spread, result)
            spread = np.where(np.isnan(spread), result, spread)
        result = choose(result, spread)
    if order is not None:
        return encoded(np.where(np.isnan(result), -1, result).astype(np.int32), order)
    if isinstance(first, Matrix) and sizes[0] == size:
        return shaped(result.reshape(first.values.shape, order="F"), kind, first.names)
    return pack(result, kind, time_of(first))


@function("ifelse", role="elementwise")
def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    """Return one of two values, element by element."""
    if isinstance(test, Factor):
        raise DataError("ifelse() of a factor is not supported: compare it first")
    if isinstance(test, Character):
        truth: Array = truth_of_text(test)
    else:
        truth, _ = elements(test, 'argument "test" is not logical')
    decided = truth.reshape(-1, order="F")
    if decided.size == 1 and not isinstance(test, Matrix) and time_of(test) is None:
        if np.isnan(decided[0]):
            return Numeric(np.array([np.nan]), "logical")
        branch = yes if decided[0] else no
        bare = isinstance(branch, Character | Numeric) and time_of(branch) is None
        if bare and length(branch) == 1:
            return branch
    live: list[tuple[NDArray[np.bool_], Value]] = []
    for mask, value in (((decided != 0) & ~np.isnan(decided), yes), (decided == 0, no)):
        branch = as_vector(untimed(value))
        if isinstance(branch, Factor):
            branch = pack(codes_as_numbers(branch), "integer")
        if not isinstance(branch, Character):
            elements(branch, "invalid branch of ifelse()")
        if mask.any():
            if not length(branch):
                raise DataError("replacement has length zero")
            live.append((mask, branch))
    if any(isinstance(branch, Character) for _, branch in live):
        return _chosen_text(decided.size, live)
    result, kind = np.full(decided.size, np.nan), LADDER[0]
    for mask, branch in live:
        array, part = flat(branch, "")
        kind = higher(kind, part)
        result = np.where(mask, array if array.size == 1 else recycle(array, mask.size), result)
    return shaped(result.reshape(truth.shape, order="F"), kind, column_names(test))


def _chosen_text(size: int, live: Sequence[tuple[NDArray[np.bool_], Value]]) -> Character:
    result = Character(np.full(size, -1, dtype=np.int32), ())
    for mask, branch in live:
        codes, others, pool = union_codes(result, text(branch))
        result = Character(np.where(mask, recycle(others, size), codes).astype(np.int32), pool)
    return result


# Looked up ------------------------------------------------------------------------------------


def _within(x: Value, table: Value) -> Value:
    x, table = untimed(x), untimed(table)
    if any(isinstance(value, Character | Factor) for value in (x, table)):
        one, two, pool = union_codes(text(x), text(table))
        found = np.zeros(len(pool) + 1, dtype=np.bool_)
        found[two] = True
        return logical(found[one])
    left, _ = flat(x, "'match' requires vector arguments")
    right, _ = flat(table, "'match' requires vector arguments")
    result = np.isin(left, right)
    if np.isnan(right).any():
        result |= np.isnan(left)
    return logical(result)


@function("%in%", role="elementwise", tables=("table",))
def _in(x: Value, table: Value) -> Value:
    """Return whether each element is in a set."""
    return _within(x, table)


@function("is.element", role="elementwise", tables=("table",))
def _is_element(el: Value, table: Value) -> Value:
    """Return whether each element is in a set."""
    return _within(el, table)


@function("complete.cases", role="elementwise", package="stats")
def _complete_cases(dots: tuple[Dot, ...] = ()) -> Value:
    """Return whether nothing is missing in a row."""
    complete: NDArray[np.bool_] | None = None
    for value in (dot.value for dot in dots):
        match value:
            case Matrix(values=values):
                known = np.asarray(~np.isnan(values).any(axis=1))
            case Numeric():
                known = ~np.isnan(value.as_float())
            case Character(codes=codes) | Factor(codes=codes):
                known = codes >= 0
            case Null():
                continue
            case _:
                raise DataError("invalid 'type' (closure) of argument")
        if complete is not None and complete.size != known.size:
            raise DataError("not all arguments have the same length")
        complete = known if complete is None else complete & known
    if complete is None:
        raise DataError("no input has determined the number of cases")
    return logical(complete)


# Matrices -----------------------------------------------------------------------------------

_LONGEST = 2**21


def _bindable(value: Value) -> tuple[Array, Kind]:
    """Return an argument of cbind as an array, with R's type."""
    if isinstance(value, Character):
        raise DataError("cbind() of text makes a character matrix, which no model can use")
    return bare_numbers(value, "cbind() takes numbers, factors and matrices of numbers")


@function("cbind", role="elementwise")
def _cbind(context: Context, dots: tuple[Dot, ...] = (), deparse_level: float = 1) -> Value:
    """Return columns side by side; on the left side, successes and failures."""
    used = [dot for dot in dots if not isinstance(dot.value, Null)]
    if not used:
        return Null()
    parts = [_bindable(dot.value) for dot in used]
    heights = [part.shape[0] for part, _ in parts if part.ndim == 2]
    if len(set(heights)) > 1:
        odd = (at for at, (part, _) in enumerate(parts, 1) if _is_other(part, parts[0][0]))
        raise DataError(f"number of rows of matrices must match (see arg {next(odd)})")
    rows = heights[0] if heights else max(part.shape[0] for part, _ in parts)
    columns: list[Array] = []
    names: list[str] = []
    for place, (dot, (part, _)) in enumerate(zip(used, parts, strict=True), 1):
        if part.ndim == 2:
            columns.append(part)
            names.extend(column_names(dot.value) or [""] * part.shape[1])
            continue
        if part.shape[0] == 0 and rows > 0:
            continue
        if rows % max(part.shape[0], 1) or part.shape[0] > rows:
            context.warn(
                f"number of rows of result is not a multiple of vector length (arg {place})"
            )
        columns.append(np.resize(part, rows).reshape(-1, 1))
        own = dot.node.name if deparse_level >= 1 and isinstance(dot.node, Symbol) else ""
        names.append(dot.name or own)
    values = np.asfortranarray(np.hstack(columns), dtype=np.float64)
    kind = higher(*(kind for _, kind in parts))
    return Matrix(values, tuple(names) if any(names) else None, kind)


def _is_other(part: Array, first: Array) -> bool:
    return part.ndim == 2 and part.shape[0] != first.shape[0]


@function("as.matrix", role="elementwise")
def _as_matrix(x: Value, _dots: tuple[Dot, ...] = ()) -> Value:
    """Return a vector as a matrix of one column."""
    match x:
        case Matrix():
            return x
        case Numeric(time=None):
            return Matrix(x.as_float()[:, None], None, x.kind)
        case Character() | Factor():
            raise DataError("a matrix of text cannot be used in a model")
        case Null():
            raise DataError("'data' must be of a vector type, was 'NULL'")
        case _:
            raise DataError("as.matrix() is for numbers")


@function("drop", role="elementwise")
def _drop(x: Value) -> Value:
    """Return a matrix of one column as a vector."""
    # A matrix of one row stays one: on a single new row it is still the model's matrix.
    return as_vector(x) if isinstance(x, Matrix) and x.values.shape[1] == 1 else x


def _matrix_extent(value: Value, name: str) -> int | None:
    """Return the number of rows or columns that is asked for, None if it is left open."""
    if value is MISSING:
        return None
    array, _ = flat(value, f"non-numeric matrix extent '{name}'")
    if not array.size or np.isnan(array[0]) or array[0] >= _LONGEST:
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


@function("matrix", role="shape")
def _matrix(
    context: Context,
    data: Value = NA,
    nrow: Value = MISSING,
    ncol: Value = MISSING,
    byrow: bool = False,
    dimnames: Value | None = None,
) -> Value:
    """Return a vector as a matrix, column after column."""
    if dimnames is not None:
        raise DataError("matrix(dimnames = ) is not supported", hint="cbind() names its columns")
    if isinstance(data, Null):
        raise DataError("'data' must be of a vector type, was 'NULL'")
    if isinstance(data, Character | Factor):
        raise DataError("a matrix of text cannot be used in a model")
    array, kind = flat(data, "'data' must be of a vector type")
    size = array.size
    rows, columns = _shape(size, _matrix_extent(nrow, "nrow"), _matrix_extent(ncol, "ncol"))
    cells = rows * columns
    bounded(float(cells))
    if size > 1 and cells % size:
        for what, extent in (("rows", rows), ("columns", columns)):
            if _uneven(size, extent):
                context.warn(
                    f"data length [{size}] is not a sub-multiple or multiple of the number of "
                    f"{what} [{extent}]"
                )
                break
        else:
            context.warn(f"data length differs from size of matrix: [{size} != {rows} x {columns}]")
    elif size > 1 and cells == 0:
        context.warn("non-empty data for zero-extent matrix")
    filled = recycle(array, cells) if size else np.full(cells, np.nan)
    values = filled.reshape((rows, columns), order="C" if byrow else "F")
    return Matrix(np.asfortranarray(values, dtype=np.float64), None, kind)


@function(
    {"rowSums": "Sums of a matrix's rows.", "rowMeans": "Means of a matrix's rows."},
    role="elementwise",
)
def _over_rows(x: Value, called: str, na_rm: bool = False, _dims: int = 1) -> Value:
    if not isinstance(x, Matrix):
        raise DataError("'x' must be an array of at least two dimensions")
    counted = ~np.isnan(x.values) if na_rm else np.ones(x.values.shape, dtype=np.bool_)
    sums = np.zeros(x.values.shape[0], dtype=np.longdouble)
    for column in np.where(counted, x.values, 0.0).T:
        sums += column
    with np.errstate(all="ignore"):
        result = sums / counted.sum(axis=1) if called == "rowMeans" else sums
    return pack(result.astype(np.float64), "double")
