"""R's values as typed Python values, and data frames of them as pandas columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.abbreviation import Abbreviated
from lme4py.data.columns import FROM_R
from lme4py.data.values import (
    UNITS,
    Character,
    Factor,
    Matrix,
    Numeric,
    Time,
    is_difftime,
    length,
)
from lme4py.errors import DataError
from lme4py.formula.syntax import Node

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["logical", "integer", "double", "complex", "character", "raw"]
Attributes: TypeAlias = Mapping[str, Any]
_Kind = TypeVar("_Kind")

NA_INTEGER = -(2**31)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RVector(Abbreviated):
    """An atomic vector, matrix or array, with its names (those of a matrix's rows).

    The values are bool, int32, float64, complex128, uint8, or str with None for NA; logicals and
    integers with missing values are float64 with NaN, whatever `kind` says. A matrix (n, k) is in
    Fortran order. All other attributes, ``class`` among them, are `attributes`.
    """

    values: NDArray[Any]
    kind: Kind
    names: tuple[str, ...] | None = None
    attributes: Attributes = field(default_factory=dict)
    column_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def is_matrix(self) -> bool:
        """Whether it has dimensions."""
        return self.values.ndim > 1

    @property
    def classes(self) -> tuple[str, ...]:
        """R's class attribute."""
        return texts(self.attributes.get("class"))

    def as_float(self) -> NDArray[np.float64]:
        """Return the numbers as float64, NA as NaN."""
        return self.values.astype(np.float64)

    def texts(self) -> list[str | None]:
        """Return the elements of a character vector."""
        return list(self.values)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RSparse(Abbreviated):
    """A ``dgCMatrix`` with its names."""

    matrix: sparse.csc_array
    row_names: tuple[str, ...] | None
    column_names: tuple[str, ...] | None


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RList(Abbreviated):
    """A list; names may be absent, empty or repeated.

    >>> both = RList((1, 2), ("g", "g"))
    >>> both["g"], both.get("h"), both.names
    (1, None, ('g', 'g'))
    """

    items: tuple[Any, ...]
    names: tuple[str, ...] | None = None
    attributes: Attributes = field(default_factory=dict)

    @classmethod
    def of(cls, items: Mapping[str, Any], **attributes: Any) -> RList:
        """Return a list of named elements."""
        return cls(tuple(items.values()), tuple(items), attributes)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __contains__(self, name: object) -> bool:
        return self.names is not None and name in self.names

    def __getitem__(self, key: int | str) -> Any:
        """Return an element by position or the first one of that name."""
        if isinstance(key, str) and key not in self:
            raise DataError(f"the R list has no element '{key}'")
        return self.get(key) if isinstance(key, str) else self.items[key]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first element of that name, or `default`."""
        if self.names is None or name not in self.names:
            return default
        return self.items[self.names.index(name)]

    def find(self, name: str, kind: type[_Kind]) -> _Kind | None:
        """Return the first element of that name if it is of this kind."""
        found = self.get(name)
        return found if isinstance(found, kind) else None

    def by_name(self, *path: str) -> dict[str, Any]:
        """Return the elements of the vector at a path by their names; nothing without a vector."""
        found: Any = self
        for name in path:
            found = found.get(name) if isinstance(found, RList) else None
        if not isinstance(found, RVector):
            return {}
        return dict(zip(found.names or (), found.values.tolist(), strict=False))

    def put(self, name: str, value: Any) -> RList:
        """Return the list with another value for an element."""
        names = self.names or ()
        items = zip(names, self.items, strict=True)
        return replace(self, items=tuple(value if key == name else item for key, item in items))


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RSlots(Abbreviated):
    """An S4 object of any other class, the package of that class, and its slots."""

    name: str
    slots: Attributes
    package: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class RLanguage:
    """A formula, call or symbol; None where values without a name in R's grammar are in it."""

    node: Node | None
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class RUnread:
    """A function, environment or other object that is no data.

    An environment has its own variables, which may lead back to it, not those it encloses.
    """

    kind: str
    variables: dict[str, Any] = field(default_factory=dict, repr=False)


MISSING = RUnread("missing argument")


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RFrame(Abbreviated):
    """A data frame: its columns as the values that formulas are computed from.

    They are `Numeric` (times too), `Character`, `Factor` or `Matrix`, or R objects of any other
    kind as they are.
    """

    columns: dict[str, Any]
    row_names: tuple[str, ...]
    attributes: Attributes = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row_names)

    def row_numbers(self) -> range | list[int] | None:
        """Return the row names as numbers, a range where they are 1, 2, ...; None for others."""
        if not all(name.isdecimal() and str(int(name)) == name for name in self.row_names):
            return None
        numbers, counted = list(map(int, self.row_names)), range(1, len(self) + 1)
        return counted if numbers == list(counted) else numbers

    def table(self) -> pd.DataFrame | dict[str, Any]:
        """Return a pandas DataFrame, or name to column where pandas cannot hold one of them.

        A matrix column becomes a `Matrix` with its names, a factor with contrasts of its
        own or with an NA level a `Factor` that has them, a ``difftime`` a `Numeric` that
        knows its unit. Any other factor becomes an
        (ordered) categorical, a character column one of str with missing values, integer
        and logical int64 and bool, or pandas' nullable ``Int64`` and ``boolean`` where
        something is NA; ``Date`` and ``POSIXct`` datetime64; a list, a data frame, raw bytes
        or complex numbers a column of objects that no model can use. Row names that are not
        1, 2, ... are the index.
        """
        import pandas as pd

        for name, column in self.columns.items():
            own = isinstance(column, Numeric | Character | Factor | Matrix)
            if own and length(column) != len(self):
                raise DataError(f"column '{name}' has {length(column)} rows, the frame {len(self)}")
        numbers = self.row_numbers()
        index = pd.Index(self.row_names if numbers is None else numbers)
        columns = {name: _series(column, index) for name, column in self.columns.items()}
        if not all(isinstance(column, pd.Series) for column in columns.values()):
            return columns
        frame = pd.DataFrame(columns, index=index)
        frame.attrs |= FROM_R
        return frame


def character(items: Sequence[str | None], names: tuple[str, ...] | None = None) -> RVector:
    """Return a character vector, NA where None stands."""
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return RVector(values, "character", names)


def integers(values: NDArray[Any], names: tuple[str, ...] | None = None) -> RVector:
    """Return an integer vector, NA where NaN stands; `DataError` beyond R's 32 bits."""
    if values.size and (np.nanmax(values) >= 2**31 or np.nanmin(values) <= -(2**31)):
        raise DataError("the design is too large for R, whose integers have 32 bits")
    kept = values if values.dtype.kind == "f" and np.isnan(values).any() else values.astype("i4")
    return RVector(kept, "integer", names)


def doubles(values: Any, names: tuple[str, ...] | None = None) -> RVector:
    """Return a vector of numbers."""
    return RVector(np.asarray(values, dtype=np.float64), "double", names)


def texts(value: Any) -> tuple[Any, ...]:
    """Return the elements of a vector, nothing for anything else."""
    return tuple(value.values.flat) if isinstance(value, RVector) else ()


def named_items(value: RList | RFrame) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the elements of a list or of the columns of a frame."""
    if isinstance(value, RFrame):
        yield from value.columns.items()
    else:
        yield from zip(value.names or (), value, strict=True)


def coding_of(value: Any) -> str | Matrix | None:
    """Return contrasts as our own value, None for a function."""
    match value:
        case RVector(kind="character", values=names) if names.shape == (1,):
            return str(names[0])
        case RVector(kind="logical" | "integer" | "double" as kind) if value.is_matrix:
            return Matrix(np.asfortranarray(value.as_float()), value.column_names, kind)
        case _:
            return None


def own_value(value: Any) -> Any:
    """Return a vector or matrix as the value formulas are computed from, all else as it is."""
    match value:
        case RVector() if value.is_matrix:
            return coding_of(value) or value
        case RVector(kind="character"):
            import pandas as pd

            codes, pool = pd.factorize(value.values)
            return Character(codes.astype(np.int32), tuple(pool))
        case RVector(kind="logical" | "integer" | "double" as kind):
            own, classes = value.attributes, value.classes
            zone, unit = (texts(own.get(name))[:1] for name in ("tzone", "units"))
            time: Time | None = None
            if "difftime" in classes:
                time = unit[0] if unit and unit[0] in UNITS else "secs"
            if "POSIXct" in classes:
                time = " ".join(["POSIXct", *filter(None, zone)])
            if "Date" in classes:
                time = "Date"
            if time is not None:
                return Numeric(value.as_float(), "double", time)
            whole = value.values.dtype == np.int32
            return Numeric(value.values.astype(np.int64) if whole else value.values, kind)
        case _:
            return value


def _series(column: Any, index: pd.Index[Any]) -> Any:
    """Return a column as a pandas Series, or as it is where pandas cannot hold it."""
    import pandas as pd

    values: Any
    match column:
        case Factor(contrasts=None) if None not in column.levels:
            levels = pd.CategoricalDtype(pd.Index(column.levels, dtype=object), column.ordered)
            values = pd.Categorical.from_codes(column.codes, dtype=levels)
        case Character():
            dtype = None if column.pool else object
            return pd.Series(list(column.texts()), index=index, dtype=dtype)
        case Numeric(time=time) if is_difftime(time):
            # pandas' differences know no unit of their own, in which R computes.
            return column
        case Numeric(time=time) if time is not None:
            unit: Any = "D" if time == "Date" else "s"
            try:
                moments = pd.to_datetime(column.as_float(), unit=unit, utc=time != "Date")
                # With a zone they stay POSIXct, midnights too; where R takes the session's, it
                # is UTC.
                zone = (*time.split(" ")[1:2], "UTC")[0]
                values = moments.as_unit("s") if time == "Date" else moments.tz_convert(zone)
            except (ValueError, OverflowError, LookupError):  # beyond pandas' years, or its zones
                return column
        case Numeric(kind=kind):
            nullable: Any = {"integer": "Int64", "logical": "boolean"}.get(kind)
            with_missing = nullable is not None and column.values.dtype.kind == "f"
            values = pd.array(column.values, nullable) if with_missing else column.values
        case Factor() | Matrix():
            return column
        case _:
            return pd.Series([column] * len(index), index=index, dtype=object)
    return pd.Series(values, index=index)
