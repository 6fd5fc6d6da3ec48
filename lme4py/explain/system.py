"""The model as a system of equations, one for each level of the hierarchy.

Every column of X and Z is a product. What of it varies between observations stands in
the equation of the observations, with a coefficient; that coefficient has an equation a
stage higher, in which the parts of that stage stand with coefficients of their own, and
so on; what is left at the top is a fixed effect. A random effect enters the equation of
its factor's stage. Putting each equation into the one below gives X beta + Z b again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from lme4py.argument_types import choice_of
from lme4py.data.values import FloatArray, Matrix, Numeric
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.expression import (
    Operation,
    Quantity,
    Tree,
    column,
    expanded,
    grid,
    substituted,
    summed,
    times,
)
from lme4py.explain.hierarchy import CONTRADICTION, Hierarchy, hierarchy
from lme4py.explain.notation import NOTATIONS, Notation, RaudenbushBryk
from lme4py.export.coordinates import dense
from lme4py.formula.syntax import Call, Node, Symbol, call, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.functions.table import lookup
from lme4py.matrices.plan import Part, Plan
from lme4py.matrices.randomterm import RandomTerm

Atoms: TypeAlias = tuple[Quantity, ...]
ALL = slice(None)
Column: TypeAlias = Callable[[slice], FloatArray]
"""Returns some rows of a column."""


def column_of_X(design: MixedDesign, number: int) -> FloatArray:
    """Return one column of X as a dense array."""
    return dense(design.X[:, [number]]).ravel()


def fixed_terms(design: MixedDesign) -> Terms:
    """Return the terms of the fixed part."""
    return terms(design.formula.nobars().node, design.model_frame.names)


def left_side(design: MixedDesign, term: RandomTerm) -> Terms:
    """Return the terms of the left side of a bar."""
    return terms(call("~", term.bar.effects), design.model_frame.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProduct:
    """A column of X, or of a random-effects term: then one column of Z for each level."""

    effect: Quantity  # its coefficient
    name: str  # R's
    atoms: Atoms  # what it multiplies; empty for an intercept
    term: int  # R's number of a fixed one, the position of a random one
    place: int  # in X, or among the columns of the random term
    # Taken off the product, and what this is multiplied by then: ``autoscale`` of a column of X.
    center: float = 0.0
    scale: float = 1.0

    @property
    def entry(self) -> Tree:
        """What stands in a row of the matrix."""
        product = times(*(self.atoms or (1.0,)))
        if self.center:
            product = Operation("+", (product, -self.center))
        return self.scaled(product)

    def scaled(self, *factors: Tree) -> Tree:
        """Return a product with the scale in front, unless it is 1."""
        return times(*([] if self.scale == 1.0 else [self.scale]), *factors)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class System:
    """The equations of a model as trees."""

    design: MixedDesign
    hierarchy: Hierarchy
    places: Mapping[str, str | None]  # the grouping factor that each variable belongs to
    inside: Mapping[str, frozenset[str]]  # the variables in its expression
    fixed: tuple[ColumnProduct, ...]  # the columns of X
    random: tuple[ColumnProduct, ...]  # the columns of each random term
    observations: tuple[Tree, ...]  # the terms of the lowest equation
    offsets: tuple[Quantity, ...]  # which are added to them
    stages: tuple[tuple[Operation, ...], ...]  # from 1: the equations of the coefficients
    values: Mapping[Quantity, Column]  # what computes the predictors and offsets
    notation: Notation  # how the symbols are written

    def __repr__(self) -> str:
        return f"<System: {self.hierarchy.stages + 1} levels of {self.design.formula}>"

    def columns_of(self, factor: str) -> tuple[ColumnProduct, ...]:
        """Return the columns of one factor, over all its terms."""
        return tuple(found for found in self.random if found.effect.factors == (factor,))

    def effects_of(self, factor: str) -> tuple[Quantity, ...]:
        """Return the random effects of one factor: b_j."""
        return tuple(found.effect for found in self.columns_of(factor))

    def written_in(self, notation: str, names: Mapping[str, str] | None = None) -> System:
        """Return the equations in a notation, variables by other names where these are given."""
        kind = NOTATIONS[choice_of("notation", notation, tuple(NOTATIONS))]
        return replace(self, notation=kind(self.hierarchy, names or {}, self.notation.response))

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The factors that have random effects, finest first."""
        return tuple(f for f in self.hierarchy.from_stage(1) if self.columns_of(f))

    def matrix(self, letter: str, factor: str | None = None, own: str | None = None) -> Quantity:
        """Return a matrix, one of a factor, on the rows of a cluster of `own` where that is given.

        Those of one factor among several are numbered, from 1.
        """
        several = factor is not None and len(self.factors) > 1
        numbers = (1 + self.factors.index(factor),) if factor is not None and several else ()
        return Quantity("matrix", letter, numbers=numbers, factors=() if own is None else (own,))

    @property
    def residual(self) -> tuple[Quantity, ...]:
        """The residual, which only a linear model has."""
        return (Quantity("residual", row="i"),) if self.design.family is None else ()

    @property
    def outcome(self) -> Quantity:
        """What X β + Z b and the residual add up to in a row: the response, or the predictor η."""
        return Quantity("response" if self.residual else "predicted", row="i")

    def outcomes(self, own: str | None = None) -> Quantity:
        """Return these of all rows, or of those of a cluster of `own`, as a vector."""
        return self.matrix("y" if self.residual else "η", own=own)

    @property
    def left_side(self) -> Tree:
        """The left side of the lowest equation: the response, or the link of its mean."""
        if self.design.family is None:
            return self.outcome
        mean, link = Quantity("mean", row="i"), self.design.family.link
        written: dict[str, Tree] = {
            "identity": mean,
            "inverse": Operation("/", (1.0, mean)),
            "1/mu^2": Operation("/", (1.0, Operation("^", (mean, 2)))),
            "sqrt": Operation("√", (mean,)),
        }
        return written.get(link, Operation(link, (mean,)))

    @property
    def meanings(self) -> dict[Quantity, Tree]:
        """What stands for each coefficient that has an equation."""
        relations = (relation for stage in self.stages for relation in stage)
        return {r.left: r.right for r in relations if isinstance(r.left, Quantity)}

    def nested_predictor(self) -> Tree:
        """Return the lowest equation with all others put in, not multiplied out."""
        return substituted(Operation("+", (*self.observations, *self.offsets)), self.meanings)

    def combined_predictor(self) -> Operation:
        """Return the lowest equation with all others put in, multiplied out."""
        return expanded(self.nested_predictor())

    @property
    def parts(self) -> Iterator[tuple[ColumnProduct, ...]]:
        """The columns of X, then those of Z for each factor."""
        yield from filter(None, (self.fixed, *map(self.columns_of, self.factors)))

    def row_terms(self) -> Iterator[Tree]:
        """Yield the terms of one row: x beta, z b for each factor, offsets."""
        for part in self.parts:
            effects = column(found.effect for found in part)
            yield Operation("·", (grid([[found.entry for found in part]]), effects))
        yield from self.offsets

    def values_at(self, beta: FloatArray, b: FloatArray) -> dict[Quantity, Any]:
        """Return the values of all quantities on the rows, for fixed effects beta and random b."""
        values: dict[Quantity, Any] = {}
        for quantity, column_of in self.values.items():
            numbers = column_of(ALL)
            values[quantity] = numbers
            if quantity.factors:
                group = self.hierarchy.factors[quantity.factors[0]]
                if group.differs(numbers, CONTRADICTION).any():
                    # One value per level, spread over its rows: the level is not right.
                    values[quantity] = group.spread(numbers)
        values.update(zip((found.effect for found in self.fixed), beta, strict=True))
        Gp, terms = self.design.random.Gp.tolist(), self.design.random.terms
        for found in self.random:
            term = terms[found.term]
            own = b[Gp[found.term] + found.place : Gp[found.term + 1] : term.columns]
            # The last entry is that of rows without a level.
            values[found.effect] = np.append(own, 0.0)[term.group.codes]
        return values


class _Atoms:
    """What the columns of a design are products of, and at which level that lies.

    Two columns are made of the same thing when the names and the numbers agree: a factor coded by
    sums in X and by treatments in Z has columns of one name that differ.
    """

    def __init__(
        self, design: MixedDesign, levels: Hierarchy, chosen: Mapping[str, str | None]
    ) -> None:
        self.values: dict[Quantity, Column] = {}
        self.order: dict[Quantity, int] = {}
        self.places: dict[str, str | None] = {}
        self.inside: dict[str, frozenset[str]] = {}
        self._labelled: dict[str, list[Quantity]] = {}
        self._frame, self._levels = design.model_frame, levels
        self._chosen = chosen

    def check_chosen(self) -> None:
        """Raise a DataError for a chosen level of what is no variable of the columns."""
        used = set(map(self._label, self.places))
        for name in self._chosen:
            if name not in used:
                known = used | set(self.places)
                raise DataError(
                    f"'{name}' is not a variable of the model's columns",
                    hint=nearest(str(name), known)
                    or f"its variables: {', '.join(sorted(known)) or 'none'}",
                )

    def of(self, found: Terms, plan: Plan, columns: Iterable[int]) -> Iterator[Atoms]:
        """Yield what each planned column of these terms multiplies; nothing for an intercept."""
        for number in columns:
            picked = plan.products[number]
            named: list[tuple[str, Node]]
            if plan.whole:
                # Ready arrays know a column by R's name alone: it is not known what varies in it.
                named = [(plan.names[number], Symbol(plan.names[number]))]
            else:
                places = found.positions(found.members[plan.assign[number] - 1]) if picked else ()
                named = [(found.frame_names[place], found.variables[place]) for place in places]
            pairs = zip(named, picked, strict=not plan.whole)
            yield tuple(self._atom(name, node, part) for (name, node), part in pairs)

    def _atom(self, name: str, node: Node, part: Part) -> Quantity:
        def numbers(rows: slice) -> FloatArray:
            values: FloatArray = part.take(rows).astype(np.float64)
            return values

        if name not in self.places:
            self.inside[name] = frozenset(symbol.name for symbol in symbols(node))
            self.places[name] = self._place(name, node)
        place = self.places[name]
        factors, row = ((), "i") if place is None else ((place,), "")
        atom = Quantity("predictor", name, part.suffix, factors=factors, row=row)
        for known in self._labelled.setdefault(name + part.suffix, []):
            if np.array_equal(self.values[known](ALL), numbers(ALL), equal_nan=True):
                return known
            if known.name == name:
                atom = replace(atom, copy=known.copy + 1)
        self._labelled[name + part.suffix].append(atom)
        self.order[atom] = len(self.order)
        self.values[atom] = numbers
        return atom

    def _label(self, name: str) -> str:
        """Return by which name the level of a variable is chosen, or of the one inside it."""
        inside = self.inside[name]
        return next(iter(inside)) if name not in self._chosen and len(inside) == 1 else name

    def _place(self, name: str, node: Node) -> str | None:
        """Return the level of a variable: the chosen one, or what the data say."""
        label, value = self._label(name), self._frame.get(name)
        if value is None:
            return None
        if label not in self._chosen:
            return self._home(name, node)
        factor = self._chosen[label]
        if factor is None:
            return None
        place = self._levels.named(factor)
        level = place.exception(value, CONTRADICTION)
        if level is not None:
            raise DataError(
                f"'{name}' cannot belong to '{factor}': it has several values in level '{level}'"
            )
        return place.name

    def _home(self, name: str, node: Node) -> str | None:
        """Return the factor that a variable belongs to; None: to no factor.

        Of several it is the coarsest, on one stage the first. In a factor with one level for each
        row nothing could change. An expression that is computed row by row belongs where the
        variables inside it do, if the model frame has them; all else goes by its own values.
        """
        values = [self._frame.get(symbol) for symbol in self.inside[name]]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values) or not _row_by_row(node):
            known = [self._frame.variables[name]]
        found = [
            place
            for place, factor in self._levels.factors.items()
            if factor.size < self._frame.rows and not any(map(factor.exception, known))
        ]
        return max(found, key=self._levels.stage.__getitem__, default=None)


def _row_by_row(node: Node) -> bool:
    """Tell whether the value of an expression in a row follows from its variables' values there."""
    if not isinstance(node, Call):
        return True
    entry = lookup(node.name) if node.name else None
    known = entry is not None and entry.role in ("elementwise", "summary", "basis")
    return known and all(map(_row_by_row, node.operands))


class _Coefficient:
    """A coefficient in the making, on the way from the observations to the fixed effects."""

    def __init__(self, numbers: tuple[int, ...] = ()) -> None:
        # Its place at each stage passed: the root, the response itself, has none.
        self.numbers = numbers
        # The coefficients in its equation, by what they are multiplied by.
        self.above: dict[Atoms, _Coefficient] = {}
        # The random effects in its equation; at the top fixed effects, which it stands for.
        self.terms: list[Tree] = []
        # A coefficient that is multiplied by nothing has number 0, whether there is one or not.
        self._numbered: dict[Atoms, int] = {(): 0}

    def number(self, part: Atoms) -> int:
        return self._numbered.setdefault(part, len(self._numbered))

    def reached(self, parts: Sequence[Atoms]) -> _Coefficient:
        """Return the coefficient that is reached by parts of a product, one for each stage."""
        found = self
        for part in parts:
            numbers = (*found.numbers, found.number(part))
            found = found.above.setdefault(part, _Coefficient(numbers))
        return found

    def symbol(self, levels: Hierarchy) -> Quantity:
        factors = levels.from_stage(len(self.numbers))
        return Quantity("coefficient", numbers=self.numbers, factors=factors)

    def equation(self, levels: Hierarchy) -> tuple[Tree, ...]:
        """Return the terms of its equation."""
        terms: list[Tree] = []
        for part in sorted(self.above, key=self.number):
            above = self.above[part]
            top = len(above.numbers) > levels.stages
            terms += [times(e, *part) for e in (above.terms if top else [above.symbol(levels)])]
        return (*terms, *self.terms)


def system(design: MixedDesign, chosen: Mapping[str, str | None] | None = None) -> System:
    """Return the equations of a design, its variables on `chosen` levels.

    A DataError, if these name what is not there, or the data contradict them.
    """
    levels = hierarchy(design)
    found, plan = _Atoms(design, levels, chosen or {}), design.fixed.plan
    # Columns that were given are X's own.
    scales, centers = ({}, {}) if plan.whole else (design.fixed.scales, design.fixed.centers)
    of_X = list(found.of(fixed_terms(design), plan, design.fixed.kept))

    def by_stage(atoms: Atoms) -> list[Atoms]:
        parts: list[Atoms] = [()] * (levels.stages + 1)
        for atom in sorted(atoms, key=found.order.__getitem__):
            parts[levels.stage[atom.factors[0]] if atom.factors else 0] += (atom,)
        return parts

    root = _Coefficient()
    tops = [root.reached(by_stage(atoms)) for atoms in of_X]
    fixed = []
    columns = zip(design.fixed.names, design.fixed.assign.tolist(), of_X, tops, strict=True)
    for place, (name, term, atoms, top) in enumerate(columns):
        with np.errstate(divide="ignore"):
            scale = float(np.divide(1.0, scales.get(name, 1.0)))
        effect = Quantity("fixed", numbers=top.numbers, copy=len(top.terms))
        made = ColumnProduct(
            effect=effect,
            name=name,
            atoms=atoms,
            term=term,
            place=place,
            center=centers.get(name, 0.0),
            scale=scale,
        )
        top.terms.append(made.scaled(effect))
        fixed.append(made)
    for made in fixed:
        if made.center:
            # What is taken off a column stands beside the intercept.
            shift = times(-made.center * made.scale, made.effect)
            root.reached(by_stage(())).terms.append(shift)
    of_Z = []
    for k, term in enumerate(design.random.terms):
        factor = term.bar.group_name
        products = found.of(left_side(design, term), term.plan, range(term.columns))
        for place, atoms in enumerate(products):
            parts, stage = by_stage(atoms), levels.stage[factor]
            rest = tuple(atom for part in parts[stage:] for atom in part)
            of_Z.append((k, place, atoms, factor, root.reached(parts[:stage]), rest))
    found.check_chosen()
    random, met = list[ColumnProduct](), Counter[tuple[object, ...]]()
    for k, place, atoms, factor, below, rest in of_Z:
        numbers = (*below.numbers, *([below.number(rest)] if rest else []))
        copy = met[factor, numbers]
        met[factor, numbers] += 1
        effect = Quantity("random", numbers=numbers, factors=(factor,), copy=copy)
        below.terms.append(times(effect, *rest))
        name = design.random.terms[k].plan.names[place]
        random.append(ColumnProduct(effect=effect, name=name, atoms=atoms, term=k, place=place))
    stages, own = list[tuple[Operation, ...]](), [root]
    for _ in range(levels.stages):
        own = [each.above[part] for each in own for part in sorted(each.above, key=each.number)]
        stages.append(
            tuple(Operation("=", (e.symbol(levels), summed(e.equation(levels)))) for e in own)
        )
    offsets = _offsets(design)
    return System(
        design=design,
        hierarchy=levels,
        places=found.places,
        inside=found.inside,
        fixed=tuple(fixed),
        random=tuple(random),
        observations=root.equation(levels),
        offsets=tuple(offsets),
        stages=tuple(stages),
        values={**found.values, **{q: c.__getitem__ for q, c in offsets.items()}},
        notation=RaudenbushBryk(levels, {}, design.model_frame.response or "y"),
    )


def _offsets(design: MixedDesign) -> dict[Quantity, FloatArray]:
    """Return the offsets with their numbers."""
    found: dict[Quantity, FloatArray] = {}
    if design.offset is None:
        return found
    for name in [*design.model_frame.offset_terms, "(offset)"]:
        match design.model_frame.get(name):
            case Numeric() as value:
                numbers = value.as_float()
            case Matrix(values=matrix):
                numbers = matrix[:, 0]
            case _:
                continue
        inside = name.removeprefix("offset(").removesuffix(")")
        inside = "offset" if name == "(offset)" else inside
        copy = sum(earlier.name == inside for earlier in found)
        found[Quantity("offset", inside, row="i", copy=copy)] = numbers
    return found
