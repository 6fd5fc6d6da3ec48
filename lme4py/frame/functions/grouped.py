"""Functions over groups of rows, or from one row to the next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import as_integer, elements, higher, pack, shaped
from lme4py.frame.functions.factors.interaction import interaction
from lme4py.frame.functions.table import Context, Dot, Function, function, lookup
from lme4py.frame.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value
from lme4py.moments import running_total

__all__: list[str] = []


def _of_group(entry: Function, value: Numeric, context: Context) -> Numeric:
    """Return what a function of the table makes of the elements of one group."""
    first = entry.formals[0]
    named: dict[str, object] = {first.replace(".", "_").lower(): value}
    if first == "...":
        named = {"dots": (Dot(None, value),)}
    if entry.takes_context:
        named["context"] = context
    made = entry.compute(**named)
    if not isinstance(made, Numeric):
        raise DataError(f"ave(FUN = {entry.name}) is not supported")
    return made


@function(
    "ave",
    "x, ..., FUN=mean",
    role="whole",
    package="stats",
    purpose="Mean, or another function, of the group that each row is in.",
)
def _ave(x: Value, context: Context, dots: tuple[Dot, ...] = (), fun: Value | None = None) -> Value:
    if not isinstance(x, Numeric) or x.time is not None:
        raise DataError("ave() is for numbers")
    if fun is not None and not isinstance(fun, FunctionName):
        raise DataError("the FUN of ave() is the name of a function here")
    name = "mean" if fun is None else fun.name
    entry = lookup(name)
    if entry is None or entry.role == "basis" or not entry.formals:
        raise DataError(f"ave(FUN = {name}) is not supported")
    groups = [np.arange(x.values.size)]
    if dots:
        factor, _ = interaction(context, dots)
        if factor.codes.size != x.values.size:
            raise DataError("the groups of ave() are not as long as its numbers")
        order = np.argsort(factor.codes, kind="stable")
        ends = np.searchsorted(factor.codes[order], np.arange(len(factor.levels) + 1))
        # Levels without rows are asked too: min() warns of them.
        groups = [order[start:end] for start, end in pairwise(ends)]
    result, kind = x.as_float().copy(), x.kind
    for rows in groups:
        made = _of_group(entry, pack(x.values[rows], x.kind), context)
        if not rows.size:
            continue
        kind = higher(kind, made.kind)
        if made.values.size not in (1, rows.size):
            raise DataError(
                f"ave(FUN = {name}) gives {made.values.size} values for {rows.size} rows"
            )
        result[rows] = made.as_float()
    return pack(result, kind)


@function(
    "diff",
    "x, lag=1L, differences=1L, ...",
    role="whole",
    purpose="Differences of elements that follow each other.",
)
def _diff(
    x: Value,
    lag: Value | None = None,
    differences: Value | None = None,
    dots: tuple[Dot, ...] = (),  # noqa: ARG001
) -> Value:
    if isinstance(x, Character | Factor | FunctionName | Null):
        raise DataError("non-numeric argument to binary operator")
    step = 1 if lag is None else as_integer(lag, "lag")
    times = 1 if differences is None else as_integer(differences, "differences")
    if step < 1 or times < 1:
        raise DataError("'lag' and 'differences' must be integers >= 1")
    array, kind = elements(x, "")
    time = x.time if isinstance(x, Numeric) else None
    if time is not None:
        raise DataError("diff() of times is not supported", hint="use diff(as.numeric(x))")
    for _ in range(times):
        array = array[step:] - array[:-step] if len(array) > step else array[:0]
    return shaped(array, higher(kind, "integer"), x.names if isinstance(x, Matrix) else None)


@function(
    "proportions", "x, margin=NULL", role="whole", purpose="Each element as a share of the sum."
)
def _proportions(x: Value, margin: Value | None = None) -> Value:
    if margin is not None and not isinstance(margin, Null):
        raise DataError("proportions(margin = ) is not supported")
    array, _ = elements(x, "invalid 'type' (character) of argument")
    total = float(running_total(array.reshape(-1, order="F"))[-1]) if array.size else 0.0
    with np.errstate(all="ignore"):
        shares = array / total
    return shaped(shares, "double", x.names if isinstance(x, Matrix) else None)


function("prop.table", "x, margin=NULL", role="whole", purpose="The older name of proportions.")(
    _proportions
)
