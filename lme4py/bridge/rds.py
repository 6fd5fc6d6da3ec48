"""R's own files: what ``saveRDS`` wrote, as typed Python values.

The package rdata parses the file; the conversion is ours, because a model frame
holds what a general converter stumbles over: matrix columns, formulas with the
environment of the function that made them, contrast attributes that are functions.
Environments, functions and language objects are not descended into.
"""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RFactor",
    "RFrame",
    "RList",
    "RMatrix",
    "RSlots",
    "RSparse",
    "RUnread",
    "RVector",
    "read_rds",
]

Kind: TypeAlias = Literal["logical", "integer", "double", "complex", "character"]
Attributes: TypeAlias = Mapping[str, Any]

_DAMAGE = (
    AssertionError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    zlib.error,
)
"""What rdata's parser raises on a damaged or foreign file."""


def _no_attributes() -> Attributes:
    return {}


@dataclass(frozen=True, eq=False, slots=True)
class RVector:
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
        return _texts(self.attributes.get("class"))

    def as_float(self) -> NDArray[np.float64]:
        """Return the numbers as float64, NA as NaN."""
        numbers = self.values.astype(np.float64)
        if self.missing is not None:
            numbers[self.missing] = np.nan
        return numbers

    def texts(self) -> list[str | None]:
        """Return the elements of a character vector."""
        return list(self.values)


@dataclass(frozen=True, eq=False, slots=True)
class RMatrix:
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


@dataclass(frozen=True, eq=False, slots=True)
class RFactor:
    """A factor: 0-based codes (-1 is NA), levels in R's order."""

    codes: NDArray[np.int32]
    levels: tuple[str | None, ...]
    ordered: bool
    attributes: Attributes = field(default_factory=_no_attributes)

    def __len__(self) -> int:
        return int(self.codes.shape[0])


@dataclass(frozen=True, eq=False, slots=True)
class RSparse:
    """A ``dgCMatrix`` with its names."""

    matrix: sparse.csc_array
    row_names: tuple[str, ...] | None
    column_names: tuple[str, ...] | None


@dataclass(frozen=True, eq=False, slots=True)
class RList:
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


@dataclass(frozen=True, eq=False, slots=True)
class RSlots:
    """An S4 object of any other class: its slots."""

    name: str
    slots: Attributes


@dataclass(frozen=True, slots=True)
class RUnread:
    """An environment, function, formula or other language object, not descended into."""

    kind: str


@dataclass(frozen=True, eq=False, slots=True)
class RFrame:
    """A data frame: its columns with R's types.

    Parameters
    ----------
    columns : dict of str to RVector, RFactor, RMatrix, RFrame or RList
    row_names : tuple of str
    automatic : bool
        Whether R itself numbers the rows 1, 2, ...
    attributes : mapping
    """

    columns: dict[str, Any]
    row_names: tuple[str, ...]
    automatic: bool = True
    attributes: Attributes = field(default_factory=_no_attributes)

    def __len__(self) -> int:
        return len(self.row_names)

    def to_mapping(self) -> dict[str, Any]:
        """Return name to column: a pandas Series, or a 2-D array for a matrix column.

        A factor becomes an (ordered) categorical, a character column one of str
        with missing values, integer and logical int64 and bool, or pandas' nullable
        ``Int64`` and ``boolean`` where something is NA; ``Date`` and ``POSIXct``
        datetime64. A list column has no counterpart and raises `DataError`.
        """
        index = self._index()
        return {name: _pandas_column(name, column, index) for name, column in self.columns.items()}

    def to_pandas(self) -> pd.DataFrame:
        """Return the frame as a pandas DataFrame; row names that are not 1, 2, ... are its index.

        Raises
        ------
        DataError
            If a column is a matrix, which pandas cannot hold: use `to_mapping`.
        """
        import pandas as pd

        columns = self.to_mapping()
        for name, column in columns.items():
            if isinstance(column, np.ndarray):
                raise DataError(f"column '{name}' is a matrix; pandas has no such column")
        return pd.DataFrame(columns, index=self._index())

    def _index(self) -> pd.Index[Any]:
        import pandas as pd

        if self.automatic:
            return pd.RangeIndex(1, len(self) + 1)
        if all(name.isdecimal() and str(int(name)) == name for name in self.row_names):
            return pd.Index([int(name) for name in self.row_names])
        return pd.Index(self.row_names)


def read_rds(path: str | os.PathLike[str]) -> Any:
    """Read what R's ``saveRDS`` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    object
        None for NULL, `RVector`, `RMatrix`, `RFactor`, `RFrame`, `RList`, `RSparse`
        for a dgCMatrix, `RSlots` for other S4 objects, `RUnread` for environments,
        functions and language.

    Raises
    ------
    DataError
        If the file is missing, is not R's, or the package rdata is not installed.
    """
    try:
        from rdata import parser
    except ImportError as missing:
        raise DataError(
            "reading .rds files needs the package rdata", hint="pip install 'lme4py[r]'"
        ) from missing
    try:
        content = Path(path).read_bytes()
    except OSError as fault:
        raise DataError(f"cannot read {path}: {fault.strerror}") from fault
    try:
        parsed = parser.parse_data(content, extension=".rds")
    except _DAMAGE as fault:
        raise DataError(f"{path} is not a file written by R's saveRDS: {fault}") from fault
    return _Conversion(parsed.extra.encoding or "UTF-8").value(parsed.object)


class _Conversion:
    """Turns parsed R objects into the values of this module."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding

    def value(self, item: Any) -> Any:
        kind = item.info.type.name
        match kind:
            case "REF":
                return self.value(item.referenced_object)
            case "NIL" | "NILVALUE":
                return None
            case "SYM":
                return RUnread("symbol")
            case "CHAR":
                return self.text(item)
            case "LGL" | "INT" | "REAL" | "CPLX" | "STR":
                return self.atomic(item)
            case "VEC" | "EXPR":
                return self.listing(item)
            case "LIST":
                tagged = self.pairs(item)
                return RList(tuple(value for _, value in tagged), tuple(tag for tag, _ in tagged))
            case "S4":
                return self.formal(item)
            case _:
                return RUnread({"LANG": "language", "CLO": "function"}.get(kind, kind.lower()))

    def text(self, item: Any) -> str | None:
        if item.value is None:
            return None
        latin = bool(item.info.gp & 4)
        try:
            decoded: str = item.value.decode("latin-1" if latin else "utf-8")
        except UnicodeDecodeError:
            decoded = item.value.decode(self.encoding, errors="replace")
        return decoded

    def pairs(self, item: Any) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        while item is not None and item.info.type.name == "LIST":
            found.append((self.tag(item.tag), self.value(item.value[0])))
            item = item.value[1]
        return found

    def tag(self, item: Any) -> str:
        while item is not None and item.info.type.name == "REF":
            item = item.referenced_object
        if item is None or item.info.type.name != "SYM":
            return ""
        return self.text(item.value) or ""

    def attributes(self, item: Any) -> dict[str, Any]:
        return dict(self.pairs(item.attributes)) if item.attributes is not None else {}

    def atomic(self, item: Any) -> RVector | RMatrix | RFactor:
        attributes = self.attributes(item)
        raw = item.value
        kind: Kind
        missing: NDArray[np.bool_] | None = None
        if item.info.type.name == "STR":
            kind = "character"
            values: NDArray[Any] = np.empty(len(raw), dtype=object)
            values[:] = [self.text(element) for element in raw]
        else:
            kinds: dict[str, Kind] = {
                "LGL": "logical",
                "INT": "integer",
                "REAL": "double",
                "CPLX": "complex",
            }
            kind = kinds[item.info.type.name]
            if isinstance(raw, np.ma.MaskedArray):
                missing = np.ma.getmaskarray(raw)
                values = np.ma.getdata(raw)
            else:
                values = np.asarray(raw)
        classes = _texts(attributes.get("class"))
        if "factor" in classes:
            codes = values.astype(np.int32) - np.int32(1)
            if missing is not None:
                codes[missing] = -1
            del attributes["class"]
            levels = attributes.pop("levels", None)
            return RFactor(
                codes,
                tuple(levels.values) if isinstance(levels, RVector) else (),
                "ordered" in classes,
                attributes,
            )
        if "dim" in attributes:
            return _matrix(values, kind, missing, attributes)
        names = attributes.pop("names", None)
        return RVector(values, kind, missing, _names(names), attributes)

    def listing(self, item: Any) -> RList | RFrame:
        attributes = self.attributes(item)
        items = tuple(self.value(element) for element in item.value)
        names = _names(attributes.pop("names", None))
        if "data.frame" in _texts(attributes.get("class")):
            row_names, automatic = _row_names(attributes.pop("row.names", None))
            columns = dict(zip(names or (), items, strict=True))
            return RFrame(columns, row_names, automatic, attributes)
        return RList(items, names, attributes)

    def formal(self, item: Any) -> RSparse | RSlots:
        slots = self.attributes(item)
        name = (*_texts(slots.pop("class", None)), "")[0]
        if name == "dgCMatrix":
            rows, columns = (int(extent) for extent in slots["Dim"].values)
            matrix = sparse.csc_array(
                (slots["x"].values, slots["i"].values, slots["p"].values), shape=(rows, columns)
            )
            return RSparse(matrix, *_dimnames(slots.get("Dimnames")))
        return RSlots(name, slots)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value.values) if isinstance(value, RVector) else ()


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, RVector):
        return None
    return tuple("" if name is None else str(name) for name in value.values)


def _dimnames(value: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(value, RList) or len(value) != 2:
        return None, None
    return _names(value[0]), _names(value[1])


def _row_names(value: Any) -> tuple[tuple[str, ...], bool]:
    """Return the row names and whether they are R's compact 1, 2, ... (stored as NA, -n)."""
    if not isinstance(value, RVector):
        return (), True
    if value.missing is not None and len(value) == 2 and value.missing[0]:
        return tuple(str(row + 1) for row in range(abs(int(value.values[1])))), True
    return tuple(str(name) for name in value.values), False


def _matrix(
    values: NDArray[Any],
    kind: Kind,
    missing: NDArray[np.bool_] | None,
    attributes: dict[str, Any],
) -> RMatrix:
    if missing is not None:
        values = values.astype(np.float64)
        values[missing] = np.nan
    extents = tuple(int(extent) for extent in attributes.pop("dim").values)
    row_names, column_names = _dimnames(attributes.pop("dimnames", None))
    return RMatrix(values.reshape(extents, order="F"), kind, row_names, column_names, attributes)


def _pandas_column(name: str, column: Any, index: pd.Index[Any]) -> Any:
    import pandas as pd

    if isinstance(column, RMatrix):
        return column.values
    if isinstance(column, RFactor):
        if None in column.levels:
            raise DataError(f"column '{name}' has an NA level; pandas has no such categories")
        categories = pd.Categorical.from_codes(
            column.codes.astype(np.int64),
            categories=pd.Index(list(column.levels), dtype=object),
            ordered=column.ordered,
        )
        return pd.Series(categories, index=index)
    if not isinstance(column, RVector):
        raise DataError(f"column '{name}' is a list or an R object; no column of numbers or text")
    if {"Date", "POSIXct", "difftime"} & set(column.classes):
        return _times(column, index)
    match column.kind:
        case "character":
            dtype = None if any(text is not None for text in column.values) else object
            return pd.Series(list(column.values), index=index, dtype=dtype)
        case "integer" if column.missing is not None:
            whole = pd.arrays.IntegerArray(column.values.astype(np.int64), column.missing)
            return pd.Series(whole, index=index)
        case "logical" if column.missing is not None:
            truth = pd.arrays.BooleanArray(column.values.astype(np.bool_), column.missing)
            return pd.Series(truth, index=index)
        case "integer":
            return pd.Series(column.values.astype(np.int64), index=index)
        case _:
            return pd.Series(column.values, index=index)


def _times(column: RVector, index: pd.Index[Any]) -> pd.Series[Any]:
    """Return days or seconds since 1970, or a time difference, as pandas' times."""
    import pandas as pd

    numbers = column.as_float()
    if "difftime" in column.classes:
        unit = (*_texts(column.attributes.get("units")), "secs")[0]
        scale = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}
        return pd.Series(pd.to_timedelta(numbers * scale.get(unit, 1), unit="s"), index=index)
    if "Date" in column.classes:
        return pd.Series(pd.to_datetime(numbers, unit="D").as_unit("s"), index=index)
    stamps = pd.to_datetime(numbers, unit="s", utc=True)
    zone = (*_texts(column.attributes.get("tzone")), "")[0]
    return pd.Series(stamps.tz_convert(zone) if zone else stamps.tz_localize(None), index=index)
