"""The arguments of R's call, found in what the call returned."""

from __future__ import annotations

from collections.abc import Sequence
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
    given = None if X is None else X.attributes.get("contrasts")
    codings = dict(named_items(given)) if isinstance(given, RList) else {}
    contrasts = {
        name: coding.values if isinstance(coding, Matrix) and not coding.names else coding
        for name, value in codings.items()
        if (coding := coding_of(value)) is not None and not name.startswith("C(")
    }
    arguments: dict[str, Any] = {"contrasts": contrasts} if contrasts else {}
    arguments["control"] = _control(X)
    if frame is None:
        return arguments
    action = frame.attributes.get("na.action")
    omitted: Sequence[str] = ()
    if isinstance(action, RVector):
        arguments["na_action"] = "exclude" if "exclude" in action.classes else "omit"
        omitted = action.names or ()
    elif any(missing(column) is not None for column in frame.columns.values()):
        arguments["na_action"] = "pass"
    return arguments if data is None else arguments | _by_rows(data, frame, omitted, notes)


def _control(X: RMatrix | None) -> dict[str, Any]:
    """Leave out what R has checked, and rescale or drop columns where it did."""
    options: dict[str, Any] = dict.fromkeys(_CHECKED, "ignore")
    if X is None:
        return options
    # lme4 loses the attributes of scaling where it drops columns.
    dropped = "col.dropped" in X.attributes
    if "scaled:center" in X.attributes or (dropped and _standardized(X)):
        options["autoscale"] = True
    elif "scaled:scale" in X.attributes:
        options["check_scaleX"] = "silent.rescale"
    known = bool(np.isfinite(X.values).all())
    if X.values.size and not dropped and not (known and rank_of(X.values)[0] == X.values.shape[1]):
        options["check_rankX"] = "ignore"
    return options


def _standardized(X: RMatrix) -> bool:
    """Tell whether every column but the intercept has mean 0 and standard deviation 1."""
    names = X.column_names or ()
    values = X.values[:, [at for at, name in enumerate(names) if name != "(Intercept)"]]
    if values.shape[0] < 2 or not values.shape[1] or not np.isfinite(values).all():
        return False
    moments = np.array([values.mean(axis=0), values.std(axis=0, ddof=1) - 1])
    return bool((np.abs(moments) < _CLOSE).all())


def _by_rows(
    data: RFrame, frame: RFrame, omitted_names: Sequence[str], notes: list[str]
) -> dict[str, Any]:
    """Return subset and the vectors that go by rows, spread over the rows of the data."""
    places = {name: at for at, name in enumerate(data.row_names)}
    kept = []
    for name in frame.row_names:
        # R makes names unique (13, 13.1, ...) where a row repeats.
        base, _, number = name.rpartition(".")
        kept.append(places.get(name, places.get(base, -1) if number.isdecimal() else -1))
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


def first_column(value: Numeric | Matrix) -> FloatArray:
    """Return the numbers of a vector, or of the first column of a matrix."""
    return value.as_float() if isinstance(value, Numeric) else value.values[:, 0]
