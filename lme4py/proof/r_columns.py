"""The numbers and the missing values of columns of R's data frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.rfiles.rvalues import RFactor, RMatrix, RVector

__all__ = ["floats_of", "has_missing"]


def floats_of(value: Any) -> NDArray[np.float64]:
    """Return the numbers of a vector, or of the first column of a matrix."""
    if isinstance(value, RVector):
        return value.as_float()
    found: NDArray[np.float64] = value.values.reshape(len(value.values), -1)[:, 0]
    return found.astype(np.float64)


def has_missing(column: Any) -> bool:
    """Tell whether a column has missing values."""
    match column:
        case RVector(kind="character"):
            return any(text is None for text in column.values)
        case RVector():
            return bool(np.isnan(column.as_float()).any()) if column.kind != "complex" else False
        case RFactor():
            return bool((column.codes < 0).any())
        case RMatrix():
            return bool(np.isnan(column.values.astype(np.float64)).any())
        case _:
            return False
