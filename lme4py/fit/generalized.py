"""The deviance of a generalized linear mixed model (``mkGlmerDevfun``).

Penalised iteratively reweighted least squares (PIRLS) finds the conditional modes of the random
effects; the Laplace approximation, or quadrature, gives the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from scipy.sparse import coo_array, csc_array, csr_array

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.family import has_dispersion
from lme4py.fit.algebra import BlockLayout, ConditionalCovariance, RelativeFactor, template
from lme4py.likelihood import Likelihood
from lme4py.links import mean_of_link, predictor_of_link, slope_of_link
from lme4py.matrices.reterms import RandomEffects

__all__ = ["GeneralizedDeviance", "GeneralizedSolution", "mk_glmer_devfun"]

# Steps of PIRLS, halvings of a step, rounds of the dispersion.
_STEPS, _HALVINGS, _ROUNDS = 300, 30, 100
# PIRLS ends when no linear predictor moves by more than the first, or by less than the second and
# no less than before. A penalised deviance that rises by less than the third has not risen. Two
# steps whose inner product is below the last, relative to the first, lead back and forth.
_STILL, _STUCK, _ROUNDING, _BACK = 1e-12, 1e-8, 1e-12, -0.2


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GeneralizedDeviance(Abbreviated):
    """Minus twice the log-likelihood of a generalized model as a function of its parameters.

    With `nAGQ` 0 these are ``par``, and PIRLS finds the fixed effects too; otherwise ``par`` and
    the fixed effects, for the Laplace approximation (1) or so many points of quadrature. PIRLS
    starts at the linear predictor `eta` and the dispersion `phi`; `layout` tells how ZᵗWZ is
    factored, `weighing` turns W into its entries. `dispersed` is what a profiled dispersion divides
    the deviance by, the weights' sum less the rank of [X Z], or None; `normalised` tells whether
    quadrature gives a log-likelihood or, as before lme4 2.1, the deviance.
    """

    random: RandomEffects
    X: FloatArray
    Zt: csc_array
    likelihood: Likelihood
    offset: FloatArray
    nAGQ: int
    eta: FloatArray
    phi: float
    layout: BlockLayout
    weighing: csr_array
    dispersed: float | None
    normalised: bool

    @cached_property
    def _factor(self) -> Any:
        return template(self.random)

    @property
    def fixed(self) -> int:
        """How many of the parameters are fixed effects."""
        return self.X.shape[1] if self.nAGQ > 0 else 0

    @property
    def lower(self) -> FloatArray:
        """Lower bounds of the parameters."""
        return np.concatenate([self.random.lower, np.full(self.fixed, -np.inf)])

    @property
    def upper(self) -> FloatArray:
        """Upper bounds of the parameters."""
        return np.concatenate([self.random.upper, np.full(self.fixed, np.inf)])

    def __call__(self, parameters: ArrayLike) -> float:
        """Return the criterion."""
        return self.at(parameters).criterion

    def at(self, parameters: ArrayLike) -> GeneralizedSolution:
        """Return everything that is known at some parameters."""
        values = np.asarray(parameters, dtype=np.float64)
        count = self.random.par.size
        if values.shape != (count + self.fixed,):
            raise DataError(
                f"there are {count + self.fixed} parameters, not {values.size}",
                hint=f"{count} of the covariance, then {self.fixed} fixed effects",
            )
        par = self.random.within_bounds(values[:count])
        return self.solution(np.concatenate([par, values[count:]]))

    def solution(self, parameters: FloatArray) -> GeneralizedSolution:
        """Return the same without a look at the bounds, beyond which derivatives reach.

        A dispersion is that of its own deviance: a fixed point, found by secants.
        """
        par, beta = np.split(parameters, [self.random.par.size])
        base = self.offset if self.nAGQ == 0 else self.offset + self.X @ beta
        factor, theta = self._factor(par)
        found = GeneralizedSolution(
            devfun=self,
            par=par,
            theta=theta,
            factor=factor,
            base=base,
            eta=self.eta,
            beta=beta,
            phi=self.phi,
        )
        with np.errstate(all="ignore"):
            found = _converged(found)
            before: tuple[float, float] | None = None
            for _ in range(_ROUNDS if self.dispersed is not None else 0):
                phi, gap = found.phi, found.dispersion - found.phi
                if abs(gap) <= _ROUNDING * phi:
                    break
                after = phi + gap
                if before is not None and gap != before[1]:
                    after = phi - gap * (phi - before[0]) / (gap - before[1])
                before = phi, gap
                after = after if 0 < after < np.inf else phi + gap
                found = _converged(replace(found, phi=after, u=None, b=None))
        return found

    def begun_at(self, solution: GeneralizedSolution) -> GeneralizedDeviance:
        """Return the function whose PIRLS starts at a solution."""
        return replace(self, eta=solution.eta, phi=solution.phi)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GeneralizedSolution(Abbreviated):
    """A generalized linear mixed model at some parameters, or a step of PIRLS on the way there.

    `base` is what the linear predictor `eta` has besides the effects that are looked for, `phi` the
    dispersion in the working weights; `u` and b = Λu are None at the start, where only the
    predictor is known.
    """

    devfun: GeneralizedDeviance
    par: FloatArray
    theta: FloatArray
    factor: RelativeFactor
    base: FloatArray
    eta: FloatArray
    beta: FloatArray
    phi: float
    u: FloatArray | None = None
    b: FloatArray | None = None

    @property
    def _link(self) -> str:
        return self.devfun.likelihood.family.link

    @cached_property
    def mean(self) -> FloatArray:
        """The means, shape (n,)."""
        return mean_of_link(self._link, self.eta)

    @cached_property
    def _deviance(self) -> float:
        return float(self.devfun.likelihood.deviances(self.mean).sum())

    @property
    def _length(self) -> float:
        """The squared length of u."""
        return 0.0 if self.u is None else float(self.u @ self.u)

    @property
    def penalised(self) -> float:
        """The penalised deviance."""
        return self._deviance / self.phi + self._length

    @property
    def dispersion(self) -> float:
        """The dispersion that the deviance gives."""
        return self._deviance / (self.devfun.dispersed or np.nan)

    @cached_property
    def weights(self) -> FloatArray:
        """The working weights W, shape (n,)."""
        likelihood = self.devfun.likelihood
        slope = slope_of_link(self._link, self.eta)
        return slope**2 * likelihood.weights / (likelihood.variance(self.mean) * self.phi)

    @cached_property
    def covariance(self) -> ConditionalCovariance:
        """V with these weights."""
        products = self.devfun.layout.fill(self.devfun.weighing @ self.weights)
        return products.eliminate(self.factor)

    @cached_property
    def root(self) -> FloatArray:
        """The lower triangle whose square is RXᵗRX, shape (p, p)."""
        weighted = self.weights[:, None] * self.devfun.X
        inside = self.devfun.X.T @ weighted - self.covariance.gram(self.devfun.Zt @ weighted)
        try:
            return np.asarray(np.linalg.cholesky(inside), dtype=np.float64)
        except np.linalg.LinAlgError:
            raise DataError("Downdated VtV is not positive definite") from None

    def stepped(self) -> GeneralizedSolution:
        """Return the state after a step: the least squares problem at these weights."""
        devfun, weights, beta = self.devfun, self.weights, self.beta
        slope = slope_of_link(self._link, self.eta)
        working = self.eta - self.base + (devfun.likelihood.y - self.mean) / slope
        known = np.zeros(working.size)
        if devfun.nAGQ == 0:
            weighted = weights * working
            inside = self.covariance.times(devfun.Zt @ weighted)
            left = devfun.X.T @ (weighted - weights * (devfun.Zt.T @ inside))
            half = solve_triangular(self.root, left, lower=True, check_finite=False)
            beta = solve_triangular(self.root, half, lower=True, trans=1, check_finite=False)
            known = devfun.X @ beta
        b = self.covariance.times(devfun.Zt @ (weights * (working - known)))
        effects = devfun.Zt.T @ b
        left = devfun.Zt @ (weights * (working - known - effects))
        u = self.factor.times(left, transposed=True)
        return replace(self, eta=self.base + known + effects, beta=beta, u=u, b=b)

    def towards(self, other: GeneralizedSolution, share: float) -> GeneralizedSolution:
        """Return the state that lies some part of the way to another."""
        if self.u is None or self.b is None or other.u is None or other.b is None:
            return self
        own = 1.0 - share
        return replace(
            self,
            eta=own * self.eta + share * other.eta,
            u=own * self.u + share * other.u,
            b=own * self.b + share * other.b,
            beta=own * self.beta + share * other.beta,
        )

    @property
    def ldL2(self) -> float:
        """log|L|²."""
        return self.covariance.log_det

    @property
    def ldRX2(self) -> float:
        """log|RX|²."""
        return 2.0 * float(np.log(self.root.diagonal()).sum())

    @property
    def pwrss(self) -> float:
        """The penalised weighted residual sum of squares."""
        likelihood = self.devfun.likelihood
        left = (likelihood.y - self.mean) ** 2 / likelihood.variance(self.mean)
        return float((likelihood.weights * left).sum() / self.phi + self._length)

    @property
    def sigma(self) -> float:
        """The square root of the dispersion, 1 for families without one."""
        if not has_dispersion(self.devfun.likelihood.family):
            return 1.0
        profiled = self.devfun.dispersed is not None
        return float(np.sqrt(self.phi if profiled else self.pwrss / self.eta.size))

    @property
    def scale(self) -> float:
        """What V and (RXᵗRX)⁻¹ are relative to: σ, or 1 where W has the dispersion already."""
        return 1.0 if self.devfun.dispersed is not None else self.sigma

    @property
    def unscaled_vcov(self) -> FloatArray:
        """(RXᵗRX)⁻¹."""
        inverse = solve_triangular(self.root, np.eye(len(self.root)), lower=True)
        return np.asarray(inverse.T @ inverse)

    @cached_property
    def criterion(self) -> float:
        """Minus twice the log-likelihood, by the Laplace approximation or quadrature."""
        devfun = self.devfun
        with np.errstate(all="ignore"):
            value = devfun.likelihood.minus_two_log(self.mean)
        value += self.ldL2 + self._length
        if devfun.nAGQ > 1:
            return value + self._quadrature
        # Before 2.1 lme4 kept the 2 that R's aic() counts for a dispersion.
        kept = has_dispersion(devfun.likelihood.family) and devfun.dispersed is None
        return value + 2.0 * kept

    @property
    def _quadrature(self) -> float:
        """What adaptive Gauss-Hermite quadrature adds to the Laplace approximation."""
        devfun, likelihood = self.devfun, self.devfun.likelihood
        u = np.zeros(0) if self.u is None else self.u
        # The one term has at most an entry in each row: how the row moves with u.
        slopes = np.asarray(devfun.Zt.sum(axis=0)).ravel() * self.factor.blocks[0][0, 0]
        levels = devfun.random.terms[0].group.codes
        curvature = 1.0 + np.bincount(levels, slopes**2 * self.weights, u.size)
        points, masses = np.polynomial.hermite_e.hermegauss(devfun.nAGQ)
        here = likelihood.deviances(self.mean) / self.phi
        total = np.zeros(u.size)
        for point, mass in zip(points, masses / masses.sum(), strict=True):
            step = point / np.sqrt(curvature)
            mean = mean_of_link(self._link, self.eta + slopes * step[levels])
            risen = likelihood.deviances(mean) / self.phi - here
            risen = np.bincount(levels, risen, u.size) + (u + step) ** 2 - u**2
            total += mass * np.exp((point**2 - risen) / 2.0)
        value = -2.0 * float(np.log(total).sum())
        if not devfun.normalised:
            # Before 2.1: the deviance in place of the log-likelihood.
            value += float(here.sum()) - likelihood.minus_two_log(self.mean)
        return value


def _converged(state: GeneralizedSolution) -> GeneralizedSolution:
    """Return the conditional modes: PIRLS from a linear predictor."""
    worth, before, least = np.inf, np.zeros(state.eta.size), np.inf
    for _ in range(_STEPS):
        step = state.stepped()
        ahead = step.eta - state.eta
        back = float(ahead @ before) / max(float(before @ before), 1e-300)
        before = ahead
        if state.u is not None and back < _BACK:
            # To where the steps would meet.
            step = step.towards(state, -back / (1.0 - back))
        halvings = 0
        while state.u is not None and not step.penalised <= worth + _ROUNDING * abs(worth):
            if halvings == _HALVINGS:
                raise DataError(
                    "(maxstephalfit) PIRLS step-halvings failed to reduce deviance in pwrssUpdate"
                )
            step = step.towards(state, 0.5)
            halvings += 1
        if np.isnan(step.penalised):
            raise DataError("PIRLS loop resulted in NaN value")
        size = 1.0 + float(np.abs(step.eta).max(initial=0.0))
        moved = float(np.abs(step.eta - state.eta).max(initial=0.0)) / size
        if state.u is not None and (moved <= _STILL or least <= moved < _STUCK):
            return step
        state, worth, least = step, step.penalised, min(moved, least)
    raise DataError(f"pwrssUpdate did not converge in ({_STEPS}) iterations")


def mk_glmer_devfun(design: MixedDesign[Any], nAGQ: int = 1) -> GeneralizedDeviance:
    """Return the function that ``glmer`` minimises (``mkGlmerDevfun``).

    Parameters
    ----------
    design : MixedDesign
        A generalized model.
    nAGQ : int, default 1
        0: a function of ``par``; PIRLS finds the fixed effects. Otherwise a function of ``par``
        and the fixed effects, with so many points of adaptive Gauss-Hermite quadrature.

    Returns
    -------
    GeneralizedDeviance

    Raises
    ------
    FormulaError
        For a linear model.
    DataError
        If the family cannot take the response, or for quadrature with other terms than one
        scalar one, in lme4's words.

    Examples
    --------
    >>> import lme4py
    >>> data = {"y": [1, 0, 4, 3, 2, 5], "g": list("aabbcc")}
    >>> design = lme4py.glformula("y ~ 1 + (1 | g)", data, family="poisson")
    >>> devfun = mk_glmer_devfun(design, nAGQ=0)
    >>> devfun.at([0.5]).beta.round(4).tolist()
    [0.8635]
    """
    if not isinstance(design, MixedDesign):
        raise DataError(f"mk_glmer_devfun() takes a design, not {type(design).__name__}")
    if design.family is None:
        raise FormulaError("a linear model: use mk_lmer_devfun or lmer")
    count_of("nAGQ", nAGQ, 0, 100)
    random, response, family = design.random, design.response, design.family
    if nAGQ > 1 and (len(random.terms) != 1 or random.terms[0].columns != 1):
        raise DataError(
            "nAGQ > 1 is only available for models with a single, scalar random-effects term"
        )
    likelihood = Likelihood(family, response.y, response.weights, response.trials)
    X = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    ZtZ, weighing = _weighing(design.Zt)
    profiles = design.formula.lme4.profiles_dispersion
    eta = response.etastart
    if eta is None:
        start = np.asarray(response.mustart)
        if family.name == "Gamma" and profiles and design.model_frame.get("(mustart)") is None:
            start = np.full_like(start, start.mean())
        eta = predictor_of_link(family.link, start)
    dispersed = None
    if has_dispersion(family) and profiles:
        rank = np.linalg.matrix_rank(np.column_stack([X, design.Zt.T.toarray()]))
        dispersed = float(response.weights.sum() - rank)
    devfun = GeneralizedDeviance(
        random=random,
        X=X,
        Zt=design.Zt,
        likelihood=likelihood,
        offset=response.offset,
        nAGQ=0,
        eta=eta,
        phi=1.0,
        layout=BlockLayout.of(random, ZtZ),
        weighing=weighing,
        dispersed=dispersed,
        normalised=profiles,
    )
    return replace(devfun.begun_at(devfun.at(random.par)), nAGQ=nAGQ)


def _weighing(Zt: csc_array) -> tuple[csc_array, csr_array]:
    """Return where ZᵗWZ has entries, and the matrix that computes these from W."""
    q, n = Zt.shape
    counts = np.diff(Zt.indptr)
    rows, each = np.repeat(np.arange(n), counts), np.repeat(counts, counts)
    one = np.repeat(np.arange(rows.size), each)
    within = np.arange(one.size) - np.repeat(np.cumsum(each) - each, each)
    other = np.repeat(np.repeat(Zt.indptr[:-1], counts), each) + within
    keys = Zt.indices[one].astype(np.int64) * q + Zt.indices[other]
    found, places = np.unique(keys, return_inverse=True)
    products = Zt.data[one] * Zt.data[other]
    weighing = coo_array((products, (places, rows[one])), shape=(found.size, n)).tocsr()
    pointers = np.searchsorted(found, np.arange(q + 1, dtype=np.int64) * q)
    pattern = csc_array((np.ones(found.size), found % q, pointers), shape=(q, q))
    return pattern, weighing
