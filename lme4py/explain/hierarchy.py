"""Which level of the hierarchy a variable belongs to, found in the data by exact equality.

A variable belongs to a grouping factor if it has one value in each of its levels; one
factor is nested in another if the other is such a variable of it. The factors stand in
stages: the finest first, each one a stage above the highest that is nested in it.
Crossed factors may share a stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.frame.values import Character, Factor, Matrix, Numeric, Value

__all__ = ["GroupingFactor", "Hierarchy", "hierarchy"]


@dataclass(frozen=True, eq=False, repr=False)
class GroupingFactor:
    """A grouping factor of the random part.

    Parameters
    ----------
    name : str
        lme4's name of the factor.
    levels : tuple of str
        Its levels.
    codes : ndarray of int32, shape (n,)
        The level of each row; -1 where it has none.
    """

    name: str
    levels: tuple[str, ...]
    codes: NDArray[np.int32]

    def __repr__(self) -> str:
        return f"<GroupingFactor: {self.name}, {self.size} levels>"

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The first row of each level, shape (levels + 1,); last, of the rows without one."""
        rows = self.codes.size
        first = np.zeros(len(self.levels) + 1, dtype=np.int64)
        # Written backwards, so that the first row of a level is what stays.
        first[self.codes[::-1]] = np.arange(rows - 1, -1, -1)
        return first

    def differs(self, column: NDArray[Any]) -> NDArray[np.int64]:
        """Return the rows whose value is not that of the first row of their level."""
        expected = column[self.first][self.codes]
        different = column != expected
        if column.dtype.kind == "f":
            different &= ~(np.isnan(column) & np.isnan(expected))
        return np.flatnonzero(different)

    def exception(self, value: Value) -> str | None:
        """Return a level in which a variable has several values, None if there is none."""
        for column in _columns(value):
            rows = self.differs(column)
            if rows.size:
                code = int(self.codes[rows[0]])
                return self.levels[code] if code >= 0 else "NA"
        return None


def _columns(value: Value) -> list[NDArray[Any]]:
    match value:
        case Numeric(values=values):
            return [values]
        case Matrix(values=matrix):
            return [matrix[:, i] for i in range(matrix.shape[1])]
        case Factor(codes=codes) | Character(codes=codes):
            return [codes]
        case _:
            return []


@dataclass(frozen=True, eq=False, repr=False)
class Hierarchy:
    """The grouping factors and how they are nested.

    Parameters
    ----------
    factors : tuple of GroupingFactor
        In the order of their first term in the random part.
    nested : ndarray of bool, shape (factors, factors)
        Whether the row's factor is nested in the column's, and not the same partition.
    stage : tuple of int
        The stage of each factor, from 1; observations are stage 0.
    """

    factors: tuple[GroupingFactor, ...]
    nested: NDArray[np.bool_]
    stage: tuple[int, ...]

    def __repr__(self) -> str:
        return f"<Hierarchy: {', '.join(factor.name for factor in self.factors)}>"

    @property
    def stages(self) -> int:
        """Number of stages."""
        return max(self.stage, default=0)

    def at(self, stage: int) -> tuple[int, ...]:
        """Return the positions of the factors of a stage."""
        return tuple(i for i, own in enumerate(self.stage) if own == stage)

    def from_stage(self, stage: int) -> tuple[int, ...]:
        """Return the positions of the factors at or above a stage, finest first."""
        above = [i for i, own in enumerate(self.stage) if own >= stage]
        return tuple(sorted(above, key=lambda i: self.stage[i]))

    def above(self, factor: int) -> tuple[int, ...]:
        """Return the factors in which a factor is nested, finest first."""
        return tuple(i for i in self.from_stage(1) if self.nested[factor, i])

    def position(self, name: str) -> int:
        """Return the position of a factor.

        Raises
        ------
        DataError
            If there is none of that name.
        """
        names = [factor.name for factor in self.factors]
        if str(name) not in names:
            raise DataError(
                f"'{name}' is not a grouping factor of this model",
                hint=nearest(str(name), names) or f"its grouping factors: {', '.join(names)}",
            )
        return names.index(str(name))

    def named(self, name: str) -> GroupingFactor:
        """Return the factor of a name."""
        return self.factors[self.position(name)]

    def home(self, value: Value) -> int | None:
        """Return the position of the factor that a variable belongs to: one value in each level.

        Of several it is the coarsest, on one stage the first; None if the variable differs
        between the rows of every factor.
        """
        found = [i for i, factor in enumerate(self.factors) if factor.exception(value) is None]
        return max(found, key=lambda i: (self.stage[i], -i), default=None)


def hierarchy(design: MixedDesign) -> Hierarchy:
    """Return the grouping factors of a design in their stages.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("y ~ 1 + (1 | school/class)", {"y": [1.0, 2, 3, 4, 5, 6],
    ...     "school": list("aaabbb"), "class": list("112112")})
    >>> found = hierarchy(design)
    >>> [(factor.name, stage) for factor, stage in zip(found.factors, found.stage)]
    [('class:school', 1), ('school', 2)]
    """
    found: dict[str, GroupingFactor] = {}
    for term in design.random.terms:
        name = term.bar.group_name
        if name not in found:
            levels = tuple(str(level) for level in term.group.levels)
            found[name] = GroupingFactor(name, levels, term.group.codes)
    factors = tuple(found.values())
    constant = np.array([[not g.differs(h.codes).size for h in factors] for g in factors])
    nested = constant & ~constant.T
    stage: dict[int, int] = {}

    def rank(factor: int) -> int:
        if factor not in stage:
            finer = [i for i in range(len(factors)) if nested[i, factor]]
            stage[factor] = 1 + max((rank(i) for i in finer), default=0)
        return stage[factor]

    return Hierarchy(factors, nested, tuple(rank(i) for i in range(len(factors))))
