"""Lengths that arguments ask for, held to a bound."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import flat
from lme4py.frame.values import Value

Array: TypeAlias = NDArray[Any]
LONGEST = 2**21


def counts_of(value: Value, name: str) -> Array:
    """Return the whole numbers of an argument that counts; R's error for others."""
    array, _ = flat(value, f"invalid '{name}' argument")
    if not array.size or not (array >= 0).all():
        raise DataError(f"invalid '{name}' argument")
    bounded(float(array.max()))
    return np.trunc(array).astype(np.int64)


def bounded(size: float) -> None:
    """Raise an error if a vector of that size would be too long."""
    if not size < LONGEST:
        raise DataError("result would be too long a vector")
