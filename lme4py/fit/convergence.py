"""lme4's checks of an optimum, with its words (``checkConv``)."""

from __future__ import annotations

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.errors import CheckError
from lme4py.fit.fit_control import Check, FitControl
from lme4py.fit.optimise import Criterion, Optimum
from lme4py.messages import Messages

__all__ = ["SINGULAR", "check_convergence", "is_at_bound"]

SINGULAR = "boundary (singular) fit: see help('isSingular')"


def is_at_bound(par: FloatArray, lower: FloatArray, upper: FloatArray, tol: float) -> bool:
    """Tell whether a parameter lies on one of its bounds (lme4's ``isSingular``)."""
    return bool(np.minimum(par - lower, upper - par).min(initial=np.inf) < tol)


def check_convergence(
    optimum: Optimum,
    criterion: Criterion,
    control: FitControl,
    messages: Messages,
    *,
    covariances: int,
    hint: str,
) -> None:
    """Say what lme4 says of an optimum.

    Parameters
    ----------
    optimum : Optimum
    criterion : Criterion
    control : FitControl
        How much each check minds, and what each does.
    messages : Messages
        Takes what they say.
    covariances : int
        How many of the parameters are covariance parameters: the first.
    hint : str
        What lme4 adds to its warnings.

    Raises
    ------
    CheckError
        If a check is to stop.
    """
    if not optimum.converged:
        messages.warn(f"convergence code 5 from {optimum.optimizer}: {optimum.message}")
    singular = control.check_conv_singular
    if is_at_bound(optimum.par, criterion.lower, criterion.upper, singular.tol):
        _say(singular, SINGULAR, messages)
        return
    if optimum.gradient is None or optimum.hessian is None:
        return
    if np.isnan(optimum.gradient).any():
        messages.warn("Gradient contains NAs")
        return
    text = _of_gradient(optimum.gradient, optimum.hessian, control.check_conv_grad.tol, hint)
    if text is not None:
        _say(control.check_conv_grad, text, messages)
    hessian, tol = optimum.hessian, control.check_conv_hess.tol
    if len(hessian) > covariances:
        fixed = hessian[covariances:, covariances:]
        for text in _of_hessian(fixed, tol, "fixed-effect ", hint):
            _say(control.check_conv_hess, text, messages)
    for text in _of_hessian(hessian, tol, "", hint):
        _say(control.check_conv_hess, text, messages)


def _say(check: Check, text: str, messages: Messages) -> None:
    match check.action:
        case "message":
            messages.change(text)
        case "warning":
            messages.warn(text)
        case "stop":
            raise CheckError(text)
        case _:
            pass


def _of_gradient(gradient: FloatArray, hessian: FloatArray, tol: float, hint: str) -> str | None:
    """Return what is wrong with a gradient, by itself and relative to the curvature."""
    try:
        # R solves with the upper triangle of the Cholesky decomposition.
        scaled = np.linalg.solve(np.linalg.cholesky(hessian).T, gradient)
    except np.linalg.LinAlgError:
        return "unable to evaluate scaled gradient"
    largest = float(np.minimum(np.abs(scaled), np.abs(gradient)).max())
    if largest <= tol:
        return None
    # lme4 looks for the component in a vector of length one.
    found = f"max|grad| = {largest:g} (tol = {tol:g}, component 1)"
    return f"Model failed to converge with {found}{hint}"


def _of_hessian(hessian: FloatArray, tol: float, kind: str, hint: str) -> list[str]:
    """Return what is wrong with a Hessian (``checkHess``)."""
    if not np.isfinite(hessian).all():
        return ["Problem with Hessian check (infinite or missing values?)"]
    values = np.linalg.eigvalsh(hessian)
    negative = int((values < -tol).sum())
    if negative:
        said = f"degenerate {kind or ' '}Hessian with {negative} negative eigenvalues"
        return [f"Model failed to converge: {said}{hint}"]
    if (np.abs(values) < tol).any():
        return [
            f"{kind or ' '}Hessian is numerically singular: parameters are not uniquely determined"
        ]
    found = []
    begin, end = "Model is nearly unidentifiable: ", "\n - Rescale variables?"
    if values[-1] * tol > 1:
        found.append(f"{begin}very large eigenvalue{end}")
    if values[0] / values[-1] < tol:
        found.append(f"{begin}large eigenvalue ratio{end}")
    return found
