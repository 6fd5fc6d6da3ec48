"""R's coercions: values as numbers, text and truth, as formulas and our functions ask for them.

Results are packed as values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data import values
from lme4py.data.collation import Collation
from lme4py.data.factors import distinct, value_labels
from lme4py.data.values import (
    UNITS,
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
    take,
)
from lme4py.errors import DataError
from lme4py.functions.table import Context, function
from lme4py.numerals import LARGEST_INTEGER, number

Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
Time: TypeAlias = values.Time | None

P = ParamSpec("P")

LADDER: tuple[Kind, ...] = ("logical", "integer", "double")
NON_NUMERIC = "non-numeric argument to mathematical function"

_LONGEST = 2**21


# Results as values ------------------------------------------------------------------------


def higher(*kinds: Kind) -> Kind:
    """Return the highest of R's types: logical, then integer, then double."""
    return LADDER[max((LADDER.index(kind) for kind in kinds), default=0)]


def pack(values: Array, kind: Kind, time: Time = None) -> Numeric:
    """Return a vector in the form `Numeric` promises: exact dtype unless a value is missing."""
    if kind == "logical" and values.dtype != np.bool_ and not np.isnan(values).any():
        values = values != 0
    elif kind == "integer" and values.dtype.kind in "fb" and not np.isnan(values).any():
        values = values.astype(np.int64)
    elif kind == "double" and values.dtype != np.float64:
        values = values.astype(np.float64)
    return Numeric(values, kind, time)


def logical(values: Array, missing: NDArray[np.bool_] | None = None) -> Numeric:
    """Return truth values with NA where `missing`."""
    if missing is not None and missing.any():
        values = np.where(missing, np.nan, values)
    return pack(values, "logical")


def scalar(value: float | bool, kind: Kind, time: Time = None) -> Numeric:
    """Return a vector of length one."""
    return pack(np.array([value], dtype=np.float64), kind, time)


def select(value: Value, rows: Array | slice) -> Value:
    """Return the elements that `rows` selects, in exact dtype where none is missing any more."""
    taken = take(value, rows)
    return pack(taken.values, taken.kind, taken.time) if isinstance(taken, Numeric) else taken


def bounded(size: float) -> None:
    """Raise an error if a vector of that size would be too long."""
    if not size < _LONGEST:
        raise DataError("result would be too long a vector")


# Values as numbers ------------------------------------------------------------------------


def time_of(value: Value | None) -> Time:
    """Return the class of times of a value, or None."""
    return value.time if isinstance(value, Numeric) else None


def untimed(value: Value) -> Value:
    """Return the numbers of a time without their class, other values as they are."""
    if isinstance(value, Numeric) and value.time is not None:
        return Numeric(value.values, value.kind)
    return value


def as_vector(value: Any) -> Any:
    """Return a matrix as the vector of its columns, other values as they are."""
    if isinstance(value, Matrix):
        return pack(value.values.reshape(-1, order="F"), value.kind)
    return value


def elements(value: Value, complaint: str) -> tuple[FloatArray, Kind]:
    """Return the numbers of a vector, or of a matrix column by column, and R's type of them."""
    if isinstance(value, Numeric):
        return value.as_float(), value.kind
    if isinstance(value, Matrix):
        return value.values.reshape(-1, order="F"), value.kind
    if isinstance(value, Null):
        return np.empty(0), "logical"
    raise DataError(complaint)


def numbers(value: Value, complaint: str) -> tuple[Array, Kind]:
    """Return `elements` of what is not NULL."""
    if isinstance(value, Null):
        raise DataError(complaint)
    return elements(value, complaint)


def bare_numbers(value: Value, complaint: str) -> tuple[Array, Kind]:
    """Return the numbers below a value's class, those of a factor its codes from 1."""
    if isinstance(value, Factor):
        return np.where(value.codes < 0, np.nan, value.codes + 1.0), "integer"
    return elements(value, complaint)


def as_columns(value: Value, complaint: str) -> FloatArray:
    """Return the columns of a matrix, or a vector as one, shape (n, k)."""
    return value.values if isinstance(value, Matrix) else numbers(value, complaint)[0][:, None]


def reject_classes(value: Value, name: str) -> None:
    """Raise R's error of the group of mathematical functions for factors and times."""
    if isinstance(value, Factor):
        raise DataError(f"‘{name}’ not meaningful for factors")
    time = time_of(value)
    if time == "Date":
        raise DataError(f'{name} not defined for "Date" objects')
    if time is not None:
        shown = "POSIXt" if values.time_class(time) == "POSIXct" else "difftime"
        raise DataError(f"'{name}' not defined for \"{shown}\" objects")


# Recycling --------------------------------------------------------------------------------


def recycle(values: Array, size: int) -> Array:
    """Return `values` repeated or cut to length `size`; an empty vector stays empty."""
    if values.shape[0] in (size, 0):
        return values
    return np.tile(values, -(-size // values.shape[0]))[:size]


def align(first: Array, second: Array, warn: Callable[[str], None]) -> tuple[Array, Array]:
    """Return two vectors that numpy may combine as R combines them."""
    sizes = (first.size, second.size)
    if 0 in sizes:
        return np.empty(0), np.empty(0)
    if 1 in sizes or first.size == second.size:
        return first, second
    if max(sizes) % min(sizes):
        warn("longer object length is not a multiple of shorter object length")
    return recycle(first, max(sizes)), recycle(second, max(sizes))


def by_elements(compute: Callable[P, Value]) -> Callable[P, Value]:
    """Let a function that computes element by element take matrices, whose shape the result has."""

    @wraps(compute)
    def shaped(*given: P.args, **named: P.kwargs) -> Value:
        matrices = [item for item in (*given, *named.values()) if isinstance(item, Matrix)]
        if not matrices:
            return compute(*given, **named)
        shapes = {matrix.values.shape for matrix in matrices}
        if len(shapes) > 1:
            raise DataError("non-conformable arrays")
        vectors: Any = {name: as_vector(item) for name, item in named.items()}
        made = compute(*map(as_vector, given), **vectors)
        count, size = length(made), matrices[0].values.size
        if not isinstance(made, Numeric) or (count != size and 1 in (size, count + 1)):
            return made
        if count != size:
            raise DataError(f"dims [product {size}] do not match the length of object [{count}]")
        names = next((item.names for item in matrices if item.names is not None), None)
        return Matrix(made.as_float().reshape(*shapes, order="F"), names, made.kind)

    return shaped


# Values as text ---------------------------------------------------------------------------


def encoded(codes: Array, strings: Sequence[str | None]) -> Character:
    """Return a character vector from codes into strings that may repeat or be missing (None)."""
    pool = [item for item in strings if item is not None]
    if len(set(pool)) < len(strings):
        pool = list(dict.fromkeys(pool))
        place: dict[str | None, int] = {item: code for code, item in enumerate(pool)}
        table = np.array([*(place.get(item, -1) for item in strings), -1])
        codes = table[codes]  # a code of -1 picks the last one
    return Character(codes.astype(np.int32, copy=False), tuple(pool))


def text(value: Value, *, together: bool = False) -> Character:
    """Return R's ``as.character`` of a value; a matrix is read down its columns.

    Date-times are written `together`, as ``format`` does: midnights are left out only if there
    is nothing else.
    """
    match value:
        case Character():
            return value
        case Factor():
            return encoded(value.codes, value.levels)
        case Null():
            return encoded(np.empty(0, dtype=np.int32), [])
        case FunctionName():
            raise DataError("cannot coerce type 'closure' to vector of type 'character'")
        case Numeric() | Matrix():
            vector = Numeric(value.values.reshape(-1, order="F"), value.kind, time_of(value))
            found, codes = distinct(vector.values)
            return encoded(codes, value_labels(vector, found, together=together))


def strings_of(value: Value) -> list[str | None]:
    """Return the elements of an argument as text; None is NA."""
    characters = text(value)
    return [None if code < 0 else characters.pool[code] for code in characters.codes.tolist()]


def level_texts(levels: Sequence[str | None]) -> list[str]:
    """Return levels as text, as R's ``paste`` does."""
    return ["NA" if level is None else level for level in levels]


def union_codes(
    first: Character, second: Character
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[str, ...]]:
    """Return both codes in one pool of distinct strings."""
    if first.pool == second.pool:
        return first.codes, second.codes, first.pool
    place = {item: index for index, item in enumerate(first.pool)}
    table = np.array([place.setdefault(item, len(place)) for item in second.pool] + [-1])
    return first.codes, table[second.codes].astype(np.int32), tuple(place)


def ranks(pool: Sequence[str], collation: Collation) -> FloatArray:
    """Return the rank of each string, with NaN for NA behind them."""
    table = np.full(len(pool) + 1, np.nan)
    table[collation.order(pool)] = np.arange(len(pool))
    return table


def sort_keys(value: Value, collation: Collation, complaint: str) -> FloatArray:
    """Return floats that sort as R sorts the value, NaN where missing."""
    if isinstance(value, Character):
        return ranks(value.pool, collation)[value.codes]
    return bare_numbers(value, complaint)[0]


# Differences of times -------------------------------------------------------------------------


def unit_called(name: str) -> str:
    """Return the unit called `name`."""
    if name not in UNITS:
        raise DataError("invalid units specified", hint=f"units are {', '.join(UNITS)}")
    return name


def in_unit(value: Numeric, unit: str) -> Numeric:
    """Return a difftime in another unit; text that is no unit is an error."""
    if value.time == unit:
        return value
    if value.time not in UNITS:
        raise DataError("only differences of times have units")
    wanted = unit_called(unit)
    return Numeric(value.as_float() * (UNITS[value.time] / UNITS[wanted]), "double", wanted)


# R's own conversions --------------------------------------------------------------------------

_TRUE = frozenset(("T", "True", "TRUE", "true"))
_FALSE = frozenset(("F", "False", "FALSE", "false"))


def as_numbers(x: Value, context: Context) -> FloatArray:
    """Return R's ``as.numeric``: missing, with a warning, where text is no number."""
    if not isinstance(x, Character):
        return bare_numbers(x, "cannot coerce type 'closure' to vector of type 'double'")[0]
    numbers = [number(item) for item in x.pool]
    table = np.array([np.nan if item is None else item for item in numbers] + [np.nan])
    # Blank text is missing without a word.
    strange = [
        item is None and bool(word.strip()) for item, word in zip(numbers, x.pool, strict=True)
    ]
    if any(strange) and np.array([*strange, False])[x.codes].any():
        context.warn("NAs introduced by coercion")
    return table[x.codes]


@function(
    {
        "as.numeric": "Numbers; of a factor, its codes from 1.",
        "as.double": "The same as as.numeric.",
    },
    role="elementwise",
)
def _as_double(x: Value, context: Context, units: str = "auto") -> Value:
    if units != "auto" and isinstance(x, Numeric) and is_difftime(x.time):
        x = in_unit(x, units)
    return Numeric(as_numbers(x, context), "double")


@function("as.integer", role="elementwise")
def _as_integer(x: Value, context: Context) -> Value:
    """Return whole numbers, rounded to zero."""
    values = np.trunc(as_numbers(x, context))
    beyond = np.abs(values) > LARGEST_INTEGER
    if beyond.any():
        context.warn("NAs introduced by coercion to integer range")
        values = np.where(beyond, np.nan, values)
    return pack(values, "integer")


@function("as.logical", role="elementwise")
def _as_logical(x: Value) -> Value:
    """Return truth: zero is FALSE."""
    if isinstance(x, Factor | Character):
        words = text(x)
        table = [1.0 if item in _TRUE else 0.0 if item in _FALSE else np.nan for item in words.pool]
        return pack(np.array([*table, np.nan])[words.codes], "logical")
    values, _ = elements(x, "cannot coerce type 'closure' to vector of type 'logical'")
    return logical(values != 0, np.isnan(values))


@function("as.character", role="elementwise")
def _as_character(x: Value) -> Value:
    """Return text, numbers to 15 digits."""
    return text(x)


@function("as.vector", role="elementwise")
def _as_vector(x: Value) -> Value:
    """Return a bare vector: a matrix down its columns, a factor as text."""
    return text(x) if isinstance(x, Factor) else untimed(as_vector(x))


@function("unclass", role="elementwise")
def _unclass(x: Value) -> Value:
    """Return a factor's codes, the number of a date."""
    return pack(*bare_numbers(x, "")) if isinstance(x, Factor) else untimed(x)


def _kind(x: Value) -> str | None:
    return x.kind if isinstance(x, Numeric | Matrix) else None


_QUESTIONS: Mapping[str, tuple[Callable[[Value], bool], str]] = {
    "is.numeric": (
        lambda x: untimed(x) is x and _kind(x) in ("integer", "double"),
        "Whether numbers, not truth or times.",
    ),
    "is.double": (lambda x: _kind(x) == "double", "Whether of type double."),
    "is.integer": (lambda x: _kind(x) == "integer", "Whether of type integer."),
    "is.logical": (lambda x: _kind(x) == "logical", "Whether of type logical."),
    "is.character": (lambda x: isinstance(x, Character), "Whether text."),
    "is.factor": (lambda x: isinstance(x, Factor), "Whether a factor."),
    "is.ordered": (lambda x: isinstance(x, Factor) and x.ordered, "Whether an ordered factor."),
    "is.matrix": (lambda x: isinstance(x, Matrix), "Whether a matrix."),
    "is.null": (lambda x: isinstance(x, Null), "Whether NULL."),
}


@function(
    {name: purpose for name, (_, purpose) in _QUESTIONS.items()}, role="summary", rows="extremes"
)
def _question(x: Value, called: str) -> Value:
    return scalar(_QUESTIONS[called][0](x), "logical")
