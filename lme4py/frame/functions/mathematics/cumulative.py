"""Running totals, products and extremes."""

from __future__ import annotations

import numpy as np

from lme4py import moments
from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    NON_NUMERIC,
    flat,
    higher,
    pack,
    reject_classes,
)
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Character, Value


def _cumulative(name: str, x: Value, context: Context) -> Value:
    reject_classes(x, name)
    if isinstance(x, Character):
        raise DataError(f"'{name}' of text is not supported")
    array, kind = flat(x, NON_NUMERIC)
    kind = higher(kind, "integer")
    with np.errstate(all="ignore"):
        if name == "cumsum":
            result = np.asarray(moments.running_total(array).astype(np.float64))
            if kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
                context.warn("integer overflow in 'cumsum'; use 'cumsum(as.numeric(.))'")
                result = np.where(np.cumsum(beyond) > 0, np.nan, result)
        elif name == "cumprod":
            wide = np.multiply.accumulate(array.astype(np.longdouble))
            result, kind = wide.astype(np.float64), "double"
        elif name == "cummax":
            result = np.maximum.accumulate(array)
        else:
            result = np.minimum.accumulate(array)
    return pack(result, kind)


def _enter_cumulative() -> None:
    purposes = {
        "cumsum": "Running total.",
        "cumprod": "Running product.",
        "cummax": "Greatest so far.",
        "cummin": "Least so far.",
    }
    for name, purpose in purposes.items():

        def running(x: Value, context: Context, _name: str = name) -> Value:
            return _cumulative(_name, x, context)

        function(name, "x", role="whole", purpose=purpose)(running)


_enter_cumulative()
