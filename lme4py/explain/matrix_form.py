"""The equations as products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lme4py.explain.expression import (
    Dots,
    Grid,
    Numeral,
    Product,
    Quantity,
    Relation,
    Row,
    Sum,
    Transposed,
    Tree,
    column,
    grid,
    quantities_of,
    substituted,
)
from lme4py.explain.markup.display import Section
from lme4py.explain.system import System

__all__ = ["matrix_sections"]

# Rows, of which there is one, and columns.
_MOST = (3, 6)


def matrix_sections(system: System, caption: Callable[[int], str]) -> Iterator[Section]:
    """Yield one row, one cluster and the whole as products of matrices and vectors."""
    linear = system.design.family is None
    left = Quantity("response" if linear else "predicted", row="i")
    terms = list(system.row_terms(_MOST))
    link = () if linear else (Relation(left, system.left_side),)
    yield Section("One observation", (Relation(left, Sum((*terms, *system.residual))), *link))
    factors = [f for f in system.hierarchy.from_stage(1) if system.effects_of(f)]
    whole = "y" if linear else "η"
    if len(factors) != 1:
        yield _several_factors(system, caption, factors, whole)
        return
    (factor,) = factors
    stage, own = system.hierarchy.stage[factor], (factor,)
    stacked = Sum(tuple(_stacked(term) for term in (*terms, *system.residual)))
    title = f"One cluster, {caption(factor)}"
    yield Section(title, (Relation(_stacked(left), stacked),), stage)
    compact = [Relation(_matrix(whole, own), _compact(system, own))]
    if system.fixed:
        compact.append(Relation(_matrix("β"), _lying(system.fixed)))
    compact.append(Relation(_matrix("b", own), _lying(system.effects_of(factor))))
    yield Section("", tuple(compact), stage)
    shown = Relation(_matrix(whole), _compact(system, ()))
    last = system.hierarchy.factors[factor].size
    title = "All rows, ordered by cluster: Z is block-diagonal"
    yield Section(title, (shown, Relation(_matrix("Z"), _blocks(last))))


def _blocks(last: int) -> Grid:
    first, final = (Quantity("matrix", "Z", numbers=(k,)) for k in (1, last))
    if last == 1:
        return grid([[first]])
    zero = Numeral(0.0)
    return grid([[first, zero, zero], [zero, Dots("diagonal"), zero], [zero, zero, final]])


def _several_factors(
    system: System, caption: Callable[[int], str], factors: list[int], whole: str
) -> Section:
    terms: list[Tree] = [Product((_matrix("X"), _matrix("β")))] if system.fixed else []
    notes = []
    for factor in factors:
        (number,) = numbers = system.number_of(factor)
        terms.append(Product(tuple(Quantity("matrix", name, numbers=numbers) for name in "Zb")))
        levels, columns = system.hierarchy.factors[factor].size, len(system.effects_of(factor))
        notes.append(f"Z_{number}: {caption(factor)}, {levels} × {columns} columns")
    shown = Relation(_matrix(whole), Sum((*terms, *_rest(system, ()))))
    return Section("All rows", (shown,), notes=tuple(notes))


def _matrix(name: str, factors: tuple[int, ...] = ()) -> Quantity:
    return Quantity("matrix", name, factors=factors)


def _compact(system: System, factors: tuple[int, ...]) -> Sum:
    fixed = (Product((_matrix("X", factors), _matrix("β"))),) if system.fixed else ()
    random = Product((_matrix("Z", factors), _matrix("b", factors)))
    return Sum((*fixed, random, *_rest(system, factors)))


def _rest(system: System, factors: tuple[int, ...]) -> Iterator[Tree]:
    if system.offsets:
        yield _matrix("o", factors)
    if system.residual:
        yield _matrix("ε", factors)


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


def _lying(effects: tuple[Quantity, ...]) -> Tree:
    return Transposed((grid([effects], _MOST),))
