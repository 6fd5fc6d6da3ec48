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
from lme4py.data.factors import distinct, factor_of
from lme4py.data.factors import drop_unused as without_unused
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
from lme4py.frame.schema import LevelTable, NewColumns, adapt
from lme4py.frame.state import NOTHING, OPEN, State

NAAction: TypeAlias = Literal["omit", "exclude", "fail", "pass"]
Expression: TypeAlias = Any
"""Array-like, or an R expression as text that is evaluated in the data."""

NA_ACTIONS: tuple[NAAction, ...] = ("omit", "exclude", "fail", "pass")
_NONE = np.zeros(0, dtype=np.int64)


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
    lost : ndarray of int64
        Which of the rows that `subset` selects these are; empty where that is not known.
    spans : mapping of str to Span
        Where each variable stands in the formula.
    types : mapping of str to Value
        What the columns are held to, without rows; empty where they are as they are.
    labels : tuple of str
        Labels of all columns where some have no values: new rows have no weights.
    """

    variables: Mapping[str, Value]
    response: str | None = None
    offset_terms: tuple[str, ...] = ()
    rows: int
    positions: NDArray[np.int64] | None = None
    omitted: int = 0
    lost: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    spans: Mapping[str, Span | None] = field(default_factory=dict)
    types: Mapping[str, Value] = field(default_factory=dict)
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
        return adapt(value, self.types[name], name)

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
        Of all rows, or of those of a block; without variables while a state is open.
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
    selected: Mapping[str, Value] = field(default_factory=dict)

    def settled(self, formula: Node, scope: Scope, *, drop_unused: bool = True) -> LearnedFrame:
        """Return the frame of all rows: bare text is a factor, levels that no row has are gone.

        R by default keeps them, lme4 does not.
        """
        # What "." stands for is not among the names here, as in lme4.
        right = formula.operands[-1] if isinstance(formula, Call) else formula
        bare = {symbol.name for symbol in symbols(right)}
        variables = {}
        for name, given in self.frame.variables.items():
            value = given
            if isinstance(given, Character) and name in bare:
                value = factor_of(given, scope.context.collation)
            elif isinstance(given, Factor) and drop_unused:
                value = without_unused(given)
                if given.contrasts is not None and value is not given:
                    scope.context.warn(
                        f"contrasts dropped from factor {name} due to missing levels"
                    )
            if isinstance(value, Factor):
                # All stages share these levels, and look them up in one table.
                levels = LevelTable.of(value.levels)
                value = Factor(value.codes, levels, value.ordered, value.contrasts)
            variables[name] = read_only(value)
        return replace(self, frame=replace(self.frame, variables=variables))

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


def _distinct(value: Value) -> int:
    codes = distinct(value.values)[1] if isinstance(value, Numeric) else getattr(value, "codes", ())
    known = np.asarray(codes, dtype=np.int64)
    return int(np.count_nonzero(np.bincount(known[known >= 0])))


def learn_frame(
    formula: Node,
    scope: Scope,
    arguments: Mapping[str, Expression],
    na_action: NAAction,
    states: Mapping[str, State] | None = None,
) -> LearnedFrame:
    """Evaluate the variables of a model frame (R's ``model.frame``), and choose its rows.

    Parameters
    ----------
    formula : Node
        A formula in which bars are written as sums.
    scope : Scope
        The data and what else names may mean.
    arguments : mapping
        ``(subset)``, ``(weights)``, ``(offset)`` and the like: arrays, or R expressions as
        text, or None. A subset is logical, or positive, negative or repeated 1-based row
        numbers, or row names.
    na_action : {"omit", "exclude", "fail", "pass"}
        What happens to rows with missing values.
    states : mapping of str to State, optional
        What blocks before, or earlier sweeps over them, have found: these rows are a block.

    Returns
    -------
    LearnedFrame
        Its levels are to be `settled`, when all rows are there.

    Raises
    ------
    DataError
        For variables of a wrong type or length, in R's words.
    """
    expanded = terms(formula, scope.columns.names)
    for text in expanded.warnings:
        scope.context.warn(text)
    nodes = expanded.by_name
    found: dict[str, Evaluated] = {}
    for name, expression in (*nodes.items(), *arguments.items()):
        if expression is None:
            continue
        item = _evaluated(expression, scope, None if states is None else states.get(name, OPEN))
        span = nodes[name].span if name in nodes else None
        if isinstance(item.value, FunctionName):
            raise DataError(f"invalid type (closure) for variable '{name}'", span)
        if isinstance(item.value, Null) and item.value is not PENDING:
            if name in nodes:
                raise DataError(f"invalid type (NULL) for variable '{name}'", span)
            continue
        found[name] = item
    learned = {name: item.state for name, item in found.items()}
    learned |= {name: state for name, state in (states or {}).items() if not state.is_open}
    if any(item.value is PENDING for item in found.values()):
        return LearnedFrame(ModelFrame(variables={}, rows=0), learned, expanded)
    chosen = found.pop("(subset)", None)
    rows: int | None = None
    for name, item in found.items():
        size = length(item.value)
        rows = size if rows is None else rows
        alone = states is not None and not item.rowwise
        if alone or size != rows:
            raise DataError(
                f"variable lengths differ (found for '{name}')",
                nodes[name].span if name in nodes else None,
                "it has no value for each row"
                if alone
                else f"it has {size} elements, the variables before it have {rows}",
            )
    rows = scope.context.rows if rows is None else rows
    variables = {name: item.value for name, item in found.items()}
    selected = None
    if chosen is not None:
        if states is not None:
            _refuse_numbers_of_rows(chosen.value)
        matrices = any(isinstance(value, Matrix) for value in variables.values())
        numbers = _row_numbers(chosen.value, scope.columns)
        selected = _subset_positions(numbers, rows, matrices=matrices)
    frame = _of_rows(expanded, variables, rows, selected, na_action)
    before = _taken(variables, selected) if frame.omitted else {}
    return LearnedFrame(frame, learned, expanded, before)


def frame_of(expanded: Terms, variables: Mapping[str, Value], **others: Any) -> ModelFrame:
    """Return a model frame of variables that were evaluated for some terms."""
    names = expanded.frame_names
    return ModelFrame(
        variables=variables,
        response=None if expanded.response is None else names[expanded.response],
        offset_terms=tuple(names[i] for i in expanded.offsets),
        spans={name: node.span for name, node in expanded.by_name.items()},
        **others,
    )


def _of_rows(
    expanded: Terms,
    variables: Mapping[str, Value],
    rows: int,
    selected: NDArray[np.int64] | None,
    na_action: NAAction,
    free: Collection[str] = (),
) -> ModelFrame:
    """Return the frame of the selected rows that have no missing values but in `free` ones."""
    needed = {name: value for name, value in variables.items() if name not in free}
    positions, lost = _complete(needed, selected, na_action)
    before = rows if selected is None else selected.size
    return frame_of(
        expanded,
        _taken(variables, positions),
        rows=before - lost.size,
        positions=positions,
        omitted=lost.size,
        lost=lost,
    )


def new_frame(
    expanded: Terms,
    scope: Scope,
    columns: NewColumns,
    *,
    labels: tuple[str, ...],
    types: Mapping[str, Value],
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
    types : mapping of str to Value
        The variables that are needed, without rows; the others are left out.
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
    variables: dict[str, Value] = {}
    for name, node in expanded.by_name.items():
        if name not in types:
            continue
        # New levels may be allowed; whoever uses the variable knows.
        value = columns.get(node.name, open_levels=True) if isinstance(node, Symbol) else None
        if value is None:
            value = value_of_rows(node, scope, states.get(name, NOTHING))
        if length(value) != rows:
            raise DataError(
                f"variable lengths differ (found for '{name}')",
                node.span,
                f"it has {length(value)} elements, the new data have {rows} rows",
            )
        variables[name] = value
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
    frame = _of_rows(expanded, variables, rows, selected, na_action, free)
    kept = frame.variables
    if frame.response is not None and frame.response not in kept:
        # A name here, no values: no column is made of it.
        kept = {frame.response: Numeric(np.zeros(frame.rows), "double"), **kept}
    return replace(frame, variables=kept, types=types, labels=labels)


def _taken(
    variables: Mapping[str, Value], positions: NDArray[np.int64] | None
) -> Mapping[str, Value]:
    """Return the rows at some positions; missing ones for negative positions."""
    if positions is None:
        return variables
    select = take_or_missing if (positions < 0).any() else take
    return {name: select(value, positions) for name, value in variables.items()}


def _evaluated(expression: Expression, scope: Scope, state: State | None = None) -> Evaluated:
    node = parse(expression) if isinstance(expression, str) else expression
    if isinstance(node, Node):
        return evaluate(node, scope, state)
    return Evaluated(value_of(expression), rowwise=True)


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
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return which rows stay, None when all do, and which of the selected ones do not."""
    if na_action == "pass":
        return selected, _NONE
    lost: NDArray[np.bool_] | None = None
    for value in variables.values():
        found = missing(value)
        if found is not None:
            lost = found if lost is None else lost | found
    if selected is not None:
        absent = selected < 0
        lost = absent if lost is None else lost[selected] | absent
    if lost is None or not lost.any():
        return selected, _NONE
    if na_action == "fail":
        counts = [
            f"'{name}': {rows_text(found)}"
            for name, value in variables.items()
            if (found := missing(value)) is not None
        ]
        hint = "; ".join(counts) or "subset selects rows that are not there"
        raise DataError("missing values in object", hint=hint)
    left = np.flatnonzero(~lost) if selected is None else selected[~lost]
    return left, np.flatnonzero(lost)
