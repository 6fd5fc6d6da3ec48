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
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.syntax import CHAINS, Call, Node

if TYPE_CHECKING:
    from lark import Lark, Token

LONGEST = 250_000
"""The most characters a formula may have."""
NESTING = 200
"""How deep brackets, or operators inside right operands, may be nested.

Chains of binary operators (``a + b + c``) nest to the left and may have any length.
"""
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
        node = build(text, _parser().parse(text))
    except UnexpectedInput as fault:
        raise _misread(text, fault) from None
    except _NestingError as fault:
        raise _too_deep(_place_of(text, fault.bracket)) from None
    _bound_depth(text, node)
    return node


def _bound_depth(text: str, node: Node) -> None:
    pending = [(node, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > NESTING and item.span is not None:
            raise _too_deep(Span(text, item.span.start, item.span.start + 1))
        if isinstance(item, Call):
            # Chains of operators nest to the left, which costs no depth.
            name, count = item.name or "", len(item.operands)
            chain = count == 2 and (name in CHAINS or name.startswith("%"))
            parts = (*item.operands, item.function)
            pending += [(part, depth + (k > 0 or not chain)) for k, part in enumerate(parts)]


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


# Tokens that an operand follows.
_OPERATORS = frozenset(
    [
        *("RIGHT_ASSIGN", "TILDE", "BAR", "AND", "COMPARE", "PLUS", "MINUS", "TIMES", "DIVIDE"),
        *("SPECIAL", "COLON", "QUERY", "NOT", "POWER", "EQUAL", "LEFT_ASSIGN", "PIPE"),
    ]
)
# A newline after one of these does not end the expression.
_INCOMPLETE = _OPERATORS | {
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


# What is said of a text that is no expression ---------------------------------------------------

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


def _too_deep(span: Span) -> FormulaSyntaxError:
    """Return the error for brackets or operators nested deeper than `NESTING`."""
    text = "expression nested too deeply: contextstack overflow"
    return FormulaSyntaxError(text, span, f"brackets and operators may be nested {NESTING} deep")


def _place_of(text: str, token: Token) -> Span:
    return Span(text, token.start_pos or 0, token.end_pos or 0)


def _python_hint(word: str) -> str | None:
    """Return what R writes for an operator of Python's that is a word."""
    return f"R writes {_PYTHON[word]} for {word}" if word in _PYTHON else None


def _misread(text: str, fault: Any) -> FormulaSyntaxError:
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
    return FormulaSyntaxError(f"unexpected {word}", _place_of(text, token), hint)


def _end_hint(text: str, previous: Any) -> str | None:
    if previous is not None and previous.type in _OPERATORS:
        return f"the formula ends after '{previous}': an operand is missing"
    for opening, closing in ("()", "[]", "{}"):
        if text.count(opening) > text.count(closing):
            return f"a closing '{closing}' is missing"
    return None


def _token_hint(token: Token, previous: Any) -> str | None:
    kind = token.type
    before = previous.type if previous is not None else None
    if kind == "LOOP":
        return _python_hint(token) or "loops have no place in a formula"
    for word in (str(token), str(previous), f"{previous}{token}"):
        if (hint := _python_hint(word)) is not None:
            return hint
    if kind == "SUBSET":
        return "a vector is written c(1, 2)"
    if kind in ("CLOSE", "END_SUBSET", "END"):
        if before in _OPERATORS:
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
    if kind in _OPERATORS:
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
