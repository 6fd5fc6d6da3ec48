"""Parts of dates, dates written by a format, and the time between dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import align, as_flag, as_string, pack, recode
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.values import Character, FloatArray, Numeric, Value

__all__: list[str] = []

_EPOCH = dt.date(1970, 1, 1).toordinal()
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PARTS: dict[str, Callable[[dt.date], str]] = {
    "Y": lambda day: str(day.year),
    "y": lambda day: f"{day.year % 100:02d}",
    "m": lambda day: f"{day.month:02d}",
    "d": lambda day: f"{day.day:02d}",
    "e": lambda day: f"{day.day:2d}",
    "j": lambda day: f"{day.timetuple().tm_yday:03d}",
    "b": lambda day: _MONTHS[day.month - 1][:3],
    "h": lambda day: _MONTHS[day.month - 1][:3],
    "B": lambda day: _MONTHS[day.month - 1],
    "a": lambda day: _DAYS[day.weekday()][:3],
    "A": lambda day: _DAYS[day.weekday()],
    "u": lambda day: str(day.isoweekday()),
    "w": lambda day: str(day.isoweekday() % 7),
    "V": lambda day: f"{day.isocalendar().week:02d}",
    "G": lambda day: str(day.isocalendar().year),
    "U": lambda day: f"{(day.timetuple().tm_yday + 6 - day.isoweekday() % 7) // 7:02d}",
    "W": lambda day: f"{(day.timetuple().tm_yday + 6 - day.weekday()) // 7:02d}",
    "F": lambda day: day.isoformat(),
    "H": lambda day: "00",  # noqa: ARG005
    "M": lambda day: "00",  # noqa: ARG005
    "S": lambda day: "00",  # noqa: ARG005
    "%": lambda day: "%",  # noqa: ARG005
}


def _written(value: Value, template: str, what: str) -> Character:
    """Return dates as text, each distinct day once."""
    if not isinstance(value, Numeric) or value.time != "Date":
        raise DataError(f"{what}() is for dates here", hint="compute such a column before")
    pieces = re.split(r"(%.)", template)
    unknown = [piece for piece in pieces[1::2] if piece[1] not in _PARTS]
    if unknown:
        raise DataError(f"date format '{unknown[0]}' is not supported")
    days = np.floor(value.as_float())
    found, codes = np.unique(days, return_inverse=True)
    texts: list[str | None] = []
    for number in found:
        if np.isnan(number):
            texts.append(None)
            continue
        try:
            day = dt.date.fromordinal(int(number) + _EPOCH)
        except (ValueError, OverflowError):
            raise DataError("dates before the year 1 or after 9999 are not supported") from None
        written = [
            piece if at % 2 == 0 else _PARTS[piece[1]](day) for at, piece in enumerate(pieces)
        ]
        texts.append("".join(written))
    return recode(codes.reshape(-1), texts)


def _short(abbreviate: Value | None) -> bool:
    return abbreviate is not None and as_flag(abbreviate, "abbreviate")


@function(
    "months", "x, abbreviate=FALSE", role="elementwise", purpose="Names of months, in English."
)
def _months(x: Value, abbreviate: Value | None = None) -> Value:
    return _written(x, "%b" if _short(abbreviate) else "%B", "months")


@function(
    "weekdays", "x, abbreviate=FALSE", role="elementwise", purpose="Names of weekdays, in English."
)
def _weekdays(x: Value, abbreviate: Value | None = None) -> Value:
    return _written(x, "%a" if _short(abbreviate) else "%A", "weekdays")


@function("quarters", "x, ...", role="elementwise", purpose="Q1 to Q4.")
def _quarters(x: Value, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    months = _written(x, "%m", "quarters")
    # R pastes "Q" before a missing quarter as well.
    quarters = [*(f"Q{(int(month) + 2) // 3}" for month in months.pool), "QNA"]
    return recode(months.codes % len(quarters), quarters)


_UNITS = {"secs": 1.0, "mins": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 604800.0}


def _unit_of(seconds: FloatArray) -> str:
    """Return the unit in which R shows times that differ by so many seconds."""
    least = np.nanmin(np.abs(seconds)) if (~np.isnan(seconds)).any() else 0.0
    return (
        "secs" if least < 60 else "mins" if least < 3600 else "hours" if least < 86400 else "days"
    )


@function(
    "difftime",
    'time1, time2, tz?, units="auto"',
    role="elementwise",
    purpose="Time from the second date to the first.",
)
def _difftime(
    time1: Value,
    time2: Value,
    context: Context,
    tz: Value | None = None,  # noqa: ARG001
    units: Value | None = None,
) -> Value:
    days = []
    for value in (time1, time2):
        if not isinstance(value, Numeric) or value.time != "Date":
            raise DataError("difftime() is for dates here", hint="compute such a column before")
        days.append(value.as_float())
    later, earlier = align(days[0], days[1], context.warn)
    seconds = later * 86400.0 - earlier * 86400.0
    unit = "auto" if units is None else as_string(units, "units")
    fits = [name for name in ("auto", *_UNITS) if name.startswith(unit)] if unit else []
    if not fits:
        raise DataError("'arg' should be one of “auto”, “secs”, “mins”, “hours”, “days”, “weeks”")
    name = _unit_of(seconds) if fits[0] == "auto" else fits[0]
    return pack(seconds / _UNITS[name], "double", "difftime")


@function("format", "x, format?, ...", role="elementwise", purpose="Dates as text.")
def _format(x: Value, format: Value | None = None, dots: tuple[Dot, ...] = ()) -> Value:  # noqa: ARG001
    template = "%Y-%m-%d" if format is None else as_string(format, "format")
    return _written(x, template or "%Y-%m-%d", "format")


@function("strftime", "x, format?, ...", role="elementwise", purpose="Dates as text.")
def _strftime(x: Value, format: Value | None = None, dots: tuple[Dot, ...] = ()) -> Value:
    made: Value = _format(x, format, dots)
    return made
