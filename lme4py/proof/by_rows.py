"""What goes by rows against R's: response, weights, offset, the model frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.proof.alignment import Pair, up_to_order
from lme4py.proof.findings import Finding
from lme4py.proof.measures import compare_texts
from lme4py.rfiles.rvalues import RFactor, RFrame, RMatrix, RVector

__all__ = ["row_findings"]


def row_findings(pair: Pair, frame: RFrame) -> Iterator[Finding]:
    """Yield what is found of response, weights, offset and the model frame."""
    design = pair.design
    response, weights, offset = pair.fixture.model
    if response is not None:
        yield _response(pair, design.y, response)
    elif design.y is not None:
        yield Finding("y", "different", "present, R has none")
    for name, ours, theirs in (
        ("weights", design.weights, weights),
        ("offset", design.offset, offset),
    ):
        if (ours is None) != (theirs is None):
            summary = f"{'absent' if ours is None else 'present'}, unlike R's"
            yield Finding(name, "different", summary)
        elif theirs is not None:
            yield pair.by_rows(name, ours, _numbers(theirs))
    yield from _frame(pair, design.frame, frame)


def _response(pair: Pair, ours: Any, theirs: Any) -> Finding:
    if isinstance(theirs, RVector) and theirs.kind == "character":
        if ours is None:
            return Finding("y", "equal")
        return Finding("y", "different", "present, R has text")
    if ours is None:
        return Finding("y", "different", "absent, R has numbers")
    if isinstance(theirs, RFactor):
        # lme4's response module: the first level is failure, every other success.
        generalized = pair.fixture.family is not None
        codes = np.minimum(theirs.codes, 1) if generalized else theirs.codes + 1
        return pair.by_rows("y", ours, np.where(theirs.codes < 0, np.nan, codes))
    return pair.by_rows("y", ours, _numbers(theirs))


def _frame(pair: Pair, ours: Any, theirs: RFrame) -> Iterator[Finding]:
    columns = dict(_split(theirs))
    names = compare_texts("frame.names", ours.columns, columns)
    yield names
    rows = compare_texts("frame.row_names", pair.labels, theirs.row_names)
    yield rows
    if rows.verdict == "different":
        return
    for name, column in columns.items():
        places = np.flatnonzero(ours.columns == name)
        if places.size == 1:
            yield _column(pair, f"frame[{name!r}]", ours.iloc[:, int(places[0])], column)


def _column(pair: Pair, component: str, ours: Any, theirs: Any) -> Finding:
    import pandas as pd

    categorical = isinstance(ours.dtype, pd.CategoricalDtype)
    if isinstance(theirs, RFactor):
        if not categorical:
            return Finding(component, "different", f"{_type(ours.dtype)}, R has a factor")
        return pair.factor(
            component, ours.cat.categories, ours.cat.codes, bool(ours.cat.ordered), theirs
        )
    if categorical:
        kind = getattr(theirs, "kind", type(theirs).__name__)
        return Finding(component, "different", f"a factor, R has a {kind} vector")
    if not isinstance(theirs, RVector):
        return Finding(component, "different", f"{_type(ours.dtype)}, R has another object")
    if theirs.kind == "character":
        values = [None if pd.isna(text) else str(text) for text in ours]
        found = compare_texts(component, values, theirs.texts())
        order = pair.row_order
        return up_to_order(
            found if found.verdict == "equal" else replace(found, verdict="different"),
            order,
            "the rows stand in another order",
            lambda: order is not None and [values[at] for at in order] == theirs.texts(),
        )
    if pd.api.types.is_datetime64_any_dtype(ours.dtype) or ours.dtype == object:
        if (
            ours.dtype == object
            and theirs.kind != "complex"
            and any(isinstance(item, str) for item in ours[:1])
        ):
            return Finding(component, "different", f"text, R has a {theirs.kind} vector")
        # Times and other objects: their numbers are compared where they enter X or Zt.
        return Finding(component, "equal")
    numbers = pd.to_numeric(ours).to_numpy(dtype=np.float64, na_value=np.nan)
    return pair.by_rows(component, numbers, theirs.as_float())


def _numbers(value: Any) -> Any:
    return value.as_float() if isinstance(value, RVector) else value.values


def _split(frame: RFrame) -> Iterator[tuple[str, Any]]:
    """Yield the columns, a matrix as one column for each of its own (pandas holds no matrix)."""
    for name, column in frame.columns.items():
        if not isinstance(column, RMatrix):
            yield name, column
            continue
        labels = column.column_names or [str(at + 1) for at in range(column.values.shape[1])]
        for at, label in enumerate(labels):
            yield f"{name}.{label}", RVector(column.values[:, at], column.kind)


def _type(dtype: Any) -> str:
    return "text" if dtype.kind in "OU" else f"{dtype} numbers"
