"""Which level of the hierarchy a variable belongs to.

A variable belongs to a grouping factor if it has one value in each of its levels, but for the
rounding of computed numbers. One factor is nested in another if the other is such a variable of
it. The factors stand in stages: the finest first, each one a stage above the highest that is
nested in it. Crossed factors may share a stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Character, Factor, Matrix, Numeric, Value
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest

ROUNDING, CONTRADICTION = 1e-8, 1e-3
"""In parts of a column's range: what the values of one level may be apart by rounding, and what
contradicts a level that was chosen."""


@dataclass(frozen=True, eq=False, repr=False)
class GroupingFactor:
    """A grouping factor of the random part."""

    name: str
    levels: tuple[str, ...]
    codes: NDArray[np.int32]  # the level of each row; -1 where it has none

    def __repr__(self) -> str:
        return f"<GroupingFactor: {self.name}, {self.size} levels>"

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def label(self, row: int) -> str:
        """Return the level of a row."""
        code = int(self.codes[row])
        return self.levels[code] if code >= 0 else "NA"

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """The first row of each level, shape (levels + 1,); last, of the rows without one."""
        first = np.zeros(len(self.levels) + 1, dtype=np.int64)
        # Written backwards, so that the first row of a level is what stays.
        first[self.codes[::-1]] = np.arange(self.codes.size - 1, -1, -1)
        return first

    def spread(self, column: NDArray[Any]) -> NDArray[Any]:
        """Return a column with the value of its level's first row in each row."""
        return column[self._first][self.codes]

    def differs(self, column: NDArray[Any], tolerance: float = ROUNDING) -> Any:
        """Tell which rows have not the value of their level: codes exactly, numbers nearly.

        `tolerance` is relative to the range of the column.
        """
        expected = self.spread(column)
        if column.dtype.kind != "f":
            return column != expected
        with np.errstate(invalid="ignore"):
            apart = abs(column - expected)
        known = column[np.isfinite(column)]
        span, size = (np.ptp(known), abs(known).max()) if known.size else (0.0, 0.0)
        # Where the same is infinite or missing, the difference is missing.
        same = (column == expected) | (np.isnan(column) & np.isnan(expected))
        rounding = 8 * np.finfo(np.float64).eps * size
        return ~(same | (apart <= tolerance * span + rounding))

    def exception(self, value: Value, tolerance: float = ROUNDING) -> str | None:
        """Return a level in which a variable has several values, None if there is none."""
        for column in _columns(value):
            rows = np.flatnonzero(self.differs(column, tolerance))
            if rows.size:
                return self.label(int(rows[0]))
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
    """The grouping factors and how they are nested."""

    factors: tuple[GroupingFactor, ...]  # in the order of their first term in the random part
    # Whether the row's factor is nested in the column's, and not the same partition.
    nested: NDArray[np.bool_]
    stage: tuple[int, ...]  # of each factor, from 1; observations are stage 0

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
        finest_first = sorted(range(len(self.stage)), key=self.stage.__getitem__)
        return tuple(i for i in finest_first if self.stage[i] >= stage)

    def above(self, factor: int) -> tuple[int, ...]:
        """Return the factors in which a factor is nested, finest first."""
        return tuple(i for i in self.from_stage(1) if self.nested[factor, i])

    def position(self, name: str) -> int:
        """Return the position of a factor; a DataError if there is none of that name."""
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
    factors = tuple(
        GroupingFactor(name, tuple(map(str, group.levels)), group.codes)
        for name, group in design.random.groups.items()
    )
    constant = np.array([[not g.differs(h.codes).any() for h in factors] for g in factors])
    nested = constant & ~constant.T
    stage = np.ones(len(factors), dtype=np.int64)
    # What is nested in more stands in front; so the stages below a factor's are known before it.
    for factor in np.argsort(nested.sum(axis=0), kind="stable"):
        stage[factor] = 1 + max(stage[nested[:, factor]], default=0)
    return Hierarchy(factors, nested, tuple(stage.tolist()))
