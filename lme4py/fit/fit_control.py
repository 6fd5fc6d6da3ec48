"""What steers a fit: the part of ``lmerControl`` and ``glmerControl`` that no matrix needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import mapping_of
from lme4py.control import Control
from lme4py.errors import CheckError, DataError, nearest

__all__ = ["Check", "FitControl", "fit_control"]

_ACTIONS = ("message", "warning", "stop", "ignore")
_OPTIMIZERS = ("nloptwrap", "bobyqa", "cobyqa")
_LIMITS = ("xtol_abs", "ftol_abs", "maxeval")
# Other names of the limits, as other optimisers of lme4 spell them.
_SPELLED = {"rhoend": "xtol_abs", "maxfun": "maxeval"}


@dataclass(frozen=True, slots=True)
class Check:
    """A check of convergence (lme4's ``.makeCC``).

    Parameters
    ----------
    action : {"message", "warning", "stop", "ignore"}
    tol : float
    """

    action: str
    tol: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitControl(Abbreviated):
    """How a fit is looked for, and what is checked of it.

    Parameters
    ----------
    optimizer : str or None
        ``"nloptwrap"`` and ``"bobyqa"`` are BOBYQA of nlopt, or COBYQA of scipy where nlopt is
        not installed; ``"cobyqa"`` is the latter. None takes the starting values as they are.
    restart_edge : bool
        Go on from an optimum on a bound where the criterion falls into the inside.
    boundary_tol : float
        A parameter nearer to its bound is put there if that makes the criterion no larger.
    calc_derivs : bool or None
        Whether gradient and Hessian are computed; None for lme4's choice, by the size.
    xtol_abs, ftol_abs : float
        An optimiser stops at steps, or improvements, that are smaller.
    maxeval : int
        And after so many evaluations.
    check_conv_grad, check_conv_singular, check_conv_hess : Check
    nAGQ0initStep : bool
        Whether a generalized fit begins with the fixed effects inside of PIRLS.
    """

    optimizer: str | None = "nloptwrap"
    restart_edge: bool = True
    boundary_tol: float = 1e-5
    calc_derivs: bool | None = None
    xtol_abs: float = 1e-8
    ftol_abs: float = 1e-8
    maxeval: int = 100_000
    check_conv_grad: Check = Check("warning", 2e-3)
    check_conv_singular: Check = Check("message", 1e-4)
    check_conv_hess: Check = Check("warning", 1e-6)
    nAGQ0initStep: bool = True


def fit_control(
    control: Control | Mapping[str, Any] | None, *, generalized: bool
) -> tuple[Control | dict[str, Any] | None, FitControl]:
    """Return what of a control concerns the matrices, and what the fit.

    Parameters
    ----------
    control : Control, mapping or None
        The arguments of ``lmerControl`` or ``glmerControl``, in R's spelling or ours.
    generalized : bool

    Raises
    ------
    DataError, CheckError
        For a value that an option cannot have.

    Examples
    --------
    >>> checks, fitting = fit_control({"optCtrl": {"maxfun": 50}, "check.nlev.gtr.1": "ignore"},
    ...                               generalized=False)
    >>> checks, fitting.maxeval
    ({'check.nlev.gtr.1': 'ignore'}, 50)
    """
    # Of the second step of glmer, whose parameters are scaled.
    default = FitControl(restart_edge=False, ftol_abs=1e-11) if generalized else FitControl()
    if control is None or isinstance(control, Control):
        return control, default
    known = {item.name: item.name for item in fields(FitControl) if item.name not in _LIMITS}
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
        limit = _SPELLED.get(name, name)
        if limit not in _LIMITS:
            raise DataError(
                f"optCtrl has no option '{name}'", hint=nearest(name, [*_LIMITS, *_SPELLED])
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise DataError(f"optCtrl: {name} must be a number above 0")
        found[limit] = int(value) if limit == "maxeval" else float(value)
    return found


def _value(name: str, value: Any, default: Any) -> Any:
    """Return one option, checked."""
    shown = name.replace("_", ".")
    if name == "optimizer":
        chosen = value if isinstance(value, str) or value is None else _last(value)
        if chosen is not None and chosen not in _OPTIMIZERS:
            raise DataError(
                f"couldn't find optimizer function {chosen}",
                hint=f"there are {', '.join(_OPTIMIZERS)}",
            )
        return chosen
    if isinstance(default, Check):
        parts = {"action": value} if isinstance(value, str) else dict(value or {})
        action, tol = parts.pop("action", default.action), parts.pop("tol", default.tol)
        if parts or action not in _ACTIONS:
            raise CheckError(f"invalid control level ‘{action}’ in {shown}")
        return Check(action, float(tol))
    if name == "boundary_tol":
        return float(value)
    if value is None and name == "calc_derivs":
        return None
    if not isinstance(value, bool):
        raise DataError(f"{shown} must be True or False, not {value!r}")
    return value


def _last(value: Any) -> Any:
    """Return the optimiser of the second step, where glmer is given one for each."""
    names = list(value)
    return names[-1] if names else None
