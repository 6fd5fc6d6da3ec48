"""Logic: ``&``, ``|``, ``!`` and their kin, in three values."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import align, elements, flat, pack, shaped
from lme4py.frame.functions.dispatch import Operation, enter_internal, operate
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Matrix, Null, Value

__all__: list[str] = []

_NOT_LOGICAL = "operations are possible only for numeric, logical or complex types"


def _column_names(*values: Value) -> tuple[str, ...] | None:
    """Return the column names of the result: of the first matrix that has some."""
    for value in values:
        if isinstance(value, Matrix) and value.names is not None:
            return value.names
    return None


def _truth(operation: Operation) -> Value:
    """Return ``first & second`` or ``first | second`` in three-valued logic."""
    first, second = operation.pair
    one, _ = elements(first, _NOT_LOGICAL)
    two, _ = elements(second, _NOT_LOGICAL)
    left, right = align(one, two, operation.context.warn)
    missing_left, missing_right = np.isnan(left), np.isnan(right)
    if operation.name == "&":
        result = (left != 0) & (right != 0)
        decided = (left == 0) | (right == 0)
    else:
        result = (left != 0) | (right != 0)
        decided = ((left != 0) & ~missing_left) | ((right != 0) & ~missing_right)
    missing = (missing_left | missing_right) & ~decided
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", _column_names(first, second))


def _negation(operation: Operation) -> Value:
    """Return ``!x``."""
    x = operation.first
    if isinstance(x, Null):
        raise DataError("invalid argument type")
    array, _ = elements(x, "invalid argument type")
    missing = np.isnan(array)
    result = array == 0
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", _column_names(x))


enter_internal(_truth, "&", "|")
enter_internal(_negation, "!")


def _one_truth(name: str, side: str, value: Value, context: Context) -> float:
    """Return one side of ``&&`` or ``||`` as 0, 1 or NaN."""
    complaint = f"invalid '{side}' type in 'x {name} y'"
    array, _ = flat(value, complaint)
    if not array.size:
        return np.nan
    if array.size > 1:
        context.warn(f"'length(x) = {array.size} > 1' in coercion to 'logical(1)'")
    return float(array[0]) if np.isnan(array[0]) else float(array[0] != 0)


@function("&", "e1, e2", role="elementwise", purpose="And; NA & FALSE is FALSE.")
def _and(e1: Value, e2: Value, context: Context) -> Value:
    return operate("&", e1, e2, context)


@function("|", "e1, e2", role="elementwise", purpose="Or; NA | TRUE is TRUE.")
def _or(e1: Value, e2: Value, context: Context) -> Value:
    return operate("|", e1, e2, context)


@function("&&", "e1, e2", role="summary", purpose="And of the first elements.")
def _and_first(e1: Value, e2: Value, context: Context) -> Value:
    one = _one_truth("&&", "x", e1, context)
    if one == 0:
        return pack(np.array([0.0]), "logical")
    two = _one_truth("&&", "y", e2, context)
    return pack(np.array([0.0 if two == 0 else one * two]), "logical")


@function("||", "e1, e2", role="summary", purpose="Or of the first elements.")
def _or_first(e1: Value, e2: Value, context: Context) -> Value:
    one = _one_truth("||", "x", e1, context)
    if one == 1:
        return pack(np.array([1.0]), "logical")
    two = _one_truth("||", "y", e2, context)
    return pack(np.array([1.0 if two == 1 else one + two]), "logical")


@function("xor", "x, y", role="elementwise", purpose="One of the two, not both.")
def _xor(x: Value, y: Value, context: Context) -> Value:
    either = operate("|", x, y, context)
    both = operate("&", x, y, context)
    return operate("&", either, operate("!", both, None, context), context)


@function("!", "x", role="elementwise", purpose="Not.")
def _not(x: Value, context: Context) -> Value:
    return operate("!", x, None, context)
