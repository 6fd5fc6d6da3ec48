"""The model frame of new rows: variables on the model's levels, and which rows stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, FormulaError
from lme4py.formula.syntax import Node, Symbol
from lme4py.frame.evaluate import Scope, evaluate_rows
from lme4py.frame.rows import missing, rows_text
from lme4py.frame.schema import ColumnType, NewColumns
from lme4py.frame.values import FloatArray, Matrix, Numeric, Value, length

__all__ = ["NewFrame", "kept_rows", "new_value"]


def new_value(name: str, node: Node, scope: Scope, columns: NewColumns) -> Value:
    """Return a variable of the model frame for the new rows."""
    if isinstance(node, Symbol):
        # New levels may be allowed; whoever uses the variable knows.
        value = columns.get_open(node.name)
        if value is not None:
            return value
    value = evaluate_rows(node, scope)
    if length(value) != scope.context.rows:
        raise DataError(
            f"variable lengths differ (found for '{name}')",
            node.span,
            f"it has {length(value)} elements, the new data have {scope.context.rows} rows",
        )
    return value


def kept_rows(values: Mapping[str, Value], rows: int, action: str) -> NDArray[np.int64]:
    """Return the positions of the rows that stay."""
    lost = np.zeros(rows, dtype=np.bool_)
    if action != "pass":
        for name, value in values.items():
            found = missing(value)
            if found is None:
                continue
            if action == "fail":
                raise DataError("missing values in object", hint=f"'{name}': {rows_text(found)}")
            lost |= found
    return np.flatnonzero(~lost)


@dataclass(frozen=True, eq=False, slots=True)
class NewFrame:
    """The model frame of the new rows; factors on the model's levels."""

    names: tuple[str, ...]
    response: str | None
    values: Mapping[str, Value]
    types: Mapping[str, ColumnType]
    rows: int

    def get(self, name: str) -> Value | None:
        """Return a variable as the model had it, or None."""
        value = self.values.get(name)
        if value is not None:
            return self.types[name].adapt(value, name) if name in self.types else value
        if name == self.response:
            # A name here, no values: no column is made of it.
            return Numeric(np.zeros(self.rows), "double")
        if name in self.names:
            raise FormulaError(
                f"X has a column of the argument '{name.strip('()')}', for which '.' stands "
                "too: it has no values for new rows"
            )
        return None

    def offset(self, names: Sequence[str]) -> FloatArray | None:
        """Return the sum of the offsets."""
        parts = [self.values[name] for name in (*names, "(offset)") if name in self.values]
        total: FloatArray | None = None
        for part in parts:
            if isinstance(part, Numeric):
                numbers = part.as_float()
            elif isinstance(part, Matrix) and part.values.shape[1] == 1:
                numbers = part.values[:, 0]
            else:
                raise DataError("'offset' must be a numeric vector")
            total = numbers if total is None else total + numbers
        return total
