"""One column of any library as a value of R's types: numbers, text, factors, times.

Dictionary-encoded input (Categorical, Enum, arrow dictionaries) is taken by its
codes without touching a string; plain text is encoded once by its own library.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.factors import named_factor, value_labels
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Kind,
    LevelTable,
    Matrix,
    Null,
    Numeric,
    Value,
)
from lme4py.errors import DataError

_LIMIT = 2**31 - 1
_SHOWN = 5
_EPOCH_UNITS = {"D": 1, "s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBERS: dict[str, Kind] = {"b": "logical", "i": "integer", "u": "integer", "f": "double"}


def value_of(column: Any, *, ours: bool = False) -> Value:
    """Return an array, series, list or scalar as a value of R's types.

    Text becomes character, pandas Categorical and polars Enum become factors, arrow dictionaries
    too; polars Categorical is text, as it has no order of its own. A column of midnights without a
    zone is a Date, other moments are POSIXct. Masked entries are missing. The result has memory of
    its own, which is read-only; it is that of a column that nobody else has (`ours`). Types that
    R's model frame refuses as well (lists, complex numbers) are a `DataError`.

    Examples
    --------
    >>> value_of([1, 2, None]).kind
    'integer'
    """
    try:
        value = _read(column)
    except DataError:
        raise
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as fault:
        # 10**400, a signalling NaN of decimal, a whole table in place of a column ...
        raise DataError(f"invalid type ({type(column).__name__})", hint=str(fault)) from fault
    match value:
        case Numeric() | Matrix():
            return replace(value, values=kept(value.values, column, ours=ours))
        case Factor():
            return replace(value, codes=kept(value.codes, column, ours=ours))
        case Character():
            return read_only(value)  # codes of text are always made here
        case _:
            return value


class _Holder:
    """An array and the owner of its memory, there for as long as a view of them."""

    def __init__(self, values: NDArray[Any], owner: object) -> None:
        interface = values.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], True)}
        # The array keeps the memory, the owner whatever keeps others from writing to it.
        self.held = (values, owner)


def kept(values: NDArray[Any], source: object, *, ours: bool = False) -> NDArray[Any]:
    """Return an array that was read from a source as one to keep: the user cannot write to it.

    An array that was made here stays; what may be the source's memory is copied. Arrow and
    polars tell the two apart: an array that they made has memory that may be written to. Of
    pandas since 3.0 a shallow copy of the series does: pandas copies a column before it
    writes to it if another series has the same memory. It is there already where the series
    is `ours`, which a frame makes for whoever asks for a column.

    Examples
    --------
    >>> column = np.zeros(2)
    >>> found = kept(column, column)
    >>> column[:] = 1
    >>> found.tolist(), found.flags.writeable
    ([0.0, 0.0], False)
    """
    lends = type(source).__module__.partition(".")[0] in ("polars", "pyarrow")
    pandas = sys.modules.get("pandas")
    if (values.flags.owndata or (lends and values.flags.writeable)) and values is not source:
        found = values
    elif (
        pandas is not None
        and isinstance(source, pandas.Series)
        and int(pandas.__version__.partition(".")[0]) >= 3
        and values.dtype != object
    ):
        return np.asarray(_Holder(values, source if ours else source.copy(deep=False)))
    else:
        found = values.copy(order="K")
    found.flags.writeable = False
    return found


def read_only(value: Value) -> Value:
    """Return a value after its array has been made read-only."""
    array = getattr(value, "values", getattr(value, "codes", None))
    if array is not None:
        array.flags.writeable = False
    return value


def _read(column: Any) -> Value:
    """Return a column as a value, on memory that may be the column's."""
    if isinstance(column, Numeric | Matrix | Character | Factor | FunctionName | Null):
        return column
    if column is None:
        return Null()
    module = type(column).__module__.partition(".")[0]
    if module == "pandas":
        return _from_pandas(column)
    if module == "polars" and hasattr(column, "dtype"):
        return _from_polars(column)
    if module == "pyarrow":
        return _from_arrow(column)
    if isinstance(column, bool | int | float | str | bytes | np.generic):
        column = [column]
    if isinstance(column, np.ndarray):
        return _from_numpy(column)
    if isinstance(column, Sequence):
        rows = _rows_of_numbers(column)
        return _from_objects(column) if rows is None else _from_numpy(rows)
    if hasattr(column, "__array__"):  # xarray's, torch's, jax's
        return _from_numpy(np.asarray(column))
    raise DataError(
        f"invalid type ({type(column).__name__})", hint="give a list, an array or a frame's column"
    )


def _rows_of_numbers(column: Sequence[Any]) -> NDArray[Any] | None:
    """Return a list of equally long lists of numbers as a matrix, None for anything else."""
    if not column or not isinstance(column[0], list | tuple):
        return None
    if any(not isinstance(row, list | tuple) or len(row) != len(column[0]) for row in column):
        return None
    rows = np.array(column)
    return rows if rows.ndim == 2 and rows.dtype.kind in _NUMBERS else None


def _numeric(values: NDArray[Any], kind: Kind | None = None) -> Numeric:
    if values.dtype.kind == "b":
        return Numeric(values, "logical")
    if values.dtype == np.uint64 and values.size and int(values.max()) > np.iinfo(np.int64).max:
        values = values.astype(np.float64)
    if values.dtype.kind in "iu":
        integers = values.astype(np.int64, copy=False)
        fits = values.dtype.itemsize < 4 or not integers.size
        fits = fits or (int(integers.min()) >= -_LIMIT and int(integers.max()) <= _LIMIT)
        return Numeric(integers, kind or ("integer" if fits else "double"))
    return Numeric(values.astype(np.float64, copy=False), kind or "double")


def _from_numpy(given: NDArray[Any]) -> Value:
    kind = _NUMBERS.get(given.dtype.kind)
    if isinstance(given, np.ma.MaskedArray):
        values, kind = _unmasked(given, kind)
    else:
        values = given.view()
    if values.ndim == 0:
        values = values[None]
    if values.ndim == 2:
        if kind is None:
            raise DataError(f"invalid type (matrix of {values.dtype})")
        return Matrix(np.asfortranarray(values, dtype=np.float64), None, kind)
    if values.ndim != 1:
        raise DataError(f"invalid type (array of {values.ndim} dimensions)")
    match values.dtype.kind:
        case "b" | "i" | "u":
            return _numeric(values)
        case "f":
            return _numeric(values, kind)
        case "M":
            return _times(values)
        case "m":
            return Numeric(_in_seconds(values), "double", "secs")
        case "U" | "S" | "T" | "O":
            return _from_objects(values)
        case _:
            raise DataError(f"invalid type ({values.dtype})")


def _unmasked(given: Any, kind: Kind | None) -> tuple[NDArray[Any], Kind | None]:
    """Return a masked array's values, the masked ones missing, and R's type of numbers."""
    values, mask = given.data, np.ma.getmaskarray(given)
    if not mask.any():
        return values, kind
    if kind is not None:
        shown = _numeric(values[~mask]).kind
        return np.where(mask, np.nan, values.astype(np.float64)), shown
    if values.dtype.kind in "mM":
        kept = values.copy()
        kept[mask] = np.array("NaT", dtype=values.dtype)
        return kept, None
    objects = values.astype(object)
    objects[mask] = None
    return objects, None


def _in_seconds(values: NDArray[Any]) -> NDArray[np.float64]:
    unit, step = np.datetime_data(values.dtype)
    if unit not in _EPOCH_UNITS:
        kind = "M8[s]" if values.dtype.kind == "M" else "m8[s]"
        values, unit, step = values.astype(kind), "s", 1
    numbers = values.astype(np.int64).astype(np.float64)
    numbers[np.isnat(values)] = np.nan
    return numbers * step * 86400 if unit == "D" else numbers * step / _EPOCH_UNITS[unit]


def _times(values: NDArray[Any], zone: Any = None) -> Numeric:
    """Return days for a column of midnights without a zone (R's Date), else seconds (POSIXct).

    `values` are in UTC; `zone` is that of the clock.
    """
    seconds = _in_seconds(values)
    if zone is not None:
        # A fixed offset may be called anything.
        fixed = isinstance(zone, dt.timezone)
        name = dt.timezone(zone.utcoffset(None)) if fixed else zone
        return Numeric(seconds, "double", f"POSIXct {name}")
    # The remainder is negative before 1970, and NaN where the time is missing.
    if np.datetime_data(values.dtype)[0] == "D" or not np.any(np.abs(np.fmod(seconds, 86400)) > 0):
        return Numeric(seconds / 86400, "double", "Date")
    return Numeric(seconds, "double", "POSIXct")


def _encoded(codes: NDArray[Any], pool: Iterable[Any]) -> Character:
    # Item by item an array of Arrow's takes twenty times as long.
    texts = pool.tolist() if hasattr(pool, "tolist") else pool
    return Character(codes.astype(np.int32, copy=False), tuple(map(str, texts)))


def _from_objects(values: Sequence[Any] | NDArray[Any]) -> Value:
    """Return a sequence of Python objects of one type; None, NaN and masked are missing."""
    import pandas as pd

    array = values if isinstance(values, np.ndarray) else pd.array(values, dtype=object).to_numpy()
    kind = pd.api.types.infer_dtype(array, skipna=True)
    match kind:
        case "string":
            codes, pool = pd.factorize(np.asarray(array, dtype=object))
            return _encoded(codes, pool)
        case "boolean" | "integer" | "floating" | "mixed-integer-float" | "decimal" | "empty":
            missing = pd.isna(array)
            target = {"boolean": np.bool_, "integer": np.int64}.get(kind, np.float64)
            if kind == "empty":
                return Numeric(np.full(len(array), np.nan), "logical")
            if not missing.any():
                try:
                    return _numeric(array.astype(target))
                except OverflowError:
                    return _numeric(array.astype(np.float64))
            floats = np.full(len(array), np.nan)
            floats[~missing] = array[~missing].astype(np.float64)
            named: Kind = "logical" if kind == "boolean" else "integer"
            return Numeric(floats, named if kind in ("boolean", "integer") else "double")
        case "date" | "datetime" | "datetime64":
            return _times(*_moments(array))
        case "timedelta" | "timedelta64":
            return Numeric(
                _in_seconds(pd.to_timedelta(pd.Series(array)).to_numpy()), "double", "secs"
            )
        case "categorical":
            return _from_pandas(pd.Series(array))
        case "complex":
            raise DataError("invalid type (complex)")
        case _:
            masked = [item is np.ma.masked for item in array]
            if any(masked):
                return _from_objects([None if item is np.ma.masked else item for item in array])
            raise _mixed([type(item).__name__ for item in array])


def _moments(array: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Return dates and moments as datetime64 in UTC, and their zone: UTC if they differ in it."""
    import pandas as pd

    # By name: a zone of pytz is another object in summer than in winter.
    known = [item.tzinfo for item in array if getattr(item, "tzinfo", None) is not None]
    zones = {str(zone): zone for zone in known}
    stamps = pd.to_datetime(pd.Series(array, dtype=object), utc=bool(zones))
    values = (stamps.dt.tz_localize(None) if zones else stamps).to_numpy()
    return values, ("UTC" if len(zones) > 1 else next(iter(zones.values()), None))


def _mixed(kinds: Sequence[str]) -> DataError:
    """Return the error for objects of several types, with the rows of the rare ones."""
    counts = Counter(kinds).most_common()
    usual = counts[0][0]
    rare = [f"row {at} ({kind})" for at, kind in enumerate(kinds) if kind != usual]
    text = "invalid type (list)"
    if rare:
        text = f"invalid type (list: a mix of {', '.join(sorted(kind for kind, _ in counts[:4]))})"
        more = ", ..." if len(rare) > _SHOWN else ""
        where = f"{', '.join(rare[:_SHOWN])}{more}: {len(rare):,} of {len(kinds):,} rows are not "
        return DataError(text, hint=f"{where}{usual}, counted from 0; give the column one type")
    return DataError(text, hint=f"every row is of type {usual}; give numbers or text")


def _texts(value: Value) -> tuple[str | None, ...]:
    """Return the elements of a vector as R writes them, None for missing ones."""
    match value:
        case Character(codes=codes, pool=texts) | Factor(codes=codes, levels=texts):
            return tuple(None if code < 0 else texts[code] for code in codes.tolist())
        case Numeric(values=values) if values.dtype.kind in "iu":
            return tuple(map(str, values.tolist()))
        case Numeric():
            known = ~np.isnan(value.as_float())
            written = iter(value_labels(value, value.values[known]))
            return tuple(next(written) if shown else None for shown in known.tolist())
        case _:
            raise DataError(f"invalid type (levels that are a {type(value).__name__.lower()})")


def _from_pandas(series: Any) -> Value:
    import pandas as pd

    if isinstance(series, pd.DataFrame):
        return Matrix(
            np.asfortranarray(series.to_numpy(dtype=np.float64)),
            tuple(str(name) for name in series.columns),
        )
    if isinstance(series, pd.api.extensions.ExtensionArray):
        series = pd.Series(series)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes, categories, ordered = series.array.codes, dtype.categories, bool(dtype.ordered)
        if categories.inferred_type == "string":  # they are distinct
            # Item by item an array of Arrow's takes twenty times as long.
            items = categories.to_numpy(dtype=object).tolist()
            # An index of pandas' own text type holds nothing but plain str.
            levels = LevelTable(items if categories.dtype == "str" else map(str, items))
            return Factor(codes, levels, ordered)
        try:
            texts = _texts(_from_pandas(categories.to_series()))
        except DataError:  # intervals, periods, objects of several types: R has none of them
            texts = tuple(str(item) for item in categories)
        return named_factor(codes, texts, ordered)
    if isinstance(dtype, np.dtype):
        return _from_numpy(series.to_numpy())
    if isinstance(dtype, pd.StringDtype):
        if dtype.storage == "pyarrow":
            return _from_arrow(series.array.__arrow_array__())
        codes, pool = pd.factorize(series)
        return _encoded(codes, pool)
    if isinstance(dtype, pd.ArrowDtype):
        return _from_arrow(series.array.__arrow_array__())
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _times(series.dt.tz_convert(None).to_numpy(), series.dt.tz)
    if pd.api.types.is_numeric_dtype(dtype):
        floats = series.to_numpy(np.float64, na_value=np.nan)
        if dtype.kind == "f" or np.isnan(floats).any():
            return Numeric(floats.view(), _NUMBERS[dtype.kind])
        return _numeric(series.to_numpy(np.bool_ if dtype.kind == "b" else np.int64).view())
    return _from_objects(series.to_numpy(dtype=object))


def _from_polars(series: Any) -> Value:
    import polars as pl

    dtype = series.dtype
    if dtype == pl.Enum:
        return Factor(_polars_codes(series), tuple(dtype.categories.to_list()))
    if dtype in (pl.String, pl.Categorical):
        text = series.cast(pl.String)
        if find_spec("pyarrow"):
            return _from_arrow(text.to_arrow())  # half the time
        pool = text.drop_nulls().unique(maintain_order=False)
        return Character(_polars_codes(text.cast(pl.Enum(pool))), tuple(pool.to_list()))
    if dtype in (pl.Date, pl.Duration):
        return _from_numpy(series.to_numpy())
    if dtype == pl.Datetime:
        zone = dtype.time_zone
        utc = series if zone is None else series.dt.convert_time_zone("UTC")
        return _times(utc.dt.replace_time_zone(None).to_numpy(), zone)
    if dtype.is_integer() and str(dtype).endswith("128"):  # numpy has none
        ends = (series.min() or 0, series.max() or 0)
        fits = ends[0] >= -(2**63) and ends[1] < 2**63
        return _from_polars(series.cast(pl.Int64 if fits else pl.Float64))
    if dtype == pl.Boolean or dtype.is_integer():
        if not series.null_count():
            return _numeric(series.to_numpy())
        floats = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
        return Numeric(floats, "logical" if dtype == pl.Boolean else "integer")
    if dtype.is_numeric():
        floats = series.cast(pl.Float64)
        if floats.null_count():
            floats = floats.fill_null(np.nan)
        return Numeric(floats.to_numpy(), "double")
    if dtype == pl.Null:
        return Numeric(np.full(len(series), np.nan), "logical")
    if dtype == pl.Object:
        return _from_objects(series.to_numpy())
    raise DataError(f"invalid type ({dtype})")


def _polars_codes(series: Any) -> NDArray[np.int32]:
    """Return the codes of an Enum, -1 where there is none."""
    import polars as pl

    physical = series.to_physical()
    if physical.null_count():
        physical = physical.cast(pl.Int32).fill_null(-1)
    codes: NDArray[np.int32] = physical.to_numpy().astype(np.int32, copy=False)
    return codes


def _from_arrow(column: Any) -> Value:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        codes, dictionary = _with_one_dictionary(column)
        return named_factor(codes, _texts(_from_arrow(dictionary)), bool(kind.ordered))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        if pa.types.is_string_view(kind):
            column = column.cast(pa.large_string())
        codes, dictionary = _with_one_dictionary(column.dictionary_encode())
        return Character(codes, tuple(_of_arrow(dictionary).tolist()))
    if pa.types.is_date(kind):
        return _from_numpy(_of_arrow(column.cast(pa.date32())))
    if pa.types.is_timestamp(kind):
        return _times(_of_arrow(column), kind.tz)
    if pa.types.is_duration(kind) or (pa.types.is_boolean(kind) and not column.null_count):
        return _from_numpy(_of_arrow(column))
    if pa.types.is_boolean(kind):
        floats = column.cast(pa.int8()).cast(pa.float64())
        return Numeric(_of_arrow(floats), "logical")
    if pa.types.is_integer(kind):
        values = _of_arrow(column)
        return Numeric(values, "integer") if column.null_count else _numeric(values)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Numeric(_of_arrow(column.cast(pa.float64())), "double")
    if pa.types.is_null(kind):
        return Numeric(np.full(len(column), np.nan), "logical")
    raise DataError(f"invalid type ({kind})")


def _of_arrow(column: Any) -> NDArray[Any]:
    """Return a column as an array, on the column's memory or, writable, on memory made for it."""
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _with_one_dictionary(column: Any) -> tuple[NDArray[np.int32], Any]:
    """Return the codes of a dictionary column, -1 where there is none, and the dictionary."""
    if not hasattr(column, "chunks"):
        return _arrow_codes(column.indices), column.dictionary
    if not column.num_chunks:
        return np.zeros(0, dtype=np.int32), column.combine_chunks().dictionary
    chunks = column.unify_dictionaries().chunks
    if len(chunks) == 1:
        return _arrow_codes(chunks[0].indices), chunks[0].dictionary
    codes = np.empty(len(column), dtype=np.int32)
    end = 0
    for chunk in chunks:
        begin, end = end, end + len(chunk)
        codes[begin:end] = _arrow_codes(chunk.indices)
    return codes, chunks[0].dictionary


def _arrow_codes(indices: Any) -> NDArray[np.int32]:
    """Return the indices of a dictionary as codes, -1 where there is none."""
    import pyarrow as pa

    if indices.null_count:
        indices = indices.cast(pa.int32()).fill_null(-1)
    return _of_arrow(indices).astype(np.int32, copy=False)
