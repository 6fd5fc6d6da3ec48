"""Texts as codes that hold for all blocks, without making Python's strings of rows.

Arrow looks the texts of its columns up in a pool; of other columns only the distinct texts of a
block are looked up, in a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lme4py.data.columns import Columns
from lme4py.data.factors import recode
from lme4py.data.values import Character, Codes, Value, places_behind


@dataclass(frozen=True, eq=False)
class TextTable:
    """Distinct texts, of which a code is the place.

    Parameters
    ----------
    pool : tuple of str
        The texts.
    """

    pool: tuple[Any, ...] = ()

    @cached_property
    def arrow(self) -> Any:
        """The texts as Arrow has them; ValueError if one of them is no UTF-8."""
        import pyarrow as pa

        return pa.array(self.pool, type=pa.large_string())

    @cached_property
    def places(self) -> dict[str | None, int]:
        """The place of each text."""
        return dict(zip(self.pool, range(len(self.pool)), strict=True))

    @cached_property
    def _last(self) -> dict[str, Any]:
        return {}

    def behind(self, pool: tuple[str, ...]) -> tuple[Codes, tuple[Any, ...]]:
        """Return what `places_behind` does, kept for a next block with the same pool."""
        if self._last.get("pool") is not pool:
            self._last.update(pool=pool, found=places_behind(pool, self.places))
        found: tuple[Codes, tuple[Any, ...]] = self._last["found"]
        return found

    def plus(self, new: Sequence[Any]) -> TextTable:
        """Return a table with new texts behind these."""
        return TextTable((*self.pool, *new)) if new else self


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
        table = made.get(name, TextTable() if grow else None)
        value: Value | None = None
        if table is not None:
            value, made[name] = _by_arrow(columns.raw(name), table, grow)
        if value is None:
            value = columns.get(name)
            if table is not None and isinstance(value, Character):
                value, made[name] = _by_pool(value, table, grow)
        if value is not None:
            found[name] = value
    return found, made


def _by_arrow(raw: Any, table: TextTable, grow: bool) -> tuple[Character | None, TextTable]:
    """Return a column of Arrow's or polars' texts; None for others, and for texts of no table."""
    if type(raw).__module__.startswith("polars") and str(raw.dtype) == "String":
        raw = raw.to_arrow()
    kind = str(getattr(raw, "type", ""))
    if not type(raw).__module__.startswith("pyarrow") or kind not in ("string", "large_string"):
        return None, table
    import pyarrow as pa
    from pyarrow import compute

    if hasattr(raw, "chunks"):
        raw = raw.chunk(0) if raw.num_chunks == 1 else raw.combine_chunks()
    texts = raw.cast(pa.large_string())
    try:
        found = compute.index_in(texts, value_set=table.arrow)
    except ValueError:  # the table has a text that is no UTF-8
        return None, table
    codes = found.fill_null(-1).to_numpy(zero_copy_only=False)
    if found.null_count > texts.null_count:
        if not grow:
            return None, table
        absent = compute.and_(found.is_null(), texts.is_valid())
        new = texts.filter(absent).dictionary_encode()
        codes = codes.copy()
        codes[absent.to_numpy(zero_copy_only=False)] = new.indices.to_numpy() + len(table.pool)
        table = table.plus(new.dictionary.to_pylist())
    return Character(codes, table.pool), table


def _by_pool(value: Character, table: TextTable, grow: bool) -> tuple[Character, TextTable]:
    """Return texts as codes of a table; as they are, if it has not all of them."""
    if value.pool is table.pool:
        return value, table
    places, new = table.behind(value.pool)
    table = table.plus(new) if grow else table
    codes = recode(value.codes, places)
    if codes.max(initial=-1) >= len(table.pool):
        return value, table
    return Character(codes, table.pool), table
