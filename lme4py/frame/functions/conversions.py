"""Conversions between R's types, and questions about a value's type."""

from __future__ import annotations

import re
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.calendar import formatted
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    as_string,
    flat,
    pack,
    scalar,
    text,
)
from lme4py.frame.functions.dates import date_of_text
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.functions.times import in_unit
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
)

__all__ = ["numbers_of_text", "truth_of_text"]

FloatArray: TypeAlias = NDArray[np.float64]

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(?:[eE][+-]?(?P<power>\d*))?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+(\.[0-9a-fA-F]*)?([pP][+-]?\d+)?")
_WORDS = {"inf": np.inf, "infinity": np.inf, "nan": np.nan}
_TRUE = frozenset(("T", "True", "TRUE", "true"))
_FALSE = frozenset(("F", "False", "FALSE", "false"))


def _number(item: str) -> float | None:
    """Return the number that a string spells, None if it spells none."""
    item = item.strip(" \t\n\v\f\r")
    if (match := _DECIMAL.fullmatch(item)) is not None:
        # R reads an exponent without digits as 0.
        return float(f"{item}0" if match["power"] == "" else item)
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
    match x:
        case Factor():
            return np.where(x.codes < 0, np.nan, x.codes + 1.0)
        case Character():
            return numbers_of_text(x, context)
        case MalformedFactor():
            return x.values
        case FunctionName():
            raise DataError("cannot coerce type 'closure' to vector of type 'double'")
        case _:
            return flat(x, "")[0]


def _as_double(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:
    units = [dot.value for dot in dots if dot.name == "units"]
    if units and isinstance(x, Numeric) and is_difftime(x.time):
        wanted = as_string(units[0], "units")
        x = x if wanted == "auto" else in_unit(x, wanted)
    return Numeric(_numbers(x, context), "double")


for _name in ("as.numeric", "as.double"):
    function(
        _name, "x, ...", role="elementwise", purpose="Numbers; of a factor, its codes from 1."
    )(_as_double)


@function("as.integer", "x, ...", role="elementwise", purpose="Whole numbers, rounded to zero.")
def _as_integer(x: Value, context: Context, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    values = np.trunc(_numbers(x, context))
    beyond = np.abs(values) > LARGEST_INTEGER
    if beyond.any():
        context.warn("NAs introduced by coercion to integer range")
        values = np.where(beyond, np.nan, values)
    return pack(values, "integer")


@function("as.logical", "x, ...", role="elementwise", purpose="Truth: zero is FALSE.")
def _as_logical(x: Value, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    if isinstance(x, Factor):
        x = text(x)
    if isinstance(x, Character):
        return pack(truth_of_text(x), "logical")
    values, _ = flat(x, "cannot coerce type 'closure' to vector of type 'logical'")
    return pack(np.where(np.isnan(values), np.nan, values != 0), "logical")


@function("as.character", "x, ...", role="elementwise", purpose="Text, numbers to 15 digits.")
def _as_character(x: Value, dots: tuple[Dot, ...] = ()) -> Value:
    if dots and isinstance(x, Numeric) and x.time in ("Date", "POSIXct"):
        written: Value = formatted(x, dots)
        return written
    return text(x)


@function(
    "as.vector",
    'x, mode="any"',
    role="elementwise",
    purpose="A bare vector: a matrix down its columns, a factor as text.",
)
def _as_vector(x: Value, context: Context, mode: Value | None = None) -> Value:
    kind = "any" if mode is None else as_string(mode, "mode")
    if kind in ("numeric", "double"):
        numbers: Value = _as_double(x, context)
        return numbers
    if kind == "integer":
        whole: Value = _as_integer(x, context)
        return whole
    if kind == "logical":
        truth: Value = _as_logical(x)
        return truth
    if kind == "character":
        return text(x)
    if kind != "any":
        raise DataError(f"vector: cannot make a vector of mode '{kind}'.")
    match x:
        case Factor():
            return text(x)
        case Matrix():
            return pack(x.values.reshape(-1, order="F"), x.kind)
        case Numeric():
            return Numeric(x.values, x.kind)
        case _:
            return x


@function("as.Date", "x, format?, tryFormats?, origin?, ...", role="elementwise", purpose="Dates.")
def _as_date(
    x: Value,
    format: Value | None = None,
    tryformats: Value | None = None,
    origin: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if tryformats is not None:
        raise DataError("as.Date() with 'tryFormats' is not supported: give 'format'")
    if isinstance(x, Factor):
        x = text(x)
    if isinstance(x, Character):
        return date_of_text(x, None if format is None else as_string(format, "format"))
    if isinstance(x, Numeric) and x.time == "Date":
        return x
    if isinstance(x, Numeric) and x.time == "POSIXct":
        return Numeric(np.floor(x.as_float() / 86400), "double", "Date")
    if isinstance(x, Numeric) and x.kind != "logical" and not is_difftime(x.time):
        values = x.as_float()
        if origin is None:
            if np.isfinite(values).any():
                raise DataError("'origin' must be supplied")
            return Numeric(values, "double", "Date")
        start = flat(_as_date(origin), "")[0]
        if start.size != 1:
            raise DataError("'origin' must be one date")
        return Numeric(values + start, "double", "Date")
    if isinstance(x, Numeric) and np.isnan(x.as_float()).all():
        return Numeric(x.as_float(), "double", "Date")
    # R names the expression where we say x.
    raise DataError("do not know how to convert 'x' to class “Date”")


def _enter_questions() -> None:
    """Enter the functions that ask for a type."""

    def number(x: Value) -> bool:
        bare = isinstance(x, Numeric) and x.time is None
        return (bare or isinstance(x, Matrix)) and _kind(x) != "logical"

    questions = {
        "is.numeric": number,
        "is.double": lambda x: _kind(x) == "double",
        "is.integer": lambda x: _kind(x) == "integer",
        "is.logical": lambda x: _kind(x) == "logical",
        "is.character": lambda x: isinstance(x, Character),
        "is.factor": lambda x: isinstance(x, Factor),
        "is.ordered": lambda x: isinstance(x, Factor) and x.ordered,
        "is.matrix": lambda x: isinstance(x, Matrix),
        "is.null": lambda x: isinstance(x, Null),
    }
    for name, question in questions.items():

        def answer(x: Value, _question=question) -> Value:  # type: ignore[no-untyped-def]  # noqa: ANN001
            return scalar(_question(x), "logical")

        function(name, "x", role="summary", purpose="A question about the type.")(answer)


def _kind(x: Value) -> str | None:
    return x.kind if isinstance(x, Numeric | Matrix) else None


_enter_questions()
