"""Expressions as MathML, which browsers show without any script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from lme4py.explain.expression import (
    Applied,
    Column,
    Dots,
    Grid,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Root,
    Sum,
    Symbol,
    Transposed,
    signed,
)
from lme4py.explain.notation import Mark, Written
from lme4py.explain.render_text import is_matrix

__all__ = ["MathML", "symbol_mathml"]

_DOTS = {"across": "⋯", "down": "⋮", "diagonal": "⋱"}


def _tag(name: str, inside: str, **attributes: str) -> str:
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{inside}</{name}>"


def _letters(text: str, **attributes: str) -> str:
    # A browser would break the line, or drop the rest, at an ordinary space.
    return _tag("mi", escape("\N{NO-BREAK SPACE}".join(text.split())), **attributes)


def _operator(text: str) -> str:
    return _tag("mo", escape(text))


def symbol_mathml(written: Written) -> str:
    """Return a symbol as MathML.

    Examples
    --------
    >>> symbol_mathml(Written("γ", below=("0", "0")))
    '<msub><mi>γ</mi><mn>00</mn></msub>'
    """
    weight = {"style": "font-weight:bold"} if written.bold else {}
    base = _letters(written.base, **weight)
    if written.part:
        base = _tag("mrow", base + _operator("[") + _letters(written.part) + _operator("]"))
    if written.primes:
        base = _tag("mrow", base + _operator("′" * written.primes))
    below, above = _pieces(written.below), _pieces(written.above)
    if below and above:
        return _tag("msubsup", base + below + above)
    if below:
        return _tag("msub", base + below)
    return _tag("msup", base + above) if above else base


def _pieces(marks: Sequence[Mark]) -> str:
    """Return subscript pieces; neighbouring digits are one number."""
    parts: list[str] = []
    digits = ""
    for mark in [*marks, ""]:
        if isinstance(mark, str) and mark.isdigit():
            digits += mark
            continue
        if digits:
            parts.append(_tag("mn", digits))
            digits = ""
        if isinstance(mark, Written):
            parts.append(symbol_mathml(mark))
        elif mark and all(character in "(),." for character in mark):
            parts.append(_operator(mark))
        elif mark:
            parts.append(_letters(mark))
    return parts[0] if len(parts) == 1 else _tag("mrow", "".join(parts)) if parts else ""


@dataclass(frozen=True, slots=True)
class MathML:
    """A renderer; see `Text`."""

    write: Callable[[Symbol], Written]
    digits: int = 4

    def relation(self, relation: Relation, terms_per_line: int | None = None) -> list[str]:
        """Return the rows of an equation for an ``mtable``."""
        sign = _operator("=" if relation.sign == "=" else "∼")
        left, right = self.node(relation.left), relation.right
        if not (terms_per_line and isinstance(right, Sum) and len(right.terms) > terms_per_line):
            return [_row(left, sign, self.node(right))]
        rows = []
        for start in range(0, len(right.terms), terms_per_line):
            part = self._sum(right.terms[start : start + terms_per_line], leading=start > 0)
            rows.append(_row("", "", part) if start else _row(left, sign, part))
        return rows

    def node(self, node: Node) -> str:
        """Return an expression."""
        match node:
            case Number(value=value):
                return _tag("mn", f"{value + 0.0:.{self.digits}g}")
            case Symbol():
                return symbol_mathml(self.write(node))
            case Sum(terms=()):
                return _tag("mn", "0")
            case Sum(terms=terms):
                return self._sum(terms, leading=False)
            case Product(factors=()):
                return _tag("mn", "1")
            case Product(factors=factors):
                return self._product(factors)
            case Power(base=base, exponent=exponent):
                inside = self._enclosed(base, (Sum, Product))
                return _tag("msup", inside + _tag("mn", str(exponent)))
            case Quotient(over=over, under=under):
                return _tag("mfrac", self.node(over) + self.node(under))
            case Root(inner=inner):
                return _tag("msqrt", self.node(inner))
            case Transposed(inner=inner):
                return _tag("msup", self._enclosed(inner, (Sum, Product)) + _operator("⊤"))
            case Applied(function=function, arguments=arguments):
                inside = _operator(",").join(self.node(argument) for argument in arguments)
                name = _letters("𝒩" if function == "N" else function)
                return _tag("mrow", f"{name}{_operator('(')}{inside}{_operator(')')}")
            case Dots(direction=direction):
                return _operator(_DOTS[direction])
            case Column(entries=entries):
                return self._grid([[entry] for entry in entries])
            case Grid(rows=rows):
                return self._grid(rows)

    def _sum(self, terms: tuple[Node, ...], *, leading: bool) -> str:
        inside = ""
        for number, (negative, term) in enumerate(signed(terms)):
            if number or leading or negative:
                inside += _operator("−" if negative else "+")
            inside += self._enclosed(term, (Sum,))
        return _tag("mrow", inside)

    def _product(self, factors: tuple[Node, ...]) -> str:
        inside = ""
        for number, factor in enumerate(factors):
            if number and not (is_matrix(factor) and is_matrix(factors[number - 1])):
                inside += _operator("⋅")
            inside += self._enclosed(factor, (Sum, Product))
        return _tag("mrow", inside)

    def _enclosed(self, node: Node, kinds: tuple[type, ...]) -> str:
        inside = self.node(node)
        if isinstance(node, kinds):
            return _tag("mrow", f"{_operator('(')}{inside}{_operator(')')}")
        return inside

    def _grid(self, rows: Sequence[Sequence[Node]]) -> str:
        body = "".join(
            _tag("mtr", "".join(_tag("mtd", self.node(entry)) for entry in row)) for row in rows
        )
        return _tag("mrow", f"{_operator('[')}{_tag('mtable', body)}{_operator(']')}")


def _row(left: str, sign: str, right: str) -> str:
    cells = ((left, "right"), (sign, "center"), (right, "left"))
    return _tag(
        "mtr", "".join(_tag("mtd", cell, style=f"text-align:{side}") for cell, side in cells)
    )
