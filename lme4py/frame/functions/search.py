"""Text searched and replaced: ``grepl``, ``regexpr``, ``sub`` and ``gsub``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import as_flag, as_string, logical, pack, recode, text
from lme4py.frame.functions.patterns.matcher import Pattern, compile_pattern
from lme4py.frame.functions.table import Context, function
from lme4py.frame.functions.text import MOST_CHARACTERS
from lme4py.frame.values import Character, Value

__all__: list[str] = []

_OPTIONS = "ignore.case=FALSE, perl=FALSE, fixed=FALSE, useBytes=FALSE"


def _pattern(
    pattern: Value,
    ignore_case: Value | None,
    perl: Value | None,
    fixed: Value | None,
    context: Context,
) -> str | Pattern:
    """Return what is searched for: text, or a regular expression where signs make it one."""
    wanted = as_string(pattern, "pattern")
    if isinstance(pattern, Character) and pattern.codes.size > 1:
        context.warn("argument 'pattern' has length > 1 and only the first element will be used")
    fold, as_perl, plain = (
        option is not None and as_flag(option, name)
        for option, name in ((ignore_case, "ignore.case"), (perl, "perl"), (fixed, "fixed"))
    )
    if plain and fold:
        context.warn("argument 'ignore.case = TRUE' will be ignored")
    if plain and as_perl:
        context.warn("argument 'perl = TRUE' will be ignored")
    if not wanted:
        raise DataError("zero-length pattern")
    if plain or (not fold and not any(sign in wanted for sign in "\\^$.|?*+()[]{}")):
        return wanted
    return compile_pattern(wanted, perl=as_perl, fold=fold)


def _first(wanted: str | Pattern, item: str) -> int:
    """Return where the pattern first occurs, counted from 1, else -1."""
    if isinstance(wanted, str):
        found = item.find(wanted)
        return found + 1 if found >= 0 else -1
    match = wanted.match(item)
    return match[0] + 1 if match is not None else -1


@function(
    "grepl", f"pattern, x, {_OPTIONS}", role="elementwise", purpose="Whether a pattern occurs."
)
def _grepl(
    pattern: Value,
    x: Value,
    context: Context,
    ignore_case: Value | None = None,
    perl: Value | None = None,
    fixed: Value | None = None,
    usebytes: Value | None = None,  # noqa: ARG001
) -> Value:
    wanted = _pattern(pattern, ignore_case, perl, fixed, context)
    words = text(x)
    if isinstance(wanted, str):
        found = [wanted in item for item in words.pool]
    else:
        found = [wanted.found_in(item) for item in words.pool]
    return logical(np.array([*found, False])[words.codes])


@function(
    "regexpr",
    f"pattern, text, {_OPTIONS}",
    role="elementwise",
    purpose="Where a pattern first occurs, or -1.",
)
def _regexpr(
    pattern: Value,
    context: Context,
    ignore_case: Value | None = None,
    perl: Value | None = None,
    fixed: Value | None = None,
    usebytes: Value | None = None,  # noqa: ARG001
    **named: Value,
) -> Value:
    wanted = _pattern(pattern, ignore_case, perl, fixed, context)
    words = text(named["text"])
    places = [float(_first(wanted, item)) for item in words.pool]
    return pack(np.array([*places, np.nan])[words.codes], "integer")


def _filler(new: str, wanted: Pattern, perl: bool) -> Callable[[str, tuple[int, ...]], str]:
    r"""Return a function that writes the replacement of a match, ``\1`` for its first group."""
    pieces: list[str | int] = []
    letters = iter(new)
    for letter in letters:
        if letter != "\\":
            pieces.append(letter)
            continue
        escaped = next(letters, "")
        if escaped in "123456789" and escaped:
            if not wanted.clear_groups or int(escaped) > wanted.groups:
                raise DataError(
                    f"the group \\{escaped} of this regular expression is not supported",
                    hint="give perl = TRUE, or write it without | and repeated groups",
                )
            pieces.append(int(escaped))
        elif perl and escaped in ("U", "L", "E"):
            pieces.append(f"\\{escaped}")
        else:
            pieces.append(escaped)

    def fill(item: str, match: tuple[int, ...]) -> str:
        result: list[str] = []
        change: Callable[[str], str] = str
        for piece in pieces:
            if isinstance(piece, int):
                begin, end = match[2 * piece : 2 * piece + 2]
                result.append(change(item[begin:end]) if begin >= 0 else "")
            elif len(piece) == 2:
                change = {"U": str.upper, "L": str.lower}.get(piece[1], str)
            else:
                result.append(piece)
        return "".join(result)

    return fill


def _enter_replacements() -> None:
    for name, every, purpose in (
        ("sub", False, "The first occurrence of a pattern replaced."),
        ("gsub", True, "Every occurrence of a pattern replaced."),
    ):

        def replace(
            pattern: Value,
            replacement: Value,
            x: Value,
            context: Context,
            ignore_case: Value | None = None,
            perl: Value | None = None,
            fixed: Value | None = None,
            usebytes: Value | None = None,  # noqa: ARG001
            _every: bool = every,
        ) -> Value:
            wanted = _pattern(pattern, ignore_case, perl, fixed, context)
            new = as_string(replacement, "replacement")
            words = text(x)
            total = sum(map(len, words.pool)) + len(words.pool)
            if total * (len(new) + 1) > MOST_CHARACTERS:
                raise DataError(f"texts of more than {MOST_CHARACTERS} characters together")
            plain = fixed is not None and as_flag(fixed, "fixed")
            as_perl = perl is not None and as_flag(perl, "perl")
            if isinstance(wanted, str) and (plain or "\\" not in new):
                count = -1 if _every else 1
                strings = [item.replace(wanted, new, count) for item in words.pool]
            else:
                found = compile_pattern(wanted, perl=as_perl) if isinstance(wanted, str) else wanted
                fill = _filler(new, found, as_perl)
                strings = [found.replaced(item, fill, _every) for item in words.pool]
            return recode(words.codes, strings)

        signature = f"pattern, replacement, x, {_OPTIONS}"
        function(name, signature, role="elementwise", purpose=purpose)(replace)


_enter_replacements()
