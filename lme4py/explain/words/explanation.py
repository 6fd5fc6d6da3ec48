"""A model told in words: what each part of the formula adds, and where it stands.

For every part of the formula: what it adds to the model, the level at which it acts, the columns
of X, rows of Zt and elements of theta it makes. Columns that stand both in X and in Z are pointed
out: X holds the mean, Z the deviations from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lme4py.argument_types import count_of
from lme4py.design import MixedDesign
from lme4py.explain.markup.page import Heading, Page, Paragraph, Prose, Table, code, one_line
from lme4py.explain.words.parts import (
    MOST_NAMES,
    Reading,
    fixed_part,
    joined,
    random_coefficients,
    random_part,
    spans,
    written,
)
from lme4py.formula.deparse import deparse

__all__ = ["Explanation", "explain", "overview"]

_MOST_ROWS = 29


@dataclass(frozen=True, repr=False)
class Explanation:
    """A model in words, in three renderings of the same content; each is made when asked for.

    Parameters
    ----------
    page : Page
        The content.
    width : int
        Characters of a line of text.
    """

    page: Page
    width: int

    @property
    def text(self) -> str:
        """For a terminal; also ``str()``."""
        return self.page.text(self.width)

    @property
    def markdown(self) -> str:
        """For a document."""
        return self.page.markdown()

    @property
    def html(self) -> str:
        """For a notebook, which shows it by itself."""
        return self.page.html()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        formula, *rest = self.text.split("\n")
        return f"<Explanation of {formula}: print() shows its {len(rest)} lines>"

    def _repr_html_(self) -> str:
        return self.html


def explain(
    design: MixedDesign, *, width: int = 88, notation: str = "raudenbush-bryk"
) -> Explanation:
    """Tell the model in words, term by term: ``design.explain``."""
    width = count_of("width", width, 0)
    reading = Reading(design, notation)
    page = Page(
        [
            Heading(code(one_line(str(design.formula))), 1),
            Paragraph(_opening(reading)),
            overview(reading),
            Paragraph(_levels(reading)),
            Heading("Fixed part: X β"),
            *fixed_part(reading),
            Heading("Random part: Z b"),
            *random_part(reading),
            *random_coefficients(reading),
        ]
    )
    return Explanation(page, width)


def _opening(reading: Reading) -> Prose:
    """Return the equation, and what its parts are."""
    design, family = reading.design, reading.design.family
    offset = " + offset" if design.offset is not None else ""
    if family is None:
        equation = f"y = X β + Z b{offset} + ε"
        spread = "ε between observations"
    else:
        equation = f"g(E[y]) = X β + Z b{offset}"
        spread = (
            f"the {family.label} distribution between observations, with link g = {family.link}"
        )
    node = design.formula.response
    response = code("the response" if node is None else one_line(deparse(node)))
    said = (
        f"{reading.rows:,} observations of {response}: {code(equation)}. "
        "X β is the part that all groups share, Z b what each group adds to it, "
        f"{spread}. One column of X for each element of β ({design.X.shape[1]:,}), one "
        f"column of Z (a row of Zt) for each element of b ({design.random.Zt.shape[0]:,})."
    )
    if design.weights is not None and family is None:
        said += " Weights divide the variance of each observation."
    return said


def overview(reading: Reading) -> Table:
    """Return the table of parts: where each acts and what it makes."""
    rows: list[Sequence[Prose]] = []
    for number, label in reading.numbered_terms[:_MOST_ROWS]:
        columns = reading.columns(number)
        effects, places = ", ".join(reading.symbols(columns)), spans([c.place for c in columns])
        rows.append([code(label), _acts_at(reading, number), effects, places, "", ""])
    rest = len(reading.numbered_terms) - _MOST_ROWS
    rows += [[f"... {rest} more", *[""] * 5]] if rest > 0 else []
    random, theta = reading.design.random, 0
    for k, term in enumerate(random.terms):
        acts_at = reading.level(term.bar.group_name)
        effects = ", ".join(reading.symbols(reading.random_columns(k)))
        of_Zt = range(*map(int, random.Gp[k : k + 2]))
        of_theta = range(theta, theta + term.covariance.parameters)
        rows.append([code(written(term)), acts_at, effects, "", spans(of_Zt), spans(of_theta)])
        theta = of_theta.stop
    return Table(["part", "acts at", "effects", "columns of X", "rows of Zt", "theta"], rows)


def _acts_at(reading: Reading, number: int) -> Prose:
    """Return the level of a fixed term: that of its variables that change fastest."""
    if number == 0:
        return "all observations"
    atoms = [atom for found in reading.columns(number)[:1] for atom in found.atoms]
    factors = dict.fromkeys(atom.factors[0] for atom in atoms if atom.factors)
    if not factors:
        return "level 1: observations"
    lower = ["level 1"] if any(not atom.factors for atom in atoms) else []
    return " × ".join([*lower, *map(reading.level, factors)])


def _levels(reading: Reading) -> Prose:
    """Return which levels there are, and how the grouping factors lie to each other."""
    factors, above = reading.hierarchy.factors, reading.hierarchy.above
    stage = reading.hierarchy.stage
    said = [f"Level 1 is the observation ({reading.rows:,})."]
    for place in reading.hierarchy.from_stage(1):
        group = factors[place]
        counts = np.bincount(group.codes[group.codes >= 0], minlength=group.size)
        few, many = int(counts.min()), int(counts.max())
        each = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        outer = joined([code(other) for other in above[place]]) if above[place] else ""
        said.append(
            f"Level {1 + stage[place]} is {code(group.name)}: {group.size:,} groups of "
            f"{each} observation{'' if many == 1 else 's'}"
            f"{f', each inside one {outer}' if outer else ''}."
        )
    crossed = [
        (one, other)
        for one, other in combinations(factors, 2)
        if other not in above[one] and one not in above[other]
    ]
    said += [
        f"{code(one)} and {code(other)} are crossed: neither lies in the other."
        for one, other in crossed[:MOST_NAMES]
    ]
    places = reading.system.places.items()
    found = [(name, place) for name, place in places if place is not None]
    said += [f"{code(name)} is constant within each {code(g)}." for name, g in found[:MOST_NAMES]]
    if len(found) > MOST_NAMES:
        said.append(f"{len(found) - MOST_NAMES} more variables are constant within groups.")
    return " ".join(said)
