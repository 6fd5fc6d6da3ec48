"""The components of a model in R's list, by the names that `MixedDesign` gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from lme4py.data.values import Character, Factor, Matrix, Numeric, split
from lme4py.proof.fixture import Fixture, held_to_lme4
from lme4py.rfiles.rvalues import RFrame, RList, RSparse, RVector, named_items
from lme4py.unique_names import make_unique


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """The components of a model, by the names that `MixedDesign` gives them, and their labels.

    A part is numbers as an array, a `Factor`, an `RSparse`, or a list of what must be the same. The
    labels tell the elements along an axis from each other.
    """

    parts: Mapping[str, Any]
    labels: Mapping[str, Sequence[Hashable]]


_AXES = {
    "X": ("rows", "columns"),
    **dict.fromkeys(("y", "weights", "offset", "frame", "flist"), ("rows",)),
    "Zt": ("effects", "rows"),
    "Lambdat": ("effects", "effects"),
    **dict.fromkeys(("Lind", "Gp", "nl", "ord", "flist assign"), ("terms",)),
    **dict.fromkeys(("theta", "lower", "upper", "par"), ("terms",)),
}


def axes_of(component: str) -> tuple[str, ...]:
    """Return what rows and columns of a component go by; a block of Zt has rows of its own."""
    kind = component.partition("[")[0]
    return (component, "rows") if kind == "Ztlist" else _AXES.get(kind, ())


def components(model: Fixture) -> Components:
    """Return the components of a model that R recorded, or that is written as R records it.

    Positions count from 0. What is absent has no component.
    """
    terms, frame, X = model.terms, model.frame, model.X
    with held_to_lme4(model.name):
        parts: dict[str, Any] = {} if X is None else dict(_fixed(X))
        if frame is not None:
            parts |= _by_rows(model, frame)
        parts |= _random(model)
        if model.family is not None:
            parts["family"] = list(model.family)
        elif model.reml is not None:
            parts["reml"] = [model.reml]
        labels: dict[str, Sequence[Hashable]] = {
            "rows": () if frame is None else frame.row_names,
            "columns": () if X is None else X.column_names or (),
            "effects": _effects(terms, parts["cnms"]),
            "terms": [(group, tuple(sorted(names))) for group, names in parts["cnms"]],
        }
        for name, block in parts.items():
            if name.startswith("Ztlist["):
                labels[name] = make_unique(block.row_names or ())
        return Components(parts, labels)


def _fixed(X: RVector) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what belongs to X."""
    yield "X", X.values.astype(np.float64)
    yield "fixed.names", list(X.column_names or ())
    if "assign" in X.attributes:
        yield "fixed.assign", X.attributes["assign"].values.tolist()
    given = X.attributes.get("contrasts")
    contrasts = dict(named_items(given)) if isinstance(given, RList) else {}
    yield "fixed.contrasts", list(contrasts)
    for variable, coding in contrasts.items():
        # Of a function R keeps no name.
        if isinstance(coding, Matrix) or (isinstance(coding, RVector) and coding.is_matrix):
            yield f"fixed.contrasts[{variable!r}]", coding.values.astype(np.float64)
        elif isinstance(coding, RVector):
            yield f"fixed.contrasts[{variable!r}]", list(coding.values)
    dropped = X.attributes.get("col.dropped")
    places = [] if dropped is None else (dropped.values - 1).tolist()
    # lme4 1.1-31 writes the names in column order beside positions in pivot order, also where
    # the two differ; so do we. R has no names to give when every column goes.
    names = None if dropped is None else dropped.names
    # A name that repeats keeps its last position only.
    named = {} if names is None else dict(zip(names, places, strict=True))
    yield "fixed.dropped", places if names is None else list(named.items())


def _by_rows(model: Fixture, frame: RFrame) -> Iterator[tuple[str, Any]]:
    """Yield response, weights, offset and the model frame."""
    for name, value in zip(("y", "weights", "offset"), model.model, strict=True):
        if value is not None:
            yield name, value
    columns = {name: part for item in frame.columns.items() for name, part in split(*item)}
    yield "frame.names", list(columns)
    yield "frame.row_names", list(frame.row_names)
    for name, column in columns.items():
        match column:
            case Factor():
                yield f"frame[{name!r}]", column
            case Character():
                yield f"frame[{name!r}]", column.texts().tolist()
            case Numeric():
                yield f"frame[{name!r}]", column.as_float()


def _random(model: Fixture) -> Iterator[tuple[str, Any]]:
    terms = model.terms
    yield "Zt", terms["Zt"]
    yield "random.row_names", list(terms["Zt"].row_names or ())
    blocks = terms.find("Ztlist", RList)
    if blocks is not None and blocks.names is not None:
        yield "Ztlist labels", list(blocks.names)
    yield from () if blocks is None else _blocks(blocks)
    yield from _template(terms)
    for name, first in (("Lind", 1), ("Gp", 0), ("nl", 0), ("ord", 1)):
        if name in terms:
            yield name, _counts(terms[name], first)
    for name in ("theta", "lower", "upper", "par"):
        numbers = terms.find(name, RVector)
        if numbers is not None and model.fitted and name in ("theta", "par"):
            yield f"{name} (number)", [len(numbers)]
        elif numbers is not None:
            yield name, numbers.as_float()
    cnms = named_items(terms["cnms"])
    yield "cnms", [(group, [] if names is None else list(names.values)) for group, names in cnms]
    factors = dict(named_items(terms["flist"]))
    yield "flist names", list(factors)
    for group, factor in factors.items():
        if not isinstance(factor, Factor):
            raise TypeError(f"{group} in flist is no factor")
        yield f"flist[{group!r}]", factor
    if "assign" in terms["flist"].attributes:
        yield "flist assign", _counts(terms["flist"].attributes["assign"], 1)


def _counts(vector: RVector, first: int) -> list[int]:
    """Return positions that count from `first` as counted from 0; ValueError for NA."""
    return [int(place) - first for place in vector.values.tolist()]


def _blocks(blocks: RList) -> Iterator[tuple[str, Any]]:
    names = blocks.names or tuple(str(at) for at in range(len(blocks)))
    if len(names) != len(blocks):
        raise ValueError(f"Ztlist has {len(blocks)} elements and {len(names)} names")
    for label, item in zip(make_unique(names), blocks, strict=True):
        block = item
        if isinstance(item, RVector):
            # lme4 takes a row at a time and lets a single one become a vector.
            block = RSparse(sparse.csc_array(item.as_float()[None, :]), None, None)
        yield f"Ztlist[{label!r}]", block


def _template(terms: RList) -> Iterator[tuple[str, Any]]:
    """Yield Lambdat: where theta stands in it, and whether its own numbers are theta's.

    These are the index in lme4 2.x, which puts theta there at the fit, and the estimates in a
    fitted model.
    """
    Lambdat, theta = terms["Lambdat"], terms["theta"].as_float()
    index = np.array(_counts(terms["Lind"], 1), dtype=np.int64)
    inside = index.size > 0 and index.min() >= 0 and index.max() < theta.size
    if index.size != Lambdat.matrix.nnz or not inside:
        yield "Lambdat", Lambdat
        return
    places = Lambdat.matrix.copy()
    places.data = index + 1.0
    yield "Lambdat", replace(Lambdat, matrix=places)
    numbers = Lambdat.matrix.data
    own = any(np.array_equal(numbers, known) for known in (theta[index], index + 1))
    yield "Lambdat@x", ["theta[Lind]" if own else "something else"]


def _effects(terms: RList, cnms: list[tuple[str, list[str]]]) -> list[Hashable]:
    """Return group, column and level of every row of Zt."""
    bounds = _counts(terms["Gp"], 0)
    places = [
        (group, names[at % len(names)])
        for (group, names), (begin, end) in zip(cnms, pairwise(bounds), strict=False)
        for at in range(end - begin if names else 0)
    ]
    return [(*at, row) for at, row in zip(places, terms["Zt"].row_names or (), strict=False)]
