"""A design as the words see it: terms with their columns, levels, and phrases for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lme4py.data.values import Numeric, Value
from lme4py.design import MixedDesign
from lme4py.explain.expression import Quantity, Relation
from lme4py.explain.hierarchy import GroupingFactor
from lme4py.explain.markup.page import Definitions, Paragraph, Passage, Prose, code, one_line
from lme4py.explain.markup.typesetting import Typesetter
from lme4py.explain.monomials import fixed_terms
from lme4py.explain.notation import notation_of
from lme4py.explain.system import system
from lme4py.formula.deparse import deparse
from lme4py.formula.terms import Terms
from lme4py.matrices.randomterm import RandomTerm

__all__ = [
    "MOST_NAMES",
    "MOST_TERMS",
    "Reading",
    "definitions",
    "joined",
    "listed",
    "spans",
    "written",
]

MOST_NAMES = 6
MOST_TERMS = 30


class Reading:
    """A design with its equations, whose symbols the words have.

    Parameters
    ----------
    design : MixedDesign
        The model.
    notation : {"raudenbush-bryk", "gelman-hill"}
        How these are written.
    """

    def __init__(self, design: MixedDesign, notation: str = "raudenbush-bryk") -> None:
        self.design = design
        self.rows: int = design.X.shape[0]
        self.fixed_terms = fixed_terms(design)
        self.system = system(design)
        self.hierarchy = self.system.hierarchy
        self._setter = Typesetter(notation_of(self.hierarchy, notation).write)
        columns = (*self.system.fixed, *self.system.random)
        self._names = {found.effect: found.name for found in columns}
        response = design.formula.response
        self.response = "the response" if response is None else one_line(deparse(response))

    def symbol(self, quantity: Quantity) -> Prose:
        """Return a quantity as the equations write it."""
        return code(self._setter.inline(quantity))

    def line(self, relation: Relation) -> str:
        """Return an equation as it is written."""
        (line,) = self._setter.lines(relation)
        return line

    def column(self, effect: Quantity) -> str:
        """Return R's name of the column that an effect is the coefficient of."""
        return self._names[effect]

    def effects(self, term: int | RandomTerm) -> list[Quantity]:
        """Return the effects of a fixed term by its number, or of a random term."""
        if isinstance(term, int):
            return [self.system.fixed[column].effect for column in self.columns(term)]
        place = self.design.random.terms.index(term)
        return [found.effect for found in self.system.random if found.term == place]

    def group(self, term: RandomTerm) -> GroupingFactor:
        """Return the grouping factor of a term."""
        return self.hierarchy.factors[self.hierarchy.position(term.bar.group_name)]

    def level(self, group: str) -> int:
        """Return the level of a grouping factor; the observations are level 1."""
        return 1 + self.hierarchy.stage[self.hierarchy.position(group)]

    def value(self, name: str) -> Value | None:
        """Return a variable, or None."""
        return self.design.model_frame.get(name)

    def is_number(self, name: str) -> bool:
        """Tell whether a variable is one of numbers."""
        value = self.value(name)
        return isinstance(value, Numeric) and value.kind != "logical"

    @property
    def numbered_terms(self) -> list[tuple[int, str]]:
        """The terms of the fixed part with R's numbers; the intercept is term 0."""
        labels = list(enumerate(self.fixed_terms.labels, start=1))
        return [(0, "1"), *labels] if self.fixed_terms.intercept else labels

    def columns(self, term: int) -> list[int]:
        """Return the columns of X that a term makes; term 0 is the intercept."""
        return np.flatnonzero(self.design.fixed.assign == term).tolist()

    def column_names(self, term: int) -> list[str]:
        """Return the names of these columns."""
        return [self.design.fixed.names[column] for column in self.columns(term)]

    def variables(self, term: int) -> list[str]:
        """Return the variables of a term of the fixed part."""
        return _variables(self.fixed_terms, self.fixed_terms.members[term - 1]) if term else []

    def beside(self, term: int) -> list[str]:
        """Return what else stands in the terms that hold all of a term's variables."""
        members = self.fixed_terms.members
        own = members[term - 1]
        larger = [member for member in members if member != own and member & own == own]
        names = (name for member in larger for name in _variables(self.fixed_terms, member & ~own))
        return list(dict.fromkeys(names))

    def atoms(self, term: int) -> tuple[tuple[Quantity, ...], tuple[Quantity, ...]]:
        """Return what the columns of a term multiply: of the observations, and of groups."""
        columns = self.columns(term)
        found = self.system.fixed[columns[0]].atoms if columns else ()
        return tuple(a for a in found if not a.factors), tuple(a for a in found if a.factors)


def _variables(expanded: Terms, member: int) -> list[str]:
    return [expanded.frame_names[i] for i in expanded.positions(member)]


def spans(columns: Sequence[int]) -> str:
    """Return positions as ranges, their ends included: 0 to 3, 7."""
    breaks = [k for k in range(1, len(columns)) if columns[k] != columns[k - 1] + 1]
    ends = zip([0, *breaks], [*breaks, len(columns)], strict=True) if columns else ()
    runs = [(columns[begin], columns[end - 1]) for begin, end in ends]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs) or "none"


def definitions(told: Sequence[tuple[Prose, Iterable[Prose]]], what: str) -> Iterator[Passage]:
    """Yield what is told of each thing; those beyond a number are counted."""
    yield Definitions([(label, list(said)) for label, said in told[:MOST_TERMS]])
    if len(told) > MOST_TERMS:
        yield Paragraph(f"... and {len(told) - MOST_TERMS} more {what}.")


def joined(parts: Sequence[Prose]) -> Prose:
    """Return parts in a row: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def listed(names: Sequence[str], most: int = MOST_NAMES) -> Prose:
    """Return names as code, the middle of a long list left out."""
    if len(names) <= most:
        return joined([code(name) for name in names])
    shown = [code(name) for name in names[: most - 2]]
    return ", ".join([*shown, f"... {len(names) - most + 1} more ...", code(names[-1])])


def written(term: RandomTerm) -> str:
    """Return a term with its bars expanded and its structure named."""
    structure = "" if term.covariance.name == "us" else term.covariance.name
    return f"{structure}({one_line(term.bar.label)})"
