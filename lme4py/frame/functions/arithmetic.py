"""Operators of arithmetic, and ``%in%``, ``:`` and parentheses, with R's rules for types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.factors import interaction_of
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    align,
    elements,
    flat,
    higher,
    pack,
    shaped,
    text,
    union_codes,
)
from lme4py.frame.functions.dispatch import Operation, classes, enter_internal, operate
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import (
    Character,
    Factor,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
)

__all__ = ["bare_numbers", "divide_floor", "power", "remainder", "within"]

Array: TypeAlias = NDArray[Any]

_NON_NUMERIC = "non-numeric argument to binary operator"
_NOT_UNARY = "invalid argument to unary operator"
_OVERFLOW = "NAs produced by integer overflow"
_LONGEST_RANGE = 2**21
_MOST_LEVELS = 2**20
# Beyond this a quotient has no fractional digits even in R's long double.
_EXACT = float(2**63)


def power(base: Array, exponent: Array) -> Array:
    """Return R's ``base ^ exponent`` of float arrays.

    Unlike C's ``pow``, a zero base has no sign, and a negative base has no value at
    an infinite exponent.

    Examples
    --------
    >>> power(np.array([2.0, -8.0, -0.0]), np.array([3.0, 1 / 3, -1.0]))
    array([ 8., nan, inf])
    """
    with np.errstate(all="ignore"):
        if exponent.size == 1 and exponent.reshape(-1)[0] == 2.0:
            return np.asarray(base * base)
        result = np.asarray(np.power(np.where(base == 0, 0.0, base), exponent))
        wild = (base < 0) & (
            np.isinf(exponent) | (np.isinf(base) & (np.floor(exponent) != exponent))
        )
        return np.where(wild, np.nan, result) if wild.any() else result


def remainder(first: Array, second: Array, warn: Callable[[str], None] | None = None) -> Array:
    """Return R's ``first %% second`` of float arrays: the sign is the divisor's."""
    with np.errstate(all="ignore"):
        quotient = first / second
        if warn is not None and (np.isfinite(quotient) & (np.abs(quotient) > _EXACT)).any():
            warn("probable complete loss of accuracy in modulus")
        wide = second.astype(np.longdouble)
        rest = first - np.floor(quotient) * wide
        again = rest / second
        result = (rest - np.floor(again) * wide).astype(np.float64)
        # An infinite divisor, or one so large that the quotient has no digits left.
        huge = (np.abs(second) > _EXACT) & np.isfinite(first) & (np.abs(first) <= np.abs(second))
        if huge.any():
            opposite = (first < 0) & (second > 0) | (first > 0) & (second < 0)
            small = np.where(opposite, first + second, first)
            small = np.where(np.abs(first) == np.abs(second), 0.0, small)
            result = np.where(huge, small, result)
        return np.where(second == 0, np.nan, result)


def divide_floor(first: Array, second: Array) -> Array:
    """Return R's ``first %/% second`` of float arrays: rounded down."""
    with np.errstate(all="ignore"):
        quotient = first / second
        whole = np.floor(quotient)
        rest = first - whole * second.astype(np.longdouble)
        result = (whole + np.floor(rest / second)).astype(np.float64)
        plain = (second == 0) | (np.abs(quotient) > _EXACT) | ~np.isfinite(quotient)
        result = np.where(plain, quotient, result)
        below = ~plain & (np.abs(quotient) < 1)
        opposite = (first < 0) & (second > 0) | (first > 0) & (second < 0)
        sunk = np.where((quotient < 0) | opposite, -1.0, 0.0)
        return np.where(below, sunk, result)


def _compute(name: str, first: Array, second: Array, whole: bool, context: Context) -> Array:
    """Return the bare numbers of an arithmetic operator; `whole` says both are integers."""
    with np.errstate(all="ignore"):
        match name:
            case "+":
                result = first + second
            case "-":
                result = first - second
            case "*":
                result = first * second
            case "/":
                return np.asarray(first / second)
            case "^":
                return power(first, second)
            case "%%" if whole:
                return np.where(second == 0, np.nan, np.mod(first, second))
            case "%%":
                return remainder(first, second, context.warn)
            case _ if whole:
                return np.where(second == 0, np.nan, np.floor(first / second))
            case _:
                return divide_floor(first, second)
    result = np.asarray(result)
    if whole:
        beyond = np.abs(result) > LARGEST_INTEGER
        if beyond.any():
            context.warn(_OVERFLOW)
            result = np.where(beyond, np.nan, result)
    return result


def bare_numbers(value: Value, complaint: str) -> tuple[Array, Kind]:
    """Return the numbers below a value's class, those of a factor its codes from 1.

    Raises
    ------
    DataError
        With the text `complaint`, if the value has no numbers.
    """
    if isinstance(value, Factor):
        return np.where(value.codes < 0, np.nan, value.codes + 1.0), "integer"
    if isinstance(value, MalformedFactor):
        return value.values, value.kind
    return elements(value, complaint)


def _column_names(*values: Value) -> tuple[str, ...] | None:
    """Return the column names of the result: of the first matrix that has some."""
    for value in values:
        if isinstance(value, Matrix) and value.names is not None:
            return value.names
    return None


def _with_class(values: Array, kind: Kind, source: Value) -> Value:
    """Return numbers with the class of another value, as R copies attributes."""
    if isinstance(source, Numeric):
        return pack(values, kind, source.time)
    if not isinstance(source, Factor | MalformedFactor):
        return pack(values, kind)
    missing = np.isnan(values)
    if kind == "integer" and (missing | (values >= 1) & (values <= len(source.levels))).all():
        codes = np.where(missing, 0, values).astype(np.int32) - np.int32(1)
        return Factor(codes, source.levels, source.ordered)
    return MalformedFactor(values.astype(np.float64), kind, source.levels, source.ordered)


def _arithmetic(operation: Operation) -> Value:
    """Return R's own arithmetic; the class of an operand as long as the result stays."""
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        return _signed(name, first)
    one, kind_one = bare_numbers(first, _NON_NUMERIC)
    two, kind_two = bare_numbers(second, _NON_NUMERIC)
    sizes = (one.size, two.size)
    one, two = align(one, two, operation.context.warn)
    kind = higher(kind_one, kind_two, "integer")
    result = _compute(name, one, two, kind == "integer", operation.context)
    if name in ("/", "^"):
        kind = "double"
    # R drops the class of nothing where it had to make doubles of it.
    keeps = result.ndim == 1 and (result.size > 0 or kind == "integer")
    for source, size in zip((first, second), sizes, strict=True):
        if keeps and size == result.size and classes(source):
            return _with_class(result, kind, source)
    return shaped(result, kind, _column_names(first, second))


def _signed(name: str, value: Value) -> Value:
    if isinstance(value, Null):
        raise DataError(_NOT_UNARY)
    array, kind = bare_numbers(value, _NOT_UNARY)
    return shaped(-array if name == "-" else array, higher(kind, "integer"), _column_names(value))


def _enter_arithmetic() -> None:
    signed = {"+": "Sum, or a sign.", "-": "Difference, or a sign."}
    for name, purpose in signed.items():

        def sum_or_sign(
            e1: Value, context: Context, e2: Value | None = None, _name: str = name
        ) -> Value:
            return operate(_name, e1, e2, context)

        function(name, "e1, e2?", role="elementwise", purpose=purpose)(sum_or_sign)
    binary = {
        "*": "Product.",
        "/": "Quotient, always a double.",
        "^": "Power.",
        "%%": "Remainder, with the sign of the divisor.",
        "%/%": "Quotient rounded down.",
    }
    for name, purpose in binary.items():

        def operator(e1: Value, e2: Value, context: Context, _name: str = name) -> Value:
            return operate(_name, e1, e2, context)

        function(name, "e1, e2", role="elementwise", purpose=purpose)(operator)
    enter_internal(_arithmetic, *signed, *binary)


_enter_arithmetic()


@function("(", "x", role="elementwise", purpose="Parentheses: the value itself.")
def _parentheses(x: Value) -> Value:
    return x


def within(x: Value, table: Value) -> NDArray[np.bool_]:
    """Return which elements of `x` are among those of `table` (R's ``%in%``); NA matches NA."""
    x, table = (Numeric(v.values, v.kind) if isinstance(v, Numeric) else v for v in (x, table))
    if any(isinstance(value, Character | Factor) for value in (x, table)):
        one, two, pool = union_codes(text(x), text(table))
        found = np.zeros(len(pool) + 1, dtype=np.bool_)
        found[two] = True
        return found[one]
    left, _ = flat(x, "'match' requires vector arguments")
    right, _ = flat(table, "'match' requires vector arguments")
    result = np.isin(left, right)
    if np.isnan(right).any():
        result |= np.isnan(left)
    return result


@function(
    "%in%",
    "x, table",
    role="elementwise",
    purpose="Whether each element is in a set.",
    tables=("table",),
)
def _in(x: Value, table: Value) -> Value:
    return pack(within(x, table), "logical")


def _end(value: Value, context: Context) -> float:
    """Return one end of a range of numbers."""
    if isinstance(value, Factor):
        array = np.where(value.codes < 0, np.nan, value.codes + 1.0)
    elif isinstance(value, Character):
        raise DataError("NA/NaN argument")
    else:
        array, _ = flat(value, "argument of ':' is not a vector")
    if not array.size:
        raise DataError("argument of length 0")
    if array.size > 1:
        context.warn(f"numerical expression has {array.size} elements: only the first used")
    return float(array[0])


def _interaction(first: Factor, second: Factor) -> Factor:
    """Return all combinations of two factors, the last varying fastest."""
    if first.codes.size != second.codes.size:
        raise DataError("unequal factor lengths")
    if len(first.levels) * len(second.levels) > _MOST_LEVELS:
        return interaction_of((first, second))  # levels no row has are dropped later anyway
    levels = tuple(
        f"{'NA' if one is None else one}:{'NA' if two is None else two}"
        for one in first.levels
        for two in second.levels
    )
    codes = first.codes.astype(np.int64) * len(second.levels) + second.codes
    codes = np.where((first.codes < 0) | (second.codes < 0), -1, codes)
    return Factor(codes.astype(np.int32), levels)


@function(":", "from, to", role="shape", purpose="A range of numbers, or all combinations.")
def _colon(context: Context, **ends: Value) -> Value:
    first, last = ends["from"], ends["to"]
    if isinstance(first, Factor) and isinstance(last, Factor):
        return _interaction(first, last)
    start, stop = _end(first, context), _end(last, context)
    if np.isnan(start) or np.isnan(stop):
        raise DataError("NA/NaN argument")
    if not abs(stop - start) < _LONGEST_RANGE:
        raise DataError("result would be too long a vector")
    count = int(abs(stop - start) + 1e-10) + 1
    steps = np.arange(count, dtype=np.float64)
    values = start + steps if start <= stop else start - steps
    whole = start == int(start) and max(abs(start), abs(values[-1])) <= LARGEST_INTEGER
    return pack(values, "integer" if whole else "double")
