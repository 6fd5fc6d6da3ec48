"""Long runs of like terms and equations in one, with an index h.

The columns of a factor with many levels make terms, and equations of their coefficients, that
differ in one number alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lme4py.explain.expression import Operation, Quantity, Tree, quantities_of, shortened, summed
from lme4py.explain.markup.display import Note, Section

# Longer runs are folded; those of equations without a term of their own sooner. More of the latter
# than are left stand side by side.
_LONGEST, _LONGEST_TRIVIAL, _MOST_TRIVIAL = 6, 3, 4
_INDEX = "h"


@dataclass(frozen=True, slots=True)
class _Run:
    """So many blocks of trees from a place on, alike but for a number and a variable's column."""

    count: int
    pattern: tuple[Tree, ...] = ()
    first: int = 0
    changing: frozenset[str] = frozenset()


def folded(section: Section) -> Section:
    """Return a section in which long runs are told once; what h stands for is noted."""
    notes: list[Note] = []
    told = _told([_sums(relation, notes) for relation in section.relations], notes)
    relations = [relation for relation in told if isinstance(relation, Operation)]
    trivial = [relation for relation in relations if isinstance(relation.right, Quantity)]
    if len(trivial) > _MOST_TRIVIAL:
        relations = [relation for relation in relations if relation not in trivial]
        notes.append(tuple(piece for each in trivial for piece in (", ", each))[1:])
    notes = [*section.notes, *dict.fromkeys(notes)]
    return replace(section, relations=tuple(relations), notes=tuple(notes))


def _sums(tree: Tree, notes: list[Note]) -> Tree:
    """Return a tree with the runs in its sums told once."""
    if not isinstance(tree, Operation):
        return tree
    tree = tree.map(lambda operand: _sums(operand, notes))
    if tree.name != "+" or len(tree.operands) <= _LONGEST:
        return tree
    return replace(tree, operands=tuple(_told(tree.operands, notes)))


def _told(trees: Sequence[Tree], notes: list[Note]) -> Iterator[Tree]:
    """Yield the terms of a sum, or equations below each other, their runs told once."""
    place = 0
    while place < len(trees):
        tree = trees[place]
        equation = isinstance(tree, Operation) and tree.name in ("=", "~")
        trivial = isinstance(tree, Operation) and equation and isinstance(tree.right, Quantity)
        runs = (_run(trees, place, size) for size in ((1,) if equation else (1, 2, 3)))
        run = max(runs, key=lambda each: each.count)
        if run.count <= (_LONGEST_TRIVIAL if trivial else _LONGEST):
            yield tree
            place += 1
            continue
        last, blocks = run.first + run.count - 1, run.count * len(run.pattern)
        match run.pattern:
            case (Operation("=" | "~" as sign, (left, right)),):
                yield Operation(sign, (left, Operation("each", (right, run.first, last))))
            case pattern:
                yield Operation("Σ", (run.first, last, summed(pattern)))
        symbols = [q for tree in run.pattern for q in quantities_of(tree) if q.part == _INDEX]
        if symbols:
            every = (q for tree in trees[place : place + blocks] for q in quantities_of(tree))
            parts = dict.fromkeys(q.part for q in every if q.name in run.changing)
            columns = ", ".join(shortened(list(parts), 4, "…"))
            notes.append((symbols[0], f" for h = {run.first}, …, {last}: {columns}"))
        place += blocks


def _run(trees: Sequence[Tree], start: int, size: int) -> _Run:
    """Return the longest run of blocks of that size from a place on."""
    best = _Run(1)
    one, two = trees[start : start + size], trees[start + size : start + 2 * size]
    if len(two) < size:
        return best
    pairs = zip(*(quantities_of(summed(block)) for block in (one, two)), strict=False)
    # The variables of which another column stands in the next block.
    changing = frozenset(
        a.name for a, b in pairs if a.part and a.name == b.name and a.part != b.part
    )
    numbers = next((q.numbers for q in quantities_of(summed(one)) if q.numbers), ())
    for place, first in enumerate(numbers):
        if not isinstance(first, int) or len(changing) > 1:
            continue
        pattern = tuple(_indexed(tree, place, first, changing) for tree in one)
        count = 1
        while True:
            begin = start + count * size
            block = trees[begin : begin + size]
            if tuple(_indexed(t, place, first + count, changing) for t in block) != pattern:
                break
            count += 1
        if count > best.count:
            best = _Run(count, pattern, first, changing)
    return best


def _indexed(tree: Tree, place: int, number: int, changing: frozenset[str]) -> Tree:
    """Return a tree with the index in place of a number and of the columns that change."""
    match tree:
        case Operation("marked", (inside, _)):
            # A run has one colour.
            return Operation("marked", (_indexed(inside, place, number, changing), 0))
        case Operation():
            return tree.map(lambda operand: _indexed(operand, place, number, changing))
        case Quantity(kind="predictor") if tree.part and tree.name in changing:
            return replace(tree, part=_INDEX)
        case Quantity(numbers=numbers) if len(numbers) > place and numbers[place] == number:
            return replace(tree, numbers=(*numbers[:place], _INDEX, *numbers[place + 1 :]))
        case _:
            return tree
