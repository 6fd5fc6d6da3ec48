"""What is random in a model, and how it is distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lme4py.design import MixedDesign
from lme4py.explain.expression import (
    Applied,
    Numeral,
    Power,
    Product,
    Quantity,
    QuantityKind,
    Quotient,
    Relation,
    Root,
    Sum,
    Tree,
    column,
    grid,
    times,
)
from lme4py.explain.markup.display import Section
from lme4py.explain.system import System

__all__ = ["distribution_sections", "random_relation", "response_relation"]

_MOST = 12
_ZERO = Numeral(0.0)
_DISTRIBUTIONS = {
    "poisson": "Poisson",
    "Gamma": "Gamma",
    "inverse.gaussian": "InverseGaussian",
    "gaussian": "N",
}


def distribution_sections(
    system: System, caption: Callable[[int], str], *, about_means: bool
) -> Iterator[Section]:
    """Yield what is random and how it is distributed.

    With `about_means`, as Gelman and Hill write it, the response and the coefficients
    are distributed about their means; without, the residuals and the random effects.
    """
    shown = response_relation(system.design)
    if about_means and system.design.family is None:
        mean = Sum((*system.observations, *system.offsets))
        shown = replace(shown, left=system.left_side, right=_about(shown.right, mean))
    yield Section("", (shown,))
    levels = system.hierarchy
    for factor in levels.from_stage(1):
        relation = random_relation(system, factor, tau=not about_means)
        if relation is not None:
            if about_means:
                relation = _about_means(system, factor, relation)
            yield Section(f"for {caption(factor)}", (relation,), levels.stage[factor])


def _normal(left: Tree, mean: Tree, spread: Tree) -> Relation:
    return Relation(left, Applied((mean, spread), "N"), "~")


def _about(distribution: Tree, mean: Tree) -> Tree:
    """Return a normal distribution with another mean."""
    match distribution:
        case Applied((_, spread), name):
            return Applied((mean, spread), name)
        case _:
            return distribution


def response_relation(design: MixedDesign) -> Relation:
    """Return the distribution of the residual, or of the response of a generalized model."""
    variance: Tree = Quantity("residual variance")
    if design.family is None:
        if design.weights is not None:
            variance = Quotient((variance, Quantity("weight", row="i")))
        return _normal(Quantity("residual", row="i"), _ZERO, variance)
    response, mean = Quantity("response", row="i"), Quantity("mean", row="i")
    name = design.family.name
    if name != "binomial":
        arguments = (mean,) if name == "poisson" else (mean, variance)
        return Relation(response, Applied(arguments, _DISTRIBUTIONS[name]), "~")
    pairs = design.y is not None and design.y.ndim == 2
    if design.weights is None and not pairs:
        return Relation(response, Applied((mean,), "Bernoulli"), "~")
    trials = Quantity("trials", row="i")
    # A proportion times its number of trials is a count.
    count = response if pairs else Product((trials, response))
    return Relation(count, Applied((trials, mean), "Binomial"), "~")


def random_relation(
    system: System, factor: int, *, tau: bool, most: int = _MOST
) -> Relation | None:
    """Return the joint distribution of a factor's random effects, None if it has none.

    Parameters
    ----------
    system : System
        The model.
    factor : int
        The grouping factor.
    tau : bool
        Write covariances as tau, not as rho sigma sigma.
    most : int
        Leave out the middle of longer vectors.
    """
    places = system.effects_of(factor)
    if not places:
        return None
    effects = [system.random[place] for place in places]
    rows = _covariance(system, places, effects, tau=tau)
    if len(effects) == 1:
        return _normal(effects[0], _ZERO, rows[0][0])
    zeros = column([_ZERO] * len(effects), most)
    return _normal(column(effects, most), zeros, grid(rows, (most, most)))


def _covariance(
    system: System, places: list[int], effects: list[Quantity], *, tau: bool
) -> list[list[Tree]]:
    """Return the covariance matrix of the effects of one factor."""
    columns = [system.monomials.random[place] for place in places]
    copies = list(dict.fromkeys(found.term for found in columns))
    factors = effects[0].factors
    # The index of each effect in tau: its own number where that is unique.
    labels = [effect.numbers[0] for effect in effects]
    if len(set(labels)) < len(labels):
        labels = list(range(len(labels)))

    def of_pair(kind: QuantityKind, one: int, two: int) -> Quantity:
        pair = tuple(effects[place] for place in dict.fromkeys((one, two)))
        return Quantity(kind, numbers=(labels[one], labels[two]), factors=factors, of=pair)

    def deviations(one: int, two: int) -> tuple[Tree, ...]:
        if tau:
            variances = (of_pair("variance", place, place) for place in (one, two))
            return (Root((Product(tuple(variances)),)),)
        return tuple(
            Quantity("deviation", factors=factors, of=(effects[place],)) for place in (one, two)
        )

    def entry(one: int, two: int) -> Tree:
        term, copy = columns[one].term, copies.index(columns[one].term)
        structure = system.design.random.terms[term].covariance
        if term != columns[two].term:
            return _ZERO
        common = Quantity("variance", factors=factors, copy=copy)
        if one == two:
            return common if structure.hom else of_pair("variance", one, one)
        if structure.name == "diag":
            return _ZERO
        if structure.name == "us" and tau:
            return of_pair("variance", one, two)
        spread = (common,) if structure.hom else deviations(one, two)
        if structure.name == "us":
            # One correlation for both halves of the matrix.
            return times(of_pair("correlation", min(one, two), max(one, two)), *spread)
        rho = Quantity("correlation", factors=factors, copy=copy)
        steps = abs(columns[one].column - columns[two].column)
        if structure.name == "ar1" and steps > 1:
            return times(Power((rho, Numeral(steps))), *spread)
        return times(rho, *spread)

    every = range(len(effects))
    return [[entry(one, two) for two in every] for one in every]


def _about_means(system: System, factor: int, relation: Relation) -> Relation:
    """Return the distribution of the coefficients themselves, where they are all there is."""
    stage = system.hierarchy.stage[factor]
    effects = [system.random[place] for place in system.effects_of(factor)]
    if len(system.hierarchy.at(stage)) > 1 or len(set(effects)) < len(effects):
        return relation
    means: dict[Tree, tuple[Tree, Tree]] = {}
    for equation in system.stages[stage - 1]:
        right = equation.right
        terms = right.operands if isinstance(right, Sum) else (right,)
        own = [term for term in terms if term in effects]
        if len(own) == 1:
            others = tuple(term for term in terms if term not in own)
            means[own[0]] = (equation.left, Sum(others))
    if len(means) < len(effects):
        return relation
    left, mean = zip(*(means[effect] for effect in effects), strict=True)
    if len(effects) > 1:
        left, mean = (column(left, _MOST),), (column(mean, _MOST),)
    return Relation(left[0], _about(relation.right, mean[0]), "~")
