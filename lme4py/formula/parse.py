"""Formula text to syntax tree, by the grammar ``r.lark``.

The tree is R's own: ``parse("y ~ x + z")`` is what ``quote(y ~ x + z)`` is in R.
A function literal is a call of ``function`` whose named arguments are the
parameters (with their defaults) and whose last, unnamed argument is the body.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias, cast

from lark import Lark, Token, Tree
from lark.common import LexerConf
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.lexer import BasicLexer, LexerState

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula import tables
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text

__all__ = ["LONGEST", "NESTING", "parse"]

LONGEST = 250_000
"""The most characters a formula may have."""

NESTING = 200
"""How deep brackets, or operators inside right operands, may be nested.

Chains of binary operators (``a + b + c``) nest to the left and may have any length.
"""

_LARGEST_INTEGER = 2**31 - 1

# A newline after one of these does not end the expression.
_INCOMPLETE = frozenset(
    [
        "QUERY",
        "EQUAL",
        "LEFT_ASSIGN",
        "RIGHT_ASSIGN",
        "TILDE",
        "BAR",
        "PIPE",
        "AND",
        "NOT",
        "COMPARE",
        "PLUS",
        "MINUS",
        "TIMES",
        "DIVIDE",
        "SPECIAL",
        "COLON",
        "POWER",
        "DOLLAR",
        "AT",
        "NAMESPACE",
        "INTERNAL",
        "OPEN",
        "SUBSET",
        "ELEMENT",
        "BEGIN",
        "COMMA",
        "SEMICOLON",
        "NEWLINE",
        "FUNCTION",
        "LAMBDA",
        "IF",
        "ELSE",
    ]
)
_OPENING = {"OPEN": "CLOSE", "SUBSET": "END_SUBSET", "ELEMENT": "END_SUBSET", "BEGIN": "END"}
_LOOPS = frozenset(["for", "while", "repeat", "next", "break", "in"])
# Chains that nest to the left; everything else counts as nesting.
_LEFT_DEEP = frozenset(
    [
        "RIGHT_ASSIGN",
        "TILDE",
        "BAR",
        "AND",
        "COMPARE",
        "PLUS",
        "MINUS",
        "TIMES",
        "DIVIDE",
        "SPECIAL",
        "COLON",
        "QUERY",
    ]
)
_WORDS = {
    "NAME": "symbol",
    "QUOTED_NAME": "symbol",
    "NUMBER": "numeric constant",
    "CONSTANT": "numeric constant",
    "STRING": "string constant",
    "RAW_STRING": "string constant",
    "SPECIAL": "SPECIAL",
    "LEFT_ASSIGN": "assignment",
    "PLACEHOLDER": "input",
    "NEWLINE": "end of line",
}
_OPERANDS = frozenset(["NAME", "QUOTED_NAME", "NUMBER", "CONSTANT", "STRING", "RAW_STRING", "NULL"])
_OPERATORS = _LEFT_DEEP | frozenset(["NOT", "POWER", "EQUAL", "LEFT_ASSIGN", "PIPE"])
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


def parse(text: str) -> Node:
    """Parse one R expression, as R 4.2's ``str2lang`` does.

    Parameters
    ----------
    text : str
        A formula, or any other single expression without loops.

    Returns
    -------
    Node
        The syntax tree; each node knows its span in `text`.

    Raises
    ------
    FormulaSyntaxError
        If `text` is not exactly one expression, is longer than `LONGEST`, or is
        nested deeper than `NESTING`. The message has R's words and a caret.

    Examples
    --------
    >>> parse("y ~ -x:z").operands[1].name
    ':'
    """
    if len(text) > LONGEST:
        raise FormulaSyntaxError(
            f"the formula has {len(text)} characters; at most {LONGEST} are read"
        )
    try:
        tree = _grammar().parse(text)
    except UnexpectedToken as fault:
        _refuse_token(text, fault.token, _last_token(fault.state))
    except UnexpectedCharacters as fault:
        _refuse_character(text, cast("int", fault.pos_in_stream))
    return _Builder(text).build(tree)


class _Lexer(BasicLexer):
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
                    raise _too_deep(state.text.text, token)
            elif expected and kind == expected[-1]:
                expected.pop()
                if headers.pop():
                    # `function(x)` and `if (x)` are incomplete at the end of a line.
                    kind = "FUNCTION"
            elif kind == "NAME" and token in _LOOPS:
                raise FormulaSyntaxError(
                    f"unexpected '{token}'",
                    _place(state.text.text, token),
                    "loops have no place in a formula",
                )
            previous = kind
            yield token


_building = threading.Lock()
_built: list[Lark] = []


def _grammar() -> Lark:
    """Return the parser, built on first use."""
    if not _built:
        with _building:
            if not _built:
                _built.append(tables.parser(_Lexer))
    return _built[0]


_Built: TypeAlias = tuple[Node, int]
"""A node, and how deep it is nested (left operands of chains not counted)."""


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
        opening: Span = _place(self.text, first) if isinstance(first, Token) else first[0].span
        closing: Span = _place(self.text, last) if isinstance(last, Token) else last[0].span
        return Span(self.text, opening.start, closing.end)

    def _call(
        self,
        function: Node,
        arguments: Sequence[Argument],
        depth: int,
        span: Span,
    ) -> _Built:
        if depth > NESTING:
            raise FormulaSyntaxError(
                _DEEP, Span(self.text, span.start, span.start + 1), _deep_hint()
            )
        return Call(function, tuple(arguments), span), depth

    def _operator(self, token: Token) -> Symbol:
        name = "^" if token.type == "POWER" else str(token)
        return Symbol(name, _place(self.text, token))

    def symbol(self, children: list[Any]) -> _Built:
        return Symbol(str(children[0]), _place(self.text, children[0])), 0

    def quoted_symbol(self, children: list[Any]) -> _Built:
        return Symbol(self._name(children[0]), _place(self.text, children[0])), 0

    def placeholder(self, children: list[Any]) -> _Built:
        node = Symbol("_", _place(self.text, children[0]))
        self.placeholders.append(node)
        return node, 0

    def number(self, children: list[Any]) -> _Built:
        return _number(str(children[0]), _place(self.text, children[0])), 0

    def string(self, children: list[Any]) -> _Built:
        return Text(self._string(children[0]), _place(self.text, children[0])), 0

    def constant(self, children: list[Any]) -> _Built:
        return Constant(str(children[0]), _place(self.text, children[0])), 0

    def binary(self, children: list[Any]) -> _Built:
        left, operator, right = children
        depth = max(left[1] + (operator.type not in _LEFT_DEEP), right[1] + 1)
        arguments = (Argument(left[0]), Argument(right[0]))
        return self._call(self._operator(operator), arguments, depth, self._between(left, right))

    def rightward(self, children: list[Any]) -> _Built:
        left, operator, right = children
        function = Symbol("<<-" if operator == "->>" else "<-", _place(self.text, operator))
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
            Symbol("[", _place(self.text, bracket)),
            target[1],
            ([Argument(target[0]), *arguments], depth),
            self._between(target, close),
        )

    def element(self, children: list[Any]) -> _Built:
        target, bracket, (arguments, depth), _, close = children
        return self._applied(
            Symbol("[[", _place(self.text, bracket)),
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
            Symbol("function", _place(self.text, word)),
            (*parameters, Argument(body[0])),
            max(depth, body[1]) + 1,
            self._between(word, body),
        )

    def conditional(self, children: list[Any]) -> _Built:
        word, _, condition, _, yes, _, no = children
        return self._call(
            Symbol("if", _place(self.text, word)),
            (Argument(condition[0]), Argument(yes[0]), Argument(no[0])),
            max(condition[1], yes[1], no[1]) + 1,
            self._between(word, no),
        )

    def parentheses(self, children: list[Any]) -> _Built:
        bracket, inner, close = children
        return self._call(
            Symbol("(", _place(self.text, bracket)),
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
            Symbol("{", _place(self.text, bracket)),
            statements,
            depth + 1,
            self._between(bracket, close),
        )

    def _word(self, token: Token) -> Node:
        span = _place(self.text, token)
        if token.type in ("STRING", "RAW_STRING"):
            return Text(self._string(token), span)
        return Symbol(self._name(token), span)

    def _name(self, token: Token) -> str:
        if token.type in ("STRING", "RAW_STRING", "QUOTED_NAME"):
            name = self._string(token)
            if not name:
                raise FormulaSyntaxError(
                    "attempt to use zero-length variable name", _place(self.text, token)
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
            start = _place(self.text, token).start + 1 + escape.start()
            return _resolved(escape, Span(self.text, start, start + len(escape.group())))

        return _ESCAPE.sub(resolve, content)


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


def _resolved(escape: re.Match[str], span: Span) -> str:
    """Return the character that one escape sequence stands for."""
    plain = escape["plain"]
    if plain is not None:
        if plain in _PLAIN:
            return _PLAIN[plain]
        if plain in "xuU":
            raise FormulaSyntaxError(
                f"'\\{plain}' used without hex digits in character string", span
            )
        raise FormulaSyntaxError(
            f"'\\{plain}' is an unrecognized escape in character string",
            span,
            "write a backslash as two backslashes",
        )
    if escape["octal"] is not None:
        code = int(escape["octal"], 8)
    else:
        code = int(next(group for group in escape.groups() if group is not None), 16)
    if code == 0:
        raise FormulaSyntaxError("nul character not allowed", span)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise FormulaSyntaxError("invalid \\u{xxxx} sequence", span)
    return chr(code)


def _number(text: str, span: Span) -> Number:
    """Return the constant that R reads from `text`: 1e400 is Inf, 1.5L is no integer."""
    suffix = text[-1] if text[-1] in "Li" else ""
    digits = text.removesuffix(suffix) if suffix else text
    if digits[:2] in ("0x", "0X"):
        try:
            value = float.fromhex(digits)
        except OverflowError:
            value = float("inf")
    else:
        value = float(digits)
    if suffix == "i":
        return Number(complex(0.0, value), span=span)
    integer = suffix == "L" and value <= _LARGEST_INTEGER and value == int(value)
    return Number(value, integer, span)


_DEEP = "expression nested too deeply: contextstack overflow"


def _deep_hint() -> str:
    return f"brackets and operators may be nested {NESTING} deep"


def _too_deep(text: str, token: Token) -> FormulaSyntaxError:
    return FormulaSyntaxError(_DEEP, _place(text, token), _deep_hint())


def _place(text: str, token: Token) -> Span:
    start, end = token.start_pos, token.end_pos
    return Span(text, start or 0, end or 0)


def _last_token(state: Any) -> Token | None:
    """Return the token that lark's parser took last."""
    item = state.value_stack[-1] if state.value_stack else None
    while isinstance(item, Tree):
        item = item.children[-1] if item.children else None
    return item if isinstance(item, Token) else None


def _refuse_token(text: str, token: Token, previous: Token | None) -> NoReturn:
    """Raise the error for a token that cannot stand where it does."""
    if token.type == "$END":
        end = len(text.rstrip())
        raise FormulaSyntaxError(
            "unexpected end of input", Span(text, end, end), _end_hint(text, previous)
        ) from None
    word = _WORDS.get(token.type)
    if word is None:
        shown = {"^": "^", "**": "^", "\\": "\\\\"}.get(str(token), str(token))
        word = f"'{shown}'"
    raise FormulaSyntaxError(
        f"unexpected {word}", _place(text, token), _token_hint(token, previous)
    ) from None


def _end_hint(text: str, previous: Token | None) -> str | None:
    if previous is not None and previous.type in _OPERATORS:
        return f"the formula ends after '{previous}': an operand is missing"
    for opening, closing in ("()", "[]", "{}"):
        if text.count(opening) > text.count(closing):
            return f"a closing '{closing}' is missing"
    return None


def _token_hint(token: Token, previous: Token | None) -> str | None:
    kind = token.type
    before = previous.type if previous is not None else None
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
    if kind in _OPERATORS or kind in ("SPECIAL", "COLON"):
        return (
            f"an operand is missing between '{previous}' and '{token}'"
            if previous is not None
            else f"an operand is missing before '{token}'"
        )
    return None


_RAW_START = re.compile(r"""(?:^|[^\w.])?[rR]["']-*[(\[{]""")


def _refuse_character(text: str, position: int) -> NoReturn:
    """Raise the error for text that no token matches."""
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
    raise FormulaSyntaxError(message, Span(text, position, position + 1), hint) from None
