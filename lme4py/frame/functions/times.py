"""Operators of dates, date-times and differences of times, and what goes with them.

A Date counts days, a POSIXct seconds (in UTC), a difftime its own unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import Time, align, as_string, string
from lme4py.frame.functions.dates import date_of_text, moment_of_text
from lme4py.frame.functions.dispatch import Operation, method
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import (
    UNITS,
    Character,
    Factor,
    Numeric,
    Value,
    is_difftime,
)

__all__ = ["elapsed", "in_one_unit", "in_unit", "moments", "only_utc", "unit_of"]

Array: TypeAlias = NDArray[Any]

_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
_SECONDS_PER_DAY = 86400.0


def _time(value: Value | None) -> Time:
    return value.time if isinstance(value, Numeric) else None


def _bare(value: Value) -> Value:
    """Return the numbers of a time without their class."""
    return Numeric(value.values, value.kind) if isinstance(value, Numeric) else value


def _timed(value: Value, time: Time) -> Value:
    """Return numbers with a class of times; a matrix has none here."""
    return Numeric(value.values, value.kind, time) if isinstance(value, Numeric) else value


def _in_seconds(value: Value) -> Value:
    """Return a difftime as bare seconds, another value as it is."""
    time = _time(value)
    if time not in UNITS or not isinstance(value, Numeric):
        return value
    if time == "secs":
        return _bare(value)
    return Numeric(value.as_float() * UNITS[time], "double")


def _in_days(value: Value) -> Value:
    """Return a difftime as bare whole days, another value as it is."""
    time = _time(value)
    if not is_difftime(time) or not isinstance(value, Numeric):
        return value
    numbers = value.as_float()
    parts = {"secs": 86400.0, "mins": 1440.0, "hours": 24.0}
    days = numbers * 7.0 if time == "weeks" else numbers / parts.get(str(time), 1.0)
    return Numeric(np.rint(days), "double")


# Differences ------------------------------------------------------------------------------


def moments(value: Value) -> Numeric:
    """Return R's ``as.POSIXct`` of a value, as seconds."""
    if isinstance(value, Numeric) and value.time == "POSIXct":
        return value
    if isinstance(value, Numeric) and value.time == "Date":
        return Numeric(value.as_float() * _SECONDS_PER_DAY, "double", "POSIXct")
    if isinstance(value, Character | Factor):
        return moment_of_text(value)
    if isinstance(value, Numeric) and value.time is None and value.kind != "logical":
        raise DataError("'origin' must be supplied")
    if isinstance(value, Numeric) and np.isnan(value.as_float()).all():
        return Numeric(value.as_float(), "double", "POSIXct")
    raise DataError("do not know how to convert 'x' to class “POSIXct”")


def elapsed(seconds: Array, unit: Time) -> Numeric:
    """Return seconds as a difftime in a unit; None is the unit R chooses for them.

    Examples
    --------
    >>> elapsed(np.array([7200.0, 3600.0]), None).time
    'hours'
    """
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
    one, two = align(moments(first).as_float(), moments(second).as_float(), context.warn)
    with np.errstate(invalid="ignore"):
        return elapsed(one - two, unit)


def unit_of(value: Value | None) -> Time:
    """Return the unit that an argument names, by its beginning; None for ``"auto"``.

    Raises
    ------
    DataError
        For other text.
    """
    if value is None:
        return None
    wanted = as_string(value, "units")
    fits: list[Time] = [unit for unit in UNITS if unit.startswith(wanted)]
    if "auto".startswith(wanted):
        fits.append(None)
    if len(fits) != 1:
        shown = ", ".join(f"“{unit}”" for unit in ("auto", *UNITS))
        raise DataError(f"'arg' should be one of {shown}")
    return fits[0]


def in_unit(value: Numeric, unit: str) -> Numeric:
    """Return a difftime in another unit.

    Raises
    ------
    DataError
        For text that is no unit.
    """
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
    """Return values in one unit, if all are differences of times and in different units.

    Examples
    --------
    >>> one, two = (Numeric(np.ones(1), "double", unit) for unit in ("mins", "hours"))
    >>> [value.as_float().tolist() for value in in_one_unit([one, two])]
    [[60.0], [3600.0]]
    """
    times = [_time(value) for value in values]
    if len(set(times)) < 2 or not all(is_difftime(time) for time in times):
        return list(values)
    return [in_unit(value, unit) for value in values if isinstance(value, Numeric)]


@function(
    "difftime",
    'time1, time2, tz?, units="auto"',
    role="elementwise",
    purpose="Difference of times.",
)
def _difftime(
    time1: Value,
    time2: Value,
    context: Context,
    tz: Value | None = None,
    units: Value | None = None,
) -> Value:
    only_utc(tz)
    return _difference(time1, time2, unit_of(units), context)


def only_utc(zone: Value | None) -> None:
    """Raise an error for a time zone other than UTC."""
    if zone is not None and as_string(zone, "tz") not in ("", "UTC", "GMT", "Etc/UTC"):
        raise DataError("times are in UTC here: other time zones are not supported")


@function(
    "as.difftime",
    'tim, format="%X", units="auto", tz="UTC"',
    role="elementwise",
    purpose="Numbers as a difference of times.",
)
def _as_difftime(
    tim: Value,
    format: Value | None = None,  # noqa: ARG001
    units: Value | None = None,
    tz: Value | None = None,  # noqa: ARG001
) -> Value:
    if is_difftime(_time(tim)):
        return tim
    if isinstance(tim, Character):
        raise DataError("as.difftime() of text is not supported")
    if not isinstance(tim, Numeric) or tim.kind == "logical" or tim.time is not None:
        raise DataError("'tim' is not character or numeric")
    wanted = "auto" if units is None else as_string(units, "units")
    if wanted == "auto":
        raise DataError("need explicit units for numeric conversion")
    if wanted not in UNITS:
        raise DataError("invalid units specified")
    return Numeric(tim.values, tim.kind, wanted)


@function("units", "x", role="summary", purpose="The unit of a difference of times.")
def _units(x: Value) -> Value:
    time = _time(x)
    if not is_difftime(time):
        raise DataError("units() is for differences of times")
    return string(time)


# Methods of operators ---------------------------------------------------------------------


@method("+.Date")
def _date_plus(operation: Operation) -> Value:
    first, second = operation.first, operation.second
    if second is None:
        return first
    if _time(first) == _time(second) == "Date":
        raise DataError('binary + is not defined for "Date" objects')
    result = operation.without_method(_bare(_in_days(first)), _bare(_in_days(second)))
    return _timed(result, "Date")


@method("-.Date")
def _date_minus(operation: Operation) -> Value:
    first, second = operation.first, operation.second
    if _time(first) != "Date":
        raise DataError('can only subtract from "Date" objects')
    if second is None:
        raise DataError('unary - is not defined for "Date" objects')
    if _time(second) == "Date":
        return _difference(first, second, "days", operation.context)
    return _timed(operation.without_method(_bare(first), _in_days(second)), "Date")


@method("Ops.Date")
def _date_other(operation: Operation) -> Value:
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        raise DataError(f'unary {name} not defined for "Date" objects')
    if name not in _COMPARISONS:
        raise DataError(f'{name} not defined for "Date" objects')
    first, second = (
        date_of_text(value) if isinstance(value, Character) else value for value in (first, second)
    )
    return operation.without_method(_bare(first), _bare(second))


@method("+.POSIXt")
def _moment_plus(operation: Operation) -> Value:
    first, second = operation.first, operation.second
    if second is None:
        return first
    if _time(first) == _time(second) == "POSIXct":
        raise DataError("binary '+' is not defined for \"POSIXt\" objects")
    result = operation.without_method(_bare(_in_seconds(first)), _bare(_in_seconds(second)))
    return _timed(result, "POSIXct")


@method("-.POSIXt")
def _moment_minus(operation: Operation) -> Value:
    first, second = operation.first, operation.second
    if _time(first) != "POSIXct":
        raise DataError('can only subtract from "POSIXt" objects')
    if second is None:
        raise DataError("unary '-' is not defined for \"POSIXt\" objects")
    if _time(second) == "POSIXct":
        return _difference(first, second, None, operation.context)
    return _timed(operation.without_method(_bare(first), _in_seconds(second)), "POSIXct")


@method("Ops.POSIXt")
def _moment_other(operation: Operation) -> Value:
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        raise DataError(f"unary '{name}' not defined for \"POSIXt\" objects")
    if name not in _COMPARISONS:
        raise DataError(f"'{name}' not defined for \"POSIXt\" objects")
    first, second = (
        moment_of_text(value) if isinstance(value, Character) else value
        for value in (first, second)
    )
    return operation.without_method(_bare(first), _bare(second))


@method("Ops.difftime")
def _difftime_other(operation: Operation) -> Value:
    name, first, second = operation.name, operation.first, operation.second
    if second is None:
        if name not in "+-":
            raise DataError(f"unary '{name}' not defined for \"difftime\" objects")
        return _timed(operation.without_method(_bare(first)), _time(first))
    one, two = _time(first), _time(second)
    both = is_difftime(one) and is_difftime(two)
    if name in _COMPARISONS:
        if both:
            first, second = _in_seconds(first), _in_seconds(second)
        return operation.without_method(_bare(first), _bare(second))
    if name not in "+-":
        raise DataError(f"'{name}' not defined for \"difftime\" objects")
    if both and one != two:
        return _timed(operation.without_method(_in_seconds(first), _in_seconds(second)), "secs")
    return _timed(operation.without_method(_bare(first), _bare(second)), one or two)


@method("*.difftime")
def _difftime_times(operation: Operation) -> Value:
    first, second = operation.pair
    if is_difftime(_time(first)) and is_difftime(_time(second)):
        raise DataError('both arguments of * cannot be "difftime" objects')
    result = operation.without_method(_bare(first), _bare(second))
    return _timed(result, _time(first) or _time(second))


@method("/.difftime")
def _difftime_over(operation: Operation) -> Value:
    first, second = operation.pair
    if is_difftime(_time(second)):
        raise DataError('second argument of / cannot be a "difftime" object')
    return _timed(operation.without_method(_bare(first), second), _time(first))
