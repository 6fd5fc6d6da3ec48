"""How components are compared: numbers, texts, factors and sparse matrices, up to their order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import Factor, FloatArray
from lme4py.proof.components import Components, axes_of
from lme4py.proof.findings import TOLERANCE, Difference, Finding
from lme4py.rfiles.rvalues import RSparse

_FIRST = 5
_ORDER_SHOWN = 12
_AXES = ("row", "column")

_MOVED = {
    "rows": "the rows of the data",
    "columns": "the columns of X",
    "effects": "the rows of Zt (levels or terms)",
}

Labels = Sequence[Sequence[Any]]
Order = NDArray[np.int64] | None


def findings(ours: Components, theirs: Components) -> Iterator[Finding]:
    """Yield a finding for each component of R's, and for what is ours alone."""

    @cache
    def order(axis: str) -> Order:
        """Return where their elements along an axis stand in ours; None where all stay."""
        found = permutation(ours.labels.get(axis, ()), theirs.labels.get(axis, ()))
        return None if found is None or np.array_equal(found, np.arange(found.size)) else found

    other_rows = False
    for name, expected in theirs.parts.items():
        mine, axes = ours.parts.get(name), axes_of(name)
        if other_rows and name.startswith("frame["):
            continue
        if mine is not None:
            found = measure(name, mine, expected, [ours.labels.get(axis, ()) for axis in axes])
            if found.verdict != "equal" and axes:
                found = _up_to_order(found, mine, expected, axes, [order(axis) for axis in axes])
            other_rows |= name == "frame.row_names" and found.verdict == "different"
            yield found
        elif "[" not in name:
            # Of single variables, groups and blocks the names are compared.
            yield Finding(name, "different", "absent, unlike R's")
    for name in ("y", "weights", "offset"):
        if name in ours.parts and name not in theirs.parts and "frame.names" in theirs.parts:
            yield Finding(name, "different", "present, R has none")


def _up_to_order(
    found: Finding, ours: Any, theirs: Any, axes: Sequence[str], orders: Sequence[Order]
) -> Finding:
    """Return a finding, "order" where the components agree once they are put in their order."""
    if isinstance(ours, list) and found.verdict == "order":
        # Moved elements of their own are no order of the rows or terms.
        found = replace(found, verdict="different")
    if _extent(ours) != _extent(theirs) or all(order is None for order in orders):
        return found
    if axes == ("terms",):
        # Where these stand depends on the terms, and so do the numbers of the index.
        what = "follows from the order of the terms"
        ordered = replace(found, verdict="order", summary=what, differences=(), largest=None)
        mine, others = (np.sort(np.asarray(side, dtype=float)) for side in (ours, theirs))
        return ordered if isinstance(ours, list) or np.array_equal(mine, others) else found
    again = measure(found.component, _put_in_order(ours, orders), theirs)
    if again.verdict == "different":
        return found
    pairs = zip(axes, orders, strict=True)
    moved = dict.fromkeys(
        _MOVED.get(axis, "its rows") for axis, order in pairs if order is not None
    )
    what = f"{' and '.join(moved)} stand in another order"
    return replace(again, verdict="order", summary=what, differences=())


def measure(component: str, ours: Any, theirs: Any, labels: Labels = ()) -> Finding:
    """Compare two values of a component, whose rows and columns the labels name."""
    size = " x ".join(map(str, _extent(ours)))
    match ours, theirs:
        case _ if type(ours) is not type(theirs):
            found = _different(f"{_KINDS[type(ours)]}, R has {_KINDS[type(theirs)]}")
        case list(), _:
            found = _texts(ours, theirs)
        case _ if _extent(ours) != _extent(theirs):
            found = _different(f"shape {_extent(ours)}, R has {_extent(theirs)}")
        case np.ndarray(), _:
            found = _numbers(ours, theirs, labels)
        case Factor(), _:
            found = _factors(ours, theirs, labels)
            size = f"{size}, {len(ours.levels)} levels"
        case _:
            found = _sparse(ours.matrix, theirs.matrix, labels)
            size = f"{size}, {ours.matrix.nnz} values"
    return replace(found, component=component, size=size)


# A finding gets the name of its component when it is complete.
_EQUAL = Finding("", "equal")


def _different(summary: str, differences: tuple[Difference, ...] = ()) -> Finding:
    return Finding("", "different", summary, differences)


_KINDS = {list: "text", np.ndarray: "numbers", Factor: "a factor", RSparse: "a sparse matrix"}


def _extent(value: Any) -> tuple[int, ...]:
    match value:
        case list():
            return (len(value),)
        case Factor():
            return value.codes.shape
        case RSparse():
            return value.matrix.shape
        case _:
            return tuple(value.shape)


def permutation(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Order:
    """Return where each of their elements stands in ours, None unless both hold the same.

    Equal elements are paired in order: of ``aba`` and ``baa`` the places are 1, 0 and 2.
    """
    if len(ours) != len(theirs) or Counter(ours) != Counter(theirs):
        return None
    places: dict[Hashable, list[int]] = defaultdict(list)
    for at in range(len(ours) - 1, -1, -1):
        places[ours[at]].append(at)
    return np.array([places[item].pop() for item in theirs], dtype=np.int64)


def _put_in_order(value: Any, orders: Sequence[Order]) -> Any:
    """Return a value with its rows and columns in other orders, None for those that stay."""
    rows: Any
    columns: Any
    rows, columns = (slice(None) if order is None else order for order in (*orders, None)[:2])
    match value:
        case Factor():
            return replace(value, codes=value.codes[rows])
        case list():
            return value if isinstance(rows, slice) else [value[at] for at in rows]
        case RSparse(matrix=matrix):
            # As a matrix made at once: sorted, int32.
            moved = sparse.csc_array(matrix.tocsr()[rows].tocsc()[:, columns])
            moved.sort_indices()
            moved.indices, moved.indptr = (x.astype("i4") for x in (moved.indices, moved.indptr))
            return replace(value, matrix=moved)
        case _:
            return value[rows] if value.ndim == 1 else value[rows][:, columns]


def _numbers(ours: FloatArray, theirs: FloatArray, labels: Labels) -> Finding:
    """Compare arrays of the same shape: NaN at the same places, close by column."""
    wrong, largest = _apart(ours, theirs, theirs)
    places = np.argwhere(wrong)
    first = tuple(places[:_FIRST].T)
    pairs = zip(_written(ours[first]), _written(theirs[first]), strict=True)
    found = _differing(f"{ours.size} numbers differ", places, pairs, labels)
    return replace(found, largest=largest)


def _apart(left: FloatArray, right: FloatArray, all_right: FloatArray) -> tuple[Any, float]:
    """Return where numbers do not agree, and the largest difference in the scale of R's columns.

    They agree if they are equal, both missing, or close.
    """
    scale = np.max(np.abs(all_right), axis=0, initial=0.0, where=np.isfinite(all_right))
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(right), scale)
        share = np.abs(left - right) / scale
    largest = float(np.max(share, initial=0.0, where=~np.isnan(share)))
    return ~(same | (np.isfinite(right) & near)), largest


def _place(at: Sequence[int], labels: Labels) -> str:
    """Return a position, and its names where it has any."""
    named = [
        f"{axis} '{known[place][-1] if isinstance(known[place], tuple) else known[place]}'"
        for axis, place, known in zip(_AXES, at, labels, strict=False)
        if place < len(known)
    ]
    return f"[{', '.join(map(str, at))}]{' ' if named else ''}{', '.join(named)}"


def _differing(
    what: str, places: Any, pairs: Iterable[tuple[str, str]], labels: Labels = ()
) -> Finding:
    """Return the finding of places that differ, of which `pairs` are the values of the first."""
    if not len(places):
        return _EQUAL
    differences = (
        Difference(_place(at, labels), *map(_short, pair))
        for at, pair in zip(places, pairs, strict=False)
    )
    return _different(f"{len(places)} of {what}", tuple(differences))


def _written(numbers: FloatArray) -> list[str]:
    return [repr(number) for number in numbers.tolist()]


def _short(text: str, limit: int = 300) -> str:
    """Return a text cut to a readable length."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _texts(ours: list[Any], theirs: list[Any]) -> Finding:
    """Compare sequences of texts (or other exact values)."""
    here, there = _surplus(ours, theirs), _surplus(theirs, ours)
    if len(ours) != len(theirs):
        only = [f"only in R {there}"] * bool(there) + [f"only here {here}"] * bool(here)
        return _different(_short(f"{len(ours)} elements, R has {len(theirs)}; {', '.join(only)}"))
    wrong = [[at] for at, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
    if wrong and not here:
        summary = f"{ours}, in R {theirs}"
        if len(ours) > _ORDER_SHOWN:
            at = wrong[0][0]
            summary = f"element {at} is {ours[at]!r}, R has {theirs[at]!r} there"
        return Finding("", "order", _short(summary))
    pairs = [(repr(ours[at]), repr(theirs[at])) for (at,) in wrong[:_FIRST]]
    return _differing(f"{len(ours)} differ", wrong, pairs)


def _surplus(items: list[Any], others: list[Any]) -> list[Any]:
    """Return what stands in one sequence more often than in another, the first of it."""
    if items == others:
        return []
    # By their texts: names of columns are lists.
    counts = Counter(map(repr, others))
    found = []
    for item in items:
        if not counts[repr(item)]:
            found.append(item)
        counts[repr(item)] -= counts[repr(item)] > 0
    return found[:_FIRST]


def _sparse(ours: Any, theirs: Any, labels: Labels) -> Finding:
    """Compare compressed columns: stored places exactly, stored numbers within the tolerance."""
    import pandas as pd

    sides = []
    for matrix in (ours, theirs):
        entries = matrix.copy()
        entries.sum_duplicates()
        entries = entries.tocoo()
        sides.append(pd.DataFrame({0: entries.row, 1: entries.col, "number": entries.data}))
    both = sides[0].merge(sides[1], "outer", on=[0, 1], indicator="stored")
    here, there = ((both["stored"] != f"{side}_only").to_numpy() for side in ("right", "left"))
    left = np.where(here, both["number_x"], 0.0)
    right = np.where(there, both["number_y"], 0.0)
    wrong, largest = _apart(left, right, theirs.data)
    first = np.flatnonzero(wrong)[:_FIRST]
    shown = (
        np.where(stored[first], _written(numbers[first]), "nothing").tolist()
        for numbers, stored in ((left, here), (right, there))
    )
    places, pairs = both.loc[wrong, [0, 1]].to_numpy(), zip(*shown, strict=True)
    found = _differing(f"{len(both)} stored numbers differ", places, pairs, labels)
    only, lacks = int((here & ~there).sum()), int((there & ~here).sum())
    arrays = ("indptr", "indices")
    if found.verdict == "equal" and (only or lacks):
        zeros = f"{only} zeros are stored here only and {lacks} in R only"
        found = _different(f"the same matrix, but {zeros}")
    elif not all(np.array_equal(getattr(ours, a), getattr(theirs, a)) for a in arrays):
        what = found.summary or "the stored places are in another sequence"
        found = replace(found, verdict="different", summary=what)
    return replace(found, largest=largest)


def _factors(ours: Factor, theirs: Factor, labels: Labels) -> Finding:
    """Compare factors of the same length: levels in order, codes, and whether they are ordered."""
    # An NA level (addNA) has no counterpart in pandas: it is called "NA" there.
    mine, others = (
        np.array([*("NA" if level is None else level for level in factor.levels), "NA"], object)
        for factor in (ours, theirs)
    )
    levels = _texts(mine[:-1].tolist(), others[:-1].tolist())
    if levels.verdict == "different":
        return replace(levels, summary=f"levels: {levels.summary}")
    here, there = mine[ours.codes], others[theirs.codes]
    wrong = np.argwhere((here != there) | ((ours.codes < 0) != (theirs.codes < 0)))
    if len(wrong):
        what = f"{here.size} rows have another level"
        pairs = [(repr(here[at]), repr(there[at])) for (at,) in wrong[:_FIRST]]
        return _differing(what, wrong, pairs, labels)
    if ours.ordered != theirs.ordered:
        words = {True: "ordered", False: "not ordered"}
        return _different(f"{words[ours.ordered]}, in R {words[theirs.ordered]}")
    return replace(levels, summary=f"levels {levels.summary}" if levels.summary else "")
