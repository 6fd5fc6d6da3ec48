"""Centring and scaling: R's scale, which keeps centre and divisor for new rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import as_flag, flat
from lme4py.frame.functions.table import State, function, replays
from lme4py.frame.values import FloatArray, Matrix, Numeric, Value
from lme4py.moments import mean, running_total, total

_NOT_NUMERIC = "'x' must be numeric"


def _columns(x: Value) -> tuple[FloatArray, tuple[str, ...] | None]:
    """Return a vector or matrix as a matrix of doubles, with its names."""
    if isinstance(x, Numeric):
        return x.as_float().reshape(-1, 1), None
    if isinstance(x, Matrix):
        return x.values, x.names
    raise DataError(_NOT_NUMERIC)


def _column_mean(values: FloatArray) -> float:
    """Return R's ``colMeans(na.rm = TRUE)``: unlike ``mean`` it is not corrected."""
    kept = values[~np.isnan(values)]
    if not kept.size:
        return math.nan
    if np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        return mean(kept)
    return float(running_total(kept)[-1] / kept.size)


def _spread(values: FloatArray) -> float:
    kept = values[~np.isnan(values)]
    return math.sqrt(total(kept * kept) / max(1, kept.size - 1))


def _chosen(option: Value | None, name: str, count: int) -> FloatArray | bool:
    """Return an option of scale that is TRUE, FALSE or one number per column."""
    if option is None:
        return True
    if isinstance(option, Numeric) and option.kind == "logical":
        return as_flag(option, name)
    numbers, _ = flat(option, f"invalid '{name}' argument")
    if numbers.size != count:
        raise DataError(f"length of '{name}' must equal the number of columns of 'x'")
    return numbers


@function(
    "scale",
    "x, center = TRUE, scale = TRUE",
    role="basis",
    purpose="centre and divide by the standard deviation",
)
def scale(
    x: Value, center: Value | None = None, scale: Value | None = None
) -> tuple[Matrix, State]:
    """Return R's ``scale`` and the centre and scale used (None where there is none)."""
    values, names = _columns(x)
    count = values.shape[1]
    with np.errstate(all="ignore"):
        middle = _chosen(center, "center", count)
        if middle is True:
            middle = np.array([_column_mean(column) for column in values.T])
        if middle is not False:
            values = values - middle
        divisor = _chosen(scale, "scale", count)
        if divisor is True:
            divisor = np.array([_spread(column) for column in values.T])
        if divisor is not False:
            values = values / divisor
    state = {
        "center": None if middle is False else middle,
        "scale": None if divisor is False else divisor,
    }
    return Matrix(np.asfortranarray(values), names), state


@replays("scale")
def scale_again(state: State, x: Value, **options: Any) -> Matrix:
    """Return new rows on the stored centre and scale."""
    del options
    values, names = _columns(x)
    with np.errstate(all="ignore"):
        for option, step in (("center", np.subtract), ("scale", np.divide)):
            if state[option] is None:
                continue
            numbers = np.asarray(state[option], dtype=np.float64)
            if numbers.size != values.shape[1]:
                raise DataError(f"length of '{option}' must equal the number of columns of 'x'")
            values = step(values, numbers)
    return Matrix(np.asfortranarray(values), names)
