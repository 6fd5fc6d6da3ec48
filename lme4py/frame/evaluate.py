"""Syntax trees become values, through the table of functions and nothing else.

Every result is either *row-wise* (it has one element per row of the data, made from
that row) or a *parameter* (a mean, knots, levels, a constant). A parameter that was
found from the rows is kept under the text of its expression, and so is the state
of every basis; evaluating again on other rows reads them back instead of finding
them anew. That is all that replay needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lme4py.errors import DataError, FormulaError, Lme4pyError, Span, nearest
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.frame.columns import value_of
from lme4py.frame.functions.table import (
    Context,
    Dot,
    Function,
    lookup,
    match_arguments,
    names,
)
from lme4py.frame.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value

__all__ = ["ColumnSource", "Scope", "evaluate"]

_CONSTANTS: Mapping[str, Value] = {
    "TRUE": Numeric(np.array([True]), "logical"),
    "FALSE": Numeric(np.array([False]), "logical"),
    "NA": Numeric(np.array([np.nan]), "logical"),
    "NA_integer_": Numeric(np.array([np.nan]), "integer"),
    "NA_real_": Numeric(np.array([np.nan]), "double"),
    "NA_character_": Character(np.array([-1], dtype=np.int32), ()),
    "Inf": Numeric(np.array([np.inf]), "double"),
    "NaN": Numeric(np.array([np.nan]), "double"),
    "NULL": Null(),
}
_BASE_VARIABLES: Mapping[str, Value] = {
    "T": _CONSTANTS["TRUE"],
    "F": _CONSTANTS["FALSE"],
    "pi": Numeric(np.array([np.pi]), "double"),
}


class ColumnSource(Protocol):
    """Where variables are looked up first."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    def get(self, name: str) -> Value | None:
        """Return the column called `name`, or None."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean while an expression is evaluated.

    Parameters
    ----------
    columns : ColumnSource
        The data, which come first.
    env : mapping of str to object
        Further variables and functions.
    context : Context
        Rows, order of text, and where warnings go.
    frozen : dict of str to object
        Parameters and states by the text of their expression; filled while fitting.
    replaying : bool
        Read `frozen` instead of filling it.
    """

    columns: ColumnSource
    env: Mapping[str, Any]
    context: Context
    frozen: dict[str, Any] = field(default_factory=dict)
    replaying: bool = False


@dataclass(frozen=True, slots=True)
class _Result:
    value: Value
    rowwise: bool


def evaluate(node: Node, scope: Scope) -> Value:
    """Return the value of an expression.

    Raises
    ------
    FormulaError
        For names and functions that do not exist.
    DataError
        When a function cannot take its arguments, in R's words.
    """
    return _evaluate(node, scope).value


def _evaluate(node: Node, scope: Scope) -> _Result:
    match node:
        case Symbol():
            return _variable(node, scope)
        case Number(value=value, integer=integer):
            if isinstance(value, complex):
                raise FormulaError("invalid type (complex)", node.span)
            return _Result(
                Numeric(np.array([float(value)]), "integer" if integer else "double"), False
            )
        case Text(value=text):
            return _Result(Character(np.zeros(1, dtype=np.int32), (text,)), False)
        case Constant(name=name):
            return _Result(_CONSTANTS[name], False)
        case Call():
            return _call(node, scope)


def _variable(node: Symbol, scope: Scope) -> _Result:
    value = scope.columns.get(node.name)
    if value is not None:
        return _Result(value, True)
    if node.name in scope.env:
        item = scope.env[node.name]
        if callable(item):
            return _Result(FunctionName(node.name), False)
        value = value_of(item)
        return _Result(value, _spans_rows(value, scope))
    if node.name in _BASE_VARIABLES:
        return _Result(_BASE_VARIABLES[node.name], False)
    if lookup(node.name) is not None:
        return _Result(FunctionName(node.name), False)
    raise FormulaError(
        f"object '{node.name}' not found",
        node.span,
        nearest(node.name, [*scope.columns.names, *scope.env]),
    )


def _spans_rows(value: Value, scope: Scope) -> bool:
    """Tell whether a variable from outside the data has one element per row."""
    size = getattr(value, "values", getattr(value, "codes", None))
    return size is not None and len(size) == scope.context.rows > 1


def _call(node: Call, scope: Scope) -> _Result:
    """Evaluate a call; a spine of nested first operands is walked in a loop."""
    spine: list[Call] = []
    first: Node = node
    while isinstance(first, Call) and _is_operation(first):
        spine.append(first)
        first = first.operands[0]
    if not spine:
        return _apply(node, scope, None)
    result = _evaluate(first, scope)
    for outer in reversed(spine):
        result = _apply(outer, scope, result)
    return result


def _is_operation(node: Call) -> bool:
    """Tell whether a call is a binary operator, all of whose operands are evaluated."""
    return (
        node.name is not None
        and len(node.operands) == 2
        and not (node.name[0].isalpha() or node.name[0] in "._$@[(")
        and all(item.name is None for item in node.arguments)
        and node.name not in ("::", ":::", "~", "<-", "=", "?", "->", "[[")
    )


def _apply(node: Call, scope: Scope, first: _Result | None) -> _Result:
    """Apply the called function; `first` is its first argument where that is known already."""
    function = _function(node, scope)
    key = deparse(node)
    if scope.replaying and function.role == "summary" and key in scope.frozen:
        return _Result(scope.frozen[key], False)
    results: dict[int, _Result] = {}
    if first is not None:
        results[id(node.arguments[0])] = first

    def value(item: Argument) -> Any:
        if item.value is None:
            return None
        if id(item) not in results:
            results[id(item)] = _evaluate(item.value, scope)
        return results[id(item)].value

    try:
        matched, dots = match_arguments(function, [(item.name, item) for item in node.arguments])
        named: dict[str, Any] = {}
        for formal, item in matched.items():
            python_name = formal.replace(".", "_").lower()
            if formal in function.quoted and _is_bare_name(item.value, scope):
                named[python_name] = item.value
            else:
                named[python_name] = value(item)
        if "..." in function.formals:
            named["dots"] = tuple(Dot(name, value(item), item.value) for name, item in dots)
        if function.takes_context:
            named["context"] = scope.context
        rowwise = any(result.rowwise for result in results.values())
        return _compute(function, named, rowwise, key, scope)
    except Lme4pyError as error:
        raise _located(error, node.span) from error.__cause__


def _is_bare_name(node: Node | None, scope: Scope) -> bool:
    """Tell whether a node is a name that stands for no variable."""
    if not isinstance(node, Symbol):
        return False
    return scope.columns.get(node.name) is None and node.name not in scope.env


def _compute(
    function: Function, named: dict[str, Any], rowwise: bool, key: str, scope: Scope
) -> _Result:
    if function.role == "basis":
        if scope.replaying and key in scope.frozen and function.replay is not None:
            return _Result(function.replay(scope.frozen[key], **named), rowwise)
        value, state = function.compute(**named)
        if rowwise and not scope.replaying:
            scope.frozen[key] = state
        return _Result(value, rowwise)
    if function.role == "whole" and rowwise and scope.replaying:
        raise FormulaError(
            f"{function.name}() uses all rows together and cannot be computed for new rows"
        )
    value = function.compute(**named)
    if function.role == "summary":
        if rowwise and not scope.replaying:
            scope.frozen[key] = value
        rowwise = False
    return _Result(value, rowwise)


def _located(error: Lme4pyError, span: Span | None) -> Lme4pyError:
    """Return the error with the position of the call it arose in."""
    if error.span is None:
        error.span = span
    return error


def _function(node: Call, scope: Scope) -> Function:
    """Return the table's entry for the called function."""
    called, package = node.function, None
    if isinstance(called, Call) and called.name in ("::", ":::") and len(called.operands) == 2:
        first, called = called.operands
        package = first.name if isinstance(first, Symbol) else None
    name = called.name if isinstance(called, Symbol) else None
    if isinstance(called, Text):
        name = called.value
    if name is None:
        raise FormulaError("attempt to apply non-function", node.span)
    if package is None and callable(scope.env.get(name)):
        return _users(name, scope.env[name])
    entry = lookup(name, package)
    if entry is None:
        full = name if package is None else f"{package}::{name}"
        hint = nearest(name, names())
        raise FormulaError(
            f'could not find function "{full}"',
            node.function.span or node.span,
            hint
            or "give your own functions with env={...}; the documentation lists the known ones",
        )
    return entry


def _users(name: str, function: Callable[..., Any]) -> Function:
    """Return a table entry for a user's own vectorised function."""

    def compute(dots: tuple[Dot, ...]) -> Value:
        positional = [_plain(dot.value) for dot in dots if dot.name is None]
        keywords = {dot.name: _plain(dot.value) for dot in dots if dot.name is not None}
        try:
            return value_of(function(*positional, **keywords))
        except Lme4pyError:
            raise
        except Exception as error:  # whatever a user's function raises is shown as ours
            raise DataError(f"{name}() failed: {type(error).__name__}: {error}") from error

    return Function(name, "...", compute, "elementwise", package="env")


def _plain(value: Value) -> Any:
    """Return what a user's function sees: arrays, and plain scalars for single constants."""
    match value:
        case Numeric(values=values):
            return values.item() if values.shape == (1,) else values
        case Character(codes=codes, pool=pool):
            texts = np.array([*pool, None], dtype=object)[codes]
            return texts[0] if texts.shape == (1,) else texts
        case Null():
            return None
        case FunctionName(name=text):
            return text
        case Factor(codes=codes, levels=levels):
            return np.array([*levels, None], dtype=object)[codes]
        case Matrix(values=matrix):
            return matrix
