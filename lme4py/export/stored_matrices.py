"""The fixed and the random part, decoded.

Zt, Lambdat and theta are made anew from the terms and compared with what the record says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.export.record import damaged
from lme4py.export.stored_frames import decoded_contrast
from lme4py.export.stored_plans import plan_of_bar, plan_of_x
from lme4py.export.stored_reader import Reader, entry, numbers, texts
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import call
from lme4py.formula.terms import terms
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import Factor, FloatArray
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import Grouping
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects, random_effects

__all__ = ["decoded_fixed", "decoded_random"]


def decoded_fixed(
    data: Any, reader: Reader, frame: ModelFrame, formula: Formula, context: Context
) -> tuple[FixedEffects, FloatArray]:
    """Return the description of X, and X."""
    described = entry(data, "fixed", dict)
    names = texts(described, "names")
    labels = texts(described, "terms")
    X = _decoded_x(reader, frame.rows, len(names))
    assign = reader.array("assign", "i", len(names)).astype(np.int64, copy=False)
    if assign.size and not (
        assign.min() >= 0 and assign.max() <= len(labels) and (np.diff(assign) >= 0).all()
    ):
        raise damaged("columns of X belong to terms that are not there")
    contrasts = {
        name: decoded_contrast(value, reader)
        for name, value in entry(described, "contrasts", dict).items()
    }
    dense = _dense(X)
    fixed = FixedEffects(
        names=names,
        assign=assign,
        contrasts=contrasts,
        dropped=numbers(described, "dropped", int),
        terms=labels,
        scales=numbers(described, "scales", float),
        centers=numbers(described, "centers", float),
        plan=Plan.given(dense, tuple(names), tuple(assign.tolist())),
    )
    known = plan_of_x(formula, frame, fixed, dense, context)
    return fixed if known is None else replace(fixed, plan=known), X


def _dense(X: Any) -> FloatArray:
    dense: FloatArray = X if isinstance(X, np.ndarray) else X.toarray(order="F")
    return dense


def _decoded_x(reader: Reader, rows: int, columns: int) -> FloatArray:
    if reader.has("X"):
        return np.asfortranarray(reader.floats("X", rows, columns))
    X: Any = _decoded_sparse(reader, "X", (rows, columns))
    return X  # type: ignore[no-any-return]


def _decoded_sparse(reader: Reader, name: str, shape: tuple[int, int]) -> Any:
    """Return a matrix in compressed columns whose indices are all inside of it."""
    from scipy.sparse import csc_array

    values = reader.floats(f"{name}_data", None)
    indices = reader.array(f"{name}_indices", "i", values.size)
    pointers = reader.array(f"{name}_indptr", "i", shape[1] + 1)
    sound = (
        reader.array(f"{name}_shape", "i", 2).tolist() == list(shape)
        and pointers[0] == 0
        and pointers[-1] == values.size
        and bool((np.diff(pointers) >= 0).all())
        and (not values.size or (indices.min() >= 0 and indices.max() < shape[0]))
    )
    if not sound:
        raise damaged(f"the indices of {name} do not fit its shape")
    return csc_array((values, indices, pointers), shape=shape)


def decoded_random(
    data: Any, reader: Reader, frame: ModelFrame, formula: Formula, context: Context
) -> RandomEffects:
    """Return the random part."""
    described = entry(data, "random", list)
    order = reader.array("order", "i", len(described)).astype(np.int64, copy=False)
    bars = formula.bars
    if not described or sorted(order.tolist()) != list(range(len(bars))):
        raise damaged("its random terms are not those of its formula")
    sizes = [len(texts(item, "levels")) * len(texts(item, "columns")) for item in described]
    Zt = _decoded_sparse(reader, "Zt", (sum(sizes), frame.rows))
    grouping = Grouping.learn(frame, bars, context)
    found: list[RandomTerm | None] = [None] * len(bars)
    begin = 0
    for k, (item, size) in enumerate(zip(described, sizes, strict=True)):
        levels = texts(item, "levels")
        codes = reader.codes(f"codes_{k}", frame.rows, len(levels))
        group = Factor(codes, tuple(levels), entry(item, "ordered", bool))
        bar = bars[order[k]]
        columns = tuple(texts(item, "columns"))
        block = _effects(Zt[begin : begin + size, :], len(columns), frame.rows)
        begin += size
        columns_of_bar = plan_of_bar(
            bar, grouping, frame, columns, _assign(item, bar, frame), block, codes, context
        )
        found[order[k]] = RandomTerm(bar, group, columns_of_bar)
    random = random_effects([term for term in found if term is not None], frame.rows)
    _check_equal(random, reader, order, Zt)
    return random


def _assign(item: Any, bar: Bar, frame: ModelFrame) -> tuple[int, ...]:
    """Return the term of each column of a bar, 0 for the intercept."""
    count = len(texts(item, "columns"))
    found = entry({"assign": [0] * count} | item, "assign", list)
    last = len(terms(call("~", bar.effects), frame.names).members)
    if len(found) != count or not all(type(k) is int and 0 <= k <= last for k in found):
        raise damaged("columns of a random term belong to terms that are not there")
    return tuple(found)


def _effects(Zt: Any, columns: int, rows: int) -> FloatArray:
    """Return the dense left side of a bar from its rows of Zt."""
    values = np.zeros((rows, columns), order="F")
    entries = Zt.tocoo()
    values[entries.col, entries.row % max(columns, 1)] = entries.data
    return values


def _check_equal(random: RandomEffects, reader: Reader, order: Any, Zt: Any) -> None:
    """Raise if Zt or the covariance template is not what the terms make of it."""
    made = random.Zt
    same = (
        np.array_equal(random.order, order)
        and np.array_equal(made.indptr, Zt.indptr)
        and np.array_equal(made.indices, Zt.indices)
        and np.array_equal(made.data, Zt.data, equal_nan=True)
    )
    for name, mine in (
        ("theta", random.theta),
        ("lower", random.lower),
        ("upper", random.upper),
        ("Lind", random.Lind),
        ("Gp", random.Gp),
        ("nl", random.nl),
    ):
        same = same and np.array_equal(reader.array(name, "if", mine.size), mine)
    if not same:
        raise damaged("Zt and theta are not those of its random terms")
