"""The equations as products of matrices and vectors: a row, a cluster, the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from lme4py.explain.expression import (
    Applied,
    Dots,
    Grid,
    Marked,
    Numeral,
    Power,
    Product,
    Quantity,
    Relation,
    Sum,
    Transposed,
    Tree,
    column,
    distributed,
    evaluate,
    grid,
    quantities_of,
    substituted,
    times,
)
from lme4py.explain.markup.display import Note, Section
from lme4py.explain.system import System

_HOW_MADE = (
    "J has a 1 where a row belongs to a group, R the columns left of the bar; ⊙ multiplies each "
    "row of J with the same row of R, every entry with every entry (Bates et al. 2015, 2.3)"
)


def matrix_sections(system: System, caption: Callable[[int], str]) -> Iterator[Section]:
    """Yield one row, one cluster and the whole as products of matrices and vectors."""
    left, terms = system.outcome, (*system.row_terms(), *system.residual)
    link = () if system.residual else (Relation((left, system.left_side)),)
    yield Section("One observation", (Relation((left, Sum(terms))), *link))
    factors = system.factors
    if factors:
        # The cluster of the coarsest factor: others may lie inside it.
        own, title = factors[-1], f"One cluster, {caption(factors[-1])}"
        stage = system.hierarchy.stage[own]
        if len(factors) == 1:
            stacked = Relation((left, Sum(terms))).map(_stacked)
            yield Section(title, (stacked,), stage)
            title = ""
        relations = (in_matrices(system, factors, own), *_parts(system, own))
        yield Section(title, relations, stage, tuple(_sizes(system, own)))
    whole = [in_matrices(system, factors)]
    if len(factors) == 1:
        whole.append(Relation((system.matrix("Z"), _blocks(system, factors[0]))))
    yield Section("All rows", tuple(whole), notes=tuple(_structure(system)))
    if factors:
        of_each = [[system.matrix(letter, factor) for letter in "ZJR"] for factor in factors]
        made = tuple(Relation((Z, Relation((J, R), "⊙"))) for Z, J, R in of_each)
        notes: list[Note] = [_HOW_MADE]
        for factor, (_, J, R) in zip(factors, of_each, strict=True):
            size, columns = system.hierarchy.factors[factor].size, system.columns_of(factor)
            row = grid([[found.entry for found in columns]])
            shape = f" n × {len(columns)} with rows "
            notes.append((caption(factor), ": ", J, f" is n × {size}, ", R, shape, row))
        yield Section("How Z is made", made, notes=tuple(notes))


def observation_sections(system: System, row: int) -> Iterator[Section]:
    """Yield the equations of one row by levels and as row times vector, and its numbers.

    A term has the same mark in all of them: what stands beside a fixed effect is an entry of X,
    what stands beside a random effect one of Z.
    """
    at = slice(row, row + 1)
    here = {symbol: float(numbers(at)[0]) for symbol, numbers in system.values.items()}
    columns = [found for part in system.parts for found in part]
    marks = {found.effect: mark for mark, found in enumerate(columns)}

    def marked(tree: Tree) -> Tree:
        own = [marks[quantity] for quantity in quantities_of(tree) if quantity in marks]
        return Marked((tree,), own[0]) if own else tree

    vectors = []
    for part in system.parts:
        entries = grid([[Marked((c.entry,), marks[c.effect]) for c in part]])
        vectors.append(Product((entries, column(marked(c.effect) for c in part))))
    products = [times(c.entry, c.effect) for c in columns]
    numbers = [times(Numeral(float(evaluate(c.entry, here))), c.effect) for c in columns]
    left, y = system.outcome, system.design.y
    value = Numeral(float(y[row])) if system.residual and y is not None and y.ndim == 1 else left
    by_levels = system.combined_predictor().operands
    offsets = [Numeral(here[offset]) for offset in system.offsets]
    views: list[tuple[str, Tree, Iterable[Tree], Iterable[Tree]]] = [
        ("By levels, each equation put into the one below", left, map(marked, by_levels), ()),
        ("Row times vector", left, vectors, system.offsets),
        ("Multiplied out: the same terms", left, map(marked, products), system.offsets),
        ("The numbers of the row", value, map(marked, numbers), offsets),
    ]
    for title, side, terms, further in views:
        yield Section(title, (Relation((side, Sum((*terms, *further, *system.residual)))),))


def in_matrices(system: System, factors: Sequence[int], own: int | None = None) -> Relation:
    """Return the equation of the rows of a cluster of `own`, or of all rows, in matrices."""
    terms: list[Tree] = []
    if system.fixed:
        terms.append(Product((system.matrix("X", own=own), system.matrix("β"))))
    for factor in factors:
        inside = own if own is not None and system.within(factor, own) else None
        Z, b = system.matrix("Z", factor, own), system.matrix("b", factor, inside)
        terms.append(Product((Z, b)))
    further = "o" * bool(system.offsets) + "ε" * bool(system.residual)
    terms += [system.matrix(letter, own=own) for letter in further]
    return Relation((system.outcomes(own), Sum(tuple(terms))))


def residual_covariance(system: System, own: int) -> Tree:
    """Return the covariance matrix of the residuals of a cluster."""
    matrix: Tree = system.matrix("I", own=own)
    if system.design.weights is not None:
        matrix = Power((system.matrix("W", own=own), Numeral(-1.0)))
    return Product((Quantity("residual variance"), matrix))


def _parts(system: System, own: int) -> Iterator[Relation]:
    """Yield what the vectors hold, how they are distributed, and what lies inside a cluster."""
    b, effects = system.matrix("b", own, own), system.effects_of(own)
    fixed = [found.effect for found in system.fixed]
    for vector, entries in ((system.matrix("β"), fixed), (b, effects)):
        if entries:
            yield Relation((vector, Transposed((grid([entries]),))))
    for factor in system.factors:
        if factor != own and system.within(factor, own):
            inside = Applied((system.matrix("Z", factor, factor), Dots("across")), "diag")
            yield Relation((system.matrix("Z", factor, own), inside))
    yield distributed(b, "N", Numeral(0.0), system.matrix("T", own))
    if system.residual:
        residual = system.matrix("ε", own=own)
        yield distributed(residual, "N", Numeral(0.0), residual_covariance(system, own))


def _sizes(system: System, own: int) -> Iterator[Note]:
    """Yield the sizes of a cluster's matrices, and what is independent of what."""
    rows, p, q = Quantity("size", factors=(own,)), len(system.fixed), len(system.effects_of(own))
    Z, b, residual = (
        system.matrix("Z", own, own),
        system.matrix("b", own, own),
        system.matrix("ε", own=own),
    )
    X = system.matrix("X", own=own)
    fixed = (X, " is ", rows, f" × {p}, ", system.matrix("β"), f" {p} × 1, ") if p else ()
    last = (", ", residual, " ", rows, " × 1") if system.residual else ()
    yield (*fixed, Z, " " if p else " is ", rows, f" × {q}, ", b, f" {q} × 1", *last)
    if system.residual:
        yield (b, " and ", residual, " are independent; so are those of different clusters")
    if system.residual and system.design.weights is not None:
        yield (system.matrix("W", own=own), " has the weights on its diagonal")


def _structure(system: System) -> Iterator[Note]:
    """Yield how the blocks of several factors lie to each other."""
    nested, crossed = False, False
    for place, factor in enumerate(system.factors):
        own, count = system.hierarchy.factors[factor], len(system.columns_of(factor))
        columns = f"{own.size} × {count} columns" if count > 1 else f"{own.size} columns"
        blocks = f"block-diagonal when the rows are ordered by {own.name}"
        yield (system.matrix("Z", factor), f" has {columns}, and is {blocks}")
        inside = [system.within(factor, other) for other in system.factors[place + 1 :]]
        nested, crossed = nested or any(inside), crossed or not all(inside)
    if nested:
        yield "nested factors: one order does for both, the finer blocks inside the coarser"
    if crossed:
        yield "crossed factors: no order does for both, their blocks lie side by side"


def _blocks(system: System, factor: int) -> Grid:
    """Return Z of one factor: a block for each level."""
    last = system.hierarchy.factors[factor].size
    first, final = (Quantity("matrix", "Z", numbers=(k,)) for k in (1, last))
    if last == 1:
        return grid([[first]])
    zero = Numeral(0.0)
    return grid([[first, zero, zero], [zero, Dots("diagonal"), zero], [zero, zero, final]])


def _stacked(term: Tree) -> Tree:
    """Return a term of one row, or the sum of such, written for all rows of the cluster."""

    def in_row(tree: Tree, row: str) -> Tree:
        return substituted(tree, {q: replace(q, row=row) for q in quantities_of(tree) if q.row})

    match term:
        case Sum():
            return term.map(_stacked)
        case Product((Grid(entries), effects)):
            lines = [[in_row(entry, row) for entry in entries] for row in ("1", "n")]
            lines.insert(1, [Dots("down")] * len(entries))
            return Product((grid(lines), effects))
        case _:
            return column([in_row(term, "1"), Dots("down"), in_row(term, "n")])
