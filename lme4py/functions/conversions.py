"""Conversions between R's types, and questions about a value's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.values import (
    Character,
    Factor,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    time_class,
)
from lme4py.functions.calendar import formatted
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    FloatArray,
    as_string,
    as_vector,
    bare_numbers,
    codes_as_numbers,
    flat,
    logical,
    pack,
    scalar,
    text,
    untimed,
)
from lme4py.functions.table import Context, Dot, function
from lme4py.functions.times import in_unit
from lme4py.versions import followed

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(?:[eE][+-]?(?P<power>\d*))?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+(\.[0-9a-fA-F]*)?([pP][+-]?\d+)?")
_WORDS = {"inf": np.inf, "infinity": np.inf, "nan": np.nan}
_TRUE = frozenset(("T", "True", "TRUE", "true"))
_FALSE = frozenset(("F", "False", "FALSE", "false"))


def _number(item: str) -> float | None:
    """Return the number that a string spells, None if it spells none."""
    item = item.strip(" \t\n\v\f\r")
    if (match := _DECIMAL.fullmatch(item)) is not None:
        # R 4.2 reads an exponent without digits as 0.
        if match["power"] == "":
            return float(f"{item}0") if followed().reads_open_exponents else None
        return float(item)
    if _HEXADECIMAL.fullmatch(item):
        return float.fromhex(item)
    sign = -1.0 if item.startswith("-") else 1.0
    word = _WORDS.get(item.lstrip("+-").lower()) if item[1:2] not in ("+", "-") else None
    return None if word is None else sign * word


def numbers_of_text(value: Character, context: Context) -> FloatArray:
    """Return R's ``as.numeric`` of text: missing, with a warning, where it is no number.

    Parameters
    ----------
    value : Character
    context : Context
        Takes the warning.

    Returns
    -------
    ndarray, shape (n,)
    """
    numbers = [_number(item) for item in value.pool]
    table = np.array([np.nan if item is None else item for item in numbers] + [np.nan])
    # Blank text is missing without a word.
    strange = [
        item is None and bool(word.strip()) for item, word in zip(numbers, value.pool, strict=True)
    ]
    if any(strange) and np.array([*strange, False])[value.codes].any():
        context.warn("NAs introduced by coercion")
    return table[value.codes]


def truth_of_text(value: Character) -> FloatArray:
    """Return R's ``as.logical`` of text as 0, 1 and NaN."""
    table = [1.0 if item in _TRUE else 0.0 if item in _FALSE else np.nan for item in value.pool]
    return np.array([*table, np.nan])[value.codes]


def _numbers(x: Value, context: Context) -> FloatArray:
    if isinstance(x, Character):
        return numbers_of_text(x, context)
    array, _ = bare_numbers(x, "cannot coerce type 'closure' to vector of type 'double'")
    return array.reshape(-1, order="F")


@function(
    {
        "as.numeric": "Numbers; of a factor, its codes from 1.",
        "as.double": "The same as as.numeric.",
    },
    role="elementwise",
)
def _as_double(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    units = [dot.value for dot in dots if dot.name == "units"]
    if units and isinstance(x, Numeric) and is_difftime(x.time):
        wanted = as_string(units[0], "units")
        x = x if wanted == "auto" else in_unit(x, wanted)
    return Numeric(_numbers(x, context), "double")


@function("as.integer", role="elementwise")
def _as_integer(x: Value, context: Context, _dots: tuple[Dot, ...] = ()) -> Value:
    """Return whole numbers, rounded to zero."""
    values = np.trunc(_numbers(x, context))
    beyond = np.abs(values) > LARGEST_INTEGER
    if beyond.any():
        context.warn("NAs introduced by coercion to integer range")
        values = np.where(beyond, np.nan, values)
    return pack(values, "integer")


@function("as.logical", role="elementwise")
def _as_logical(x: Value, _dots: tuple[Dot, ...] = ()) -> Value:
    """Return truth: zero is FALSE."""
    if isinstance(x, Factor | Character):
        return pack(truth_of_text(text(x)), "logical")
    values, _ = flat(x, "cannot coerce type 'closure' to vector of type 'logical'")
    return logical(values != 0, np.isnan(values))


@function("as.character", role="elementwise")
def _as_character(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    """Return text, numbers to 15 digits."""
    if dots and isinstance(x, Numeric) and time_class(x.time) in ("Date", "POSIXct"):
        if context.lme4.times_one_by_one:
            raise DataError(
                "'digits' must be numeric, integer valued",
                hint="since R 4.3 as.character() of times takes no format: write format(x, ...)",
            )
        return formatted(x, dots)
    return text(x)


@function("as.vector", role="elementwise")
def _as_vector(x: Value, context: Context, mode: str = "any") -> Value:
    """Return a bare vector: a matrix down its columns, a factor as text."""
    match mode:
        case "numeric" | "double":
            return _as_double(x, context)
        case "integer":
            return _as_integer(x, context)
        case "logical":
            return _as_logical(x)
        case "character":
            return text(x)
        case "any":
            return text(x) if isinstance(x, Factor) else untimed(as_vector(x))
        case _:
            raise DataError(f"vector: cannot make a vector of mode '{mode}'.")


@function("unclass", role="elementwise")
def _unclass(x: Value) -> Value:
    """Return a factor's codes, the number of a date."""
    match x:
        case Factor():
            return pack(codes_as_numbers(x), "integer")
        case MalformedFactor(values=values, kind=kind):
            return Numeric(values, kind)
        case _:
            return untimed(x)


# Questions ----------------------------------------------------------------------------------


def _kind(x: Value) -> str | None:
    return x.kind if isinstance(x, Numeric | Matrix) else None


_QUESTIONS: Mapping[str, tuple[Callable[[Value], bool], str]] = {
    "is.numeric": (
        lambda x: untimed(x) is x and _kind(x) in ("integer", "double"),
        "Whether numbers, not truth or times.",
    ),
    "is.double": (lambda x: _kind(x) == "double", "Whether of type double."),
    "is.integer": (lambda x: _kind(x) == "integer", "Whether of type integer."),
    "is.logical": (lambda x: _kind(x) == "logical", "Whether of type logical."),
    "is.character": (lambda x: isinstance(x, Character), "Whether text."),
    "is.factor": (lambda x: isinstance(x, Factor), "Whether a factor."),
    "is.ordered": (lambda x: isinstance(x, Factor) and x.ordered, "Whether an ordered factor."),
    "is.matrix": (lambda x: isinstance(x, Matrix), "Whether a matrix."),
    "is.null": (lambda x: isinstance(x, Null), "Whether NULL."),
}


@function({name: purpose for name, (_, purpose) in _QUESTIONS.items()}, role="summary")
def _question(x: Value, called: str) -> Value:
    return scalar(_QUESTIONS[called][0](x), "logical")
