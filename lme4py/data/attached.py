"""Contrasts attached to a factor: what R's ``contrasts(d$f) <- m`` keeps on the column.

They reach whatever is made of the factor, X and random slopes alike, as long as every
level is used; functions that make a new factor (``factor``, ``relevel``) lose them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.coding import complete_contrasts
from lme4py.data.columns import Columns
from lme4py.data.factors import logical_factor
from lme4py.data.values import Character, Factor, Matrix, Numeric, Value
from lme4py.errors import DataError, nearest

ContrastArgument: TypeAlias = str | Callable[[int], Any] | Any
"""A name such as "contr.sum", a matrix, a DataFrame, or a function of the number of levels."""

_EXPECTED = "numeric contrasts or contrast name expected"


def with_contrasts(columns: Columns, attached: Mapping[str, ContrastArgument]) -> Columns:
    """Return columns with contrasts attached to some of the factors among them.

    Parameters
    ----------
    columns : Columns
    attached : mapping of str to (str, matrix, DataFrame, callable or None)
        What R's ``contrasts<-`` gets for each factor; None takes its own away.

    Raises
    ------
    DataError
        For a column that is not there or no factor, or what is no coding of its levels.
    """
    known: dict[str, Value] = {}
    for name, argument in attached.items():
        factor = _factor(columns, name)
        contrasts = given_contrast(argument, factor, name)
        known[name] = replace(factor, codes=factor.codes[:0].copy(), contrasts=contrasts)
    return columns.held_to(known)


def _factor(columns: Columns, name: str) -> Factor:
    value = columns.get(name)
    if isinstance(value, Numeric) and value.kind == "logical":
        return logical_factor(value.values)
    if isinstance(value, Factor):
        return value
    remedy = "make it a pandas Categorical or a polars Enum"
    if value is None:
        close = nearest(str(name), columns.names)
        hint = f"the data have no column '{name}'{'; ' + close if close else ''}"
    elif isinstance(value, Character):
        hint = f"'{name}' is text: {remedy}, or write C(factor({name}), ...) in the formula"
    else:
        hint = f"'{name}' is not a factor: {remedy}"
    raise DataError("contrasts apply only to factors", hint=hint)


def given_contrast(
    argument: ContrastArgument, factor: Factor, name: str, *, as_wide_as_given: bool = False
) -> str | Matrix | None:
    """Return what R's ``contrasts<-`` makes of a value.

    Parameters
    ----------
    argument : str, matrix, DataFrame, callable or None
        The value. A name is only remembered: whether there is such a function shows
        when a column is coded by it.
    factor : Factor
        The factor that the contrasts are for.
    name : str
        What errors call it.
    as_wide_as_given : bool
        Keep the columns of a two-dimensional matrix as they are, like R's
        ``contrasts.arg``. A matrix is otherwise cut or completed to one column less than
        there are levels.

    Raises
    ------
    DataError
        In R's words, e.g. for a matrix of the wrong shape.
    """
    refuse_single_level(factor, name)
    if argument is None or isinstance(argument, str):
        return argument
    levels = len(factor.levels)
    if callable(argument) and not hasattr(argument, "__array__"):
        as_wide_as_given = False
        try:
            argument = argument(levels)
        except Exception as error:  # whatever a user's function raises is shown as ours
            raise DataError(
                f"the contrast function of '{name}' failed: {type(error).__name__}: {error}"
            ) from error
    given, columns = _matrix(argument, factor, name)
    if given.values.shape[0] != levels:
        raise DataError(
            "wrong number of contrast matrix rows",
            hint=f"'{name}' has {levels} levels, its matrix {given.values.shape[0]} rows",
        )
    return complete_contrasts(given, columns if as_wide_as_given and columns else levels - 1)


def refuse_single_level(factor: Factor, name: str) -> None:
    """Raise R's error if a factor has fewer than two levels."""
    if len(factor.levels) < 2:
        levels = ", ".join(repr(level) for level in factor.levels)
        raise DataError(
            "contrasts can be applied only to factors with 2 or more levels",
            hint=f"'{name}' has the levels ({levels}) in the rows that are left",
        )


def _matrix(argument: Any, factor: Factor, name: str) -> tuple[Matrix, int | None]:
    """Return a matrix, and how many columns it was given with: None for a vector."""
    if isinstance(argument, Matrix):
        return argument, argument.values.shape[1]
    try:
        array = np.asarray(argument)
        values = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        values = array = np.zeros(0, dtype=np.bool_)
    if array.dtype.kind == "b" or values.ndim > 2:
        raise DataError(_EXPECTED, hint=f"the contrast of '{name}' is a {type(argument).__name__}")
    if values.ndim < 2:
        return Matrix(values.reshape(-1, 1)), None
    # R takes the rows as they come, whatever they are called. A list has an `index`, too.
    labels = [str(label) for label in (argument.index if hasattr(argument, "iloc") else ())]
    levels = [str(level) for level in factor.levels]
    if labels != levels and sorted(labels) == sorted(levels):
        raise DataError(
            f"the rows of the contrasts of '{name}' are {', '.join(labels)}, its levels "
            f"{', '.join(levels)}",
            hint=f"put the rows in the order of the levels: .loc[{levels}]",
        )
    # pyarrow's `columns` are the columns themselves.
    names = getattr(argument, "column_names", None) or getattr(argument, "columns", None)
    # A pandas frame whose columns are numbered has no names for them.
    named = None if names is None or hasattr(names, "step") else tuple(map(str, names))
    return Matrix(values, named), values.shape[1]
