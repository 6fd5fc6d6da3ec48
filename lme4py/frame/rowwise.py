"""Whether the result of a call follows the rows, and whether new rows can have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lme4py.data.values import Character, Factor, Matrix, Numeric, Value, length
from lme4py.errors import FormulaError
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call
from lme4py.functions.table import Function

__all__ = ["Given", "follows_rows", "refuse_new_rows"]

_VECTORS = (Numeric, Character, Factor, Matrix)


@dataclass(frozen=True, slots=True)
class Given:
    """One argument of a call: its value, and whether it has an element per row."""

    formal: str
    value: Any
    rowwise: bool


def follows_rows(function: Function, given: Sequence[Given], value: Value, rows: int) -> bool:
    """Tell whether a result made from row-wise arguments has one element per row."""
    if function.role == "summary" or length(value) != rows:
        return False
    if function.role == "index":
        return _index_keeps_rows(given)
    if function.role != "shape":
        return True
    # c, rep and their kin: one vector of rows, and nothing added to it.
    whole = [item for item in given if item.rowwise]
    return len(whole) == 1 and whole[0].formal in ("x", "data", "...")


def _index_keeps_rows(given: Sequence[Given]) -> bool:
    """Tell whether an indexed value has one element per row, made from that row."""
    source, *indices = [item for item in given if item.formal != "drop"]
    if not indices or indices[0].value is None:
        return source.rowwise and not any(item.rowwise for item in indices)
    # Numbers of rows that come from the rows themselves are a new order of the whole; a
    # logical index keeps some rows only.
    return indices[0].rowwise and not _is_logical(indices[0])


def _is_logical(item: Given) -> bool:
    return isinstance(item.value, Numeric) and item.value.kind == "logical"


def refuse_new_rows(function: Function, given: Sequence[Given], node: Call) -> None:
    """Raise an error for what cannot be computed for new rows, one by one."""
    hint = "put it into the data as a column"
    if function.role == "whole" or (function.role == "index" and _reorders(given)):
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


def _reorders(given: Sequence[Given]) -> bool:
    """Tell whether ``x[i]`` picks rows by numbers that each row gives."""
    return given[0].rowwise and any(item.rowwise and not _is_logical(item) for item in given[1:])
