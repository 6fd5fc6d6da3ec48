r"""The formats of equations: Unicode text, LaTeX and MathML.

Text is for a terminal; its matrices are boxes of several lines. LaTeX is what KaTeX, MathJax
and LaTeX with amsmath read; matrices are ``array``, which has no limit on its columns
(amsmath's ``bmatrix`` stops at ten). MathML is shown by browsers without any script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lme4py.explain.markup.page import one_line
from lme4py.explain.markup.typesetting import Box, OutputFormat

__all__ = ["LATEX", "MATHML", "TEXT", "escaped"]

# A name, a call or a call with what follows it: legible without parentheses around it.
_LEGIBLE = re.compile(r"[^\W]?[\w.]*|[\w.:]+\([^()]*(\([^()]*\)[^()]*)*\)")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_COMMANDS = """
    alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
_GREEK = {letter: f"\\{name}" for letter, name in zip(_LETTERS, _COMMANDS.split(), strict=True)}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "…": "...",
    "×": r"$\times$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{letter: f"${command}$" for letter, command in _GREEK.items()},
}


def escaped(text: str) -> str:
    r"""Return text for LaTeX's text mode, its special characters escaped.

    Examples
    --------
    >>> print(escaped("50% of x_1"))
    50\% of x\_1
    """
    return "".join(_SPECIAL.get(character, character) for character in one_line(text))


def _name_in_text(name: str, bold: bool) -> str:
    """Return a name, in parentheses if it could be taken for an expression."""
    del bold
    name = one_line(name)
    enclosed = name.startswith("(") and name.endswith(")") and "(" not in name[1:]
    return name if enclosed or _LEGIBLE.fullmatch(name) else f"({name})"


def _script_in_text(index: str, above: bool) -> str:
    if above and index.isdigit():
        return index.translate(_SUPERSCRIPTS)
    if above:
        bare = len(index) == 1 or index.startswith("(")
    else:
        bare = bool(re.fullmatch(r"([^\W_]|[\[\]()])+", index))
    return f"{'^' if above else '_'}{index if bare else f'{{{index}}}'}"


def _grid_in_text(rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
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


TEXT = OutputFormat(
    column=0,
    number=str,
    name=_name_in_text,
    label=one_line,
    function=str,
    index=str,
    script=_script_in_text,
    grid=_grid_in_text,
    drawn=True,
)


def _number_in_latex(number: str) -> str:
    mantissa, exponent, power = number.partition("e")
    return f"{mantissa} \\times 10^{{{int(power)}}}" if exponent else mantissa


def _name_in_latex(name: str, bold: bool) -> str:
    if name in _GREEK:
        return f"\\boldsymbol{{{_GREEK[name]}}}" if bold else _GREEK[name]
    if name[:1] in _GREEK and name[1:].isdigit():
        return f"{{{_GREEK[name[0]]}^{{({name[1:]})}}}}"
    return f"\\mathbf{{{name}}}" if bold else _label_in_latex(name)


def _label_in_latex(text: str) -> str:
    """Return a letter in italics, all else as text."""
    letter = len(text) == 1 and text.isascii() and text.isalpha()
    return text if letter else f"\\text{{{escaped(text)}}}"


def _grid_in_latex(rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
    columns = "".join("r" if right else "c" for right in numeric) or "c"
    body = r" \\ ".join(" & ".join(box.lines[0] for box in row) for row in rows)
    return Box((f"\\left[\\begin{{array}}{{{columns}}} {body} \\end{{array}}\\right]",))


LATEX = OutputFormat(
    column=1,
    number=_number_in_latex,
    name=_name_in_latex,
    label=_label_in_latex,
    function=lambda name: r"\mathcal{N}" if name == "N" else f"\\operatorname{{{name}}}",
    index=lambda index: index.replace("′", "'"),
    script=lambda index, above: f"{'^' if above else '_'}{{{index}}}",
    grid=_grid_in_latex,
)


def _name_in_mathml(name: str, bold: bool = False) -> str:
    # A browser would break the line, or drop the rest, at an ordinary space.
    inside = escape("\N{NO-BREAK SPACE}".join(name.split()))
    return f'<mi style="font-weight:bold">{inside}</mi>' if bold else f"<mi>{inside}</mi>"


def _index_in_mathml(index: str) -> str:
    if index.isdigit():
        return f"<mn>{index}</mn>"
    return f"<mo>{index}</mo>" if all(mark in "(),′" for mark in index) else _name_in_mathml(index)


def _grid_in_mathml(rows: Sequence[Sequence[Box]], numeric: Sequence[bool]) -> Box:
    sides = [' style="text-align:right"' if right else "" for right in numeric]
    body = "".join(
        "<mtr>"
        + "".join(f"<mtd{side}>{box.lines[0]}</mtd>" for box, side in zip(row, sides, strict=True))
        + "</mtr>"
        for row in rows
    )
    return Box((f"<mrow><mo>[</mo><mtable>{body}</mtable><mo>]</mo></mrow>",))


MATHML = OutputFormat(
    column=2,
    number=lambda number: f"<mn>{number}</mn>",
    name=_name_in_mathml,
    label=_name_in_mathml,
    function=lambda name: _name_in_mathml("𝒩" if name == "N" else name),
    index=_index_in_mathml,
    script=lambda index, _: index,
    grid=_grid_in_mathml,
)
