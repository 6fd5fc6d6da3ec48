"""Formula text to syntax tree, by the grammar ``r.lark``.

The tree is R's own: ``parse("y ~ x + z")`` is what ``quote(y ~ x + z)`` is in R.
A function literal is a call of ``function`` whose named arguments are the
parameters (with their defaults) and whose last, unnamed argument is the body.

Lark is imported with the first formula, so that ``import lme4py`` is fast. Building its parser
takes 0.3 s, loading it a tenth of that, so it stands beside the grammar as `Lark.save` wrote it,
below a line that tells the grammar and the release of lark that it was made from. With any other
the parser is built from the grammar. After a change of the grammar store it anew with
``python -m tests.formula.store_parser``; a test tells when it is old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.syntax import Node
from lme4py.formula.syntax_errors import NESTING, OPERATORS, misread, place_of, too_deep

if TYPE_CHECKING:
    from lark import Lark, Token

LONGEST = 250_000
"""The most characters a formula may have."""
STORED = "r.parser"


def parse(text: str) -> Node:
    """Parse one R expression without loops, as R 4.2's ``str2lang`` does.

    Each node of the tree knows its span in the text. A text that is not exactly one expression,
    is longer than `LONGEST` or nested deeper than `NESTING` is a `FormulaSyntaxError`, with R's
    words and a caret.

    Examples
    --------
    >>> parse("y ~ -x:z").operands[1].name
    ':'
    """
    from lark.exceptions import UnexpectedInput

    from lme4py.formula.tree_builder import build

    if len(text) > LONGEST:
        raise FormulaSyntaxError(
            f"the formula has {len(text)} characters; at most {LONGEST} are read"
        )
    try:
        return build(text, _parser().parse(text))
    except UnexpectedInput as fault:
        raise misread(text, fault) from None
    except _NestingError as fault:
        raise too_deep(place_of(text, fault.bracket)) from None


@cache
def _parser() -> Lark:
    """Return the parser; threads that come at once may each make one, and keep the last."""
    return loaded() or built()


def loaded() -> Lark | None:
    """Return the stored parser, None where it is for something else."""
    path = _folder().joinpath(STORED)
    if not path.is_file():
        return None
    from lark import Lark

    with path.open("rb") as file:
        return Lark.load(file) if file.readline() == label() else None


def built() -> Lark:
    """Return the parser, built from the grammar."""
    from lark import Lark

    options: Any = {"lexer": "basic", "postlex": Newlines(), "maybe_placeholders": False}
    return Lark(_grammar(), start="program", parser="lalr", **options)


def label() -> bytes:
    """Return the line that tells what a stored parser was made from."""
    import lark

    release = ".".join(lark.__version__.split(".")[:2])
    digest = hashlib.sha256(_grammar().encode()).hexdigest()
    return f"lark {release}, grammar {digest}\n".encode()


def _folder() -> Traversable:
    """Return the folder of the grammar."""
    try:
        return files("lme4py.grammar")
    except ModuleNotFoundError:
        # A checkout that Python imports from where it stands: the grammar lies beside us.
        return Path(__file__).resolve().parents[2] / "grammar"


def _grammar() -> str:
    return _folder().joinpath("r.lark").read_text(encoding="utf-8")


# A newline after one of these does not end the expression.
_INCOMPLETE = OPERATORS | {
    *("DOLLAR", "AT", "NAMESPACE", "INTERNAL", "FUNCTION", "LAMBDA", "IF", "ELSE"),
    *("OPEN", "SUBSET", "ELEMENT", "BEGIN", "COMMA", "SEMICOLON", "NEWLINE"),
}
_OPENING = {"OPEN": "CLOSE", "SUBSET": "END_SUBSET", "ELEMENT": "END_SUBSET", "BEGIN": "END"}


class _NestingError(Exception):
    """A bracket stands in too many others."""

    def __init__(self, bracket: Token) -> None:
        super().__init__(bracket)
        self.bracket = bracket


class Newlines:
    """R's rules of newlines, between lark's lexer and its parser; and bounds on nesting."""

    always_accept = ("LOOP",)  # no rule has it: loops have no place in a formula

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens, less the newlines that do not end an expression."""
        expected: list[str] = []
        headers: list[bool] = []
        previous = "NEWLINE"
        held: Token | None = None
        for token in stream:
            kind = token.type
            if kind == "NEWLINE":
                inside = bool(expected) and expected[-1] != "END"
                if not inside and previous not in _INCOMPLETE:
                    held, previous = token, kind
                continue
            if held is not None:
                # Inside braces `else` may start a line.
                if not (kind == "ELSE" and expected):
                    yield held
                held = None
            if kind in _OPENING:
                headers.append(previous in ("FUNCTION", "LAMBDA", "IF"))
                expected.append(_OPENING[kind])
                if len(expected) > NESTING:
                    raise _NestingError(token)
            elif expected and kind == expected[-1]:
                expected.pop()
                if headers.pop():
                    # `function(x)` and `if (x)` are incomplete at the end of a line.
                    kind = "FUNCTION"
            previous = kind
            yield token
        if held is not None:
            yield held
