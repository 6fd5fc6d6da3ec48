"""A design as the words see it: terms with their columns, levels, and phrases for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lme4py.data.values import Numeric
from lme4py.design import MixedDesign
from lme4py.explain.expression import Tree, shortened
from lme4py.explain.markup.page import Definitions, Paragraph, Passage, Prose, code, one_line
from lme4py.explain.system import ColumnProduct, fixed_terms, system
from lme4py.matrices.randomterm import RandomTerm

MOST_NAMES = 6
_MOST_TERMS = 30


class Reading:
    """A design with its equations, whose symbols the words have."""

    def __init__(self, design: MixedDesign, notation: str = "raudenbush-bryk") -> None:
        self.design = design
        self.rows: int = design.X.shape[0]
        self.fixed_terms = fixed_terms(design)
        self.system = system(design)
        self.hierarchy = self.system.hierarchy
        self._setter = self.system.notation(notation).setter()

    def symbol(self, tree: Tree) -> Prose:
        """Return a quantity, or an equation, as the equations write it."""
        return code(self._setter.inline(tree))

    def symbols(self, columns: Iterable[ColumnProduct]) -> list[Prose]:
        """Return the effects of columns, the middle of many left out."""
        return shortened([self.symbol(found.effect) for found in columns], 3, "…")

    def level(self, factor: int) -> Prose:
        """Return the level of a grouping factor with its name; the observations are level 1."""
        name = self.hierarchy.factors[factor].name
        return f"level {1 + self.hierarchy.stage[factor]}: {code(name)}"

    def is_number(self, name: str) -> bool:
        """Tell whether a variable is one of numbers."""
        value = self.design.model_frame.get(name)
        return isinstance(value, Numeric) and value.kind != "logical"

    @property
    def numbered_terms(self) -> list[tuple[int, str]]:
        """The terms of the fixed part with R's numbers; the intercept is term 0."""
        labels = list(enumerate(self.fixed_terms.labels, start=1))
        return [(0, "1"), *labels] if self.fixed_terms.intercept else labels

    def places(self, term: int) -> list[int]:
        """Return which columns of X a term makes."""
        return np.flatnonzero(self.design.fixed.assign == term).tolist()

    def columns(self, term: int) -> list[ColumnProduct]:
        """Return these columns."""
        return [self.system.fixed[place] for place in self.places(term)]

    def random_columns(self, term: int) -> list[ColumnProduct]:
        """Return the columns of a term of the random part, by its position."""
        return [found for found in self.system.random if found.term == term]

    def variables(self, member: int) -> list[str]:
        """Return the variables of a member of the terms of the fixed part."""
        names = self.fixed_terms.frame_names
        return [names[place] for place in self.fixed_terms.positions(member)]


def spans(columns: Sequence[int]) -> str:
    """Return positions as ranges, their ends included: 0 to 3, 7."""
    breaks = [k for k in range(1, len(columns)) if columns[k] != columns[k - 1] + 1]
    ends = zip([0, *breaks], [*breaks, len(columns)], strict=True) if columns else ()
    runs = [(columns[begin], columns[end - 1]) for begin, end in ends]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs) or "none"


def definitions(told: Sequence[tuple[Prose, Iterable[Prose]]], what: str) -> Iterator[Passage]:
    """Yield what is told of each thing; those beyond a number are counted."""
    yield Definitions([(label, list(said)) for label, said in told[:_MOST_TERMS]])
    if len(told) > _MOST_TERMS:
        yield Paragraph(f"... and {len(told) - _MOST_TERMS} more {what}.")


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
