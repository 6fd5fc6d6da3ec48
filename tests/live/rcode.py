"""A case as R code, exact to the last bit: doubles are written in hexadecimal."""

from __future__ import annotations

import json
import math
from typing import Any

from .generator import Case, Column, Matrix

__all__ = ["call", "script"]


def call(case: Case) -> str:
    """Return the call of ``case()`` that compare.R evaluates."""
    columns = ",\n  ".join(
        f"{_text(name)} = {_column(column)}" for name, column in case.columns.items()
    )
    if case.row_names is not None:
        columns += f",\n  row.names = {_vector(case.row_names, _string)}"
    arguments = ", ".join(f"{name} = {_argument(value)}" for name, value in case.arguments.items())
    return (
        f"case({_text(case.name)}, data.frame(check.names = FALSE, stringsAsFactors = FALSE,\n"
        f"  {columns}),\n  {_text(case.formula)}, {_flag(case.glm)}, list({arguments}))\n"
    )


def script(case: Case) -> str:
    """Return an R script that shows the case on its own, run from the top of the repository."""
    return (
        f'source("fixtures/record.R")\n'
        f"case <- function(id, data, formula, glm, arguments)\n"
        f"  str(record(data, formula, glm, arguments), max.level = 3)\n{call(case)}"
    )


def _text(value: str) -> str:
    return json.dumps(value)


def _flag(value: bool | None) -> str:
    return "NA" if value is None else "TRUE" if value else "FALSE"


def _double(value: float | None) -> str:
    if value is None:
        return "NA_real_"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return float(value).hex()


def _integer(value: int | None) -> str:
    return "NA_integer_" if value is None else f"{value}L"


def _string(value: str | None) -> str:
    return "NA_character_" if value is None else _text(value)


def _vector(values: list[Any], write: Any) -> str:
    return f"c({', '.join(write(value) for value in values)})"


def _column(column: Column) -> str:
    match column.kind:
        case "double":
            return _vector(column.values, _double)
        case "integer":
            return _vector(column.values, _integer)
        case "date":
            return f'structure({_vector(column.values, _double)}, class = "Date")'
        case "moment":
            return (
                f"structure({_vector(column.values, _double)}, class = c('POSIXct', 'POSIXt'),"
                " tzone = 'UTC')"
            )
        case "logical":
            return _vector(column.values, _flag)
        case "character":
            return _vector(column.values, _string)
        case _:
            position = {level: at for at, level in enumerate(column.levels, 1)}
            codes = [None if value is None else position[value] for value in column.values]
            ordered = '"ordered", ' if column.kind == "ordered" else ""
            return (
                f"structure({_vector(codes, _integer)}, levels = {_vector(column.levels, _string)},"
                f' class = c({ordered}"factor"))'
            )


def _argument(value: Any) -> str:
    match value:
        case bool():
            return _flag(value)
        case str():
            return _text(value)
        case dict():
            items = [f"{_text(name)} = {_argument(item)}" for name, item in value.items()]
            return f"list({', '.join(items)})"
        case Matrix():
            columns = [number for column in zip(*value.rows, strict=True) for number in column]
            names = (
                "NULL" if value.names is None else f"list(NULL, {_vector(value.names, _string)})"
            )
            return f"matrix({_vector(columns, _double)}, {len(value.rows)}, dimnames = {names})"
        case [bool(), *_]:
            return _vector(value, _flag)
        case [str(), *_]:
            return _vector(value, _string)
        case [int(), *_]:
            return _vector(value, _integer)
        case _:
            return _vector(value, _double)
