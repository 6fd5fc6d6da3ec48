"""A design against what R recorded, component by component.

The design is written as R's own list, as for an ``.rds`` file, and both lists are taken apart by
the same rules; so there is one comparison for all components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError
from lme4py.export.to_rds import design_as_list, row_names
from lme4py.proof.causes import causes
from lme4py.proof.components import components
from lme4py.proof.findings import Comparison
from lme4py.proof.fit_findings import estimates
from lme4py.proof.fixture import Fixture
from lme4py.proof.measures import findings
from lme4py.rfiles.rvalues import RList, RSparse


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
    fit = design if hasattr(design, "fixef") else None
    design = design if fit is None else fit.design
    given: tuple[object, object] = design, fixture
    if not isinstance(given[0], MixedDesign) or not isinstance(given[1], Fixture):
        raise DataError(
            f"compare() takes a design and a fixture, not {type(design).__name__} and "
            f"{type(fixture).__name__}",
            hint='compare(design, lme4py.read_fixture("m.rds"))',
        )
    # The numbers of a record may be any.
    with np.errstate(all="ignore"):
        ours, theirs = components(_recorded(design, fixture)), components(fixture)
        found = tuple(findings(ours, theirs))
        likely = tuple(causes(design, fixture, ours, theirs, found))
    if fit is not None:
        found += tuple(estimates(fit, fixture))
    return Comparison(fixture.name, found, likely, fixture.notes, design.formula.lme4.version)


def compare_either(fixture: Fixture, make: Callable[[str], MixedDesign]) -> Comparison:
    """Compare with what either generation of lme4 makes; return the comparison that is nearer.

    `make` makes the design as a version of lme4 does; its error is raised if neither can be made.
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
    names = row_names(design, None if data is None else data.row_names)
    return replace(
        fixture,
        X=own["X"],
        frame=replace(own["fr"], row_names=tuple(names)),
        terms=terms,
        model=(design.y, design.weights, design.offset),
        reml=design.reml,
        family=None if family is None else (family.label, family.link),
    )
