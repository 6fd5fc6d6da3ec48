r"""Expressions as LaTeX that KaTeX, MathJax and LaTeX with amsmath read.

Matrices are ``array``, which has no limit on its columns (amsmath's ``bmatrix`` stops
at ten).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lme4py.explain.expression import (
    Applied,
    Column,
    Dots,
    Grid,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Root,
    Sum,
    Symbol,
    Transposed,
    signed,
)
from lme4py.explain.notation import Mark, Written
from lme4py.explain.render_text import is_matrix

__all__ = ["Latex", "escaped", "symbol_latex"]

_GREEK = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "ε": r"\varepsilon",
    "ζ": r"\zeta",
    "η": r"\eta",
    "κ": r"\kappa",
    "μ": r"\mu",
    "ξ": r"\xi",
    "π": r"\pi",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "τ": r"\tau",
    "φ": r"\varphi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "ω": r"\omega",
    "Λ": r"\Lambda",
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "…": r"\ldots{}",
    "×": r"$\times$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{letter: f"${command}$" for letter, command in _GREEK.items()},
}
_DOTS = {"across": r"\cdots", "down": r"\vdots", "diagonal": r"\ddots"}
_DISTRIBUTIONS = {"N": r"\mathcal{N}"}


def escaped(text: str) -> str:
    r"""Return text for LaTeX's text mode, its special characters escaped.

    Examples
    --------
    >>> print(escaped("50% of x_1"))
    50\% of x\_1
    """
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def symbol_latex(written: Written) -> str:
    r"""Return a symbol as LaTeX.

    Examples
    --------
    >>> print(symbol_latex(Written("γ", below=("0", "0"))))
    \gamma_{00}
    >>> print(symbol_latex(Written("my x", "a_b", ("i", "j"))))
    \text{my x}[\text{a\_b}]_{ij}
    """
    text = _base(written)
    if written.part:
        text += f"[{_named(written.part)}]"
    if written.primes:
        text = f"{{{text}{chr(39) * written.primes}}}"
    below, above = _pieces(written.below), _pieces(written.above)
    return text + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def _base(written: Written) -> str:
    base = written.base
    if base in _GREEK:
        return f"\\boldsymbol{{{_GREEK[base]}}}" if written.bold else _GREEK[base]
    if base[:1] in _GREEK and base[1:].isdigit():
        return f"{{{_GREEK[base[0]]}^{{({base[1:]})}}}}"
    return f"\\mathbf{{{base}}}" if written.bold else _named(base)


def _named(name: str) -> str:
    return name if len(name) == 1 and name.isascii() and name.isalpha() else _text(name)


def _text(name: str) -> str:
    return f"\\text{{{escaped(name)}}}"


def _pieces(marks: Sequence[Mark]) -> str:
    return "".join(
        mark.replace("′", "'") if isinstance(mark, str) else symbol_latex(mark) for mark in marks
    )


@dataclass(frozen=True, slots=True)
class Latex:
    """A renderer; see `Text`."""

    write: Callable[[Symbol], Written]
    digits: int = 4

    def relation(self, relation: Relation, terms_per_line: int | None = None) -> list[str]:
        r"""Return the lines of an equation for ``aligned``, without the ``\\`` between them."""
        sign = "=" if relation.sign == "=" else r"\sim"
        left, right = self.node(relation.left), relation.right
        if not (terms_per_line and isinstance(right, Sum) and len(right.terms) > terms_per_line):
            return [f"{left} &{sign} {self.node(right)}"]
        lines = []
        for start in range(0, len(right.terms), terms_per_line):
            part = self._sum(right.terms[start : start + terms_per_line], leading=start > 0)
            lines.append(f"&\\quad {{}}{part}" if start else f"{left} &{sign} {part}")
        return lines

    def node(self, node: Node) -> str:
        """Return an expression."""
        match node:
            case Number(value=value):
                return self._number(value)
            case Symbol():
                return symbol_latex(self.write(node))
            case Sum(terms=()):
                return "0"
            case Sum(terms=terms):
                return self._sum(terms, leading=False)
            case Product(factors=()):
                return "1"
            case Product(factors=factors):
                return self._product(factors)
            case Power(base=base, exponent=exponent):
                return f"{{{self._enclosed(base, (Sum, Product))}}}^{{{exponent}}}"
            case Quotient(over=over, under=under):
                return f"\\frac{{{self.node(over)}}}{{{self.node(under)}}}"
            case Root(inner=inner):
                return f"\\sqrt{{{self.node(inner)}}}"
            case Transposed(inner=inner):
                return f"{{{self._enclosed(inner, (Sum, Product))}}}^{{\\top}}"
            case Applied(function=function, arguments=arguments):
                name = _DISTRIBUTIONS.get(function, f"\\operatorname{{{function}}}")
                inside = ",\\, ".join(self.node(argument) for argument in arguments)
                return f"{name}\\left({inside}\\right)"
            case Dots(direction=direction):
                return _DOTS[direction]
            case Column(entries=entries):
                return self._grid([[entry] for entry in entries])
            case Grid(rows=rows):
                return self._grid(rows)

    def _number(self, value: float) -> str:
        mantissa, exponent, power = f"{value + 0.0:.{self.digits}g}".partition("e")
        return f"{mantissa} \\times 10^{{{int(power)}}}" if exponent else mantissa

    def _sum(self, terms: tuple[Node, ...], *, leading: bool) -> str:
        text = ""
        for number, (negative, term) in enumerate(signed(terms)):
            if number or leading:
                text += " - " if negative else " + "
            elif negative:
                text += "-"
            text += self._enclosed(term, (Sum,))
        return text.strip()

    def _product(self, factors: tuple[Node, ...]) -> str:
        text = ""
        for number, factor in enumerate(factors):
            if number:
                matrices = is_matrix(factor) and is_matrix(factors[number - 1])
                text += r"\, " if matrices else r" \cdot "
            text += self._enclosed(factor, (Sum, Product))
        return text

    def _enclosed(self, node: Node, kinds: tuple[type, ...]) -> str:
        inside = self.node(node)
        return f"\\left({inside}\\right)" if isinstance(node, kinds) else inside

    def _grid(self, rows: Sequence[Sequence[Node]]) -> str:
        width = max((len(row) for row in rows), default=0)
        body = r" \\ ".join(" & ".join(self.node(entry) for entry in row) for row in rows)
        columns = "c" * max(width, 1)
        return f"\\left[\\begin{{array}}{{{columns}}} {body} \\end{{array}}\\right]"
