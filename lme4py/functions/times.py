"""What operators do with dates, date-times and differences of times, and the latter's units.

A Date counts days, a POSIXct seconds in UTC, a difftime its own unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lme4py.data.values import UNITS, Character, Numeric, Value, is_difftime, time_class
from lme4py.errors import DataError
from lme4py.functions.calendar import DAY, as_time, only_utc
from lme4py.functions.coercion import Array, Time, align, time_of, untimed
from lme4py.functions.operators import RELATIONS, Operation, rule
from lme4py.functions.table import Context, function


def _timed(value: Value, time: Time) -> Value:
    """Return numbers with a class of times; a matrix has none here."""
    return Numeric(value.values, value.kind, time) if isinstance(value, Numeric) else value


def _counted(value: Value, time: Time) -> Value:
    """Return a difftime as bare numbers that count what a class counts, others without theirs."""
    if not isinstance(value, Numeric) or value.time not in UNITS:
        return untimed(value)
    if time == "POSIXct":
        return untimed(in_unit(value, "secs"))
    # Not by way of seconds: R divides by 24, 1440 or 86400.
    each = UNITS[value.time] / DAY
    numbers = value.as_float() * each if each > 1 else value.as_float() / round(1 / each)
    return Numeric(np.rint(numbers), "double")


# Differences ------------------------------------------------------------------------------


_CHOSEN = ("days", "hours", "mins")


def _elapsed(seconds: Array, unit: Time) -> Numeric:
    """Return seconds as a difftime in a unit; None is the unit R chooses for them."""
    if unit is None:
        sizes = np.abs(seconds[np.isfinite(seconds)])
        least = sizes.min() if sizes.size else 0.0
        unit = next((name for name in _CHOSEN if least >= UNITS[name]), "secs")
    return Numeric(seconds if unit == "secs" else seconds / UNITS[unit], "double", unit)


def _difference(first: Value, second: Value, unit: Time, context: Context) -> Value:
    """Return R's ``difftime(first, second)``."""
    one, two = (
        as_time(value, "POSIXct", lme4=context.lme4).as_float() for value in (first, second)
    )
    one, two = align(one, two, context.warn)
    with np.errstate(invalid="ignore"):
        return _elapsed(one - two, unit)


def _unit(name: str) -> str:
    """Return the unit called `name`."""
    if name not in UNITS:
        raise DataError("invalid units specified", hint=f"units are {', '.join(UNITS)}")
    return name


def in_unit(value: Numeric, unit: str) -> Numeric:
    """Return a difftime in another unit; text that is no unit is an error."""
    if value.time == unit:
        return value
    if value.time not in UNITS:
        raise DataError("only differences of times have units")
    wanted = _unit(unit)
    return Numeric(value.as_float() * (UNITS[value.time] / UNITS[wanted]), "double", wanted)


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
    only_utc(tz)
    return _difference(time1, time2, None if units == "auto" else _unit(units), context)


# Operators ----------------------------------------------------------------------------------


@rule("Date", "POSIXct")
def _with_times(operation: Operation) -> Value:
    """Shift or compare times, or take their difference."""
    name, first, second = operation.name, operation.first, operation.second
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
        dates = (
            as_time(value, time) if isinstance(value, Character) else value
            for value in (first, second)
        )
        return operation.of(*map(untimed, dates))
    if name == "+" and one == two:
        raise DataError(f"binary {sign} is not defined for {shown}")
    if name == "-" and one != time:
        raise DataError(f"can only subtract from {shown}")
    if name == "-" and one == two:
        return _difference(first, second, "days" if time == "Date" else None, operation.context)
    if name not in "+-":
        raise DataError(f"{sign} not defined for {shown}")
    result = operation.of(_counted(first, time), _counted(second, time))
    return _timed(result, times[0] if one == time else times[1])


@rule("difftime")
def _with_differences(operation: Operation) -> Value:
    """Add, compare or multiply differences of times: in seconds where their units differ."""
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        if name not in "+-":
            raise DataError(f"unary '{name}' not defined for \"difftime\" objects")
        return _timed(operation.of(untimed(first)), time_of(first))
    first, second = in_one_unit((first, second))
    one, two = time_of(first), time_of(second)
    if name not in ("+", "-", "*", "/", *RELATIONS):
        raise DataError(f"'{name}' not defined for \"difftime\" objects")
    if name == "*" and one == two:
        raise DataError('both arguments of * cannot be "difftime" objects')
    if name == "/" and two is not None:
        raise DataError('second argument of / cannot be a "difftime" object')
    result = operation.of(untimed(first), untimed(second))
    return result if name in RELATIONS else _timed(result, one or two)
