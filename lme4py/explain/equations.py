"""The equations of a model: by level, combined, as matrices, and their distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from lme4py.errors import DataError, nearest
from lme4py.explain.covariances import (
    elided,
    random_effects_of,
    random_relation,
    response_relations,
)
from lme4py.explain.display import Display, Section
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
    evaluate,
    substituted,
    symbols_of,
    times,
)
from lme4py.explain.monomials import monomials
from lme4py.explain.notation import GelmanHill, Notation, notation_of
from lme4py.explain.render_text import symbol_text
from lme4py.explain.system import System, system
from lme4py.frame.values import FloatArray
from lme4py.matrices.mixed import MixedMatrices

__all__ = ["Equations", "Verification", "equations"]

_TOLERANCE = 1e-10
_MOST = 12
_MOST_IN_ROW = 6
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
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether all differences are within the tolerance."""
        return max(self.combined, self.levels, self.matrix) <= self.tolerance

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, eq=False, repr=False)
class Equations:
    """The equations of one model in one notation.

    Made by `equations`; ``str()`` and a notebook show all of them.

    Parameters
    ----------
    design : MixedMatrices
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

    design: MixedMatrices
    system: System
    notation: Notation
    names: Mapping[str, str]
    numbers: Mapping[Symbol, Node]
    digits: int
    terms_per_line: int | None

    @cached_property
    def levels(self) -> Display:
        """The equations of the observations and of each level above."""
        left, terms = self._lowest()
        observations = [Relation(left, Sum(terms))]
        notes: tuple[str, ...] = ()
        if self.design.family is not None:
            observations = [*self._responses(), *observations]
            notes = self._link_notes()
        sections = [self._section("Level 1: observations i", observations, 0, notes)]
        for stage, relations in enumerate(self.system.stages, start=1):
            title = f"Level {stage + 1}: {', '.join(self._factors(stage))}"
            sections.append(self._section(title, relations, stage))
        return self._display(sections)

    @cached_property
    def combined(self) -> Display:
        """One equation: those of the levels put into each other and multiplied out."""
        left, _ = self._lowest()
        combined = self.system.combined_predictor()
        return self._display(
            [self._section("", [Relation(left, Sum((*combined.terms, *self._residual())))], 0)]
        )

    @cached_property
    def matrix(self) -> Display:
        """One row, one cluster and the whole as products of matrices and vectors."""
        return self._display(list(self._matrix_sections()))

    @cached_property
    def distribution(self) -> Display:
        """What is random, and how it is distributed."""
        gelman_hill = isinstance(self.notation, GelmanHill)
        sections = []
        if gelman_hill and self.design.family is None:
            (residual,) = self._responses()
            _, terms = self._lowest()
            mean = Sum(terms[:-1])
            spread = residual.right.arguments[1] if isinstance(residual.right, Applied) else mean
            response = Symbol("response", row="i")
            shown = [Relation(response, Applied("N", (mean, spread)), "~")]
        else:
            shown = self._responses()
        sections.append(self._section("", shown, 0))
        levels = self.system.hierarchy
        for factor in levels.from_stage(1):
            stage = levels.stage[factor]
            relation = random_relation(
                self.design, self.system, factor, tau=not gelman_hill, most=_MOST
            )
            if relation is not None:
                if gelman_hill:
                    relation = self._about_means(factor, relation)
                title = f"for {self._factor(factor)}"
                sections.append(self._section(title, [relation], stage))
        return self._display(sections)

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
        design, random = self.design, np.random.default_rng(seed)
        beta = random.standard_normal(len(design.fixed.names))
        b = random.standard_normal(int(design.random.Gp[-1]))
        offset = 0.0 if design.offset is None else design.offset
        rows = design.X.shape[0]
        values = self.system.effects(design, beta, b)
        with np.errstate(all="ignore"):
            direct = design.X @ beta + design.Z @ b + offset
            size = abs(design.X) @ abs(beta) + abs(design.Z) @ abs(b) + abs(offset)
            combined, levels, matrix = (
                _difference(np.broadcast_to(evaluate(form, values), rows), direct, size)
                for form in (
                    self.system.combined_predictor(),
                    self.system.nested_predictor(),
                    Sum(tuple(self._row_terms())),
                )
            )
        compared = int(np.isfinite(size).sum())
        return Verification(compared, combined, levels, matrix, _TOLERANCE)

    def text(self) -> str:
        """Return all equations as Unicode text."""
        return "\n\n".join(
            f"{title}\n{'-' * len(title)}\n{display.text()}" for title, display in self._parts()
        )

    def latex(self) -> str:
        """Return all equations as one ``aligned`` environment, without dollar signs."""
        sections = [
            part
            for title, display in self._parts()
            for part in (self._section(title, [], 0), *display.sections)
        ]
        return self._bare(sections).latex()

    def html(self) -> str:
        """Return all equations as HTML with MathML."""
        parts = (f"<h4>{title}</h4>{display.html()}" for title, display in self._parts())
        return f"<div>{''.join(parts)}</div>"

    def markdown(self) -> str:
        """Return all equations as Markdown with LaTeX."""
        return "\n\n".join(
            f"### {title}\n\n{display.markdown()}" for title, display in self._parts()
        )

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    # -- pieces -------------------------------------------------------------------------

    def _parts(self) -> list[tuple[str, Display]]:
        return [
            ("Levels", self.levels),
            ("Combined", self.combined),
            ("Matrices", self.matrix),
            ("Distributions", self.distribution),
        ]

    def _section(
        self,
        title: str,
        relations: Sequence[Relation],
        stage: int,
        notes: tuple[str, ...] = (),
    ) -> Section:
        shown = tuple(
            Relation(
                substituted(relation.left, self.numbers),
                substituted(relation.right, self.numbers),
                relation.sign,
            )
            for relation in relations
        )
        return Section(title, shown, partial(self.notation.write, stage=stage), notes)

    def _display(self, sections: Sequence[Section]) -> Display:
        return Display(tuple(sections), self.digits, self.terms_per_line)

    _bare = _display

    def _factor(self, factor: int) -> str:
        own = self.system.hierarchy.factors[factor]
        name = self.names.get(own.name, own.name)
        letter, count = self.notation.letters[factor], len(own.levels)
        return f"{name} {letter} = 1, …, {count}" if count > 1 else f"{name} {letter} = 1"

    def _factors(self, stage: int) -> list[str]:
        return [self._factor(factor) for factor in self.system.hierarchy.at(stage)]

    def _responses(self) -> list[Relation]:
        return response_relations(self.design, weighted=self.design.weights is not None)

    def _link_notes(self) -> tuple[str, ...]:
        link = None if self.design.family is None else self.design.family.link
        return (_LINKS[link],) if link in _LINKS else ()

    def _residual(self) -> tuple[Node, ...]:
        return (Symbol("residual", row="i"),) if self.design.family is None else ()

    def _lowest(self) -> tuple[Node, tuple[Node, ...]]:
        """Return the left side and the terms of the equation of the observations."""
        terms = (*self.system.observations, *self.system.offsets, *self._residual())
        if self.design.family is None:
            return Symbol("response", row="i"), terms
        mean = Symbol("mean", row="i")
        match self.design.family.link:
            case "identity":
                return mean, terms
            case "inverse":
                return Quotient(Number(1.0), mean), terms
            case "1/mu^2":
                return Quotient(Number(1.0), Power(mean, 2)), terms
            case "sqrt":
                return Root(mean), terms
            case link:
                return Applied(link, (mean,)), terms

    def _about_means(self, factor: int, relation: Relation) -> Relation:
        """Return the distribution of the coefficients themselves, where they are all there is."""
        levels, found = self.system.hierarchy, self.system
        stage = levels.stage[factor]
        effects = [found.random[place] for place in random_effects_of(found, factor)]
        if len(levels.at(stage)) > 1 or not isinstance(relation.right, Applied):
            return relation
        means: dict[Symbol, tuple[Node, Node]] = {}
        for equation in found.stages[stage - 1]:
            right = equation.right
            terms = right.terms if isinstance(right, Sum) else (right,)
            own = [term for term in terms if term in effects]
            if len(own) == 1 and isinstance(own[0], Symbol):
                others = tuple(term for term in terms if term not in own)
                means[own[0]] = (equation.left, Sum(others))
        if len(means) != len(effects) or len(set(effects)) != len(effects):
            return relation
        pairs = [means[effect] for effect in effects]
        spread = relation.right.arguments[1]
        if len(pairs) == 1:
            return Relation(pairs[0][0], Applied("N", (pairs[0][1], spread)), "~")
        left = elided(Column(tuple(pair[0] for pair in pairs)), _MOST, 1)
        mean = elided(Column(tuple(pair[1] for pair in pairs)), _MOST, 1)
        return Relation(left, Applied("N", (mean, spread)), "~")

    # -- matrices -----------------------------------------------------------------------

    def _row_terms(self) -> Iterator[Node]:
        """Yield the terms of one row: x beta, z b for each factor, offsets."""
        found = self.system.monomials
        if found.fixed:
            entries = tuple(
                times(
                    *([] if column.scale == 1.0 else [Number(column.scale)]),
                    *(column.atoms or (Number(1.0),)),
                )
                for column in found.fixed
            )
            yield Product((Grid((entries,)), Column(self.system.fixed)))
        for factor in self.system.hierarchy.from_stage(1):
            places = random_effects_of(self.system, factor)
            if places:
                entries = tuple(
                    times(*(found.random[place].atoms or (Number(1.0),))) for place in places
                )
                effects = tuple(self.system.random[place] for place in places)
                yield Product((Grid((entries,)), Column(effects)))
        yield from self.system.offsets

    def _matrix_sections(self) -> Iterator[Section]:
        left: Node = Symbol("response", row="i")
        if self.design.family is not None:
            left = Symbol("predicted", row="i")
        terms = list(self._row_terms())
        row = Sum((*(_narrow(term) for term in terms), *self._residual()))
        yield self._section("One observation", [Relation(left, row)], 0)
        factors = [
            factor
            for factor in self.system.hierarchy.from_stage(1)
            if random_effects_of(self.system, factor)
        ]
        if len(factors) == 1:
            yield from self._one_factor(left, terms, factors[0])
        else:
            yield self._several_factors(factors)

    def _one_factor(self, left: Node, terms: list[Node], factor: int) -> Iterator[Section]:
        stacked = tuple(_stacked(_narrow(term)) for term in terms)
        residual = tuple(_stacked(symbol) for symbol in self._residual())
        name = self._factor(factor)
        shown = [Relation(_stacked(left), Sum((*stacked, *residual)))]
        yield self._section(f"One cluster, {name}", shown, self.system.hierarchy.stage[factor])
        whole = partial(self._matrix, factors=(factor,))
        compact = [Relation(whole(self._y()), Sum(tuple(self._compact((factor,)))))]
        if self.system.fixed:
            compact.append(Relation(self._matrix("β"), _lying(self.system.fixed)))
        effects = [self.system.random[i] for i in random_effects_of(self.system, factor)]
        compact.append(Relation(whole("b"), _lying(tuple(effects))))
        yield self._section("", compact, self.system.hierarchy.stage[factor])
        last = len(self.system.hierarchy.factors[factor].levels)
        zero = Number(0.0)
        if last > 1:
            first, final = (Symbol("matrix", "Z", numbers=(k,)) for k in (1, last))
            blocks = Grid(
                (
                    (first, zero, zero),
                    (zero, Dots("diagonal"), zero),
                    (zero, zero, final),
                )
            )
        else:
            blocks = Grid(((Symbol("matrix", "Z", numbers=(1,)),),))
        title = "All rows, ordered by cluster: Z is block-diagonal"
        shown = [
            Relation(self._matrix(self._y()), Sum(tuple(self._compact(())))),
            Relation(self._matrix("Z"), blocks),
        ]
        yield self._section(title, shown, 0)

    def _several_factors(self, factors: Sequence[int]) -> Section:
        title, notes = "All rows", []
        terms: list[Node] = []
        if self.system.fixed:
            terms.append(Product((self._matrix("X"), self._matrix("β"))))
        for number, factor in enumerate(factors, start=1):
            z, b = (Symbol("matrix", letter, numbers=(number,)) for letter in "Zb")
            terms.append(Product((z, b)))
            places = random_effects_of(self.system, factor)
            levels = len(self.system.hierarchy.factors[factor].levels)
            notes.append(f"Z_{number}: {self._factor(factor)}, {levels} × {len(places)} columns")
        terms += self._whole_rest(())
        shown = [Relation(self._matrix(self._y()), Sum(tuple(terms)))]
        return self._section(title, shown, 0, tuple(notes))

    def _y(self) -> str:
        return "y" if self.design.family is None else "η"

    @staticmethod
    def _matrix(name: str, factors: tuple[int, ...] = ()) -> Symbol:
        return Symbol("matrix", name, factors=factors)

    def _compact(self, factors: tuple[int, ...]) -> Iterator[Node]:
        if self.system.fixed:
            yield Product((self._matrix("X", factors), self._matrix("β")))
        yield Product((self._matrix("Z", factors), self._matrix("b", factors)))
        yield from self._whole_rest(factors)

    def _whole_rest(self, factors: tuple[int, ...]) -> Iterator[Node]:
        if self.system.offsets:
            yield self._matrix("o", factors)
        if self.design.family is None:
            yield self._matrix("ε", factors)


def _difference(found: FloatArray, direct: FloatArray, size: FloatArray) -> float:
    """Return the largest difference, relative to the size of the terms where above 1."""
    compared = np.isfinite(size)
    differences = abs(found - direct)[compared] / np.maximum(size[compared], 1.0)
    return float(np.where(np.isnan(differences), np.inf, differences).max(initial=0.0))


def _narrow(term: Node) -> Node:
    match term:
        case Product(factors=(Grid() as row, Column() as column)):
            return Product((elided(row, 3, _MOST_IN_ROW), elided(column, _MOST_IN_ROW, 1)))
        case _:
            return term


def _in_row(node: Node, row: str) -> Node:
    """Return the expression for another row of the cluster."""
    changed: dict[Symbol, Node] = {}
    for s in symbols_of(node):
        if s.row:
            changed[s] = Symbol(s.kind, s.name, s.part, s.numbers, s.factors, row, s.copy, s.of)
    return substituted(node, changed)


def _stacked(term: Node) -> Node:
    """Return a term of one row written for all rows of the cluster."""
    match term:
        case Product(factors=(Grid(rows=(row,)), effects)):
            first, last = (tuple(_in_row(entry, at) for entry in row) for at in "1n")
            between: tuple[Node, ...] = tuple(Dots("down") for _ in row)
            return Product((Grid((first, between, last)), effects))
        case _:
            return Column((_in_row(term, "1"), Dots("down"), _in_row(term, "n")))


def _lying(effects: tuple[Symbol, ...]) -> Node:
    return Transposed(elided(Grid((effects,)), 3, _MOST_IN_ROW))


def equations(
    design: MixedMatrices,
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
    design : MixedMatrices
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
    found = monomials(design, levels)
    built = system(design, found)
    renamed = dict(names or {})
    known = {
        design.model_frame.response or "y",
        *found.places,
        *(factor.name for factor in found.levels.factors),
        *(symbol.name + symbol.part for symbol in found.values),
        *(symbol.name for symbol in built.offsets),
    }
    for name in renamed:
        if name not in known:
            raise DataError(f"'{name}' is not in the equations", hint=nearest(str(name), known))
    if terms_per_line is not None and terms_per_line < 1:
        raise DataError("terms_per_line must be at least 1")
    if not 1 <= digits <= 17:
        raise DataError("digits must be between 1 and 17")
    response = design.model_frame.response or "y"
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
    design: MixedMatrices,
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
        return {symbols[name]: Number(float(value)) for name, value in coefficients.items()}
    if len(coefficients) != len(names):
        raise DataError(f"{len(coefficients)} coefficients for {len(names)} columns of X")
    pairs = zip(built.fixed, coefficients, strict=True)
    return {symbol: Number(float(value)) for symbol, value in pairs}
