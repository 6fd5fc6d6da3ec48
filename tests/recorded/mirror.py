"""R's record in the shape of a design, to prove that the comparison itself can see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from lme4py.rfiles.rvalues import RFactor, RFrame, RList, RMatrix, RVector


def mirror(record: RList) -> Any:
    """Return an object with a design's attributes, filled with what R recorded."""
    lf = record["lf"]
    X, terms = lf["X"], lf["reTrms"]
    contrasts = X.attributes.get("contrasts")
    dropped = X.attributes.get("col.dropped")
    model = {
        name: _numbers(value, "family" in lf)
        for name, value in zip(("y", "weights", "offset"), record["model"], strict=True)
    }
    return SimpleNamespace(
        X=X.values,
        fixed=SimpleNamespace(
            names=list(X.column_names or ()),
            assign=X.attributes["assign"].values,
            contrasts={}
            if contrasts is None
            else dict(zip(contrasts.names, map(_coding, contrasts), strict=True)),
            dropped={}
            if dropped is None
            else dict(zip(dropped.names, dropped.values - 1, strict=True)),
        ),
        **model,
        frame=_frame(lf["fr"]),
        random=SimpleNamespace(
            Zt=terms["Zt"].matrix,
            row_names=list(terms["Zt"].row_names or ()),
            Ztlist=[
                (name, block.matrix)
                for name, block in zip(terms["Ztlist"].names, terms["Ztlist"], strict=True)
            ],
            Lambdat=terms["Lambdat"].matrix,
            Lind=(terms["Lind"].values - 1).astype(np.int32),
            Gp=terms["Gp"].values.astype(np.int32),
            nl=terms["nl"].values.astype(np.int32),
            theta=terms["theta"].values,
            lower=terms["lower"].values,
            cnms=[
                (group, [] if names is None else list(names.values))
                for group, names in zip(terms["cnms"].names, terms["cnms"], strict=True)
            ],
            flist={name: _categorical(factor) for name, factor in _items(terms["flist"])},
            assign=terms["flist"].attributes["assign"].values - 1,
        ),
        reml=bool(lf["REML"].values[0]) if "REML" in lf else None,
        family=None
        if "REML" in lf
        else SimpleNamespace(
            name=lf["family"]["family"].values[0], link=lf["family"]["link"].values[0]
        ),
        messages=_texts(record["warnings"]) + _texts(record["messages"]),
        advice=[],
    )


def _items(value: RList | RFrame) -> Any:
    if isinstance(value, RFrame):
        return value.columns.items()
    return zip(value.names or (), value, strict=True)


def _numbers(value: Any, generalized: bool) -> Any:
    match value:
        case None:
            return None
        case RFactor():
            codes = np.minimum(value.codes, 1) if generalized else value.codes + 1
            return np.where(value.codes < 0, np.nan, codes)
        case RVector(kind="character"):
            return None
        case RVector():
            return value.as_float()
        case _:
            return value.values


def _coding(value: RVector | RMatrix) -> Any:
    return value.values[0] if isinstance(value, RVector) else value.values


def _categorical(value: RFactor) -> pd.Categorical:
    levels = pd.Index(list(value.levels), dtype=object)
    return pd.Categorical.from_codes(value.codes, categories=levels, ordered=value.ordered)


def _texts(value: RVector) -> list[str]:
    return list(value.values)


def _frame(frame: RFrame) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, column in frame.columns.items():
        if isinstance(column, RFactor):
            columns[name] = _categorical(column)
        elif isinstance(column, RMatrix):
            labels = column.column_names or range(1, column.values.shape[1] + 1)
            for label, values in zip(labels, column.values.T, strict=True):
                columns[f"{name}.{label}"] = values
        else:
            columns[name] = column.values if column.kind == "character" else column.as_float()
    return pd.DataFrame(columns, index=list(frame.row_names))
