"""The profiled deviance of a linear mixed model, by penalised least squares (``mkLmerDevfun``)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import flag_of, numbers_of
from lme4py.crossproducts import Crossproducts
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.fit.algebra import (
    SINGULAR,
    BlockLayout,
    LeastSquares,
    PenalisedFit,
    cholesky,
)
from lme4py.matrices.reterms import RandomEffects, within_bounds


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Solution(Abbreviated):
    """A mixed model at some parameters (equations of Bates et al. 2015).

    Parameters
    ----------
    par, theta : ndarray of float64
        The parameters of the random effects' covariance, and Λ's distinct entries.
    beta : ndarray of float64, shape (p,)
        Fixed effects (equation 51).
    u, b : ndarray of float64, shape (q,)
        The spherical effects, and the conditional modes b = Λu (equations 11, 52 and 57).
    sigma : float
        The residual standard deviation (equations 33 and 40), or square root of the dispersion; 1
        in families without one.
    scale : float
        What covariances of effects are relative to: σ, or 1 where the weights have the dispersion.
    pwrss, ldL2, ldRX2 : float
        The penalised sum of squares (equation 14), log|L|² and log|RX|².
    criterion, minus_two_log_likelihood : float
        What is minimised; of a REML fit the second is the deviance there (equations 41 and 34).
    unscaled_vcov : ndarray of float64, shape (p, p)
        (RXᵗRX)⁻¹, the covariance of the fixed effects relative to `scale` squared (equation 54).
    conditional : PenalisedFit or None
        The linear algebra, with the covariance of b given the data; not saved with a fit.
    """

    par: FloatArray
    theta: FloatArray
    beta: FloatArray
    u: FloatArray
    b: FloatArray
    sigma: float
    scale: float
    pwrss: float
    ldL2: float
    ldRX2: float
    criterion: float
    minus_two_log_likelihood: float
    unscaled_vcov: FloatArray
    conditional: PenalisedFit | None = field(default=None, metadata={"saved": False})


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DevianceFunction(Abbreviated):
    """What an optimiser minimises: a function of ``par``, and of `fixed` fixed effects behind it.

    `layout` tells how the matrix of the random effects is factored, `n` is the number of rows,
    `start` where lme4 starts.
    """

    layout: BlockLayout
    n: int
    start: FloatArray

    @property
    def fixed(self) -> int:
        """How many of the parameters are fixed effects."""
        return 0

    @property
    def random(self) -> RandomEffects:
        """The terms whose parameters these are."""
        return self.layout.random

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper bounds of the parameters, shape (2, parameters)."""
        none = np.full(self.fixed, np.inf)
        return np.array([[*self.random.lower, *-none], [*self.random.upper, *none]])

    def __call__(self, parameters: ArrayLike) -> float:
        """Return the criterion; ``par`` may lie beside its bounds by no more than rounding."""
        return self.criterion(self._checked(parameters))

    def at(self, parameters: ArrayLike) -> Solution:
        """Return everything that is known at some parameters."""
        return self.solution(self._checked(parameters))

    def criterion(self, parameters: FloatArray) -> float:
        """Return the criterion without a look at the bounds, beyond which derivatives reach."""
        raise NotImplementedError

    def solution(self, parameters: FloatArray) -> Solution:
        """Return what `at` does, as `criterion`."""
        raise NotImplementedError

    def _checked(self, parameters: ArrayLike) -> FloatArray:
        values, count = numbers_of("par", parameters), self.random.par.size
        if not self.fixed:
            return within_bounds(self.random, values)
        if values.shape != (count + self.fixed,):
            raise DataError(
                f"there are {count + self.fixed} parameters, not {values.size}",
                hint=f"{count} of the covariance, then {self.fixed} fixed effects",
            )
        return np.append(within_bounds(self.random, values[:count]), values[count:])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearDeviance(DevianceFunction):
    """The deviance, or REML criterion, of a linear model as a function of ``par``.

    X is held in an orthonormal basis Q of its columns, X = Q `basis`, and y without its part in
    it, X `moved`: that changes nothing, and keeps digits that XᵗX and yᵗy lose where columns or
    the response lie far from zero. `problem` has the cross-products of Z, Q and y, all weighted.
    """

    reml: bool
    basis: FloatArray
    moved: FloatArray
    problem: LeastSquares
    sum_log_weights: float

    @np.errstate(all="ignore")
    def criterion(self, parameters: FloatArray) -> float:
        """Return the profiled deviance or REML criterion."""
        return self._profiled(self.problem.at(self.layout.factor(parameters)), reml=self.reml)

    def _log_det(self, found: PenalisedFit) -> float:
        both = np.append(found.root.diagonal(), self.basis.diagonal())
        return 2.0 * float(np.log(np.abs(both)).sum())

    def _profiled(self, found: PenalisedFit, *, reml: bool) -> float:
        """Return the REML criterion or the deviance (equations 41 and 34).

        As in R it is NaN where the fixed effects leave nothing over.
        """
        rows = np.float64(self.n - self.moved.size * reml)
        log_det = found.log_det - self.sum_log_weights
        log_det += self._log_det(found) if reml else 0.0
        return float(log_det + rows * (1.0 + np.log(2.0 * np.pi * found.pwrss / rows)))

    @np.errstate(all="ignore")
    def solution(self, parameters: FloatArray) -> Solution:
        """Return the solution of the penalised least squares problem."""
        found = self.problem.at(self.layout.factor(parameters))
        sigma = float(np.sqrt(np.float64(found.pwrss) / (self.n - self.moved.size * self.reml)))
        u, b = self.layout.stored(*found.effects)
        half = np.linalg.solve(self.basis, found.inverse_root)
        return Solution(
            par=parameters,
            theta=self.random.theta_at(parameters),
            beta=self.moved + np.linalg.solve(self.basis, found.beta),
            u=u,
            b=b,
            sigma=sigma,
            scale=sigma,
            pwrss=found.pwrss,
            ldL2=found.log_det,
            ldRX2=self._log_det(found),
            criterion=self._profiled(found, reml=self.reml),
            minus_two_log_likelihood=self._profiled(found, reml=False),
            unscaled_vcov=half @ half.T,
            conditional=found,
        )


def mk_lmer_devfun(
    model: MixedDesign[Any] | Crossproducts,
    random: RandomEffects | None = None,
    *,
    reml: bool | None = None,
) -> LinearDeviance:
    """Return the function of ``par`` that ``lmer`` minimises (``mkLmerDevfun``).

    Parameters
    ----------
    model : MixedDesign or Crossproducts
        A linear model, or its cross-products.
    random : RandomEffects, optional
        The terms that cross-products are of: ``design.random``, ``spec.random``.
    reml : bool, optional
        Whether the REML criterion is wanted; as the design says, and true for
        cross-products, if not given.

    Returns
    -------
    LinearDeviance
        Call it with ``par``; its ``at`` gives ``beta``, ``u``, ``b``, ``sigma``, ``pwrss``,
        ``ldL2``, ``ldRX2`` there, which lme4 leaves in the function's environment.

    Raises
    ------
    FormulaError
        For a generalized model.
    DataError
        If the response cannot be fitted, or the cross-products are of other terms.

    Notes
    -----
    A sum of squares loses digits where the numbers lie far from zero. A design keeps them: what
    is far away is taken off before it is multiplied.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> round(mk_lmer_devfun(design)([1.0]), 6)
    1787.398921
    >>> round(mk_lmer_devfun(design.crossproducts(), design.random)([1.0]), 6)
    1787.398921
    """
    if isinstance(model, MixedDesign):
        if model.family is not None:
            raise FormulaError("a generalized model: use mk_glmer_devfun or glmer")
        random, reml = model.random, model.reml if reml is None else reml
        dense = isinstance(model.X, np.ndarray)
        products, basis, inside = _orthogonal(model) if dense else _moved(model.crossproducts())
    elif not isinstance(model, Crossproducts):
        raise DataError(f"a design or cross-products are needed, not {type(model).__name__}")
    elif not isinstance(random, RandomEffects):
        raise DataError("cross-products need the terms that they are of: give random=")
    else:
        products, basis, inside = _moved(model)
    layout = BlockLayout.of(random, products.ZtZ)
    response = products.Xty[:, None]
    squares = np.block([[products.XtX, response], [response.T, np.array([[products.yty]])]])
    mixed = np.column_stack([products.ZtX, products.Zty])[layout.order]
    return LinearDeviance(
        layout=layout,
        n=products.n,
        reml=(reml is None or flag_of("reml", reml)) and inside.size > 0,
        start=_start(random, products, inside),
        basis=basis,
        moved=np.asarray(np.linalg.solve(basis, inside), dtype=np.float64),
        problem=layout.filled(products.ZtZ.data, squares, mixed),
        sum_log_weights=products.sum_log_weights,
    )


@np.errstate(all="ignore")
def _orthogonal(design: MixedDesign[Any]) -> tuple[Crossproducts, FloatArray, FloatArray]:
    """Return the cross-products of Q and y without its part in Q, the basis, and Qᵗy."""
    weights, response = design.weights, design.response
    roots = np.ones(response.y.size) if weights is None else np.sqrt(weights)
    y = (response.y - response.offset) * roots
    Q, R = np.linalg.qr(design.X * roots[:, None])
    if not np.abs(R.diagonal()).min(initial=np.inf) > 0:
        raise DataError("Downdated VtV is not positive definite", hint=SINGULAR)
    inside = Q.T @ y
    # A second time takes off what rounding left.
    inside += Q.T @ (y - Q @ inside)
    with np.errstate(divide="ignore"):
        # Weights come back as they were: rows of weight 0 have nothing to give.
        inverse = np.where(roots > 0, 1.0 / roots, 0.0)
    left = (y - Q @ inside) * inverse
    products = Crossproducts.of(Q * inverse[:, None], design.Zt, left, weights=weights)
    return products, np.asarray(R, dtype=np.float64), inside


@np.errstate(all="ignore")
def _moved(products: Crossproducts) -> tuple[Crossproducts, FloatArray, FloatArray]:
    """Return the same for cross-products that are there already."""
    words = "XtX is not positive definite: X has dependent columns"
    basis = cholesky(products.XtX, words, SINGULAR).T
    back, p = np.linalg.inv(basis), len(basis)
    inside, ZtX = back.T @ products.Xty, products.ZtX @ back
    moved = replace(
        products,
        XtX=np.eye(p),
        Xty=np.zeros(p),
        yty=float(products.yty - inside @ inside),
        ZtX=ZtX,
        Zty=products.Zty - ZtX @ inside,
    )
    return moved, basis, inside


@np.errstate(all="ignore")
def _start(random: RandomEffects, products: Crossproducts, inside: FloatArray) -> FloatArray:
    """Return where lme4 starts where all terms are intercepts: at variances of group means.

    These are read off the cross-products, so that these alone lead to the same minimum.
    """
    plain = all(columns == ["(Intercept)"] for _, columns in random.cnms)
    if not plain or len(random.groups) != random.par.size or products.n < 2:
        return random.par
    of_terms = (products.ZtZ.diagonal(), products.Zty + products.ZtX @ inside)
    pairs = list(zip(*(np.split(each, random.Gp[1:-1]) for each in of_terms), strict=True))
    # Each term has every row once.
    common = [sums.sum() ** 2 / counts.sum() for counts, sums in pairs]
    squares = [np.nansum(sums**2 / counts) for counts, sums in pairs]
    found = np.subtract(squares, common)
    relative = found / (products.yty + inside @ inside - common[-1] - sum(found))
    good = (relative >= 0).all() and np.isfinite(relative).all()
    return np.sqrt(relative) if good else random.par
