"""What the columns of a model's data were: types and levels that new data are held to."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.data.columns import Columns
from lme4py.data.factors import drop_unused, logical_factor, recode, shows_clock
from lme4py.data.values import (
    Character,
    Factor,
    Kind,
    Matrix,
    Numeric,
    Time,
    Value,
    is_difftime,
    places_behind,
    time_class,
    without_dim,
)
from lme4py.errors import DataError, nearest

TypeName: TypeAlias = Literal["logical", "integer", "double", "character", "factor", "matrix"]
Levels: TypeAlias = tuple[str | None, ...]

_SECONDS_PER_DAY = 86400


class LevelTable(tuple[str | None, ...]):  # noqa: SLOT001  # it keeps a table beside the items
    """Levels in their order that remember where each stands, once somebody has asked.

    Examples
    --------
    >>> LevelTable(("b", "a")).places
    {'b': 0, 'a': 1}
    """

    @classmethod
    def of(cls, levels: Sequence[str | None]) -> LevelTable:
        """Return levels as a table, which they may be already."""
        return levels if isinstance(levels, LevelTable) else cls(levels)

    def __repr__(self) -> str:
        return reprlib.repr(tuple(self))

    @cached_property
    def places(self) -> dict[str | None, int]:
        """The position of each level."""
        return {level: place for place, level in enumerate(self)}

    @cached_property
    def holds_missing(self) -> bool:
        """Whether missing values are a level (R's ``addNA``)."""
        # Comparing every text with None takes several times as long.
        return not all(self) and None in self


_TRUTH: Levels = ("FALSE", "TRUE")
_SHOWN = 8


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ColumnType(Abbreviated):
    """The type of one column.

    Parameters
    ----------
    kind : {"logical", "integer", "double", "character", "factor", "matrix"}
        R's type.
    time : str, optional
        R's class of times, as in `Numeric`.
    levels : tuple of str
        Of a factor; None is an NA level.
    ordered : bool
        Of a factor.
    contrasts : str or Matrix, optional
        The factor's own.
    width : int
        Columns of a matrix.
    names : tuple of str, optional
        Names of a matrix's columns.
    cells : {"logical", "integer", "double"}
        R's type of a matrix.
    """

    kind: TypeName
    time: Time | None = None
    levels: Levels = ()
    ordered: bool = False
    contrasts: str | Matrix | None = None
    width: int = 0
    names: tuple[str, ...] | None = None
    cells: Kind = "double"

    def adapt(self, value: Value, name: str, *, open_levels: bool = False) -> Value:
        """Return new values as values of this type.

        Parameters
        ----------
        value : Value
            The new column.
        name : str
            What errors call it.
        open_levels : bool
            Put unknown levels of a factor behind the known ones instead of stopping, and leave
            numbers and text that a grouping factor takes by their labels.

        Raises
        ------
        DataError
            For another type, or unknown levels, which are named.
        """
        if isinstance(value, Numeric) and (value.kind, value.time) == (self.kind, self.time):
            return value
        # The clock of the model's data holds.
        if (
            isinstance(value, Numeric)
            and time_class(value.time) == time_class(self.time) == "POSIXct"
        ):
            return Numeric(value.values, value.kind, self.time)
        # Contrasts attached to a logical column have made a factor of it.
        if isinstance(value, Numeric) and value.kind == "logical" and self.levels == _TRUTH:
            value = logical_factor(value.values)
        if self.kind == "logical" and isinstance(value, Character | Factor):
            truth = place_levels(value, _TRUTH)
            if truth.levels == _TRUTH:
                value = Numeric(np.where(truth.codes < 0, np.nan, truth.codes), "logical")
        if self.kind != "matrix":
            value = without_dim(value)
        labelled = isinstance(value, Numeric) == (self.kind in ("character", "factor"))
        if open_levels and labelled and _type_name(value) != "POSIXct":
            return value  # a group takes it by its label, as R does
        if isinstance(value, Numeric) and self.kind in ("character", "factor"):
            if not np.isnan(value.as_float()).all():
                raise self._mismatch(value, name)
            value = Character(np.full(value.values.size, -1, dtype=np.int32), ())
        if isinstance(value, Numeric) and self.kind == "matrix" and self.width == 1:
            value = Matrix(value.as_float()[:, np.newaxis])
        match self.kind:
            case "character" if isinstance(value, Character):
                return value
            case "character" if isinstance(value, Factor):
                levels = tuple("" if level is None else level for level in value.levels)
                codes = recode(
                    value.codes,
                    [-1 if level is None else i for i, level in enumerate(value.levels)],
                )
                return Character(codes, levels)
            case "factor" if isinstance(value, Character | Factor):
                placed = place_levels(value, self.levels)
                if not open_levels and len(placed.levels) > len(self.levels):
                    raise unknown_levels(name, placed.levels, self.levels)
                return Factor(placed.codes, placed.levels, self.ordered, self.contrasts)
            case "matrix" if isinstance(value, Matrix) and value.values.shape[1] == self.width:
                return Matrix(value.values, self.names, self.cells)
            case "logical" | "integer" | "double" if isinstance(value, Numeric):
                return self._numbers(value, name)
            case _:
                raise self._mismatch(value, name)

    def _numbers(self, value: Numeric, name: str) -> Numeric:
        unknown = value.values.dtype.kind == "f" and np.isnan(value.values).all()
        values = value.values
        if not unknown and self.time != value.time:
            classes = {time_class(self.time), time_class(value.time)}
            if classes == {"Date", "POSIXct"}:
                # A column of midnights was taken for dates; which it is, the model's data said.
                factor = 1 / _SECONDS_PER_DAY if self.time == "Date" else _SECONDS_PER_DAY
                values = values * factor
            elif is_difftime(self.time) and is_difftime(value.time):
                raise self._mismatch(value, name)
        if self.kind == "logical" and value.kind != "logical" and not unknown:
            raise self._mismatch(value, name)
        if values.dtype == np.bool_ and self.kind != "logical":
            values = values.astype(np.int64)
        if self.kind == "double":
            values = values.astype(np.float64, copy=False)
        elif self.kind == "integer" and values.dtype.kind == "f" and not np.isnan(values).any():
            whole = bool((values == np.trunc(values)).all() and (np.abs(values) < 2**53).all())
            if not whole:
                return Numeric(values, "double", self.time)
            values = values.astype(np.int64)
        elif unknown:
            values = values.astype(np.float64, copy=False)
        return Numeric(values, self.kind, self.time)  # type: ignore[arg-type]

    def _mismatch(self, value: Value, name: str) -> DataError:
        wanted: str = time_class(self.time) or self.kind
        if self.kind == "matrix":
            wanted = f"matrix of {self.width} columns"
        return DataError(
            f"variable '{name}' was fitted with type \"{wanted}\" but type "
            f'"{_type_name(value)}" was supplied'
        )


def _type_name(value: Value) -> str:
    match value:
        case Numeric(kind=kind, time=time):
            return time_class(time) or kind
        case Matrix(values=values):
            return f"matrix of {values.shape[1]} columns"
        case _:
            return type(value).__name__.lower()


def type_of(value: Value) -> ColumnType:
    """Return the type of a column.

    Examples
    --------
    >>> type_of(Factor(np.zeros(1, dtype=np.int32), ("a", "b"))).levels
    ('a', 'b')
    """
    match value:
        case Numeric(kind=kind, time=time):
            if time is not None and time_class(time) == "POSIXct":
                seconds = value.as_float()
                # Moments tell whether new ones are written with a clock: else a new midnight
                # would have another label alone than beside other moments.
                if shows_clock(time, seconds[np.isfinite(seconds)]):
                    zoned = time if " " in time else f"{time} UTC"
                    time = f"{zoned.removesuffix(' clock')} clock"
            return ColumnType(kind, time)
        case Character():
            return ColumnType("character")
        case Factor():
            levels = LevelTable.of(value.levels)
            return ColumnType("factor", None, levels, value.ordered, contrasts=value.contrasts)
        case Matrix():
            return ColumnType(
                "matrix", width=value.values.shape[1], names=value.names, cells=value.kind
            )
        case _:
            raise DataError(f"invalid type ({type(value).__name__})")


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


def unknown_levels(name: str, levels: Levels, known: Levels) -> DataError:
    """Return the error of levels that the model's data did not have, in R's words."""
    new = [f"'{level}'" for level in levels[len(known) :]]
    shown = ", ".join(new[:_SHOWN]) + (f", ... ({len(new)} in all)" if len(new) > _SHOWN else "")
    plural = "s" if len(new) > 1 else ""
    return DataError(f"factor {name} has new level{plural} {shown}", hint=known_levels(new, known))


def known_levels(new: Sequence[str], known: Levels) -> str:
    """Return a hint: the nearest known level, and the known levels."""
    texts = [level for level in known if level is not None]
    shown = ", ".join(f"'{level}'" for level in texts[:_SHOWN])
    more = ", ..." if len(texts) > _SHOWN else ""
    close = nearest(new[0].strip("'"), texts) if len(new) == 1 and len(texts) < 10_000 else None
    return f"{close + ' ' if close else ''}the model has the levels {shown}{more}"


class NewColumns:
    """New data, read as the model's data were.

    Parameters
    ----------
    data : data frame or mapping
        The new rows.
    names : sequence of str
        Columns of the model's data; others are not looked at.
    types : mapping of str to ColumnType
        Types of those that the formula reads.
    """

    def __init__(self, data: Any, names: Sequence[str], types: Mapping[str, ColumnType]) -> None:
        self._columns = Columns(data)
        self.names = tuple(names)
        self.rows = self._columns.rows
        self._known = frozenset(names)
        self._types = types

    def get(self, name: str, *, open_levels: bool = False) -> Value | None:
        """Return a column on the model's type and levels, None for what was no column.

        New levels stand behind the known ones where they are allowed (`open_levels`).

        Raises
        ------
        DataError
            If the new data lack the column, or it has another type or new levels.
        """
        if name not in self._known:
            return None
        value = self._columns.get(name)
        if value is None:
            hint = nearest(name, self._columns.names)
            raise DataError(f"object '{name}' not found in the new data", hint=hint)
        if name not in self._types:
            return value
        return self._types[name].adapt(value, name, open_levels=open_levels)
