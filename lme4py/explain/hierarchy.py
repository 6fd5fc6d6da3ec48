"""Which level of the hierarchy a variable belongs to.

A variable belongs to a grouping factor if it has one value in each of its levels, but for the
rounding of computed numbers. One factor is nested in another if the other is such a variable of
it. The factors stand in stages: the finest first, each one a stage above the highest that is
nested in it. Crossed factors may share a stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
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
    """The grouping factors by their names, and how they are nested."""

    factors: Mapping[str, GroupingFactor]  # in the order of their first term in the random part
    stage: Mapping[str, int]  # of each factor, from 1, finest first; observations are stage 0
    # In which others each is nested, the finest first; not those that are the same partition.
    above: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"<Hierarchy: {', '.join(self.factors)}>"

    @property
    def stages(self) -> int:
        """Number of stages."""
        return max(self.stage.values(), default=0)

    def at(self, stage: int) -> tuple[str, ...]:
        """Return the factors of a stage."""
        return tuple(factor for factor, own in self.stage.items() if own == stage)

    def from_stage(self, stage: int) -> tuple[str, ...]:
        """Return the factors at or above a stage, finest first."""
        return tuple(factor for factor, own in self.stage.items() if own >= stage)

    def within(self, inner: str, outer: str) -> bool:
        """Tell whether the levels of a factor lie inside those of another, or are the same."""
        return inner == outer or outer in self.above[inner]

    def named(self, name: object) -> GroupingFactor:
        """Return the factor of a name; a DataError if there is none."""
        if str(name) not in self.factors:
            raise DataError(
                f"'{name}' is not a grouping factor of this model",
                hint=nearest(str(name), self.factors)
                or f"its grouping factors: {', '.join(self.factors)}",
            )
        return self.factors[str(name)]


def hierarchy(design: MixedDesign) -> Hierarchy:
    """Return the grouping factors of a design in their stages.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("y ~ 1 + (1 | school/class)", {"y": [1.0, 2, 3, 4, 5, 6],
    ...     "school": list("aaabbb"), "class": list("112112")})
    >>> found = hierarchy(design)
    >>> found.stage
    {'class:school': 1, 'school': 2}
    """
    factors = {
        name: GroupingFactor(name, tuple(map(str, group.levels)), group.codes)
        for name, group in design.random.groups.items()
    }
    constant = {
        (inner, outer)
        for inner, outer in permutations(factors, 2)
        if not factors[inner].differs(factors[outer].codes).any()
    }
    nested = {(inner, outer) for inner, outer in constant if (outer, inner) not in constant}
    below = {outer: [f for f in factors if (f, outer) in nested] for outer in factors}
    stage: dict[str, int] = {}
    # What has more below it comes later; so the stages below a factor's are known before it.
    for factor in sorted(factors, key=lambda each: len(below[each])):
        stage[factor] = 1 + max((stage[inner] for inner in below[factor]), default=0)
    stage = {factor: stage[factor] for factor in sorted(factors, key=stage.__getitem__)}
    above = {f: tuple(outer for outer in stage if f in below[outer]) for f in factors}
    return Hierarchy(factors, stage, above)
