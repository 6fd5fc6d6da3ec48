"""A design put together again from its stored parts, of which nothing is believed.

Zt, Lambdat and theta are made anew from the terms and compared with what the file says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from lme4py.control import Control
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError, Span
from lme4py.export.dense_blocks import dense
from lme4py.export.npz_archive import damaged
from lme4py.export.stored_arrays import StoredArrays, entry, numbers, texts
from lme4py.export.stored_parts import FORMAT, VERSION, StoredParts
from lme4py.family import Family
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Node, call
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import Factor, FloatArray, Matrix, Value, length
from lme4py.functions.table import Context
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import BarFrame, Grouping
from lme4py.matrices.modelmatrix import Frame, plan
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.spec.spec import Spec

__all__ = ["design_of_parts"]


def design_of_parts(parts: StoredParts) -> MixedDesign:
    """Put a design together again.

    Raises
    ------
    DataError
        If the parts are not those of one.
    """
    data, arrays = parts.metadata, StoredArrays(parts.arrays)
    if data.get("format") != FORMAT:
        raise damaged("it does not say that it is one")
    if data.get("version") != VERSION:
        raise DataError(
            f"the design was stored in version {data.get('version')!r} of the layout",
            hint=f"this lme4py reads version {VERSION}",
        )
    frame = _frame(entry(data, "frame", dict), arrays)
    formula = _formula(entry(data, "formula", dict))
    plain_spec = entry(data, "spec", dict, type(None))
    spec = None if plain_spec is None else Spec.from_json(json.dumps(plain_spec))
    context = _context(spec, frame)
    fixed, X = _fixed_part(data, arrays, frame, formula, context)
    family = entry(data, "family", dict, type(None))
    return MixedDesign(
        formula=formula,
        X=X,
        fixed=fixed,
        y=_response(arrays, frame.rows),
        weights=arrays.floats("weights", frame.rows) if arrays.has("weights") else None,
        offset=arrays.floats("offset", frame.rows) if arrays.has("offset") else None,
        random=_random_part(data, arrays, frame, formula, context),
        reml=entry(data, "reml", bool, type(None)),
        family=family and Family(entry(family, "name", str), entry(family, "link", str)),
        messages=texts(data, "messages"),
        model_frame=frame,
        index=_index(entry(data, "index", dict, type(None)), arrays, frame),
        advice=texts(data, "advice"),
        control=_control(entry(data, "control", dict)),
        learned=spec,
        lost_levels=numbers(data, "lost_levels", int),
    )


def _context(spec: Spec | None, frame: ModelFrame) -> Context:
    """Return the order of text and the codings as the model was made; by default without spec."""
    if spec is None:
        return Context(frame.rows, Collation("icu"), lambda _: None)
    return Context(frame.rows, Collation(spec.collation), lambda _: None, spec.default_contrasts)


def _response(arrays: StoredArrays, rows: int) -> FloatArray | None:
    if not arrays.has("y"):
        return None
    if arrays.any("y").ndim == 1:
        return arrays.floats("y", rows)
    return np.asfortranarray(arrays.floats("y", rows, None))


def _formula(data: Any) -> Formula:
    text, written, lme4 = (entry(data, name, str) for name in ("text", "written", "lme4"))
    try:
        kept, source = Formula.parse(text, lme4), Formula.parse(written, lme4)
        # What was written, with its || expanded as then, knows where in it each bar stood.
        for candidate in (source, source.expanded("split"), source.expanded("diag")):
            if str(candidate) == str(kept):
                return candidate
        return replace(kept, text=written)
    except Lme4pyError as error:
        raise damaged(f"its formula is none: {error.message}") from None


def _control(data: Any) -> Control:
    known = {item.name for item in fields(Control)}
    try:
        return Control(**{name: value for name, value in data.items() if name in known})
    except (Lme4pyError, TypeError) as error:
        raise damaged(f"its control is none: {error}") from None


def _frame(data: Any, arrays: StoredArrays) -> ModelFrame:
    rows = entry(data, "rows", int)
    variables: dict[str, Value] = {}
    for item in entry(data, "variables", list):
        name, value = entry(item, "name", str), arrays.value(entry(item, "value", dict))
        if not isinstance(value, Value) or length(value) != rows:
            raise damaged(f"variable {name!r} has not one value for each row")
        variables[name] = value
    response = entry(data, "response", str, type(None))
    offsets = tuple(texts(data, "offset_terms"))
    for name in (*offsets, *([] if response is None else [response])):
        if name not in variables:
            raise damaged(f"the model frame has no variable {name!r}")
    positions = None
    if arrays.has("positions"):
        positions = arrays.array("positions", "i", rows).astype(np.int64, copy=False)
    return ModelFrame(
        variables=variables,
        response=response,
        offset_terms=offsets,
        rows=rows,
        positions=positions,
        omitted=entry(data, "omitted", int),
        spans={name: _span(value) for name, value in entry(data, "spans", dict).items()},
    )


def _span(value: Any) -> Span | None:
    match value:
        case None:
            return None
        case [str(text), int(start), int(end)] if 0 <= start <= end <= len(text):
            return Span(text, start, end)
        case _:
            raise damaged("a span is none")


def _index(data: Any, arrays: StoredArrays, frame: ModelFrame) -> Any:
    """Return the labels of the rows as pandas has them, or None."""
    if data is None:
        return None
    import pandas as pd

    name = entry(data, "name", str, type(None))
    index: Any
    match entry(data, "type", str):
        case "range":
            bounds = entry(data, "range", list)
            if len(bounds) != 3 or not all(type(bound) is int for bound in bounds) or not bounds[2]:
                raise damaged("its row labels are none")
            start, stop, step = bounds
            index = pd.RangeIndex(start, stop, step, name=name)
        case "numbers":
            index = pd.Index(arrays.array("index", "iuf", None), name=name)
        case "times":
            dtype = entry(data, "dtype", str)
            if dtype not in {f"datetime64[{unit}]" for unit in ("s", "ms", "us", "ns")}:
                raise damaged("its row labels are none")
            index = pd.Index(arrays.array("index", "i", None).astype(dtype), name=name)
        case "text":
            index = pd.Index(texts(data, "labels"), name=name)
        case _:
            raise damaged("its row labels are none")
    positions = frame.positions
    last = frame.rows - 1 if positions is None else int(positions.max(initial=-1))
    least = 0 if positions is None else int(positions.min(initial=0))
    if last >= len(index) or least < -1 or (positions is None and len(index) != frame.rows):
        raise damaged("it has rows without labels")
    return index


def _fixed_part(
    data: Any, arrays: StoredArrays, frame: ModelFrame, formula: Formula, context: Context
) -> tuple[FixedEffects, Any]:
    """Return the description of X, and X."""
    described = entry(data, "fixed", dict)
    names = texts(described, "names")
    labels = texts(described, "terms")
    shape = (frame.rows, len(names))
    X = np.asfortranarray(arrays.floats("X", *shape)) if arrays.has("X") else None
    kept: Any = arrays.sparse("X", shape) if X is None else X
    assign = arrays.array("assign", "i", len(names)).astype(np.int64, copy=False)
    if assign.size and not (
        assign.min() >= 0 and assign.max() <= len(labels) and (np.diff(assign) >= 0).all()
    ):
        raise damaged("columns of X belong to terms that are not there")
    contrasts = {
        name: arrays.value(value) for name, value in entry(described, "contrasts", dict).items()
    }
    if not all(isinstance(value, str | Matrix) for value in contrasts.values()):
        raise damaged("contrasts are neither a name nor a matrix")
    fixed = FixedEffects(
        names=names,
        assign=assign,
        contrasts=contrasts,
        dropped=numbers(described, "dropped", int),
        terms=labels,
        scales=numbers(described, "scales", float),
        centers=numbers(described, "centers", float),
        plan=Plan.given(dense(kept), tuple(names), tuple(assign.tolist())),
    )
    known = _plan_of_X(formula, frame, fixed, dense(kept), context)
    return fixed if known is None else replace(fixed, plan=known), kept


def _plan_of_X(
    formula: Formula, frame: ModelFrame, fixed: FixedEffects, X: FloatArray, context: Context
) -> Plan | None:
    """Return how X is made of the frame's variables; None where that cannot be told."""
    found = _planned(formula.nobars().node, frame, frame, fixed.contrasts, context)
    if found is None:
        return None
    changed = bool(fixed.scales or fixed.centers)
    places = iter(range(len(found.names)))
    for k, name in enumerate(fixed.names):
        # Columns that depend on others were dropped; the others are in order.
        same = (
            changed or np.array_equal(found.column(number), X[:, k], equal_nan=True)
            for number in places
            if found.names[number] == name
        )
        if not any(same):
            return None
    return found


def _planned(
    node: Node,
    frame: ModelFrame,
    seen: Frame,
    contrasts: Mapping[str, Any] | None,
    context: Context,
) -> Plan | None:
    try:
        return plan(terms(node, frame.names), seen, context, contrasts)
    except Lme4pyError:
        return None


def _random_part(
    data: Any, arrays: StoredArrays, frame: ModelFrame, formula: Formula, context: Context
) -> RandomEffects:
    described = entry(data, "random", list)
    order = arrays.array("order", "i", len(described)).astype(np.int64, copy=False)
    bars = formula.bars
    if not described or sorted(order.tolist()) != list(range(len(bars))):
        raise damaged("its random terms are not those of its formula")
    sizes = [len(texts(item, "levels")) * len(texts(item, "columns")) for item in described]
    Zt = arrays.sparse("Zt", (sum(sizes), frame.rows))
    grouping = Grouping.learn(frame, bars, context)
    found: dict[int, RandomTerm] = {}
    begin = 0
    for k, (item, size) in enumerate(zip(described, sizes, strict=True)):
        levels = texts(item, "levels")
        codes = arrays.codes(f"codes_{k}", frame.rows, len(levels))
        group = Factor(codes, tuple(levels), entry(item, "ordered", bool))
        bar = bars[order[k]]
        block = _effects(Zt[begin : begin + size, :], len(texts(item, "columns")), frame.rows)
        begin += size
        found[int(order[k])] = RandomTerm(
            bar, group, _plan_of_bar(item, bar, grouping, group, block)
        )
    random = random_effects([found[place] for place in range(len(bars))], frame.rows)
    _check_equal(random, arrays, order, Zt)
    return random


def _effects(Zt: Any, columns: int, rows: int) -> FloatArray:
    """Return the dense left side of a bar from its rows of Zt."""
    values = np.zeros((rows, columns), order="F")
    entries = Zt.tocoo()
    values[entries.col, entries.row % max(columns, 1)] = entries.data
    return values


def _plan_of_bar(item: Any, bar: Bar, grouping: Grouping, group: Factor, block: FloatArray) -> Plan:
    """Return how a bar's columns are made of the frame's variables, or that they are given."""
    frame, names = grouping.frame, tuple(texts(item, "columns"))
    assign = tuple(entry({"assign": [0] * len(names)} | item, "assign", list))
    side = call("~", bar.effects, span=bar.effects.span)
    last = len(terms(side, frame.names).members)
    if len(assign) != len(names) or not all(type(k) is int and 0 <= k <= last for k in assign):
        raise damaged("columns of a random term belong to terms that are not there")
    found = _planned(side, frame, BarFrame.of(bar, grouping), None, grouping.context)
    if found is not None and found.names == names:
        values = np.empty_like(block)
        found.fill(values)
        # Rows without a level have no entry in Zt.
        known = group.codes >= 0
        if np.array_equal(values[known], block[known], equal_nan=True):
            return found
    return Plan.given(block, names, assign)


def _check_equal(random: RandomEffects, arrays: StoredArrays, order: Any, Zt: Any) -> None:
    """Raise if Zt or the covariance template is not what the terms make of it."""
    made = random.Zt
    same = (
        np.array_equal(random.order, order)
        and np.array_equal(made.indptr, Zt.indptr)
        and np.array_equal(made.indices, Zt.indices)
        and np.array_equal(made.data, Zt.data, equal_nan=True)
    )
    for name in ("theta", "lower", "upper", "Lind", "Gp", "nl"):
        mine = getattr(random, name)
        same = same and np.array_equal(arrays.array(name, "if", mine.size), mine)
    if not same:
        raise damaged("Zt and theta are not those of its random terms")
