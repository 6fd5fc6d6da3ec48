"""Equations under headings, ready to be shown as text, LaTeX or HTML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

from lme4py.explain.expression import Relation, Symbol
from lme4py.explain.notation import Written
from lme4py.explain.render_latex import Latex, escaped
from lme4py.explain.render_mathml import MathML
from lme4py.explain.render_text import Text

__all__ = ["Display", "Section", "Shown"]


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
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


@dataclass(frozen=True, slots=True)
class Section:
    """Equations that belong together.

    Parameters
    ----------
    title : str
        The heading, "" for none.
    relations : tuple of Relation
        The equations.
    write : callable
        How symbols are written in them.
    notes : tuple of str
        Sentences below them.
    """

    title: str
    relations: tuple[Relation, ...]
    write: Callable[[Symbol], Written]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Display(Shown):
    """Sections of equations; ``str()`` and a notebook show them.

    Parameters
    ----------
    sections : tuple of Section
        What is shown.
    digits : int
        Significant digits of numbers.
    terms_per_line : int, optional
        Break sums after that many terms.
    """

    sections: tuple[Section, ...]
    digits: int = 4
    terms_per_line: int | None = None

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The equations as trees."""
        return tuple(relation for section in self.sections for relation in section.relations)

    def text(self) -> str:
        """Return the equations as Unicode text."""
        return "\n\n".join(self._text_of(section) for section in self.sections)

    def _text_of(self, section: Section) -> str:
        renderer = Text(section.write, self.digits)
        lines = [section.title] if section.title else []
        indent = "  " if section.title else ""
        for relation in section.relations:
            rendered = renderer.relation(relation, self.terms_per_line)
            lines += [(indent + line).rstrip() for line in rendered]
        lines += [indent + note for note in section.notes]
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the equations as one ``aligned`` environment, without dollar signs."""
        lines = [line for section in self.sections for line in self._latex_of(section)]
        body = " \\\\\n".join(lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def _latex_of(self, section: Section) -> Iterator[str]:
        renderer = Latex(section.write, self.digits)
        if section.title:
            yield f"&\\textbf{{{escaped(section.title)}}}"
        for relation in section.relations:
            yield from renderer.relation(relation, self.terms_per_line)
        for note in section.notes:
            yield f"&\\text{{{escaped(note)}}}"

    def html(self) -> str:
        """Return the equations as HTML with MathML."""
        parts = []
        for section in self.sections:
            renderer = MathML(section.write, self.digits)
            if section.title:
                parts.append(f"<p><strong>{escape(section.title)}</strong></p>")
            rows = "".join(
                row
                for relation in section.relations
                for row in renderer.relation(relation, self.terms_per_line)
            )
            if rows:
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
                parts.append(f"**{_plain_markdown(section.title)}**")
            if section.relations:
                bare = Section("", section.relations, section.write)
                shown = Display((bare,), self.digits, self.terms_per_line)
                parts.append(f"$$\n{shown.latex()}\n$$")
            parts += [_plain_markdown(note) for note in section.notes]
        return "\n\n".join(parts)


def _plain_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|$" else c for c in text)
