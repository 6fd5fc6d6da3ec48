"""The numbers, bytes and texts of a stream, in each of R's three encodings, and what types are.

A length is compared with what is left of the stream before anything of that length is made.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.rfiles.rvalues import NA_INTEGER, Kind

# An item begins with an integer: its type in the last byte, flags, and above these its levels.
OBJECT, ATTRIBUTES, TAG = 1 << 8, 1 << 9, 1 << 10
LEVELS = 12
UTF8, LATIN1 = 1 << 3, 1 << 2
VECTORS: Mapping[Kind, int] = {
    "logical": 10,
    "integer": 13,
    "double": 14,
    "complex": 15,
    "character": 16,
    "raw": 24,
}
"""The types of atomic vectors."""

TRUNCATED = "it ends in the middle of an object"
_DAMAGED = "a number in it is damaged"
_ESCAPES = dict(zip(b"ntvbrfa", b"\n\t\v\b\r\f\a", strict=True))


class _Binary:
    """XDR (big-endian) or the writing machine's own little-endian numbers."""

    def __init__(self, stream: bytes, order: Literal[">", "<"]) -> None:
        self._stream = stream
        self._at = 2
        self._order = order
        self._one = struct.Struct(f"{order}i").unpack_from

    def left(self) -> int:
        return len(self._stream) - self._at

    def integer(self) -> int:
        try:
            number: int = self._one(self._stream, self._at)[0]
        except struct.error:
            raise DataError(TRUNCATED) from None
        self._at += 4
        return number

    def integers(self, length: int) -> NDArray[np.int32]:
        return np.frombuffer(self.octets(4 * length), f"{self._order}i4").astype(np.int32)

    def doubles(self, length: int) -> NDArray[np.float64]:
        return np.frombuffer(self.octets(8 * length), f"{self._order}f8").astype(np.float64)

    def octets(self, length: int) -> bytes:
        """Read bytes, those of a text or of a raw vector."""
        if not 0 <= length <= self.left():
            raise DataError(TRUNCATED)
        begin = self._at
        self._at += length
        return self._stream[begin : self._at]

    text = octets


class _Ascii:
    """The encoding of ``saveRDS(ascii = TRUE)``: one word a line."""

    def __init__(self, stream: bytes) -> None:
        self._words = stream[2:].split()
        self._at = 0

    def left(self) -> int:
        """Return a bound of how many bytes the binary encoding would have left."""
        # Every number takes a word; twice as many bytes would do in the binary encodings.
        return 8 * (len(self._words) - self._at)

    def _several(self, length: int) -> list[bytes]:
        if not 0 <= length <= len(self._words) - self._at:
            raise DataError(TRUNCATED)
        self._at += length
        return self._words[self._at - length : self._at]

    def _numbers(self, length: int, kind: type[int | float], absent: float) -> NDArray[Any]:
        words = self._several(length)
        try:
            found = [absent if word == b"NA" else kind(word) for word in words]
            return np.array(found, np.int32 if kind is int else np.float64)
        except (ValueError, OverflowError):
            raise DataError(_DAMAGED) from None

    def integer(self) -> int:
        return int(self.integers(1)[0])

    def integers(self, length: int) -> NDArray[np.int32]:
        return self._numbers(length, int, NA_INTEGER)

    def doubles(self, length: int) -> NDArray[np.float64]:
        return self._numbers(length, float, np.nan)

    def text(self, length: int) -> bytes:
        if not length:
            return b""
        return re.sub(rb"\\([0-7]{3}|.)", _unescaped, self._several(1)[0], flags=re.DOTALL)

    def octets(self, length: int) -> bytes:
        try:
            return bytes.fromhex(b"".join(self._several(length)).decode("ascii"))
        except ValueError:
            raise DataError(_DAMAGED) from None


def _unescaped(found: re.Match[bytes]) -> bytes:
    text = found[1]
    return bytes([int(text, 8) & 255 if len(text) == 3 else _ESCAPES.get(text[0], text[0])])


Encoding: TypeAlias = _Binary | _Ascii

ENCODINGS: Mapping[bytes, Callable[[bytes], Encoding]] = {
    b"X\n": lambda stream: _Binary(stream, ">"),
    b"B\n": lambda stream: _Binary(stream, "<"),
    b"A\n": _Ascii,
}
"""How a stream is read, by its first two bytes."""
