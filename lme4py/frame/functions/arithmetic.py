"""Operators: arithmetic, comparison, logic, membership and ``:``, with R's rules for types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.factors import interaction_of
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    Time,
    align,
    elements,
    flat,
    higher,
    logical,
    pack,
    shaped,
    text,
    union_codes,
)
from lme4py.frame.functions.dates import date_of_text
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import (
    Character,
    Factor,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
)

__all__ = ["compare", "divide_floor", "power", "remainder", "within"]

Array: TypeAlias = NDArray[Any]

_NON_NUMERIC = "non-numeric argument to binary operator"
_NOT_LOGICAL = "operations are possible only for numeric, logical or complex types"
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


def _names(first: Value, second: Value) -> tuple[str, ...] | None:
    """Return the column names of the result: the first matrix that has some."""
    for value in (first, second):
        if isinstance(value, Matrix) and value.names is not None:
            return value.names
    return None


def _meaningless(name: str, first: Value, second: Value | None, context: Context) -> Numeric:
    """Warn that the operator has no meaning for factors, and return NA."""
    values = (first,) if second is None else (first, second)
    if any(isinstance(value, Factor) and value.ordered for value in values):
        context.warn(f"'{name}' is not meaningful for ordered factors")
    else:
        context.warn(f"‘{name}’ not meaningful for factors")
    return pack(np.full(max(length(value) for value in values), np.nan), "logical")


def _time(value: Value) -> Time:
    return value.time if isinstance(value, Numeric) else None


def _result_time(name: str, first: Value, second: Value) -> Time:
    """Return R's class of the result of arithmetic with times, or raise R's error."""
    one, two = _time(first), _time(second)
    if one is None and two is None:
        return None
    for kind in ("Date", "POSIXct"):
        if kind not in (one, two):
            continue
        shown = "POSIXt" if kind == "POSIXct" else kind
        quoted = name if kind == "Date" else f"'{name}'"
        if name == "+":
            if one == two:
                raise DataError(f'binary {quoted} is not defined for "{shown}" objects')
        elif name == "-":
            if one != kind:
                raise DataError(f'can only subtract from "{shown}" objects')
            if two == kind:
                return "difftime"
            if two not in (None, "difftime"):
                raise DataError(f'can only subtract numbers from "{shown}" objects')
        else:
            raise DataError(f'{quoted} not defined for "{shown}" objects')
        return kind
    if name in ("+", "-"):
        return "difftime"
    if name == "*" and not one == two == "difftime":
        return "difftime"
    if name == "*":
        raise DataError('both arguments of * cannot be "difftime" objects')
    if name == "/" and two == "difftime":
        raise DataError('second argument of / cannot be a "difftime" object')
    if name == "/":
        return "difftime"
    raise DataError(f"'{name}' not defined for \"difftime\" objects")


def _elapsed(seconds: Array) -> Array:
    """Return seconds between date-times in the unit R chooses for them."""
    size = np.abs(seconds[~np.isnan(seconds)])
    least = float(size.min()) if size.size else 0.0
    if not np.isfinite(least) or least < 60:
        return seconds
    if least < 3600:
        return np.asarray(seconds / 60)
    return np.asarray(seconds / 3600 if least < 86400 else seconds / 86400)


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


def _binary(name: str, first: Value, second: Value, context: Context) -> Value:
    """Return ``first name second`` for an arithmetic operator."""
    if isinstance(first, Factor) or isinstance(second, Factor):
        return _meaningless(name, first, second, context)
    time = _result_time(name, first, second)
    one, kind_one = elements(first, _NON_NUMERIC)
    two, kind_two = elements(second, _NON_NUMERIC)
    if time == "Date":
        one = np.rint(one) if _time(first) == "difftime" else one
        two = np.rint(two) if _time(second) == "difftime" else two
    one, two = align(one, two, context.warn)
    kind = higher(kind_one, kind_two, "integer")
    result = _compute(name, one, two, kind == "integer", context)
    if time == "difftime" and "POSIXct" in (_time(first), _time(second)):
        result = _elapsed(result)
    if name in ("/", "^") or time is not None:
        kind = "double"
    return shaped(result, kind, _names(first, second), time)


def _unary(name: str, value: Value, context: Context) -> Value:
    """Return ``name value`` for a sign."""
    if isinstance(value, Factor):
        return _meaningless(name, value, None, context)
    time = _time(value)
    if time == "Date" and name == "-":
        raise DataError('unary - is not defined for "Date" objects')
    if time == "POSIXct":
        raise DataError(f"unary '{name}' not defined for \"POSIXt\" objects")
    if isinstance(value, Null):
        raise DataError("invalid argument to unary operator")
    array, kind = elements(value, "invalid argument to unary operator")
    names = value.names if isinstance(value, Matrix) else None
    return shaped(-array if name == "-" else array, higher(kind, "integer"), names, time)


def _enter_arithmetic() -> None:
    signed = {"+": "Sum, or a sign.", "-": "Difference, or a sign."}
    for name, purpose in signed.items():

        def sum_or_sign(
            e1: Value, context: Context, e2: Value | None = None, _name: str = name
        ) -> Value:
            if e2 is None:
                return _unary(_name, e1, context)
            return _binary(_name, e1, e2, context)

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
            return _binary(_name, e1, e2, context)

        function(name, "e1, e2", role="elementwise", purpose=purpose)(operator)


_enter_arithmetic()


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


def _compare_texts(name: str, first: Character, second: Character, context: Context) -> Numeric:
    one, two, pool = union_codes(first, second)
    if name not in ("==", "!="):
        order = {item: rank for rank, item in enumerate(context.collation.sort(pool))}
        ranks = np.array([order[item] for item in pool] + [-1], dtype=np.int32)
        one, two = ranks[one], ranks[two]
    left, right = align(one, two, context.warn)
    return logical(_relation(name, left, right), (left < 0) | (right < 0))


def _level_text(value: Factor) -> Character:
    """Return a factor as text in which an NA level equals itself."""
    return text(Factor(value.codes, tuple("  NA " if x is None else x for x in value.levels)))


def _compare_factors(name: str, first: Value, second: Value, context: Context) -> Numeric:
    factors = [value for value in (first, second) if isinstance(value, Factor)]
    if name in ("==", "!="):
        # R asks for equal level sets only when the first factor has not just one element.
        if len(factors) == 2 and (length(first) != 1 or None in factors[1].levels):
            one, two = (set(value.levels) for value in factors)
            if one != two or len(factors[0].levels) != len(factors[1].levels):
                raise DataError("level sets of factors are different")
        return _compare_texts(
            name,
            _level_text(first) if isinstance(first, Factor) else text(_untimed(first)),
            _level_text(second) if isinstance(second, Factor) else text(_untimed(second)),
            context,
        )
    if len(factors) == 2 and factors[0].ordered != factors[1].ordered:
        raise DataError("comparison of these types is not implemented")
    if not factors[0].ordered:
        return _meaningless(name, first, second, context)
    if len(factors) == 2 and factors[0].levels != factors[1].levels:
        raise DataError("level sets of factors are different")
    place = {level: float(rank) for rank, level in enumerate(factors[0].levels)}
    ranks = []
    for value in (first, second):
        if isinstance(value, Factor):
            ranks.append(np.where(value.codes < 0, np.nan, value.codes.astype(np.float64)))
        else:
            words = text(_untimed(value))
            table = np.array([place.get(item, np.nan) for item in words.pool] + [np.nan])
            ranks.append(table[words.codes])
    left, right = align(ranks[0], ranks[1], context.warn)
    return logical(_relation(name, left, right), np.isnan(left) | np.isnan(right))


def _untimed(value: Value) -> Value:
    """Return the bare numbers of a column of times."""
    if isinstance(value, Numeric) and value.time is not None:
        return Numeric(value.values, value.kind)
    return value


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
    if isinstance(first, Factor) or isinstance(second, Factor):
        return _compare_factors(name, first, second, context)
    if isinstance(first, Character) or isinstance(second, Character):
        if "Date" in (_time(first), _time(second)):
            first = date_of_text(first) if isinstance(first, Character) else first
            second = date_of_text(second) if isinstance(second, Character) else second
        else:
            return _compare_texts(name, text(first), text(second), context)
    complaint = f"comparison ({name}) is possible only for atomic and list types"
    one, _ = elements(first, complaint)
    two, _ = elements(second, complaint)
    left, right = align(one, two, context.warn)
    result = _relation(name, left, right)
    missing = np.isnan(left) | np.isnan(right)
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", _names(first, second))


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


_enter_comparisons()


def _truth(name: str, first: Value, second: Value, context: Context) -> Value:
    """Return ``first & second`` or ``first | second`` in three-valued logic."""
    if isinstance(first, Factor) or isinstance(second, Factor):
        return _meaningless(name, first, second, context)
    for value in (first, second):
        if (time := _time(value)) == "Date":
            raise DataError(f'{name} not defined for "Date" objects')
        if time is not None:
            shown = "POSIXt" if time == "POSIXct" else time
            raise DataError(f"'{name}' not defined for \"{shown}\" objects")
    one, _ = elements(first, _NOT_LOGICAL)
    two, _ = elements(second, _NOT_LOGICAL)
    left, right = align(one, two, context.warn)
    missing_left, missing_right = np.isnan(left), np.isnan(right)
    if name == "&":
        result = (left != 0) & (right != 0)
        decided = (left == 0) | (right == 0)
    else:
        result = (left != 0) | (right != 0)
        decided = ((left != 0) & ~missing_left) | ((right != 0) & ~missing_right)
    missing = (missing_left | missing_right) & ~decided
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", _names(first, second))


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
    return _truth("&", e1, e2, context)


@function("|", "e1, e2", role="elementwise", purpose="Or; NA | TRUE is TRUE.")
def _or(e1: Value, e2: Value, context: Context) -> Value:
    return _truth("|", e1, e2, context)


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
    either = _truth("|", x, y, context)
    both = _truth("&", x, y, context)
    return _truth("&", either, _not(both, context), context)


@function("!", "x", role="elementwise", purpose="Not.")
def _not(x: Value, context: Context) -> Value:
    if isinstance(x, Factor):
        return _meaningless("!", x, None, context)
    time = _time(x)
    if time is not None:
        shown = {
            "Date": 'unary ! not defined for "Date"',
            "POSIXct": "unary '!' not defined for \"POSIXt\"",
        }
        raise DataError(shown.get(time, "unary '!' not defined for \"difftime\"") + " objects")
    if isinstance(x, Null):
        raise DataError("invalid argument type")
    array, _ = elements(x, "invalid argument type")
    missing = np.isnan(array)
    result = array == 0
    if missing.any():
        result = np.where(missing, np.nan, result)
    return shaped(result, "logical", x.names if isinstance(x, Matrix) else None)


@function("(", "x", role="elementwise", purpose="Parentheses: the value itself.")
def _parentheses(x: Value) -> Value:
    return x


def within(x: Value, table: Value) -> NDArray[np.bool_]:
    """Return which elements of `x` are among those of `table` (R's ``%in%``); NA matches NA."""
    x, table = _untimed(x), _untimed(table)
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
