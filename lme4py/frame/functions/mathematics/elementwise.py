"""A numpy formula on R's values: what R's own groups of functions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    NON_NUMERIC,
    Time,
    align,
    elements,
    reject_classes,
    shaped,
)
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Matrix, Null, Numeric, Value, is_difftime

Array: TypeAlias = NDArray[Any]
Formula: TypeAlias = Callable[..., Array]
_NAN = "NaNs produced"


def column_names(*values: Value) -> tuple[str, ...] | None:
    """Return the names of the first matrix that has them."""
    for value in values:
        if isinstance(value, Matrix) and value.names is not None:
            return value.names
    return None


def mapped(x: Value, formula: Formula, context: Context, complaint: str = NON_NUMERIC) -> Value:
    """Return ``formula(x)`` as doubles, warning when a number gave none."""
    if isinstance(x, Null):
        raise DataError(complaint)
    array, _ = elements(x, complaint)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(array))
    warn_nan(result, (array,), context)
    return shaped(result, "double", column_names(x))


def warn_nan(result: Array, inputs: tuple[Array, ...], context: Context) -> None:
    """Give R's warning if a result is NaN where no argument was."""
    if (lost := np.isnan(result)).any():
        known = np.zeros(1, dtype=np.bool_)
        for array in inputs:
            known = known | np.isnan(array)
        if (lost & ~known).any():
            context.warn(_NAN)


def scipy_special(name: str) -> Formula:
    """Return scipy's function of that name, imported when it is first called."""

    def formula(*arrays: Array) -> Array:
        from scipy import special

        result: Array = getattr(special, name)(*arrays)
        return result

    return formula


# These groups keep the class of a difference of times.
_KEEP_DIFFTIME = frozenset(("floor", "ceiling", "sign", "abs", "trunc", "round", "signif"))
_KEEP_DATE = frozenset(("trunc", "round"))


def class_kept(name: str, x: Value) -> Time:
    """Return the class of times that the function keeps; raise R's error where it has none."""
    time = x.time if isinstance(x, Numeric) else None
    if is_difftime(time) and name in _KEEP_DIFFTIME:
        return time
    if time == "Date" and name in _KEEP_DATE:
        return time
    reject_classes(x, name)
    return None


def mapped_pair(
    x: Value, y: Value, formula: Formula, context: Context, complaint: str = NON_NUMERIC
) -> Value:
    """Return ``formula(x, y)`` as doubles, recycled as R does."""
    if isinstance(x, Null) or isinstance(y, Null):
        raise DataError(complaint)
    left, right = align(elements(x, complaint)[0], elements(y, complaint)[0], silent)
    with np.errstate(all="ignore"):
        result = np.asarray(formula(left, right))
    warn_nan(result, (left, right), context)
    return shaped(result, "double", column_names(x, y))


def silent(_: str) -> None:
    """Take a warning that R does not give for functions."""


def enter_formulas(formulas: Mapping[str, tuple[Formula, str]]) -> None:
    """Enter functions of one number: R's name to the formula and its purpose."""
    for name, (formula, purpose) in formulas.items():

        def compute(
            x: Value, context: Context, _name: str = name, _formula: Formula = formula
        ) -> Value:
            time = class_kept(_name, x)
            result = mapped(x, _formula, context)
            if time is not None and isinstance(result, Numeric):
                return Numeric(result.values, result.kind, time)
            return result

        function(name, "x", role="elementwise", purpose=purpose)(compute)
