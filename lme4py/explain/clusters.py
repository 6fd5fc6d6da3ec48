"""The clusters of the data: y_j = X_j beta + Z_j b_j + epsilon_j with its numbers.

And what a model says of the spread of a cluster's rows: V_j = Z_j T Z_jᵀ + σ² I.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.abbreviation import few
from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.estimates import Estimates, estimates, known_values
from lme4py.explain.expression import (
    Operation,
    Quantity,
    QuantityKind,
    Tree,
    abridged,
    column,
    grid,
    shortened,
    substituted,
)
from lme4py.explain.hierarchy import hierarchy
from lme4py.explain.markup.display import Display, Note, Section, Shown
from lme4py.explain.sections import in_matrices, variance
from lme4py.explain.system import System, system
from lme4py.export.coordinates import dense
from lme4py.numerals import label as number_label

__all__ = ["Cluster", "ClusterPart", "ClusterVariance", "Clusters", "cluster"]

# Of the unobserved variable that a binomial response is a cut of.
_LATENT = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}
_MOST_EFFECTS = 12


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
    offset and the residual. ``str()`` and a notebook show it as that equation, in the symbols
    of ``design.equations()``. All arrays are copies: they are yours.

    Parameters
    ----------
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
    source : Clusters
        The clusters it is one of.
    """

    level: str
    rows: NDArray[np.int64]
    y: FloatArray | None
    X: FloatArray
    own: ClusterPart
    others: tuple[ClusterPart, ...]
    offset: FloatArray | None
    weights: FloatArray | None
    source: Clusters

    def __repr__(self) -> str:
        n, p = self.X.shape
        return f"<Cluster {self.title}, X {n} × {p}, Z {n} × {self.Z.shape[1]}; print() shows it>"

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self.own.group

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
    def title(self) -> str:
        """The factor, its index and level, and the number of rows."""
        source, count = self.source, self.rows.size
        letters, above = source.system.notation.letters, source.hierarchy.above[source.group]
        levels = (
            f"{part.group} {letters[part.group]} = {part.levels[0]}"
            for part in self.parts
            if part.group in (source.group, *above)
        )
        return f"{', '.join(levels)}: {count} row{'' if count == 1 else 's'}"

    def display(
        self, *, rows: int = 8, columns: int = 8, digits: int = 6, notation: str = "raudenbush-bryk"
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
        relations = [*self.equation(most)]
        if known := self._estimates():
            relations.append(relations[1].map(lambda tree: substituted(tree, known)))
        notes = tuple(self._legend(most[1]))
        section = Section(self.title, tuple(relations), self.source.stage, notes)
        setter = self.source.system.written_in(notation).notation.setter(digits=digits)
        return Display((section,), setter, width=88)

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
        return ClusterVariance(self, known or self.source.known)

    def effects(self) -> Iterator[tuple[ClusterPart, list[Quantity]]]:
        """Yield each part that has columns, and its effects in the equations.

        They carry the index of the cluster, or of the one level above it; else the names of
        their levels.
        """
        source = self.source
        for part in self.parts:
            own = source.system.effects_of(part.group)
            one = source.hierarchy.within(source.group, part.group)
            levels = [""] if one else part.levels
            if part.columns.size:
                yield part, [replace(e, part=level) for level in levels for e in own]

    def equation(self, most: tuple[int, int]) -> tuple[Operation, Operation]:
        """Return the equation in letters, and term by term the same in entries.

        Of more than so many rows and columns the middle is left out.
        """
        model, terms = self.source.system, list[Tree]()
        told = [(self.X, [found.effect for found in model.fixed])] if model.fixed else []
        told += [(part.Z, effects) for part, effects in self.effects()]
        for matrix, effects in told:
            vector = abridged(column(effects), most[1], 1)
            terms.append(Operation("·", (_grid(matrix, most), vector)))
        if self.offset is not None:
            terms.append(_grid(self.offset, most))
        if model.residual:
            terms.append(abridged(column(self._each_row("residual")), most[0], 1))
        y = abridged(column(self._each_row(model.outcome.kind)), most[0], 1)
        if model.residual and self.y is not None and self.y.ndim == 1:
            y = _grid(self.y, most)
        letters = in_matrices(model, [part.group for part, _ in self.effects()], self.source.group)
        return letters, Operation("=", (y, Operation("+", tuple(terms))))

    def _estimates(self) -> dict[Quantity, float]:
        """Return the numbers of all effects and residuals, or none."""
        known, model = self.source.known, self.source.system
        if known.b is None:
            return {}
        pairs = [(each.effect, value) for each, value in zip(model.fixed, known.beta, strict=True)]
        rest = self.X @ known.beta + (0.0 if self.offset is None else self.offset)
        for part, effects in self.effects():
            pairs += zip(effects, known.b[part.columns], strict=True)
            rest = rest + part.Z @ known.b[part.columns]
        if not model.residual:
            pairs += zip(self._each_row("predicted"), rest, strict=True)
        elif self.y is not None and self.y.ndim == 1:
            pairs += zip(self._each_row("residual"), self.y - rest, strict=True)
        return {symbol: float(value) for symbol, value in pairs}

    def _each_row(self, kind: QuantityKind) -> list[Quantity]:
        own, rows = (self.source.group,), range(1, self.rows.size + 1)
        return [Quantity(kind, row=str(k), factors=own) for k in rows]

    def _legend(self, most: int) -> Iterator[Note]:
        """Yield R's names of the columns beside the symbols of their coefficients."""
        model, own = self.source.system, self.source.group
        fixed = [(found.name, found.effect) for found in model.fixed]
        told = [(model.matrix("X", own=own), fixed, "")]
        for part, effects in self.effects():
            named = [name for level, name in part.names if level == part.levels[0]]
            first = f" for {part.group} = {part.levels[0]}" if effects[0].part else ""
            pairs = list(zip(named, effects, strict=False))
            told.append((model.matrix("Z", part.group, own), pairs, first))
        for letter, pairs, first in told:
            each: list[tuple[str | Tree, ...]] = [(", ", f"{name} ", e) for name, e in pairs]
            shown = [piece for one in shortened(each, most, (", ", "…")) for piece in one]
            if pairs:
                yield ("columns of ", letter, f"{first}: ", *shown[1:])


@dataclass(frozen=True, eq=False, repr=False)
class ClusterVariance(Shown):
    """The covariance of a cluster's rows; ``str()`` and a notebook show it.

    Of a generalized model it is that of the linear predictor η.

    Parameters
    ----------
    cluster : Cluster
        The cluster.
    known : Estimates
        The parameters; without covariances the symbols stay.
    """

    cluster: Cluster
    known: Estimates

    def __repr__(self) -> str:
        return f"<ClusterVariance: {self.cluster.title}>"

    @property
    def matrix(self) -> FloatArray | None:
        """V_j, shape (n_j, n_j); None without estimates."""
        if self.known.covariances is None:
            return None
        return np.asarray(sum(self._by_factor().values(), np.diag(self._residual())))

    @property
    def correlation(self) -> FloatArray | None:
        """The correlations that V_j implies, shape (n_j, n_j); None without estimates."""
        V = self.matrix
        if V is None:
            return None
        deviations = np.sqrt(V.diagonal())
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(V / np.outer(deviations, deviations))

    @property
    def icc(self) -> FloatArray | None:
        """The share of each row's variance that the cluster's own factor makes, shape (n_j,).

        With a random intercept alone it is the intraclass correlation, the same in all rows.
        The variance of a binomial response is that of the unobserved variable behind it: π²/3
        (logit), 1 (probit), π²/6 (cloglog). None without estimates, and for other families
        without a residual variance.
        """
        residual = self._residual(latent=True)
        if self.known.covariances is None or np.isnan(residual).any():
            return None
        shares = {group: added.diagonal() for group, added in self._by_factor().items()}
        own = shares.get(self.cluster.group, np.zeros_like(residual))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(own / sum(shares.values(), residual))

    def display(
        self, *, rows: int = 8, digits: int = 4, notation: str = "raudenbush-bryk"
    ) -> Display:
        """Return the covariance in symbols, and in numbers where these are known.

        Parameters
        ----------
        rows : int
            The middle of larger matrices is left out.
        digits : int
            Significant digits, 1 to 17.
        notation : {"raudenbush-bryk", "gelman-hill"}
            As ``design.equations`` takes it.

        Raises
        ------
        DataError
            For anything but whole numbers, or an unknown notation.
        """
        most, digits = max(count_of("rows", rows, 0), 3), count_of("digits", digits, 1, 17)
        source = self.cluster.source
        model, own, stage = source.system.written_in(notation), source.group, source.stage
        factors = [part.group for part, _ in self.cluster.effects()]
        V, *terms = variance(model, own, factors, known_values(model, self.known))
        sections = [
            Section(self.cluster.title, (V,), stage),
            Section("", tuple(terms), stage, most=_MOST_EFFECTS),
        ]
        correlation = Operation("corr", (model.outcomes(own),))
        for side, values in ((V.left, self.matrix), (correlation, self.correlation)):
            if values is not None:
                numbers = Operation("=", (side, _grid(values, (most, most))))
                sections.append(Section("", (numbers,), stage))
        sections.append(Section("", (), stage, tuple(self._notes())))
        return Display(tuple(sections), model.notation.setter(digits=digits), width=88)

    def _by_factor(self) -> dict[str, FloatArray]:
        """Return what each grouping factor adds to the covariance, shape (n_j, n_j) each."""
        from scipy.linalg import block_diag

        found = {}
        for part, _ in self.cluster.effects():
            terms = dict.fromkeys(c.term for c in self.cluster.source.system.columns_of(part.group))
            own = [(self.known.covariances or ())[term] for term in terms]
            # A block for each level.
            found[part.group] = part.Z @ block_diag(*own * len(part.levels)) @ part.Z.T
        return found

    def _residual(self, *, latent: bool = False) -> FloatArray:
        """Return the variance of each row that is not in Z b."""
        family, weights = self.cluster.source.design.family, self.cluster.weights
        if family is None:
            sigma = np.nan if self.known.sigma is None else self.known.sigma
            return np.full(self.cluster.rows.size, sigma**2) / (1.0 if weights is None else weights)
        behind = _LATENT.get(family.link, np.nan) if family.name == "binomial" else np.nan
        return np.full(self.cluster.rows.size, behind if latent else 0.0)

    def _notes(self) -> Iterator[Note]:
        icc = self.icc
        if icc is None or not icc.size:
            return
        share = f"of the variance is between the groups of {self.cluster.group}"
        if self.cluster.source.design.family is not None:
            share += ", that of the unobserved variable of which the response is a cut"
        least, most = float(np.nanmin(icc)), float(np.nanmax(icc))
        if most - least < 1e-9:
            yield f"ICC = {least:.3f}: this share {share}"
        else:
            yield f"by the row, from {least:.3f} to {most:.3f} {share}"


def _grid(values: Any, most: tuple[int, int]) -> Operation:
    """Return the numbers of a matrix or vector, the middle of a large one left out."""
    numbers = np.asarray(values, dtype=np.float64)
    lines = numbers.reshape(len(numbers), -1)
    if len(lines) > most[0]:
        # Only what is shown becomes a tree.
        lines = np.vstack([lines[: most[0]], lines[-1:]])
    return abridged(grid(lines.tolist()), *most)


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
    group : str
        The grouping factor.
    levels : tuple of str
        Its levels, in order.
    hierarchy : Hierarchy
        All grouping factors.
    stage : int
        The stage of their own among them.
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
            names = ", ".join(map(repr, factors))
            raise DataError("say which grouping factor", hint=f"one of {names}")
        own = self.hierarchy.named(next(iter(factors)) if group is None else group)
        self.group, self.levels, self.stage = own.name, own.levels, self.hierarchy.stage[own.name]

    def __repr__(self) -> str:
        return f"<Clusters: {len(self)} of {self.group}>"

    @cached_property
    def system(self) -> System:
        """The equations, whose symbols the clusters have."""
        return system(self.design)

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows sorted by level, and where each level begins among them."""
        codes = self.hierarchy.factors[self.group].codes
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(len(self) + 1))

    def __len__(self) -> int:
        return len(self.levels)

    @overload
    def __getitem__(self, index: int) -> Cluster: ...

    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...

    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self[code] for code in range(len(self))[index]]
        try:
            code = range(len(self))[index]
        except IndexError:
            said = f"{self.group} has {len(self)} clusters, there is none at {index}"
            raise IndexError(said) from None
        design, (order, starts) = self.design, self._order
        rows = order[starts[code] : starts[code + 1]]
        others = (factor for factor in self.hierarchy.factors if factor != self.group)
        Zt = design.Zt[:, rows]
        return Cluster(
            level=self.levels[code],
            rows=rows.copy(),
            y=None if design.y is None else design.y[rows],
            X=dense(design.X[rows]),
            own=self._part(self.group, rows, Zt),
            others=tuple(self._part(factor, rows, Zt) for factor in others),
            offset=None if design.offset is None else design.offset[rows],
            weights=None if design.weights is None else design.weights[rows],
            source=self,
        )

    def _part(self, group: str, rows: NDArray[np.int64], Zt: Any) -> ClusterPart:
        factor, random = self.hierarchy.factors[group], self.design.random
        codes = factor.codes[rows]
        found = np.unique(codes[codes >= 0]).tolist()
        each = [
            (begin + code * term.columns + k, factor.levels[code], name)
            for code in found
            for begin, term in zip(random.Gp.tolist(), random.terms, strict=False)
            if term.bar.group_name == group
            for k, name in enumerate(term.plan.names)
        ]
        columns = np.array([position for position, *_ in each], dtype=np.int64)
        return ClusterPart(
            group,
            tuple(factor.levels[code] for code in found),
            columns,
            tuple((level, name) for _, level, name in each),
            dense(Zt[columns].T),
        )


def cluster(design: MixedDesign, *level: object, fit: object = None, **factor: object) -> Cluster:
    """Return the cluster of a level; the arguments are those of ``design.cluster``."""
    if isinstance(fit, str | int | float):
        # The level of a grouping factor of that name.
        fit, factor = None, {**factor, "fit": fit}
    if len(level) == 1 and set(factor) <= {"group"}:
        group, value = factor.get("group"), level[0]
    elif not level and len(factor) == 1:
        ((group, value),) = factor.items()
    else:
        hint = "write cluster('308'), cluster('308', group='g') or cluster(g=308)"
        raise DataError("name one cluster", hint=hint)
    label, levels = _label(value), hierarchy(design)
    factors = [*levels.factors.values()] if group is None else [levels.named(group)]
    having = [choice for choice in factors if label in choice.levels]
    if not having:
        everything = dict.fromkeys(name for choice in factors for name in choice.levels)
        has = "no grouping factor has a" if group is None else f"'{group}' has no"
        hint = "; ".join(f"{choice.name}: {few(choice.levels)}" for choice in factors)
        raise DataError(f"{has} level '{label}'", hint=nearest(label, everything) or hint)
    if len(having) > 1:
        choices = " or ".join(f"group='{choice.name}'" for choice in having)
        raise DataError(
            f"several grouping factors have a level '{label}'", hint=f"say which: {choices}"
        )
    return Clusters(design, having[0].name, fit=fit)[having[0].levels.index(label)]


def _label(level: object) -> str:
    """Return the level that R makes of a value."""
    match level.item() if isinstance(level, np.generic) else level:
        case bool(value):
            return "TRUE" if value else "FALSE"
        case float(value):
            return number_label(value)
        case value:
            return str(value)
