"""Draw what `lme4py show` prints, as docs/show.svg; ``--check`` tells whether it is current."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from html import unescape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from lme4py.cli import main
from lme4py.cli.program import COLOURS

PICTURE = Path(__file__).with_name("show.svg")


def shown() -> list[str]:
    """Return the command and its real output, line by line."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        main(["show"])
    return ["$ lme4py show", *page.getvalue().rstrip("\n").split("\n")]


def draw() -> str:
    """Return the picture as rich draws a terminal."""
    lines = shown()
    text = Text("\n".join(lines))
    for pattern, style in COLOURS.items():
        text.highlight_regex(pattern, style)
    # The console writes into its record alone.
    console = Console(record=True, width=max(map(len, lines)) + 2, file=io.StringIO())
    console.print(text)
    picture = console.export_svg(title="lme4py", theme=SVG_EXPORT_THEME)
    # No page that shows the picture may load a font from elsewhere.
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    label = 'role="img" aria-label="Output of lme4py show"'
    return "\n".join(line.rstrip() for line in picture.replace("<svg", f"<svg {label}").split("\n"))


def lines_of(picture: str) -> list[str]:
    """Return the lines that a picture shows, pieced together by where they stand."""
    lines: dict[float, str] = {}
    found = re.finditer(
        r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', picture
    )
    for match in found:
        x, y = float(match[1]), float(match[2])
        # rich gives a character 12.2 units.
        line = lines.get(y, "").ljust(round(x / 12.2))
        lines[y] = line + unescape(match[3]).replace("\N{NO-BREAK SPACE}", " ").rstrip("\n")
    return [line.rstrip() for _, line in sorted(lines.items())]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(lines_of(PICTURE.read_text(encoding="utf-8")) != shown())
    PICTURE.write_text(draw(), encoding="utf-8")
