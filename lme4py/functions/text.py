"""Text: every function works on the distinct strings, never on the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.values import Character, Codes, Factor, Value
from lme4py.functions.coercion import (
    LARGEST_INTEGER,
    Array,
    encoded,
    flat,
    level_texts,
    pack,
    recycle,
    string,
    text,
    untimed,
)
from lme4py.functions.table import NA, Dot, function

_BLANKS = {"[ \t\r\n]": " \t\r\n", "[\\h\\v]": None}
_MOST_CHARACTERS = 10**8


def bounded_texts(characters: int) -> None:
    """Raise an error before texts fill the memory."""
    if characters > _MOST_CHARACTERS:
        raise DataError(f"texts of more than {_MOST_CHARACTERS} characters together")


def _mapped(x: Value, formula: Callable[[str], str]) -> Character:
    """Return text with a function applied to each distinct string."""
    words = text(x)
    strings = [formula(item) for item in words.pool]
    bounded_texts(sum(map(len, strings)))
    return encoded(words.codes, strings)


def _distinct_rows(columns: Sequence[Codes]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the distinct rows of several code columns, and each row's place among them."""
    places = np.zeros(columns[0].size, dtype=np.int64)
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
    size = max((word.codes.size for word in words), default=0)
    if not size:
        return encoded(np.empty(0, dtype=np.int32), [])
    # An argument of length zero is an empty string beside longer ones.
    words = [word if word.codes.size else string("") for word in words]
    pools = [level_texts([*word.pool, None]) for word in words]
    rows, places = _distinct_rows([recycle(word.codes, size) for word in words])
    longest = sum(max(map(len, pool)) for pool in pools) + len(separator) * len(pools)
    bounded_texts(longest * len(rows))
    strings = [
        separator.join(pool[code] for pool, code in zip(pools, row, strict=True))
        for row in rows.tolist()
    ]
    return encoded(places, strings)


@function("paste", role="elementwise")
def _paste(dots: tuple[Dot, ...] = (), sep: str = " ", collapse: Value | None = None) -> Value:
    """Return texts put together, with a separator."""
    words = _joined([dot.value for dot in dots], sep)
    if collapse is None:
        return words
    if not isinstance(collapse, Character) or collapse.codes.size != 1 or collapse.codes[0] < 0:
        raise DataError("invalid 'collapse' argument")
    between = collapse.pool[int(collapse.codes[0])]
    lengths = np.array([len(item) for item in words.pool])[words.codes]
    bounded_texts(int(lengths.sum()) + len(between) * lengths.size)
    return string(between.join(words.pool[code] for code in words.codes.tolist()))


@function("paste0", role="elementwise")
def _paste0(dots: tuple[Dot, ...] = (), collapse: Value | None = None) -> Value:
    """Return texts put together."""
    return _paste(dots, "", collapse)


@function({"toupper": "Upper case.", "tolower": "Lower case."}, role="elementwise")
def _change_case(x: Value, called: str) -> Value:
    change = str.upper if called == "toupper" else str.lower

    def letterwise(item: str) -> str:
        # As in R, a letter never becomes two.
        return "".join(new if len(new := change(old)) == 1 else old for old in item)

    return _mapped(x, letterwise)


@function("nchar", role="elementwise")
def _nchar(x: Value, type: str = "chars", _allowNA: bool = False, _keepNA: Value = NA) -> Value:
    """Return the number of characters of each text."""
    if isinstance(x, Factor):
        raise DataError("'nchar()' requires a character vector")
    if type not in ("chars", "bytes"):
        raise DataError(f"nchar() with type '{type}' is not supported")
    # R counts the digits of a date's number, not of the date as it is written.
    words = text(untimed(x))
    counts = [len(item.encode()) if type == "bytes" else len(item) for item in words.pool]
    return pack(np.array([*map(float, counts), np.nan])[words.codes], "integer")


def _positions(value: Value) -> Array:
    array, _ = flat(value, "invalid substring arguments")
    if not array.size:
        raise DataError("invalid substring arguments")
    return np.clip(np.trunc(array), -LARGEST_INTEGER, LARGEST_INTEGER)


@function("substr", role="elementwise")
def _substr(x: Value, start: Value, stop: Value) -> Value:
    """Return part of a text: the letters from `start` to `stop`, counted from 1."""
    words = text(x)
    columns, tables = [words.codes], []
    for place in (_positions(start), _positions(stop)):
        found, inverse = np.unique(place, return_inverse=True)
        columns.append(recycle(inverse.reshape(-1).astype(np.int32), words.codes.size))
        tables.append(found.tolist())
    rows, places = _distinct_rows(columns)
    strings: list[str | None] = []
    for code, first, last in rows.tolist():
        begin, end = tables[0][first], tables[1][last]
        if code < 0 or np.isnan(begin + end):
            strings.append(None)
        else:
            strings.append(words.pool[code][max(int(begin) - 1, 0) : max(int(end), 0)])
    return encoded(places, strings)


@function("trimws", role="elementwise")
def _trimws(x: Value, which: str = "both", whitespace: str = "[ \t\r\n]") -> Value:
    """Return texts without the blanks around them."""
    if whitespace not in _BLANKS:
        raise DataError("trimws() takes the standard 'whitespace' only")
    if which not in ("both", "left", "right"):
        raise DataError("'arg' should be one of “both”, “left”, “right”")
    strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[which]
    return _mapped(x, lambda item: strip(item, _BLANKS[whitespace]))
