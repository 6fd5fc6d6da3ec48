"""One cluster of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.argument_types import count_of
from lme4py.explain.expression import (
    Constant,
    Grid,
    Kind,
    Product,
    Quantity,
    Relation,
    Sum,
    Tree,
    column,
    grid,
)
from lme4py.explain.markup.display import Display, Section, Shown
from lme4py.explain.markup.typesetting import Written
from lme4py.frame.values import FloatArray

__all__ = ["Cluster", "ClusterPart"]


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

    @property
    def response(self) -> FloatArray | None:
        """The numbers on the left side; None where it has the letter eta, or two columns."""
        return self.y if self.linear and self.y is not None and self.y.ndim == 1 else None

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
        letters, numbers = self._equation(most)
        count = self.rows.size
        title = f"{self.group} = {self.level}: {count} row{'' if count == 1 else 's'}"
        write = partial(_write, level=self.level)
        return Display((Section(title, (letters, numbers)),), write, digits)

    def _equation(self, most: tuple[int, int]) -> tuple[Relation, Relation]:
        """Return the equation in letters and in numbers."""
        letters: list[Tree] = []
        numbers: list[Tree] = []
        if self.fixed_names:
            beta = [Quantity("fixed", name) for name in self.fixed_names]
            letters.append(Product((_matrix("X", "j"), _matrix("β"))))
            numbers.append(Product((_grid(self.X, most), column(beta, most[1]))))
        for part in self.parts:
            own = part is self.own
            if own or part.columns.size:
                places = ("j", "j") if own else (f"j,{part.group}", part.group)
                letters.append(Product(tuple(map(_matrix, "Zb", places))))
            if part.columns.size:
                b = [Quantity("random", name, "" if own else level) for level, name in part.names]
                numbers.append(Product((_grid(part.Z, most), column(b, most[1]))))
        if self.offset is not None:
            letters.append(_matrix("o", "j"))
            numbers.append(_grid(self.offset, most))
        if self.linear:
            letters.append(_matrix("ε", "j"))
            numbers.append(column(self._numbered("residual"), most[0]))
        left: Tree = column(self._numbered("response" if self.linear else "predicted"), most[0])
        if self.response is not None:
            left = _grid(self.response, most)
        return (
            Relation(_matrix("y" if self.linear else "η", "j"), Sum(tuple(letters))),
            Relation(left, Sum(tuple(numbers))),
        )

    def _numbered(self, kind: Kind) -> Sequence[Quantity]:
        return [Quantity(kind, numbers=(k,)) for k in range(1, self.rows.size + 1)]


def _write(quantity: Quantity, stage: int, *, level: str) -> Written:
    """Write the quantities of a cluster: effects carry the names of their columns."""
    del stage
    match quantity.kind:
        case "matrix":
            below = (Written(quantity.part),) if quantity.part else ()
            return Written(quantity.name, below=below, bold=True)
        case "fixed":
            return Written("β", below=(Written(quantity.name),))
        case "random":
            index = Written(quantity.part or level)
            return Written("b", below=(Written(quantity.name), ",", index))
        case kind:
            letter = {"residual": "ε", "predicted": "η"}.get(kind, "y")
            return Written(letter, below=(str(quantity.numbers[0]),))


def _matrix(letter: str, index: str = "") -> Quantity:
    return Quantity("matrix", letter, index)


def _grid(values: ArrayLike, most: tuple[int, int]) -> Grid:
    """Return the numbers of a matrix or vector."""
    numbers = np.asarray(values)
    lines = numbers.reshape(len(numbers), -1)
    if len(lines) > most[0]:
        # Only what is shown becomes a tree.
        lines = np.vstack([lines[: most[0]], lines[-1:]])
    return grid([[Constant(float(value)) for value in line] for line in lines], most)
