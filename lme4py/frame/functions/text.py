"""Text: every function works on the distinct strings, never on the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    LARGEST_INTEGER,
    as_integer,
    as_string,
    flat,
    pack,
    recode,
    recycle,
    string,
    text,
)
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.values import (
    Character,
    Factor,
    Matrix,
    Null,
    Numeric,
    Value,
)

__all__ = ["MOST_CHARACTERS"]

Codes: TypeAlias = NDArray[np.int32]

_BLANKS = {"[ \t\r\n]": " \t\r\n", "[\\h\\v]": None}
_FORMAT = re.compile(r"%(?:%|([-+ 0#]*)(\d{1,9})?(?:\.(\d{1,9}))?([a-zA-Z]))")
_ABSENT = "NA"
MOST_CHARACTERS = 10**8
_WIDEST = 8191  # of one number or text in sprintf(), as in R


def _mapped(words: Character, formula: Callable[[str], str]) -> Character:
    """Return text with a function applied to each distinct string."""
    return recode(words.codes, _bounded([formula(item) for item in words.pool]))


def _bounded(strings: list[str]) -> list[str]:
    """Return the strings, or raise an error before they fill the memory."""
    if sum(map(len, strings)) > MOST_CHARACTERS:
        raise DataError(f"texts of more than {MOST_CHARACTERS} characters together")
    return strings


def _distinct_rows(columns: Sequence[Codes]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the distinct rows of several code columns, and each row's place among them."""
    places = np.zeros(columns[0].size, dtype=np.int64)
    first = np.zeros(1, dtype=np.intp)
    for column in columns:
        width = int(column.max(initial=-1)) + 2
        pair = places * width + (column + 1)
        bound = (int(places.max(initial=0)) + 1) * width
        if bound <= 4 * pair.size + 1024:
            used = np.zeros(bound, dtype=np.bool_)
            used[pair] = True
            places = (np.cumsum(used) - 1)[pair]
        else:
            _, inverse = np.unique(pair, return_inverse=True)
            places = inverse.reshape(-1).astype(np.int64)
    count = int(places.max(initial=-1)) + 1
    first = np.zeros(count, dtype=np.intp)
    first[places] = np.arange(places.size)
    rows = np.stack([column[first] for column in columns], axis=1).astype(np.int64)
    return rows, places.astype(np.intp)


def _joined(values: Sequence[Value], separator: str) -> Character:
    """Return R's ``paste``: done on the distinct combinations."""
    words = [text(value) for value in values]
    # An argument of length zero is an empty string beside longer ones.
    size = max((word.codes.size for word in words), default=0)
    if not size:
        return Character(np.empty(0, dtype=np.int32), ())
    words = [
        word if word.codes.size else Character(np.zeros(1, dtype=np.int32), ("",)) for word in words
    ]
    pools = [[*word.pool, _ABSENT] for word in words]
    columns = [recycle(word.codes, size) for word in words]
    rows, places = _distinct_rows(columns)
    longest = sum(max(map(len, pool)) for pool in pools) + len(separator) * len(pools)
    if longest * len(rows) > MOST_CHARACTERS:
        raise DataError(f"texts of more than {MOST_CHARACTERS} characters together")
    strings = [
        separator.join(pool[code] for pool, code in zip(pools, row, strict=True))
        for row in rows.tolist()
    ]
    return recode(places.astype(np.int32), strings)


def _pasted(dots: tuple[Dot, ...], separator: str, collapse: Value | None) -> Character:
    words = _joined([dot.value for dot in dots], separator)
    if collapse is None or isinstance(collapse, Null):
        return words
    if not isinstance(collapse, Character) or collapse.codes.size != 1 or collapse.codes[0] < 0:
        raise DataError("invalid 'collapse' argument")
    between = as_string(collapse, "collapse")
    lengths = np.array([len(item) for item in words.pool])[words.codes]
    if lengths.sum() + len(between) * lengths.size > MOST_CHARACTERS:
        raise DataError(f"a text of more than {MOST_CHARACTERS} characters")
    return string(between.join(words.pool[code] for code in words.codes.tolist()))


@function(
    "paste",
    '..., sep=" ", collapse=NULL',
    role="elementwise",
    purpose="Texts put together, with a separator.",
)
def _paste(
    dots: tuple[Dot, ...] = (), sep: Value | None = None, collapse: Value | None = None
) -> Value:
    return _pasted(dots, " " if sep is None else as_string(sep, "sep"), collapse)


@function("paste0", "..., collapse=NULL", role="elementwise", purpose="Texts put together.")
def _paste0(dots: tuple[Dot, ...] = (), collapse: Value | None = None) -> Value:
    return _pasted(dots, "", collapse)


@function("toupper", "x", role="elementwise", purpose="Upper case.")
def _toupper(x: Value) -> Value:
    return _mapped(text(x), lambda item: _letterwise(item, str.upper))


@function("tolower", "x", role="elementwise", purpose="Lower case.")
def _tolower(x: Value) -> Value:
    return _mapped(text(x), lambda item: _letterwise(item, str.lower))


def _letterwise(item: str, change: Callable[[str], str]) -> str:
    """Return the text changed letter by letter: as R, a letter never becomes two."""
    return "".join(new if len(new := change(old)) == 1 else old for old in item)


@function(
    "nchar", 'x, type="chars", allowNA=FALSE, keepNA=NA', role="elementwise", purpose="Length."
)
def _nchar(
    x: Value,
    type: Value | None = None,
    allowna: Value | None = None,  # noqa: ARG001
    keepna: Value | None = None,  # noqa: ARG001
) -> Value:
    if isinstance(x, Factor):
        raise DataError("'nchar()' requires a character vector")
    unit = "chars" if type is None else as_string(type, "type")
    if unit not in ("chars", "bytes"):
        raise DataError(f"nchar() with type '{unit}' is not supported")
    # R counts the digits of a date's number, not of the date as it is written.
    words = text(Numeric(x.values, x.kind) if isinstance(x, Numeric) else x)
    counts: list[float] = [
        len(item.encode()) if unit == "bytes" else len(item) for item in words.pool
    ]
    return pack(np.array([*counts, np.nan])[words.codes], "integer")


def _positions(value: Value, name: str) -> NDArray[Any]:
    array, _ = flat(value, "invalid substring arguments")
    if not array.size:
        raise DataError("invalid substring arguments")
    if isinstance(value, Character):
        raise DataError(f"invalid '{name}' argument")
    return np.clip(np.trunc(array), -LARGEST_INTEGER, LARGEST_INTEGER)


def _slice(words: Character, start: NDArray[Any], stop: NDArray[Any], size: int) -> Character:
    """Return the letters from `start` to `stop`, counted from 1, both included."""
    if not words.codes.size:
        return words
    codes = recycle(words.codes, size).astype(np.int32)
    columns, tables = [codes], []
    for place in (start, stop):
        found, inverse = np.unique(place, return_inverse=True)
        at = inverse.reshape(-1).astype(np.int32)
        columns.append(recycle(at, size) if at.size != size else at)
        tables.append(found.tolist())
    rows, places = _distinct_rows(columns)
    strings: list[str | None] = []
    for code, first, last in rows.tolist():
        begin, end = tables[0][first], tables[1][last]
        if code < 0 or begin != begin or end != end:  # noqa: PLR0124  # NaN is missing
            strings.append(None)
        else:
            strings.append(words.pool[code][max(int(begin) - 1, 0) : max(int(end), 0)])
    return recode(places.astype(np.int32), strings)


@function("substr", "x, start, stop", role="elementwise", purpose="Part of a text.")
def _substr(x: Value, start: Value, stop: Value) -> Value:
    words = text(x)
    return _slice(words, _positions(start, "start"), _positions(stop, "stop"), words.codes.size)


@function("substring", "text, first, last=1000000L", role="elementwise", purpose="Part of a text.")
def _substring(first: Value, last: Value | None = None, **named: Value) -> Value:
    words = text(named["text"])
    begin = _positions(first, "first")
    end = np.array([1e6]) if last is None else _positions(last, "last")
    size = max(words.codes.size, begin.size, end.size) if words.codes.size else 0
    return _slice(words, begin, end, size)


def _affix(x: Value, affix: Value, test: Callable[[str, str], bool]) -> Value:
    if not isinstance(x, Character) or not isinstance(affix, Character):
        raise DataError("non-character object(s)")
    if not x.codes.size or not affix.codes.size:
        return pack(np.empty(0), "logical")
    size = max(x.codes.size, affix.codes.size)
    rows, places = _distinct_rows(
        [recycle(x.codes, size).astype(np.int32), recycle(affix.codes, size).astype(np.int32)]
    )
    found = [
        np.nan if one < 0 or two < 0 else float(test(x.pool[one], affix.pool[two]))
        for one, two in rows.tolist()
    ]
    return pack(np.array(found)[places], "logical")


@function("startsWith", "x, prefix", role="elementwise", purpose="Whether a text begins so.")
def _startswith(x: Value, prefix: Value) -> Value:
    return _affix(x, prefix, str.startswith)


@function("endsWith", "x, suffix", role="elementwise", purpose="Whether a text ends so.")
def _endswith(x: Value, suffix: Value) -> Value:
    return _affix(x, suffix, str.endswith)


@function(
    "trimws",
    'x, which="both", whitespace="[ \\t\\r\\n]"',
    role="elementwise",
    purpose="Without blanks around.",
)
def _trimws(x: Value, which: Value | None = None, whitespace: Value | None = None) -> Value:
    side = "both" if which is None else as_string(which, "which")
    pattern = "[ \t\r\n]" if whitespace is None else as_string(whitespace, "whitespace")
    if pattern not in _BLANKS:
        raise DataError("trimws() takes the standard 'whitespace' only")
    blanks = _BLANKS[pattern]
    if side not in ("both", "left", "right"):
        raise DataError("'arg' should be one of “both”, “left”, “right”")
    strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[side]
    return _mapped(text(x), lambda item: strip(item, blanks))


@function("strtoi", "x, base=10L", role="elementwise", purpose="Whole numbers of text.")
def _strtoi(x: Value, base: Value | None = None) -> Value:
    words = text(x)
    root = 10 if base is None else as_integer(base, "base")
    if root not in (0, *range(2, 37)):
        raise DataError("invalid 'base' argument")

    def number(item: str) -> float:
        if not re.fullmatch(r"\s*[+-]?(0[xX])?[0-9A-Za-z]+", item):
            return np.nan
        bare = item.strip()
        octal = root == 0 and re.fullmatch(r"[+-]?0[0-7]+", bare)
        try:
            value = int(bare, 8 if octal else root)
        except ValueError:
            return np.nan
        return float(value) if abs(value) <= LARGEST_INTEGER else np.nan

    return pack(np.array([*(number(item) for item in words.pool), np.nan])[words.codes], "integer")


# --- sprintf --------------------------------------------------------------------------


def _piece(flags: str, width: str, digits: str, letter: str, value: Value, item: str) -> str:
    """Return one formatted value; `item` is its text, the missing one "NA"."""
    numeric = isinstance(value, Numeric | Matrix)
    if int(width or 0) > _WIDEST or int(digits or 0) > _WIDEST:
        raise DataError(f"sprintf() writes at most {_WIDEST} characters for one value")
    field = f"%{flags}{width}"
    if letter == "s":
        cut = item[: int(digits)] if digits else item
        spare = int(width or 0) - len(cut.encode())  # R counts bytes here
        return cut + " " * spare if "-" in flags else " " * spare + cut
    if not numeric:
        raise DataError(f"invalid format '%{letter}'; use format %s for character objects")
    blank = f"%{flags.replace('0', '')}{width}s"
    if item == _ABSENT:
        return blank % item
    if letter in "di":
        number = float(_numeric_item(item))
        if number != np.floor(number):
            raise DataError(
                f"invalid format '%{letter}'; use format %f, %e, %g or %a for numeric objects"
            )
        return f"{field}{'.' + digits if digits else ''}d" % int(number)
    if letter in "feEgG":
        number = float(_numeric_item(item))
        if not np.isfinite(number):
            return blank % ("Inf" if number > 0 else "-Inf")
        return f"{field}{'.' + digits if digits else ''}{letter}" % number
    if letter in "xXo":
        return f"{field}{letter}" % int(float(_numeric_item(item)))
    raise DataError(f"unrecognised format specification '%{letter}'")


def _numeric_item(item: str) -> str:
    return {"TRUE": "1", "FALSE": "0"}.get(item, item)


def _exact_text(value: Value) -> Character:
    """Return numbers as text that gives them back exactly, other values as R's text."""
    if isinstance(value, Numeric | Matrix) and value.kind == "double":
        array, _ = flat(value, "unsupported type")
        missing = np.isnan(array)
        found, inverse = np.unique(array[~missing], return_inverse=True)
        codes = np.full(array.size, -1, dtype=np.int32)
        codes[~missing] = inverse.reshape(-1)
        return recode(codes, [repr(item) for item in found.tolist()])
    return text(value)


@function("sprintf", "fmt, ...", role="elementwise", purpose="Formatted text.")
def _sprintf(fmt: Value, dots: tuple[Dot, ...] = ()) -> Value:
    template = as_string(fmt, "fmt")
    values = [dot.value for dot in dots]
    pieces = list(_FORMAT.finditer(template))
    if template.replace("%%", "").count("%") != sum(1 for match in pieces if match[4]):
        raise DataError("unrecognised format specification")
    wanted = [match for match in pieces if match[4] is not None]
    if len(wanted) > len(values):
        raise DataError("too few arguments")
    values = values[: len(wanted)]
    words = [
        text(value) if match[4] == "s" else _exact_text(value)
        for match, value in zip(wanted, values, strict=True)
    ]
    if any(not word.codes.size for word in words):
        return Character(np.empty(0, dtype=np.int32), ())
    if not words:
        return recode(np.zeros(1, dtype=np.int32), [template.replace("%%", "%")])
    size = max(word.codes.size for word in words)
    rows, places = _distinct_rows([recycle(word.codes, size).astype(np.int32) for word in words])
    strings = []
    for row in rows.tolist():
        items = iter(
            (value, _ABSENT if code < 0 else word.pool[code])
            for value, word, code in zip(values, words, row, strict=True)
        )

        def fill(match: re.Match[str], items: Any = items) -> str:
            if match[4] is None:
                return "%"
            value, item = next(items)
            return _piece(match[1], match[2] or "", match[3] or "", match[4], value, item)

        strings.append(_FORMAT.sub(fill, template))
    return recode(places.astype(np.int32), strings)
