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
    env: Mapping[str, Any],
    messages: Messages,
) -> NewRows:
    """Return the matrices of new rows; `Spec.apply` tells what each argument is."""
    given = _offset(spec, offset)
    frame, scope = _framed(spec, spec.terms, newdata, na_action, env, messages, given)
    bars = spec.formula.bars
    grouping = Grouping.of_new_rows(frame, bars, scope.context, spec.grouping)
    terms_of_bars = [
        new_random_term(bar, grouping, scope, learned, allow_new=new_levels == "zero")
        for bar, learned in zip(bars, spec.groups, strict=True)
    ]
    fixed_terms = terms(spec.formula.nobars().node, spec.frame_names)
    return NewRows(
        new_fixed_matrix(fixed_terms, frame, scope.context, spec.fixed),
        random_effects(terms_of_bars, frame.rows).Zt,
        frame.offset(),
        _positions(frame),
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
    offset: Any = None,
) -> tuple[ModelFrame, Scope]:
    """Return the model frame of new rows, and what names meant in it."""
    columns = NewColumns(newdata, spec.names, spec.columns)
    collation, defaults = Collation(spec.collation), spec.default_contrasts
    context = Context(columns.rows, collation, messages.warn, defaults, spec.formula.lme4)
    scope = Scope(columns, env, context)
    frame = new_frame(
        expanded,
        scope,
        columns,
        labels=spec.frame_names,
        types=spec.variables,
        states=spec.states,
        offset=offset,
        na_action=na_action,
    )
    return frame, scope


def _positions(frame: ModelFrame) -> IntArray:
    return np.arange(frame.rows) if frame.positions is None else frame.positions


def _offset(spec: Spec, given: Any) -> Any:
    """Return the offset argument for the new rows: the one given, or the model's expression."""
    if given is not None or spec.offset is False:
        return given
    if spec.offset is True:
        raise DataError(
            "the model's offset was given as values, which new rows do not have",
            hint="give offset= for the new rows, or the model's as an expression",
        )
    return spec.offset
