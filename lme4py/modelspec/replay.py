"""New rows step by step: variables, rows that stay, X and Zt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lme4py.errors import DataError
from lme4py.formula.parse import parse
from lme4py.frame.collation import Collation
from lme4py.frame.columns import value_of
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.frame.functions.table import Context
from lme4py.frame.schema import NewColumns
from lme4py.frame.values import Null, Numeric, Value, length, take
from lme4py.matrices.reterms import random_effects
from lme4py.messages import Messages
from lme4py.modelspec.fixed import fixed_matrix
from lme4py.modelspec.frame import NewFrame, kept_rows, new_value
from lme4py.modelspec.random import random_term
from lme4py.modelspec.recipe import Recipe
from lme4py.modelspec.rows import NewLevels, NewRows

__all__ = ["replay"]


def replay(
    recipe: Recipe,
    newdata: Any,
    new_levels: NewLevels,
    action: str,
    offset: Any,
    env: Mapping[str, Any],
    messages: Messages,
) -> NewRows:
    """Return the matrices of new rows."""
    columns = NewColumns(newdata, recipe.names, recipe.columns)
    collation = Collation(recipe.collation)
    scope = Scope(
        columns,
        {**recipe.env, **env},
        Context(columns.rows, collation, messages.warn),
        dict(recipe.frozen),
        replaying=True,
    )
    expanded = recipe.terms
    values = {
        name: new_value(name, node, scope, columns)
        for name, node in zip(expanded.frame_names, expanded.variables, strict=True)
        if name in recipe.variables
    }
    extra = _offset(recipe, offset, scope)
    if extra is not None:
        values["(offset)"] = extra
    positions = kept_rows(values, columns.rows, action)
    frame = NewFrame(
        recipe.frame_names,
        None if expanded.response is None else expanded.frame_names[expanded.response],
        {name: take(value, positions) for name, value in values.items()},
        recipe.variables,
        len(positions),
    )
    inner = replace(scope, context=replace(scope.context, rows=frame.rows))
    terms_of_bars = [
        random_term(recipe, bar, group, frame, inner, new_levels)
        for bar, group in zip(recipe.formula.bars, recipe.groups, strict=True)
    ]
    offsets = [expanded.frame_names[place] for place in expanded.offsets]
    return NewRows(
        fixed_matrix(recipe, frame, collation),
        random_effects(terms_of_bars, frame.rows).Zt,
        frame.offset(offsets),
        positions,
    )


def _offset(recipe: Recipe, given: Any, scope: Scope) -> Value | None:
    """Return the offset argument of the new rows."""
    if given is None and not recipe.offset:
        return None
    if given is None and recipe.offset is True:
        raise DataError(
            "the model's offset was given as values, which new rows do not have",
            hint="give offset= for the new rows, or the model's as an expression",
        )
    expression = recipe.offset if given is None else given
    if isinstance(expression, str):
        value = evaluate(parse(expression), scope)
    else:
        value = value_of(expression)
    if isinstance(value, Null):
        return None
    if not isinstance(value, Numeric) or length(value) != scope.context.rows:
        raise DataError(f"the offset must be {scope.context.rows} numbers, one for each new row")
    return value
