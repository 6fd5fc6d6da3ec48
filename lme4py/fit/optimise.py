"""The minimum of a deviance function: BOBYQA on lme4's path, the bounds, and lme4's checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import flag_of, mapping_of, number_of
from lme4py.control import Control
from lme4py.data.values import FloatArray
from lme4py.errors import CheckError, DataError, nearest
from lme4py.fit.linear import DevianceFunction, LinearDeviance
from lme4py.messages import Messages
from lme4py.versions import Lme4

Limits: TypeAlias = tuple[FloatArray, FloatArray]

_STEP, _EDGE, _ROUNDING = 1e-4, 1e-5, 1e-10
# Newton's steps end where they promise no more than that, or after so many.
_PROMISE, _NEWTON = 1e-8, 5
# COBYQA goes on from its bounds so often, from so far inside, while it gains so much.
_RESTARTS, _NEAR, _INSIDE, _GAIN = 6, 0.01, 0.3, 1e-8
# optCtrl's names, as each of lme4's optimisers spells them.
_LIMITS = {name: name for name in ("xtol_abs", "ftol_abs", "maxeval")}
_LIMITS |= {"rhoend": "xtol_abs", "maxfun": "maxeval"}
# lme4 computes no derivatives beyond so many rows and parameters.
_MOST_ROWS, _MOST_LINEAR, _MOST_GENERALIZED = 10_000, 10, 20


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitControl(Abbreviated):
    """What of ``lmerControl`` and ``glmerControl`` no matrix needs; checks have a tolerance."""

    optimizer: str | None = "nloptwrap"
    restart_edge: bool = True
    boundary_tol: float = 1e-5
    calc_derivs: bool | None = None
    xtol_abs: float = 1e-8
    ftol_abs: float = 1e-8
    maxeval: int = 100_000
    check_conv_grad: tuple[str, float] = ("warning", 2e-3)
    check_conv_singular: tuple[str, float] = ("message", 1e-4)
    check_conv_hess: tuple[str, float] = ("warning", 1e-6)
    nAGQ0initStep: bool = True


def fit_control(
    control: Control | Mapping[str, Any] | None, *, generalized: bool
) -> tuple[Control | dict[str, Any] | None, FitControl]:
    """Return what of a control concerns the matrices, and what the fit.

    Examples
    --------
    >>> checks, fitting = fit_control({"optCtrl": {"maxfun": 50}, "check.nlev.gtr.1": "ignore"},
    ...                               generalized=False)
    >>> checks, fitting.maxeval
    ({'check.nlev.gtr.1': 'ignore'}, 50)
    """
    # The parameters of glmer's second step are scaled.
    default = FitControl(restart_edge=False, ftol_abs=1e-11) if generalized else FitControl()
    if control is None or isinstance(control, Control):
        return control, default
    known = {item.name for item in fields(FitControl)} - set(_LIMITS)
    checks, changes = dict[str, Any](), dict[str, Any]()
    for given, value in mapping_of("control", control, '{"optimizer": "bobyqa"}').items():
        name = str(given).replace(".", "_")
        if name == "optCtrl":
            limits = mapping_of("optCtrl", value, '{"maxfun": 1000}')
            changes |= dict(_limit(str(each), limits[each]) for each in limits)
        elif name in known:
            changes[name] = _option(name, value, getattr(default, name))
        else:
            checks[given] = value
    return checks, replace(default, **changes)


def _limit(name: str, value: Any) -> tuple[str, float]:
    if name not in _LIMITS:
        raise DataError(f"optCtrl has no option '{name}'", hint=nearest(name, _LIMITS))
    number = number_of(f"optCtrl: {name}", value)
    number = int(number) if _LIMITS[name] == "maxeval" else number
    if number <= 0:
        raise DataError(f"optCtrl: {name} must be a number above 0, not {value}")
    return _LIMITS[name], number


def _option(name: str, value: Any, default: Any) -> Any:
    option = name.replace("_", ".")
    if name == "optimizer":
        # Of glmer's two, that of the second step.
        chosen = value[-1] if isinstance(value, list | tuple) and value else value
        if chosen not in (None, "nloptwrap", "bobyqa", "cobyqa"):
            hint = "there are nloptwrap, bobyqa, cobyqa"
            raise DataError(f"couldn't find optimizer function {chosen}", hint=hint)
        return chosen
    if isinstance(default, tuple):
        example = '{"action": "warning", "tol": 0.002}'
        parts = {"action": value} if isinstance(value, str) else mapping_of(option, value, example)
        action, tol = parts.get("action", default[0]), parts.get("tol", default[1])
        if action not in ("message", "warning", "stop", "ignore"):
            raise CheckError(f"invalid control level ‘{action}’ in {option}")
        return action, number_of(f"{option}: tol", tol)
    if isinstance(default, float):
        return number_of(option, value)
    return default if value is None else flag_of(option, value)


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


def minimised(
    devfun: DevianceFunction,
    start: FloatArray,
    control: FitControl,
    unit: FloatArray | None = None,
) -> Optimum:
    """Return the minimum (lme4's ``optwrap``, with what it does at bounds).

    With units the search is for parameters divided by them, and begins with steps of 1.
    """
    step, unit = (None, np.ones(start.size)) if unit is None else (1.0, unit)
    bounds, count = devfun.bounds, 1
    with np.errstate(all="ignore"):
        best, least = start, devfun(start)
    if np.isnan(least):
        hint = "the numbers are too large: rescale variables"
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


def _bobyqa(
    function: Any, first: FloatArray, limits: Limits, control: FitControl, step: float | None
) -> tuple[str, bool]:
    """Minimise by nlopt's BOBYQA, as lme4 does; return what it says, and whether it converged."""
    import nlopt

    optimiser = nlopt.opt(nlopt.LN_BOBYQA, first.size)
    optimiser.set_min_objective(function)
    optimiser.set_lower_bounds(limits[0])
    optimiser.set_upper_bounds(limits[1])
    optimiser.set_xtol_abs(control.xtol_abs)
    optimiser.set_ftol_abs(control.ftol_abs)
    optimiser.set_maxeval(control.maxeval)
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
    options = {"maxfev": control.maxeval, "final_tr_radius": control.xtol_abs}
    options["initial_tr_radius"] = step or 0.5
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


def examined(
    devfun: DevianceFunction, optimum: Optimum, control: FitControl, lme4: Lme4, stacklevel: int
) -> tuple[Optimum, tuple[str, ...]]:
    """Compute derivatives where lme4 does, and say what it says of the optimum (``checkConv``).

    Where they promise more than a last digit of the criterion, Newton's steps go there.
    """
    linear, newton = isinstance(devfun, LinearDeviance), optimum.optimizer != "none"
    wanted = control.calc_derivs
    if wanted is None:
        most = _MOST_LINEAR if linear else _MOST_GENERALIZED
        small = devfun.n < _MOST_ROWS and optimum.par.size < most
        wanted = newton and (small or not lme4.skips_derivatives)
    action, tol = control.check_conv_singular
    singular = is_at_bound(optimum.par, devfun.bounds, tol)
    if wanted and (linear or devfun.fixed) and not (singular and lme4.skips_derivatives):
        optimum = _with_derivatives(devfun, optimum)
        # glmer's fixed effects move with the parameters: the last of its steps costs nothing.
        least = _PROMISE if linear else 0.0
        for _ in range(_NEWTON * (newton and optimum.converged and not singular)):
            step, promise = _newtons(optimum)
            if promise < 0.0 and linear:
                # A long valley leads on.
                again = minimised(devfun, optimum.par, control)
                if again.criterion < optimum.criterion - _PROMISE:
                    return examined(devfun, again, control, lme4, stacklevel + 1)
            # What is not singular stays so.
            par = np.clip(optimum.par - step, devfun.bounds[0] + tol, devfun.bounds[1] - tol)
            small = promise <= _PROMISE
            value = devfun(par) if promise > least else np.inf
            if not value < optimum.criterion + _ROUNDING * small:
                break
            optimum = replace(optimum, par=par, criterion=value)
            if small:
                break
            optimum = _with_derivatives(devfun, optimum)
    messages = Messages()
    if not optimum.converged:
        messages.warn(f"convergence code 5 from {optimum.optimizer}: {optimum.message}")
    said = [(action, "boundary (singular) fit: see help('isSingular')")] if singular else []
    if not singular and optimum.hessian is not None:
        said = list(_doubts(optimum, devfun.random.par.size, control))
    for act, text in said:
        full = text + lme4.convergence_hint * text.startswith("Model failed to converge")
        if act == "stop":
            raise CheckError(full)
        if act != "ignore":
            (messages.change if act == "message" else messages.warn)(full)
    messages.tell(stacklevel=stacklevel + 1)
    return optimum, tuple(messages.texts)


def _newtons(optimum: Optimum) -> tuple[FloatArray, float]:
    """Return Newton's next step, to be taken off, and how far the criterion ought to fall."""
    gradient, hessian = np.asarray(optimum.gradient), np.asarray(optimum.hessian)
    with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
        step = np.linalg.solve(hessian, gradient)
        return step, float(gradient @ step) / 2.0
    return gradient, 0.0


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
