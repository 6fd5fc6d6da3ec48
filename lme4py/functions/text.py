"""Text: every function works on the distinct strings, never on the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lme4py.data.factors import distinct
from lme4py.data.values import Character, Factor, Value
from lme4py.errors import DataError
from lme4py.functions.coercion import Array, encoded, level_texts, pack, recycle, text, untimed
from lme4py.functions.table import Dot, function

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


def _joined(dots: Sequence[Dot], separator: str, collapse: Value | None) -> Character:
    """Return R's ``paste``: done on the distinct combinations of two, then of these and a third."""
    if collapse is not None:
        raise DataError("one text of all rows (collapse = ) is not supported")
    words = [text(dot.value) for dot in dots]
    size = max((word.codes.size for word in words), default=0)
    # An argument of length zero is an empty string beside longer ones.
    blank = Character(np.zeros(min(size, 1), dtype=np.int32), ("",))
    codes: Array = np.zeros(size, dtype=np.int64)
    pool = [""]
    for place, word in enumerate(word if word.codes.size else blank for word in words):
        others = level_texts([*word.pool, None])
        between = separator if place else ""
        more = recycle(word.codes, size) % len(others)  # the code of NA, -1, is the last one
        pairs, codes = distinct(codes.astype(np.int64) * len(others) + more)
        longest = max(map(len, pool), default=0) + len(between) + max(map(len, others))
        bounded_texts(longest * len(pairs))
        pool = [
            pool[pair // len(others)] + between + others[pair % len(others)]
            for pair in pairs.tolist()
        ]
    return encoded(codes, pool)


@function("paste", role="elementwise")
def _paste(dots: tuple[Dot, ...] = (), sep: str = " ", collapse: Value | None = None) -> Value:
    """Return texts put together, with a separator."""
    return _joined(dots, sep, collapse)


@function("paste0", role="elementwise")
def _paste0(dots: tuple[Dot, ...] = (), collapse: Value | None = None) -> Value:
    """Return texts put together."""
    return _joined(dots, "", collapse)


@function({"toupper": "Upper case.", "tolower": "Lower case."}, role="elementwise")
def _change_case(x: Value, called: str) -> Value:
    change = str.upper if called == "toupper" else str.lower

    def letterwise(item: str) -> str:
        # As in R, a letter never becomes two.
        return "".join(new if len(new := change(old)) == 1 else old for old in item)

    return _mapped(x, letterwise)


@function("nchar", role="elementwise")
def _nchar(x: Value) -> Value:
    """Return the number of characters of each text."""
    if isinstance(x, Factor):
        raise DataError("'nchar()' requires a character vector")
    # R counts the digits of a date's number, not of the date as it is written.
    words = text(untimed(x))
    counts = [len(item) for item in words.pool]
    return pack(np.array([*map(float, counts), np.nan])[words.codes], "integer")


@function("substr", role="elementwise")
def _substr(x: Value, start: int, stop: int) -> Value:
    """Return part of a text: the letters from `start` to `stop`, counted from 1."""
    return _mapped(x, lambda item: item[max(start - 1, 0) : max(stop, 0)])


@function("trimws", role="elementwise")
def _trimws(x: Value, which: str = "both") -> Value:
    """Return texts without the blanks around them."""
    if which not in ("both", "left", "right"):
        raise DataError("'arg' should be one of “both”, “left”, “right”")
    strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[which]
    return _mapped(x, lambda item: strip(item, " \t\r\n"))
