"""Texts as codes, block after block, without making Python's strings of rows.

A text is looked up by a hash of its bytes, computed for all rows of a block at once, and what is
found is compared byte by byte. Strings are made of the distinct texts alone, once each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data.columns import Columns
from lme4py.data.factors import recode
from lme4py.data.values import Character, Codes, Value

__all__ = ["TextTable", "Texts", "coded"]

_WORD = 8
_KEPT = np.array([(1 << (8 * count)) - 1 for count in range(_WORD + 1)], dtype=np.uint64)
"""What is left of eight bytes of which so many belong to a text."""
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)
_PIECE = 1 << 15
_INT32_LIMIT = 2**31
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False, slots=True)
class Texts:
    """Some texts in UTF-8, one behind the other, as Arrow keeps them.

    Parameters
    ----------
    data : ndarray of uint8
        The bytes, and eight more.
    starts, lengths : ndarray of int32 or int64, shape (n,)
        Where each text begins, and how many bytes it has.
    """

    data: NDArray[np.uint8]
    starts: NDArray[Any]
    lengths: NDArray[Any]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Return Python's strings."""
        joined = "".join(texts)
        sizes = map(len, texts if joined.isascii() else map(_bytes_of, texts))
        ends = np.cumsum(np.fromiter(chain([0], sizes), np.int64, len(texts) + 1))
        if ends[-1] < _INT32_LIMIT:
            ends = ends.astype(np.int32)
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
        return cls._between(used, ends - ends[0])

    @classmethod
    def _between(cls, data: NDArray[np.uint8], ends: NDArray[Any]) -> Texts:
        padded = np.zeros(data.size + _WORD, np.uint8)
        padded[: data.size] = data
        return cls(padded, ends[:-1], np.diff(ends))

    def __add__(self, others: Texts) -> Texts:
        """Return these texts and others behind them."""
        size = self.data.size - _WORD
        return Texts(
            np.concatenate([self.data[:size], others.data]),
            np.concatenate([self.starts, others.starts + np.int64(size)]),
            np.concatenate([self.lengths, others.lengths]),
        )

    def chosen(self, places: Any) -> Texts:
        """Return some of the texts, on the same bytes."""
        return Texts(self.data, self.starts[places], self.lengths[places])

    def strings(self) -> list[str]:
        """Return Python's strings."""
        data, ends = self.data.tobytes(), (self.starts + self.lengths).tolist()
        parts = map(slice, self.starts.tolist(), ends)
        if data.isascii():
            return list(map(data.decode("ascii").__getitem__, parts))
        return [data[part].decode("utf-8", "surrogatepass") for part in parts]

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
        """Return the hash of each text."""
        found = self.lengths.astype(np.uint64)
        for begin, longer in self.word_starts():
            mixed = (found[longer] ^ self.chosen(longer).words(begin)) * _MULTIPLIER
            found[longer] = mixed ^ (mixed >> _HALF)
        return found

    def same(self, others: Texts, places: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which texts are those that stand at their places among others."""
        others = others.chosen(places)
        found: NDArray[np.bool_] = self.lengths == others.lengths
        for begin, longer in self.word_starts():
            rows = longer if found.all() else np.flatnonzero(found & (self.lengths > begin))
            words = self.chosen(rows).words(begin)
            found[rows] = words == others.chosen(rows).words(begin)
        return found

    def word_starts(self) -> Iterator[tuple[int, Any]]:
        """Yield where each eight bytes begin, and which texts reach so far."""
        longest = int(self.lengths.max(initial=0))
        shortest = int(self.lengths.min(initial=longest))
        for begin in range(0, longest, _WORD):
            yield begin, slice(None) if begin < shortest else np.flatnonzero(self.lengths > begin)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


Layers: TypeAlias = tuple[NDArray[np.uint64], ...]
"""Where texts stand, by the first bits of their hashes.

An item is the place of a text, counted from 1, below the last 32 bits of its hash; 0 where there is
none. Of the texts that fall on one slot of a layer the last has it; the others are in the next.
"""


def _layers(texts: Texts, begin: int) -> Layers:
    """Return the layers of texts, the first of which stands at the place `begin`."""
    hashes, layers = texts.hashes(), []
    items = (hashes << _HALF) + np.arange(begin + 1, begin + hashes.size + 1, dtype=np.uint64)
    while items.size:
        layer = np.zeros(1 << (2 * items.size).bit_length(), dtype=np.uint64)
        slots = _slots(hashes, layer)
        layer[slots] = items
        lost = layer[slots] != items
        hashes, items = hashes[lost], items[lost]
        layers.append(layer)
    return tuple(layers)


def _slots(hashes: NDArray[np.uint64], layer: NDArray[np.uint64]) -> NDArray[np.intp]:
    return (hashes >> np.uint64(65 - layer.size.bit_length())).astype(np.intp)


@dataclass(frozen=True, eq=False)
class TextTable:
    """Distinct texts, and what finds them.

    Parameters
    ----------
    pool : tuple of str
        The texts.
    made : tuple, optional
        The same as bytes, and what finds them from some places on: made of `pool` when it is
        first needed, if it is not given.
    """

    pool: tuple[str, ...] = ()
    made: tuple[Texts, tuple[tuple[int, Layers], ...]] | None = None

    @cached_property
    def _known(self) -> tuple[Texts, tuple[tuple[int, Layers], ...]]:
        if self.made is not None:
            return self.made
        texts = Texts.of(self.pool)
        return texts, ((0, _layers(texts, 0)),)

    def find(self, texts: Texts) -> Codes:
        """Return where texts stand in the pool, -1 for those that do not."""
        known, parts = self._known
        layers = [layer for _, some in parts for layer in some]
        found = np.full(texts.starts.size, -1, dtype=np.int32)
        # In pieces whose numbers stay in the cache.
        for begin in range(0, found.size, _PIECE):
            some, places = texts.chosen(slice(begin, begin + _PIECE)), found[begin : begin + _PIECE]
            hashes, left = some.hashes(), np.arange(places.size)
            for layer in layers:
                items = layer[_slots(hashes, layer)]
                met = items >> _HALF == hashes & _LOW
                places[left[met]] = (items[met] & _LOW).astype(np.int32) - 1
                hashes, left = hashes[~met], left[~met]
                if not left.size:
                    break
            there = slice(None) if places.min(initial=0) >= 0 else np.flatnonzero(places >= 0)
            other = np.arange(places.size)[there][~some.chosen(there).same(known, places[there])]
            if other.size:  # the first bits of their hashes are those of another text
                places[other] = [
                    self._by_text.get(text, -1) for text in some.chosen(other).strings()
                ]
        return found

    def places_of(self, pool: tuple[str, ...]) -> Codes:
        """Return where the texts of a pool stand, which many blocks may share."""
        if self._last.get("pool") is not pool:
            self._last.update(pool=pool, places=self.find(Texts.of(pool)))
        places: Codes = self._last["places"]
        return places

    @cached_property
    def _last(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _by_text(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.pool)}

    def plus(self, texts: Texts) -> tuple[Codes, TextTable]:
        """Return where texts stand, new ones behind the others, and a table of all."""
        found, size, new = self.find(texts), len(self.pool), []
        left = np.flatnonzero(found < 0)
        while left.size:
            some = texts.chosen(left)
            _, first, places = np.unique(some.hashes(), return_index=True, return_inverse=True)
            same = some.same(texts, left[first][places])
            found[left[same]] = places[same] + size
            new.append(left[first])
            # Others with a hash of these.
            left, size = left[~same], size + first.size
        if not new:
            return found, self
        strings = texts.chosen(np.concatenate(new)).strings()
        known, parts = self._known
        known, begin = known + Texts.of(strings), len(self.pool)
        # Those that are no larger are joined, so that all in all little is done again.
        while parts and begin - parts[-1][0] <= size - begin:
            begin, parts = parts[-1][0], parts[:-1]
        parts = (*parts, (begin, _layers(known.chosen(slice(begin, size)), begin)))
        return found, TextTable((*self.pool, *strings), (known, parts))


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
    if rows is not None:
        texts, numbers = rows
        places, table = table.plus(texts) if grow else (table.find(texts), table)
        codes = places if numbers is None else recode(numbers, places)
        lost = (codes < 0) & (True if numbers is None else numbers >= 0)
        return (None if lost.any() else Character(codes, table.pool)), table
    value = columns.get(name)
    if not isinstance(value, Character):
        return None, table
    if not table.pool:
        table = TextTable(value.pool)
    if value.pool is table.pool:
        return value, table
    if grow:
        # Each of its texts stands in the pool once.
        places, table = table.plus(Texts.of(value.pool))
    else:
        places = table.places_of(value.pool)
    codes = recode(value.codes, places)
    lost = (codes < 0) & (value.codes >= 0)
    return (None if lost.any() else Character(codes, table.pool)), table


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
