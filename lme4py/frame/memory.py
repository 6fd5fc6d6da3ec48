"""Whose memory an array is: the user's, which may change at any time, or the design's own.

A column is read where it lies, so its array is a view of the user's memory. It is made
read-only, which goes over to every view of it, and so tells what has to be copied before
it is kept. Only arrays whose memory nobody can write to are spared the copy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import Character, Factor, MalformedFactor, Matrix, Numeric, Value

__all__ = ["borrowed", "held", "owned"]


class _Holder:
    """The owner of an array's memory, kept alive for as long as the array or a view of it."""

    def __init__(self, values: NDArray[Any], owner: object) -> None:
        self.__array_interface__ = {
            "version": 3,
            "shape": values.shape,
            "typestr": values.dtype.str,
            "data": (values.__array_interface__["data"][0], True),
            "strides": values.strides,
        }
        # The array keeps the memory, the owner whatever keeps others from writing to it.
        self.held = (values, owner)


def borrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array of the user's, read-only.

    Examples
    --------
    >>> borrowed(np.zeros(2)).flags.writeable
    False
    """
    view = values.view()
    view.flags.writeable = False
    return view


def held(values: NDArray[Any], owner: object) -> NDArray[Any]:
    """Return an array whose memory cannot change while `owner` is there, and keep it there.

    pandas since 3.0 copies a column before it writes to it if another series has the same
    memory: the series is the owner then. Of a temporary of another library the library is.

    Examples
    --------
    >>> values = held(np.zeros(2), "the owner")
    >>> owned(Numeric(values, "double")).values is values
    True
    """
    return np.asarray(_Holder(values, owner))


def owned(value: Value) -> Value:
    """Return a value to keep: on memory that the user cannot reach, read-only.

    Examples
    --------
    >>> column = np.zeros(2)
    >>> kept = owned(Numeric(borrowed(column), "double"))
    >>> column[:] = 1
    >>> kept.values.tolist()
    [0.0, 0.0]
    """
    match value:
        case Numeric() | Matrix() | MalformedFactor():
            return replace(value, values=_own(value.values))
        case Character() | Factor():
            return replace(value, codes=_own(value.codes))
        case _:
            return value


def _own(values: NDArray[Any]) -> NDArray[Any]:
    if values.flags.writeable:  # made here
        return held(values, None)
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    return values if isinstance(base, _Holder) else held(values.copy(order="K"), None)
