"""What a comparison with R found: a finding for each component, and the report of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from lme4py.explain.markup.page import Definitions, Page, Paragraph, Passage, Table, code

Verdict: TypeAlias = Literal["equal", "order", "different"]

TOLERANCE = 1e-12
_SHOWN = 3
_WORDS: dict[Verdict, str] = {
    "equal": "equal",
    "order": "equal up to order",
    "different": "DIFFERENT",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two components differ.

    Parameters
    ----------
    place : str
        Position counting from 0, and its names.
    ours, theirs : str
        The two values.
    """

    place: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.place}{': ' if self.place else ''}{self.ours}, R has {self.theirs}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One component compared.

    Parameters
    ----------
    component : str
        As `MixedDesign` calls it: ``X``, ``random.Zt``, ``flist['g']``.
    verdict : {"equal", "order", "different"}
    summary : str
        What differs, or which order.
    differences : tuple of Difference
        The first of them.
    size : str
        What was compared: ``180 x 2``.
    largest : float or None
        The largest difference of numbers, as a share of the largest number of their column (of
        a sparse matrix: of the matrix); None for what is compared exactly.
    """

    component: str
    verdict: Verdict
    summary: str = ""
    differences: tuple[Difference, ...] = ()
    size: str = ""
    largest: float | None = None

    @property
    def apart(self) -> str:
        """The largest difference in writing."""
        if self.largest is None:
            return "exact" if self.verdict == "equal" else ""
        return f"{self.largest:.1g}"

    def told(self) -> list[str]:
        """Return the summary and the first differences as texts."""
        return [part for part in (self.summary, *map(str, self.differences[:_SHOWN])) if part]

    def __str__(self) -> str:
        return f"{self.component}: {'; '.join(self.told()) or _WORDS[self.verdict]}"


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A design compared with R's.

    Parameters
    ----------
    name : str
        The fixture's.
    findings : tuple of Finding
        In the order of the components.
    causes : tuple of str
        What probably lies behind the differences, the likeliest first.
    notes : tuple of str
        What could not be compared, and what the fixture does not tell.
    lme4 : str
        The version of lme4 that the design follows.
    """

    name: str
    findings: tuple[Finding, ...]
    causes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lme4: str = ""

    @property
    def equal(self) -> bool:
        """Whether every component is equal, order included."""
        return all(finding.verdict == "equal" for finding in self.findings)

    @property
    def different(self) -> tuple[Finding, ...]:
        """The findings that are not equal."""
        return tuple(finding for finding in self.findings if finding.verdict != "equal")

    def __bool__(self) -> bool:
        return self.equal

    def __repr__(self) -> str:
        return f"<Comparison with {self.headline}>"

    @property
    def headline(self) -> str:
        """The verdict on one line."""
        count, unequal = len(self.findings), len(self.different)
        if unequal:
            return f"{self.name}: {unequal} of {count} components differ from R's"
        version = f", as lme4 {self.lme4} makes them" if self.lme4 else ""
        return f"{self.name}: all {count} components equal R's{version}"

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int = 88) -> str:
        """Return the report as plain text.

        Parameters
        ----------
        width : int, default 88
            Characters of a line.

        Returns
        -------
        str

        Examples
        --------
        >>> Comparison("m.rds", ()).text(60)[:16]
        'm.rds: all 0 com'
        """
        return self._page().text(width)

    def _repr_html_(self) -> str:
        return self._page().html()

    def _page(self) -> Page:
        rows = [
            [code(found.component), found.size, found.apart, _WORDS[found.verdict]]
            for found in self.findings
        ]
        told = [
            *((code(finding.component), finding.told()) for finding in self.different),
            ("likely causes", self.causes),
            ("notes", self.notes),
        ]
        passages: list[Passage] = [
            Paragraph(self.headline),
            Paragraph(
                f"Equal means: numbers to {TOLERANCE:g} of the largest in their column (of a "
                "sparse matrix: in the matrix), which is the share below; all else exactly."
            ),
            Table(["component", "size", "largest difference", "verdict"], rows, {2}),
        ]
        return Page([*passages, *(Definitions([item]) for item in told if item[1])])

    def record(self) -> dict[str, Any]:
        """Return the report in JSON's own types.

        Returns
        -------
        dict

        Examples
        --------
        >>> Comparison("m.rds", ()).record()["equal"]
        True
        """
        return {
            "name": self.name,
            "equal": self.equal,
            "tolerance": TOLERANCE,
            "lme4": self.lme4,
            "components": [
                {
                    "component": finding.component,
                    "verdict": finding.verdict,
                    "size": finding.size,
                    # Beside a column of zeros any number is infinitely large.
                    "largest": None if finding.largest == math.inf else finding.largest,
                    "summary": finding.summary,
                    "differences": [
                        {"place": item.place, "here": item.ours, "R": item.theirs}
                        for item in finding.differences
                    ],
                }
                for finding in self.findings
            ],
            "causes": list(self.causes),
            "notes": list(self.notes),
        }
