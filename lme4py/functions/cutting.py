"""Intervals of numbers: R's cut and findInterval."""

from __future__ import annotations

import itertools
import math

import numpy as np

from lme4py.data.factors import recode
from lme4py.data.values import Factor, Matrix, Numeric, Value
from lme4py.errors import DataError
from lme4py.functions.coercion import FloatArray, as_flag, flat, pack, strings_of
from lme4py.functions.table import Context, State, function

_MOST_PIECES = 100_000
_MOST_DIGITS = 22


def _breaks(x: FloatArray, breaks: Value) -> FloatArray:
    """Return sorted breaks: those given, or equal pieces of the range, a little wider."""
    given, _ = flat(breaks, "'breaks' must be numeric")
    if (given[0] if given.size == 1 else given.size) > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
    if given.size != 1:
        return np.sort(given[~np.isnan(given)])
    if math.isnan(given[0]) or given[0] < 2:
        raise DataError("invalid number of intervals")
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


def _break_texts(breaks: FloatArray, digits: int) -> list[str]:
    width = 4 if -math.inf in breaks else 3
    return [
        ("-Inf" if number < 0 else "Inf").rjust(width)
        if math.isinf(number)
        else f"{number + 0.0:.{max(digits, 1)}g}"
        for number in breaks.tolist()
    ]


def _interval_labels(breaks: FloatArray, digits: int, right: bool, closed: bool) -> list[str]:
    """Return labels such as ``(0,5]`` with just enough digits to tell the breaks apart."""
    digits = min(digits, _MOST_DIGITS)
    for places in range(digits, max(12, digits) + 1):
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


def _intervals(state: State, x: Value) -> Value:
    """Return the stored intervals of numbers; outside them is NA, as in R."""
    numbers, breaks = _cut_numbers(x), np.asarray(state["breaks"], dtype=np.float64)
    right = bool(state["right"])
    codes = np.searchsorted(breaks, numbers, side="left" if right else "right") - 1
    codes[(codes < 0) | (codes >= breaks.size - 1) | np.isnan(numbers)] = -1
    if state["include_lowest"] and breaks.size > 1:
        end, place = (breaks[0], 0) if right else (breaks[-1], breaks.size - 2)
        codes[numbers == end] = place
    if state["labels"] is None:
        return pack(np.where(codes < 0, np.nan, codes + 1.0), "integer")
    labels = list(state["labels"])
    named = (label for label in labels if label is not None)
    places = {label: place for place, label in enumerate(dict.fromkeys(named))}
    merged = recode(codes.astype(np.int32), [places.get(label, -1) for label in labels])
    return Factor(merged, tuple(places), bool(state["ordered"]))


def _cut_numbers(x: Value) -> FloatArray:
    if isinstance(x, Numeric) and x.time is not None:
        raise DataError(
            "cut() is for numbers here", hint="cut(as.numeric(x), 3), or format(x, '%Y-%m')"
        )
    if not isinstance(x, Numeric | Matrix) or x.kind == "logical":
        raise DataError("'x' must be numeric")
    return flat(x, "")[0]


@function("cut", role="basis", replay=_intervals, rows="extremes")
def _cut(
    x: Value,
    breaks: Value,
    context: Context,
    labels: Value | None = None,
    include_lowest: bool = False,
    right: bool = True,
    dig_lab: int = 3,
    ordered__result: bool = False,
) -> State:
    """Return intervals of numbers as a factor."""
    found = _breaks(_cut_numbers(x), breaks)
    if np.unique(found).size < found.size:
        raise DataError("'breaks' are not unique")
    if not found.size:
        raise DataError("invalid number of intervals")
    names: list[str | None] | None = None
    if labels is None:
        names = [*_interval_labels(found, dig_lab, right, include_lowest)]
    elif not isinstance(labels, Numeric) or labels.kind != "logical" or as_flag(labels, "labels"):
        names = strings_of(labels)
        if len(names) != found.size - 1:
            raise DataError(context.lme4.unequal_labels)
    return {
        "breaks": found,
        "right": right,
        "include_lowest": include_lowest,
        "ordered": ordered__result,
        "labels": None if names is None else tuple(names),
    }


@function("findInterval", role="elementwise", tables=("vec",))
def _find_interval(x: Value, vec: Value) -> Numeric:
    """Return the number of the interval that holds each number, closed on the left."""
    numbers, _ = flat(x, "'x' must be numeric")
    ends, _ = flat(vec, "'vec' must be numeric")
    if np.isnan(ends).any() or (np.diff(ends) < 0).any():
        raise DataError("'vec' must be sorted non-decreasingly and not contain NAs")
    found = np.searchsorted(ends, numbers, side="right")
    return pack(np.where(np.isnan(numbers), np.nan, found), "integer")
