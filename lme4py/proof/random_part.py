"""The random part against R's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from lme4py.proof.alignment import Pair, cnms_of, up_to_order
from lme4py.proof.findings import Difference, Finding
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


@dataclass(frozen=True, eq=False, slots=True)
class _ZtBlock:
    """An element of Ztlist: a term's rows of Zt or, in a fit's, those of one of its columns."""

    label: str
    matrix: Any
    rows: Sequence[str]
    columns: int


def _by_term(random: Any) -> list[_ZtBlock]:
    # What is compared may be damaged: lists of different lengths are a finding, no error.
    return [
        _ZtBlock(label, block, random.row_names[begin : begin + block.shape[0]], len(names))
        for (label, block), (_, names), begin in zip(
            random.Ztlist, random.cnms, random.Gp[:-1].tolist(), strict=False
        )
    ]


def _by_column(random: Any) -> list[_ZtBlock]:
    """Return the blocks as ``getME(fit, "Ztlist")`` has them: one for each column of a term."""
    return [
        _ZtBlock(f"{group}.{name}", block.matrix[at :: len(names)], block.rows[at :: len(names)], 1)
        for block, (group, names) in zip(_by_term(random), random.cnms, strict=False)
        for at, name in enumerate(names)
    ]


def _blocks(pair: Pair, random: Any, theirs: RList) -> Iterator[Finding]:
    blocks = (_by_column if pair.fixture.fitted else _by_term)(random)
    found = compare_texts("Ztlist labels", [block.label for block in blocks], theirs.names)
    yield found
    if len(theirs) != len(blocks):
        return
    for at, expected in enumerate(theirs):
        place = at
        if found.verdict == "order" and pair.term_order is not None and not pair.fixture.fitted:
            place = int(pair.term_order[at])
        yield _block(pair, f"Ztlist[{at}] {blocks[place].label!r}", blocks[place], expected)


def _block(pair: Pair, component: str, ours: _ZtBlock, theirs: Any) -> Finding:
    if isinstance(theirs, RVector):
        # lme4 takes a row at a time and lets a single one become a vector.
        return compare_numbers(component, ours.matrix.toarray().ravel(), theirs.values)
    result = compare_sparse(component, ours.matrix, theirs, (ours.rows, pair.labels))
    if result.verdict != "equal" and _block_moved(pair, ours, theirs):
        return Finding(component, "order", "the levels or rows stand in another order")
    return result


def _block_moved(pair: Pair, ours: _ZtBlock, theirs: RSparse) -> bool:
    columns = max(ours.columns, 1)
    order = permutation(
        [(level, at % columns) for at, level in enumerate(ours.rows)],
        [(level, at % columns) for at, level in enumerate(theirs.row_names or ())],
    )
    if order is None or ours.matrix.shape != theirs.matrix.shape:
        return False
    moved = ours.matrix.tocsr()[order].tocsc()
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
