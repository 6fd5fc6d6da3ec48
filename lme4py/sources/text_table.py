"""Texts as codes, block after block, without making Python's strings of rows.

A text is looked up by a hash of its bytes, computed for all rows of a block at once, and what is
found is compared byte by byte. Strings are made of the distinct texts alone, once each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.columns import Columns
from lme4py.data.factors import recode
from lme4py.data.values import Character, Codes, Value

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TextTable", "Texts", "coded"]

_WORD = 8
_KEPT = np.array([(1 << (8 * count)) - 1 for count in range(_WORD + 1)], dtype=np.uint64)
"""What is left of eight bytes of which so many belong to a text."""
_HALF = np.uint64(32)
_PIECE = 1 << 15
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False, slots=True)
class Texts:
    """Some texts in UTF-8, one behind the other, as Arrow keeps them.

    Parameters
    ----------
    data : ndarray of uint8
        The bytes, and eight more.
    starts, lengths : ndarray of int64, shape (n,)
        Where each text begins, and how many bytes it has.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Return Python's strings."""
        joined = "".join(texts)
        sizes = map(len, texts if joined.isascii() else map(_bytes_of, texts))
        ends = np.cumsum(np.fromiter(chain([0], sizes), np.int64, len(texts) + 1))
        return cls._between(np.frombuffer(_bytes_of(joined), np.uint8), ends)

    @classmethod
    def of_arrow(cls, column: Any) -> Texts:
        """Return an array of Arrow's, of the type string or large_string, without missing ones."""
        kind = np.int64 if str(column.type).startswith("large") else np.int32
        _, offsets, data = column.buffers()
        if not len(column) or data is None:
            return cls._between(np.zeros(0, np.uint8), np.zeros(len(column) + 1, np.int64))
        ends = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1]
        used = np.frombuffer(data, np.uint8)[int(ends[0]) : int(ends[-1])]
        return cls._between(used, ends.astype(np.int64) - int(ends[0]))

    @classmethod
    def _between(cls, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Texts:
        padded = np.zeros(data.size + _WORD, np.uint8)
        padded[: data.size] = data
        return cls(padded, ends[:-1], np.diff(ends))

    def __add__(self, others: Texts) -> Texts:
        """Return these texts and others behind them."""
        size = self.data.size - _WORD
        return Texts(
            np.concatenate([self.data[:size], others.data]),
            np.concatenate([self.starts, others.starts + size]),
            np.concatenate([self.lengths, others.lengths]),
        )

    def chosen(self, places: Any) -> Texts:
        """Return some of the texts, on the same bytes."""
        return Texts(self.data, self.starts[places], self.lengths[places])

    def strings(self) -> list[str]:
        """Return Python's strings."""
        data, ends = self.data.tobytes(), (self.starts + self.lengths).tolist()
        return [
            data[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(self.starts.tolist(), ends, strict=True)
        ]

    def words(self, begin: int) -> NDArray[np.uint64]:
        """Return eight bytes of each text as a number, zeros behind its end; all have some."""
        # A number begins at every byte.
        numbers = np.ndarray((self.data.size - _WORD + 1,), "<u8", self.data, strides=(1,))
        found: NDArray[np.uint64] = numbers[self.starts + begin]
        left = self.lengths - begin
        if left.min(initial=_WORD) < _WORD:
            found &= _KEPT[np.minimum(left, _WORD)]
        return found

    def hashes(self) -> NDArray[np.uint64]:
        """Return the hash of each text; that of another with the same later bytes differs."""
        hashes = self.lengths.astype(np.uint64)
        for piece in self._pieces():
            texts, found = self.chosen(piece), hashes[piece]
            for begin, longer in texts.word_starts():
                mixed = (found[longer] ^ texts.chosen(longer).words(begin)) * _MULTIPLIER
                found[longer] = mixed ^ (mixed >> _HALF)
        return hashes

    def equal(self, others: Texts, places: NDArray[Any]) -> bool:
        """Tell whether each text is the one that stands at its place among others of its hash."""
        for piece in self._pieces():
            texts, found = self.chosen(piece), others.chosen(places[piece])
            if not np.array_equal(texts.lengths, found.lengths):
                return False
            for begin, longer in texts.word_starts(_WORD):
                word = texts.chosen(longer).words(begin)
                if not np.array_equal(word, found.chosen(longer).words(begin)):
                    return False
        return True

    def _pieces(self) -> Iterator[slice]:
        """Yield pieces whose numbers stay in the cache."""
        for begin in range(0, self.starts.size, _PIECE):
            yield slice(begin, begin + _PIECE)

    def word_starts(self, first: int = 0) -> Iterator[tuple[int, Any]]:
        """Yield where each eight bytes begin, and which texts reach so far."""
        longest = int(self.lengths.max(initial=0))
        shortest = int(self.lengths.min(initial=longest))
        for begin in range(first, longest, _WORD):
            yield begin, slice(None) if begin < shortest else np.flatnonzero(self.lengths > begin)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, eq=False)
class TextTable:
    """Distinct texts, and what finds them.

    Parameters
    ----------
    pool : tuple of str
        The texts.
    made : tuple, optional
        The same as bytes, and the hashes of some of them in one index behind the other: made of
        `pool` when first looked for, if not given.
    """

    pool: tuple[str, ...] = ()
    made: tuple[Texts, tuple[pd.Index[Any], ...]] | None = None

    @cached_property
    def _known(self) -> tuple[Texts, tuple[Any, ...]]:
        if self.made is not None:
            return self.made
        texts = Texts.of(self.pool)
        return texts, (_index(texts.hashes()),)

    def find(self, texts: Texts) -> Codes | None:
        """Return where texts stand, -1 for those that are new; None if two have one hash."""
        found = self._found(texts.hashes())
        there = slice(None) if found.min(initial=0) >= 0 else np.flatnonzero(found >= 0)
        return found if texts.chosen(there).equal(self._known[0], found[there]) else None

    def _found(self, hashes: NDArray[np.uint64]) -> Codes:
        found, begin = np.full(hashes.size, -1, dtype=np.int32), 0
        absent: Any = slice(None)
        for index in self._known[1]:
            if index.is_unique:
                places = index.get_indexer(hashes[absent]).astype(np.int32)
                found[absent] = np.where(places < 0, places, places + begin)
            absent, begin = np.flatnonzero(found < 0), begin + index.size
        return found

    def plus(self, texts: Texts) -> tuple[Codes | None, TextTable]:
        """Return where texts stand, new ones behind the others, and a table of all.

        None stands for texts of one hash, for which the table stays as it is.
        """
        found = self.find(texts)
        if found is None or found.min(initial=0) >= 0:
            return found, self
        absent = np.flatnonzero(found < 0)
        rows = texts.chosen(absent)
        hashes = rows.hashes()
        index: Any = _index(hashes).unique()
        places = index.get_indexer(hashes)
        first = np.empty(index.size, dtype=np.int64)
        first[places[::-1]] = np.arange(places.size - 1, -1, -1)
        new = rows.chosen(first)
        if not rows.equal(new, places):
            return None, self
        found[absent] = places + len(self.pool)
        known, indexes = self._known
        indexes = (*indexes, index)
        # So that all in all little is hashed again.
        while len(indexes) > 1 and indexes[-1].size >= indexes[-2].size:
            indexes = (*indexes[:-2], indexes[-2].append(indexes[-1]))
        strings = new.strings()
        return found, TextTable((*self.pool, *strings), (known + Texts.of(strings), indexes))


def _index(hashes: NDArray[np.uint64]) -> pd.Index[Any]:
    import pandas as pd

    return pd.Index(hashes)


def coded(
    frame: Any, tables: Mapping[str, TextTable], *, grow: bool
) -> tuple[dict[str, Value], Mapping[str, TextTable]]:
    """Return the columns of a block, text by the codes of its column's table, and the tables.

    Parameters
    ----------
    frame : data frame
    tables : mapping of str to TextTable
        By the names of columns; text of the others stays as it is.
    grow : bool
        Whether new texts are put into the tables; else a column with one stays as it is.
    """
    columns, made = Columns(frame), dict(tables)
    found: dict[str, Value] = {}
    for name in columns.names:
        table = tables.get(name, TextTable() if grow else None)
        value: Value | None = None
        if table is not None:
            value, made[name] = _by_table(columns, name, table, grow)
        value = columns.get(name) if value is None else value
        if value is not None:
            found[name] = value
    return found, made


def _by_table(
    columns: Columns, name: str, table: TextTable, grow: bool
) -> tuple[Character | None, TextTable]:
    """Return a column as codes of a table; None if it is no text, or has texts for no table."""
    rows = _texts_of_rows(columns.raw(name))
    if rows is None:
        value = columns.get(name)
        if not isinstance(value, Character):
            return None, table
        # Each of its texts stands in the pool once.
        rows = Texts.of(value.pool), value.codes
    texts, numbers = rows
    places, table = table.plus(texts) if grow else (table.find(texts), table)
    if places is None or places.min(initial=0) < 0:
        return None, table
    return Character(places if numbers is None else recode(numbers, places), table.pool), table


def _texts_of_rows(raw: Any) -> tuple[Texts, Codes | None] | None:
    """Return the texts of a column of Arrow's or polars', and which of them each row has.

    None stands for each row its own, and for a column of something else.
    """
    if type(raw).__module__.startswith("polars") and str(raw.dtype) == "String":
        raw = raw.to_arrow()
    kind = str(getattr(raw, "type", ""))
    if not type(raw).__module__.startswith("pyarrow") or kind not in ("string", "large_string"):
        return None
    if hasattr(raw, "chunks"):
        raw = raw.chunk(0) if raw.num_chunks == 1 else raw.combine_chunks()
    if not raw.null_count:
        return Texts.of_arrow(raw), None
    valid = raw.is_valid().to_numpy(zero_copy_only=False)
    return Texts.of_arrow(raw.drop_null()), np.where(valid, np.cumsum(valid) - 1, -1)
