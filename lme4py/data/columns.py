"""Any data frame as typed columns: pandas, polars, pyarrow, or a mapping of arrays.

Each column is converted when it is first asked for, and kept.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from typing import Any

import numpy as np

from lme4py.data.column_values import value_of
from lme4py.data.schema import adapt
from lme4py.data.values import Factor, Value, length, take
from lme4py.errors import DataError, nearest

FROM_R = {"written by": "R"}
"""What the ``attrs`` of a pandas frame say that was read from a file of R's."""

# Of polars, xarray, Dask, Spark, DuckDB: the first that is there.
_METHODS_THAT_MAKE_FRAMES = ("collect", "to_dataframe", "compute", "toPandas", "df")
_EAGER_FRAMES = {("polars", "DataFrame"), ("pyarrow", "Table"), ("pyarrow", "RecordBatch")}
_BLOCKS = "rows that do not fit into memory are read by lme4py.scan"


class Columns:
    """The columns of one data frame, or of a mapping of arrays, which is never modified.

    With the `names` of a model's data, for new rows, each must be there when it is asked for, and
    others are not looked at. The `index` is pandas', None where rows have no labels.
    """

    def __init__(self, data: Any, *, names: Sequence[str] | None = None) -> None:
        self._values: dict[str, Value] = {}
        # What columns are held to: the types and levels that these values, without rows, have.
        self.known: Mapping[str, Value] = {}
        self.open_levels = False
        self._from_r = FROM_R.items() <= getattr(data, "attrs", {}).items()
        # xarray's Dataset is a mapping, too, but of what need not have a row for each row.
        if isinstance(data, Mapping) and not hasattr(data, "to_dataframe"):
            source = {str(name): column for name, column in data.items()}
            self.names = tuple(map(str, data))
            self.rows = _length(next(iter(source.values()))) if source else 0
            self.index: Any = None
            self._column: Callable[[str], Any] = source.__getitem__
        else:
            frame = _eager_frame(data)
            labels = list(frame.columns)
            self.names = tuple(map(str, labels))
            self.rows = len(frame)
            self.index = frame.index if is_pandas_frame(frame) else None
            self._column = _columns_of(frame, labels)
        self._counts = Counter(self.names)
        self._asked = None if names is None else frozenset(names)
        self.names = tuple(self._counts if names is None else names)

    def held_to(self, known: Mapping[str, Value], *, open_levels: bool = False) -> Columns:
        """Return the same columns, held to known types and levels, to which new ones may come."""
        made = copy(self)
        made.known, made.open_levels = known, open_levels
        return made

    def is_ordered_category(self, name: str) -> bool:
        """Tell whether a column is an ordered category of pandas or Arrow, not R's factor."""
        value = self.get(name)
        if not isinstance(value, Factor) or not value.ordered or value.contrasts is not None:
            return False
        return not self._from_r and not isinstance(self._column(name), Factor)

    @property
    def read(self) -> Mapping[str, Value]:
        """The columns that were asked for so far."""
        return {name: self._held(name) for name in self._values} if self.known else self._values

    def raw(self, name: str) -> Any:
        """Return the column called `name`, which is there once, as its library has it."""
        if self._counts[name] > 1:
            raise repeated_name(name)
        return self._column(name)

    def cut(self, names: Sequence[str], rows: slice) -> Columns:
        """Return some rows of the columns that have these names."""
        found: dict[str, Any] = {}
        for name in names:
            column = self.raw(name)
            if (size := _length(column)) != self.rows:
                raise of_other_length(name, size, self.rows)
            if isinstance(column, Mapping | AbstractSet):
                found[name] = column  # no column: whoever reads it is told so
            elif isinstance(column, Value):
                found[name] = take(column, rows)
            else:
                found[name] = column.iloc[rows] if hasattr(column, "iloc") else column[rows]
        return Columns(found)

    def get(self, name: str) -> Value | None:
        """Return the column called `name` as a value, or None where there is none.

        New rows must have it, with the type and levels that it is held to.
        """
        if self._asked is not None and name not in self._asked:
            return None
        if name not in self._values:
            if name not in self._counts:
                if self._asked is None:
                    return None
                hint = nearest(name, self._counts)
                raise DataError(f"object '{name}' not found in the new data", hint=hint)
            column, made = self.raw(name), self.index is not None
            try:
                self._values[name] = value_of(column, ours=made)
            except DataError as error:
                raise DataError(f"{error.message} for variable '{name}'", hint=error.hint) from None
        return self._held(name)

    def _held(self, name: str) -> Value:
        value, known = self._values[name], self.known.get(name)
        return value if known is None else adapt(value, known, name, open_levels=self.open_levels)


def repeated_name(name: str) -> DataError:
    """Return the error of a name that several columns have."""
    return DataError(
        f"column names repeat: '{name}'", hint="rename the columns so that each name stands once"
    )


def of_other_length(name: str, size: int, rows: int) -> DataError:
    """Return the error of a column that has not one element for each row."""
    return DataError(
        f"variable lengths differ (found for '{name}')",
        hint=f"it has {size} elements, the rows are {rows}",
    )


def row_names(columns: Any) -> Sequence[str]:
    """Return R's names of the rows of columns: pandas' labels, or 1, 2, ...

    Labels that pandas counted itself, 0, 1, ..., are no names.
    """
    index = getattr(columns, "index", None)
    if index is None or (getattr(index, "start", None), getattr(index, "step", None)) == (0, 1):
        return [str(number) for number in range(1, columns.rows + 1)]
    return [str(label) for label in index]


def is_data_frame(data: Any) -> bool:
    """Tell whether data are a frame that is there already: pandas, polars, pyarrow, a mapping.

    Examples
    --------
    >>> is_data_frame({"x": [1.0]}), is_data_frame("data.parquet")
    (True, False)
    """
    if is_pandas_frame(data) or isinstance(data, Mapping):
        return True
    module = type(data).__module__.partition(".")[0]
    return (module, type(data).__name__) in _EAGER_FRAMES


def _eager_frame(data: Any) -> Any:
    """Return data as a frame of pandas, or as narwhals' of polars or pyarrow."""
    if is_pandas_frame(data):
        return data
    if type(data).__name__ == "RecordBatch" and type(data).__module__.startswith("pyarrow"):
        import pyarrow as pa

        data = pa.Table.from_batches([data])
    try:
        frame = _with_own_names(data)
    except TypeError:
        table = _streamed(data)
        if table is None:
            raise _no_frame(data) from None
        frame = _with_own_names(table)
    if not hasattr(frame, "__len__"):  # narwhals' own lazy frame passes
        raise _no_frame(data)
    return frame.to_pandas() if frame.implementation.is_pandas_like() else frame


def _with_own_names(data: Any) -> Any:
    """Return narwhals' frame of data, in which each name stands once."""
    import narwhals.stable.v2 as nw
    from narwhals.exceptions import DuplicateError

    try:
        return nw.from_native(data, eager_only=True)
    except DuplicateError:
        raise repeated_name(Counter(data.column_names).most_common(1)[0][0]) from None


def _columns_of(frame: Any, labels: Sequence[Any]) -> Callable[[str], Any]:
    """Return what takes the name of a column of a frame and returns the column."""
    if is_pandas_frame(frame):
        places = {str(label): place for place, label in enumerate(labels)}

        def column_of_pandas(name: str) -> Any:
            place = places[name]
            label = labels[place]
            # By its label a column is found several times faster than by its position.
            return frame[label] if isinstance(label, str) else frame.iloc[:, place]

        return column_of_pandas
    # polars marks what it writes from an Enum as ordered, which an Enum's levels are only in the
    # sense of every factor.
    schema = frame.to_native().schema if frame.implementation.is_pyarrow() else ()
    enums = {item.name for item in schema if b"_PL_ENUM_VALUES2" in (item.metadata or {})}

    def column(name: str) -> Any:
        native = frame[name].to_native()
        if name not in enums:
            return native
        import pyarrow as pa

        index, values = native.type.index_type, native.type.value_type
        return native.cast(pa.dictionary(index, values, ordered=False))

    return column


def _streamed(data: Any) -> Any:
    """Return the table of what speaks Arrow's C stream interface, None for anything else."""
    if not hasattr(data, "__arrow_c_stream__"):
        return None
    try:
        import pyarrow as pa
    except ImportError:
        return None
    try:
        return pa.table(data)
    except pa.ArrowInvalid:  # a stream of one column
        return None
    except Exception as fault:  # a query's own exception is not known here
        raise DataError(
            f"the stream of {type(data).__name__} stopped: {type(fault).__name__}: {fault}"
        ) from fault


def _no_frame(data: Any) -> DataError:
    methods = [name for name in _METHODS_THAT_MAKE_FRAMES if hasattr(data, name)]
    records = isinstance(data, Sequence) and data and isinstance(data[0], Mapping)
    if isinstance(data, str | os.PathLike):
        hint = f"read the file first: lme4py.read_csv(path); {_BLOCKS}"
    elif records or (isinstance(data, np.ndarray) and data.dtype.names):
        hint = "make it a frame: pandas.DataFrame(data)"
    elif isinstance(data, np.ndarray) and data.ndim == 2:
        hint = "its columns have no names: pandas.DataFrame(data, columns=[...])"
    elif methods:
        hint = f"call .{methods[0]}() first; {_BLOCKS}"
    elif callable(data) or hasattr(data, "to_table"):
        hint = f"give a frame; {_BLOCKS}"
    else:
        hint = "give a pandas, polars or pyarrow frame, or a mapping of arrays"
    kind = type(data).__name__
    return DataError(f"first argument must be a named list: data is of type {kind}", hint=hint)


def is_pandas_frame(data: Any) -> bool:
    """Tell whether data is a pandas frame, without loading pandas for it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _length(column: Any) -> int:
    if isinstance(column, Value):
        return length(column)
    shape = getattr(column, "shape", None)
    if shape is not None:
        return int(shape[0]) if shape else 1
    single = isinstance(column, str | bytes) or not hasattr(column, "__len__")
    return 1 if single else len(column)
