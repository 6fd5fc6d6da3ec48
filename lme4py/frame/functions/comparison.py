"""Comparisons: by R's own rules, and those of factors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.arithmetic import bare_numbers
from lme4py.frame.functions.coercion import align, logical, shaped, text, union_codes
from lme4py.frame.functions.dispatch import Operation, enter_internal, method, operate
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
)

__all__ = ["compare"]

Array: TypeAlias = NDArray[Any]

_EQUALITY = ("==", "!=")
_ORDER = ("<", ">", "<=", ">=")


def _relation(name: str, first: Array, second: Array) -> Array:
    """Return the bare truth values of a comparison."""
    match name:
        case "==":
            return np.asarray(first == second)
        case "!=":
            return np.asarray(first != second)
        case "<":
            return np.asarray(first < second)
        case ">":
            return np.asarray(first > second)
        case "<=":
            return np.asarray(first <= second)
        case _:
            return np.asarray(first >= second)


def _compare_texts(operation: Operation, first: Character, second: Character) -> Value:
    """Compare the operands as texts; in the shape of a matrix where one is a matrix."""
    name, context = operation.name, operation.context
    one, two, pool = union_codes(first, second)
    if name not in _EQUALITY:
        order = {item: rank for rank, item in enumerate(context.collation.sort(pool))}
        ranks = np.array([order[item] for item in pool] + [-1], dtype=np.int32)
        one, two = ranks[one], ranks[two]
    operands = operation.pair
    left, right = align(_shape_of(one, operands[0]), _shape_of(two, operands[1]), context.warn)
    return _truth(operation, _relation(name, left, right), (left < 0) | (right < 0))


def _shape_of(codes: Array, value: Value) -> Array:
    return codes.reshape(value.values.shape, order="F") if isinstance(value, Matrix) else codes


def _truth(operation: Operation, result: Array, missing: NDArray[np.bool_]) -> Value:
    """Return truth values in the shape of the operands, with the names of a matrix's columns."""
    names = [value.names for value in operation.operands if isinstance(value, Matrix)]
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", next((item for item in names if item is not None), None))


def _comparison(operation: Operation) -> Value:
    """Return R's own comparison, NA where either side is missing."""
    name, (first, second) = operation.name, operation.pair
    for value in (first, second):
        if isinstance(value, FunctionName):
            raise DataError(f"comparison ({name}) is possible only for atomic and list types")
    if isinstance(first, Null) or isinstance(second, Null):
        return logical(np.empty(0))
    factors = [isinstance(value, Factor | MalformedFactor) for value in (first, second)]
    if all(factors) and length(first) and length(second):
        raise DataError("comparison of these types is not implemented")
    if isinstance(first, Character) or isinstance(second, Character):
        return _compare_texts(operation, text(_untimed(first)), text(_untimed(second)))
    one, kind_one = bare_numbers(first, "")
    two, kind_two = bare_numbers(second, "")
    if any(factors) and kind_one == kind_two == "integer":
        # R 4.2 reads the codes as if they were doubles: what it gives is no rule.
        raise DataError("integers of another class cannot be compared with a factor")
    left, right = align(one, two, operation.context.warn)
    return _truth(operation, _relation(name, left, right), np.isnan(left) | np.isnan(right))


def _untimed(value: Value) -> Value:
    """Return the bare numbers of a column of times."""
    if isinstance(value, Numeric) and value.time is not None:
        return Numeric(value.values, value.kind)
    return value


# Factors ----------------------------------------------------------------------------------


def _well_formed(value: Value) -> Value:
    """Return a malformed factor as R reads its levels: a code without a level is missing."""
    if not isinstance(value, MalformedFactor):
        return value
    codes = np.trunc(np.where(np.isnan(value.values), 0.0, value.values)) - 1
    if (~np.isnan(value.values) & (codes < 0)).any():
        raise DataError("malformed factor")
    codes = np.where(codes < len(value.levels), codes, -1).astype(np.int32)
    return Factor(codes, value.levels, value.ordered)


def _level_text(value: Value) -> Character:
    """Return a value as text; an NA level of a factor equals itself."""
    if not isinstance(value, Factor):
        return text(_untimed(value))
    return text(Factor(value.codes, tuple("  NA " if x is None else x for x in value.levels)))


@method("Ops.factor")
def _operate_on_factors(operation: Operation) -> Value:
    """Return what R gives for factors: whether levels are equal, else NA with a warning."""
    if operation.name not in _EQUALITY or operation.second is None:
        operation.context.warn(f"‘{operation.name}’ not meaningful for factors")
        return operation.missing()
    first, second = _well_formed(operation.first), _well_formed(operation.second)
    # R asks for equal level sets only when the first factor has not just one element.
    both = isinstance(first, Factor) and isinstance(second, Factor)
    if both and (length(first) != 1 or None in second.levels):  # type: ignore[union-attr]
        one, two = first.levels, second.levels  # type: ignore[union-attr]
        if set(one) != set(two) or len(one) != len(two):
            raise DataError("level sets of factors are different")
    _warn_again(operation)
    return _compare_texts(operation, _level_text(first), _level_text(second))


def _warn_again(operation: Operation) -> None:
    """Give R's warning of lengths that do not fit, which its methods for factors give twice."""
    if any(isinstance(operand, Matrix) for operand in operation.operands):
        return
    sizes = [length(operand) for operand in operation.operands]
    align(np.zeros(sizes[0]), np.zeros(sizes[1]), operation.context.warn)


@method("Ops.ordered")
def _operate_on_ordered(operation: Operation) -> Value:
    """Return the comparison of ordered factors by the order of their levels."""
    name, context = operation.name, operation.context
    if operation.second is None or name not in (*_EQUALITY, *_ORDER):
        context.warn(f"'{name}' is not meaningful for ordered factors")
        return operation.missing()
    if name in _EQUALITY:
        return _operate_on_factors(operation)
    first, second = operation.first, operation.second
    levels = [
        value.levels for value in (first, second) if isinstance(value, Factor | MalformedFactor)
    ]
    if len(levels) == 2 and levels[0] != levels[1]:
        raise DataError("level sets of factors are different")
    _warn_again(operation)
    left, right = align(_ranks(first, levels[0]), _ranks(second, levels[0]), context.warn)
    return logical(_relation(name, left, right), np.isnan(left) | np.isnan(right))


def _ranks(value: Value, levels: tuple[str | None, ...]) -> Array:
    """Return the codes of an ordered factor, or the places of other values in its levels."""
    if isinstance(value, Factor | MalformedFactor):
        return np.trunc(bare_numbers(value, "")[0])
    place = {level: rank for rank, level in enumerate(levels, start=1)}
    words = text(_untimed(value))
    table = np.array([float(place.get(item, np.nan)) for item in words.pool] + [np.nan])
    return table[words.codes]


def compare(name: str, first: Value, second: Value, context: Context) -> Value:
    """Return ``first name second`` for a comparison, NA where either side is missing.

    Parameters
    ----------
    name : {"==", "!=", "<", ">", "<=", ">="}
    first, second : Value
        A number beside text is written as text; text is ordered by the collation.
    context : Context

    Raises
    ------
    DataError
        For factors with different levels, matrices of different shapes, functions.
    """
    return operate(name, first, second, context)


def _enter_comparisons() -> None:
    purposes = {
        "==": "Equal.",
        "!=": "Not equal.",
        "<": "Less.",
        ">": "Greater.",
        "<=": "Less or equal.",
        ">=": "Greater or equal.",
    }
    for name, purpose in purposes.items():

        def comparison(e1: Value, e2: Value, context: Context, _name: str = name) -> Value:
            return compare(_name, e1, e2, context)

        function(name, "e1, e2", role="elementwise", purpose=purpose)(comparison)
    enter_internal(_comparison, *purposes)


_enter_comparisons()
