"""Trees set in type: each construct is defined here, once, in all formats.

A `Typesetter` walks through a tree and decides what stands where: signs, dots between
factors, parentheses, matrices, subscripts. Its kinds (text, LaTeX, MathML) only know how they
write names, numbers and matrices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate, groupby, pairwise
from typing import ClassVar, TypeAlias

from lme4py.explain.expression import (
    Applied,
    Compound,
    Dots,
    Grid,
    Marked,
    Numeral,
    Power,
    Product,
    Quantity,
    Quotient,
    Relation,
    Root,
    Series,
    Sum,
    Transposed,
    Tree,
    signed,
)
from lme4py.explain.markup.page import aligned_numbers

__all__ = ["Box", "Mark", "Typesetter", "Written"]

_CELL = '<mtd style="text-align:{}">□</mtd>'
_MATHML_LINE = f"<mtr>{''.join(_CELL.format(side) for side in ('right', 'center', 'left'))}</mtr>"
_SLOT = "□"
# What stands in parentheses as a factor, on either side of a stroke, before an exponent.
_LOOSE = (Sum, Product)
_DIVIDED = (*_LOOSE, Quotient)
_TIGHT = (*_DIVIDED, Power, Root)
_SIGMA = "<munderover><mo>∑</mo><mrow><mi>h</mi><mo>=</mo><mn>□</mn></mrow><mn>□</mn></munderover>"
_VALUES = (
    "<mo>,</mo><mspace width='1em'/><mi>h</mi><mo>=</mo><mn>□</mn><mo>,</mo><mo>…</mo><mo>,</mo>"
    "<mn>□</mn>"
)
# Names that CSS, KaTeX, MathJax and LaTeX's xcolor share.
_COLOURS = ("blue", "brown", "teal", "magenta", "olive", "violet", "orange", "gray")
# Construct: as text, LaTeX and MathML; a slot for each part.
_CONSTRUCTS = {
    "+": (" + ", " + ", "<mo>+</mo>"),
    "-": (" - ", " - ", "<mo>−</mo>"),
    "negative": ("-", "-", "<mo>−</mo>"),
    "·": ("·", r" \cdot ", "<mo>⋅</mo>"),
    "between matrices": (" ", r"\, ", ""),
    "after an index's index": (" ", "", ""),
    ",": (", ", r",\, ", "<mo>,</mo>"),
    "=": (" = ", "&=", "<mo>=</mo>"),
    "~": (" ~ ", r"&\sim", "<mo>∼</mo>"),
    "across": ("⋯", r"\cdots", "<mo>⋯</mo>"),
    "down": ("⋮", r"\vdots", "<mo>⋮</mo>"),
    "diagonal": ("⋱", r"\ddots", "<mo>⋱</mo>"),
    "sequence": ("□", "□", "<mrow>□</mrow>"),
    "parentheses": ("(□)", r"\left(□\right)", "<mrow><mo>(</mo>□<mo>)</mo></mrow>"),
    "power": ("□□", "{□}□", "<msup>□□</msup>"),
    "transpose": ("□ᵀ", r"{□}^{\top}", "<msup>□<mo>⊤</mo></msup>"),
    "fraction": ("□/□", r"\frac{□}{□}", "<mfrac>□□</mfrac>"),
    "root": ("√(□)", r"\sqrt{□}", "<msqrt>□</msqrt>"),
    "part": ("□[□]", "□[□]", "<mrow>□<mo>[</mo>□<mo>]</mo></mrow>"),
    "primed": ("□□", "{□□}", "<mrow>□□</mrow>"),
    "below": ("□□", "□□", "<msub>□□</msub>"),
    "above": ("□□", "□□", "<msup>□□</msup>"),
    "below and above": ("□□□", "□□□", "<msubsup>□□□</msubsup>"),
    "added": ("Σ_{h=□}^{□} □", r"\sum_{h=□}^{□} □", f"<mrow>{_SIGMA}□</mrow>"),
    "told": ("□,  h = □, …, □", r"□,\quad h = □, \ldots, □", f"<mrow>□{_VALUES}</mrow>"),
    "inline =": ("□ = □", "□ = □", "<mrow>□<mo>=</mo>□</mrow>"),
    "inline ⊙": ("□ ⊙ □", r"□ \odot □", "<mrow>□<mo>⊙</mo>□</mrow>"),
    **{
        f"mark {k}": (
            "□",
            rf"\textcolor{{{colour}}}{{□}}",
            f'<mrow style="color:{colour}">□</mrow>',
        )
        for k, colour in enumerate(_COLOURS)
    },
    "line": ("□□□", "□ □ □", _MATHML_LINE),
    "further line": ("□", r"&\quad {}□", _MATHML_LINE.replace(_SLOT, "", 2)),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A quantity in writing.

    Parameters
    ----------
    base : str
        A letter or a name.
    part : str
        The level or column of a variable.
    below, above : tuple of (str or Written)
        Subscript and superscript, piece by piece.
    primes : int
        Number of primes.
    bold : bool
        A matrix or vector.
    """

    base: str
    part: str = ""
    below: tuple[Mark, ...] = ()
    above: tuple[Mark, ...] = ()
    primes: int = 0
    bold: bool = False


Mark: TypeAlias = str | Written


@dataclass(frozen=True, slots=True)
class Box:
    """Lines of one width; `middle` is the line on which its neighbours stand.

    Only matrices in text have several lines.
    """

    lines: tuple[str, ...]
    middle: int = 0

    @property
    def width(self) -> int:
        """Width in characters."""
        return len(self.lines[0])

    def line(self, number: int) -> str:
        """Return a line counted from the middle, blank where there is none."""
        place = self.middle + number
        return self.lines[place] if 0 <= place < len(self.lines) else " " * self.width


@cache
def _pieces(construct: str, form: int) -> tuple[str, list[str]]:
    first, *rest = _CONSTRUCTS[construct][form].split(_SLOT)
    return first, rest


def _beside(boxes: Sequence[Box]) -> Box:
    if all(len(box.lines) == 1 for box in boxes):
        return Box(("".join([box.lines[0] for box in boxes]),))
    above = max((box.middle for box in boxes), default=0)
    below = max((len(box.lines) - box.middle for box in boxes), default=1)
    lines = range(-above, below)
    return Box(tuple("".join(box.line(k) for box in boxes) for k in lines), above)


class Typesetter(ABC):
    """Sets trees in a format.

    Parameters
    ----------
    write : callable
        The notation: what a quantity looks like.
    digits : int
        Significant digits of numbers.
    """

    form: ClassVar[int]
    """The format's column in the table of constructs."""
    drawn: ClassVar[bool] = False
    """Whether lines are drawn with characters: then fractions stand in the line and further
    lines are indented."""

    def __init__(self, write: Callable[[Quantity], Written], digits: int = 4) -> None:
        self.write = write
        self.digits = digits

    def number(self, number: str) -> str:
        """Return a number, which may have an exponent behind an e."""
        return number

    @abstractmethod
    def name(self, name: str, bold: bool = False) -> str:
        """Return a letter or the name of a variable."""

    @abstractmethod
    def label(self, text: str) -> str:
        """Return the level or column of a variable."""

    @abstractmethod
    def words(self, text: str) -> str:
        """Return words outside of mathematics."""

    def function(self, name: str) -> str:
        """Return the name of a function or distribution."""
        return name

    def index(self, index: str) -> str:
        """Return a piece of an index: digits, or letters and brackets."""
        return index

    @abstractmethod
    def script(self, index: str, above: bool) -> str:
        """Return a whole index."""

    @abstractmethod
    def grid(self, rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
        """Return a matrix by rows; `numeric` tells which of its columns hold numbers alone."""

    def lines(self, relation: Relation, counts: Sequence[int] = ()) -> list[str]:
        """Return the lines of an equation, its sum broken after so many terms each."""
        left, sign, right = self._box(relation.left), self._built(relation.sign), relation.right
        if not (len(counts) > 1 and isinstance(right, Sum)):
            box = self._built("line", left, sign, self._box(right))
            return [line.rstrip() for line in box.lines]
        indent = Box((" " * (left.width + sign.width - 2) if self.drawn else "",))
        lines: list[str] = []
        for end, count in zip(accumulate(counts), counts, strict=True):
            start = end - count
            part = self._sum(right.operands[start:end], leading=start > 0)
            further = _beside([indent, self._built("further line", part)])
            box = further if start else self._built("line", left, sign, part)
            lines += [line.rstrip() for line in box.lines]
        return lines

    def counts(self, relation: Relation, width: int) -> list[int]:
        """Return how many terms of an equation's sum each line of so many characters holds."""
        terms = relation.right.operands if isinstance(relation.right, Sum) else ()
        room = width - self._box(relation.left).width - self._built(relation.sign).width
        counts, used = [0], 0
        for term in terms:
            size = self._sum((term,), leading=True).width
            if counts[-1] and used + size > room:
                counts, used = [*counts, 0], 0
            counts[-1] += 1
            used += size
        return counts

    def inline(self, tree: Tree) -> str:
        """Return a tree that has one line."""
        return self._box(tree).lines[0]

    def symbol(self, written: Written) -> str:
        """Return a quantity with its indices."""
        text = self.name(written.base, written.bold)
        if written.part:
            text = self._filled("part", text, self.label(written.part))
        if written.primes:
            text = self._filled("primed", text, self.index("′" * written.primes))
        below, above = self._script(written.below, False), self._script(written.above, True)
        if below and above:
            return self._filled("below and above", text, below, above)
        if below or above:
            return self._filled("below" if below else "above", text, below or above)
        return text

    def _script(self, marks: Sequence[Mark], above: bool) -> str:
        """Return an index; neighbouring digits are one number."""
        parts: list[str] = []
        apart = False
        for digits, group in groupby(marks, lambda mark: isinstance(mark, str) and mark.isdigit()):
            for mark in ["".join(map(str, group))] if digits else group:
                if apart:
                    parts.append(self._filled("after an index's index"))
                parts.append(self.index(mark) if isinstance(mark, str) else self.symbol(mark))
                apart = isinstance(mark, Written) and bool(mark.below)
        text = "".join(parts)
        text = self._filled("sequence", text) if len(parts) > 1 else text
        return self.script(text, above) if text else ""

    def _filled(self, construct: str, *parts: str) -> str:
        first, rest = _pieces(construct, self.form)
        return first + "".join([part + text for part, text in zip(parts, rest, strict=True)])

    def _built(self, construct: str, *parts: Box) -> Box:
        first, rest = _pieces(construct, self.form)
        boxes = [Box((first,))]
        for part, text in zip(parts, rest, strict=True):
            boxes += [part, Box((text,))]
        return _beside(boxes)

    def _sequence(self, boxes: Sequence[Box]) -> Box:
        return self._built("sequence", _beside(boxes)) if len(boxes) > 1 else _beside(boxes)

    def _box(self, tree: Tree) -> Box:
        match tree:
            case Numeral(value):
                return Box((self.number(f"{value + 0.0:.{self.digits}g}"),))
            case Quantity():
                return Box((self.symbol(self.write(tree)),))
            case Dots(direction):
                return self._built(direction)
            case Sum(()):
                return self._box(Numeral(0.0))
            case Sum(terms):
                return self._sum(terms, leading=False)
            case Product(()):
                return self._box(Numeral(1.0))
            case Product(factors):
                return self._product(factors)
            case Power((base, Numeral(exponent))):
                power = self.script(self.index(f"{exponent:g}"), True)
                return self._built("power", self._enclosed(base, _TIGHT), Box((power,)))
            case Quotient(parts):
                part = partial(self._enclosed, kinds=_DIVIDED) if self.drawn else self._box
                return self._built("fraction", *map(part, parts))
            case Root((inside,)):
                return self._built("root", self._box(inside))
            case Transposed((inside,)):
                return self._built("transpose", self._enclosed(inside, _TIGHT))
            case Series((inside,), first, last, True):
                bounds = Box((str(first),)), Box((str(last),))
                return self._built("added", *bounds, self._enclosed(inside, (Sum,)))
            case Series((inside,), first, last):
                return self._built("told", self._box(inside), Box((str(first),)), Box((str(last),)))
            case Relation(sides, sign):
                return self._built(f"inline {sign}", *map(self._box, sides))
            case Marked((inside,), mark):
                return self._built(f"mark {mark % len(_COLOURS)}", self._box(inside))
            case Applied(arguments, function):
                boxes: list[Box] = []
                for argument in arguments:
                    boxes += [self._built(",")] * bool(boxes) + [self._box(argument)]
                inside_parentheses = self._built("parentheses", _beside(boxes))
                return self._sequence([Box((self.function(function),)), inside_parentheses])
            case Grid():
                return self._grid(tree)
            case _:
                raise TypeError(f"{type(tree).__name__} cannot be written")

    def _sum(self, terms: tuple[Tree, ...], *, leading: bool) -> Box:
        boxes: list[Box] = []
        for term in terms:
            negative, positive = signed(term)
            if boxes or leading:
                boxes.append(self._built("-" if negative else "+"))
            elif negative:
                boxes.append(self._built("negative"))
            boxes.append(self._enclosed(positive, (Sum,)))
        return self._sequence(boxes)

    def _product(self, factors: tuple[Tree, ...]) -> Box:
        first = factors[0]
        boxes = [self._box(first) if isinstance(first, Numeral) else self._enclosed(first, _LOOSE)]
        for before, factor in pairwise(factors):
            matrices = _is_matrix(before) and _is_matrix(factor)
            boxes.append(self._built("between matrices" if matrices else "·"))
            boxes.append(self._enclosed(factor, _LOOSE))
        return self._sequence(boxes)

    def _enclosed(self, tree: Tree, kinds: tuple[type[Compound], ...]) -> Box:
        """Return a part of another tree, in parentheses if of these kinds or below zero."""
        negative = isinstance(tree, Numeral) and tree.value < 0
        box = self._box(tree)
        return self._built("parentheses", box) if negative or isinstance(tree, kinds) else box

    def cells(self, grid: Grid) -> list[list[str]]:
        """Return the entries of a matrix by rows."""
        return [[box.lines[0] for box in row] for row in self._cells(_columns(grid))]

    def _grid(self, grid: Grid) -> Box:
        columns = _columns(grid)
        numeric = [all(isinstance(each, Numeral | Dots) for each in column) for column in columns]
        return self.grid(self._cells(columns) or [() for _ in grid.operands], numeric)

    def _cells(self, columns: Sequence[Sequence[Tree]]) -> list[Sequence[Box]]:
        return list(zip(*map(self._column, columns), strict=True))

    def _column(self, entries: Sequence[Tree]) -> list[Box]:
        """Return the entries of a column, its numbers with common decimals."""
        numbers = [entry.value for entry in entries if isinstance(entry, Numeral)]
        shown = iter(aligned_numbers(numbers, self.digits))
        return [
            Box((self.number(next(shown)),)) if isinstance(entry, Numeral) else self._box(entry)
            for entry in entries
        ]


def _columns(grid: Grid) -> list[tuple[Tree, ...]]:
    return list(zip(*grid.rows, strict=True))


def _is_matrix(tree: Tree) -> bool:
    """Tell whether a tree is a matrix or vector, which stands without a dot between factors."""
    return isinstance(tree, Grid | Transposed) or (
        isinstance(tree, Quantity) and tree.kind == "matrix"
    )
