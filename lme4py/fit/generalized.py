"""The deviance of a generalized linear mixed model (``mkGlmerDevfun``).

Penalised iteratively reweighted least squares (PIRLS) finds the conditional modes of the random
effects; the Laplace approximation, or quadrature, gives the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array

from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.family import has_dispersion
from lme4py.fit.algebra import BlockLayout, Factor, PenalisedFit, pairs_of_entries
from lme4py.fit.linear import DevianceFunction, Solution
from lme4py.likelihood import Likelihood
from lme4py.links import LINKS, mean_of_link

# Steps of PIRLS, trials of a step, rounds of the dispersion.
_STEPS, _HALVINGS, _ROUNDS = 300, 31, 100
# PIRLS ends when no linear predictor moves by more than the first, or by less than the second and
# no less than before. A penalised deviance that rises by less than the third has not risen. Two
# steps whose inner product is below the last, relative to the first, lead back and forth.
_STILL, _STUCK, _ROUNDING, _BACK = 1e-12, 1e-8, 1e-12, -0.2
# The rank of [X Z] is found of the matrix itself where that takes no more multiplications.
_DENSE = 10**9


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GeneralizedDeviance(DevianceFunction):
    """Minus twice the log-likelihood of a generalized model as a function of its parameters.

    With `nAGQ` 0 these are ``par``, and PIRLS finds the fixed effects too; otherwise ``par`` and
    the fixed effects, for the Laplace approximation (1) or so many points of quadrature. PIRLS
    starts at the linear predictor `eta` and the dispersion `phi`; the rows of `Zt` are in the
    order of the layout, `weighing` turns W into the entries of ZᵗWZ. `dispersed` is what a profiled
    dispersion divides the deviance by, the weights' sum less the rank of [X Z], or None;
    `normalised` tells whether quadrature gives a log-likelihood or, as before lme4 2.1, the
    deviance.
    """

    X: FloatArray
    Zt: csc_array
    likelihood: Likelihood
    offset: FloatArray
    nAGQ: int
    eta: FloatArray
    phi: float
    weighing: csr_array
    dispersed: float | None
    normalised: bool

    @property
    def fixed(self) -> int:
        """How many of the parameters are fixed effects."""
        return self.X.shape[1] if self.nAGQ > 0 else 0

    @np.errstate(all="ignore")
    def criterion(self, parameters: FloatArray) -> float:
        """Return minus twice the log-likelihood."""
        return self.approximated(self.modes(parameters))

    @np.errstate(all="ignore")
    def modes(self, parameters: FloatArray) -> Modes:
        """Return the conditional modes.

        A dispersion is that of its own deviance: a fixed point, found by secants.
        """
        par, beta = np.split(parameters, [self.random.par.size])
        X, base = self.X, self.offset
        if self.nAGQ:
            X, base = X[:, :0], base + X @ beta
        none = np.zeros(X.shape[1]), np.zeros(self.layout.order.size)
        found = Modes(self, self.layout.factor(par), X, base, self.phi, self.eta, *none).converged()
        phi, before = found.phi, (np.nan, np.nan)
        for _ in range(_ROUNDS if self.dispersed is not None else 0):
            gap = found.deviance / (self.dispersed or np.nan) - phi
            if abs(gap) <= _ROUNDING * phi:
                break
            secant = phi - gap * (phi - before[0]) / (gap - before[1])
            before, phi = (phi, gap), secant if 0 < secant < np.inf else phi + gap
            found = replace(found, phi=phi).converged()
        return found

    def approximated(self, modes: Modes) -> float:
        """Return minus twice the log-likelihood, by the Laplace approximation or quadrature."""
        value = self.likelihood.minus_two_log(modes.mean) + modes.solved.log_det + modes.length
        if self.nAGQ > 1:
            return value + self._quadrature(modes)
        # Before 2.1 lme4 kept the 2 that R's aic() counts for a dispersion.
        return value + 2.0 * (has_dispersion(self.likelihood.family) and self.dispersed is None)

    def _quadrature(self, modes: Modes) -> float:
        """Return what adaptive Gauss-Hermite quadrature adds to the Laplace approximation."""
        u, likelihood = modes.solved.effects[0], self.likelihood
        # The one term has at most an entry in each row: how the row moves with u.
        slopes = np.asarray(self.Zt.sum(axis=0)).ravel() * modes.factor[0][0][0, 0]
        levels = self.random.terms[0].group.codes
        curvature = 1.0 + np.bincount(levels, slopes**2 * modes.weights, u.size)
        points, masses = np.polynomial.hermite_e.hermegauss(self.nAGQ)
        here = likelihood.deviances(modes.mean) / modes.phi
        total = np.zeros(u.size)
        for point, mass in zip(points, masses / masses.sum(), strict=True):
            step = point / np.sqrt(curvature)
            mean = mean_of_link(likelihood.family.link, modes.eta + slopes * step[levels])
            risen = likelihood.deviances(mean) / modes.phi - here
            risen = np.bincount(levels, risen, u.size) + (u + step) ** 2 - u**2
            total += mass * np.exp((point**2 - risen) / 2.0)
        value = -2.0 * float(np.log(total).sum())
        if self.normalised:
            return value
        # Before 2.1: the deviance in place of the log-likelihood.
        return value + float(here.sum()) - likelihood.minus_two_log(modes.mean)

    @np.errstate(all="ignore")
    def solution(self, parameters: FloatArray) -> Solution:
        """Return what PIRLS finds."""
        modes, likelihood = self.modes(parameters), self.likelihood
        criterion, whole = self.approximated(modes), modes.least_squares(self.X)
        left = (likelihood.y - modes.mean) ** 2 / likelihood.variance(modes.mean)
        pwrss = float((likelihood.weights * left).sum() / modes.phi + modes.length)
        sigma = 1.0
        if has_dispersion(likelihood.family):
            sigma = float(np.sqrt(pwrss / self.n if self.dispersed is None else modes.phi))
        par, beta = np.split(parameters, [self.random.par.size])
        u, b = self.layout.stored(*modes.solved.effects)
        return Solution(
            par=par,
            theta=self.random.theta_at(par),
            beta=beta if self.nAGQ else modes.beta,
            u=u,
            b=b,
            sigma=sigma,
            scale=sigma if self.dispersed is None else 1.0,
            pwrss=pwrss,
            ldL2=whole.log_det,
            ldRX2=2.0 * float(np.log(whole.root.diagonal()).sum()),
            criterion=criterion,
            minus_two_log_likelihood=criterion,
            unscaled_vcov=whole.inverse_root @ whole.inverse_root.T,
            conditional=whole,
        )


@dataclass(frozen=True, eq=False)
class Modes:
    """A step of PIRLS on the way to the conditional modes.

    `X` has the columns whose coefficients `beta` are looked for, too, `base` is what the linear
    predictor `eta` has besides, `phi` the dispersion in the working weights. At the start only the
    predictor is known.
    """

    devfun: GeneralizedDeviance
    factor: Factor
    X: FloatArray
    base: FloatArray
    phi: float
    eta: FloatArray
    beta: FloatArray
    u: FloatArray

    @cached_property
    def mean(self) -> FloatArray:
        """The means, shape (n,)."""
        return mean_of_link(self.devfun.likelihood.family.link, self.eta)

    @cached_property
    def deviance(self) -> float:
        """The deviance of the rows."""
        return float(self.devfun.likelihood.deviances(self.mean).sum())

    @property
    def length(self) -> float:
        """The squared length of u."""
        return float(self.u @ self.u)

    @cached_property
    def slope(self) -> FloatArray:
        """The derivatives of the means, shape (n,)."""
        return np.asarray(LINKS[self.devfun.likelihood.family.link].slope(self.eta))

    @cached_property
    def weights(self) -> FloatArray:
        """The working weights W, shape (n,)."""
        likelihood = self.devfun.likelihood
        return self.slope**2 * likelihood.weights / (likelihood.variance(self.mean) * self.phi)

    @cached_property
    def solved(self) -> PenalisedFit:
        """The least-squares problem at these weights, solved for what PIRLS looks for."""
        return self.least_squares(self.X)

    def least_squares(self, X: FloatArray) -> PenalisedFit:
        """Return the solution with such fixed effects."""
        devfun, left = self.devfun, self.devfun.likelihood.y - self.mean
        both = np.column_stack([X, self.eta - self.base + left / self.slope])
        weighted = self.weights[:, None] * both
        entries = devfun.weighing @ self.weights
        problem = devfun.layout.filled(entries, both.T @ weighted, devfun.Zt @ weighted)
        return problem.at(self.factor)

    def stepped(self) -> Modes:
        """Return the state after a step."""
        beta, (u, b) = self.solved.beta, self.solved.effects
        eta = self.base + self.devfun.Zt.T @ b + self.X @ beta
        return replace(self, eta=eta, beta=beta, u=u)

    def towards(self, other: Modes, share: float) -> Modes:
        """Return the state that lies some part of the way to another, whose modes are known."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("eta", "beta", "u"))
        eta, beta, u = ((1.0 - share) * one + share * two for one, two in pairs)
        return replace(self, eta=eta, beta=beta, u=u)

    def converged(self) -> Modes:
        """Return the conditional modes: PIRLS from a linear predictor."""
        state, worth, before, least = self, np.inf, np.zeros(self.eta.size), np.inf
        for _ in range(_STEPS):
            step = state.stepped()
            ahead = step.eta - state.eta
            back = float(ahead @ before) / max(float(before @ before), 1e-300)
            before = ahead
            if back < _BACK:
                # To where the steps would meet.
                step = step.towards(state, -back / (1.0 - back))
            for _ in range(_HALVINGS):
                penalised = step.deviance / step.phi + step.length
                if worth == np.inf or penalised <= worth + _ROUNDING * abs(worth):
                    break
                step = step.towards(state, 0.5)
            else:
                words = "PIRLS step-halvings failed to reduce deviance in pwrssUpdate"
                raise DataError(f"(maxstephalfit) {words}")
            if np.isnan(penalised):
                raise DataError("PIRLS loop resulted in NaN value")
            size = 1.0 + float(np.abs(step.eta).max(initial=0.0))
            moved = float(np.abs(step.eta - state.eta).max(initial=0.0)) / size
            if moved <= _STILL or least <= moved < _STUCK:
                return step
            state, worth, least = step, penalised, min(moved, least)
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
    X, Zt = design.X if isinstance(design.X, np.ndarray) else design.X.toarray(), design.Zt
    ZtZ, weighing = _weighing(Zt)
    layout, profiles = BlockLayout.of(random, ZtZ), design.formula.lme4.profiles_dispersion
    eta = response.etastart
    if eta is None:
        start = np.asarray(response.mustart)
        if family.name == "Gamma" and profiles and design.model_frame.get("(mustart)") is None:
            start = np.full_like(start, start.mean())
        eta = LINKS[family.link].predictor(start)
    dispersed = None
    if has_dispersion(family) and profiles:
        ZtZ.data = weighing @ np.ones(eta.size)
        dispersed = float(response.weights.sum() - _rank(layout, X, Zt, ZtZ))
    devfun = GeneralizedDeviance(
        layout=layout,
        n=eta.size,
        start=random.par,
        X=X,
        Zt=Zt[layout.order].tocsc(),
        likelihood=Likelihood(family, response.y, response.weights, response.trials),
        offset=response.offset,
        nAGQ=0,
        eta=eta,
        phi=1.0,
        weighing=weighing,
        dispersed=dispersed,
        normalised=profiles,
    )
    modes = devfun.modes(random.par)
    return replace(devfun, nAGQ=nAGQ, eta=modes.eta, phi=modes.phi)


def _rank(layout: BlockLayout, X: FloatArray, Zt: csc_array, ZtZ: csc_array) -> int:
    """Return the rank of [X Z], of columns that have length 1."""
    sizes, Q = np.sqrt(ZtZ.diagonal()), np.linalg.qr(X)[0]
    sizes[sizes == 0] = 1.0
    if len(Q) * (Q.shape[1] + sizes.size) ** 2 <= _DENSE:
        # Products of columns lose what is small of one.
        return int(np.linalg.matrix_rank(np.column_stack([Q, Zt.T.toarray() / sizes])))
    entries = ZtZ.data / sizes[ZtZ.indices] / np.repeat(sizes, np.diff(ZtZ.indptr))
    return layout.filled(entries, Q.T @ Q, (Zt @ Q / sizes[:, None])[layout.order]).rank()


def _weighing(Zt: csc_array) -> tuple[csc_array, csr_array]:
    """Return where ZᵗWZ has entries, and the matrix that computes these from W."""
    q, n = Zt.shape
    one, other, to, row = pairs_of_entries(Zt)
    found, places = np.unique(to, return_inverse=True)
    entries = Zt.data[one] * Zt.data[other]
    weighing = coo_array((entries, (places, row)), shape=(found.size, n)).tocsr()
    pointers = np.searchsorted(found, np.arange(q + 1, dtype=np.int64) * q)
    pattern = csc_array((np.ones(found.size), found % q, pointers), shape=(q, q))
    return pattern, weighing
