"""Levels as text, and as the state that holds for new rows.

Levels are found from all rows; on new rows the same levels hold, and a value that
has none is an error, not a missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lme4py.errors import DataError, nearest
from lme4py.frame.functions.coercion import text
from lme4py.frame.functions.table import State, replays
from lme4py.frame.values import Codes, Factor, Value

_SHOWN = 8
Levels = Sequence[str | None]


def strings_of(value: Value) -> list[str | None]:
    """Return the elements of an argument as text; None is NA."""
    characters = text(value)
    return [None if code < 0 else characters.pool[code] for code in characters.codes.tolist()]


def listed(items: Sequence[str | None]) -> str:
    """Return the first few items, quoted."""
    shown = ", ".join("NA" if item is None else f"'{item}'" for item in items[:_SHOWN])
    return shown + (", ..." if len(items) > _SHOWN else "")


def placed(value: Value, places: dict[str | None, int], name: str, strict: bool) -> Codes:
    """Return the place of each element's text; -1 for NA, and if not `strict` for others."""
    characters = text(value)
    table = np.array([places.get(item, -2) for item in characters.pool] + [-1], dtype=np.int32)
    table[-1] = places.get(None, -1)
    codes = table[characters.codes]
    unseen = np.unique(characters.codes[codes == -2])
    if strict and unseen.size:
        values = [characters.pool[code] for code in unseen.tolist()]
        known = [item for item in places if item is not None]
        raise DataError(
            f"{name}(): new data has the value{'s' if len(values) > 1 else ''} "
            f"{listed(values)}, but the known levels are {listed(known)}",
            hint=nearest(values[0], known),
        )
    return np.where(codes == -2, np.int32(-1), codes)


def frozen(made: Factor) -> State:
    """Return the state of a factor whose levels are those of its argument's text."""
    return {"levels": made.levels, "ordered": made.ordered}


def thawed(state: State, value: Value, name: str) -> Factor:
    """Return new rows with stored levels."""
    levels: tuple[str | None, ...] = tuple(state["levels"])
    places = {level: place for place, level in enumerate(levels)}
    return Factor(placed(value, places, name, strict=True), levels, bool(state["ordered"]))


def level_texts(levels: Levels) -> list[str]:
    """Return levels as text, as R's ``paste`` does."""
    return ["NA" if level is None else level for level in levels]


def replay_levels(name: str) -> None:
    """Enter the replay of a basis whose state is `frozen`: new rows with the stored levels."""

    def again(state: State, x: Value, **options: Any) -> Factor:
        del options
        return thawed(state, x, name)

    replays(name)(again)
