"""How two components are compared: numbers, texts, factors and sparse matrices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import Factor
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
    found = _measured(component, ours, theirs, labels)
    return replace(found, size=_size(ours), largest=_apart(ours, theirs))


def _measured(component: str, ours: Any, theirs: Any, labels: Labels) -> Finding:
    match ours, theirs:
        case np.ndarray(), np.ndarray():
            return _numbers(component, ours, theirs, labels)
        case Factor(), Factor():
            return _factors(component, ours, theirs, labels)
        case RSparse(), RSparse():
            return _sparse(component, ours.matrix, theirs.matrix, labels)
        case list(), list():
            return _texts(component, ours, theirs)
        case _:
            return Finding(component, "different", f"{_kind(ours)}, R has {_kind(theirs)}")


def _kind(value: Any) -> str:
    match value:
        case np.ndarray():
            return "numbers"
        case Factor():
            return "a factor"
        case RSparse():
            return "a sparse matrix"
        case _:
            return "text"


def _size(value: Any) -> str:
    """Return the dimensions of a value, and what else there is to count."""
    match value:
        case Factor():
            return f"{value.codes.size}, {len(value.levels)} levels"
        case RSparse(matrix=matrix):
            return f"{matrix.shape[0]} x {matrix.shape[1]}, {matrix.nnz} values"
        case _:
            return " x ".join(map(str, extent(value)))


def _apart(ours: Any, theirs: Any) -> float | None:
    """Return the largest difference in the scale of `_close`, None where it has none."""
    if not isinstance(ours, np.ndarray | RSparse) or extent(ours) != extent(theirs):
        return None
    if isinstance(ours, RSparse) and isinstance(theirs, RSparse):
        difference, scale = (ours.matrix - theirs.matrix).data, _largest(theirs.matrix.data)
    elif isinstance(theirs, np.ndarray):
        with np.errstate(invalid="ignore"):
            difference, scale = ours - theirs, _largest(theirs)
    else:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.abs(difference) / scale
    return float(np.max(share, initial=0.0, where=~np.isnan(share)))


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


def _close(left: NDArray[np.float64], right: NDArray[np.float64], scale: Any) -> NDArray[np.bool_]:
    """Return where two arrays agree: equal, both missing, or close in their scale."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        near = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(right), scale)
    agreed: NDArray[np.bool_] = same | (np.isfinite(right) & near)
    return agreed


def _largest(numbers: NDArray[np.float64]) -> Any:
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


def _unlike(component: str, ours: Any, theirs: Any) -> Finding:
    return Finding(component, "different", f"shape {ours.shape}, R has {theirs.shape}")


def _differing(
    component: str,
    what: str,
    total: int,
    places: Any,
    shown: Callable[[int], tuple[str, str]],
    labels: Labels = (),
) -> Finding:
    """Return the finding of places that differ; `shown` gives both values of the first ones."""
    return Finding(
        component,
        "different" if len(places) else "equal",
        f"{len(places)} of {total} {what}" if len(places) else "",
        tuple(
            Difference(_place(at, labels), *map(_short, shown(number)))
            for number, at in enumerate(places[:_FIRST])
        ),
    )


def _numbers(
    component: str, ours: NDArray[np.float64], theirs: NDArray[np.float64], labels: Labels
) -> Finding:
    """Compare arrays: same shape, NaN at the same places, close by column."""
    if ours.shape != theirs.shape:
        return _unlike(component, ours, theirs)
    places = np.argwhere(~_close(ours, theirs, _largest(theirs)))

    def shown(number: int) -> tuple[str, str]:
        at = tuple(places[number])
        return repr(float(ours[at])), repr(float(theirs[at]))

    return _differing(component, "numbers differ", ours.size, places, shown, labels)


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

    def shown(number: int) -> tuple[str, str]:
        return repr(ours[wrong[number][0]]), repr(theirs[wrong[number][0]])

    return _differing(component, "differ", len(ours), wrong, shown)


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
    if ours.shape != theirs.shape:
        return _unlike(component, ours, theirs)
    scale = float(_largest(theirs.data))
    same = np.array_equal(ours.indptr, theirs.indptr) and np.array_equal(
        ours.indices, theirs.indices
    )
    if same and bool(_close(ours.data, theirs.data, scale).all()):
        return Finding(component, "equal")
    (left, here), (right, there) = (_entries(matrix) for matrix in (ours, theirs))
    known = np.union1d(here, there)
    values = np.zeros((2, known.size))
    stored = np.zeros((2, known.size), dtype=np.bool_)
    for side, numbers, own in ((0, left, here), (1, right, there)):
        at = np.searchsorted(known, own)
        values[side, at], stored[side, at] = numbers, True
    wrong = np.flatnonzero(~_close(values[0], values[1], scale))
    if not wrong.size:
        only_ours, only_theirs = (stored & ~stored[::-1]).sum(axis=1).tolist()
        summary = "the stored places are in another sequence"
        if only_ours or only_theirs:
            summary = (
                f"the same matrix, but {only_ours} zeros are stored here only and {only_theirs} "
                "in R only"
            )
        return Finding(component, "different", summary)

    def shown(number: int) -> tuple[str, str]:
        here, there = (
            repr(float(value)) if present else "nothing"
            for value, present in zip(*(a[:, wrong[number]] for a in (values, stored)), strict=True)
        )
        return here, there

    places = np.column_stack(np.divmod(known[wrong], ours.shape[1]))
    return _differing(component, "stored numbers differ", known.size, places, shown, labels)


def _entries(matrix: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the stored numbers, each place once, and their places counted row by row."""
    found = matrix.copy()
    found.sum_duplicates()
    columns = np.repeat(np.arange(found.shape[1]), np.diff(found.indptr))
    return found.data, found.indices.astype(np.int64) * found.shape[1] + columns


def _factors(component: str, ours: Factor, theirs: Factor, labels: Labels) -> Finding:
    """Compare factors: levels in order, codes, and whether they are ordered."""
    # An NA level (addNA) has no counterpart in pandas: it is called "NA" there.
    mine, others = (
        ["NA" if level is None else level for level in factor.levels] for factor in (ours, theirs)
    )
    levels = _texts(component, mine, others)
    if levels.verdict == "different":
        return replace(levels, summary=f"levels: {levels.summary}")
    if ours.codes.shape != theirs.codes.shape:
        return _unlike(component, ours.codes, theirs.codes)
    place = {level: at for at, level in enumerate(others)}
    renumbered = np.array([*(place[level] for level in mine), -1])[ours.codes]
    wrong = np.argwhere(renumbered != theirs.codes)

    def shown(number: int) -> tuple[str, str]:
        (row,) = wrong[number]
        return repr([*mine, "NA"][ours.codes[row]]), repr([*others, "NA"][theirs.codes[row]])

    if len(wrong):
        what = "rows have another level"
        return _differing(component, what, ours.codes.size, wrong, shown, labels)
    if ours.ordered != theirs.ordered:
        words = {True: "ordered", False: "not ordered"}
        summary = f"{words[ours.ordered]}, in R {words[theirs.ordered]}"
        return Finding(component, "different", summary)
    return replace(levels, summary=f"levels {levels.summary}" if levels.summary else "")
