"""One observation multiplied out, term by term, in symbols and with the numbers of its row."""

from __future__ import annotations

from collections.abc import Iterator

from lme4py.explain.expression import (
    Marked,
    Numeral,
    Product,
    Quantity,
    Relation,
    Sum,
    Tree,
    column,
    evaluate,
    grid,
    quantities_of,
    times,
)
from lme4py.explain.markup.display import Section
from lme4py.explain.system import System

__all__ = ["observation_sections"]


def observation_sections(system: System, row: int, most: tuple[int, int]) -> Iterator[Section]:
    """Yield the equations of one row by levels and as row times vector, and its numbers.

    A term has the same mark in all of them: what stands beside a fixed effect is an entry of X,
    what stands beside a random effect one of Z.
    """
    linear, y = system.design.family is None, system.design.y
    left = Quantity("response" if linear else "predicted", row="i")
    numeric = linear and y is not None and y.ndim == 1
    value: Tree = Numeral(float(y[row])) if numeric and y is not None else left
    at = slice(row, row + 1)
    here = {symbol: float(numbers(at)[0]) for symbol, numbers in system.values.items()}
    parts = list(system.row_parts())
    marks = {effect: k for k, effect in enumerate(e for _, effects in parts for e in effects)}
    levels = [_marked(term, marks) for term in system.combined_predictor().operands]
    vectors, products, numbers = list[Tree](), list[Tree](), list[Tree]()
    for entries, effects in parts:
        pairs = list(zip(entries, effects, strict=True))
        across = grid([[Marked((entry,), marks[effect]) for entry, effect in pairs]], most)
        down = column([Marked((b,), marks[b]) for b in effects], most[1])
        vectors.append(Product((across, down)))
        for entry, effect in pairs:
            factors = entry.operands if isinstance(entry, Product) else (entry,)
            products.append(Marked((times(*factors, effect),), marks[effect]))
            found = Numeral(float(evaluate(entry, here)))
            numbers.append(Marked((Product((found, effect)),), marks[effect]))
    offsets = [Numeral(here[offset]) for offset in system.offsets]
    for title, side, terms in (
        ("By levels, each equation put into the one below", left, [*levels, *system.residual]),
        ("Row times vector", left, [*vectors, *system.offsets, *system.residual]),
        ("Multiplied out: the same terms", left, [*products, *system.offsets, *system.residual]),
        ("The numbers of the row", value, [*numbers, *offsets, *system.residual]),
    ):
        yield Section(title, (Relation(side, Sum(tuple(terms))),))


def _marked(term: Tree, marks: dict[Quantity, int]) -> Tree:
    """Return a term with the mark of its effect."""
    found = [marks[quantity] for quantity in quantities_of(term) if quantity in marks]
    return Marked((term,), found[0]) if found else term
