"""The profiled deviance of a linear mixed model, by penalised least squares (``mkLmerDevfun``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from lme4py.abbreviation import Abbreviated
from lme4py.crossproducts import Crossproducts
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.fit.elimination import BlockLayout, BlockProducts, ConditionalCovariance
from lme4py.fit.relative_factor import FactorTemplate, RelativeFactor
from lme4py.matrices.reterms import RandomEffects

__all__ = ["LinearDeviance", "LinearSolution", "mk_lmer_devfun"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearDeviance(Abbreviated):
    """The deviance, or REML criterion, of a linear model as a function of ``par``.

    X is held in an orthonormal basis of its columns, and y without its part in it: neither
    changes what the criterion is, and both keep digits that XᵗX and yᵗy lose where columns
    or the response lie far from zero.

    Parameters
    ----------
    random : RandomEffects
        The terms, with bounds and starting values of ``par``.
    reml : bool
        Whether this is the REML criterion; without columns of X the two are the same.
    start : ndarray of float64
        Where lme4 starts.
    basis : ndarray of float64, shape (p, p)
        R of X = QR.
    moved : ndarray of float64, shape (p,)
        Coefficients of the part of y that was taken off.
    squares : ndarray of float64, shape (p + 1, p + 1)
        Cross-products of [Q y].
    mixed : ndarray of float64, shape (q, p + 1)
        Zᵗ[Q y].
    products : BlockProducts
        ZᵗZ; everything weighted.
    n : int
        Number of rows.
    sum_log_weights : float
        The sum of the logarithms of the weights.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> devfun = lme4py.mk_lmer_devfun(design)
    >>> round(devfun([1.0, 0.0, 1.0]), 4), devfun.at([1.0, 0.0, 1.0]).beta.round(3).tolist()
    (1773.6803, [251.405, 10.467])
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

    @cached_property
    def template(self) -> FactorTemplate:
        """Where ``par`` stands in Λ."""
        return FactorTemplate(self.random)

    @property
    def lower(self) -> FloatArray:
        """Lower bounds of ``par``."""
        return self.random.lower

    @property
    def upper(self) -> FloatArray:
        """Upper bounds of ``par``."""
        return self.random.upper

    def __call__(self, par: ArrayLike) -> float:
        """Return the criterion.

        Parameters
        ----------
        par : array-like of float
            Within its bounds, or beside them by no more than rounding.
        """
        return self.at(par).criterion

    def at(self, par: ArrayLike) -> LinearSolution:
        """Return everything that is known at `par`.

        Raises
        ------
        DataError
            For another length, or a value out of bounds.
        """
        return self.solution(self.random.within_bounds(par))

    def solution(self, par: FloatArray) -> LinearSolution:
        """Return the same without a look at the bounds, beyond which derivatives reach."""
        factor = self.template.at(par)
        covariance = self.products.eliminate(factor)
        p = self.basis.shape[0]
        # The rest of [X y] after the random effects: RXᵗRX, RXᵗRX β and r² (equations 48 to 51).
        left = self.squares - covariance.gram(self.mixed)
        try:
            root = np.linalg.cholesky(left[:p, :p])
        except np.linalg.LinAlgError:
            raise DataError(
                "Downdated VtV is not positive definite",
                hint="columns of X depend on others: check_rankX drops them",
            ) from None
        half = solve_triangular(root, left[:p, p], lower=True, check_finite=False)
        return LinearSolution(
            devfun=self,
            par=par,
            factor=factor,
            covariance=covariance,
            root=np.asarray(root, dtype=np.float64),
            half=half,
            pwrss=float(left[p, p] - half @ half),
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearSolution(Abbreviated):
    """What a linear mixed model is at some parameters.

    Parameters
    ----------
    devfun : LinearDeviance
    par : ndarray of float64
    factor : RelativeFactor
        Λ.
    covariance : ConditionalCovariance
        V.
    root : ndarray of float64, shape (p, p)
        Lower triangle whose square is RXᵗRX in the basis.
    half : ndarray of float64, shape (p,)
    pwrss : float
        The penalised residual sum of squares, r² (Bates et al. 2015, equation 14).
    """

    devfun: LinearDeviance
    par: FloatArray
    factor: RelativeFactor
    covariance: ConditionalCovariance
    root: FloatArray
    half: FloatArray
    pwrss: float

    @property
    def ldL2(self) -> float:
        """log|L|², twice the logarithm of the determinant of L."""
        return self.covariance.log_det

    @cached_property
    def ldRX2(self) -> float:
        """log|RX|²."""
        diagonals = self.root.diagonal(), self.devfun.basis.diagonal()
        return 2.0 * sum(float(np.log(np.abs(each)).sum()) for each in diagonals)

    def criterion_by(self, *, reml: bool) -> float:
        """Return the REML criterion or the deviance here (equations 41 and 34)."""
        reml = reml and self.half.size > 0
        rows = self.devfun.n - (self.half.size if reml else 0)
        log_det = self.ldL2 + (self.ldRX2 if reml else 0.0) - self.devfun.sum_log_weights
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(log_det + rows * (1.0 + np.log(2.0 * np.pi * self.pwrss / rows)))

    @cached_property
    def criterion(self) -> float:
        """The criterion that is minimised."""
        return self.criterion_by(reml=self.devfun.reml)

    @property
    def theta(self) -> FloatArray:
        """The distinct entries of Λ."""
        return self.devfun.template.theta(self.par)

    @property
    def sigma(self) -> float:
        """The residual standard deviation (equations 40 and 33)."""
        reml = self.devfun.reml and self.half.size > 0
        return float(np.sqrt(self.pwrss / (self.devfun.n - (self.half.size if reml else 0))))

    @cached_property
    def _coefficients(self) -> FloatArray:
        """Coefficients of Q."""
        return np.asarray(solve_triangular(self.root, self.half, lower=True, trans=1))

    @cached_property
    def beta(self) -> FloatArray:
        """Fixed effects, shape (p,) (equation 51)."""
        return self.devfun.moved + solve_triangular(self.devfun.basis, self._coefficients)

    @cached_property
    def unscaled_vcov(self) -> FloatArray:
        """(RXᵗRX)⁻¹, the covariance of the fixed effects relative to σ² (equation 54)."""
        inverse = solve_triangular(self.root, np.eye(self.half.size), lower=True)
        half = solve_triangular(self.devfun.basis, inverse.T)
        return np.asarray(half @ half.T)

    @cached_property
    def b(self) -> FloatArray:
        """Conditional modes of the random effects, shape (q,) (equations 52 and 57)."""
        return self.covariance.times(self._left)

    @property
    def _left(self) -> FloatArray:
        """Zᵗ of the response without the fixed effects."""
        return self.devfun.mixed[:, -1] - self.devfun.mixed[:, :-1] @ self._coefficients

    @cached_property
    def u(self) -> FloatArray:
        """The spherical effects, b = Λu, shape (q,) (equation 11)."""
        return self.factor.times(self._left - self.devfun.products.times(self.b), transposed=True)


@overload
def mk_lmer_devfun(model: MixedDesign[Any], *, reml: bool | None = None) -> LinearDeviance: ...


@overload
def mk_lmer_devfun(
    model: Crossproducts, random: RandomEffects, *, reml: bool | None = None
) -> LinearDeviance: ...


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
        Call it with ``par``; its `LinearDeviance.at` gives ``beta``, ``u``, ``b``, ``sigma``,
        ``pwrss``, ``ldL2``, ``ldRX2`` there, which lme4 leaves in the function's environment.

    Raises
    ------
    FormulaError
        For a generalized model.
    DataError
        If the response cannot be fitted, or the cross-products are of other terms.

    Notes
    -----
    A sum of squares loses digits where the numbers lie far from zero. A design keeps them: it
    takes off what is far away before it multiplies. From cross-products they are as good as
    these.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> round(mk_lmer_devfun(design)([1.0]), 6)
    1787.398921
    >>> round(mk_lmer_devfun(design.crossproducts(), design.random)([1.0]), 6)
    1787.398921
    """
    if isinstance(model, Crossproducts):
        if random is None:
            raise DataError("cross-products need the terms that they are of: give random=")
        return _from_products(model, random, reml is not False)
    if not isinstance(model, MixedDesign):
        raise DataError(
            f"mk_lmer_devfun() takes a design or cross-products, not {type(model).__name__}"
        )
    if model.family is not None:
        raise FormulaError("a generalized model: use mk_glmer_devfun or glmer")
    reml = model.reml is not False if reml is None else reml
    if not isinstance(model.X, np.ndarray):
        return _from_products(model.crossproducts(), model.random, reml, _lme4_start(model))
    weights, response = model.weights, model.response
    X, y = model.X, response.y - response.offset
    if weights is not None:
        roots = np.sqrt(weights)
        X, y = X * roots[:, None], y * roots
    Q, R = np.linalg.qr(X)
    basis = np.asarray(R, dtype=np.float64)
    if basis.size and np.abs(basis.diagonal()).min() > 0:
        inside = Q.T @ y
        # A second time takes off what rounding left.
        again = Q.T @ (y - Q @ inside)
        moved = solve_triangular(basis, inside + again)
        y = y - Q @ (inside + again)
    else:
        moved = np.zeros(basis.shape[1])
    Zt = model.Zt
    if weights is not None:
        # Q and y have their weights already.
        Zt = Zt.copy()
        Zt.data *= np.repeat(roots, np.diff(Zt.indptr))
    products = Crossproducts.of(Q, Zt, y)
    log_weights = 0.0
    if weights is not None:
        with np.errstate(divide="ignore"):
            log_weights = float(np.log(weights).sum())
    start = _lme4_start(model)
    return _devfun(products, model.random, reml, start, basis, moved, log_weights)


def _from_products(
    products: Crossproducts, random: RandomEffects, reml: bool, start: FloatArray | None = None
) -> LinearDeviance:
    """Return the function for cross-products, moved to an orthonormal basis of X."""
    try:
        basis = np.asarray(np.linalg.cholesky(products.XtX).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        raise DataError("XtX is not positive definite: columns of X depend on others") from None
    back = np.linalg.inv(basis)
    inside = back.T @ products.Xty
    Q = products.ZtX @ back
    p = inside.size
    moved = Crossproducts(
        XtX=np.eye(p),
        Xty=np.zeros(p),
        yty=float(products.yty - inside @ inside),
        ZtX=Q,
        Zty=products.Zty - Q @ inside,
        ZtZ=products.ZtZ,
        n=products.n,
        sum_log_weights=products.sum_log_weights,
    )
    start = random.par if start is None else start
    log_weights = products.sum_log_weights
    return _devfun(moved, random, reml, start, basis, back @ inside, log_weights)


def _devfun(
    products: Crossproducts,
    random: RandomEffects,
    reml: bool,
    start: FloatArray,
    basis: FloatArray,
    moved: FloatArray,
    sum_log_weights: float,
) -> LinearDeviance:
    ZtZ = products.ZtZ
    return LinearDeviance(
        random=random,
        reml=reml,
        start=start,
        basis=basis,
        moved=moved,
        squares=np.block(
            [[products.XtX, products.Xty[:, None]], [products.Xty[None, :], products.yty]]
        ),
        mixed=np.column_stack([products.ZtX, products.Zty]),
        products=BlockLayout.of(random, ZtZ).fill(ZtZ.data, lasting=True),
        n=products.n,
        sum_log_weights=sum_log_weights,
    )


def _lme4_start(design: MixedDesign[Any]) -> FloatArray:
    """Return where lme4 starts: at variances of group means where all terms are intercepts."""
    random = design.random
    names = [term.bar.group_name for term in random.terms]
    plain = all(columns == ["(Intercept)"] for _, columns in random.cnms)
    y = design.y
    if not plain or len(set(names)) != random.par.size or y is None or y.size < 2:
        return random.par
    found = []
    for term in random.terms:
        codes = term.group.codes
        known = codes >= 0
        counts = np.bincount(codes[known], minlength=term.levels)
        means = np.bincount(codes[known], y[known], minlength=term.levels) / counts
        found.append(np.var(np.where(known, means[codes], np.nan), ddof=1))
    explained = np.array(found)
    left = np.var(y, ddof=1) - explained.sum()
    if not left > 0 or not (explained / left >= random.lower**2).all():
        return random.par
    return np.asarray(np.sqrt(explained / left))
