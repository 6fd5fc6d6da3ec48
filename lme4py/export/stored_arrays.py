"""The parts of a stored design, each handed out only if it is what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.codec import Codec
from lme4py.export.npz_archive import damaged
from lme4py.frame.values import FloatArray
from lme4py.spec.saved import VALUES

__all__ = ["StoredArrays", "entry", "numbers", "texts"]


class StoredArrays:
    """The arrays of a file, each handed out only if it is what it should be."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def has(self, name: str) -> bool:
        """Tell whether there is an array of this name."""
        return name in self._arrays

    def any(self, name: Any) -> NDArray[Any]:
        """Return an array, whatever it is."""
        if not isinstance(name, str) or name not in self._arrays:
            raise damaged(f"there is no array {name!r}")
        return self._arrays[name]

    def array(self, name: str, kinds: str, *shape: int | None) -> NDArray[Any]:
        """Return an array of these dtype kinds and this shape; None stands for any length."""
        array = self.any(name)
        fits = array.ndim == len(shape) and all(
            wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=False)
        )
        if array.dtype.kind not in kinds or not fits:
            raise damaged(f"array {name!r} is {array.dtype} of shape {array.shape}")
        return array

    def floats(self, name: str, *shape: int | None) -> FloatArray:
        """Return an array of doubles."""
        return self.array(name, "f", *shape).astype(np.float64, copy=False)

    def codes(self, name: str, rows: int, levels: int) -> NDArray[np.int32]:
        """Return codes into so many levels, -1 for none."""
        codes = self.array(name, "i", rows)
        if codes.size and not (int(codes.min()) >= -1 and int(codes.max()) < levels):
            raise damaged(f"codes in {name!r} point outside of {levels} levels")
        return codes.astype(np.int32, copy=False)

    def value(self, plain: Any) -> Any:
        """Return a value, whose arrays stand here."""
        return Codec("a stored design", VALUES, get=self.any).from_plain(plain)

    def sparse(self, name: str, shape: tuple[int, int]) -> Any:
        """Return a matrix in compressed columns whose indices are all inside of it."""
        from scipy.sparse import csc_array

        values = self.floats(f"{name}_data", None)
        indices = self.array(f"{name}_indices", "i", values.size)
        pointers = self.array(f"{name}_indptr", "i", shape[1] + 1)
        sound = (
            self.array(f"{name}_shape", "i", 2).tolist() == list(shape)
            and pointers[0] == 0
            and pointers[-1] == values.size
            and bool((np.diff(pointers) >= 0).all())
            and (not values.size or (indices.min() >= 0 and indices.max() < shape[0]))
        )
        if not sound:
            raise damaged(f"the indices of {name} do not fit its shape")
        return csc_array((values, indices, pointers), shape=shape)


def entry(data: Any, key: str, *kinds: type) -> Any:
    """Return an entry of parsed JSON that has one of these types."""
    if not isinstance(data, dict) or key not in data:
        raise damaged(f"{key!r} is missing")
    value = data[key]
    # A bool is an int to Python.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise damaged(f"{key!r} is {type(value).__name__}")
    return value


def texts(data: Any, key: str) -> list[str]:
    """Return an entry that is a list of texts."""
    values: list[Any] = entry(data, key, list)
    if not all(isinstance(value, str) for value in values):
        raise damaged(f"{key!r} holds something other than text")
    return values


def numbers(data: Any, key: str, *kinds: type) -> dict[str, Any]:
    """Return an entry that is an object of numbers."""
    values: dict[str, Any] = entry(data, key, dict)
    return {name: entry(values, name, *kinds) for name in values}
