"""The clusters of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
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
from lme4py.explain.hierarchy import GroupingFactor, hierarchy
from lme4py.explain.markup.display import Display, Section, Shown
from lme4py.explain.markup.typesetting import Written
from lme4py.numerals import label as number_label

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Cluster", "ClusterPart", "Clusters", "Lettered", "cluster"]

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


class Clusters(Sequence[Cluster]):
    """All clusters of a grouping factor, in the order of its levels.

    Parameters
    ----------
    design : MixedDesign
        The model.
    group : str, optional
        The grouping factor; may be left out where there is only one.

    Raises
    ------
    DataError
        If there is no such factor, or several to choose from.
    """

    def __init__(self, design: MixedDesign, group: str | None = None) -> None:
        self.design = design
        self._hierarchy = hierarchy(design)
        factors = self._hierarchy.factors
        if group is None and len(factors) > 1:
            names = ", ".join(repr(factor.name) for factor in factors)
            raise DataError("say which grouping factor", hint=f"one of {names}")
        self._grouping = factors[0] if group is None else self._hierarchy.named(group)

    def __repr__(self) -> str:
        return f"<Clusters: {len(self)} of {self.group}>"

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self._grouping.name

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, in order."""
        return self._grouping.levels

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows sorted by level, and where each level begins among them."""
        codes = self._grouping.codes
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(len(self) + 1))

    def __len__(self) -> int:
        return self._grouping.size

    @overload
    def __getitem__(self, index: int) -> Cluster: ...

    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...

    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self._cluster(code) for code in range(len(self))[index]]
        try:
            code = range(len(self))[index]
        except IndexError:
            said = f"{self.group} has {len(self)} clusters, there is none at {index}"
            raise IndexError(said) from None
        return self._cluster(code)

    def _cluster(self, code: int) -> Cluster:
        design = self.design
        order, starts = self._order
        rows = order[starts[code] : starts[code + 1]]
        Z = design.Z[rows]
        factors = self._hierarchy.factors
        X: Any = design.X[rows]
        return Cluster(
            group=self.group,
            level=self.levels[code],
            rows=rows.copy(),
            y=None if design.y is None else design.y[rows],
            X=X if isinstance(X, np.ndarray) else X.toarray(),
            own=self._part(self._grouping, rows, Z),
            others=tuple(self._part(f, rows, Z) for f in factors if f is not self._grouping),
            offset=None if design.offset is None else design.offset[rows],
            weights=None if design.weights is None else design.weights[rows],
            fixed_names=tuple(design.fixed.names),
            linear=design.family is None,
        )

    def _part(self, factor: GroupingFactor, rows: NDArray[np.int64], Z: csr_array) -> ClusterPart:
        random = self.design.random
        found = np.unique(factor.codes[rows])
        codes = found[found >= 0].tolist()
        own = [
            (int(begin) + k, len(columns), name)
            for begin, (group, columns) in zip(random.Gp, random.cnms, strict=False)
            if group == factor.name
            for k, name in enumerate(columns)
        ]
        positions = [first + code * step for code in codes for first, step, _ in own]
        return ClusterPart(
            factor.name,
            tuple(factor.levels[code] for code in codes),
            np.array(positions, dtype=np.int64),
            tuple((factor.levels[code], name) for code in codes for _, _, name in own),
            _columns(Z, np.array(positions, dtype=np.int64)),
        )


def _columns(Z: csr_array, positions: NDArray[np.int64]) -> FloatArray:
    """Return columns of a few rows of Z; scipy's own selection takes a pass over all columns."""
    order = np.argsort(positions)
    ascending = positions[order]
    dense = np.zeros((Z.shape[0], positions.size))
    row = np.repeat(np.arange(Z.shape[0]), np.diff(Z.indptr))
    found = np.isin(Z.indices, ascending)
    at = order[np.searchsorted(ascending, Z.indices[found])]
    dense[row[found], at] = Z.data[found]
    return dense


def cluster(design: MixedDesign, *level: object, **factor: object) -> Cluster:
    """Return the cluster of a level; the arguments are those of ``design.cluster``."""
    if len(level) == 1 and set(factor) <= {"group"}:
        group, label = factor.get("group"), _label(level[0])
    elif not level and len(factor) == 1:
        ((group, value),) = factor.items()
        label = _label(value)
    else:
        hint = "write cluster('308'), cluster('308', group='g') or cluster(g=308)"
        raise DataError("name one cluster", hint=hint)
    factors = hierarchy(design).factors
    if group is not None:
        factors = (hierarchy(design).named(str(group)),)
    having = [choice for choice in factors if label in choice.levels]
    if not having:
        everything = dict.fromkeys(name for choice in factors for name in choice.levels)
        some = [f"{choice.name}: {_some(choice.levels)}" for choice in factors]
        has, hint = "no grouping factor has a", "; ".join(some)
        if group is not None:
            has, hint = f"'{group}' has no", f"its levels: {_some(factors[0].levels)}"
        raise DataError(f"{has} level '{label}'", hint=nearest(label, everything) or hint)
    if len(having) > 1:
        choices = " or ".join(f"group='{choice.name}'" for choice in having)
        raise DataError(
            f"several grouping factors have a level '{label}'", hint=f"say which: {choices}"
        )
    return Clusters(design, having[0].name)[having[0].levels.index(label)]


def _label(level: object) -> str:
    """Return the level that R makes of a value."""
    match level:
        case bool() | np.bool_():
            return "TRUE" if level else "FALSE"
        case int() | np.integer():
            return str(int(level))
        case float() | np.floating():
            return number_label(float(level))
        case _:
            return str(level)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... {len(names) - 6} more" if len(names) > 6 else "")
