"""Columns on memory that the user cannot write to: what a design keeps does not change."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Value


class _Holder:
    """An array and the owner of its memory, there for as long as a view of them."""

    def __init__(self, values: NDArray[Any], owner: object) -> None:
        interface = values.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], True)}
        # The array keeps the memory, the owner whatever keeps others from writing to it.
        self.held = (values, owner)


def kept(values: NDArray[Any], source: object, *, ours: bool = False) -> NDArray[Any]:
    """Return an array that was read from a source as one to keep, read-only.

    An array that was made here stays; what may be the source's memory is copied. Arrow and
    polars tell the two apart: an array that they made has memory that may be written to. Of
    pandas since 3.0 a shallow copy of the series does: pandas copies a column before it
    writes to it if another series has the same memory. It is there already where the series
    is `ours`, which a frame makes for whoever asks for a column.

    Examples
    --------
    >>> column = np.zeros(2)
    >>> found = kept(column, column)
    >>> column[:] = 1
    >>> found.tolist(), found.flags.writeable
    ([0.0, 0.0], False)
    """
    lends = type(source).__module__.partition(".")[0] in ("polars", "pyarrow")
    pandas = sys.modules.get("pandas")
    if (values.flags.owndata or (lends and values.flags.writeable)) and values is not source:
        found = values
    elif (
        pandas is not None
        and isinstance(source, pandas.Series)
        and int(pandas.__version__.partition(".")[0]) >= 3
        and values.dtype != object
    ):
        return np.asarray(_Holder(values, source if ours else source.copy(deep=False)))
    else:
        found = values.copy(order="K")
    found.flags.writeable = False
    return found


def read_only(value: Value) -> Value:
    """Return a value after its array has been made read-only."""
    array = getattr(value, "values", getattr(value, "codes", None))
    if array is not None:
        array.flags.writeable = False
    return value
