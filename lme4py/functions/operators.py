"""Operators: arithmetic, comparison and logic with R's rules, and methods of classes.

An operand with a class (a factor, a date) brings the method of its class, which says what its
numbers or texts mean and computes with these. Of operands with two different classes only a
difference of times is added to a time or taken from one; R warns of all others and computes
with the bare numbers, which is an error here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
    time_class,
)
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    Array,
    align,
    as_vector,
    column_names,
    elements,
    higher,
    logical,
    numbers,
    pack,
    ranks,
    shaped,
    text,
    union_codes,
)
from lme4py.functions.table import MISSING, Context, function


@dataclass(frozen=True, slots=True)
class Operation:
    """One use of an operator; `second` is None where there is one operand."""

    name: str
    first: Value
    second: Value | None
    context: Context

    @property
    def pair(self) -> tuple[Value, Value]:
        """Both operands, or R's error."""
        if self.second is None:
            raise DataError("invalid unary operator")
        return self.first, self.second

    def of(self, first: Value, second: Value | None = None) -> Value:
        """Return what the operator makes of other operands, which have no classes."""
        return _RULES[self.name](replace(self, first=first, second=second))


Compute: TypeAlias = Callable[[Operation], Value]

_RULES: dict[str, Compute] = {}


def rule(*names: str) -> Callable[[Compute], Compute]:
    """Return a decorator that enters a rule: of an operator, or of all for operands of a class."""

    def enter(compute: Compute) -> Compute:
        _RULES.update(dict.fromkeys(names, compute))
        return compute

    return enter


def _class_of(value: Value | None) -> str | None:
    """Return R's class of a value, None where it has none."""
    match value:
        case Factor(ordered=ordered):
            return "ordered" if ordered else "factor"
        case Numeric(time=time):
            return "difftime" if is_difftime(time) else time_class(time)
        case _:
            return None


def operate(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Return ``first name second``, or ``name first`` without a second operand."""
    operation = Operation(name, first, second, context)
    classes = [found for found in (_class_of(first), _class_of(second)) if found is not None]
    if not classes:
        return _RULES[name](operation)
    if len(set(classes)) == 1:
        return _RULES[classes[0]](operation)
    one, two = classes
    if two == "difftime" and name in "+-" and one in ("Date", "POSIXct"):
        return _RULES[one](operation)
    if one == "difftime" and name == "+" and two in ("Date", "POSIXct"):
        return _RULES[two](operation)
    raise DataError(
        f"'{name}' between {one} and {two} has no value",
        hint="make one of them what the other is: as.Date(x), as.numeric(x), as.character(x)",
    )


# Arithmetic ---------------------------------------------------------------------------------

_NON_NUMERIC = "non-numeric argument to binary operator"
# Beyond this a quotient has no fractional digits even in R's long double.
_EXACT = float(2**63)


def _power(base: Array, exponent: Array) -> Array:
    """Return R's ``base ^ exponent`` of float arrays.

    Unlike C's ``pow``, a zero base has no sign, and a negative base has no value at
    an infinite exponent.
    """
    if exponent.size == 1 and exponent.reshape(-1)[0] == 2.0:
        return np.asarray(base * base)
    result = np.asarray(np.power(np.where(base == 0, 0.0, base), exponent))
    wild = (base < 0) & (np.isinf(exponent) | (np.isinf(base) & (np.floor(exponent) != exponent)))
    return np.where(wild, np.nan, result) if wild.any() else result


def _quotient(first: Array, second: Array) -> Array:
    """Return the quotients of doubles, or an error where one of them has no last digit."""
    quotient: Array = first / second
    divided = (second != 0) & np.isfinite(first)
    if (divided & (np.isinf(second) | (np.abs(quotient) > _EXACT))).any():
        raise DataError("numbers too far apart for %% and %/%")
    return quotient


def _remainder(first: Array, second: Array) -> Array:
    """Return R's ``first %% second`` of doubles: the sign is the divisor's."""
    wide = second.astype(np.longdouble)
    rest = first - np.floor(_quotient(first, second)) * wide
    result = (rest - np.floor(rest / second) * wide).astype(np.float64)
    return np.where(second == 0, np.nan, result)


def _divide_floor(first: Array, second: Array) -> Array:
    """Return R's ``first %/% second`` of doubles: rounded down."""
    quotient = _quotient(first, second)
    whole = np.floor(quotient)
    rest = first - whole * second.astype(np.longdouble)
    result = (whole + np.floor(rest / second)).astype(np.float64)
    result = np.where(np.abs(quotient) < 1, whole, result)
    return np.where((second == 0) | ~np.isfinite(quotient), quotient, result)


_ARITHMETIC: Mapping[str, Callable[[Array, Array], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": _power,
    "%%": _remainder,
    "%/%": _divide_floor,
}


@rule(*_ARITHMETIC)
def _arithmetic(operation: Operation) -> Value:
    """Return R's arithmetic of vectors and matrices."""
    name, context = operation.name, operation.context
    first, second = operation.first, operation.second
    if second is None:
        one, kind = numbers(first, "invalid argument to unary operator")
        one = -one if name == "-" else one
        return shaped(one, higher(kind, "integer"), column_names(first))
    one, kind_one = elements(first, _NON_NUMERIC)
    two, kind_two = elements(second, _NON_NUMERIC)
    one, two = align(one, two, context.warn)
    kind = higher(kind_one, kind_two, "integer")
    with np.errstate(all="ignore"):
        result = np.asarray(_ARITHMETIC[name](one, two))
    if name in ("/", "^"):
        kind = "double"
    elif name == "%/%" and kind == "integer":
        result = np.where(np.isinf(result), np.nan, result)
    elif kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
        context.warn("NAs produced by integer overflow")
        result = np.where(beyond, np.nan, result)
    return shaped(result, kind, column_names(first, second))


@function(
    {"+": "Sum, or a sign.", "-": "Difference, or a sign."}, role="elementwise", chooses_unit=True
)
def _sum_or_sign(e1: Value, context: Context, called: str, e2: Value = MISSING) -> Value:
    return operate(called, e1, None if e2 is MISSING else e2, context)


# Comparison ---------------------------------------------------------------------------------

_EQUALITY = ("==", "!=")
RELATIONS: Mapping[str, Callable[[Array, Array], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}


def _compare_texts(operation: Operation, first: Character, second: Character) -> Value:
    one, two, pool = union_codes(first, second)
    if operation.name in _EQUALITY:
        table = np.append(np.arange(len(pool), dtype=np.float64), np.nan)
    else:
        table = ranks(pool, operation.context.collation)
    return _related(operation, table[one], table[two])


def _related(operation: Operation, one: Array, two: Array) -> Value:
    """Return the comparison of numbers, NA where either is missing."""
    left, right = align(one, two, operation.context.warn)
    missing = np.isnan(left) | np.isnan(right)
    result = RELATIONS[operation.name](left, right)
    return logical(result, missing, column_names(*operation.pair))


@rule(*RELATIONS)
def _comparison(operation: Operation) -> Value:
    """Return R's comparison of vectors and matrices."""
    first, second = operation.pair
    complaint = f"comparison ({operation.name}) is possible only for atomic and list types"
    kinds = {type(first), type(second)}
    if FunctionName in kinds:
        raise DataError(complaint)
    if Null in kinds:
        return logical(np.empty(0))
    if Character in kinds:
        return _compare_texts(operation, _texts(first), _texts(second))
    return _related(operation, elements(first, complaint)[0], elements(second, complaint)[0])


def _texts(value: Value) -> Character:
    if isinstance(value, Matrix):
        raise DataError("a matrix of numbers cannot be compared with text")
    return text(value)


def _level_text(value: Value) -> Character:
    """Return a value as text; an NA level of a factor equals itself."""
    if not isinstance(value, Factor):
        return _texts(value)
    return text(Factor(value.codes, tuple("  NA " if x is None else x for x in value.levels)))


@rule("factor", "ordered")
def _with_factors(operation: Operation) -> Value:
    """Compare factors by their levels; one that is ordered by the order of these."""
    name, first, second = operation.name, operation.first, operation.second
    factors = [value for value in (first, second) if isinstance(value, Factor)]
    ordered, levels = factors[0].ordered, factors[0].levels
    if second is None or name not in (RELATIONS if ordered else _EQUALITY):
        shown = f"'{name}' is" if ordered else f"‘{name}’"
        what = "ordered factors" if ordered else "factors"
        operation.context.warn(f"{shown} not meaningful for {what}")
        sizes = [length(as_vector(value)) for value in (first, second) if value is not None]
        return pack(np.full(max(sizes), np.nan), "logical")
    same = set if name in _EQUALITY else tuple
    if len(factors) == 2 and same(levels) != same(factors[1].levels):
        raise DataError("level sets of factors are different")
    # R gives its warning of lengths that do not fit twice.
    align(np.zeros(length(first)), np.zeros(length(second)), operation.context.warn)
    if name in _EQUALITY:
        return _compare_texts(operation, _level_text(first), _level_text(second))
    return _related(operation, _level_ranks(first, levels), _level_ranks(second, levels))


def _level_ranks(value: Value, levels: Sequence[str | None]) -> Array:
    """Return the place of each text among the levels of an ordered factor."""
    place = {level: rank for rank, level in enumerate(levels)}
    words = _texts(value)
    return np.array([*(float(place.get(item, np.nan)) for item in words.pool), np.nan])[words.codes]


# Logic ------------------------------------------------------------------------------------


@rule("&", "|")
def _truth(operation: Operation) -> Value:
    """Return ``first & second`` or ``first | second`` in three-valued logic."""
    complaint = "operations are possible only for numeric, logical or complex types"
    one, two = (elements(side, complaint)[0] for side in operation.pair)
    left, right = align(one, two, operation.context.warn)
    # One side decides alone: FALSE in &, TRUE in |.
    decisive = operation.name == "|"
    missing = np.isnan(left) | np.isnan(right)
    alone = [((side != 0) == decisive) & ~np.isnan(side) for side in (left, right)]
    decided = alone[0] | alone[1]
    return logical(decided == decisive, missing & ~decided, column_names(*operation.pair))


@rule("!")
def _negation(operation: Operation) -> Value:
    """Return ``!x``."""
    x = operation.first
    array, _ = numbers(x, "invalid argument type")
    return logical(array == 0, np.isnan(array), column_names(x))


@function(
    {
        "*": "Product.",
        "/": "Quotient, always a double.",
        "^": "Power.",
        "%%": "Remainder, with the sign of the divisor.",
        "%/%": "Quotient rounded down.",
        "==": "Equal.",
        "!=": "Not equal.",
        "<": "Less.",
        ">": "Greater.",
        "<=": "Less or equal.",
        ">=": "Greater or equal.",
        "&": "And; NA & FALSE is FALSE.",
        "|": "Or; NA | TRUE is TRUE.",
    },
    role="elementwise",
)
def _binary(e1: Value, e2: Value, context: Context, called: str) -> Value:
    return operate(called, e1, e2, context)


@function({"!": "Not."}, role="elementwise")
def _not(x: Value, context: Context) -> Value:
    return operate("!", x, None, context)


@function("xor", role="elementwise")
def _xor(x: Value, y: Value, context: Context) -> Value:
    """Return where one of the two is true, not both."""
    either = operate("|", x, y, context)
    both = operate("&", x, y, context)
    return operate("&", either, operate("!", both, None, context), context)
