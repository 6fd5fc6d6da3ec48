"""Lark's parser for the grammar ``r.lark``; lark is imported with the first formula.

Building the parser takes 0.3 s, loading it a tenth of that, so it stands beside the grammar as
`Lark.save` wrote it, below a line that tells the grammar and the release of lark that it was
made from. With any other the parser is built from the grammar. After a change of the grammar
store it anew with ``python -m tests.formula.store_parser``; a test tells when it is old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

import lark
from lark import Lark, Token, Tree
from lark.common import LexerConf
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.lexer import BasicLexer, LexerState

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.syntax import Node
from lme4py.formula.syntax_errors import (
    LEFT_DEEP,
    NESTING,
    place_of,
    python_hint,
    refuse_character,
    refuse_token,
    too_deep,
)
from lme4py.formula.tree_builder import build

STORED = "r.parser"


def read(text: str) -> Node:
    """Return the syntax tree of one expression."""
    try:
        tree = _parser().parse(text)
    except UnexpectedToken as fault:
        refuse_token(text, fault.token, _last_token(fault.state))
    except UnexpectedCharacters as fault:
        refuse_character(text, cast("int", fault.pos_in_stream))
    return build(text, tree)


@cache
def _parser() -> Lark:
    """Return the parser; threads that come at once may each make one, and keep the last."""
    return loaded() or built()


def loaded() -> Lark | None:
    """Return the stored parser, None where it is for something else."""
    path = _folder().joinpath(STORED)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return Lark.load(file) if file.readline() == label() else None


def built() -> Lark:
    """Return the parser, built from the grammar."""
    return Lark(
        _grammar(),
        start="program",
        parser="lalr",
        lexer=Lexer,
        strict=True,
        maybe_placeholders=False,
    )


def label() -> bytes:
    """Return the line that tells what a stored parser was made from."""
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


def _last_token(state: Any) -> Token | None:
    """Return the token that lark's parser took last."""
    item = state.value_stack[-1] if state.value_stack else None
    while isinstance(item, Tree):
        item = item.children[-1] if item.children else None
    return item if isinstance(item, Token) else None


# A newline after one of these does not end the expression.
_INCOMPLETE = LEFT_DEEP | frozenset(
    [
        *("EQUAL", "LEFT_ASSIGN", "PIPE", "NOT", "POWER", "DOLLAR", "AT", "NAMESPACE", "INTERNAL"),
        *("OPEN", "SUBSET", "ELEMENT", "BEGIN", "COMMA", "SEMICOLON", "NEWLINE"),
        *("FUNCTION", "LAMBDA", "IF", "ELSE"),
    ]
)
_OPENING = {"OPEN": "CLOSE", "SUBSET": "END_SUBSET", "ELEMENT": "END_SUBSET", "BEGIN": "END"}
_LOOPS = frozenset(["for", "while", "repeat", "next", "break", "in"])


class Lexer(BasicLexer):
    """Lark's lexer with R's newline rules, and bounds on nesting."""

    __future_interface__ = 1

    def __init__(self, conf: LexerConf) -> None:
        # Lark's own check needs a further package; the terminals are disjoint by priority.
        conf.skip_validation = True
        super().__init__(conf)
        self.scanner  # noqa: B018  (built here, so that threads only read it)

    def lex(self, state: LexerState, parser_state: Any) -> Iterator[Token]:
        """Yield the tokens, less the newlines that do not end an expression."""
        expected: list[str] = []
        headers: list[bool] = []
        previous = "NEWLINE"
        held: Token | None = None
        while True:
            try:
                token = self.next_token(state, parser_state)
            except EOFError:
                if held is not None:
                    yield held
                return
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
                    raise too_deep(place_of(state.text.text, token))
            elif expected and kind == expected[-1]:
                expected.pop()
                if headers.pop():
                    # `function(x)` and `if (x)` are incomplete at the end of a line.
                    kind = "FUNCTION"
            elif kind == "NAME" and token in _LOOPS:
                raise FormulaSyntaxError(
                    f"unexpected '{token}'",
                    place_of(state.text.text, token),
                    python_hint(token) or "loops have no place in a formula",
                )
            previous = kind
            yield token
