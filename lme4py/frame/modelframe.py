"""The model frame: every variable of a formula as a column, rows chosen, levels settled.

R's order of work is kept, because results depend on it: all variables are computed
on all rows; then `subset` selects; then rows with missing values go; then factors
lose the levels that no row has. New rows go the same way with what was learned: their
variables come from the stored states, and are held to the stored types.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import few
from lme4py.data.column_values import value_of
from lme4py.data.columns import row_names
from lme4py.data.factors import distinct, drop_unused, factor_of
from lme4py.data.memory import read_only
from lme4py.data.missing_rows import missing, rows_text
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
    take,
    take_or_missing,
    without_dim,
)
from lme4py.errors import DataError, Span, nearest
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Symbol, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.frame.evaluate import (
    PENDING,
    ColumnSource,
    Evaluated,
    Scope,
    evaluate,
    value_of_rows,
)
from lme4py.frame.schema import ColumnType, LevelTable, NewColumns
from lme4py.frame.state import NOTHING, OPEN, State

__all__ = [
    "NA_ACTIONS",
    "Expression",
    "FrameRows",
    "LearnedFrame",
    "ModelFrame",
    "NAAction",
    "frame_rows",
    "learn_frame",
    "na_action_of",
    "new_frame",
    "settled",
]

NAAction: TypeAlias = Literal["omit", "exclude", "fail", "pass"]
Expression: TypeAlias = Any
"""Array-like, or an R expression as text that is evaluated in the data."""

NA_ACTIONS: tuple[NAAction, ...] = ("omit", "exclude", "fail", "pass")


def na_action_of(name: Any) -> NAAction:
    """Return what an ``na_action`` argument means; R's spellings are taken, too.

    Raises
    ------
    DataError
        For any other.
    """
    for action in NA_ACTIONS:
        if isinstance(name, str) and name in (action, f"na.{action}"):
            return action
    if isinstance(name, str) and name == "NULL":
        return "pass"
    raise DataError(
        f"unknown na_action {name!r}",
        hint=nearest(str(name), NA_ACTIONS) or ", ".join(NA_ACTIONS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
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
    types : mapping of str to ColumnType
        What the columns are held to; empty where they are as they are.
    labels : tuple of str
        Labels of all columns where some have no values: new rows have no weights.
    """

    variables: Mapping[str, Value]
    response: str | None = None
    offset_terms: tuple[str, ...] = ()
    rows: int
    positions: NDArray[np.int64] | None = None
    omitted: int = 0
    spans: Mapping[str, Span | None] = field(default_factory=dict)
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ModelFrame({self.rows} rows: {few(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of all columns."""
        return self.labels or tuple(self.variables)

    def get(self, name: str) -> Value | None:
        """Return a column on its type and levels, or None where there is none.

        Raises
        ------
        DataError
            For a column of new rows that has another type, or new levels.
        """
        value = self.variables.get(name)
        if value is None or name not in self.types:
            return value
        return self.types[name].adapt(value, name)

    def is_number(self, name: str) -> bool:
        """Tell whether a column is numeric, and no logical, which R codes as a factor."""
        value = self.variables.get(name)
        return isinstance(value, Numeric | Matrix) and value.kind != "logical"

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
    match None if value is None else without_dim(value):
        case Numeric() as numbers:
            return numbers.as_float()
        case None:
            return None
        case _:
            kind = "text" if isinstance(value, Character) else f"a {type(value).__name__.lower()}"
            raise DataError("'offset' and 'weights' must be numeric vectors", hint=f"it is {kind}")


@dataclass(frozen=True, slots=True)
class LearnedFrame:
    """A model frame, and what evaluating its variables learned.

    Parameters
    ----------
    frame : ModelFrame
    states : mapping of str to State
        By the labels of the variables and arguments.
    terms : Terms
        Of the formula whose variables these are.
    selected : mapping of str to Value
        The variables before rows with missing values were dropped; empty where none were.
    """

    frame: ModelFrame
    states: Mapping[str, State]
    terms: Terms
    selected: Mapping[str, Value]

    def lost_levels(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many values of some variables no row has any more.

        Those without a loss are left out.
        """
        counts = {
            name: _distinct(self.selected[name]) - _distinct(self.frame.variables[name])
            for name in dict.fromkeys(names)
            if name in self.selected
        }
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRows:
    """Rows of a model frame before its levels are settled: all of them, or those of a block.

    Parameters
    ----------
    terms : Terms
        Of the formula whose variables these are.
    variables : mapping of str to Value
        In the rows that stay; empty while a state is open.
    states : mapping of str to State
        By the labels of the variables and arguments.
    rows : int
        How many rows stay.
    positions : ndarray of int64 or None
        Rows of the data that stay, in order; None when all do.
    omitted : int
        Number of rows dropped for missing values.
    selected : mapping of str to Value
        The variables before rows with missing values were dropped; empty where none were.
    """

    terms: Terms
    variables: Mapping[str, Value]
    states: Mapping[str, State]
    rows: int = 0
    positions: NDArray[np.int64] | None = None
    omitted: int = 0
    selected: Mapping[str, Value] = field(default_factory=dict)


def learn_frame(
    formula: Node,
    scope: Scope,
    *,
    subset: Expression = None,
    extras: Mapping[str, Expression] | None = None,
    na_action: NAAction = "omit",
    drop_unused: bool = True,
) -> LearnedFrame:
    """Build the model frame (R's ``model.frame``), learning from it.

    Parameters
    ----------
    formula : Node
        A formula in which bars are written as sums.
    scope : Scope
        The data and what else names may mean.
    subset : array-like or str, optional
        Logical, or positive, negative or repeated 1-based row numbers when integers, or row
        names when text.
    extras : mapping, optional
        ``(weights)``, ``(offset)`` and the like: arrays or expressions.
    na_action : {"omit", "exclude", "fail", "pass"}
        What happens to rows with missing values.
    drop_unused : bool
        Whether levels that no row has are dropped, as lme4 does and R by default does not.

    Raises
    ------
    DataError
        For variables of a wrong type or length, in R's words.
    """
    arguments = {"(subset)": subset, **(extras or {})}
    found = frame_rows(formula, scope, arguments, na_action)
    return settled(found, formula, scope, drop_unused=drop_unused)


def frame_rows(
    formula: Node,
    scope: Scope,
    extras: Mapping[str, Expression],
    na_action: NAAction,
    states: Mapping[str, State] | None = None,
) -> FrameRows:
    """Evaluate the variables of a model frame, and choose its rows.

    Parameters
    ----------
    formula, scope, na_action
        As for `learn_frame`.
    extras : mapping
        ``(subset)``, ``(weights)`` and the like: arrays or expressions, or None.
    states : mapping of str to State, optional
        What blocks before, or earlier sweeps over them, have found: these rows are a block.

    Raises
    ------
    DataError
        For variables of a wrong type or length, in R's words.
    """
    expanded = terms(formula, scope.columns.names)
    for text in expanded.warnings:
        scope.context.warn(text)
    nodes = expanded.by_name

    def known(name: str) -> State | None:
        return None if states is None else states.get(name, OPEN)

    found = {
        name: _checked(name, node, evaluate(node, scope, known(name)))
        for name, node in nodes.items()
    }
    for name, expression in extras.items():
        if expression is None:
            continue
        given = _extra(name, _evaluated(expression, scope, known(name)))
        if given is not None:
            found[name] = given
    learned = {name: item.state for name, item in found.items()}
    learned |= {name: state for name, state in (states or {}).items() if not state.is_open}
    if any(item.value is PENDING for item in found.values()):
        return FrameRows(terms=expanded, variables={}, states=learned)
    chosen = found.pop("(subset)", None)
    variables = {name: item.value for name, item in found.items()}
    alone = [name for name, item in found.items() if states is not None and not item.rowwise]
    rows = _common_length(variables, nodes) if variables and not alone else scope.context.rows
    for name in alone:
        raise DataError(
            f"variable lengths differ (found for '{name}')",
            nodes[name].span if name in nodes else None,
            "it has no value for each row",
        )
    matrices = any(isinstance(value, Matrix) for value in variables.values())
    selected = None
    if chosen is not None:
        if states is not None:
            _refuse_numbers_of_rows(chosen.value)
        numbers = _row_numbers(chosen.value, scope.columns)
        selected = _subset_positions(numbers, rows, matrices=matrices)
    positions = _complete(variables, selected, na_action)
    before = rows if selected is None else selected.size
    left = rows if positions is None else positions.size
    return FrameRows(
        terms=expanded,
        variables=_taken(variables, positions),
        states=learned,
        rows=left,
        positions=positions,
        omitted=before - left,
        selected=_taken(variables, selected) if left < before else {},
    )


def settled(
    found: FrameRows, formula: Node, scope: Scope, *, drop_unused: bool = True
) -> LearnedFrame:
    """Return the model frame of all its rows: levels that no row has are gone."""
    expanded = found.terms
    # What "." stands for is not among the names here, as in lme4.
    right = formula.operands[-1] if isinstance(formula, Call) else formula
    bare = {symbol.name for symbol in symbols(right)}
    frame = ModelFrame(
        variables={
            name: read_only(_settled(name, value, name in bare, drop_unused, scope))
            for name, value in found.variables.items()
        },
        response=None if expanded.response is None else expanded.frame_names[expanded.response],
        offset_terms=tuple(expanded.frame_names[i] for i in expanded.offsets),
        rows=found.rows,
        positions=found.positions,
        omitted=found.omitted,
        spans={name: node.span for name, node in expanded.by_name.items()},
    )
    return LearnedFrame(frame, found.states, expanded, found.selected)


def new_frame(
    expanded: Terms,
    scope: Scope,
    columns: NewColumns,
    *,
    labels: tuple[str, ...],
    types: Mapping[str, ColumnType],
    states: Mapping[str, State],
    extras: Mapping[str, Expression],
    na_action: NAAction = "omit",
    free: Collection[str] = (),
) -> ModelFrame:
    """Build the model frame of new rows from what was learned.

    Parameters
    ----------
    expanded : Terms
        The terms of the formula in which bars are written as sums.
    scope : Scope
        The new rows and what else names may mean.
    columns : NewColumns
        The new rows.
    labels : tuple of str
        Of all columns that the model's frame had.
    types : mapping of str to ColumnType
        Types of the variables that are needed; the others are left out.
    states : mapping of str to State
        As learned, by the labels of the variables.
    extras : mapping
        ``(offset)``, ``(weights)`` and ``(subset)``: arrays or expressions, or None.
    na_action : {"omit", "exclude", "fail", "pass"}
    free : collection of str
        Variables that may be missing.

    Raises
    ------
    FormulaError, DataError
        For what has no value for new rows, another type or another length.
    """
    rows = scope.context.rows
    variables = {
        name: _new_value(name, node, scope, columns, states.get(name, NOTHING))
        for name, node in expanded.by_name.items()
        if name in types
    }
    selected: NDArray[np.int64] | None = None
    for name, expression in extras.items():
        if expression is None:
            continue
        value = without_dim(_evaluated(expression, scope, states.get(name, NOTHING)).value)
        if isinstance(value, Null):
            continue
        if name == "(subset)":
            _refuse_numbers_of_rows(value)
        if not isinstance(value, Numeric) or length(value) != rows:
            what = name.strip("()")
            raise DataError(f"the {what} must be {rows} numbers, one for each new row")
        if name == "(subset)":
            selected = _subset_positions(value, rows, matrices=False)
        else:
            variables[name] = value
    needed = {name: value for name, value in variables.items() if name not in free}
    positions = _complete(needed, selected, na_action)
    before = rows if selected is None else selected.size
    left = rows if positions is None else positions.size
    response = None if expanded.response is None else expanded.frame_names[expanded.response]
    kept = _taken(variables, positions)
    if response is not None and response not in kept:
        # A name here, no values: no column is made of it.
        kept = {response: Numeric(np.zeros(left), "double"), **kept}
    return ModelFrame(
        variables=kept,
        response=response,
        offset_terms=tuple(expanded.frame_names[i] for i in expanded.offsets),
        rows=left,
        positions=positions,
        omitted=before - left,
        types=types,
        labels=labels,
    )


def _new_value(name: str, node: Node, scope: Scope, columns: NewColumns, state: State) -> Value:
    """Return a variable of the model frame for the new rows."""
    if isinstance(node, Symbol):
        # New levels may be allowed; whoever uses the variable knows.
        value = columns.get(node.name, open_levels=True)
        if value is not None:
            return value
    value = value_of_rows(node, scope, state)
    if length(value) != scope.context.rows:
        raise DataError(
            f"variable lengths differ (found for '{name}')",
            node.span,
            f"it has {length(value)} elements, the new data have {scope.context.rows} rows",
        )
    return value


def _taken(
    variables: Mapping[str, Value], positions: NDArray[np.int64] | None
) -> Mapping[str, Value]:
    """Return the rows at some positions; missing ones for negative positions."""
    if positions is None:
        return variables
    select = take_or_missing if (positions < 0).any() else take
    return {name: select(value, positions) for name, value in variables.items()}


def _checked(name: str, node: Node, found: Evaluated) -> Evaluated:
    """Return a variable of the frame, or raise R's error for what can be none."""
    match found.value:
        case FunctionName():
            raise DataError(f"invalid type (closure) for variable '{name}'", node.span)
        case Null() if found.value is not PENDING:
            raise DataError(f"invalid type (NULL) for variable '{name}'", node.span)
        case _:
            return found


def _extra(name: str, found: Evaluated) -> Evaluated | None:
    """Return an argument, None where it is NULL."""
    if isinstance(found.value, FunctionName):
        raise DataError(f"invalid type (closure) for variable '{name}'")
    return None if isinstance(found.value, Null) and found.value is not PENDING else found


def _evaluated(expression: Expression, scope: Scope, state: State | None = None) -> Evaluated:
    if isinstance(expression, str):
        return evaluate(parse(expression), scope, state)
    return Evaluated(value_of(expression), rowwise=True)


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


def _row_numbers(value: Value, columns: ColumnSource) -> Value:
    """Return row names as row numbers, NaN where no row has the name; a factor as its codes.

    R takes the beginning of a name for it where only one begins so (``pmatch``).
    """
    if isinstance(value, Factor):
        return Numeric(np.where(value.codes < 0, np.nan, value.codes + 1.0), "double")
    if not isinstance(value, Character):
        return value
    names = row_names(columns)
    numbers = {name: number for number, name in reversed([*enumerate(names, start=1)])}
    ordered = sorted(names)

    def number_of(text: str) -> float:
        if text in numbers or not text:
            return numbers.get(text, np.nan)
        first, last = bisect_left(ordered, text), bisect_left(ordered, f"{text}\U0010ffff")
        return numbers[ordered[first]] if last == first + 1 else np.nan

    found = np.array([*map(number_of, value.pool), np.nan])
    return Numeric(found[value.codes], "double")


def _refuse_numbers_of_rows(subset: Value) -> None:
    if not isinstance(subset, Numeric | Matrix) or subset.kind != "logical":
        raise DataError(
            "subset gives numbers of rows, which mean nothing in other rows",
            hint="write a condition, such as x > 0",
        )


def _subset_positions(value: Value, rows: int, *, matrices: bool) -> NDArray[np.int64] | None:
    """Return the row positions that the value of `subset` selects, None for all.

    As in R, an unknown or absent row is selected as a row of missing values: -1. But the
    rows of matrices, such as ``scale(x)``, must be there.
    """
    if isinstance(value, Null):
        return None
    if isinstance(value, Matrix):
        # A matrix selects as the vector of its columns: abs(scale(y)) < 3 is one.
        numbers = value.values.reshape(-1, order="F")
    elif isinstance(value, Numeric):
        numbers = value.as_float()
    else:
        raise DataError("subset must be logical, row numbers or row names")
    if value.kind == "logical":
        if matrices and numbers.size > rows:
            raise DataError("(subscript) logical subscript too long")
        if numbers.size < rows and numbers.size:
            numbers = np.resize(numbers, rows)
        places = np.flatnonzero(numbers)
        return np.where(np.isnan(numbers[places]) | (places >= rows), -1, places)
    unknown, absent = np.isnan(numbers), numbers >= rows + 1
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
    if matrices and absent.any():
        raise DataError("subscript out of bounds", hint=f"subset selects rows beyond the {rows}")
    return np.where(places > rows, -1, places - 1)


def _complete(
    variables: Mapping[str, Value],
    selected: NDArray[np.int64] | None,
    na_action: NAAction,
) -> NDArray[np.int64] | None:
    """Return which of the selected rows stay, None when all rows do."""
    if na_action == "pass":
        return selected
    lost: NDArray[np.bool_] | None = None
    for value in variables.values():
        found = missing(value)
        if found is not None:
            lost = found if lost is None else lost | found
    if selected is not None:
        absent = selected < 0
        lost = absent if lost is None else lost[selected] | absent
    if lost is None or not lost.any():
        return selected
    if na_action == "fail":
        raise DataError("missing values in object", hint=_where(variables))
    return np.flatnonzero(~lost) if selected is None else selected[~lost]


def _where(variables: Mapping[str, Value]) -> str:
    counts = []
    for name, value in variables.items():
        found = missing(value)
        if found is not None:
            counts.append(f"'{name}': {rows_text(found)}")
    return "; ".join(counts) or "subset selects rows that are not there"


def _settled(name: str, value: Value, bare: bool, dropped: bool, scope: Scope) -> Value:
    """Return a column as it stands in the frame: unused levels dropped, bare text a factor."""
    if isinstance(value, Factor):
        settled = drop_unused(value) if dropped else value
        if value.contrasts is not None and len(settled.levels) < len(value.levels):
            scope.context.warn(f"contrasts dropped from factor {name} due to missing levels")
        return _tabled(settled)
    if isinstance(value, Character) and bare:
        return _tabled(factor_of(value, scope.context.collation))
    return value


def _tabled(factor: Factor) -> Factor:
    """Return a factor on levels that all stages share, and look up in one table."""
    return replace(factor, levels=LevelTable.of(factor.levels))


def _distinct(value: Value) -> int:
    match value:
        case Numeric(values=values):
            return distinct(values)[0].size
        case Character(codes=codes) | Factor(codes=codes):
            return int(np.count_nonzero(np.bincount(codes[codes >= 0])))
        case _:
            return 0
