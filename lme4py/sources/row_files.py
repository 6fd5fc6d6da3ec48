"""Files of rows, read in pieces: Parquet, Arrow's IPC format, and text as R's read.csv reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.columns import Columns, repeated_name
from lme4py.data.read_csv import (
    column_of_fields,
    common_kind,
    kind_of_fields,
)
from lme4py.data.values import Character
from lme4py.errors import DataError, file_fault
from lme4py.unique_names import make_names

Pieces: TypeAlias = Callable[[Sequence[str], int], Iterator[Any]]

_MISSING = frozenset(["NA"])


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file, as it was when it was first looked at.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Its columns.
    pieces : callable
        Takes names of its columns and a number of rows, and yields frames.
    state : tuple of int
        Its size, and when it was last written.
    """

    path: Path
    names: tuple[str, ...]
    pieces: Pieces
    state: tuple[int, int]

    def read(self, names: Sequence[str], rows: int) -> Iterator[Any]:
        """Yield the rows in frames; columns that are not there are left out.

        Raises
        ------
        DataError
            If the file cannot be read, or has several columns of such a name.
        """
        asked = [name for name in self.names if name in names]
        for name in asked:
            if asked.count(name) > 1:
                raise repeated_name(name)
        try:
            yield from self.pieces(asked, rows)
        except (OSError, ValueError) as fault:  # pyarrow's parsing errors are ValueErrors
            raise file_fault("read", self.path, fault) from fault

    def check(self) -> None:
        """Raise an error if the file has changed since."""
        if _state(self.path) != self.state:
            raise DataError(
                f"'{self.path}' has changed while it was read",
                hint="the rows of a model are read several times: begin again",
            )


def table_file(path: Path) -> TableFile:
    """Return a file by the ending of its name.

    Raises
    ------
    DataError
        If it is not there, or of none of the formats.
    """
    inner = path.with_suffix("") if path.suffix in (".gz", ".bz2", ".xz") else path
    opened = FORMATS.get(inner.suffix.lower())
    if opened is None:
        raise DataError(f"cannot read '{path}': expected {', '.join(FORMATS)}")
    state = _state(path)
    try:
        names, pieces = opened(path)
    except ImportError as fault:
        hint = "pip install -e '.[arrow]'"
        raise DataError(f"cannot read '{path}' without pyarrow", hint=hint) from fault
    except (OSError, ValueError) as fault:
        raise file_fault("read", path, fault) from fault
    return TableFile(path, names, pieces, state)


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as fault:
        raise file_fault("read", path, fault) from fault
    return found.st_size, found.st_mtime_ns


def _parquet(path: Path) -> tuple[tuple[str, ...], Pieces]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        names, packed = tuple(file.schema_arrow.names), _packed_texts(file)

    def pieces(names: Sequence[str], rows: int) -> Iterator[Any]:
        # With pre_buffer, as with pyarrow.dataset, whole row groups wait in memory.
        with ParquetFile(path, pre_buffer=False, read_dictionary=packed) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(names)):
                columns = Columns(batch)  # which knows what the metadata of a column say of it
                yield {
                    name: _unpacked(batch.column(name)) if name in packed else columns.raw(name)
                    for name in names
                }

    return names, pieces


def _packed_texts(file: Any) -> list[str]:
    """Return the columns of text that are stored as codes into few texts."""
    from pyarrow import types

    metadata, schema = file.metadata, file.schema_arrow
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    if [column.path for column in file.schema] != schema.names:
        # The part b of a column a has the path a.b, and so may another column.
        return []
    return [
        item.name
        for place, item in enumerate(schema)
        if types.is_string(item.type)
        # Text itself has four bytes for its length alone.
        and all(
            group.column(place).total_uncompressed_size < 4 * group.num_rows for group in groups
        )
    ]


def _unpacked(column: Any) -> Character:
    """Return a dictionary of Arrow's as what it stands for here, text."""
    codes, pool = column.indices.fill_null(-1), column.dictionary.to_pylist()
    return Character(codes.to_numpy(zero_copy_only=False).astype(np.int32, copy=False), tuple(pool))


def _arrow(path: Path) -> tuple[tuple[str, ...], Pieces]:
    """Read Arrow's IPC format, whether written as a file (Feather) or as a stream."""
    from pyarrow import ArrowInvalid, OSFile, ipc

    def opened(fields: Sequence[int] = ()) -> Any:
        # A mapped file that another program cuts would end this one.
        options = ipc.IpcReadOptions(included_fields=list(fields))
        try:
            return ipc.open_file(OSFile(str(path)), options=options)
        except ArrowInvalid:
            return ipc.open_stream(OSFile(str(path)), options=options)

    names = tuple(opened().schema.names)

    def pieces(asked: Sequence[str], _: int) -> Iterator[Any]:
        source = opened([names.index(name) for name in asked])
        if hasattr(source, "num_record_batches"):
            return map(source.get_batch, range(source.num_record_batches))
        return iter(source)

    return names, pieces


def _text(path: Path) -> tuple[tuple[str, ...], Pieces]:
    """Read text by R's rules, which decide the type of a column by all its fields."""
    import pandas as pd

    separator = "\t" if ".tsv" in path.suffixes else ","

    def fields(names: Sequence[str], rows: int) -> Iterator[Any]:
        with pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=header,
            usecols=list(names),
            index_col=False,
            dtype=str,
            na_filter=False,
            chunksize=rows,
        ) as reader:
            yield from reader

    @cache
    def kinds(names: tuple[str, ...], rows: int) -> Mapping[str, Any]:
        # Once more through the text, the first time that these columns are read.
        found: dict[str, set[Any]] = {name: set() for name in names}
        for piece in fields(names, rows):
            for name in names:
                found[name].add(kind_of_fields(piece[name], _MISSING, "."))
        return {name: common_kind(kinds) for name, kinds in found.items()}

    def pieces(names: Sequence[str], rows: int) -> Iterator[Any]:
        chosen = kinds(tuple(names), rows)
        for piece in fields(names, rows):
            yield pd.DataFrame(
                {
                    name: column_of_fields(piece[name], _MISSING, ".", piece.index, chosen[name])
                    for name in names
                }
            )

    first = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, na_filter=False)
    header = make_names([str(item).strip() for item in first.iloc[0]])
    return tuple(header), pieces


FORMATS: Mapping[str, Callable[[Path], tuple[tuple[str, ...], Pieces]]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".csv": _text,
    ".tsv": _text,
}
"""The formats by the ending of a file's name."""
