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
from lme4py.data.schema import type_name, without_rows
from lme4py.data.values import (
    Character,
    Factor,
    FloatArray,
    Matrix,
    Numeric,
    Value,
    concatenate,
    length,
    missing,
    take,
    time_class,
)
from lme4py.errors import DataError
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.state import is_time_to_reduce


@dataclass(frozen=True, eq=False, slots=True)
class ColumnTypes:
    """The types of columns as far as some rows tell."""

    known: Mapping[str, Value] = field(default_factory=dict)  # the columns, without rows
    blank: frozenset[str] = frozenset()  # nothing but missing values so far
    # Factors with other levels are one with the levels of both, as Arrow joins its dictionaries;
    # else they are text, as pandas joins its categories.
    levels_grow: bool = True
    changed: bool = False  # rows were computed with a type that later rows made another

    @classmethod
    def of(cls, columns: Mapping[str, Value], *, levels_grow: bool) -> ColumnTypes:
        """Return what the columns of a block tell."""
        blank = frozenset(name for name, value in columns.items() if _is_blank(value))
        known = {name: without_rows(value) for name, value in columns.items()}
        return cls(known, blank, levels_grow)

    def plus(self, other: ColumnTypes) -> ColumnTypes:
        """Return the types of the rows of both; `DataError` for types that do not go together."""
        if not self.known or not other.known:
            return self if self.known else other
        grow = self.levels_grow and other.levels_grow
        known = {name: self._joined(other, name, grow) for name in self.known}
        changed = self.changed or other.changed
        return ColumnTypes(known, self.blank & other.blank, grow, changed).after(self)

    def _joined(self, other: ColumnTypes, name: str, levels_grow: bool) -> Value:
        first, second = self.known[name], other.known[name]
        if (name in self.blank or name in other.blank) and not (
            _are_numbers(first) and _are_numbers(second)
        ):
            return second if name in self.blank else first
        return _common(first, second, name, levels_grow)

    def after(self, part: ColumnTypes) -> ColumnTypes:
        """Return the same types, of which some rows were computed by the types of a part."""
        differ = any(
            _essence(value) != _essence(self.known[name]) for name, value in part.known.items()
        )
        return replace(self, changed=self.changed or differ)


def _is_blank(value: Value) -> bool:
    lost = missing(value) if isinstance(value, Numeric | Character) else None
    return lost is not None and bool(lost.all())


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
        case Factor(), Factor() if levels_grow or first.levels == second.levels:
            pass
        case Factor() | Character(), Factor() | Character():
            return Character(np.zeros(0, dtype=np.int32), ())
        case Numeric(), Numeric() if _are_numbers(first) and _are_numbers(second):
            classes = {time_class(first.time), time_class(second.time)}
            if len(classes) > 1 and classes != {"Date", "POSIXct"}:
                raise DataError(
                    f"column '{name}' holds times in some rows, and other numbers in others"
                )
        case _ if type_name(first) != type_name(second):
            raise DataError(
                f"column '{name}' is of type \"{type_name(second)}\" where it was "
                f'"{type_name(first)}" before',
                hint="give the column one type",
            )
    return without_rows(concatenate([first, second]))


POSITIONS = "(positions)"
"""The column of `SomeRows` that says which rows of the source they are."""


@dataclass(frozen=True, eq=False, slots=True)
class SomeRows:
    """Rows of a model frame that have all its levels, and its least and greatest numbers."""

    groups: tuple[tuple[str, ...], ...]  # variables of which each combination is kept, too
    first: int  # so many of the first rows are kept besides
    pieces: tuple[Mapping[str, Any], ...]  # the variables in the rows that are kept
    seen: int  # rows of the source
    rows: int  # of the frame
    omitted: int  # lost for missing values
    spreads: Mapping[str, Spread]  # of the numbers in all rows

    @classmethod
    def of(
        cls, frame: ModelFrame, groups: tuple[tuple[str, ...], ...], first: int, seen: int
    ) -> SomeRows:
        """Return what is to be kept of the rows of a block."""
        positions = np.arange(frame.rows) if frame.positions is None else frame.positions
        piece = {**frame.variables, POSITIONS: Numeric(positions, "integer")}
        spreads = {
            name: Spread.of(np.atleast_2d(value.values.T).T.astype(np.float64, copy=False))
            for name, value in frame.variables.items()
            if isinstance(value, Numeric | Matrix)
        }
        made = cls(groups, first, (piece,), seen, frame.rows, frame.omitted, spreads)
        return made.reduced()

    def __add__(self, other: SomeRows) -> SomeRows:
        """Return these rows and those that others kept of the rows that follow."""
        moved = [
            {**piece, POSITIONS: Numeric(piece[POSITIONS].values + self.seen, "integer")}
            for piece in other.pieces
        ]
        made = replace(
            self,
            pieces=(*self.pieces, *moved),
            seen=self.seen + other.seen,
            rows=self.rows + other.rows,
            omitted=self.omitted + other.omitted,
            spreads={name: spread + other.spreads[name] for name, spread in self.spreads.items()},
        )
        sizes = [length(piece[POSITIONS]) for piece in made.pieces]
        return made.reduced() if is_time_to_reduce(sizes) else made

    def reduced(self) -> SomeRows:
        """Return the rows that are needed of those that were kept."""
        columns = self.columns
        needed = np.arange(length(columns[POSITIONS])) < self.first
        if not needed.all():
            for name, value in columns.items():
                if isinstance(value, Character | Factor):
                    needed[first_rows([value])] = True
                elif isinstance(value, Numeric | Matrix) and name != POSITIONS:
                    needed[extreme_rows([value])] = True
            for names in self.groups:
                needed[first_rows([columns[name] for name in names])] = True
        kept = np.flatnonzero(needed)
        return replace(self, pieces=({name: take(value, kept) for name, value in columns.items()},))

    @property
    def columns(self) -> dict[str, Any]:
        """The variables, and the positions, in all rows that are kept."""
        names = self.pieces[0]
        return {name: concatenate([piece[name] for piece in self.pieces]) for name in names}


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """How far the numbers of some columns are spread."""

    rows: int
    means: FloatArray
    squares: FloatArray  # sums around the mean
    marks: NDArray[np.bool_]  # columns with nothing but zeros and ones

    @classmethod
    def of(cls, columns: FloatArray) -> Spread:
        """Return the spread of some rows, shape (rows, p)."""
        rows, marks = len(columns), ((columns == 0) | (columns == 1)).all(axis=0)
        means = columns.sum(axis=0) / max(rows, 1)
        return cls(rows, means, np.square(columns - means).sum(axis=0), marks)

    def __add__(self, other: Spread) -> Spread:
        """Return the spread of the rows of both."""
        rows, step = self.rows + other.rows, other.means - self.means
        share = other.rows / max(rows, 1)
        squares = self.squares + other.squares + step**2 * (self.rows * share)
        return Spread(rows, self.means + step * share, squares, self.marks & other.marks)

    @property
    def deviations(self) -> FloatArray:
        """The standard deviations, NaN for columns of zeros and ones."""
        if self.rows < 2:
            return np.full(self.means.shape, np.nan)
        return np.where(self.marks, np.nan, np.sqrt(self.squares / (self.rows - 1)))


@dataclass(frozen=True, eq=False, slots=True)
class Triangle:
    """What some rows of X tell: the triangular factor of a QR decomposition, and their spread.

    The factor has their cross-products, without having squared their condition.
    """

    factor: FloatArray
    spread: Spread

    @classmethod
    def of(cls, X: FloatArray) -> Triangle:
        """Return what some rows tell."""
        return cls(np.asarray(np.linalg.qr(X, mode="r")), Spread.of(X))

    def __add__(self, other: Triangle) -> Triangle:
        """Return what the rows of both tell."""
        both = np.vstack([self.factor, other.factor])
        return Triangle(np.asarray(np.linalg.qr(both, mode="r")), self.spread + other.spread)
