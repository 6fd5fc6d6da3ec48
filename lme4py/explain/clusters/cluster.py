"""One cluster of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import count_of
from lme4py.explain.covariances import elided
from lme4py.explain.display import Display, Section, Shown
from lme4py.explain.expression import Column, Grid, Node, Number, Product, Relation, Sum, Symbol
from lme4py.explain.notation import Written
from lme4py.frame.values import FloatArray

__all__ = ["Cluster", "ClusterPart"]


@dataclass(frozen=True, eq=False, slots=True)
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


@dataclass(frozen=True, eq=False, repr=False)
class Cluster(Shown):
    """The rows of one level of a grouping factor, and what the model says of them.

    ``y == X @ beta + Z @ b_j`` plus the `others` (each with its own part of b), the
    offset and the residual. ``str()`` and a notebook show it as that equation.

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
        rows = max(count_of("rows", rows, 0), 3)
        columns = max(count_of("columns", columns, 0), 3)
        digits = count_of("digits", digits, 1, 17)
        count = self.rows.size
        left, terms = self._symbols()
        symbols = Relation(left, Sum(tuple(terms)))
        numbers: list[Node] = []
        if self.fixed_names:
            beta = Column(tuple(Symbol("fixed", name) for name in self.fixed_names))
            numbers.append(Product((_grid(self.X, rows, columns), elided(beta, columns, 1))))
        for place, part in enumerate(self.parts):
            if part.columns.size:
                effects = Column(
                    tuple(
                        Symbol("random", name, level if place else "") for level, name in part.names
                    )
                )
                shown = elided(effects, columns, 1)
                numbers.append(Product((_grid(part.Z, rows, columns), shown)))
        if self.offset is not None:
            numbers.append(_column(self.offset, rows))
        if self.linear:
            errors = Column(tuple(Symbol("residual", numbers=(i + 1,)) for i in range(count)))
            numbers.append(elided(errors, rows, 1))
        response: Node
        if self.linear and self.y is not None and self.y.ndim == 1:
            response = _column(self.y, rows)
        else:
            kind = "response" if self.linear else "predicted"
            entries = tuple(Symbol(kind, numbers=(i + 1,)) for i in range(count))  # type: ignore[arg-type]
            response = elided(Column(entries), rows, 1)
        title = f"{self.group} = {self.level}: {count} row{'' if count == 1 else 's'}"
        write = partial(_write, level=self.level)
        sections = (Section(title, (symbols, Relation(response, Sum(tuple(numbers)))), write),)
        return Display(sections, digits)

    def _symbols(self) -> tuple[Symbol, list[Node]]:
        def own(letter: str) -> Symbol:
            return Symbol("matrix", letter, part="j")

        terms: list[Node] = []
        if self.fixed_names:
            terms.append(Product((own("X"), Symbol("matrix", "β"))))
        terms.append(Product((own("Z"), own("b"))))
        for part in self.others:
            if part.columns.size:
                z = Symbol("matrix", "Z", part=f"j,{part.group}")
                terms.append(Product((z, Symbol("matrix", "b", part=part.group))))
        if self.offset is not None:
            terms.append(own("o"))
        if self.linear:
            terms.append(own("ε"))
        return own("y" if self.linear else "η"), terms

    def text(self) -> str:
        """Return the equation as Unicode text."""
        return self.display().text()

    def latex(self) -> str:
        """Return the equation as LaTeX, without dollar signs."""
        return self.display().latex()

    def html(self) -> str:
        """Return the equation as HTML with MathML."""
        return self.display().html()

    def markdown(self) -> str:
        """Return the equation as Markdown with LaTeX."""
        return self.display().markdown()


def _write(symbol: Symbol, level: str) -> Written:
    """Write the symbols of a cluster: effects carry the names of their columns."""
    match symbol.kind:
        case "matrix":
            return Written(symbol.name, below=_named(symbol.part), bold=True)
        case "fixed":
            return Written("β", below=_named(symbol.name))
        case "random":
            index = symbol.part or level
            return Written("b", below=(Written(symbol.name), ",", Written(index)))
        case "residual":
            return Written("ε", below=(str(symbol.numbers[0]),))
        case "predicted":
            return Written("η", below=(str(symbol.numbers[0]),))
        case _:
            return Written("y", below=(str(symbol.numbers[0]),))


def _named(name: str) -> tuple[str | Written, ...]:
    return (Written(name),) if name else ()


def _column(values: FloatArray, rows: int) -> Node:
    return elided(Column(tuple(Number(float(value)) for value in values)), rows, 1)


def _grid(values: FloatArray, rows: int, columns: int) -> Node:
    # Only what is shown becomes a tree.
    lines = values if len(values) <= rows else np.vstack([values[: rows + 1], values[-1:]])
    entries = tuple(tuple(Number(float(value)) for value in line) for line in lines)
    return elided(Grid(entries), rows, columns)
