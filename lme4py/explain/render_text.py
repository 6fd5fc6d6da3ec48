"""Expressions as Unicode text for a terminal; matrices as boxes of several lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

__all__ = ["Text", "is_matrix", "symbol_text"]

# A name, a call or a call with what follows it: legible without parentheses around it.
_PLAIN = re.compile(r"[^\W]?[\w.]*|[\w.:]+\([^()]*(\([^()]*\)[^()]*)*\)")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOTS = {"across": "⋯", "down": "⋮", "diagonal": "⋱"}


def symbol_text(written: Written) -> str:
    """Return a symbol as text.

    Examples
    --------
    >>> symbol_text(Written("γ", below=("0", "0"))), symbol_text(Written("f", "b", ("i", "j")))
    ('γ_00', 'f[b]_ij')
    """
    base = " ".join(written.base.split())
    enclosed = base.startswith("(") and base.endswith(")") and "(" not in base[1:]
    if not (enclosed or _PLAIN.fullmatch(base)):
        base = f"({base})"
    text = base + (f"[{' '.join(written.part.split())}]" if written.part else "")
    text += "′" * written.primes
    below, above = _pieces(written.below), _pieces(written.above)
    if below:
        text += f"_{below}" if re.fullmatch(r"([^\W_]|[\[\]()])+", below) else f"_{{{below}}}"
    if above.isdigit():
        text += above.translate(_SUPERSCRIPTS)
    elif above:
        text += f"^{above}" if len(above) == 1 or above.startswith("(") else f"^{{{above}}}"
    return text


def _pieces(marks: Sequence[Mark]) -> str:
    """Return a subscript; a piece with a subscript of its own stands apart from what follows."""
    text = ""
    for number, mark in enumerate(marks):
        text += mark if isinstance(mark, str) else symbol_text(mark)
        if isinstance(mark, Written) and mark.below and number + 1 < len(marks):
            text += " "
    return text


@dataclass(frozen=True, slots=True)
class _Box:
    """Lines of one width; `middle` is the line on which its neighbours stand."""

    lines: tuple[str, ...]
    middle: int = 0

    @property
    def width(self) -> int:
        return len(self.lines[0])


def _beside(boxes: Sequence[_Box]) -> _Box:
    above = max(box.middle for box in boxes)
    below = max(len(box.lines) - box.middle for box in boxes)
    lines = []
    for line in range(-above, below):
        parts = []
        for box in boxes:
            at = box.middle + line
            parts.append(box.lines[at] if 0 <= at < len(box.lines) else " " * box.width)
        lines.append("".join(parts))
    return _Box(tuple(lines), above)


@dataclass(frozen=True, slots=True)
class Text:
    """A renderer.

    Parameters
    ----------
    write : callable
        The notation: what a symbol looks like.
    digits : int
        Significant digits of numbers.
    """

    write: Callable[[Symbol], Written]
    digits: int = 4

    def relation(self, relation: Relation, terms_per_line: int | None = None) -> list[str]:
        """Return the lines of an equation."""
        head = [self._box(relation.left), _Box((f" {relation.sign} ",))]
        right = relation.right
        if not (terms_per_line and isinstance(right, Sum) and len(right.terms) > terms_per_line):
            return _lines(_beside([*head, self._box(right)]))
        indent = " " * (sum(box.width for box in head) - 2)
        lines: list[str] = []
        for start in range(0, len(right.terms), terms_per_line):
            part = self._sum(right.terms[start : start + terms_per_line], leading=start > 0)
            boxes = [_Box((indent,)), part] if start else [*head, part]
            lines += _lines(_beside(boxes))
        return lines

    def node(self, node: Node) -> str:
        """Return an expression; lines are joined by newlines."""
        return "\n".join(_lines(self._box(node)))

    def _box(self, node: Node) -> _Box:
        match node:
            case Number(value=value):
                return _Box((f"{value + 0.0:.{self.digits}g}",))
            case Symbol():
                return _Box((symbol_text(self.write(node)),))
            case Sum(terms=()):
                return _Box(("0",))
            case Sum(terms=terms):
                return self._sum(terms, leading=False)
            case Product(factors=factors):
                return self._product(factors)
            case Power(base=base, exponent=exponent):
                power = str(exponent).translate(_SUPERSCRIPTS)
                return _beside([self._enclosed(base, (Sum, Product)), _Box((power,))])
            case Quotient(over=over, under=under):
                kinds = (Sum, Product, Quotient)
                return _beside(
                    [self._enclosed(over, kinds), _Box(("/",)), self._enclosed(under, kinds)]
                )
            case Root(inner=inner):
                return _beside([_Box(("√(",)), self._box(inner), _Box((")",))])
            case Transposed(inner=inner):
                return _beside([self._enclosed(inner, (Sum, Product)), _Box(("ᵀ",))])
            case Applied(function=function, arguments=arguments):
                parts = [_Box((f"{function}(",))]
                for number, argument in enumerate(arguments):
                    parts += [_Box((", ",))] * bool(number) + [self._box(argument)]
                return _beside([*parts, _Box((")",))])
            case Dots(direction=direction):
                return _Box((_DOTS[direction],))
            case Column(entries=entries):
                return self._grid([[entry] for entry in entries])
            case Grid(rows=rows):
                return self._grid(rows)

    def _sum(self, terms: tuple[Node, ...], *, leading: bool) -> _Box:
        boxes: list[_Box] = []
        for number, (negative, term) in enumerate(signed(terms)):
            if number or leading:
                boxes.append(_Box((" - " if negative else " + ",)))
            elif negative:
                boxes.append(_Box(("-",)))
            boxes.append(self._enclosed(term, (Sum,)))
        return _beside(boxes)

    def _product(self, factors: tuple[Node, ...]) -> _Box:
        if not factors:
            return _Box(("1",))
        boxes = []
        for number, factor in enumerate(factors):
            if number:
                matrices = is_matrix(factor) and is_matrix(factors[number - 1])
                boxes.append(_Box((" " if matrices else "·",)))
            boxes.append(self._enclosed(factor, (Sum, Product)))
        return _beside(boxes)

    def _enclosed(self, node: Node, kinds: tuple[type, ...]) -> _Box:
        inside = self._box(node)
        if isinstance(node, kinds) and not (isinstance(node, Product) and len(node.factors) == 1):
            return _beside([_Box(("(",)), inside, _Box((")",))])
        return inside

    def _column(self, entries: Sequence[Node]) -> list[str]:
        """Return the entries of a column, numbers with as many decimals as any of them has."""
        cells = [self.node(entry) for entry in entries]
        numbers = {i: item.value for i, item in enumerate(entries) if isinstance(item, Number)}
        shown = [cells[i] for i in numbers]
        if all("e" not in cell and "n" not in cell for cell in shown):
            decimals = max((len(cell.partition(".")[2]) for cell in shown), default=0)
            for i, value in numbers.items():
                cells[i] = f"{value + 0.0:.{min(decimals, self.digits)}f}"
        return cells

    def _grid(self, rows: Sequence[Sequence[Node]]) -> _Box:
        columns = [self._column(list(column)) for column in zip(*rows, strict=True)]
        cells = [list(line) for line in zip(*columns, strict=True)] or [[] for _ in rows]
        numbers = [
            all(isinstance(row[k], Number | Dots) for row in rows)
            for k in range(len(rows[0]) if rows else 0)
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for row in cells:
            padded = [
                f"{cell:>{width}}" if right else f"{cell:<{width}}"
                for cell, width, right in zip(row, widths, numbers, strict=True)
            ]
            lines.append("  ".join(padded))
        if len(lines) <= 1:
            return _Box((f"[{lines[0] if lines else ''}]",))
        sides = ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
        framed = tuple(f"{side[0]}{line}{side[1]}" for side, line in zip(sides, lines, strict=True))
        return _Box(framed, (len(framed) - 1) // 2)


def is_matrix(node: Node) -> bool:
    """Tell whether a node is a matrix or vector, which stands without a dot between factors."""
    return isinstance(node, Grid | Column | Transposed) or (
        isinstance(node, Symbol) and node.kind == "matrix"
    )


def _lines(box: _Box) -> list[str]:
    return [line.rstrip() for line in box.lines]
