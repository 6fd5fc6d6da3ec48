"""The components of a model in R's list, by the names that `MixedDesign` gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import Character, Factor, Matrix, Numeric, split
from lme4py.errors import DataError
from lme4py.proof.fixture import Fixture
from lme4py.rfiles.rvalues import RFrame, RList, RMatrix, RSparse, RVector, named_items
from lme4py.unique_names import make_unique

__all__ = ["Component", "Components", "components"]


@dataclass(frozen=True, eq=False, slots=True)
class Component:
    """One component of a model.

    Parameters
    ----------
    value : ndarray of float64, Factor, RSparse or list
        Numbers are compared within a tolerance; the elements of a list must be the same.
    axes : tuple of str
        What its rows and columns go by: a key of `Components.labels` for each.
    """

    value: Any
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """The components of a model, and what their rows and columns are called.

    Parameters
    ----------
    parts : mapping of str to Component
        By the names that `MixedDesign` gives them.
    labels : mapping of str to sequence
        What tells the elements along an axis from each other: ``rows`` of the data,
        ``columns`` of X, ``effects`` (rows of Zt), random ``terms``.
    """

    parts: Mapping[str, Component]
    labels: Mapping[str, Sequence[Hashable]]


def components(model: Fixture) -> Components:
    """Return the components of a model that R recorded, or that is written as R records it.

    Positions count from 0. What is absent has no component.
    """
    terms, frame, X = model.terms, model.frame, model.X
    found = {
        **dict(() if X is None else _fixed(X)),
        **dict(() if frame is None else _by_rows(model, frame)),
        **dict(_random(model)),
    }
    if model.family is not None:
        found["family"] = Component(list(model.family))
    elif model.reml is not None:
        found["reml"] = Component([model.reml])
    cnms = _cnms(terms)
    labels: dict[str, Sequence[Hashable]] = {
        "rows": () if frame is None else frame.row_names,
        "columns": () if X is None else X.column_names or (),
        "effects": _effects(terms, cnms),
        "terms": [(group, tuple(sorted(names))) for group, names in cnms],
    }
    for name, block in found.items():
        if name.startswith("Ztlist[") and isinstance(block.value, RSparse):
            labels[name] = make_unique(block.value.row_names or ())
    return Components(found, labels)


def _fixed(X: RMatrix) -> Iterator[tuple[str, Component]]:
    yield "X", Component(X.values.astype(np.float64), ("rows", "columns"))
    yield "fixed.names", Component(list(X.column_names or ()))
    if "assign" in X.attributes:
        yield "fixed.assign", Component(X.attributes["assign"].values.tolist())
    given = X.attributes.get("contrasts")
    contrasts = dict(named_items(given)) if isinstance(given, RList) else {}
    yield "fixed.contrasts", Component(list(contrasts))
    for variable, coding in contrasts.items():
        name = f"fixed.contrasts[{variable!r}]"
        if isinstance(coding, Matrix | RMatrix):
            yield name, Component(coding.values.astype(np.float64))
        elif isinstance(coding, RVector):
            # Of a function R keeps no name.
            yield name, Component(list(coding.values))
    dropped = X.attributes.get("col.dropped")
    places = [] if dropped is None else (dropped.values - 1).tolist()
    # lme4 1.1-31 writes the names in column order beside positions in pivot order, also where
    # the two differ; so do we. R has no names to give when every column goes.
    names = None if dropped is None else dropped.names
    yield (
        "fixed.dropped",
        # A name that repeats keeps its last position only.
        Component(places if names is None else list(dict(zip(names, places, strict=True)).items())),
    )


def _by_rows(model: Fixture, frame: RFrame) -> Iterator[tuple[str, Component]]:
    """Yield response, weights, offset and the model frame."""
    for name, value in zip(("y", "weights", "offset"), model.model, strict=True):
        numbers = _numbers(value, generalized=model.family is not None)
        if numbers is not None:
            yield name, Component(numbers, ("rows",))
    columns = {name: part for item in frame.columns.items() for name, part in split(*item)}
    yield "frame.names", Component(list(columns))
    yield "frame.row_names", Component(list(frame.row_names))
    for name, column in columns.items():
        match column:
            case Factor():
                yield f"frame[{name!r}]", Component(column, ("rows",))
            case Character():
                yield f"frame[{name!r}]", Component(column.texts().tolist(), ("rows",))
            case Numeric():
                yield f"frame[{name!r}]", Component(column.as_float(), ("rows",))


def _numbers(value: Any, *, generalized: bool) -> NDArray[np.float64] | None:
    """Return what goes by rows as numbers, None for text, which lme4 cannot fit."""
    match value:
        case Factor(codes=codes):
            # lme4's response module: the first level is failure, every other success.
            numbers = np.minimum(codes, 1) if generalized else codes + 1
            return np.where(codes < 0, np.nan, numbers)
        case Numeric():
            return value.as_float()
        case Matrix(values=numbers):
            # R's model.response: a matrix of one column as a vector.
            return numbers[:, 0] if numbers.shape[1:] == (1,) else numbers
        case _:
            return None


def _random(model: Fixture) -> Iterator[tuple[str, Component]]:
    terms = model.terms
    yield "Zt", Component(terms["Zt"], ("effects", "rows"))
    yield "random.row_names", Component(list(terms["Zt"].row_names or ()))
    if isinstance(terms.get("Ztlist"), RList):
        blocks = {f"Ztlist[{name!r}]": block for name, block in _blocks(terms["Ztlist"])}
        if terms["Ztlist"].names is not None:
            yield "Ztlist labels", Component(list(terms["Ztlist"].names))
        yield from ((name, Component(block, (name, "rows"))) for name, block in blocks.items())
    yield from _template(terms)
    for name, first in (("Lind", 1), ("Gp", 0), ("nl", 0), ("ord", 1)):
        if terms.get(name) is not None:
            yield name, Component((terms[name].values.astype(int) - first).tolist(), ("terms",))
    for name in ("theta", "lower", "upper", "par"):
        numbers = terms.get(name)
        if not isinstance(numbers, RVector):
            continue
        if model.fitted and name in ("theta", "par"):
            yield f"{name} (number)", Component([len(numbers)])
        else:
            yield name, Component(numbers.as_float(), ("terms",))
    yield "cnms", Component(_cnms(terms))
    factors = dict(named_items(terms["flist"]))
    yield "flist names", Component(list(factors))
    for group, factor in factors.items():
        yield f"flist[{group!r}]", Component(factor, ("rows",))
    if "assign" in terms["flist"].attributes:
        assign = terms["flist"].attributes["assign"].values.astype(int) - 1
        yield "flist assign", Component(assign.tolist(), ("terms",))


def _blocks(blocks: RList) -> Iterator[tuple[str, RSparse]]:
    names = blocks.names or tuple(str(at) for at in range(len(blocks)))
    if len(names) != len(blocks):
        raise DataError(f"Ztlist has {len(blocks)} elements and {len(names)} names")
    for name, block in zip(make_unique(names), blocks, strict=True):
        if isinstance(block, RVector):
            # lme4 takes a row at a time and lets a single one become a vector.
            row = sparse.csc_array(block.as_float()[None, :])
            yield name, RSparse(row, None, None)
        else:
            yield name, block


def _template(terms: RList) -> Iterator[tuple[str, Component]]:
    """Yield Lambdat: where theta stands in it, and whether its own numbers are theta's.

    These are the index in lme4 2.x, which puts theta there at the fit, and the estimates in a
    fitted model.
    """
    Lambdat, theta = terms["Lambdat"], terms["theta"].as_float()
    index = terms["Lind"].values.astype(np.int64) - 1
    inside = index.size > 0 and index.min() >= 0 and index.max() < theta.size
    if index.size != Lambdat.matrix.nnz or not inside:
        yield "Lambdat", Component(Lambdat, ("effects", "effects"))
        return
    places = Lambdat.matrix.copy()
    places.data = index + 1.0
    yield "Lambdat", Component(replace(Lambdat, matrix=places), ("effects", "effects"))
    numbers = Lambdat.matrix.data
    own = any(np.array_equal(numbers, known) for known in (theta[index], index + 1))
    yield "Lambdat@x", Component(["theta[Lind]" if own else "something else"])


def _cnms(terms: RList) -> list[tuple[str, list[str]]]:
    """Return group and column names of the random terms."""
    return [
        (group, [] if names is None else list(names.values))
        for group, names in named_items(terms["cnms"])
    ]


def _effects(terms: RList, cnms: list[tuple[str, list[str]]]) -> list[Hashable]:
    """Return group, column and level of every row of Zt."""
    rows = terms["Zt"].row_names or ()
    if isinstance(terms.get("nl"), RVector):
        sizes = [
            int(levels) * len(names)
            for levels, (_, names) in zip(terms["nl"].values, cnms, strict=False)
        ]
    else:
        sizes = np.diff(terms["Gp"].values.astype(np.int64)).tolist()
    places = [
        (group, names[at % len(names)])
        for (group, names), size in zip(cnms, sizes, strict=False)
        for at in range(size if names else 0)
    ]
    return [(*place, row) for place, row in zip(places, rows, strict=False)]
