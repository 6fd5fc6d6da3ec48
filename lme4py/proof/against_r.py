"""A design against what R recorded, component by component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lme4py.errors import DataError, Lme4pyError
from lme4py.proof.alignment import Pair
from lme4py.proof.by_rows import row_findings
from lme4py.proof.causes import causes
from lme4py.proof.findings import Comparison, Finding
from lme4py.proof.fixed_part import fixed_findings
from lme4py.proof.fixture import Fixture
from lme4py.proof.measures import compare_texts
from lme4py.proof.random_part import random_findings

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

__all__ = ["compare", "compare_either"]


def compare(design: MixedDesign, fixture: Fixture) -> Comparison:
    """Compare a design with what R recorded of the same model.

    Structure and names must be the same, numbers agree to 1e-12 of their column.

    Parameters
    ----------
    design : MixedDesign
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
    # Whatever has a design's components can be compared.
    given: object = fixture
    if not hasattr(design, "random") or not isinstance(given, Fixture):
        raise DataError(
            f"compare() takes a design and a fixture, not {type(design).__name__} and "
            f"{type(fixture).__name__}",
            hint='compare(design, lme4py.read_fixture("m.rds"))',
        )
    findings = tuple(_findings(Pair(design, fixture)))
    version = design.formula.lme4.version if hasattr(design, "formula") else ""
    comparison = Comparison(fixture.name, findings, (), fixture.notes, version)
    return replace(comparison, causes=tuple(causes(design, fixture, comparison)))


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


def _findings(pair: Pair) -> Iterator[Finding]:
    fixture = pair.fixture
    if fixture.X is not None:
        yield from fixed_findings(pair, fixture.X)
    if fixture.frame is not None:
        yield from row_findings(pair, fixture.frame)
    yield from random_findings(pair, fixture.terms)
    yield from _kind(pair)


def _kind(pair: Pair) -> Iterator[Finding]:
    fixture, design = pair.fixture, pair.design
    if fixture.family is None:
        if fixture.reml is not None:
            yield compare_texts("reml", [design.reml], [fixture.reml])
        return
    family = design.family
    ours = str(getattr(family, "name", family)), getattr(family, "link", fixture.family[1])
    yield compare_texts("family", [ours[0].split("(")[0], ours[1]], fixture.family)
