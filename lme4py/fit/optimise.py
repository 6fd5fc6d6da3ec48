"""The minimum of a deviance function: BOBYQA on lme4's path, the bounds, and lme4's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import mapping_of, number_of
from lme4py.control import Control
from lme4py.data.values import FloatArray
from lme4py.errors import CheckError, DataError, nearest
from lme4py.fit.generalized import GeneralizedDeviance
from lme4py.fit.linear import LinearDeviance
from lme4py.messages import Messages
from lme4py.versions import Lme4

__all__ = [
    "Deviance",
    "FitControl",
    "Optimum",
    "examined",
    "fit_control",
    "is_at_bound",
    "minimised",
]

Deviance: TypeAlias = LinearDeviance | GeneralizedDeviance

_STEP, _EDGE = 1e-4, 1e-5
# COBYQA goes on from its bounds so often, from so far inside, while it gains so much.
_RESTARTS, _NEAR, _INSIDE, _GAIN = 6, 0.01, 0.3, 1e-8
_ACTIONS = ("message", "warning", "stop", "ignore")
_OPTIMIZERS = ("nloptwrap", "bobyqa", "cobyqa")
# optCtrl's names, as each of lme4's optimisers spells them.
_LIMITS = {"xtol_abs": "xtol_abs", "ftol_abs": "ftol_abs", "maxeval": "maxeval"}
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
    checks: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for given, value in mapping_of("control", control, '{"optimizer": "bobyqa"}').items():
        name = str(given).replace(".", "_")
        if name == "optCtrl":
            changes |= _limits(value)
        elif name in known:
            changes[name] = _value(name, value, getattr(default, name))
        else:
            checks[given] = value
    return checks, replace(default, **changes)


def _limits(given: Any) -> dict[str, Any]:
    found = {}
    for name, value in mapping_of("optCtrl", given, '{"maxfun": 1000}').items():
        if name not in _LIMITS:
            raise DataError(f"optCtrl has no option '{name}'", hint=nearest(str(name), _LIMITS))
        number = number_of(f"optCtrl: {name}", value)
        if number <= 0:
            raise DataError(f"optCtrl: {name} must be a number above 0, not {number:g}")
        found[_LIMITS[name]] = int(number) if _LIMITS[name] == "maxeval" else number
    return found


def _value(name: str, value: Any, default: Any) -> Any:
    """Return one option, checked."""
    if name == "optimizer":
        # Of glmer's two, that of the second step.
        chosen = value[-1] if isinstance(value, list | tuple) and value else value
        if chosen is not None and not (isinstance(chosen, str) and chosen in _OPTIMIZERS):
            hint = f"there are {', '.join(_OPTIMIZERS)}"
            raise DataError(f"couldn't find optimizer function {chosen}", hint=hint)
        return chosen
    if isinstance(default, tuple):
        option = name.replace("_", ".")
        example = '{"action": "warning", "tol": 0.002}'
        parts = {"action": value} if isinstance(value, str) else mapping_of(option, value, example)
        action, tol = parts.get("action", default[0]), parts.get("tol")
        if not isinstance(action, str) or action not in _ACTIONS:
            raise CheckError(f"invalid control level ‘{action}’ in {option}")
        return action, default[1] if tol is None else number_of(f"{option}: tol", tol)
    if name == "boundary_tol":
        return number_of("boundary.tol", value)
    if not isinstance(value, bool) and not (value is None and name == "calc_derivs"):
        raise DataError(f"{name} must be True or False, not {value!r}")
    return value


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
    devfun: Deviance, start: FloatArray, control: FitControl, scale: FloatArray | None = None
) -> Optimum:
    """Return the minimum (lme4's ``optwrap``, with what it does at bounds)."""
    with np.errstate(all="ignore"):
        begun = devfun(start)
    if np.isnan(begun):
        raise DataError(
            "objective in x0 returns NA", hint="the numbers are too large: rescale variables"
        )
    if control.optimizer is None:
        return Optimum(
            par=start,
            criterion=begun,
            evaluations=1,
            optimizer="none",
            message="no optimization",
            converged=True,
        )
    found = _once(devfun, start, control, scale)
    if control.restart_edge and _falls_inside(devfun, found):
        again = _once(devfun, found.par, control, scale)
        evaluations = found.evaluations + again.evaluations
        found = again if again.criterion <= found.criterion else found
        found = replace(found, evaluations=evaluations)
    for bounds in (devfun.lower, devfun.upper):
        distance = np.abs(found.par - bounds)
        for at in np.flatnonzero((distance > 0) & (distance < control.boundary_tol)):
            moved = _moved(found.par, at, bounds[at])
            value = devfun(moved)
            if value < found.criterion:
                found = replace(found, par=moved, criterion=value)
    return found


def _moved(par: FloatArray, at: Any, value: float) -> FloatArray:
    return np.where(np.arange(par.size) == at, value, par)


def _falls_inside(devfun: Deviance, found: Optimum) -> bool:
    """Tell whether the criterion falls from a bound into the inside."""
    return any(
        devfun(_moved(found.par, at, bounds[at] + step)) < found.criterion
        for bounds, step in ((devfun.lower, _EDGE), (devfun.upper, -_EDGE))
        for at in np.flatnonzero(found.par == bounds)
    )


def _once(
    devfun: Deviance, start: FloatArray, control: FitControl, scale: FloatArray | None
) -> Optimum:
    """Minimise in the scale of the first steps: by nlopt's BOBYQA, or scipy's COBYQA without it."""
    unit = np.ones(start.size) if scale is None else scale
    lower, upper = devfun.lower / unit, devfun.upper / unit
    first = np.clip(start / unit, lower, upper)
    best, least, count = start, np.inf, 0

    def function(moved: FloatArray, *_: Any) -> float:
        nonlocal best, least, count
        par, count = np.clip(moved * unit, devfun.lower, devfun.upper), count + 1
        value = devfun(par)
        if value < least:
            best, least = par, value
        return value if np.isfinite(value) else float(np.finfo(float).max)

    if control.optimizer != "cobyqa" and find_spec("nlopt") is not None:
        import nlopt

        optimiser = nlopt.opt(nlopt.LN_BOBYQA, start.size)
        optimiser.set_min_objective(function)
        optimiser.set_lower_bounds(lower)
        optimiser.set_upper_bounds(upper)
        optimiser.set_xtol_abs(control.xtol_abs)
        optimiser.set_ftol_abs(control.ftol_abs)
        optimiser.set_maxeval(control.maxeval)
        if scale is not None:
            optimiser.set_initial_step(1.0)
        code = nlopt.ROUNDOFF_LIMITED
        try:
            optimiser.optimize(first)
            code = optimiser.last_optimize_result()
        except nlopt.RoundoffLimited:
            pass
        names = ("FTOL_REACHED", "XTOL_REACHED", "MAXEVAL_REACHED", "ROUNDOFF_LIMITED")
        said = {getattr(nlopt, name): f"NLOPT_{name}" for name in names}
        name, message = "nloptwrap", said.get(code, f"NLopt code {code}")
        converged = code > 0 and code != nlopt.MAXEVAL_REACHED
    else:
        from scipy import optimize

        # Its types know no COBYQA in scipy 1.14.
        minimize: Any = optimize.minimize
        options = {"maxfev": control.maxeval, "final_tr_radius": control.xtol_abs}
        options["initial_tr_radius"] = 0.5 if scale is None else 1.0
        bounds = optimize.Bounds(lower, upper)
        for _ in range(_RESTARTS):
            before = least
            result = minimize(function, first, method="COBYQA", bounds=bounds, options=options)
            # It may stay near a bound that BOBYQA leaves.
            near = best / unit < lower + _NEAR
            if not least < before - _GAIN or not near.any():
                break
            first = np.where(near, lower + _INSIDE, best / unit)
        name, message, converged = "cobyqa", str(result.message), bool(result.success)
    return Optimum(
        par=best,
        criterion=float(least),
        evaluations=count,
        optimizer=name,
        message=message,
        converged=converged,
    )


def is_at_bound(par: FloatArray, lower: FloatArray, upper: FloatArray, tol: float) -> bool:
    """Tell whether a parameter lies on one of its bounds (lme4's ``isSingular``)."""
    return bool(np.minimum(par - lower, upper - par).min(initial=np.inf) < tol)


def examined(
    devfun: Deviance, optimum: Optimum, control: FitControl, lme4: Lme4, stacklevel: int
) -> tuple[Optimum, tuple[str, ...]]:
    """Compute derivatives where lme4 does, and say what it says of the optimum (``checkConv``)."""
    linear = isinstance(devfun, LinearDeviance)
    rows = devfun.n if isinstance(devfun, LinearDeviance) else devfun.eta.size
    small = rows < _MOST_ROWS and optimum.par.size < (_MOST_LINEAR if linear else _MOST_GENERALIZED)
    wanted = control.calc_derivs
    if wanted is None:
        wanted = optimum.optimizer != "none" and (small or not lme4.skips_derivatives)
    action, tol = control.check_conv_singular
    singular = is_at_bound(optimum.par, devfun.lower, devfun.upper, tol)
    if wanted and (linear or devfun.fixed) and not (singular and lme4.skips_derivatives):
        optimum = _with_derivatives(devfun, optimum)
    messages = Messages()
    if not optimum.converged:
        messages.warn(f"convergence code 5 from {optimum.optimizer}: {optimum.message}")
    said = [(action, "boundary (singular) fit: see help('isSingular')")] if singular else []
    if not singular and optimum.gradient is not None and optimum.hessian is not None:
        covariances = devfun.random.par.size
        said = list(_doubts(optimum.gradient, optimum.hessian, covariances, control))
    for act, text in said:
        full = text + lme4.convergence_hint * text.startswith("Model failed to converge")
        if act == "stop":
            raise CheckError(full)
        if act != "ignore":
            (messages.change if act == "message" else messages.warn)(full)
    messages.tell(stacklevel=stacklevel + 1)
    return optimum, tuple(messages.texts)


def _with_derivatives(devfun: Deviance, optimum: Optimum) -> Optimum:
    """Return the optimum with gradient and Hessian, by lme4's central differences (``deriv12``)."""

    def value(step: FloatArray) -> float:
        return devfun.solution(optimum.par + step).criterion

    steps = np.eye(optimum.par.size) * _STEP
    above, below = (np.array([value(sign * step) for step in steps]) for sign in (1, -1))
    with np.errstate(all="ignore"):
        # A response that is fitted exactly has a criterion of -Inf.
        gradient = (above - below) / (2.0 * _STEP)
        hessian = np.diag((above - 2.0 * optimum.criterion + below) / _STEP**2)
    for i, one in enumerate(steps):
        for j, other in enumerate(steps[:i]):
            corners = value(one + other) - value(one - other) - value(other - one)
            hessian[i, j] = (corners + value(-one - other)) / (2.0 * _STEP) ** 2
            hessian[j, i] = hessian[i, j]
    return replace(optimum, gradient=gradient, hessian=hessian)


def _doubts(
    gradient: FloatArray, hessian: FloatArray, covariances: int, control: FitControl
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the derivatives at an optimum, and what is to be done."""
    action, tol = control.check_conv_grad
    if not np.isfinite(hessian).all():
        yield action, "unable to evaluate scaled gradient"
        yield control.check_conv_hess[0], "Problem with Hessian check (infinite or missing values?)"
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
    action, tol = control.check_conv_hess
    parts = [("fixed-effect", hessian[covariances:, covariances:]), ("", hessian)]
    for kind, part in parts if len(hessian) > covariances else parts[1:]:
        values, unsure = np.linalg.eigvalsh(part), "Model is nearly unidentifiable: "
        negative = int((values < -tol).sum())
        if negative:
            found = f"degenerate {kind} Hessian with {negative} negative eigenvalues"
            yield action, f"Model failed to converge: {found}"
        elif (np.abs(values) < tol).any():
            found = "Hessian is numerically singular: parameters are not uniquely determined"
            yield action, f"{kind} {found}"
        else:
            if values[-1] * tol > 1:
                yield action, f"{unsure}very large eigenvalue\n - Rescale variables?"
            if values[0] / values[-1] < tol:
                yield action, f"{unsure}large eigenvalue ratio\n - Rescale variables?"
