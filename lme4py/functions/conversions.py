"""Conversions between R's types, and questions about a value's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from lme4py.data.values import Character, Factor, Matrix, Null, Numeric, Value, is_difftime
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    FloatArray,
    as_vector,
    bare_numbers,
    flat,
    logical,
    pack,
    scalar,
    text,
    untimed,
)
from lme4py.functions.table import Context, function
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


def as_numbers(x: Value, context: Context) -> FloatArray:
    """Return R's ``as.numeric``: missing, with a warning, where text is no number."""
    if not isinstance(x, Character):
        array, _ = bare_numbers(x, "cannot coerce type 'closure' to vector of type 'double'")
        return array.reshape(-1, order="F")
    numbers = [_number(item) for item in x.pool]
    table = np.array([np.nan if item is None else item for item in numbers] + [np.nan])
    # Blank text is missing without a word.
    strange = [
        item is None and bool(word.strip()) for item, word in zip(numbers, x.pool, strict=True)
    ]
    if any(strange) and np.array([*strange, False])[x.codes].any():
        context.warn("NAs introduced by coercion")
    return table[x.codes]


@function(
    {
        "as.numeric": "Numbers; of a factor, its codes from 1.",
        "as.double": "The same as as.numeric.",
    },
    role="elementwise",
)
def _as_double(x: Value, context: Context, units: str = "auto") -> Value:
    if units != "auto" and isinstance(x, Numeric) and is_difftime(x.time):
        x = in_unit(x, units)
    return Numeric(as_numbers(x, context), "double")


@function("as.integer", role="elementwise")
def _as_integer(x: Value, context: Context) -> Value:
    """Return whole numbers, rounded to zero."""
    values = np.trunc(as_numbers(x, context))
    beyond = np.abs(values) > LARGEST_INTEGER
    if beyond.any():
        context.warn("NAs introduced by coercion to integer range")
        values = np.where(beyond, np.nan, values)
    return pack(values, "integer")


@function("as.logical", role="elementwise")
def _as_logical(x: Value) -> Value:
    """Return truth: zero is FALSE."""
    if isinstance(x, Factor | Character):
        words = text(x)
        table = [1.0 if item in _TRUE else 0.0 if item in _FALSE else np.nan for item in words.pool]
        return pack(np.array([*table, np.nan])[words.codes], "logical")
    values, _ = flat(x, "cannot coerce type 'closure' to vector of type 'logical'")
    return logical(values != 0, np.isnan(values))


@function("as.character", role="elementwise")
def _as_character(x: Value) -> Value:
    """Return text, numbers to 15 digits."""
    return text(x)


@function("as.vector", role="elementwise")
def _as_vector(x: Value) -> Value:
    """Return a bare vector: a matrix down its columns, a factor as text."""
    return text(x) if isinstance(x, Factor) else untimed(as_vector(x))


@function("unclass", role="elementwise")
def _unclass(x: Value) -> Value:
    """Return a factor's codes, the number of a date."""
    return pack(*bare_numbers(x, "")) if isinstance(x, Factor) else untimed(x)


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


@function(
    {name: purpose for name, (_, purpose) in _QUESTIONS.items()}, role="summary", rows="extremes"
)
def _question(x: Value, called: str) -> Value:
    return scalar(_QUESTIONS[called][0](x), "logical")
