"""R's own files: what ``saveRDS`` wrote, as typed Python values.

The reader is ours, because a model frame holds what general converters stumble over
(matrix columns, formulas with the environment of the function that made them, contrast
attributes that are functions), and because a file is somebody else's: see
`lme4py.rfiles` for the bounds. Environments and functions are read over.
"""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.argument_types import path_of
from lme4py.errors import DataError, FormulaError
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text, call
from lme4py.rfiles.encodings import NA_INTEGER
from lme4py.rfiles.item import Item
from lme4py.rfiles.rvalues import (
    Kind,
    RFactor,
    RFrame,
    RLanguage,
    RList,
    RMatrix,
    RSlots,
    RSparse,
    RUnread,
    RVector,
    texts,
)
from lme4py.rfiles.unserialize import parse

__all__ = ["read_rds"]

_DAMAGE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What an object raises whose parts do not fit together."""

_SMALL = 2**27
_RATIO = 100
"""A file may unpack to 128 MiB, and beyond that to 100 times its size (R's: 2 to 30 times)."""


def read_rds(path: str | os.PathLike[str]) -> Any:
    """Read what R's ``saveRDS`` wrote.

    Parameters
    ----------
    path : path-like
        Compressed by gzip, bzip2 or xz, or not at all; binary or ``ascii = TRUE``.

    Returns
    -------
    object
        None for NULL, `RVector`, `RMatrix`, `RFactor`, `RFrame`, `RList`, `RSparse`
        for a dgCMatrix, `RSlots` for other S4 objects, `RLanguage` for formulas and
        calls, `RUnread` for environments and functions.

    Raises
    ------
    DataError
        If the file is missing, damaged, not R's, or unpacks to an absurd size.
    """
    path = path_of(path)
    try:
        content = Path(path).read_bytes()
    except OSError as fault:
        raise DataError(f"cannot read {path}: {fault.strerror}") from fault
    try:
        return _value(parse(_unpacked(content)))
    except DataError as fault:
        raise DataError(f"{path} is not a file written by R's saveRDS: {fault.message}") from fault
    except RecursionError:
        raise DataError(
            f"{path} is not a file written by R's saveRDS: its objects are nested too deeply"
        ) from None
    except _DAMAGE as fault:
        raise DataError(
            f"{path} is not a file written by R's saveRDS: the parts of an object in it do not "
            f"fit together ({fault})"
        ) from fault


class _Unpacker(Protocol):
    """What zlib's, bz2's and lzma's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most so many bytes."""


_UNPACKERS: Mapping[bytes, Callable[[], _Unpacker]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
}


def _unpacked(content: bytes) -> bytes:
    """Return the stream in a file, of a size in proportion to the file's."""
    found = [_UNPACKERS[magic] for magic in _UNPACKERS if content.startswith(magic)]
    if not found:
        return content
    most = max(_SMALL, _RATIO * len(content))
    working = found[0]()
    try:
        stream = working.decompress(content, most)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as fault:
        raise DataError(f"it is damaged ({fault})") from fault
    if not working.eof:
        if len(stream) >= most:
            raise DataError(f"it unpacks to more than {most} bytes")
        raise DataError("it ends in the middle of the compressed data")
    return stream


def _value(item: Item) -> Any:
    match item.kind:
        case "null":
            return None
        case "logical" | "integer" | "double" | "complex" | "character":
            return _atomic(item)
        case "list" | "expression":
            return _listing(item)
        case "pairs":
            found = [(tag, _value(element)) for tag, element in item.value]
            return RList(tuple(value for _, value in found), tuple(tag for tag, _ in found))
        case "S4":
            return _formal(item)
        case "symbol" | "call":
            return RLanguage(_node(item), _attributes(item))
        case _:
            return RUnread(item.kind)


def _attributes(item: Item) -> dict[str, Any]:
    if item.attributes is None or item.attributes.kind != "pairs":
        return {}
    return {tag: _value(element) for tag, element in item.attributes.value}


def _atomic(item: Item) -> RVector | RMatrix | RFactor:
    attributes = _attributes(item)
    kind: Kind = item.kind  # type: ignore[assignment]
    missing: NDArray[np.bool_] | None = None
    values: NDArray[Any]
    if kind == "character":
        values = np.empty(len(item.value), dtype=object)
        values[:] = item.value
    else:
        values = item.value
    if kind in ("logical", "integer"):
        absent = values == NA_INTEGER
        if absent.any():
            missing = absent
        if kind == "logical":
            values = values.astype(np.bool_)
    classes = texts(attributes.get("class"))
    if "factor" in classes:
        return _factor(values, missing, attributes, "ordered" in classes)
    if "dim" in attributes:
        return _matrix(values, kind, missing, attributes)
    names = attributes.pop("names", None)
    return RVector(values, kind, missing, _names(names), attributes)


def _factor(
    values: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    attributes: dict[str, Any],
    ordered: bool,
) -> RFactor:
    codes = values.astype(np.int64) - 1
    if missing is not None:
        codes[missing] = -1
    del attributes["class"]
    found = attributes.pop("levels", None)
    levels = tuple(found.values) if isinstance(found, RVector) else ()
    if codes.size and not -1 <= codes.min() <= codes.max() < max(len(levels), 1):
        raise DataError("a factor in it has codes without a level")
    return RFactor(codes.astype(np.int32), levels, ordered, attributes)


def _listing(item: Item) -> RList | RFrame:
    attributes = _attributes(item)
    items = tuple(_value(element) for element in item.value)
    names = _names(attributes.pop("names", None))
    if names is not None and len(names) != len(items):
        raise DataError("a list in it has more names than elements, or fewer")
    if "data.frame" in texts(attributes.get("class")):
        rows = _rows(items)
        row_names, automatic = _row_names(attributes.pop("row.names", None), rows)
        columns = dict(zip(names or (), items, strict=True))
        return RFrame(columns, row_names, automatic, attributes)
    return RList(items, names, attributes)


def _rows(columns: tuple[Any, ...]) -> int | None:
    """Return the number of rows that all columns have, None without columns."""
    lengths = {
        len(column.values) if isinstance(column, RMatrix) else len(column) for column in columns
    }
    if len(lengths) > 1:
        raise DataError("the columns of a data frame in it differ in length")
    return next(iter(lengths), None)


def _formal(item: Item) -> RSparse | RSlots:
    slots = _attributes(item)
    name = (*texts(slots.pop("class", None)), "")[0]
    if name != "dgCMatrix":
        return RSlots(name, slots)
    rows, columns = (int(extent) for extent in slots["Dim"].values)
    values, indices, pointers = (slots[name].values for name in "xip")
    if pointers.size != columns + 1 or values.size != indices.size:
        raise DataError("the slots of a sparse matrix in it do not fit together")
    matrix = sparse.csc_array((values, indices, pointers), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return RSparse(matrix, *_dimnames(slots.get("Dimnames")))


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, RVector):
        return None
    return tuple("" if name is None else str(name) for name in value.values)


def _dimnames(value: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if not isinstance(value, RList) or len(value) != 2:
        return None, None
    return _names(value[0]), _names(value[1])


def _row_names(value: Any, rows: int | None) -> tuple[tuple[str, ...], bool]:
    """Return the row names and whether they are R's compact 1, 2, ... (stored as NA, -n)."""
    if not isinstance(value, RVector):
        return (), True
    if value.missing is not None and len(value) == 2 and value.missing[0]:
        count = abs(int(value.values[1]))
        if count != (0 if rows is None else rows) and (rows is not None or count > _SMALL // 64):
            raise DataError("the columns of a data frame in it differ in length from its row names")
        return tuple(str(row + 1) for row in range(count)), True
    if rows not in (None, len(value)):
        raise DataError("the columns of a data frame in it differ in length from its row names")
    return tuple(str(name) for name in value.values), False


def _matrix(
    values: NDArray[Any],
    kind: Kind,
    missing: NDArray[np.bool_] | None,
    attributes: dict[str, Any],
) -> RMatrix:
    if missing is not None:
        values = values.astype(np.float64)
        values[missing] = np.nan
    extents = tuple(int(extent) for extent in attributes.pop("dim").values)
    row_names, column_names = _dimnames(attributes.pop("dimnames", None))
    return RMatrix(values.reshape(extents, order="F"), kind, row_names, column_names, attributes)


def _node(item: Item) -> Node | None:
    """Return the syntax tree of a symbol or call, None where R's grammar has no words for it."""
    try:
        return _expression(item)
    except FormulaError:
        return None


def _expression(item: Item) -> Node:
    match item.kind:
        case "symbol":
            return Symbol(item.value)
        case "call":
            (_, function), *arguments = item.value
            return Call(
                _expression(function),
                tuple(
                    Argument(
                        None if value.kind == "missing argument" else _expression(value),
                        tag or None,
                    )
                    for tag, value in arguments
                ),
            )
        case "null":
            return Constant("NULL")
        case "logical" | "integer" | "double" | "character":
            return _constants(item)
        case _:
            raise FormulaError(f"a {item.kind} stands in the formula")


def _constants(item: Item) -> Node:
    """Return a constant, or the call that makes a vector put into a formula by a program."""
    if item.attributes is not None and item.attributes.kind != "null":
        raise FormulaError("a value with attributes stands in the formula")
    values = item.value if isinstance(item.value, list) else item.value.tolist()
    nodes = [_constant(item.kind, value) for value in values]
    return nodes[0] if len(nodes) == 1 else call("c", *nodes)


def _constant(kind: str, value: Any) -> Node:
    if kind == "character":
        return Constant("NA_character_") if value is None else Text(value)
    if kind != "double" and value == NA_INTEGER:
        return Constant("NA" if kind == "logical" else "NA_integer_")
    if kind == "logical":
        return Constant("TRUE" if value else "FALSE")
    if kind == "integer":
        return Number(float(value), integer=True)
    if np.isnan(value):
        return Constant("NA_real_")
    if np.isinf(value):
        return Constant("Inf") if value > 0 else call("-", Constant("Inf"))
    return Number(value) if value >= 0 else call("-", Number(-value))
