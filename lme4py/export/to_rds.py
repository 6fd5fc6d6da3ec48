"""R's serialization format, written: a design as the list that lme4's ``lFormula`` returns.

The format is R's own (R Internals, 1.8 "Serialization Formats"), in its portable XDR
encoding, version 3. Every item is an integer of type and flags, its contents, and a
pairlist of its attributes. Numbers are written in binary, so R gets the same doubles.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.export.dense_blocks import fixed_matrix, grouping_factors
from lme4py.export.row_names import numbered, row_names
from lme4py.frame.values import Character, Factor, Matrix, Numeric, Time, Value

__all__ = ["write_rds"]

_SYMBOL, _PAIRS, _STRING = 1, 2, 9
_LOGICAL, _INTEGER, _DOUBLE, _TEXT, _LIST, _S4 = 10, 13, 14, 16, 19, 25
_NULL = struct.pack(">i", 254)
_OBJECT, _ATTRIBUTES, _TAG = 1 << 8, 1 << 9, 1 << 10
_LEVELS = 12
_S4_BIT, _UTF8, _ASCII = 1 << 4, 1 << 3, 1 << 6
_NA_INTEGER = -(2**31)
_LONGEST = 2**31 - 1

_Attributes = Mapping[str, bytes]


def write_rds(design: MixedDesign) -> bytes:
    r"""Return a design as the bytes of an ``.rds`` file.

    ``readRDS`` gives a list with lFormula's components ``fr``, ``X``, ``reTrms``
    (``Zt``, ``theta``, ``Lind``, ``Gp``, ``lower``, ``Lambdat``, ``flist``, ``cnms``,
    ``Ztlist``, ``nl``), ``REML`` or ``family``, ``formula`` (as text) and ``wmsgs``,
    then ``y``, ``weights`` and ``offset``. Positions count from 1, as R's do; sparse
    matrices are of class dgCMatrix.

    Raises
    ------
    DataError
        If a sparse matrix is too large for R's integers.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> content = write_rds(design)
    >>> gzip.decompress(content)[:2]
    b'X\n'
    """
    header = b"X\n" + struct.pack(">iii", 3, 0x40202, 0x30500) + struct.pack(">i", 5) + b"UTF-8"
    # R's own level: the highest takes eight times as long for two hundredths of the size.
    return gzip.compress(header + _design(design), compresslevel=6, mtime=0)


def _head(kind: int, attributes: _Attributes, levels: int = 0) -> bytes:
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


def _pairs(attributes: _Attributes) -> bytes:
    """Return the pairlist that follows an item with attributes; nothing without any."""
    if not attributes:
        return b""
    tagged = struct.pack(">i", _PAIRS | _TAG)
    symbol = struct.pack(">i", _SYMBOL)
    cells = [tagged + symbol + _string(name) + value for name, value in attributes.items()]
    return b"".join(cells) + _NULL


def _string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">ii", _STRING, -1)
    content = text.encode()
    flag = _ASCII if text.isascii() else _UTF8
    return struct.pack(">ii", _STRING | flag << _LEVELS, len(content)) + content


def _integers(values: Any, kind: int = _INTEGER, **attributes: bytes) -> bytes:
    numbers = np.asarray(values)
    if numbers.size and (numbers.max() > _LONGEST or numbers.min() < _NA_INTEGER):
        raise DataError("the design is too large for R, whose integers have 32 bits")
    content = numbers.astype(">i4").tobytes(order="F")
    return _head(kind, attributes) + _length(numbers.size) + content + _pairs(attributes)


def _doubles(values: Any, **attributes: bytes) -> bytes:
    numbers = np.asarray(values, dtype=np.float64)
    content = numbers.astype(">f8").tobytes(order="F")
    return _head(_DOUBLE, attributes) + _length(numbers.size) + content + _pairs(attributes)


def _texts(values: Sequence[str | None], **attributes: bytes) -> bytes:
    content = b"".join(map(_string, values))
    return _head(_TEXT, attributes) + _length(len(values)) + content + _pairs(attributes)


def _list(
    values: Iterable[bytes], names: Sequence[str] | None = None, **attributes: bytes
) -> bytes:
    items = list(values)
    named = attributes if names is None else {"names": _texts(names)} | attributes
    return _head(_LIST, named) + _length(len(items)) + b"".join(items) + _pairs(named)


def _dict(values: Mapping[str, bytes], **attributes: bytes) -> bytes:
    return _list(values.values(), list(values), **attributes)


def _text(value: str) -> bytes:
    return _texts([value])


def _names(values: Sequence[str] | None) -> bytes:
    return _NULL if values is None else _texts(values)


def _matrix(values: NDArray[Any], columns: Sequence[str] | None, **attributes: bytes) -> bytes:
    own = {"dim": _integers(values.shape)}
    if columns is not None:
        own["dimnames"] = _list([_NULL, _texts(columns)])
    return _doubles(values, **own, **attributes)


def _sparse(matrix: Any, rows: Sequence[str] | None) -> bytes:
    """Return a csc_array as a dgCMatrix."""
    slots = {
        "i": _integers(matrix.indices),
        "p": _integers(matrix.indptr),
        "Dim": _integers(matrix.shape),
        "Dimnames": _list([_names(rows), _NULL]),
        "x": _doubles(matrix.data),
        "factors": _list([]),
        "class": _texts(["dgCMatrix"], package=_text("Matrix")),
    }
    return _head(_S4, slots, _S4_BIT) + _pairs(slots)


def _factor(factor: Factor) -> bytes:
    codes = factor.codes.astype(np.int64)
    classes = ["ordered", "factor"] if factor.ordered else ["factor"]
    attributes = {"levels": _texts(factor.levels), "class": _texts(classes)}
    if factor.contrasts is not None:
        attributes["contrasts"] = _contrast(factor.contrasts)
    return _integers(np.where(codes < 0, _NA_INTEGER, codes + 1), _INTEGER, **attributes)


def _contrast(contrast: str | Matrix) -> bytes:
    if isinstance(contrast, str):
        return _text(contrast)
    return _matrix(contrast.values, contrast.names)


def _value(value: Value) -> bytes:
    match value:
        case Factor():
            return _factor(value)
        case Character():
            pool = np.array([*value.pool, None], dtype=object)
            return _texts(pool[value.codes].tolist())
        case Matrix():
            return _matrix(value.values, value.names)
        case Numeric(kind="double", time=time):
            return _doubles(value.as_float(), **_class_of_times(time))
        case Numeric():
            floats = value.as_float()
            whole = np.where(np.isnan(floats), _NA_INTEGER, floats)
            return _integers(whole, _LOGICAL if value.kind == "logical" else _INTEGER)
        case _:
            return _NULL


def _class_of_times(time: Time | None) -> dict[str, bytes]:
    """Return the attributes that make numbers R's dates, date-times or time differences."""
    match time:
        case None:
            return {}
        case "Date":
            return {"class": _texts(["Date"])}
        case "POSIXct":
            return {"class": _texts(["POSIXct", "POSIXt"])}
        case _:
            return {"class": _texts(["difftime"]), "units": _texts([time])}


def _frame(design: MixedDesign) -> bytes:
    frame = design.model_frame
    return _dict(
        {name: _value(value) for name, value in frame.variables.items()},
        **{
            "row.names": _row_names(design),
            "class": _text("data.frame"),
        },
    )


def _row_names(design: MixedDesign) -> bytes:
    places = numbered(design)
    if places is None or np.any(places < 0) or np.unique(places).size < places.size:
        return _texts(row_names(design))
    if np.array_equal(places, np.arange(places.size)):
        # R's compact form of 1 .. n.
        return _integers([_NA_INTEGER, -places.size])
    return _integers(places + 1)


def _random(design: MixedDesign) -> bytes:
    random = design.random
    bounds = zip(random.Gp[:-1], random.Gp[1:], strict=True)
    # R has each factor once, in the order of first use.
    factors = grouping_factors(random)
    return _dict(
        {
            "Zt": _sparse(random.Zt, random.row_names),
            "theta": _doubles(random.theta),
            "Lind": _integers(random.Lind.astype(np.int64) + 1),
            "Gp": _integers(random.Gp),
            "lower": _doubles(random.lower),
            "Lambdat": _sparse(random.Lambdat, None),
            "flist": _dict(
                {name: _factor(group) for name, group in factors.items()},
                assign=_integers(random.assign + 1),
            ),
            "cnms": _list(
                [_texts(columns) for _, columns in random.cnms],
                [group for group, _ in random.cnms],
            ),
            "Ztlist": _list(
                [
                    _sparse(block, random.row_names[begin:end])
                    for (_, block), (begin, end) in zip(random.Ztlist, bounds, strict=True)
                ],
                [label for label, _ in random.Ztlist],
            ),
            "nl": _integers(random.nl, names=_texts([group for group, _ in random.cnms])),
        }
    )


def _contrasts(design: MixedDesign) -> dict[str, bytes]:
    if not design.fixed.contrasts:
        return {}
    return {
        "contrasts": _dict(
            {name: _contrast(value) for name, value in design.fixed.contrasts.items()}
        )
    }


def _dropped(design: MixedDesign) -> dict[str, bytes]:
    dropped = design.fixed.dropped
    if not dropped:
        return {}
    places = np.array(list(dropped.values()), dtype=np.int64) + 1
    return {"col.dropped": _integers(places, names=_texts(list(dropped)))}


def _optional(values: NDArray[np.float64] | None) -> bytes:
    if values is None:
        return _NULL
    return _doubles(values) if values.ndim == 1 else _matrix(values, None)


def _design(design: MixedDesign) -> bytes:
    family = design.family
    kind = (
        {"REML": _integers([bool(design.reml)], _LOGICAL)}
        if family is None
        else {"family": _dict({"family": _text(family.name), "link": _text(family.link)})}
    )
    return _dict(
        {
            "fr": _frame(design),
            "X": _matrix(
                fixed_matrix(design),
                design.fixed.names,
                assign=_integers(design.fixed.assign),
                **_contrasts(design),
                **_dropped(design),
            ),
            "reTrms": _random(design),
            **kind,
            "formula": _text(str(design.formula)),
            "wmsgs": _texts(design.messages),
            "y": _optional(design.y),
            "weights": _optional(design.weights),
            "offset": _optional(design.offset),
        }
    )
