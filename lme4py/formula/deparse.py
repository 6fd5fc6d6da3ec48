"""Syntax tree to text, as R's deparse writes it: every label of a model comes from here.

R writes the same expression in three ways. `deparse` is the expression itself;
`variable_name` is its name in the model frame (a lone name loses its back-quotes);
`term_label` is its name among the terms and the columns of X (the ``L`` of integers
is lost, and text longer than 500 bytes keeps R's line breaks).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.numerals import constant

__all__ = ["deparse", "term_label", "variable_name"]

_WIDTH = 500
_SIGN = 13


class _Kind(Enum):
    SPACED = 1  # blanks around, a line may end after it
    ASSIGN = 2  # blanks around, no line ends there
    TIGHT = 3
    PREFIX = 4
    MEMBER = 5


@dataclass(frozen=True, slots=True)
class _Operator:
    precedence: int
    kind: _Kind
    rightward: bool = False


_OPERATORS = {
    "=": _Operator(1, _Kind.ASSIGN, True),
    "<-": _Operator(2, _Kind.ASSIGN, True),
    "<<-": _Operator(2, _Kind.ASSIGN, True),
    "~": _Operator(4, _Kind.SPACED),
    "|": _Operator(5, _Kind.SPACED),
    "||": _Operator(5, _Kind.SPACED),
    "&": _Operator(6, _Kind.SPACED),
    "&&": _Operator(6, _Kind.SPACED),
    "!": _Operator(7, _Kind.PREFIX),
    **{name: _Operator(8, _Kind.SPACED) for name in ("==", "!=", "<", ">", "<=", ">=")},
    "+": _Operator(9, _Kind.SPACED),
    "-": _Operator(9, _Kind.SPACED),
    "*": _Operator(10, _Kind.SPACED),
    "/": _Operator(10, _Kind.TIGHT),
    "%%": _Operator(11, _Kind.TIGHT),
    "%/%": _Operator(11, _Kind.TIGHT),
    ":": _Operator(12, _Kind.TIGHT),
    "^": _Operator(14, _Kind.TIGHT, True),
    "$": _Operator(15, _Kind.MEMBER),
    "@": _Operator(15, _Kind.MEMBER),
    "::": _Operator(16, _Kind.MEMBER),
    ":::": _Operator(16, _Kind.MEMBER),
}
_SPECIAL = _Operator(11, _Kind.SPACED)
_SUM = 9
_COMPARE = 8
_SUBSET = _Operator(15, _Kind.TIGHT)
_SIGNS = {name: _Operator(_SIGN, _Kind.PREFIX) for name in "+-"}

_NAME = re.compile(r"(?:[^\W\d_]|\.(?![0-9]))[\w.]*")
_RESERVED = frozenset(
    [
        *("NULL", "NA", "TRUE", "FALSE", "Inf", "NaN"),
        *("NA_integer_", "NA_real_", "NA_character_", "NA_complex_"),
        *("function", "while", "repeat", "for", "if", "in", "else", "next", "break"),
    ]
)
_TYPED_MISSING = frozenset(["NA_integer_", "NA_real_", "NA_character_"])
_ESCAPES = {
    "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
    "\\": "\\\\",
}  # fmt: skip


def deparse(node: Node) -> str:
    """Return the text of an expression, R's ``paste(deparse(e, 500), collapse = " ")``.

    Parameters
    ----------
    node : Node
        Any expression; one built by hand gets the parentheses it needs, where R adds them.

    Returns
    -------
    str
        Text that `parse` reads back as `node`.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(parse("log( x,base=2L )**-1"))
    'log(x, base = 2L)^-1'
    """
    return " ".join(_Writer(keep_integer=True).lines(node))


def variable_name(node: Node) -> str:
    """Return the name of a variable in the model frame: `deparse`, a lone name unquoted.

    Examples
    --------
    >>> variable_name(Symbol("a b"))
    'a b'
    """
    return node.name if isinstance(node, Symbol) else deparse(node)


def term_label(node: Node) -> str:
    """Return the text of an expression in term labels and column names.

    Integers lose their ``L``, typed missing values their type, and the lines of long
    text are joined by a newline: R's ``terms`` deparses so.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> term_label(parse("poly(x, 2L)"))
    'poly(x, 2)'
    """
    return "\n".join(_Writer(keep_integer=False).lines(node))


def _operator_of(node: Node) -> _Operator | None:
    """Return the operator that `node` is written with, or None when it is no such call.

    R writes a call in operator form only when the operands are there; `%in%` and its
    kin only without names.
    """
    if not isinstance(node, Call) or not isinstance(node.function, Symbol):
        return None
    name, arguments = node.function.name, node.arguments
    count = len(arguments)
    if count not in (1, 2) or any(item.value is None for item in arguments):
        return None
    operator = _OPERATORS.get(name)
    if operator is None:
        if not _is_special(name) or count != 2:
            return None
        if name != "%*%" and any(item.name is not None for item in arguments):
            return None
        return _SPECIAL
    if operator.kind is _Kind.MEMBER and name in ("$", "@"):
        member = arguments[-1].value
        return operator if count == 2 and isinstance(member, Symbol | Text) else None
    if count == 1:
        if name in _SIGNS:
            return _SIGNS[name]
        return operator if operator.kind in (_Kind.PREFIX, _Kind.SPACED) else None
    return operator if operator.kind is not _Kind.PREFIX else None


def _is_special(name: str) -> bool:
    return len(name) >= 2 and name[0] == name[-1] == "%"


def _needs_parentheses(outer: _Operator, operand: Node, on_left: bool) -> bool:
    """Whether R writes parentheses around an operand that has none in the tree."""
    if isinstance(operand, Number):
        if not isinstance(operand.value, complex):
            return False
        return outer.precedence > _SUM or (outer.precedence == _SUM and on_left == outer.rightward)
    if not isinstance(operand, Call):
        return False
    if operand.name == "if":
        return on_left
    inner = _operator_of(operand)
    if inner is None:
        return False
    if len(operand.arguments) == 1 and not on_left:
        return False
    if len(operand.arguments) == 2 and outer.precedence == inner.precedence == _COMPARE:
        return True
    return outer.precedence > inner.precedence or (
        outer.precedence == inner.precedence and on_left == outer.rightward
    )


def _runs_on(node: Node, edge: int) -> bool:
    """Whether `node`, last in a left operand, would swallow the operator behind it.

    `edge` is the precedence of that operator, 0 when there is none.
    """
    if not edge or not isinstance(node, Call):
        return False
    if node.name == "if":
        return True
    inner = _operator_of(node)
    return inner is not None and len(node.arguments) == 1 and inner.precedence < edge


def _needs_parentheses_to_call(function: Node) -> bool:
    if not isinstance(function, Call):
        return False
    if function.name in (None, "function", "if"):
        return True
    operator = _operator_of(function)
    return operator is not None and operator.precedence < _SUBSET.precedence


def _quoted(text: str, mark: str) -> str:
    """Return `text` between `mark`, with R's escapes."""
    written = []
    for character in text:
        code = ord(character)
        if character == mark:
            written.append("\\" + mark)
        elif character in _ESCAPES:
            written.append(_ESCAPES[character])
        elif code < 32 or code == 127:
            written.append(f"\\{code:03o}")
        elif code > 127 and unicodedata.category(character) in ("Cc", "Cn", "Cs", "Zl", "Zp"):
            written.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{{{code:06x}}}")
        else:
            written.append(character)
    return mark + "".join(written) + mark


def _symbol(name: str) -> str:
    if _NAME.fullmatch(name) and name not in _RESERVED:
        return name
    return _quoted(name, "`")


class _Writer:
    """Writes one expression in lines, broken as R breaks them.

    R ends a line at the first place allowed (after a comma between arguments, after an
    operator with blanks) where the line has more than 500 bytes, its indent counted.
    """

    def __init__(self, keep_integer: bool) -> None:
        self.keep_integer = keep_integer
        self.finished: list[str] = []
        self.pieces: list[str] = []
        self.size = 0
        self.indent = 0
        self.braces = 0

    def lines(self, node: Node) -> list[str]:
        self._write(node, 0)
        if self.pieces:
            self._end_line()
        return self.finished

    def _put(self, text: str) -> None:
        if not self.pieces:
            # R indents by four blanks, from the fifth level on by two.
            blanks = 4 * min(self.indent, 4) + 2 * max(0, self.indent - 4)
            self.pieces.append(" " * blanks)
            self.size = blanks
        self.pieces.append(text)
        self.size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def _end_line(self) -> None:
        self.finished.append("".join(self.pieces))
        self.pieces = []
        self.size = 0

    def _break_line(self, broken: bool) -> bool:
        """End the line if it is full; return whether the construct has been broken."""
        if self.size <= _WIDTH:
            return broken
        if not broken:
            self.indent += 1
        self._end_line()
        return True

    def _write(self, node: Node, edge: int) -> None:
        match node:
            case Symbol():
                self._put(_symbol(node.name))
            case Number():
                self._put(self._number(node))
            case Text():
                self._put(_quoted(node.value, '"'))
            case Constant():
                typed = node.name in _TYPED_MISSING and not self.keep_integer
                self._put("NA" if typed else node.name)
            case Call():
                self._call(node, edge)

    def _number(self, node: Number) -> str:
        value = node.value
        if isinstance(value, complex):
            sign = "-" if value.imag < 0 else "+"
            return f"{constant(value.real)}{sign}{constant(abs(value.imag))}i"
        if node.integer:
            return str(int(value)) + ("L" if self.keep_integer else "")
        return constant(value)

    def _enclosed(self, node: Node, parentheses: bool, edge: int = 0) -> None:
        if parentheses:
            self._put("(")
            self._write(node, 0)
            self._put(")")
        else:
            self._write(node, edge)

    def _call(self, node: Call, edge: int) -> None:
        operator = _operator_of(node)
        if operator is not None:
            if len(node.arguments) == 1:
                self._prefix(node, operator, edge)
            else:
                self._chain(node, edge)
            return
        name, arguments = node.name, node.arguments
        values = node.operands
        if name == "(" and len(values) == len(arguments) == 1:
            self._enclosed(values[0], True)
        elif name in ("[", "[[") and arguments and arguments[0].value is not None:
            self._enclosed(values[0], _needs_parentheses(_SUBSET, values[0], True))
            self._put(name)
            self._arguments(arguments[1:])
            self._put("]" * len(name))
        elif name == "if" and len(values) == len(arguments) in (2, 3):
            self._conditional(values)
        elif name == "function" and arguments and arguments[-1].value is not None:
            self._put("function(")
            self._arguments(arguments[:-1], parameters=True)
            self._put(") ")
            self._write(arguments[-1].value, 0)
        elif name == "{" and len(values) == len(arguments):
            self._block(values)
        else:
            self._enclosed(node.function, _needs_parentheses_to_call(node.function))
            self._put("(")
            self._arguments(arguments)
            self._put(")")

    def _prefix(self, node: Call, operator: _Operator, edge: int) -> None:
        operand = node.operands[0]
        self._put(str(node.name))
        outside = _needs_parentheses(operator, operand, False) or _runs_on(operand, edge)
        self._enclosed(operand, outside, edge)

    def _chain(self, node: Call, edge: int) -> None:
        """Write binary operators; their left operands are walked, not descended into."""
        spine: list[tuple[Call, _Operator, bool, int]] = []
        current: Node = node
        parentheses = False
        while isinstance(current, Call) and len(current.arguments) == 2:
            operator = _operator_of(current)
            if operator is None:
                break
            if parentheses:
                self._put("(")
            spine.append((current, operator, parentheses, 0 if parentheses else edge))
            edge = operator.precedence
            current = current.operands[0]
            parentheses = _needs_parentheses(operator, current, True)
        self._enclosed(current, parentheses or _runs_on(current, edge), edge)
        for call, operator, enclosed, behind in reversed(spine):
            self._right_side(call, operator, behind)
            if enclosed:
                self._put(")")

    def _right_side(self, call: Call, operator: _Operator, edge: int) -> None:
        name, right = str(call.name), call.operands[1]
        if operator.kind is _Kind.MEMBER and name in ("$", "@"):
            if isinstance(right, Text) and _symbol(right.value) == right.value:
                right = Symbol(right.value)
            self._put(name)
            self._write(right, 0)
            return
        broken = False
        if operator.kind in (_Kind.SPACED, _Kind.ASSIGN):
            self._put(f" {name} ")
            if operator.kind is _Kind.SPACED:
                broken = self._break_line(False)
        else:
            self._put(name)
        outside = _needs_parentheses(operator, right, False) or _runs_on(right, edge)
        self._enclosed(right, outside, edge)
        if broken:
            self.indent -= 1

    def _arguments(self, arguments: tuple[Argument, ...], *, parameters: bool = False) -> None:
        """Write arguments, or the parameters of a function, which need no default."""
        broken = False
        for position, item in enumerate(arguments):
            if position:
                self._put(", ")
                broken = self._break_line(broken)
            if item.name is not None:
                bare = parameters and item.value is None
                self._put(_symbol(item.name) + (" = " if not bare else ""))
            if item.value is not None:
                value = item.value
                assigns = isinstance(value, Call) and value.name == "=" and not parameters
                self._enclosed(value, assigns and _operator_of(value) is not None)
        if broken:
            self.indent -= 1

    def _conditional(self, values: tuple[Node, ...]) -> None:
        self._put("if (")
        self._write(values[0], 0)
        self._put(") ")
        yes, otherwise = values[1], values[2:]
        in_block = self.braces > 0
        if in_block and not (isinstance(yes, Call) and yes.name == "{"):
            self._end_line()
            self.indent += 1
            self._write(yes, 0)
            self.indent -= 1
        else:
            self._write(yes, 0)
        if otherwise:
            if in_block:
                self._end_line()
                self._put("else ")
            else:
                self._put(" else ")
            self._write(otherwise[0], 0)

    def _block(self, statements: tuple[Node, ...]) -> None:
        self._put("{")
        self.braces += 1
        self.indent += 1
        self._end_line()
        for statement in statements:
            self._write(statement, 0)
            self._end_line()
        self.indent -= 1
        self._put("}")
        self.braces -= 1
