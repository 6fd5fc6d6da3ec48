"""Names of rows and of random effects, as R would give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lme4py.export.row_names import row_names
from lme4py.proof.fixture import Fixture
from lme4py.proof.shapes import named_items
from lme4py.rfiles.rvalues import RList, RVector

__all__ = ["cnms_of", "effect_names", "nl_of", "row_labels"]


def row_labels(design: Any, fixture: Fixture) -> list[str]:
    """Return the names of a design's rows as R would give them.

    A table without names of its own counts from 0 here and from 1 in R.
    """
    data = fixture.data
    # A list without the data has its model frame in their place, whose rows are fewer.
    given = None if data is None or data is fixture.frame else data.row_names
    return row_names(design, given)


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
