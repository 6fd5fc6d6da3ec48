"""The model frame: every variable of a formula as a column, rows chosen, levels settled.

R's order of work is kept, because results depend on it: all variables are computed
on all rows; then `subset` selects; then rows with missing values go; then factors
lose the levels that no row has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, Span
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, symbols
from lme4py.formula.terms import terms
from lme4py.frame.columns import value_of
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.frame.factors import drop_unused, factor_of
from lme4py.frame.memory import owned
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
    take,
    take_or_missing,
)

__all__ = ["Expression", "ModelFrame", "NAAction", "model_frame"]

NAAction: TypeAlias = Literal["omit", "exclude", "fail", "pass"]
Expression: TypeAlias = Any
"""Array-like, or an R expression as text that is evaluated in the data."""


@dataclass(frozen=True, slots=True)
class ModelFrame:
    """R's model frame.

    Parameters
    ----------
    variables : mapping of str to Value
        Columns by R's labels, in order: the response, the variables, then
        ``(weights)``, ``(offset)``, ``(mustart)``, ``(etastart)`` where given. They are kept
        on memory of their own, read-only.
    response : str or None
        Label of the response.
    offset_terms : tuple of str
        Labels of ``offset(...)`` variables.
    rows : int
        Number of rows.
    positions : ndarray of int64 or None
        Rows of the data that were kept, in order; None when all were.
    omitted : int
        Number of rows dropped for missing values.
    spans : mapping of str to Span
        Where each variable stands in the formula.
    """

    variables: Mapping[str, Value]
    response: str | None
    offset_terms: tuple[str, ...]
    rows: int
    positions: NDArray[np.int64] | None
    omitted: int
    spans: Mapping[str, Span | None]

    def __post_init__(self) -> None:
        # Everything that is kept of the data is in these columns.
        kept = {name: owned(value) for name, value in self.variables.items()}
        object.__setattr__(self, "variables", kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of all columns."""
        return tuple(self.variables)

    def get(self, name: str) -> Value | None:
        """Return a column, or None where there is none."""
        return self.variables.get(name)

    def weights(self) -> NDArray[np.float64] | None:
        """Return the ``weights`` argument, shape (rows,)."""
        return _floats(self.variables.get("(weights)"))

    def offset(self) -> NDArray[np.float64] | None:
        """Return the sum of all offsets, shape (rows,): terms and argument (``model.offset``)."""
        parts = [_floats(self.variables[name]) for name in self.offset_terms]
        parts.append(_floats(self.variables.get("(offset)")))
        given = [part for part in parts if part is not None]
        return sum(given[1:], start=given[0]) if given else None


def _floats(value: Value | None) -> NDArray[np.float64] | None:
    match value:
        case Numeric():
            return value.as_float()
        case Matrix(values=values) if values.shape[1] == 1:
            return values[:, 0]
        case None:
            return None
        case _:
            kind = "text" if isinstance(value, Character) else f"a {type(value).__name__.lower()}"
            raise DataError("'offset' and 'weights' must be numeric vectors", hint=f"it is {kind}")


def model_frame(
    formula: Node,
    scope: Scope,
    *,
    subset: Expression = None,
    extras: Mapping[str, Expression] | None = None,
    na_action: NAAction = "omit",
) -> ModelFrame:
    """Build the model frame (R's ``model.frame`` with unused levels dropped).

    Parameters
    ----------
    formula : Node
        A formula in which bars are written as sums.
    scope : Scope
        The data and what else names may mean.
    subset : array-like or str, optional
        Logical, or positive, negative or repeated 1-based row numbers when integers.
    extras : mapping, optional
        ``(weights)``, ``(offset)`` and the like: arrays or expressions.
    na_action : {"omit", "exclude", "fail", "pass"}
        What happens to rows with missing values.

    Raises
    ------
    DataError
        For variables of a wrong type or length, in R's words.
    """
    expanded = terms(formula, scope.columns.names)
    for text in expanded.warnings:
        scope.context.warn(text)
    nodes = dict(zip(expanded.frame_names, expanded.variables, strict=True))
    spans = {name: node.span for name, node in nodes.items()}
    variables: dict[str, Value] = {}
    for name, node in nodes.items():
        variables[name] = _checked(name, node, evaluate(node, scope))
    for name, expression in (extras or {}).items():
        value = None if expression is None else _extra(name, expression, scope)
        if value is not None:
            variables[name] = value
    rows = _common_length(variables, nodes)
    positions = _subset_positions(subset, rows, scope)
    kept = _complete(variables, positions, na_action, rows)
    omitted = 0
    if kept is not None:
        before = rows if positions is None else positions.size
        positions = np.flatnonzero(kept) if positions is None else positions[kept]
        omitted = before - positions.size
    if positions is not None:
        select = take_or_missing if (positions < 0).any() else take
        variables = {name: select(value, positions) for name, value in variables.items()}
        rows = positions.size
    # What "." stands for is not among the names here, as in lme4.
    right = formula.operands[-1] if isinstance(formula, Call) else formula
    plain = {symbol.name for symbol in symbols(right)}
    settled = {
        name: _settled(name, value, name in plain, scope) for name, value in variables.items()
    }
    return ModelFrame(
        settled,
        None if expanded.response is None else expanded.frame_names[expanded.response],
        tuple(expanded.frame_names[i] for i in expanded.offsets),
        rows,
        positions,
        omitted,
        spans,
    )


def _checked(name: str, node: Node, value: Value) -> Value:
    """Return a variable of the frame, or raise R's error for what can be none."""
    if isinstance(value, FunctionName):
        raise DataError(f"invalid type (closure) for variable '{name}'", node.span)
    if isinstance(value, Null):
        raise DataError(f"invalid type (NULL) for variable '{name}'", node.span)
    if isinstance(value, MalformedFactor):
        raise DataError(f"'{name}' is a malformed factor", node.span)
    return value


def _extra(name: str, expression: Expression, scope: Scope) -> Value | None:
    """Return the value of an argument, None where it is NULL."""
    value = _evaluated(expression, scope)
    if isinstance(value, FunctionName | MalformedFactor):
        raise DataError(f"invalid type (closure) for variable '{name}'")
    return None if isinstance(value, Null) else value


def _evaluated(expression: Expression, scope: Scope) -> Value:
    return (
        evaluate(parse(expression), scope) if isinstance(expression, str) else value_of(expression)
    )


def _common_length(variables: Mapping[str, Value], nodes: Mapping[str, Node]) -> int:
    rows: int | None = None
    for name, value in variables.items():
        found = length(value)
        if rows is None:
            rows = found
        elif found != rows:
            node = nodes.get(name)
            raise DataError(
                f"variable lengths differ (found for '{name}')",
                None if node is None else node.span,
                f"it has {found} elements, the variables before it have {rows}",
            )
    return rows or 0


def _subset_positions(subset: Expression, rows: int, scope: Scope) -> NDArray[np.int64] | None:
    """Return the row positions that `subset` selects, None for all.

    As in R, an unknown or absent row is selected as a row of missing values: -1.
    """
    if subset is None:
        return None
    value = _evaluated(subset, scope)
    if isinstance(value, Null):
        return None
    if isinstance(value, Matrix):
        # A matrix selects as the vector of its columns: abs(scale(y)) < 3 is one.
        numbers = value.values.reshape(-1, order="F")
    elif isinstance(value, Numeric):
        numbers = value.as_float()
    else:
        raise DataError("subset must be logical or row numbers")
    if value.kind == "logical":
        if numbers.size < rows and numbers.size:
            numbers = np.resize(numbers, rows)
        places = np.flatnonzero(numbers)
        return np.where(np.isnan(numbers[places]) | (places >= rows), -1, places)
    unknown = np.isnan(numbers)
    if unknown.any() and np.nanmin(numbers, initial=0) > -1:
        numbers = np.where(unknown, rows + 1.0, numbers)
    elif unknown.any():
        raise DataError("can't mix NAs with negative subscripts in subset")
    numbers = numbers[np.trunc(numbers) != 0]
    places = np.trunc(numbers).astype(np.int64)
    if places.size and places.min() < 0:
        if places.max() > 0:
            raise DataError("can't mix positive and negative subscripts in subset")
        mask = np.ones(rows, dtype=np.bool_)
        mask[-places[places >= -rows] - 1] = False
        return np.flatnonzero(mask)
    return np.where(places > rows, -1, places - 1)


def _missing(value: Value) -> NDArray[np.bool_] | None:
    """Return where a value is missing, None when nowhere."""
    match value:
        case Numeric(values=values):
            # The least of some numbers is NaN when one of them is.
            if values.dtype.kind != "f" or not values.size or not np.isnan(values.min()):
                return None
            return np.asarray(np.isnan(values))
        case Matrix(values=matrix):
            if not matrix.size or not np.isnan(matrix.min()):
                return None
            return np.asarray(np.isnan(matrix).any(axis=1))
        case Character(codes=codes) | Factor(codes=codes):
            return np.less(codes, 0) if codes.size and codes.min() < 0 else None
        case _:
            return None


def _complete(
    variables: Mapping[str, Value],
    positions: NDArray[np.int64] | None,
    na_action: NAAction,
    rows: int,
) -> NDArray[np.bool_] | None:
    """Return which of the selected rows have no missing value, None when all are kept."""
    if na_action == "pass":
        return None
    missing: NDArray[np.bool_] | None = None
    for value in variables.values():
        found = _missing(value)
        if found is not None:
            missing = found if missing is None else missing | found
    absent = None if positions is None or not (positions < 0).any() else positions < 0
    if missing is None and absent is None:
        return None
    missing = np.zeros(rows, dtype=np.bool_) if missing is None else missing
    selected = missing if positions is None else missing[positions]
    if absent is not None:
        selected = selected | absent
    if not selected.any():
        return None
    if na_action == "fail":
        raise DataError("missing values in object", hint=_where(variables))
    return ~selected


def _where(variables: Mapping[str, Value]) -> str:
    counts = []
    for name, value in variables.items():
        found = _missing(value)
        if found is not None:
            counts.append(f"{name}: {int(found.sum())}")
    return "missing values by variable: " + ", ".join(counts)


def _settled(name: str, value: Value, plain: bool, scope: Scope) -> Value:
    """Return a column as it stands in the frame: unused levels dropped, plain text a factor."""
    if isinstance(value, Factor):
        settled = drop_unused(value)
        if value.contrasts is not None and len(settled.levels) < len(value.levels):
            scope.context.warn(f"contrasts dropped from factor {name} due to missing levels")
        return settled
    if isinstance(value, Character) and plain:
        return factor_of(value, scope.context.collation)
    return value
