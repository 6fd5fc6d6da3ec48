"""The minimum of a deviance function, on lme4's path, and lme4's checks of it (``checkConv``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control, FitControl, fit_control
from lme4py.data.values import FloatArray
from lme4py.errors import CheckError, DataError
from lme4py.fit.generalized import GeneralizedDeviance
from lme4py.fit.linear import DevianceFunction, LinearDeviance, Solution
from lme4py.matrices.reterms import RandomEffects, within_bounds
from lme4py.messages import Messages
from lme4py.versions import Lme4

Start: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None

# So far inside of a bound lme4 looks whether a criterion falls. One that rises by less than the
# second has not risen.
_EDGE, _ROUNDING = 1e-5, 1e-10
# COBYQA goes on from its bounds so often, from so far inside, while it gains so much.
_RESTARTS, _NEAR, _INSIDE, _GAIN = 6, 0.01, 0.3, 1e-8
# The steps of lme4's differences; it computes none beyond so many rows and parameters.
_STEP, _MOST_ROWS, _MOST_LINEAR, _MOST_GENERALIZED = 1e-4, 10_000, 10, 20
# Newton's steps end where they promise no more than the first, or after so many.
_PROMISE, _NEWTON = 1e-8, 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Optimum(Abbreviated):
    """Where a criterion is smallest, and what the optimiser did.

    Parameters
    ----------
    par : ndarray of float64
        The parameters; of a generalized model the covariance parameters, then the fixed effects.
    criterion : float
        The value there.
    evaluations : int
        How often the criterion was computed.
    optimizer, message : str
        The optimiser, and what it said at the end.
    converged : bool
        Whether it ended by its tolerances.
    gradient, hessian : ndarray of float64, or None
        By central differences, as lme4 has them; None where they were not computed.
    """

    par: FloatArray
    criterion: float
    evaluations: int
    optimizer: str
    message: str
    converged: bool
    gradient: FloatArray | None = None
    hessian: FloatArray | None = None


def optimize_lmer(
    devfun: DevianceFunction,
    *,
    start: Start = None,
    control: Control | Mapping[str, Any] | None = None,
) -> Optimum:
    """Return the minimum of a criterion (``optimizeLmer``, ``optimizeGlmer``).

    Parameters
    ----------
    devfun : LinearDeviance or GeneralizedDeviance
        From `mk_lmer_devfun` or `mk_glmer_devfun`; of the latter with ``nAGQ=0`` for the first of
        ``glmer``'s two steps, otherwise for the second, which begins at the fixed effects that
        PIRLS finds.
    start : array-like or mapping, optional
        Starting values of ``par``, or ``{"par": ..., "fixef": ...}``; lme4's own if not given.
    control : mapping, optional
        Arguments of ``lmerControl`` or ``glmerControl``.

    Returns
    -------
    Optimum

    Raises
    ------
    DataError
        For starting values or options that mean nothing.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> optimum = optimize_lmer(lme4py.mk_lmer_devfun(design))
    >>> round(optimum.criterion, 6), optimum.par.round(4).tolist()
    (1786.465085, [1.1979])
    >>> data = {"y": [1, 0, 4, 3, 2, 5, 9, 9], "g": list("aabbccdd")}
    >>> design = lme4py.glformula("y ~ 1 + (1 | g)", data, family="poisson")
    >>> optimum = optimize_glmer(lme4py.mk_glmer_devfun(design))
    >>> round(optimum.criterion, 5), optimum.par.round(4).tolist()
    (36.18293, [0.7599, 1.1584])
    """
    return _minimised(devfun, start, control_for(devfun, control))


optimize_glmer = optimize_lmer


def control_for(
    devfun: DevianceFunction, control: Control | FitControl | Mapping[str, Any] | None
) -> FitControl:
    """Return what of a control steers the search for the minimum of a deviance function."""
    if not isinstance(devfun, DevianceFunction):
        raise DataError(
            f"a deviance function is needed, not {type(devfun).__name__}",
            hint="mk_lmer_devfun and mk_glmer_devfun make them",
        )
    if isinstance(control, FitControl):
        return control
    return fit_control(control, generalized=isinstance(devfun, GeneralizedDeviance))[1]


def optimum_and_solution(
    devfun: DevianceFunction, start: Start, control: FitControl, lme4: Lme4
) -> tuple[Optimum, Solution, tuple[str, ...]]:
    """Return the minimum by ``lmer``'s or ``glmer``'s steps, the solution there, and what is said.

    The first of ``glmer``'s two steps has the fixed effects inside of PIRLS.
    """
    steps = control.nAGQ0initStep and control.optimizer is not None
    if isinstance(devfun, GeneralizedDeviance) and devfun.nAGQ and steps:
        par, beta = np.split(_starting(devfun, start), [devfun.random.par.size])
        inside = replace(devfun, nAGQ=0)
        par = _minimised(inside, par, replace(control, boundary_tol=0.0)).par
        modes = inside.modes(par)
        start = {"par": par, "fixef": np.where(np.isnan(beta), modes.beta, beta)}
        devfun = replace(devfun, eta=modes.eta, phi=modes.phi)
    optimum, said = _examined(devfun, _minimised(devfun, start, control), control, lme4)
    return optimum, devfun.at(optimum.par), said


def _starting(devfun: DevianceFunction, start: Start) -> FloatArray:
    """Return starting values, NaN for fixed effects that are not given (``getStart``)."""
    found = {"par": devfun.start, "fixef": np.full(devfun.fixed, np.nan)}
    names = {"par": "par", "theta": "par", "fixef": "fixef", "beta": "fixef"}
    known = list(names)[: 4 if getattr(devfun, "nAGQ", 0) else 2]
    given: Mapping[str, Any] = start if isinstance(start, Mapping) else {"par": start}
    for name, value in {} if start is None else given.items():
        if name not in known:
            hint = f"there are {', '.join(known)}"
            raise DataError(f"'start' has invalid names {name}", hint=hint)
        try:
            numbers = np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise DataError("'start' has non-numeric components") from None
        size = found[names[name]].size
        if numbers.size != size:
            text = f"starting value of '{names[name]}' has length not equal to {size}"
            raise DataError(text, hint=f"it has {numbers.size}")
        found[names[name]] = numbers
    return np.append(within_bounds(devfun.random, found["par"]), found["fixef"])


def _minimised(devfun: DevianceFunction, start: Start, control: FitControl) -> Optimum:
    """Return the minimum (lme4's ``optwrap``, with what it does at bounds)."""
    best, unit, step = _starting(devfun, start), np.ones(devfun.bounds.shape[1]), None
    if isinstance(devfun, GeneralizedDeviance) and devfun.fixed:
        par = best[: -devfun.fixed]
        begun = replace(devfun, nAGQ=0).at(par)
        best = np.where(np.isnan(best), np.append(par, begun.beta), best)
        errors = begun.scale * np.sqrt(np.diag(begun.unscaled_vcov))
        # The search is for parameters in units, and begins with steps of 1: as long as the first
        # steps of lme4's Nelder_Mead.
        unit = 0.2 * np.append(np.full(par.size, 0.1), np.minimum(errors, 10.0))
        step = 1.0
    least, bounds, count = devfun(best), devfun.bounds, 1
    if np.isnan(least):
        hint = "a number is too large, or not finite: rescale variables"
        if isinstance(devfun, LinearDeviance) and devfun.reml and devfun.n == devfun.moved.size:
            hint = "there are as many fixed effects as rows, which leave REML nothing: reml=False"
        raise DataError("objective in x0 returns NA", hint=hint)

    def value(moved: FloatArray, *_: Any) -> float:
        nonlocal best, least, count
        par, count = np.clip(moved * unit, *bounds), count + 1
        found = devfun(par)
        if found < least:
            best, least = par, found
        return found if np.isfinite(found) else float(np.finfo(float).max)

    def beside(near: NDArray[np.bool_], by: float) -> Iterator[FloatArray]:
        """Yield parameters with one of them moved to a bound that is near, or so far inside."""
        for side, at in np.argwhere(near):
            moved = best.copy()
            moved[at] = bounds[side, at] + (by, -by)[side]
            yield moved

    name, message, converged = "none", "no optimization", True
    if control.optimizer is not None:
        own = control.optimizer != "cobyqa" and find_spec("nlopt") is not None
        name, optimise = ("nloptwrap", _bobyqa) if own else ("cobyqa", _cobyqa)
        limits = bounds / unit
        for _ in range(1 + control.restart_edge):
            first = np.clip(best / unit, *limits)
            message, converged = optimise(value, first, limits, control, step)
            # The criterion may fall from a bound into the inside.
            if not any(devfun(probe) < least for probe in beside(best == bounds, _EDGE)):
                break
        gaps = np.abs(best - bounds)
        for probe in beside((gaps > 0) & (gaps < control.boundary_tol), 0.0):
            found = devfun(probe)
            if found <= least + _ROUNDING:
                best, least = probe, found
    return Optimum(
        par=best,
        criterion=float(least),
        evaluations=count,
        optimizer=name,
        message=message,
        converged=converged,
    )


def _bobyqa(
    function: Any, first: FloatArray, limits: FloatArray, control: FitControl, step: float | None
) -> tuple[str, bool]:
    """Minimise by nlopt's BOBYQA, as lme4 does; return what it says, and whether it converged."""
    import nlopt

    optimiser = nlopt.opt(nlopt.LN_BOBYQA, first.size)
    optimiser.set_min_objective(function)
    optimiser.set_lower_bounds(limits[0])
    optimiser.set_upper_bounds(limits[1])
    for limit, value in control.optCtrl.items():
        getattr(optimiser, f"set_{limit}")(value)
    if step is not None:
        optimiser.set_initial_step(step)
    code = nlopt.ROUNDOFF_LIMITED
    with suppress(nlopt.RoundoffLimited):
        optimiser.optimize(first)
        code = optimiser.last_optimize_result()
    said = {
        nlopt.FTOL_REACHED: "FTOL_REACHED: Optimization stopped because ftol_rel or ftol_abs",
        nlopt.XTOL_REACHED: "XTOL_REACHED: Optimization stopped because xtol_rel or xtol_abs",
        nlopt.MAXEVAL_REACHED: "MAXEVAL_REACHED: Optimization stopped because maxeval",
    }
    message = f"NLOPT_{said[code]} (above) was reached." if code in said else f"NLopt code {code}"
    return message, code > 0 and code != nlopt.MAXEVAL_REACHED


def _cobyqa(
    function: Any, first: FloatArray, limits: FloatArray, control: FitControl, step: float | None
) -> tuple[str, bool]:
    """Do the same by scipy's COBYQA."""
    from scipy import optimize

    # Its types know no COBYQA in scipy 1.14.
    minimize: Any = optimize.minimize
    options = {"maxfev": control.optCtrl["maxeval"], "initial_tr_radius": step or 0.5}
    options["final_tr_radius"] = control.optCtrl["xtol_abs"]
    bounds, least = optimize.Bounds(*limits), np.inf
    for _ in range(_RESTARTS):
        result = minimize(function, first, method="COBYQA", bounds=bounds, options=options)
        # It may stay near a bound that BOBYQA leaves.
        near = result.x < limits[0] + _NEAR
        if not result.fun < least - _GAIN or not near.any():
            break
        first, least = np.where(near, limits[0] + _INSIDE, result.x), result.fun
    return str(result.message), bool(result.success)


def is_singular(random: RandomEffects, par: FloatArray, tol: float) -> bool:
    """Tell whether a covariance parameter lies on one of its bounds (lme4's ``isSingular``)."""
    return bool(np.minimum(par - random.lower, random.upper - par).min(initial=np.inf) < tol)


def _examined(
    devfun: DevianceFunction, optimum: Optimum, control: FitControl, lme4: Lme4
) -> tuple[Optimum, tuple[str, ...]]:
    """Compute derivatives where lme4 does, and say what it says of the optimum (``checkConv``)."""
    generalized = isinstance(devfun, GeneralizedDeviance)
    action, tol = control.check_conv_singular
    covariances = devfun.random.par.size
    singular = is_singular(devfun.random, optimum.par[:covariances], tol)
    wanted = control.calc_derivs
    if wanted is None:
        most = _MOST_GENERALIZED if generalized else _MOST_LINEAR
        small = devfun.n < _MOST_ROWS and optimum.par.size < most
        wanted = optimum.optimizer != "none" and (small or not lme4.skips_derivatives)
    found_inside = generalized and not devfun.fixed
    if wanted and not found_inside and not (singular and lme4.skips_derivatives):
        optimum = _with_derivatives(devfun, optimum)
        if optimum.converged and optimum.optimizer != "none" and not singular:
            # glmer's fixed effects move with the parameters: the last of its steps costs nothing.
            optimum = _refined(devfun, optimum, tol, least=0.0 if generalized else _PROMISE)
    messages = Messages()
    if not optimum.converged:
        messages.warn(f"convergence code 5 from {optimum.optimizer}: {optimum.message}")
    said = [(action, "boundary (singular) fit: see help('isSingular')")] if singular else []
    if not singular and optimum.hessian is not None:
        said = list(_doubts(optimum, covariances, control))
    for act, text in said:
        full = text + lme4.convergence_hint * text.startswith("Model failed to converge")
        if act == "stop":
            raise CheckError(full)
        if act != "ignore":
            (messages.change if act == "message" else messages.warn)(full)
    messages.tell()
    return optimum, tuple(messages.texts)


def _refined(devfun: DevianceFunction, optimum: Optimum, tol: float, *, least: float) -> Optimum:
    """Return where Newton's steps lead from an optimum, if they promise more than the `least`."""
    for _ in range(_NEWTON):
        gradient, promise = np.asarray(optimum.gradient), 0.0
        with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
            step = np.linalg.solve(np.asarray(optimum.hessian), gradient)
            promise = float(gradient @ step) / 2.0
        if not promise > least:
            break
        # What is not singular stays so.
        par = np.clip(optimum.par - step, devfun.bounds[0] + tol, devfun.bounds[1] - tol)
        value, last = devfun(par), promise <= _PROMISE
        if not value < optimum.criterion + _ROUNDING * last:
            break
        optimum = replace(optimum, par=par, criterion=value)
        if last:
            break
        optimum = _with_derivatives(devfun, optimum)
    return optimum


def _with_derivatives(devfun: DevianceFunction, optimum: Optimum) -> Optimum:
    """Return the optimum with gradient and Hessian, by lme4's central differences (``deriv12``)."""
    steps = np.eye(optimum.par.size) * _STEP

    def value(*moves: FloatArray) -> float:
        return devfun.criterion(optimum.par + sum(moves))

    above, below = (np.array([value(sign * step) for step in steps]) for sign in (1, -1))
    with np.errstate(all="ignore"):
        # A response that is fitted exactly has a criterion of -Inf.
        gradient = (above - below) / (2.0 * _STEP)
        hessian = np.diag((above - 2.0 * optimum.criterion + below) / _STEP**2)
    for i, j in zip(*np.tril_indices(steps.shape[0], -1), strict=True):
        one, other = steps[i], steps[j]
        corners = value(one, other) - value(one, -other) - value(-one, other) + value(-one, -other)
        hessian[i, j] = hessian[j, i] = corners / (2.0 * _STEP) ** 2
    return replace(optimum, gradient=gradient, hessian=hessian)


def _doubts(optimum: Optimum, covariances: int, control: FitControl) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the derivatives at an optimum, and what is to be done."""
    gradient, hessian = np.asarray(optimum.gradient), np.asarray(optimum.hessian)
    (action, tol), (act, least) = control.check_conv_grad, control.check_conv_hess
    if not np.isfinite(hessian).all():
        yield action, "unable to evaluate scaled gradient"
        yield act, "Problem with Hessian check (infinite or missing values?)"
        return
    try:
        # R solves with the upper triangle of the Cholesky decomposition.
        scaled = np.linalg.solve(np.linalg.cholesky(hessian).T, gradient)
        largest = float(np.minimum(np.abs(scaled), np.abs(gradient)).max())
        if largest > tol:
            # lme4 looks for the component in a vector of length one.
            found = f"max|grad| = {largest:g} (tol = {tol:g}, component 1)"
            yield action, f"Model failed to converge with {found}"
    except np.linalg.LinAlgError:
        yield action, "unable to evaluate scaled gradient"
    for kind, part in (("fixed-effect", hessian[covariances:, covariances:]), ("", hessian)):
        values, unsure = np.linalg.eigvalsh(part), "Model is nearly unidentifiable: "
        negative = int((values < -least).sum())
        if negative:
            found = f"degenerate {kind} Hessian with {negative} negative eigenvalues"
            yield act, f"Model failed to converge: {found}"
        elif (np.abs(values) < least).any():
            found = "Hessian is numerically singular: parameters are not uniquely determined"
            yield act, f"{kind} {found}"
        elif values.size:
            if values[-1] * least > 1:
                yield act, f"{unsure}very large eigenvalue\n - Rescale variables?"
            if values[0] / values[-1] < least:
                yield act, f"{unsure}large eigenvalue ratio\n - Rescale variables?"


def covariance_at(optimum: Optimum, solution: Solution) -> FloatArray:
    """Return the covariance of the fixed effects: of the Hessian if it has them and is trusted."""
    count = solution.par.size
    if optimum.hessian is not None and optimum.par.size > count:
        with suppress(np.linalg.LinAlgError):
            inverse = np.linalg.inv(optimum.hessian)[count:, count:]
            found = inverse + inverse.T
            if np.isfinite(found).all() and np.linalg.eigvalsh(found).min() > 0:
                return np.asarray(found)
    return solution.scale**2 * solution.unscaled_vcov
