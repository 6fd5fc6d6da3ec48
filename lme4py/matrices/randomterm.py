"""One bar of a formula on its data: the columns of its left side, the levels of its right."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from lme4py.abbreviation import few
from lme4py.data.values import Factor
from lme4py.formula.bars import Bar
from lme4py.matrices.covariance import Covariance, structure
from lme4py.matrices.plan import Numbers, Plan


@dataclass(frozen=True, eq=False, slots=True)
class RandomTerm:
    """One random-effects term on its data.

    Parameters
    ----------
    bar : Bar
        The term in the formula.
    group : Factor
        The grouping factor, only levels that occur.
    plan : Plan
        The columns of the left side.
    """

    bar: Bar
    group: Factor
    plan: Plan

    @classmethod
    def empty(
        cls, bar: Bar, levels: tuple[str | None, ...], columns: tuple[str, ...], rows: int
    ) -> RandomTerm:
        """Return a term of which no row has an effect: all its entries are zero."""
        group = Factor(np.full(rows, -1, dtype=np.int32), levels)
        zeros = np.zeros((rows, len(columns)))
        return cls(bar, group, Plan.given(zeros, columns, (0,) * len(columns)))

    def reduced(self, columns: Collection[str]) -> RandomTerm:
        """Return the term with zeros in all but some of its columns."""
        if set(self.plan.names) <= set(columns):
            return self
        nothing = Numbers((np.zeros(self.plan.rows),), ("",))
        pairs = zip(self.plan.names, self.plan.products, strict=True)
        products = tuple(old if name in columns else ((nothing, 0),) for name, old in pairs)
        return replace(self, plan=replace(self.plan, products=products))

    def __repr__(self) -> str:
        columns = few(self.plan.names)
        return f"RandomTerm({few([self.bar.label])}: {self.levels} levels x ({columns}))"

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.group.levels)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.plan.names)

    @property
    def covariance(self) -> Covariance:
        """The covariance structure."""
        return structure(self.bar.structure, self.columns, self.bar.hom)
