"""The response as the numbers that fitting code takes."""

from __future__ import annotations

import numpy as np

from lme4py.family import Family
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import Factor, FloatArray, Matrix, Numeric

__all__ = ["response"]


def response(frame: ModelFrame, family: Family | None) -> FloatArray | None:
    """Return the response, shape (n,) or (n, k); None for text, which has no numbers."""
    value = None if frame.response is None else frame.variables[frame.response]
    match value:
        case Numeric():
            return value.as_float()
        case Matrix(values=values):
            return values
        case Factor(codes=codes) if family is not None:
            return np.where(codes < 0, np.nan, codes > 0)
        case Factor(codes=codes):
            return np.where(codes < 0, np.nan, codes + 1.0)
        case _:
            return None
