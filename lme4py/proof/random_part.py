"""The random part against R's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from lme4py.proof.alignment import Pair, up_to_order
from lme4py.proof.findings import Difference, Finding
from lme4py.proof.labels import cnms_of
from lme4py.proof.measures import (
    compare_numbers,
    compare_sparse,
    compare_texts,
    permutation,
    short,
)
from lme4py.proof.shapes import named_items
from lme4py.rfiles.rvalues import RFactor, RList, RSparse, RVector

__all__ = ["random_findings"]


def random_findings(pair: Pair, theirs: RList) -> Iterator[Finding]:
    """Yield what is found of Zt, Lambdat, theta and the random terms."""
    random = pair.design.random
    yield _Zt(pair, random, theirs["Zt"])
    yield compare_texts("random.row_names", random.row_names, theirs["Zt"].row_names)
    if isinstance(theirs.get("Ztlist"), RList):
        yield from _blocks(pair, random, theirs["Ztlist"])
    yield _Lambdat(pair, random, theirs)
    yield from _parameters(pair, random, theirs)
    found = [(group, list(names)) for group, names in random.cnms]
    yield _terms(pair, "cnms", found, [(group, list(names)) for group, names in cnms_of(theirs)])
    yield from _groups(pair, random, theirs["flist"])


def _Zt(pair: Pair, random: Any, theirs: RSparse) -> Finding:
    names = (random.row_names, pair.labels)
    found = compare_sparse("Zt", random.Zt, theirs, names)
    if found.verdict == "equal" or random.Zt.shape != theirs.matrix.shape:
        return found
    for rows, columns, what in (
        (pair.effect_order, None, "the rows stand in another order (levels or terms)"),
        (None, pair.row_order, "the columns stand in another order (rows of the data)"),
        (pair.effect_order, pair.row_order, "rows and columns stand in another order"),
    ):
        if rows is None and columns is None:
            continue
        moved = random.Zt if rows is None else random.Zt.tocsr()[rows].tocsc()
        moved = moved if columns is None else moved[:, columns]
        if compare_sparse("Zt", _tidied(moved), theirs, names).verdict == "equal":
            return Finding("Zt", "order", what)
    return found


def _blocks(pair: Pair, random: Any, theirs: RList) -> Iterator[Finding]:
    labels = [label for label, _ in random.Ztlist]
    found = compare_texts("Ztlist labels", labels, theirs.names)
    yield found
    if len(theirs) != len(labels):
        return
    for at, expected in enumerate(theirs):
        place = at
        if found.verdict == "order" and pair.term_order is not None:
            place = int(pair.term_order[at])
        label, block = random.Ztlist[place]
        component = f"Ztlist[{at}] {label!r}"
        begin = int(random.Gp[place])
        rows = random.row_names[begin : begin + block.shape[0]]
        result = compare_sparse(component, block, expected, (rows, pair.labels))
        if result.verdict != "equal" and _block_moved(pair, place, block, rows, expected):
            result = Finding(component, "order", "the levels or rows stand in another order")
        yield result


def _block_moved(pair: Pair, place: int, block: Any, rows: list[str], theirs: RSparse) -> bool:
    names = pair.design.random.cnms[place][1]
    columns = max(len(names), 1)
    expected = theirs.row_names or ()
    order = permutation(
        [(level, at % columns) for at, level in enumerate(rows)],
        [(level, at % columns) for at, level in enumerate(expected)],
    )
    if order is None or block.shape != theirs.matrix.shape:
        return False
    moved = block.tocsr()[order].tocsc()
    if pair.row_order is not None:
        moved = moved[:, pair.row_order]
    return compare_sparse("", _tidied(moved), theirs, ((), ())).verdict == "equal"


def _Lambdat(pair: Pair, random: Any, terms: RList) -> Finding:
    theirs, how = terms["Lambdat"], ""
    ours = random.Lambdat
    index = np.asarray(terms["Lind"].values, dtype=np.int64) - 1
    theta = terms["theta"].values
    if index.size == theirs.matrix.nnz and index.size and index.max() < theta.size:
        as_index = np.array_equal(theirs.matrix.data, index + 1)
        if pair.fixture.fitted or (as_index and pair.fixture.two):
            # lme4 2.x stores the index there until the fit; a fitted model its estimates.
            given = index + 1 if as_index and pair.fixture.two else theta[index]
            if not np.array_equal(theirs.matrix.data, given):
                return Finding("Lambdat", "different", "R's own Lambdat@x is not theta[Lind]")
            if ours.nnz == theirs.matrix.nnz:
                values = theirs.matrix.copy()
                values.data = ours.data.copy()
                theirs, how = RSparse(values, None, None), " (places only)"
    found = compare_sparse("Lambdat", ours, theirs, ((), ()))
    if found.verdict != "equal" and ours.shape == theirs.matrix.shape:
        order = pair.effect_order
        if order is not None:
            moved = _tidied(ours.tocsr()[order].tocsc()[:, order])
            if compare_sparse("Lambdat", moved, theirs, ((), ())).verdict == "equal":
                return Finding("Lambdat", "order", "the terms stand in another order")
    return replace(found, summary=found.summary + how) if found.summary else found


def _parameters(pair: Pair, random: Any, theirs: RList) -> Iterator[Finding]:
    order = pair.term_order
    for name, shift in (("Lind", 1), ("Gp", 0), ("nl", 0), ("ord", 1)):
        expected = theirs.get(name)
        if expected is None:
            continue
        array = np.asarray(getattr(random, "order" if name == "ord" else name))
        if name != "ord" and array.dtype != np.int32:
            yield Finding(name, "different", f"dtype {array.dtype}, not int32")
            continue
        found = compare_texts(name, array.tolist(), (expected.values.astype(int) - shift).tolist())
        if found.verdict == "order" and order is None:
            found = replace(found, verdict="different")
        if found.verdict == "different" and order is not None and array.size == len(expected):
            found = Finding(name, "order", "follows from the order of the terms")
        yield found
    for name in ("theta", "lower", "upper", "par"):
        if not isinstance(theirs.get(name), RVector):
            continue
        ours, expected = np.asarray(getattr(random, name)), theirs[name].values
        if pair.fixture.fitted and name in ("theta", "par"):
            yield compare_texts(f"{name} (number)", [ours.size], [expected.size])
            continue
        found = compare_numbers(name, ours, expected)
        yield up_to_order(
            found,
            order,
            "follows from the order of the terms",
            lambda ours=ours, expected=expected: np.array_equal(  # type: ignore[misc]
                np.sort(ours), np.sort(expected)
            ),
        )


def _terms(pair: Pair, component: str, ours: list[Any], theirs: list[Any]) -> Finding:
    if ours == theirs:
        return Finding(component, "equal")
    order = pair.term_order
    if order is not None and [ours[at] for at in order] == theirs:
        return Finding(component, "order", short(f"{ours}, in R {theirs}"))
    return Finding(
        component, "different", "", (Difference("", short(repr(ours)), short(repr(theirs))),)
    )


def _groups(pair: Pair, random: Any, theirs: Any) -> Iterator[Finding]:
    columns = dict(named_items(theirs))
    names = compare_texts("flist names", random.flist, columns)
    yield names
    for group, factor in columns.items():
        if group in random.flist and isinstance(factor, RFactor):
            mine = random.flist[group]
            yield pair.factor(
                f"flist[{group!r}]", mine.categories, mine.codes, bool(mine.ordered), factor
            )
    given = theirs.attributes.get("assign")
    if given is not None:
        assign = (given.values.astype(int) - 1).tolist()
        found = compare_texts("flist assign", np.asarray(random.assign).tolist(), assign)
        if found.verdict == "order" and names.verdict == "equal" and pair.term_order is None:
            found = replace(found, verdict="different")
        yield found


def _tidied(matrix: Any) -> Any:
    """Return a moved matrix as one made at once: sorted, int32."""
    found = matrix.tocsc()
    found.sort_indices()
    return sparse.csc_array(
        (found.data, found.indices.astype(np.int32), found.indptr.astype(np.int32)),
        shape=found.shape,
    )
