"""Dates, date-times and differences of times: read, written, in parts, and computed with.

A Date counts days, a POSIXct seconds in UTC, a difftime its own unit; those of a column with a
zone are written by its clock.

pandas names the parts and writes them. Text is read here, because R's ``strptime`` takes
what Python's does not: numbers with fewer digits, months by full or short name in any case,
any blanks or none where the format has one, 24:00, and whatever follows the last part.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lme4py.data.factors import distinct, on_clock
from lme4py.data.values import (
    UNITS,
    Character,
    Factor,
    Null,
    Numeric,
    Time,
    Value,
    is_difftime,
    time_class,
)
from lme4py.errors import DataError
from lme4py.functions.coercion import (
    Array,
    align,
    encoded,
    in_unit,
    text,
    time_of,
    unit_called,
    untimed,
)
from lme4py.functions.operators import RELATIONS, operate, rule
from lme4py.functions.table import MISSING, Context, function
from lme4py.versions import LME4_2, Lme4

# Not by calendar's own names, which follow the locale.
MONTHS = (  # noqa: SIM905  # a line for each otherwise
    "January February March April May June July August September October November December"
).split()
_DAY = UNITS["days"]
_EPOCH = dt.date(1970, 1, 1).toordinal()
_FIRST, _LAST = -62135596800.0, 253402300799.0  # the years 1 and 9999


def _only_utc(zone: str) -> None:
    """Raise an error for a time zone other than UTC."""
    if zone not in ("", "UTC", "GMT", "Etc/UTC"):
        raise DataError("times are in UTC here: other time zones are not supported")


# Times as text ------------------------------------------------------------------------------

_WRITTEN = frozenset("YCymdeHIMSpjaAbBhuwVGgUWntFTDR%")
# Python writes these in the language of the process, and R's years are not padded.
_OURS: Mapping[str, Callable[[Any], str]] = {
    "A": lambda moment: moment.day_name(),
    "a": lambda moment: moment.day_name()[:3],
    "B": lambda moment: MONTHS[moment.month - 1],
    "b": lambda moment: MONTHS[moment.month - 1][:3],
    "h": lambda moment: MONTHS[moment.month - 1][:3],
    "p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "Y": lambda moment: str(moment.year),
    "F": lambda moment: moment.strftime(f"{moment.year}-%m-%d"),
}


def _writer(template: str) -> Callable[[Any], str]:
    """Return a function that writes a pandas Timestamp by a format of R's."""
    if template.replace("%%", "").endswith("%"):
        raise DataError(f"a '%' without a letter ends the format '{template}'")
    for letter in re.findall("%(.)", template, flags=re.DOTALL):
        if letter not in _WRITTEN:
            raise DataError(f"date format '%{letter}' is not supported")

    def write(moment: Any) -> str:
        def part(match: re.Match[str]) -> str:
            return _OURS[match[1]](moment) if match[1] in _OURS else match[0]

        return str(moment.strftime(re.sub("%(.)", part, template, flags=re.DOTALL)))

    return write


def _written(x: Value, name: str, write: Callable[[Any], str]) -> Character:
    """Return times as text, each distinct day or second written once."""
    import pandas as pd

    if not isinstance(x, Numeric) or time_class(x.time) not in ("Date", "POSIXct"):
        raise DataError(f"{name}() is for dates and date-times")
    found, codes = distinct(np.floor(x.as_float()) * (_DAY if x.time == "Date" else 1.0))
    if x.time != "Date":
        found = on_clock(found, x.time)
    if ((found < _FIRST) | (found > _LAST)).any():
        raise DataError("a date is out of range: years 1 to 9999 can be written")
    return encoded(codes, [write(item) for item in pd.DatetimeIndex(found.astype("M8[s]"))])


@function("format", role="elementwise")
def _formatted(x: Value, format: str = "", tz: str = "") -> Character:
    """Return dates and date-times as text, by a format such as `"%Y-%m"`."""
    if time_class(time_of(x)) not in ("Date", "POSIXct"):
        raise DataError(
            "format() is for dates and date-times here", hint="paste() makes text of numbers"
        )
    _only_utc(tz)
    return _written(x, "format", _writer(format)) if format else text(x, together=True)


@function(
    {"weekdays": "Names of weekdays, in English.", "months": "Names of months, in English."},
    role="elementwise",
)
def _name_of_part(x: Value, called: str, abbreviate: bool = False) -> Value:
    letter = "A" if called == "weekdays" else "B"
    return _written(x, called, _OURS[letter.lower() if abbreviate else letter])


@function("quarters", role="elementwise")
def _quarters(x: Value) -> Value:
    """Return quarters of the year, Q1 to Q4."""
    found = _written(x, "quarters", lambda moment: f"Q{moment.quarter}")
    # R pastes the missing ones, too.
    codes = np.where(found.codes < 0, len(found.pool), found.codes)
    return encoded(codes, [*found.pool, "QNA"])


# Times from text ----------------------------------------------------------------------------

_DAYS = ("%Y-%m-%d", "%Y/%m/%d")
_STANDARD: Mapping[Time, tuple[str, ...]] = {
    "Date": _DAYS,
    "POSIXct": tuple(day + clock for clock in (" %H:%M:%OS", " %H:%M", "") for day in _DAYS),
}
_READ = {
    "Y": r"(?P<Y>\d{1,4})",
    "y": r"(?P<y>\d{1,2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "e": r"\s*(?P<d>\d{1,2})",
    "j": r"(?P<j>\d{1,3})",
    "b": r"(?P<b>[A-Za-z]+)",
    "B": r"(?P<b>[A-Za-z]+)",
    "H": r"(?P<H>[01]\d|2[0-4]|\d)",
    "M": r"(?P<M>[0-5]\d|\d)",
    "S": r"(?P<S>[0-5]\d|6[01]|\d)",
    "O": r"(?P<S>(?:[0-5]\d|6[01]|\d)(?:\.\d{0,6})?)",
    "%": "%",
}
_LONGER = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}


def _compiled(template: str) -> re.Pattern[str]:
    """Return a format of R's as a regular expression."""
    pattern = r"\s*"
    whole = re.sub("%([FTRD])", lambda match: _LONGER[match[1]], template)
    for piece in re.split(r"(%OS|%.|\s+)", whole):
        if piece.startswith("%") and len(piece) >= 2:
            if piece[1] not in _READ:
                raise DataError(f"date format '{piece}' is not supported")
            pattern += _READ[piece[1]]
        else:
            pattern += r"\s*" if piece.isspace() else re.escape(piece)
    try:
        return re.compile(pattern)
    except re.error:
        raise DataError(f"date format '{template}' names a part twice") from None


_MONTH_NUMBERS = {
    form.lower(): at for at, name in enumerate(MONTHS, start=1) for form in (name, name[:3])
}


def _number(item: str, pattern: re.Pattern[str], time: Time) -> float:
    """Return the day, or with a clock the second, that a text tells; NaN where it does not fit."""
    match = pattern.match(item)
    if match is None:
        return np.nan
    parts = {part: found or "0" for part, found in match.groupdict().items()}
    year = int(parts.get("Y") or parts.get("y") or 0)
    if "Y" not in parts:
        year += 2000 if year < 69 else 1900
    month = _MONTH_NUMBERS.get(parts["b"].lower(), 0) if "b" in parts else parts.get("m", 0)
    try:
        if "j" in parts:
            date = dt.date(year, 1, 1) + dt.timedelta(int(parts["j"]) - 1)
        else:
            date = dt.date(year, int(month), int(parts.get("d", 0)))
    except ValueError:
        return np.nan
    if date.year != year or not {"Y", "y"} & parts.keys():
        return np.nan
    day = float(date.toordinal() - _EPOCH)
    hour, minute, second = (float(parts.get(part, 0)) for part in "HMS")
    return day if time == "Date" else day * _DAY + hour * 3600 + minute * 60 + second


def _time_of_text(value: Character | Factor, time: Time, template: str | None = None) -> Numeric:
    """Return text as times by a format, or by the first standard one that fits.

    For a Date it must fit the first text, for a POSIXct every text.
    """
    words = text(value)
    given = words.codes[words.codes >= 0]
    asked = np.unique(given)
    if time == "Date":
        asked = np.array([code for code in given.tolist() if words.pool[code]], dtype=int)[:1]
    for standard in _STANDARD[time] if template is None else (template,):
        pattern = _compiled(standard)
        table = np.array([*(_number(item, pattern, time) for item in words.pool), np.nan])
        if template is not None or not np.isnan(table[asked]).any():
            return Numeric(table[words.codes], "double", time)
    raise DataError("character string is not in a standard unambiguous format")


# Values as times ----------------------------------------------------------------------------


def _as_time(
    value: Value, time: Time, template: str | None = None, *, lme4: Lme4 = LME4_2
) -> Numeric:
    """Return R's ``as.Date`` (days) or ``as.POSIXct`` (seconds) of a value.

    Examples
    --------
    >>> text = Character(np.array([0, -1], dtype=np.int32), ("1970-01-02 01:00",))
    >>> _as_time(text, "POSIXct").values
    array([90000.,    nan])
    >>> _as_time(text, "Date").values
    array([ 1., nan])
    """
    if isinstance(value, Character | Factor):
        return _time_of_text(value, time, template)
    if isinstance(value, Numeric):
        numbers = value.as_float()
        if time_class(value.time) == time:
            return value
        if value.time == "Date":
            return Numeric(numbers * _DAY, "double", time)
        if time_class(value.time) == "POSIXct":
            return Numeric(np.floor(numbers / _DAY), "double", time)
        if np.isnan(numbers).all() and (value.kind == "logical" or time == "Date"):
            return Numeric(numbers, "double", time)
        if value.time is None and value.kind != "logical":
            if lme4.counts_from_1970:
                return Numeric(numbers, "double", time)
            raise DataError("'origin' must be supplied")
    # R names the expression where we say x.
    raise DataError(f"do not know how to convert 'x' to class “{time}”")


def _since(x: Value, time: Time, format: str, origin: Value, lme4: Lme4) -> Numeric:
    if isinstance(x, Numeric) and x.time is None and x.kind != "logical" and origin is not MISSING:
        start = _as_time(origin, time).as_float()
        if start.size != 1:
            raise DataError("'origin' must be one time")
        return Numeric(x.as_float() + start, "double", time)
    return _as_time(x, time, None if format is MISSING else format, lme4=lme4)


@function("as.POSIXct", role="elementwise")
def _as_posixct(
    x: Value, context: Context, tz: str = "", format: str = MISSING, origin: Value = MISSING
) -> Value:
    """Return date-times, in UTC."""
    _only_utc(tz)
    if isinstance(x, Null):
        return Numeric(np.empty(0), "double", "POSIXct")
    return _since(x, "POSIXct", format, origin, context.lme4)


@function("as.Date", role="elementwise")
def _as_date(x: Value, context: Context, format: str = MISSING, origin: Value = MISSING) -> Value:
    """Return dates."""
    return _since(x, "Date", format, origin, context.lme4)


# Differences and operators ------------------------------------------------------------------

_CHOSEN = ("days", "hours", "mins")


def _elapsed(seconds: Array, unit: Time | None) -> Numeric:
    """Return seconds as a difftime in a unit; None is the unit R chooses for them."""
    if unit is None:
        sizes = np.abs(seconds[np.isfinite(seconds)])
        least = sizes.min() if sizes.size else 0.0
        unit = next((name for name in _CHOSEN if least >= UNITS[name]), "secs")
    return Numeric(seconds if unit == "secs" else seconds / UNITS[unit], "double", unit)


def _difference(first: Value, second: Value, unit: Time | None, context: Context) -> Value:
    """Return R's ``difftime(first, second)``."""
    one, two = (
        _as_time(value, "POSIXct", lme4=context.lme4).as_float() for value in (first, second)
    )
    one, two = align(one, two, context.warn)
    with np.errstate(invalid="ignore"):
        return _elapsed(one - two, unit)


def in_one_unit(values: Sequence[Value], unit: str = "secs") -> list[Value]:
    """Return values in one unit, if all are differences of times and in different units."""
    times = [time_of(value) for value in values]
    if len(set(times)) < 2 or not all(is_difftime(time) for time in times):
        return list(values)
    return [in_unit(value, unit) for value in values if isinstance(value, Numeric)]


@function("difftime", role="elementwise", chooses_unit=True)
def _difftime(
    time1: Value, time2: Value, context: Context, tz: str = "", units: str = "auto"
) -> Value:
    """Return the difference of times."""
    _only_utc(tz)
    return _difference(time1, time2, None if units == "auto" else unit_called(units), context)


def _timed(value: Value, time: Time | None) -> Value:
    """Return numbers with a class of times; a matrix has none here."""
    return Numeric(value.values, value.kind, time) if isinstance(value, Numeric) else value


def _counted(value: Value, time: Time | None) -> Value:
    """Return a difftime as bare numbers that count what a class counts, others without theirs."""
    if not isinstance(value, Numeric) or value.time not in UNITS:
        return untimed(value)
    if time == "POSIXct":
        return untimed(in_unit(value, "secs"))
    # Not by way of seconds: R divides by 24, 1440 or 86400.
    each = UNITS[value.time] / _DAY
    numbers = value.as_float() * each if each > 1 else value.as_float() / round(1 / each)
    return Numeric(np.rint(numbers), "double")


@rule("Date", "POSIXct")
def _with_times(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Shift or compare times, or take their difference."""
    times = [time_of(value) for value in (first, second)]
    one, two = map(time_class, times)
    time = "Date" if "Date" in (one, two) else "POSIXct"
    sign = name if time == "Date" else f"'{name}'"
    shown = '"Date" objects' if time == "Date" else '"POSIXt" objects'
    if second is None:
        if name == "+":
            return first
        raise DataError(f"unary {sign} {'is ' if name == '-' else ''}not defined for {shown}")
    if name in RELATIONS:
        one_time, other = (
            _as_time(value, time) if isinstance(value, Character) else value
            for value in (first, second)
        )
        return operate(name, untimed(one_time), untimed(other), context)
    if name == "+" and one == two:
        raise DataError(f"binary {sign} is not defined for {shown}")
    if name == "-" and one != time:
        raise DataError(f"can only subtract from {shown}")
    if name == "-" and one == two:
        return _difference(first, second, "days" if time == "Date" else None, context)
    if name not in "+-":
        raise DataError(f"{sign} not defined for {shown}")
    result = operate(name, _counted(first, time), _counted(second, time), context)
    return _timed(result, times[0] if one == time else times[1])


@rule("difftime")
def _with_differences(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Add, compare or multiply differences of times: in seconds where their units differ."""
    if second is None:
        if name not in "+-":
            raise DataError(f"unary '{name}' not defined for \"difftime\" objects")
        return _timed(operate(name, untimed(first), None, context), time_of(first))
    first, second = in_one_unit((first, second))
    one, two = time_of(first), time_of(second)
    if name not in ("+", "-", "*", "/", *RELATIONS):
        raise DataError(f"'{name}' not defined for \"difftime\" objects")
    if name == "*" and one == two:
        raise DataError('both arguments of * cannot be "difftime" objects')
    if name == "/" and two is not None:
        raise DataError('second argument of / cannot be a "difftime" object')
    result = operate(name, untimed(first), untimed(second), context)
    return result if name in RELATIONS else _timed(result, one or two)
