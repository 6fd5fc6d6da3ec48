"""Operators: arithmetic, comparison and logic with R's rules, and methods of classes.

An operand with a class (a factor, a date) brings the method of its class, which says what its
numbers or texts mean and computes with these. Of operands with two different classes only a
difference of times is added to a time or taken from one; R warns of all others and computes
with the bare numbers, which is an error here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
    time_class,
)
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    Array,
    align,
    as_vector,
    by_elements,
    elements,
    higher,
    logical,
    numbers,
    pack,
    ranks,
    text,
    union_codes,
)
from lme4py.functions.table import MISSING, Context, function
from lme4py.numerals import LARGEST_INTEGER

Rule: TypeAlias = Callable[..., Value]
"""Takes an operator's name, its operands (the second is None where there is one), the context."""

_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Return a decorator that enters a rule: of an operator, or of all for operands of a class."""

    def enter(compute: Rule) -> Rule:
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
    classes = [found for found in (_class_of(first), _class_of(second)) if found is not None]
    kind = classes[0] if classes else name
    if len(set(classes)) == 2:
        one, two = classes
        if two == "difftime" and name in "+-" and one in ("Date", "POSIXct"):
            kind = one
        elif one == "difftime" and name == "+" and two in ("Date", "POSIXct"):
            kind = two
        else:
            raise DataError(
                f"'{name}' between {one} and {two} has no value",
                hint="make one of them what the other is: "
                "as.Date(x), as.numeric(x), as.character(x)",
            )
    return _RULES[kind](name, first, second, context)


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


_ARITHMETIC: dict[str, tuple[Callable[[Array, Array], Any], str]] = {
    "+": (np.add, "Sum, or a sign."),
    "-": (np.subtract, "Difference, or a sign."),
    "*": (np.multiply, "Product."),
    "/": (np.divide, "Quotient, always a double."),
    "^": (_power, "Power."),
    "%%": (_remainder, "Remainder, with the sign of the divisor."),
    "%/%": (_divide_floor, "Quotient rounded down."),
}


@rule(*_ARITHMETIC)
@by_elements
def _arithmetic(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Return R's arithmetic."""
    if second is None:
        one, kind = numbers(first, "invalid argument to unary operator")
        one = -one if name == "-" else one
        return pack(one, higher(kind, "integer"))
    one, kind_one = elements(first, _NON_NUMERIC)
    two, kind_two = elements(second, _NON_NUMERIC)
    one, two = align(one, two, context.warn)
    kind = higher(kind_one, kind_two, "integer")
    with np.errstate(all="ignore"):
        result = np.asarray(_ARITHMETIC[name][0](one, two))
    if name in ("/", "^"):
        kind = "double"
    elif name == "%/%" and kind == "integer":
        result = np.where(np.isinf(result), np.nan, result)
    elif kind == "integer" and (beyond := np.abs(result) > LARGEST_INTEGER).any():
        context.warn("NAs produced by integer overflow")
        result = np.where(beyond, np.nan, result)
    return pack(result, kind)


# Comparison ---------------------------------------------------------------------------------

_EQUALITY = ("==", "!=")
RELATIONS: dict[str, tuple[Callable[[Array, Array], Any], str]] = {
    "==": (np.equal, "Equal."),
    "!=": (np.not_equal, "Not equal."),
    "<": (np.less, "Less."),
    ">": (np.greater, "Greater."),
    "<=": (np.less_equal, "Less or equal."),
    ">=": (np.greater_equal, "Greater or equal."),
}


def _compare_texts(name: str, first: Character, second: Character, context: Context) -> Value:
    one, two, pool = union_codes(first, second)
    if name in _EQUALITY:
        table = np.append(np.arange(len(pool), dtype=np.float64), np.nan)
    else:
        table = ranks(pool, context.collation)
    return _related(name, table[one], table[two], context)


def _related(name: str, one: Array, two: Array, context: Context) -> Value:
    """Return the comparison of numbers, NA where either is missing."""
    left, right = align(one, two, context.warn)
    missing = np.isnan(left) | np.isnan(right)
    return logical(RELATIONS[name][0](left, right), missing)


@rule(*RELATIONS)
@by_elements
def _comparison(name: str, first: Value, second: Value, context: Context) -> Value:
    """Return R's comparison."""
    complaint = f"comparison ({name}) is possible only for atomic and list types"
    kinds = {type(first), type(second)}
    if FunctionName in kinds:
        raise DataError(complaint)
    if Null in kinds:
        return logical(np.empty(0))
    if Character in kinds:
        return _compare_texts(name, text(first), text(second), context)
    one, two = (elements(value, complaint)[0] for value in (first, second))
    return _related(name, one, two, context)


def _level_text(value: Value) -> Value:
    """Return a factor as text, where an NA level equals itself; other values as they are."""
    if not isinstance(value, Factor):
        return value
    return text(Factor(value.codes, tuple("  NA " if x is None else x for x in value.levels)))


@rule("factor", "ordered")
def _with_factors(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Compare factors by their levels; one that is ordered by the order of these."""
    factors = [value for value in (first, second) if isinstance(value, Factor)]
    ordered, levels = factors[0].ordered, factors[0].levels
    if second is None or name not in (RELATIONS if ordered else _EQUALITY):
        shown = f"'{name}' is" if ordered else f"‘{name}’"
        what = "ordered factors" if ordered else "factors"
        context.warn(f"{shown} not meaningful for {what}")
        sizes = [length(as_vector(value)) for value in (first, second) if value is not None]
        return pack(np.full(max(sizes), np.nan), "logical")
    same = set if name in _EQUALITY else tuple
    if len(factors) == 2 and same(levels) != same(factors[1].levels):
        raise DataError("level sets of factors are different")
    # R gives its warning of lengths that do not fit twice.
    align(np.zeros(length(first)), np.zeros(length(second)), context.warn)
    if name in _EQUALITY:
        return _comparison(name, _level_text(first), _level_text(second), context)
    return _related(name, _level_ranks(first, levels), _level_ranks(second, levels), context)


def _level_ranks(value: Value, levels: Sequence[str | None]) -> Array:
    """Return the place of each text among the levels of an ordered factor."""
    place = {level: rank for rank, level in enumerate(levels)}
    words = text(value)
    return np.array([*(float(place.get(item, np.nan)) for item in words.pool), np.nan])[words.codes]


# Logic ------------------------------------------------------------------------------------


@rule("&", "|", "!")
@by_elements
def _truth(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Return ``first & second``, ``first | second`` or ``!first`` in three-valued logic."""
    if second is None:
        array, _ = numbers(first, "invalid argument type")
        return logical(array == 0, np.isnan(array))
    complaint = "operations are possible only for numeric, logical or complex types"
    one, two = (elements(side, complaint)[0] for side in (first, second))
    left, right = align(one, two, context.warn)
    # One side decides alone: FALSE in &, TRUE in |.
    decisive = name == "|"
    missing = np.isnan(left) | np.isnan(right)
    alone = [((side != 0) == decisive) & ~np.isnan(side) for side in (left, right)]
    decided = alone[0] | alone[1]
    return logical(decided == decisive, missing & ~decided)


# Entries of the table -----------------------------------------------------------------------

_PURPOSES = {name: purpose for name, (_, purpose) in (_ARITHMETIC | RELATIONS).items()} | {
    "&": "And; NA & FALSE is FALSE.",
    "|": "Or; NA | TRUE is TRUE.",
}


@function({name: _PURPOSES[name] for name in "+-"}, role="elementwise", chooses_unit=True)
def _sum_or_sign(e1: Value, context: Context, called: str, e2: Value = MISSING) -> Value:
    return operate(called, e1, None if e2 is MISSING else e2, context)


@function({name: _PURPOSES[name] for name in _PURPOSES if name not in "+-"}, role="elementwise")
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
