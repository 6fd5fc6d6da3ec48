"""Columns of X as dense arrays, whether X is sparse or not."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.frame.values import FloatArray

__all__ = ["column_of_X"]


def column_of_X(matrices: MixedDesign, number: int) -> FloatArray:
    """Return one column of X."""
    X: Any = matrices.X
    column = X[:, [number]]
    dense: FloatArray = np.asarray(column.toarray() if hasattr(column, "toarray") else column)
    return dense.ravel()
