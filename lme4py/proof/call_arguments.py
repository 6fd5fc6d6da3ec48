"""The arguments of R's call, found in what the call returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lme4py.data.missing_rows import missing
from lme4py.data.values import FloatArray, Matrix, Numeric
from lme4py.matrices.rank import rank_of
from lme4py.rfiles.rvalues import (
    RFrame,
    RList,
    RMatrix,
    RVector,
    coding_of,
    named_items,
)

__all__ = ["call_arguments", "first_column"]

_CHECKED = (
    "check_nobs_vs_rankZ",
    "check_nobs_vs_nlev",
    "check_nlev_gtreq_5",
    "check_nlev_gtr_1",
    "check_nobs_vs_nRE",
    "check_scaleX",
)
_CLOSE = 1e-8
_BY_ROWS = ("weights", "offset", "mustart", "etastart")


def call_arguments(
    data: RFrame | None, frame: RFrame | None, X: RMatrix | None, notes: list[str]
) -> dict[str, Any]:
    """Return the keyword arguments of R's call; what cannot be told joins the notes."""
    arguments: dict[str, Any] = {}
    if X is not None and isinstance(X.attributes.get("contrasts"), RList):
        contrasts = _contrasts(X.attributes["contrasts"])
        arguments = {"contrasts": contrasts} if contrasts else {}
    arguments["control"] = _control(X)
    if frame is None:
        return arguments
    action = frame.attributes.get("na.action")
    if isinstance(action, RVector):
        arguments["na_action"] = "exclude" if "exclude" in action.classes else "omit"
    elif any(missing(column) is not None for column in frame.columns.values()):
        arguments["na_action"] = "pass"
    if data is not None:
        omitted = action.names if isinstance(action, RVector) else None
        arguments |= _by_rows(data, frame, omitted or (), notes)
    return arguments


def _contrasts(found: RList) -> dict[str, Any]:
    codings = {name: coding_of(value) for name, value in named_items(found)}
    return {
        name: coding.values if isinstance(coding, Matrix) and not coding.names else coding
        for name, coding in codings.items()
        if coding is not None and not name.startswith("C(")
    }


def _control(X: RMatrix | None) -> dict[str, Any]:
    """Leave out what R has checked, and rescale or drop columns where it did."""
    options: dict[str, Any] = dict.fromkeys(_CHECKED, "ignore")
    if X is None:
        return options
    # lme4 loses the attributes of scaling where it drops columns.
    lost = "col.dropped" in X.attributes and _standardized(X)
    if "scaled:center" in X.attributes or lost:
        options["autoscale"] = True
    elif "scaled:scale" in X.attributes:
        options["check_scaleX"] = "silent.rescale"
    if "col.dropped" not in X.attributes and X.values.size:
        known = bool(np.isfinite(X.values).all())
        if not known or rank_of(X.values)[0] < X.values.shape[1]:
            options["check_rankX"] = "ignore"
    return options


def _standardized(X: RMatrix) -> bool:
    """Tell whether every column but the intercept has mean 0 and standard deviation 1."""
    names = X.column_names or ()
    values = X.values[:, [at for at, name in enumerate(names) if name != "(Intercept)"]]
    if values.shape[0] < 2 or not values.shape[1] or not np.isfinite(values).all():
        return False
    close = np.abs(values.mean(axis=0)) < _CLOSE, np.abs(values.std(axis=0, ddof=1) - 1) < _CLOSE
    return bool(np.all(close))


def _by_rows(
    data: RFrame, frame: RFrame, omitted_names: Sequence[str], notes: list[str]
) -> dict[str, Any]:
    """Return subset and the vectors that go by rows, spread over the rows of the data."""
    places = {name: at for at, name in enumerate(data.row_names)}
    kept = [_place(name, places) for name in frame.row_names]
    # Rows that an NA in subset made are named NA, NA.1, ...; they are no rows of the data.
    omitted = [places[name] for name in omitted_names if name in places]
    if -1 in kept:
        if len(kept) != len(data):
            notes.append(
                "the rows of the model frame are not named as rows of the data: subset, "
                "weights and offset cannot be told from the file"
            )
            return {}
        kept, omitted = list(range(len(data))), []
    used = np.zeros(len(data), dtype=np.bool_)
    used[[*kept, *omitted]] = True
    arguments: dict[str, Any] = {}
    if len(set(kept)) < len(kept):
        arguments["subset"] = np.array(kept, dtype=np.int64) + 1
    elif not used.all():
        arguments["subset"] = used
    for name in _BY_ROWS:
        if f"({name})" in frame.columns:
            values = np.ones(len(data))
            values[omitted] = np.nan
            values[kept] = first_column(frame.columns[f"({name})"])
            arguments[name] = values
    return arguments


def _place(name: str, places: Mapping[str, int]) -> int:
    """Return the row of a name, which R makes unique (13, 13.1, ...) where a row repeats."""
    if name in places:
        return places[name]
    base, _, number = name.rpartition(".")
    return places.get(base, -1) if number.isdecimal() else -1


def first_column(value: Numeric | Matrix) -> FloatArray:
    """Return the numbers of a vector, or of the first column of a matrix."""
    return value.as_float() if isinstance(value, Numeric) else value.values[:, 0]
