"""Random expressions of dates, date-times and differences of times."""

from __future__ import annotations

from random import Random

__all__ = ["time_call"]

_OPERATORS = ["+", "-", "*", "/", "==", "!=", "<", ">=", "&", "%%", "%/%"]
_UNITS = ["secs", "mins", "hours", "days", "weeks"]
_BREAKS = ["month", "week", "year", "quarter", "2 months", "day", "10 days", "3 weeks", "2 years"]
_FORMATS = ["%Y", "%m", "%b", "%a", "%j", "%u", "%W", "%Y-%m", "%d.%m.%y", "%H"]


def time_call(dice: Random, times: list[str], factor: str, number: str) -> str:
    """Return a call or an operation with one of the columns `times` (``when``, ``at``)."""
    name = dice.choice(times)
    if dice.random() < 0.25:
        return _mixture(dice, times, factor, number)
    unit, breaks, shape = dice.choice(_UNITS), dice.choice(_BREAKS), dice.choice(_FORMATS)
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
        f"cut({name}, '{breaks}')",
        f"cut({name}, '{breaks}', labels = FALSE)",
        f"cut({name}, '{breaks}', right = TRUE)",
        f"cut({name}, {dice.randint(2, 4)})",
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
            f"when > as.Date('{day}')",
            f"I(when - as.Date('{day}'))",
            "trunc(when, 'month')",
            f"cut(when, as.Date(c('1990-01-01', '{day}', '2050-01-01')))",
            f"I(when %in% as.Date('{day}'))",
        ]
    return dice.choice(calls)


def _mixture(dice: Random, times: list[str], factor: str, number: str) -> str:
    """Return an operator between two classes."""
    name = dice.choice(times)
    operands = [
        *times,
        factor,
        f"factor({factor})",
        f"ordered({factor})",
        number,
        f"({name} - min({name}))",
        f"difftime({name}, '2021-01-01', units = '{dice.choice(_UNITS)}')",
        f"{name}[1]",
        f"{factor}[2]",
        "'2021-01-01'",
    ]
    first, second = dice.choice(operands), dice.choice(operands)
    operation = f"{first} {dice.choice(_OPERATORS)} {second}"
    if factor in first and factor in second:
        # Factors of whole numbers without levels: R would read past the levels.
        operation = f"as.numeric({operation})"
    wrapped = ["({})", "I({})", "as.numeric({})", "as.numeric(({}) > 3)", "factor({})"]
    return dice.choice(wrapped).format(operation)
