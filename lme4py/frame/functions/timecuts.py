"""The breaks of ``cut`` for dates and date-times: weeks, months, years, ... and their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.calendar import months_from
from lme4py.frame.functions.coercion import text
from lme4py.frame.values import Character, Numeric, Value

__all__ = ["DATE_UNITS", "TimeBreaks", "relabelled", "steps_of", "time_breaks"]

Array: TypeAlias = NDArray[Any]

_DAY = 86400.0
_MOST_BREAKS = 100_000
DATE_UNITS: tuple[str, ...] = ("days", "weeks", "months", "years", "quarters")
_MOMENT_UNITS = (
    "secs",
    "mins",
    "hours",
    "days",
    "weeks",
    "months",
    "years",
    "DSTdays",
    "quarters",
)
_SECONDS = {
    "secs": 1.0,
    "mins": 60.0,
    "hours": 3600.0,
    "days": _DAY,
    "DSTdays": _DAY,
    "weeks": 7 * _DAY,
}
_MONTHS = {"months": 1, "quarters": 3, "years": 12}
_WRONG = "invalid specification of 'breaks'"


@dataclass(frozen=True, slots=True)
class TimeBreaks:
    """Where times are cut.

    Parameters
    ----------
    breaks : Numeric
        The ends of the intervals, of the same class as the times; or how many
        intervals there are to be.
    labels : tuple of str, optional
        The names of the intervals: their beginnings. None where `breaks` is a number.
    """

    breaks: Numeric
    labels: tuple[str | None, ...] | None


def steps_of(item: str, units: tuple[str, ...], complaint: str) -> tuple[int, str]:
    """Return the number and the unit of ``"2 weeks"``; a unit may be shortened.

    Raises
    ------
    DataError
        With the text `complaint`, for other text.

    Examples
    --------
    >>> steps_of("2 weeks", ("days", "weeks"), "")
    (2, 'weeks')
    """
    words = item.split(" ")
    fits = [unit for unit in units if words[-1] and unit.startswith(words[-1])]
    if words[-1] in fits:
        fits = [words[-1]]
    if len(words) > 2 or len(fits) != 1:
        raise DataError(complaint)
    if len(words) == 1:
        return 1, fits[0]
    if not re.fullmatch(r"[+]?\d{1,9}", words[0]) or int(words[0]) == 0:
        raise DataError(f"{complaint}: '{item}'")
    return int(words[0]), fits[0]


def time_breaks(x: Numeric, breaks: Value, monday: bool) -> TimeBreaks:
    """Return the breaks of ``cut(x, breaks)`` for times.

    Parameters
    ----------
    x : Numeric
        Dates or date-times.
    breaks : Value
        Text such as ``"month"`` or ``"2 weeks"``, times, or a number of intervals.
    monday : bool
        Whether weeks start on Monday, else on Sunday.

    Raises
    ------
    DataError
        For other breaks, in R's words, and for more than 100,000 of them.
    """
    if isinstance(breaks, Numeric) and breaks.time == x.time:
        ends = Numeric(np.sort(breaks.as_float()[~np.isnan(breaks.as_float())]), "double", x.time)
        return TimeBreaks(ends, _labels(ends))
    if isinstance(breaks, Numeric) and breaks.time is None and breaks.kind != "logical":
        if breaks.values.size == 1:
            return TimeBreaks(breaks, None)
        raise DataError(_WRONG)
    if not isinstance(breaks, Character) or breaks.codes.size != 1 or breaks.codes[0] < 0:
        raise DataError(_WRONG)
    units = DATE_UNITS if x.time == "Date" else _MOMENT_UNITS
    step, unit = steps_of(breaks.pool[int(breaks.codes[0])], units, _WRONG)
    numbers = x.as_float()
    numbers = numbers[~np.isnan(numbers)]
    if not numbers.size or not np.isfinite(numbers).all():
        raise DataError("'from' must be a finite number")
    low, high = float(numbers.min()), float(numbers.max())
    scale = 1.0 if x.time == "Date" else _DAY
    if unit in _MONTHS:
        found = _by_months(low, high, step, unit, scale)
    else:
        found = _by_seconds(low, high, step, unit, scale, monday)
    ends = Numeric(found, "double", x.time)
    return TimeBreaks(ends, _labels(ends))


def _labels(ends: Numeric) -> tuple[str | None, ...]:
    words = text(Numeric(ends.values[:-1], "double", ends.time))
    return tuple(None if code < 0 else words.pool[code] for code in words.codes)


def _bounded(count: float) -> None:
    if not count <= _MOST_BREAKS:
        raise DataError(f"more than {_MOST_BREAKS} intervals of time")


def _by_months(low: float, high: float, step: int, unit: str, scale: float) -> Array:
    """Return breaks every few months from the beginning of the first to after the last."""
    width = step * _MONTHS[unit]
    # As R, the end is sought so many days after the last time.
    reach = {"months": 31.0, "years": 366.0, "quarters": 93.0}[unit] * step
    first, last = (_begin(np.floor(day), unit) for day in (low / scale, high / scale + reach))
    months = [np.datetime64(int(day), "D").astype("datetime64[M]") for day in (first, last)]
    count = int((months[1] - months[0]).astype(np.int64)) // width
    _bounded(count)
    found = months_from(first, np.arange(count + 1) * width) * scale
    if found.size > 1 and high < found[-2]:
        found = found[:-1]
    return found


def _begin(day: float, unit: str) -> float:
    """Return the first day of the month, quarter or year of a day."""
    month = int(np.datetime64(int(day), "D").astype("datetime64[M]").astype(np.int64))
    month -= month % _MONTHS[unit]
    return float(months_from(0.0, np.array([month]))[0])


def _by_seconds(low: float, high: float, step: int, unit: str, scale: float, monday: bool) -> Array:
    """Return breaks at equal distances, the first at the beginning of its unit."""
    width = _SECONDS[unit] * (scale / _DAY)
    if unit in ("days", "DSTdays", "weeks"):
        day = np.floor(low / scale)
        if unit == "weeks":
            # Day 0 was a Thursday.
            weekday = (day + 4) % 7
            day -= (weekday + 6) % 7 if monday else weekday
        start = float(day) * scale
    elif unit == "secs":
        start = low
    else:
        start = float(np.floor(low / width) * width)
    reach = high + width * step
    _bounded((reach - start) / (width * step))
    found = start + np.arange(int((reach - start) / (width * step) + 1e-10) + 1) * (width * step)
    return np.asarray(found[: 1 + int((found <= high).sum())])


def relabelled(x: Numeric, codes: NDArray[np.int32], bins: int) -> tuple[str | None, ...]:
    """Return R's labels of a number of intervals: the first time seen in each, as they come.

    Raises
    ------
    DataError
        If times lie in fewer intervals than there are.
    """
    _, first = np.unique(codes, return_index=True)
    words = text(Numeric(x.as_float()[np.sort(first)], "double", x.time))
    labels = tuple(None if code < 0 else words.pool[code] for code in words.codes)
    if len(labels) < bins:
        raise DataError("number of levels differs")
    return labels
