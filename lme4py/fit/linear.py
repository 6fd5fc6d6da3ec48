"""The profiled deviance of a linear mixed model, by penalised least squares (``mkLmerDevfun``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from lme4py.abbreviation import Abbreviated
from lme4py.crossproducts import Crossproducts
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.fit.algebra import (
    BlockLayout,
    BlockProducts,
    ConditionalCovariance,
    RelativeFactor,
    template,
)
from lme4py.matrices.reterms import RandomEffects

__all__ = ["LinearDeviance", "LinearSolution", "mk_lmer_devfun"]

_SINGULAR = "check_rankX drops columns that depend on others; some weights must be above 0"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearDeviance(Abbreviated):
    """The deviance, or REML criterion, of a linear model as a function of ``par``.

    X is held in an orthonormal basis Q of its columns, X = Q `basis`, and y without its part in
    it, X `moved`: that changes nothing, and keeps digits that XᵗX and yᵗy lose where columns or
    the response lie far from zero. `squares` and `mixed` are the cross-products of [Q y] with
    itself and with Z, `products` ZᵗZ, all weighted; `start` is where lme4 starts.
    """

    random: RandomEffects
    reml: bool
    start: FloatArray
    basis: FloatArray
    moved: FloatArray
    squares: FloatArray
    mixed: FloatArray
    products: BlockProducts
    n: int
    sum_log_weights: float

    fixed = 0
    """How many of the parameters are fixed effects."""

    @cached_property
    def _factor(self) -> Any:
        return template(self.random)

    @property
    def lower(self) -> FloatArray:
        """Lower bounds of ``par``."""
        return self.random.lower

    @property
    def upper(self) -> FloatArray:
        """Upper bounds of ``par``."""
        return self.random.upper

    def __call__(self, par: ArrayLike) -> float:
        """Return the criterion; `par` may lie beside its bounds by no more than rounding."""
        return self.at(par).criterion

    def at(self, par: ArrayLike) -> LinearSolution:
        """Return everything that is known at `par`."""
        return self.solution(self.random.within_bounds(par))

    def solution(self, par: FloatArray) -> LinearSolution:
        """Return the same without a look at the bounds, beyond which derivatives reach."""
        factor, theta = self._factor(par)
        covariance, p = self.products.eliminate(factor), len(self.basis)
        # What the random effects leave of [X y]: RXᵗRX, RXᵗRX β and r² (equations 48 to 51).
        left = self.squares - covariance.gram(self.mixed)
        root = _cholesky(left[:p, :p], "Downdated VtV is not positive definite")
        half = solve_triangular(root, left[:p, p], lower=True, check_finite=False)
        return LinearSolution(
            devfun=self,
            par=par,
            theta=theta,
            factor=factor,
            covariance=covariance,
            root=root,
            half=half,
            pwrss=float(left[p, p] - half @ half),
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearSolution(Abbreviated):
    """A linear mixed model at some parameters.

    `factor` is Λ, `covariance` V, `root` the lower triangle whose square is RXᵗRX in the basis,
    `pwrss` the penalised residual sum of squares r² (Bates et al. 2015, equation 14).
    """

    devfun: LinearDeviance
    par: FloatArray
    theta: FloatArray
    factor: RelativeFactor
    covariance: ConditionalCovariance
    root: FloatArray
    half: FloatArray
    pwrss: float

    @property
    def ldL2(self) -> float:
        """log|L|²."""
        return self.covariance.log_det

    @property
    def ldRX2(self) -> float:
        """log|RX|²."""
        both = np.append(self.root.diagonal(), self.devfun.basis.diagonal())
        return 2.0 * float(np.log(np.abs(both)).sum())

    def _rows(self, *, reml: bool) -> int:
        return self.devfun.n - (self.half.size if reml else 0)

    def criterion_by(self, *, reml: bool) -> float:
        """Return the REML criterion or the deviance here (equations 41 and 34)."""
        rows = self._rows(reml=reml)
        log_det = self.ldL2 + (self.ldRX2 if reml else 0.0) - self.devfun.sum_log_weights
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(log_det + rows * (1.0 + np.log(2.0 * np.pi * self.pwrss / rows)))

    @property
    def criterion(self) -> float:
        """The criterion that is minimised."""
        return self.criterion_by(reml=self.devfun.reml)

    @property
    def sigma(self) -> float:
        """The residual standard deviation (equations 40 and 33), to which V is relative."""
        return float(np.sqrt(self.pwrss / self._rows(reml=self.devfun.reml)))

    scale = sigma

    @cached_property
    def _coefficients(self) -> FloatArray:
        return np.asarray(solve_triangular(self.root, self.half, lower=True, trans=1))

    @property
    def beta(self) -> FloatArray:
        """Fixed effects, shape (p,) (equation 51)."""
        return self.devfun.moved + solve_triangular(self.devfun.basis, self._coefficients)

    @property
    def unscaled_vcov(self) -> FloatArray:
        """(RXᵗRX)⁻¹, the covariance of the fixed effects relative to σ² (equation 54)."""
        inverse = solve_triangular(self.root, np.eye(self.half.size), lower=True)
        half = solve_triangular(self.devfun.basis, inverse.T)
        return np.asarray(half @ half.T)

    @property
    def _left(self) -> FloatArray:
        """Zᵗ of the response without the fixed effects."""
        return self.devfun.mixed[:, -1] - self.devfun.mixed[:, :-1] @ self._coefficients

    @cached_property
    def b(self) -> FloatArray:
        """Conditional modes of the random effects, shape (q,) (equations 52 and 57)."""
        return self.covariance.times(self._left)

    @property
    def u(self) -> FloatArray:
        """The spherical effects, b = Λu, shape (q,) (equation 11)."""
        left = self._left - self.devfun.products.times(self.b)
        return self.factor.times(left, transposed=True)


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
    start = None
    if isinstance(model, MixedDesign):
        if model.family is not None:
            raise FormulaError("a generalized model: use mk_glmer_devfun or glmer")
        random, start = model.random, _start(model)
        reml = model.reml is not False if reml is None else reml
        dense = isinstance(model.X, np.ndarray)
        products, basis, moved = _orthogonal(model) if dense else _moved(model.crossproducts())
    elif not isinstance(model, Crossproducts):
        raise DataError(f"a design or cross-products are needed, not {type(model).__name__}")
    elif not isinstance(random, RandomEffects):
        raise DataError("cross-products need the terms that they are of: give random=")
    else:
        products, basis, moved = _moved(model)
    response = products.Xty[:, None]
    return LinearDeviance(
        random=random,
        reml=reml is not False and moved.size > 0,
        start=random.par if start is None else start,
        basis=basis,
        moved=moved,
        squares=np.block([[products.XtX, response], [response.T, np.array([[products.yty]])]]),
        mixed=np.column_stack([products.ZtX, products.Zty]),
        products=BlockLayout.of(random, products.ZtZ).fill(products.ZtZ.data, lasting=True),
        n=products.n,
        sum_log_weights=products.sum_log_weights,
    )


def _orthogonal(design: MixedDesign[Any]) -> tuple[Crossproducts, FloatArray, FloatArray]:
    """Return the cross-products of an orthonormal basis of X, the basis, and how y was moved."""
    weights, response = design.weights, design.response
    roots = np.ones(response.y.size) if weights is None else np.sqrt(weights)
    y = (response.y - response.offset) * roots
    Q, R = np.linalg.qr(design.X if weights is None else design.X * roots[:, None])
    basis = np.asarray(R, dtype=np.float64)
    if not np.abs(basis.diagonal()).min(initial=np.inf) > 0:
        raise DataError("Downdated VtV is not positive definite", hint=_SINGULAR)
    inside = Q.T @ y
    # A second time takes off what rounding left.
    inside += Q.T @ (y - Q @ inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Weights come back as they were: rows of weight 0 have nothing to give.
        bare = Q if weights is None else np.where(roots[:, None] > 0, Q / roots[:, None], 0.0)
        left = y - Q @ inside
        left = left if weights is None else np.where(roots > 0, left / roots, 0.0)
    products = Crossproducts.of(bare, design.Zt, left, weights=weights)
    return products, basis, np.asarray(solve_triangular(basis, inside))


def _moved(products: Crossproducts) -> tuple[Crossproducts, FloatArray, FloatArray]:
    """Return the same for cross-products that are there already."""
    basis = _cholesky(products.XtX, "XtX is not positive definite: X has dependent columns").T
    back, p = np.linalg.inv(basis), len(basis)
    inside, ZtX = back.T @ products.Xty, products.ZtX @ back
    moved = Crossproducts(
        XtX=np.eye(p),
        Xty=np.zeros(p),
        yty=float(products.yty - inside @ inside),
        ZtX=ZtX,
        Zty=products.Zty - ZtX @ inside,
        ZtZ=products.ZtZ,
        n=products.n,
        sum_log_weights=products.sum_log_weights,
    )
    return moved, basis, back @ inside


def _cholesky(matrix: FloatArray, words: str) -> FloatArray:
    try:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise DataError(words, hint=_SINGULAR) from None


def _start(design: MixedDesign[Any]) -> FloatArray | None:
    """Return where lme4 starts where all terms are intercepts: at variances of group means."""
    random, y = design.random, design.y
    factors = {term.bar.group_name for term in random.terms}
    plain = all(columns == ["(Intercept)"] for _, columns in random.cnms)
    if not plain or len(factors) != random.par.size or y is None or y.ndim > 1 or y.size < 2:
        return None
    found = []
    for term in random.terms:
        codes = term.group.codes
        known = codes >= 0
        means = np.bincount(codes[known], y[known]) / np.bincount(codes[known])
        found.append(np.var(np.where(known, means[codes], np.nan), ddof=1))
    with np.errstate(all="ignore"):
        relative = np.array(found) / (np.var(y, ddof=1) - sum(found))
    return np.sqrt(relative) if (relative >= 0).all() and np.isfinite(relative).all() else None
