"""The fixed part against R's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lme4py.proof.alignment import Pair, up_to_order
from lme4py.proof.findings import Finding
from lme4py.proof.measures import compare_numbers, compare_texts
from lme4py.rfiles.rvalues import RList, RMatrix, RVector

__all__ = ["fixed_findings"]


def fixed_findings(pair: Pair, theirs: RMatrix) -> Iterator[Finding]:
    """Yield what is found of X, its names, contrasts and dropped columns."""
    fixed = pair.design.fixed
    yield _X(pair, theirs)
    yield compare_texts("fixed.names", fixed.names, theirs.column_names)
    assign = theirs.attributes.get("assign")
    if assign is not None:
        yield compare_texts(
            "fixed.assign", np.asarray(fixed.assign).tolist(), assign.values.tolist()
        )
    contrasts = theirs.attributes.get("contrasts")
    named = contrasts if isinstance(contrasts, RList) else RList((), ())
    yield compare_texts("fixed.contrasts", fixed.contrasts, named.names)
    for variable, coding in zip(named.names or (), named, strict=True):
        if variable in fixed.contrasts:
            yield _coding(f"fixed.contrasts[{variable!r}]", fixed.contrasts[variable], coding)
    yield _dropped(fixed.dropped, theirs.attributes.get("col.dropped"))


def _X(pair: Pair, theirs: RMatrix) -> Finding:
    design = pair.design
    X = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    if X.dtype != np.float64:
        return Finding("X", "different", f"dtype {X.dtype}")
    found = pair.by_rows("X", X, theirs.values, design.fixed.names)
    order = pair.column_order
    return up_to_order(
        found,
        order,
        "the columns stand in another order",
        lambda: pair.by_rows("X", X[:, order], theirs.values).verdict == "equal",
    )


def _coding(component: str, ours: Any, theirs: Any) -> Finding:
    if isinstance(theirs, RVector) and theirs.kind == "character":
        mine = ours if isinstance(ours, str) else "a matrix"
        return compare_texts(component, [mine], list(theirs.values))
    if isinstance(theirs, RMatrix):
        values = ours if isinstance(ours, np.ndarray) else getattr(ours, "values", ours)
        if isinstance(values, str):
            return Finding(component, "different", f"{values!r}, R has a matrix")
        return compare_numbers(component, values, theirs.values)
    # A function: R keeps no name of it.
    return Finding(component, "equal")


def _dropped(ours: Any, theirs: RVector | None) -> Finding:
    """Compare names and positions in order.

    lme4 1.1-31 writes the names in column order beside positions in pivot order, also
    where the two differ; so do we.
    """
    names = () if theirs is None else theirs.names
    positions = [] if theirs is None else [int(at) - 1 for at in theirs.values]
    if theirs is not None and names is None:
        # R has no names to give when every column goes.
        return compare_texts("fixed.dropped", ours.values(), positions)
    # A name that repeats keeps its last position only.
    expected = dict(zip(names or (), positions, strict=True))
    return compare_texts("fixed.dropped", ours.items(), expected.items())
