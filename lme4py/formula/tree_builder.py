"""Lark's tree to nodes, without recursion; numbers and strings as R reads them.

Lark's tokens are strings that know their type and place; nodes are none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.formula.syntax_errors import NESTING, place_of, too_deep

if TYPE_CHECKING:
    from lark import Token, Tree

_CHAINS = frozenset(
    [
        *("~", "?", "|", "||", "&", "&&", "==", "!=", "<", ">", "<=", ">="),
        *("+", "-", "*", "/", ":"),
    ]
)
"""Operators that nest to the left, as those of the form ``%in%`` do."""
_NOT_PIPED = _CHAINS | {
    *("(", "{", "[", "[[", "$", "@", "::", ":::", "function", "if", "!", "^"),
    *("=", "<-", "<<-", ":="),
}
_LARGEST_INTEGER = 2**31 - 1
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
    """Return the only expression of a program.

    Raises
    ------
    FormulaSyntaxError
        If there are none or several, or it is nested too deeply.
    """
    backwards: list[Any] = []
    waiting: list[Any] = [tree]
    while waiting:
        part = waiting.pop()
        backwards.append(part)
        if not _is_token(part):
            waiting += part.children
    builder, made = _TreeBuilder(text), list[Any]()
    for part in reversed(backwards):
        if _is_token(part):
            made.append(part)
        else:
            # The last ones that were made are the children.
            begin = len(made) - len(part.children)
            made[begin:] = [getattr(builder, part.data)(made[begin:])]
    _bound_depth(text, made[0])
    node: Node = made[0]
    return node


def last_token(state: Any) -> Token | None:
    """Return the token that lark's parser took last."""
    part = state.value_stack[-1] if state.value_stack else None
    while part is not None and not _is_token(part):
        part = part.children[-1] if part.children else None
    return part


def _is_token(part: Any) -> TypeGuard[Token]:
    return isinstance(part, str)


def _bound_depth(text: str, node: Node) -> None:
    pending = [(node, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > NESTING and item.span is not None:
            raise too_deep(Span(text, item.span.start, item.span.start + 1))
        if isinstance(item, Call):
            # Chains of operators nest to the left, which costs no depth.
            name, count = item.name or "", len(item.operands)
            chain = count == 2 and (name in _CHAINS or name.startswith("%"))
            parts = (*item.operands, item.function)
            pending += [(part, depth + (k > 0 or not chain)) for k, part in enumerate(parts)]


class _TreeBuilder:
    """One method for each rule of the grammar, called with what was made of the children."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.placeholders: list[Symbol] = []

    def program(self, children: list[Any]) -> Node:
        expressions: list[Node] = [child for child in children if not _is_token(child)]
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

    def _span(self, first: Any, last: Any = None) -> Span:
        """Return the place from one token or node to another."""
        begin, end = (
            place_of(self.text, item) if _is_token(item) else item.span
            for item in (first, first if last is None else last)
        )
        return Span(self.text, begin.start, end.end)

    def operation(self, children: list[Any]) -> Call:
        """Return the call of the first token with the nodes as arguments: ``a + b``, ``x[1]``."""
        word = next(child for child in children if _is_token(child))
        name = {"POWER": "^", "LAMBDA": "function"}.get(word.type, str(word))
        nodes = [child for child in children if not _is_token(child)]
        given = [child if isinstance(child, Argument) else Argument(child) for child in nodes]
        span = self._span(children[0], children[-1])
        return Call(Symbol(name, place_of(self.text, word)), tuple(given), span)

    def symbol(self, children: list[Any]) -> Node:
        return Symbol(self._name(children[0]), self._span(children[0]))

    def placeholder(self, children: list[Any]) -> Node:
        node = Symbol("_", self._span(children[0]))
        self.placeholders.append(node)
        return node

    def number(self, children: list[Any]) -> Node:
        """Return the constant that R reads: 1e400 is Inf, 1.5L is no integer."""
        text, span = str(children[0]), self._span(children[0])
        digits = text.rstrip("Li")
        try:
            value = float.fromhex(digits) if digits[:2] in ("0x", "0X") else float(digits)
        except OverflowError:
            value = float("inf")
        if text[-1] == "i":
            return Number(complex(0.0, value), span=span)
        integer = text[-1] == "L" and value <= _LARGEST_INTEGER and value == int(value)
        return Number(value, integer, span)

    def string(self, children: list[Any]) -> Node:
        return Text(self._string(children[0]), self._span(children[0]))

    def constant(self, children: list[Any]) -> Node:
        return Constant(str(children[0]), self._span(children[0]))

    def rightward(self, children: list[Any]) -> Call:
        left, operator, right = children
        function = Symbol("<<-" if operator == "->>" else "<-", self._span(operator))
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
        given = tuple(child for child in inside if not _is_token(child))
        if given == (Argument(None),):
            given = ()  # f() has no argument; x[] has one, which is empty
        function = Symbol(callee.value, callee.span) if isinstance(callee, Text) else callee
        return Call(function, given, self._span(callee, children[-1]))

    def argument(self, children: list[Any]) -> Argument:
        return Argument(children[0] if children else None)

    def named_argument(self, children: list[Any]) -> Argument:
        return Argument(children[2] if len(children) > 2 else None, self._name(children[0]))

    def parameters(self, children: list[Any]) -> list[Argument]:
        found = [child for child in children if not _is_token(child)]
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

    def _name(self, token: Token) -> str:
        if token.type not in ("STRING", "RAW_STRING", "QUOTED_NAME"):
            return str(token)
        name = self._string(token)
        if not name:
            raise FormulaSyntaxError("attempt to use zero-length variable name", self._span(token))
        return name

    def _string(self, token: Token) -> str:
        if token.type == "RAW_STRING":
            opening = len(token) - len(token[1:].lstrip("\"'-"))
            return str(token[opening + 1 : -opening])
        start = self._span(token).start + 1

        def resolved(escape: re.Match[str]) -> str:
            begin = start + escape.start()
            return _resolved(escape, Span(self.text, begin, begin + len(escape.group())))

        return _ESCAPE.sub(resolved, str(token[1:-1]))


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
