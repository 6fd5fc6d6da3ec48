"""Elementary functions: logarithms, powers of e, trigonometry, sign and absolute value."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import NON_NUMERIC, elements, higher, reject_classes, shaped
from lme4py.frame.functions.mathematics.elementwise import (
    Array,
    Formula,
    class_kept,
    column_names,
    enter_formulas,
    mapped,
    mapped_pair,
)
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Null, Value


def _cosine_of_pi(x: Array) -> Array:
    x = np.fmod(np.abs(x), 2)
    exact = np.where(x == 1, -1.0, np.where(x == 0, 1.0, 0.0))
    return np.where(np.fmod(x, 0.5) == 0, exact, np.cos(np.pi * x))


def _sine_of_pi(x: Array) -> Array:
    x = np.fmod(x, 2)
    x = np.where(x <= -1, x + 2, np.where(x > 1, x - 2, x))
    exact = np.where(x == 0.5, 1.0, np.where(x == -0.5, -1.0, 0.0))
    return np.where(np.fmod(x, 0.5) == 0, np.where(np.isnan(x), np.nan, exact), np.sin(np.pi * x))


def _tangent_of_pi(x: Array) -> Array:
    x = np.fmod(x, 1)
    x = np.where(x <= -0.5, x + 1, np.where(x > 0.5, x - 1, x))
    result = np.tan(np.pi * x)
    for place, value in ((0.0, 0.0), (0.5, np.nan), (0.25, 1.0), (-0.25, -1.0)):
        result = np.where(x == place, value, result)
    return result


_ELEMENTARY: dict[str, tuple[Formula, str]] = {
    "log2": (np.log2, "Logarithm to base 2."),
    "log10": (np.log10, "Logarithm to base 10."),
    "log1p": (np.log1p, "log(1 + x), exact near 0."),
    "exp": (np.exp, "Exponential."),
    "expm1": (np.expm1, "exp(x) - 1, exact near 0."),
    "sqrt": (np.sqrt, "Square root."),
    "floor": (np.floor, "Rounded down."),
    "ceiling": (np.ceil, "Rounded up."),
    "sign": (np.sign, "Sign: -1, 0 or 1."),
    "sin": (np.sin, "Sine."),
    "cos": (np.cos, "Cosine."),
    "tan": (np.tan, "Tangent."),
    "asin": (np.arcsin, "Inverse sine."),
    "acos": (np.arccos, "Inverse cosine."),
    "atan": (np.arctan, "Inverse tangent."),
    "sinh": (np.sinh, "Hyperbolic sine."),
    "cosh": (np.cosh, "Hyperbolic cosine."),
    "tanh": (np.tanh, "Hyperbolic tangent."),
    "asinh": (np.arcsinh, "Inverse hyperbolic sine."),
    "acosh": (np.arccosh, "Inverse hyperbolic cosine."),
    "atanh": (np.arctanh, "Inverse hyperbolic tangent."),
    "sinpi": (_sine_of_pi, "sin(pi x)."),
    "cospi": (_cosine_of_pi, "cos(pi x)."),
    "tanpi": (_tangent_of_pi, "tan(pi x)."),
}


enter_formulas(_ELEMENTARY)


@function("abs", "x", role="elementwise", purpose="Absolute value.")
def _abs(x: Value) -> Value:
    time = class_kept("abs", x)
    if isinstance(x, Null):
        raise DataError(NON_NUMERIC)
    array, kind = elements(x, NON_NUMERIC)
    return shaped(np.abs(array), higher(kind, "integer"), column_names(x), time)


def _log(x: Array, base: Array) -> Array:
    return np.where(
        base == 10, np.log10(x), np.where(base == 2, np.log2(x), np.log(x) / np.log(base))
    )


@function("log", "x, base?", role="elementwise", purpose="Natural logarithm, or to a base.")
def _logarithm(x: Value, context: Context, base: Value | None = None) -> Value:
    reject_classes(x, "log")
    if base is None:
        return mapped(x, np.log, context)
    return mapped_pair(x, base, _log, context)


@function("atan2", "y, x", role="elementwise", purpose="Angle of the point (x, y).")
def _atan2(y: Value, x: Value, context: Context) -> Value:
    return mapped_pair(y, x, np.arctan2, context)
