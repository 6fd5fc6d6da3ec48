"""Which combinations of levels the levels of ``a:b`` are, found for many rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Codes, Levels, LevelTable


@dataclass(frozen=True, eq=False)
class Combinations:
    """The combinations of levels whose texts, joined by colons, are learned levels.

    A combination is one number, the code of its last part running fastest.

    Examples
    --------
    >>> table = Combinations(("p:u", "q:v"), (LevelTable(("p", "q")), LevelTable(("u", "v"))))
    >>> table.find([np.array([1, 0], dtype=np.int32), np.array([1, 0], dtype=np.int32)])
    array([1, 0], dtype=int32)
    """

    levels: Levels  # of a:b
    parts: tuple[LevelTable, ...]  # the levels of a, b, ...

    def find(self, codes: Sequence[Codes]) -> Codes | None:
        """Return the level of each row; None if a row has a missing, new or other combination."""
        numbers, places = self.known
        number = _number_of(codes, self.parts)
        if number is None or not numbers.size:
            return None
        if self._telling is None:
            found = self._index.get_indexer(number)
            return None if (found < 0).any() else places[found]
        part, table = self._telling
        found = table[codes[part]]
        return places[found] if np.array_equal(numbers[found], number) else None

    @cached_property
    def known(self) -> tuple[NDArray[np.int64], Codes]:
        """The combinations, and the level that each of them is: those with one text are one."""
        # An NA level has the text of one called NA; so large a table would not fit anyway.
        missing = any(part.holds_missing for part in self.parts)
        told = not missing and math.prod(map(len, self.parts)) < 2**63
        texts = list(map(str, self.levels if told else ()))
        if {text.count(":") for text in texts} == {len(self.parts) - 1}:
            # No level has a colon of its own.
            codes = [
                _places_of((text.split(":")[place] for text in texts), part)
                for place, part in enumerate(self.parts)
            ]
            number = _number_of(codes, self.parts)
            if number is not None:
                return number, np.arange(number.size, dtype=np.int32)
        pairs = (
            (number, place)
            for place, text in enumerate(texts)
            for number in _numbers_of(text, self.parts)
        )
        numbers, places = np.fromiter(pairs, np.dtype((np.int64, 2))).T
        return numbers.copy(), places.astype(np.int32)

    @cached_property
    def _index(self) -> Any:
        import pandas as pd

        return pd.Index(self.known[0])

    @cached_property
    def _telling(self) -> tuple[int, NDArray[np.intp]] | None:
        """A part each of whose levels is in one combination at most, and in which."""
        rest = self.known[0]
        order = np.arange(rest.size)
        for part in reversed(range(len(self.parts))):
            rest, codes = np.divmod(rest, len(self.parts[part]))
            table = np.zeros(len(self.parts[part]), dtype=np.intp)
            table[codes] = order
            if np.array_equal(table[codes], order):
                return part, table
        return None


def _number_of(codes: Sequence[Codes], parts: Sequence[LevelTable]) -> NDArray[np.int64] | None:
    """Return the combination of each row as a number; None if a row has no level, or a new one."""
    number: NDArray[np.int64] = np.zeros(codes[0].size, dtype=np.int64)
    for part, levels in zip(codes, parts, strict=True):
        if part.size and not 0 <= int(part.min()) <= int(part.max()) < len(levels):
            return None
        number = number * len(levels) + part
    return number


def _places_of(texts: Iterable[str], levels: LevelTable) -> Codes:
    """Return where texts stand among levels, -1 for others; of many levels no table is kept."""
    places = dict(zip(levels, range(len(levels)), strict=True))
    return np.fromiter(map(places.get, texts, repeat(-1)), np.int32)


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
