"""Text to tokens: lark's lexer with R's newline rules, and bounds on nesting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lark import Token
from lark.common import LexerConf
from lark.lexer import BasicLexer, LexerState

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.syntax_errors import LEFT_DEEP, NESTING, place_of, python_hint, too_deep

__all__ = ["Lexer"]


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
