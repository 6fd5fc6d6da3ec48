"""Dates and date-times as text and in parts, and times made from parts; all in UTC."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.factors import distinct
from lme4py.frame.functions.coercion import as_flag, as_string, flat, pack, recode, recycle, text
from lme4py.frame.functions.dates import moment_of_text
from lme4py.frame.functions.table import Dot, function
from lme4py.frame.functions.times import elapsed, moments, only_utc
from lme4py.frame.values import Character, Factor, Null, Numeric, Value

__all__ = ["formatted", "months_from", "truncated_date"]

Array: TypeAlias = NDArray[Any]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = 86400.0
_FIRST, _LAST = -62135596800.0, 253402300799.0  # the years 1 and 9999
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DIRECTIVES: Mapping[str, Callable[[dt.datetime], str]] = {
    "Y": lambda moment: str(moment.year),
    "C": lambda moment: f"{moment.year // 100:02d}",
    "y": lambda moment: f"{moment.year % 100:02d}",
    "m": lambda moment: f"{moment.month:02d}",
    "d": lambda moment: f"{moment.day:02d}",
    "e": lambda moment: f"{moment.day:2d}",
    "H": lambda moment: f"{moment.hour:02d}",
    "I": lambda moment: f"{(moment.hour + 11) % 12 + 1:02d}",
    "M": lambda moment: f"{moment.minute:02d}",
    "S": lambda moment: f"{moment.second:02d}",
    "p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "j": lambda moment: f"{moment.timetuple().tm_yday:03d}",
    "a": lambda moment: _WEEKDAYS[moment.weekday()][:3],
    "A": lambda moment: _WEEKDAYS[moment.weekday()],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "h": lambda moment: _MONTHS[moment.month - 1][:3],
    "B": lambda moment: _MONTHS[moment.month - 1],
    "u": lambda moment: str(moment.isoweekday()),
    "w": lambda moment: str(moment.isoweekday() % 7),
    "V": lambda moment: f"{moment.isocalendar()[1]:02d}",
    "G": lambda moment: str(moment.isocalendar()[0]),
    "g": lambda moment: f"{moment.isocalendar()[0] % 100:02d}",
    "U": lambda moment: f"{_week(moment, moment.isoweekday() % 7):02d}",
    "W": lambda moment: f"{_week(moment, moment.weekday()):02d}",
    "n": lambda _: "\n",
    "t": lambda _: "\t",
    "%": lambda _: "%",
}
_LONGER = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y", "R": "%H:%M"}


def _week(moment: dt.datetime, weekday: int) -> int:
    """Return the week of the year; days before the first such weekday are week 0."""
    return (moment.timetuple().tm_yday + 6 - weekday) // 7


def _writer(template: str) -> Callable[[dt.datetime], str]:
    """Return a function that writes a moment by a format of R's.

    Raises
    ------
    DataError
        For a part that depends on the locale or is unknown.
    """
    whole = re.sub("%([FTDR])", lambda match: _LONGER[match[1]], template)
    parts = re.split("%(.)", whole, flags=re.DOTALL)
    if whole.replace("%%", "").endswith("%"):
        raise DataError(f"a '%' without a letter ends the format '{template}'")
    for letter in parts[1::2]:
        if letter not in _DIRECTIVES:
            raise DataError(f"date format '%{letter}' is not supported")

    def write(moment: dt.datetime) -> str:
        return "".join(
            _DIRECTIVES[part](moment) if place % 2 else part for place, part in enumerate(parts)
        )

    return write


def _times_of(x: Value, name: str) -> Numeric:
    """Return a Date or POSIXct, or raise an error that names the function."""
    if isinstance(x, Numeric) and x.time in ("Date", "POSIXct"):
        return x
    raise DataError(f"{name}() is for dates and date-times")


def _written(x: Numeric, write: Callable[[dt.datetime], str]) -> Character:
    """Return times as text, each distinct day or second written once."""
    seconds = np.floor(x.as_float() * (_DAY if x.time == "Date" else 1.0))
    if x.time == "Date":
        seconds = np.floor(x.as_float()) * _DAY
    found, codes = distinct(seconds)
    if ((found < _FIRST) | (found > _LAST)).any():
        raise DataError("a date is out of range: years 1 to 9999 can be written")
    return recode(codes, [write(_EPOCH + dt.timedelta(seconds=float(item))) for item in found])


@function(
    "format",
    "x, ...",
    role="elementwise",
    purpose='Dates and date-times as text, by a format such as `"%Y-%m"`.',
)
def formatted(x: Value, dots: tuple[Dot, ...] = ()) -> Value:
    """Return R's ``format`` of a Date or POSIXct.

    Raises
    ------
    DataError
        For other values, unknown parts of a format, and time zones other than UTC.
    """
    if isinstance(x, Numeric) and x.time in ("Date", "POSIXct"):
        given: dict[str, Value] = {}
        free = iter(("format", "tz", "usetz") if x.time == "POSIXct" else ("format", "usetz"))
        for dot in dots:
            given[dot.name or next(free, "")] = dot.value
        result: Value = _strftime(x, given.get("format"), given.get("tz"), given.get("usetz"))
        return result
    raise DataError("format() is for dates and date-times here", hint="sprintf() writes numbers")


@function(
    "strftime",
    'x, format="", tz="", usetz=FALSE, ...',
    role="elementwise",
    purpose="Dates and date-times as text, by a format.",
)
def _strftime(
    x: Value,
    format: Value | None = None,
    tz: Value | None = None,
    usetz: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    only_utc(tz)
    if usetz is not None and as_flag(usetz, "usetz"):
        raise DataError("'usetz = TRUE' is not supported")
    times = moments(x) if isinstance(x, Character | Factor) else _times_of(x, "strftime")
    template = "" if format is None or isinstance(format, Null) else as_string(format, "format")
    return _written(times, _writer(template)) if template else text(times)


def _enter_names() -> None:
    """Enter the names of weekdays and months."""
    for name, letter, purpose in (
        ("weekdays", "A", "Names of weekdays, in English."),
        ("months", "B", "Names of months, in English."),
    ):

        def named(
            x: Value, abbreviate: Value | None = None, _name: str = name, _letter: str = letter
        ) -> Value:
            short = abbreviate is not None and as_flag(abbreviate, "abbreviate")
            letter = _letter.lower() if short else _letter
            return _written(_times_of(x, _name), _writer(f"%{letter}"))

        function(name, "x, abbreviate=FALSE", role="elementwise", purpose=purpose)(named)


_enter_names()


@function("quarters", "x, ...", role="elementwise", purpose="Quarters of the year, Q1 to Q4.")
def _quarters(x: Value, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    found = _written(_times_of(x, "quarters"), lambda moment: f"Q{(moment.month - 1) // 3 + 1}")
    pool = (*found.pool, "QNA")  # R pastes the missing ones, too
    return Character(np.where(found.codes < 0, len(found.pool), found.codes).astype(np.int32), pool)


@function("julian", "x, origin?, ...", role="elementwise", purpose="Days since an origin.")
def _julian(x: Value, origin: Value | None = None, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    times = _times_of(x, "julian")
    if origin is None:
        start = 0.0
    else:
        from_ = moments(origin) if times.time == "POSIXct" else _times_of(origin, "julian")
        if from_.values.size != 1:
            raise DataError("'origin' must be of length one")
        start = float(from_.as_float()[0])
    since = times.as_float() - start
    return elapsed(since, "days") if times.time == "POSIXct" else Numeric(since, "double")


@function(
    "as.POSIXct",
    'x, tz="", format?, origin?, ...',
    role="elementwise",
    purpose="Date-times, in UTC.",
)
def _as_posixct(
    x: Value,
    tz: Value | None = None,
    format: Value | None = None,
    origin: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    only_utc(tz)
    if isinstance(x, Character | Factor):
        return moment_of_text(x, None if format is None else as_string(format, "format"))
    if isinstance(x, Null):
        return Numeric(np.empty(0), "double", "POSIXct")
    if isinstance(x, Numeric) and x.time is None and x.kind != "logical" and origin is not None:
        start = moments(origin).as_float()
        if start.size != 1:
            raise DataError("'origin' must be one time")
        return Numeric(x.as_float() + start, "double", "POSIXct")
    return moments(x)


def _parts_to_seconds(parts: list[Value]) -> Numeric:
    """Return year, month, day, hour, minute and second as seconds since 1970."""
    numbers = [flat(part, "a date is made of numbers")[0] for part in parts]
    size = max(array.size for array in numbers)
    if not all(array.size for array in numbers):
        return Numeric(np.empty(0), "double", "POSIXct")
    year, month, day, hour, minute, second = (
        np.asarray(recycle(array, size), dtype=np.float64) for array in numbers
    )
    good = np.ones(size, dtype=np.bool_)
    for array, low, high in (
        (year, 0, 9999),
        (month, 1, 12),
        (day, 1, 31),
        (hour, 0, 24),
        (minute, 0, 59),
    ):
        good &= (array >= low) & (array <= high) & (array == np.floor(array))
    good &= (second >= 0) & (second < 62)
    good &= (hour < 24) | (minute == 0) & (second == 0)
    first = _month_starts(np.where(good, year * 12 + month - 1, 0) - 1970 * 12)
    days = first + np.where(good, day, 1) - 1
    following = _month_starts(np.where(good, year * 12 + month, 1) - 1970 * 12)
    good &= days < following
    seconds = days * _DAY + hour * 3600 + minute * 60 + second
    return Numeric(np.where(good, seconds, np.nan), "double", "POSIXct")


def _month_starts(months: Array) -> NDArray[np.float64]:
    """Return the first days of months counted from January 1970."""
    starts = months.astype(np.int64).astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray(starts.astype(np.int64), dtype=np.float64)


def months_from(first: float, steps: Array) -> NDArray[np.float64]:
    """Return a day number some months later; a 31st that a month has not is the next month's 1st.

    Examples
    --------
    >>> months_from(30.0, np.array([0, 1, 2])).tolist()
    [30.0, 61.0, 89.0]
    """
    day = np.datetime64(int(np.floor(first)), "D")
    month = day.astype("datetime64[M]")
    within = (day - month.astype("datetime64[D]")).astype(np.int64)
    return _month_starts(month.astype(np.int64) + steps) + float(within)


def _enter_made() -> None:
    """Enter the functions that make date-times of numbers."""
    for name, noon, zone in (("ISOdate", 12.0, "GMT"), ("ISOdatetime", None, "")):

        def made(
            year: Value,
            month: Value,
            day: Value,
            hour: Value | None = None,
            min: Value | None = None,
            sec: Value | None = None,
            tz: Value | None = None,
            _noon: float | None = noon,
        ) -> Value:
            only_utc(tz)
            standard = pack(np.array([_noon or 0.0]), "double")
            nought = pack(np.array([0.0]), "double")
            return _parts_to_seconds(
                [year, month, day, hour or standard, min or nought, sec or nought]
            )

        clock = "hour=12, min=0, sec=0" if noon is not None else "hour, min, sec"
        function(
            name,
            f'year, month, day, {clock}, tz="{zone}"',
            role="elementwise",
            purpose="Date-times made of numbers" + (", at noon." if noon is not None else "."),
        )(made)


_enter_made()


def truncated_date(x: Numeric, unit: str) -> Numeric:
    """Return R's ``trunc`` of a Date: the first day of its month or year, or the day.

    Raises
    ------
    DataError
        For other text than R's units.
    """
    units = ("secs", "mins", "hours", "days", "months", "years")
    fits = [known for known in units if known.startswith(unit)]
    if len(fits) != 1:
        shown = ", ".join(f"“{known}”" for known in units)
        raise DataError(f"'arg' should be one of {shown}")
    numbers = x.as_float()
    if fits[0] not in ("months", "years"):
        return Numeric(np.rint(numbers - 0.4999999), "double", "Date")
    missing = ~np.isfinite(numbers)
    days = np.floor(np.where(missing, 0.0, numbers)).astype(np.int64).astype("datetime64[D]")
    starts = days.astype("datetime64[M]" if fits[0] == "months" else "datetime64[Y]")
    result = starts.astype("datetime64[D]").astype(np.int64).astype(np.float64)
    return Numeric(np.where(missing, np.nan, result), "double", "Date")
