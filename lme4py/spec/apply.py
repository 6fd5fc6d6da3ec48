"""New rows step by step: variables, rows that stay, X and Zt, all from what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data.collation import Collation
from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.formula.terms import Terms, terms
from lme4py.frame.evaluate import Scope
from lme4py.frame.modelframe import ModelFrame, NAAction, new_frame
from lme4py.frame.schema import NewColumns
from lme4py.functions.table import Context
from lme4py.matrices.fixed import new_fixed_matrix
from lme4py.matrices.grouping import Grouping, new_random_term
from lme4py.matrices.response import response as response_of
from lme4py.matrices.reterms import random_effects
from lme4py.messages import Messages
from lme4py.spec.spec import NewLevels, NewRows, Spec

__all__ = ["apply", "apply_fixed"]

IntArray: TypeAlias = NDArray[np.int64]


def apply(
    spec: Spec,
    newdata: Any,
    *,
    new_levels: NewLevels,
    na_action: NAAction,
    offset: Any,
    response: bool,
    env: Mapping[str, Any],
    messages: Messages,
) -> NewRows:
    """Return the matrices of new rows; `Spec.apply` tells what each argument is."""
    extras = {"(offset)": spec.offset if offset is None else offset}
    if response:
        extras |= {"(weights)": spec.weights, "(subset)": spec.subset}
    extras = {name: item for name, item in extras.items() if item is not False}
    for name, expression in extras.items():
        if expression is True:
            raise _given_as_values(name.strip("()"))
    frame, scope = _framed(
        spec, spec.terms, newdata, na_action, env, messages, extras, response=response
    )
    bars = spec.formula.bars
    grouping = Grouping.of_new_rows(frame, bars, scope.context, spec.grouping)
    terms_of_bars = [
        new_random_term(bar, grouping, scope, learned, allow_new=new_levels == "zero")
        for bar, learned in zip(bars, spec.groups, strict=True)
    ]
    fixed_terms = terms(spec.formula.nobars().node, spec.frame_names)
    return NewRows(
        X=new_fixed_matrix(fixed_terms, frame, scope.context, spec.fixed),
        Zt=random_effects(terms_of_bars, frame.rows).Zt,
        offset=frame.offset(),
        positions=_positions(frame),
        y=response_of(frame, generalized=spec.generalized) if response else None,
        weights=frame.weights(),
    )


def apply_fixed(spec: Spec, newdata: Any, na_action: NAAction) -> tuple[FloatArray, IntArray]:
    """Return X of new rows and the rows it has; no grouping factor is asked for.

    Raises
    ------
    DataError, FormulaError
        As `Spec.apply`.
    """
    messages = Messages()
    expanded = terms(spec.formula.nobars().node, spec.frame_names)
    with np.errstate(all="ignore"):
        frame, scope = _framed(spec, expanded, newdata, na_action, spec.env, messages)
        X = new_fixed_matrix(expanded, frame, scope.context, spec.fixed)
    messages.tell(stacklevel=4)
    return X, _positions(frame)


def _framed(
    spec: Spec,
    expanded: Terms,
    newdata: Any,
    na_action: NAAction,
    env: Mapping[str, Any],
    messages: Messages,
    extras: Mapping[str, Any] | None = None,
    *,
    response: bool = False,
) -> tuple[ModelFrame, Scope]:
    """Return the model frame of new rows, and what names meant in it."""
    columns = NewColumns(newdata, spec.names, spec.columns)
    collation, defaults = Collation(spec.collation), spec.default_contrasts
    context = Context(columns.rows, collation, messages.warn, defaults, spec.formula.lme4)
    scope = Scope(columns, env, context)
    types = spec.variables
    if response and spec.response is not None and expanded.response is not None:
        types = {expanded.frame_names[expanded.response]: spec.response, **types}
    frame = new_frame(
        expanded,
        scope,
        columns,
        labels=spec.frame_names,
        types=types,
        states=spec.states,
        extras=extras or {},
        na_action=na_action,
    )
    return frame, scope


def _positions(frame: ModelFrame) -> IntArray:
    return np.arange(frame.rows) if frame.positions is None else frame.positions


def _given_as_values(name: str) -> DataError:
    remedy = "the model's as an expression, such as the name of a column"
    return DataError(
        f"the model's {name} was given as values, which new rows do not have",
        hint=f"give offset= for the new rows, or {remedy}"
        if name == "offset"
        else f"give {remedy}",
    )
