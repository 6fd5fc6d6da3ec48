"""Lark's tree to nodes, without recursion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from lark import Token, Tree
from lark.exceptions import VisitError
from lark.visitors import Transformer_NonRecursive

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.literals import ESCAPE, number_of, resolved
from lme4py.formula.syntax import Argument, Call, Constant, Node, Symbol, Text
from lme4py.formula.syntax_errors import LEFT_DEEP, NESTING, place_of, too_deep

__all__ = ["build"]

_NOT_PIPED = frozenset(
    [
        *("(", "{", "[", "[[", "$", "@", "::", ":::", "function", "if", "!", "~", "?"),
        *("-", "+", "*", "/", "^", ":", "=", "<-", "<<-", ":=", "&", "&&", "|", "||"),
        *("==", "!=", "<", ">", "<=", ">="),
    ]
)
_Built: TypeAlias = tuple[Node, int]
"""A node, and how deep it is nested (left operands of chains not counted)."""


def build(text: str, tree: Tree[Token]) -> Node:
    """Return the only expression of a program.

    Raises
    ------
    FormulaSyntaxError
        If there are none or several, or it is nested too deeply.
    """
    builder = _TreeBuilder(text)
    try:
        node: Node = builder.transform(tree)
    except VisitError as fault:
        raise fault.orig_exc from None
    return node


class _TreeBuilder(Transformer_NonRecursive[Token, Any]):
    """One method for each rule of the grammar; lark calls them, children first."""

    def __init__(self, text: str) -> None:
        super().__init__(visit_tokens=False)
        self.text = text
        self.placeholders: list[Symbol] = []

    def program(self, children: list[Any]) -> Node:
        expressions = [child[0] for child in children if not isinstance(child, Token)]
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
        node: Node = expressions[0]
        return node

    def _place(self, token: Token) -> Span:
        return place_of(self.text, token)

    def _between(self, first: Any, last: Any) -> Span:
        opening: Span = self._place(first) if isinstance(first, Token) else first[0].span
        closing: Span = self._place(last) if isinstance(last, Token) else last[0].span
        return Span(self.text, opening.start, closing.end)

    def _call(self, function: Node, given: Sequence[Argument], depth: int, span: Span) -> _Built:
        if depth > NESTING:
            raise too_deep(Span(self.text, span.start, span.start + 1))
        return Call(function, tuple(given), span), depth

    def _operator(self, token: Token) -> Symbol:
        return Symbol("^" if token.type == "POWER" else str(token), self._place(token))

    def symbol(self, children: list[Any]) -> _Built:
        return Symbol(str(children[0]), self._place(children[0])), 0

    def quoted_symbol(self, children: list[Any]) -> _Built:
        return Symbol(self._name(children[0]), self._place(children[0])), 0

    def placeholder(self, children: list[Any]) -> _Built:
        node = Symbol("_", self._place(children[0]))
        self.placeholders.append(node)
        return node, 0

    def number(self, children: list[Any]) -> _Built:
        return number_of(str(children[0]), self._place(children[0])), 0

    def string(self, children: list[Any]) -> _Built:
        return Text(self._string(children[0]), self._place(children[0])), 0

    def constant(self, children: list[Any]) -> _Built:
        return Constant(str(children[0]), self._place(children[0])), 0

    def binary(self, children: list[Any]) -> _Built:
        left, operator, right = children
        depth = max(left[1] + (operator.type not in LEFT_DEEP), right[1] + 1)
        given = (Argument(left[0]), Argument(right[0]))
        return self._call(self._operator(operator), given, depth, self._between(left, right))

    def rightward(self, children: list[Any]) -> _Built:
        left, operator, right = children
        function = Symbol("<<-" if operator == "->>" else "<-", self._place(operator))
        given = (Argument(right[0]), Argument(left[0]))
        depth = max(left[1], right[1]) + 1
        return self._call(function, given, depth, self._between(left, right))

    def prefix(self, children: list[Any]) -> _Built:
        operator, (operand, depth) = children[:2]
        span = self._between(operator, children[-1])
        return self._call(self._operator(operator), [Argument(operand)], depth + 1, span)

    parentheses = prefix

    def pipe(self, children: list[Any]) -> _Built:
        left, _, right = children
        target = right[0]
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
        depth = max(left[1], right[1]) + 1
        span = self._between(left, right)
        held = [
            (position, item)
            for position, item in enumerate(target.arguments)
            if any(item.value is placeholder for placeholder in self.placeholders)
        ]
        if not held:
            return self._call(target.function, (Argument(left[0]), *target.arguments), depth, span)
        position, item = held[0]
        if item.name is None:
            raise FormulaSyntaxError(
                "pipe placeholder can only be used as a named argument", self.placeholders[0].span
            )
        if len(held) > 1:
            raise FormulaSyntaxError("pipe placeholder may only appear once", target.span)
        self.placeholders = [held for held in self.placeholders if held is not item.value]
        given = list(target.arguments)
        given[position] = Argument(left[0], item.name)
        return self._call(target.function, given, depth, span)

    def member(self, children: list[Any]) -> _Built:
        left, operator, right = children
        target, depth = (self._word(left), 0) if isinstance(left, Token) else left
        given = (Argument(target), Argument(self._word(right)))
        return self._call(self._operator(operator), given, depth + 1, self._between(left, right))

    def call(self, children: list[Any]) -> _Built:
        (callee, depth), _, (given, deepest), close = children
        if len(given) == 1 and given[0] == Argument(None):
            given = []  # f() has no argument; x[] has one, which is empty
        span = self._between(children[0], close)
        if isinstance(callee, Text):
            callee = Symbol(callee.value, callee.span)
        return self._call(callee, given, max(depth, deepest) + 1, span)

    def subset(self, children: list[Any]) -> _Built:
        (target, depth), bracket, (given, deepest) = children[:3]
        span = self._between(children[0], children[-1])
        given = [Argument(target), *given]
        return self._call(self._operator(bracket), given, max(depth, deepest) + 1, span)

    element = subset

    def arguments(self, children: list[Any]) -> tuple[list[Any], int]:
        items = [child for child in children if not isinstance(child, Token)]
        return [item for item, _ in items], max((depth for _, depth in items), default=0)

    def argument(self, children: list[Any]) -> tuple[Argument, int]:
        value, depth = children[0] if children else (None, 0)
        return Argument(value), depth

    def named_argument(self, children: list[Any]) -> tuple[Argument, int]:
        value, depth = children[2] if len(children) > 2 else (None, 0)
        return Argument(value, self._name(children[0])), depth

    parameter = named_argument

    def parameters(self, children: list[Any]) -> tuple[list[Argument], int]:
        found, depth = self.arguments(children)
        names = [item.name for item in found]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise FormulaSyntaxError(
                    f"repeated formal argument '{name}'", Span(self.text, 0, len(self.text))
                )
        return found, depth

    def function(self, children: list[Any]) -> _Built:
        word, _, (parameters, depth), _, body = children
        name = Symbol("function", self._place(word))
        given = (*parameters, Argument(body[0]))
        return self._call(name, given, max(depth, body[1]) + 1, self._between(word, body))

    def conditional(self, children: list[Any]) -> _Built:
        word = children[0]
        parts = children[2::2]
        given = [Argument(node) for node, _ in parts]
        depth = max(depth for _, depth in parts) + 1
        return self._call(self._operator(word), given, depth, self._between(word, parts[-1]))

    def statements(self, children: list[Any]) -> tuple[list[Argument], int]:
        found, depth = self.arguments(children)
        return [Argument(node) for node in found], depth

    def block(self, children: list[Any]) -> _Built:
        bracket, (statements, depth), close = children
        span = self._between(bracket, close)
        return self._call(self._operator(bracket), statements, depth + 1, span)

    def _word(self, token: Token) -> Node:
        if token.type in ("STRING", "RAW_STRING"):
            return Text(self._string(token), self._place(token))
        return Symbol(self._name(token), self._place(token))

    def _name(self, token: Token) -> str:
        if token.type in ("STRING", "RAW_STRING", "QUOTED_NAME"):
            name = self._string(token)
            if not name:
                raise FormulaSyntaxError(
                    "attempt to use zero-length variable name", self._place(token)
                )
            return name
        return str(token)

    def _string(self, token: Token) -> str:
        if token.type == "RAW_STRING":
            opening = len(token) - len(token[1:].lstrip("\"'-"))
            return str(token[opening + 1 : -opening])
        content = str(token[1:-1])
        if "\\" not in content:
            return content

        def resolve(escape: re.Match[str]) -> str:
            start = self._place(token).start + 1 + escape.start()
            return resolved(escape, Span(self.text, start, start + len(escape.group())))

        return ESCAPE.sub(resolve, content)
