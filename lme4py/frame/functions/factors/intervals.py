"""Intervals of numbers: R's cut and findInterval."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.factors import recode
from lme4py.frame.functions.coercion import as_flag, as_integer, flat
from lme4py.frame.functions.factors.stored import strings_of
from lme4py.frame.functions.table import Dot, State, function, replays
from lme4py.frame.functions.timecuts import relabelled, time_breaks
from lme4py.frame.values import Codes, Factor, Matrix, Null, Numeric, Value, is_difftime

_MOST_PIECES = 100_000
_MOST_DIGITS = 22


def _breaks(x: NDArray[np.float64], breaks: Value) -> NDArray[np.float64]:
    """Return sorted breaks: those given, or equal pieces of the range, a little wider."""
    given, _ = flat(breaks, "'breaks' must be numeric")
    if given.size > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
    if given.size != 1:
        return np.sort(given[~np.isnan(given)])
    if math.isnan(given[0]) or given[0] < 2:
        raise DataError("invalid number of intervals")
    if given[0] > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
    count = int(given[0] + 1)
    present = x[~np.isnan(x)]
    if not present.size or not np.isfinite(present).all():
        raise DataError("'from' must be a finite number")
    low, high = float(present.min()), float(present.max())
    width = high - low
    if width == 0:
        width = abs(low) if low != 0 else 1.0
        return np.linspace(low - width / 1000, high + width / 1000, count)
    found = np.linspace(low, high, count)
    found[[0, -1]] = low - width / 1000, high + width / 1000
    return found


def _break_texts(breaks: NDArray[np.float64], digits: int) -> list[str]:
    infinite = [number for number in breaks.tolist() if math.isinf(number)]
    width = 4 if -math.inf in infinite else 3
    return [
        ("-Inf" if number < 0 else "Inf").rjust(width)
        if math.isinf(number)
        else f"{number + 0.0:.{max(digits, 1)}g}"
        for number in breaks.tolist()
    ]


def _interval_labels(
    breaks: NDArray[np.float64], digits: int, right: bool, closed: bool
) -> list[str]:
    """Return labels such as ``(0,5]`` with just enough digits to tell the breaks apart."""
    for places in range(min(digits, _MOST_DIGITS), max(12, min(digits, _MOST_DIGITS)) + 1):
        ends = _break_texts(breaks, places)
        if all(a != b for a, b in itertools.pairwise(ends)):
            break
    else:
        return [f"Range_{number}" for number in range(1, breaks.size)]
    opening, closing = ("(", "]") if right else ("[", ")")
    labels = [f"{opening}{a},{b}{closing}" for a, b in itertools.pairwise(ends)]
    if closed and right:
        labels[0] = "[" + labels[0][1:]
    elif closed:
        labels[-1] = labels[-1][:-1] + "]"
    return labels


def _bins(x: NDArray[np.float64], state: State) -> Codes:
    """Return the interval of each number, 0-based; -1 outside and for NaN."""
    breaks = np.asarray(state["breaks"], dtype=np.float64)
    right, closed = bool(state["right"]), bool(state["include_lowest"])
    codes = np.searchsorted(breaks, x, side="left" if right else "right") - 1
    outside = (codes < 0) | (codes >= breaks.size - 1) | np.isnan(x)
    codes[outside] = -1
    if closed and breaks.size > 1:
        end, place = (breaks[0], 0) if right else (breaks[-1], breaks.size - 2)
        codes[x == end] = place
    return codes.astype(np.int32)


def _cut_value(x: NDArray[np.float64], state: State) -> Value:
    codes = _bins(x, state)
    if state["labels"] is None:
        if (codes < 0).any():
            return Numeric(np.where(codes < 0, np.nan, codes + 1.0), "integer")
        return Numeric(codes.astype(np.int64) + 1, "integer")
    labels = list(state["labels"])
    named = (label for label in labels if label is not None)
    places = {label: place for place, label in enumerate(dict.fromkeys(named))}
    merged = recode(codes, [places.get(label, -1) for label in labels])
    return Factor(merged, tuple(places), bool(state["ordered"]))


def _cut_numbers(x: Value) -> NDArray[np.float64]:
    unfit = isinstance(x, Numeric) and is_difftime(x.time)
    if not isinstance(x, Numeric | Matrix) or x.kind == "logical" or unfit:
        raise DataError("'x' must be numeric")
    return flat(x, "'x' must be numeric")[0]


@function(
    "cut",
    "x, breaks, labels = NULL, include.lowest = FALSE, right = TRUE, dig.lab = 3, "
    "ordered_result = FALSE, ...",
    role="basis",
    purpose="intervals of numbers or times as a factor",
)
def cut(
    x: Value,
    breaks: Value,
    labels: Value | None = None,
    include_lowest: Value | None = None,
    right: Value | None = None,
    dig_lab: Value | None = None,
    ordered_result: Value | None = None,
    dots: tuple[Dot, ...] = (),
) -> tuple[Value, State]:
    """Return R's ``cut``."""
    numbers = _cut_numbers(x)
    times = None
    if isinstance(x, Numeric) and x.time is not None:
        monday = [dot.value for dot in dots if dot.name == "start.on.monday"]
        times = time_breaks(x, breaks, not monday or as_flag(monday[0], "start.on.monday"))
        breaks = Numeric(times.breaks.values, times.breaks.kind)
    found = _breaks(numbers, breaks)
    if np.unique(found).size < found.size:
        raise DataError("'breaks' are not unique")
    if not found.size:
        raise DataError("invalid number of intervals")
    closed = include_lowest is not None and as_flag(include_lowest, "include.lowest")
    from_right = times is None if right is None else as_flag(right, "right")
    names: list[str | None] | None
    if labels is None or isinstance(labels, Null):
        digits = 3 if dig_lab is None else as_integer(dig_lab, "dig.lab")
        names = list(_interval_labels(found, digits, from_right, closed))
    elif isinstance(labels, Numeric) and labels.kind == "logical" and not as_flag(labels, "labels"):
        names = None
    else:
        names = strings_of(labels)
        if len(names) != found.size - 1:
            raise DataError("lengths of 'breaks' and 'labels' differ")
    named = labels is not None and not isinstance(labels, Null)
    if times is not None and times.labels is not None and not named:
        names = list(times.labels)
    state: dict[str, Any] = {
        "breaks": found,
        "labels": None if names is None else tuple(names),
        "right": from_right,
        "include_lowest": closed,
        "ordered": ordered_result is not None and as_flag(ordered_result, "ordered_result"),
    }
    if times is not None and times.labels is None and not named and isinstance(x, Numeric):
        state["labels"] = relabelled(x, _bins(numbers, state), found.size - 1)
    return _cut_value(numbers, state), state


@replays("cut")
def cut_again(state: State, x: Value, **options: Any) -> Value:
    """Return the stored intervals of new numbers; outside them is NA, as in R."""
    del options
    return _cut_value(_cut_numbers(x), state)


@function(
    "findInterval",
    "x, vec, rightmost.closed = FALSE, all.inside = FALSE, left.open = FALSE",
    role="elementwise",
    purpose="the number of the interval that holds each number",
    tables=("vec",),
)
def find_interval(
    x: Value,
    vec: Value,
    rightmost_closed: Value | None = None,
    all_inside: Value | None = None,
    left_open: Value | None = None,
) -> Numeric:
    """Return R's ``findInterval``."""
    numbers, _ = flat(x, "'x' must be numeric")
    ends, _ = flat(vec, "'vec' must be numeric")
    if np.isnan(ends).any() or (np.diff(ends) < 0).any():
        raise DataError("'vec' must be sorted non-decreasingly and not contain NAs")
    left = left_open is not None and as_flag(left_open, "left.open")
    found = np.searchsorted(ends, numbers, side="left" if left else "right")
    if ends.size:
        if all_inside is not None and as_flag(all_inside, "all.inside"):
            found = np.where(found == 0, 1, np.where(found == ends.size, ends.size - 1, found))
        if rightmost_closed is not None and as_flag(rightmost_closed, "rightmost.closed"):
            if left:
                found = np.where(numbers == ends[0], 1, found)
            else:
                found = np.where(numbers == ends[-1], ends.size - 1, found)
    missing = np.isnan(numbers)
    if missing.any():
        return Numeric(np.where(missing, np.nan, found), "integer")
    return Numeric(found.astype(np.int64), "integer")
