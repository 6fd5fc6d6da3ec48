"""Which level of the hierarchy a variable belongs to, found in the data by exact equality.

A variable belongs to a grouping factor if it has one value in each of its levels; one
factor is nested in another if the other is such a variable of it. The factors stand in
stages: the finest first, each one a stage above the highest that is nested in it.
Crossed factors may share a stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.frame.values import Character, Factor, Matrix, Numeric, Value

__all__ = ["Grouping", "Hierarchy", "hierarchy", "place_of"]


@dataclass(frozen=True, eq=False)
class Grouping:
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

    def holds(self, value: Value) -> bool:
        """Tell whether a variable has one value in each level."""
        return all(not self.differs(column).size for column in _columns(value))


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


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The grouping factors and how they are nested.

    Parameters
    ----------
    factors : tuple of Grouping
        In the order of their first term in the random part.
    nested : ndarray of bool, shape (factors, factors)
        Whether the row's factor is nested in the column's, and not the same partition.
    stage : tuple of int
        The stage of each factor, from 1; observations are stage 0.
    """

    factors: tuple[Grouping, ...]
    nested: NDArray[np.bool_]
    stage: tuple[int, ...]

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
    found: dict[str, Grouping] = {}
    for term in design.random.terms:
        name = term.bar.group_name
        if name not in found:
            levels = tuple(str(level) for level in term.group.levels)
            found[name] = Grouping(name, levels, term.group.codes)
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


def place_of(
    value: Value, label: str, levels: Hierarchy, chosen: Mapping[str, str | None]
) -> int | None:
    """Return the grouping factor a variable belongs to, None if it varies between rows.

    Parameters
    ----------
    value : Value
        The variable.
    label : str
        Its name.
    levels : Hierarchy
        The grouping factors.
    chosen : mapping of str to (str or None)
        Factors named for variables, or None for the level of the observations.

    Raises
    ------
    DataError
        If the data contradict what was chosen.
    """
    if label in chosen:
        name = chosen[label]
        if name is None:
            return None
        place = levels.position(name)
        grouping = levels.factors[place]
        for column in _columns(value):
            rows = grouping.differs(column)
            if rows.size:
                code = int(grouping.codes[rows[0]])
                level = grouping.levels[code] if code >= 0 else "NA"
                raise DataError(
                    f"'{label}' cannot belong to '{name}': it has several values in level '{level}'"
                )
        return place
    found = [i for i, factor in enumerate(levels.factors) if factor.holds(value)]
    # The coarsest; of several on one stage, the first.
    return max(found, key=lambda i: (levels.stage[i], -i), default=None)
