"""What is random in a model, and how it is distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isnan, nan

import numpy as np

from lme4py.data.values import Factor, FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.estimates import Estimates
from lme4py.explain.expression import (
    Applied,
    Grid,
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
    quantities_of,
    times,
)
from lme4py.explain.markup.display import Section
from lme4py.explain.system import System
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call

__all__ = ["covariance_grid", "distribution_sections", "known_values", "response_section"]

_MOST = 12
_MANY = 10**6
_ZERO = Numeral(0.0)
# A family's distribution, and what its parameters mean where that is not known by itself.
_DISTRIBUTIONS = {
    "poisson": ("Poisson", ""),
    "Gamma": ("Gamma", "Gamma(μ, σ²) has mean μ and variance σ²·μ²"),
    "inverse.gaussian": (
        "InverseGaussian",
        "InverseGaussian(μ, σ²) has mean μ and variance σ²·μ³",
    ),
    "gaussian": ("N", ""),
    "negative.binomial": (
        "NegativeBinomial",
        "NegativeBinomial(μ, θ) has mean μ and variance μ + μ²/θ",
    ),
}


def distribution_sections(
    system: System, caption: Callable[[int], str], *, about_means: bool, most: int
) -> Iterator[Section]:
    """Yield what is random and how it is distributed.

    With `about_means`, as Gelman and Hill write it, the response and the coefficients
    are distributed about their means; without, the residuals and the random effects.
    """
    lowest = response_section(system.design)
    if about_means and system.design.family is None:
        mean = Sum((*system.observations, *system.offsets))
        (residual,) = lowest.relations
        shown = replace(residual, left=system.left_side, right=_about(residual.right, mean))
        lowest = replace(lowest, relations=(shown,))
    yield lowest
    levels = system.hierarchy
    for factor in levels.from_stage(1):
        relation = random_relation(system, factor, tau=not about_means, most=most)
        if relation is not None:
            if about_means:
                relation = _about_means(system, factor, relation, most)
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


def response_section(design: MixedDesign) -> Section:
    """Return the distribution of the residual, or of the response of a generalized model."""
    variance: Tree = Quantity("residual variance")
    if design.weights is not None:
        variance = Quotient((variance, Quantity("weight", row="i")))
    if design.family is None:
        return Section("", (_normal(Quantity("residual", row="i"), _ZERO, variance),))
    response, mean = Quantity("response", row="i"), Quantity("mean", row="i")
    name = design.family.name
    if name == "binomial":
        return _binomial(design, response, mean)
    distribution, meaning = _DISTRIBUTIONS[name]
    arguments: tuple[Tree, ...] = (mean,) if name == "poisson" else (mean, variance)
    if design.family.theta is not None:
        arguments = (mean, Numeral(design.family.theta))
    notes = [meaning] if meaning else []
    if name == "poisson" and design.weights is not None:
        notes.append("weights multiply the log-likelihood of each observation")
    return Section(
        "", (Relation(response, Applied(arguments, distribution), "~"),), notes=(*notes,)
    )


def _binomial(design: MixedDesign, response: Quantity, mean: Quantity) -> Section:
    """Return what is binomial: successes, or a response of two values."""
    trials = Quantity("trials", row="i")
    if design.y is not None and design.y.ndim == 2:
        node, name = design.formula.response, design.model_frame.response or "y"
        texts = [f"{name}[1]", f"{name}[2]"]
        if isinstance(node, Call) and node.name == "cbind" and len(node.operands) == 2:
            texts = list(map(deparse, node.operands))
        succeeded, failed = (Quantity("response", text, row="i") for text in texts)
        return Section(
            "",
            (
                Relation(succeeded, Applied((trials, mean), "Binomial"), "~"),
                Relation(trials, Sum((succeeded, failed))),
            ),
        )
    if design.weights is not None:
        # A proportion times its number of trials is a count.
        count = Product((trials, response))
        shown = Relation(count, Applied((trials, mean), "Binomial"), "~")
        return Section("", (shown,), notes=("n is the number of trials, given as weights",))
    notes: tuple[str, ...] = ()
    if isinstance(value := design.model_frame.get(design.model_frame.response or ""), Factor):
        failure, *others = map(str, value.levels)
        success = others[0] if len(others) == 1 else "any other level"
        notes = (f"success, counted as 1, is {success}; {failure} is counted as 0",)
    return Section("", (Relation(response, Applied((mean,), "Bernoulli"), "~"),), notes=notes)


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
    effects = system.effects_of(factor)
    if not effects:
        return None
    shown = covariance_grid(system, factor, tau=tau, most=most)
    if len(effects) == 1:
        ((variance,),) = _covariance(system, factor, tau=tau)
        return _normal(effects[0], _ZERO, variance)
    zeros = column([_ZERO] * len(effects), most)
    return _normal(column(effects, most), zeros, shown)


def covariance_grid(system: System, factor: int, *, tau: bool, most: int = _MOST) -> Grid:
    """Return the covariance matrix of a factor's effects; arguments as `random_relation`'s."""
    return grid(_covariance(system, factor, tau=tau), (most, most))


def known_values(system: System, known: Estimates, *, tau: bool) -> dict[Quantity, Tree]:
    """Return the numbers of the symbols whose estimates are known."""
    fixed = zip(system.fixed, known.beta.tolist(), strict=True)
    values: dict[Quantity, Tree] = {e: Numeral(value) for e, value in fixed if not isnan(value)}
    if known.sigma is not None:
        values[Quantity("residual variance")] = Numeral(known.sigma**2)
    if known.covariances is None:
        return values
    for factor in system.hierarchy.from_stage(1):
        for symbol in quantities_of(covariance_grid(system, factor, tau=tau, most=_MANY)):
            value = _value(system, symbol, known.covariances)
            values[symbol] = Numeral(float(value))
    return values


def _value(system: System, symbol: Quantity, matrices: Sequence[FloatArray]) -> float:
    """Return a variance, deviation or correlation of random effects."""
    places = dict(zip(system.random, system.monomials.random, strict=True))
    columns = [places[effect] for effect in symbol.of]
    if not columns:
        # It is common to a whole term: the first two columns tell.
        own = system.columns_of(symbol.factors[0])
        term = list(dict.fromkeys(column.term for column in own))[symbol.copy]
        columns = [column for column in own if column.term == term]
        columns = columns[: 1 + (symbol.kind == "correlation")]
    matrix, one, two = matrices[columns[0].term], columns[0].column, columns[-1].column
    deviations = np.sqrt(matrix.diagonal())
    if symbol.kind == "deviation":
        return float(deviations[one])
    value, spread = float(matrix[one, two]), float(deviations[one] * deviations[two])
    if symbol.kind == "variance":
        return value
    return value / spread if spread else nan


def _covariance(system: System, factor: int, *, tau: bool) -> list[list[Tree]]:
    """Return the covariance matrix of the effects of one factor."""
    effects, columns, factors = system.effects_of(factor), system.columns_of(factor), (factor,)
    copies = list(dict.fromkeys(found.term for found in columns))
    # An effect has its own number in tau; all its numbers where the first is not enough.
    numbers = {effect.numbers for effect in effects}
    short = len({first for first, *_ in numbers}) == len(numbers)

    def of_pair(kind: QuantityKind, one: int, two: int) -> Quantity:
        pair = tuple(effects[place] for place in dict.fromkeys((one, two)))
        first = (effects[one].numbers[0], effects[two].numbers[0]) if short else ()
        copy = effects[one].copy
        return Quantity(kind, numbers=first, factors=factors, of=pair, copy=copy)

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


def _about_means(system: System, factor: int, relation: Relation, most: int) -> Relation:
    """Return the distribution of the coefficients themselves, where they are all there is."""
    stage = system.hierarchy.stage[factor]
    effects = system.effects_of(factor)
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
        left, mean = (column(left, most),), (column(mean, most),)
    return Relation(left[0], _about(relation.right, mean[0]), "~")
