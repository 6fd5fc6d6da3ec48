"""``lmer`` and ``glmer``: a formula and data to a fitted model, and the steps between."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike

from lme4py.api import GeneralizedOptions, LinearOptions, glformula, lformula
from lme4py.control import Control
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyWarning
from lme4py.fit.fitted import CHECKS_OF_X, FittedModel
from lme4py.fit.generalized import GeneralizedDeviance, mk_glmer_devfun
from lme4py.fit.linear import DevianceFunction, LinearDeviance, mk_lmer_devfun
from lme4py.fit.optimise import FitControl, Optimum, examined, fit_control, minimised
from lme4py.formula.formula import Formula
from lme4py.spec.spec import Spec

Start: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None


def lmer(
    formula: str | Formula,
    data: Any,
    *,
    start: Start = None,
    sparse_X: bool = False,
    **options: Unpack[LinearOptions],
) -> FittedModel:
    """Fit a linear mixed model as lme4's ``lmer`` does.

    Parameters
    ----------
    formula, data, sparse_X, **options
        As for `lformula`: ``reml``, ``weights``, ``offset``, ... ``control`` takes ``optimizer``,
        ``optCtrl``, ``restart_edge``, ``boundary.tol``, ``calc.derivs``, ``check.conv.grad``,
        ``check.conv.singular`` and ``check.conv.hess`` besides.
    start : array-like or mapping, optional
        Values of the covariance parameters to start at; lme4's own if not given.

    Returns
    -------
    FittedModel

    Raises
    ------
    Lme4pyError
        As `lformula`, and where the response cannot be fitted.

    Warns
    -----
    Lme4pyWarning, Lme4pyMessage
        What lme4 says of the optimum.

    Examples
    --------
    >>> import lme4py
    >>> fit = lme4py.lmer("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> fit.fixef.round(2).to_dict(), round(fit.sigma, 2), fit.is_singular()
    ({'(Intercept)': 251.41, 'Days': 10.47}, 25.59, False)
    """
    options["control"], control = fit_control(options.get("control"), generalized=False)
    design = lformula(formula, data, sparse_X=sparse_X, **options)  # type: ignore[call-overload]
    return fit_model(mk_lmer_devfun(design), design, start, control, stacklevel=3)


def glmer(
    formula: str | Formula,
    data: Any,
    *,
    start: Start = None,
    nAGQ: int = 1,
    sparse_X: bool = False,
    **options: Unpack[GeneralizedOptions],
) -> FittedModel:
    """Fit a generalized linear mixed model as lme4's ``glmer`` does, in its two steps.

    Parameters
    ----------
    formula, data, sparse_X, **options
        As for `glformula`: ``family``, ``weights``, ``offset``, ... ``control`` is as for `lmer`,
        and takes ``nAGQ0initStep``.
    start : array-like or mapping, optional
        As for `lmer`, or ``{"par": ..., "fixef": ...}``.
    nAGQ : int, default 1
        1 for the Laplace approximation, more for so many points of adaptive Gauss-Hermite
        quadrature with one scalar random-effects term, 0 to leave the fixed effects to PIRLS,
        which is quicker and less exact.

    Returns
    -------
    FittedModel

    Raises
    ------
    Lme4pyError
        As `glformula`, where the response cannot be fitted, and where PIRLS fails.

    Warns
    -----
    Lme4pyWarning, Lme4pyMessage
        What lme4 says of the optimum.

    Examples
    --------
    >>> import lme4py
    >>> data = {"y": [1, 0, 4, 3, 2, 5, 9, 9], "g": list("aabbccdd")}
    >>> fit = lme4py.glmer("y ~ 1 + (1 | g)", data, family="poisson")
    >>> fit.fixef.round(4).to_dict(), round(fit.aic, 4)
    ({'(Intercept)': 1.1584}, 40.1829)
    """
    options["control"], control = fit_control(options.get("control"), generalized=True)
    design = glformula(formula, data, sparse_X=sparse_X, **options)  # type: ignore[call-overload]
    if design.family is None:
        text = (
            "calling glmer() with family=gaussian (identity link) as a shortcut to lmer() is "
            "deprecated; please call lmer() directly"
        )
        warnings.warn(text, Lme4pyWarning, stacklevel=2)
        return fit_model(mk_lmer_devfun(design), design, start, control)
    devfun = mk_glmer_devfun(design, nAGQ)
    if nAGQ > 0 and control.nAGQ0initStep and control.optimizer is not None:
        inside = replace(devfun, nAGQ=0)
        par, beta = _starting(start, devfun)
        par = _optimum(inside, par, replace(control, boundary_tol=0.0)).par
        begun = inside.modes(par)
        devfun = replace(devfun, eta=begun.eta, phi=begun.phi)
        start = {"par": par, "fixef": begun.beta if np.isnan(beta).any() else beta}
    return fit_model(devfun, design, start, control, stacklevel=3)


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
    generalized = isinstance(devfun, GeneralizedDeviance)
    return _optimum(devfun, start, fit_control(control, generalized=generalized)[1])


optimize_glmer = optimize_lmer


def _optimum(devfun: DevianceFunction, start: Start, control: FitControl) -> Optimum:
    if not isinstance(devfun, DevianceFunction):
        raise DataError(
            f"a deviance function is needed, not {type(devfun).__name__}",
            hint="mk_lmer_devfun and mk_glmer_devfun make them",
        )
    par, beta = _starting(start, devfun)
    par = devfun.random.within_bounds(par)
    if not isinstance(devfun, GeneralizedDeviance) or not devfun.fixed:
        return minimised(devfun, par, control)
    begun = replace(devfun, nAGQ=0).at(par)
    errors = begun.scale * np.sqrt(np.diag(begun.unscaled_vcov))
    # The first steps of lme4's Nelder_Mead are as long.
    scale = 0.2 * np.concatenate([np.full(par.size, 0.1), np.minimum(errors, 10.0)])
    beta = begun.beta if np.isnan(beta).any() else beta
    return minimised(devfun, np.concatenate([par, beta]), control, scale)


def _starting(start: Start, devfun: DevianceFunction) -> tuple[FloatArray, FloatArray]:
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
            raise DataError(
                f"starting value of '{places[name]}' has length not equal to {size}",
                hint=f"it has {numbers.size}",
            )
        found[places[name]] = numbers
    return found["par"], found["fixef"]


def fit_model(
    devfun: DevianceFunction,
    model: MixedDesign[Any] | Spec,
    start: Start = None,
    control: FitControl | None = None,
    *,
    stacklevel: int = 2,
) -> FittedModel:
    """Minimise a deviance function, check the optimum, and return the fit (``mkMerMod``).

    Parameters
    ----------
    devfun : LinearDeviance or GeneralizedDeviance
    model : MixedDesign or Spec
        The rows; the recipe alone where there are only cross-products of them.
    start, control, stacklevel
        As `optimize_lmer`, `fit_control` and `warnings.warn` take them.
    """
    control = FitControl() if control is None else control
    optimum = _optimum(devfun, start, control)
    optimum, said = examined(devfun, optimum, control, model.formula.lme4, stacklevel + 1)
    solution = devfun.at(optimum.par)
    covariance = solution.scale**2 * solution.unscaled_vcov
    if devfun.fixed and optimum.hessian is not None:
        covariance = _from_hessian(optimum.hessian, solution.par.size, covariance)
    of_X = [text for text in getattr(model, "messages", ()) if text.startswith(CHECKS_OF_X)]
    return FittedModel(
        **vars(solution),
        model=model,
        family=getattr(model, "family", None),
        reml=isinstance(devfun, LinearDeviance) and devfun.reml,
        nAGQ=devfun.nAGQ if isinstance(devfun, GeneralizedDeviance) else 1,
        n=devfun.n,
        optimum=optimum,
        covariance=covariance,
        messages=(*of_X, *said),
    )


def _from_hessian(hessian: FloatArray, covariances: int, other: FloatArray) -> FloatArray:
    """Return the covariance of the fixed effects that the Hessian gives, if it can be trusted."""
    try:
        inverse = np.linalg.inv(hessian)[covariances:, covariances:]
    except np.linalg.LinAlgError:
        return other
    found = inverse + inverse.T
    good = np.isfinite(found).all() and np.linalg.eigvalsh(found).min(initial=np.inf) > 0
    return np.asarray(found) if good else other
