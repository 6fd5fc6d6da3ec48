"""Names of rows and of random effects, as R would give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lme4py.bridge.fixture.fixture import Fixture
from lme4py.bridge.fixture.shapes import named_items
from lme4py.bridge.rvalues import RList, RVector

__all__ = ["cnms_of", "effect_names", "nl_of", "row_labels"]


def row_labels(design: Any, fixture: Fixture) -> list[str]:
    """Return the names of a design's rows as R would give them.

    A table without names of its own counts from 0 here and from 1 in R.
    """
    import pandas as pd

    index = getattr(design, "index", design.frame.index)
    unnamed = index is None or (
        isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    )
    if not unnamed:
        return _unique(design.frame.index)
    rows = len(design.frame)
    frame = getattr(design, "model_frame", None)
    positions = getattr(frame, "positions", None)
    places = np.arange(rows) if positions is None else np.asarray(positions)
    data = fixture.data
    if data is not None and places.size and int(places.max()) < len(data.row_names):
        return _unique(data.row_names[int(at)] for at in places)
    return _unique(int(at) + 1 for at in places)


def _unique(labels: Iterable[Any]) -> list[str]:
    """Return labels as R makes them unique (13, 13.1, ...); pandas repeats a row's label."""
    given = [str(label) for label in labels]
    if len(set(given)) == len(given):
        return given
    taken, result, count = set(given), [], dict[str, int]()
    seen: set[str] = set()
    for text in given:
        name = text
        while name in seen or (name != text and name in taken):
            count[text] = count.get(text, 0) + 1
            name = f"{text}.{count[text]}"
        seen.add(name)
        result.append(name)
    return result


def cnms_of(terms: RList) -> list[tuple[str, list[str]]]:
    """Return group and column names of R's random terms."""
    return [
        (group, [] if names is None else list(names.values))
        for group, names in named_items(terms["cnms"])
    ]


def effect_names(
    cnms: Iterable[tuple[str, Sequence[str]]], nl: Iterable[int], rows: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Return group, column and level of every row of Zt."""
    found: list[tuple[str, str, str]] = []
    for (group, names), levels in zip(cnms, nl, strict=False):
        begin = len(found)
        found += [
            (group, names[at % len(names)], rows[begin + at])
            for at in range(int(levels) * len(names))
            if begin + at < len(rows)
        ]
    return found


def nl_of(terms: RList) -> list[int]:
    """Return the number of levels of R's random terms."""
    if isinstance(terms.get("nl"), RVector):
        return [int(count) for count in terms["nl"].values]
    sizes = np.diff(terms["Gp"].values.astype(np.int64))
    columns = [max(len(names), 1) for _, names in cnms_of(terms)]
    return [int(size) // count for size, count in zip(sizes, columns, strict=True)]
