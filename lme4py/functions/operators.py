"""Operators: R's choice of a method, and arithmetic, comparison and logic with R's rules.

The operators form the group ``Ops``. Each operand may bring a method of its own: of the
operator (``+.Date``) or, failing that, of the whole group (``Ops.Date``). One method or twice the
same one is called. Of two different ones R takes neither: it warns, and computes with the bare
numbers. The exceptions are a difftime added to or subtracted from a Date or POSIXct.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.factors import interaction_of
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
    time_class,
)
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    Array,
    align,
    as_vector,
    bare_numbers,
    bounded,
    column_names,
    elements,
    flat,
    higher,
    logical,
    pack,
    ranks,
    scalar,
    shaped,
    text,
    union_codes,
    untimed,
)
from lme4py.functions.leveling import crossed
from lme4py.functions.table import MISSING, Context, function


@dataclass(frozen=True, slots=True)
class Operation:
    """One use of an operator, as a method sees it.

    `second` is None for an operator with one operand; `methods` names the method that each
    operand brought (R's ``.Method``).
    """

    name: str
    first: Value
    second: Value | None
    methods: tuple[str | None, str | None]
    context: Context

    @property
    def pair(self) -> tuple[Value, Value]:
        """Both operands, or R's error."""
        if self.second is None:
            raise DataError("invalid unary operator")
        return self.first, self.second

    def without_method(self, first: Value, second: Value | None = None) -> Value:
        """Return what R computes of other operands where there is no method."""
        return _INTERNAL[self.name](replace(self, first=first, second=second))

    def missing(self) -> Numeric:
        """Return NA for each element of the longer operand."""
        operands = [value for value in (self.first, self.second) if value is not None]
        size = max(length(as_vector(value)) for value in operands)
        return pack(np.full(size, np.nan), "logical")


Compute: TypeAlias = Callable[[Operation], Value]

_METHODS: dict[str, Compute] = {}
_INTERNAL: dict[str, Compute] = {}
# Which of two different methods R takes all the same.
_ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "%%", "%/%"))
_DIFFTIME = "Ops.difftime"
_FIRST_WINS = frozenset(("+.POSIXt", "-.POSIXt", "+.Date", "-.Date"))
_SECOND_WINS = frozenset(("+.POSIXt", "+.Date"))


def _entering(table: dict[str, Compute], names: Sequence[str]) -> Callable[[Compute], Compute]:
    def enter(compute: Compute) -> Compute:
        table.update(dict.fromkeys(names, compute))
        return compute

    return enter


def method(*names: str) -> Callable[[Compute], Compute]:
    """Return a decorator that enters a method under R's names (``"Ops.factor"``)."""
    return _entering(_METHODS, names)


def internal(*names: str) -> Callable[[Compute], Compute]:
    """Return a decorator that enters what operators compute without a method."""
    return _entering(_INTERNAL, names)


def classes(value: Value | None) -> tuple[str, ...]:
    """Return R's ``oldClass`` of a value.

    Examples
    --------
    >>> classes(Numeric(np.zeros(1), "double", "POSIXct"))
    ('POSIXct', 'POSIXt')
    """
    match value:
        case Factor(ordered=ordered) | MalformedFactor(ordered=ordered):
            return ("ordered", "factor") if ordered else ("factor",)
        case Numeric(time=time) if time_class(time) == "POSIXct":
            return ("POSIXct", "POSIXt")
        case Numeric(time="Date"):
            return ("Date",)
        case Numeric(time=time) if is_difftime(time):
            return ("difftime",)
        case _:
            return ()


def _found(name: str, value: Value | None) -> str | None:
    """Return the method of the operator, else of its group, for the first class with one."""
    for kind in classes(value):
        for stem in (name, "Ops"):
            if f"{stem}.{kind}" in _METHODS:
                return f"{stem}.{kind}"
    return None


def operate(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Return ``first name second``, or ``name first`` without a second operand.

    Notes
    -----
    R 4.2's ``DispatchGroup``; R 4.3 asks ``chooseOpsMethod`` before it warns.
    """
    left, right = _found(name, first), _found(name, second)
    operation = Operation(name, first, second, (left, right), context)
    if left is not None and right is not None and left != right:
        if right == _DIFFTIME and left in _FIRST_WINS:
            right = None
        elif left == _DIFFTIME and right in _SECOND_WINS:
            left = None
        else:
            if context.rows == 1 and name in _ARITHMETIC:
                # The class of the result is that of the operand with as many elements; a single
                # new row does not tell which one that was among the rows of the model.
                raise DataError(
                    f"{name} of operands with different classes has no value for a single new row",
                    hint="put it into the data as a column",
                )
            context.warn(f'Incompatible methods ("{left}", "{right}") for "{name}"')
            return _INTERNAL[name](replace(operation, methods=(None, None)))
    chosen = left or right
    if chosen is None:
        return _INTERNAL[name](operation)
    return _METHODS[chosen](replace(operation, methods=(left, right)))


# Arithmetic ---------------------------------------------------------------------------------

_NON_NUMERIC = "non-numeric argument to binary operator"
_NOT_UNARY = "invalid argument to unary operator"
_OVERFLOW = "NAs produced by integer overflow"
_MOST_LEVELS = 2**20
# Beyond this a quotient has no fractional digits even in R's long double.
_EXACT = float(2**63)


def _power(base: Array, exponent: Array) -> Array:
    """Return R's ``base ^ exponent`` of float arrays.

    Unlike C's ``pow``, a zero base has no sign, and a negative base has no value at
    an infinite exponent.
    """
    with np.errstate(all="ignore"):
        if exponent.size == 1 and exponent.reshape(-1)[0] == 2.0:
            return np.asarray(base * base)
        result = np.asarray(np.power(np.where(base == 0, 0.0, base), exponent))
        wild = (base < 0) & (
            np.isinf(exponent) | (np.isinf(base) & (np.floor(exponent) != exponent))
        )
        return np.where(wild, np.nan, result) if wild.any() else result


def _remainder(first: Array, second: Array, warn: Callable[[str], None]) -> Array:
    """Return R's ``first %% second`` of float arrays: the sign is the divisor's."""
    with np.errstate(all="ignore"):
        quotient = first / second
        if (np.isfinite(quotient) & (np.abs(quotient) > _EXACT)).any():
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


def _divide_floor(first: Array, second: Array) -> Array:
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
                return _power(first, second)
            case "%%" if whole:
                return np.where(second == 0, np.nan, np.mod(first, second))
            case "%%":
                return _remainder(first, second, context.warn)
            case _ if whole:
                return np.where(second == 0, np.nan, np.floor(first / second))
            case _:
                return _divide_floor(first, second)
    result = np.asarray(result)
    if whole:
        beyond = np.abs(result) > LARGEST_INTEGER
        if beyond.any():
            context.warn(_OVERFLOW)
            result = np.where(beyond, np.nan, result)
    return result


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


@internal("+", "-", "*", "/", "^", "%%", "%/%")
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
    return shaped(result, kind, column_names(first, second))


def _signed(name: str, value: Value) -> Value:
    if isinstance(value, Null):
        raise DataError(_NOT_UNARY)
    array, kind = bare_numbers(value, _NOT_UNARY)
    return shaped(-array if name == "-" else array, higher(kind, "integer"), column_names(value))


@function({"+": "Sum, or a sign.", "-": "Difference, or a sign."}, role="elementwise")
def _sum_or_sign(e1: Value, context: Context, called: str, e2: Value = MISSING) -> Value:
    return operate(called, e1, None if e2 is MISSING else e2, context)


@function(
    {
        "*": "Product.",
        "/": "Quotient, always a double.",
        "^": "Power.",
        "%%": "Remainder, with the sign of the divisor.",
        "%/%": "Quotient rounded down.",
    },
    role="elementwise",
)
def _binary(e1: Value, e2: Value, context: Context, called: str) -> Value:
    return operate(called, e1, e2, context)


@function({"(": "Parentheses: the value itself."}, role="elementwise")
def _parentheses(x: Value) -> Value:
    return x


def _end(value: Value, context: Context) -> float:
    """Return one end of a range of numbers."""
    if isinstance(value, Character):
        raise DataError("NA/NaN argument")
    array, _ = bare_numbers(value, "argument of ':' is not a vector")
    if not array.size:
        raise DataError("argument of length 0")
    if array.size > 1:
        context.warn(f"numerical expression has {array.size} elements: only the first used")
    return float(array.reshape(-1, order="F")[0])


@function({":": "A range of numbers, or all combinations."}, role="shape")
def _colon(from_: Value, to: Value, context: Context) -> Value:
    if isinstance(from_, Factor) and isinstance(to, Factor):
        if from_.codes.size != to.codes.size:
            raise DataError("unequal factor lengths")
        if len(from_.levels) * len(to.levels) > _MOST_LEVELS:
            return interaction_of((from_, to))  # levels no row has are dropped later anyway
        return crossed((from_, to), context.collation, separator=":", last_fastest=True)
    start, stop = _end(from_, context), _end(to, context)
    if np.isnan(start) or np.isnan(stop):
        raise DataError("NA/NaN argument")
    bounded(abs(stop - start))
    steps = np.arange(int(abs(stop - start) + 1e-10) + 1, dtype=np.float64)
    values = start + steps if start <= stop else start - steps
    whole = start == int(start) and max(abs(start), abs(values[-1])) <= LARGEST_INTEGER
    return pack(values, "integer" if whole else "double")


# Comparison ---------------------------------------------------------------------------------

_NOT_LOGICAL = "operations are possible only for numeric, logical or complex types"
_EQUALITY = ("==", "!=")
_RELATIONS: Mapping[str, Callable[[Array, Array], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}


def _compare_texts(operation: Operation, first: Character, second: Character) -> Value:
    """Compare the operands as texts; in the shape of a matrix where one is a matrix."""
    name, context = operation.name, operation.context
    one, two, pool = union_codes(first, second)
    if name in _EQUALITY:
        table = np.append(np.arange(len(pool), dtype=np.float64), np.nan)
    else:
        table, _ = ranks(pool, context.collation)
    keys = [
        table[codes].reshape(value.values.shape, order="F")
        if isinstance(value, Matrix)
        else table[codes]
        for codes, value in zip((one, two), operation.pair, strict=True)
    ]
    return _related(operation, *keys)


def _related(operation: Operation, one: Array, two: Array) -> Value:
    """Return the comparison of numbers, NA where either is missing."""
    left, right = align(one, two, operation.context.warn)
    missing = np.isnan(left) | np.isnan(right)
    result = _RELATIONS[operation.name](left, right)
    return logical(result, missing, column_names(*operation.pair))


@internal(*_RELATIONS)
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
        return _compare_texts(operation, text(untimed(first)), text(untimed(second)))
    one, kind_one = bare_numbers(first, "")
    two, kind_two = bare_numbers(second, "")
    if any(factors) and kind_one == kind_two == "integer":
        # R 4.2 reads the codes as if they were doubles: what it gives is no rule.
        raise DataError("integers of another class cannot be compared with a factor")
    return _related(operation, one, two)


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
        return text(untimed(value))
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
    first, second = operation.pair
    if not isinstance(first, Matrix) and not isinstance(second, Matrix):
        align(np.zeros(length(first)), np.zeros(length(second)), operation.context.warn)


@method("Ops.ordered")
def _operate_on_ordered(operation: Operation) -> Value:
    """Return the comparison of ordered factors by the order of their levels."""
    name, context = operation.name, operation.context
    if operation.second is None or name not in _RELATIONS:
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
    return _related(operation, _level_ranks(first, levels[0]), _level_ranks(second, levels[0]))


def _level_ranks(value: Value, levels: tuple[str | None, ...]) -> Array:
    """Return the codes of an ordered factor, or the places of other values in its levels."""
    if isinstance(value, Factor | MalformedFactor):
        return np.trunc(bare_numbers(value, "")[0])
    place = {level: rank for rank, level in enumerate(levels, start=1)}
    words = text(untimed(value))
    table = np.array([float(place.get(item, np.nan)) for item in words.pool] + [np.nan])
    return table[words.codes]


@function(
    {
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
def _relation_or_truth(e1: Value, e2: Value, context: Context, called: str) -> Value:
    return operate(called, e1, e2, context)


# Logic ------------------------------------------------------------------------------------


@internal("&", "|")
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
    return logical(result, missing, column_names(first, second))


@internal("!")
def _negation(operation: Operation) -> Value:
    """Return ``!x``."""
    x = operation.first
    if isinstance(x, Null):
        raise DataError("invalid argument type")
    array, _ = elements(x, "invalid argument type")
    return logical(array == 0, np.isnan(array), column_names(x))


@function({"!": "Not."}, role="elementwise")
def _not(x: Value, context: Context) -> Value:
    return operate("!", x, None, context)


def _one_truth(name: str, side: str, value: Value, context: Context) -> float:
    """Return one side of ``&&`` or ``||`` as 0, 1 or NaN."""
    complaint = f"invalid '{side}' type in 'x {name} y'"
    array, _ = flat(value, complaint)
    if not array.size:
        return np.nan
    if array.size > 1:
        if context.lme4.compares_one:
            raise DataError(f"'length = {array.size}' in coercion to 'logical(1)'")
        context.warn(f"'length(x) = {array.size} > 1' in coercion to 'logical(1)'")
    return float(array[0]) if np.isnan(array[0]) else float(array[0] != 0)


@function({"&&": "And of the first elements.", "||": "Or of the first elements."}, role="summary")
def _first_truth(e1: Value, e2: Value, context: Context, called: str) -> Value:
    decisive = 0 if called == "&&" else 1
    one = _one_truth(called, "x", e1, context)
    if one == decisive:
        return scalar(decisive, "logical")
    two = _one_truth(called, "y", e2, context)
    if two == decisive:
        return scalar(decisive, "logical")
    return scalar(np.nan if np.isnan(one + two) else 1 - decisive, "logical")


@function("xor", role="elementwise")
def _xor(x: Value, y: Value, context: Context) -> Value:
    """Return where one of the two is true, not both."""
    either = operate("|", x, y, context)
    both = operate("&", x, y, context)
    return operate("&", either, operate("!", both, None, context), context)
