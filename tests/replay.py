"""Random cases of the live generator as frames, and whether their spec gives their rows back."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import lme4py
from lme4py.errors import Lme4pyError

from .live.generator import Case, Column, Matrix

__all__ = ["arguments_of", "built", "frame_of", "row_faults"]

_SPELLING = {"na.action": "na_action", "REML": "reml"}
# What a model may hold that says nothing of new rows: the words of our refusals.
REFUSALS = (
    "uses all rows together",
    "is repeated along the rows",
    "is not computed row by row",
    "looks things up in all rows together",
    "has no values for new rows",
    "has no value for a single new row",
)


def frame_of(case: Case) -> pd.DataFrame:
    """Return the data of a case as pandas has them."""
    return pd.DataFrame({name: _column(column) for name, column in case.columns.items()})


def _column(column: Column) -> Any:
    match column.kind:
        case "double":
            return np.array([np.nan if v is None else v for v in column.values])
        case "integer":
            return pd.array(column.values, dtype="Int64")
        case "logical":
            return pd.array(column.values, dtype="boolean")
        case "date":
            days = [
                np.datetime64("NaT") if v is None else np.datetime64(int(v), "D")
                for v in column.values
            ]
            return np.array(days, dtype="datetime64[D]").astype("datetime64[s]")
        case "moment":
            return pd.to_datetime(pd.Series(column.values, dtype="float64"), unit="s").to_numpy()
        case "character":
            return pd.array(column.values, dtype="string")
        case _:
            return pd.Categorical(column.values, column.levels, ordered=column.kind == "ordered")


def built(case: Case, data: pd.DataFrame) -> Any:
    """Return the design of a case, None where it is an error."""
    make = lme4py.glformula if case.glm else lme4py.lformula
    try:
        return make(case.formula, data, **arguments_of(case))
    except Lme4pyError:
        return None


def arguments_of(case: Case) -> dict[str, Any]:
    """Return the arguments of a case as our functions take them."""
    return {_SPELLING.get(k, k): _argument(v) for k, v in case.arguments.items()}


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _argument(item) for name, item in value.items()}
    if isinstance(value, Matrix):
        rows = np.array(value.rows)
        return rows if value.names is None else pd.DataFrame(rows, columns=value.names)
    if isinstance(value, list):
        return np.array(value)
    return value


def row_faults(case: Case, dice: np.random.Generator) -> list[str] | None:
    """Return how replayed rows differ from the design's; None where there is no replay."""
    data = frame_of(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = built(case, data)
        if design is None:
            return None
        if not isinstance(design.X, np.ndarray):
            design = replace(design, X=design.X.toarray(order="F"))
        spec = lme4py.Spec.from_json(design.spec.to_json())
        positions = design.model_frame.positions
        positions = np.arange(len(data)) if positions is None else positions
        given = case.arguments.get("offset")
        faults = []
        for chosen in _choices(positions, dice):
            rows = positions[chosen]
            more = np.array(given)[rows] if isinstance(given, list) else None
            try:
                found = spec.apply(data.iloc[rows], na_action="pass", offset=more)
            except Lme4pyError as error:
                if any(words in error.message for words in REFUSALS):
                    return None
                raise
            faults += _differences(design, found, chosen)
        return faults


def _choices(positions: np.ndarray, dice: np.random.Generator) -> list[np.ndarray]:
    # Rows that subset invented have no place in the data.
    real = np.flatnonzero(positions >= 0)
    if not real.size:
        return []
    return [
        real,
        dice.permutation(real),
        dice.choice(real, min(7, real.size), replace=False),
        dice.choice(real, 1),
    ]


def _tolerance(name: str) -> float:
    """Return the difference allowed, as a part of the column's scale.

    R's own poly() is a decomposition when it is fitted and a recurrence when it predicts;
    with values like 1 and 100000 together the two agree to ten digits, and in a product
    that is large where the polynomial is small, to none.
    """
    if "poly(" not in name:
        return 1e-12
    return np.inf if ":" in name else 1e-10


def _differences(design: Any, found: Any, rows: np.ndarray) -> list[str]:
    faults = []
    wanted = design.X[rows]
    if found.X.shape != wanted.shape:
        return [f"X has the shape {found.X.shape}, not {wanted.shape}"]
    scale = np.nanmax(np.abs(design.X), axis=0, initial=0.0)
    near = np.isclose(found.X, wanted, rtol=0, atol=0, equal_nan=True)
    near |= np.abs(found.X - wanted) <= scale * [_tolerance(n) for n in design.fixed.names]
    for column in np.flatnonzero(~near.all(axis=0)):
        off = np.nanmax(np.abs(found.X - wanted)[:, column]) / scale[column]
        faults.append(f"X {design.fixed.names[column]}: {off:.1e} of its scale")
    one, two = found.Zt.tocoo(), design.Zt[:, rows].tocoo()
    if one.shape != two.shape or one.nnz != two.nnz:
        faults.append(f"Zt {one.shape} with {one.nnz} entries, not {two.shape} with {two.nnz}")
    else:
        a, b = found.Zt.toarray(), design.Zt[:, rows].toarray()
        size = np.nanmax(np.abs(design.Zt.data), initial=0.0)
        labels = [name for _, names in design.random.cnms for name in names]
        limit = max(map(_tolerance, labels), default=0.0)
        if not np.allclose(a, b, rtol=0, atol=limit * size, equal_nan=True):
            faults.append(f"Zt: {np.nanmax(np.abs(a - b)) / size:.1e} of its scale")
    if design.offset is None:
        if found.offset is not None:
            faults.append("an offset where the design has none")
    elif not np.array_equal(found.offset, design.offset[rows], equal_nan=True):
        faults.append("offset")
    return faults
