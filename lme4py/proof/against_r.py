"""A design against what R recorded, component by component.

The design is written as R's own list, as for an ``.rds`` file, and both lists are taken apart by
the same rules; so there is one comparison for all components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError
from lme4py.export.to_rds import design_as_list, row_names
from lme4py.proof.causes import causes
from lme4py.proof.components import Component, Components, components
from lme4py.proof.findings import Comparison, Finding
from lme4py.proof.fit_findings import estimates
from lme4py.proof.fixture import Fixture
from lme4py.proof.measures import Order, extent, measure, permutation, put_in_order
from lme4py.rfiles.attributes import own_value
from lme4py.rfiles.rvalues import RList, RSparse

__all__ = ["compare", "compare_either", "findings"]

_MOVED = {
    "rows": "the rows of the data",
    "columns": "the columns of X",
    "effects": "the rows of Zt (levels or terms)",
}


def compare(design: Any, fixture: Fixture) -> Comparison:
    """Compare a design, or a fit, with what R recorded of the same model.

    Structure and names must be the same, numbers agree to 1e-12 of their column. Estimates of a
    fit are two optima of one criterion: ours may be no more than 1e-6 higher than R's, the
    coefficients within a hundredth of their standard errors, theta and sigma within 0.5 %.

    Parameters
    ----------
    design : MixedDesign or FittedModel
        A fit is held against a file of a fitted model, its design included.
    fixture : Fixture
        From `read_fixture`.

    Returns
    -------
    Comparison
        One finding for each component: equal, equal up to order, or different with the
        first differences; and what probably caused them. It is true if all are equal.

    Raises
    ------
    DataError
        If the arguments are something else.

    Examples
    --------
    >>> import lme4py, os, tempfile
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> path = os.path.join(tempfile.mkdtemp(), "m.rds")
    >>> design.export(path, "rds")  # here by us; in a port, R writes it
    >>> report = compare(design, lme4py.read_fixture(path))
    >>> bool(report), report.findings[0].component
    (True, 'X')
    """
    fit = design if hasattr(design, "coefficients") else None
    design = design if fit is None else fit.design
    given: tuple[object, object] = design, fixture
    if not isinstance(given[0], MixedDesign) or not isinstance(given[1], Fixture):
        raise DataError(
            f"compare() takes a design and a fixture, not {type(design).__name__} and "
            f"{type(fixture).__name__}",
            hint='compare(design, lme4py.read_fixture("m.rds"))',
        )
    ours, theirs = components(_recorded(design, fixture)), components(fixture)
    found = tuple(findings(ours, theirs))
    likely = tuple(causes(design, fixture, ours, theirs, found))
    if fit is not None:
        found += tuple(estimates(fit, fixture))
    return Comparison(fixture.name, found, likely, fixture.notes, design.formula.lme4.version)


def compare_either(fixture: Fixture, make: Callable[[str], MixedDesign]) -> Comparison:
    """Compare with what either generation of lme4 makes; return the comparison that is nearer.

    Parameters
    ----------
    fixture : Fixture
    make : callable
        Makes the design as a version of lme4 does.

    Raises
    ------
    Lme4pyError
        If neither can make it.
    """
    found: list[Comparison] = []
    faults: list[Lme4pyError] = []
    for version in fixture.generations:
        try:
            found.append(compare(make(version), fixture))
        except Lme4pyError as error:
            faults.append(error)
        if found and found[-1].equal:
            return found[-1]
    if not found:
        raise faults[0]
    return min(found, key=lambda comparison: len(comparison.different))


def _recorded(design: MixedDesign, fixture: Fixture) -> Fixture:
    """Return a design as R would have recorded it."""
    # A list without the data has its model frame in their place, whose rows are fewer.
    data = None if fixture.data is fixture.frame else fixture.data
    own, family = design_as_list(design), design.family
    terms = own["reTrms"]
    if fixture.fitted:
        # As getME(fit, "Ztlist") has them: a block for each column of a term.
        blocks = {
            f"{group}.{column}": RSparse(block.matrix[at :: len(columns)], names, None)
            for block, (group, columns) in zip(terms["Ztlist"], design.random.cnms, strict=True)
            for at, column in enumerate(columns)
            for names in [block.row_names[at :: len(columns)]]
        }
        theirs = fixture.terms.find("Ztlist", RList)
        unnamed = theirs is not None and theirs.names is None
        terms = terms.put(
            "Ztlist", RList(tuple(blocks.values()), None if unnamed else tuple(blocks))
        )
    names = tuple(row_names(design, None if data is None else data.row_names))
    return replace(
        fixture,
        X=own["X"],
        frame=replace(own["fr"], row_names=names),
        terms=terms,
        model=(own_value(own["y"]), own_value(own["weights"]), own_value(own["offset"])),
        reml=design.reml,
        family=None if family is None else (family.label, family.link),
    )


def findings(ours: Components, theirs: Components) -> Iterator[Finding]:
    """Yield a finding for each component of R's, and for what is ours alone."""

    @cache
    def order(axis: str) -> Order:
        """Return where their elements along an axis stand in ours; None where all stay."""
        found = permutation(ours.labels.get(axis, ()), theirs.labels.get(axis, ()))
        return None if found is None or np.array_equal(found, np.arange(found.size)) else found

    other_rows = False
    for name, expected in theirs.parts.items():
        mine = ours.parts.get(name)
        if other_rows and name.startswith("frame["):
            continue
        if mine is not None:
            labels = [ours.labels.get(axis, ()) for axis in mine.axes]
            found = measure(name, mine.value, expected.value, labels)
            if found.verdict != "equal" and mine.axes:
                found = _up_to_order(found, mine, expected, [order(axis) for axis in mine.axes])
            other_rows |= name == "frame.row_names" and found.verdict == "different"
            yield found
        elif "[" not in name:
            # Of single variables, groups and blocks the names are compared.
            yield Finding(name, "different", "absent, unlike R's")
    for name in ("y", "weights", "offset"):
        if name in ours.parts and name not in theirs.parts and "frame.names" in theirs.parts:
            yield Finding(name, "different", "present, R has none")


def _up_to_order(
    found: Finding, ours: Component, theirs: Component, orders: Sequence[Order]
) -> Finding:
    """Return a finding, "order" where the components agree once they are put in their order."""
    if isinstance(ours.value, list) and found.verdict == "order":
        # Moved elements of their own are no order of the rows or terms.
        found = replace(found, verdict="different")
    if extent(ours.value) != extent(theirs.value) or all(order is None for order in orders):
        return found
    if ours.axes == ("terms",):
        # Where these stand depends on the terms, and so do the numbers of the index.
        what = "follows from the order of the terms"
        ordered = replace(found, verdict="order", summary=what, differences=(), largest=None)
        mine, others = (np.sort(np.asarray(side.value, dtype=float)) for side in (ours, theirs))
        return ordered if isinstance(ours.value, list) or np.array_equal(mine, others) else found
    for places in ((0,), (1,), (0, 1)):
        moved = {at: orders[at] for at in places if at < len(orders) and orders[at] is not None}
        chosen = [moved.get(at) for at in range(len(orders))]
        if not moved:
            continue
        again = measure(found.component, put_in_order(ours.value, chosen), theirs.value)
        if again.verdict != "different":
            axes = dict.fromkeys(_MOVED.get(ours.axes[at], "its rows") for at in moved)
            what = f"{' and '.join(axes)} stand in another order"
            return replace(again, verdict="order", summary=what, differences=())
    return found
