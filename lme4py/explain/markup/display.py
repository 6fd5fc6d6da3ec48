"""What shows itself: equations under headings, as text, LaTeX, HTML and Markdown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from html import escape

from lme4py.explain.expression import Quantity, Relation
from lme4py.explain.markup.formats import LATEX, MATHML, TEXT, escaped
from lme4py.explain.markup.typesetting import Format, Typesetter, Written

__all__ = ["Display", "Section", "Shown", "head_of"]

_MOST_LINES = 24


class Shown(ABC):
    """What ``str()`` shows as text, and a notebook as HTML or LaTeX."""

    __slots__ = ()

    @abstractmethod
    def text(self) -> str:
        """Return Unicode text."""

    @abstractmethod
    def latex(self) -> str:
        """Return LaTeX, without dollar signs."""

    @abstractmethod
    def html(self) -> str:
        """Return HTML with MathML."""

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return head_of(self.text())

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


def head_of(text: str) -> str:
    """Return a page as ``repr()`` shows it: a long one is cut."""
    lines = text.split("\n")
    if len(lines) <= _MOST_LINES:
        return text
    rest = len(lines) - _MOST_LINES + 1
    return "\n".join([*lines[: _MOST_LINES - 1], f"... {rest} more lines: print() shows them"])


@dataclass(frozen=True, slots=True, repr=False)
class Section:
    """Equations that belong together.

    Parameters
    ----------
    title : str
        The heading, "" for none.
    relations : tuple of Relation
        The equations.
    stage : int
        The stage of the hierarchy at which they are read: notations leave out its index.
    notes : tuple of str
        Sentences below them.
    """

    title: str
    relations: tuple[Relation, ...]
    stage: int = 0
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Section: {self.title or 'untitled'}, {len(self.relations)} equations>"


@dataclass(frozen=True, slots=True, repr=False)
class Display(Shown):
    """Sections of equations; ``str()`` and a notebook show them.

    Parameters
    ----------
    sections : tuple of Section
        What is shown.
    write : callable
        How a quantity is written in an equation of a stage.
    digits : int
        Significant digits of numbers.
    terms_per_line : int, optional
        Break sums after that many terms.
    """

    sections: tuple[Section, ...]
    write: Callable[[Quantity, int], Written]
    digits: int = 4
    terms_per_line: int | None = None

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The equations as trees."""
        return tuple(relation for section in self.sections for relation in section.relations)

    def _lines(self, section: Section, form: Format) -> list[str]:
        setter = Typesetter(form, partial(self._written, section.stage), self.digits)
        return [
            line
            for relation in section.relations
            for line in setter.lines(relation, self.terms_per_line)
        ]

    def _written(self, stage: int, quantity: Quantity) -> Written:
        return self.write(quantity, stage)

    def text(self) -> str:
        """Return the equations as Unicode text."""
        pages = []
        for section in self.sections:
            indent = "  " if section.title else ""
            lines = [*self._lines(section, TEXT), *section.notes]
            page = [section.title] if section.title else []
            pages.append("\n".join(page + [(indent + line).rstrip() for line in lines]))
        return "\n\n".join(pages)

    def latex(self) -> str:
        """Return the equations as one ``aligned`` environment, without dollar signs."""
        lines: list[str] = []
        for section in self.sections:
            lines += [f"&\\textbf{{{escaped(section.title)}}}"] if section.title else []
            lines += self._lines(section, LATEX)
            lines += [f"&\\text{{{escaped(note)}}}" for note in section.notes]
        body = " \\\\\n".join(lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def html(self) -> str:
        """Return the equations as HTML with MathML."""
        parts = []
        for section in self.sections:
            if section.title:
                parts.append(f"<p><strong>{escape(section.title)}</strong></p>")
            if rows := "".join(self._lines(section, MATHML)):
                parts.append(
                    '<div style="overflow-x:auto">'
                    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
                    f'<mtable displaystyle="true">{rows}</mtable></math></div>'
                )
            parts += [f"<p>{escape(note)}</p>" for note in section.notes]
        return f"<div>{''.join(parts)}</div>"

    def markdown(self) -> str:
        """Return the equations as Markdown with LaTeX between double dollar signs."""
        parts = []
        for section in self.sections:
            if section.title:
                parts.append(f"**{_escaped_markdown(section.title)}**")
            if section.relations:
                bare = replace(self, sections=(replace(section, title="", notes=()),))
                parts.append(bare._repr_latex_())
            parts += [_escaped_markdown(note) for note in section.notes]
        return "\n\n".join(parts)


def _escaped_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|$" else c for c in text)
