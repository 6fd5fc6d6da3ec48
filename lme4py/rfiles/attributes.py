"""R's values with their attributes: vectors become factors and matrices, lists data frames.

And back: a value of ours as the vector with attributes that R has in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import (
    UNITS,
    Character,
    Factor,
    Matrix,
    Numeric,
    Time,
    Value,
    length,
    time_class,
)
from lme4py.errors import DataError
from lme4py.rfiles.encodings import NA_INTEGER
from lme4py.rfiles.rvalues import (
    Kind,
    RFrame,
    RList,
    RMatrix,
    RSlots,
    RSparse,
    RVector,
    character,
    coding_of,
    integers,
    texts,
)

__all__ = ["as_r", "dressed", "dressed_list", "formal", "own_value", "whole_numbers"]

_MOST_ROWS = 2**21
"""Rows that a data frame without columns may claim."""


def whole_numbers(values: NDArray[np.int32], kind: Kind) -> RVector:
    """Return a vector of integers or logicals, R's NA among them."""
    absent = values == NA_INTEGER
    if absent.any():
        return RVector(np.where(absent, np.nan, values), kind)
    return RVector(values.astype(np.bool_) if kind == "logical" else values, kind)


def dressed(vector: RVector, attributes: Mapping[str, Any]) -> RVector | RMatrix | Factor:
    """Return a vector with its attributes: a factor, a matrix, or a vector still."""
    if not attributes:
        return vector
    classes = texts(attributes.get("class"))
    if "factor" in classes:
        return _factor(vector, attributes)
    if "dim" in attributes:
        return _matrix(vector, attributes)
    names = _names(attributes.get("names"))
    return RVector(vector.values, vector.kind, names, _others(attributes, "names"))


def _others(attributes: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in taken}


def dressed_list(items: tuple[Any, ...], attributes: Mapping[str, Any]) -> RList | RFrame:
    """Return a list, or the data frame it is."""
    names = _names(attributes.get("names"))
    others = _others(attributes, "names")
    if names is not None and len(names) != len(items):
        raise DataError("a list in it has more names than elements, or fewer")
    if "data.frame" not in texts(attributes.get("class")):
        return RList(items, names, others)
    row_names = _row_names(others.pop("row.names", None), _rows(items))
    return RFrame(dict(zip(names or (), map(own_value, items), strict=True)), row_names, others)


def formal(slots: dict[str, Any]) -> RSparse | RSlots:
    """Return an S4 object: a sparse matrix, or its slots."""
    kind = slots.get("class")
    name = str((*texts(kind), "")[0])
    if name != "dgCMatrix":
        package = texts(kind.attributes.get("package")) if isinstance(kind, RVector) else ()
        return RSlots(name, _others(slots, "class"), str((*package, "")[0]))
    rows, columns = (int(extent) for extent in slots["Dim"].values)
    values, indices, pointers = (slots[slot].values for slot in "xip")
    if pointers.size != columns + 1 or values.size != indices.size:
        raise DataError("the slots of a sparse matrix in it do not fit together")
    matrix = sparse.csc_array((values, indices, pointers), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return RSparse(matrix, *_dimnames(slots.get("Dimnames")))


def _factor(vector: RVector, attributes: Mapping[str, Any]) -> Factor:
    codes = np.nan_to_num(vector.values).astype(np.int64) - 1
    known = texts(attributes.get("levels"))
    if codes.size and not -1 <= codes.min() <= codes.max() < max(len(known), 1):
        raise DataError("a factor in it has codes without a level")
    if len(set(known)) < len(known):
        raise DataError("a factor in it has levels that repeat")
    ordered = "ordered" in texts(attributes["class"])
    contrasts = coding_of(attributes.get("contrasts"))
    return Factor(codes.astype(np.int32), known, ordered, contrasts)


def _matrix(vector: RVector, attributes: Mapping[str, Any]) -> RMatrix:
    extents = tuple(int(extent) for extent in attributes["dim"].values)
    return RMatrix(
        vector.values.reshape(extents, order="F"),
        vector.kind,
        *_dimnames(attributes.get("dimnames")),
        _others(attributes, "dim", "dimnames"),
    )


def own_value(value: Any) -> Any:
    """Return a vector or matrix as the value formulas are computed from, all else as it is."""
    match value:
        case RMatrix():
            return coding_of(value) or value
        case RVector(kind="character"):
            import pandas as pd

            codes, pool = pd.factorize(value.values)
            return Character(codes.astype(np.int32), tuple(pool))
        case RVector(kind="logical" | "integer" | "double" as kind):
            time = _time_of(value)
            if time is not None:
                return Numeric(value.as_float(), "double", time)
            whole = value.values.dtype == np.int32
            return Numeric(value.values.astype(np.int64) if whole else value.values, kind)
        case _:
            return value


def as_r(value: Value) -> RVector | RMatrix:
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
            return RMatrix(value.values, "double", None, value.names)
        case Numeric(kind="double"):
            return RVector(value.as_float(), "double", None, _class_of_times(value.time))
        case Numeric(kind="integer"):
            return integers(value.values)
        case Numeric():
            return RVector(value.values, "logical")
        case _:
            raise DataError(f"a {type(value).__name__} cannot be written into R's file")


def _time_of(vector: RVector) -> Time | None:
    """Return R's class of times, and the zone or unit, as `Numeric` has them."""
    classes = vector.classes
    if "Date" in classes:
        return "Date"
    if "POSIXct" in classes:
        return " ".join(["POSIXct", *filter(None, texts(vector.attributes.get("tzone"))[:1])])
    if "difftime" in classes:
        unit = (*texts(vector.attributes.get("units")), "secs")[0]
        return unit if unit in UNITS else "secs"
    return None


def _class_of_times(time: Time | None) -> dict[str, RVector]:
    """Return the attributes that make numbers R's dates, date-times or time differences."""
    match time_class(time):
        case None:
            return {}
        case "Date":
            return {"class": character(["Date"])}
        case "POSIXct":
            zone = str(time).split(" ")[1:2]
            known = {"tzone": character(zone)} if zone else {}
            return {"class": character(["POSIXct", "POSIXt"]), **known}
        case unit:
            return {"class": character(["difftime"]), "units": character([unit])}


def _rows(columns: tuple[Any, ...]) -> int | None:
    """Return the number of rows that all columns have, None without columns."""
    lengths = {
        length(column) if isinstance(column, Factor) else len(getattr(column, "values", column))
        for column in columns
    }
    if len(lengths) > 1:
        raise DataError("the columns of a data frame in it differ in length")
    return next(iter(lengths), None)


def _row_names(value: Any, rows: int | None) -> tuple[str, ...]:
    """Return the row names; R has 1, 2, ... in short, as NA and -n."""
    if not isinstance(value, RVector):
        return ()
    short = value.kind == "integer" and len(value) == 2 and bool(np.isnan(value.values[0]))
    count = abs(int(value.values[1])) if short else len(value)
    if rows not in (None, count) or (short and rows is None and count > _MOST_ROWS):
        raise DataError("the columns of a data frame in it differ in length from its row names")
    return tuple(map(str, range(1, count + 1) if short else value.values))


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, RVector):
        return None
    return tuple("" if name is None else str(name) for name in value.values)


def _dimnames(value: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(value, RList) or len(value) != 2:
        return None, None
    return _names(value[0]), _names(value[1])
