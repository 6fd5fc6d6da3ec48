"""What some rows tell of a model: types of columns, levels, and whether columns of X depend.

Each kind of finding is made from a block and added to that of the rows before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.factors import extreme_rows, first_rows
from lme4py.data.values import (
    Character,
    Factor,
    FloatArray,
    Matrix,
    Numeric,
    Value,
    concatenate,
    take,
    time_class,
)
from lme4py.errors import DataError
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.schema import LevelTable, type_name, without_rows
from lme4py.frame.state import is_time_to_reduce
from lme4py.moments import sum_of_squares


@dataclass(frozen=True, eq=False, slots=True)
class ColumnTypes:
    """The types of columns as far as some rows tell.

    Parameters
    ----------
    known : mapping of str to Value
        The columns, without rows.
    blank : frozenset of str
        Those that had nothing but missing values so far.
    changed : bool
        Whether rows were computed with a type that later rows made another.
    levels_grow : bool
        Whether factors with other levels are one with the levels of both, as Arrow joins
        its dictionaries; else they are text, as pandas joins its categories.
    """

    known: Mapping[str, Value]
    blank: frozenset[str] = frozenset()
    changed: bool = False
    levels_grow: bool = True

    @classmethod
    def of(cls, columns: Mapping[str, Value], *, levels_grow: bool) -> ColumnTypes:
        """Return what the columns of a block tell."""
        blank = frozenset(name for name, value in columns.items() if _is_blank(value))
        known = {name: without_rows(value) for name, value in columns.items()}
        return cls(known, blank, levels_grow=levels_grow)

    def plus(self, other: ColumnTypes) -> ColumnTypes:
        """Return the types of these rows and of those that follow.

        Raises
        ------
        DataError
            For types that no column can have together.
        """
        if not self.known:
            return other
        made = ColumnTypes(
            {name: self._joined(other, name) for name in self.known},
            self.blank & other.blank,
            levels_grow=self.levels_grow and other.levels_grow,
        )
        return replace(made, changed=self.changed or other.changed or made.differs(self))

    def differs(self, other: ColumnTypes) -> bool:
        """Tell whether values are computed otherwise by these types."""
        return any(
            _essence(value) != _essence(self.known[name]) for name, value in other.known.items()
        )

    def _joined(self, other: ColumnTypes, name: str) -> Value:
        first, second = self.known[name], other.known[name]
        numbers = _are_numbers(first) and _are_numbers(second)
        if name in self.blank and not numbers:
            return second
        if name in other.blank and not numbers:
            return first
        return _common(first, second, name, self.levels_grow and other.levels_grow)


def _is_blank(value: Value) -> bool:
    match value:
        case Numeric(values=values):
            return values.dtype.kind == "f" and bool(np.isnan(values).all())
        case Character(codes=codes):
            return bool((codes < 0).all())
        case _:
            return False


def _are_numbers(value: Value) -> bool:
    return isinstance(value, Numeric) and value.kind != "logical"


def _essence(value: Value) -> tuple[Any, ...]:
    """Return what values are computed by: not the levels, which may grow."""
    match value:
        case Numeric(kind=kind, time=time):
            return kind, time and time.removesuffix(" clock").removesuffix(" UTC")
        case Factor(ordered=ordered):
            return Factor, ordered
        case _:
            return (type_name(value),)


def _common(first: Value, second: Value, name: str, levels_grow: bool) -> Value:
    """Return the type of a column whose parts have these."""
    match first, second:
        case Numeric(), Numeric() if _are_numbers(first) and _are_numbers(second):
            wider = first if first.kind == "double" else second
            return replace(wider, time=_common_time(first.time, second.time, name))
        case Factor(), Factor() if first.levels == second.levels:
            return first
        case Factor(), Factor() if levels_grow:
            levels = LevelTable(dict.fromkeys((*first.levels, *second.levels)))
            return replace(first, levels=levels)
        case Factor() | Character(), Factor() | Character():
            return Character(np.zeros(0, dtype=np.int32), ())
    if type_name(first) != type_name(second):
        raise DataError(
            f"column '{name}' is of type \"{type_name(second)}\" where it was "
            f'"{type_name(first)}" before',
            hint="give the column one type",
        )
    return first


def _common_time(one: str | None, two: str | None, name: str) -> str | None:
    if one == two:
        return one
    classes = {time_class(one), time_class(two)}
    if classes == {"POSIXct"}:
        # Midnights are written with the hour where another moment is.
        return one if (one or "").endswith(" clock") else two
    if classes == {"Date", "POSIXct"}:
        return one if time_class(one) == "POSIXct" else two
    raise DataError(f"column '{name}' holds times in some rows, and other numbers in others")


@dataclass(frozen=True, eq=False, slots=True)
class SomeRows:
    """Rows of a model frame that have all its levels, and its least and greatest numbers.

    Parameters
    ----------
    groups : tuple of tuple of str
        The variables that each grouping expression names: their combinations are kept.
    first : int
        How many of the first rows are kept besides.
    pieces : tuple of mapping
        The variables in the rows that are kept.
    positions : tuple of ndarray of int64
        Which rows of the source these are.
    rows, omitted : int
        How many rows the frame has, and lost for missing values.
    spreads : mapping of str to Spread
        Of the numbers in all rows.
    """

    groups: tuple[tuple[str, ...], ...]
    first: int
    pieces: tuple[Mapping[str, Value], ...] = ()
    positions: tuple[NDArray[np.int64], ...] = ()
    rows: int = 0
    omitted: int = 0
    spreads: Mapping[str, Spread] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: ModelFrame, groups: tuple[tuple[str, ...], ...], first: int) -> SomeRows:
        """Return what is to be kept of the rows of a block."""
        spreads = {
            name: Spread.of(value.values.reshape(frame.rows, -1).astype(np.float64, copy=False))
            for name, value in frame.variables.items()
            if isinstance(value, Numeric | Matrix) and frame.rows
        }
        positions = np.arange(frame.rows) if frame.positions is None else frame.positions
        whole = cls(
            groups, first, (frame.variables,), (positions,), frame.rows, frame.omitted, spreads
        )
        return whole.reduced()

    def joined(self, other: SomeRows, begin: int) -> SomeRows:
        """Return these and the rows that others kept of rows that begin at `begin`."""
        common = self.spreads.keys() & other.spreads.keys()
        both = {name: self.spreads[name] + other.spreads[name] for name in common}
        made = replace(
            self,
            pieces=(*self.pieces, *other.pieces),
            positions=(*self.positions, *(part + begin for part in other.positions)),
            rows=self.rows + other.rows,
            omitted=self.omitted + other.omitted,
            spreads={**self.spreads, **other.spreads, **both},
        )
        sizes = [part.size for part in made.positions]
        return made.reduced() if is_time_to_reduce(sizes) else made

    def reduced(self) -> SomeRows:
        """Return the rows that are needed of those that were kept."""
        variables, positions = self.variables, np.concatenate(self.positions)
        kept = self._needed(variables, positions.size)
        piece = {name: take(value, kept) for name, value in variables.items()}
        return replace(self, pieces=(piece,), positions=(positions[kept],))

    @property
    def variables(self) -> dict[str, Value]:
        """The variables in all rows that are kept."""
        names = self.pieces[0]
        return {name: concatenate([piece[name] for piece in self.pieces]) for name in names}

    def _needed(self, variables: Mapping[str, Value], rows: int) -> NDArray[np.int64]:
        found = [np.arange(min(self.first, rows))]
        if self.first < rows:
            found += [
                first_rows([value])
                if isinstance(value, Character | Factor)
                else extreme_rows([value])
                for value in variables.values()
                if isinstance(value, Character | Factor | Numeric | Matrix)
            ]
            found += [
                first_rows([variables[name] for name in names]) for names in self.groups if names
            ]
        needed = np.zeros(rows, dtype=np.bool_)
        for places in found:
            needed[places] = True
        return np.flatnonzero(needed)


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """How far the numbers of some columns are spread.

    Parameters
    ----------
    rows : int
        At least one.
    means, squares : ndarray, shape (p,)
        Of each column; `squares` are sums around the mean.
    marks : ndarray of bool, shape (p,)
        Columns with nothing but zeros and ones.
    """

    rows: int
    means: FloatArray
    squares: FloatArray
    marks: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: FloatArray) -> Spread:
        """Return the spread of some rows, shape (rows, p)."""
        means = columns.mean(axis=0)
        pairs = zip(columns.T, means, strict=True)
        squares = np.array([sum_of_squares(column - mean) for column, mean in pairs])
        return cls(len(columns), means, squares, ((columns == 0) | (columns == 1)).all(axis=0))

    def __add__(self, other: Spread) -> Spread:
        """Return the spread of the rows of both."""
        rows, step = self.rows + other.rows, other.means - self.means
        return Spread(
            rows,
            self.means + step * (other.rows / rows),
            self.squares + other.squares + step**2 * (self.rows * other.rows / rows),
            self.marks & other.marks,
        )

    @property
    def deviations(self) -> FloatArray:
        """The standard deviations, NaN for columns of zeros and ones."""
        if self.rows < 2:
            return np.full(self.means.shape, np.nan)
        return np.where(self.marks, np.nan, np.sqrt(self.squares / (self.rows - 1)))


@dataclass(frozen=True, eq=False, slots=True)
class Triangle:
    """What the rows of X tell of its columns.

    Parameters
    ----------
    factor : ndarray, shape (k, p)
        The triangular factor of a QR decomposition: it has the cross-products of the rows,
        without having squared their condition.
    spread : Spread
    """

    factor: FloatArray
    spread: Spread

    @classmethod
    def of(cls, X: FloatArray) -> Triangle:
        """Return what some rows tell, one at least."""
        return cls(np.asarray(np.linalg.qr(X, mode="r")), Spread.of(X))

    def __add__(self, other: Triangle) -> Triangle:
        """Return what the rows of both tell."""
        both = np.vstack([self.factor, other.factor])
        return Triangle(np.asarray(np.linalg.qr(both, mode="r")), self.spread + other.spread)
