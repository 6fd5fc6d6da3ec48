"""R's values written in R's serialization format, as ``unserialize`` reads it.

In the portable XDR encoding, version 3. Every item is an integer of type and flags, its
contents, and a pairlist of its attributes. Numbers are written in binary, so R gets the same
doubles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.errors import DataError
from lme4py.formula.syntax import Call, Node, Symbol
from lme4py.rfiles.attributes import as_r
from lme4py.rfiles.encodings import NA_INTEGER
from lme4py.rfiles.language import constant_of
from lme4py.rfiles.rvalues import (
    RFrame,
    RLanguage,
    RList,
    RMatrix,
    RSlots,
    RSparse,
    RUnread,
    RVector,
    character,
    integers,
    whole_names,
)

__all__ = ["serialize"]

_SYMBOL, _PAIRS, _CALL, _STRING, _LIST, _S4 = 1, 2, 6, 9, 19, 25
_VECTORS = {"logical": 10, "integer": 13, "double": 14, "complex": 15, "character": 16}
_NULL, _GLOBAL, _MISSING = (struct.pack(">i", code) for code in (254, 253, 251))
_OBJECT, _ATTRIBUTES, _TAG = 1 << 8, 1 << 9, 1 << 10
_LEVELS = 12
_S4_BIT, _UTF8, _ASCII = 1 << 4, 1 << 3, 1 << 6
_LONGEST = 2**31 - 1


def serialize(value: Any) -> bytes:
    r"""Return a value as R's ``serialize`` writes it, version 3.

    Parameters
    ----------
    value : None, RVector, RMatrix, RFrame, RList, RSparse, RSlots, RLanguage or RUnread
        Or a `Numeric`, `Character`, `Factor` or `Matrix`. Of `RUnread`, only an environment can
        be written: it is R's global one then.

    Raises
    ------
    DataError
        For a whole number that R's 32 bits do not hold, or a value that cannot be written.

    Examples
    --------
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
        case RVector():
            names = {} if value.names is None else {"names": character(value.names)}
            return _vector(value, names | dict(value.attributes))
        case RMatrix():
            cells = RVector(value.values.ravel(order="F"), value.kind)
            return _vector(cells, _dimensions(value) | dict(value.attributes))
        case Numeric() | Character() | Factor() | Matrix():
            return _item(as_r(value))
        case RFrame():
            return _frame(value)
        case RList():
            names = {} if value.names is None else {"names": character(value.names)}
            return _list(value.items, names | dict(value.attributes))
        case RSparse():
            return _formal(_slots(value), "dgCMatrix", "Matrix")
        case RSlots():
            return _formal(value.slots, value.name, value.package)
        case RLanguage(node=node) if node is not None:
            return _language(node, value.attributes)
        case RUnread(kind="environment"):
            return _GLOBAL
        case _:
            raise DataError(f"a {type(value).__name__} cannot be written into R's file")


def _head(kind: int, attributes: Mapping[str, Any], levels: int = 0) -> bytes:
    flags = kind | levels << _LEVELS
    if attributes:
        flags |= _ATTRIBUTES
    if "class" in attributes:
        flags |= _OBJECT
    return struct.pack(">i", flags)


def _length(count: int) -> bytes:
    if count <= _LONGEST:
        return struct.pack(">i", count)
    return struct.pack(">iII", -1, count >> 32, count & 0xFFFFFFFF)


def _string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">ii", _STRING, -1)
    content = text.encode()
    flag = _ASCII if text.isascii() else _UTF8
    return struct.pack(">ii", _STRING | flag << _LEVELS, len(content)) + content


def _symbol(name: str) -> bytes:
    return struct.pack(">i", _SYMBOL) + _string(name)


def _pairs(cells: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a pairlist of written items, each with its name or none."""
    written = [
        struct.pack(">i", _PAIRS | (_TAG if name else 0)) + (_symbol(name) if name else b"") + item
        for name, item in cells
    ]
    return b"".join(written) + _NULL


def _tail(attributes: Mapping[str, Any]) -> bytes:
    """Return the pairlist that follows an item with attributes; nothing without any."""
    if not attributes:
        return b""
    return _pairs((name, _item(value)) for name, value in attributes.items())


def _vector(vector: RVector, attributes: Mapping[str, Any]) -> bytes:
    match vector.kind:
        case "character":
            content = b"".join(map(_string, vector.values))
        case "logical" | "integer":
            numbers = vector.values
            known = numbers if numbers.dtype.kind != "f" else np.nan_to_num(numbers, nan=NA_INTEGER)
            content = known.astype(">i4").tobytes()
        case "double":
            content = vector.values.astype(">f8").tobytes()
        case _:
            content = vector.values.astype(">c16").tobytes()
    head = _head(_VECTORS[vector.kind], attributes)
    return head + _length(len(vector)) + content + _tail(attributes)


def _dimensions(matrix: RMatrix) -> dict[str, Any]:
    own: dict[str, Any] = {"dim": integers(np.array(matrix.values.shape))}
    if matrix.row_names is not None or matrix.column_names is not None:
        own["dimnames"] = _dimnames(matrix)
    return own


def _dimnames(matrix: RMatrix | RSparse) -> RList:
    given = (matrix.row_names, matrix.column_names)
    return RList(tuple(None if names is None else character(names) for names in given))


def _list(items: Sequence[Any], attributes: Mapping[str, Any]) -> bytes:
    content = b"".join(map(_item, items))
    return _head(_LIST, attributes) + _length(len(items)) + content + _tail(attributes)


def _frame(frame: RFrame) -> bytes:
    if frame.numbered:
        # R's compact form of 1 .. n.
        rows = integers(np.array([np.nan, -len(frame)]))
    else:
        numbers = whole_names(frame.row_names)
        rows = character(frame.row_names) if numbers is None else integers(np.array(numbers))
    own = {"names": character(list(frame.columns)), "row.names": rows}
    return _list(list(frame.columns.values()), own | dict(frame.attributes))


def _slots(matrix: RSparse) -> dict[str, Any]:
    found = matrix.matrix
    return {
        "i": integers(found.indices),
        "p": integers(found.indptr),
        "Dim": integers(np.array(found.shape)),
        "Dimnames": _dimnames(matrix),
        "x": RVector(found.data, "double"),
        "factors": RList(()),
    }


def _formal(slots: Mapping[str, Any], name: str, package: str) -> bytes:
    own = {"package": character([package])} if package else {}
    kind = RVector(character([name]).values, "character", attributes=own)
    whole = {**slots, "class": kind}
    return _head(_S4, whole, _S4_BIT) + _tail(whole)


def _language(node: Node, attributes: Mapping[str, Any]) -> bytes:
    match node:
        case Symbol(name=name):
            return _symbol(name)
        case Call():
            arguments = [
                (item.name or "", _MISSING if item.value is None else _language(item.value, {}))
                for item in node.arguments
            ]
            inside = _language(node.function, {}) + _pairs(arguments)
            # Of a call, unlike of vectors, the attributes come first.
            return _head(_CALL, attributes) + _tail(attributes) + inside
        case _:
            return _item(constant_of(node))
