"""Text read as dates and moments, by R's formats."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.values import Character, Factor, Numeric

__all__ = ["date_of_text", "moment_of_text"]

_EPOCH = dt.date(1970, 1, 1).toordinal()
_STANDARD = ("%Y-%m-%d", "%Y/%m/%d")
_MOMENTS = (
    "%Y-%m-%d %H:%M:%OS",
    "%Y/%m/%d %H:%M:%OS",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d",
)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_FIELDS = {
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


def _reader(template: str, moment: bool = False) -> Callable[[str], float]:
    """Return a function that reads a day number from text, NaN where it does not fit.

    With `moment` it reads seconds.
    """
    pattern, seen = r"\s*", set()
    whole = template.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M")
    pieces = re.split(r"(%OS|%.|\s+)", whole.replace("%D", "%m/%d/%y"))
    for piece in pieces:
        if piece.startswith("%") and len(piece) >= 2:
            field = _FIELDS.get(piece[1])
            if field is None:
                raise DataError(f"date format '{piece}' is not supported")
            group = re.search(r"\?P<(.)>", field)
            if group is not None and group[1] in seen:
                raise DataError(f"date format '{template}' names a part twice")
            if group is not None:
                seen.add(group[1])
            pattern += field
        elif piece.isspace():
            pattern += r"\s*"
        else:
            pattern += re.escape(piece)
    compiled = re.compile(pattern)

    def read(item: str) -> float:
        match = compiled.match(item)
        if match is None:
            return np.nan
        parts = match.groupdict()
        day = _day(parts)
        if not moment:
            return day
        clock = [float(parts.get(part) or 0) for part in "HMS"]
        return day * 86400.0 + clock[0] * 3600.0 + clock[1] * 60.0 + clock[2]

    return read


def _day(parts: dict[str, str | None]) -> float:
    """Return the day number of the parts of a date, NaN if there is no such day."""
    year = parts.get("Y")
    if year is not None:
        number = int(year)
    elif parts.get("y") is not None:
        short = int(parts["y"] or 0)
        number = short + (2000 if short < 69 else 1900)
    else:
        return np.nan
    month, day = parts.get("m"), parts.get("d")
    if (named := parts.get("b")) is not None:
        fits = [
            rank
            for rank, name in enumerate(_MONTHS, start=1)
            if named.lower() == name or named.lower() == name[:3]
        ]
        month = str(fits[0]) if fits else "0"
    try:
        if parts.get("j") is not None:
            moment = dt.date(number, 1, 1) + dt.timedelta(int(parts["j"] or 0) - 1)
            return float(moment.toordinal() - _EPOCH) if moment.year == number else np.nan
        return float(dt.date(number, int(month or 0), int(day or 0)).toordinal() - _EPOCH)
    except ValueError:
        return np.nan


def _first_format(items: Iterable[str]) -> Callable[[str], float]:
    """Return the reader of the standard format that fits the first text."""
    first = next(iter(items), None)
    for template in _STANDARD:
        read = _reader(template)
        if first is None or not np.isnan(read(first)):
            return read
    raise DataError("character string is not in a standard unambiguous format")


def date_of_text(value: Character, template: str | None = None) -> Numeric:
    """Return R's ``as.Date`` of text.

    Parameters
    ----------
    value : Character
    template : str, optional
        A format such as ``"%d/%m/%Y"``; else ``%Y-%m-%d`` or ``%Y/%m/%d``, whichever
        fits the first text.

    Raises
    ------
    DataError
        If the first text fits neither, in R's words.

    Examples
    --------
    >>> date_of_text(Character(np.array([0, -1], dtype=np.int32), ("2020-01-01",))).values
    array([18262.,    nan])
    """
    given = value.codes[value.codes >= 0]
    if template is None:
        used = (value.pool[int(code)] for code in given)
        read = _first_format(item for item in used if item)
    else:
        read = _reader(template)
    days = np.array([read(item) for item in value.pool] + [np.nan])
    return Numeric(days[value.codes], "double", "Date")


def moment_of_text(value: Character | Factor, template: str | None = None) -> Numeric:
    """Return R's ``as.POSIXct`` of text, in UTC.

    Parameters
    ----------
    value : Character or Factor
    template : str, optional
        A format such as ``"%d/%m/%Y %H:%M"``; else the first of R's six that fits every
        text, from ``%Y-%m-%d %H:%M:%OS`` to ``%Y/%m/%d``.

    Raises
    ------
    DataError
        If none of the six fits, in R's words.

    Examples
    --------
    >>> text = Character(np.array([0, -1], dtype=np.int32), ("1970-01-02 01:00",))
    >>> moment_of_text(text).values
    array([90000.,    nan])
    """
    pool = value.pool if isinstance(value, Character) else value.levels
    given = (pool[code] for code in np.unique(value.codes) if code >= 0)
    used = {item for item in given if item is not None}
    read = _reader(template or _MOMENTS[0], moment=True)
    if template is None and used:
        readers = (_reader(standard, moment=True) for standard in _MOMENTS)
        fits = (one for one in readers if not any(np.isnan(one(item)) for item in used))
        found = next(fits, None)
        if found is None:
            raise DataError("character string is not in a standard unambiguous format")
        read = found
    seconds = np.array([np.nan if item is None else read(item) for item in pool] + [np.nan])
    return Numeric(seconds[value.codes], "double", "POSIXct")
