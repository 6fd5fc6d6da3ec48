"""Text read as dates, by R's formats."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.values import Character, Numeric

__all__ = ["date_of_text"]

_EPOCH = dt.date(1970, 1, 1).toordinal()
_STANDARD = ("%Y-%m-%d", "%Y/%m/%d")
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
    "H": r"\d{1,2}",
    "M": r"\d{1,2}",
    "S": r"\d{1,2}",
    "%": "%",
}


def _reader(template: str) -> Callable[[str], float]:
    """Return a function that reads a day number from text, NaN where it does not fit."""
    pattern, seen = r"\s*", set()
    pieces = re.split(r"(%.|\s+)", template)
    for piece in pieces:
        if piece.startswith("%") and len(piece) == 2:
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
        return _day(match.groupdict()) if match is not None else np.nan

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
