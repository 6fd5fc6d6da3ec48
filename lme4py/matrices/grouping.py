"""Grouping factors: the right side of a bar, evaluated on the model frame.

lme4 turns every frame column that a grouping expression names into a factor before
anything of that bar is evaluated, its left side included; then ``a:b`` joins the
combinations that occur, and any other expression is called on the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lme4py.errors import DataError, FormulaError, Lme4pyError
from lme4py.formula.bars import Bar
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node, Symbol, call, symbols
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.frame.factors import drop_unused, factor_of, interaction_of
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import Factor, FunctionName, MalformedFactor, Matrix, Null, Value
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["BarFrame", "FactorSource", "Factors", "GroupFrame", "group_value", "random_term"]

_ARITHMETIC = (
    "in a grouping factor R computes with this operator, which gives factors no value: "
    "write g:h or g/h, or two terms"
)


class GroupFrame(Protocol):
    """A model frame as grouping expressions see it."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""


class FactorSource(Protocol):
    """The columns of a frame as factors."""

    @property
    def frame(self) -> GroupFrame:
        """The frame."""

    def get(self, name: str) -> Factor | None:
        """Return a column as a factor, or None."""


class Factors:
    """The columns of a frame as factors, each made once."""

    def __init__(self, frame: ModelFrame, collation: Collation) -> None:
        self.frame = frame
        self.collation = collation
        self._made: dict[str, Factor] = {}

    def get(self, name: str) -> Factor | None:
        """Return a column as a factor, or None where there is none."""
        if name not in self._made:
            value = self.frame.get(name)
            if value is None:
                return None
            if isinstance(value, Matrix):
                raise DataError(f"a matrix cannot be a grouping factor: '{name}'")
            self._made[name] = (
                value if isinstance(value, Factor) else factor_of(value, self.collation)
            )
        return self._made[name]


@dataclass(frozen=True, slots=True)
class BarFrame:
    """The frame as one bar sees it: the columns its group names are factors."""

    factors: FactorSource
    grouping: frozenset[str]

    @classmethod
    def of(cls, bar: Bar, factors: FactorSource) -> BarFrame:
        """Return the frame as `bar` sees it."""
        return cls(factors, frozenset(symbol.name for symbol in symbols(bar.group)))

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        return self.factors.frame.names

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""
        return self.factors.get(name) if name in self.grouping else self.factors.frame.get(name)


def random_term(bar: Bar, factors: Factors, scope: Scope) -> RandomTerm:
    """Return one random-effects term on the frame (lme4's ``mkBlist``).

    Raises
    ------
    FormulaError
        If the grouping expression has no value as a factor, in lme4's words.
    """
    frame = BarFrame.of(bar, factors)
    inner = replace(
        scope,
        columns=frame,
        context=replace(scope.context, rows=factors.frame.rows),
        frozen={},
        replaying=False,
    )
    group = _group(bar, frame, inner)
    left = call("~", bar.effects, span=bar.effects.span)
    columns = plan(
        terms(left, frame.names),
        frame,
        factors.frame.rows,
        factors.collation,
        default_contrasts=scope.context.default_contrasts,
    )
    for text in columns.warnings:
        scope.context.warn(text)
    return RandomTerm(bar, group, columns)


def group_value(bar: Bar, factors: FactorSource, scope: Scope) -> Factor:
    """Return the value of a grouping expression, all its levels kept.

    What its functions found is kept in ``scope.frozen``, or read from there.
    """
    frame = BarFrame.of(bar, factors)
    return _without_missing_level(_factor(bar.group, frame, replace(scope, columns=frame)))


def _group(bar: Bar, frame: BarFrame, scope: Scope) -> Factor:
    try:
        factor = _factor(bar.group, frame, scope)
    except Lme4pyError as error:
        raise FormulaError(
            f"couldn't evaluate grouping factor {bar.group_name} within model frame: "
            f"{error.message}",
            error.span or bar.group.span,
            error.hint or "try adding grouping factor to data frame explicitly if possible",
        ) from None
    if factor.codes.size != scope.context.rows:
        raise FormulaError(
            "(p <- ncol(X)) == ncol(Y) is not TRUE: "
            f"the grouping factor has {factor.codes.size} elements for "
            f"{scope.context.rows} rows",
            bar.group.span,
        )
    if not factor.codes.size or int(factor.codes.max()) < 0 or not factor.levels:
        raise FormulaError(
            f"Invalid grouping factor specification, {bar.group_name}",
            bar.group.span,
            _ARITHMETIC if _is_arithmetic(bar.group) else "every value of it is missing",
        )
    return _without_missing_level(drop_unused(factor))


def _is_arithmetic(group: Node) -> bool:
    """Tell whether an operator that computes stands where ``:`` or ``/`` is meant."""
    return isinstance(group, Call) and group.name in ("+", "-", "*", "^")


def _without_missing_level(factor: Factor) -> Factor:
    """Return the factor with an NA level (R's ``addNA``) turned into missing values."""
    factor = replace(factor, contrasts=None)
    if None not in factor.levels:
        return factor
    place = factor.levels.index(None)
    codes = np.where(factor.codes == place, -1, factor.codes)
    codes = np.where(codes > place, codes - 1, codes).astype(np.int32)
    return Factor(
        codes, tuple(level for level in factor.levels if level is not None), factor.ordered
    )


def _factor(node: Node, frame: BarFrame, scope: Scope) -> Factor:
    """Return the value of a grouping expression as a factor."""
    match node:
        case Symbol(name=name):
            found = frame.factors.get(name)
            if found is not None:
                return found
        case Call() if node.name == "(" and len(node.operands) == 1:
            return _factor(node.operands[0], frame, scope)
        case Call() if node.name == ":" and len(node.operands) == 2:
            return _joined(node, frame, scope)
        case _:
            pass
    value = evaluate(node, scope)
    if isinstance(value, FunctionName | Null | Matrix | MalformedFactor):
        raise DataError(f"the grouping expression {deparse(node)} gives no factor", node.span)
    return value if isinstance(value, Factor) else factor_of(value, scope.context.collation)


def _joined(node: Call, frame: BarFrame, scope: Scope) -> Factor:
    """Return ``a:b``: the combinations that occur, by a's level and then b's."""
    parts: list[Factor] = []
    for operand in node.operands:
        if not isinstance(operand, Call | Symbol):
            raise DataError("both inputs must be factors", operand.span)
        found = _operand(operand, frame, scope)
        if not isinstance(found, Factor):
            raise DataError("both inputs must be factors", operand.span)
        parts.append(found)
    return interaction_of(parts, na_as_text=True)


def _operand(node: Node, frame: BarFrame, scope: Scope) -> Value:
    if isinstance(node, Symbol) or (isinstance(node, Call) and node.name in ("(", ":")):
        return _factor(node, frame, scope)
    return evaluate(node, scope)
