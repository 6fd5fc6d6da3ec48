"""Which combinations of levels the levels of ``a:b`` are, found for many rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Codes
from lme4py.frame.schema import LevelTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Combinations", "combinations_of"]

_INT64_LIMIT = 2**63


@dataclass(frozen=True, eq=False, slots=True)
class Combinations:
    """The combinations of codes whose texts, joined by colons, are learned levels.

    Parameters
    ----------
    parts : tuple of LevelTable
        The levels of ``a``, ``b``, ... .
    numbers : pandas.Index of int64
        Each combination as one number, the last code running fastest.
    places : ndarray of int32
        The level that each of them is; combinations whose texts are equal are one level.
    """

    parts: tuple[LevelTable, ...]
    numbers: pd.Index
    places: Codes

    def find(self, codes: Sequence[Codes]) -> Codes | None:
        """Return the level of each row; None if a row has a missing, new or other combination."""
        import pandas as pd

        number: NDArray[np.int64] = np.zeros(codes[0].size, dtype=np.int64)
        for part, levels in zip(codes, self.parts, strict=True):
            if part.size and not 0 <= int(part.min()) <= int(part.max()) < len(levels):
                return None
            number = number * len(levels) + part
        found = self.numbers.get_indexer(pd.Index(number))
        return None if (found < 0).any() else self.places[found]


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
        kept = vars(levels)["combinations"] = _combinations(levels, parts)
    return kept


def _combinations(levels: LevelTable, parts: tuple[LevelTable, ...]) -> Combinations:
    import pandas as pd

    # An NA level has the text of one called NA; so large a table would not fit anyway.
    fit = math.prod(map(len, parts)) < _INT64_LIMIT and not any(p.holds_missing for p in parts)
    found = [
        (number, place)
        for place, level in enumerate(levels if fit else ())
        for number in _numbers_of(str(level), parts)
    ]
    numbers, places = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return Combinations(parts, pd.Index(numbers.copy()), places.astype(np.int32))


def _numbers_of(text: str, parts: tuple[LevelTable, ...]) -> Iterator[int]:
    """Yield the combinations with this text, which are several where levels have colons."""
    first, *others = parts
    if not others:
        if text in first.places:
            yield first.places[text]
        return
    rest, size = tuple(others), math.prod(map(len, others))
    end = text.find(":")
    while end >= 0:
        head = first.places.get(text[:end])
        if head is not None:
            for tail in _numbers_of(text[end + 1 :], rest):
                yield head * size + tail
        end = text.find(":", end + 1)
