"""The minimum of a criterion: BOBYQA on lme4's path, and the corrections at the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import FloatArray
from lme4py.fit.fit_control import FitControl

__all__ = ["Criterion", "Optimum", "derivatives", "minimised"]

_STEP = 1e-4
_EDGE = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """A function to be minimised, with its bounds.

    Parameters
    ----------
    function : callable
        Takes the parameters.
    lower, upper : ndarray of float64
    scale : ndarray of float64 or None
        How far the first steps go; the optimiser's own choice if None.
    """

    function: Callable[[FloatArray], float]
    lower: FloatArray
    upper: FloatArray
    scale: FloatArray | None = None

    def __call__(self, par: FloatArray) -> float:
        """Return the value at some parameters."""
        return self.function(par)


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
    optimizer : str
        Its name.
    message : str
        What the optimiser said at the end.
    converged : bool
        Whether it ended by its tolerances.
    gradient : ndarray of float64, shape (k,), or None
    hessian : ndarray of float64, shape (k, k), or None
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


def minimised(criterion: Criterion, start: FloatArray, control: FitControl) -> Optimum:
    """Return the minimum of a criterion (lme4's ``optwrap``, with what it does at bounds).

    Parameters
    ----------
    criterion : Criterion
    start : ndarray of float64
    control : FitControl
    """
    if control.optimizer is None:
        value = criterion(start)
        return Optimum(
            par=start,
            criterion=value,
            evaluations=1,
            optimizer="none",
            message="no optimization",
            converged=True,
        )
    found = _once(criterion, start, control)
    if control.restart_edge and _falls_inside(criterion, found):
        again = _once(criterion, found.par, control)
        evaluations = found.evaluations + again.evaluations
        found = again if again.criterion <= found.criterion else found
        found = replace(found, evaluations=evaluations)
    return _at_bounds(criterion, found, control.boundary_tol)


def _once(criterion: Criterion, start: FloatArray, control: FitControl) -> Optimum:
    start = np.clip(start, criterion.lower, criterion.upper)
    if control.optimizer != "cobyqa" and find_spec("nlopt") is not None:
        return _nlopt(criterion, start, control)
    return _cobyqa(criterion, start, control)


def _nlopt(criterion: Criterion, start: FloatArray, control: FitControl) -> Optimum:
    import nlopt

    best, least, count = start, np.inf, 0

    scale = np.ones(start.size) if criterion.scale is None else criterion.scale

    def function(moved: FloatArray, _: FloatArray) -> float:
        nonlocal best, least, count
        count += 1
        par = np.clip(moved * scale, criterion.lower, criterion.upper)
        value = criterion(par)
        if value < least:
            best, least = par, value
        return value if np.isfinite(value) else float(np.finfo(float).max)

    optimiser = nlopt.opt(nlopt.LN_BOBYQA, start.size)
    optimiser.set_min_objective(function)
    optimiser.set_lower_bounds(criterion.lower / scale)
    optimiser.set_upper_bounds(criterion.upper / scale)
    optimiser.set_xtol_abs(control.xtol_abs)
    optimiser.set_ftol_abs(control.ftol_abs)
    optimiser.set_maxeval(control.maxeval)
    if criterion.scale is not None:
        optimiser.set_initial_step(1.0)
    try:
        optimiser.optimize(start / scale)
        code = optimiser.last_optimize_result()
    except nlopt.RoundoffLimited:
        code = nlopt.ROUNDOFF_LIMITED
    messages = {
        nlopt.FTOL_REACHED: "NLOPT_FTOL_REACHED: Optimization stopped because ftol_rel or "
        "ftol_abs (above) was reached.",
        nlopt.XTOL_REACHED: "NLOPT_XTOL_REACHED: Optimization stopped because xtol_rel or "
        "xtol_abs (above) was reached.",
        nlopt.MAXEVAL_REACHED: "NLOPT_MAXEVAL_REACHED: Optimization stopped because maxeval "
        "(above) was reached.",
        nlopt.ROUNDOFF_LIMITED: "NLOPT_ROUNDOFF_LIMITED: Roundoff errors led to a breakdown of "
        "the optimization algorithm. In this case, the returned minimum may still be useful.",
    }
    return Optimum(
        par=best,
        criterion=float(least),
        evaluations=count,
        optimizer="nloptwrap",
        message=messages.get(code, f"NLopt code {code}"),
        converged=code > 0 and code != nlopt.MAXEVAL_REACHED,
    )


def _cobyqa(criterion: Criterion, start: FloatArray, control: FitControl) -> Optimum:
    from scipy import optimize

    # Its types know no COBYQA in scipy 1.14.
    minimize: Any = optimize.minimize
    scale = np.ones(start.size) if criterion.scale is None else criterion.scale
    options: Any = {
        "maxfev": control.maxeval,
        "initial_tr_radius": 0.5 if criterion.scale is None else 1.0,
        "final_tr_radius": control.xtol_abs,
    }
    found: Any = minimize(
        lambda moved: criterion(np.clip(moved * scale, criterion.lower, criterion.upper)),
        start / scale,
        method="COBYQA",
        bounds=optimize.Bounds(criterion.lower / scale, criterion.upper / scale),
        options=options,
    )
    return Optimum(
        par=np.clip(found.x * scale, criterion.lower, criterion.upper),
        criterion=float(found.fun),
        evaluations=int(found.nfev),
        optimizer="cobyqa",
        message=str(found.message),
        converged=bool(found.success),
    )


def _falls_inside(criterion: Criterion, found: Optimum) -> bool:
    """Tell whether the criterion falls from a bound into the inside."""
    for bounds, step in ((criterion.lower, _EDGE), (criterion.upper, -_EDGE)):
        for at in np.flatnonzero(found.par == bounds):
            moved = found.par.copy()
            moved[at] += step
            if criterion(moved) < found.criterion:
                return True
    return False


def _at_bounds(criterion: Criterion, found: Optimum, tolerance: float) -> Optimum:
    """Put parameters that are near their bounds there, if the criterion does not mind."""
    for bounds in (criterion.lower, criterion.upper):
        distance = np.abs(found.par - bounds)
        for at in np.flatnonzero((distance > 0) & (distance < tolerance)):
            moved = found.par.copy()
            moved[at] = bounds[at]
            value = criterion(moved)
            if value < found.criterion:
                found = replace(found, par=moved, criterion=value)
    return found


def derivatives(
    function: Callable[[FloatArray], float], par: FloatArray, value: float
) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian by central differences (lme4's ``deriv12``).

    Bounds are no concern here: the criterion of a singular fit is not asked for.
    """
    size = par.size
    steps = np.eye(size) * _STEP
    above = np.array([function(par + step) for step in steps])
    below = np.array([function(par - step) for step in steps])
    hessian = np.diag((above - 2.0 * value + below) / _STEP**2)
    for i in range(size):
        for j in range(i):
            corners = (
                function(par + steps[i] + steps[j])
                - function(par + steps[i] - steps[j])
                - function(par - steps[i] + steps[j])
                + function(par - steps[i] - steps[j])
            )
            hessian[i, j] = hessian[j, i] = corners / (2.0 * _STEP) ** 2
    return (above - below) / (2.0 * _STEP), hessian
