"""The clusters of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.cluster_variance import ClusterPart, ClusterVariance
from lme4py.explain.estimates import estimates
from lme4py.explain.expression import (
    Grid,
    Numeral,
    Quantity,
    QuantityKind,
    Relation,
    Sum,
    Tree,
    column,
    factors_of,
    grid,
    shortened,
    substituted,
    times,
)
from lme4py.explain.hierarchy import GroupingFactor, hierarchy
from lme4py.explain.markup.display import Display, Note, Section, Shown
from lme4py.explain.markup.typesetting import Written
from lme4py.explain.matrix_form import in_matrices
from lme4py.explain.notation import Notation, notation_of
from lme4py.explain.system import System, system
from lme4py.numerals import label as number_label

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Cluster", "Clusters", "Lettered", "cluster"]

Lettered: TypeAlias = tuple[Tree, Grid]
"""A matrix or vector: its letter, and its entries."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Cluster(Shown):
    """The rows of one level of a grouping factor, and what the model says of them.

    ``y == X @ beta + Z @ b_j`` plus the `others` (each with its own part of b), the
    offset and the residual. ``str()`` and a notebook show it as that equation, in the symbols
    of ``design.equations()``. All arrays are copies: they are yours.

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
    source : Clusters
        The clusters it is one of.
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
    source: Clusters

    def __repr__(self) -> str:
        n, p = self.X.shape
        return f"<Cluster {self.title}, X {n} × {p}, Z {n} × {self.Z.shape[1]}; print() shows it>"

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

    def display(
        self,
        *,
        rows: int = 8,
        columns: int = 8,
        digits: int = 6,
        notation: str = "raudenbush-bryk",
    ) -> Display:
        """Return the cluster as an equation with its numbers.

        Parameters
        ----------
        rows, columns : int
            The middle of longer and wider matrices is left out.
        digits : int
            Significant digits, 1 to 17.
        notation : {"raudenbush-bryk", "gelman-hill"}
            As ``design.equations`` takes it.

        Raises
        ------
        DataError
            For anything but whole numbers, or an unknown notation.
        """
        most = max(count_of("rows", rows, 0), 3), max(count_of("columns", columns, 0), 3)
        digits = count_of("digits", digits, 1, 17)
        left, terms = self.equation(most)
        relations = [
            Relation((left[k], Sum(tuple(times(*(each[k] for each in term)) for term in terms))))
            for k in range(2)
        ]
        if known := self._estimates():
            relations.append(relations[1].map(lambda tree: substituted(tree, known)))
        written = self.source.notation(notation)
        notes = tuple(self._legend(most[1]))
        section = Section(self.title, tuple(relations), self._stage, notes)
        return Display((section,), written.write, digits, width=88)

    def variance(
        self, par: ArrayLike | None = None, sigma: float | None = None, *, fit: object = None
    ) -> ClusterVariance:
        """Return what the model says about the spread of the cluster's rows.

        Parameters
        ----------
        par : array-like of float, optional
            Parameters of the random effects (``design.random.par``), relative to `sigma`.
        sigma : float, optional
            The residual standard deviation.
        fit : object, optional
            Both at once, as ``design.equations`` takes it; that of the cluster by default.

        Returns
        -------
        ClusterVariance
            V_j = Z_j T Z_jᵀ + σ² I in symbols, and with the parameters in numbers, too.

        Raises
        ------
        DataError
            For parameters that are not those of the model.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> found = design.cluster("308").variance([1.2], 30.0)
        >>> found.matrix[:2, :2].round(1).tolist(), found.icc[:2].round(3).tolist()
        ([[2196.0, 1296.0], [1296.0, 2196.0]], [0.59, 0.59])
        """
        given = not (par is None and sigma is None and fit is None)
        known = estimates(self.source.design, par=par, sigma=sigma, fit=fit) if given else None
        return ClusterVariance(
            title=self.title,
            system=self.source.system,
            factor=self.source.factor,
            parts=tuple(part for part, _ in self.effects()),
            rows=self.rows.size,
            weights=self.weights,
            known=known or self.source.known,
        )

    def _estimates(self) -> dict[Quantity, Tree]:
        """Return the numbers of all effects and residuals, or none."""
        known, system = self.source.known, self.source.system
        if known.b is None:
            return {}
        fixed = [found.effect for found in system.fixed]
        pairs = [*zip(fixed, known.beta.tolist(), strict=True)]
        eta = self.X @ known.beta + (0.0 if self.offset is None else self.offset)
        for part, effects in self.effects():
            own = known.b[part.columns]
            pairs += zip(effects, own.tolist(), strict=True)
            eta = eta + part.Z @ own
        kind: QuantityKind = "residual" if system.residual else "predicted"
        rows = eta if self.y is None or not system.residual else self.y - eta
        if system.residual and (self.y is None or self.y.ndim != 1):
            rows = np.array([])
        factor = (self.source.factor,)
        for k, value in enumerate(rows.tolist(), start=1):
            pairs.append((Quantity(kind, row=str(k), factors=factor), value))
        return {symbol: Numeral(value) for symbol, value in pairs}

    @property
    def title(self) -> str:
        """The factor, its index and level, and the number of rows."""
        letters, count = self.source.notation().letters, self.rows.size
        named = [(self.source.factor, self.level)]
        named += [(k, part.levels[0]) for k, part in self._parts() if k in self._above]
        levels = (
            f"{self.source.hierarchy.factors[factor].name} {letters[factor]} = {level}"
            for factor, level in named
        )
        return f"{', '.join(levels)}: {count} row{'' if count == 1 else 's'}"

    @property
    def _stage(self) -> int:
        return self.source.hierarchy.stage[self.source.factor]

    @property
    def _above(self) -> tuple[int, ...]:
        return self.source.hierarchy.above(self.source.factor)

    def _parts(self) -> Iterator[tuple[int, ClusterPart]]:
        """Yield the parts with the positions of their factors."""
        for part in self.parts:
            yield self.source.hierarchy.position(part.group), part

    def effects(self) -> Iterator[tuple[ClusterPart, list[Quantity]]]:
        """Yield each part that has columns, with the random effects of these in the equations.

        They carry the index of the cluster, or of the one level above it; else the names of
        their levels.
        """
        for factor, part in self._parts():
            own = self.source.system.effects_of(factor)
            named = factor not in (self.source.factor, *self._above)
            levels = part.levels if named else [""]
            if part.columns.size:
                yield part, [replace(effect, part=level) for level in levels for effect in own]

    def equation(self, most: tuple[int, int]) -> tuple[Lettered, list[list[Lettered]]]:
        """Return the left side and the factors of each term, the middle of large ones left out."""
        system, numbers = self.source.system, list[tuple[Grid, ...]]()
        if self.fixed_names:
            beta = column((found.effect for found in system.fixed), most[1])
            numbers.append((_grid(self.X, most), beta))
        for part, effects in self.effects():
            numbers.append((_grid(part.Z, most), column(effects, most[1])))
        if self.offset is not None:
            numbers.append((_grid(self.offset, most),))
        y = self._each_row("response" if system.residual else "predicted", most[0])
        if system.residual:
            numbers.append((self._each_row("residual", most[0]),))
            numeric = self.y is not None and self.y.ndim == 1
            y = _grid(self.y, most) if numeric else y
        factors = [self.source.hierarchy.position(part.group) for part, _ in self.effects()]
        letters = in_matrices(system, factors, self.source.factor)
        terms = letters.right.operands if isinstance(letters.right, Sum) else ()
        pairs = zip(map(factors_of, terms), numbers, strict=True)
        return (letters.left, y), [list(zip(*each, strict=True)) for each in pairs]

    def _each_row(self, kind: QuantityKind, most: int) -> Grid:
        own = (self.source.factor,)
        rows = range(1, self.rows.size + 1)
        return column([Quantity(kind, row=str(k), factors=own) for k in rows], most)

    def _legend(self, most: int) -> Iterator[Note]:
        """Yield R's names of the columns beside the symbols of their coefficients."""
        _, terms = self.equation((0, 0))
        matrices = [letter for (letter, _), *vector in terms if vector]
        fixed = tuple(found.effect for found in self.source.system.fixed)
        told = [(self.fixed_names, fixed, "")] if self.fixed_names else []
        for part, effects in self.effects():
            count = len(effects) // len(part.levels)
            first = f" for {part.group} = {part.levels[0]}" if effects[0].part else ""
            names = tuple(name for _, name in part.names[:count])
            told.append((names, tuple(effects[:count]), first))
        for letter, (names, symbols, first) in zip(matrices, told, strict=True):
            pairs = [(f"{name} ", symbol) for name, symbol in zip(names, symbols, strict=True)]
            shown = [piece for pair in shortened(pairs, most, ("…",)) for piece in (", ", *pair)]
            yield ("columns of ", letter, f"{first}: ", *shown[1:])

    def write(self, quantity: Quantity, stage: int = 0) -> Written:
        """Write a quantity as the equations do."""
        return self.source.notation().write(quantity, stage or self._stage)


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
    fit : object, optional
        Estimates, as ``design.equations`` takes them.

    Attributes
    ----------
    hierarchy : Hierarchy
        The grouping factors.
    factor : int
        The position of their own among them.
    known : Estimates
        What `fit` says.

    Raises
    ------
    DataError
        If there is no such factor, or several to choose from.
    """

    def __init__(
        self, design: MixedDesign, group: str | None = None, *, fit: object = None
    ) -> None:
        self.design = design
        self.known = estimates(design, fit=fit)
        self.hierarchy = hierarchy(design)
        factors = self.hierarchy.factors
        if group is None and len(factors) > 1:
            names = ", ".join(repr(factor.name) for factor in factors)
            raise DataError("say which grouping factor", hint=f"one of {names}")
        self.factor = 0 if group is None else self.hierarchy.position(group)
        self._grouping = factors[self.factor]

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
    def system(self) -> System:
        """The equations, whose symbols the clusters have."""
        return system(self.design)

    def notation(self, name: str = "raudenbush-bryk") -> Notation:
        """Return how these symbols are written."""
        response = self.design.model_frame.response or "y"
        return notation_of(self.hierarchy, name, response=response)

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
        factors = self.hierarchy.factors
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
            source=self,
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


def cluster(design: MixedDesign, *level: object, fit: object = None, **factor: object) -> Cluster:
    """Return the cluster of a level; the arguments are those of ``design.cluster``."""
    if isinstance(fit, str | int | float):
        # The level of a grouping factor of that name.
        fit, factor = None, {**factor, "fit": fit}
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
        factors = (factors[hierarchy(design).position(str(group))],)
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
    return Clusters(design, having[0].name, fit=fit)[having[0].levels.index(label)]


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
