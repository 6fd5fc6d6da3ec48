"""How two components are compared: numbers, texts, factors and sparse matrices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import Factor, FloatArray
from lme4py.proof.findings import TOLERANCE, Difference, Finding
from lme4py.rfiles.rvalues import RSparse

__all__ = ["Order", "extent", "measure", "permutation", "put_in_order"]

_FIRST = 5
_ORDER_SHOWN = 12
_AXES = ("row", "column")

Labels = Sequence[Sequence[Any]]
Order = NDArray[np.int64] | None


def measure(component: str, ours: Any, theirs: Any, labels: Labels = ()) -> Finding:
    """Compare two values of a component.

    Parameters
    ----------
    component : str
    ours, theirs : ndarray of float64, Factor, RSparse or list
    labels : sequence of sequences
        What our rows and columns are called, for the places of differences.
    """
    size = " x ".join(map(str, extent(ours)))
    match ours, theirs:
        case list(), list():
            found = _texts(component, ours, theirs)
        case (np.ndarray(), np.ndarray()) | (Factor(), Factor()) | (RSparse(), RSparse()) if extent(
            ours
        ) != extent(theirs):
            what = f"shape {extent(ours)}, R has {extent(theirs)}"
            found = Finding(component, "different", what)
        case np.ndarray(), np.ndarray():
            found = _numbers(component, ours, theirs, labels)
        case Factor(), Factor():
            found = _factors(component, ours, theirs, labels)
            size = f"{size}, {len(ours.levels)} levels"
        case RSparse(), RSparse():
            found = _sparse(component, ours.matrix, theirs.matrix, labels)
            size = f"{size}, {ours.matrix.nnz} values"
        case _:
            found = Finding(component, "different", f"{_kind(ours)}, R has {_kind(theirs)}")
    return replace(found, size=size)


def _kind(value: Any) -> str:
    names = {np.ndarray: "numbers", Factor: "a factor", RSparse: "a sparse matrix"}
    return names.get(type(value), "text")


def extent(value: Any) -> tuple[int, ...]:
    """Return the numbers of rows and columns of a value."""
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

    Equal elements are paired in order.

    Examples
    --------
    >>> permutation(["a", "b", "a"], ["b", "a", "a"]).tolist()
    [1, 0, 2]
    """
    if len(ours) != len(theirs) or Counter(ours) != Counter(theirs):
        return None
    places: dict[Hashable, list[int]] = defaultdict(list)
    for at in range(len(ours) - 1, -1, -1):
        places[ours[at]].append(at)
    return np.array([places[item].pop() for item in theirs], dtype=np.int64)


def put_in_order(value: Any, orders: Sequence[Order]) -> Any:
    """Return a value with its rows and columns in other orders, None for those that stay."""
    rows, columns = (*orders, None)[:2]
    match value:
        case Factor():
            return value if rows is None else replace(value, codes=value.codes[rows])
        case list():
            return value if rows is None else [value[at] for at in rows]
        case RSparse(matrix=matrix):
            moved = matrix if rows is None else matrix.tocsr()[rows].tocsc()
            moved = moved if columns is None else moved[:, columns]
            return replace(value, matrix=_tidied(moved))
        case _:
            moved = value if rows is None else value[rows]
            return moved if columns is None else moved[:, columns]


def _tidied(matrix: Any) -> Any:
    """Return a moved matrix as one made at once: sorted, int32."""
    matrix.sort_indices()
    return sparse.csc_array(
        (matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)),
        shape=matrix.shape,
    )


def _close(left: FloatArray, right: FloatArray, scale: Any) -> NDArray[np.bool_]:
    """Return where two arrays agree: equal, both missing, or close in their scale."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        near = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(right), scale)
    agreed: NDArray[np.bool_] = same | (np.isfinite(right) & near)
    return agreed


def _largest(numbers: FloatArray) -> Any:
    """Return the largest finite number of each column without its sign."""
    return np.max(np.abs(numbers), axis=0, initial=0.0, where=np.isfinite(numbers))


def _place(at: Sequence[int], labels: Labels) -> str:
    """Return a position, and its names where it has any."""
    named = [
        f"{axis} '{known[place][-1] if isinstance(known[place], tuple) else known[place]}'"
        for axis, place, known in zip(_AXES, at, labels, strict=False)
        if place < len(known)
    ]
    return f"[{', '.join(map(str, at))}]{' ' if named else ''}{', '.join(named)}"


def _differing(
    component: str, what: str, places: Any, pairs: Iterable[tuple[str, str]], labels: Labels = ()
) -> Finding:
    """Return the finding of places that differ, of which `pairs` are the values of the first."""
    if not len(places):
        return Finding(component, "equal")
    differences = (
        Difference(_place(at, labels), *map(_short, pair))
        for at, pair in zip(places, pairs, strict=False)
    )
    return Finding(component, "different", f"{len(places)} of {what}", tuple(differences))


def _numbers(component: str, ours: FloatArray, theirs: FloatArray, labels: Labels) -> Finding:
    """Compare arrays of the same shape: NaN at the same places, close by column."""
    scale = _largest(theirs)
    places = np.argwhere(~_close(ours, theirs, scale))
    first = tuple(places[:_FIRST].T)
    pairs = zip(_written(ours[first]), _written(theirs[first]), strict=True)
    found = _differing(component, f"{ours.size} numbers differ", places, pairs, labels)
    return replace(found, largest=_share(ours, theirs, scale))


def _share(ours: FloatArray, theirs: FloatArray, scale: Any) -> float:
    """Return the largest difference in the scale of `_close`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.abs(ours - theirs) / scale
    return float(np.max(share, initial=0.0, where=~np.isnan(share)))


def _written(numbers: FloatArray) -> list[str]:
    return [repr(number) for number in numbers.tolist()]


def _short(text: str, limit: int = 300) -> str:
    """Return a text cut to a readable length."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _texts(component: str, ours: list[Any], theirs: list[Any]) -> Finding:
    """Compare sequences of texts (or other exact values)."""
    here, there = _surplus(ours, theirs), _surplus(theirs, ours)
    if len(ours) != len(theirs):
        only = [f"only in R {there}"] * bool(there) + [f"only here {here}"] * bool(here)
        summary = f"{len(ours)} elements, R has {len(theirs)}; {', '.join(only)}"
        return Finding(component, "different", _short(summary))
    wrong = [[at] for at, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
    if wrong and not here:
        summary = f"{ours}, in R {theirs}"
        if len(ours) > _ORDER_SHOWN:
            at = wrong[0][0]
            summary = f"element {at} is {ours[at]!r}, R has {theirs[at]!r} there"
        return Finding(component, "order", _short(summary))

    pairs = [(repr(ours[at]), repr(theirs[at])) for (at,) in wrong[:_FIRST]]
    return _differing(component, f"{len(ours)} differ", wrong, pairs)


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


def _sparse(component: str, ours: Any, theirs: Any, labels: Labels) -> Finding:
    """Compare compressed columns: stored places exactly, stored numbers within the tolerance."""
    scale, entries = float(_largest(theirs.data)), (_entries(ours), _entries(theirs))
    known = np.union1d(entries[0][0], entries[1][0])
    (left, here), (right, there) = (_found(known, *own) for own in entries)
    wrong = ~_close(left, right, scale)
    places = np.column_stack(np.divmod(known[wrong], ours.shape[1]))
    sides = ((left[wrong], here[wrong]), (right[wrong], there[wrong]))
    pairs = zip(*(_shown(*side) for side in sides), strict=True)
    found = _differing(component, f"{known.size} stored numbers differ", places, pairs, labels)
    only, lacks = int((here & ~there).sum()), int((there & ~here).sum())
    arrays = ("indptr", "indices")
    if found.verdict == "equal" and (only or lacks):
        zeros = f"{only} zeros are stored here only and {lacks} in R only"
        found = Finding(component, "different", f"the same matrix, but {zeros}")
    elif not all(np.array_equal(getattr(ours, a), getattr(theirs, a)) for a in arrays):
        what = found.summary or "the stored places are in another sequence"
        found = replace(found, verdict="different", summary=what)
    return replace(found, largest=_share(left, right, scale))


def _entries(matrix: Any) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the places of the stored numbers, counted row by row, and the numbers."""
    found = matrix.copy()
    found.sum_duplicates()
    columns = np.repeat(np.arange(found.shape[1]), np.diff(found.indptr))
    places = found.indices.astype(np.int64) * found.shape[1] + columns
    order = np.argsort(places, kind="stable")
    return places[order], found.data[order]


def _found(
    known: NDArray[np.int64], places: NDArray[np.int64], numbers: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the numbers at known places, 0 where none is stored, and whether one is."""
    at = np.searchsorted(places, known)
    stored = np.append(places, -1)[at] == known
    return np.where(stored, np.append(numbers, 0.0)[at], 0.0), stored


def _shown(numbers: FloatArray, stored: NDArray[np.bool_]) -> list[str]:
    first = zip(_written(numbers[:_FIRST]), stored, strict=False)
    return [text if present else "nothing" for text, present in first]


def _factors(component: str, ours: Factor, theirs: Factor, labels: Labels) -> Finding:
    """Compare factors of the same length: levels in order, codes, and whether they are ordered."""
    # An NA level (addNA) has no counterpart in pandas: it is called "NA" there.
    mine, others = (
        np.array([*("NA" if level is None else level for level in factor.levels), "NA"], object)
        for factor in (ours, theirs)
    )
    levels = _texts(component, mine[:-1].tolist(), others[:-1].tolist())
    if levels.verdict == "different":
        return replace(levels, summary=f"levels: {levels.summary}")
    here, there = mine[ours.codes], others[theirs.codes]
    wrong = np.argwhere((here != there) | ((ours.codes < 0) != (theirs.codes < 0)))
    if len(wrong):
        what = f"{here.size} rows have another level"
        pairs = [(repr(here[at]), repr(there[at])) for (at,) in wrong[:_FIRST]]
        return _differing(component, what, wrong, pairs, labels)
    if ours.ordered != theirs.ordered:
        words = {True: "ordered", False: "not ordered"}
        summary = f"{words[ours.ordered]}, in R {words[theirs.ordered]}"
        return Finding(component, "different", summary)
    return replace(levels, summary=f"levels {levels.summary}" if levels.summary else "")
