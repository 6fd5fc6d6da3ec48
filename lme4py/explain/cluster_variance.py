"""What a model says about the spread of a cluster's rows: V_j = Z_j T Z_jᵀ + σ² I."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.explain.distributions import covariance_grid, known_values, residual_variance
from lme4py.explain.estimates import Estimates
from lme4py.explain.expression import (
    Applied,
    Dots,
    Grid,
    Numeral,
    Power,
    Product,
    Quantity,
    Relation,
    Sum,
    Transposed,
    Tree,
    computed,
    grid,
    substituted,
    summed,
    times,
)
from lme4py.explain.markup.display import Display, Note, Section, Shown
from lme4py.explain.matrix_form import residual_covariance
from lme4py.explain.notation import notation_of
from lme4py.explain.system import System

__all__ = ["ClusterPart", "ClusterVariance"]

# Of the unobserved variable that a binomial response is a cut of.
_LATENT = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}


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
class ClusterVariance(Shown):
    """The covariance of a cluster's rows; ``str()`` and a notebook show it.

    Of a generalized model it is that of the linear predictor η.

    Parameters
    ----------
    title : str
        The cluster.
    system : System
        The equations.
    factor : int
        Position of the cluster's own factor.
    parts : tuple of ClusterPart
        What each factor has in the cluster, the own one first; without those without columns.
    rows : int
        Number of rows, n_j.
    weights : ndarray of float64, shape (n_j,), or None
    known : Estimates
        The parameters; without covariances the symbols stay.
    """

    title: str
    system: System
    factor: int
    parts: tuple[ClusterPart, ...]
    rows: int
    weights: FloatArray | None
    known: Estimates

    def __repr__(self) -> str:
        return f"<ClusterVariance: {self.title}>"

    def by_factor(self) -> dict[str, FloatArray]:
        """Return what each grouping factor adds to the covariance, shape (n_j, n_j) each.

        Empty without estimates.
        """
        if self.known.covariances is None:
            return {}
        return {part.group: part.Z @ self._spread(part) @ part.Z.T for part in self.parts}

    @property
    def matrix(self) -> FloatArray | None:
        """V_j, shape (n_j, n_j); None without estimates."""
        if self.known.covariances is None:
            return None
        total = sum(self.by_factor().values(), np.diag(self._residual()))
        return np.asarray(total)

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
        shares = {group: added.diagonal() for group, added in self.by_factor().items()}
        total = sum(shares.values(), residual)
        group = self.system.hierarchy.factors[self.factor].name
        own = shares.get(group, np.zeros_like(residual))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(own / total)

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
        levels, response = self.system.hierarchy, self.system.design.model_frame.response or "y"
        written = notation_of(levels, notation, response=response)
        stage = levels.stage[self.factor]
        sections = [Section(self.title, (self._in_matrices(),), stage)]
        sections.append(
            Section("", tuple(self._in_terms(by_deviation=written.by_deviation)), stage)
        )
        correlation = Applied((self._outcome(),), "corr")
        for side, values in ((self._letter("V"), self.matrix), (correlation, self.correlation)):
            if values is not None:
                entries = [[Numeral(float(value)) for value in line] for line in values]
                sections.append(
                    Section("", (Relation((side, grid(entries, (most, most)))),), stage)
                )
        sections.append(Section("", (), stage, tuple(self._notes())))
        return Display(tuple(sections), written.write, digits, width=88)

    def _spread(self, part: ClusterPart) -> FloatArray:
        """Return the covariance of a part's effects: a block for each level."""
        from scipy.linalg import block_diag

        columns = self.system.columns_of(self.system.hierarchy.position(part.group))
        terms = dict.fromkeys(column.term for column in columns)
        own = [(self.known.covariances or ())[term] for term in terms]
        return np.asarray(block_diag(*own * len(part.levels)))

    def _residual(self, *, latent: bool = False) -> FloatArray:
        """Return the variance of each row that is not in Z b."""
        family = self.system.design.family
        if family is None:
            sigma = np.nan if self.known.sigma is None else self.known.sigma
            return np.full(self.rows, sigma**2) / (1.0 if self.weights is None else self.weights)
        behind = _LATENT.get(family.link, np.nan) if family.name == "binomial" else np.nan
        return np.full(self.rows, behind if latent else 0.0)

    def _letter(self, name: str) -> Quantity:
        return Quantity("matrix", name, factors=(self.factor,))

    def _outcome(self) -> Quantity:
        return self._letter("y" if self.system.residual else "η")

    def _in_matrices(self) -> Relation:
        """Return V_j as a sum of products of matrices."""
        system, own, terms = self.system, self.factor, list[Tree]()
        for factor in self._factors():
            Z, T = system.matrix("Z", factor, own), system.matrix("T", factor)
            middle = T if system.within(own, factor) else Applied((T, Dots("across")), "diag")
            terms.append(Product((Z, middle, Transposed((Z,)))))
        if system.residual:
            terms.append(residual_covariance(system, own))
        return Relation((self._letter("V"), Sum(tuple(terms))))

    def _factors(self) -> list[int]:
        return [self.system.hierarchy.position(part.group) for part in self.parts]

    def _in_terms(self, *, by_deviation: bool) -> Iterator[Relation]:
        """Yield each T, and the variance of one row multiplied out."""
        system = self.system
        numbers = known_values(system, self.known, by_deviation=by_deviation)
        terms: list[Tree] = []
        for factor in self._factors():
            symbols = covariance_grid(system, factor, by_deviation=by_deviation)
            yield Relation((system.matrix("T", factor), symbols))
            if numbers:
                shown = computed(substituted(symbols, numbers))
                yield Relation((system.matrix("T", factor), shown))
            every = covariance_grid(system, factor, by_deviation=by_deviation, most=10**6)
            terms += _quadratic([column.atoms for column in system.columns_of(factor)], every)
        left = Quantity("response" if system.residual else "predicted", row="i")
        total = [*terms, *([residual_variance(system.design)] if system.residual else [])]
        if len(total) <= 30:
            yield Relation((Applied((left,), "var"), summed(total)))

    def _notes(self) -> Iterator[Note]:
        icc = self.icc
        if icc is None or not icc.size:
            return
        group = self.system.hierarchy.factors[self.factor].name
        share = f"of the variance is between the groups of {group}"
        if not self.system.residual:
            share += ", that of the unobserved variable of which the response is a cut"
        least, most = float(np.nanmin(icc)), float(np.nanmax(icc))
        if most - least < 1e-9:
            yield f"ICC = {least:.3f}: this share {share}"
        else:
            yield f"by the row, from {least:.3f} to {most:.3f} {share}"


def _quadratic(entries: list[tuple[Quantity, ...]], matrix: Grid) -> Iterator[Tree]:
    """Yield the terms of z T zᵀ, those of both halves of T together."""
    rows = matrix.rows
    for one, first in enumerate(entries):
        for two in range(one, len(entries)):
            cell = rows[one][two]
            if cell == Numeral(0.0):
                continue
            if one == two:
                factors: tuple[Tree, ...] = tuple(Power((atom, Numeral(2.0))) for atom in first)
            else:
                factors = (Numeral(2.0), *first, *entries[two])
            yield times(*factors, cell)
