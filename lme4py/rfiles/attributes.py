"""R's values with their attributes: vectors become factors and matrices, lists data frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.errors import DataError
from lme4py.rfiles.encodings import NA_INTEGER
from lme4py.rfiles.rvalues import (
    Kind,
    RFactor,
    RFrame,
    RList,
    RMatrix,
    RSlots,
    RSparse,
    RVector,
    texts,
)

__all__ = ["dressed", "dressed_list", "formal", "whole_numbers"]

_MOST_ROWS = 2**21
"""Rows that a data frame without columns may claim."""


def whole_numbers(values: NDArray[np.int32], kind: Kind) -> RVector:
    """Return a vector of integers or logicals, R's NA among them."""
    absent = values == NA_INTEGER
    return RVector(
        values.astype(np.bool_) if kind == "logical" else values,
        kind,
        absent if absent.any() else None,
    )


def dressed(vector: RVector, attributes: Mapping[str, Any]) -> RVector | RMatrix | RFactor:
    """Return a vector with its attributes: a factor, a matrix, or a vector still."""
    if not attributes:
        return vector
    classes = texts(attributes.get("class"))
    if "factor" in classes:
        return _factor(vector, attributes, "ordered" in classes)
    if "dim" in attributes:
        return _matrix(vector, attributes)
    names = _names(attributes.get("names"))
    return RVector(vector.values, vector.kind, vector.missing, names, _others(attributes, "names"))


def _others(attributes: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in taken}


def dressed_list(items: tuple[Any, ...], attributes: Mapping[str, Any]) -> RList | RFrame:
    """Return a list, or the data frame it is."""
    names = _names(attributes.get("names"))
    others = _others(attributes, "names")
    if names is not None and len(names) != len(items):
        raise DataError("a list in it has more names than elements, or fewer")
    if "data.frame" not in texts(attributes.get("class")):
        return RList(items, names, others)
    row_names = _row_names(others.pop("row.names", None), _rows(items))
    return RFrame(dict(zip(names or (), items, strict=True)), row_names, others)


def formal(slots: dict[str, Any]) -> RSparse | RSlots:
    """Return an S4 object: a sparse matrix, or its slots."""
    kind = slots.get("class")
    name = str((*texts(kind), "")[0])
    if name != "dgCMatrix":
        package = texts(kind.attributes.get("package")) if isinstance(kind, RVector) else ()
        return RSlots(name, _others(slots, "class"), str((*package, "")[0]))
    rows, columns = (int(extent) for extent in slots["Dim"].values)
    values, indices, pointers = (slots[slot].values for slot in "xip")
    if pointers.size != columns + 1 or values.size != indices.size:
        raise DataError("the slots of a sparse matrix in it do not fit together")
    matrix = sparse.csc_array((values, indices, pointers), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return RSparse(matrix, *_dimnames(slots.get("Dimnames")))


def _factor(vector: RVector, attributes: Mapping[str, Any], ordered: bool) -> RFactor:
    codes = vector.values.astype(np.int64) - 1
    if vector.missing is not None:
        codes[vector.missing] = -1
    known = texts(attributes.get("levels"))
    if codes.size and not -1 <= codes.min() <= codes.max() < max(len(known), 1):
        raise DataError("a factor in it has codes without a level")
    if len(set(known)) < len(known):
        raise DataError("a factor in it has levels that repeat")
    return RFactor(codes.astype(np.int32), known, ordered, _others(attributes, "class", "levels"))


def _matrix(vector: RVector, attributes: Mapping[str, Any]) -> RMatrix:
    values = vector.as_float() if vector.missing is not None else vector.values
    extents = tuple(int(extent) for extent in attributes["dim"].values)
    return RMatrix(
        values.reshape(extents, order="F"),
        vector.kind,
        *_dimnames(attributes.get("dimnames")),
        _others(attributes, "dim", "dimnames"),
    )


def _rows(columns: tuple[Any, ...]) -> int | None:
    """Return the number of rows that all columns have, None without columns."""
    lengths = {
        len(column.values) if isinstance(column, RMatrix) else len(column) for column in columns
    }
    if len(lengths) > 1:
        raise DataError("the columns of a data frame in it differ in length")
    return next(iter(lengths), None)


def _row_names(value: Any, rows: int | None) -> tuple[str, ...]:
    """Return the row names; R has 1, 2, ... in short, as NA and -n."""
    if not isinstance(value, RVector):
        return ()
    short = value.missing is not None and len(value) == 2 and bool(value.missing[0])
    count = abs(int(value.values[1])) if short else len(value)
    if rows not in (None, count) or (short and rows is None and count > _MOST_ROWS):
        raise DataError("the columns of a data frame in it differ in length from its row names")
    return tuple(map(str, range(1, count + 1) if short else value.values))


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, RVector):
        return None
    return tuple("" if name is None else str(name) for name in value.values)


def _dimnames(value: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(value, RList) or len(value) != 2:
        return None, None
    return _names(value[0]), _names(value[1])
