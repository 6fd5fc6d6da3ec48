"""R's values with their attributes: vectors become factors, lists data frames, calls syntax trees.

And back: a value of ours as the vector with attributes that R has in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from lme4py.data.values import UNITS, Character, Factor, Matrix, Numeric, Time, Value, length
from lme4py.errors import DataError, FormulaError
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Text, call
from lme4py.rfiles.rvalues import (
    Kind,
    RFrame,
    RLanguage,
    RList,
    RSlots,
    RSparse,
    RUnread,
    RVector,
    character,
    coding_of,
    integers,
    texts,
)

MISSING = RUnread("missing argument")

_MOST_ROWS = 2**21
"""Rows that a data frame without columns may claim."""


def dressed(vector: RVector, attributes: Mapping[str, Any]) -> RVector | Factor:
    """Return a vector with its attributes: a factor, a matrix, or a vector still.

    Raises
    ------
    DataError
        If codes of a factor have no level, or its levels repeat.
    """
    own = dict(attributes)
    classes = texts(own.get("class"))
    if "factor" in classes:
        codes, levels = np.nan_to_num(vector.values).astype(np.int64) - 1, texts(own.get("levels"))
        if codes.size and not -1 <= codes.min() <= codes.max() < max(len(levels), 1):
            raise DataError("a factor in it has codes without a level")
        if len(set(levels)) < len(levels):
            raise DataError("a factor in it has levels that repeat")
        contrasts = coding_of(own.get("contrasts"))
        return Factor(codes.astype(np.int32), levels, "ordered" in classes, contrasts)
    if "dim" in own:
        extents = tuple(int(extent) for extent in own.pop("dim").values)
        rows, columns = _dimnames(own.pop("dimnames", None))
        values = vector.values.reshape(extents, order="F")
        return RVector(values, vector.kind, rows, own, columns)
    return RVector(vector.values, vector.kind, _names(own.pop("names", None)), own)


def dressed_list(items: tuple[Any, ...], attributes: Mapping[str, Any]) -> RList | RFrame:
    """Return a list, or the data frame it is.

    Raises
    ------
    DataError
        If it has other names than elements, or columns of different lengths.
    """
    own = dict(attributes)
    names = _names(own.pop("names", None))
    if names is not None and len(names) != len(items):
        raise DataError("a list in it has more names than elements, or fewer")
    if "data.frame" not in texts(own.get("class")):
        return RList(items, names, own)
    lengths = {
        length(column) if isinstance(column, Factor) else len(getattr(column, "values", column))
        for column in items
    }
    row_names = _row_names(own.pop("row.names", None), lengths)
    return RFrame(dict(zip(names or (), map(own_value, items), strict=True)), row_names, own)


def _row_names(value: Any, lengths: set[int]) -> tuple[str, ...]:
    """Return the row names of columns of these lengths; 1, 2, ... stand in short as NA and -n."""
    if len(lengths) > 1:
        raise DataError("the columns of a data frame in it differ in length")
    if not isinstance(value, RVector):
        return ()
    short = value.kind == "integer" and len(value) == 2 and bool(np.isnan(value.values[0]))
    count = abs(int(value.values[1])) if short else len(value)
    if (lengths and lengths != {count}) or (short and not lengths and count > _MOST_ROWS):
        raise DataError("the columns of a data frame in it differ in length from its row names")
    return tuple(map(str, range(1, count + 1) if short else value.values))


def formal(slots: dict[str, Any]) -> RSparse | RSlots:
    """Return an S4 object: a sparse matrix, or its slots.

    Raises
    ------
    DataError
        If the slots of a sparse matrix do not fit together.
    """
    kind = slots.pop("class", None)
    name = str((*texts(kind), "")[0])
    if name != "dgCMatrix":
        package = texts(kind.attributes.get("package")) if isinstance(kind, RVector) else ()
        return RSlots(name, slots, str((*package, "")[0]))
    rows, columns = (int(extent) for extent in slots["Dim"].values)
    values, indices, pointers = (slots[slot].values for slot in "xip")
    whole = indices.dtype.kind == pointers.dtype.kind == "i"
    if not whole or pointers.size != columns + 1 or values.size != indices.size:
        raise DataError("the slots of a sparse matrix in it do not fit together")
    matrix = sparse.csc_array((values, indices, pointers), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return RSparse(matrix, *_dimnames(slots.get("Dimnames")))


def _dimnames(value: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(value, RList) or len(value) != 2:
        return None, None
    return _names(value[0]), _names(value[1])


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, RVector):
        return None
    return tuple("" if name is None else str(name) for name in value.values)


def own_value(value: Any) -> Any:
    """Return a vector or matrix as the value formulas are computed from, all else as it is."""
    match value:
        case RVector() if value.is_matrix:
            return coding_of(value) or value
        case RVector(kind="character"):
            import pandas as pd

            codes, pool = pd.factorize(value.values)
            return Character(codes.astype(np.int32), tuple(pool))
        case RVector(kind="logical" | "integer" | "double" as kind):
            own, classes = value.attributes, value.classes
            zone, unit = (texts(own.get(name))[:1] for name in ("tzone", "units"))
            time: Time | None = None
            if "difftime" in classes:
                time = unit[0] if unit and unit[0] in UNITS else "secs"
            if "POSIXct" in classes:
                time = " ".join(["POSIXct", *filter(None, zone)])
            if "Date" in classes:
                time = "Date"
            if time is not None:
                return Numeric(value.as_float(), "double", time)
            whole = value.values.dtype == np.int32
            return Numeric(value.values.astype(np.int64) if whole else value.values, kind)
        case _:
            return value


def as_r(value: Value) -> RVector:
    """Return what R has in the place of a value: `own_value` makes it of that again."""
    match value:
        case Factor(contrasts=contrasts):
            classes = ["ordered", "factor"] if value.ordered else ["factor"]
            own: dict[str, Any] = {"levels": character(value.levels), "class": character(classes)}
            if contrasts is not None:
                own["contrasts"] = (
                    character([contrasts]) if isinstance(contrasts, str) else contrasts
                )
            codes = np.where(value.codes < 0, np.nan, value.codes + 1.0)
            return replace(integers(codes), attributes=own)
        case Character():
            return RVector(value.texts(), "character")
        case Matrix():
            return RVector(value.values, "double", column_names=value.names)
        case Numeric(kind="double", time=time):
            unit, *zone = (time or "").split(" ")[:2]
            known = {"": [], "Date": ["Date"], "POSIXct": ["POSIXct", "POSIXt"]}
            classes = known.get(unit, ["difftime"])
            units = [unit] if classes == ["difftime"] else []
            further = {"class": classes, "tzone": zone, "units": units}
            own = {name: character(items) for name, items in further.items() if items}
            return RVector(value.as_float(), "double", None, own)
        case Numeric(kind="integer"):
            return integers(value.values)
        case Numeric():
            return RVector(value.values, "logical")
        case _:
            raise DataError(f"a {type(value).__name__} cannot be written into R's file")


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
        case RVector(names=None) if not (
            value.attributes or value.is_matrix or value.kind == "complex"
        ):
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
