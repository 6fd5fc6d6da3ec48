"""Values, types and states as JSON's plain data, and back without running anything.

Every number comes back to the last bit. What is read is checked: whatever does not
have the form that is written here is a `DataError`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.schema import ColumnType
from lme4py.frame.values import (
    UNITS,
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Time,
    Value,
)

__all__ = ["from_plain", "to_plain", "type_from_plain", "type_to_plain"]

Plain: TypeAlias = Any
"""None, bool, int, float, str, list and dict with str keys."""

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DTYPES = ("float64", "int64", "int32", "bool")
_KINDS = ("logical", "integer", "double")
# "difftime" was written before a difftime had a unit.
_TIMES = (None, "Date", "POSIXct", "difftime", *UNITS)
_TYPES = (*_KINDS, "character", "factor", "matrix")


def _number(value: float) -> Plain:
    if math.isfinite(value):
        return value
    return {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _array(values: NDArray[Any]) -> Plain:
    if values.dtype.name not in _DTYPES:
        raise DataError(f"an array of {values.dtype} cannot be saved")
    flat: list[Any] = values.ravel().tolist()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        flat = [item if math.isfinite(item) else str(_number(item)["float"]) for item in flat]
    return {"array": values.dtype.name, "shape": list(values.shape), "items": flat}


def to_plain(item: Any) -> Plain:
    """Return a value or a state as plain data.

    Raises
    ------
    DataError
        For anything but values, arrays, numbers, text, None, and sequences and
        mappings of these.

    Examples
    --------
    >>> to_plain({"mean": np.array([0.5])})
    {'map': {'mean': {'array': 'float64', 'shape': [1], 'items': [0.5]}}}
    """
    match item:
        case None | bool() | str():
            return item
        case int():
            return int(item)
        case float():
            return _number(float(item))
        case np.generic():
            return to_plain(item.item())
        case np.ndarray():
            return _array(item)
        case list():
            return {"list": [to_plain(part) for part in item]}
        case tuple():
            return [to_plain(part) for part in item]
        case Mapping() if all(isinstance(key, str) for key in item):
            return {"map": {key: to_plain(part) for key, part in item.items()}}
        case Numeric():
            parts = {"values": _array(item.values), "kind": item.kind, "time": item.time}
        case Matrix():
            parts = {"values": _array(item.values), "names": _texts(item.names), "kind": item.kind}
        case Character():
            parts = {"codes": _array(item.codes), "pool": list(item.pool)}
        case Factor():
            parts = {
                "codes": _array(item.codes),
                "levels": list(item.levels),
                "ordered": item.ordered,
                "contrasts": to_plain(item.contrasts),
            }
        case FunctionName():
            parts = {"name": item.name}
        case Null():
            parts = {}
        case _:
            raise DataError(
                f"a {type(item).__name__} cannot be saved",
                hint="a state is made of numbers, text, arrays, lists and dicts with text keys",
            )
    return {"value": type(item).__name__, **parts}


def _texts(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _require(condition: object, what: str) -> None:
    if not condition:
        raise DataError(f"not a saved spec: {what}")


def _read_array(plain: Mapping[str, Any]) -> NDArray[Any]:
    _require(plain["array"] in _DTYPES, "an array of an unknown type")
    shape, items = plain["shape"], plain["items"]
    _require(isinstance(shape, list) and isinstance(items, list), "an array without a shape")
    _require(
        len(shape) <= 2 and all(type(size) is int and size >= 0 for size in shape), "a wrong shape"
    )
    _require(math.prod(shape) == len(items), "an array of another size than its shape")
    if plain["array"] == "float64":
        numbers = [_WORDS[item] if isinstance(item, str) else float(item) for item in items]
        return np.array(numbers, dtype=np.float64).reshape(shape)
    wanted = bool if plain["array"] == "bool" else int
    _require(all(type(item) is wanted for item in items), "an array of mixed types")
    return np.array(items, dtype=plain["array"]).reshape(shape)


def _codes(plain: Any, size: int) -> NDArray[np.int32]:
    codes = _read_array(plain)
    _require(codes.dtype == np.int32 and codes.ndim == 1, "codes are whole numbers")
    _require(codes.min(initial=-1) >= -1 and codes.max(initial=-1) < size, "a code without level")
    return codes


def _strings(plain: Any, *, missing: bool = False) -> tuple[Any, ...]:
    _require(isinstance(plain, list), "a list of texts expected")
    _require(
        all(isinstance(item, str) or (missing and item is None) for item in plain),
        "a list of texts expected",
    )
    _require(len(set(plain)) == len(plain), "texts that repeat")
    return tuple(plain)


def _names(plain: Any, width: int) -> tuple[str, ...] | None:
    if plain is None:
        return None
    _require(isinstance(plain, list) and len(plain) == width, "names that fit no matrix")
    _require(all(isinstance(item, str) for item in plain), "names are texts")
    return tuple(plain)


def _choice(item: Any, choices: Sequence[Any], what: str) -> Any:
    _require(item is None or isinstance(item, str), f"unknown {what}")
    _require(item in choices, f"unknown {what}")
    return item


def _time(plain: Any) -> Time | None:
    found = _choice(plain, _TIMES, "class of times")
    return "secs" if found == "difftime" else found


def _contrasts(plain: Any, levels: int) -> str | Matrix | None:
    found = from_plain(plain)
    _require(found is None or isinstance(found, str | Matrix), "contrasts of an unknown form")
    if isinstance(found, Matrix):
        _require(found.values.shape[0] == levels, "a contrast matrix of another number of levels")
    return found  # type: ignore[no-any-return]


def _read_value(plain: Mapping[str, Any]) -> Value:
    match plain["value"]:
        case "Numeric":
            values = _read_array(plain["values"])
            kind = _choice(plain["kind"], _KINDS, "type")
            _require(values.ndim == 1 and values.dtype != np.int32, "a vector of an unknown form")
            return Numeric(values, kind, _time(plain["time"]))
        case "Matrix":
            values = _read_array(plain["values"])
            _require(
                values.ndim == 2 and values.dtype == np.float64, "a matrix of numbers expected"
            )
            names = _names(plain["names"], values.shape[1])
            kind = _choice(plain["kind"], _KINDS, "type")
            return Matrix(np.asfortranarray(values), names, kind)
        case "Character":
            pool = _strings(plain["pool"])
            return Character(_codes(plain["codes"], len(pool)), pool)
        case "Factor":
            levels = _strings(plain["levels"], missing=True)
            return Factor(
                _codes(plain["codes"], len(levels)),
                levels,
                bool(plain["ordered"]),
                _contrasts(plain["contrasts"], len(levels)),
            )
        case "FunctionName":
            return FunctionName(str(plain["name"]))
        case "Null":
            return Null()
        case _:
            raise DataError("not a saved spec: a value of an unknown type")


def from_plain(plain: Plain) -> Any:
    """Return what `to_plain` made plain.

    Raises
    ------
    DataError
        If the data have another form. (Data that lack a part raise KeyError or
        TypeError, which `Spec.from_json` turns into a DataError.)
    """
    match plain:
        case None | bool() | int() | float() | str():
            return plain
        case list():
            return tuple(from_plain(part) for part in plain)
        case {"float": word}:
            return _WORDS[word]
        case {"array": _}:
            return _read_array(plain)
        case {"list": list(parts)}:
            return [from_plain(part) for part in parts]
        case {"map": dict(parts)}:
            return {key: from_plain(part) for key, part in parts.items()}
        case {"value": _}:
            return _read_value(plain)
        case _:
            raise DataError("not a saved spec: an entry of an unknown form")


def type_to_plain(column: ColumnType) -> Plain:
    """Return the type of a column as plain data."""
    return {
        "kind": column.kind,
        "time": column.time,
        "levels": list(column.levels),
        "ordered": column.ordered,
        "contrasts": to_plain(column.contrasts),
        "width": column.width,
        "names": _texts(column.names),
        "cells": column.cells,
    }


def type_from_plain(plain: Plain) -> ColumnType:
    """Return the type of a column from plain data."""
    _require(isinstance(plain, dict), "a type expected")
    levels = _strings(plain["levels"], missing=True)
    width = plain["width"]
    _require(type(width) is int and width >= 0, "a number of columns expected")
    return ColumnType(
        _choice(plain["kind"], _TYPES, "type"),
        _time(plain["time"]),
        levels,
        bool(plain["ordered"]),
        _contrasts(plain["contrasts"], len(levels)),
        width,
        _names(plain["names"], width),
        _choice(plain["cells"], _KINDS, "type"),
    )
