"""The value itself, or what is left of it without its class."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import pack
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
)

__all__: list[str] = []


@function("identity", "x", role="elementwise", purpose="The value itself.")
def _identity(x: Value) -> Value:
    return x


@function(
    "unlist",
    "x, recursive=TRUE, use.names=TRUE",
    role="elementwise",
    purpose="The value itself: there are no lists here.",
)
def _unlist(x: Value, recursive: Value | None = None, use_names: Value | None = None) -> Value:  # noqa: ARG001
    return x


@function("unclass", "x", role="elementwise", purpose="A factor's codes, the number of a date.")
def _unclass(x: Value) -> Value:
    match x:
        case Factor(codes=codes):
            return pack(np.where(codes < 0, np.nan, codes + 1.0), "integer")
        case Numeric(values=values, kind=kind) | MalformedFactor(values=values, kind=kind):
            return Numeric(values, kind)
        case _:
            return x


@function("as.matrix", "x, ...", role="elementwise", purpose="A vector as a matrix of one column.")
def _as_matrix(x: Value, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    match x:
        case Matrix():
            return x
        case Numeric(time=None):
            return Matrix(x.as_float()[:, None], None, x.kind)
        case Character() | Factor():
            raise DataError("a matrix of text cannot be used in a model")
        case Null():
            raise DataError("'data' must be of a vector type, was 'NULL'")
        case FunctionName() | Numeric() | MalformedFactor():
            raise DataError("as.matrix() is for numbers")


@function("drop", "x", role="elementwise", purpose="A matrix of one column as a vector.")
def _drop(x: Value) -> Value:
    # A matrix of one row stays one: on a single new row it is still the model's matrix.
    if isinstance(x, Matrix) and x.values.shape[1] == 1:
        return Numeric(x.values[:, 0], x.kind)
    return x
