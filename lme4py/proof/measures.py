"""How two components are compared: numbers, texts, factors and sparse matrices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.proof.findings import Difference, Finding
from lme4py.rfiles.rvalues import RFactor, RSparse

__all__ = [
    "TOLERANCE",
    "compare_factor",
    "compare_numbers",
    "compare_sparse",
    "compare_texts",
    "permutation",
    "short",
]

TOLERANCE = 1e-12
_FIRST = 5
_ORDER_SHOWN = 12

Place = Callable[[tuple[int, ...]], str]


def short(value: Any, limit: int = 300) -> str:
    """Return the text of a value, cut to a readable length."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def permutation(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> NDArray[np.int64] | None:
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


def _bracketed(at: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, at))}]"


def close(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    tolerance: float = TOLERANCE,
    scale: Any = None,
) -> NDArray[np.bool_]:
    """Return where two arrays agree: equal, both missing, or close in their column's scale."""
    usual = np.isfinite(right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    if scale is None:
        scale = np.max(np.where(usual, np.abs(right), 0.0), axis=0)
    with np.errstate(invalid="ignore"):
        near = usual & (np.abs(left - right) <= tolerance * np.maximum(np.abs(right), scale))
    agreed: NDArray[np.bool_] = same | near
    return agreed


def compare_numbers(
    component: str,
    ours: Any,
    theirs: Any,
    place: Place = _bracketed,
    tolerance: float = TOLERANCE,
) -> Finding:
    """Compare arrays: same shape, NaN at the same places, close by column."""
    left, right = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if left.shape != right.shape:
        return Finding(component, "different", f"shape {left.shape}, R has {right.shape}")
    if left.size == 0:
        return Finding(component, "equal")
    wrong = ~close(left, right, tolerance)
    if not wrong.any():
        return Finding(component, "equal")
    found = np.argwhere(wrong)
    first = [tuple(int(axis) for axis in at) for at in found[:_FIRST]]
    return Finding(
        component,
        "different",
        f"{len(found)} of {left.size} numbers differ",
        tuple(Difference(place(at), repr(float(left[at])), repr(float(right[at]))) for at in first),
    )


def compare_texts(
    component: str, ours: Iterable[Any] | None, theirs: Iterable[Any] | None
) -> Finding:
    """Compare sequences of texts (or other exact values); None equals an empty one."""
    left, right = list(() if ours is None else ours), list(() if theirs is None else theirs)
    if left == right:
        return Finding(component, "equal")
    if len(left) != len(right):
        gone = list((Counter(right) - Counter(left)).elements())[:_FIRST]
        new = list((Counter(left) - Counter(right)).elements())[:_FIRST]
        only = [f"only in R {gone}"] * bool(gone) + [f"only here {new}"] * bool(new)
        summary = f"{len(left)} elements, R has {len(right)}; {', '.join(only)}"
        return Finding(component, "different", short(summary), _whole(left, right))
    if Counter(left) == Counter(right):
        if len(left) <= _ORDER_SHOWN:
            return Finding(component, "order", short(f"{left}, in R {right}"))
        at = next(i for i, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1])
        summary = f"element {at} is {left[at]!r}, R has {right[at]!r} there"
        return Finding(component, "order", short(summary))
    wrong = [i for i, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
    return Finding(
        component,
        "different",
        f"{len(wrong)} of {len(left)} differ",
        tuple(
            Difference(f"[{at}]", short(repr(left[at])), short(repr(right[at])))
            for at in wrong[:_FIRST]
        ),
    )


def _whole(left: list[Any], right: list[Any]) -> tuple[Difference, ...]:
    if max(len(left), len(right)) > _ORDER_SHOWN:
        return ()
    return (Difference("", short(repr(left)), short(repr(right))),)


def compare_sparse(
    component: str, ours: Any, theirs: RSparse, names: tuple[Sequence[str], Sequence[str]]
) -> Finding:
    """Compare compressed columns: stored places exactly, stored numbers within the tolerance.

    Parameters
    ----------
    component : str
    ours : csc_array
    theirs : RSparse
    names : pair of sequences of str
        Names of the rows and columns, empty where they have none.
    """
    right = theirs.matrix
    if not isinstance(ours, sparse.csc_array):
        return Finding(component, "different", f"{type(ours).__name__} is not csc")
    if ours.shape != right.shape:
        return Finding(component, "different", f"shape {ours.shape}, R has {right.shape}")
    if ours.indices.dtype != np.int32 or ours.indptr.dtype != np.int32:
        return Finding(component, "different", f"indices are {ours.indices.dtype}, not int32")
    scale = np.max(np.abs(right.data), initial=0.0, where=np.isfinite(right.data))
    same_places = np.array_equal(ours.indptr, right.indptr) and np.array_equal(
        ours.indices, right.indices
    )
    if same_places and bool(close(ours.data, right.data, TOLERANCE, scale).all()):
        return Finding(component, "equal")
    return _sparse_differences(component, _sorted(ours), _sorted(right), float(scale), names)


def _sorted(matrix: Any) -> Any:
    found = matrix.copy()
    found.sum_duplicates()
    return found


def _sparse_differences(
    component: str, ours: Any, theirs: Any, scale: float, names: tuple[Sequence[str], Sequence[str]]
) -> Finding:
    places = [
        (np.repeat(np.arange(item.shape[1]), np.diff(item.indptr)), item.indices)
        for item in (ours, theirs)
    ]
    rows = ours.shape[0]
    keys = [columns.astype(np.int64) * rows + indices for columns, indices in places]
    union = np.union1d(*keys)
    left, right = np.zeros(union.size), np.zeros(union.size)
    stored = []
    for values, key, item in zip((left, right), keys, (ours, theirs), strict=True):
        at = np.searchsorted(union, key)
        values[at] = item.data
        mask = np.zeros(union.size, dtype=np.bool_)
        mask[at] = True
        stored.append(mask)
    wrong = ~close(left, right, TOLERANCE, scale)
    if not wrong.any():
        only_ours = int((stored[0] & ~stored[1]).sum())
        only_theirs = int((stored[1] & ~stored[0]).sum())
        if not only_ours and not only_theirs:
            return Finding(component, "different", "the stored places are in another sequence")
        return Finding(
            component,
            "different",
            f"the same matrix, but {only_ours} zeros are stored here only and {only_theirs} "
            "in R only",
        )
    found = np.flatnonzero(wrong)
    differences = []
    for at in found[:_FIRST]:
        column, row = divmod(int(union[at]), rows)
        differences.append(
            Difference(
                f"[{row}, {column}]{_named(names, row, column)}",
                _stored(left[at], bool(stored[0][at])),
                _stored(right[at], bool(stored[1][at])),
            )
        )
    summary = f"{len(found)} of {union.size} stored numbers differ"
    return Finding(component, "different", summary, tuple(differences))


def _stored(value: float, present: bool) -> str:
    return repr(float(value)) if present else "nothing"


def _named(names: tuple[Sequence[str], Sequence[str]], row: int, column: int) -> str:
    texts = [
        f"{kind} '{labels[at]}'"
        for kind, labels, at in zip(("row", "column"), names, (row, column), strict=True)
        if at < len(labels)
    ]
    return f" {', '.join(texts)}" if texts else ""


def compare_factor(
    component: str, levels: Any, codes: Any, ordered: bool, theirs: RFactor
) -> Finding:
    """Compare a factor: levels in order, codes, and whether it is ordered."""
    # An NA level (addNA) has no counterpart in pandas: it is called "NA" there.
    mine = [str(level) for level in levels]
    expected = ["NA" if level is None else str(level) for level in theirs.levels]
    found = compare_texts(f"{component} levels", mine, expected)
    left, right = np.asarray(codes), np.asarray(theirs.codes)
    if found.verdict == "different":
        return Finding(component, "different", f"levels: {found.summary}", found.differences)
    if left.shape != right.shape:
        return Finding(component, "different", f"{left.size} rows, R has {right.size}")
    renumbered = left
    if found.verdict == "order":
        place = {level: at for at, level in enumerate(expected)}
        table = np.array([*(place[level] for level in mine), -1])
        renumbered = table[left]
    wrong = np.flatnonzero(renumbered != right)
    if wrong.size:
        names, others = [*mine, "NA"], [*expected, "NA"]
        return Finding(
            component,
            "different",
            f"{wrong.size} of {left.size} rows have another level",
            tuple(
                Difference(f"[{at}]", repr(names[left[at]]), repr(others[right[at]]))
                for at in wrong[:_FIRST]
            ),
        )
    if bool(ordered) != theirs.ordered:
        words = {True: "ordered", False: "not ordered"}
        summary = f"{words[bool(ordered)]}, in R {words[theirs.ordered]}"
        return Finding(component, "different", summary)
    if found.verdict == "order":
        return Finding(component, "order", f"levels {found.summary}")
    return Finding(component, "equal")
