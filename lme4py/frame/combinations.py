"""Which combinations of levels the levels of ``a:b`` are, found for many rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Codes, LevelTable


@dataclass(frozen=True, eq=False)
class Combinations:
    """The combinations of levels whose texts, joined by colons, are learned levels."""

    parts: tuple[LevelTable, ...]  # the levels of a, b, ...
    numbers: NDArray[np.int64]  # each combination as one number, the last code running fastest
    places: Codes  # the level that each of them is: those with one text are one level

    def find(self, codes: Sequence[Codes]) -> Codes | None:
        """Return the level of each row; None if a row has a missing, new or other combination."""
        number = _number_of(codes, self.parts)
        if number is None or not self.numbers.size:
            return None
        if self._telling is None:
            found = self._index.get_indexer(number)
            return None if (found < 0).any() else self.places[found]
        part, table = self._telling
        found = table[codes[part]]
        return self.places[found] if np.array_equal(self.numbers[found], number) else None

    @cached_property
    def _index(self) -> Any:
        import pandas as pd

        return pd.Index(self.numbers)

    @cached_property
    def _telling(self) -> tuple[int, NDArray[np.intp]] | None:
        """A part each of whose levels is in one combination at most, and in which."""
        rest, order = self.numbers, np.arange(self.numbers.size)
        for part in reversed(range(len(self.parts))):
            rest, codes = np.divmod(rest, len(self.parts[part]))
            table = np.zeros(len(self.parts[part]), dtype=np.intp)
            table[codes] = order
            if np.array_equal(table[codes], order):
                return part, table
        return None


def combinations_of(levels: LevelTable, parts: tuple[LevelTable, ...]) -> Combinations:
    """Return which combinations of the levels of `parts` have the texts `levels`.

    It is made once and kept beside the levels.

    Examples
    --------
    >>> table = combinations_of(
    ...     LevelTable(("p:u", "q:v")), (LevelTable(("p", "q")), LevelTable(("u", "v")))
    ... )
    >>> table.find([np.array([1, 0], dtype=np.int32), np.array([1, 0], dtype=np.int32)])
    array([1, 0], dtype=int32)
    """
    kept: Combinations | None = vars(levels).get("combinations")
    if kept is None or list(map(id, kept.parts)) != list(map(id, parts)):
        texts = enumerate(levels if _fit(parts) else ())
        found = [(number, at) for at, level in texts for number in _numbers_of(str(level), parts)]
        numbers, places = np.array(found, dtype=np.int64).reshape(-1, 2).T
        kept = Combinations(parts, numbers.copy(), places.astype(np.int32))
        vars(levels)["combinations"] = kept
    return kept


def keep_combinations(
    levels: LevelTable, places: Codes, parts: tuple[LevelTable, ...], codes: Sequence[Codes]
) -> None:
    """Keep beside levels which combinations they are in the rows that they were learned from.

    Their texts, which would tell it too, need not be taken apart then.
    """
    import pandas as pd

    number = _number_of(codes, parts)
    if number is not None and places.min(initial=0) >= 0 and _fit(parts):
        first = np.flatnonzero(~pd.Series(number).duplicated().to_numpy())
        vars(levels)["combinations"] = Combinations(parts, number[first], places[first])


def _number_of(codes: Sequence[Codes], parts: Sequence[LevelTable]) -> NDArray[np.int64] | None:
    """Return the combination of each row as a number; None if a row has no level, or a new one."""
    number: NDArray[np.int64] = np.zeros(codes[0].size, dtype=np.int64)
    for part, levels in zip(codes, parts, strict=True):
        if part.size and not 0 <= int(part.min()) <= int(part.max()) < len(levels):
            return None
        number = number * len(levels) + part
    return number


def _fit(parts: Sequence[LevelTable]) -> bool:
    # An NA level has the text of one called NA; so large a table would not fit anyway.
    return math.prod(map(len, parts)) < 2**63 and not any(part.holds_missing for part in parts)


def _numbers_of(text: str, parts: Sequence[LevelTable]) -> Iterator[int]:
    """Yield the combinations with this text, which are several where levels have colons."""
    first, *others = parts
    if not others and text in first.places:
        yield first.places[text]
    size, end = math.prod(map(len, others)), text.find(":")
    while others and end >= 0:
        head = first.places.get(text[:end])
        if head is not None:
            for tail in _numbers_of(text[end + 1 :], others):
                yield head * size + tail
        end = text.find(":", end + 1)
