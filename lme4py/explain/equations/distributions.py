"""What is random, and how it is distributed."""

from __future__ import annotations

from collections.abc import Iterator

from lme4py.design import MixedDesign
from lme4py.explain.covariances import (
    elided,
    random_effects_of,
    random_relation,
    response_relations,
)
from lme4py.explain.equations.observation import observation_equation
from lme4py.explain.equations.parts import Caption, Part
from lme4py.explain.expression import Applied, Column, Node, Relation, Sum, Symbol
from lme4py.explain.system import System

__all__ = ["distribution_parts", "responses"]


_MOST = 12


def responses(design: MixedDesign) -> list[Relation]:
    """Return the distribution of the residual, or of the response."""
    return response_relations(design, weighted=design.weights is not None)


def distribution_parts(
    design: MixedDesign, system: System, caption: Caption, *, coefficients: bool
) -> Iterator[Part]:
    """Yield what is random and how it is distributed.

    With `coefficients`, as Gelman and Hill write it, the response and the coefficients
    are distributed about their means; without, the residuals and the random effects.
    """
    if coefficients and design.family is None:
        (residual,) = responses(design)
        _, terms = observation_equation(design, system)
        mean = Sum(terms[:-1])
        spread = residual.right.arguments[1] if isinstance(residual.right, Applied) else mean
        response = Symbol("response", row="i")
        shown = [Relation(response, Applied("N", (mean, spread)), "~")]
    else:
        shown = responses(design)
    yield Part("", shown, 0)
    levels = system.hierarchy
    for factor in levels.from_stage(1):
        stage = levels.stage[factor]
        relation = random_relation(design, system, factor, tau=not coefficients, most=_MOST)
        if relation is not None:
            if coefficients:
                relation = _about_means(system, factor, relation)
            title = f"for {caption(factor)}"
            yield Part(title, [relation], stage)


def _about_means(system: System, factor: int, relation: Relation) -> Relation:
    """Return the distribution of the coefficients themselves, where they are all there is."""
    levels = system.hierarchy
    stage = levels.stage[factor]
    effects = [system.random[place] for place in random_effects_of(system, factor)]
    if len(levels.at(stage)) > 1 or not isinstance(relation.right, Applied):
        return relation
    means: dict[Symbol, tuple[Node, Node]] = {}
    for equation in system.stages[stage - 1]:
        right = equation.right
        terms = right.terms if isinstance(right, Sum) else (right,)
        own = [term for term in terms if term in effects]
        if len(own) == 1 and isinstance(own[0], Symbol):
            others = tuple(term for term in terms if term not in own)
            means[own[0]] = (equation.left, Sum(others))
    if len(means) != len(effects) or len(set(effects)) != len(effects):
        return relation
    pairs = [means[effect] for effect in effects]
    spread = relation.right.arguments[1]
    if len(pairs) == 1:
        return Relation(pairs[0][0], Applied("N", (pairs[0][1], spread)), "~")
    left = elided(Column(tuple(pair[0] for pair in pairs)), _MOST, 1)
    mean = elided(Column(tuple(pair[1] for pair in pairs)), _MOST, 1)
    return Relation(left, Applied("N", (mean, spread)), "~")
