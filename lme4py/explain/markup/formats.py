r"""The formats of equations: Unicode text, LaTeX and MathML.

Text is for a terminal; its matrices are boxes of several lines. LaTeX is what KaTeX, MathJax
and LaTeX with amsmath read; matrices are ``array``, which has no limit on its columns
(amsmath's ``bmatrix`` stops at ten). MathML is shown by browsers without any script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from html import escape

from lme4py.explain.markup.page import one_line
from lme4py.explain.markup.typesetting import Box, Typesetter

__all__ = ["LatexSetter", "MarkdownSetter", "MathmlSetter", "TextSetter"]

# A name, a call or a call with what follows it: legible without parentheses around it.
_LEGIBLE = re.compile(r"[^\W]?[\w.]*|[\w.:]+\([^()]*(\([^()]*\)[^()]*)*\)")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_COMMANDS = """
    alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
_GREEK = {letter: f"\\{name}" for letter, name in zip(_LETTERS, _COMMANDS.split(), strict=True)}
# What LaTeX's text mode does not take: as mathematics, which KaTeX, MathJax and LaTeX read alike
# also inside text (MathJax knows none of LaTeX's commands there).
_MATHEMATICS = {
    **{character: f"\\{character}" for character in "&%#_"},
    "\\": r"\backslash",
    "~": r"\sim",
    "^": r"\wedge",
    "<": "<",
    ">": ">",
    "|": "|",
    "×": r"\times",
    "÷": r"\div",
    "±": r"\pm",
    "·": r"\cdot",
    "⊙": r"\odot",
    "−": "-",
    "¬": r"\lnot",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "∞": r"\infty",
    "√": r"\surd",
    "∂": r"\partial",
    "∑": r"\sum",
    "∏": r"\prod",
    "→": r"\to",
    "•": r"\bullet",
    "°": r"{}^{\circ}",
    "′": r"{}^{\prime}",
    "″": r"{}^{\prime\prime}",
    "ς": r"\varsigma",
    **_GREEK,
}
_IN_WORDS = {"€": "EUR", "¥": "JPY", "⁄": "/", "…": "..."}
# Scripts that KaTeX knows, beside ASCII: Latin, Cyrillic, Indic and Georgian, kana, Han, Hangul.
_SCRIPTS = ((0xC0, 0x24F), (0x400, 0x4FF), (0x900, 0x10FF), (0x3000, 0x9FAF), (0xAC00, 0xD7AF))
_KNOWN_SIGNS = frozenset("£©®–—‘’“”")


def escaped(text: str) -> str:
    r"""Return text for LaTeX's text mode, its special characters escaped.

    Latin letters, Greek and the common signs are read by any LaTeX, KaTeX and MathJax; other
    scripts stay as they are, for which LaTeX needs XeLaTeX or LuaLaTeX. What no font has is
    written by its number.

    Examples
    --------
    >>> print(escaped("50% of x_1"), escaped("σ² ☃"))
    50$\%$ of x$\_$1 $\sigma$$^{2}$ U+2603
    """
    return "".join(map(_character_in_latex, unicodedata.normalize("NFC", one_line(text))))


@cache
def _character_in_latex(character: str) -> str:
    if character in _MATHEMATICS:
        return f"${_MATHEMATICS[character]}$"
    if character in "{}$":
        return f"\\{character}"
    if character in _IN_WORDS:
        return _IN_WORDS[character]
    code = ord(character)
    known = any(first <= code <= last for first, last in _SCRIPTS)
    if (32 <= code < 127) or known or character in _KNOWN_SIGNS:
        return character
    kind, _, _ = unicodedata.decomposition(character).partition(" ")
    plain = unicodedata.normalize("NFKD", character)
    bare = "".join(part for part in plain if not unicodedata.combining(part))
    if bare in ("", character):
        return f"U+{code:04X}"
    if kind in ("<super>", "<sub>") and bare.isascii() and bare.isalnum():
        return f"${'^' if kind == '<super>' else '_'}{{{bare}}}$"
    return escaped(bare)


class TextSetter(Typesetter):
    """Unicode text for a terminal."""

    form = 0
    drawn = True

    def name(self, name: str, bold: bool = False) -> str:
        """Return a name, in parentheses if it could be taken for an expression."""
        del bold
        name = one_line(name)
        enclosed = name.startswith("(") and name.endswith(")") and "(" not in name[1:]
        return name if enclosed or _LEGIBLE.fullmatch(name) else f"({name})"

    def label(self, text: str) -> str:
        """Return text on one line."""
        return one_line(text)

    def words(self, text: str) -> str:
        """Return words as they are."""
        return text

    def script(self, index: str, above: bool) -> str:
        """Return an index, in braces where its end could not be seen."""
        if above and index.isdigit():
            return index.translate(_SUPERSCRIPTS)
        if above:
            bare = len(index) == 1 or index.startswith("(")
        else:
            bare = bool(re.fullmatch(r"([^\W_]|[\[\]()])+", index))
        return f"{'^' if above else '_'}{index if bare else f'{{{index}}}'}"

    def grid(self, rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
        """Return a matrix as lines between brackets."""
        widths = [max(box.width for box in column) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                box.lines[0].rjust(width) if right else box.lines[0].ljust(width)
                for box, width, right in zip(row, widths, numeric, strict=True)
            )
            for row in rows
        ]
        if len(lines) <= 1:
            return Box((f"[{''.join(lines)}]",))
        sides = ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
        framed = tuple(f"{side[0]}{line}{side[1]}" for side, line in zip(sides, lines, strict=True))
        return Box(framed, (len(framed) - 1) // 2)


class LatexSetter(Typesetter):
    """LaTeX's mathematics."""

    form = 1

    def number(self, number: str) -> str:
        """Return a number, its exponent as a power of ten."""
        mantissa, exponent, power = number.partition("e")
        return f"{mantissa} \\times 10^{{{int(power)}}}" if exponent else mantissa

    def name(self, name: str, bold: bool = False) -> str:
        """Return a letter or a name."""
        if name in _GREEK:
            return f"\\boldsymbol{{{_GREEK[name]}}}" if bold else _GREEK[name]
        if name[:1] in _GREEK and name[1:].isdigit():
            return f"{{{_GREEK[name[0]]}^{{({name[1:]})}}}}"
        return f"\\mathbf{{{name}}}" if bold else self.label(name)

    def label(self, text: str) -> str:
        """Return a letter in italics, all else as text."""
        letter = len(text) == 1 and text.isascii() and text.isalpha()
        return text if letter else f"\\text{{{escaped(text)}}}"

    def words(self, text: str) -> str:
        """Return text mode's words."""
        begins, ends = text[:1] == " ", text[-1:] == " "
        return f"{' ' * begins}{escaped(text)}{' ' * ends}"

    def function(self, name: str) -> str:
        """Return the upright name of a function."""
        return r"\mathcal{N}" if name == "N" else f"\\operatorname{{{name}}}"

    def index(self, index: str) -> str:
        """Return a piece of an index."""
        return index.replace("′", "'")

    def script(self, index: str, above: bool) -> str:
        """Return an index in braces."""
        return f"{'^' if above else '_'}{{{index}}}"

    def grid(self, rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
        """Return an array between brackets."""
        columns = "".join("r" if right else "c" for right in numeric) or "c"
        body = r" \\ ".join(" & ".join(box.lines[0] for box in row) for row in rows)
        return Box((f"\\left[\\begin{{array}}{{{columns}}} {body} \\end{{array}}\\right]",))


class MarkdownSetter(LatexSetter):
    """LaTeX's mathematics among Markdown's words."""

    def words(self, text: str) -> str:
        """Return words in which no character means anything."""
        return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|$" else c for c in text)


class MathmlSetter(Typesetter):
    """MathML, inside ``<math>``."""

    form = 2

    def number(self, number: str) -> str:
        """Return a number."""
        return f"<mn>{number}</mn>"

    def name(self, name: str, bold: bool = False) -> str:
        """Return a letter or a name."""
        # A browser would break the line, or drop the rest, at an ordinary space.
        inside = escape("\N{NO-BREAK SPACE}".join(name.split()))
        return f'<mi style="font-weight:bold">{inside}</mi>' if bold else f"<mi>{inside}</mi>"

    def label(self, text: str) -> str:
        """Return the level or column of a variable."""
        return self.name(text)

    def words(self, text: str) -> str:
        """Return HTML's words."""
        return escape(text)

    def function(self, name: str) -> str:
        """Return the name of a function."""
        return self.name("𝒩" if name == "N" else name)

    def index(self, index: str) -> str:
        """Return a piece of an index as a number, signs or letters."""
        if index.isdigit():
            return f"<mn>{index}</mn>"
        return f"<mo>{index}</mo>" if all(mark in "(),′" for mark in index) else self.name(index)

    def script(self, index: str, above: bool) -> str:
        """Return an index."""
        del above
        return index

    def grid(self, rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
        """Return a table between brackets."""
        sides = [' style="text-align:right"' if right else "" for right in numeric]
        body = ""
        for row in rows:
            cells = zip(row, sides, strict=True)
            inside = "".join(f"<mtd{side}>{box.lines[0]}</mtd>" for box, side in cells)
            body += f"<mtr>{inside}</mtr>"
        return Box((f"<mrow><mo>[</mo><mtable>{body}</mtable><mo>]</mo></mrow>",))
