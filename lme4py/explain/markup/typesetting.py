"""Trees set in type: what stands where, once for all formats.

A `Typesetter` walks through a tree and decides on signs, dots between factors, parentheses,
matrices and subscripts. How names, numbers and matrices are written is the format's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from typing import TypeAlias

from lme4py.explain.expression import (
    Operation,
    Quantity,
    Tree,
    abridged,
    operands_of,
    rows_of,
    signed,
)
from lme4py.explain.markup.formats import COLOURS, CONSTRUCTS, TEXT, Format
from lme4py.explain.markup.page import aligned_numbers

# What stands in parentheses as a factor, on either side of a stroke, before an exponent.
_LOOSE = ("+", "·")
_DIVIDED = (*_LOOSE, "/")
_TIGHT = (*_DIVIDED, "^", "√")
_ENCLOSED = {"ᵀ": _TIGHT, "/": _DIVIDED, "Σ": ("+",)}


@dataclass(frozen=True, slots=True)
class Written:
    """A quantity in writing."""

    base: str  # a letter or a name
    part: str = ""  # the level or column of a variable
    below: tuple[Mark, ...] = ()  # the subscript, piece by piece
    above: tuple[Mark, ...] = ()
    primes: int = 0
    bold: bool = False  # as a matrix or vector


Mark: TypeAlias = str | Written


Box: TypeAlias = tuple[str, ...]
"""Lines of one width, whose middle stands beside its neighbours; in text, a matrix has several."""


def _beside(boxes: Sequence[Box]) -> Box:
    height = max(map(len, boxes), default=1)
    if height == 1:
        return ("".join([box[0] for box in boxes]),)
    padded = []
    for box in boxes:
        blank, above = [" " * len(box[0])], (height - 1) // 2 - (len(box) - 1) // 2
        padded.append([*blank * above, *box, *blank * (height - above - len(box))])
    return tuple(map("".join, zip(*padded, strict=True)))


@dataclass(frozen=True, slots=True, repr=False)
class Typesetter:
    """Sets trees in a format."""

    write: Callable[[Quantity, int], Written]  # the notation
    digits: int = 4  # significant ones of numbers
    form: Format = TEXT
    stage: int = 0  # of the hierarchy, at which equations are read
    most: int | None = None  # rows and columns of a matrix; else its middle is left out

    def lines(self, relation: Operation, starts: Sequence[int] = (0,)) -> list[str]:
        """Return the lines of an equation, each beginning with one of these terms of its sum."""
        left, right = self._box(relation.left), relation.right
        sign, terms = self._built(f"line {relation.name}"), operands_of("+", right)
        indent = (" " * (len(left[0]) + len(sign[0]) - 2) if self.form.drawn else "",)
        lines: list[str] = []
        for start, end in pairwise([*starts, max(len(terms), 1)]):
            part = (
                self._box(right)
                if len(starts) == 1
                else self._sum(terms[start:end], leading=start > 0)
            )
            further = _beside([indent, self._built("further line", part)])
            box = further if start else self._built("line", left, sign, part)
            lines += [line.rstrip() for line in box]
        return lines

    def starts(self, relation: Operation, width: int) -> list[int]:
        """Return which terms of an equation's sum begin its lines of so many characters."""
        terms = operands_of("+", relation.right)
        if len(terms) < 2:
            return [0]
        sign = self._built(f"line {relation.name}")
        room = width - len(self._box(relation.left)[0]) - len(sign[0])
        starts, used = [0], 0
        for place, term in enumerate(terms):
            size = len(self._sum((term,), leading=True)[0])
            if place > starts[-1] and used + size > room:
                starts, used = [*starts, place], 0
            used += size
        return starts

    def inline(self, tree: Tree) -> str:
        """Return a tree that has one line."""
        return self._box(tree)[0]

    def symbol(self, written: Written) -> str:
        """Return a quantity with its indices."""
        text = self.form.name(written.base, written.bold)
        if written.part:
            text = self._filled("part", text, self.form.label(written.part))
        if written.primes:
            text = self._filled("primed", text, self.form.index("′" * written.primes))
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
                parts.append(self.form.index(mark) if isinstance(mark, str) else self.symbol(mark))
                apart = isinstance(mark, Written) and bool(mark.below)
        text = "".join(parts)
        text = self._filled("sequence", text) if len(parts) > 1 else text
        return self.form.script(text, above) if text else ""

    def _filled(self, construct: str, *parts: str) -> str:
        first, *rest = CONSTRUCTS[construct][self.form.column]
        return first + "".join([part + text for part, text in zip(parts, rest, strict=True)])

    def _built(self, construct: str, *parts: Box) -> Box:
        first, *rest = CONSTRUCTS[construct][self.form.column]
        boxes: list[Box] = [(first,)]
        for part, text in zip(parts, rest, strict=True):
            boxes += [part, (text,)]
        return _beside(boxes)

    def _sequence(self, boxes: Sequence[Box]) -> Box:
        return self._built("sequence", _beside(boxes)) if len(boxes) > 1 else _beside(boxes)

    def _box(self, tree: Tree) -> Box:
        match tree:
            case Quantity():
                return (self.symbol(self.write(tree, self.stage)),)
            case Operation("matrix"):
                return self._grid(tree)
            case Operation("+", terms):
                return self._sum(terms, leading=False) if terms else self._box(0.0)
            case Operation("·", factors):
                return self._product(factors) if factors else self._box(1.0)
            case Operation("^", (base, exponent)):
                power = self.form.script(self.form.index(f"{exponent}"), True)
                return self._built("^", self._enclosed(base, _TIGHT), (power,))
            case Operation("marked", (inside, int(mark))):
                box, colour = self._box(inside), COLOURS[mark % len(COLOURS)]
                return box if self.form.drawn else self._built("marked", (colour,), box)
            case Operation(name, operands) if name in CONSTRUCTS:
                # A bar keeps what is above and below it apart.
                apart = name not in _ENCLOSED or (name == "/" and not self.form.drawn)
                part = self._box if apart else partial(self._enclosed, names=_ENCLOSED[name])
                return self._built(name, *map(part, operands))
            case Operation(function, arguments):
                comma = self._built(",")
                boxes = [box for argument in arguments for box in (comma, self._box(argument))]
                inside_parentheses = self._built("parentheses", _beside(boxes[1:]))
                return self._sequence([(self.form.function(function),), inside_parentheses])
            case int():
                return (self.form.number(str(tree)),)
            case _:
                return (self.form.number(f"{tree + 0.0:.{self.digits}g}"),)

    def _sum(self, terms: tuple[Tree, ...], *, leading: bool) -> Box:
        boxes: list[Box] = []
        for term in terms:
            negative, positive = signed(term)
            if boxes or leading:
                boxes.append(self._built("-" if negative else "+"))
            elif negative:
                boxes.append(self._built("negative"))
            boxes.append(self._enclosed(positive, ("+",)))
        return self._sequence(boxes)

    def _product(self, factors: tuple[Tree, ...]) -> Box:
        first = factors[0]
        boxes = [self._box(first) if isinstance(first, float) else self._enclosed(first, _LOOSE)]
        for before, factor in pairwise(factors):
            matrices = _is_matrix(before) and _is_matrix(factor)
            boxes.append(self._built("between matrices" if matrices else "·"))
            boxes.append(self._enclosed(factor, _LOOSE))
        return self._sequence(boxes)

    def _enclosed(self, tree: Tree, names: Collection[str]) -> Box:
        """Return a part of another tree, in parentheses if it is one of these or below zero."""
        negative = isinstance(tree, float) and tree < 0
        box, loose = self._box(tree), isinstance(tree, Operation) and tree.name in names
        return self._built("parentheses", box) if negative or loose else box

    def cells(self, matrix: Tree) -> list[list[str]]:
        """Return the entries of a matrix by rows, the numbers of a column with common decimals."""
        columns = []
        for entries in zip(*rows_of(matrix), strict=True):
            numbers = [entry for entry in entries if isinstance(entry, float)]
            shown = map(self.form.number, aligned_numbers(numbers, self.digits))
            columns.append(
                [next(shown) if isinstance(e, float) else self.inline(e) for e in entries]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    def _grid(self, grid: Tree) -> Box:
        grid = grid if self.most is None else abridged(grid, self.most, self.most)
        columns = zip(*rows_of(grid), strict=True)
        numeric = [all(map(_is_number, column)) for column in columns]
        return tuple(self.form.grid(self.cells(grid), numeric))


def _is_number(entry: Tree) -> bool:
    """Tell whether an entry of a matrix is a number, or stands for those that are left out."""
    return isinstance(entry, float) or (isinstance(entry, Operation) and entry.name in "⋯⋮⋱")


def _is_matrix(tree: Tree) -> bool:
    """Tell whether a tree is a matrix or vector, which stands without a dot between factors."""
    match tree:
        case Operation("matrix" | "ᵀ") | Quantity("matrix"):
            return True
        case _:
            return False
