"""Distributions of a model's random quantities, as trees."""

from __future__ import annotations

from collections.abc import Sequence

from lme4py.design import MixedDesign
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
    Symbol,
    times,
)
from lme4py.explain.system import System
from lme4py.matrices.covariance import (
    Autoregressive,
    CompoundSymmetry,
    Covariance,
    Diagonal,
)

__all__ = ["elided", "random_effects_of", "random_relation", "response_relations"]

_DISTRIBUTIONS = {
    "poisson": "Poisson",
    "Gamma": "Gamma",
    "inverse.gaussian": "InverseGaussian",
    "gaussian": "N",
}


def response_relations(design: MixedDesign, *, weighted: bool) -> list[Relation]:
    """Return the distribution of the residual, or of the response of a generalized model."""
    variance: Node = Symbol("residual variance")
    if design.family is None:
        if weighted:
            variance = Quotient(variance, Symbol("weight", row="i"))
        residual = Symbol("residual", row="i")
        return [Relation(residual, Applied("N", (Number(0.0), variance)), "~")]
    response, mean = Symbol("response", row="i"), Symbol("mean", row="i")
    name = design.family.name
    if name == "binomial":
        counts = weighted or (design.y is not None and design.y.ndim == 2)
        if not counts:
            return [Relation(response, Applied("Bernoulli", (mean,)), "~")]
        trials = Symbol("trials", row="i")
        pairs = design.y is not None and design.y.ndim == 2
        # A proportion times its number of trials is a count.
        count = response if pairs else Product((trials, response))
        return [Relation(count, Applied("Binomial", (trials, mean)), "~")]
    arguments: tuple[Node, ...] = (mean,) if name == "poisson" else (mean, variance)
    return [Relation(response, Applied(_DISTRIBUTIONS[name], arguments), "~")]


def random_effects_of(system: System, factor: int) -> list[int]:
    """Return the positions, among all random columns, of those of one factor."""
    return [
        place for place, column in enumerate(system.monomials.random) if column.factor == factor
    ]


def random_relation(
    design: MixedDesign, system: System, factor: int, *, tau: bool, most: int
) -> Relation | None:
    """Return the joint distribution of a factor's random effects, None if it has none.

    Parameters
    ----------
    design, system
        The model.
    factor : int
        The grouping factor.
    tau : bool
        Write covariances as tau, not as rho sigma sigma.
    most : int
        Leave out the middle of longer vectors.
    """
    places = random_effects_of(system, factor)
    if not places:
        return None
    effects = [system.random[place] for place in places]
    columns = [system.monomials.random[place] for place in places]
    labels = _labels(effects)
    block = [design.random.terms[column.term].covariance for column in columns]
    entries: list[list[Node]] = []
    terms = list(dict.fromkeys(column.term for column in columns))
    for row, one in enumerate(columns):
        line: list[Node] = []
        for other, two in enumerate(columns):
            if one.term != two.term:
                line.append(Number(0.0))
                continue
            writer = _Entries(effects, labels, tau, terms.index(one.term))
            line.append(writer.entry(block[row], row, other, one.column, two.column))
        entries.append(line)
    if len(effects) == 1:
        variance = entries[0][0]
        return Relation(effects[0], Applied("N", (Number(0.0), variance)), "~")
    grid = elided(Grid(tuple(map(tuple, entries))), most, most)
    zeros = elided(Column(tuple(Number(0.0) for _ in effects)), most, 1)
    vector = elided(Column(tuple(effects)), most, 1)
    return Relation(vector, Applied("N", (zeros, grid)), "~")


def _labels(effects: Sequence[Symbol]) -> list[int]:
    """Return the index of each effect in tau: its own number where that is unique."""
    own = [effect.numbers[0] for effect in effects]
    return own if len(set(own)) == len(own) else list(range(len(own)))


class _Entries:
    def __init__(
        self, effects: Sequence[Symbol], labels: Sequence[int], tau: bool, copy: int
    ) -> None:
        self.effects = effects
        self.labels = labels
        self.tau = tau
        self.copy = copy

    def entry(self, structure: Covariance, row: int, column: int, own: int, other: int) -> Node:
        """Return one entry of the covariance matrix; own, other are places in the term."""
        match structure:
            case Diagonal(hom=hom):
                if own != other:
                    return Number(0.0)
                return self._common_variance(row) if hom else self._variance(row)
            case CompoundSymmetry(hom=hom) | Autoregressive(hom=hom):
                steps = abs(own - other) if isinstance(structure, Autoregressive) else own != other
                if hom:
                    return times(*self._rho(row, int(steps)), self._common_variance(row))
                if own == other:
                    return self._variance(row)
                return times(*self._rho(row, int(steps)), *self._deviations(row, column))
            case _:
                if own == other:
                    return self._variance(row)
                if self.tau:
                    return self._symbol("variance", row, column)
                # One correlation for both halves of the matrix.
                pair = (min(row, column), max(row, column))
                return times(self._symbol("correlation", *pair), *self._deviations(row, column))

    def _symbol(self, kind: str, row: int, column: int) -> Symbol:
        effects = self.effects
        numbers = (self.labels[row], self.labels[column])
        factors = effects[row].factors
        pair = (effects[row], effects[column])
        of = pair[:1] if kind == "variance" and row == column else pair
        if kind == "correlation":
            return Symbol("correlation", numbers=numbers, factors=factors, of=of)
        return Symbol("variance", numbers=numbers, factors=factors, of=of)

    def _variance(self, row: int) -> Symbol:
        return self._symbol("variance", row, row)

    def _common_variance(self, row: int) -> Symbol:
        return Symbol("variance", factors=self.effects[row].factors, copy=self.copy)

    def _deviations(self, row: int, column: int) -> tuple[Node, ...]:
        if self.tau:
            return (Root(Product((self._variance(row), self._variance(column)))),)
        effects = self.effects
        return tuple(
            Symbol("deviation", factors=effects[place].factors, of=(effects[place],))
            for place in (row, column)
        )

    def _rho(self, row: int, steps: int) -> tuple[Node, ...]:
        rho = Symbol("correlation", factors=self.effects[row].factors, copy=self.copy)
        if steps == 0:
            return ()
        return (rho,) if steps == 1 else (Power(rho, steps),)


def elided(node: Grid | Column, rows: int, columns: int) -> Grid | Column:
    """Return a matrix or vector with its middle left out where it is longer than that."""
    if isinstance(node, Column):
        if len(node.entries) <= rows:
            return node
        head = max(rows - 2, 1)
        return Column((*node.entries[:head], Dots("down"), node.entries[-1]))
    lines = [list(line) for line in node.rows]
    width = len(lines[0]) if lines else 0
    left = max(columns - 2, 1)
    if width > columns:
        lines = [[*line[:left], Dots("across"), line[-1]] for line in lines]
    if len(lines) > rows:
        between: list[Node] = [Dots("down") for _ in lines[0]]
        if width > columns:
            between[left] = Dots("diagonal")
        lines = [*lines[: max(rows - 2, 1)], between, lines[-1]]
    return Grid(tuple(map(tuple, lines)))
