"""Vectors put together, repeated, chosen from, looked up and indexed; vectors as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.factors import drop_unused
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    concatenate,
    length,
    missing,
    take_or_missing,
    time_class,
)
from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Symbol
from lme4py.functions.coercion import (
    LADDER,
    Array,
    as_numbers,
    as_vector,
    bare_numbers,
    bounded,
    by_elements,
    elements,
    higher,
    level_texts,
    logical,
    pack,
    recycle,
    select,
    strings_of,
    text,
    time_of,
    union_codes,
    untimed,
)
from lme4py.functions.leveling import crossed
from lme4py.functions.table import MISSING, NA, Context, Dot, function
from lme4py.functions.times import in_one_unit
from lme4py.numerals import LARGEST_INTEGER

# The value as it is ---------------------------------------------------------------------------


@function(
    {
        "I": "An expression protected from the formula's algebra.",
        "identity": "The value itself.",
        "(": "Parentheses: the value itself.",
        "unlist": "The value itself: there are no lists here.",
    },
    role="elementwise",
)
def _itself(x: Value) -> Value:
    return x


@function("offset", role="elementwise", package="stats")
def _offset(object: Value) -> Value:
    """Return a known offset; the formula gives it its meaning."""
    return object


@function({":": "A range of numbers, or all combinations."}, role="elementwise")
def _colon(from_: Value, to: Value, context: Context) -> Value:
    if isinstance(from_, Factor) and isinstance(to, Factor):
        if from_.codes.size != to.codes.size:
            raise DataError("unequal factor lengths")
        return crossed((from_, to), context.collation, separator=":", last_fastest=True)
    ends = [as_numbers(end, context) for end in (from_, to)]
    for numbers in ends:
        if not numbers.size:
            raise DataError("argument of length 0")
        if numbers.size > 1:
            text = f"numerical expression has {numbers.size} elements: only the first used"
            context.warn(text)
    start, stop = (float(numbers[0]) for numbers in ends)
    if np.isnan(start) or np.isnan(stop):
        raise DataError("NA/NaN argument")
    bounded(abs(stop - start))
    steps = np.arange(int(abs(stop - start) + 1e-10) + 1, dtype=np.float64)
    values = start + steps if start <= stop else start - steps
    whole = start == int(start) and max(abs(start), abs(values[-1])) <= LARGEST_INTEGER
    return pack(values, "integer" if whole else "double")


# Put together ---------------------------------------------------------------------------------


def _bare_vector(value: Value) -> Value:
    return replace(value, contrasts=None) if isinstance(value, Factor) else as_vector(value)


@function("c", role="shape")
def _combine(dots: tuple[Dot, ...] = ()) -> Value:
    """Return one vector of all arguments."""
    values: list[Value] = [dot.value for dot in dots if not isinstance(dot.value, Null)]
    if not values:
        return Null()
    kinds = {type(value) for value in values}
    if kinds == {Factor} and len(values) == 1:
        return _bare_vector(values[0])
    if kinds == {Factor} or {Factor, Character} <= kinds or FunctionName in kinds:
        raise DataError("c() is for numbers and text", hint="as.character(f) makes a factor text")
    if Character in kinds:
        return concatenate([text(untimed(value)) for value in values])
    values = in_one_unit(values)
    time = time_of(values[0])
    if any(time_class(time_of(value)) != time_class(time) for value in values):
        raise DataError("c() of values with different classes", hint="make them one class")
    parts = [bare_numbers(value, "invalid argument of c()") for value in values]
    joined = np.concatenate([array for array, _ in parts])
    return pack(joined, higher(*(kind for _, kind in parts)), time)


@function("rep", role="shape", counts=("length.out",))
def _rep(x: Value, times: Value = MISSING, each: int = 1, length_out: int | None = None) -> Value:
    """Return a vector repeated, whole or each element."""
    value = _bare_vector(x)
    rows = np.arange(length(value))
    if min(each, length_out or 0) < 0:
        raise DataError("invalid 'each' or 'length.out' argument")
    bounded(max(float(rows.size) * each, length_out or 0))
    rows = np.repeat(rows, each)
    if length_out is not None:
        rows = recycle(rows, length_out)
    elif times is not MISSING:
        counts, _ = elements(times, "invalid 'times' argument")
        if counts.size not in (1, rows.size) or not (counts >= 0).all():
            raise DataError("invalid 'times' argument")
        bounded(float(counts.sum()) * (rows.size if counts.size == 1 else 1))
        whole = counts.astype(np.int64)
        rows = np.tile(rows, whole[0]) if whole.size == 1 else np.repeat(rows, whole)
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
    first = values[0]
    time = time_of(first)
    values = in_one_unit(values, time or "")
    if any(time_class(time_of(value)) not in (None, time_class(time)) for value in values):
        raise DataError(f"{called}() of values with different classes")
    parts = [elements(value, f"{called}() is for numbers") for value in values]
    sizes = [array.size for array, _ in parts]
    size = max(sizes) if all(sizes) else 0
    choose = np.minimum if called == "pmin" else np.maximum
    result = np.full(size, np.nan)
    for place, (array, _) in enumerate(parts):
        if size and size % array.size:
            context.warn("an argument will be fractionally recycled")
        spread = recycle(array, size)
        if na_rm or not place:
            # Not np.fmin: R's NA is a signalling NaN, which wins there.
            result = np.where(np.isnan(result), spread, result)
            spread = np.where(np.isnan(spread), result, spread)
        result = choose(result, spread)
    # One argument stays what it is.
    kind = higher("integer" if len(parts) > 1 else "logical", *(part for _, part in parts))
    if isinstance(first, Matrix) and sizes[0] == size:
        return Matrix(result.reshape(first.values.shape, order="F"), first.names, kind)
    return pack(result, kind, time)


@function("ifelse", role="elementwise")
def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    """Return one of two values, element by element."""
    return _chosen(test, as_vector(yes), as_vector(no))


@by_elements
def _chosen(test: Value, yes: Value, no: Value) -> Value:
    complaint = "the test of ifelse() is neither TRUE nor FALSE: compare it first"
    decided, _ = elements(test, complaint)
    live: list[tuple[NDArray[np.bool_], Value]] = []
    for mask, value in (((decided != 0) & ~np.isnan(decided), yes), (decided == 0, no)):
        branch = untimed(value)
        if not isinstance(branch, Character):
            branch = pack(*bare_numbers(branch, "invalid branch of ifelse()"))
        if mask.any():
            if not length(branch):
                raise DataError("replacement has length zero")
            live.append((mask, branch))
    if any(isinstance(branch, Character) for _, branch in live):
        words = Character(np.full(decided.size, -1, dtype=np.int32), ())
        for mask, branch in live:
            codes, others, pool = union_codes(words, text(branch))
            words = Character(np.where(mask, recycle(others, mask.size), codes), pool)
        return words
    result, kind = np.full(decided.size, np.nan), LADDER[0]
    for mask, branch in live:
        array, part = elements(branch, "")
        kind = higher(kind, part)
        result = np.where(mask, array if array.size == 1 else recycle(array, mask.size), result)
    return pack(result, kind)


@function("replace", role="elementwise")
def _replace(x: Value, list: Value, values: Value, context: Context) -> Value:
    """Return the elements, another value where a condition holds."""
    chosen, kind = elements(list, "the condition of replace() is neither TRUE nor FALSE")
    if kind != "logical" or length(list) != length(x):
        raise DataError(
            "replace() takes a condition for each element",
            hint="positions mean nothing in other rows: write replace(x, x == 0, NA)",
        )
    if length(values) != 1:
        raise DataError("replace() takes one value")
    if not isinstance(x, Factor):
        return _ifelse(logical(chosen == 1), values, x)
    wanted = text(values)
    level = wanted.pool[wanted.codes[0]] if wanted.codes[0] >= 0 else None
    place = x.levels.index(level) if level in x.levels else -1
    if place < 0 and level is not None:
        context.warn("invalid factor level, NA generated")
    return replace(x, codes=np.where(chosen == 1, np.int32(place), x.codes))


# Looked up ------------------------------------------------------------------------------------


@function({"%in%": "Whether each element is in a set."}, role="elementwise", tables=("table",))
def _within(x: Value, table: Value) -> Value:
    x, table = untimed(x), untimed(table)
    if any(isinstance(value, Character | Factor) for value in (x, table)):
        one, two, pool = union_codes(text(x), text(table))
        found = np.zeros(len(pool) + 1, dtype=np.bool_)
        found[two] = True
        return logical(found[one])
    left, _ = elements(x, "'match' requires vector arguments")
    right, _ = elements(table, "'match' requires vector arguments")
    result = np.isin(left, right)
    if np.isnan(right).any():
        result |= np.isnan(left)
    return logical(result)


@function("is.element", role="elementwise", tables=("set",))
def _is_element(el: Value, set: Value) -> Value:
    """Return whether each element is in a set."""
    return _within(el, set)


@function("complete.cases", role="elementwise", package="stats")
def _complete_cases(dots: tuple[Dot, ...] = ()) -> Value:
    """Return whether nothing is missing in a row."""
    known: list[NDArray[np.bool_]] = []
    for value in (dot.value for dot in dots if not isinstance(dot.value, Null)):
        if isinstance(value, FunctionName):
            raise DataError("invalid 'type' (closure) of argument")
        lost = missing(value)
        known.append(np.ones(length(value), dtype=np.bool_) if lost is None else ~lost)
    if not known:
        raise DataError("no input has determined the number of cases")
    if len({rows.size for rows in known}) > 1:
        raise DataError("not all arguments have the same length")
    return logical(np.logical_and.reduce(known))


# Matrices -----------------------------------------------------------------------------------


@function("cbind", role="elementwise")
def _cbind(context: Context, dots: tuple[Dot, ...] = (), deparse_level: float = 1) -> Value:
    """Return columns side by side; on the left side, successes and failures."""
    if 2 <= deparse_level < 3:
        raise DataError("cbind(deparse.level = 2) is not supported", hint="name the columns")
    used = [dot for dot in dots if not isinstance(dot.value, Null)]
    if not used:
        return Null()
    complaint = "cbind() takes numbers, factors and matrices of numbers"
    parts = [bare_numbers(dot.value, complaint) for dot in used]
    heights = {len(dot.value.values) for dot in used if isinstance(dot.value, Matrix)}
    if len(heights) > 1:
        raise DataError("number of rows of matrices must match")
    rows = max(heights or (part.size for part, _ in parts))
    columns: list[Array] = []
    names: list[str] = []
    for place, (dot, (part, _)) in enumerate(zip(used, parts, strict=True), 1):
        if isinstance(dot.value, Matrix):
            columns.append(dot.value.values)
            names.extend(dot.value.names or [""] * dot.value.values.shape[1])
            continue
        if part.size == 0 and rows > 0:
            continue
        if rows % max(part.size, 1) or part.size > rows:
            context.warn(
                f"number of rows of result is not a multiple of vector length (arg {place})"
            )
        columns.append(np.resize(part, rows).reshape(-1, 1))
        own = dot.node.name if 1 <= deparse_level < 2 and isinstance(dot.node, Symbol) else ""
        names.append(dot.name or own)
    values = np.asfortranarray(np.hstack(columns), dtype=np.float64)
    kind = higher(*(kind for _, kind in parts))
    return Matrix(values, tuple(names) if any(names) else None, kind)


@function("as.matrix", role="elementwise")
def _as_matrix(x: Value) -> Value:
    """Return a vector as a matrix of one column."""
    match x:
        case Matrix():
            return x
        case Numeric(time=None):
            return Matrix(x.as_float()[:, None], None, x.kind)
        case Character() | Factor():
            raise DataError("a matrix of text cannot be used in a model")
        case _:
            raise DataError("as.matrix() is for numbers")


@function("drop", role="elementwise")
def _drop(x: Value) -> Value:
    """Return a matrix of one column as a vector."""
    # A matrix of one row stays one: on a single new row it is still the model's matrix.
    return as_vector(x) if isinstance(x, Matrix) and x.values.shape[1] == 1 else x


@function("matrix", role="shape", counts=("nrow",))
def _matrix(
    data: Value = NA, nrow: int | None = None, ncol: int | None = None, byrow: bool = False
) -> Value:
    """Return a vector as a matrix, column after column."""
    if isinstance(data, Character | Factor | Null):
        raise DataError("matrix() takes numbers here")
    array, kind = elements(data, "'data' must be of a vector type")
    if nrow is None and ncol is None:
        nrow, ncol = array.size, 1
    known = nrow if ncol is None else ncol
    other = -(-array.size // known) if known else 0
    rows, columns = other if nrow is None else nrow, other if ncol is None else ncol
    if rows < 0 or columns < 0:
        raise DataError("invalid 'nrow' or 'ncol' value (< 0)")
    cells = rows * columns
    bounded(float(cells))
    if array.size not in (1, cells):
        raise DataError(f"{array.size} elements do not fill a matrix of {rows} x {columns}")
    values = recycle(array, cells).reshape((rows, columns), order="C" if byrow else "F")
    return Matrix(np.asfortranarray(values, dtype=np.float64), None, kind)


@function(
    {"rowSums": "Sums of a matrix's rows.", "rowMeans": "Means of a matrix's rows."},
    role="elementwise",
)
def _over_rows(x: Value, called: str, na_rm: bool = False) -> Value:
    if not isinstance(x, Matrix):
        raise DataError("'x' must be an array of at least two dimensions")
    counted = ~np.isnan(x.values) if na_rm else np.ones(x.values.shape, dtype=np.bool_)
    sums = np.zeros(x.values.shape[0], dtype=np.longdouble)
    for column in np.where(counted, x.values, 0.0).T:
        sums += column
    with np.errstate(all="ignore"):
        result = sums / counted.sum(axis=1) if called == "rowMeans" else sums
    return pack(result.astype(np.float64), "double")


# Indexing -----------------------------------------------------------------------------------

Positions = NDArray[np.int64]

_OUTSIDE = "subscript out of bounds"


def _positions(
    index: Value, size: int, names: Sequence[str] = (), *, bounded: bool = False
) -> Positions:
    """Return 0-based positions of what an index selects; -1 is a missing element."""
    if isinstance(index, Character):
        wanted = level_texts(strings_of(index))
        for name in wanted:
            if name not in names:
                raise DataError(_OUTSIDE, hint=nearest(name, names))
        return np.array([names.index(name) for name in wanted], dtype=np.int64)
    array, kind = bare_numbers(index, "invalid subscript type 'closure'")
    missing = np.isnan(array)
    if kind == "logical":
        if array.size > size:
            raise DataError("(subscript) logical subscript too long")
        full = recycle(array, size)
        chosen = np.flatnonzero(full != 0)
        return np.where(np.isnan(full[chosen]), -1, chosen).astype(np.int64)
    within = np.where(missing, 0, np.clip(array, -size - 1, size + 1))
    whole: Positions = np.trunc(within).astype(np.int64)
    if (whole < 0).any():
        if (whole > 0).any() or missing.any():
            raise DataError("only 0's may be mixed with negative subscripts")
        return np.setdiff1d(np.arange(size), -whole - 1)
    if bounded and (whole > size).any():
        raise DataError(_OUTSIDE, hint=f"there are {size}")
    return np.asarray(np.where(whole > size, 0, whole)[missing | (whole != 0)] - 1)


def _cells(
    value: Matrix, row: Value | None, column: Value | None, drop: bool, *, alone: bool
) -> Value:
    """Return cells of a matrix; a row that stands `alone` is no vector of its cells."""
    block, names = value.values, value.names
    if column is not None:
        places = _positions(column, block.shape[1], names or (), bounded=True)
        if (places < 0).any():
            raise DataError(_OUTSIDE)
        block = block[:, places]
        names = None if names is None else tuple(names[at] for at in places)
    if row is not None:
        positions = _positions(row, len(block), bounded=True)
        if positions.size and not len(block):
            raise DataError(_OUTSIDE)
        block = np.where((positions < 0)[:, None], np.nan, block[positions])
    if drop and (block.shape[1] == 1 or (len(block) == 1 and not alone)):
        return pack(block.reshape(-1, order="F"), value.kind)
    return Matrix(np.asfortranarray(block), names, value.kind)


@function({"[": "Elements, or cells of a matrix."}, role="index")
def _index(x: Value, context: Context, dots: tuple[Dot, ...] = (), drop: bool = MISSING) -> Value:
    if isinstance(x, FunctionName):
        raise DataError("object of type 'closure' is not subsettable")
    # An empty argument comes as None.
    given: list[Value | None] = [dot.value for dot in dots]
    if isinstance(x, Null):
        return x
    if len(given) >= 2:
        if len(given) > 2 or not isinstance(x, Matrix):
            raise DataError("incorrect number of dimensions")
        alone = context.rows == 1 and (given[0] is None or dots[0].rowwise)
        return _cells(x, given[0], given[1], drop is MISSING or drop, alone=alone)
    if given and given[0] is not None:
        if isinstance(x, Matrix):
            raise DataError("one index of a matrix", hint="write m[, 1] for its first column")
        positions = _positions(given[0], length(x))
        missing = (positions < 0).any()
        if missing and not length(x):
            raise DataError(_OUTSIDE)
        x = take_or_missing(x, positions) if missing else select(x, positions)
    if isinstance(x, Factor) and drop is not MISSING and drop:
        # A new factor: contrasts go even when every level is used.
        return replace(drop_unused(x), contrasts=None)
    return x


@function({"$": "Not for vectors."}, role="elementwise", quoted=("name",))
def _member(x: Value, name: Any) -> Value:  # noqa: ARG001
    raise DataError("$ operator is invalid for atomic vectors")
