"""R's values as typed Python values, and data frames of them as pandas columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.abbreviation import Abbreviated
from lme4py.data.columns import FROM_R
from lme4py.data.values import UNITS, Factor, Matrix, Numeric
from lme4py.errors import DataError
from lme4py.formula.syntax import Node

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "REnvironment",
    "RFactor",
    "RFrame",
    "RLanguage",
    "RList",
    "RMatrix",
    "RSlots",
    "RSparse",
    "RUnread",
    "RVector",
    "character",
    "coding_of",
    "integers",
    "named_items",
    "texts",
    "whole_names",
]

Kind: TypeAlias = Literal["logical", "integer", "double", "complex", "character"]
Attributes: TypeAlias = Mapping[str, Any]


def _no_attributes() -> Attributes:
    return {}


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RVector(Abbreviated):
    """An atomic vector.

    Parameters
    ----------
    values : ndarray, shape (n,)
        bool, int32, float64, complex128, or object (str, None for NA).
    kind : str
        R's type.
    missing : ndarray of bool, shape (n,), optional
        Where a logical or integer vector is NA (its value there means nothing);
        None when nothing is. Doubles carry NaN.
    names : tuple of str, optional
    attributes : mapping
        All other attributes, ``class`` among them.
    """

    values: NDArray[Any]
    kind: Kind
    missing: NDArray[np.bool_] | None = None
    names: tuple[str, ...] | None = None
    attributes: Attributes = field(default_factory=_no_attributes)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def classes(self) -> tuple[str, ...]:
        """R's class attribute."""
        return texts(self.attributes.get("class"))

    def as_float(self) -> NDArray[np.float64]:
        """Return the numbers as float64, NA as NaN."""
        numbers = self.values.astype(np.float64)
        if self.missing is not None:
            numbers[self.missing] = np.nan
        return numbers

    def texts(self) -> list[str | None]:
        """Return the elements of a character vector."""
        return list(self.values)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RMatrix(Abbreviated):
    """An atomic matrix or array.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Fortran order. Missing integers and logicals make it float64 with NaN.
    kind : str
        R's type.
    row_names, column_names : tuple of str, optional
    attributes : mapping
        All other attributes (``assign``, ``contrasts``, ``class`` ...).
    """

    values: NDArray[Any]
    kind: Kind
    row_names: tuple[str, ...] | None = None
    column_names: tuple[str, ...] | None = None
    attributes: Attributes = field(default_factory=_no_attributes)

    def as_float(self) -> NDArray[np.float64]:
        """Return the numbers as float64, NA as NaN."""
        return self.values.astype(np.float64)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RFactor(Abbreviated):
    """A factor: 0-based codes (-1 is NA), levels in R's order."""

    codes: NDArray[np.int32]
    levels: tuple[str | None, ...]
    ordered: bool
    attributes: Attributes = field(default_factory=_no_attributes)

    def __len__(self) -> int:
        return int(self.codes.shape[0])


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RSparse(Abbreviated):
    """A ``dgCMatrix`` with its names."""

    matrix: sparse.csc_array
    row_names: tuple[str, ...] | None
    column_names: tuple[str, ...] | None


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RList(Abbreviated):
    """A list; names may be absent, empty or repeated.

    Examples
    --------
    >>> both = RList((1, 2), ("g", "g"))
    >>> both["g"], both.get("h"), both.names
    (1, None, ('g', 'g'))
    """

    items: tuple[Any, ...]
    names: tuple[str, ...] | None = None
    attributes: Attributes = field(default_factory=_no_attributes)

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
        if isinstance(key, int):
            return self.items[key]
        if self.names is None or key not in self.names:
            raise DataError(f"the R list has no element '{key}'")
        return self.items[self.names.index(key)]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first element of that name, or `default`."""
        if self.names is None or name not in self.names:
            return default
        return self.items[self.names.index(name)]

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
    """A formula, call or symbol.

    Parameters
    ----------
    node : Symbol, Number, Text, Constant, Call or None
        Its syntax tree; None where values without a name in R's grammar were put into it.
    attributes : mapping
    """

    node: Node | None
    attributes: Attributes = field(default_factory=_no_attributes)


@dataclass(frozen=True, slots=True)
class RUnread:
    """A function, environment or other object that is no data."""

    kind: str


@dataclass(frozen=True, eq=False, slots=True)
class REnvironment(RUnread):
    """An environment with its variables, which may lead back to it; not those it encloses."""

    variables: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RFrame(Abbreviated):
    """A data frame: its columns with R's types.

    Parameters
    ----------
    columns : dict of str to RVector, RFactor, RMatrix, RFrame or RList
    row_names : tuple of str
    attributes : mapping
    """

    columns: dict[str, Any]
    row_names: tuple[str, ...]
    attributes: Attributes = field(default_factory=_no_attributes)

    def __len__(self) -> int:
        return len(self.row_names)

    @property
    def numbered(self) -> bool:
        """Whether the rows are called 1, 2, ..."""
        return all(name == str(at) for at, name in enumerate(self.row_names, start=1))

    def table(self) -> pd.DataFrame | dict[str, Any]:
        """Return a pandas DataFrame, or name to column where pandas cannot hold one of them.

        A matrix column becomes a `Matrix` with its names, a factor with contrasts of its
        own or with an NA level a `Factor` that has them, a ``difftime`` a `Numeric` that
        knows its unit. Any other factor becomes an
        (ordered) categorical, a character column one of str with missing values, integer
        and logical int64 and bool, or pandas' nullable ``Int64`` and ``boolean`` where
        something is NA; ``Date`` and ``POSIXct`` datetime64. Row names that are not 1, 2, ...
        are the index.

        Raises
        ------
        DataError
            For a list column, which has no counterpart.
        """
        import pandas as pd

        index = self._index()
        for name, column in self.columns.items():
            if hasattr(column, "__len__") and len(column) != len(self):
                raise DataError(f"column '{name}' has {len(column)} rows, the frame {len(self)}")
        columns = {name: _column(name, column, index) for name, column in self.columns.items()}
        if any(isinstance(column, Factor | Matrix | Numeric) for column in columns.values()):
            return columns
        frame = pd.DataFrame(columns, index=index)
        frame.attrs |= FROM_R
        return frame

    def _index(self) -> pd.Index[Any]:
        import pandas as pd

        if self.numbered:
            return pd.RangeIndex(1, len(self) + 1)
        numbers = whole_names(self.row_names)
        return pd.Index(self.row_names if numbers is None else numbers)


def character(items: Sequence[str | None], names: tuple[str, ...] | None = None) -> RVector:
    """Return a character vector, NA where None stands."""
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return RVector(values, "character", None, names)


def integers(
    values: NDArray[Any],
    missing: NDArray[np.bool_] | None = None,
    names: tuple[str, ...] | None = None,
) -> RVector:
    """Return an integer vector.

    Raises
    ------
    DataError
        For numbers that R's integers of 32 bits do not hold.
    """
    known = values if missing is None else values[~missing]
    if known.size and (known.max() >= 2**31 or known.min() <= -(2**31)):
        raise DataError("the design is too large for R, whose integers have 32 bits")
    return RVector(values.astype(np.int32), "integer", missing, names)


def texts(value: Any) -> tuple[Any, ...]:
    """Return the elements of a vector, nothing for anything else."""
    return tuple(value.values) if isinstance(value, RVector) else ()


def named_items(value: RList | RFrame) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the elements of a list or of the columns of a frame."""
    if isinstance(value, RFrame):
        yield from value.columns.items()
    else:
        yield from zip(value.names or (), value, strict=True)


def coding_of(value: Any) -> str | Matrix | None:
    """Return contrasts as our own value, None for a function."""
    match value:
        case RVector(kind="character") if len(value) == 1:
            return str(value.values[0])
        case RMatrix():
            return _own_matrix(value)
        case _:
            return None


def _own_matrix(matrix: RMatrix) -> Matrix:
    values = np.asfortranarray(matrix.values.astype(np.float64))
    kind = matrix.kind if matrix.kind in ("logical", "integer", "double") else "double"
    return Matrix(values, matrix.column_names, kind)


def whole_names(names: Sequence[str]) -> list[int] | None:
    """Return row names that are whole numbers as numbers, None where one is not."""
    if all(name.isdecimal() and str(int(name)) == name for name in names):
        return [int(name) for name in names]
    return None


def _column(name: str, column: Any, index: pd.Index[Any]) -> Any:
    """Return a column as a pandas Series, or as our own value where pandas has none."""
    import pandas as pd

    values: Any
    match column:
        case RMatrix():
            return _own_matrix(column)
        case RFactor() if "contrasts" in column.attributes or None in column.levels:
            contrasts = coding_of(column.attributes.get("contrasts"))
            return Factor(column.codes, column.levels, column.ordered, contrasts)
        case RFactor():
            levels = pd.CategoricalDtype(pd.Index(column.levels, dtype=object), column.ordered)
            values = pd.Categorical.from_codes(column.codes, dtype=levels)
        case RVector() if "difftime" in column.classes:
            # pandas' differences know no unit of their own, in which R computes.
            unit = (*texts(column.attributes.get("units")), "secs")[0]
            return Numeric(column.as_float(), "double", unit if unit in UNITS else "secs")
        case RVector() if {"Date", "POSIXct"} & set(column.classes):
            return _times(column, index)
        case RVector(kind="character"):
            dtype = None if any(text is not None for text in column.values) else object
            return pd.Series(list(column.values), index=index, dtype=dtype)
        case RVector(kind="integer", missing=missing):
            whole = column.values.astype(np.int64)
            values = whole if missing is None else pd.arrays.IntegerArray(whole, missing)
        case RVector(kind="logical", missing=missing) if missing is not None:
            values = pd.arrays.BooleanArray(column.values.astype(np.bool_), missing)
        case RVector():
            values = column.values
        case _:
            raise DataError(
                f"column '{name}' is a list or an R object; no column of numbers or text"
            )
    return pd.Series(values, index=index)


def _times(column: RVector, index: pd.Index[Any]) -> pd.Series[Any]:
    """Return days or seconds since 1970 as pandas' times."""
    import pandas as pd

    numbers = column.as_float()
    if "Date" in column.classes:
        return pd.Series(pd.to_datetime(numbers, unit="D").as_unit("s"), index=index)
    stamps = pd.to_datetime(numbers, unit="s", utc=True)
    # With a zone they stay POSIXct, midnights too; where R takes the session's, it is UTC here.
    zone = (*texts(column.attributes.get("tzone")), "")[0]
    return pd.Series(stamps.tz_convert(zone or "UTC"), index=index)
