"""Choosing elements: which are true, new, in a set, or known in every column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.arithmetic import within
from lme4py.frame.functions.coercion import as_flag, logical, pack
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value

__all__: list[str] = []


@function(
    "which", "x, arr.ind=FALSE, useNames=TRUE", role="whole", purpose="Places of what is true."
)
def _which(x: Value, arr_ind: Value | None = None, usenames: Value | None = None) -> Value:  # noqa: ARG001
    if not isinstance(x, Numeric | Matrix) or x.kind != "logical":
        raise DataError("argument to 'which' is not logical")
    if isinstance(x, Matrix) and arr_ind is not None and as_flag(arr_ind, "arr.ind"):
        raise DataError("which(arr.ind = TRUE) is not supported")
    numbers: NDArray[Any] = x.values.reshape(-1, order="F")
    return pack(np.flatnonzero(numbers == 1) + 1, "integer")


@function(
    "duplicated",
    "x, incomparables=FALSE, fromLast=FALSE, ...",
    role="whole",
    purpose="Whether an element was there before.",
)
def _duplicated(
    x: Value,
    incomparables: Value | None = None,
    fromlast: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if incomparables is not None and (
        not isinstance(incomparables, Numeric) or as_flag(incomparables, "incomparables")
    ):
        raise DataError("duplicated(incomparables = ) is not supported")
    match x:
        case Numeric():
            keys: NDArray[Any] = x.values
        case Character() | Factor():
            keys = x.codes
        case Null():
            return pack(np.empty(0), "logical")
        case _:
            raise DataError("duplicated() is for vectors")
    backwards = fromlast is not None and as_flag(fromlast, "fromLast")
    if backwards:
        keys = keys[::-1]
    repeated = np.ones(keys.size, dtype=np.bool_)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return pack(repeated[::-1] if backwards else repeated, "logical")


@function(
    "complete.cases",
    "...",
    role="elementwise",
    package="stats",
    purpose="Whether nothing is missing in a row.",
)
def _complete_cases(dots: tuple[Dot, ...] = ()) -> Value:
    complete: NDArray[np.bool_] | None = None
    for dot in dots:
        match dot.value:
            case Matrix(values=values):
                known = np.asarray(~np.isnan(values).any(axis=1))
            case Numeric():
                known = ~np.isnan(dot.value.as_float())
            case Character(codes=codes) | Factor(codes=codes):
                known = codes >= 0
            case Null():
                continue
            case FunctionName():
                raise DataError("invalid 'type' (closure) of argument")
        if complete is not None and complete.size != known.size:
            raise DataError("not all arguments have the same length")
        complete = known if complete is None else complete & known
    if complete is None:
        raise DataError("no input has determined the number of cases")
    return logical(complete)


@function(
    "is.element",
    "el, table",
    role="elementwise",
    purpose="Whether each element is in a set.",
    tables=("table",),
)
def _is_element(el: Value, table: Value) -> Value:
    return pack(within(el, table), "logical")
