"""The spec of a model: what new rows need is taken out of its matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lme4py.errors import DataError
from lme4py.formula.formula import Formula
from lme4py.formula.parse import parse
from lme4py.formula.syntax import call, symbols
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.evaluate import Scope, stored_keys
from lme4py.frame.factors import factor_of
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.schema import ColumnType, Levels, type_of
from lme4py.frame.values import Character, Value
from lme4py.matrices.grouping import Factors, group_value
from lme4py.matrices.mixed import MixedMatrices
from lme4py.matrices.rank import rank_of
from lme4py.modelspec.recipe import Group, joins_names
from lme4py.modelspec.spec import Spec

__all__ = ["spec_of"]


def spec_of(matrices: MixedMatrices) -> Spec:
    """Return what new rows need of a model."""
    origin = matrices.origin
    if origin is None:
        raise DataError("this design was not made from a data frame, so it has no spec")
    formula, frame = matrices.formula, matrices.model_frame
    expanded = terms(formula.subbars().node, origin.names)
    nodes = dict(zip(expanded.frame_names, expanded.variables, strict=True))
    needed = {
        name: node
        for name, node in nodes.items()
        if name != frame.response or _uses_response(formula, frame, name)
    }
    offset = origin.offset if isinstance(origin.offset, str) else origin.offset is not None
    reads = [*needed.values(), *([parse(offset)] if isinstance(offset, str) else [])]
    read_names = {symbol.name for node in reads for symbol in symbols(node)}
    factors = Factors(frame, Collation(origin.collation))
    grouping: dict[str, Levels] = {}
    for bar in formula.bars:
        for symbol in symbols(bar.group):
            found = factors.get(symbol.name)
            if found is not None:
                grouping[symbol.name] = found.levels
    plan_of_X = matrices.fixed.plan
    names_of_X = tuple(matrices.fixed.names)
    return Spec(
        formula,
        origin.names,
        {name: item for name, item in origin.columns.items() if name in read_names},
        frame.names,
        {name: _settled_type(frame.variables[name], origin.collation) for name in needed},
        grouping,
        _groups(matrices, factors, origin.env),
        stored_keys(reads, origin.frozen),
        dict(matrices.fixed.contrasts),
        _kept_columns(matrices, len(plan_of_X.names)),
        names_of_X,
        tuple(float(matrices.fixed.centers.get(name, 0.0)) for name in names_of_X),
        tuple(float(matrices.fixed.scales.get(name, 1.0)) for name in names_of_X),
        origin.collation,
        origin.na_action,
        offset,
        dict(origin.env),
        origin.default_contrasts,
    )


def _settled_type(value: Value, collation: str) -> ColumnType:
    """Return the type of a variable of the frame; text is a factor by its levels there."""
    if isinstance(value, Character):
        value = factor_of(value, Collation(collation))
    return type_of(value)


def _uses_response(formula: Formula, frame: ModelFrame, response: str) -> bool:
    """Tell whether the right-hand side makes columns or groups of the response."""
    fixed = terms(formula.nobars().node, frame.names)
    # A term that is the response alone is dropped; "." may stand for it by another name.
    alone = 0 if fixed.response is None else 1 << fixed.response
    for term in fixed.members:
        if term != alone and response in (fixed.frame_names[i] for i in fixed.positions(term)):
            return True
    for bar in formula.bars:
        if any(symbol.name == response for symbol in symbols(bar.group)):
            return True
        if response in terms(call("~", bar.effects), frame.names).frame_names:
            return True
    return False


def _groups(matrices: MixedMatrices, factors: Factors, env: Mapping[str, Any]) -> tuple[Group, ...]:
    context = Context(factors.frame.rows, factors.collation, lambda _text: None)
    stored = matrices.random
    by_place = dict(zip(stored.order.tolist(), stored.terms, strict=True))
    groups = []
    for place, bar in enumerate(matrices.formula.bars):
        frozen: dict[str, Any] = {}
        if not joins_names(bar.group):
            group_value(bar, factors, Scope(factors.frame, env, context, frozen))
        group = by_place[place].group
        levels = tuple("NA" if level is None else level for level in group.levels)
        groups.append(Group(levels, group.ordered, frozen))
    return tuple(groups)


def _kept_columns(matrices: MixedMatrices, full: int) -> tuple[int, ...]:
    """Return which columns of the full model matrix X has."""
    fixed = matrices.fixed
    dropped = set(fixed.dropped.values())
    if full - len(dropped) == len(fixed.names):
        return tuple(place for place in range(full) if place not in dropped)
    # Dropped columns of one name are one entry there.
    rank, pivot = rank_of(fixed.plan.matrix().values)
    return tuple(int(place) for place in pivot[:rank])
