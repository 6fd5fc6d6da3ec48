"""Columns of R's data frames: those that pandas cannot hold, and their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import Factor, Matrix
from lme4py.rfiles.rvalues import RFactor, RMatrix, RVector

__all__ = ["coding_of", "floats_of", "has_missing", "own_value"]


def own_value(column: Any) -> Factor | Matrix | None:
    """Return a column that pandas cannot hold as our own value, None for all others."""
    if isinstance(column, RMatrix):
        return Matrix(
            np.asfortranarray(column.values.astype(np.float64)),
            column.column_names,
            column.kind if column.kind in ("logical", "integer", "double") else "double",
        )
    if not isinstance(column, RFactor):
        return None
    contrasts = column.attributes.get("contrasts")
    if contrasts is None and None not in column.levels:
        return None
    return Factor(column.codes, column.levels, column.ordered, coding_of(contrasts))


def coding_of(value: Any) -> str | Matrix | None:
    """Return contrasts as our own value, None for a function."""
    match value:
        case RVector(kind="character") if len(value) == 1:
            return str(value.values[0])
        case RMatrix():
            return Matrix(
                np.asfortranarray(value.values.astype(np.float64)), value.column_names, "double"
            )
        case _:
            return None


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
