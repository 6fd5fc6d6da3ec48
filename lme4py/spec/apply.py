"""New rows step by step: variables, rows that stay, X and Zt, all from what was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from lme4py.abbreviation import few
from lme4py.data.collation import Collation
from lme4py.data.columns import Columns
from lme4py.errors import DataError, nearest
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Node, call, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.frame.evaluate import Scope
from lme4py.frame.modelframe import ModelFrame, NAAction, variables_of
from lme4py.functions.table import Context
from lme4py.matrices.grouping import Grouping, left_side, random_term
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.response import response as response_of
from lme4py.matrices.reterms import random_effects
from lme4py.messages import Messages
from lme4py.spec.spec import NewLevels, NewRows, RandomParts, Spec

Parts: TypeAlias = Mapping[str, Sequence[Bar] | None]
_ABSENT = "random effects specified in 'random' that were not present in original model"


def apply(
    spec: Spec,
    newdata: Any,
    *,
    new_levels: NewLevels,
    na_action: NAAction,
    random: RandomParts,
    offset: Any,
    response: bool,
    env: Mapping[str, Any],
    messages: Messages,
) -> NewRows:
    """Return the matrices of new rows; `Spec.apply` tells what each argument is."""
    parts = _parts(spec, random)
    bars = [bar for bar in spec.formula.bars if bar.group_name in parts]
    given = Columns(newdata, names=spec.names)
    columns = given.held_to(spec.columns)
    context = _context(spec, columns.rows, messages)
    scope = Scope(columns, env, context)
    expanded = _terms_with(spec, bars)
    known = spec.variables
    if response and spec.response is not None and expanded.response is not None:
        known = {expanded.frame_names[expanded.response]: spec.response, **known}
    groups = _group_names(spec, bars)
    # Where they are missing, a row may have no random effects of that term.
    free = groups.difference(*(_names(bar.effects) for bar in bars))
    variables = variables_of(
        expanded,
        scope,
        _extras(spec, offset, response=response),
        states=spec.states,
        needed=known,
        # A new level matters in rows that stay, and to what needs the variable.
        alone=given.held_to(spec.columns, open_levels=True),
    )
    frame = variables.frame(na_action, free if new_levels == "zero" else ())
    frame = frame.held_to(known, groups)
    grouping = Grouping.of(frame, bars, context, spec.grouping, spec.frame_names)
    wanted = _wanted(parts, spec, grouping)
    terms_of_bars = []
    triples = zip(spec.formula.bars, spec.groups, spec.combinations, strict=True)
    for bar, learned, joined in triples:
        if bar.group_name in parts:
            allow = new_levels == "zero"
            term, _ = random_term(bar, grouping, scope, learned, joined, allow_new=allow)
            term = term.reduced(wanted[bar.group_name])
        else:
            term = RandomTerm.empty(bar, learned.levels, learned.columns, frame.rows)
        terms_of_bars.append(term)
    return NewRows(
        X=spec.fixed.matrix(spec.fixed_terms, frame, grouping.context),
        Zt=random_effects(terms_of_bars, frame.rows).Zt,
        offset=frame.offset(),
        positions=np.arange(frame.rows) if frame.positions is None else frame.positions,
        y=response_of(frame, generalized=spec.generalized) if response else None,
        weights=frame.weights(),
    )


def wanted_columns(
    spec: Spec, random: RandomParts, frame: ModelFrame
) -> Mapping[str, frozenset[str]]:
    """Return the columns of each grouping factor that `random` names, for the model's own rows."""
    context = _context(spec, frame.rows, Messages())
    grouping = Grouping.of(frame, spec.formula.bars, context)
    return _wanted(_parts(spec, random), spec, grouping)


def _context(spec: Spec, rows: int, messages: Messages) -> Context:
    defaults, lme4 = spec.default_contrasts, spec.formula.lme4
    return Context(rows, Collation(spec.collation), messages.warn, defaults, lme4)


def _terms_with(spec: Spec, bars: Sequence[Bar]) -> Terms:
    """Return the terms of the fixed part and of some bars, which name the variables needed."""
    if len(bars) == len(spec.formula.bars):
        return spec.terms
    right = spec.formula.nobars().right
    for bar in bars:
        right = call("+", right, call("+", bar.effects, bar.group))
    sides = spec.formula.node.operands
    return terms(call("~", *sides[:-1], right), spec.frame_names)


def _names(node: Node) -> set[str]:
    return {symbol.name for symbol in symbols(node)}


def _group_names(spec: Spec, bars: Sequence[Bar]) -> set[str]:
    """Return the variables that only groups need: left of a bar its group's are the group's."""
    left = [_names(bar.effects) - _names(bar.group) for bar in bars]
    if any("." in names for names in left):
        return set()
    return (
        set()
        .union(*(_names(bar.group) for bar in bars))
        .difference(spec.fixed_terms.frame_names, *left)
    )


def _parts(spec: Spec, random: RandomParts) -> Parts:
    """Return the grouping factors whose terms are wanted, with bars that name their columns.

    None stands for all columns.
    """
    names = [bar.group_name for bar in spec.formula.bars]
    parts: dict[str, list[Bar] | None] = {}
    if isinstance(random, bool | np.bool_):
        return dict.fromkeys(names if random else ())
    if isinstance(random, str | Formula):
        formula = Formula.parse(random) if isinstance(random, str) else random
        for bar in formula.expanded("split").bars:
            parts[bar.group_name] = [*(parts.get(bar.group_name) or ()), bar]
    else:
        try:
            parts = dict.fromkeys(random)
        except TypeError:
            raise DataError(
                "random must be True, False, the names of grouping factors, or a formula",
                hint=f"such as random={names[:1]!r} or random={f'~ (1 | {names[0]})'!r}",
            ) from None
    for name in parts:
        if name not in names:
            raise DataError(
                f"{_ABSENT}: {name}",
                hint=nearest(str(name), names) or f"its grouping factors are {few(names)}",
            )
    return parts


def _wanted(parts: Parts, spec: Spec, grouping: Grouping) -> dict[str, frozenset[str]]:
    """Return the names of the columns that are wanted of each grouping factor."""
    wanted = {}
    for name, bars in parts.items():
        pairs = zip(spec.formula.bars, spec.groups, strict=True)
        known = {c for bar, learned in pairs if bar.group_name == name for c in learned.columns}
        asked = known if bars is None else {c for b in bars for c in left_side(b, grouping).names}
        if not asked <= known:
            raise DataError(f"{_ABSENT}: {few(sorted(asked - known))} of {name}")
        wanted[name] = frozenset(asked)
    return wanted


def _extras(spec: Spec, offset: Any, *, response: bool) -> dict[str, Any]:
    """Return the arguments that belong to rows: those given, or the model's expressions."""
    extras = {"(offset)": spec.offset if offset is None else offset}
    if response:
        extras |= {"(weights)": spec.weights, "(subset)": spec.subset}
    extras = {name: item for name, item in extras.items() if item is not False}
    for name in [name.strip("()") for name, expression in extras.items() if expression is True]:
        other = "offset= for the new rows, or " if name == "offset" else ""
        raise DataError(
            f"the model's {name} was given as values, which new rows do not have",
            hint=f"give {other}the model's as an expression, such as the name of a column",
        )
    return extras
