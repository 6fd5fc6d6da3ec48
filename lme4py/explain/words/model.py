"""A model with what is found from its data once: groups, levels, what is constant in what.

* The level of a variable: the coarsest grouping factor within which it never changes.
* The order of the grouping factors: one is nested in another if each of its levels
  lies within one level of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.levels import Grouping, hierarchy, place_of
from lme4py.explain.words.phrases import one_line
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import call
from lme4py.formula.terms import Terms, terms
from lme4py.frame.values import Numeric, Value
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Group", "Model", "is_number", "left_side", "numbered_terms", "variables_of"]


@dataclass(frozen=True, slots=True)
class Group:
    """A grouping factor with its level and the coarser factors that it lies in."""

    grouping: Grouping
    level: int
    inside: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the grouping factor."""
        return self.grouping.name

    @property
    def size(self) -> int:
        """Number of its levels."""
        return len(self.grouping.levels)


class Model:
    """The matrices with what is found from the data once."""

    def __init__(self, matrices: MixedDesign) -> None:
        self.matrices = matrices
        self.rows = matrices.X.shape[0]
        frame = matrices.model_frame
        self.fixed_terms = terms(matrices.formula.nobars().node, frame.names)
        self.hierarchy = hierarchy(matrices)
        factors, stages = self.hierarchy.factors, self.hierarchy.stage
        self.groups = {
            factor.name: Group(
                factor, 1 + stages[i], tuple(factors[k].name for k in self.hierarchy.above(i))
            )
            for i, factor in enumerate(factors)
        }
        self._homes: dict[str, str | None] = {}
        response = matrices.formula.response
        self.response = "the response" if response is None else one_line(deparse(response))

    def value(self, name: str) -> Value | None:
        """Return a variable, or None."""
        return self.matrices.model_frame.get(name)

    def home(self, name: str) -> str | None:
        """Return the coarsest group within which a variable never changes; None for level 1."""
        if name not in self._homes:
            value = self.value(name)
            place = None if value is None else place_of(value, name, self.hierarchy, {})
            group = None if place is None else self.hierarchy.factors[place].name
            # In a factor with one level per observation nothing can change.
            alone = group is not None and self.groups[group].size == self.rows
            self._homes[name] = None if alone else group
        return self._homes[name]

    def columns(self, term: int) -> list[int]:
        """Return the columns of X that a term makes; term 0 is the intercept."""
        return np.flatnonzero(self.matrices.fixed.assign == term).tolist()

    def name(self, column: int) -> str:
        """Return the name of a column of X."""
        return self.matrices.fixed.names[column]


def numbered_terms(model: Model) -> list[tuple[int, str]]:
    """Return the terms of the fixed part with R's numbers; the intercept is term 0."""
    labels = list(enumerate(model.fixed_terms.labels, start=1))
    return [(0, "1"), *labels] if model.fixed_terms.intercept else labels


def variables_of(expanded: Terms, member: int) -> list[str]:
    """Return the variables of a term."""
    return [expanded.frame_names[i] for i in expanded.positions(member)]


def left_side(model: Model, term: RandomTerm) -> Terms:
    """Return the terms of the left side of a bar."""
    return terms(call("~", term.bar.effects), model.matrices.model_frame.names)


def is_number(model: Model, name: str) -> bool:
    """Tell whether a variable is one of numbers."""
    value = model.value(name)
    return isinstance(value, Numeric) and value.kind != "logical"
