"""What is said of a text that is no expression: R's words, and a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lme4py.errors import FormulaSyntaxError, Span

if TYPE_CHECKING:
    from lark import Token

NESTING = 200
"""How deep brackets, or operators inside right operands, may be nested.

Chains of binary operators (``a + b + c``) nest to the left and may have any length.
"""

OPERATORS = frozenset(
    [
        *("RIGHT_ASSIGN", "TILDE", "BAR", "AND", "COMPARE", "PLUS", "MINUS", "TIMES", "DIVIDE"),
        *("SPECIAL", "COLON", "QUERY", "NOT", "POWER", "EQUAL", "LEFT_ASSIGN", "PIPE"),
    ]
)
"""Tokens that an operand follows."""

_WORDS = {
    **dict.fromkeys(("NAME", "QUOTED_NAME"), "symbol"),
    **dict.fromkeys(("NUMBER", "CONSTANT"), "numeric constant"),
    **dict.fromkeys(("STRING", "RAW_STRING"), "string constant"),
    "SPECIAL": "SPECIAL",
    "LEFT_ASSIGN": "assignment",
    "PLACEHOLDER": "input",
    "NEWLINE": "end of line",
}
_OPERANDS = frozenset(["NAME", "QUOTED_NAME", "NUMBER", "CONSTANT", "STRING", "RAW_STRING", "NULL"])
# What Python writes for R's operators.
_PYTHON = {"and": "&", "or": "|", "not": "!", "in": "%in%", "is": "== or is.na(x)", "<>": "!="}
# What word processors and books write for what R reads.
_TYPESET = {
    **dict.fromkeys(("\u2212", "\u2013"), "-"),
    **dict.fromkeys(("\u00d7", "\u22c5"), "* or :"),
    **dict.fromkeys(("\u2018", "\u2019"), "'"),
    **dict.fromkeys(("\u201c", "\u201d"), '"'),
    "\u223c": "~",
    "\u2223": "|",
    "\u2225": "||",
    "\u00a0": "a plain space",
    "\ufeff": "",
}
_RAW_START = re.compile(r"""(?:^|[^\w.])?[rR]["']-*[(\[{]""")


def too_deep(span: Span) -> FormulaSyntaxError:
    """Return the error for brackets or operators nested deeper than `NESTING`."""
    text = "expression nested too deeply: contextstack overflow"
    return FormulaSyntaxError(text, span, f"brackets and operators may be nested {NESTING} deep")


def place_of(text: str, token: Token) -> Span:
    """Return where a token stands."""
    return Span(text, token.start_pos or 0, token.end_pos or 0)


def python_hint(word: str) -> str | None:
    """Return what R writes for an operator of Python's that is a word."""
    return f"R writes {_PYTHON[word]} for {word}" if word in _PYTHON else None


def misread(text: str, fault: Any) -> FormulaSyntaxError:
    """Return the error for lark's: a token in the wrong place, or text that is no token."""
    token = getattr(fault, "token", None)
    if token is None:
        return _strange_character(text, fault.pos_in_stream)
    previous: Any = fault.state.value_stack[-1] if fault.state.value_stack else None
    while previous is not None and not isinstance(previous, str):
        previous = previous.children[-1] if previous.children else None
    if token.type == "$END":
        end = len(text.rstrip())
        place, hint = Span(text, end, end), _end_hint(text, previous)
        return FormulaSyntaxError("unexpected end of input", place, hint)
    word = _WORDS.get(token.type)
    if word is None:
        shown = {"^": "^", "**": "^", "\\": "\\\\"}.get(str(token), str(token))
        word = f"'{shown}'"
    hint = _token_hint(token, previous)
    return FormulaSyntaxError(f"unexpected {word}", place_of(text, token), hint)


def _end_hint(text: str, previous: Any) -> str | None:
    if previous is not None and previous.type in OPERATORS:
        return f"the formula ends after '{previous}': an operand is missing"
    for opening, closing in ("()", "[]", "{}"):
        if text.count(opening) > text.count(closing):
            return f"a closing '{closing}' is missing"
    return None


def _token_hint(token: Token, previous: Any) -> str | None:
    kind = token.type
    before = previous.type if previous is not None else None
    if kind == "LOOP":
        return python_hint(token) or "loops have no place in a formula"
    for word in (str(token), str(previous), f"{previous}{token}"):
        if (hint := python_hint(word)) is not None:
            return hint
    if kind == "SUBSET":
        return "a vector is written c(1, 2)"
    if kind in ("CLOSE", "END_SUBSET", "END"):
        if before in OPERATORS:
            return f"an operand is missing between '{previous}' and '{token}'"
        return f"there is no open bracket that this '{token}' closes"
    if before in _OPERANDS or before in ("CLOSE", "END_SUBSET"):
        if kind in _OPERANDS or kind in ("FUNCTION", "LAMBDA", "IF", "BEGIN", "NOT"):
            return f"an operator such as + or : is missing between '{previous}' and '{token}'"
        if kind == "COMPARE":
            return "comparisons do not chain: join two of them with &"
        if kind == "EQUAL":
            return "equality is written =="
        if kind == "COMMA":
            return "a comma separates arguments and stands inside parentheses only"
    if kind in OPERATORS:
        return (
            f"an operand is missing between '{previous}' and '{token}'"
            if previous is not None
            else f"an operand is missing before '{token}'"
        )
    return None


def _strange_character(text: str, position: int) -> FormulaSyntaxError:
    """Return the error for text that no token matches."""
    character = text[position]
    if character in "\"'`":
        message, hint = "unexpected INCOMPLETE_STRING", f"the quote {character} is not closed"
        if _RAW_START.match(text, max(0, position - 2)) and character != "`":
            position -= 1
    else:
        message, hint = "unexpected input", None
        if character == "%":
            hint = "an operator %name% needs both percent signs; the remainder is %%"
        elif ord(character) > 127:
            hint = f"the character {character!r} (U+{ord(character):04X}) cannot stand here"
            if character in _TYPESET:
                instead = _TYPESET[character]
                hint += f"; write {instead}" if instead else "; delete it"
    return FormulaSyntaxError(message, Span(text, position, position + 1), hint)
