"""Files of rows, read in pieces: Parquet, Arrow's IPC format, and text as R's read.csv reads it.

A folder of rows that a scan kept is one more. A block is an archive with an array for each column;
what the arrays stand for, and the texts of the codes, is one document.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lme4py.archive import read_archive, write_archive
from lme4py.data.columns import Columns
from lme4py.data.read_csv import (
    DAMAGE,
    Records,
    column_of_fields,
    common_kind,
    header_of,
    kind_of_fields,
    only_member,
    repeated_labels,
)
from lme4py.data.values import Character, Factor, Levels, Matrix, Numeric, Value
from lme4py.errors import DataError, file_fault
from lme4py.replacing import new_folder
from lme4py.unique_names import make_names

Frames: TypeAlias = Callable[[Sequence[str], int], Iterator[Any]]
"""Takes names of columns and a number of rows; yields frames of about so many."""

Format: TypeAlias = Callable[[Path], tuple[tuple[str, ...], Frames]]
"""Takes a file; returns its columns and what reads its rows."""

_MISSING = frozenset(["NA"])


def _unzipped(path: Path, _: str, **given: Any) -> io.TextIOWrapper:
    """Open the only file of a zip archive, as `gzip.open` opens what it packed."""
    with zipfile.ZipFile(path) as archive:
        return io.TextIOWrapper(archive.open(only_member(archive)), **given)


_UNPACK: Mapping[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _unzipped,
}


def file_rows(path: Path) -> tuple[tuple[str, ...], Frames]:
    """Return the columns of a file, or of a folder that a scan wrote, and what reads its rows.

    That leaves out columns that are not there, and raises an error where the file is another one
    than it was when this was called.
    """
    if (path / DOCUMENT).is_file():
        return _kept(path)
    opened = format_of(path)
    if opened is None:
        raise DataError(f"cannot read '{path}': expected {', '.join(FORMATS)}")
    with reading(path):
        state = _state(path)
        names, pieces = opened(path)

    def check() -> None:
        if _state(path) != state:
            raise DataError(
                f"'{path}' has changed while it was read",
                hint="the rows of a model are read several times: begin again",
            )

    def frames(asked: Sequence[str], rows: int) -> Iterator[Any]:
        with reading(path):
            check()
            yield from pieces([name for name in names if name in asked], rows)
            check()

    return names, frames


def format_of(path: Path) -> Format | None:
    """Return what opens a file with such a name, packed or not; None for files of other kinds."""
    return FORMATS.get(kind_of(path))


def kind_of(path: Path) -> str:
    """Return the ending of a file's name, of a packed file's (``.csv.gz``) the inner one."""
    inner = path.with_suffix("") if path.suffix.lower() in _UNPACK else path
    return inner.suffix.lower()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise what goes wrong with a file as an error of ours."""
    try:
        yield
    except ImportError as fault:
        hint = "pip install -e '.[arrow]'"
        raise DataError(f"cannot read '{path}' without pyarrow", hint=hint) from fault
    except (*DAMAGE, csv.Error) as fault:  # pyarrow's parsing errors are ValueErrors
        raise file_fault("read", path, fault) from fault


def _state(path: Path) -> tuple[int, int]:
    """Return the size of a file, and when it was last written."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _parquet(path: Path) -> tuple[tuple[str, ...], Frames]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        names, packed = tuple(file.schema_arrow.names), _packed_texts(file)

    def pieces(asked: Sequence[str], rows: int) -> Iterator[Any]:
        # With pre_buffer, as with pyarrow.dataset, whole row groups wait in memory.
        with ParquetFile(path, pre_buffer=False, read_dictionary=packed) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(asked)):
                columns = Columns(batch)  # which knows what the metadata of a column say of it
                yield {
                    name: _unpacked(batch.column(name)) if name in packed else columns.raw(name)
                    for name in asked
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


def _arrow(path: Path) -> tuple[tuple[str, ...], Frames]:
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
        source = opened([place for place, name in enumerate(names) if name in asked])
        if hasattr(source, "num_record_batches"):
            return map(source.get_batch, range(source.num_record_batches))
        return iter(source)

    return names, pieces


def _text(path: Path, separator: str = ",") -> tuple[tuple[str, ...], Frames]:
    """Read text by R's rules, which decide the type of a column by all its fields."""
    import pandas as pd

    def fields(names: Sequence[str], rows: int) -> Iterator[Any]:
        # All are read, or lines that have more would pass; others than these as a byte, for speed.
        places = {header.index(name) + labels: name for name in names}
        texts = {*range(labels), *places}
        types = {place: str if place in texts else "S1" for place in range(len(header) + labels)}
        with (
            unpack(path, "rt", encoding="utf-8-sig") as lines,
            pd.read_csv(
                Records(lines, separator),
                sep=separator,
                header=0,
                names=list(types),
                index_col=False,
                dtype=types,
                na_filter=False,
                chunksize=rows,
            ) as reader,
        ):
            for piece in reader:
                if labels and not piece[0].is_unique:
                    raise repeated_labels(path)
                yield piece[list(places)].rename(columns=places)

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
            yield {
                name: column_of_fields(piece[name], _MISSING, ".", piece.index, chosen[name])
                for name in names
            }

    unpack: Any = _UNPACK.get(path.suffix.lower(), open)
    with unpack(path, "rt", encoding="utf-8-sig") as lines:
        first, labels = header_of(lines, separator, path)
    header = make_names(first)
    return tuple(header), pieces


FORMATS: Mapping[str, Format] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".csv": _text,
    ".tsv": partial(_text, separator="\t"),
}
"""The formats by the ending of a file's name."""


# Rows that a scan kept as numbers and codes, so that later sweeps never see their text --------

DOCUMENT = "rows.json"
"""The file that such a folder has."""


def keeping(folder: Path, blocks: Iterator[Any]) -> Iterator[Any]:
    """Yield blocks as they come, and keep them in a new folder, whole or not at all."""
    kinds: list[dict[str, Any]] = []
    pools: dict[str, Levels] = {}
    levels: dict[Levels, int] = {}
    with new_folder(folder) as unfinished:
        for number, block in enumerate(blocks, start=1):
            arrays: dict[str, Any] = {}
            kinds.append({})
            for name, value in block.columns.items():
                kind: tuple[Any, ...]
                match value:
                    case Numeric():
                        array, kind = value.values, ("Numeric", value.kind, value.time)
                    case Matrix():
                        array, kind = value.values, ("Matrix", value.kind, value.names)
                    case Factor():
                        place = levels.setdefault(value.levels, len(levels))
                        array, kind = value.codes, ("Factor", place, value.ordered)
                    case Character():
                        # They grow at their end.
                        pools[name] = value.pool
                        array, kind = value.codes, ("Character", name, None)
                arrays[str(len(arrays))], kinds[-1][name] = array, kind
            write_archive(unfinished / f"block-{number}.npz", arrays)
            yield block
        document = json.dumps({"blocks": kinds, "pools": pools, "levels": list(levels)})
        (unfinished / DOCUMENT).write_text(document, encoding="utf-8")


def _kept(folder: Path) -> tuple[tuple[str, ...], Frames]:
    """Return the columns of the rows that are kept in a folder, and what reads the rows."""
    path = folder / DOCUMENT
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        kinds: list[dict[str, Any]] = document["blocks"]
        columns = tuple(dict.fromkeys(name for kind in kinds for name in {**kind}))
        # Each a tuple, by which blocks are seen to have the same.
        texts: dict[Any, Levels] = {name: tuple(pool) for name, pool in document["pools"].items()}
        texts |= {place: tuple(levels) for place, levels in enumerate(document["levels"])}
    except OSError as fault:
        raise file_fault("read", path, fault) from None
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise DataError(f"'{path}' does not tell of rows: {fault}") from None

    def frames(names: Sequence[str], _: int) -> Iterator[dict[str, Value]]:
        for number, kind in enumerate(kinds, start=1):
            arrays = read_archive(folder / f"block-{number}.npz", "a block of rows").values()
            told = zip(kind.items(), arrays, strict=True)
            yield {name: _value(array, texts, *of) for (name, of), array in told if name in names}

    return columns, frames


def _value(array: Any, texts: Mapping[Any, Any], kind: str, of: Any, more: Any) -> Value:
    match kind:
        case "Numeric":
            return Numeric(array, of, more)
        case "Matrix":
            return Matrix(array, None if more is None else tuple(more), of)
        case "Factor":
            return Factor(array, texts[of], more)
        case _:
            return Character(array, texts[of])
