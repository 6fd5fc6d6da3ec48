"""Indexing: ``x[i]``, ``m[, j]``, ``m[i, j]``."""

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
    Value,
    length,
    take_or_missing,
)
from lme4py.errors import DataError, nearest
from lme4py.functions.coercion import (
    as_vector,
    bare_numbers,
    level_texts,
    pack,
    recycle,
    select,
    strings_of,
)
from lme4py.functions.table import MISSING, Context, Dot, function

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
    array, kind = bare_numbers(as_vector(index), "invalid subscript type 'closure'")
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
