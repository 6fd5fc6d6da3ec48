"""Indexing: ``x[i]``, ``m[, j]``, ``m[i, j]``, ``x[[i]]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, nearest
from lme4py.frame.factors import drop_unused
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
from lme4py.functions.coercion import as_vector, bare_numbers, pack, recycle, select, untimed
from lme4py.functions.table import MISSING, Dot, function

Positions = NDArray[np.int64]


def _by_name(index: Character, names: Sequence[str] | None) -> Positions:
    place = {name: at for at, name in reversed(list(enumerate(names or ())))}
    wanted = [index.pool[int(code)] if code >= 0 else None for code in index.codes]
    for name in wanted:
        if name is None or name not in place:
            hint = nearest(name, place) if name else None
            raise DataError("subscript out of bounds", hint=hint)
    return np.array([place[name] for name in wanted if name is not None], dtype=np.int64)


def _positions(
    index: Value | None, size: int, names: Sequence[str] | None, bounded: bool
) -> Positions:
    """Return 0-based positions of what an index selects; -1 is a missing element."""
    if index is None:
        return np.arange(size)
    if isinstance(index, Null):
        return np.empty(0, dtype=np.int64)
    if isinstance(index, Character):
        # A vector has no names, so none is found.
        return _by_name(index, names) if bounded else np.full(index.codes.size, -1, dtype=np.int64)
    array, kind = bare_numbers(index, "invalid subscript type 'closure'")
    array = array.reshape(-1, order="F")
    if kind == "logical":
        if bounded and array.size > size:
            raise DataError("(subscript) logical subscript too long")
        full = recycle(array, max(size, array.size)) if array.size else array
        chosen = np.flatnonzero((full != 0) | np.isnan(full))
        lost = np.isnan(full[chosen]) | (chosen >= size)
        return np.where(lost, -1, chosen).astype(np.int64)
    missing = np.isnan(array)
    whole = np.trunc(np.where(missing, 1, array))
    if (whole < 0).any():
        if (whole > 0).any() or missing.any():
            raise DataError(
                "can't mix NAs with negative subscripts"
                if missing.any()
                else "only 0's may be mixed with negative subscripts"
            )
        keep = np.ones(size, dtype=np.bool_)
        dropped = -whole[(whole < 0) & (-whole <= size)]
        keep[dropped.astype(np.int64) - 1] = False
        return np.flatnonzero(keep)
    kept = whole != 0
    whole, missing = whole[kept], missing[kept]
    beyond = whole > size
    if bounded and beyond.any():
        raise DataError("subscript out of bounds")
    return np.where(missing | beyond, 0, whole).astype(np.int64) - 1


def _picked(value: Value, positions: Positions) -> Value:
    """Return the elements at the positions, NA at -1."""
    if not (positions < 0).any():
        return select(value, positions)
    match value:
        case Numeric():
            return pack(np.append(value.as_float(), np.nan)[positions], value.kind, value.time)
        case Character() | Factor():
            return replace(value, codes=np.append(value.codes, np.int32(-1))[positions])
        case _:
            raise DataError("subscript out of bounds")


def _cells(value: Matrix, row: Value | None, column: Value | None, drop: bool) -> Value:
    rows = _positions(row, value.values.shape[0], None, bounded=True)
    columns = _positions(column, value.values.shape[1], value.names, bounded=True)
    padded: NDArray[Any] = value.values
    if (rows < 0).any():
        padded = np.vstack((padded, np.full((1, padded.shape[1]), np.nan)))
    if (columns < 0).any():
        raise DataError("subscript out of bounds")
    block = padded[:, columns] if row is None else padded[np.ix_(rows, columns)]
    if drop and 1 in block.shape:
        return pack(block.reshape(-1, order="F"), value.kind)
    names = None if value.names is None else tuple(value.names[at] for at in columns)
    return Matrix(np.asfortranarray(block), names, value.kind)


@function({"[": "Elements, or cells of a matrix."}, role="shape")
def _index(x: Value, dots: tuple[Dot, ...] = (), drop: bool = MISSING) -> Value:
    if isinstance(x, FunctionName):
        raise DataError("object of type 'closure' is not subsettable")
    if isinstance(x, MalformedFactor):
        raise DataError('adding class "factor" to an invalid object')
    # An empty argument comes as None.
    given: list[Value | None] = [dot.value for dot in dots]
    if isinstance(x, Null):
        return x
    if len(given) >= 2:
        if len(given) > 2 or not isinstance(x, Matrix):
            raise DataError("incorrect number of dimensions")
        return _cells(x, given[0], given[1], drop is MISSING or drop)
    index = given[0] if given else None
    if index is not None:
        if isinstance(x, Matrix) and isinstance(index, Matrix):
            raise DataError("a matrix as index of a matrix is not supported")
        x = as_vector(x)
        x = _picked(x, _positions(index, length(x), None, bounded=False))
    if isinstance(x, Factor) and drop is not MISSING and drop:
        # A new factor: contrasts go even when every level is used.
        return replace(drop_unused(x), contrasts=None)
    return x


@function({"[[": "One element."}, role="summary")
def _element(x: Value, dots: tuple[Dot, ...] = ()) -> Value:
    if isinstance(x, Null):
        return x
    given: list[Value | None] = [dot.value for dot in dots]
    if len(given) == 2 and isinstance(x, Matrix):
        result = _cells(x, given[0], given[1], drop=True)
    elif len(given) == 1 and given[0] is not None and not isinstance(x, FunctionName):
        x = as_vector(x)
        result = _picked(x, _positions(given[0], length(x), None, bounded=True))
    else:
        raise DataError("invalid subscript")
    if length(result) > 1:
        raise DataError("attempt to select more than one element in vectorIndex")
    if length(result) < 1:
        raise DataError("attempt to select less than one element in get1index")
    if isinstance(result, Numeric) and is_difftime(result.time):
        return untimed(result)
    return result


@function({"$": "Not for vectors."}, role="elementwise", quoted=("name",))
def _member(x: Value, name: Any) -> Value:  # noqa: ARG001
    if isinstance(x, FunctionName):
        raise DataError("object of type 'closure' is not subsettable")
    raise DataError("$ operator is invalid for atomic vectors")
