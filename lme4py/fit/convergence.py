"""The fit at an optimum (``mkMerMod``): derivatives, and lme4's checks (``checkConv``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.control import FitControl
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import CheckError
from lme4py.fit.fitted import CHECKS_OF_X, FittedModel
from lme4py.fit.generalized import GeneralizedDeviance
from lme4py.fit.linear import DevianceFunction
from lme4py.fit.optimise import Optimum, Start, after_first_step, is_at_bound, minimised
from lme4py.messages import Messages
from lme4py.spec.spec import Spec
from lme4py.versions import Lme4

# The steps of lme4's differences; it computes none beyond so many rows and parameters.
_STEP, _MOST_ROWS, _MOST_LINEAR, _MOST_GENERALIZED = 1e-4, 10_000, 10, 20
# Newton's steps end where they promise no more than the first, or after so many. A criterion that
# rises by less than the last has not risen.
_PROMISE, _NEWTON, _ROUNDING = 1e-8, 5, 1e-10


def fit_model(
    devfun: DevianceFunction,
    model: MixedDesign[Any] | Spec,
    start: Start = None,
    control: FitControl | None = None,
) -> FittedModel:
    """Minimise a deviance function, check the optimum, and return the fit (``mkMerMod``).

    Parameters
    ----------
    devfun : LinearDeviance or GeneralizedDeviance
    model : MixedDesign or Spec
        The rows; the recipe alone where there are only cross-products of them.
    start, control
        As `optimize_lmer` and `fit_control` have them.
    """
    control = FitControl() if control is None else control
    devfun, start = after_first_step(devfun, start, control)
    optimum = minimised(devfun, start, control)
    optimum, said = examined(devfun, optimum, control, model.formula.lme4)
    solution = devfun.at(optimum.par)
    covariance = solution.scale**2 * solution.unscaled_vcov
    if devfun.fixed and optimum.hessian is not None:
        covariance = _from_hessian(optimum.hessian, solution.par.size, covariance)
    of_X = [text for text in getattr(model, "messages", ()) if text.startswith(CHECKS_OF_X)]
    return FittedModel(
        **vars(solution),
        model=model,
        family=getattr(model, "family", None),
        reml=getattr(devfun, "reml", False),
        nAGQ=getattr(devfun, "nAGQ", 1),
        n=devfun.n,
        optimum=optimum,
        covariance=covariance,
        messages=(*of_X, *said),
    )


def examined(
    devfun: DevianceFunction, optimum: Optimum, control: FitControl, lme4: Lme4
) -> tuple[Optimum, tuple[str, ...]]:
    """Compute derivatives where lme4 does, and say what it says of the optimum (``checkConv``)."""
    generalized = isinstance(devfun, GeneralizedDeviance)
    action, tol = control.check_conv_singular
    singular = is_at_bound(optimum.par, devfun.bounds, tol)
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
        said = list(_doubts(optimum, devfun.random.par.size, control))
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


def _from_hessian(hessian: FloatArray, covariances: int, other: FloatArray) -> FloatArray:
    """Return the covariance of the fixed effects that the Hessian gives, if it can be trusted."""
    try:
        inverse = np.linalg.inv(hessian)[covariances:, covariances:]
    except np.linalg.LinAlgError:
        return other
    found = inverse + inverse.T
    good = np.isfinite(found).all() and np.linalg.eigvalsh(found).min(initial=np.inf) > 0
    return np.asarray(found) if good else other
