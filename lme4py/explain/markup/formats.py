r"""The formats of equations: Unicode text, LaTeX and MathML.

Text is for a terminal; its matrices are boxes of several lines. LaTeX is what KaTeX, MathJax
and LaTeX with amsmath read; matrices are ``array``, which has no limit on its columns
(amsmath's ``bmatrix`` stops at ten). MathML is shown by browsers without any script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import TypeAlias

from lme4py.explain.markup.page import one_line

Cells: TypeAlias = Sequence[Sequence[str]]

_CELL = '<mtd style="text-align:{}">□</mtd>'
_MATHML_LINE = f"<mtr>{''.join(_CELL.format(side) for side in ('right', 'center', 'left'))}</mtr>"
_SLOT = "□"
_SIGMA = "<munderover><mo>∑</mo><mrow><mi>h</mi><mo>=</mo>□</mrow>□</munderover>"
_VALUES = "<mo>,</mo><mspace width='1em'/><mi>h</mi><mo>=</mo>□<mo>,</mo><mo>…</mo><mo>,</mo>□"
# Names that CSS, KaTeX, MathJax and LaTeX's xcolor share.
COLOURS = ("blue", "brown", "teal", "magenta", "olive", "violet", "orange", "gray")
# As text, LaTeX and MathML; a slot for each part.
_PATTERNS = {
    "+": (" + ", " + ", "<mo>+</mo>"),
    "-": (" - ", " - ", "<mo>−</mo>"),
    "negative": ("-", "-", "<mo>−</mo>"),
    "·": ("·", r" \cdot ", "<mo>⋅</mo>"),
    "between matrices": (" ", r"\, ", ""),
    "after an index's index": (" ", "", ""),
    ",": (", ", r",\, ", "<mo>,</mo>"),
    "⋯": ("⋯", r"\cdots", "<mo>⋯</mo>"),
    "⋮": ("⋮", r"\vdots", "<mo>⋮</mo>"),
    "⋱": ("⋱", r"\ddots", "<mo>⋱</mo>"),
    "sequence": ("□", "□", "<mrow>□</mrow>"),
    "parentheses": ("(□)", r"\left(□\right)", "<mrow><mo>(</mo>□<mo>)</mo></mrow>"),
    "^": ("□□", "{□}□", "<msup>□□</msup>"),
    "ᵀ": ("□ᵀ", r"{□}^{\top}", "<msup>□<mo>⊤</mo></msup>"),
    "/": ("□/□", r"\frac{□}{□}", "<mfrac>□□</mfrac>"),
    "√": ("√(□)", r"\sqrt{□}", "<msqrt>□</msqrt>"),
    "part": ("□[□]", "□[□]", "<mrow>□<mo>[</mo>□<mo>]</mo></mrow>"),
    "primed": ("□□", "{□□}", "<mrow>□□</mrow>"),
    "below": ("□□", "□□", "<msub>□□</msub>"),
    "above": ("□□", "□□", "<msup>□□</msup>"),
    "below and above": ("□□□", "□□□", "<msubsup>□□□</msubsup>"),
    "Σ": ("Σ_{h=□}^{□} □", r"\sum_{h=□}^{□} □", f"<mrow>{_SIGMA}□</mrow>"),
    "each": ("□,  h = □, …, □", r"□,\quad h = □, \ldots, □", f"<mrow>□{_VALUES}</mrow>"),
    "=": ("□ = □", "□ = □", "<mrow>□<mo>=</mo>□</mrow>"),
    "⊙": ("□ ⊙ □", r"□ \odot □", "<mrow>□<mo>⊙</mo>□</mrow>"),
    "marked": ("", r"\textcolor{□}{□}", '<mrow style="color:□">□</mrow>'),
    "line =": (" = ", "&=", "<mo>=</mo>"),
    "line ~": (" ~ ", r"&\sim", "<mo>∼</mo>"),
    "line": ("□□□", "□ □ □", _MATHML_LINE),
    "further line": ("□", r"&\quad {}□", _MATHML_LINE.replace(_SLOT, "", 2)),
}
CONSTRUCTS = {
    name: [pattern.split(_SLOT) for pattern in forms] for name, forms in _PATTERNS.items()
}
"""What stands before the parts of a construct, and after each of them, in each format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How equations are written in a format: each function writes one kind of thing."""

    column: int  # in the table of constructs
    name: Callable[[str, bool], str]  # a letter or the name of a variable, maybe in bold
    label: Callable[[str], str]  # the level or column of a variable
    words: Callable[[str], str]  # outside of mathematics
    number: Callable[[str], str]  # may have an exponent behind an e
    function: Callable[[str], str]  # the name of a function or distribution
    index: Callable[[str], str]  # a piece of an index: digits, or letters and brackets
    script: Callable[[str, bool], str]  # a whole index, maybe above
    # A matrix by rows, given which of its columns hold numbers alone, as lines.
    grid: Callable[[Cells, Sequence[bool]], list[str]]
    frames: tuple[str, str] = ("{}", "{}")  # of words and symbols in a sentence below equations

    @property
    def drawn(self) -> bool:
        """Whether lines are drawn with characters: no fractions with a bar, but indents."""
        return self.column == 0


# A name, a call or a call with what follows it: legible without parentheses around it.
_LEGIBLE = re.compile(r"[^\W]?[\w.]*|[\w.:]+\([^()]*(\([^()]*\)[^()]*)*\)")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LETTERS = r"""
    α:\alpha β:\beta γ:\gamma δ:\delta ε:\varepsilon ζ:\zeta η:\eta θ:\theta ι:\iota κ:\kappa
    λ:\lambda μ:\mu ν:\nu ξ:\xi π:\pi ρ:\rho σ:\sigma τ:\tau υ:\upsilon φ:\varphi χ:\chi ψ:\psi
    ω:\omega Γ:\Gamma Δ:\Delta Θ:\Theta Λ:\Lambda Ξ:\Xi Π:\Pi Σ:\Sigma Υ:\Upsilon Φ:\Phi Ψ:\Psi
    Ω:\Omega
"""
_SIGNS = r"""
    &:\& %:\% #:\# _:\_ \:\backslash ~:\sim ^:\wedge <:< >:> |:| ×:\times ÷:\div ±:\pm ·:\cdot
    ⊙:\odot −:- ¬:\lnot ≤:\le ≥:\ge ≠:\ne ≈:\approx ∞:\infty √:\surd ∂:\partial ∑:\sum ∏:\prod
    →:\to •:\bullet °:{}^{\circ} ′:{}^{\prime} ″:{}^{\prime\prime} ς:\varsigma
"""
_GREEK = {pair[0]: pair[2:] for pair in _LETTERS.split()}
# What LaTeX's text mode does not take: as mathematics, which KaTeX, MathJax and LaTeX read alike
# also inside text (MathJax knows none of LaTeX's commands there).
_MATHEMATICS = _GREEK | {pair[0]: pair[2:] for pair in _SIGNS.split()}
_IN_WORDS = {"{": r"\{", "}": r"\}", "$": r"\$", "€": "EUR", "¥": "JPY", "⁄": "/", "…": "..."}
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


def _text_name(name: str, _: bool) -> str:
    """Return a name, in parentheses if it could be taken for an expression."""
    name = one_line(name)
    enclosed = name.startswith("(") and name.endswith(")") and "(" not in name[1:]
    return name if enclosed or _LEGIBLE.fullmatch(name) else f"({name})"


def _text_script(index: str, above: bool) -> str:
    """Return an index, in braces where its end could not be seen."""
    if above and index.isdigit():
        return index.translate(_SUPERSCRIPTS)
    if above:
        bare = len(index) == 1 or index.startswith("(")
    else:
        bare = bool(re.fullmatch(r"([^\W_]|[\[\]()])+", index))
    return f"{'^' if above else '_'}{index if bare else f'{{{index}}}'}"


def _text_grid(rows: Cells, numeric: Sequence[bool]) -> list[str]:
    """Return a matrix as lines between brackets."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in rows
    ]
    if len(lines) <= 1:
        return [f"[{''.join(lines)}]"]
    sides = ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
    return [f"{side[0]}{line}{side[1]}" for side, line in zip(sides, lines, strict=True)]


TEXT = Format(
    column=0,
    name=_text_name,
    label=one_line,
    words=str,
    number=str,
    function=str,
    index=str,
    script=_text_script,
    grid=_text_grid,
)
"""Unicode text for a terminal."""


def _latex_name(name: str, bold: bool) -> str:
    if name in _GREEK:
        return f"\\boldsymbol{{{_GREEK[name]}}}" if bold else _GREEK[name]
    if name[:1] in _GREEK and name[1:].isdigit():
        return f"{{{_GREEK[name[0]]}^{{({name[1:]})}}}}"
    return f"\\mathbf{{{name}}}" if bold else _latex_label(name)


def _latex_label(text: str) -> str:
    """Return a letter in italics, all else as text."""
    letter = len(text) == 1 and text.isascii() and text.isalpha()
    return text if letter else f"\\text{{{escaped(text)}}}"


def _latex_number(number: str) -> str:
    mantissa, exponent, power = number.partition("e")
    return f"{mantissa} \\times 10^{{{int(power)}}}" if exponent else mantissa


def _latex_grid(rows: Cells, numeric: Sequence[bool]) -> list[str]:
    columns = "".join("r" if right else "c" for right in numeric) or "c"
    body = r" \\ ".join(map(" & ".join, rows))
    return [f"\\left[\\begin{{array}}{{{columns}}} {body} \\end{{array}}\\right]"]


LATEX = Format(
    column=1,
    name=_latex_name,
    label=_latex_label,
    words=lambda text: f"{' ' * (text[:1] == ' ')}{escaped(text)}{' ' * (text[-1:] == ' ')}",
    number=_latex_number,
    function=lambda name: r"\mathcal{N}" if name == "N" else f"\\operatorname{{{name}}}",
    index=lambda index: index.replace("′", "'"),
    script=lambda index, above: f"{'^' if above else '_'}{{{index}}}",
    grid=_latex_grid,
    frames=(r"\text{{{}}}", "{}"),
)
"""LaTeX's mathematics."""

MARKDOWN = replace(
    LATEX, frames=("{}", "${}$"), words=lambda text: re.sub(r"[\\`*_{}\[\]<>#|$]", r"\\\g<0>", text)
)
"""LaTeX's mathematics among Markdown's words, in which no character means anything."""


def _mathml_name(name: str, bold: bool = False) -> str:
    # A browser would break the line, or drop the rest, at an ordinary space.
    inside = escape("\N{NO-BREAK SPACE}".join(name.split()))
    return f'<mi style="font-weight:bold">{inside}</mi>' if bold else f"<mi>{inside}</mi>"


def _mathml_index(index: str) -> str:
    if index.isdigit():
        return f"<mn>{index}</mn>"
    return f"<mo>{index}</mo>" if all(mark in "(),′" for mark in index) else _mathml_name(index)


def _mathml_grid(rows: Cells, numeric: Sequence[bool]) -> list[str]:
    sides = [' style="text-align:right"' if right else "" for right in numeric]
    cells = (
        "".join(f"<mtd{side}>{cell}</mtd>" for cell, side in zip(row, sides, strict=True))
        for row in rows
    )
    body = "".join(f"<mtr>{inside}</mtr>" for inside in cells)
    return [f"<mrow><mo>[</mo><mtable>{body}</mtable><mo>]</mo></mrow>"]


MATHML = Format(
    column=2,
    name=_mathml_name,
    label=_mathml_name,
    words=escape,
    number=lambda number: f"<mn>{number}</mn>",
    function=lambda name: _mathml_name("𝒩" if name == "N" else name),
    index=_mathml_index,
    script=lambda index, _: index,
    grid=_mathml_grid,
    frames=("{}", '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'),
)
"""MathML, inside ``<math>``."""
