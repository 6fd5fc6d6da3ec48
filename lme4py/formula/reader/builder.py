"""Lark's tree to nodes, without recursion."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from lark import Token, Tree

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.reader.constants import ESCAPE, number_of, resolved
from lme4py.formula.reader.faults import place_of, too_deep
from lme4py.formula.reader.limits import LEFT_DEEP, NESTING
from lme4py.formula.syntax import Argument, Call, Constant, Node, Symbol, Text

__all__ = ["build"]


_NOT_PIPED = frozenset(
    [
        "(",
        "{",
        "[",
        "[[",
        "$",
        "@",
        "::",
        ":::",
        "function",
        "if",
        "!",
        "-",
        "+",
        "*",
        "/",
        "^",
        ":",
        "~",
        "?",
        "=",
        "<-",
        "<<-",
        ":=",
        "&",
        "&&",
        "|",
        "||",
        "==",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "%%",
        "%/%",
        "%*%",
        "%in%",
        "%o%",
        "%x%",
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
    return _Builder(text).build(tree)


class _Builder:
    """Turns lark's tree into nodes, without recursion."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.placeholders: list[Symbol] = []

    def build(self, tree: Tree[Token]) -> Node:
        """Return the only expression of a program."""
        expressions = [
            self._expression(child)[0] for child in tree.children if isinstance(child, Tree)
        ]
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

    def _expression(self, root: Tree[Token]) -> _Built:
        """Return the node of one expression: children first, on a stack of our own."""
        done: list[Any] = []
        pending: list[tuple[Tree[Token], bool]] = [(root, False)]
        while pending:
            tree, ready = pending.pop()
            subtrees = sum(isinstance(child, Tree) for child in tree.children)
            if subtrees and not ready:
                pending.append((tree, True))
                pending.extend(
                    (child, False) for child in reversed(tree.children) if isinstance(child, Tree)
                )
                continue
            values = done[len(done) - subtrees :]
            del done[len(done) - subtrees :]
            parts = iter(values)
            children = [
                next(parts) if isinstance(child, Tree) else child for child in tree.children
            ]
            done.append(_RULES[tree.data](self, children))
        built: _Built = done[0]
        return built

    def _between(self, first: Any, last: Any) -> Span:
        opening: Span = place_of(self.text, first) if isinstance(first, Token) else first[0].span
        closing: Span = place_of(self.text, last) if isinstance(last, Token) else last[0].span
        return Span(self.text, opening.start, closing.end)

    def _call(
        self,
        function: Node,
        arguments: Sequence[Argument],
        depth: int,
        span: Span,
    ) -> _Built:
        if depth > NESTING:
            raise too_deep(Span(self.text, span.start, span.start + 1))
        return Call(function, tuple(arguments), span), depth

    def _operator(self, token: Token) -> Symbol:
        name = "^" if token.type == "POWER" else str(token)
        return Symbol(name, place_of(self.text, token))

    def symbol(self, children: list[Any]) -> _Built:
        return Symbol(str(children[0]), place_of(self.text, children[0])), 0

    def quoted_symbol(self, children: list[Any]) -> _Built:
        return Symbol(self._name(children[0]), place_of(self.text, children[0])), 0

    def placeholder(self, children: list[Any]) -> _Built:
        node = Symbol("_", place_of(self.text, children[0]))
        self.placeholders.append(node)
        return node, 0

    def number(self, children: list[Any]) -> _Built:
        return number_of(str(children[0]), place_of(self.text, children[0])), 0

    def string(self, children: list[Any]) -> _Built:
        return Text(self._string(children[0]), place_of(self.text, children[0])), 0

    def constant(self, children: list[Any]) -> _Built:
        return Constant(str(children[0]), place_of(self.text, children[0])), 0

    def binary(self, children: list[Any]) -> _Built:
        left, operator, right = children
        depth = max(left[1] + (operator.type not in LEFT_DEEP), right[1] + 1)
        arguments = (Argument(left[0]), Argument(right[0]))
        return self._call(self._operator(operator), arguments, depth, self._between(left, right))

    def rightward(self, children: list[Any]) -> _Built:
        left, operator, right = children
        function = Symbol("<<-" if operator == "->>" else "<-", place_of(self.text, operator))
        arguments = (Argument(right[0]), Argument(left[0]))
        depth = max(left[1], right[1]) + 1
        return self._call(function, arguments, depth, self._between(left, right))

    def prefix(self, children: list[Any]) -> _Built:
        operator, operand = children
        return self._call(
            self._operator(operator),
            (Argument(operand[0]),),
            operand[1] + 1,
            self._between(operator, operand),
        )

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
        arguments = list(target.arguments)
        arguments[position] = Argument(left[0], item.name)
        return self._call(target.function, arguments, depth, span)

    def member(self, children: list[Any]) -> _Built:
        left, operator, right = children
        target = self._word(left) if isinstance(left, Token) else left[0]
        depth = 1 if isinstance(left, Token) else left[1] + 1
        arguments = (Argument(target), Argument(self._word(right)))
        return self._call(self._operator(operator), arguments, depth, self._between(left, right))

    def call(self, children: list[Any]) -> _Built:
        function, _, (given, depth), close = children
        if len(given) == 1 and given[0] == Argument(None):
            given = []  # f() has no argument; x[] has one, which is empty
        callee = function[0]
        if isinstance(callee, Text):
            callee = Symbol(callee.value, callee.span)
        return self._applied(callee, function[1], (given, depth), self._between(function, close))

    def subset(self, children: list[Any]) -> _Built:
        target, bracket, (arguments, depth), close = children
        return self._applied(
            Symbol("[", place_of(self.text, bracket)),
            target[1],
            ([Argument(target[0]), *arguments], depth),
            self._between(target, close),
        )

    def element(self, children: list[Any]) -> _Built:
        target, bracket, (arguments, depth), _, close = children
        return self._applied(
            Symbol("[[", place_of(self.text, bracket)),
            target[1],
            ([Argument(target[0]), *arguments], depth),
            self._between(target, close),
        )

    def _applied(
        self, function: Node, depth: int, arguments: tuple[list[Argument], int], span: Span
    ) -> _Built:
        given, deepest = arguments
        return self._call(function, given, max(depth, deepest) + 1, span)

    def arguments(self, children: list[Any]) -> tuple[list[Argument], int]:
        items = [child for child in children if not isinstance(child, Token)]
        given = [item for item, _ in items]
        return given, max(depth for _, depth in items)

    def argument(self, children: list[Any]) -> tuple[Argument, int]:
        if not children:
            return Argument(None), 0
        return Argument(children[0][0]), children[0][1]

    def named_argument(self, children: list[Any]) -> tuple[Argument, int]:
        name = self._name(children[0])
        if len(children) == 2:
            return Argument(None, name), 0
        return Argument(children[2][0], name), children[2][1]

    def parameter(self, children: list[Any]) -> tuple[Argument, int]:
        name = self._name(children[0])
        if len(children) == 1:
            return Argument(None, name), 0
        return Argument(children[2][0], name), children[2][1]

    def parameters(self, children: list[Any]) -> tuple[list[Argument], int]:
        items = [child for child in children if not isinstance(child, Token)]
        names = [item.name for item, _ in items]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise FormulaSyntaxError(
                    f"repeated formal argument '{name}'", Span(self.text, 0, len(self.text))
                )
        return [item for item, _ in items], max((depth for _, depth in items), default=0)

    def function(self, children: list[Any]) -> _Built:
        word, _, (parameters, depth), _, body = children
        return self._call(
            Symbol("function", place_of(self.text, word)),
            (*parameters, Argument(body[0])),
            max(depth, body[1]) + 1,
            self._between(word, body),
        )

    def conditional(self, children: list[Any]) -> _Built:
        word, _, condition, _, yes, _, no = children
        return self._call(
            Symbol("if", place_of(self.text, word)),
            (Argument(condition[0]), Argument(yes[0]), Argument(no[0])),
            max(condition[1], yes[1], no[1]) + 1,
            self._between(word, no),
        )

    def parentheses(self, children: list[Any]) -> _Built:
        bracket, inner, close = children
        return self._call(
            Symbol("(", place_of(self.text, bracket)),
            (Argument(inner[0]),),
            inner[1] + 1,
            self._between(bracket, close),
        )

    def statements(self, children: list[Any]) -> tuple[list[Argument], int]:
        items = [child for child in children if not isinstance(child, Token)]
        return [Argument(node) for node, _ in items], max((depth for _, depth in items), default=0)

    def block(self, children: list[Any]) -> _Built:
        bracket, (statements, depth), close = children
        return self._call(
            Symbol("{", place_of(self.text, bracket)),
            statements,
            depth + 1,
            self._between(bracket, close),
        )

    def _word(self, token: Token) -> Node:
        span = place_of(self.text, token)
        if token.type in ("STRING", "RAW_STRING"):
            return Text(self._string(token), span)
        return Symbol(self._name(token), span)

    def _name(self, token: Token) -> str:
        if token.type in ("STRING", "RAW_STRING", "QUOTED_NAME"):
            name = self._string(token)
            if not name:
                raise FormulaSyntaxError(
                    "attempt to use zero-length variable name", place_of(self.text, token)
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
            start = place_of(self.text, token).start + 1 + escape.start()
            return resolved(escape, Span(self.text, start, start + len(escape.group())))

        return ESCAPE.sub(resolve, content)


_RULES: dict[str, Callable[[_Builder, list[Any]], Any]] = {
    rule.__name__: rule
    for rule in (
        _Builder.argument,
        _Builder.arguments,
        _Builder.binary,
        _Builder.block,
        _Builder.call,
        _Builder.conditional,
        _Builder.constant,
        _Builder.element,
        _Builder.function,
        _Builder.member,
        _Builder.named_argument,
        _Builder.number,
        _Builder.parameter,
        _Builder.parameters,
        _Builder.parentheses,
        _Builder.pipe,
        _Builder.placeholder,
        _Builder.prefix,
        _Builder.quoted_symbol,
        _Builder.rightward,
        _Builder.statements,
        _Builder.string,
        _Builder.subset,
        _Builder.symbol,
    )
}
