"""A page of headings, paragraphs, definitions and tables, as plain text, Markdown or HTML.

Prose is text in which `code` marks what the user wrote (names, formulas, levels), so that
each rendering escapes exactly what may contain its special characters.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

Prose: TypeAlias = str
"""A sentence or more; the user's own words in it are marked by `code`."""

# A column of cells that short is never wrapped.
_SHORT = 10
# Characters of a line below which a table that does not fit is taken apart.
_NARROW = 50
# Control characters, which no name on a page needs.
_BEGIN, _END = "\N{START OF TEXT}", "\N{END OF TEXT}"
_MARKS = str.maketrans("", "", _BEGIN + _END)
_CODE = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)


def code(text: object) -> Prose:
    """Return a name, formula or level, marked as what the user wrote."""
    return f"{_BEGIN}{str(text).translate(_MARKS)}{_END}"


def one_line(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())


def aligned_numbers(values: Iterable[float], digits: int = 7) -> list[str]:
    """Return a column of numbers as R prints it: common decimals, so many significant digits.

    Examples
    --------
    >>> aligned_numbers([1.0, 0.25, float("nan")])
    ['1.00', '0.25', 'NaN']
    >>> aligned_numbers([1e-10, 123456.0])
    ['1.00000e-10', '1.23456e+05']
    """
    column = [float(value) + 0.0 for value in values]
    finite = [value for value in column if math.isfinite(value)]
    parts = [f"{abs(value):.{digits - 1}e}".split("e") for value in finite]
    needed = [len(mantissa.rstrip("0").replace(".", "")) - 1 for mantissa, _ in parts]
    decimals = [most - int(power) for most, (_, power) in zip(needed, parts, strict=True)]
    patterns = (f".{max([0, *decimals])}f", f".{max([0, *needed])}e")
    # The narrower; fixed, if they are equally wide.
    pattern = min(patterns, key=lambda each: max((len(f"{v:{each}}") for v in finite), default=0))
    special = {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}
    return [special.get(str(value), f"{value:{pattern}}") for value in column]


def _text(prose: Prose) -> str:
    return prose.translate(_MARKS)


def _markdown(prose: Prose) -> str:
    return _CODE.sub(lambda marked: _code_span(one_line(marked[1])), prose)


def _code_span(text: str) -> str:
    """Return a code span; its fence is longer than any run of back-quotes inside."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def _html(prose: Prose) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(prose))


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
class Definitions:
    """Labels, each with what is said about it, a paragraph each."""

    items: Sequence[tuple[Prose, Sequence[Prose]]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a cell is prose of few words."""

    names: Sequence[str]  # heads of the columns
    rows: Sequence[Sequence[Prose]]
    right: Collection[int] = ()  # columns that are flush right

    def first(self, count: int) -> Table:
        """Return the first columns."""
        return Table(self.names[:count], [row[:count] for row in self.rows], self.right)

    def fitting(self, width: int) -> Table:
        """Return the first columns, as many as `width` characters hold, but two at least."""
        room, count = width, 0
        for column in zip(*_cells(self), strict=True):
            room -= 2 + max(map(len, column))
            count += room >= 0 or count < 2
        return self.first(count)


Passage: TypeAlias = Heading | Paragraph | Definitions | Table


@dataclass(frozen=True, slots=True)
class Page:
    r"""Passages in order.

    Examples
    --------
    >>> page = Page([Heading(f"About {code('a|b')}", 1), Table(["name"], [[code("a|b")]])])
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

    passages: Sequence[Passage]

    def text(self, width: int = 88) -> str:
        """Return the page as plain text of so many characters a line."""
        return "\n\n".join(_passage_text(passage, max(width, 30)) for passage in self.passages)

    def markdown(self) -> str:
        """Return the page as Markdown (GitHub's, for the tables)."""
        return "\n\n".join(map(_passage_markdown, self.passages))

    def html(self) -> str:
        """Return the page as one ``<div>``."""
        return f"<div>{''.join(map(_passage_html, self.passages))}</div>"


def filled(prose: Prose, width: int, indent: str = "", hanging: str = "") -> str:
    """Return prose as lines of so many characters."""
    return textwrap.fill(
        _text(prose),
        width,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_on_hyphens=False,
    )


def _passage_text(passage: Passage, width: int) -> str:
    match passage:
        case Heading(prose, level):
            lines = filled(prose, width)
            longest = max(map(len, lines.split("\n")))
            return f"{lines}\n{('=' if level == 1 else '-') * min(longest, width)}"
        case Paragraph(prose):
            return filled(prose, width)
        case Definitions(items):
            return "\n\n".join(
                "\n".join(
                    [filled(label, width, "  ", "  "), *(filled(p, width, "    ") for p in said)]
                )
                for label, said in items
            )
        case Table():
            return _table_text(passage, width)


def _cells(table: Table) -> list[list[str]]:
    return [list(table.names), *([_text(cell) for cell in row] for row in table.rows)]


def _table_text(table: Table, width: int) -> str:
    """Return a table without rules; the widest columns are wrapped until it fits.

    Where that would leave them no room, each row is a block of lines.
    """
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    heads, *rows = _cells(table)
    columns = list(zip(heads, *rows, strict=True))
    if width < _NARROW and sum(2 + max(map(len, column)) for column in columns) > width:
        return "\n\n".join(
            "\n".join(
                filled(f"{head}: {cell}" if head else cell, width, "  ", "  ")
                for head, cell in zip(heads, row, strict=True)
                if cell
            )
            for row in rows
        )
    grid = Grid(box=None, pad_edge=False, padding=(0, 0, 0, 2))
    for k, (head, *cells) in enumerate(columns):
        side: Literal["left", "right"] = "right" if k in table.right else "left"
        short = all(len(cell) <= _SHORT for cell in (head, *cells))
        grid.add_column(Text(head), justify=side, overflow="fold", no_wrap=short)
    for row in rows:
        grid.add_row(*map(Text, row))
    # It would display itself in a notebook.
    console = Console(
        file=io.StringIO(),
        width=width - 2,
        color_system=None,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(f"  {line}".rstrip() for line in captured.get().splitlines())


def _passage_markdown(passage: Passage) -> str:
    match passage:
        case Heading(prose, level):
            return f"{'#' * level} {_markdown(prose)}"
        case Paragraph(prose):
            return _markdown(prose)
        case Definitions(items):
            return "\n".join(
                "\n".join([f"- {_markdown(label)}", *(f"  - {_markdown(part)}" for part in said)])
                for label, said in items
            )
        case Table(names, rows):
            lines = [" | ".join(names), " | ".join("---" for _ in names)]
            lines += [" | ".join(_markdown(c).replace("|", "\\|") for c in row) for row in rows]
            return "\n".join(f"| {line} |" for line in lines)


def _passage_html(passage: Passage) -> str:
    match passage:
        case Heading(prose, level):
            return f"<h{level + 2}>{_html(prose)}</h{level + 2}>"
        case Paragraph(prose):
            return f"<p>{_html(prose)}</p>"
        case Definitions(items):
            # A list: Jupyter's style sheet lets <dt> and <dd> float.
            inside = (
                f"<li>{_html(label)}{''.join(f'<p>{_html(part)}</p>' for part in said)}</li>"
                for label, said in items
            )
            return f"<ul>{''.join(inside)}</ul>"
        case Table(names, rows, right):
            lines = [("th", names), *(("td", row) for row in rows)]
            head, *body = (_html_row(tag, cells, right) for tag, cells in lines)
            table = f"<thead>{head}</thead><tbody>{''.join(body)}</tbody>"
            # Wider than the page, it scrolls by itself.
            return f"<div style='overflow-x:auto'><table>{table}</table></div>"


def _html_row(tag: str, cells: Sequence[Prose], right: Collection[int]) -> str:
    inside = (
        f"<{tag} style='text-align:{'right' if k in right else 'left'};"
        f"padding:0.1em 0.8em 0.1em 0'>{_html(cell)}</{tag}>"
        for k, cell in enumerate(cells)
    )
    return f"<tr>{''.join(inside)}</tr>"
