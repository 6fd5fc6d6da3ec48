"""Syntax tree to text, as R's deparse writes it: every label of a model comes from here.

R writes the same expression in three ways. `deparse` is the expression itself;
`variable_name` is its name in the model frame (a lone name loses its back-quotes);
`term_label` is its name among the terms and the columns of X (the ``L`` of integers
is lost, and text longer than 500 bytes keeps R's line breaks).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.numerals import constant
from lme4py.unique_names import is_name

_WIDTH = 500


@dataclass(frozen=True, slots=True)
class _Operator:
    """Around one that is spaced or assigns stand blanks; a line may end after the former."""

    precedence: int
    kind: str
    rightward: bool = False


_SUM, _COMPARE = 9, 8
_OPERATORS = {
    name: _Operator(precedence, kind, kind == "assign" or name == "^")
    for precedence, kind, names in (
        (1, "assign", ["="]),
        (2, "assign", ["<-", "<<-"]),
        (4, "spaced", ["~"]),
        (5, "spaced", ["|", "||"]),
        (6, "spaced", ["&", "&&"]),
        (7, "prefix", ["!"]),
        (_COMPARE, "spaced", ["==", "!=", "<", ">", "<=", ">="]),
        (_SUM, "spaced", ["+", "-"]),
        (10, "spaced", ["*"]),
        (10, "tight", ["/"]),
        (11, "tight", ["%%", "%/%"]),
        (12, "tight", [":"]),
        (14, "tight", ["^"]),
        (15, "member", ["$", "@"]),
        (16, "member", ["::", ":::"]),
    )
    for name in names
}
_SPECIAL = _Operator(11, "spaced")
_SIGN = _Operator(13, "prefix")
_SUBSET = _Operator(15, "tight")

_ESCAPES = {
    "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
    "\\": "\\\\",
}  # fmt: skip


def deparse(node: Node) -> str:
    """Return the text of an expression, R's ``paste(deparse(e, 500), collapse = " ")``.

    An expression built by hand gets the parentheses it needs, where R adds them; `parse` reads
    the text back.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(parse("log( x,base=2L )**-1"))
    'log(x, base = 2L)^-1'
    """
    return " ".join(deparsed_lines(node))


def deparsed_lines(node: Node, width: int = _WIDTH) -> list[str]:
    """Return the lines of an expression, R's ``deparse(e, width)``.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparsed_lines(parse("first + second"), width=5)
    ['first + ', '    second']
    """
    return _Writer(keep_types=True, width=width).lines(node)


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
    # Most are a lone name.
    if isinstance(node, Symbol):
        return _symbol(node.name)
    return "\n".join(_Writer(keep_types=False, width=_WIDTH).lines(node))


def _operator_of(node: Node) -> _Operator | None:
    """Return the operator that `node` is written with, or None when it is no such call.

    R writes a call in operator form only when the operands are there; `%in%` and its
    kin only without names.
    """
    name = node.name if isinstance(node, Call) else None
    if name is None or not isinstance(node, Call):
        return None
    arguments, operands = node.arguments, node.operands
    count = len(operands)
    if count != len(arguments) or count not in (1, 2):
        return None
    operator = _OPERATORS.get(name)
    if operator is None:
        special = count == 2 and len(name) >= 2 and name[0] == name[-1] == "%"
        named = name != "%*%" and any(item.name is not None for item in arguments)
        return _SPECIAL if special and not named else None
    if name in ("$", "@") and not isinstance(operands[-1], Symbol | Text):
        return None
    if count == 2:
        return operator if operator.kind != "prefix" else None
    if name in ("+", "-"):
        return _SIGN
    return operator if operator.kind in ("prefix", "spaced") else None


def _needs_parentheses(outer: _Operator, operand: Node, on_left: bool) -> bool:
    """Whether R writes parentheses around an operand that has none in the tree."""
    same_side = on_left == outer.rightward
    if isinstance(operand, Number) and isinstance(operand.value, complex):
        return outer.precedence > _SUM or (outer.precedence == _SUM and same_side)
    if isinstance(operand, Call) and operand.name == "if":
        return on_left
    inner = _operator_of(operand)
    if not isinstance(operand, Call) or inner is None:
        return False
    unary = len(operand.arguments) == 1
    if unary and not on_left:
        return False
    if not unary and outer.precedence == inner.precedence == _COMPARE:
        return True
    return outer.precedence > inner.precedence or (
        outer.precedence == inner.precedence and same_side
    )


def _runs_on(node: Node, edge: int) -> bool:
    """Whether `node`, last in a left operand, would swallow the operator behind it.

    `edge` is the precedence of that operator, 0 when there is none.
    """
    if not edge or not isinstance(node, Call):
        return False
    inner = _operator_of(node)
    unary = inner is not None and len(node.arguments) == 1 and inner.precedence < edge
    return unary or node.name == "if"


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
    return name if is_name(name) else _quoted(name, "`")


class _Writer:
    """Writes one expression in lines, broken as R breaks them.

    R ends a line at the first place allowed (after a comma between arguments, after an
    operator with blanks) where the line has more than `width` bytes, its indent counted.
    """

    def __init__(self, *, keep_types: bool, width: int) -> None:
        self.keep_types, self.width = keep_types, width
        self.finished: list[str] = []
        self.pieces: list[str] = []
        self.size = 0
        self.indent = 0
        self.braces = 0

    def lines(self, node: Node) -> list[str]:
        self._write(node)
        if self.pieces:
            self._end_line()
        return self.finished

    def _put(self, text: str) -> None:
        if not self.pieces:
            # R indents by four blanks, from the fifth level on by two.
            self.size = 4 * min(self.indent, 4) + 2 * max(0, self.indent - 4)
            self.pieces.append(" " * self.size)
        self.pieces.append(text)
        self.size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def _end_line(self) -> None:
        self.finished.append("".join(self.pieces))
        self.pieces = []
        self.size = 0

    def _break_line(self, broken: bool) -> bool:
        """End the line if it is full; return whether the construct has been broken."""
        if self.size <= self.width:
            return broken
        if not broken:
            self.indent += 1
        self._end_line()
        return True

    def _write(self, node: Node, *, enclosed: bool = False, edge: int = 0) -> None:
        """Write an expression, in parentheses or before an operator of the precedence `edge`."""
        if enclosed:
            self._put("(")
            self._write(node)
            self._put(")")
            return
        match node:
            case Symbol():
                self._put(_symbol(node.name))
            case Number():
                self._put(self._number(node))
            case Text():
                self._put(_quoted(node.value, '"'))
            case Constant():
                typed = node.name.startswith("NA_") and not self.keep_types
                self._put("NA" if typed else node.name)
            case Call():
                operator = _operator_of(node)
                if operator is None:
                    self._call(node)
                elif len(node.arguments) == 1:
                    self._put(str(node.name))
                    self._right_operand(node.operands[0], operator, edge)
                else:
                    self._chain(node, edge)

    def _number(self, node: Number) -> str:
        value = node.value
        if isinstance(value, complex):
            sign = "-" if value.imag < 0 else "+"
            return f"{constant(value.real)}{sign}{constant(abs(value.imag))}i"
        if node.integer:
            return str(int(value)) + ("L" if self.keep_types else "")
        return constant(value)

    def _right_operand(self, node: Node, operator: _Operator, edge: int) -> None:
        enclosed = _needs_parentheses(operator, node, False) or _runs_on(node, edge)
        self._write(node, enclosed=enclosed, edge=edge)

    def _chain(self, node: Node, edge: int) -> None:
        """Write binary operators; their left operands are walked, not descended into."""
        spine: list[tuple[Call, _Operator, bool, int]] = []
        enclosed = False
        while isinstance(node, Call) and len(node.arguments) == 2:
            operator = _operator_of(node)
            if operator is None:
                break
            if enclosed:
                self._put("(")
            spine.append((node, operator, enclosed, 0 if enclosed else edge))
            edge, node = operator.precedence, node.operands[0]
            enclosed = _needs_parentheses(operator, node, True)
        self._write(node, enclosed=enclosed or _runs_on(node, edge), edge=edge)
        for call, operator, enclosed, behind in reversed(spine):
            name, right = str(call.name), call.operands[1]
            if name in ("$", "@"):
                if isinstance(right, Text) and _symbol(right.value) == right.value:
                    right = Symbol(right.value)
                self._put(name)
                self._write(right)
            else:
                spaced = operator.kind in ("spaced", "assign")
                self._put(f" {name} " if spaced else name)
                broken = operator.kind == "spaced" and self._break_line(False)
                self._right_operand(right, operator, behind)
                self.indent -= broken
            if enclosed:
                self._put(")")

    def _call(self, node: Call) -> None:
        """Write a call that is no operation."""
        name, arguments, values = node.name, node.arguments, node.operands
        complete = len(values) == len(arguments)
        if name == "(" and complete and len(values) <= 1:
            # R finds NULL where there is nothing.
            self._write(values[0] if values else Constant("NULL"), enclosed=True)
        elif name in ("[", "[[") and arguments and arguments[0].value is not None:
            self._write(values[0], enclosed=_needs_parentheses(_SUBSET, values[0], True))
            self._put(name)
            self._arguments(arguments[1:])
            self._put("]" * len(name))
        elif name == "if" and complete and len(values) in (2, 3):
            self._conditional(values)
        elif name == "function" and arguments and arguments[-1].value is not None:
            self._put("function(")
            self._arguments(arguments[:-1], parameters=True)
            self._put(") ")
            self._write(arguments[-1].value)
        elif name == "{" and complete:
            self._put("{")
            self.braces += 1
            self.indent += 1
            self._end_line()
            for statement in values:
                self._write(statement)
                self._end_line()
            self.indent -= 1
            self._put("}")
            self.braces -= 1
        else:
            called, operator = node.function, _operator_of(node.function)
            self._write(
                called,
                enclosed=(isinstance(called, Call) and called.name in (None, "function", "if"))
                or (operator is not None and operator.precedence < _SUBSET.precedence),
            )
            self._put("(")
            self._arguments(arguments)
            self._put(")")

    def _arguments(self, arguments: tuple[Argument, ...], *, parameters: bool = False) -> None:
        """Write arguments, or the parameters of a function, which need no default."""
        broken = False
        for position, item in enumerate(arguments):
            value = item.value
            if position:
                self._put(", ")
                broken = self._break_line(broken)
            if item.name is not None:
                bare = parameters and value is None
                self._put(_symbol(item.name) + (" = " if not bare else ""))
            if value is not None:
                assigns = isinstance(value, Call) and value.name == "=" and not parameters
                self._write(value, enclosed=assigns and _operator_of(value) is not None)
        self.indent -= broken

    def _conditional(self, values: tuple[Node, ...]) -> None:
        self._put("if (")
        self._write(values[0])
        self._put(") ")
        yes, in_block = values[1], self.braces > 0
        on_new_line = in_block and not (isinstance(yes, Call) and yes.name == "{")
        if on_new_line:
            self._end_line()
        self.indent += on_new_line
        self._write(yes)
        self.indent -= on_new_line
        if len(values) == 3:
            if in_block:
                self._end_line()
            self._put("else " if in_block else " else ")
            self._write(values[2])
