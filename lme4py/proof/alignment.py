"""A design beside a fixture, and the orders in which they hold the same things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.export.row_names import row_names
from lme4py.proof.findings import Finding
from lme4py.proof.fixture import Fixture
from lme4py.proof.measures import compare_factor, compare_numbers, permutation
from lme4py.proof.shapes import named_items
from lme4py.rfiles.rvalues import RFactor, RList, RVector

__all__ = ["Pair", "cnms_of", "up_to_order"]


@dataclass(frozen=True)
class Pair:
    """A design and a fixture, with the orders in which they hold the same things.

    An order says where their rows, columns or terms stand in ours; it is None when they
    are in the same order, or when there is no such order.
    """

    design: Any
    fixture: Fixture

    @cached_property
    def labels(self) -> list[str]:
        """Names of our rows, as R would call them."""
        return row_labels(self.design, self.fixture)

    @cached_property
    def row_order(self) -> NDArray[np.int64] | None:
        """Where their rows stand in ours."""
        if self.fixture.frame is None:
            return None
        return _moved(permutation(self.labels, self.fixture.frame.row_names))

    @cached_property
    def column_order(self) -> NDArray[np.int64] | None:
        """Where their columns of X stand in ours."""
        theirs = None if self.fixture.X is None else self.fixture.X.column_names
        return None if theirs is None else _moved(permutation(self.design.fixed.names, theirs))

    @cached_property
    def term_order(self) -> NDArray[np.int64] | None:
        """Where their random terms stand in ours."""
        found = [(group, tuple(sorted(names))) for group, names in self.design.random.cnms]
        expected = [(group, tuple(sorted(names))) for group, names in cnms_of(self.fixture.terms)]
        return _moved(permutation(found, expected))

    @cached_property
    def effect_order(self) -> NDArray[np.int64] | None:
        """Where the rows of their Zt stand in ours: term, level and column tell each."""
        random, terms = self.design.random, self.fixture.terms
        ours = effect_names(random.cnms, random.nl, random.row_names)
        theirs = effect_names(cnms_of(terms), nl_of(terms), terms["Zt"].row_names or ())
        return _moved(permutation(ours, theirs))

    def by_rows(self, component: str, ours: Any, theirs: Any, names: Sequence[str] = ()) -> Finding:
        """Compare numbers that go by rows of the data."""

        def place(at: tuple[int, ...]) -> str:
            row = f" row '{self.labels[at[0]]}'" if at[0] < len(self.labels) else ""
            column = f", column '{names[at[1]]}'" if len(at) > 1 and at[1] < len(names) else ""
            return f"[{', '.join(map(str, at))}]{row}{column}"

        found = compare_numbers(component, ours, theirs, place)
        order = self.row_order
        return up_to_order(
            found,
            order,
            "the rows stand in another order",
            lambda: compare_numbers(component, np.asarray(ours)[order], theirs).verdict == "equal",
        )

    def factor(
        self, component: str, levels: Any, codes: Any, ordered: bool, theirs: RFactor
    ) -> Finding:
        """Compare factors, whose codes go by rows of the data."""
        found = compare_factor(component, levels, codes, ordered, theirs)
        order = self.row_order
        return up_to_order(
            found,
            order,
            "the rows stand in another order",
            lambda: (
                compare_factor(component, levels, np.asarray(codes)[order], ordered, theirs).verdict
                != "different"
            ),
        )


def up_to_order(
    found: Finding, order: NDArray[np.int64] | None, what: str, again: Callable[[], bool]
) -> Finding:
    """Return the finding, "order" where the components agree once put in their order."""
    if found.verdict == "equal" or order is None or not again():
        return found
    return Finding(found.component, "order", what)


def _moved(order: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return an order that moves something, else None."""
    if order is None or np.array_equal(order, np.arange(order.size)):
        return None
    return order


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
