"""Where rows come from: anything that gives them again, in blocks and in the same order.

Only the columns that are asked for are read. A block is a frame that `Columns` takes; which
rows it holds is told with it, so that an error can name them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from lme4py.abbreviation import few
from lme4py.data.columns import Columns, is_data_frame
from lme4py.errors import DataError, Lme4pyError
from lme4py.sources.row_files import FORMATS, TableFile, table_file

__all__ = ["Block", "Source", "source_of"]

Reader: TypeAlias = Callable[[Sequence[str] | None, int], Iterator[Any]]
"""Takes names of columns, None for all, and a number of rows; yields frames of about so many."""

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
    """

    frame: Any
    number: int
    start: int
    rows: int

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

    def blocks(self, names: Sequence[str] | None, rows: int) -> Iterator[Block]:
        """Yield the rows in blocks of at most `rows`.

        Parameters
        ----------
        names : sequence of str or None
            The columns that are read; None for all. Those that are not there are left out.
        rows : int

        Raises
        ------
        DataError
            If reading fails, or a file is another one than it was.
        """
        asked = None if names is None else [name for name in self.names if name in set(names)]
        number = start = 0
        frames = self._frames(asked, rows)
        while True:
            try:
                frame = next(frames, None)
            except Exception as fault:  # what a reader raises is not known here
                raise self._unread(fault, number + 1) from fault
            if frame is None:
                break
            for part, count in _parts(frame, rows, number + 1):
                number += 1
                yield Block(part, number, start, count)
                start += count
        for file in self.files:
            file.check()

    def _frames(self, names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        for file in self.files:
            file.check()
        yield from self.reader(names, rows)

    def _unread(self, fault: Exception, number: int) -> Lme4pyError:
        if isinstance(fault, Lme4pyError):
            return fault
        text = str(fault).strip().partition("\n")[0]
        return DataError(
            f"block {number} of {self.kind} could not be read: {type(fault).__name__}: {text}"
        )


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
        return {name: column[begin : begin + count] for name, column in frame.items()}
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
    if isinstance(data, str | os.PathLike):
        return _of_files([data])
    if isinstance(data, list | tuple) and data and isinstance(data[0], str | os.PathLike):
        return _of_files(data)
    if module == "dask" and hasattr(data, "to_delayed"):
        names = tuple(map(str, data.columns))
        return Source(kind, names, _partition_reader(data), partitions=data)
    if module == "polars" and name.endswith("LazyFrame"):
        names = tuple(data.collect_schema().names())
        return Source(kind, names, _lazy_reader(data))
    if module in ("duckdb", "_duckdb") and hasattr(data, "columns"):
        return Source(kind, tuple(data.columns), _relation_reader(data))
    if module == "pyarrow" and hasattr(data, "scanner"):
        return Source(kind, tuple(data.schema.names), _dataset_reader(data))
    if is_data_frame(data):
        return Source(kind, Columns(data).names, lambda names, _: iter([_chosen(data, names)]))
    if hasattr(data, "__next__") or hasattr(data, "read_next_batch"):
        raise DataError(f"{kind} can be read only once", hint=_AGAIN)
    if isinstance(data, list | tuple) and data:
        return _of_function("a list of frames", lambda: iter(data))
    if hasattr(data, "__arrow_c_stream__"):
        return Source(kind, tuple(_stream(data).schema.names), _stream_reader(data))
    if callable(data):
        return _of_function("the function of frames", data)
    raise DataError(
        f"no source of rows: {type(data).__name__}",
        hint=f"give a path, a frame, something that speaks Arrow's stream, or: {_AGAIN}",
    )


def _chosen(frame: Any, names: Sequence[str] | None) -> Any:
    """Return a frame with some of its columns; those that are not there are left out."""
    if names is None:
        return frame
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

    def read(names: Sequence[str] | None, _: int) -> Iterator[Any]:
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

    def read(names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        return chain.from_iterable(file.read(names, rows) for file in files)

    kind = f"'{paths[0]}'" if len(paths) == 1 else f"the {len(paths)} files"
    return Source(kind, files[0].names, read, files)


# Streams of Arrow's -------------------------------------------------------------------------


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


def _stream(data: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatchReader.from_stream(data)


def _stream_reader(data: Any) -> Reader:
    def read(names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        return (_chosen(table, names) for table in _regrouped(_stream(data), rows))

    return read


def _dataset_reader(data: Any) -> Reader:
    def read(names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        # Without reading ahead; a list of Parquet files still needs less memory.
        batches = data.to_batches(
            columns=None if names is None else list(names),
            batch_size=rows,
            batch_readahead=0,
            fragment_readahead=0,
            use_threads=False,
        )
        return _regrouped(batches, rows)

    return read


def _relation_reader(data: Any) -> Reader:
    def read(names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        chosen = data
        if names is not None:
            quoted = ('"' + name.replace('"', '""') + '"' for name in names)
            chosen = data.select(*quoted)
        make = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_arrow_reader
        return _regrouped(make(rows), rows)

    return read


def _lazy_reader(data: Any) -> Reader:
    def read(names: Sequence[str] | None, rows: int) -> Iterator[Any]:
        chosen = data if names is None else data.select(list(names))
        if hasattr(chosen, "collect_batches"):
            return iter(chosen.collect_batches(chunk_size=rows, maintain_order=True))
        return iter([chosen.collect(engine="streaming")])

    return read


def _partition_reader(data: Any) -> Reader:
    def read(names: Sequence[str] | None, _: int) -> Iterator[Any]:
        chosen = data if names is None else data[list(names)]
        return (part.compute() for part in chosen.to_delayed())

    return read
