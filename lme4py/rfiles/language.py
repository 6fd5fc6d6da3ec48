"""R's calls and formulas as syntax trees, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lme4py.errors import FormulaError
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Text, call
from lme4py.rfiles.rvalues import Kind, RLanguage, RUnread, RVector, character, doubles

__all__ = ["MISSING", "constant_of", "node_of_call"]

MISSING = RUnread("missing argument")

_CONSTANTS = {
    "TRUE": RVector(np.array([True]), "logical"),
    "FALSE": RVector(np.array([False]), "logical"),
    "NA": RVector(np.array([np.nan]), "logical"),
    "NA_integer_": RVector(np.array([np.nan]), "integer"),
    "NA_character_": character([None]),
    "NA_real_": doubles([np.nan]),
    "NaN": doubles([np.nan]),
    "Inf": doubles([np.inf]),
    "NULL": None,
}


def node_of_call(parts: Sequence[tuple[str, Any]]) -> Node | None:
    """Return the syntax tree of a call from its function and arguments, each with its name.

    None where values without a name in R's grammar were put into it.
    """
    try:
        (_, function), *arguments = parts
        return Call(
            _node(function),
            tuple(
                Argument(None if value is MISSING else _node(value), name or None)
                for name, value in arguments
            ),
        )
    except FormulaError:
        return None


def _node(value: Any) -> Node:
    match value:
        case None:
            return Constant("NULL")
        case RLanguage(node=node) if node is not None:
            return node
        case RVector() if not value.attributes and value.names is None and value.kind != "complex":
            nodes = [_constant(value.kind, item) for item in value.values.tolist()]
            # A vector put into a formula by a program is written as the call that makes it.
            return nodes[0] if len(nodes) == 1 else call("c", *nodes)
        case _:
            raise FormulaError("a value without a name in R's grammar stands in the formula")


def _constant(kind: Kind, value: Any) -> Node:
    if kind == "character":
        return Constant("NA_character_") if value is None else Text(value)
    if np.isnan(value):
        return Constant({"logical": "NA", "integer": "NA_integer_"}.get(kind, "NA_real_"))
    if kind == "logical":
        return Constant("TRUE" if value else "FALSE")
    if kind == "integer":
        return Number(float(value), integer=True)
    size = Constant("Inf") if np.isinf(value) else Number(abs(value))
    return size if value >= 0 else call("-", size)


def constant_of(node: Number | Text | Constant) -> RVector | None:
    """Return the R value of a constant."""
    match node:
        case Constant(name=name):
            return _CONSTANTS[name]
        case Text(value=value):
            return character([value])
        case Number(value=value, integer=True):
            return RVector(np.array([value]).astype(np.int32), "integer")
        case Number(value=complex() as value):
            return RVector(np.array([value]), "complex")
        case Number(value=value):
            return doubles([value])
