"""Random expressions of dates, date-times and differences of times."""

from __future__ import annotations

from random import Random

__all__ = ["time_call"]

_UNITS = ["secs", "mins", "hours", "days", "weeks"]
_FORMATS = ["%Y", "%m", "%b", "%a", "%j", "%u", "%W", "%Y-%m", "%d.%m.%y", "%H"]


def time_call(dice: Random, times: list[str]) -> str:
    """Return a call with one of the columns `times` (``when``, ``at``)."""
    name = dice.choice(times)
    unit, shape = dice.choice(_UNITS), dice.choice(_FORMATS)
    day = f"2021-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}"
    calls = [
        f"as.numeric({name})",
        f"I({name} - min({name}))",
        f"I({name} - mean({name}, na.rm = TRUE))",
        f"({name} > '{day}')",
        f"I('{day}' <= {name})",
        f"factor({name})",
        f"I(as.numeric({name}) / 365)",
        f"cut(as.numeric({name}), 3)",
        f"format({name}, '{shape}')",
        f"as.numeric(format({name}, '%Y'))",
        f"factor(format({name}, '{shape}'))",
        f"weekdays({name})",
        f"factor(weekdays({name}) %in% c('Saturday', 'Sunday'))",
        f"months({name}, abbreviate = TRUE)",
        f"quarters({name})",
        f"as.numeric(difftime({name}, '{day}', units = '{unit}'))",
        f"difftime({name}, min({name}, na.rm = TRUE), units = '{unit}')",
        f"difftime({name}, '{day}')",
        f"as.numeric({name} - min({name}, na.rm = TRUE), units = 'weeks')",
        f"I(difftime({name}, '{day}', units = '{unit}') / 2)",
        f"as.character({name})",
        f"as.Date({name})",
        f"I(as.POSIXct({name}) - 3600)",
        f"ifelse({name} > as.Date('{day}'), 'late', 'early')",
        f"I({name} + ({name} - min({name}, na.rm = TRUE)))",
        f"is.na({name})",
        f"rank({name})",
    ]
    if name == "when":
        calls += [
            f"(when > as.Date('{day}'))",
            f"I(when - as.Date('{day}'))",
            f"I(when %in% as.Date('{day}'))",
        ]
    return dice.choice(calls)
