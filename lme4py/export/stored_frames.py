"""The model frame and the labels of its rows, decoded."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.errors import Span
from lme4py.export.record import damaged
from lme4py.export.stored_reader import Reader, entry, kind_of, texts
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import UNITS, Character, Factor, Matrix, Numeric, Value

__all__ = ["decoded_contrast", "decoded_frame", "decoded_index"]


def decoded_contrast(value: Any, reader: Reader) -> str | Matrix:
    """Return the name or the matrix of a factor's contrasts."""
    if isinstance(value, str):
        return value
    names = entry(value, "names", list, type(None))
    array = reader.floats(entry(value, "array", str), None, None)
    if names is not None and len(texts(value, "names")) != array.shape[1]:
        raise damaged("a matrix of contrasts has not as many columns as names")
    return Matrix(np.asfortranarray(array), None if names is None else tuple(names), kind_of(value))


def decoded_frame(data: Any, reader: Reader) -> ModelFrame:
    """Return the model frame."""
    rows = entry(data, "rows", int)
    variables = {
        entry(item, "name", str): _decoded_value(item, reader, rows)
        for item in entry(data, "variables", list)
    }
    response = entry(data, "response", str, type(None))
    offsets = tuple(texts(data, "offset_terms"))
    for name in (*offsets, *([] if response is None else [response])):
        if name not in variables:
            raise damaged(f"the model frame has no variable {name!r}")
    positions = None
    if reader.has("positions"):
        positions = reader.array("positions", "i", rows).astype(np.int64, copy=False)
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


def _decoded_value(item: Any, reader: Reader, rows: int) -> Value:
    array = entry(item, "array", str)
    match entry(item, "type", str):
        case "numeric":
            time = entry(item, "time", str, type(None))
            time = "secs" if time == "difftime" else time  # as older versions wrote
            if time not in (None, "Date", "POSIXct", *UNITS):
                raise damaged(f"{time!r} is no kind of time")
            return Numeric(reader.array(array, "bif", rows), kind_of(item), time)
        case "matrix":
            values = np.asfortranarray(reader.floats(array, rows, None))
            named = item.get("names") is not None
            names = tuple(texts(item, "names")) if named else None
            if names is not None and len(names) != values.shape[1]:
                raise damaged(f"{array!r} has not as many columns as names")
            return Matrix(values, names, kind_of(item))
        case "character":
            pool = texts(item, "pool")
            return Character(reader.codes(array, rows, len(pool)), tuple(pool))
        case "factor":
            levels = texts(item, "levels", missing=True)
            contrasts = item.get("contrasts")
            return Factor(
                reader.codes(array, rows, len(levels)),
                tuple(levels),
                entry(item, "ordered", bool),
                None if contrasts is None else decoded_contrast(contrasts, reader),
            )
        case other:
            raise damaged(f"{other!r} is no type of variable")


def decoded_index(data: Any, reader: Reader, frame: ModelFrame) -> Any:
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
            index = pd.Index(reader.array("index", "iuf", None), name=name)
        case "times":
            dtype = entry(data, "dtype", str)
            if dtype not in {f"datetime64[{unit}]" for unit in ("s", "ms", "us", "ns")}:
                raise damaged("its row labels are none")
            index = pd.Index(reader.array("index", "i", None).astype(dtype), name=name)
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
