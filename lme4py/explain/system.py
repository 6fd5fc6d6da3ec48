"""The model as a system of equations, one for each level of the hierarchy.

Every column of X and Z is a product. What of it varies between observations stands in
the equation of the observations, with a coefficient; that coefficient has an equation a
stage higher, in which the parts of that stage stand with coefficients of their own, and
so on; what is left at the top is a fixed effect. A random effect enters the equation of
its factor's stage. Putting each equation into the one below gives X beta + Z b again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.values import FloatArray, Matrix, Numeric
from lme4py.design import MixedDesign
from lme4py.explain.expression import (
    Applied,
    Numeral,
    Power,
    Product,
    Quantity,
    Quotient,
    Relation,
    Root,
    Sum,
    Tree,
    column,
    expanded,
    grid,
    substituted,
    summed,
    times,
)
from lme4py.explain.hierarchy import CONTRADICTION, Hierarchy
from lme4py.explain.monomials import ALL, Column, ColumnProduct, Monomials

__all__ = ["System", "system"]

Atoms: TypeAlias = tuple[Quantity, ...]
StagePath: TypeAlias = tuple[Atoms, ...]
"""The parts of a column at the stages from 0 on, as far as they are read."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class System:
    """The equations of a model as trees.

    Parameters
    ----------
    design : MixedDesign
        The model.
    monomials : Monomials
        Its columns taken apart.
    observations : tuple of Tree
        The terms of the lowest equation, without residual and offsets.
    offsets : tuple of Quantity
        Offsets, which are added to them.
    stages : tuple of tuple of Relation
        For each stage from 1, the equations of the coefficients.
    fixed : tuple of Quantity
        The fixed effect of each column of X.
    random : tuple of Quantity
        The random effect of each column of each term.
    values : mapping of Quantity to Column
        What the predictors and offsets are.
    """

    design: MixedDesign
    monomials: Monomials
    observations: tuple[Tree, ...]
    offsets: tuple[Quantity, ...]
    stages: tuple[tuple[Relation, ...], ...]
    fixed: tuple[Quantity, ...]
    random: tuple[Quantity, ...]
    values: Mapping[Quantity, Column]

    def __repr__(self) -> str:
        return f"<System: {self.hierarchy.stages + 1} levels of {self.design.formula}>"

    @property
    def hierarchy(self) -> Hierarchy:
        """The grouping factors."""
        return self.monomials.levels

    def effects_of(self, factor: int) -> tuple[Quantity, ...]:
        """Return the random effects of one factor: b_j, over all its terms."""
        return tuple(effect for effect in self.random if effect.factors == (factor,))

    def number_of(self, factor: int) -> tuple[int, ...]:
        """Return the number of a factor's Z and b among those of several, from 1."""
        others = [f for f in self.hierarchy.from_stage(1) if self.effects_of(f)]
        return (1 + others.index(factor),) if len(others) > 1 else ()

    def matrix(self, letter: str, factor: int, own: int | None = None) -> Quantity:
        """Return Z, b or T of a factor, on the rows of a cluster of `own` where that is given."""
        factors = () if own is None else (own,)
        return Quantity("matrix", letter, numbers=self.number_of(factor), factors=factors)

    def within(self, inner: int, outer: int) -> bool:
        """Tell whether the levels of a factor lie inside those of another, or are the same."""
        return inner == outer or bool(self.hierarchy.nested[inner, outer])

    def columns_of(self, factor: int) -> list[ColumnProduct]:
        """Return the columns of Z that these effects stand beside."""
        return [found for found in self.monomials.random if found.factor == factor]

    @property
    def residual(self) -> tuple[Quantity, ...]:
        """The residual, which only a linear model has."""
        return (Quantity("residual", row="i"),) if self.design.family is None else ()

    @property
    def left_side(self) -> Tree:
        """The left side of the lowest equation: the response, or the link of its mean."""
        mean = Quantity("mean", row="i")
        if self.design.family is None:
            return Quantity("response", row="i")
        match self.design.family.link:
            case "identity":
                return mean
            case "inverse":
                return Quotient((Numeral(1.0), mean))
            case "1/mu^2":
                return Quotient((Numeral(1.0), Power((mean, Numeral(2.0)))))
            case "sqrt":
                return Root((mean,))
            case link:
                return Applied((mean,), link)

    @property
    def meanings(self) -> dict[Quantity, Tree]:
        """What stands for each coefficient that has an equation."""
        relations = (relation for stage in self.stages for relation in stage)
        return {r.left: r.right for r in relations if isinstance(r.left, Quantity)}

    def nested_predictor(self) -> Tree:
        """Return the lowest equation with all others put in, not multiplied out."""
        return substituted(Sum((*self.observations, *self.offsets)), self.meanings)

    def combined_predictor(self) -> Sum:
        """Return the lowest equation with all others put in, multiplied out."""
        return expanded(self.nested_predictor())

    def row_terms(self, most: tuple[int, int] | None = None) -> Iterator[Tree]:
        """Yield the terms of one row: x beta, z b for each factor, offsets.

        Of more than ``most[1]`` columns the middle is left out.
        """
        tall = None if most is None else most[1]
        for entries, effects in self.row_parts():
            yield Product((grid([entries], most), column(effects, tall)))
        yield from self.offsets

    def row_parts(self) -> Iterator[tuple[tuple[Tree, ...], tuple[Quantity, ...]]]:
        """Yield a row of X, then one of Z for each factor, with the effects beside its entries."""
        if self.fixed:
            scaled = ((*_scale(c.scale), *c.atoms) for c in self.monomials.fixed)
            yield tuple(times(*(each or (Numeral(1.0),))) for each in scaled), self.fixed
        for factor in self.hierarchy.from_stage(1):
            columns = self.columns_of(factor)
            if columns:
                entries = tuple(times(*(c.atoms or (Numeral(1.0),))) for c in columns)
                yield entries, self.effects_of(factor)

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
        values.update(zip(self.fixed, beta, strict=True))
        Gp, terms = self.design.random.Gp, self.design.random.terms
        for found, effect in zip(self.monomials.random, self.random, strict=True):
            term = terms[found.term]
            own = b[int(Gp[found.term]) + found.column : int(Gp[found.term + 1]) : term.columns]
            # The last entry is that of rows without a level.
            values[effect] = np.append(own, 0.0)[term.group.codes]
        return values


def _scale(scale: float) -> tuple[Tree, ...]:
    return () if scale == 1.0 else (Numeral(scale),)


def system(design: MixedDesign, chosen: Mapping[str, str | None] | None = None) -> System:
    """Return the equations of a design; `chosen` as `Monomials` takes it."""
    return _Derivation(design, Monomials(design, chosen)).system()


class _Derivation:
    def __init__(self, design: MixedDesign, found: Monomials) -> None:
        self.design = design
        self.found = found
        self.levels = found.levels
        self.order = {atom: place for place, atom in enumerate(found.values)}
        # The parts that follow a path, each with its number: 0 for "nothing more".
        self.following: dict[StagePath, dict[Atoms, int]] = {}
        self.real: dict[StagePath, dict[Atoms, None]] = {}
        # Fixed effects and random effects with what they are multiplied by, by path.
        self.at_top: dict[StagePath, list[Tree]] = {}
        self.deviations: dict[StagePath, list[Tree]] = {}

    def system(self) -> System:
        fixed_paths = [self._parts(found.atoms) for found in self.found.fixed]
        random_paths = [self._parts(found.atoms) for found in self.found.random]
        for path in fixed_paths:
            self._enter(path)
        owns: list[tuple[StagePath, Atoms]] = []
        for found, path in zip(self.found.random, random_paths, strict=True):
            stage = self.levels.stage[found.factor]
            self._enter(path[:stage])
            owns.append((path[:stage], tuple(atom for part in path[stage:] for atom in part)))
        for path, rest in owns:
            self._number(path, rest)
        fixed, random = tuple(self._fixed(fixed_paths)), tuple(self._random(owns))
        offsets = self._offsets()
        return System(
            design=self.design,
            monomials=self.found,
            observations=tuple(
                times(self._coefficient((part,)), *part) for part in self.real.get((), {})
            ),
            offsets=tuple(offsets),
            stages=tuple(
                tuple(Relation(self._coefficient(p), self._right_side(p)) for p in self._paths(k))
                for k in range(1, self.levels.stages + 1)
            ),
            fixed=fixed,
            random=random,
            values={**self.found.values, **{q: c.__getitem__ for q, c in offsets.items()}},
        )

    def _parts(self, atoms: Atoms) -> StagePath:
        by_stage: list[list[Quantity]] = [[] for _ in range(self.levels.stages + 1)]
        for atom in atoms:
            by_stage[self.found.stage(atom)].append(atom)
        return tuple(tuple(sorted(part, key=self.order.__getitem__)) for part in by_stage)

    def _enter(self, path: StagePath) -> None:
        for length, part in enumerate(path):
            self._number(path[:length], part)
            self.real.setdefault(path[:length], {})[part] = None

    def _number(self, path: StagePath, part: Atoms) -> int:
        known = self.following.setdefault(path, {(): 0})
        return known.setdefault(part, len(known))

    def _numbers(self, path: StagePath) -> tuple[int, ...]:
        return tuple(self._number(path[:length], part) for length, part in enumerate(path))

    def _paths(self, stage: int) -> list[StagePath]:
        """Return the paths whose coefficients have their equations at a stage."""
        paths: list[StagePath] = [()]
        for _ in range(stage):
            paths = [(*path, part) for path in paths for part in self._ordered(path)]
        return paths

    def _ordered(self, path: StagePath) -> list[Atoms]:
        return sorted(self.real.get(path, {}), key=lambda part: self._number(path, part))

    def _coefficient(self, path: StagePath) -> Quantity:
        factors = self.levels.from_stage(len(path))
        return Quantity("coefficient", numbers=self._numbers(path), factors=factors)

    def _fixed(self, paths: list[StagePath]) -> Iterator[Quantity]:
        for found, path in zip(self.found.fixed, paths, strict=True):
            earlier = self.at_top.setdefault(path, [])
            effect = Quantity("fixed", numbers=self._numbers(path), copy=len(earlier))
            earlier.append(times(*_scale(found.scale), effect))
            yield effect

    def _random(self, owns: list[tuple[StagePath, Atoms]]) -> Iterator[Quantity]:
        counts: dict[tuple[object, ...], int] = {}
        for found, (path, rest) in zip(self.found.random, owns, strict=True):
            numbers = self._numbers(path)
            if rest:
                numbers = (*numbers, self._number(path, rest))
            copy = counts[found.factor, numbers] = counts.get((found.factor, numbers), -1) + 1
            effect = Quantity("random", numbers=numbers, factors=(found.factor,), copy=copy)
            self.deviations.setdefault(path, []).append(times(effect, *rest))
            yield effect

    def _right_side(self, path: StagePath) -> Tree:
        terms: list[Tree] = []
        for part in self._ordered(path):
            longer = (*path, part)
            higher = len(longer) <= self.levels.stages
            above = [self._coefficient(longer)] if higher else self.at_top.get(longer, [])
            for tree in above:
                factors = tree.operands if isinstance(tree, Product) else (tree,)
                terms.append(times(*factors, *part))
        return summed(terms + self.deviations.get(path, []))

    def _offsets(self) -> dict[Quantity, FloatArray]:
        frame = self.design.model_frame
        found: dict[Quantity, FloatArray] = {}
        if self.design.offset is None:
            return found
        for name in [*frame.offset_terms, "(offset)"]:
            match frame.get(name):
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
