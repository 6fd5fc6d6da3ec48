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
from lme4py.fit.convergence import check_convergence, is_at_bound
from lme4py.fit.fit_control import FitControl, fit_control
from lme4py.fit.fitted import EstimatedTerm, FittedModel
from lme4py.fit.generalized import GeneralizedDeviance, GeneralizedSolution, mk_glmer_devfun
from lme4py.fit.linear import LinearDeviance, LinearSolution, mk_lmer_devfun
from lme4py.fit.optimise import Criterion, Optimum, derivatives, minimised
from lme4py.formula.deparse import deparse
from lme4py.formula.formula import Formula
from lme4py.formula.parse import parse
from lme4py.matrices.reterms import RandomEffects
from lme4py.messages import Messages
from lme4py.versions import LME4_2, Lme4

__all__ = ["fit_linear", "glmer", "lmer", "optimize_glmer", "optimize_lmer"]

Start: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None
# lme4 computes no derivatives beyond so many rows and parameters.
_MOST_ROWS, _MOST_LINEAR, _MOST_GENERALIZED = 10_000, 10, 20


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
    return _optimized(devfun, start, fit_control(control, generalized=False)[1])


def _optimized(devfun: LinearDeviance, start: Start, control: FitControl) -> Optimum:
    first, _ = _starting(start, devfun.start, None)
    first = devfun.random.within_bounds(first)
    return minimised(Criterion(devfun, devfun.lower, devfun.upper), first, control)


def _starting(
    start: Start, par: FloatArray, beta: FloatArray | None
) -> tuple[FloatArray, FloatArray | None]:
    """Return the starting values of par and of the fixed effects (``getStart``)."""
    if start is None:
        return par, beta
    given = dict(start) if isinstance(start, Mapping) else {"par": start}
    places = {"par": "par", "theta": "par", "fixef": "fixef", "beta": "fixef"}
    allowed = [name for name, place in places.items() if beta is not None or place == "par"]
    invalid = [str(name) for name in given if name not in allowed]
    if invalid:
        raise DataError(
            f"'start' has invalid names {', '.join(invalid)}",
            hint=f"there are {', '.join(allowed)}",
        )
    found = {"par": par, "fixef": beta}
    for name, value in given.items():
        place, default = places[name], found[places[name]]
        try:
            numbers = np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise DataError("'start' has non-numeric components") from None
        if default is not None and numbers.shape != default.shape:
            raise DataError(
                f"starting value of '{place}' has length not equal to {default.size}",
                hint=f"it has {numbers.size}",
            )
        found[place] = numbers
    return np.asarray(found["par"]), found["fixef"]


class LinearFitOptions(LinearOptions, total=False):
    """The arguments of `lmer`, for type checkers."""

    start: Start
    lme4: str
    sparse_X: bool


def lmer(formula: str | Formula, data: Any, **options: Unpack[LinearFitOptions]) -> FittedModel:
    """Fit a linear mixed model as lme4's ``lmer`` does.

    Parameters
    ----------
    formula, data
        As for `lformula`.
    start : array-like or mapping, optional
        Starting values of the covariance parameters, ``par``.
    control : mapping, optional
        Arguments of ``lmerControl``: those that `lformula` takes, ``optimizer``,
        ``optCtrl``, ``restart_edge``, ``boundary.tol``, ``calc.derivs`` and
        ``check.conv.grad``, ``check.conv.singular``, ``check.conv.hess``.
    **options
        Every other argument of `lformula`: ``reml``, ``weights``, ``offset``, ...

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
    start = options.pop("start", None)
    checks, fitting = fit_control(options.get("control"), generalized=False)
    shown = _shown(options)
    options["control"] = checks
    design: MixedDesign[Any] = lformula(formula, data, **options)  # type: ignore[call-overload]
    return fit_linear(mk_lmer_devfun(design), start, fitting, design, shown, stacklevel=4)


def _shown(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments that are printed with a fit."""
    return {
        name: deparse(parse(options[name])) if isinstance(options[name], str) else "(values)"
        for name in ("weights", "offset", "subset")
        if options.get(name) is not None
    }


def fit_linear(
    devfun: LinearDeviance,
    start: Start = None,
    control: FitControl | None = None,
    design: MixedDesign[Any] | None = None,
    call: Mapping[str, str] | None = None,
    *,
    stacklevel: int = 3,
) -> FittedModel:
    """Fit the model of a deviance function, and check the optimum (``mkMerMod``).

    Parameters
    ----------
    devfun : LinearDeviance
    start : array-like or mapping, optional
    control : FitControl, optional
    design : MixedDesign, optional
        The rows; without them the fit has estimates only.
    call : mapping of str to str, optional
        Arguments that are printed.
    stacklevel : int
        As for `warnings.warn`.
    """
    control = FitControl() if control is None else control
    lme4 = LME4_2 if design is None else design.formula.lme4
    optimum = _optimized(devfun, start, control)
    optimum, said = _examined(devfun, optimum, control, _MOST_LINEAR, lme4, stacklevel + 1)
    solution = devfun.at(optimum.par)
    names = [f"x{at + 1}" for at in range(solution.beta.size)]
    return FittedModel(
        formula="" if design is None else str(design.formula),
        family=None,
        reml=devfun.reml and solution.beta.size > 0,
        nAGQ=1,
        names=tuple(names if design is None else design.fixed.names),
        coefficients=solution.beta,
        covariance=solution.sigma**2 * solution.unscaled_vcov,
        sigma=solution.sigma,
        par=solution.par,
        theta=solution.theta,
        lower=devfun.lower,
        upper=devfun.upper,
        terms=_estimated(devfun.random, solution, solution.sigma),
        n=devfun.n,
        minus_two_log_likelihood=solution.criterion_by(reml=False),
        criterion=optimum.criterion,
        optimum=optimum,
        matrix_messages=() if design is None else _of_x(design),
        convergence_messages=said,
        version=lme4.version,
        call={} if call is None else call,
        spec=None if design is None else design.learned,
        design=design,
        solution=solution,
    )


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
    return _generalized_optimum(devfun, start, fit_control(control, generalized=True)[1])


def _generalized_optimum(devfun: GeneralizedDeviance, start: Start, control: FitControl) -> Optimum:
    inside = replace(devfun, nAGQ=0)
    if devfun.nAGQ == 0:
        par, _ = _starting(start, devfun.random.par, None)
        par = devfun.random.within_bounds(par)
        return minimised(Criterion(devfun, devfun.lower, devfun.upper), par, control)
    par, _ = _starting(start, devfun.random.par, np.zeros(devfun.fixed))
    begun = inside.at(par)
    par, beta = _starting(start, begun.par, begun.beta)
    errors = begun.scale * np.sqrt(np.diag(begun.unscaled_vcov))
    # The first steps of lme4's Nelder_Mead are as long.
    scale = 0.2 * np.concatenate([np.full(par.size, 0.1), np.minimum(errors, 10.0)])
    first = np.concatenate(
        [devfun.random.within_bounds(par), np.zeros(0) if beta is None else beta]
    )
    return minimised(Criterion(devfun, devfun.lower, devfun.upper, scale), first, control)


class GeneralizedFitOptions(GeneralizedOptions, total=False):
    """The arguments of `glmer`, for type checkers."""

    start: Start
    nAGQ: int
    lme4: str
    sparse_X: bool


def glmer(
    formula: str | Formula, data: Any, **options: Unpack[GeneralizedFitOptions]
) -> FittedModel:
    """Fit a generalized linear mixed model as lme4's ``glmer`` does.

    Parameters
    ----------
    formula, data
        As for `glformula`.
    nAGQ : int, default 1
        1 for the Laplace approximation; more for so many points of adaptive Gauss-Hermite
        quadrature, with one scalar random-effects term; 0 to leave the fixed effects to
        PIRLS, which is quicker and less exact.
    start : mapping, optional
        Starting values ``{"par": ..., "fixef": ...}``.
    control : mapping, optional
        Arguments of ``glmerControl``, as for `lmer`, and ``nAGQ0initStep``.
    **options
        Every other argument of `glformula`: ``family``, ``weights``, ``offset``, ...

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
    start, nAGQ = options.pop("start", None), options.pop("nAGQ", 1)
    checks, fitting = fit_control(options.get("control"), generalized=True)
    shown = _shown(options)
    options["control"] = checks
    design: MixedDesign[Any] = glformula(formula, data, **options)  # type: ignore[call-overload]
    if design.family is None:
        warnings.warn(
            "calling glmer() with family=gaussian (identity link) as a shortcut to lmer() is "
            "deprecated; please call lmer() directly",
            Lme4pyWarning,
            stacklevel=2,
        )
        return fit_linear(mk_lmer_devfun(design), start, fitting, design, shown)
    return _fit_generalized(design, nAGQ, start, fitting, shown)


def _fit_generalized(
    design: MixedDesign[Any], nAGQ: int, start: Start, control: FitControl, call: Mapping[str, str]
) -> FittedModel:
    """Fit a generalized model in lme4's two steps."""
    devfun = mk_glmer_devfun(design, nAGQ)
    random, lme4 = design.random, design.formula.lme4
    if nAGQ > 0 and control.nAGQ0initStep and control.optimizer is not None:
        inside = replace(devfun, nAGQ=0)
        par, beta = _starting(start, random.par, np.zeros(devfun.fixed))
        rough = replace(control, boundary_tol=0.0, restart_edge=False)
        begun = inside.at(_generalized_optimum(inside, par, rough).par)
        devfun = devfun.begun_at(begun)
        given = isinstance(start, Mapping) and not {"fixef", "beta"}.isdisjoint(start)
        start = {"par": begun.par, "fixef": beta if given and beta is not None else begun.beta}
    optimum = _generalized_optimum(devfun, start, control)
    optimum, said = _examined(devfun, optimum, control, _MOST_GENERALIZED, lme4, 5)
    solution = devfun.at(optimum.par)
    scale = solution.scale
    return FittedModel(
        formula=str(design.formula),
        family=design.family,
        reml=False,
        nAGQ=nAGQ,
        names=tuple(design.fixed.names),
        coefficients=solution.beta,
        covariance=_generalized_vcov(solution, optimum, random.par.size),
        sigma=solution.sigma,
        par=solution.par,
        theta=solution.theta,
        lower=random.lower,
        upper=random.upper,
        terms=_estimated(random, solution, scale),
        n=design.model_frame.rows,
        minus_two_log_likelihood=optimum.criterion,
        criterion=optimum.criterion,
        optimum=optimum,
        matrix_messages=_of_x(design),
        convergence_messages=said,
        version=lme4.version,
        call=call,
        spec=design.learned,
        design=design,
        solution=solution,
    )


def _generalized_vcov(
    solution: GeneralizedSolution, optimum: Optimum, covariances: int
) -> FloatArray:
    """Return the covariance of the fixed effects: from the Hessian, if there is one to trust."""
    plain = solution.scale**2 * solution.unscaled_vcov
    if optimum.hessian is None or len(optimum.hessian) == covariances:
        return plain
    try:
        inverse = np.linalg.inv(optimum.hessian)[covariances:, covariances:]
    except np.linalg.LinAlgError:
        return plain
    found = inverse + inverse.T
    if not np.isfinite(found).all() or np.linalg.eigvalsh(found).min(initial=np.inf) <= 0:
        return plain
    return np.asarray(found)


def _examined(
    devfun: LinearDeviance | GeneralizedDeviance,
    optimum: Optimum,
    control: FitControl,
    most: int,
    lme4: Lme4,
    stacklevel: int,
) -> tuple[Optimum, tuple[str, ...]]:
    """Compute derivatives where lme4 does, check the optimum, and say what was found."""
    criterion = Criterion(devfun, devfun.lower, devfun.upper)
    rows = devfun.n if isinstance(devfun, LinearDeviance) else devfun.eta.size
    wanted = control.calc_derivs
    if wanted is None:
        small = rows < _MOST_ROWS and optimum.par.size < most
        wanted = optimum.optimizer != "none" and (small or not lme4.skips_derivatives)
    tol = control.check_conv_singular.tol
    singular = is_at_bound(optimum.par, criterion.lower, criterion.upper, tol)
    if isinstance(devfun, GeneralizedDeviance) and devfun.nAGQ == 0:
        wanted = False
    if wanted and not (singular and lme4.skips_derivatives):
        gradient, hessian = derivatives(
            lambda par: devfun.solution(par).criterion, optimum.par, optimum.criterion
        )
        optimum = replace(optimum, gradient=gradient, hessian=hessian)
    messages = Messages()
    check_convergence(
        optimum,
        criterion,
        control,
        messages,
        covariances=devfun.random.par.size,
        hint=lme4.convergence_hint,
    )
    messages.tell(stacklevel=stacklevel + 1)
    return optimum, tuple(messages.texts)


def _of_x(design: MixedDesign[Any]) -> tuple[str, ...]:
    """Return what lme4 keeps of its checks of X."""
    begin = ("fixed-effect model matrix is", "Some predictor variables are")
    return tuple(text for text in design.messages if text.startswith(begin))


def _estimated(
    random: RandomEffects, solution: LinearSolution | GeneralizedSolution, scale: float
) -> tuple[EstimatedTerm, ...]:
    """Return the terms with their estimates; covariances are relative to `scale` squared."""
    found, b = [], np.asarray(solution.b)
    for term, relative, begin in zip(
        random.terms, random.covariance(solution.par), random.Gp[:-1], strict=True
    ):
        size = term.levels * term.columns
        modes = b[begin : begin + size].reshape(term.levels, term.columns)
        found.append(
            EstimatedTerm(
                relative.label,
                relative.group,
                relative.names,
                relative.structure,
                scale**2 * relative.matrix,
                term.covariance.hom and relative.structure in ("cs", "ar1"),
                tuple(map(str, term.group.levels)),
                modes,
            )
        )
    return tuple(found)
