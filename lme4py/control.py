"""lme4's ``check.*`` options, with its values and defaults (``lmerControl``, ``glmerControl``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import flag_of, mapping_of, number_of
from lme4py.errors import CheckError, DataError, nearest

_LEVELS = ("message", "warning", "stop", "ignore")
_CHOICES = {
    "check_rankX": (
        *("message+drop.cols", "silent.drop.cols", "warn+drop.cols", "stop.deficient", "ignore"),
    ),
    "check_scaleX": (
        *("warning", "stop", "silent.rescale", "message+rescale", "warn+rescale", "ignore"),
    ),
}
_GENERALIZED_ONLY = "check_response_not_const"
# Arguments of lmerControl and glmerControl that no matrix needs, and `FitControl` does not have.
_FITTING = ("use.last.params", "sparseX", "standardize.X", "mod.type")
_FITTING_GENERALIZED = ("tolPwrss", "compDev")
_OPTIMIZERS = ("nloptwrap", "bobyqa", "cobyqa")
_LIMITS = {"xtol_abs": 1e-8, "ftol_abs": 1e-8, "maxeval": 100_000}
# optCtrl's names, as each of lme4's optimisers spells them.
_SPELLINGS = {name: name for name in _LIMITS} | {"rhoend": "xtol_abs", "maxfun": "maxeval"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What lme4's checks do when they find something.

    Values are those of lme4's ``lmerControl`` and ``glmerControl``, whose defaults are
    the same but for `check_response_not_const`, which only ``glmerControl`` has. None
    means what R's NULL means: the default for `check_rankX` and `check_scaleX`, no
    check for the others.

    Parameters
    ----------
    check_nobs_vs_rankZ : str
        Observations against the rank of Z; also with the suffix "Small", which skips
        matrices of more than a million elements.
    check_nobs_vs_nlev : str
        Observations against the levels of each grouping factor.
    check_nlev_gtreq_5 : str
        Grouping factors with fewer than five levels.
    check_nlev_gtr_1 : str
        Grouping factors with one level.
    check_nobs_vs_nRE : str
        Observations against the random effects of each term.
    check_rankX : str
        Columns of X that depend on others: "message+drop.cols", "silent.drop.cols",
        "warn+drop.cols", "stop.deficient", "ignore".
    check_scaleX : str
        Columns of X on very different scales: "warning", "stop", "silent.rescale",
        "message+rescale", "warn+rescale", "ignore".
    check_formula_LHS : str
        Formulas without a left side; only "stop" acts.
    check_response_not_const : str
        A response that is the same in every row; acts when `MixedDesign.response` is
        asked for, and in generalized models only.
    autoscale : bool or None
        Centre and scale every column of X but the intercept (lme4 2.x); off by default.

    Raises
    ------
    CheckError
        For a value that lme4 does not know.

    Examples
    --------
    >>> Control(check_nlev_gtr_1="ignore").check_rankX
    'message+drop.cols'
    >>> Control(check_nobs_vs_nlev="foo")
    Traceback (most recent call last):
    ...
    lme4py.errors.CheckError: invalid control level ‘foo’ in check.nobs.vs.nlev: valid options \
are {‘message’,‘warning’,‘stop’,‘ignore’}
    """

    check_nobs_vs_rankZ: str = "ignore"
    check_nobs_vs_nlev: str = "stop"
    check_nlev_gtreq_5: str = "ignore"
    check_nlev_gtr_1: str = "stop"
    check_nobs_vs_nRE: str = "stop"
    check_rankX: str = "message+drop.cols"
    check_scaleX: str = "warning"
    check_formula_LHS: str = "stop"
    check_response_not_const: str = "stop"
    autoscale: bool | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "autoscale":
                if value is not None and not isinstance(value, bool):
                    raise CheckError(
                        f"invalid value {value!r} in autoscale: valid options are NULL, TRUE, FALSE"
                    )
            elif value is None:
                choice = item.default if item.name in _CHOICES else "ignore"
                object.__setattr__(self, item.name, choice)
            else:
                _check(item.name, value)


def _check(name: str, value: Any) -> None:
    """Raise lme4's error for a value that an option cannot have."""
    allowed: tuple[str, ...] = _CHOICES.get(name, _LEVELS)
    if name == "check_nobs_vs_rankZ":
        allowed = (*_LEVELS, *(f"{level}Small" for level in _LEVELS))
    if isinstance(value, str) and value in allowed:
        return
    option = name.replace("_", ".")
    if name in _CHOICES:
        quoted = ", ".join(f"“{choice}”" for choice in allowed)
        raise CheckError(f"'arg' should be one of {quoted}", hint=f"in {option}: {value!r}")
    quoted = ",".join(f"‘{choice}’" for choice in allowed)
    raise CheckError(
        f"invalid control level ‘{value}’ in {option}: valid options are {{{quoted}}}",
        hint=nearest(str(value), allowed),
    )


_DEFAULTS = Control()


def control_of(
    control: Control | Mapping[str, Any] | None,
    *,
    generalized: bool = True,
    note: Callable[[str], None] | None = None,
) -> Control:
    """Return the control that an argument means.

    A mapping is read as the arguments of ``glmerControl``, or of ``lmerControl`` where the model
    is not `generalized`, in R's spelling or ours; `note` takes a text for every option that is
    R's but concerns fitting alone.
    """
    if control is None or isinstance(control, Control):
        return control or _DEFAULTS
    if not isinstance(control, Mapping):
        raise DataError("is.list(ctrl) is not TRUE", hint="give a lme4py.Control or a mapping")
    names = [item.name for item in fields(Control)]
    fitting = [*_FITTING, *(item.name.replace("_", ".") for item in fields(FitControl))]
    if generalized:
        fitting += _FITTING_GENERALIZED
    else:
        names.remove(_GENERALIZED_ONLY)
        fitting.remove("nAGQ0initStep")
    known = [spelled for name in names for spelled in (name, name.replace("_", "."))]
    options: dict[str, Any] = {}
    for given, value in control.items():
        spelled = str(given)
        name, dotted = spelled.replace(".", "_"), spelled.replace("_", ".")
        if dotted in fitting:
            if note is not None:
                note(f"control option '{spelled}' concerns the fit and changes no matrix")
        elif name not in known:
            unknown = name != _GENERALIZED_ONLY
            hint = (
                nearest(spelled, (*known, *fitting))
                if unknown
                else "glmerControl alone has this option"
            )
            raise DataError(f"unused argument ({spelled} = {value!r})", hint=hint)
        elif name in options:
            raise DataError(f'formal argument "{dotted}" matched by multiple actual arguments')
        else:
            options[name] = value
    return Control(**options)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitControl(Abbreviated):
    """What of ``lmerControl`` and ``glmerControl`` steers the fit; checks have a tolerance."""

    optimizer: str | None = "nloptwrap"
    restart_edge: bool = True
    boundary_tol: float = 1e-5
    calc_derivs: bool | None = None
    check_conv_grad: tuple[str, float] = ("warning", 2e-3)
    check_conv_singular: tuple[str, float] = ("message", 1e-4)
    check_conv_hess: tuple[str, float] = ("warning", 1e-6)
    nAGQ0initStep: bool = True
    optCtrl: Mapping[str, float] = field(default_factory=_LIMITS.copy)


def fit_control(
    control: Control | Mapping[str, Any] | None, *, generalized: bool
) -> tuple[Control | dict[str, Any] | None, FitControl]:
    """Return what of a control concerns the matrices, and what the fit.

    Examples
    --------
    >>> checks, fitting = fit_control({"optCtrl": {"maxfun": 50}, "check.nlev.gtr.1": "ignore"},
    ...                               generalized=False)
    >>> checks, fitting.optCtrl["maxeval"]
    ({'check.nlev.gtr.1': 'ignore'}, 50)
    """
    found = FitControl()
    if generalized:
        # The parameters of glmer's second step are scaled.
        found = FitControl(restart_edge=False, optCtrl=_LIMITS | {"ftol_abs": 1e-11})
    if control is None or isinstance(control, Control):
        return control, found
    own, checks, read = asdict(found), dict[str, Any](), dict[str, Any]()
    for given, value in mapping_of("control", control, '{"optimizer": "bobyqa"}').items():
        name = str(given).replace(".", "_")
        if name in own:
            read[name] = _fitting(name, value, own[name])
        else:
            checks[given] = value
    return checks, replace(found, **read)


def _fitting(name: str, value: Any, default: Any) -> Any:
    """Return the value of an option of the fit; what it may be tells its default."""
    option = name.replace("_", ".")
    match default:
        case str():
            # Of glmer's two optimisers, that of the second step.
            chosen = value[-1] if isinstance(value, list | tuple) and value else value
            if chosen not in (None, *_OPTIMIZERS):
                hint = f"there are {', '.join(_OPTIMIZERS)}"
                raise DataError(f"couldn't find optimizer function {chosen}", hint=hint)
            return chosen
        case (action, tol):
            given = {"action": value} if isinstance(value, str) else value
            given = mapping_of(option, given, '{"action": "warning", "tol": 0.002}')
            _check(name, given.get("action", action))
            return given.get("action", action), number_of(f"{option}: tol", given.get("tol", tol))
        case dict():
            limits = mapping_of(option, value, '{"maxfun": 1000}').items()
            return default | dict(_limit(str(each), limit) for each, limit in limits)
        case float():
            return number_of(option, value)
        case _:
            return default if value is None else flag_of(option, value)


def _limit(name: str, value: Any) -> tuple[str, float]:
    if name not in _SPELLINGS:
        raise DataError(f"optCtrl has no option '{name}'", hint=nearest(name, _SPELLINGS))
    number = number_of(f"optCtrl: {name}", value)
    number = int(number) if _SPELLINGS[name] == "maxeval" else number
    if number <= 0:
        raise DataError(f"optCtrl: {name} must be a number above 0, not {value}")
    return _SPELLINGS[name], number
