"""Texts as codes that hold for all blocks, without making Python's strings of rows.

Arrow looks the texts of its columns up in a pool; of other columns only the distinct texts of a
block are looked up, in a dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lme4py.data.columns import Columns
from lme4py.data.factors import recode
from lme4py.data.values import Character, Codes, Value, places_behind


class TextTable:
    """The texts of one column, of which a code is the place.

    A table that was given no `pool` of texts grows, in place, by the new ones of each block. One
    that was leaves a block with others as it is.
    """

    def __init__(self, pool: tuple[Any, ...] | None = None) -> None:
        self.pool = () if pool is None else pool
        self._grows = pool is None
        # Blocks may share their pool, whose texts are looked up once.
        self._last: tuple[tuple[str, ...], Codes] | None = None

    @cached_property
    def _arrow(self) -> Any:
        """The texts as Arrow has them; ValueError if one of them is no UTF-8."""
        import pyarrow as pa

        return pa.array(self.pool, type=pa.large_string())

    @cached_property
    def _places(self) -> dict[str | None, int]:
        """The place of each text."""
        return dict(zip(self.pool, range(len(self.pool)), strict=True))

    def read(self, columns: Columns, name: str) -> Value | None:
        """Return a column of a block, text by the codes of this table."""
        texts = _arrow_texts(columns.raw(name))
        found = None if texts is None else self._by_arrow(texts)
        if found is not None:
            return found
        value = columns.get(name)
        return self._by_pool(value) if isinstance(value, Character) else value

    def _by_arrow(self, texts: Any) -> Character | None:
        """Return Arrow's texts by their codes, None if they cannot be."""
        from pyarrow import compute

        try:
            found = compute.index_in(texts, value_set=self._arrow)
        except ValueError:
            return None
        codes = found.fill_null(-1).to_numpy(zero_copy_only=False)
        if found.null_count > texts.null_count:
            if not self._grows:
                return None
            absent = compute.and_(found.is_null(), texts.is_valid())
            new = texts.filter(absent).dictionary_encode()
            codes = codes.copy()
            codes[absent.to_numpy(zero_copy_only=False)] = new.indices.to_numpy() + len(self.pool)
            self._grow(new.dictionary.to_pylist())
        return Character(codes, self.pool)

    def _by_pool(self, value: Character) -> Character:
        """Return texts by their codes; as they are, if they cannot be."""
        if value.pool is self.pool:
            return value
        if self._last is None or self._last[0] is not value.pool:
            places, new = places_behind(value.pool, self._places)
            if self._grows:
                self._grow(new)
            self._last = value.pool, places
        codes = recode(value.codes, self._last[1])
        known = codes.max(initial=-1) < len(self.pool)
        return Character(codes, self.pool) if known else value

    def _grow(self, new: Sequence[Any]) -> None:
        if new:
            self.pool = (*self.pool, *new)
            for made_of_it in ("_arrow", "_places"):
                vars(self).pop(made_of_it, None)


def _arrow_texts(column: Any) -> Any:
    """Return a column of Arrow's or polars' texts as an array of Arrow's, None for any other."""
    if type(column).__module__.startswith("polars") and str(column.dtype) == "String":
        column = column.to_arrow()
    kind = str(getattr(column, "type", ""))
    if not type(column).__module__.startswith("pyarrow") or kind not in ("string", "large_string"):
        return None
    if hasattr(column, "chunks"):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column.cast("large_string")
