"""What new data are held to: the columns of a model's data, as values without rows.

A value that has no rows any more still tells its type, its levels and their contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lme4py.data.factors import drop_unused, logical_factor, recode, shows_clock
from lme4py.data.values import (
    Character,
    Factor,
    Levels,
    LevelTable,
    Matrix,
    Numeric,
    Value,
    is_difftime,
    places_behind,
    time_class,
    without_dim,
)
from lme4py.errors import DataError, nearest

_SECONDS_PER_DAY = 86400


_TRUTH: Levels = ("FALSE", "TRUE")
_SHOWN = 8


def without_rows(value: Value) -> Value:
    """Return what is left of a value when its rows go: R's type, levels, contrasts, names.

    Examples
    --------
    >>> without_rows(Factor(np.array([0, 1], dtype=np.int32), ("a", "b"))).levels
    ('a', 'b')
    """
    # On memory of its own, so that the rows are let go.
    codes = np.zeros(0, dtype=np.int32)
    match value:
        case Numeric(kind=kind, time=time):
            if time is not None and time_class(time) == "POSIXct":
                seconds = value.as_float()
                # Moments tell whether new ones are written with a clock: else a new midnight
                # would have another label alone than beside other moments.
                if shows_clock(time, seconds[np.isfinite(seconds)]):
                    zoned = time if " " in time else f"{time} UTC"
                    time = f"{zoned.removesuffix(' clock')} clock"
            return Numeric(np.zeros(0), kind, time)
        case Character():
            return Character(codes, ())
        case Factor(levels=levels, ordered=ordered, contrasts=contrasts):
            return Factor(codes, levels, ordered, contrasts)
        case Matrix(values=values, names=names, kind=kind):
            return Matrix(np.zeros((0, values.shape[1])), names, kind)
        case _:
            raise DataError(f"invalid type ({type(value).__name__})")


def adapt(value: Value, known: Value, name: str, *, open_levels: bool = False) -> Value:
    """Return new values as values of the type, and on the levels, of the model's (`known`).

    Another type, or unknown levels, are an error. Where levels may come (`open_levels`), unknown
    ones stand behind the known ones, and numbers and text that a grouping factor takes by their
    labels stay as they are.

    Examples
    --------
    >>> known = Factor(np.zeros(0, dtype=np.int32), ("a", "b"))
    >>> adapt(Character(np.zeros(1, dtype=np.int32), ("b",)), known, "f").codes
    array([1], dtype=int32)
    """
    if isinstance(value, Numeric) and isinstance(known, Numeric):
        if (value.kind, value.time) == (known.kind, known.time):
            return value
        if time_class(value.time) == time_class(known.time) == "POSIXct":
            # The clock of the model's data holds.
            return replace(value, time=known.time)
    if isinstance(value, Numeric) and isinstance(known, Factor) and known.levels == _TRUTH:
        # Contrasts attached to a logical column have made a factor of it.
        value = logical_factor(value.values) if value.kind == "logical" else value
    if isinstance(value, Character | Factor) and type_name(known) == "logical":
        truth = place_levels(value, _TRUTH)
        if truth.levels == _TRUTH:
            value = Numeric(np.where(truth.codes < 0, np.nan, truth.codes), "logical")
    if not isinstance(known, Matrix):
        value = without_dim(value)
    of_texts = isinstance(known, Character | Factor)
    if open_levels and isinstance(value, Numeric) == of_texts and type_name(value) != "POSIXct":
        return value  # a group takes it by its label, as R does
    match known, value:
        case Matrix(), Numeric() if known.values.shape[1] == 1:
            return Matrix(value.as_float()[:, np.newaxis], known.names, known.kind)
        case Character() | Factor(), Numeric() if np.isnan(value.as_float()).all():
            value = Character(np.full(value.values.size, -1, dtype=np.int32), ())
    match known, value:
        case Character(), Character():
            return value
        case Character(), Factor(codes, levels):
            places = [-1 if level is None else i for i, level in enumerate(levels)]
            return Character(recode(codes, places), tuple(level or "" for level in levels))
        case Factor(levels=levels), Character() | Factor():
            placed = place_levels(value, levels)
            if not open_levels and len(placed.levels) > len(levels):
                raise unknown_levels(name, placed.levels, levels)
            return replace(placed, ordered=known.ordered, contrasts=known.contrasts)
        case Matrix(), Matrix() if value.values.shape[1] == known.values.shape[1]:
            return Matrix(value.values, known.names, known.kind)
        case Numeric(), Numeric():
            return _numbers(value, known, name)
        case _:
            raise _mismatch(value, known, name)


def _numbers(value: Numeric, known: Numeric, name: str) -> Numeric:
    values, kind, time = value.values, known.kind, known.time
    unknown = values.dtype.kind == "f" and np.isnan(values).all()
    if not unknown and time != value.time:
        classes = {time_class(time), time_class(value.time)}
        if classes == {"Date", "POSIXct"}:
            # A column of midnights was taken for dates; which it is, the model's data said.
            values = values * (1 / _SECONDS_PER_DAY if time == "Date" else _SECONDS_PER_DAY)
        elif is_difftime(time) and is_difftime(value.time):
            raise _mismatch(value, known, name)
    if kind == "logical" and value.kind != "logical" and not unknown:
        raise _mismatch(value, known, name)
    if values.dtype == np.bool_ and kind != "logical":
        values = values.astype(np.int64)
    if kind == "double" or unknown:
        values = values.astype(np.float64, copy=False)
    elif kind == "integer" and values.dtype.kind == "f" and not np.isnan(values).any():
        whole = bool((values == np.trunc(values)).all() and (np.abs(values) < 2**53).all())
        if not whole:
            return Numeric(values, "double", time)
        values = values.astype(np.int64)
    return Numeric(values, kind, time)


def _mismatch(value: Value, known: Value, name: str) -> DataError:
    return DataError(
        f"variable '{name}' was fitted with type \"{type_name(known)}\" but type "
        f'"{type_name(value)}" was supplied'
    )


def type_name(value: Value) -> str:
    """Return R's name of a value's type, or class of times.

    Examples
    --------
    >>> type_name(Numeric(np.zeros(1), "double", "POSIXct UTC")), type_name(Matrix(np.eye(2)))
    ('POSIXct', 'matrix of 2 columns')
    """
    match value:
        case Numeric(kind=kind, time=time):
            return time_class(time) or kind
        case Matrix(values=values):
            return f"matrix of {values.shape[1]} columns"
        case _:
            return type(value).__name__.lower()


def place_levels(value: Character | Factor, levels: Levels) -> Factor:
    """Return text or a factor on given levels, unknown ones that occur behind them.

    Examples
    --------
    >>> placed = place_levels(Character(np.array([1, 0], dtype=np.int32), ("a", "z")), ("a", "b"))
    >>> placed.levels, placed.codes.tolist()
    (('a', 'b', 'z'), [2, 0])
    """
    texts: Sequence[str | None] = value.pool if isinstance(value, Character) else value.levels
    if texts is levels or texts == levels:
        return value if isinstance(value, Factor) else Factor(value.codes, levels)
    used = drop_unused(Factor(value.codes, tuple(texts)))
    # A million levels are not put into a table for every new row.
    known = LevelTable.of(levels)
    found, new = places_behind(used.levels, known.places)
    return Factor(recode(used.codes, found), (*known, *new) if new else known)


def listed(levels: Sequence[str | None]) -> str:
    """Return the first few levels, in quotes.

    Examples
    --------
    >>> listed(("a", "b"))
    "'a', 'b'"
    """
    shown = ["NA" if level is None else f"'{level}'" for level in levels[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(levels) > _SHOWN else "")


def unknown_levels(name: str, levels: Levels, known: Levels) -> DataError:
    """Return the error of levels that the model's data did not have, in R's words."""
    new = levels[len(known) :]
    shown = listed(new) + (f" ({len(new)} in all)" if len(new) > _SHOWN else "")
    plural = "s" if len(new) > 1 else ""
    return DataError(f"factor {name} has new level{plural} {shown}", hint=known_levels(new, known))


def known_levels(new: Sequence[str | None], known: Levels) -> str:
    """Return a hint: the nearest known level, and the known levels."""
    texts = [level for level in known if level is not None]
    close = nearest(str(new[0]), texts) if len(new) == 1 and len(texts) < 10_000 else None
    return f"{close + ' ' if close else ''}the model has the levels {listed(texts)}"
