"""Syntax trees become values, through the table of functions and nothing else.

Every result is either *row-wise* (it has one element per row of the data, made from
that row) or a *parameter* (a mean, knots, levels, a constant). A parameter that was
found from the rows is kept under the text of its expression, and so is the state
of every basis; evaluating again on other rows reads them back instead of finding
them anew. That is all that replay needs.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lme4py.errors import DataError, FormulaError, Lme4pyError, Span, nearest
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text
from lme4py.frame.columns import Columns, value_of
from lme4py.frame.functions.table import (
    Context,
    Dot,
    Function,
    lookup,
    match_arguments,
    names,
)
from lme4py.frame.functions.times import in_unit
from lme4py.frame.functions.user import users_function
from lme4py.frame.memory import owned
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
)

__all__ = ["ColumnSource", "Scope", "evaluate", "evaluate_rows", "stored_keys"]

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _texts(items: Iterable[str]) -> Character:
    pool = tuple(items)
    return Character(np.arange(len(pool), dtype=np.int32), pool)


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
    "letters": _texts(string.ascii_lowercase),
    "LETTERS": _texts(string.ascii_uppercase),
    "month.abb": _texts(month[:3] for month in _MONTHS),
    "month.name": _texts(_MONTHS),
}


_ELSEWHERE: Mapping[str, str] = {
    "get": "the formula is text: put the name into it, f'{name} ~ x'",
    "logit": "R's own logit is qlogis()",
    "inv.logit": "R's own inverse of the logit is plogis()",
    "expit": "R's own inverse of the logit is plogis()",
    "rcs": "that is rms's; the splines of R itself are ns() and bs()",
    "s": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "te": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "Q": "a name with spaces is written in back-quotes: `my name`",
    "center": "write scale(x, scale = FALSE)",
    "standardize": "write scale(x)",
    "gr": "that is brms's; lme4 has (x | g)",
    "mm": "that is brms's; a Z of your own goes through lme4py.mk_re_terms",
    "re": "random terms are written (1 | g)",
    "lag": "lags differ between packages: put the lagged values into the data as a column",
    "year": "that is lubridate's; R's own is as.numeric(format(x, '%Y'))",
    "month": "that is lubridate's; R's own is as.numeric(format(x, '%m'))",
    "yday": "that is lubridate's; R's own is as.numeric(format(x, '%j'))",
}
"""What people look for of functions that are not in the table, and where to find it."""


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


def evaluate_rows(node: Node, scope: Scope) -> Value:
    """Return the value of an expression that must be computed row by row.

    Raises
    ------
    FormulaError, DataError
        As `evaluate`, and if the value does not follow the rows.
    """
    result = _evaluate(node, scope)
    if not result.rowwise:
        raise FormulaError(
            f"{deparse(node)} is not computed row by row, so it has no value for new rows",
            node.span,
            "put it into the data as a column",
        )
    return result.value


def stored_keys(nodes: Sequence[Node], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `frozen` that evaluating these expressions on new rows reads."""
    found: dict[str, Any] = {}
    pending = list(nodes)
    while pending and frozen:
        node = pending.pop()
        if isinstance(node, Symbol) or (isinstance(node, Call) and not _keeps_length(node)):
            key = deparse(node)
            if key in frozen:
                found[key] = frozen[key]
                if isinstance(frozen[key], _VALUES):
                    continue
        if isinstance(node, Call):
            pending.extend(node.operands)
            unit = _unit_key(node)
            if unit in frozen:
                found[str(unit)] = frozen[str(unit)]
    return found


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
    try:
        value = scope.columns.get(node.name)
    except DataError as error:
        raise _located(error, node.span) from error.__cause__
    if value is not None:
        return _Result(value, True)
    if scope.replaying and deparse(node) in scope.frozen:
        return _Result(scope.frozen[deparse(node)], False)
    if node.name in scope.env:
        item = scope.env[node.name]
        if callable(item):
            return _Result(FunctionName(node.name), False)
        try:
            value = value_of(item)
        except DataError as error:
            named = DataError(f"{error.message} for variable '{node.name}'", hint=error.hint)
            raise _located(named, node.span) from None
        if _spans_rows(value, scope):
            return _Result(value, True)
        scope.frozen[deparse(node)] = value = owned(value)
        return _Result(value, False)
    if node.name in _BASE_VARIABLES:
        return _Result(_BASE_VARIABLES[node.name], False)
    if lookup(node.name) is not None:
        return _Result(FunctionName(node.name), False)
    raise FormulaError(
        f"object '{node.name}' not found",
        node.span,
        nearest(node.name, [*scope.columns.names, *scope.env]) or _what_there_is(node.name, scope),
    )


def _what_there_is(name: str, scope: Scope) -> str | None:
    """Return what to do about a name that is like none of the data's."""
    columns = scope.columns
    if not isinstance(columns, Columns):
        return None
    if name in columns.index_names:
        return f"'{name}' is in the index of the data: call .reset_index() first"
    if not columns.names:
        return "the data have no columns"
    shown = [deparse(Symbol(column)) for column in columns.names[:_SHOWN]]
    more = ", ..." if len(columns.names) > _SHOWN else ""
    return f"the data have: {', '.join(shown)}{more}"


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


def _keeps_length(node: Call) -> bool:
    """Tell whether a call is arithmetic, whose result is never shorter than the rows."""
    return node.name != ":" and _is_operation(node)


@dataclass(frozen=True, slots=True)
class _Given:
    """One argument of a call: its value, and whether it has an element per row."""

    formal: str
    value: Any
    rowwise: bool


def _apply(node: Call, scope: Scope, first: _Result | None) -> _Result:
    """Apply the called function; `first` is its first argument where that is known already."""
    function = _function(node, scope)
    if function.name == "$" and len(node.operands) == 2:
        _refuse_member(node, scope)
    if scope.replaying and function.role != "basis" and not _keeps_length(node):
        stored = scope.frozen.get(deparse(node))
        if stored is not None:
            return _Result(stored, False)
    known = len(scope.frozen)
    results: dict[int, _Result] = {}
    if first is not None:
        results[id(node.arguments[0])] = first

    def result(item: Argument) -> _Result:
        if item.value is None:
            return _Result(None, False)  # type: ignore[arg-type]
        if id(item) not in results:
            results[id(item)] = _evaluate(item.value, scope)
        return results[id(item)]

    try:
        matched, dots = match_arguments(function, [(item.name, item) for item in node.arguments])
        named: dict[str, Any] = {}
        given: list[_Given] = []
        for formal, item in matched.items():
            python_name = formal.replace(".", "_").lower()
            if formal in function.quoted and _is_word(item.value, function.words, scope):
                named[python_name] = item.value
            else:
                found = result(item)
                named[python_name] = found.value
                given.append(_Given(formal, found.value, found.rowwise))
        if "..." in function.formals:
            found_dots = [(name, item, result(item)) for name, item in dots]
            named["dots"] = tuple(
                Dot(name, found.value, item.value, found.rowwise)
                for name, item, found in found_dots
            )
            given += [_Given("...", found.value, found.rowwise) for _, _, found in found_dots]
        if function.takes_context:
            named["context"] = scope.context
        return _compute(function, named, given, node, scope, known)
    except MemoryError:
        raise DataError(
            f"{function.name}() would need more memory than there is", node.span
        ) from None
    except Lme4pyError as error:
        raise _located(error, node.span) from error.__cause__


def _refuse_member(node: Call, scope: Scope) -> None:
    """Raise R's error for ``d$x`` of a data frame that only R's user had, with advice."""
    frame, member = node.operands
    if isinstance(frame, Symbol) and _is_bare_name(frame, scope):
        raise FormulaError(
            f"object '{frame.name}' not found",
            frame.span,
            f"a column is known by its name alone: write {deparse(member)}",
        )


def _is_word(node: Node | None, words: Sequence[str], scope: Scope) -> bool:
    """Tell whether a quoted argument is meant by its name, not by a value."""
    known = isinstance(node, Symbol) and node.name in words
    return known or _is_bare_name(node, scope)


def _is_bare_name(node: Node | None, scope: Scope) -> bool:
    """Tell whether a node is a name that stands for no variable."""
    if not isinstance(node, Symbol):
        return False
    return scope.columns.get(node.name) is None and node.name not in scope.env


def _compute(
    function: Function,
    named: dict[str, Any],
    given: Sequence[_Given],
    node: Call,
    scope: Scope,
    known: int,
) -> _Result:
    """Call the function, and keep what new rows need: `known` states were there before."""
    rowwise = any(item.rowwise for item in given)
    if function.role == "basis":
        return _basis(function, named, rowwise, node, scope)
    if not rowwise:
        value = function.compute(**named)
        if not scope.replaying and len(scope.frozen) > known and not _keeps_length(node):
            _freeze(node, value, scope, known)
        return _Result(value, False)
    if scope.replaying:
        _refuse_whole(function, given, node)
    value = function.compute(**named)
    if _has_rows(function, given, value, scope.context.rows):
        return _Result(_in_kept_unit(value, given, node, scope), True)
    if scope.replaying:
        if not _keeps_length(node):
            raise DataError(f"the value of {deparse(node)} in the data of the model is not known")
        return _Result(value, False)
    if not _keeps_length(node):
        _freeze(node, value, scope, known)
    return _Result(value, False)


def _unit_key(node: Call) -> str | None:
    """Return the name under which the unit of a difference of times is kept."""
    return f"units({deparse(node)})" if node.name in ("-", "difftime") else None


def _in_kept_unit(value: Value, given: Sequence[_Given], node: Call, scope: Scope) -> Value:
    """Return a difference of times in the unit that R chose for the rows of the model."""
    key = _unit_key(node)
    if key is None or not isinstance(value, Numeric) or not is_difftime(value.time):
        return value
    if any(isinstance(item.value, Numeric) and is_difftime(item.value.time) for item in given):
        return value  # no unit was chosen: the operand's is kept
    if not scope.replaying:
        scope.frozen[key] = _texts([str(value.time)])
        return value
    kept = scope.frozen.get(key)
    return in_unit(value, kept.pool[0]) if isinstance(kept, Character) and kept.pool else value


def _freeze(node: Call, value: Value, scope: Scope, known: int) -> None:
    """Keep a parameter; what its arguments kept is not looked at again, so that goes."""
    for inner in list(scope.frozen)[known:]:
        del scope.frozen[inner]
    scope.frozen[deparse(node)] = value


def _basis(
    function: Function, named: dict[str, Any], rowwise: bool, node: Call, scope: Scope
) -> _Result:
    """Compute a basis and keep its state, or compute it again from the state."""
    if not rowwise:
        value, _ = function.compute(**named)
        return _Result(value, False)
    key = deparse(node)
    if not scope.replaying:
        value, state = function.compute(**named)
        scope.frozen[key] = state
        return _Result(value, True)
    if key not in scope.frozen or function.replay is None:
        raise DataError(f"the state of {key} in the data of the model is not known")
    try:
        value = function.replay(scope.frozen[key], **named)
        if isinstance(value, Factor) and value.codes.max(initial=-1) >= len(value.levels):
            raise DataError(f"the stored state of {key} has too few levels")
        return _Result(value, True)
    except Lme4pyError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"the stored state of {key} does not fit: {error}") from error


def _refuse_whole(function: Function, given: Sequence[_Given], node: Call) -> None:
    """Raise an error for what cannot be computed for new rows, one by one."""
    hint = "put it into the data as a column"
    if function.role == "whole" or (function.role == "shape" and _reorders(function, given)):
        raise FormulaError(
            f"{function.name}() uses all rows together and cannot be computed for new rows",
            node.span,
            hint,
        )
    if function.role != "elementwise":
        return
    for item in given:
        if item.formal in function.tables:
            if item.rowwise:
                raise FormulaError(
                    f"{deparse(node)} looks things up in all rows together, which cannot be "
                    "computed for new rows",
                    node.span,
                    hint,
                )
        elif not item.rowwise and isinstance(item.value, _VECTORS) and length(item.value) > 1:
            raise FormulaError(
                f"a vector of {length(item.value)} elements is repeated along the rows in "
                f"{deparse(node)}, which cannot be computed for new rows",
                node.span,
                hint,
            )


_SHOWN = 8
_VECTORS = (Numeric, Character, Factor, Matrix)
_VALUES = (*_VECTORS, Null, FunctionName)


def _reorders(function: Function, given: Sequence[_Given]) -> bool:
    """Tell whether ``x[i]`` picks rows by numbers that each row gives."""
    if function.name != "[" or not given[0].rowwise:
        return False
    return any(
        item.rowwise and not (isinstance(item.value, Numeric) and item.value.kind == "logical")
        for item in given[1:]
    )


def _has_rows(function: Function, given: Sequence[_Given], value: Value, rows: int) -> bool:
    """Tell whether a result made from row-wise arguments has one element per row."""
    if function.role == "summary" or length(value) != rows:
        return False
    if function.role != "shape":
        return True
    if function.name == ":":
        return isinstance(value, Factor)
    if function.name == "[":
        return _index_keeps_rows(given)
    # c, rep and their kin: one vector of rows, and nothing added to it.
    whole = [item for item in given if item.rowwise]
    return len(whole) == 1 and whole[0].formal in ("x", "data", "...")


def _index_keeps_rows(given: Sequence[_Given]) -> bool:
    """Tell whether an indexed value has one element per row, made from that row."""
    source, *indices = [item for item in given if item.formal != "drop"]
    if not indices or indices[0].value is None:
        return source.rowwise and not any(item.rowwise for item in indices)
    row = indices[0]
    selects = isinstance(row.value, Numeric) and row.value.kind == "logical"
    if source.rowwise:
        # Numbers of rows that come from the rows themselves: a new order of the whole.
        return row.rowwise and not selects
    return row.rowwise and not selects


def _located(error: Lme4pyError, span: Span | None) -> Lme4pyError:
    """Return the error with the position of the call it arose in."""
    if error.span is None:
        error.span = span
    return error


def _own(name: str) -> str | None:
    """Return R's function for another language's ``np.log`` or ``x.mean``."""
    last = name.rpartition(".")[2]
    return f"R's own is {last}()" if last != name and lookup(last) is not None else None


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
        return users_function(name, scope.env[name])
    entry = lookup(name, package)
    if entry is None:
        full = name if package is None else f"{package}::{name}"
        hint = _ELSEWHERE.get(name) or _own(name) or nearest(name, names())
        raise FormulaError(
            f'could not find function "{full}"',
            node.function.span or node.span,
            hint
            or "give your own functions with env={...}; the documentation lists the known ones",
        )
    return entry
