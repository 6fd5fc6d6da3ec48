"""Columns side by side, and those that stay as they are: cbind, I, offset."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.formula.syntax import Symbol
from lme4py.frame.functions.coercion import as_number, higher
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.values import (
    Character,
    Factor,
    FloatArray,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
)


@function("I", "x", role="elementwise", purpose="protect an expression from the formula's algebra")
def identity(x: Value) -> Value:
    """Return the argument."""
    if isinstance(x, MalformedFactor) and x.kind == "double":
        raise DataError('adding class "factor" to an invalid object')
    return x


@function("offset", "object", role="elementwise", package="stats", purpose="a known offset")
def offset(object: Value) -> Value:
    """Return the argument; the formula gives it its meaning."""
    return object


def _cbind_part(dot: Dot) -> tuple[FloatArray, Kind]:
    """Return an argument of cbind as an array, with R's type."""
    match dot.value:
        case Matrix():
            return dot.value.values, dot.value.kind
        case Numeric():
            return dot.value.as_float(), dot.value.kind
        case Factor():
            codes = dot.value.codes
            return np.where(codes < 0, np.nan, codes + 1.0), "integer"
        case Character():
            raise DataError("cbind() of text makes a character matrix, which no model can use")
        case _:
            raise DataError("cbind() takes numbers, factors and matrices of numbers")


@function(
    "cbind",
    "..., deparse.level = 1",
    role="elementwise",
    purpose="columns side by side; on the left side, successes and failures",
)
def cbind(
    context: Context, dots: tuple[Dot, ...] = (), deparse_level: Value | None = None
) -> Value:
    """Return R's ``cbind``: named arguments and plain symbols name their columns."""
    level = 1.0 if deparse_level is None else as_number(deparse_level, "deparse.level")
    used = [dot for dot in dots if not isinstance(dot.value, Null)]
    if not used:
        return Null()
    parts = [_cbind_part(dot) for dot in used]
    heights = {part.shape[0] for part, _ in parts if part.ndim == 2}
    if len(heights) > 1:
        where = next(
            place
            for place, (part, _) in enumerate(parts, 1)
            if part.ndim == 2 and part.shape[0] != parts[0][0].shape[0]
        )
        raise DataError(f"number of rows of matrices must match (see arg {where})")
    rows = heights.pop() if heights else max(part.shape[0] for part, _ in parts)
    columns: list[FloatArray] = []
    names: list[str] = []
    for place, (dot, (part, _)) in enumerate(zip(used, parts, strict=True), 1):
        if part.ndim == 2:
            columns.append(part)
            known = dot.value.names if isinstance(dot.value, Matrix) else None
            names.extend(known or [""] * part.shape[1])
            continue
        if part.shape[0] == 0 and rows > 0:
            continue
        if rows % max(part.shape[0], 1) or part.shape[0] > rows:
            context.warn(
                f"number of rows of result is not a multiple of vector length (arg {place})"
            )
        columns.append(np.resize(part, rows).reshape(-1, 1))
        if dot.name:
            names.append(dot.name)
        else:
            plain = level >= 1 and isinstance(dot.node, Symbol)
            names.append(dot.node.name if plain and isinstance(dot.node, Symbol) else "")
    values = np.asfortranarray(np.hstack(columns), dtype=np.float64)
    kind = higher(*(kind for _, kind in parts))
    return Matrix(values, tuple(names) if any(names) else None, kind)
