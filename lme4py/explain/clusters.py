"""One cluster of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers; Z by blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, nearest
from lme4py.explain.covariances import elided
from lme4py.explain.display import Display, Section
from lme4py.explain.expression import Column, Grid, Node, Number, Product, Relation, Sum, Symbol
from lme4py.explain.levels import Grouping, Hierarchy, hierarchy
from lme4py.explain.notation import Written
from lme4py.frame.values import FloatArray
from lme4py.matrices.mixed import MixedMatrices
from lme4py.numerals import label as number_label

__all__ = ["BlockStructure", "Cluster", "ClusterPart", "Clusters", "block_structure", "cluster"]


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
class Cluster:
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
            Significant digits.
        """
        rows, columns = max(rows, 3), max(columns, 3)
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

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


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


class Clusters(Sequence[Cluster]):
    """All clusters of a grouping factor, in the order of its levels.

    Parameters
    ----------
    design : MixedMatrices
        The model.
    group : str, optional
        The grouping factor; may be left out where there is only one.

    Raises
    ------
    DataError
        If there is no such factor, or several to choose from.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> clusters = Clusters(design)
    >>> len(clusters), clusters[0].level, clusters[0].Z.shape
    (18, '308', (10, 2))
    """

    def __init__(self, design: MixedMatrices, group: str | None = None) -> None:
        self.design = design
        self._levels = hierarchy(design)
        factors = self._levels.factors
        if group is None and len(factors) > 1:
            names = ", ".join(repr(factor.name) for factor in factors)
            raise DataError("say which grouping factor", hint=f"one of {names}")
        self._factor = 0 if group is None else self._levels.position(group)

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self._grouping.name

    @property
    def _grouping(self) -> Grouping:
        return self._levels.factors[self._factor]

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, in order."""
        return self._grouping.levels

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows sorted by level, and where each level begins among them."""
        codes = self._grouping.codes
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(self._grouping.levels) + 1))
        return order, starts

    def __len__(self) -> int:
        return len(self._grouping.levels)

    @overload
    def __getitem__(self, index: int) -> Cluster: ...

    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...

    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self._cluster(code) for code in range(*index.indices(len(self)))]
        code = index + len(self) if index < 0 else index
        if not 0 <= code < len(self):
            raise IndexError(index)
        return self._cluster(code)

    def __iter__(self) -> Iterator[Cluster]:
        return (self._cluster(code) for code in range(len(self)))

    def _cluster(self, code: int) -> Cluster:
        design = self.design
        order, starts = self._order
        rows = np.sort(order[starts[code] : starts[code + 1]])
        Z = design.Z[rows]
        parts = {
            factor.name: _part(design, self._levels, place, rows, Z)
            for place, factor in enumerate(self._levels.factors)
        }
        own = parts.pop(self.group)
        X: Any = design.X[rows]
        return Cluster(
            self.group,
            self._grouping.levels[code],
            rows,
            None if design.y is None else design.y[rows],
            X if isinstance(X, np.ndarray) else X.toarray(),
            own,
            tuple(parts.values()),
            None if design.offset is None else design.offset[rows],
            None if design.weights is None else design.weights[rows],
            tuple(design.fixed.names),
            design.family is None,
        )


def _part(
    design: MixedMatrices, levels: Hierarchy, place: int, rows: NDArray[np.int64], Z: object
) -> ClusterPart:
    factor = levels.factors[place]
    codes = np.unique(factor.codes[rows])
    codes = codes[codes >= 0]
    columns: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    names: list[tuple[str, str]] = []
    for code in codes:
        for term, begin in zip(design.random.terms, design.random.Gp, strict=False):
            if term.bar.group_name == factor.name:
                first = int(begin) + int(code) * term.columns
                columns.append(np.arange(first, first + term.columns, dtype=np.int64))
                names += [(factor.levels[code], name) for name in term.plan.names]
    positions = np.concatenate(columns)
    dense: FloatArray = Z[:, positions].toarray()  # type: ignore[index]
    return ClusterPart(
        factor.name, tuple(factor.levels[code] for code in codes), positions, tuple(names), dense
    )


def cluster(design: MixedMatrices, *level: object, **factor: object) -> Cluster:
    """Return the cluster of a level: ``cluster(design, "308")`` or ``(design, Subject="308")``.

    Parameters
    ----------
    design : MixedMatrices
        The model.
    level : str or number
        The level; a number means the level R makes of it. ``group=`` beside it names the
        grouping factor; it may be left out where only one factor has that level.
    factor : str or number
        Without `level`: the level, by the name of its grouping factor.

    Raises
    ------
    DataError
        For an unknown level, or one that several factors have.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print(cluster(design, 308).display(rows=4))
    Subject = 308: 10 rows
      y_j = X_j β + Z_j b_j + ε_j
      ⎡249.560⎤   ⎡1  0⎤                   ⎡1  0⎤                         ⎡ε_1 ⎤
      ⎢258.705⎥ = ⎢1  1⎥ ⎡β_(Intercept)⎤ + ⎢1  1⎥ ⎡b_{(Intercept),308}⎤ + ⎢ε_2 ⎥
      ⎢      ⋮⎥   ⎢⋮  ⋮⎥ ⎣β_Days       ⎦   ⎢⋮  ⋮⎥ ⎣b_{Days,308}       ⎦   ⎢⋮   ⎥
      ⎣466.353⎦   ⎣1  9⎦                   ⎣1  9⎦                         ⎣ε_10⎦
    """
    factors = hierarchy(design).factors
    label, group = _asked(level, factor)
    if group is not None:
        found = Clusters(design, group)
        names = found.levels
        if label not in names:
            raise DataError(
                f"'{group}' has no level '{label}'",
                hint=nearest(label, names) or f"its levels: {_some(names)}",
            )
        return found[names.index(label)]
    having = [choice for choice in factors if label in choice.levels]
    if not having:
        everything = dict.fromkeys(name for choice in factors for name in choice.levels)
        raise DataError(
            f"no grouping factor has a level '{label}'",
            hint=nearest(label, everything)
            or "; ".join(f"{choice.name}: {_some(choice.levels)}" for choice in factors),
        )
    if len(having) > 1:
        choices = " or ".join(f"group='{choice.name}'" for choice in having)
        raise DataError(
            f"several grouping factors have a level '{label}'", hint=f"say which: {choices}"
        )
    return Clusters(design, having[0].name)[having[0].levels.index(label)]


def _asked(level: tuple[object, ...], factor: Mapping[str, object]) -> tuple[str, str | None]:
    """Return the level asked for, and its factor if that was named."""
    if len(level) == 1 and set(factor) <= {"group"}:
        group = factor.get("group")
        return _label(level[0]), None if group is None else str(group)
    if not level and len(factor) == 1:
        ((name, value),) = factor.items()
        return _label(value), name
    raise DataError(
        "name one cluster", hint="write cluster('308'), cluster('308', group='g') or cluster(g=308)"
    )


def _label(level: object) -> str:
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


@dataclass(frozen=True, eq=False)
class BlockStructure:
    """Whether Z falls into blocks, and in which order of rows and columns.

    ``Z[rows][:, columns]`` has the blocks along its diagonal: block k is
    `row_sizes[k]` by `column_sizes[k]`.

    Parameters
    ----------
    group : str or None
        The grouping factor whose levels are the blocks; None if no factor's are.
    rows : ndarray of int64, shape (n,)
        The order of the rows.
    columns : ndarray of int64, shape (q,)
        The order of the columns.
    row_sizes, column_sizes : ndarray of int64, shape (blocks,)
        Sizes of the blocks.
    """

    group: str | None
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    row_sizes: NDArray[np.int64]
    column_sizes: NDArray[np.int64]

    @property
    def is_block_diagonal(self) -> bool:
        """Whether there is more than one block."""
        return self.row_sizes.size > 1

    def __bool__(self) -> bool:
        return self.is_block_diagonal

    @property
    def already_ordered(self) -> bool:
        """Whether the blocks are there without reordering anything."""
        return bool(np.all(np.diff(self.rows) > 0) and np.all(np.diff(self.columns) > 0))

    def __str__(self) -> str:
        count = self.row_sizes.size
        if count <= 1:
            return "Z is one block: its grouping factors are crossed so that all hangs together"
        largest = f"{int(self.row_sizes.max())} × {int(self.column_sizes.max())}"
        by = f"one for each level of {self.group}" if self.group else "by no single factor"
        order = "as it stands" if self.already_ordered else "after reordering rows and columns"
        return f"Z is block-diagonal {order}: {count} blocks, {by}, at most {largest}"


def block_structure(design: MixedMatrices) -> BlockStructure:
    """Return the finest block-diagonal form of Z.

    Levels belong to one block when an observation has both. The blocks are the levels
    of a grouping factor exactly if all others are nested in it (or the same).

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print(block_structure(design))
    Z is block-diagonal as it stands: 18 blocks, one for each level of Subject, at most 10 × 2
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    factors = hierarchy(design).factors
    n = design.X.shape[0]
    starts = np.cumsum([0, *(len(factor.levels) for factor in factors)])
    pairs = [
        (np.flatnonzero(factor.codes >= 0), starts[k] + factor.codes[factor.codes >= 0])
        for k, factor in enumerate(factors)
    ]
    row = np.concatenate([pair[0] for pair in pairs])
    level = np.concatenate([pair[1] for pair in pairs]) + n
    size = n + int(starts[-1])
    graph = coo_array((np.ones(row.size), (row, level)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    row_label, level_label = label[:n], label[n:]
    group, key = None, None
    for k, factor in enumerate(factors):
        own = level_label[starts[k] : starts[k + 1]]
        if np.unique(own).size == own.size and np.unique(row_label).size == own.size:
            # The blocks in the order of the levels.
            group, key = factor.name, own
            break
    if key is None:
        # In the order of the rows they begin with.
        found, first = np.unique(row_label, return_index=True)
        key = found[np.argsort(first)]
    rank = np.zeros(label.max() + 1, dtype=np.int64)
    rank[key] = np.arange(key.size)
    column_label = [np.zeros(0, dtype=np.int64)]
    names = [factor.name for factor in factors]
    for term in design.random.terms:
        k = names.index(term.bar.group_name)
        column_label.append(np.repeat(level_label[starts[k] : starts[k + 1]], term.columns))
    row_rank, column_rank = rank[row_label], rank[np.concatenate(column_label)]
    return BlockStructure(
        group,
        np.argsort(row_rank, kind="stable"),
        np.argsort(column_rank, kind="stable"),
        np.bincount(row_rank, minlength=key.size),
        np.bincount(column_rank, minlength=key.size),
    )
