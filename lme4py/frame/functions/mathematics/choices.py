"""Choices between values, element by element: ifelse, pmin, pmax."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import (
    as_flag,
    elements,
    flat,
    higher,
    pack,
    recycle,
    shaped,
    text,
    union_codes,
)
from lme4py.frame.functions.conversions import truth_of_text
from lme4py.frame.functions.mathematics.elementwise import Array
from lme4py.frame.functions.table import Context, Dot, function
from lme4py.frame.functions.times import in_one_unit
from lme4py.frame.values import Character, Factor, Kind, Matrix, Numeric, Value, length


def _parallel(name: str, dots: tuple[Dot, ...], na_rm: Value | None, context: Context) -> Value:
    """Return ``pmin`` or ``pmax``."""
    remove = na_rm is not None and as_flag(na_rm, "na.rm")
    values = [dot.value for dot in dots]
    if not values:
        raise DataError("no arguments")
    if any(isinstance(value, Factor) for value in values):
        raise DataError(f"{name}() of factors is not supported")
    if any(length(value) == 0 for value in values):
        return Numeric(np.empty(0), "double")
    if any(isinstance(value, Character) for value in values):
        return _parallel_text(name, values, remove, context)
    size = max(
        value.values.size if isinstance(value, Matrix) else length(value) for value in values
    )
    values = in_one_unit(values, values[0].time or "" if isinstance(values[0], Numeric) else "")
    kind: Kind = "integer"
    choose = np.minimum if name == "pmin" else np.maximum
    result: Array | None = None
    for value in values:
        array, part = flat(value, "invalid input type")
        kind = higher(kind, part)
        if size % array.size:
            context.warn("an argument will be fractionally recycled")
        array = array if array.size == 1 else recycle(array, size)
        if result is not None and remove:
            # Not np.fmin: R's NA is a signalling NaN, which wins there.
            result = np.where(np.isnan(result), array, result)
            array = np.where(np.isnan(array), result, array)
        result = array if result is None else choose(result, array)
    first = values[0]
    spread = np.broadcast_to(np.asarray(result), (size,))
    if isinstance(first, Matrix) and first.values.size == size:
        return shaped(spread.reshape(first.values.shape, order="F"), kind, first.names)
    return pack(np.array(spread), kind, first.time if isinstance(first, Numeric) else None)


def _parallel_text(name: str, values: list[Value], remove: bool, context: Context) -> Value:
    result = text(values[0])
    for value in values[1:]:
        one, two, pool = union_codes(result, text(value))
        order = context.collation.sort(pool)
        rank = {item: place for place, item in enumerate(order)}
        table = np.array([rank[item] for item in pool] + [-1])
        if max(one.size, two.size) % min(one.size, two.size):
            context.warn("an argument will be fractionally recycled")
        size = max(one.size, two.size)
        left, right = recycle(table[one], size), recycle(table[two], size)
        best = np.minimum(left, right) if name == "pmin" else np.maximum(left, right)
        missing = (left < 0) | (right < 0)
        best = np.where(missing, np.maximum(left, right) if remove else -1, best)
        result = Character(best.astype(np.int32), tuple(order))
    return result


@function("pmin", "..., na.rm=FALSE", role="elementwise", purpose="Least of the arguments.")
def _pmin(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _parallel("pmin", dots, na_rm, context)


@function("pmax", "..., na.rm=FALSE", role="elementwise", purpose="Greatest of the arguments.")
def _pmax(context: Context, dots: tuple[Dot, ...] = (), na_rm: Value | None = None) -> Value:
    return _parallel("pmax", dots, na_rm, context)


def _branch(value: Value) -> tuple[Array, Kind] | Character:
    """Return what ``ifelse`` takes from one branch: text, or bare numbers."""
    if isinstance(value, Character):
        return value
    if isinstance(value, Factor):
        return np.where(value.codes < 0, np.nan, value.codes + 1.0), "integer"
    return flat(value, "invalid branch of ifelse()")


@function(
    "ifelse", "test, yes, no", role="elementwise", purpose="One of two values, element by element."
)
def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    if isinstance(test, Character):
        truth: Array = truth_of_text(test)
        plain = True
    elif isinstance(test, Factor):
        raise DataError("ifelse() of a factor is not supported: compare it first")
    else:
        truth, _ = elements(test, 'argument "test" is not logical')
        plain = not isinstance(test, Matrix) and not (
            isinstance(test, Numeric) and test.time is not None
        )
    decided = truth.reshape(-1, order="F")
    if decided.size == 1 and plain:
        if np.isnan(decided[0]):
            return Numeric(np.array([np.nan]), "logical")
        branch = yes if decided[0] else no
        bare = isinstance(branch, Character) or (
            isinstance(branch, Numeric) and branch.time is None
        )
        if bare and length(branch) == 1:
            return branch
    chosen = [(decided != 0) & ~np.isnan(decided), decided == 0]
    parts = [_branch(value) for value in (yes, no)]
    size = decided.size
    for mask, part in zip(chosen, parts, strict=True):
        empty = part.codes.size == 0 if isinstance(part, Character) else part[0].size == 0
        if mask.any() and empty:
            raise DataError("replacement has length zero")
    live = [
        (mask, part, value)
        for mask, part, value in zip(chosen, parts, (yes, no), strict=True)
        if mask.any()
    ]
    if any(isinstance(part, Character) for _, part, _ in live):
        return _chosen_text(size, live)
    result = np.full(size, np.nan)
    kind: Kind = "logical"
    for mask, part, _ in live:
        if not isinstance(part, Character):
            kind = higher(kind, part[1])
            array = np.broadcast_to(part[0], size) if part[0].size == 1 else recycle(part[0], size)
            result = np.where(mask, array, result)
    if isinstance(test, Matrix):
        return shaped(result.reshape(test.values.shape, order="F"), kind, test.names)
    return pack(result, kind)


def _chosen_text(
    size: int, live: list[tuple[NDArray[np.bool_], tuple[Array, Kind] | Character, Value]]
) -> Character:
    result = Character(np.full(size, -1, dtype=np.int32), ())
    for mask, part, value in live:
        if isinstance(part, Character):
            words = part
        else:
            words = text(pack(part[0], part[1]) if not isinstance(value, Matrix) else value)
        codes, others, pool = union_codes(result, words)
        result = Character(np.where(mask, recycle(others, size), codes).astype(np.int32), pool)
    return result
