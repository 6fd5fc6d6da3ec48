"""lme4's ``check.*`` options, with its values and defaults (``lmerControl``, ``glmerControl``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lme4py.errors import CheckError, DataError, nearest

__all__ = ["Control", "control_of"]

_LEVELS = ("message", "warning", "stop", "ignore")
_RANK_X = (
    "message+drop.cols",
    "silent.drop.cols",
    "warn+drop.cols",
    "stop.deficient",
    "ignore",
)
_SCALE_X = (
    "warning",
    "stop",
    "silent.rescale",
    "message+rescale",
    "warn+rescale",
    "ignore",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What lme4's checks do when they find something.

    Parameters
    ----------
    check_nobs_vs_rankZ : str
        Observations against the rank of Z; also with the suffix "Small".
    check_nobs_vs_nlev : str
        Observations against the levels of each grouping factor.
    check_nlev_gtreq_5 : str
        Grouping factors with fewer than five levels.
    check_nlev_gtr_1 : str
        Grouping factors with one level.
    check_nobs_vs_nRE : str
        Observations against the random effects of each term.
    check_rankX : str
        Columns of X that depend on others.
    check_scaleX : str
        Columns of X on very different scales.
    check_formula_LHS : str
        Formulas without a left side.
    check_response_not_const : str
        A response that is the same in every row (generalized models).

    Raises
    ------
    CheckError
        For a value that lme4 does not know.

    Examples
    --------
    >>> Control(check_nlev_gtr_1="ignore").check_rankX
    'message+drop.cols'
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

    def __post_init__(self) -> None:
        for item in fields(self):
            value, name = getattr(self, item.name), item.name.replace("_", ".")
            if item.name in ("check_rankX", "check_scaleX"):
                allowed: tuple[str, ...] = _RANK_X if item.name == "check_rankX" else _SCALE_X
                if value not in allowed:
                    quoted = ", ".join(f"“{choice}”" for choice in allowed)
                    raise CheckError(
                        f"'arg' should be one of {quoted}", hint=f"in {name}: {value!r}"
                    )
                continue
            small = item.name == "check_nobs_vs_rankZ"
            allowed = (*_LEVELS, *(f"{level}Small" for level in _LEVELS)) if small else _LEVELS
            if value not in allowed:
                quoted = ",".join(f"‘{choice}’" for choice in allowed)
                raise CheckError(
                    f"invalid control level ‘{value}’ in {name}: valid options are {{{quoted}}}"
                )


def control_of(control: Control | Mapping[str, Any] | None) -> Control:
    """Return the control that an argument means; a mapping may use R's names.

    Raises
    ------
    DataError
        For an option that does not exist.
    """
    if control is None:
        return Control()
    if isinstance(control, Control):
        return control
    if not isinstance(control, Mapping):
        raise DataError("is.list(ctrl) is not TRUE", hint="give a lme4py.Control or a mapping")
    known = [item.name for item in fields(Control)]
    options = {str(name).replace(".", "_"): value for name, value in control.items()}
    for name in options:
        if name not in known:
            raise DataError(f"unknown control option '{name}'", hint=nearest(name, known))
    return Control(**options)
