"""Lark's tree to nodes, without recursion; numbers and strings as R reads them.

It is imported with the first formula, as it imports lark.
"""

from __future__ import annotations

import re
from typing import Any

from lark import Token, Tree
from lark.exceptions import VisitError
from lark.visitors import Transformer_NonRecursive

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.syntax import CHAINS, Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.numerals import LARGEST_INTEGER, number

_NOT_PIPED = CHAINS | {
    *("(", "{", "[", "[[", "$", "@", "::", ":::", "function", "if", "!", "^"),
    *("=", "<-", "<<-", ":="),
}
_ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})"
    r"|u(?:\{(?P<braced>[0-9a-fA-F]{1,4})\}|(?P<short>[0-9a-fA-F]{1,4}))"
    r"|U(?:\{(?P<wide>[0-9a-fA-F]{1,8})\}|(?P<long>[0-9a-fA-F]{1,8}))"
    r"|(?P<plain>.))",
    re.DOTALL,
)
_PLAIN = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "`": "`", " ": " ", "\n": "\n",
}  # fmt: skip


def build(text: str, tree: Tree[Token]) -> Node:
    """Return the only expression of a program; it is an error if there is another number."""
    try:
        return _TreeBuilder(text).transform(tree)
    except VisitError as fault:
        raise fault.orig_exc from None


class _TreeBuilder(Transformer_NonRecursive[Token, Node]):
    """One method for each rule, called with what was made of its parts, and each operand's token.

    Tokens of operators, keywords and brackets stay what they are.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.placeholders: list[Symbol] = []

    def program(self, children: list[Any]) -> Node:
        expressions: list[Node] = _nodes(children)
        if len(expressions) != 1:
            second = expressions[1].span if len(expressions) > 1 else None
            hint = (
                "a line that ends in an operator, or an open parenthesis, goes on in the next line"
                if second is not None
                else "the formula is empty"
            )
            raise FormulaSyntaxError(
                f"parsing result not of length one, but {len(expressions)}", second, hint
            )
        if self.placeholders:
            raise FormulaSyntaxError("invalid use of pipe placeholder", self.placeholders[0].span)
        return expressions[0]

    def _place(self, token: Token) -> Span:
        return Span(self.text, token.start_pos or 0, token.end_pos or 0)

    def _span(self, first: Any, last: Any) -> Span:
        """Return the place from one token or node to another."""
        begin = self._place(first) if isinstance(first, Token) else first.span
        end = self._place(last) if isinstance(last, Token) else last.span
        return Span(self.text, begin.start, end.end)

    def NAME(self, token: Token) -> Symbol:
        return Symbol(str(token), self._place(token))

    def QUOTED_NAME(self, token: Token) -> Symbol:
        return Symbol(self._name(self.STRING(token)), self._place(token))

    def PLACEHOLDER(self, token: Token) -> Symbol:
        node = self.NAME(token)
        self.placeholders.append(node)
        return node

    def NUMBER(self, token: Token) -> Number:
        """Return the constant that R reads: 1e400 is Inf, 1.5L is no integer."""
        value, span = number(token.rstrip("Li")) or 0.0, self._place(token)
        if token[-1] == "i":
            return Number(complex(0.0, value), span=span)
        integer = token[-1] == "L" and value <= LARGEST_INTEGER and value == int(value)
        return Number(value, integer, span)

    def STRING(self, token: Token) -> Text:
        span = self._place(token)

        def resolved(escape: re.Match[str]) -> str:
            begin = span.start + 1 + escape.start()
            return _resolved(escape, Span(self.text, begin, begin + len(escape.group())))

        return Text(_ESCAPE.sub(resolved, token[1:-1]), span)

    def RAW_STRING(self, token: Token) -> Text:
        opening = len(token) - len(token[1:].lstrip("\"'-"))
        return Text(token[opening + 1 : -opening], self._place(token))

    def CONSTANT(self, token: Token) -> Constant:
        return Constant(str(token), self._place(token))

    NULL = CONSTANT

    def operation(self, children: list[Any]) -> Call:
        """Return the call of the first token with the nodes as arguments: ``a + b``, ``x[1]``."""
        word = next(child for child in children if isinstance(child, Token))
        name = {"POWER": "^", "LAMBDA": "function"}.get(word.type, str(word))
        given = [
            item if isinstance(item, Argument) else Argument(item) for item in _nodes(children)
        ]
        span = self._span(children[0], children[-1])
        return Call(Symbol(name, self._place(word)), tuple(given), span)

    def rightward(self, children: list[Any]) -> Call:
        left, operator, right = children
        function = Symbol("<<-" if operator == "->>" else "<-", self._place(operator))
        return Call(function, (Argument(right), Argument(left)), self._span(left, right))

    def pipe(self, children: list[Any]) -> Call:
        left, _, target = children
        if not isinstance(target, Call):
            raise FormulaSyntaxError(
                "The pipe operator requires a function call as RHS",
                target.span,
                "write the parentheses of the call: x |> f()",
            )
        if target.name in _NOT_PIPED or (target.name or "").startswith("%"):
            raise FormulaSyntaxError(
                f"function '{target.name}' not supported in RHS call of a pipe", target.span
            )
        given = list(target.arguments)
        held = [
            position
            for position, item in enumerate(given)
            if any(item.value is placeholder for placeholder in self.placeholders)
        ]
        if not held:
            return Call(target.function, (Argument(left), *given), self._span(left, target))
        item = given[held[0]]
        if item.name is None:
            raise FormulaSyntaxError(
                "pipe placeholder can only be used as a named argument", self.placeholders[0].span
            )
        if len(held) > 1:
            raise FormulaSyntaxError("pipe placeholder may only appear once", target.span)
        self.placeholders = [other for other in self.placeholders if other is not item.value]
        given[held[0]] = Argument(left, item.name)
        return Call(target.function, tuple(given), self._span(left, target))

    def call(self, children: list[Any]) -> Call:
        callee, *inside = children
        given = tuple(_nodes(inside))
        if given == (Argument(None),):
            given = ()  # f() has no argument; x[] has one, which is empty
        function = Symbol(callee.value, callee.span) if isinstance(callee, Text) else callee
        return Call(function, given, self._span(callee, children[-1]))

    def argument(self, children: list[Any]) -> Argument:
        return Argument(children[0] if children else None)

    def named_argument(self, children: list[Any]) -> Argument:
        return Argument(children[2] if len(children) > 2 else None, self._name(children[0]))

    def parameters(self, children: list[Any]) -> list[Argument]:
        found = _nodes(children)
        names = [item.name for item in found]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise FormulaSyntaxError(
                    f"repeated formal argument '{name}'", Span(self.text, 0, len(self.text))
                )
        return found

    def function(self, children: list[Any]) -> Call:
        word, _, parameters, _, body = children
        return self.operation([word, *parameters, body])

    def _name(self, node: Any) -> str:
        name: str = node.value if isinstance(node, Text) else node.name
        if not name:
            raise FormulaSyntaxError("attempt to use zero-length variable name", node.span)
        return name


def _nodes(children: list[Any]) -> list[Any]:
    return [child for child in children if not isinstance(child, Token)]


def _resolved(escape: re.Match[str], span: Span) -> str:
    """Return the character that one escape sequence stands for."""
    plain = escape["plain"]
    if plain in _PLAIN:
        return _PLAIN[plain]
    if plain is not None:
        known = plain in "xuU"
        raise FormulaSyntaxError(
            f"'\\{plain}' used without hex digits in character string"
            if known
            else f"'\\{plain}' is an unrecognized escape in character string",
            span,
            None if known else "write a backslash as two backslashes",
        )
    digits = next(group for group in escape.groups() if group is not None)
    code = int(digits, 16 if escape["octal"] is None else 8)
    if code == 0:
        raise FormulaSyntaxError("nul character not allowed", span)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise FormulaSyntaxError("invalid \\u{xxxx} sequence", span)
    return chr(code)
