"""Text, put together, cut, searched and replaced: on the distinct strings, never on the rows.

Plain text needs nothing more. Regular expressions are matched by the package ``regex``, which
knows POSIX classes and R's two ways: without ``perl = TRUE`` the longest of the leftmost
matches, with it the first in the order of writing. It is given a limited time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lme4py.data.factors import distinct
from lme4py.data.values import Character, Factor, Value
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    Array,
    encoded,
    level_texts,
    logical,
    pack,
    recycle,
    text,
    untimed,
)
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
    pool: list[str] = []
    codes: Array = np.zeros(size, dtype=np.int64)
    for word in [word if word.codes.size else blank for word in words]:
        others = level_texts([*word.pool, None])
        more = recycle(word.codes, size) % len(others)  # the code of NA, -1, is the last one
        pairs, codes = distinct(codes.astype(np.int64) * len(others) + more)
        ends = max(map(len, others)) + len(separator)
        bounded_texts((max(map(len, pool), default=0) + ends) * len(pairs))
        before, after = (part.tolist() for part in np.divmod(pairs, len(others)))
        if pool:
            texts = zip(before, after, strict=True)
            pool = [pool[one] + separator + others[two] for one, two in texts]
        else:
            pool = [others[two] for two in after]
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


# Patterns -----------------------------------------------------------------------------------

_SIGNS = frozenset("\\^$.|?*+()[]{}")
_SECONDS = 5.0
_LONGEST_PATTERN = 2_000
_CASES: Mapping[str, Callable[[str], str]] = {"U": str.upper, "L": str.lower, "E": str}
# What TRE writes otherwise than the package.
_ESCAPED = {r"\<": r"\m", r"\>": r"\M", "$": r"\Z"}
# A bracket with its classes, or an escaped letter.
_WHOLE = r"(\[\^?\]?(?:\[[:.=].*?[:.=]\]|[^\]])*\])|\\."
# What is no expression to TRE, or is read by rules of its own: a repetition repeated, a group
# repeated by numbers, more than 99 times, an open brace, groups with a question mark.
_OF_TRE = re.compile(r"[*+?}][*+?]|\)\{|\{[^}]*\d{3}|\{(?!\d+(?:,\d*)?\})|\(\?(?![:i])")
_OF_TRE_WITH_GROUPS = re.compile(r"[|]|\)[*+?]")


def _unsupported(what: str) -> DataError:
    """Return the error for what TRE does by rules of its own."""
    return DataError(
        f"{what} is not supported without perl = TRUE",
        hint="give perl = TRUE, or write it in another way",
    )


def _from_posix(pattern: str) -> str:
    """Return a POSIX regular expression, as R's TRE reads it, in the package's syntax."""

    def written(match: re.Match[str]) -> str:
        if match[1]:
            # A backslash is a letter in there, and so is what the package takes for operators.
            return re.sub(r"(?<!^)(\[(?![:.=])|[\\&~|])", r"\\\1", match[1])
        return _ESCAPED.get(match[0], match[0])

    if _OF_TRE.search(_bare(pattern)):
        raise _unsupported(f"the regular expression '{pattern}'")
    return re.sub(_WHOLE + r"|\$", written, pattern, flags=re.DOTALL)


def _bare(pattern: str) -> str:
    """Return the signs of a pattern: a letter for each bracket and each escaped letter."""
    return re.sub(_WHOLE, "x", pattern, flags=re.DOTALL)


class Pattern:
    r"""A regular expression of R's; of PCRE's rules, or with either case of letters, where asked.

    Examples
    --------
    >>> Pattern("x+").replaced("axxb", lambda match: "-", every=True)
    'a-b'
    >>> Pattern("a|ab").replaced("abc", lambda match: f"<{match.group()}>", every=True)
    '<ab>c'
    """

    def __init__(self, text: str, *, perl: bool = False, fold: bool = False) -> None:
        try:
            import regex
        except ImportError:
            raise DataError(
                "regular expressions need the package regex",
                hint="pip install -e '.[regex]', or search for plain text with fixed = TRUE",
            ) from None
        if len(text) > _LONGEST_PATTERN:
            raise DataError(f"a regular expression of more than {_LONGEST_PATTERN} letters")
        source = text if perl else _from_posix(text)
        flags = regex.ASCII if perl else regex.POSIX | regex.DOTALL
        try:
            self._compiled = regex.compile(source, flags | (regex.IGNORECASE if fold else 0))
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise DataError(f"invalid regular expression '{text}': {error}") from None
        self.groups: int = self._compiled.groups
        # TRE fills the groups of other expressions by rules of its own.
        self.clear = perl or not _OF_TRE_WITH_GROUPS.search(_bare(text))
        self._end = time.monotonic() + _SECONDS

    def _timed(self, find: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the package, or raise an error if the texts so far took too long."""
        left = self._end - time.monotonic()
        try:
            if left > 0:
                return find(*arguments, timeout=left)
        except TimeoutError:
            pass
        raise DataError(
            "this regular expression takes too long on these texts",
            hint="write it without repetitions inside repetitions, or compute the column before",
        )

    def occurs(self, text: str) -> bool:
        """Tell whether the pattern matches somewhere."""
        return self._timed(self._compiled.search, text) is not None

    def replaced(self, text: str, fill: Callable[[Any], str], *, every: bool) -> str:
        """Return a text with the first match, or every one, replaced."""
        ends: set[tuple[bool, int]] = set()

        def filled(match: Any) -> str:
            begin, end = match.span()
            if (True, begin) in ends:
                raise DataError("a regular expression with two matches in one place")
            ends.add((begin == end, end))
            # R has no empty match at the end of another one.
            return "" if begin == end and (False, begin) in ends else fill(match)

        return str(self._timed(self._compiled.sub, filled, text, 0 if every else 1))


def _wanted(wanted: str, fold: bool, perl: bool, fixed: bool, new: str = "") -> str | Pattern:
    """Return what is searched for: text, or a regular expression where signs make it one.

    `new` is the replacement, whose backslashes mean groups.
    """
    if fixed and (fold or perl):
        raise DataError("fixed = TRUE takes neither ignore.case nor perl")
    if not wanted:
        raise DataError("zero-length pattern")
    plain = not fold and "\\" not in new and not any(sign in wanted for sign in _SIGNS)
    if fixed or plain:
        return wanted
    return Pattern(wanted, perl=perl, fold=fold)


@function("grepl", role="elementwise")
def _grepl(
    pattern: str, x: Value, ignore_case: bool = False, perl: bool = False, fixed: bool = False
) -> Value:
    """Return whether a pattern occurs."""
    wanted = _wanted(pattern, ignore_case, perl, fixed)
    words = text(x)
    if isinstance(wanted, str):
        found = [wanted in item for item in words.pool]
    else:
        found = [wanted.occurs(item) for item in words.pool]
    return logical(np.array([*found, False])[words.codes])


def _filler(new: str, groups: int, perl: bool) -> Callable[[Any], str]:
    r"""Return a function that writes the replacement of a match, ``\1`` for its first group."""
    pieces: list[tuple[str, str]] = []
    letters = iter(new)
    for letter in letters:
        escaped = next(letters, "") if letter == "\\" else ""
        if escaped in tuple("123456789"):
            # R writes nothing for a group that is not there.
            pieces.append(("group", escaped) if int(escaped) <= groups else ("text", ""))
        elif perl and escaped in ("U", "L", "E"):
            pieces.append(("case", escaped))
        else:
            pieces.append(("text", escaped or ("" if letter == "\\" else letter)))

    def fill(match: Any) -> str:
        result: list[str] = []
        change: Callable[[str], str] = str
        for kind, item in pieces:
            if kind == "group":
                result.append(change(match.group(int(item)) or ""))
            elif kind == "case":
                change = _CASES[item]
            else:
                result.append(item)
        return "".join(result)

    return fill


@function(
    {
        "sub": "The first occurrence of a pattern replaced.",
        "gsub": "Every occurrence of a pattern replaced.",
    },
    role="elementwise",
)
def _replace(
    pattern: str,
    replacement: str,
    x: Value,
    called: str,
    ignore_case: bool = False,
    perl: bool = False,
    fixed: bool = False,
) -> Value:
    wanted = _wanted(pattern, ignore_case, perl, fixed, replacement)
    words, every = text(x), called == "gsub"
    letters = sum(map(len, words.pool)) + len(words.pool)
    bounded_texts(letters * (len(replacement) + 1))
    if isinstance(wanted, str):
        strings = [item.replace(wanted, replacement, -1 if every else 1) for item in words.pool]
    else:
        if not wanted.clear and re.search(r"\\[1-9]", replacement):
            raise _unsupported("\\\\1 beside | or repeated groups")
        fill = _filler(replacement, wanted.groups, perl)
        strings = [wanted.replaced(item, fill, every=every) for item in words.pool]
    return encoded(words.codes, strings)
