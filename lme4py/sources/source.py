"""Where rows come from: anything that gives them again, in blocks and in the same order.

Only the columns that are asked for are read. Which rows a block holds is told with it, so that an
error can name them.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from lme4py.abbreviation import few
from lme4py.data.columns import Columns, is_data_frame
from lme4py.data.values import Levels
from lme4py.errors import DataError, Lme4pyError
from lme4py.sources.row_files import DOCUMENT, Frames, file_rows, format_of
from lme4py.sources.text_table import TextTable

_T = TypeVar("_T")

_AGAIN = "give a function that returns a new iterator of frames each time"


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a source."""

    columns: Mapping[str, Any]  # values
    place: str  # which block it is, from 1, and which rows of the source, from 0
    start: int  # the row of the source that its first one is
    levels_grow: bool  # whether factors of frames like this one grow by levels of later rows


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that can be read again and again."""

    kind: str  # what it is, for errors
    names: tuple[str, ...]  # the columns
    frames: Frames  # reads the rows
    partitions: Any = None  # Dask's data frame, whose scheduler reads the partitions

    def blocks(
        self, names: Sequence[str], rows: int, levels: Mapping[str, Levels] | None = None
    ) -> Iterator[Block]:
        """Yield the rows in blocks of at most `rows`, without columns that are not there.

        The codes of a column of text are places in its `levels`, if it has some; without
        `levels`, in the texts of the blocks so far. An error of reading says which block it is.
        """
        wanted, number, start = set(names), 0, 0
        known = wanted if levels is None else levels.keys()
        tables = {name: TextTable(None if levels is None else levels[name]) for name in known}
        frames = self._frames([name for name in self.names if name in wanted], rows)
        while True:
            with telling(f"block {number + 1} of {self.kind}", Exception):
                whole = next(frames, None)
            if whole is None:
                return
            asked = [name for name in whole.names if name in wanted]
            # A frame without rows is no block: its columns may be of any type.
            for begin in range(0, whole.rows, rows):
                number, count = number + 1, min(rows, whole.rows - begin)
                place = f"block {number} of the source (rows {start:,} to {start + count - 1:,})"
                with telling(place):
                    part = whole
                    if count < whole.rows:
                        part = whole.cut(asked, slice(begin, begin + count))
                    columns = {
                        name: tables[name].read(part, name) if name in tables else part.get(name)
                        for name in asked
                    }
                grow = self.partitions is not None or whole.index is None
                yield Block(columns, place, start, grow)
                start += count

    def _frames(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        for frame in self.frames(names, rows):
            yield Columns(frame)


@contextmanager
def telling(place: str, foreign: type[Exception] = Lme4pyError) -> Iterator[None]:
    """Let an error that arises inside say where; `foreign` ones become errors of ours."""
    try:
        yield
    except Lme4pyError as error:
        error.hint = f"in {place}" if error.hint is None else f"{error.hint}\nin {place}"
        raise
    except foreign as fault:
        raise unread(place, fault) from fault


def unread(place: str, fault: Exception) -> DataError:
    """Return the error of rows that could not be read, whatever a reader raised."""
    text = str(fault).strip().partition("\n")[0]
    return DataError(f"{place} could not be read: {type(fault).__name__}: {text}")


def source_of(data: Any) -> Source:
    """Return data as a source: what `Spec.blocks` names, and a folder that a scan spilled.

    Anything else, and what can be read only once, is a `DataError`.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, str | os.PathLike):
        return _of_files([data])
    module, _, name = f"{type(data).__module__}.{type(data).__qualname__}".partition(".")
    kind = f"a {type(data).__name__} of {module.lstrip('_')}"
    if isinstance(data, list | tuple) and data:
        if isinstance(data[0], str | os.PathLike):
            return _of_files(data)
        return _of_function("a list of frames", lambda: iter(data))
    if module == "dask" and hasattr(data, "to_delayed"):
        return Source(kind, tuple(map(str, data.columns)), partial(_computed, data), data)
    if module == "polars" and name.endswith("LazyFrame"):
        with telling(kind, Exception):  # polars' own exceptions are not known here
            return Source(kind, tuple(data.collect_schema().names()), partial(_collected, data))
    if module in ("duckdb", "_duckdb") and hasattr(data, "columns"):
        return Source(kind, tuple(data.columns), partial(_fetched, data))
    if module == "pyarrow" and hasattr(data, "scanner"):
        return Source(kind, tuple(data.schema.names), partial(_scanned, data))
    if is_data_frame(data):
        return Source(kind, Columns(data).names, lambda *_: iter([data]))
    if hasattr(data, "__next__") or hasattr(data, "read_next_batch"):
        raise DataError(f"{kind} can be read only once", hint=_AGAIN)
    if hasattr(data, "__arrow_c_stream__"):
        names = tuple(_stream(data).schema.names)
        return Source(kind, names, lambda _, rows: _regrouped(_stream(data), rows))
    if callable(data):
        return _of_function("the function of frames", data)
    raise DataError(
        f"no source of rows: {type(data).__name__}",
        hint=f"give a path, a frame, something that speaks Arrow's stream, or: {_AGAIN}",
    )


def _of_function(kind: str, make: Callable[[], Iterable[Any]]) -> Source:
    """Return a source of a function that gives an iterator of frames."""
    with telling(kind, Exception):  # whatever a user's function raises
        looked_at = make()
        first = next(iter(looked_at), None)
    if first is None:
        raise DataError(f"{kind} gives no frames")

    def frames(*_: Any) -> Iterator[Any]:
        given = make()
        if given is looked_at and hasattr(given, "__next__"):
            raise DataError(f"{kind} gives the same iterator again", hint=_AGAIN)
        yield from given

    return Source(kind, Columns(first).names, frames)


def _of_files(given: Sequence[str | os.PathLike[str]]) -> Source:
    paths: list[Path] = []
    for item in given:
        text = os.fspath(item)
        # Path.glob takes no absolute pattern.
        found = sorted(glob(text, recursive=True)) if has_magic(text) else [text]  # noqa: PTH207
        for path in map(Path, found):
            whole = not path.is_dir() or (path / DOCUMENT).is_file()
            inside = [] if whole else sorted(path.rglob("*"))
            paths += [file for file in inside if format_of(file)] or [path]
    if not paths:
        raise DataError(f"no file matches {few(repr(os.fspath(item)) for item in given)}")
    names, readers = zip(*map(file_rows, paths), strict=True)

    def frames(asked: Sequence[str], rows: int) -> Iterator[Any]:
        return chain.from_iterable(read(asked, rows) for read in readers)

    kind = f"'{paths[0]}'" if len(paths) == 1 else f"the {len(paths)} files"
    return Source(kind, names[0], frames)


# The frames of what reads rows, of about so many, with some of its columns ------------------


def _computed(data: Any, names: Sequence[str], _: int) -> Iterator[Any]:
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


# The partitions of a Dask data frame, read by its scheduler, here or on other machines --------


def total_of_partitions(data: Any, names: Sequence[str], read: Callable[[Any], _T]) -> _T:
    """Return the sum of what is read of some columns of each partition, in their order.

    That can be pickled. The error of a partition that cannot be read, or of a worker that is
    lost, names the block.
    """
    from dask import base
    from dask.delayed import delayed

    # Its types may be there or not.
    compute: Any = base.compute

    run = uuid4().hex
    told, add = delayed(_told, pure=False), delayed(operator.add, pure=False)
    # By the block that each begins with, which the name of its task tells.
    parts = {
        number: told(read, part, number, dask_key_name=f"block-{number}-of-{run}")
        for number, part in enumerate(data[list(names)].to_delayed(), start=1)
    }
    # Neighbours are added, so that no machine holds more than a few of them.
    while len(parts) > 1:
        begins = list(parts)
        for one, two in zip(begins[::2], begins[1::2], strict=False):
            key = f"block-{one}-of-{run}-with-{two}"
            parts[one] = add(parts[one], parts.pop(two), dask_key_name=key)
    try:
        (total,) = compute(parts[1])
    except Lme4pyError:
        raise
    except Exception as fault:  # a scheduler's own exceptions are not known here
        # A worker that was killed is told with its task, which ends in the number of a partition.
        task = re.search(rf"block-(\d+)-of-{run}|, (\d+)\)", str(getattr(fault, "task", "")))
        number = task and (int(task[1]) if task[1] else int(task[2]) + 1)
        raise unread("a partition" if number is None else _place(number), fault) from fault
    found: _T = total
    return found


def _told(read: Callable[[Any], _T], part: Any, number: int) -> _T:
    with telling(_place(number)):
        return read(part)


def _place(number: int) -> str:
    return f"block {number} of the source (partition {number - 1})"
