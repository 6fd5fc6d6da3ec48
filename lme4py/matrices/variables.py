"""The columns that one variable gives to a model matrix, under each way to code it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import FloatArray
from lme4py.moments import sum_of_squares

__all__ = ["Coded", "Indicators", "Numbers", "Rows", "VariableColumns", "pieces"]

Rows: TypeAlias = slice | NDArray[Any]

_HUGE = 1e300
_PIECE = 1 << 18
_SHORTEST_PIECE, _LONGEST_PIECE = 1 << 10, 1 << 15


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Numbers(Abbreviated):
    """A numeric variable: one array per column, and what each adds to the name."""

    columns: tuple[FloatArray, ...]
    suffixes: tuple[str, ...]

    def part(self, column: int, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows of one column, in `out` where that is given."""
        values = self.columns[column][rows]
        if out is None:
            return values
        np.copyto(out, values)
        return out

    def finite(self, column: int) -> bool:
        """Tell whether one column is plainly free of missing, infinite and huge numbers."""
        return sum_of_squares(self.columns[column]) < _HUGE


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Indicators(Abbreviated):
    """A factor coded by zeros and ones: column j marks the rows of level ``first + j``."""

    codes: NDArray[np.int32]
    first: int
    suffixes: tuple[str, ...]

    def part(self, column: int, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows of one column, in `out` where that is given."""
        marks: NDArray[Any] = np.equal(
            self.codes[rows], self.first + column, out=out, casting="unsafe"
        )
        return marks

    def finite(self, column: int) -> bool:  # noqa: ARG002
        """Tell that zeros and ones are."""
        return True


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Coded(Abbreviated):
    """A factor under any coding: the row of `table` that a code selects."""

    codes: NDArray[np.int32]
    table: FloatArray
    suffixes: tuple[str, ...]

    def part(self, column: int, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows of one column, in `out` where that is given."""
        # "wrap" takes code -1 to the last row, and spares numpy a copy of `out`.
        taken: NDArray[Any] = np.take(self.table[:, column], self.codes[rows], out=out, mode="wrap")
        return taken

    def finite(self, column: int) -> bool:
        """Tell whether one column is free of missing and infinite numbers."""
        return bool(np.isfinite(self.table[:, column]).all())


VariableColumns = Numbers | Indicators | Coded


def pieces(rows: int, width: int) -> Iterator[slice]:
    """Return slices of so many rows of `width` numbers that they stay in the cache."""
    size = max(_SHORTEST_PIECE, min(_LONGEST_PIECE, _PIECE // max(width, 1)))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))
