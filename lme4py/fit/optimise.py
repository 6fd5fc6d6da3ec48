"""The minimum of a deviance function: BOBYQA on lme4's path, or COBYQA, and the bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control, FitControl, fit_control
from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.fit.generalized import GeneralizedDeviance
from lme4py.fit.linear import DevianceFunction, LinearDeviance

Start: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None
Limits: TypeAlias = tuple[FloatArray, FloatArray]

# So far inside of a bound lme4 looks whether a criterion falls.
_EDGE, _ROUNDING = 1e-5, 1e-10
# COBYQA goes on from its bounds so often, from so far inside, while it gains so much.
_RESTARTS, _NEAR, _INSIDE, _GAIN = 6, 0.01, 0.3, 1e-8


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
    if not isinstance(devfun, DevianceFunction):
        raise DataError(
            f"a deviance function is needed, not {type(devfun).__name__}",
            hint="mk_lmer_devfun and mk_glmer_devfun make them",
        )
    generalized = isinstance(devfun, GeneralizedDeviance)
    return minimised(devfun, start, fit_control(control, generalized=generalized)[1])


optimize_glmer = optimize_lmer


def after_first_step(
    devfun: DevianceFunction, start: Start, control: FitControl
) -> tuple[DevianceFunction, Start]:
    """Return where ``glmer``'s second step begins; the first has the fixed effects inside PIRLS."""
    if not (isinstance(devfun, GeneralizedDeviance) and devfun.nAGQ > 0):
        return devfun, start
    if not control.nAGQ0initStep or control.optimizer is None:
        return devfun, start
    par, beta = _starting(devfun, start)
    inside = replace(devfun, nAGQ=0)
    par = minimised(inside, par, replace(control, boundary_tol=0.0)).par
    modes = inside.modes(par)
    beta = modes.beta if np.isnan(beta).any() else beta
    return replace(devfun, eta=modes.eta, phi=modes.phi), {"par": par, "fixef": beta}


def minimised(devfun: DevianceFunction, start: Start, control: FitControl) -> Optimum:
    """Return the minimum (lme4's ``optwrap``, with what it does at bounds)."""
    best, beta = _starting(devfun, start)
    # With units the search is for parameters divided by them, and begins with steps of 1.
    step, unit, bounds, count = None, np.ones(best.size), devfun.bounds, 1
    if isinstance(devfun, GeneralizedDeviance) and devfun.fixed:
        begun = replace(devfun, nAGQ=0).at(best)
        errors = begun.scale * np.sqrt(np.diag(begun.unscaled_vcov))
        # The first steps of lme4's Nelder_Mead are as long.
        step, unit = 1.0, 0.2 * np.append(0.1 * unit, np.minimum(errors, 10.0))
        best = np.append(best, begun.beta if np.isnan(beta).any() else beta)
    least = devfun(best)
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

    def beside(distance: Callable[[FloatArray], Any], by: float) -> Iterator[FloatArray]:
        """Yield parameters with one of them moved to a bound, or so far inside of it."""
        for bound, sign in zip(bounds, (1.0, -1.0), strict=True):
            for at in np.flatnonzero(distance(np.abs(best - bound))):
                yield np.where(np.arange(best.size) == at, bound[at] + sign * by, best)

    name, message, converged = "none", "no optimization", True
    if control.optimizer is not None:
        own = control.optimizer != "cobyqa" and find_spec("nlopt") is not None
        name, optimise = ("nloptwrap", _bobyqa) if own else ("cobyqa", _cobyqa)
        limits = bounds[0] / unit, bounds[1] / unit
        for _ in range(1 + control.restart_edge):
            first = np.clip(best / unit, *limits)
            message, converged = optimise(value, first, limits, control, step)
            # The criterion may fall from a bound into the inside.
            if not any(devfun(probe) < least for probe in beside(lambda d: d == 0, _EDGE)):
                break
        for probe in beside(lambda d: (d > 0) & (d < control.boundary_tol), 0.0):
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


def _starting(devfun: DevianceFunction, start: Start) -> tuple[FloatArray, FloatArray]:
    """Return starting values of par and fixed effects, NaN if not given (``getStart``)."""
    found = {"par": devfun.start, "fixef": np.full(devfun.fixed, np.nan)}
    places = {"par": "par", "theta": "par"}
    if isinstance(devfun, GeneralizedDeviance) and devfun.nAGQ > 0:
        places |= {"fixef": "fixef", "beta": "fixef"}
    given: Mapping[str, Any] = start if isinstance(start, Mapping) else {"par": start}
    for name, value in {} if start is None else given.items():
        if name not in places:
            hint = f"there are {', '.join(places)}"
            raise DataError(f"'start' has invalid names {name}", hint=hint)
        try:
            numbers = np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise DataError("'start' has non-numeric components") from None
        size = found[places[name]].size
        if numbers.size != size:
            text = f"starting value of '{places[name]}' has length not equal to {size}"
            raise DataError(text, hint=f"it has {numbers.size}")
        found[places[name]] = numbers
    return devfun.random.within_bounds(found["par"]), found["fixef"]


def _bobyqa(
    function: Any, first: FloatArray, limits: Limits, control: FitControl, step: float | None
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
    names = ("FTOL_REACHED", "XTOL_REACHED", "MAXEVAL_REACHED", "ROUNDOFF_LIMITED")
    said = {getattr(nlopt, name): f"NLOPT_{name}" for name in names}
    return said.get(code, f"NLopt code {code}"), code > 0 and code != nlopt.MAXEVAL_REACHED


def _cobyqa(
    function: Any, first: FloatArray, limits: Limits, control: FitControl, step: float | None
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


def is_at_bound(par: FloatArray, bounds: Limits, tol: float) -> bool:
    """Tell whether a parameter lies on one of its bounds (lme4's ``isSingular``)."""
    return bool(np.minimum(par - bounds[0], bounds[1] - par).min(initial=np.inf) < tol)
