"""Long runs of like terms and equations in one, with an index h.

The columns of a factor with many levels make terms, and equations of their coefficients, that
differ in one number alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lme4py.explain.expression import (
    Compound,
    Marked,
    Quantity,
    Relation,
    Series,
    Sum,
    Tree,
    quantities_of,
    shortened,
)
from lme4py.explain.markup.display import Note, Section

__all__ = ["folded"]

# Longer runs are folded; those of equations without a term of their own sooner. More of the latter
# than are left stand side by side.
_LONGEST, _LONGEST_TRIVIAL, _MOST_TRIVIAL = 6, 3, 4
_INDEX = "h"


@dataclass(frozen=True, slots=True)
class _Run:
    """So many blocks of trees from a place on, alike but for an index."""

    count: int
    pattern: tuple[Tree, ...]
    first: int
    names: Note | None


def folded(section: Section) -> Section:
    """Return a section in which long runs are told once; what h stands for is noted."""
    notes: list[Note] = []
    relations = [relation.map(lambda tree: _sums(tree, notes)) for relation in section.relations]
    shown = list(_relations(relations))
    trivial = [relation for relation in shown if isinstance(relation.right, Quantity)]
    if len(trivial) > _MOST_TRIVIAL:
        shown = [relation for relation in shown if relation not in trivial]
        told = [(", ", relation) for relation in trivial]
        notes.append(tuple(piece for each in told for piece in each)[1:])
    notes = [*section.notes, *dict.fromkeys(notes)]
    return replace(section, relations=tuple(shown), notes=tuple(notes))


def _sums(tree: Tree, notes: list[Note]) -> Tree:
    """Return a tree with the runs in its sums told once."""
    if not isinstance(tree, Compound):
        return tree
    tree = tree.map(lambda operand: _sums(operand, notes))
    terms = tree.operands
    if not isinstance(tree, Sum) or len(terms) <= _LONGEST:
        return tree
    shown: list[Tree] = []
    place = 0
    while place < len(terms):
        run = max((_run(terms, place, size) for size in (1, 2, 3)), key=lambda each: each.count)
        if run.count <= _LONGEST:
            shown.append(terms[place])
            place += 1
            continue
        inside = run.pattern[0] if len(run.pattern) == 1 else Sum(run.pattern)
        shown.append(Series((inside,), run.first, run.first + run.count - 1))
        notes += [run.names] if run.names else []
        place += run.count * len(run.pattern)
    return Sum(tuple(shown))


def _relations(relations: Sequence[Relation]) -> Iterator[Relation]:
    place = 0
    while place < len(relations):
        relation, run = relations[place], _run(relations, place, 1)
        trivial = isinstance(relation.right, Quantity)
        if run.count <= (_LONGEST_TRIVIAL if trivial else _LONGEST):
            yield relation
            place += 1
            continue
        (pattern,) = run.pattern
        left, right = pattern.operands if isinstance(pattern, Relation) else (pattern, pattern)
        told = Series((right,), run.first, run.first + run.count - 1, added=False)
        yield replace(relation, operands=(left, told))
        place += run.count


def _run(trees: Sequence[Tree], start: int, size: int) -> _Run:
    """Return the longest run of blocks of that size from a place on."""
    best = _Run(1, (), 0, None)
    one, two = trees[start : start + size], trees[start + size : start + 2 * size]
    if len(two) < size:
        return best
    # The column of a factor that changes from block to block.
    pairs = [(a, b) for t, u in zip(one, two, strict=True) for a, b in _leaves(t, u)]
    changing = {a.name for a, b in pairs if a.part and a.name == b.name and a.part != b.part}
    numbers = next((q.numbers for tree in one for q in quantities_of(tree) if q.numbers), ())
    for place, first in enumerate(numbers):
        if not isinstance(first, int) or len(changing) > 1:
            continue
        pattern = tuple(_indexed(tree, place, first, changing) for tree in one)
        count = 1
        while True:
            begin = start + count * size
            block = trees[begin : begin + size]
            number = first + count
            if tuple(_indexed(tree, place, number, changing) for tree in block) != pattern:
                break
            count += 1
        if count > best.count:
            told = trees[start : start + count * size]
            best = _Run(count, pattern, first, _names(told, pattern, changing, first, count))
    return best


def _leaves(one: Tree, two: Tree) -> Iterator[tuple[Quantity, Quantity]]:
    return zip(quantities_of(one), quantities_of(two), strict=False)


def _indexed(tree: Tree, place: int, number: int, changing: set[str]) -> Tree:
    """Return a tree with the index in place of a number and of the columns that change."""
    match tree:
        case Marked((inside,)):
            # A run has one colour.
            return Marked((_indexed(inside, place, number, changing),))
        case Compound():
            return tree.map(lambda operand: _indexed(operand, place, number, changing))
        case Quantity(kind="predictor") if tree.part and tree.name in changing:
            return replace(tree, part=_INDEX)
        case Quantity(numbers=numbers) if len(numbers) > place and numbers[place] == number:
            return replace(tree, numbers=(*numbers[:place], _INDEX, *numbers[place + 1 :]))
        case _:
            return tree


def _names(
    trees: Sequence[Tree], pattern: Sequence[Tree], changing: set[str], first: int, count: int
) -> Note | None:
    """Return which columns the index stands for."""
    symbols = [q for tree in pattern for q in quantities_of(tree) if q.part == _INDEX]
    if not symbols:
        return None
    every = (q for tree in trees for q in quantities_of(tree) if q.name in changing)
    parts = shortened(list(dict.fromkeys(q.part for q in every)), 4, "…")
    return (symbols[0], f" for h = {first}, …, {first + count - 1}: {', '.join(parts)}")
