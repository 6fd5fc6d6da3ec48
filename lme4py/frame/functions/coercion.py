"""R's coercions: values as numbers, text, truth or one option, and results packed as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame import values
from lme4py.frame.factors import distinct, value_labels
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
    take,
)

__all__ = [
    "LADDER",
    "LARGEST_INTEGER",
    "NON_NUMERIC",
    "align",
    "as_flag",
    "as_integer",
    "as_number",
    "as_string",
    "elements",
    "flat",
    "higher",
    "logical",
    "pack",
    "recode",
    "recycle",
    "reject_classes",
    "scalar",
    "select",
    "shaped",
    "string",
    "text",
    "union_codes",
]

FloatArray: TypeAlias = NDArray[np.float64]
IndexArray: TypeAlias = NDArray[np.intp]
Time: TypeAlias = values.Time | None

LADDER: tuple[Kind, ...] = ("logical", "integer", "double")
LARGEST_INTEGER = 2**31 - 1
NON_NUMERIC = "non-numeric argument to mathematical function"

_UNEVEN = "longer object length is not a multiple of shorter object length"


def higher(*kinds: Kind) -> Kind:
    """Return the highest of R's types: logical, then integer, then double."""
    return LADDER[max((LADDER.index(kind) for kind in kinds), default=0)]


def pack(values: NDArray[Any], kind: Kind, time: Time = None) -> Numeric:
    """Return a vector in the form `Numeric` promises: exact dtype unless a value is missing."""
    if kind == "logical" and values.dtype != np.bool_ and not np.isnan(values).any():
        values = values != 0
    elif (kind == "integer" and values.dtype.kind == "f" and not np.isnan(values).any()) or (
        kind == "integer" and values.dtype.kind == "b"
    ):
        values = values.astype(np.int64)
    elif kind == "double" and values.dtype != np.float64:
        values = values.astype(np.float64)
    return Numeric(values, kind, time)


def shaped(
    values: NDArray[Any], kind: Kind, names: tuple[str, ...] | None = None, time: Time = None
) -> Numeric | Matrix:
    """Return a matrix if `values` has two dimensions, else a vector."""
    if values.ndim == 2:
        return Matrix(np.asfortranarray(values, dtype=np.float64), names, kind)
    return pack(values, kind, time)


def logical(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Numeric:
    """Return a logical vector with NA where `missing`."""
    if missing is not None and missing.any():
        values = np.where(missing, np.nan, values)
    return pack(values, "logical")


def scalar(value: float | bool, kind: Kind, time: Time = None) -> Numeric:
    """Return a vector of length one."""
    return pack(np.array([value], dtype=np.float64), kind, time)


def string(value: str | None) -> Character:
    """Return a character vector of length one; None is NA."""
    if value is None:
        return Character(np.array([-1], dtype=np.int32), ())
    return Character(np.zeros(1, dtype=np.int32), (value,))


def select(value: Value, rows: NDArray[Any] | slice) -> Value:
    """Return the elements that `rows` selects, in exact dtype where none is missing any more."""
    taken = take(value, rows)
    if isinstance(taken, Numeric):
        return pack(taken.values, taken.kind, taken.time)
    return taken


def elements(value: Value, complaint: str) -> tuple[NDArray[Any], Kind]:
    """Return the numbers of a vector or matrix as float64, and R's type.

    Raises
    ------
    DataError
        With the text `complaint`, if the value is not numeric.
    """
    if isinstance(value, Numeric):
        return value.as_float(), value.kind
    if isinstance(value, Matrix):
        return value.values, value.kind
    if isinstance(value, Null):
        return np.empty(0), "logical"
    raise DataError(complaint)


def flat(value: Value, complaint: str) -> tuple[FloatArray, Kind]:
    """Return the numbers as one vector, the columns of a matrix one below the other."""
    array, kind = elements(value, complaint)
    return array.reshape(-1, order="F"), kind


def recycle(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return `values` repeated or cut to length `size`; an empty vector stays empty."""
    if values.shape[0] == size:
        return values
    if values.shape[0] == 0:
        return values
    return np.tile(values, -(-size // values.shape[0]))[:size]


def align(
    first: NDArray[Any], second: NDArray[Any], warn: Callable[[str], None]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two arrays that numpy may combine as R combines vectors and matrices.

    Raises
    ------
    DataError
        For matrices of different shapes, or a vector longer than the matrix.
    """
    if first.ndim == 2 and second.ndim == 2:
        if first.shape != second.shape:
            raise DataError("non-conformable arrays")
        return first, second
    if first.size == 0 or second.size == 0:
        # A matrix without rows stays one: new data may have none.
        shapes = [
            values.shape for values in (first, second) if values.ndim == 2 and not values.size
        ]
        empty = np.empty(shapes[0] if shapes else 0)
        return empty, empty
    if first.size != second.size and max(first.size, second.size) % min(first.size, second.size):
        warn(_UNEVEN)
    if first.ndim == 2:
        return first, _below(second, first.shape)
    if second.ndim == 2:
        return _below(first, second.shape), second
    if 1 in (first.size, second.size) or first.size == second.size:
        return first, second
    size = max(first.size, second.size)
    return recycle(first, size), recycle(second, size)


def _below(vector: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a vector spread down the columns of a matrix of `shape`."""
    size = shape[0] * shape[1]
    if vector.size > size:
        raise DataError(f"dims [product {size}] do not match the length of object [{vector.size}]")
    return recycle(vector, size).reshape(shape, order="F")


def recode(codes: NDArray[Any], strings: Sequence[str | None]) -> Character:
    """Return a character vector from codes into strings that may repeat or be missing (None)."""
    pool: dict[str, int] = {}
    table = np.fromiter(
        (-1 if item is None else pool.setdefault(item, len(pool)) for item in strings),
        dtype=np.int32,
        count=len(strings),
    )
    table = np.append(table, np.int32(-1))  # a code of -1 picks this one
    return Character(table[codes].astype(np.int32, copy=False), tuple(pool))


def text(value: Value) -> Character:
    """Return R's ``as.character`` of a value; a matrix is read down its columns.

    Notes
    -----
    Numbers are written by `lme4py.numerals`, each distinct number once.
    """
    match value:
        case Character():
            return value
        case Factor():
            return recode(value.codes, value.levels)
        case MalformedFactor():
            raise DataError("malformed factor")
        case Null():
            return Character(np.empty(0, dtype=np.int32), ())
        case FunctionName():
            raise DataError("cannot coerce type 'closure' to vector of type 'character'")
        case Numeric() | Matrix():
            vector = Numeric(
                value.values.reshape(-1, order="F"),
                value.kind,
                value.time if isinstance(value, Numeric) else None,
            )
            found, codes = distinct(vector.values)
            return recode(codes, value_labels(vector, found))


def union_codes(
    first: Character, second: Character
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[str, ...]]:
    """Return both codes in one pool of distinct strings."""
    if first.pool == second.pool:
        return first.codes, second.codes, first.pool
    place = {item: index for index, item in enumerate(first.pool)}
    table = np.array([place.setdefault(item, len(place)) for item in second.pool] + [-1])
    return first.codes, table[second.codes].astype(np.int32), tuple(place)


def reject_classes(value: Value, name: str) -> None:
    """Raise R's error of the group of mathematical functions for factors and times."""
    if isinstance(value, Factor | MalformedFactor):
        raise DataError(f"‘{name}’ not meaningful for factors")
    if isinstance(value, Numeric):
        if value.time == "Date":
            raise DataError(f'{name} not defined for "Date" objects')
        if value.time is not None:
            shown = "POSIXt" if value.time == "POSIXct" else "difftime"
            raise DataError(f"'{name}' not defined for \"{shown}\" objects")


def as_number(value: Value, name: str) -> float:
    """Return the first element of an option as a float; missing is NaN."""
    array, _ = flat(value, f"invalid '{name}' argument")
    if not array.size:
        raise DataError(f"invalid '{name}' argument")
    return float(array[0])


def as_integer(value: Value, name: str) -> int:
    """Return the first element of an option as a whole number."""
    number = as_number(value, name)
    if not np.isfinite(number) or abs(number) > LARGEST_INTEGER:
        raise DataError(f"invalid '{name}' argument")
    return int(number)


def as_flag(value: Value, name: str) -> bool:
    """Return an option that is TRUE or FALSE."""
    number = as_number(value, name)
    if np.isnan(number):
        raise DataError(f"invalid '{name}' argument")
    return number != 0


def as_string(value: Value, name: str) -> str:
    """Return an option that is one string."""
    if not isinstance(value, Character) or value.codes.size == 0 or value.codes[0] < 0:
        raise DataError(f"invalid '{name}' argument")
    return value.pool[int(value.codes[0])]
