"""Intervals of numbers and of times: R's cut and findInterval."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.factors import on_clock, recode
from lme4py.frame.values import (
    Character,
    Codes,
    Factor,
    Matrix,
    Numeric,
    Value,
    is_difftime,
    time_class,
)
from lme4py.functions.calendar import DAY, months_from
from lme4py.functions.coercion import FloatArray, as_flag, flat, pack, strings_of
from lme4py.functions.table import MISSING, Context, Dot, State, function

_MOST_PIECES = 100_000
_MOST_DIGITS = 22
_WRONG_BREAKS = "invalid specification of 'breaks'"


def _breaks(x: FloatArray, breaks: Value) -> FloatArray:
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


def _break_texts(breaks: FloatArray, digits: int) -> list[str]:
    infinite = [number for number in breaks.tolist() if math.isinf(number)]
    width = 4 if -math.inf in infinite else 3
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


def _bins(x: FloatArray, state: State) -> Codes:
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


def _intervals(state: State, x: Value) -> Value:
    """Return the stored intervals of numbers; outside them is NA, as in R."""
    codes = _bins(_cut_numbers(x), state)
    if state["labels"] is None:
        return pack(np.where(codes < 0, np.nan, codes + 1.0), "integer")
    labels = list(state["labels"])
    named = (label for label in labels if label is not None)
    places = {label: place for place, label in enumerate(dict.fromkeys(named))}
    merged = recode(codes, [places.get(label, -1) for label in labels])
    return Factor(merged, tuple(places), bool(state["ordered"]))


def _cut_numbers(x: Value) -> FloatArray:
    unfit = isinstance(x, Numeric) and is_difftime(x.time)
    if not isinstance(x, Numeric | Matrix) or x.kind == "logical" or unfit:
        raise DataError("'x' must be numeric")
    return flat(x, "")[0]


@function("cut", role="basis", replay=_intervals)
def _cut(
    x: Value,
    breaks: Value,
    context: Context,
    labels: Value | None = None,
    include_lowest: bool = False,
    right: bool = MISSING,
    dig_lab: int = 3,
    ordered__result: bool = False,
    dots: tuple[Dot, ...] = (),
) -> State:
    """Return intervals of numbers or times as a factor."""
    numbers = _cut_numbers(x)
    times = x if isinstance(x, Numeric) and x.time is not None else None
    counted = isinstance(breaks, Numeric) and breaks.time is None and breaks.values.size == 1
    if times is not None:
        monday = [dot.value for dot in dots if dot.name == "start.on.monday"]
        breaks = _time_breaks(times, breaks, not monday or as_flag(monday[0], "start.on.monday"))
    found = _breaks(numbers, breaks)
    if np.unique(found).size < found.size:
        raise DataError("'breaks' are not unique")
    if not found.size:
        raise DataError("invalid number of intervals")
    state = {
        "breaks": found,
        "right": times is None if right is MISSING else right,
        "include_lowest": include_lowest,
        "ordered": ordered__result,
    }
    names: list[str | None] | None
    if labels is None and times is not None:
        names = _time_labels(times, found, _bins(numbers, state) if counted else None)
    elif labels is None:
        names = list(_interval_labels(found, dig_lab, bool(state["right"]), include_lowest))
    elif isinstance(labels, Numeric) and labels.kind == "logical" and not as_flag(labels, "labels"):
        names = None
    else:
        names = strings_of(labels)
        if len(names) != found.size - 1:
            raise DataError(context.lme4.unequal_labels)
    return {**state, "labels": None if names is None else tuple(names)}


# Breaks of times ----------------------------------------------------------------------------

_UNITS = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800, "DSTdays": 86400}
_MONTHS = {"months": 1, "quarters": 3, "years": 12}
# As R, the end is sought so many days after the last time.
_REACH = {"months": 31.0, "quarters": 93.0, "years": 366.0}


def _step(item: str, dates: bool) -> tuple[int, str]:
    """Return the number and the unit of ``"2 weeks"``; a unit may be shortened."""
    clock = ("secs", "mins", "hours", "DSTdays")
    units = [unit for unit in (*_UNITS, *_MONTHS) if not (dates and unit in clock)]
    *number, wanted = item.split(" ")
    fits = [unit for unit in units if wanted and unit.startswith(wanted)]
    fits = [wanted] if wanted in fits else fits
    if len(number) > 1 or len(fits) != 1:
        raise DataError(_WRONG_BREAKS)
    if number and (not re.fullmatch(r"[+]?\d{1,9}", number[0]) or int(number[0]) == 0):
        raise DataError(f"{_WRONG_BREAKS}: '{item}'")
    return int(number[0]) if number else 1, fits[0]


def _time_breaks(x: Numeric, breaks: Value, monday: bool) -> Numeric:
    """Return the breaks of ``cut(x, breaks)`` for times, as bare numbers.

    `breaks` is text such as ``"month"`` or ``"2 weeks"``, times, or a number of intervals;
    `monday` tells whether weeks start on Monday, else on Sunday.
    """
    if isinstance(breaks, Numeric) and time_class(breaks.time) == time_class(x.time):
        return Numeric(breaks.values, "double")
    if isinstance(breaks, Numeric) and breaks.time is None and breaks.kind != "logical":
        if breaks.values.size == 1:
            return breaks
        raise DataError(_WRONG_BREAKS)
    if not isinstance(breaks, Character) or breaks.codes.size != 1 or breaks.codes[0] < 0:
        raise DataError(_WRONG_BREAKS)
    step, unit = _step(breaks.pool[int(breaks.codes[0])], x.time == "Date")
    numbers = x.as_float()
    numbers = numbers[~np.isnan(numbers)]
    if not numbers.size or not np.isfinite(numbers).all():
        raise DataError("'from' must be a finite number")
    low, high = float(numbers.min()), float(numbers.max())
    each_day = 1.0 if x.time == "Date" else DAY
    # The intervals begin where the clock says so; seconds run on when it is changed.
    ahead = float(on_clock(np.array([low]), x.time)[0] - np.floor(low))
    if unit in _MONTHS:
        found = _by_months(low + ahead, high + ahead, step, unit, each_day)
        return Numeric(on_clock(found, x.time, back=True), "double")
    found = _by_seconds(low + ahead, high + ahead, step, unit, each_day, monday)
    return Numeric(found - ahead, "double")


def _bounded(count: float) -> None:
    if not count <= _MOST_PIECES:
        raise DataError(f"more than {_MOST_PIECES} intervals of time")


def _by_months(low: float, high: float, step: int, unit: str, each_day: float) -> FloatArray:
    """Return breaks every few months from the beginning of the first to after the last."""
    ends = np.floor(np.array([low / each_day, high / each_day + _REACH[unit] * step]))
    months = ends.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first, last = (months - months % _MONTHS[unit]).tolist()
    width = step * _MONTHS[unit]
    _bounded((last - first) / width)
    found = months_from(0.0, np.arange(first, last + 1, width)) * each_day
    return found[:-1] if found.size > 1 and high < found[-2] else found


def _by_seconds(
    low: float, high: float, step: int, unit: str, each_day: float, monday: bool
) -> FloatArray:
    """Return breaks at equal distances, the first at the beginning of its unit."""
    width = _UNITS[unit] * (each_day / DAY)
    if unit in ("days", "DSTdays", "weeks"):
        day = np.floor(low / each_day)
        if unit == "weeks":
            # Day 0 was a Thursday.
            weekday = (day + 4) % 7
            day -= (weekday + 6) % 7 if monday else weekday
        start = float(day) * each_day
    else:
        start = low if unit == "secs" else float(np.floor(low / width) * width)
    count = (high + width * step - start) / (width * step)
    _bounded(count)
    found = start + np.arange(int(count + 1e-10) + 1) * (width * step)
    return np.asarray(found[: 1 + int((found <= high).sum())], dtype=np.float64)


def _time_labels(x: Numeric, found: FloatArray, codes: Codes | None) -> list[str | None]:
    """Return the beginnings of the intervals; of a number of them, the first time seen in each.

    The latter come in the order of the rows, as R labels them.
    """
    if codes is None:
        return strings_of(Numeric(found[:-1], "double", x.time))
    _, first = np.unique(codes, return_index=True)
    labels = strings_of(Numeric(x.as_float()[np.sort(first)], "double", x.time))
    if len(labels) < found.size - 1:
        raise DataError("number of levels differs")
    return labels


# Numbers of intervals -----------------------------------------------------------------------


@function("findInterval", role="elementwise", tables=("vec",))
def _find_interval(
    x: Value,
    vec: Value,
    rightmost_closed: bool = False,
    all_inside: bool = False,
    left_open: bool = False,
) -> Numeric:
    """Return the number of the interval that holds each number."""
    numbers, _ = flat(x, "'x' must be numeric")
    ends, _ = flat(vec, "'vec' must be numeric")
    if np.isnan(ends).any() or (np.diff(ends) < 0).any():
        raise DataError("'vec' must be sorted non-decreasingly and not contain NAs")
    found = np.searchsorted(ends, numbers, side="left" if left_open else "right")
    if ends.size and all_inside:
        found = np.where(found == 0, 1, np.where(found == ends.size, ends.size - 1, found))
    if ends.size and rightmost_closed:
        end, place = (ends[0], 1) if left_open else (ends[-1], ends.size - 1)
        found = np.where(numbers == end, place, found)
    return pack(np.where(np.isnan(numbers), np.nan, found), "integer")
