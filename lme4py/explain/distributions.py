"""What is random in a model, and how it is distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isnan, nan, sqrt

from lme4py.data.values import Factor, FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.estimates import Estimates
from lme4py.explain.expression import (
    Grid,
    Numeral,
    Power,
    Quantity,
    QuantityKind,
    Quotient,
    Relation,
    Root,
    Sum,
    Tree,
    column,
    distributed,
    grid,
    quantities_of,
    terms_of,
    times,
)
from lme4py.explain.markup.display import Section
from lme4py.explain.system import ColumnProduct, System
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call

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
    system: System, caption: Callable[[int], str], *, by_deviation: bool
) -> Iterator[Section]:
    """Yield what is random and how it is distributed.

    With `by_deviation`, as Gelman and Hill write it, the response and the coefficients
    are distributed about their means; without, the residuals and the random effects.
    """
    lowest = response_section(system.design)
    if by_deviation and system.residual:
        mean = Sum((*system.observations, *system.offsets))
        spread = residual_variance(system.design)
        lowest = Section("", (distributed(system.outcome, "N", mean, spread),))
    yield lowest
    for factor in system.factors:
        pairs: list[tuple[Tree, Tree]] = [(effect, _ZERO) for effect in system.effects_of(factor)]
        pairs = _about_means(system, factor) or pairs if by_deviation else pairs
        covariance = covariance_grid(system, factor, by_deviation=by_deviation)
        relation = distributed(pairs[0][0], "N", pairs[0][1], *covariance.operands[:1])
        if len(pairs) > 1:
            left, center = (column(pair[k] for pair in pairs) for k in range(2))
            relation = distributed(left, "N", center, covariance)
        stage = system.hierarchy.stage[factor]
        yield Section(f"for {caption(factor)}", (relation,), stage)


def residual_variance(design: MixedDesign) -> Tree:
    """Return σ², which weights divide."""
    variance = Quantity("residual variance")
    if design.weights is None:
        return variance
    return Quotient((variance, Quantity("weight", row="i")))


def response_section(design: MixedDesign) -> Section:
    """Return the distribution of the residual, or of the response of a generalized model."""
    variance = residual_variance(design)
    if design.family is None:
        residual = Quantity("residual", row="i")
        return Section("", (distributed(residual, "N", _ZERO, variance),))
    response, mean = Quantity("response", row="i"), Quantity("mean", row="i")
    name, theta = design.family.name, design.family.theta
    if name == "binomial":
        return _binomial(design, response, mean)
    distribution, meaning = _DISTRIBUTIONS[name]
    arguments: tuple[Tree, ...] = (mean,) if name == "poisson" else (mean, variance)
    if theta is not None:
        arguments = (mean, Numeral(theta))
    notes = (meaning,) if meaning else ()
    if name == "poisson" and design.weights is not None:
        notes = ("weights multiply the log-likelihood of each observation",)
    return Section("", (distributed(response, distribution, *arguments),), notes=notes)


def _binomial(design: MixedDesign, response: Quantity, mean: Quantity) -> Section:
    """Return what is binomial: successes, or a response of two values."""
    trials, notes, further = Quantity("trials", row="i"), tuple[str, ...](), tuple[Relation, ...]()
    counted: Tree = response
    value = design.model_frame.get(design.model_frame.response or "")
    if design.y is not None and design.y.ndim == 2:
        node, name = design.formula.response, design.model_frame.response or "y"
        texts = [f"{name}[1]", f"{name}[2]"]
        if isinstance(node, Call) and node.name == "cbind" and len(node.operands) == 2:
            texts = list(map(deparse, node.operands))
        counted, failed = (Quantity("response", text, row="i") for text in texts)
        further = (Relation((trials, Sum((counted, failed)))),)
    elif design.weights is not None:
        # A proportion times its number of trials is a count.
        counted, notes = times(trials, response), ("n is the number of trials, given as weights",)
    else:
        if isinstance(value, Factor):
            failure, *others = map(str, value.levels)
            success = others[0] if len(others) == 1 else "any other level"
            notes = (f"success, counted as 1, is {success}; {failure} is counted as 0",)
        return Section("", (distributed(response, "Bernoulli", mean),), notes=notes)
    shown = distributed(counted, "Binomial", trials, mean)
    return Section("", (shown, *further), notes=notes)


def covariance_grid(system: System, factor: int, *, by_deviation: bool) -> Grid:
    """Return the covariance matrix of a factor's random effects: τ, or `by_deviation` ρ·σ·σ."""
    columns = system.columns_of(factor)
    terms = list(dict.fromkeys(found.term for found in columns))
    # An effect has its own number in tau; all its numbers where the first is not enough.
    numbers = {found.effect.numbers for found in columns}
    short = len({first for first, *_ in numbers}) == len(numbers)

    def of(kind: QuantityKind, one: Quantity, two: Quantity) -> Quantity:
        pair = tuple(dict.fromkeys((one, two)))
        first = (one.numbers[0], two.numbers[0]) if short else ()
        return Quantity(kind, numbers=first, factors=(factor,), of=pair, copy=one.copy)

    def entry(first: ColumnProduct, second: ColumnProduct) -> Tree:
        structure = system.design.random.terms[first.term].covariance
        one, two, copy = first.effect, second.effect, terms.index(first.term)
        if first.term != second.term or (structure.name == "diag" and first is not second):
            return _ZERO
        common = Quantity("variance", factors=(factor,), copy=copy)
        variances = [common if structure.hom else of("variance", e, e) for e in (one, two)]
        if first is second:
            return variances[0]
        if structure.name == "us" and not by_deviation:
            return of("variance", one, two)
        spread: list[Tree] = [common if structure.hom else Root((times(*variances),))]
        if by_deviation and not structure.hom:
            spread = [Quantity("deviation", factors=(factor,), of=(e,)) for e in (one, two)]
        if structure.name == "us":
            # One correlation for both halves of the matrix.
            pair = (one, two) if first.place < second.place else (two, one)
            return times(of("correlation", *pair), *spread)
        rho: Tree = Quantity("correlation", factors=(factor,), copy=copy)
        steps = abs(first.place - second.place)
        if structure.name == "ar1" and steps > 1:
            rho = Power((rho, Numeral(steps)))
        return times(rho, *spread)

    return grid([[entry(one, two) for two in columns] for one in columns])


def known_values(system: System, known: Estimates, *, by_deviation: bool) -> dict[Quantity, Tree]:
    """Return the numbers of the symbols whose estimates are known."""
    pairs = zip(system.fixed, known.beta.tolist(), strict=True)
    found: dict[Quantity, float] = {each.effect: value for each, value in pairs}
    if known.sigma is not None:
        found[Quantity("residual variance")] = known.sigma**2
    columns = {each.effect: each for each in system.random}
    for factor in system.factors if known.covariances is not None else ():
        every = covariance_grid(system, factor, by_deviation=by_deviation)
        for symbol in quantities_of(every):
            own = [columns[effect] for effect in symbol.of] or _of_term(system, symbol)
            found[symbol] = _value(symbol.kind, (known.covariances or ())[own[0].term], own)
    values = {symbol: Numeral(value) for symbol, value in found.items()}
    return {s: v for s, v in values.items() if not (s.kind == "fixed" and isnan(v.value))}


def _of_term(system: System, symbol: Quantity) -> list[ColumnProduct]:
    """Return the columns that tell what is common to a whole term: its first, or first two."""
    own = system.columns_of(symbol.factors[0])
    term = list(dict.fromkeys(column.term for column in own))[symbol.copy]
    return [column for column in own if column.term == term][: 1 + (symbol.kind == "correlation")]


def _value(kind: QuantityKind, matrix: FloatArray, columns: Sequence[ColumnProduct]) -> float:
    """Return a variance, deviation or correlation of random effects."""
    one, two = columns[0].place, columns[-1].place
    if kind == "variance":
        return float(matrix[one, two])
    if kind == "deviation":
        return sqrt(matrix[one, one])
    spread = sqrt(matrix[one, one]) * sqrt(matrix[two, two])
    return float(matrix[one, two]) / spread if spread else nan


def _about_means(system: System, factor: int) -> list[tuple[Tree, Tree]]:
    """Return the coefficients of a factor with their means, where they are all there is."""
    stage, effects = system.hierarchy.stage[factor], system.effects_of(factor)
    means: dict[Tree, tuple[Tree, Tree]] = {}
    if len(system.hierarchy.at(stage)) == 1:
        for equation in system.stages[stage - 1]:
            terms = terms_of(equation.right)
            own = [term for term in terms if term in effects]
            if len(own) == 1:
                others = tuple(term for term in terms if term not in own)
                means[own[0]] = (equation.left, Sum(others))
    return [means[effect] for effect in effects] if set(effects) == set(means) else []
