"""A design as named arrays and plain data, and back: what a stored design consists of.

Encoding takes everything apart that another language can use by itself: X, the three
arrays of Zt and of Lambdat, theta with its bounds, Lind, the codes of every grouping
factor, the variables of the model frame. Decoding believes nothing: every array is
asked for by type and length, and Zt, Lambdat and theta are made anew from the terms
and compared with what the record says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.control import Control
from lme4py.errors import DataError, Lme4pyError, Span
from lme4py.family import Family
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Node, call, symbols
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import UNITS, Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.matrices.grouping import Factors
from lme4py.matrices.mixed import FixedEffects, MixedMatrices
from lme4py.matrices.modelmatrix import Frame, Plan, plan
from lme4py.matrices.reterms import RandomEffects, RandomTerm, random_effects
from lme4py.spec import spec_of

__all__ = ["FORMAT", "VERSION", "Record", "decode", "encode"]

FORMAT = "lme4py design"
VERSION = 1


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """A design taken apart.

    Parameters
    ----------
    arrays : dict of str to ndarray
        float64, integers, bool; one or two dimensions.
    metadata : dict
        Everything else, as JSON can hold it.
    """

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def encode(design: MixedMatrices) -> Record:
    """Take a design apart.

    Raises
    ------
    DataError
        If the rows are labelled by something other than numbers, text or times.
    """
    random = design.random
    arrays: dict[str, NDArray[Any]] = {
        **_fixed_arrays(design),
        "assign": design.fixed.assign,
        **_given(y=design.y, weights=design.weights, offset=design.offset),
        **_sparse("Zt", random.Zt),
        **_sparse("Lambdat", random.Lambdat),
        "theta": random.theta,
        "lower": random.lower,
        "upper": random.upper,
        "Lind": random.Lind,
        "Gp": random.Gp,
        "nl": random.nl,
        "order": random.order,
        **{f"codes_{k}": term.group.codes for k, term in enumerate(random.terms)},
    }
    fixed = design.fixed
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "formula": {"text": str(design.formula), "written": design.formula.text},
        "reml": design.reml,
        "family": None
        if design.family is None
        else {"name": design.family.name, "link": design.family.link},
        "fixed": {
            "names": fixed.names,
            "terms": fixed.terms,
            "contrasts": {
                name: _contrast(value, f"contrast_{k}", arrays)
                for k, (name, value) in enumerate(fixed.contrasts.items())
            },
            "dropped": {name: int(place) for name, place in fixed.dropped.items()},
            "scales": {name: float(value) for name, value in fixed.scales.items()},
            "centers": {name: float(value) for name, value in fixed.centers.items()},
        },
        "random": [
            {
                "label": term.bar.label,
                "group": term.bar.group_name,
                "levels": list(term.group.levels),
                "ordered": term.group.ordered,
                "columns": list(term.plan.names),
                "covariance": term.covariance.name,
                "hom": term.covariance.hom,
            }
            for term in random.terms
        ],
        "row_names": random.row_names,
        "messages": list(design.messages),
        "advice": list(design.advice),
        "control": asdict(design.control),
        "spec": _spec(design),
        "frame": _frame(design.model_frame, arrays),
        "index": _index(design.index, arrays),
    }
    return Record(arrays, metadata)


def _fixed_arrays(design: MixedMatrices) -> dict[str, NDArray[Any]]:
    X: Any = design.X
    return {"X": X} if isinstance(X, np.ndarray) else _sparse("X", X)


def _spec(design: MixedMatrices) -> Any:
    """Return what new rows need as plain data; None where that cannot be written."""
    try:
        return json.loads(spec_of(design).to_json())
    except Lme4pyError:
        return None


def _given(**values: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    return {name: value for name, value in values.items() if value is not None}


def _sparse(name: str, matrix: Any) -> dict[str, NDArray[Any]]:
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices,
        f"{name}_indptr": matrix.indptr,
        f"{name}_shape": np.array(matrix.shape, dtype=np.int64),
    }


def _contrast(value: str | Matrix, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, str):
        return value
    arrays[name] = np.asarray(value.values)
    return {"array": name, "names": value.names, "kind": value.kind}


def _frame(frame: ModelFrame, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    variables = []
    for k, (name, value) in enumerate(frame.variables.items()):
        array = f"frame_{k}"
        described: dict[str, Any] = {"name": name, "array": array}
        match value:
            case Numeric():
                arrays[array] = value.values
                described |= {"type": "numeric", "kind": value.kind, "time": value.time}
            case Matrix():
                arrays[array] = value.values
                described |= {"type": "matrix", "names": value.names, "kind": value.kind}
            case Character():
                arrays[array] = value.codes
                described |= {"type": "character", "pool": value.pool}
            case Factor():
                arrays[array] = value.codes
                contrasts = value.contrasts
                described |= {
                    "type": "factor",
                    "levels": value.levels,
                    "ordered": value.ordered,
                    "contrasts": None
                    if contrasts is None
                    else _contrast(contrasts, f"frame_{k}_contrasts", arrays),
                }
            case _:
                raise DataError(f"variable '{name}' cannot be stored")
        variables.append(described)
    if frame.positions is not None:
        arrays["positions"] = frame.positions
    return {
        "variables": variables,
        "response": frame.response,
        "offset_terms": frame.offset_terms,
        "rows": frame.rows,
        "omitted": frame.omitted,
        "spans": {
            name: None if span is None else [span.text, span.start, span.end]
            for name, span in frame.spans.items()
        },
    }


def _index(index: Any, arrays: dict[str, NDArray[Any]]) -> dict[str, Any] | None:
    """Describe the labels of the rows: a range, numbers, times or text."""
    if index is None:
        return None
    import pandas as pd

    name = None if index.name is None else str(index.name)
    if isinstance(index, pd.RangeIndex):
        return {"type": "range", "name": name, "range": [index.start, index.stop, index.step]}
    if index.dtype.kind in "iuf" and isinstance(index.dtype, np.dtype):
        arrays["index"] = index.to_numpy()
        return {"type": "numbers", "name": name}
    if index.dtype.kind == "M" and isinstance(index.dtype, np.dtype):
        arrays["index"] = index.to_numpy().astype(np.int64)
        return {"type": "times", "name": name, "dtype": str(index.dtype)}
    if index.nlevels == 1 and all(isinstance(label, str) for label in index):
        return {"type": "text", "name": name, "labels": index.tolist()}
    raise DataError(
        f"row labels of type {index.dtype} cannot be stored",
        hint="numbers, text and times can; data.reset_index() makes columns of the labels",
    )


class _Reader:
    """The parts of a record, each handed out only if it is what it should be."""

    def __init__(self, record: Record) -> None:
        self._arrays = record.arrays

    def has(self, name: str) -> bool:
        """Tell whether there is an array of this name."""
        return name in self._arrays

    def array(self, name: str, kinds: str, *shape: int | None) -> NDArray[Any]:
        """Return an array of these dtype kinds and this shape; None stands for any length."""
        if name not in self._arrays:
            raise _damaged(f"there is no array {name!r}")
        array = self._arrays[name]
        fits = array.ndim == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=False)
        )
        if array.dtype.kind not in kinds or not fits:
            raise _damaged(f"array {name!r} is {array.dtype} of shape {array.shape}")
        return array

    def dimensions(self, name: str) -> int:
        """Return how many dimensions an array has."""
        return self._arrays[name].ndim

    def floats(self, name: str, *shape: int | None) -> FloatArray:
        """Return an array of doubles."""
        return self.array(name, "f", *shape).astype(np.float64, copy=False)

    def codes(self, name: str, rows: int, levels: int) -> NDArray[np.int32]:
        """Return codes into so many levels, -1 for none."""
        codes = self.array(name, "i", rows)
        if codes.size and not (int(codes.min()) >= -1 and int(codes.max()) < levels):
            raise _damaged(f"codes in {name!r} point outside of {levels} levels")
        return codes.astype(np.int32, copy=False)


def _damaged(detail: str) -> DataError:
    return DataError(f"this is not a stored design: {detail}")


def _get(data: Any, key: str, *kinds: type) -> Any:
    """Return an entry of parsed JSON that has one of these types."""
    if not isinstance(data, dict) or key not in data:
        raise _damaged(f"{key!r} is missing")
    value = data[key]
    # A bool is an int to Python.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise _damaged(f"{key!r} is {type(value).__name__}")
    return value


def _texts(data: Any, key: str, *, missing: bool = False) -> list[Any]:
    """Return an entry that is a list of texts, or of texts and nulls."""
    values: list[Any] = _get(data, key, list)
    if not all(isinstance(value, str) or (missing and value is None) for value in values):
        raise _damaged(f"{key!r} holds something other than text")
    return values


def _numbers(data: Any, key: str, *kinds: type) -> dict[str, Any]:
    """Return an entry that is an object of numbers."""
    values: dict[str, Any] = _get(data, key, dict)
    return {name: _get(values, name, *kinds) for name in values}


def decode(record: Record) -> MixedMatrices:
    """Put a design together again.

    Raises
    ------
    DataError
        If the record does not describe one.
    """
    data, reader = record.metadata, _Reader(record)
    if data.get("format") != FORMAT:
        raise _damaged("it does not say that it is one")
    if data.get("version") != VERSION:
        raise DataError(
            f"the design was stored in version {data.get('version')!r} of the layout",
            hint=f"this lme4py reads version {VERSION}",
        )
    frame = _decoded_frame(_get(data, "frame", dict), reader)
    formula = _formula(_get(data, "formula", dict))
    fixed, X = _fixed(data, reader, frame, formula)
    family = _get(data, "family", dict, type(None))
    return MixedMatrices(
        formula=formula,
        X=X,
        fixed=fixed,
        y=_response(reader, frame.rows),
        weights=reader.floats("weights", frame.rows) if reader.has("weights") else None,
        offset=reader.floats("offset", frame.rows) if reader.has("offset") else None,
        random=_random(data, reader, frame, formula),
        reml=_get(data, "reml", bool, type(None)),
        family=family and Family(_get(family, "name", str), _get(family, "link", str)),
        messages=_texts(data, "messages"),
        model_frame=frame,
        index=_decoded_index(_get(data, "index", dict, type(None)), reader, frame),
        advice=_texts(data, "advice"),
        control=_control(_get(data, "control", dict)),
    )


def _response(reader: _Reader, rows: int) -> FloatArray | None:
    if not reader.has("y"):
        return None
    if reader.dimensions("y") == 1:
        return reader.floats("y", rows)
    return np.asfortranarray(reader.floats("y", rows, None))


def _formula(data: Any) -> Formula:
    text, written = _get(data, "text", str), _get(data, "written", str)
    try:
        kept, source = Formula.parse(text), Formula.parse(written)
        # What was written, with its || expanded as then, knows where in it each bar stood.
        for candidate in (source, source.expanded("split"), source.expanded("diag")):
            if str(candidate) == str(kept):
                return candidate
        return Formula(kept.node, written)
    except Lme4pyError as error:
        raise _damaged(f"its formula is none: {error.message}") from None


def _control(data: Any) -> Control:
    known = {item.name for item in fields(Control)}
    try:
        return Control(**{name: value for name, value in data.items() if name in known})
    except (Lme4pyError, TypeError) as error:
        raise _damaged(f"its control is none: {error}") from None


def _decoded_contrast(value: Any, reader: _Reader) -> str | Matrix:
    if isinstance(value, str):
        return value
    names = _get(value, "names", list, type(None))
    array = reader.floats(_get(value, "array", str), None, None)
    if names is not None and len(_texts(value, "names")) != array.shape[1]:
        raise _damaged("a matrix of contrasts has not as many columns as names")
    return Matrix(np.asfortranarray(array), None if names is None else tuple(names), _kind(value))


def _kind(value: Any) -> Any:
    kind = _get(value, "kind", str)
    if kind not in ("logical", "integer", "double"):
        raise _damaged(f"{kind!r} is no kind of number")
    return kind


def _decoded_frame(data: Any, reader: _Reader) -> ModelFrame:
    rows = _get(data, "rows", int)
    variables = {
        _get(item, "name", str): _decoded_value(item, reader, rows)
        for item in _get(data, "variables", list)
    }
    response = _get(data, "response", str, type(None))
    offsets = tuple(_texts(data, "offset_terms"))
    for name in (*offsets, *([] if response is None else [response])):
        if name not in variables:
            raise _damaged(f"the model frame has no variable {name!r}")
    positions = None
    if reader.has("positions"):
        positions = reader.array("positions", "i", rows).astype(np.int64, copy=False)
    return ModelFrame(
        variables,
        response,
        offsets,
        rows,
        positions,
        _get(data, "omitted", int),
        {name: _span(value) for name, value in _get(data, "spans", dict).items()},
    )


def _span(value: Any) -> Span | None:
    match value:
        case None:
            return None
        case [str(text), int(start), int(end)] if 0 <= start <= end <= len(text):
            return Span(text, start, end)
        case _:
            raise _damaged("a span is none")


def _decoded_value(item: Any, reader: _Reader, rows: int) -> Value:
    array = _get(item, "array", str)
    match _get(item, "type", str):
        case "numeric":
            time = _get(item, "time", str, type(None))
            time = "secs" if time == "difftime" else time  # as older versions wrote
            if time not in (None, "Date", "POSIXct", *UNITS):
                raise _damaged(f"{time!r} is no kind of time")
            return Numeric(reader.array(array, "bif", rows), _kind(item), time)
        case "matrix":
            values = np.asfortranarray(reader.floats(array, rows, None))
            named = item.get("names") is not None
            names = tuple(_texts(item, "names")) if named else None
            if names is not None and len(names) != values.shape[1]:
                raise _damaged(f"{array!r} has not as many columns as names")
            return Matrix(values, names, _kind(item))
        case "character":
            pool = _texts(item, "pool")
            return Character(reader.codes(array, rows, len(pool)), tuple(pool))
        case "factor":
            levels = _texts(item, "levels", missing=True)
            contrasts = item.get("contrasts")
            return Factor(
                reader.codes(array, rows, len(levels)),
                tuple(levels),
                _get(item, "ordered", bool),
                None if contrasts is None else _decoded_contrast(contrasts, reader),
            )
        case other:
            raise _damaged(f"{other!r} is no type of variable")


def _decoded_index(data: Any, reader: _Reader, frame: ModelFrame) -> Any:
    if data is None:
        return None
    import pandas as pd

    name = _get(data, "name", str, type(None))
    index: Any
    match _get(data, "type", str):
        case "range":
            bounds = _get(data, "range", list)
            if len(bounds) != 3 or not all(type(bound) is int for bound in bounds) or not bounds[2]:
                raise _damaged("its row labels are none")
            start, stop, step = bounds
            index = pd.RangeIndex(start, stop, step, name=name)
        case "numbers":
            index = pd.Index(reader.array("index", "iuf", None), name=name)
        case "times":
            dtype = _get(data, "dtype", str)
            if dtype not in {f"datetime64[{unit}]" for unit in ("s", "ms", "us", "ns")}:
                raise _damaged("its row labels are none")
            index = pd.Index(reader.array("index", "i", None).astype(dtype), name=name)
        case "text":
            index = pd.Index(_texts(data, "labels"), name=name)
        case _:
            raise _damaged("its row labels are none")
    positions = frame.positions
    last = frame.rows - 1 if positions is None else int(positions.max(initial=-1))
    least = 0 if positions is None else int(positions.min(initial=0))
    if last >= len(index) or least < -1 or (positions is None and len(index) != frame.rows):
        raise _damaged("it has rows without labels")
    return index


def _fixed(
    data: Any, reader: _Reader, frame: ModelFrame, formula: Formula
) -> tuple[FixedEffects, FloatArray]:
    described = _get(data, "fixed", dict)
    names = _texts(described, "names")
    labels = _texts(described, "terms")
    X = _decoded_x(reader, frame.rows, len(names))
    assign = reader.array("assign", "i", len(names)).astype(np.int64, copy=False)
    if assign.size and not (
        assign.min() >= 0 and assign.max() <= len(labels) and (np.diff(assign) >= 0).all()
    ):
        raise _damaged("columns of X belong to terms that are not there")
    contrasts = {
        name: _decoded_contrast(value, reader)
        for name, value in _get(described, "contrasts", dict).items()
    }
    dense = _dense(X)
    fixed = FixedEffects(
        names=names,
        assign=assign,
        contrasts=contrasts,
        dropped=_numbers(described, "dropped", int),
        terms=labels,
        scales=_numbers(described, "scales", float),
        centers=_numbers(described, "centers", float),
        plan=Plan.given(dense, tuple(names), tuple(assign.tolist())),
    )
    known = _plan_of_x(formula, frame, fixed, dense)
    return fixed if known is None else replace(fixed, plan=known), X


def _dense(X: Any) -> FloatArray:
    dense: FloatArray = X if isinstance(X, np.ndarray) else X.toarray(order="F")
    return dense


def _decoded_x(reader: _Reader, rows: int, columns: int) -> FloatArray:
    if reader.has("X"):
        return np.asfortranarray(reader.floats("X", rows, columns))
    X: Any = _decoded_sparse(reader, "X", (rows, columns))
    return X  # type: ignore[no-any-return]


def _decoded_sparse(reader: _Reader, name: str, shape: tuple[int, int]) -> Any:
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
        raise _damaged(f"the indices of {name} do not fit its shape")
    return csc_array((values, indices, pointers), shape=shape)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The frame as one bar sees it: the columns that its group names are factors."""

    factors: Factors
    grouping: frozenset[str]

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        return self.factors.frame.names

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""
        return self.factors.get(name) if name in self.grouping else self.factors.frame.get(name)


def _plan_of_x(
    formula: Formula, frame: ModelFrame, fixed: FixedEffects, X: FloatArray
) -> Plan | None:
    """Return how X is made of the frame's variables; None where that cannot be told."""
    found = _planned(formula.nobars().node, frame, frame, fixed.contrasts)
    if found is None:
        return None
    changed = bool(fixed.scales or fixed.centers)
    numbers = iter(range(len(found.names)))
    for k, name in enumerate(fixed.names):
        # Columns that depend on others were dropped; the others are in order.
        same = (
            changed or np.array_equal(found.column(number), X[:, k], equal_nan=True)
            for number in numbers
            if found.names[number] == name
        )
        if not any(same):
            return None
    return found


def _planned(
    node: Node, frame: ModelFrame, seen: Frame, contrasts: Mapping[str, Any] | None
) -> Plan | None:
    try:
        return plan(terms(node, frame.names), seen, frame.rows, Collation("icu"), contrasts)
    except Lme4pyError:
        return None


def _random(data: Any, reader: _Reader, frame: ModelFrame, formula: Formula) -> RandomEffects:
    described = _get(data, "random", list)
    order = reader.array("order", "i", len(described)).astype(np.int64, copy=False)
    bars = formula.bars
    if not described or sorted(order.tolist()) != list(range(len(bars))):
        raise _damaged("its random terms are not those of its formula")
    sizes = [len(_texts(item, "levels")) * len(_texts(item, "columns")) for item in described]
    Zt = _decoded_sparse(reader, "Zt", (sum(sizes), frame.rows))
    factors = Factors(frame, Collation("icu"))
    found: list[RandomTerm | None] = [None] * len(bars)
    begin = 0
    for k, (item, size) in enumerate(zip(described, sizes, strict=True)):
        levels = _texts(item, "levels")
        codes = reader.codes(f"codes_{k}", frame.rows, len(levels))
        group = Factor(codes, tuple(levels), _get(item, "ordered", bool))
        bar = bars[order[k]]
        columns = tuple(_texts(item, "columns"))
        block = _effects(Zt[begin : begin + size, :], len(columns), frame.rows)
        begin += size
        columns_of_bar = _plan_of_bar(bar, factors, frame, columns, block, codes)
        found[order[k]] = RandomTerm(bar, group, columns_of_bar)
    random = random_effects([term for term in found if term is not None], frame.rows)
    _check_equal(random, reader, order, Zt)
    return random


def _effects(Zt: Any, columns: int, rows: int) -> FloatArray:
    """Return the dense left side of a bar from its rows of Zt."""
    values = np.zeros((rows, columns), order="F")
    entries = Zt.tocoo()
    values[entries.col, entries.row % max(columns, 1)] = entries.data
    return values


def _plan_of_bar(
    bar: Bar,
    factors: Factors,
    frame: ModelFrame,
    names: tuple[str, ...],
    block: FloatArray,
    codes: NDArray[np.int32],
) -> Plan:
    """Return how a bar's columns are made of the frame's variables, or that they are given."""
    seen = _Seen(factors, frozenset(symbol.name for symbol in symbols(bar.group)))
    found = _planned(call("~", bar.effects, span=bar.effects.span), frame, seen, None)
    if found is not None and found.names == names:
        values = np.empty_like(block)
        found.fill(values)
        # Rows without a level have no entry in Zt.
        known = codes >= 0
        if np.array_equal(values[known], block[known], equal_nan=True):
            return found
    return Plan.given(block, names, (0,) * len(names))


def _check_equal(random: RandomEffects, reader: _Reader, order: Any, Zt: Any) -> None:
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
        raise _damaged("Zt and theta are not those of its random terms")
