"""One bar of a formula on its data: the columns of its left side, the levels of its right."""

from __future__ import annotations

from dataclasses import dataclass

from lme4py.abbreviation import few
from lme4py.data.values import Factor
from lme4py.formula.bars import Bar
from lme4py.matrices.covariance import Covariance, structure
from lme4py.matrices.plan import Plan

__all__ = ["RandomTerm"]


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
