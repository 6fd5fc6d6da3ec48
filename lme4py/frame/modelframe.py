"""The model frame: every variable of a formula as a column, rows chosen, levels settled.

R's order of work is kept, because results depend on it: all variables are computed
on all rows; then `subset` selects; then rows with missing values go; then factors
lose the levels that no row has. New rows go the same way with what was learned: their
variables come from states, and are held to the types and levels of the model's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import few
from lme4py.data.column_values import read_only, value_of
from lme4py.data.columns import row_names
from lme4py.data.factors import distinct, factor_of
from lme4py.data.factors import drop_unused as without_unused
from lme4py.data.schema import adapt
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
    missing,
    take,
    take_or_missing,
    without_dim,
)
from lme4py.errors import DataError, FormulaError, nearest
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Symbol, symbols
from lme4py.formula.terms import Terms
from lme4py.frame.evaluate import PENDING, ColumnSource, Evaluated, Scope, evaluate
from lme4py.frame.state import NOTHING, State
from lme4py.functions.table import Context
from lme4py.messages import rows_text

NAAction: TypeAlias = Literal["omit", "exclude", "fail", "pass"]
Expression: TypeAlias = Any
"""Array-like, or an R expression as text that is evaluated in the data."""

NA_ACTIONS: tuple[NAAction, ...] = ("omit", "exclude", "fail", "pass")
_NONE = np.zeros(0, dtype=np.int64)


def na_action_of(name: Any) -> NAAction:
    """Return what an ``na_action`` argument means; R's spellings are taken, too."""
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
    """

    variables: Mapping[str, Value]
    response: str | None = None
    offset_terms: tuple[str, ...] = ()
    rows: int
    positions: NDArray[np.int64] | None = None
    omitted: int = 0
    lost: NDArray[np.int64] = field(default_factory=lambda: _NONE)

    @classmethod
    def of(cls, expanded: Terms, variables: Mapping[str, Value], **others: Any) -> ModelFrame:
        """Return the frame of variables that were evaluated for some terms."""
        names = expanded.frame_names
        response = None if expanded.response is None else names[expanded.response]
        offsets = tuple(names[i] for i in expanded.offsets)
        return cls(variables=variables, response=response, offset_terms=offsets, **others)

    def __repr__(self) -> str:
        return f"ModelFrame({self.rows} rows: {few(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of all columns."""
        return tuple(self.variables)

    def get(self, name: str) -> Value | None:
        """Return a column, or None where there is none."""
        return self.variables.get(name)

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

    def settled(self, formula: Node, context: Context, *, drop_unused: bool = True) -> ModelFrame:
        """Return the frame, if it has all rows, with bare text as factors, on levels that occur.

        R by default keeps the others, lme4 does not.
        """
        # What "." stands for is not among the names here, as in lme4.
        right = formula.operands[-1] if isinstance(formula, Call) else formula
        bare = {symbol.name for symbol in symbols(right)}
        variables = {}
        for name, given in self.variables.items():
            value = given
            if isinstance(given, Character) and name in bare:
                value = factor_of(given, context.collation)
            elif isinstance(given, Factor) and drop_unused:
                value = without_unused(given)
                if given.contrasts is not None and value is not given:
                    context.warn(f"contrasts dropped from factor {name} due to missing levels")
            variables[name] = read_only(value)
        return replace(self, variables=variables)

    def held_to(self, known: Mapping[str, Value], groups: Collection[str]) -> ModelFrame:
        """Return the frame of new rows, on the types and levels of the model's variables.

        New levels are left to the variables that only groups need.
        """
        adapted = {
            name: adapt(value, known[name], name, open_levels=name in groups)
            for name, value in self.variables.items()
            if name in known
        }
        return replace(self, variables={**self.variables, **adapted})


def _floats(value: Value | None) -> NDArray[np.float64] | None:
    match None if value is None else without_dim(value):
        case Numeric() as numbers:
            return numbers.as_float()
        case None:
            return None
        case _:
            kind = "text" if isinstance(value, Character) else f"a {type(value).__name__.lower()}"
            raise DataError("'offset' and 'weights' must be numeric vectors", hint=f"it is {kind}")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Variables:
    """The variables of a model in all rows of the data, and the arguments that are columns.

    They are known by their labels. While a state is open there are no values.
    """

    terms: Terms  # whose variables these are
    values: Mapping[str, Value]
    states: Mapping[str, State]  # what evaluating them learned
    rows: int
    selected: NDArray[np.int64] | None  # by subset, -1 for an absent row; None for all

    def frame(self, na_action: NAAction, free: Collection[str] = ()) -> ModelFrame:
        """Return the frame of the selected rows that have no missing values but in `free` ones."""
        needed = {name: value for name, value in self.values.items() if name not in free}
        positions, lost = _complete(needed, self.selected, na_action)
        before = self.rows if self.selected is None else self.selected.size
        return ModelFrame.of(
            self.terms,
            _taken(self.values, positions),
            rows=before - lost.size,
            positions=positions,
            omitted=lost.size,
            lost=lost,
        )

    def lost_levels(self, frame: ModelFrame, names: Iterable[str]) -> dict[str, int]:
        """Return how many values of some variables only rows with missing values have.

        Those without a loss are left out.
        """
        if not frame.omitted:
            return {}
        named = {name: self.values[name] for name in names if name in self.values}
        before = _taken(named, self.selected)
        counts = {
            name: _distinct(before[name]) - _distinct(frame.variables[name]) for name in named
        }
        return {name: count for name, count in counts.items() if count}


def _distinct(value: Value) -> int:
    codes = distinct(value.values)[1] if isinstance(value, Numeric) else getattr(value, "codes", ())
    known = np.asarray(codes, dtype=np.int64)
    return int(np.count_nonzero(np.bincount(known[known >= 0])))


def variables_of(
    expanded: Terms,
    scope: Scope,
    arguments: Mapping[str, Expression],
    *,
    states: Mapping[str, State] | None = None,
    needed: Collection[str] | None = None,
    alone: ColumnSource | None = None,
) -> Variables:
    """Evaluate the variables of a model on some rows.

    Parameters
    ----------
    expanded : Terms
        Of the formula in which bars are written as sums.
    scope : Scope
    arguments : mapping
        ``(subset)``, ``(weights)``, ``(offset)`` and the like: arrays, or R expressions as text,
        or None.
    states : mapping of str to State, optional
        What was learned from other rows, by the labels of the variables and arguments: an open
        one for what is still to be learned from more rows than these. Without it these rows are
        all, and are learned from.
    needed : collection of str, optional
        The labels of the variables that new rows need; the others are left out.
    alone : ColumnSource, optional
        Where variables that are names are looked up, if not where the others' columns are.
    """
    nodes = expanded.by_name
    wanted = {name: node for name, node in nodes.items() if needed is None or name in needed}
    found: dict[str, Evaluated] = {}
    # A variable may be called `(weights)`, as the argument is.
    for name, expression in (*wanted.items(), *arguments.items()):
        if expression is None:
            continue
        state = None if states is None else states.get(name, NOTHING)
        item = _evaluated(expression, scope, state, alone)
        span = nodes[name].span if name in nodes else None
        nothing = isinstance(item.value, Null) and item.value is not PENDING
        if nothing and name in arguments:
            continue
        if nothing or isinstance(item.value, FunctionName):
            kind = "NULL" if nothing else "closure"
            raise DataError(f"invalid type ({kind}) for variable '{name}'", span)
        if name in nodes and needed is not None and not item.rowwise:
            raise FormulaError(
                f"{name} is not computed row by row, so it has no value for new rows",
                span,
                "put it into the data as a column",
            )
        found[name] = item
    learned = {name: item.state for name, item in found.items()}
    if any(item.value is PENDING for item in found.values()):
        return Variables(terms=expanded, values={}, states=learned, rows=0, selected=None)
    chosen = found.pop("(subset)", None)
    values = {name: item.value for name, item in found.items()}
    rows = scope.context.rows
    if states is None and values:
        # R takes the rows of the first variable, whatever the data are.
        rows = length(next(iter(values.values())))
    for name, item in found.items():
        size, hint = length(item.value), ""
        if size != rows:
            others = "the variables before it have" if states is None else "the rows are"
            hint = f"it has {size} elements, {others} {rows}"
        if states is not None and needed is None and not item.rowwise:
            hint = "it has no value for each row"  # as many elements as a block has, by chance
        if hint:
            span = nodes[name].span if name in nodes else None
            raise DataError(f"variable lengths differ (found for '{name}')", span, hint)
    selected = None
    if chosen is not None:
        if states is not None:
            _refuse_numbers_of_rows(chosen.value)
        matrices = any(isinstance(value, Matrix) for value in values.values())
        numbers = _row_numbers(chosen.value, scope.columns)
        selected = _subset_positions(numbers, rows, matrices=matrices)
    return Variables(terms=expanded, values=values, states=learned, rows=rows, selected=selected)


def _taken(
    variables: Mapping[str, Value], positions: NDArray[np.int64] | None
) -> Mapping[str, Value]:
    """Return the rows at some positions; missing ones for negative positions."""
    if positions is None:
        return variables
    select = take_or_missing if (positions < 0).any() else take
    return {name: select(value, positions) for name, value in variables.items()}


def _evaluated(
    expression: Expression, scope: Scope, state: State | None, alone: ColumnSource | None
) -> Evaluated:
    node = parse(expression) if isinstance(expression, str) else expression
    if not isinstance(node, Node):
        return Evaluated(value_of(expression), rowwise=True)
    if alone is not None and isinstance(expression, Symbol):  # an argument is text
        scope = replace(scope, columns=alone)
    return evaluate(node, scope, state)


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
