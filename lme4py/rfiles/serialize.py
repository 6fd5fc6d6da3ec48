"""R's values written in R's serialization format, as ``unserialize`` reads it.

In the portable XDR encoding, version 3. Every item is an integer of type and flags, its
contents, and a pairlist of its attributes. Numbers are written in binary, so R gets the same
doubles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.data.values import Character, Factor, Matrix, Numeric, Value
from lme4py.errors import DataError
from lme4py.formula.syntax import Call, Constant, Number, Symbol, Text
from lme4py.frame.evaluate import CONSTANTS
from lme4py.rfiles.encodings import ATTRIBUTES, LEVELS, OBJECT, TAG, UTF8, VECTORS
from lme4py.rfiles.rvalues import (
    MISSING,
    NA_INTEGER,
    RFrame,
    RLanguage,
    RList,
    RSlots,
    RSparse,
    RUnread,
    RVector,
    character,
    integers,
)

_SYMBOL, _PAIRS, _CALL, _STRING, _LIST, _S4 = 1, 2, 6, 9, 19, 25
_NUMBERS = {"logical": ">i4", "integer": ">i4", "double": ">f8", "complex": ">c16", "raw": "u1"}
_NULL, _GLOBAL, _ABSENT = (struct.pack(">i", code) for code in (254, 253, 251))
_S4_BIT, _ASCII = 1 << 4, 1 << 6
_LONGEST = 2**31 - 1


def serialize(value: Any) -> bytes:
    r"""Return a value, of R's or of those of formulas, as R's ``serialize`` writes it, version 3.

    An environment becomes R's global one. `DataError` tells of a value that cannot be written.

    >>> from lme4py.rfiles.unserialize import unserialize
    >>> unserialize(serialize(character(["a", None]))).texts()
    ['a', None]
    """
    header = b"X\n" + struct.pack(">iii", 3, 0x40202, 0x30500) + struct.pack(">i", 5) + b"UTF-8"
    return header + _item(value)


def _item(value: Any) -> bytes:
    match value:
        case None:
            return _NULL
        case Numeric() | Character() | Factor() | Matrix():
            return _item(as_r(value))
        case RVector(values=cells) if value.is_matrix:
            own: dict[str, Any] = {"dim": integers(np.array(cells.shape))}
            if value.names is not None or value.column_names is not None:
                own["dimnames"] = _dimnames(value.names, value.column_names)
            own |= value.attributes
            return _item(RVector(cells.ravel(order="F"), value.kind, None, own))
        case RVector():
            content = _length(len(value)) + _elements(value)
            return _object(VECTORS[value.kind], content, _named(value.names, value.attributes))
        case RList():
            content = _length(len(value)) + b"".join(map(_item, value))
            return _object(_LIST, content, _named(value.names, value.attributes))
        case RFrame(columns=columns):
            own = {"row.names": _row_names(value)} | dict(value.attributes)
            return _item(RList(tuple(columns.values()), tuple(columns), own))
        case RSparse(matrix=matrix):
            slots = {
                "i": integers(matrix.indices),
                "p": integers(matrix.indptr),
                "Dim": integers(np.array(matrix.shape)),
                "Dimnames": _dimnames(value.row_names, value.column_names),
                "x": RVector(matrix.data, "double"),
                "factors": RList(()),
            }
            return _item(RSlots("dgCMatrix", slots, "Matrix"))
        case RSlots():
            own = {"package": character([value.package])} if value.package else {}
            kind = RVector(character([value.name]).values, "character", attributes=own)
            return _object(_S4, b"", {**value.slots, "class": kind}, _S4_BIT)
        case RLanguage(node=Symbol(name=name)):
            return _symbol(name)
        case RLanguage(node=Call() as call, attributes=attributes):
            arguments = [
                (item.name or "", MISSING if item.value is None else RLanguage(item.value))
                for item in call.arguments
            ]
            inside = _item(RLanguage(call.function)) + _pairs(arguments)
            # Of a call, unlike of vectors, the attributes come first.
            return _object(_CALL, b"", attributes) + inside
        case RLanguage(node=Constant(name=name)):
            return _NULL if name == "NULL" else _item(CONSTANTS[name])
        case RLanguage(node=Text(value=text)):
            return _item(character([text]))
        case RLanguage(node=Number(value=number, integer=integer)):
            cells = np.array([number])
            plain = RVector(cells, "complex" if isinstance(number, complex) else "double")
            return _item(integers(cells) if integer else plain)
        case RUnread(kind="environment"):
            return _GLOBAL
        case _ if value is MISSING:
            return _ABSENT
        case _:
            raise DataError(f"a {type(value).__name__} cannot be written into R's file")


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


def _named(names: tuple[str, ...] | None, others: Mapping[str, Any]) -> Mapping[str, Any]:
    return others if names is None else {"names": character(names), **others}


def _object(kind: int, content: bytes, attributes: Mapping[str, Any], levels: int = 0) -> bytes:
    """Return an item: its type with flags, its content, and the pairlist of its attributes."""
    flags = kind | levels << LEVELS
    flags |= (ATTRIBUTES if attributes else 0) | (OBJECT if "class" in attributes else 0)
    tail = _pairs(attributes.items()) if attributes else b""
    return struct.pack(">i", flags) + content + tail


def _pairs(cells: Iterable[tuple[str, Any]]) -> bytes:
    """Return a pairlist of values, each with its name or none."""
    written = [
        struct.pack(">i", _PAIRS | (TAG if name else 0))
        + (_symbol(name) if name else b"")
        + _item(value)
        for name, value in cells
    ]
    return b"".join(written) + _NULL


def _length(count: int) -> bytes:
    if count <= _LONGEST:
        return struct.pack(">i", count)
    return struct.pack(">iII", -1, count >> 32, count & 0xFFFFFFFF)


def _elements(vector: RVector) -> bytes:
    if vector.kind == "character":
        return b"".join(map(_string, vector.values))
    numbers, written = vector.values, _NUMBERS[vector.kind]
    if written == ">i4" and numbers.dtype.kind == "f":
        numbers = np.nan_to_num(numbers, nan=NA_INTEGER)
    return numbers.astype(written).tobytes()


def _string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">ii", _STRING, -1)
    content = text.encode()
    flag = _ASCII if text.isascii() else UTF8
    return struct.pack(">ii", _STRING | flag << LEVELS, len(content)) + content


def _symbol(name: str) -> bytes:
    return struct.pack(">i", _SYMBOL) + _string(name)


def _dimnames(*given: tuple[str, ...] | None) -> RList:
    return RList(tuple(None if names is None else character(names) for names in given))


def _row_names(frame: RFrame) -> RVector:
    numbers = frame.row_numbers()
    if numbers is None:
        return character(frame.row_names)
    # 1 .. n has a compact form.
    return integers(np.array([np.nan, -len(frame)] if isinstance(numbers, range) else numbers))
