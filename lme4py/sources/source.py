"""Where rows come from: anything that gives them again, in blocks and in the same order.

Only the columns that are asked for are read. A block is a frame that `Columns` takes; which
rows it holds is told with it, so that an error can name them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from lme4py.abbreviation import few
from lme4py.data.columns import Columns, is_data_frame, is_pandas_frame
from lme4py.data.values import Value, take
from lme4py.errors import DataError, Lme4pyError
from lme4py.sources.row_files import FORMATS, TableFile, table_file
from lme4py.sources.spilled import DOCUMENT, kept_names, kept_rows
from lme4py.sources.text_table import TextTable, coded

Reader: TypeAlias = Callable[[Sequence[str], int], Iterator[Any]]
"""Takes names of columns and a number of rows; yields frames of about so many."""

_AGAIN = "give a function that returns a new iterator of frames each time"


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a source.

    Parameters
    ----------
    frame : data frame
    number : int
        Which block it is, from 1.
    start : int
        The row of the source, from 0, that its first row is.
    rows : int
        How many it has.
    levels_grow : bool
        Whether factors of frames like this one grow by the levels of later rows.
    """

    frame: Any
    number: int
    start: int
    rows: int
    levels_grow: bool

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Let an error that arises inside say which block it arose in."""
        try:
            yield
        except Lme4pyError as error:
            last = self.start + max(self.rows - 1, 0)
            place = f"in block {self.number} of the source (rows {self.start:,} to {last:,})"
            error.hint = place if error.hint is None else f"{error.hint}\n{place}"
            raise


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that can be read again and again.

    Parameters
    ----------
    kind : str
        What it is, for errors.
    names : tuple of str
        The columns.
    reader : callable
        Gives the frames.
    files : tuple of TableFile
        The files it reads, which must stay as they are.
    partitions : object, optional
        A Dask data frame, whose scheduler reads the partitions.
    """

    kind: str
    names: tuple[str, ...]
    reader: Reader
    files: tuple[TableFile, ...] = ()
    partitions: Any = None

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[Block]:
        """Yield the rows in blocks of at most `rows`.

        Parameters
        ----------
        names : sequence of str
            The columns that are read. Those that are not there are left out.
        rows : int

        Raises
        ------
        DataError
            If reading fails, or a file is another one than it was.
        """
        number = start = 0
        frames = self._frames([name for name in self.names if name in set(names)], rows)
        while True:
            try:
                frame = next(frames, None)
            except Exception as fault:  # what a reader raises is not known here
                raise _unread(fault, f"block {number + 1} of {self.kind}") from fault
            if frame is None:
                break
            for part, count in _parts(frame, rows, number + 1):
                number += 1
                yield Block(part, number, start, count, not is_pandas_frame(frame))
                start += count
        for file in self.files:
            file.check()

    def coded(
        self, names: Sequence[str], rows: int, tables: Mapping[str, TextTable], *, grow: bool
    ) -> Iterator[Block]:
        """Yield blocks whose frames are values, text by the codes of tables, which may grow."""
        for block in self.blocks(names, rows):
            with block.telling():
                frame, tables = coded(block.frame, tables, grow=grow)
            yield replace(block, frame=frame)

    def _frames(self, names: Sequence[str], rows: int) -> Iterator[Any]:
        for file in self.files:
            file.check()
        yield from self.reader(names, rows)


def _unread(fault: Exception, what: str) -> Lme4pyError:
    """Return the error of what could not be read."""
    if isinstance(fault, Lme4pyError):
        fault.hint = fault.hint or f"in {what}"
        return fault
    text = str(fault).strip().partition("\n")[0]
    return DataError(f"{what} could not be read: {type(fault).__name__}: {text}")


def _parts(frame: Any, rows: int, number: int) -> Iterator[tuple[Any, int]]:
    """Yield a frame in pieces of at most `rows`, with the number of rows of each."""
    try:
        total = Columns(frame).rows
    except DataError as error:
        error.hint = f"block {number} is no data frame" + (f"\n{error.hint}" if error.hint else "")
        raise
    if total <= rows:
        yield frame, total
        return
    for begin in range(0, total, rows):
        count = min(rows, total - begin)
        yield _cut(frame, begin, count), count


def _cut(frame: Any, begin: int, count: int) -> Any:
    if isinstance(frame, Mapping):
        rows = slice(begin, begin + count)
        return {
            name: take(column, rows) if isinstance(column, Value) else column[rows]
            for name, column in frame.items()
        }
    if hasattr(frame, "iloc"):
        return frame.iloc[begin : begin + count]
    return frame.slice(begin, count)


def source_of(data: Any) -> Source:
    """Return data as a source.

    Parameters
    ----------
    data : path, glob, list of paths, frame, list of frames, callable, or what reads rows
        Parquet, Arrow or CSV files; ``pyarrow.dataset.Dataset``; polars' LazyFrame; DuckDB's
        relation; Dask's data frame; anything with ``__arrow_c_stream__``; a function that
        returns an iterator of frames.

    Raises
    ------
    DataError
        For anything else, and for what can be read only once.
    """
    module, _, name = f"{type(data).__module__}.{type(data).__qualname__}".partition(".")
    kind = f"a {type(data).__name__} of {module.lstrip('_')}"
    if isinstance(data, Source):
        return data
    if isinstance(data, str | os.PathLike) and (Path(data) / DOCUMENT).is_file():
        return Source(f"'{data}'", kept_names(Path(data)), partial(_kept, Path(data)))
    if isinstance(data, str | os.PathLike):
        return _of_files([data])
    if isinstance(data, list | tuple) and data and isinstance(data[0], str | os.PathLike):
        return _of_files(data)
    if module == "dask" and hasattr(data, "to_delayed"):
        names = tuple(map(str, data.columns))
        return Source(kind, names, partial(_partitions, data), partitions=data)
    if module == "polars" and name.endswith("LazyFrame"):
        try:
            names = tuple(data.collect_schema().names())
        except Exception as fault:  # polars' own exceptions are not known here
            raise _unread(fault, kind) from fault
        return Source(kind, names, partial(_collected, data))
    if module in ("duckdb", "_duckdb") and hasattr(data, "columns"):
        return Source(kind, tuple(data.columns), partial(_fetched, data))
    if module == "pyarrow" and hasattr(data, "scanner"):
        return Source(kind, tuple(data.schema.names), partial(_scanned, data))
    if is_data_frame(data):
        return Source(kind, Columns(data).names, partial(_whole, data))
    if hasattr(data, "__next__") or hasattr(data, "read_next_batch"):
        raise DataError(f"{kind} can be read only once", hint=_AGAIN)
    if isinstance(data, list | tuple) and data:
        return _of_function("a list of frames", lambda: iter(data))
    if hasattr(data, "__arrow_c_stream__"):
        return Source(kind, tuple(_stream(data).schema.names), partial(_streamed, data))
    if callable(data):
        return _of_function("the function of frames", data)
    raise DataError(
        f"no source of rows: {type(data).__name__}",
        hint=f"give a path, a frame, something that speaks Arrow's stream, or: {_AGAIN}",
    )


def _chosen(frame: Any, names: Sequence[str]) -> Any:
    """Return a frame with some of its columns; those that are not there are left out."""
    if isinstance(frame, Mapping):
        return {name: frame[name] for name in names if name in frame}
    if hasattr(frame, "select") and not hasattr(frame, "iloc"):
        there = getattr(frame, "column_names", None) or frame.columns
        return frame.select([name for name in names if name in there])
    wanted = set(names)
    return frame.loc[:, [str(label) in wanted for label in frame.columns]]


def _of_function(kind: str, make: Callable[[], Iterable[Any]]) -> Source:
    """Return a source of a function that gives an iterator of frames."""
    try:
        looked_at = make()
        first = next(iter(looked_at), None)
    except Lme4pyError:
        raise
    except Exception as fault:  # whatever a user's function raises is shown as ours
        text = f"{kind} could not be read: {type(fault).__name__}: {fault}"
        raise DataError(text, hint="it is called without arguments, for frames") from fault
    if first is None:
        raise DataError(f"{kind} gives no frames")

    def read(names: Sequence[str], _: int) -> Iterator[Any]:
        given = make()
        if given is looked_at and hasattr(given, "__next__"):
            raise DataError(f"{kind} gives the same iterator again", hint=_AGAIN)
        return (_chosen(frame, names) for frame in given)

    return Source(kind, Columns(first).names, read)


def _of_files(given: Sequence[str | os.PathLike[str]]) -> Source:
    paths: list[Path] = []
    for item in given:
        text = os.fspath(item)
        # Path.glob takes no absolute pattern.
        found = sorted(glob(text, recursive=True)) if has_magic(text) else [text]  # noqa: PTH207
        for path in map(Path, found):
            inside = sorted(path.rglob("*")) if path.is_dir() else []
            paths += [file for file in inside if file.suffix in FORMATS] or [path]
    if not paths:
        raise DataError(f"no file matches {few(repr(os.fspath(item)) for item in given)}")
    files = tuple(map(table_file, paths))

    def read(names: Sequence[str], rows: int) -> Iterator[Any]:
        return chain.from_iterable(file.read(names, rows) for file in files)

    kind = f"'{paths[0]}'" if len(paths) == 1 else f"the {len(paths)} files"
    return Source(kind, files[0].names, read, files)


# Readers: the frames of a source, of about so many rows, with some of its columns -----------


def _whole(frame: Any, names: Sequence[str], _: int) -> Iterator[Any]:
    yield _chosen(frame, names)


def _kept(folder: Path, names: Sequence[str], _: int) -> Iterator[Any]:
    return kept_rows(folder, names)


def _partitions(data: Any, names: Sequence[str], _: int) -> Iterator[Any]:
    return (part.compute() for part in data[list(names)].to_delayed())


def _collected(data: Any, names: Sequence[str], rows: int) -> Iterator[Any]:
    chosen = data.select(list(names))
    if hasattr(chosen, "collect_batches"):
        return iter(chosen.collect_batches(chunk_size=rows, maintain_order=True))
    return iter([chosen.collect(engine="streaming")])


def _fetched(data: Any, names: Sequence[str], rows: int) -> Iterator[Any]:
    chosen = data.select(*('"' + name.replace('"', '""') + '"' for name in names))
    make = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_arrow_reader
    return _regrouped(make(rows), rows)


def _scanned(data: Any, names: Sequence[str], rows: int) -> Iterator[Any]:
    # Without reading ahead; a list of Parquet files still needs less memory.
    ahead = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
    return _regrouped(data.to_batches(columns=list(names), batch_size=rows, **ahead), rows)


def _streamed(data: Any, names: Sequence[str], rows: int) -> Iterator[Any]:
    return (_chosen(table, names) for table in _regrouped(_stream(data), rows))


def _stream(data: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatchReader.from_stream(data)


def _regrouped(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    """Yield small batches together, as tables of about so many rows."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows // 2:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)
