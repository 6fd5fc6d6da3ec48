"""A page of headings, paragraphs, entries and tables, as plain text, Markdown or HTML.

What the user wrote (names, formulas, levels) is `Code`, everything else is prose; so
each rendering escapes exactly what may contain its special characters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

__all__ = ["Block", "Code", "Document", "Entries", "Heading", "Paragraph", "Prose", "Table"]


@dataclass(frozen=True, slots=True)
class Code:
    """A name, formula or level, shown as it is."""

    text: str


Prose: TypeAlias = Sequence[str | Code]
"""A sentence or more: words, and the user's own text as `Code`."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the page's own."""

    prose: Prose
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    prose: Prose


@dataclass(frozen=True, slots=True)
class Entries:
    """Labels, each with what is said about it, a paragraph each."""

    items: Sequence[tuple[Prose, Sequence[Prose]]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a cell is prose of few words."""

    names: Sequence[str]
    rows: Sequence[Sequence[Prose]]


Block: TypeAlias = Heading | Paragraph | Entries | Table


@dataclass(frozen=True, slots=True)
class Document:
    r"""Blocks in order.

    Examples
    --------
    >>> page = Document([Heading(["About ", Code("a|b")], 1), Table(["name"], [[[Code("a|b")]]])])
    >>> print(page.text())
    About a|b
    =========
    <BLANKLINE>
      name
      a|b
    >>> print(page.markdown())
    # About `a|b`
    <BLANKLINE>
    | name |
    | --- |
    | `a\|b` |
    """

    blocks: Sequence[Block]

    def text(self, width: int = 88) -> str:
        """Return the page as plain text; a word longer than `width` is not broken."""
        return "\n\n".join(_block_text(block, max(width, 30)) for block in self.blocks)

    def markdown(self) -> str:
        """Return the page as Markdown (GitHub's, for the tables)."""
        return "\n\n".join(_block_markdown(block) for block in self.blocks)

    def html(self) -> str:
        """Return the page as one ``<div>``."""
        return f"<div>{''.join(_block_html(block) for block in self.blocks)}</div>"


def _plain(prose: Prose) -> str:
    return "".join(part.text if isinstance(part, Code) else part for part in prose)


def _fill(text: str, width: int, indent: str, hanging: str = "") -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _block_text(block: Block, width: int) -> str:
    match block:
        case Heading(prose, level):
            line = _fill(_plain(prose), width, "")
            longest = max(map(len, line.split("\n")))
            return f"{line}\n{('=' if level == 1 else '-') * min(longest, width)}"
        case Paragraph(prose):
            return _fill(_plain(prose), width, "")
        case Entries(items):
            return "\n\n".join(
                "\n".join(
                    [
                        _fill(_plain(label), width, "  ", "  "),
                        *(_fill(_plain(prose), width, "    ") for prose in said),
                    ]
                )
                for label, said in items
            )
        case Table(names, rows):
            cells = [list(names), *([_plain(cell) for cell in row] for row in rows)]
            return "\n".join(_columns(cells, width))


def _columns(cells: list[list[str]], width: int) -> list[str]:
    """Return the lines of a table; the widest columns are wrapped until it fits."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * len(widths) > width and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines: list[str] = []
    for row in cells:
        wrapped = [
            textwrap.wrap(cell, size, subsequent_indent=" ", break_on_hyphens=False) or [""]
            for cell, size in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            parts = [part[number] if number < len(part) else "" for part in wrapped]
            line = "".join(f"  {part:<{size}}" for part, size in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return lines


def _block_markdown(block: Block) -> str:
    match block:
        case Heading(prose, level):
            return f"{'#' * level} {_markdown(prose)}"
        case Paragraph(prose):
            return _markdown(prose)
        case Entries(items):
            return "\n".join(
                "\n".join([f"- {_markdown(label)}", *(f"  - {_markdown(part)}" for part in said)])
                for label, said in items
            )
        case Table(names, rows):
            lines = [" | ".join(names), " | ".join("---" for _ in names)]
            lines += [
                " | ".join(_markdown(cell).replace("|", "\\|") for cell in row) for row in rows
            ]
            return "\n".join(f"| {line} |" for line in lines)


def _markdown(prose: Prose) -> str:
    return "".join(_markdown_code(part.text) if isinstance(part, Code) else part for part in prose)


def _markdown_code(text: str) -> str:
    """Return a code span; its fence is longer than any run of back-quotes inside."""
    text = " ".join(text.split())
    if not text:
        return ""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _block_html(block: Block) -> str:
    match block:
        case Heading(prose, level):
            tag = f"h{level + 2}"
            return f"<{tag}>{_html(prose)}</{tag}>"
        case Paragraph(prose):
            return f"<p>{_html(prose)}</p>"
        case Entries(items):
            inside = "".join(
                f"<dt>{_html(label)}</dt>" + "".join(f"<dd>{_html(part)}</dd>" for part in said)
                for label, said in items
            )
            return f"<dl>{inside}</dl>"
        case Table(names, rows):
            head = "".join(
                f"<th style='text-align:left;padding:0.1em 0.8em 0.1em 0'>{escape(name)}</th>"
                for name in names
            )
            body = "".join(
                "<tr>"
                + "".join(
                    f"<td style='text-align:left;padding:0.1em 0.8em 0.1em 0'>{_html(cell)}</td>"
                    for cell in row
                )
                + "</tr>"
                for row in rows
            )
            return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html(prose: Prose) -> str:
    return "".join(
        f"<code>{escape(part.text)}</code>" if isinstance(part, Code) else escape(part)
        for part in prose
    )
