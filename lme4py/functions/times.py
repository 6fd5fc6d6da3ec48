"""Operators of dates, date-times and differences of times, and what goes with them.

A Date counts days, a POSIXct seconds in UTC, a difftime its own unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lme4py.errors import DataError
from lme4py.frame import values
from lme4py.frame.values import UNITS, Character, Numeric, Value, is_difftime, time_class
from lme4py.functions.calendar import DAY, as_time, only_utc
from lme4py.functions.coercion import Array, Time, align, time_of, untimed
from lme4py.functions.operators import Operation, method
from lme4py.functions.table import Context, function

_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")


def _timed(value: Value, time: Time) -> Value:
    """Return numbers with a class of times; a matrix has none here."""
    return Numeric(value.values, value.kind, time) if isinstance(value, Numeric) else value


def _in_seconds(value: Value) -> Value:
    """Return a difftime as bare seconds, another value as it is."""
    if not isinstance(value, Numeric) or value.time not in UNITS:
        return value
    if value.time == "secs":
        return untimed(value)
    return Numeric(value.as_float() * UNITS[value.time], "double")


def _in_days(value: Value) -> Value:
    """Return a difftime as bare whole days, another value as it is."""
    if not isinstance(value, Numeric) or value.time not in UNITS:
        return value
    # Not by way of seconds: R divides by 24, 1440 or 86400.
    each = UNITS[value.time] / DAY
    numbers = value.as_float() * each if each > 1 else value.as_float() / round(1 / each)
    return Numeric(np.rint(numbers), "double")


# Differences ------------------------------------------------------------------------------


def _elapsed(seconds: Array, unit: Time) -> Numeric:
    """Return seconds as a difftime in a unit; None is the unit R chooses for them."""
    if unit is None:
        size = np.abs(seconds[~np.isnan(seconds)])
        least = float(size.min()) if size.size else 0.0
        if not np.isfinite(least) or least < 60:
            unit = "secs"
        elif least < 3600:
            unit = "mins"
        else:
            unit = "hours" if least < 86400 else "days"
    return Numeric(seconds if unit == "secs" else seconds / UNITS[unit], "double", unit)


def _difference(first: Value, second: Value, unit: Time, context: Context) -> Value:
    """Return R's ``difftime(first, second)``."""
    one, two = (
        as_time(value, "POSIXct", lme4=context.lme4).as_float() for value in (first, second)
    )
    one, two = align(one, two, context.warn)
    with np.errstate(invalid="ignore"):
        return _elapsed(one - two, unit)


def _unit_of(wanted: str) -> Time:
    """Return the unit that text names, by its beginning; None for ``"auto"``."""
    fits: list[Time] = [unit for unit in UNITS if unit.startswith(wanted)]
    if "auto".startswith(wanted):
        fits.append(None)
    if len(fits) != 1:
        shown = ", ".join(f"“{unit}”" for unit in ("auto", *UNITS))
        raise DataError(f"'arg' should be one of {shown}")
    return fits[0]


def in_unit(value: Numeric, unit: str) -> Numeric:
    """Return a difftime in another unit; text that is no unit is an error."""
    if value.time == unit:
        return value
    if value.time not in UNITS:
        raise DataError("only differences of times have units")
    for known in UNITS:
        if known == unit:
            factor = UNITS[value.time] / UNITS[known]
            return Numeric(value.as_float() * factor, "double", known)
    raise DataError("invalid units specified")


def in_one_unit(values: Sequence[Value], unit: str = "secs") -> list[Value]:
    """Return values in one unit, if all are differences of times and in different units."""
    times = [time_of(value) for value in values]
    if len(set(times)) < 2 or not all(is_difftime(time) for time in times):
        return list(values)
    return [in_unit(value, unit) for value in values if isinstance(value, Numeric)]


@function("difftime", role="elementwise")
def _difftime(
    time1: Value, time2: Value, context: Context, tz: str = "", units: str = "auto"
) -> Value:
    """Return the difference of times."""
    only_utc(tz)
    return _difference(time1, time2, _unit_of(units), context)


# Methods of operators -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """The class whose method was called: a Date or a POSIXct, with R's words for it."""

    time: values.Time
    operator: str
    objects: str

    def counted(self, value: Value) -> Value:
        """Return a difftime in the unit of the class, without its own."""
        return _in_days(value) if self.time == "Date" else _in_seconds(value)


def _clock(operation: Operation) -> _Clock:
    if any((name or "").endswith(".Date") for name in operation.methods):
        return _Clock("Date", operation.name, 'defined for "Date" objects')
    return _Clock("POSIXct", f"'{operation.name}'", 'defined for "POSIXt" objects')


@method("+.Date", "+.POSIXt")
def _plus(operation: Operation) -> Value:
    clock, first, second = _clock(operation), operation.first, operation.second
    if second is None:
        return first
    times = [time_of(value) for value in (first, second) if not is_difftime(time_of(value))]
    if time_class(times[0]) == time_class(times[-1]) == clock.time and len(times) == 2:
        raise DataError(f"binary {clock.operator} is not {clock.objects}")
    one, two = (untimed(clock.counted(value)) for value in (first, second))
    return _timed(operation.without_method(one, two), next(filter(None, times)))


@method("-.Date", "-.POSIXt")
def _minus(operation: Operation) -> Value:
    clock, first, second = _clock(operation), operation.first, operation.second
    if time_class(time_of(first)) != clock.time:
        raise DataError(f"can only subtract from {clock.objects.removeprefix('defined for ')}")
    if second is None:
        raise DataError(f"unary {clock.operator} is not {clock.objects}")
    if time_class(time_of(second)) == clock.time:
        unit: Time = "days" if clock.time == "Date" else None
        return _difference(first, second, unit, operation.context)
    result = operation.without_method(untimed(first), clock.counted(second))
    return _timed(result, time_of(first))


@method("Ops.Date", "Ops.POSIXt")
def _other_of_times(operation: Operation) -> Value:
    clock, first, second = _clock(operation), operation.first, operation.second
    if second is None:
        raise DataError(f"unary {clock.operator} not {clock.objects}")
    if operation.name not in _COMPARISONS:
        raise DataError(f"{clock.operator} not {clock.objects}")
    one, two = (
        as_time(value, clock.time) if isinstance(value, Character) else value
        for value in (first, second)
    )
    return operation.without_method(untimed(one), untimed(two))


@method("Ops.difftime")
def _difftime_other(operation: Operation) -> Value:
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        if name not in "+-":
            raise DataError(f"unary '{name}' not defined for \"difftime\" objects")
        return _timed(operation.without_method(untimed(first)), time_of(first))
    one, two = time_of(first), time_of(second)
    both = is_difftime(one) and is_difftime(two)
    if name in _COMPARISONS:
        if both:
            first, second = _in_seconds(first), _in_seconds(second)
        return operation.without_method(untimed(first), untimed(second))
    if name not in "+-":
        raise DataError(f"'{name}' not defined for \"difftime\" objects")
    if both and one != two:
        return _timed(operation.without_method(_in_seconds(first), _in_seconds(second)), "secs")
    return _timed(operation.without_method(untimed(first), untimed(second)), one or two)


@method("*.difftime")
def _difftime_times(operation: Operation) -> Value:
    first, second = operation.pair
    if is_difftime(time_of(first)) and is_difftime(time_of(second)):
        raise DataError('both arguments of * cannot be "difftime" objects')
    result = operation.without_method(untimed(first), untimed(second))
    return _timed(result, time_of(first) or time_of(second))


@method("/.difftime")
def _difftime_over(operation: Operation) -> Value:
    first, second = operation.pair
    if is_difftime(time_of(second)):
        raise DataError('second argument of / cannot be a "difftime" object')
    return _timed(operation.without_method(untimed(first), second), time_of(first))
