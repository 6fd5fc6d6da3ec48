"""A record of R's (see fixtures/record.R) and the same call made in Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lme4py
from lme4py.errors import Lme4pyAdvice, Lme4pyError, Lme4pyMessage
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RFrame, RList, RVector

from .components import differences, plain_quotes

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

_SPELLING = {"na.action": "na_action", "REML": "reml"}


def load(path: Path) -> RList:
    """Read one record."""
    record: RList = read_rds(path)
    return record


def arguments(record: RList) -> dict[str, Any]:
    """Return the keyword arguments of `lformula` or `glformula`."""
    given = record["arguments"]
    if given is None or given.names is None:
        return {}
    return {
        _SPELLING.get(name, name): _argument(value)
        for name, value in zip(given.names, given, strict=True)
    }


def _argument(value: Any) -> Any:
    match value:
        case RVector() if value.is_matrix and value.column_names is not None:
            return pd.DataFrame(value.values, columns=list(value.column_names))
        case RVector() if value.is_matrix:
            return value.values
        case RVector(kind="character") if len(value) == 1:
            return str(value.values[0])
        case None:
            return None
        case RVector(kind="character"):
            return list(value.values)
        case RVector(kind="logical") if len(value) == 1:
            return bool(value.values[0])
        case RVector(kind="logical") if value.values.dtype.kind == "f":
            return pd.array(value.values, dtype="boolean")
        case RVector(kind="double"):
            return value.values
        case RVector():
            return value.values.astype(np.int64) if value.kind == "integer" else value.values
        case RList():
            return {
                name: _argument(item) for name, item in zip(value.names or (), value, strict=True)
            }
    raise TypeError(f"no argument is made of {value!r}")


def data(record: RList) -> Any:
    """Return the data frame, or a mapping where pandas cannot hold a column."""
    frame: RFrame = record["data"]
    return frame.table()


def build(record: RList, **options: Any) -> tuple[Any, list[str]]:
    """Make the design that the record describes; return it and the warnings on the way.

    `options` are arguments that R does not have, such as ``sparse_X``.
    """
    make: Callable[..., Any] = (
        lme4py.glformula if bool(record["glm"].values[0]) else lme4py.lformula
    )
    formula = str(record["formula"].values[0])
    given = {"lme4": str(record["versions"]["lme4"].values[0]), **arguments(record)}
    if make is lme4py.glformula:
        # The default of R's glFormula.
        given.setdefault("family", "gaussian")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = make(formula, data(record), **given, **options)
    # Our advice is no part of what R says, and R's messages are no warnings.
    others = (Lme4pyAdvice, Lme4pyMessage)
    said = [entry for entry in caught if not issubclass(entry.category, others)]
    return design, [str(entry.message) for entry in said]


def error_text(record: RList) -> str | None:
    """Return R's error, if the call was one."""
    error = record["error"]
    return None if error is None else str(error.values[0])


def verdict(record: RList, *, conditions: bool = True) -> list[str]:
    """Make the call and compare everything; where R stopped, we must stop as well.

    An exception other than `Lme4pyError` is a difference, never a crash of the run.
    """
    expected = error_text(record)
    try:
        design, said = build(record)
    except Lme4pyError as error:
        if expected is not None:
            return []
        return [f"raises {type(error).__name__}: {error}, R does not"]
    except Exception as error:  # noqa: BLE001 - the run goes on and reports it
        return [f"crashes with {type(error).__name__}: {error}; R: {expected or 'no error'}"]
    if expected is not None:
        return [f"gives a design, R stops: {expected}"]
    try:
        return differences(design, record, said if conditions else None)
    except Exception as error:  # noqa: BLE001 - likewise
        return [f"cannot be compared, {type(error).__name__}: {error}"]


def matrix_verdict(record: RList) -> str:
    """Return where R's ``model.matrix`` and ours differ, an empty text for nowhere."""
    taken = ("subset", "na_action", "contrasts", "attached_contrasts", "default_contrasts")
    given = {name: item for name, item in arguments(record).items() if name in taken}
    given["lme4"] = str(record["versions"]["lme4"].values[0])
    expected, error = record["X"], error_text(record)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = lme4py.model_matrix(str(record["formula"].values[0]), data(record), **given)
    except Lme4pyError as fault:
        return "" if error is not None else f"raises {fault}"
    if error is not None:
        return f"R stops: {error}"
    values, names = expected.values, list(expected.column_names or ())
    if design.X.shape != values.shape or design.fixed.names != names:
        return f"columns {design.fixed.names}, R has {names} and {len(values)} rows"
    if design.fixed.assign.tolist() != expected.attributes["assign"].values.tolist():
        return "the terms of the columns"
    scale = np.max(np.abs(values), axis=0, initial=0.0, where=np.isfinite(values))
    with np.errstate(invalid="ignore"):
        same = (values == design.X) | (np.abs(design.X - values) <= 1e-12 * scale)
    same |= np.isnan(design.X) & np.isnan(values)
    return "" if same.all() else f"{int((~same).sum())} numbers"


def other_words(record: RList) -> tuple[str, str] | None:
    """Return R's and our error where both stop and ours lacks the first line of R's."""
    expected = error_text(record)
    if expected is None:
        return None
    try:
        build(record)
    except Lme4pyError as error:
        # R goes on with its own call stack after ":error =".
        words = plain_quotes(expected.splitlines()[0].partition(":error =")[0])
        ours = plain_quotes(str(error))
        return None if words in ours else (words, ours.splitlines()[0])
    return None
