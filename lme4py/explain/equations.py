"""The equations of a model in one notation, and their evaluation beside the matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lme4py.argument_types import count_of, mapping_of
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.estimates import estimates, known_values
from lme4py.explain.expression import Operation, Quantity, Tree, computed, evaluate, substituted
from lme4py.explain.markup.display import Display, Note, Section, Shown
from lme4py.explain.notation import Notation
from lme4py.explain.sections import (
    distribution_sections,
    folded,
    matrix_sections,
    observation_sections,
    response_section,
)
from lme4py.explain.system import System, system
from lme4py.export.programs import Program, program

__all__ = ["Equations", "Verification", "equations"]

_COLUMNS = (12, 8, 6, 4, 3)
_LINKS = {
    "logit": "logit(μ) = log(μ / (1 - μ))",
    "probit": "probit(μ) is the quantile of the standard normal distribution",
    "cloglog": "cloglog(μ) = log(-log(1 - μ))",
    "cauchit": "cauchit(μ) = tan(π (μ - 1/2))",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of evaluating the equations beside ``X @ beta + Z @ b``.

    Parameters
    ----------
    rows : int
        Number of rows compared: those without missing or infinite values, for which an
        equation multiplied out may differ from one that is not.
    combined, levels, matrix : float
        Largest difference of each form, relative to the size of the terms of its row.
    tolerance : float
        What they may be.
    """

    rows: int
    combined: float
    levels: float
    matrix: float
    tolerance: float = 1e-10

    @property
    def ok(self) -> bool:
        """Whether all differences are within the tolerance."""
        return max(self.combined, self.levels, self.matrix) <= self.tolerance

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Equations(Shown):
    """The equations of one model in one notation.

    Made by `equations`; ``str()`` and a notebook show all of them.

    Parameters
    ----------
    system : System
        The equations as trees, and the notation in which they are written.
    numbers : mapping of Quantity to float
        The symbols that are shown as numbers.
    digits : int
        Significant digits of numbers.
    terms_per_line : int or None
        Break sums after that many terms.
    width : int or None
        Characters of a line of text, for which lines are broken, matrices are given fewer columns
        and long runs of like terms are told in one; None: all is written out.
    """

    system: System
    numbers: Mapping[Quantity, float]
    digits: int
    terms_per_line: int | None
    width: int | None

    @property
    def notation(self) -> Notation:
        """How quantities are written."""
        return self.system.notation

    @cached_property
    def levels(self) -> Display:
        """The equations of the observations and of each level above."""
        system = self.system
        terms = (*system.observations, *system.offsets, *system.residual)
        lowest = [Operation("=", (system.left_side, Operation("+", terms)))]
        notes: list[Note] = []
        if (family := system.design.family) is not None:
            response = response_section(system.design)
            lowest = [*response.relations, *lowest]
            notes = [*response.notes, *([_LINKS[family.link]] if family.link in _LINKS else [])]
        sections = [Section("Level 1: observations i", tuple(lowest), notes=tuple(notes))]
        for stage, relations in enumerate(system.stages, start=1):
            factors = ", ".join(map(system.notation.caption, system.hierarchy.at(stage)))
            sections.append(Section(f"Level {stage + 1}: {factors}", relations, stage))
        return self._display(sections)

    @cached_property
    def combined(self) -> Display:
        """One equation: those of the levels put into each other and multiplied out."""
        terms = (*self.system.combined_predictor().operands, *self.system.residual)
        whole = Operation("=", (self.system.left_side, Operation("+", terms)))
        return self._display([Section("", (whole,))])

    @cached_property
    def matrix(self) -> Display:
        """One row, one cluster and the whole as products of matrices and vectors."""
        return self._fitting(matrix_sections(self.system))

    @cached_property
    def distribution(self) -> Display:
        """What is random, and how it is distributed."""
        return self._fitting(distribution_sections(self.system))

    def _fitting(self, sections: Iterable[Section]) -> Display:
        """Return a display whose matrices have as many columns as the width has room for."""
        shown = self._display(sections)
        for most in _COLUMNS if self.width is not None else ():
            own = tuple(replace(section, most=most) for section in shown.sections)
            shown = replace(shown, sections=own)
            if shown.fits:
                break
        return shown

    def observation(self, row: int = 0) -> Display:
        """Return one row multiplied out: the equations by level beside X β + Z b.

        A term stands in each of them; in LaTeX and HTML it has the same colour there.

        Parameters
        ----------
        row : int
            Position among the rows of X, from 0.

        Raises
        ------
        DataError
            If there is no such row.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> print(design.equations().observation(12).text().splitlines()[-1].strip())
        203 = 1·γ_00 + 2·γ_10 + 1·U_0j + ε_ij
        """
        rows = self.system.design.X.shape[0]
        place = count_of("row", row, 0, rows - 1)
        names, letters = self.notation.names, self.notation.letters
        where = ", ".join(
            f"{names.get(name, name)} {letters[name]} = {factor.label(place)}"
            for name, factor in self.system.hierarchy.factors.items()
        )
        title = Section(f"Row {place}: {where}", heads=True)
        return self._fitting([title, *observation_sections(self.system, place)])

    @property
    def levels_of_variables(self) -> dict[str, str | None]:
        """The grouping factor each variable belongs to; None: it varies between rows.

        Found in the data by the values within the groups, unless it was given.
        """
        return dict(self.system.places)

    @property
    def coefficients(self) -> dict[str, str]:
        """The symbol of each column of X, as text."""
        setter = self.notation.setter()
        return {found.name: setter.inline(found.effect) for found in self.system.fixed}

    def stan(self) -> Program:
        """Return the model as a program in Stan; errors as of `pymc`.

        Returns
        -------
        lme4py.export.programs.Program
            ``print`` shows its text; ``data`` is for ``stan.build(text, data)`` and its kin.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> equations(design).stan()
        <Program in Stan, which takes n, p, J_1, X, y, j_1, Z_1>
        """
        return self._program("Stan")

    def pymc(self) -> Program:
        """Return the model as a program in PyMC, a function ``model``, and its arguments.

        The fixed effects have flat priors, as in lme4; those of standard deviations and
        correlations are weak. They stand in the text, to be changed.

        Returns
        -------
        lme4py.export.programs.Program
            ``print`` shows its text; ``model(**program.data)`` is a ``pymc.Model``.

        Raises
        ------
        DataError
            If the response, or a value that the model needs, is missing.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> equations(design).pymc()
        <Program in PyMC, which takes coords, X, y, j_1, Z_1>
        """
        return self._program("PyMC")

    def _program(self, language: Literal["Stan", "PyMC"]) -> Program:
        design, setter = self.system.design, self.notation.setter()
        random = [
            [setter.inline(found.effect) for found in self.system.random if found.term == k]
            for k in range(len(design.random.terms))
        ]
        return program(language, design, [*self.coefficients.values()], random)

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
        system, design = self.system, self.system.design
        random = np.random.default_rng(count_of("seed", seed, 0))
        beta = random.standard_normal(len(design.fixed.names))
        b = random.standard_normal(int(design.random.Gp[-1]))
        offset = 0.0 if design.offset is None else design.offset
        values = system.values_at(beta, b)
        forms = (
            system.combined_predictor(),
            system.nested_predictor(),
            Operation("+", (*system.row_terms(),)),
        )
        with np.errstate(all="ignore"):
            direct = design.X @ beta + design.Z @ b + offset
            size = abs(design.X) @ abs(beta) + abs(design.Z) @ abs(b) + abs(offset)
            known = np.isfinite(size)
            # Relative to the size of a row's terms where that is above 1.
            differences = [
                (abs(evaluate(form, values) - direct) / np.maximum(size, 1.0))[known]
                for form in forms
            ]
        combined, levels, matrix = (
            float(np.nan_to_num(found, nan=np.inf).max(initial=0.0)) for found in differences
        )
        return Verification(int(known.sum()), combined, levels, matrix)

    def __repr__(self) -> str:
        views = ".levels, .combined, .matrix, .distribution, .observation(row)"
        return f"<Equations of {self.system.design.formula}: {views}; print() shows all>"

    def display(self) -> Display:
        """Return all equations."""
        sections: list[Section] = []
        for title, shown in (
            ("Levels", self.levels),
            ("Combined", self.combined),
            ("Matrices", self.matrix),
            ("Distributions", self.distribution),
        ):
            sections += [Section(title, heads=True), *shown.sections]
        return replace(self.levels, sections=tuple(sections))

    def _display(self, sections: Iterable[Section]) -> Display:
        shown = [
            replace(section, relations=tuple(r.map(self._with_numbers) for r in section.relations))
            for section in sections
        ]
        if self.width is not None:
            shown = list(map(folded, shown))
        setter = self.notation.setter(digits=self.digits)
        return Display(tuple(shown), setter, self.terms_per_line, self.width)

    def _with_numbers(self, tree: Tree) -> Tree:
        return computed(substituted(tree, self.numbers)) if self.numbers else tree


def equations(
    design: MixedDesign,
    *,
    notation: str = "raudenbush-bryk",
    levels: Mapping[str, str | None] | None = None,
    names: Mapping[str, str] | None = None,
    coefficients: Sequence[float] | Mapping[str, float] | None = None,
    par: ArrayLike | None = None,
    sigma: float | None = None,
    fit: object = None,
    digits: int = 4,
    terms_per_line: int | None = None,
    width: int | None = 88,
) -> Equations:
    """Return the equations of a model; the arguments are those of ``design.equations``."""
    found = system(design, mapping_of("levels", levels, '{"M": "g"}'))
    renamed = dict(mapping_of("names", names, '{"Reaction": "y"}'))
    known = {
        design.model_frame.response or "y",
        *found.places,
        *found.hierarchy.factors,
        *(quantity.name + quantity.part for quantity in found.values),
    }
    for name, other in renamed.items():
        if name not in known:
            hint = nearest(str(name), known) or f"they have: {', '.join(sorted(known))}"
            raise DataError(f"'{name}' is not in the equations", hint=hint)
        if not isinstance(other, str) or not other.strip():
            raise DataError(f"the other name of '{name}' must be text, not {other!r}")
    written = found.written_in(notation, renamed)
    numbers = estimates(design, coefficients=coefficients, par=par, sigma=sigma, fit=fit)
    return Equations(
        system=written,
        numbers=known_values(written, numbers),
        digits=count_of("digits", digits, 1, 17),
        terms_per_line=(
            None if terms_per_line is None else count_of("terms_per_line", terms_per_line, 1)
        ),
        width=None if width is None else max(count_of("width", width, 0), 30),
    )
