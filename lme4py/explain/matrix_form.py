"""The equations as products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lme4py.explain.expression import (
    Applied,
    Dots,
    Grid,
    Numeral,
    Power,
    Product,
    Quantity,
    Relation,
    Row,
    RowWise,
    Sum,
    Transposed,
    Tree,
    column,
    grid,
    quantities_of,
    substituted,
    times,
)
from lme4py.explain.markup.display import Note, Section
from lme4py.explain.system import System

__all__ = ["matrix_sections", "residual_covariance"]


def matrix_sections(
    system: System, caption: Callable[[int], str], most: tuple[int, int]
) -> Iterator[Section]:
    """Yield one row, one cluster and the whole as products of matrices and vectors.

    Of more than `most` rows and columns the middle is left out.
    """
    linear = system.design.family is None
    left = Quantity("response" if linear else "predicted", row="i")
    terms = list(system.row_terms(most))
    link = () if linear else (Relation(left, system.left_side),)
    yield Section("One observation", (Relation(left, Sum((*terms, *system.residual))), *link))
    factors = [f for f in system.hierarchy.from_stage(1) if system.effects_of(f)]
    if factors:
        # The cluster of the coarsest factor: others may lie inside it.
        own, title = factors[-1], f"One cluster, {caption(factors[-1])}"
        stage = system.hierarchy.stage[own]
        if len(factors) == 1:
            stacked = Sum(tuple(_stacked(term) for term in (*terms, *system.residual)))
            yield Section(title, (Relation(_stacked(left), stacked),), stage)
            title = ""
        relations = (_compact(system, own), *_parts(system, own, most))
        yield Section(title, relations, stage, tuple(_sizes(system, own)))
    yield Section(
        "All rows",
        (_compact(system), *_whole(system, factors)),
        notes=tuple(_structure(system, factors)),
    )
    made = tuple(Relation(system.matrix("Z", f), _made(system, f)) for f in factors)
    if made:
        notes = (_HOW_MADE, *(_raw(system, factor, caption, most) for factor in factors))
        yield Section("How Z is made", made, notes=notes)


_HOW_MADE = (
    "J has a 1 where a row belongs to a group, R the columns left of the bar; ⊙ multiplies each "
    "row of J with the same row of R, every entry with every entry (Bates et al. 2015, 2.3)"
)


def _made(system: System, factor: int) -> Tree:
    numbers = system.number_of(factor)
    return RowWise(tuple(Quantity("matrix", letter, numbers=numbers) for letter in "JR"))


def _raw(system: System, factor: int, caption: Callable[[int], str], most: tuple[int, int]) -> Note:
    """Return the sizes of a factor's indicators and raw columns, and a row of the latter."""
    numbers = system.number_of(factor)
    J, R = (Quantity("matrix", letter, numbers=numbers) for letter in "JR")
    size, columns = system.hierarchy.factors[factor].size, system.columns_of(factor)
    row = grid([[times(*(c.atoms or (Numeral(1.0),))) for c in columns]], most)
    return (
        caption(factor),
        ": ",
        J,
        f" is n × {size}, ",
        R,
        f" n × {len(columns)} with rows ",
        row,
    )


def _compact(system: System, own: int | None = None) -> Relation:
    """Return the equation of the rows of a cluster, or of all rows, in matrices."""
    linear = system.design.family is None
    terms: list[Tree] = []
    if system.fixed:
        terms.append(Product((_matrix("X", own), _matrix("β"))))
    for factor in system.hierarchy.from_stage(1):
        if system.effects_of(factor):
            inside = own if own is not None and system.within(factor, own) else None
            Z, b = system.matrix("Z", factor, own), system.matrix("b", factor, inside)
            terms.append(Product((Z, b)))
    terms += [_matrix("o", own)] * bool(system.offsets) + [_matrix("ε", own)] * linear
    return Relation(_matrix("y" if linear else "η", own), Sum(tuple(terms)))


def _parts(system: System, own: int, most: tuple[int, int]) -> Iterator[Relation]:
    """Yield what the vectors hold, how they are distributed, and what lies inside a cluster."""
    if system.fixed:
        yield Relation(_matrix("β"), _lying(system.fixed, most))
    b = system.matrix("b", own, own)
    yield Relation(b, _lying(system.effects_of(own), most))
    for factor in system.hierarchy.from_stage(1):
        if factor != own and system.effects_of(factor) and system.within(factor, own):
            block = system.matrix("Z", factor, factor)
            inside = Applied((block, Dots("across")), "diag")
            yield Relation(system.matrix("Z", factor, own), inside)
    zero = Numeral(0.0)
    yield Relation(b, Applied((zero, system.matrix("T", own)), "N"), "~")
    if system.residual:
        yield Relation(
            _matrix("ε", own), Applied((zero, residual_covariance(system, own)), "N"), "~"
        )


def residual_covariance(system: System, own: int) -> Tree:
    """Return the covariance matrix of the residuals of a cluster."""
    kind = "I" if system.design.weights is None else "W"
    matrix: Tree = _matrix(kind, own)
    matrix = matrix if kind == "I" else Power((matrix, Numeral(-1.0)))
    return Product((Quantity("residual variance"), matrix))


def _sizes(system: System, own: int) -> Iterator[Note]:
    """Yield the sizes of a cluster's matrices, and what is independent of what."""
    rows, p, q = Quantity("size", factors=(own,)), len(system.fixed), len(system.effects_of(own))
    Z, b = system.matrix("Z", own, own), system.matrix("b", own, own)
    fixed = (_matrix("X", own), " is ", rows, f" × {p}, ", _matrix("β"), f" {p} × 1, ") if p else ()
    residual = _matrix("ε", own)
    last = (", ", residual, " ", rows, " × 1") if system.residual else ()
    yield (*fixed, Z, *([" is "] if not p else [" "]), rows, f" × {q}, ", b, f" {q} × 1", *last)
    if system.residual:
        yield (b, " and ", residual, " are independent; so are those of different clusters")
    if system.residual and system.design.weights is not None:
        yield (_matrix("W", own), " has the weights on its diagonal")


def _whole(system: System, factors: list[int]) -> Iterator[Relation]:
    """Yield Z by the blocks of clusters, or by factors."""
    if len(factors) == 1:
        yield Relation(_matrix("Z"), _blocks(system.hierarchy.factors[factors[0]].size))


def _structure(system: System, factors: list[int]) -> Iterator[Note]:
    """Yield how the blocks of several factors lie to each other."""
    nested, crossed = False, False
    for place, factor in enumerate(factors):
        Z, size = system.matrix("Z", factor), system.hierarchy.factors[factor].size
        count = len(system.effects_of(factor))
        columns = f"{size} × {count} columns" if count > 1 else f"{size} columns"
        blocks = "block-diagonal when the rows are ordered by"
        yield (Z, f" has {columns}, and is {blocks} {system.hierarchy.factors[factor].name}")
        others = factors[place + 1 :]
        nested |= any(system.within(factor, other) for other in others)
        crossed |= any(not system.within(factor, other) for other in others)
    if nested:
        yield "nested factors: one order does for both, the finer blocks inside the coarser"
    if crossed:
        yield "crossed factors: no order does for both, their blocks lie side by side"


def _blocks(last: int) -> Grid:
    first, final = (Quantity("matrix", "Z", numbers=(k,)) for k in (1, last))
    if last == 1:
        return grid([[first]])
    zero = Numeral(0.0)
    return grid([[first, zero, zero], [zero, Dots("diagonal"), zero], [zero, zero, final]])


def _matrix(name: str, own: int | None = None) -> Quantity:
    return Quantity("matrix", name, factors=() if own is None else (own,))


def _in_row(tree: Tree, row: str) -> Tree:
    """Return a tree for another row of the cluster."""
    return substituted(tree, {q: replace(q, row=row) for q in quantities_of(tree) if q.row})


def _stacked(term: Tree) -> Tree:
    """Return a term of one row written for all rows of the cluster."""
    match term:
        case Product((Grid((Row(entries),)), effects)):
            lines = [[_in_row(entry, row) for entry in entries] for row in ("1", "n")]
            lines.insert(1, [Dots("down")] * len(entries))
            return Product((grid(lines), effects))
        case _:
            return column([_in_row(term, "1"), Dots("down"), _in_row(term, "n")])


def _lying(effects: tuple[Quantity, ...], most: tuple[int, int]) -> Tree:
    return Transposed((grid([effects], most),))
