"""Draw what `lme4py show` prints, as docs/show.svg; ``--check`` tells whether it is current."""

from __future__ import annotations

import contextlib
import io
import sys
from html import escape
from pathlib import Path

from lme4py.cli import main

PICTURE = Path(__file__).with_name("show.svg")
CHARACTER, LINE, MARGIN = 7.8, 18, 16


def draw() -> str:
    """Return the picture of the command and its real output."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        main(["show"])
    lines = ["$ lme4py show", *page.getvalue().rstrip("\n").split("\n")]
    width = round(max(map(len, lines)) * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    text = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + 13 + LINE * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-label="Output of lme4py show">
<rect width="100%" height="100%" rx="8" fill="#f6f8fa" stroke="#d1d9e0"/>
<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" \
fill="#1f2328" xml:space="preserve">
{text}
</g>
</svg>
"""


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(PICTURE.read_text(encoding="utf-8") != draw())
    PICTURE.write_text(draw(), encoding="utf-8")
