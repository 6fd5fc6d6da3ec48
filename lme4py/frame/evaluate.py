"""Syntax trees become values, through the table of functions and nothing else.

Every result is either *row-wise* (it has one element per row of the data, made from
that row) or a *parameter* (a mean, knots, levels, a constant). Evaluating without a state
learns one: parameters that were found from the rows, and the state of every basis, in a
tree of the expression's shape. Evaluating with that state computes other rows: what the
tree keeps is read from it instead of being found anew.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from lme4py.data.column_values import value_of
from lme4py.data.columns import Columns, is_data_frame
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Kind,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
    take,
)
from lme4py.errors import DataError, FormulaError, Lme4pyError, Span, nearest
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Constant, Node, Number, Symbol, Text
from lme4py.frame.state import NOTHING, Carried, Gathered, State
from lme4py.functions.coercion import in_unit
from lme4py.functions.table import Context, Dot, Function, arguments_of, lookup
from lme4py.functions.times import MONTHS
from lme4py.functions.user_functions import advice, users_function

_SHOWN = 8
_VECTORS = (Numeric, Character, Factor, Matrix)


def _texts(items: Iterable[str]) -> Character:
    pool = tuple(items)
    return Character(np.arange(len(pool), dtype=np.int32), pool)


CONSTANTS: Mapping[str, Value] = {
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
"""Reserved words: they mean the same whatever the data hold."""

BASE_VARIABLES: Mapping[str, Value] = {
    "T": CONSTANTS["TRUE"],
    "F": CONSTANTS["FALSE"],
    "pi": Numeric(np.array([np.pi]), "double"),
    "letters": _texts(string.ascii_lowercase),
    "LETTERS": _texts(string.ascii_uppercase),
    "month.abb": _texts(month[:3] for month in MONTHS),
    "month.name": _texts(MONTHS),
}
"""Looked up where neither the data nor ``env`` has a variable of the name."""


class ColumnSource(Protocol):
    """Where variables are looked up first."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    def get(self, name: str) -> Value | None:
        """Return the column called `name`, or None."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean while an expression is evaluated."""

    columns: ColumnSource  # the data, which come first
    env: Mapping[str, Any]  # further variables and functions
    context: Context  # rows, order of text, and where warnings go
    carries: bool = False  # whether sums of blocks of rows are carried on from one to the next


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of an expression."""

    value: Value
    rowwise: bool  # it has one element per row of the data, made from that row
    state: State = NOTHING  # what other rows need: what was learned, or what was given


def evaluate(node: Node, scope: Scope, state: State | None = None) -> Evaluated:
    """Return the value of an expression, and what was learned from these rows.

    With a state, which was learned from other rows, these rows are computed; functions of all
    rows together are an error then. Where the state is open, these are some of the rows that are
    learned from: the arguments of a call that has a state are gathered, and the value is `PENDING`.
    """
    match node:
        case Symbol():
            return _variable(node, scope, state)
        case Number(value=value, integer=integer):
            if isinstance(value, complex):
                raise FormulaError("invalid type (complex)", node.span)
            kind: Kind = "integer" if integer else "double"
            return Evaluated(Numeric(np.array([float(value)]), kind), False)
        case Text(value=text):
            return Evaluated(Character(np.zeros(1, dtype=np.int32), (text,)), False)
        case Constant(name=name):
            return Evaluated(CONSTANTS[name], False)
        case Call():
            return _call(node, scope, state)


def _variable(node: Symbol, scope: Scope, state: State | None) -> Evaluated:
    try:
        value = scope.columns.get(node.name)
    except DataError as error:
        raise located(error, node.span) from error.__cause__
    if value is not None:
        return Evaluated(value, True)
    if state is not None and state.kind == "value":
        return Evaluated(state.kept, False, state)
    if node.name in scope.env:
        item = scope.env[node.name]
        if callable(item):
            return Evaluated(FunctionName(node.name), False)
        try:
            value = value_of(item)
        except DataError as error:
            named = DataError(f"{error.message} for variable '{node.name}'", hint=error.hint)
            raise located(named, node.span) from None
        return _from_outside(value, scope, state)
    if node.name in BASE_VARIABLES:
        return Evaluated(BASE_VARIABLES[node.name], False)
    if lookup(node.name) is not None:
        return Evaluated(FunctionName(node.name), False)
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
    labels = (str(label) for label in getattr(columns.index, "names", ()) if label is not None)
    if name in labels:
        return f"'{name}' is in the index of the data: call .reset_index() first"
    if not columns.names:
        return "the data have no columns"
    if name.rpartition(".")[2] in columns.names:
        alone = deparse(Symbol(name.rpartition(".")[2]))
        return f"a column is known by its name alone: write {alone}"
    shown = [deparse(Symbol(column)) for column in columns.names[:_SHOWN]]
    more = ", ..." if len(columns.names) > _SHOWN else ""
    return f"the data have: {', '.join(shown)}{more}"


def _call(node: Call, scope: Scope, state: State | None) -> Evaluated:
    """Evaluate a call; a spine of nested first operands is walked in a loop."""
    spine: list[tuple[Call, State | None]] = []
    first: Node = node
    while isinstance(first, Call) and _is_operation(first):
        if state is not None and state.kind == "value":
            break
        spine.append((first, state))
        first = first.operands[0]
        state = None if state is None else state.part(0)
    if isinstance(first, Call):
        result = _apply(first, scope, state, None)
    else:
        result = evaluate(first, scope, state)
    for outer, known in reversed(spine):
        result = _apply(outer, scope, known, result)
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


def _apply(node: Call, scope: Scope, state: State | None, first: Evaluated | None) -> Evaluated:
    """Apply the called function; `first` is its first argument where that is known already."""
    if state is not None and state.kind == "value":
        return Evaluated(state.kept, False, state)
    if (member := _member(node, scope, state)) is not None:
        return member
    function = _function(node, scope)
    try:
        return _applied(function, node, scope, state, first)
    except MemoryError:
        raise DataError(
            f"{function.name}() would need more memory than there is", node.span
        ) from None
    except Lme4pyError as error:
        raise located(error, node.span) from error.__cause__


PENDING: Any = Null()
"""The value of an expression whose state is not known yet."""

_ABSENT = Evaluated(None, False)  # type: ignore[arg-type]
"""The value of an argument that is left empty, as in ``x[, 1]``."""


def _applied(
    function: Function, node: Call, scope: Scope, state: State | None, first: Evaluated | None
) -> Evaluated:
    """Match and evaluate the arguments, and compute."""
    places = [(item.name, place) for place, item in enumerate(node.arguments)]
    matched, dots = arguments_of(function, places)
    parts = [NOTHING] * len(places)

    def argument(place: int) -> Evaluated:
        item = node.arguments[place].value
        if item is None:
            return _ABSENT
        known = None if state is None else state.part(place)
        found = first if place == 0 and first is not None else evaluate(item, scope, known)
        parts[place] = found.state
        return found

    named: dict[str, Any] = {"context": scope.context}
    given: list[tuple[str, Evaluated]] = []
    for formal, place in matched.items():
        item = node.arguments[place].value
        # A quoted argument may be meant by its name, not by a value.
        word = isinstance(item, Symbol) and item.name in function.words
        if formal in function.quoted and (word or _is_bare_name(item, scope)):
            named[formal] = item
        else:
            found = argument(place)
            named[formal] = found.value
            given.append((formal, found))
    if "..." in function.formals:
        taken = [(name, node.arguments[place].value, argument(place)) for name, place in dots]
        if function.role != "index" and any(found is _ABSENT for _, _, found in taken):
            raise DataError("argument is missing, with no default")
        named["dots"] = tuple(
            Dot(name, found.value, item, found.rowwise) for name, item, found in taken
        )
        given += [("...", found) for _, _, found in taken]
    application = Application(function, named, given, node, scope, tuple(parts))
    if state is None:
        return application.learned()
    if any(item.value is PENDING for _, item in given):
        return Evaluated(PENDING, True, State("open", parts=tuple(parts)))
    if state.kind == "open":
        return application.opened(state)
    value, rowwise = application.replayed(state)
    return Evaluated(value, rowwise, state)


@dataclass(frozen=True, slots=True)
class Application:
    """A function and its arguments in some rows."""

    function: Function
    named: Mapping[str, Any]  # what it is called with
    given: Sequence[tuple[str, Evaluated]]  # those of it that were evaluated, by formal names
    node: Call
    scope: Scope
    parts: tuple[State, ...]  # what the arguments learned, in the order of the call

    @property
    def rowwise(self) -> bool:
        """Whether an argument has one element per row."""
        return any(item.rowwise for _, item in self.given)

    def learned(self) -> Evaluated:
        """Call the function, and tell what new rows need."""
        function, rowwise = self.function, self.rowwise
        inner = State.above(self.parts)
        below = inner.parts
        if function.role == "basis":
            value, kept = function.compute(**self.named)
            return Evaluated(value, rowwise, State("basis", kept, below) if rowwise else inner)
        value = function.compute(**self.named)
        if rowwise and self._follows_rows(value):
            unit = self._chosen_unit(value)
            return Evaluated(value, True, inner if unit is None else State("unit", unit, below))
        if _is_operation(self.node) or not (rowwise or below):
            return Evaluated(value, False, inner)
        # A parameter: what its arguments learned is not looked at again.
        return Evaluated(value, False, State("value", value))

    def opened(self, state: State) -> Evaluated:
        """Compute what is computed row by row; of what is not gather the arguments, or add up."""
        function = self.function
        if not self.rowwise:
            return self.learned()
        self._refuse_new_rows()
        if function.role not in ("basis", "summary"):
            found = self.learned()
            if found.rowwise and found.state.kind != "unit":
                return found
        formals = tuple(name for name, item in self.given if item.rowwise and name != "...")
        kept: Gathered | Carried
        if function.asks is not None and self._is_carried():
            kept = Carried.of(function.asks, self.named, formals, state.kept)
        else:
            bare = {key: item for key, item in self.named.items() if key != "context"}
            kept = Gathered.of(bare, formals, function.rows)
        return Evaluated(PENDING, True, State("open", kept, self.parts))

    def _is_carried(self) -> bool:
        """Tell whether sums over the rows are those of the numbers, block after block."""
        # R adds a matrix column after column; scale() takes each by itself.
        kinds = Numeric | Matrix if self.function.role == "basis" else Numeric
        return self.scope.carries and all(
            item.rowwise == (formal in ("x", "..."))
            and (isinstance(item.value, kinds) or not item.rowwise)
            for formal, item in self.given
        )

    def replayed(self, state: State) -> tuple[Value, bool]:
        """Call the function for new rows, with what was learned; tell whether that is rowwise."""
        function, named, rowwise = self.function, self.named, self.rowwise
        if function.role == "basis":
            if not rowwise:
                return function.compute(**named)[0], False
            return self._basis_again(state), True
        if rowwise:
            self._refuse_new_rows()
            named = {name: item for name, item in named.items() if name not in function.counts}
        value = function.compute(**named)
        if not rowwise:
            return value, False
        if not self.scope.context.rows and function.role == "elementwise":
            # R makes one text of none: paste("a", x).
            value = take(value, np.zeros(0, dtype=np.int64))
        if self._follows_rows(value):
            if state.kind == "unit" and self._chosen_unit(value) is not None:
                value = in_unit(value, state.kept)
            return value, True
        if not _is_operation(self.node):
            raise DataError(
                f"the value of {deparse(self.node)} in the data of the model is not known"
            )
        return value, False

    def _basis_again(self, state: State) -> Value:
        """Compute a basis from its state."""
        where = f"the stored state of {deparse(self.node)}"
        if state.kind != "basis" or self.function.replay is None:
            raise DataError(
                f"the state of {deparse(self.node)} in the data of the model is not known"
            )
        try:
            value: Value = self.function.replay(state.kept, **self.named)
            if isinstance(value, Factor) and value.codes.max(initial=-1) >= len(value.levels):
                raise DataError(f"{where} has too few levels")
        except Lme4pyError:
            raise
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise DataError(f"{where} does not fit: {error}") from error
        return value

    def _chosen_unit(self, value: Value) -> str | None:
        """Return the unit that R chose for a difference of times, None where it chose none."""
        if not self.function.chooses_unit or not isinstance(value, Numeric):
            return None
        # An operand's is kept.
        numbers = [item.value for _, item in self.given if isinstance(item.value, Numeric)]
        kept = any(is_difftime(number.time) for number in numbers)
        return value.time if is_difftime(value.time) and not kept else None

    def _follows_rows(self, value: Value) -> bool:
        """Tell whether a result made from row-wise arguments has one element per row."""
        if self.function.role == "summary" or length(value) != self.scope.context.rows:
            return False
        if self.function.role == "index":
            source, *indices = [item for formal, item in self.given if formal != "drop"]
            if not indices or indices[0].value is None:
                return source.rowwise and not any(item.rowwise for item in indices)
            # Numbers of rows that come from the rows themselves are a new order of the whole;
            # a logical index keeps some rows only.
            return indices[0].rowwise and not _is_logical(indices[0].value)
        if self.function.role != "shape":
            return True
        # c, rep and their kin: one vector of rows, and nothing added to it.
        whole = [formal for formal, item in self.given if item.rowwise]
        return len(whole) == 1 and whole[0] in ("x", "data", "...")

    def _refuse_new_rows(self) -> None:
        """Raise an error for what cannot be computed for new rows, one by one."""
        obstacle = self._obstacle()
        if obstacle is not None:
            raise FormulaError(
                f"{obstacle} cannot be computed for new rows",
                self.node.span,
                "put it into the data as a column",
            )

    def _obstacle(self) -> str | None:
        function, given = self.function, self.given
        # x[i] where each row gives a number of a row
        reorders = function.role == "index" and given[0][1].rowwise
        indices = [item for _, item in given[1:] if item.rowwise and not _is_logical(item.value)]
        if function.role == "whole" or (reorders and indices):
            return f"{function.name}() uses all rows together and"
        for formal, item in given if function.role == "elementwise" else ():
            if formal in function.tables:
                if item.rowwise:
                    return f"{deparse(self.node)} looks things up in all rows together, which"
            elif not item.rowwise and isinstance(item.value, _VECTORS) and length(item.value) > 1:
                return (
                    f"a vector of {length(item.value)} elements is repeated along the rows in "
                    f"{deparse(self.node)}, which"
                )
        return None


def _is_logical(value: Any) -> bool:
    return isinstance(value, Numeric) and value.kind == "logical"


def closed(node: Node, state: State, scope: Scope) -> State:
    """Return the state of an expression in which all is known that was gathered in all rows."""
    if not state.is_open or not isinstance(node, Call):
        return state
    if isinstance(state.kept, Carried):
        function = _function(node, scope)
        if function.asks is None:
            raise DataError("the parts of the scan do not belong together")
        carried, found = state.kept.answered(function.asks, scope.context)
        if carried is not None:
            return State("open", carried, state.parts)
        if function.role == "basis":
            return State("basis", found, State.above(state.parts).parts)
        return State("value", found)
    if not isinstance(state.kept, Gathered):
        inner = [item.value for item in node.arguments]
        parts = tuple(
            part if item is None else closed(item, part, scope)
            for item, part in zip(inner, state.parts, strict=True)
        )
        return State("open", None, parts)
    named = state.kept.arguments
    given = [
        (formal, Evaluated(item, formal in state.kept.formals))
        for formal, item in named.items()
        if formal != "dots" and not isinstance(item, Node)
    ] + [("...", Evaluated(dot.value, dot.rowwise)) for dot in named.get("dots", ())]
    rows = max(length(item.value) for _, item in given if item.rowwise)
    here = replace(scope, context=replace(scope.context, rows=rows))
    named = {"context": here.context, **named}
    call = Application(_function(node, scope), named, given, node, here, state.parts)
    try:
        return call.learned().state
    except Lme4pyError as error:
        raise located(error, node.span) from error.__cause__


def _member(node: Call, scope: Scope, state: State | None) -> Evaluated | None:
    """Return ``d$x`` of a data frame in `env`, None for what is no column of a data frame.

    Raises
    ------
    FormulaError
        If only R's user had the frame.
    """
    if node.name not in ("$", "[[", "[") or len(node.operands) != 2:
        return None
    frame, member = node.operands
    if not isinstance(frame, Symbol) or not isinstance(member, Symbol | Text):
        return None
    name = member.name if isinstance(member, Symbol) else member.value
    if _is_bare_name(frame, scope) and (node.name == "$" or isinstance(member, Text)):
        raise FormulaError(
            f"object '{frame.name}' not found",
            frame.span,
            f"a column is known by its name alone: write {deparse(Symbol(name))}",
        )
    table = scope.env.get(frame.name)
    if node.name == "[" or scope.columns.get(frame.name) is not None or not is_data_frame(table):
        return None
    columns = Columns(table)
    try:
        value = columns.get(name)
    except DataError as error:
        raise located(error, node.span) from None
    if value is None:
        text = f"invalid type (NULL) for variable '{deparse(node)}'"
        raise DataError(text, node.span, nearest(name, columns.names))
    return _from_outside(value, scope, state)


def _from_outside(value: Value, scope: Scope, state: State | None) -> Evaluated:
    """Return what `env` has: one element per row, or a parameter."""
    # Where these are some of the rows, nothing from outside has one element for each.
    some = state is not None and state.is_open
    size = getattr(value, "values", getattr(value, "codes", None))
    if not some and size is not None and len(size) == scope.context.rows > 1:
        return Evaluated(value, True)
    return Evaluated(value, False, State("value", value))


def _is_bare_name(node: Node | None, scope: Scope) -> bool:
    """Tell whether a node is a name that stands for no variable."""
    if not isinstance(node, Symbol):
        return False
    return scope.columns.get(node.name) is None and node.name not in scope.env


def located(error: Lme4pyError, span: Span | None) -> Lme4pyError:
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
        return users_function(name, scope.env[name])
    entry = lookup(name, package)
    if entry is None:
        full = name if package is None else f"{package}::{name}"
        raise FormulaError(
            f'could not find function "{full}"', node.function.span or node.span, advice(name)
        )
    return entry
