"""The values that R's expressions have here: typed columns, matrices, factors, functions.

Arrays are shared, never written to. Missing values are NaN in numbers and code -1
in text and factors. A scalar is a value of length one, as in R.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, repeat
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.moments import sum_of_squares

FloatArray: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.signedinteger[Any]]
Kind: TypeAlias = Literal["logical", "integer", "double"]
Time: TypeAlias = str
Levels: TypeAlias = tuple[str | None, ...]

_FIRST_LOOK = 1 << 12

UNITS: dict[Time, float] = {
    "secs": 1.0,
    "mins": 60.0,
    "hours": 3600.0,
    "days": 86400.0,
    "weeks": 604800.0,
}
"""The units of a difftime, in seconds."""


@dataclass(frozen=True, eq=False, repr=False)
class Numeric(Abbreviated):
    """A logical, integer or double vector.

    Parameters
    ----------
    values : ndarray, shape (n,)
        bool, int64 or float64. An array with missing values is float64 with NaN,
        whatever `kind` says; `kind` remembers R's type.
    kind : {"logical", "integer", "double"}
        R's type.
    time : str, optional
        R's class for times: ``"Date"`` (days), ``"POSIXct"`` (seconds in UTC), or a
        difftime, which is named by its unit (``"secs"`` ... ``"weeks"``). Behind POSIXct
        the zone of its clock may stand, and ``clock`` where midnight is always written
        with the hour: ``"POSIXct Europe/Rome clock"``. By default a vector of midnights
        is written as days, as R does.
    """

    values: NDArray[Any]
    kind: Kind
    time: Time | None = None

    def as_float(self) -> FloatArray:
        """Return the numbers as float64, missing values as NaN (no copy when already so)."""
        return self.values.astype(np.float64, copy=False)

    def as_double(self) -> Numeric:
        """Return the vector with its numbers as float64; itself when they are."""
        floats = self.as_float()
        return self if floats is self.values else replace(self, values=floats)

    @cached_property
    def squares(self) -> float:
        """The sum of squares: finite only where every number is."""
        return sum_of_squares(self.as_float())


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Matrix(Abbreviated):
    """A numeric matrix.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        float64; Fortran order where it was made here.
    names : tuple of str, optional
        R's column names, None when the matrix has none.
    kind : {"logical", "integer", "double"}
        R's type.
    """

    values: FloatArray
    names: tuple[str, ...] | None = None
    kind: Kind = "double"


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Character(Abbreviated):
    """A character vector as codes into a pool of distinct strings (in no particular order).

    Parameters
    ----------
    codes : ndarray of int32, shape (n,)
        Position in ``pool``; -1 is NA.
    pool : tuple of str
        Distinct strings; entries that no code uses are allowed.
    """

    codes: Codes
    pool: tuple[str, ...]

    def texts(self) -> NDArray[np.object_]:
        """Return the strings themselves, None for NA."""
        return np.array([*self.pool, None], dtype=object)[self.codes]


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


@dataclass(frozen=True, eq=False, repr=False)
class Factor(Abbreviated):
    """A factor.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        0-based position in ``levels``; -1 is NA. Of int32, or narrower where pandas' codes are.
    levels : tuple of str
        Level names in R's order; None stands for an NA level (R's ``addNA``).
    ordered : bool
        R's class ``ordered``.
    contrasts : object, optional
        R's ``contrasts`` attribute: the name of a contrast function, or a
        `Matrix` with one row per level.
    """

    codes: Codes
    levels: tuple[str | None, ...]
    ordered: bool = False
    contrasts: str | Matrix | None = None

    def __post_init__(self) -> None:
        # All that share these levels look them up in one table.
        object.__setattr__(self, "levels", LevelTable.of(self.levels))

    @cached_property
    def used(self) -> NDArray[np.intp] | None:
        """The positions of the levels that occur, in order; None for all."""
        return used_codes(self.codes, len(self.levels))

    @cached_property
    def incomplete(self) -> bool:
        """Whether some row has no level."""
        return bool(self.codes.size) and int(self.codes.min()) < 0


def used_codes(codes: Codes, size: int) -> NDArray[np.intp] | None:
    """Return which of `size` codes occur, sorted; None for all, as mostly the first rows tell."""
    present = np.zeros(size + 1, dtype=bool)
    begin, end = 0, max(2 * size, _FIRST_LOOK)
    while begin < codes.size and not present[:size].all():
        # The missing code -1 counts in the last place.
        present[codes[begin:end]] = True
        begin, end = end, end + max(end // 4, 2 * size)
    return None if present[:size].all() else np.flatnonzero(present[:size])


@dataclass(frozen=True, eq=False, slots=True)
class FunctionName:
    """A function of the table, named as an argument (``C(f, contr.sum)``)."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Null:
    """R's NULL."""


Value: TypeAlias = Numeric | Matrix | Character | Factor | FunctionName | Null


def time_class(time: Time | None) -> Time | None:
    """Return R's class of a time without its zone.

    Examples
    --------
    >>> time_class("POSIXct Europe/Rome")
    'POSIXct'
    """
    return None if time is None else time.partition(" ")[0]


def is_difftime(time: Time | None) -> bool:
    """Tell whether a class of times is a difftime's."""
    return time in UNITS


def without_dim(value: Value) -> Value:
    """Return a matrix of one column as a vector, any other value as it is.

    Examples
    --------
    >>> without_dim(Matrix(np.array([[1.0], [2.0]]))).values
    array([1., 2.])
    """
    if isinstance(value, Matrix) and value.values.shape[1] == 1:
        return Numeric(value.values[:, 0], value.kind)
    return value


def length(value: Value) -> int:
    """Return the number of elements of a vector, or of rows of a matrix."""
    match value:
        case Numeric() | Matrix():
            return len(value.values)
        case Character() | Factor():
            return len(value.codes)
        case FunctionName():
            return 1
        case Null():
            return 0


def split(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value with its name, a matrix as one vector for each column: pandas holds no matrix.

    Examples
    --------
    >>> [name for name, _ in split("m", Matrix(np.eye(2), ("a", "b")))]
    ['m.a', 'm.b']
    """
    if not isinstance(value, Matrix):
        yield name, value
        return
    for at, column in enumerate(value.values.T):
        label = str(at + 1) if value.names is None else value.names[at]
        yield f"{name}.{label}", Numeric(column, value.kind)


def take(value: Value, rows: NDArray[Any] | Sequence[int] | slice) -> Value:
    """Return the elements (rows of a matrix) that `rows` selects: a mask, positions or a slice."""
    match value:
        case Numeric():
            return replace(value, values=value.values[rows])
        case Matrix():
            return replace(value, values=np.asfortranarray(value.values[rows]))
        case Character() | Factor():
            return replace(value, codes=value.codes[rows])
        case _:
            return value


def concatenate(values: Sequence[Value]) -> Value:
    """Return the elements of values of one kind, texts and levels of later ones behind the others.

    Examples
    --------
    >>> parts = [Character(np.array([0]), ("a",)), Character(np.array([1, 0]), ("a", "b"))]
    >>> joined = concatenate(parts)
    >>> joined.pool, joined.codes.tolist()
    (('a', 'b'), [0, 1, 0])
    """
    first, parts = values[0], list[Any](values)
    if len(values) == 1:
        return first
    match first:
        case Numeric():
            kinds: tuple[Kind, ...] = ("logical", "integer", "double")
            kind = max((item.kind for item in parts), key=kinds.index)
            # Where one of the parts shows the clock, it is behind the class, and all show it.
            time = max((item.time or "" for item in parts), key=len) or None
            return Numeric(np.concatenate([item.values for item in parts]), kind, time)
        case Matrix():
            rows = np.concatenate([item.values for item in parts])
            return Matrix(np.asfortranarray(rows), first.names, first.kind)
        case Character():
            return Character(*_together([(item.codes, item.pool) for item in parts]))
        case Factor():
            codes, levels = _together([(item.codes, item.levels) for item in parts])
            return Factor(codes, levels, first.ordered, first.contrasts)
        case _:
            return first


def _together(parts: Sequence[tuple[Codes, tuple[Any, ...]]]) -> tuple[Codes, tuple[Any, ...]]:
    """Return codes into one pool of texts."""
    pool = parts[0][1]
    longest = max((texts for _, texts in parts), key=len)
    # Pools of blocks grow at their end.
    if all(texts is longest or texts == longest[: len(texts)] for _, texts in parts):
        return np.concatenate([codes for codes, _ in parts]), longest
    # The texts of the first are mostly those of many blocks, and stand where they stand.
    places = dict(zip(pool, count(), strict=False))
    found = [parts[0][0]]
    for codes, texts in parts[1:]:
        table, new = places_behind(texts, places)
        places.update(zip(new, count(len(places)), strict=False))
        found.append(np.append(table, np.int32(-1))[codes])
    return np.concatenate(found), tuple(places) if len(places) > len(pool) else pool


def places_behind(
    texts: Sequence[str | None], known: Mapping[str | None, int]
) -> tuple[Codes, tuple[str | None, ...]]:
    """Return where distinct texts stand, unknown ones behind those known, and the unknown ones.

    Examples
    --------
    >>> places_behind(("z", "b"), {"a": 0, "b": 1})
    (array([2, 1], dtype=int32), ('z',))
    """
    # No loop of Python's: there may be a million texts in a block.
    found = np.fromiter(map(known.get, texts, repeat(-1)), np.int32, len(texts))
    absent = np.flatnonzero(found < 0)
    found[absent] = np.arange(len(known), len(known) + absent.size)
    return found, tuple(texts[place] for place in absent.tolist())


def take_or_missing(value: Value, rows: NDArray[np.int64]) -> Value:
    """Return the elements at `rows`, a missing one for each negative position."""
    found, absent = take(value, np.maximum(rows, 0)), rows < 0
    match found:
        case Numeric():
            return replace(found, values=np.where(absent, np.nan, found.as_float()))
        case Matrix():
            floats = np.where(absent[:, None], np.nan, found.values)
            return replace(found, values=np.asfortranarray(floats))
        case Character() | Factor():
            return replace(found, codes=np.where(absent, np.int32(-1), found.codes))
        case _:
            return found


def missing(value: Value) -> NDArray[np.bool_] | None:
    """Return where a value is missing, shape (n,); None when nowhere."""
    match value:
        case Numeric() if value.values.dtype.kind != "f" or np.isfinite(value.squares):
            return None
        case Numeric(values=values) | Matrix(values=values):
            # The least of some numbers is NaN when one of them is.
            if values.dtype.kind != "f" or not values.size or not np.isnan(values.min()):
                return None
            return np.asarray(np.isnan(values).reshape(len(values), -1).any(axis=1))
        case Factor():
            return np.less(value.codes, 0) if value.incomplete else None
        case Character(codes=codes):
            return np.less(codes, 0) if codes.size and codes.min() < 0 else None
        case _:
            return None
