"""What a comparison with R found: a finding for each component, and the report of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from lme4py.explain.markup.page import Definitions, Page, Paragraph, Table, code

__all__ = ["Comparison", "Difference", "Finding", "Verdict"]

Verdict: TypeAlias = Literal["equal", "order", "different"]

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
    """

    component: str
    verdict: Verdict
    summary: str = ""
    differences: tuple[Difference, ...] = ()

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
        return f"<Comparison with {self._headline()}>"

    def _headline(self) -> str:
        count, unequal = len(self.findings), len(self.different)
        if unequal:
            return f"{self.name}: {unequal} of {count} components differ from R's"
        version = f", as lme4 {self.lme4} makes them" if self.lme4 else ""
        return f"{self.name}: all {count} components equal R's{version}"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        yield self._headline()
        width = max((len(finding.component) for finding in self.findings), default=0)
        yield ""
        for finding in self.findings:
            head = f"  {finding.component:<{width}}  {_WORDS[finding.verdict]}"
            yield head + (f": {finding.summary}" if finding.summary else "")
            for difference in finding.differences[:_SHOWN]:
                yield f"  {'':<{width}}    {difference}"
        for title, texts in (("likely causes", self.causes), ("notes", self.notes)):
            if texts:
                yield ""
                yield title
                yield from (f"  - {text}" for text in texts)

    def _repr_html_(self) -> str:
        rows = [
            [code(finding.component), _WORDS[finding.verdict], "; ".join(finding.told())]
            for finding in self.findings
        ]
        remarks = (("Likely causes", self.causes), ("Notes", self.notes))
        return Page(
            [
                Paragraph(self._headline()),
                Table(["component", "verdict", "what"], rows),
                Definitions([(title, texts) for title, texts in remarks if texts]),
            ]
        ).html()

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
            "lme4": self.lme4,
            "components": [
                {
                    "component": finding.component,
                    "verdict": finding.verdict,
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
