"""The equations of a model in one notation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from lme4py.argument_types import count_of, mapping_of
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.display import Display, Section, Shown
from lme4py.explain.equations.distributions import distribution_parts, responses
from lme4py.explain.equations.matrices import matrix_parts
from lme4py.explain.equations.observation import observation_equation, residual
from lme4py.explain.equations.parts import Part
from lme4py.explain.equations.verification import Verification, verify
from lme4py.explain.expression import Node, Number, Relation, Sum, Symbol, substituted
from lme4py.explain.monomials import monomials
from lme4py.explain.notation import GelmanHill, Notation, notation_of
from lme4py.explain.render_text import symbol_text
from lme4py.explain.system import System, system

__all__ = ["Equations", "equations"]

_LINKS = {
    "logit": "logit(μ) = log(μ / (1 - μ))",
    "probit": "probit(μ) is the quantile of the standard normal distribution",
    "cloglog": "cloglog(μ) = log(-log(1 - μ))",
    "cauchit": "cauchit(μ) = tan(π (μ - 1/2))",
}


@dataclass(frozen=True, eq=False, repr=False)
class Equations(Shown):
    """The equations of one model in one notation.

    Made by `equations`; ``str()`` and a notebook show all of them.

    Parameters
    ----------
    design : MixedDesign
        The model.
    system : System
        Its equations as trees.
    notation : Notation
        How symbols are written.
    names : mapping of str to str
        Other names for variables and grouping factors.
    numbers : mapping of Symbol to Number
        Fixed effects that are shown as numbers.
    digits : int
        Significant digits of numbers.
    terms_per_line : int or None
        Break sums after that many terms.
    """

    design: MixedDesign
    system: System
    notation: Notation
    names: Mapping[str, str]
    numbers: Mapping[Symbol, Node]
    digits: int
    terms_per_line: int | None

    @cached_property
    def levels(self) -> Display:
        """The equations of the observations and of each level above."""
        left, terms = observation_equation(self.design, self.system)
        observations = [Relation(left, Sum(terms))]
        notes: tuple[str, ...] = ()
        if self.design.family is not None:
            observations = [*responses(self.design), *observations]
            notes = _link_notes(self.design)
        parts = [Part("Level 1: observations i", observations, 0, notes)]
        for stage, relations in enumerate(self.system.stages, start=1):
            factors = ", ".join(map(self._factor, self.system.hierarchy.at(stage)))
            parts.append(Part(f"Level {stage + 1}: {factors}", relations, stage))
        return self._display(parts)

    @cached_property
    def combined(self) -> Display:
        """One equation: those of the levels put into each other and multiplied out."""
        left, _ = observation_equation(self.design, self.system)
        terms = (*self.system.combined_predictor().terms, *residual(self.design))
        return self._display([Part("", [Relation(left, Sum(terms))], 0)])

    @cached_property
    def matrix(self) -> Display:
        """One row, one cluster and the whole as products of matrices and vectors."""
        return self._display(matrix_parts(self.design, self.system, self._factor))

    @cached_property
    def distribution(self) -> Display:
        """What is random, and how it is distributed."""
        about = isinstance(self.notation, GelmanHill)
        return self._display(
            distribution_parts(self.design, self.system, self._factor, coefficients=about)
        )

    @property
    def levels_of_variables(self) -> dict[str, str | None]:
        """The grouping factor each variable belongs to; None: it varies between rows.

        Found in the data by exact equality within the groups, unless it was given.
        """
        factors = self.system.hierarchy.factors
        return {
            name: None if place is None else factors[place].name
            for name, place in self.system.monomials.places.items()
        }

    @property
    def coefficients(self) -> dict[str, str]:
        """The symbol of each column of X, as text."""
        written = [symbol_text(self.notation.write(symbol)) for symbol in self.system.fixed]
        return dict(zip(self.design.fixed.names, written, strict=True))

    def verify(self, seed: int = 0) -> Verification:
        """Evaluate the equations and compare them with the matrices on every row.

        Random fixed effects and random effects are put into the combined equation, into
        the levels' equations one inside the other, and into the row times vectors of the
        matrix form; each must give ``X @ beta + Z @ b`` (and the offset). A variable
        above the first level enters with one value per group.

        Parameters
        ----------
        seed : int
            Seed of the random effects.

        Returns
        -------
        Verification
            True as a condition when all differences are below 1e-10.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)",
        ...                          lme4py.data.sleepstudy())
        >>> bool(equations(design).verify())
        True
        """
        return verify(self.design, self.system, count_of("seed", seed, 0))

    def text(self) -> str:
        """Return all equations as Unicode text."""
        return "\n\n".join(
            f"{title}\n{'-' * len(title)}\n{display.text()}" for title, display in self._displays()
        )

    def latex(self) -> str:
        """Return all equations as one ``aligned`` environment, without dollar signs."""
        sections = [
            part
            for title, display in self._displays()
            for part in (self._section(Part(title, [], 0)), *display.sections)
        ]
        return self._shown(sections).latex()

    def html(self) -> str:
        """Return all equations as HTML with MathML."""
        parts = (f"<h4>{title}</h4>{display.html()}" for title, display in self._displays())
        return f"<div>{''.join(parts)}</div>"

    def markdown(self) -> str:
        """Return all equations as Markdown with LaTeX."""
        return "\n\n".join(
            f"### {title}\n\n{display.markdown()}" for title, display in self._displays()
        )

    def _displays(self) -> list[tuple[str, Display]]:
        return [
            ("Levels", self.levels),
            ("Combined", self.combined),
            ("Matrices", self.matrix),
            ("Distributions", self.distribution),
        ]

    def _section(self, part: Part) -> Section:
        shown = tuple(
            Relation(
                substituted(relation.left, self.numbers),
                substituted(relation.right, self.numbers),
                relation.sign,
            )
            for relation in part.relations
        )
        write = partial(self.notation.write, stage=part.stage)
        return Section(part.title, shown, write, part.notes)

    def _display(self, parts: Iterable[Part]) -> Display:
        return self._shown([self._section(part) for part in parts])

    def _shown(self, sections: Sequence[Section]) -> Display:
        return Display(tuple(sections), self.digits, self.terms_per_line)

    def _factor(self, factor: int) -> str:
        own = self.system.hierarchy.factors[factor]
        name = self.names.get(own.name, own.name)
        letter, count = self.notation.letters[factor], len(own.levels)
        return f"{name} {letter} = 1, …, {count}" if count > 1 else f"{name} {letter} = 1"


def _link_notes(design: MixedDesign) -> tuple[str, ...]:
    link = None if design.family is None else design.family.link
    return (_LINKS[link],) if link in _LINKS else ()


def equations(
    design: MixedDesign,
    *,
    notation: str = "raudenbush-bryk",
    levels: Mapping[str, str | None] | None = None,
    names: Mapping[str, str] | None = None,
    coefficients: Sequence[float] | Mapping[str, float] | None = None,
    digits: int = 4,
    terms_per_line: int | None = None,
) -> Equations:
    """Return the equations of a model.

    Parameters
    ----------
    design : MixedDesign
        The model.
    notation : {"raudenbush-bryk", "gelman-hill"}
        How symbols are written.
    levels : mapping of str to (str or None), optional
        The grouping factor that a variable belongs to, None for the level of the
        observations, where it is not to be found from the data.
    names : mapping of str to str, optional
        Other names for the response, variables, columns and grouping factors.
    coefficients : sequence of float or mapping of str to float, optional
        Estimates of fixed effects, in the order of X or by the names of its columns;
        they stand in place of their symbols.
    digits : int, default 4
        Significant digits of numbers.
    terms_per_line : int, optional
        Break sums after that many terms.

    Returns
    -------
    Equations

    Raises
    ------
    DataError
        For unknown names, or a level that the data contradict.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print(equations(design, names={"Reaction": "y"}).levels)
    Level 1: observations i
      y_ij = β_0j + β_1j·Days_ij + ε_ij
    <BLANKLINE>
    Level 2: Subject j = 1, …, 18
      β_0j = γ_00 + U_0j
      β_1j = γ_10 + U_1j
    """
    chosen = mapping_of("levels", levels, '{"M": "g"}')
    renamed = dict(mapping_of("names", names, '{"Reaction": "y"}'))
    digits = count_of("digits", digits, 1, 17)
    if terms_per_line is not None:
        terms_per_line = count_of("terms_per_line", terms_per_line, 1)
    found = monomials(design, chosen)
    built = system(design, found)
    response = design.model_frame.response or "y"
    known = {
        response,
        *found.places,
        *(factor.name for factor in found.levels.factors),
        *(symbol.name + symbol.part for symbol in found.values),
        *(symbol.name for symbol in built.offsets),
    }
    for name, other in renamed.items():
        if name not in known:
            raise DataError(
                f"'{name}' is not in the equations",
                hint=nearest(str(name), known) or f"they have: {', '.join(sorted(known))}",
            )
        if not isinstance(other, str) or not other.strip():
            raise DataError(f"the other name of '{name}' must be text, not {other!r}")
    return Equations(
        design,
        built,
        notation_of(notation, found.levels, renamed, response),
        renamed,
        _numbers(design, built, coefficients),
        digits,
        terms_per_line,
    )


def _numbers(
    design: MixedDesign,
    built: System,
    coefficients: Sequence[float] | Mapping[str, float] | None,
) -> dict[Symbol, Node]:
    if coefficients is None:
        return {}
    names = design.fixed.names
    symbols = dict(zip(names, built.fixed, strict=True))
    if isinstance(coefficients, Mapping):
        for name in coefficients:
            if name not in symbols:
                raise DataError(
                    f"'{name}' is not a column of X",
                    hint=nearest(str(name), names) or f"its columns: {', '.join(names)}",
                )
        numbers = dict(zip(coefficients, _numeric(list(coefficients.values())), strict=True))
        return {symbols[name]: Number(value) for name, value in numbers.items()}
    values = _numeric(coefficients)
    if len(values) != len(names):
        raise DataError(
            f"{len(values)} coefficients for {len(names)} columns of X",
            hint=f"in this order: {', '.join(names)}",
        )
    return {symbol: Number(value) for symbol, value in zip(built.fixed, values, strict=True)}


def _numeric(coefficients: Any) -> list[float]:
    try:
        values = np.asarray(coefficients, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim != 1:
        raise DataError("coefficients must be numbers, one for each column of X, or a mapping")
    return [float(value) for value in values]
