"""The equations as products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from lme4py.design import MixedDesign
from lme4py.explain.covariances import elided, random_effects_of
from lme4py.explain.equations.observation import residual, row_terms
from lme4py.explain.equations.parts import Caption, Part
from lme4py.explain.expression import (
    Column,
    Dots,
    Grid,
    Node,
    Number,
    Product,
    Relation,
    Sum,
    Symbol,
    Transposed,
    substituted,
    symbols_of,
)
from lme4py.explain.system import System

__all__ = ["matrix_parts"]


_MOST_IN_ROW = 6


def matrix_parts(design: MixedDesign, system: System, caption: Caption) -> Iterator[Part]:
    """Yield one row, one cluster and the whole as products of matrices and vectors."""
    left: Node = Symbol("response", row="i")
    if design.family is not None:
        left = Symbol("predicted", row="i")
    terms = list(row_terms(system))
    row = Sum((*(_narrow(term) for term in terms), *residual(design)))
    yield Part("One observation", [Relation(left, row)], 0)
    factors = [
        factor for factor in system.hierarchy.from_stage(1) if random_effects_of(system, factor)
    ]
    if len(factors) == 1:
        yield from _one_factor(design, system, caption, left, terms, factors[0])
    else:
        yield _several_factors(design, system, caption, factors)


def _one_factor(
    design: MixedDesign,
    system: System,
    caption: Caption,
    left: Node,
    terms: list[Node],
    factor: int,
) -> Iterator[Part]:
    stacked = tuple(_stacked(_narrow(term)) for term in terms)
    errors = tuple(_stacked(symbol) for symbol in residual(design))
    name = caption(factor)
    shown = [Relation(_stacked(left), Sum((*stacked, *errors)))]
    yield Part(f"One cluster, {name}", shown, system.hierarchy.stage[factor])
    whole = partial(_matrix, factors=(factor,))
    compact = [Relation(whole(_left(design)), Sum(tuple(_compact(design, system, (factor,)))))]
    if system.fixed:
        compact.append(Relation(_matrix("β"), _lying(system.fixed)))
    effects = [system.random[i] for i in random_effects_of(system, factor)]
    compact.append(Relation(whole("b"), _lying(tuple(effects))))
    yield Part("", compact, system.hierarchy.stage[factor])
    last = len(system.hierarchy.factors[factor].levels)
    zero = Number(0.0)
    if last > 1:
        first, final = (Symbol("matrix", "Z", numbers=(k,)) for k in (1, last))
        blocks = Grid(
            (
                (first, zero, zero),
                (zero, Dots("diagonal"), zero),
                (zero, zero, final),
            )
        )
    else:
        blocks = Grid(((Symbol("matrix", "Z", numbers=(1,)),),))
    title = "All rows, ordered by cluster: Z is block-diagonal"
    shown = [
        Relation(_matrix(_left(design)), Sum(tuple(_compact(design, system, ())))),
        Relation(_matrix("Z"), blocks),
    ]
    yield Part(title, shown, 0)


def _several_factors(
    design: MixedDesign, system: System, caption: Caption, factors: Sequence[int]
) -> Part:
    title, notes = "All rows", []
    terms: list[Node] = []
    if system.fixed:
        terms.append(Product((_matrix("X"), _matrix("β"))))
    for number, factor in enumerate(factors, start=1):
        z, b = (Symbol("matrix", letter, numbers=(number,)) for letter in "Zb")
        terms.append(Product((z, b)))
        places = random_effects_of(system, factor)
        levels = len(system.hierarchy.factors[factor].levels)
        notes.append(f"Z_{number}: {caption(factor)}, {levels} × {len(places)} columns")
    terms += _rest(design, system, ())
    shown = [Relation(_matrix(_left(design)), Sum(tuple(terms)))]
    return Part(title, shown, 0, tuple(notes))


def _left(design: MixedDesign) -> str:
    return "y" if design.family is None else "η"


def _matrix(name: str, factors: tuple[int, ...] = ()) -> Symbol:
    return Symbol("matrix", name, factors=factors)


def _compact(design: MixedDesign, system: System, factors: tuple[int, ...]) -> Iterator[Node]:
    if system.fixed:
        yield Product((_matrix("X", factors), _matrix("β")))
    yield Product((_matrix("Z", factors), _matrix("b", factors)))
    yield from _rest(design, system, factors)


def _rest(design: MixedDesign, system: System, factors: tuple[int, ...]) -> Iterator[Node]:
    if system.offsets:
        yield _matrix("o", factors)
    if design.family is None:
        yield _matrix("ε", factors)


def _narrow(term: Node) -> Node:
    match term:
        case Product(factors=(Grid() as row, Column() as column)):
            return Product((elided(row, 3, _MOST_IN_ROW), elided(column, _MOST_IN_ROW, 1)))
        case _:
            return term


def _in_row(node: Node, row: str) -> Node:
    """Return the expression for another row of the cluster."""
    changed: dict[Symbol, Node] = {}
    for s in symbols_of(node):
        if s.row:
            changed[s] = Symbol(s.kind, s.name, s.part, s.numbers, s.factors, row, s.copy, s.of)
    return substituted(node, changed)


def _stacked(term: Node) -> Node:
    """Return a term of one row written for all rows of the cluster."""
    match term:
        case Product(factors=(Grid(rows=(row,)), effects)):
            first, last = (tuple(_in_row(entry, at) for entry in row) for at in "1n")
            between: tuple[Node, ...] = tuple(Dots("down") for _ in row)
            return Product((Grid((first, between, last)), effects))
        case _:
            return Column((_in_row(term, "1"), Dots("down"), _in_row(term, "n")))


def _lying(effects: tuple[Symbol, ...]) -> Node:
    return Transposed(elided(Grid((effects,)), 3, _MOST_IN_ROW))
