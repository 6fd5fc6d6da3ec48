"""The model as a system of equations, one for each level of the hierarchy.

Every column of X and Z is a product. What of it varies between observations stands in
the equation of the observations, with a coefficient; that coefficient has an equation a
stage higher, in which the parts of that stage stand with coefficients of their own, and
so on; what is left at the top is a fixed effect. A random effect enters the equation of
its factor's stage. Putting each equation into the one below gives X beta + Z b again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.expression import (
    Node,
    Number,
    Product,
    Relation,
    Sum,
    Symbol,
    expanded,
    joined,
    substituted,
    times,
)
from lme4py.explain.levels import Hierarchy
from lme4py.explain.monomials import Monomials
from lme4py.frame.values import FloatArray, Matrix, Numeric

__all__ = ["System", "system"]

Atoms: TypeAlias = tuple[Symbol, ...]
Path: TypeAlias = tuple[Atoms, ...]
"""The parts of a column at the stages from 0 on, as far as they are read."""


@dataclass(frozen=True, eq=False, slots=True)
class System:
    """The equations of a model as trees.

    Parameters
    ----------
    monomials : Monomials
        The columns taken apart.
    observations : tuple of Node
        The terms of the lowest equation, without residual and offsets.
    offsets : tuple of Symbol
        Offsets, which are added to them.
    stages : tuple of tuple of Relation
        For each stage from 1, the equations of the coefficients.
    fixed : tuple of Symbol
        The fixed effect of each column of X.
    random : tuple of Symbol
        The random effect of each column of each term.
    values : mapping of Symbol to ndarray, shape (n,)
        What the predictors and offsets are.
    """

    monomials: Monomials
    observations: tuple[Node, ...]
    offsets: tuple[Symbol, ...]
    stages: tuple[tuple[Relation, ...], ...]
    fixed: tuple[Symbol, ...]
    random: tuple[Symbol, ...]
    values: Mapping[Symbol, FloatArray]

    @property
    def hierarchy(self) -> Hierarchy:
        """The grouping factors."""
        return self.monomials.levels

    @property
    def meanings(self) -> dict[Symbol, Node]:
        """What each coefficient that is not a fixed effect stands for."""
        return {
            relation.left: relation.right
            for stage in self.stages
            for relation in stage
            if isinstance(relation.left, Symbol)
        }

    def nested_predictor(self) -> Node:
        """Return the lowest equation with all others put in, not multiplied out."""
        return substituted(Sum((*self.observations, *self.offsets)), self.meanings)

    def combined_predictor(self) -> Sum:
        """Return the lowest equation with all others put in, multiplied out."""
        return expanded(self.nested_predictor())

    def effects(self, design: MixedDesign, beta: FloatArray, b: FloatArray) -> dict[Symbol, Any]:
        """Return the values of all symbols on the rows, for fixed effects beta and random b."""
        values: dict[Symbol, Any] = {}
        for symbol, column in self.values.items():
            if symbol.factors:
                # One value per level, spread over its rows: false unless the level is right.
                group = self.hierarchy.factors[symbol.factors[0]]
                values[symbol] = column[group.first][group.codes]
            else:
                values[symbol] = column
        values.update(zip(self.fixed, beta, strict=True))
        Gp, terms = design.random.Gp, design.random.terms
        for found, symbol in zip(self.monomials.random, self.random, strict=True):
            term = terms[found.term]
            own = b[int(Gp[found.term]) + found.column : int(Gp[found.term + 1]) : term.columns]
            # The last entry is that of rows without a level.
            values[symbol] = np.append(own, 0.0)[term.group.codes]
        return values


def system(design: MixedDesign, found: Monomials) -> System:
    """Return the equations of a design whose columns are taken apart."""
    return _Builder(design, found).build()


class _Builder:
    def __init__(self, design: MixedDesign, found: Monomials) -> None:
        self.design = design
        self.found = found
        self.levels = found.levels
        self.height = found.levels.stages
        order = {atom: place for place, atom in enumerate(found.values)}
        self._order = order
        # The parts that follow a path, each with its number: 0 for "nothing more".
        self._next: dict[Path, dict[Atoms, int]] = {}
        self._real: dict[Path, dict[Atoms, None]] = {}

    def build(self) -> System:
        fixed_paths = [self._parts(column.atoms) for column in self.found.fixed]
        random_paths = [self._parts(column.atoms) for column in self.found.random]
        for path in fixed_paths:
            self._enter(path)
        owns: list[tuple[Path, Atoms]] = []
        for column, path in zip(self.found.random, random_paths, strict=True):
            stage = self.levels.stage[column.factor]
            self._enter(path[:stage])
            owns.append((path[:stage], tuple(atom for part in path[stage:] for atom in part)))
        for path, rest in owns:
            self._number(path, rest)
        fixed, at_path = self._fixed(fixed_paths)
        random, in_equation = self._random(owns)
        stages = tuple(
            tuple(
                Relation(
                    self._coefficient(path),
                    self._right_side(path, at_path, in_equation),
                )
                for path in self._paths(stage)
            )
            for stage in range(1, self.height + 1)
        )
        observations = tuple(
            times(self._coefficient((part,)), *part) for part in self._real.get((), {})
        )
        offsets = self._offsets()
        return System(
            self.found,
            observations,
            tuple(offsets),
            stages,
            tuple(fixed),
            tuple(random),
            {**self.found.values, **offsets},
        )

    def _parts(self, atoms: Atoms) -> Path:
        by_stage: list[list[Symbol]] = [[] for _ in range(self.height + 1)]
        for atom in atoms:
            by_stage[self.found.stage(atom)].append(atom)
        return tuple(tuple(sorted(part, key=self._order.__getitem__)) for part in by_stage)

    def _enter(self, path: Path) -> None:
        for length, part in enumerate(path):
            self._number(path[:length], part)
            self._real.setdefault(path[:length], {})[part] = None

    def _number(self, path: Path, part: Atoms) -> int:
        known = self._next.setdefault(path, {(): 0})
        return known.setdefault(part, len(known))

    def _numbers(self, path: Path) -> tuple[int, ...]:
        return tuple(self._number(path[:length], part) for length, part in enumerate(path))

    def _paths(self, stage: int) -> list[Path]:
        """Return the paths whose coefficients have their equations at a stage."""
        paths: list[Path] = [()]
        for _ in range(stage):
            paths = [(*path, part) for path in paths for part in self._ordered(path)]
        return paths

    def _ordered(self, path: Path) -> list[Atoms]:
        return sorted(self._real.get(path, {}), key=lambda part: self._number(path, part))

    def _coefficient(self, path: Path) -> Symbol:
        return Symbol(
            "coefficient",
            numbers=self._numbers(path),
            factors=self.levels.from_stage(len(path)),
        )

    def _fixed(self, paths: list[Path]) -> tuple[list[Symbol], dict[Path, list[Node]]]:
        symbols: list[Symbol] = []
        at_path: dict[Path, list[Node]] = {}
        for column, path in zip(self.found.fixed, paths, strict=True):
            earlier = at_path.setdefault(path, [])
            symbol = Symbol("fixed", numbers=self._numbers(path), copy=len(earlier))
            symbols.append(symbol)
            scale = [] if column.scale == 1.0 else [Number(column.scale)]
            earlier.append(times(*scale, symbol))
        return symbols, at_path

    def _random(
        self, owns: list[tuple[Path, Atoms]]
    ) -> tuple[list[Symbol], dict[Path, list[Node]]]:
        symbols: list[Symbol] = []
        in_equation: dict[Path, list[Node]] = {}
        counts: dict[Symbol, int] = {}
        for column, (path, rest) in zip(self.found.random, owns, strict=True):
            numbers = self._numbers(path)
            if rest:
                numbers = (*numbers, self._number(path, rest))
            bare = Symbol("random", numbers=numbers, factors=(column.factor,))
            copy = counts[bare] = counts.get(bare, -1) + 1
            symbol = Symbol("random", numbers=numbers, factors=(column.factor,), copy=copy)
            symbols.append(symbol)
            in_equation.setdefault(path, []).append(times(symbol, *rest))
        return symbols, in_equation

    def _right_side(
        self, path: Path, at_path: Mapping[Path, list[Node]], in_equation: Mapping[Path, list[Node]]
    ) -> Node:
        terms: list[Node] = []
        for part in self._ordered(path):
            longer = (*path, part)
            above: list[Node] = (
                [self._coefficient(longer)]
                if len(longer) <= self.height
                else at_path.get(longer, [])
            )
            for node in above:
                factors = node.factors if isinstance(node, Product) else (node,)
                terms.append(times(*factors, *part))
        return joined(terms + in_equation.get(path, []))

    def _offsets(self) -> dict[Symbol, FloatArray]:
        frame = self.design.model_frame
        offset = self.design.offset
        if offset is None:
            return {}
        found: dict[Symbol, FloatArray] = {}
        for name in [*frame.offset_terms, "(offset)"]:
            match frame.get(name):
                case Numeric() as value:
                    numbers = value.as_float()
                case Matrix(values=matrix):
                    numbers = matrix[:, 0]
                case _:
                    continue
            inside = _inside(name)
            copy = sum(symbol.name == inside for symbol in found)
            found[Symbol("offset", inside, row="i", copy=copy)] = numbers
        return found


def _inside(name: str) -> str:
    """Return what stands inside ``offset(...)``."""
    inside = name.removeprefix("offset(").removesuffix(")")
    return "offset" if name == "(offset)" else inside
