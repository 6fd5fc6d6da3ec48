"""One cluster of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import count_of
from lme4py.explain.expression import (
    Grid,
    Numeral,
    Quantity,
    QuantityKind,
    Relation,
    Sum,
    column,
    grid,
    times,
)
from lme4py.explain.markup.display import Display, Section, Shown
from lme4py.explain.markup.typesetting import Written
from lme4py.frame.values import FloatArray

__all__ = ["Cluster", "ClusterPart", "Lettered"]

Lettered: TypeAlias = tuple[Quantity, Grid]
"""A matrix or vector: its letter, and its entries."""


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class ClusterPart:
    """What one grouping factor has in a cluster: columns of Z and their random effects.

    Parameters
    ----------
    group : str
        The grouping factor.
    levels : tuple of str
        Its levels that occur in the cluster; for the cluster's own factor, the one.
    columns : ndarray of int64, shape (q_j,)
        Positions of the columns in Z (rows of Zt).
    names : tuple of (str, str), length q_j
        Level and column name of each.
    Z : ndarray of float64, shape (n_j, q_j)
        Those columns on the rows of the cluster.
    """

    group: str
    levels: tuple[str, ...]
    columns: NDArray[np.int64]
    names: tuple[tuple[str, str], ...]
    Z: FloatArray

    def __repr__(self) -> str:
        rows, columns = self.Z.shape
        return f"<ClusterPart: Z {rows} x {columns} of {self.group}, {len(self.levels)} levels>"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Cluster(Shown):
    """The rows of one level of a grouping factor, and what the model says of them.

    ``y == X @ beta + Z @ b_j`` plus the `others` (each with its own part of b), the
    offset and the residual. ``str()`` and a notebook show it as that equation. All arrays are
    copies: they are yours.

    Parameters
    ----------
    group : str
        The grouping factor.
    level : str
        The level.
    rows : ndarray of int64, shape (n_j,)
        Positions of the rows in X, y and the columns of Zt.
    y : ndarray of float64, shape (n_j,) or (n_j, k), or None
    X : ndarray of float64, shape (n_j, p)
        Dense, whatever the design's is.
    own : ClusterPart
        The cluster's own columns of Z, over all terms of its factor.
    others : tuple of ClusterPart
        For each other grouping factor, the columns that the rows touch.
    offset, weights : ndarray of float64, shape (n_j,), or None
    fixed_names : tuple of str
        Names of the columns of X.
    linear : bool
        Whether there is a residual; in a generalized model the left side is eta.
    """

    group: str
    level: str
    rows: NDArray[np.int64]
    y: FloatArray | None
    X: FloatArray
    own: ClusterPart
    others: tuple[ClusterPart, ...]
    offset: FloatArray | None
    weights: FloatArray | None
    fixed_names: tuple[str, ...]
    linear: bool

    @property
    def Z(self) -> FloatArray:
        """The cluster's own block of Z, shape (n_j, q_j)."""
        return self.own.Z

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cluster's random effects b_j: the columns of its terms."""
        return tuple(name for _, name in self.own.names)

    @property
    def columns(self) -> NDArray[np.int64]:
        """Positions of the cluster's own columns in Z."""
        return self.own.columns

    @property
    def parts(self) -> tuple[ClusterPart, ...]:
        """The own part, then the others."""
        return (self.own, *self.others)

    def display(self, *, rows: int = 8, columns: int = 8, digits: int = 6) -> Display:
        """Return the cluster as an equation with its numbers.

        Parameters
        ----------
        rows, columns : int
            The middle of longer and wider matrices is left out.
        digits : int
            Significant digits, 1 to 17.

        Raises
        ------
        DataError
            For anything but whole numbers.
        """
        most = max(count_of("rows", rows, 0), 3), max(count_of("columns", columns, 0), 3)
        digits = count_of("digits", digits, 1, 17)
        left, terms = self.equation(most)
        letters = Sum(tuple(times(*(letter for letter, _ in term)) for term in terms))
        numbers = Sum(tuple(times(*(entries for _, entries in term)) for term in terms))
        relations = (Relation(left[0], letters), Relation(left[1], numbers))
        return Display((Section(self.title, relations),), self.write, digits)

    @property
    def title(self) -> str:
        """The factor, the level and the number of rows."""
        count = self.rows.size
        return f"{self.group} = {self.level}: {count} row{'' if count == 1 else 's'}"

    def equation(self, most: tuple[int, int]) -> tuple[Lettered, list[list[Lettered]]]:
        """Return the left side and the factors of each term, the middle of large ones left out."""
        terms: list[list[Lettered]] = []
        if self.fixed_names:
            beta = column([Quantity("fixed", name) for name in self.fixed_names], most[1])
            terms.append([(_matrix("X", "j"), _grid(self.X, most)), (_matrix("β"), beta)])
        for part in self.parts:
            if part.columns.size:
                own = part is self.own
                z, b = ("j", "j") if own else (f"j,{part.group}", part.group)
                effects = [Quantity("random", n, "" if own else level) for level, n in part.names]
                Z = (_matrix("Z", z), _grid(part.Z, most))
                terms.append([Z, (_matrix("b", b), column(effects, most[1]))])
        if self.offset is not None:
            terms.append([(_matrix("o", "j"), _grid(self.offset, most))])
        if not self.linear:
            return (_matrix("η", "j"), self._numbered("predicted", most[0])), terms
        terms.append([(_matrix("ε", "j"), self._numbered("residual", most[0]))])
        numeric = self.y is not None and self.y.ndim == 1
        y = _grid(self.y, most) if numeric else self._numbered("response", most[0])
        return (_matrix("y", "j"), y), terms

    def _numbered(self, kind: QuantityKind, most: int) -> Grid:
        return column([Quantity(kind, numbers=(k,)) for k in range(1, self.rows.size + 1)], most)

    def write(self, quantity: Quantity, stage: int = 0) -> Written:
        """Write the quantities of the cluster: effects carry the names of their columns."""
        del stage
        match quantity.kind:
            case "matrix":
                below = (Written(quantity.part),) if quantity.part else ()
                return Written(quantity.name, below=below, bold=True)
            case "fixed":
                return Written("β", below=(Written(quantity.name),))
            case "random":
                index = Written(quantity.part or self.level)
                return Written("b", below=(Written(quantity.name), ",", index))
            case kind:
                letter = {"residual": "ε", "predicted": "η"}.get(kind, "y")
                return Written(letter, below=(str(quantity.numbers[0]),))


def _matrix(letter: str, index: str = "") -> Quantity:
    return Quantity("matrix", letter, index)


def _grid(values: Any, most: tuple[int, int]) -> Grid:
    """Return the numbers of a matrix or vector."""
    numbers = np.asarray(values)
    lines = numbers.reshape(len(numbers), -1)
    if len(lines) > most[0]:
        # Only what is shown becomes a tree.
        lines = np.vstack([lines[: most[0]], lines[-1:]])
    return grid([[Numeral(float(value)) for value in line] for line in lines], most)
