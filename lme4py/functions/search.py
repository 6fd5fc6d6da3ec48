"""Text searched and replaced: ``grepl``, ``sub`` and ``gsub``.

Plain text needs nothing more. Regular expressions are matched by the package ``regex``, which
knows POSIX classes and R's two ways: without ``perl = TRUE`` the longest of the leftmost
matches, with it the first in the order of writing. It is given a limited time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.values import Character, Value
from lme4py.functions.coercion import as_string, encoded, logical, text
from lme4py.functions.table import Context, function
from lme4py.functions.text import bounded_texts

_SIGNS = frozenset("\\^$.|?*+()[]{}")
_SECONDS = 5.0
_LONGEST_PATTERN = 2_000
_MOST_COPIES = 255
_CASES: Mapping[str, Callable[[str], str]] = {"U": str.upper, "L": str.lower, "E": str}
# What TRE writes otherwise than the package.
_ESCAPED = {"<": r"\m", ">": r"\M"}
# The package's words for a fault, and TRE's.
_REASONS = {
    "missing )": "Missing ')'",
    "unterminated character set": "Missing ']'",
    "multiple repeat": "Invalid use of repetition operators",
    "bad escape": "Trailing backslash",
    "min repeat greater than max": "Invalid contents of {}",
    "bad character range": "Invalid character range",
    "unknown property": "Unknown character class name",
    "invalid group reference": "Invalid back reference",
}


def _invalid(text: str, reason: str) -> DataError:
    return DataError(f"invalid regular expression '{text}', reason '{reason}'")


def _unsupported(what: str) -> DataError:
    """Return the error for what TRE does by rules of its own."""
    return DataError(
        f"{what} in a regular expression is not supported without perl = TRUE",
        hint="give perl = TRUE, or write it in another way",
    )


# A bracket with its classes, an escaped letter, a repetition with what follows it, or a letter.
_PIECES = re.compile(
    r"(?P<bracket>\[\^?\]?(?:\[[:.=].*?[:.=]\]|[^\]])*\])|(?P<escaped>\\.)"
    r"|(?P<repeated>(?:[*+?]|\{(?P<least>\d*)(?P<most>,\d*)?\})(?P<again>[*+?]?))|.",
    re.DOTALL,
)


def _from_posix(pattern: str) -> str:
    """Return a POSIX regular expression, as R's TRE reads it, in the package's syntax."""

    def written(match: re.Match[str]) -> str:
        piece = match[0]
        if match["bracket"]:
            # A backslash is a letter in there, and so is what the package takes for operators.
            return re.sub(r"(?<!^)(\[(?![:.=])|[\\&~|])", r"\\\1", piece)
        if match["escaped"]:
            return _ESCAPED.get(piece[1], piece)
        if match["again"] == "?":
            raise _unsupported("a repetition with '?' after it")
        if match["again"]:
            raise _invalid(pattern, "Invalid use of repetition operators")
        if match["least"] and pattern[: match.start()].endswith(")"):
            raise _unsupported("'{' after a group")
        if match["least"] and max(map(int, re.findall(r"\d+", piece))) > _MOST_COPIES:
            raise _invalid(pattern, "Invalid contents of {}")
        if piece == "{":
            raise _invalid(pattern, "Missing '}'")
        return r"\Z" if piece == "$" else piece

    if re.search(r"\(\?(?![:i])", pattern):
        raise _invalid(pattern, "Invalid regexp")
    return _PIECES.sub(written, pattern)


class Pattern:
    r"""A regular expression of R's.

    Parameters
    ----------
    text : str
        As in R.
    perl : bool
        Whether the rules are PCRE's.
    fold : bool
        Whether capital and small letters are the same.

    Raises
    ------
    DataError
        Without the package ``regex``, and for what is no regular expression.

    Examples
    --------
    >>> Pattern("x+").replaced("axxb", lambda match: "-", every=True)
    'a-b'
    >>> Pattern("a|ab").search("ab").group()
    'ab'
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
            said = str(error)
            reason = next(
                (ours for start, ours in _REASONS.items() if said.startswith(start)), said
            )
            raise _invalid(text, reason) from None
        self.groups: int = self._compiled.groups
        # TRE fills the groups of other expressions by rules of its own.
        bare = _PIECES.sub(lambda match: "" if match["bracket"] else match[0], text)
        self.clear = perl or not re.search(r"[|]|\)[*+?]", bare)
        self._end = time.monotonic() + _SECONDS

    def search(self, text: str, start: int = 0) -> Any:
        """Return the first match from `start` on, or None.

        Raises
        ------
        DataError
            If the pattern takes too long on the texts so far.
        """
        left = self._end - time.monotonic()
        try:
            if left > 0:
                return self._compiled.search(text, start, timeout=left)
        except TimeoutError:
            pass
        raise DataError(
            "this regular expression takes too long on these texts",
            hint="write it without repetitions inside repetitions, or compute the column before",
        )

    def replaced(self, text: str, fill: Callable[[Any], str], *, every: bool) -> str:
        """Return a text with the first match, or every one, replaced."""
        pieces: list[str] = []
        copied, place, last = 0, 0, -1
        while place <= len(text):
            match = self.search(text, place)
            if match is None:
                break
            begin, end = match.span()
            if not begin == end == last:
                pieces += [text[copied:begin], fill(match)]
                copied = last = end
                if not every:
                    break
            place = end + 1 if begin == end else end
        return "".join([*pieces, text[copied:]])


def _wanted(
    pattern: Value, fold: bool, perl: bool, fixed: bool, context: Context, new: str = ""
) -> str | Pattern:
    """Return what is searched for: text, or a regular expression where signs make it one.

    `new` is the replacement, whose backslashes mean groups.
    """
    wanted = as_string(pattern, "pattern")
    if isinstance(pattern, Character) and pattern.codes.size > 1:
        context.warn("argument 'pattern' has length > 1 and only the first element will be used")
    if fixed and fold:
        context.warn("argument 'ignore.case = TRUE' will be ignored")
    if fixed and perl:
        context.warn("argument 'perl = TRUE' will be ignored")
    if not wanted:
        raise DataError("zero-length pattern")
    plain = not fold and "\\" not in new and not any(sign in wanted for sign in _SIGNS)
    if fixed or plain:
        return wanted
    return Pattern(wanted, perl=perl, fold=fold)


@function("grepl", role="elementwise")
def _grepl(
    pattern: Value,
    x: Value,
    context: Context,
    ignore_case: bool = False,
    perl: bool = False,
    fixed: bool = False,
    _useBytes: bool = False,
) -> Value:
    """Return whether a pattern occurs."""
    wanted = _wanted(pattern, ignore_case, perl, fixed, context)
    words = text(x)
    if isinstance(wanted, str):
        found = [wanted in item for item in words.pool]
    else:
        found = [wanted.search(item) is not None for item in words.pool]
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
    pattern: Value,
    replacement: str,
    x: Value,
    context: Context,
    called: str,
    ignore_case: bool = False,
    perl: bool = False,
    fixed: bool = False,
    _useBytes: bool = False,
) -> Value:
    wanted = _wanted(pattern, ignore_case, perl, fixed, context, replacement)
    words, every = text(x), called == "gsub"
    letters = sum(map(len, words.pool)) + len(words.pool)
    bounded_texts(letters * (len(replacement) + 1))
    if isinstance(wanted, str):
        strings = [item.replace(wanted, replacement, -1 if every else 1) for item in words.pool]
    else:
        if not wanted.clear and re.search(r"\\[1-9]", replacement):
            raise _unsupported("a group beside | or repeated groups")
        fill = _filler(replacement, wanted.groups, perl)
        strings = [wanted.replaced(item, fill, every=every) for item in words.pool]
    return encoded(words.codes, strings)
