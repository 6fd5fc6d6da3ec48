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
from lme4py.fit.fitted import EstimatedTerm, FittedModel
from lme4py.fit.generalized import GeneralizedDeviance, mk_glmer_devfun
from lme4py.fit.linear import LinearDeviance, LinearSolution, mk_lmer_devfun
from lme4py.fit.optimise import Deviance, FitControl, Optimum, examined, fit_control, minimised
from lme4py.formula.deparse import deparse
from lme4py.formula.formula import Formula
from lme4py.formula.parse import parse
from lme4py.versions import LME4_2

__all__ = ["fit_model", "glmer", "lmer", "optimize_glmer", "optimize_lmer"]

Start: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None


class LinearFitOptions(LinearOptions, total=False):
    """The arguments of `lmer`, for type checkers."""

    start: Start
    sparse_X: bool


class GeneralizedFitOptions(GeneralizedOptions, total=False):
    """The arguments of `glmer`, for type checkers."""

    start: Start
    nAGQ: int
    sparse_X: bool


def lmer(formula: str | Formula, data: Any, **options: Unpack[LinearFitOptions]) -> FittedModel:
    """Fit a linear mixed model as lme4's ``lmer`` does.

    Parameters
    ----------
    formula, data
        As for `lformula`.
    **options
        Every argument of `lformula` (``reml``, ``weights``, ``offset``, ...), and ``start``, values
        of the covariance parameters. ``control`` takes ``optimizer``, ``optCtrl``,
        ``restart_edge``, ``boundary.tol``, ``calc.derivs``, ``check.conv.grad``,
        ``check.conv.singular`` and ``check.conv.hess`` besides.

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
    start, shown = options.pop("start", None), _shown(options)
    options["control"], control = fit_control(options.get("control"), generalized=False)
    design: MixedDesign[Any] = lformula(formula, data, **options)  # type: ignore[call-overload]
    return fit_model(mk_lmer_devfun(design), design, start, control, shown, stacklevel=3)


def glmer(
    formula: str | Formula, data: Any, **options: Unpack[GeneralizedFitOptions]
) -> FittedModel:
    """Fit a generalized linear mixed model as lme4's ``glmer`` does, in its two steps.

    Parameters
    ----------
    formula, data
        As for `glformula`.
    **options
        Every argument of `glformula` (``family``, ``weights``, ``offset``, ...); ``start``, a
        mapping such as ``{"par": ..., "fixef": ...}``; ``control``, as for `lmer`, and
        ``nAGQ0initStep``; ``nAGQ``: 1, the default, for the Laplace approximation, more for so
        many points of adaptive Gauss-Hermite quadrature with one scalar random-effects term,
        0 to leave the fixed effects to PIRLS, which is quicker and less exact.

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
    start, nAGQ, shown = options.pop("start", None), options.pop("nAGQ", 1), _shown(options)
    options["control"], control = fit_control(options.get("control"), generalized=True)
    design: MixedDesign[Any] = glformula(formula, data, **options)  # type: ignore[call-overload]
    if design.family is None:
        text = (
            "calling glmer() with family=gaussian (identity link) as a shortcut to lmer() is "
            "deprecated; please call lmer() directly"
        )
        warnings.warn(text, Lme4pyWarning, stacklevel=2)
        return fit_model(mk_lmer_devfun(design), design, start, control, shown)
    devfun = mk_glmer_devfun(design, nAGQ)
    if nAGQ > 0 and control.nAGQ0initStep and control.optimizer is not None:
        inside = replace(devfun, nAGQ=0)
        par, beta = _starting(start, design.random.par, np.full(devfun.fixed, np.nan))
        rough = replace(control, boundary_tol=0.0)
        begun = inside.at(_optimum(inside, par, rough).par)
        devfun = devfun.begun_at(begun)
        start = {"par": begun.par, "fixef": begun.beta if np.isnan(beta).any() else beta}
    return fit_model(devfun, design, start, control, shown, stacklevel=3)


def _shown(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments that are printed with a fit."""
    return {
        name: deparse(parse(options[name])) if isinstance(options[name], str) else "(values)"
        for name in ("weights", "offset", "subset")
        if options.get(name) is not None
    }


def optimize_lmer(
    devfun: LinearDeviance,
    *,
    start: Start = None,
    control: Control | Mapping[str, Any] | None = None,
) -> Optimum:
    """Return the minimum of a linear model's criterion (``optimizeLmer``).

    Parameters
    ----------
    devfun : LinearDeviance
        From `mk_lmer_devfun`.
    start : array-like or mapping, optional
        Starting values of ``par``, or ``{"par": ...}``; lme4's own if not given.
    control : mapping, optional
        Arguments of ``lmerControl``.

    Returns
    -------
    Optimum

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> optimum = optimize_lmer(lme4py.mk_lmer_devfun(design))
    >>> round(optimum.criterion, 6), optimum.par.round(4).tolist()
    (1786.465085, [1.1979])
    """
    return _optimum(devfun, start, fit_control(control, generalized=False)[1])


def optimize_glmer(
    devfun: GeneralizedDeviance,
    *,
    start: Start = None,
    control: Control | Mapping[str, Any] | None = None,
) -> Optimum:
    """Return the minimum of a generalized model's criterion (``optimizeGlmer``).

    Parameters
    ----------
    devfun : GeneralizedDeviance
        From `mk_glmer_devfun`: with ``nAGQ=0`` the first of lme4's two steps, otherwise the
        second, which begins at the fixed effects that PIRLS finds.
    start : array-like or mapping, optional
        Starting values of ``par``, or ``{"par": ..., "fixef": ...}``.
    control : mapping, optional
        Arguments of ``glmerControl``.

    Returns
    -------
    Optimum

    Examples
    --------
    >>> import lme4py
    >>> data = {"y": [1, 0, 4, 3, 2, 5, 9, 9], "g": list("aabbccdd")}
    >>> design = lme4py.glformula("y ~ 1 + (1 | g)", data, family="poisson")
    >>> optimum = optimize_glmer(lme4py.mk_glmer_devfun(design))
    >>> round(optimum.criterion, 5), optimum.par.round(4).tolist()
    (36.18293, [0.7599, 1.1584])
    """
    return _optimum(devfun, start, fit_control(control, generalized=True)[1])


def _optimum(devfun: Deviance, start: Start, control: FitControl) -> Optimum:
    if isinstance(devfun, LinearDeviance):
        par, _ = _starting(start, devfun.start, None)
        return minimised(devfun, devfun.random.within_bounds(par), control)
    if not isinstance(devfun, GeneralizedDeviance):
        raise DataError(
            f"a deviance function is needed, not {type(devfun).__name__}",
            hint="mk_lmer_devfun and mk_glmer_devfun make them",
        )
    unknown = np.full(devfun.fixed, np.nan) if devfun.nAGQ > 0 else None
    par, beta = _starting(start, devfun.random.par, unknown)
    par = devfun.random.within_bounds(par)
    if not devfun.fixed:
        return minimised(devfun, par, control)
    begun = replace(devfun, nAGQ=0).at(par)
    errors = begun.scale * np.sqrt(np.diag(begun.unscaled_vcov))
    # The first steps of lme4's Nelder_Mead are as long.
    scale = 0.2 * np.concatenate([np.full(par.size, 0.1), np.minimum(errors, 10.0)])
    beta = begun.beta if np.isnan(beta).any() else beta
    return minimised(devfun, np.concatenate([par, beta]), control, scale)


def _starting(
    start: Start, par: FloatArray, beta: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the starting values of par and of the fixed effects (``getStart``)."""
    found, places = {"par": par}, {"par": "par", "theta": "par"}
    if beta is not None:
        found["fixef"] = beta
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
    return found["par"], found.get("fixef", np.zeros(0))


def fit_model(
    devfun: Deviance,
    design: MixedDesign[Any] | None = None,
    start: Start = None,
    control: FitControl | None = None,
    call: Mapping[str, str] | None = None,
    *,
    stacklevel: int = 2,
) -> FittedModel:
    """Minimise a deviance function, check the optimum, and return the fit (``mkMerMod``).

    Parameters
    ----------
    devfun : LinearDeviance or GeneralizedDeviance
    design : MixedDesign, optional
        The rows; without them the fit has estimates only.
    start, control, call, stacklevel
        As `optimize_lmer`, `fit_control`, `FittedModel` and `warnings.warn` take them.
    """
    lme4 = LME4_2 if design is None else design.formula.lme4
    control = FitControl() if control is None else control
    optimum = _optimum(devfun, start, control)
    optimum, said = examined(devfun, optimum, control, lme4, stacklevel + 1)
    solution, random = devfun.at(optimum.par), devfun.random
    b, scale, terms = np.asarray(solution.b), solution.scale, []
    for term, one, begin in zip(
        random.terms, random.covariance(solution.par), random.Gp[:-1], strict=True
    ):
        modes = b[begin : begin + term.levels * term.columns].reshape(term.levels, term.columns)
        common = term.covariance.hom and one.structure in ("cs", "ar1")
        texts, matrix = tuple(map(str, term.group.levels)), scale**2 * one.matrix
        shown = (one.label, one.group, one.names, one.structure, matrix)
        terms.append(EstimatedTerm(*shown, texts, modes, common))
    covariance, hessian = scale**2 * solution.unscaled_vcov, optimum.hessian
    if devfun.fixed and hessian is not None:
        covariance = _from_hessian(hessian, random.par.size, covariance)
    begins = ("fixed-effect model matrix is", "Some predictor variables are")
    unnamed = [f"x{at + 1}" for at in range(solution.beta.size)]
    return FittedModel(
        formula="" if design is None else str(design.formula),
        version=lme4.version,
        family=None if design is None else design.family,
        reml=isinstance(devfun, LinearDeviance) and devfun.reml,
        nAGQ=1 if isinstance(devfun, LinearDeviance) else devfun.nAGQ,
        names=tuple(unnamed if design is None else design.fixed.names),
        coefficients=solution.beta,
        covariance=covariance,
        sigma=solution.sigma,
        par=solution.par,
        theta=solution.theta,
        lower=random.lower,
        upper=random.upper,
        terms=tuple(terms),
        n=devfun.n if isinstance(devfun, LinearDeviance) else devfun.eta.size,
        criterion=optimum.criterion,
        minus_two_log_likelihood=(
            solution.criterion_by(reml=False)
            if isinstance(solution, LinearSolution)
            else optimum.criterion
        ),
        optimum=optimum,
        matrix_messages=tuple(
            text for text in (design.messages if design else ()) if text.startswith(begins)
        ),
        convergence_messages=said,
        call=call or {},
        spec=None if design is None else design.learned,
        design=design,
        solution=solution,
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
