"""The parts of a record, each handed out only if it is what it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.export.record import Record, damaged
from lme4py.frame.values import FloatArray

__all__ = ["Reader", "entry", "kind_of", "numbers", "texts"]


class Reader:
    """The parts of a record, each handed out only if it is what it should be."""

    def __init__(self, record: Record) -> None:
        self._arrays = record.arrays

    def has(self, name: str) -> bool:
        """Tell whether there is an array of this name."""
        return name in self._arrays

    def array(self, name: str, kinds: str, *shape: int | None) -> NDArray[Any]:
        """Return an array of these dtype kinds and this shape; None stands for any length."""
        if name not in self._arrays:
            raise damaged(f"there is no array {name!r}")
        array = self._arrays[name]
        fits = array.ndim == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=False)
        )
        if array.dtype.kind not in kinds or not fits:
            raise damaged(f"array {name!r} is {array.dtype} of shape {array.shape}")
        return array

    def dimensions(self, name: str) -> int:
        """Return how many dimensions an array has."""
        return self._arrays[name].ndim

    def floats(self, name: str, *shape: int | None) -> FloatArray:
        """Return an array of doubles."""
        return self.array(name, "f", *shape).astype(np.float64, copy=False)

    def codes(self, name: str, rows: int, levels: int) -> NDArray[np.int32]:
        """Return codes into so many levels, -1 for none."""
        codes = self.array(name, "i", rows)
        if codes.size and not (int(codes.min()) >= -1 and int(codes.max()) < levels):
            raise damaged(f"codes in {name!r} point outside of {levels} levels")
        return codes.astype(np.int32, copy=False)


def entry(data: Any, key: str, *kinds: type) -> Any:
    """Return an entry of parsed JSON that has one of these types."""
    if not isinstance(data, dict) or key not in data:
        raise damaged(f"{key!r} is missing")
    value = data[key]
    # A bool is an int to Python.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise damaged(f"{key!r} is {type(value).__name__}")
    return value


def texts(data: Any, key: str, *, missing: bool = False) -> list[Any]:
    """Return an entry that is a list of texts, or of texts and nulls."""
    values: list[Any] = entry(data, key, list)
    if not all(isinstance(value, str) or (missing and value is None) for value in values):
        raise damaged(f"{key!r} holds something other than text")
    return values


def numbers(data: Any, key: str, *kinds: type) -> dict[str, Any]:
    """Return an entry that is an object of numbers."""
    values: dict[str, Any] = entry(data, key, dict)
    return {name: entry(values, name, *kinds) for name in values}


def kind_of(value: Any) -> Any:
    """Return R's type of numbers."""
    kind = entry(value, "kind", str)
    if kind not in ("logical", "integer", "double"):
        raise damaged(f"{kind!r} is no kind of number")
    return kind
