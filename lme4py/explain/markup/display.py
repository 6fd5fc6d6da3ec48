"""What shows itself: equations under headings, as text, LaTeX, HTML and Markdown."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from typing import TypeAlias

from lme4py.argument_types import choice_of, count_of
from lme4py.explain.expression import Operation, Tree, operands_of
from lme4py.explain.markup.formats import LATEX, MARKDOWN, MATHML, TEXT, Format
from lme4py.explain.markup.typesetting import Typesetter

Note: TypeAlias = str | Sequence[str | Tree]
"""A sentence below equations; symbols may stand in it."""

_MOST_LINES = 10
_WORD = re.compile(r"\S+\s*|\s+")
_BLOCK = (
    '<div style="overflow-x:auto"><math xmlns="http://www.w3.org/1998/Math/MathML" '
    'display="block"><mtable displaystyle="true">{}</mtable></math></div>'
)


class Shown(ABC):
    """What ``str()`` shows as text, and a notebook as mathematics.

    A notebook is handed Markdown and LaTeX, which its own MathJax or KaTeX sets in type. HTML
    with MathML, for pages of one's own, is what `html` returns: a notebook that is not trusted
    strips it.
    """

    __slots__ = ()

    @abstractmethod
    def display(self) -> Display:
        """Return what is shown."""

    def text(self, width: int | None = None) -> str:
        """Return the equations as Unicode text; lines longer than `width` are continued below."""
        shown, text = self.display(), ""
        if width is not None:
            shown = replace(shown, width=max(count_of("width", width, 1), 30))
        most = 10**9 if shown.width is None else shown.width
        for section, equations, notes in shown.written(TEXT):
            title, indent = section.title, "  " if section.title else ""
            lines = _folded([title], most) if title else []
            lines += ["-" * min(len(title), most)] if section.heads else []
            for block in [*equations, *([note.rstrip()] for note in notes)]:
                lines += [indent + line for line in _folded(block, most - len(indent))]
            text += "\n".join(line.rstrip() for line in lines) + ("\n" if section.heads else "\n\n")
        return text.rstrip("\n")

    def latex(self, environment: str = "aligned") -> str:
        r"""Return the equations as one environment of LaTeX.

        Parameters
        ----------
        environment : {"aligned", "align*"}
            For mathematics between dollar signs, or for a page of a document: with
            ``\allowdisplaybreaks``, it goes on on the next.
        """
        choice_of("environment", environment, ("aligned", "align*"))
        lines: list[str] = []
        for section, equations, notes in self.display().written(LATEX):
            lines += [f"&\\textbf{{{LATEX.words(section.title)}}}"] if section.title else []
            lines += [*chain(*equations), *(f"&{note}" for note in notes)]
        return _environment(environment, lines)

    def html(self) -> str:
        """Return the equations as HTML with MathML."""
        parts = []
        for section, equations, notes in self.display().written(MATHML):
            if section.title:
                frame = "<h4>{}</h4>" if section.heads else "<p><strong>{}</strong></p>"
                parts.append(frame.format(escape(section.title)))
            if equations:
                parts.append(_BLOCK.format("".join(chain(*equations))))
            parts += [f"<p>{note}</p>" for note in notes]
        return f"<div>{''.join(parts)}</div>"

    def markdown(self) -> str:
        """Return the equations as Markdown with LaTeX between double dollar signs."""
        parts = []
        for section, equations, notes in self.display().written(MARKDOWN):
            if section.title:
                frame = "### {}" if section.heads else "**{}**"
                parts.append(frame.format(MARKDOWN.words(section.title)))
            if equations:
                parts.append(f"$$\n{_environment('aligned', chain(*equations))}\n$$")
            parts += notes
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        lines = self.text().split("\n")
        if len(lines) <= _MOST_LINES:
            return "\n".join(lines)
        rest = len(lines) - _MOST_LINES + 1
        return "\n".join([*lines[: _MOST_LINES - 1], f"... {rest} more lines: print() shows them"])

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


@dataclass(frozen=True, slots=True, repr=False)
class Section:
    """Equations that belong together."""

    title: str  # "" for none
    relations: tuple[Operation, ...] = ()
    stage: int = 0  # of the hierarchy, at which they are read: notations leave out its index
    notes: tuple[Note, ...] = ()  # below them
    heads: bool = False  # whether the title is the heading of the sections that follow, too
    most: int | None = None  # rows and columns of a matrix; else its middle is left out

    def __repr__(self) -> str:
        return f"<Section: {self.title or 'untitled'}, {len(self.relations)} equations>"


@dataclass(frozen=True, slots=True, repr=False)
class Display(Shown):
    """Sections of equations; ``str()`` and a notebook show them.

    Parameters
    ----------
    sections : tuple of Section
        What is shown.
    setter : Typesetter
        How trees are written.
    terms_per_line : int, optional
        Break sums after that many terms.
    width : int, optional
        Without `terms_per_line`, break them where the line, as text, has so many characters.
    """

    sections: tuple[Section, ...]
    setter: Typesetter
    terms_per_line: int | None = None
    width: int | None = None

    @property
    def relations(self) -> tuple[Operation, ...]:
        """The equations as trees."""
        return tuple(relation for section in self.sections for relation in section.relations)

    def display(self) -> Display:
        """Return the display itself."""
        return self

    def written(self, form: Format) -> Iterator[tuple[Section, list[list[str]], list[str]]]:
        """Yield each section with the lines of each of its equations, and those of its notes."""
        words, symbol = form.frames
        # A page breaks its own lines; equations do not.
        broken = form in (TEXT, LATEX) and self.width is not None
        for section in self.sections:
            plain = replace(self.setter, stage=section.stage, most=section.most)
            setter = replace(plain, form=form)
            equations = [setter.lines(r, self._starts(r, plain)) for r in section.relations]
            notes = [
                "".join(
                    words.format(form.words(part))
                    if isinstance(part, str)
                    else symbol.format(setter.inline(part))
                    for part in line
                )
                for note in section.notes
                for line in _wrapped(note, plain, (self.width or 0) - 2 if broken else 10**9)
            ]
            yield section, equations, notes

    def _starts(self, relation: Operation, plain: Typesetter) -> Sequence[int]:
        """Return which terms of a sum begin a line, the same in all formats."""
        if self.terms_per_line is not None:
            return range(0, max(len(operands_of("+", relation.right)), 1), self.terms_per_line)
        return (0,) if self.width is None else plain.starts(relation, self.width - 2)

    @property
    def fits(self) -> bool:
        """Whether all equations as text, their sums broken, are within the width."""
        blocks = (block for _, equations, _ in self.written(TEXT) for block in equations)
        longest = max((len(line) for block in blocks for line in block), default=0)
        return self.width is None or longest <= self.width - 2


def _environment(name: str, lines: Iterable[str]) -> str:
    body = " \\\\\n".join(lines)
    return f"\\begin{{{name}}}\n{body}\n\\end{{{name}}}"


def _wrapped(note: Note, setter: Typesetter, width: int) -> Iterator[list[str | Tree]]:
    """Yield the lines of a note, broken between words."""
    line: list[str | Tree] = []
    used = 0
    for part in [note] if isinstance(note, str) else note:
        for piece in _WORD.findall(part) if isinstance(part, str) else [part]:
            size = len(piece.rstrip() if isinstance(piece, str) else setter.inline(piece))
            if line and used + size > width:
                yield line
                line, used = [], 0
            if line and isinstance(piece, str) and isinstance(line[-1], str):
                line[-1] += piece
            else:
                line.append(piece)
            used += len(piece) if isinstance(piece, str) else size
    yield line


def _folded(block: list[str], width: int) -> list[str]:
    """Return a block of lines in pieces one below the other, cut where all its lines are blank.

    Before a sign if one stands far enough to the right, else before the last word, or matrix
    column, that no longer fits.
    """
    longest = max(map(len, block), default=0)
    if longest <= width:
        return block
    block = [line.ljust(longest) for line in block]
    blank = [k for k in range(width // 3, width) if all(line[k] == " " for line in block)]
    signs = [k for k in blank if any(line[k + 1 : k + 3] in ("+ ", "- ") for line in block)]
    cut = (signs or blank or [width])[-1]
    rest = [f"    {line[cut:].removeprefix(' ')}".rstrip() for line in block]
    piece = [line[:cut].rstrip() for line in block]
    return [*filter(None, piece), *_folded([line for line in rest if line], width)]
