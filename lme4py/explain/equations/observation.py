"""The equation of one observation: its left side and its terms."""

from __future__ import annotations

from collections.abc import Iterator

from lme4py.design import MixedDesign
from lme4py.explain.covariances import random_effects_of
from lme4py.explain.expression import (
    Applied,
    Column,
    Grid,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Root,
    Symbol,
    times,
)
from lme4py.explain.system import System

__all__ = ["observation_equation", "residual", "row_terms"]


def residual(design: MixedDesign) -> tuple[Node, ...]:
    """Return the residual, which only a linear model has."""
    return (Symbol("residual", row="i"),) if design.family is None else ()


def observation_equation(design: MixedDesign, system: System) -> tuple[Node, tuple[Node, ...]]:
    """Return the left side and the terms of the equation of the observations."""
    terms = (*system.observations, *system.offsets, *residual(design))
    if design.family is None:
        return Symbol("response", row="i"), terms
    mean = Symbol("mean", row="i")
    match design.family.link:
        case "identity":
            return mean, terms
        case "inverse":
            return Quotient(Number(1.0), mean), terms
        case "1/mu^2":
            return Quotient(Number(1.0), Power(mean, 2)), terms
        case "sqrt":
            return Root(mean), terms
        case link:
            return Applied(link, (mean,)), terms


def row_terms(system: System) -> Iterator[Node]:
    """Yield the terms of one row: x beta, z b for each factor, offsets."""
    found = system.monomials
    if found.fixed:
        entries = tuple(
            times(
                *([] if column.scale == 1.0 else [Number(column.scale)]),
                *(column.atoms or (Number(1.0),)),
            )
            for column in found.fixed
        )
        yield Product((Grid((entries,)), Column(system.fixed)))
    for factor in system.hierarchy.from_stage(1):
        places = random_effects_of(system, factor)
        if places:
            entries = tuple(
                times(*(found.random[place].atoms or (Number(1.0),))) for place in places
            )
            effects = tuple(system.random[place] for place in places)
            yield Product((Grid((entries,)), Column(effects)))
    yield from system.offsets
