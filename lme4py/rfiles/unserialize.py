"""R's serialization format: the stream of bytes that ``saveRDS`` writes, as R's values.

The format is R's own (R Internals, 1.8 "Serialization Formats"): every item begins
with an integer that holds its type and flags. Versions 2 and 3, byte code and the compact
vectors of R >= 3.5 are read. Nothing in a stream is believed: a length is compared with the
bytes that are left before anything of that length is made, so time and memory are bounded by
the size of the stream. Functions are read over.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.formula.syntax import Symbol
from lme4py.numerals import labels
from lme4py.rfiles.attributes import MISSING, dressed, dressed_list, formal, node_of_call
from lme4py.rfiles.rvalues import (
    NA_INTEGER,
    Kind,
    RLanguage,
    RList,
    RUnread,
    RVector,
    character,
)

_TRUNCATED = "it ends in the middle of an object"
_DAMAGED = "a number in it is damaged"
_ESCAPES = dict(zip(b"ntvbrfa", b"\n\t\v\b\r\f\a", strict=True))
_ENVIRONMENT = RUnread("environment")
_BYTE_CODE_PAIRS = frozenset((2, 6, 239, 240, 243, 244))
_NOTHING = {
    0: None,
    254: None,
    253: _ENVIRONMENT,
    252: RUnread("other"),
    251: MISSING,
    250: _ENVIRONMENT,
    242: _ENVIRONMENT,
    241: _ENVIRONMENT,
}
_UTF8 = 8
_LATIN1 = 4
_WRITTEN_OUT = 2**25
_TIMES_STREAM = 16
_TEXT = 32
"""Elements that a stream may hold in short, 2^25 or 16 for each byte; a text counts as 32."""


def unserialize(stream: bytes) -> Any:
    r"""Return the object in an uncompressed stream.

    Raises
    ------
    DataError
        If it is not one object of R's, whole and nothing else. (Objects whose parts do not fit
        together raise what their parts raise: `read_rds` makes a DataError of it.)

    Examples
    --------
    >>> unserialize(b"A\n2\n262658\n131840\n14\n2\n0.5\nNA\n").values.tolist()
    [0.5, nan]
    """
    encoding = _ENCODINGS.get(stream[:2])
    if encoding is None:
        raise DataError("it does not begin as R's serialization does")
    try:
        return _Stream(encoding(stream)).whole()
    except RecursionError:
        raise DataError("its objects are nested too deeply") from None


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
            raise DataError(_TRUNCATED) from None
        self._at += 4
        return number

    def integers(self, length: int) -> NDArray[np.int32]:
        return np.frombuffer(self.octets(4 * length), f"{self._order}i4").astype(np.int32)

    def doubles(self, length: int) -> NDArray[np.float64]:
        return np.frombuffer(self.octets(8 * length), f"{self._order}f8").astype(np.float64)

    def octets(self, length: int) -> bytes:
        """Read bytes, those of a text or of a raw vector."""
        if not 0 <= length <= self.left():
            raise DataError(_TRUNCATED)
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
            raise DataError(_TRUNCATED)
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


_ENCODINGS: Mapping[bytes, Callable[[bytes], _Binary | _Ascii]] = {
    b"X\n": lambda stream: _Binary(stream, ">"),
    b"B\n": lambda stream: _Binary(stream, "<"),
    b"A\n": _Ascii,
}
"""How a stream is read, by its first two bytes."""


class _Stream:
    """Reads item by item; the methods follow the cases of the format."""

    def __init__(self, encoding: _Binary | _Ascii) -> None:
        self._read = encoding
        self._references: list[Any] = []
        self._encoding = "utf-8"
        self._written_out = 0.0
        self._most = max(_WRITTEN_OUT, _TIMES_STREAM * encoding.left())
        self._bare = 0

    def whole(self) -> Any:
        version = self._read.integer()
        self._read.integers(2)
        if version not in (2, 3):
            raise DataError(f"version {version} of R's serialization is unknown")
        if version == 3:
            name = self._read.text(self._read.integer())
            self._encoding = "latin-1" if name.startswith(b"ISO-8859") else "utf-8"
        found = self._item()
        if self._read.left():
            raise DataError("something follows the object")
        return found

    def _item(self) -> Any:
        return self._of(self._read.integer())

    def _of(self, flags: int) -> Any:
        """Read the rest of an item whose first integer is `flags`."""
        code, read = flags & 255, self._read
        attributed, tagged = bool(flags & 512), bool(flags & 1024)
        if code in _NOTHING:
            return _NOTHING[code]
        match code:
            case 255:
                place = flags >> 8 or read.integer()
                if not 0 < place <= len(self._references):
                    raise DataError("a reference in it leads nowhere")
                return self._references[place - 1]
            case 1:
                return self._remember(RLanguage(Symbol(self._text() or "")))
            case 2 | 3 | 5 | 6 | 17 | 239 | 240:
                return self._pairs(code, attributed, tagged)
            case 4:
                return self._environment()
            case 9:
                return self._characters(flags)
            case 10 | 13 | 14 | 15 | 16 | 24:
                vector = self._vector(code)
                attributes = self._attributes(attributed)
                return vector if self._bare else dressed(vector, attributes)
            case 19 | 20:
                items = tuple([self._item() for _ in range(self._length())])
                return dressed_list(items, self._attributes(attributed))
            case 25:
                return formal(self._attributes(attributed))
            case 238:
                return self._compact()
            case 247 | 248 | 249:
                read.integer()
                for _ in range(self._length()):
                    self._text()
                return self._remember(_ENVIRONMENT)
        return self._read_over(code, attributed)

    def _read_over(self, code: int, attributed: bool) -> RUnread:
        """Read a function that R has built in, a pointer or compiled code."""
        found = RUnread("function" if code in (7, 8) else "other")
        match code:
            case 7 | 8:
                self._read.text(self._read.integer())
            case 21:
                self._read.integer()
                self._byte_code()
            case 22:
                self._remember(found)
                self._item()
                self._item()
            case 23:
                self._remember(found)
            case _:
                raise DataError(f"it holds an object of unknown type {code}")
        self._attributes(attributed)
        return found

    def _vector(self, code: int) -> RVector:
        read, length = self._read, self._length()
        match code:
            case 10 | 13:
                return _whole_numbers(read.integers(length), "logical" if code == 10 else "integer")
            case 14:
                return RVector(read.doubles(length), "double")
            case 15:
                return RVector(read.doubles(2 * length).view(np.complex128), "complex")
            case 24:
                return RVector(np.frombuffer(read.octets(length), np.uint8), "raw")
            case _:
                return character([self._text() for _ in range(length)])

    def _attributes(self, attributed: bool) -> dict[str, Any]:
        return _by_name(self._item()) if attributed else {}

    def _text(self) -> str | None:
        """Read an element of a character vector, or the name of a symbol."""
        flags = self._read.integer()
        if flags & 255 != 9:
            raise DataError("an element of a character vector in it is no text")
        return self._characters(flags)

    def _characters(self, flags: int) -> str | None:
        length, levels = self._read.integer(), flags >> 12
        if length < -1:
            raise DataError("a text in it has a negative length")
        content = None if length < 0 else self._read.text(length)
        self._attributes(bool(flags & 512))
        if content is None:
            return None
        latin = self._encoding if not levels & (_UTF8 | _LATIN1) else "latin-1"
        return content.decode("utf-8" if levels & _UTF8 else latin, errors="replace")

    def _length(self) -> int:
        """Return a length, if what is left could hold that many elements."""
        length = self._read.integer()
        if length == -1:
            length = (self._read.integer() << 32) + (self._read.integer() & 0xFFFFFFFF)
        if not 0 <= length <= self._read.left():
            raise DataError(_TRUNCATED)
        return length

    def _remember(self, found: Any) -> Any:
        self._references.append(found)
        return found

    def _pairs(self, code: int, attributed: bool, tagged: bool) -> Any:
        """Read a chain of pairs; only its elements can nest, its length is a loop."""
        pairs: list[tuple[str, Any]] = []
        attributes: dict[str, Any] = {}
        while True:
            own = self._attributes(attributed)
            attributes = attributes if pairs else own
            tag = self._item() if tagged else None
            pairs.append((_name_of(tag), self._item()))
            flags = self._read.integer()
            if flags & 255 not in (2, 6):
                break
            attributed, tagged = bool(flags & 512), bool(flags & 1024)
        rest = self._of(flags)
        if rest is not None:
            # A function's body; the arguments of a call shared with another end it.
            pairs.append(("", rest))
        if code in (2, 239):
            return RList(tuple(value for _, value in pairs), tuple(tag for tag, _ in pairs))
        if code in (6, 240):
            return RLanguage(node_of_call(pairs), attributes)
        return RUnread("function")

    def _environment(self) -> RUnread:
        # It may hold itself, so it is known before its variables are.
        found: RUnread = self._remember(RUnread("environment"))
        self._read.integer()
        self._item()
        frame, table = self._item(), self._item()
        self._item()
        for pairs in (frame, *(table if isinstance(table, RList) else ())):
            found.variables.update(_by_name(pairs))
        return found

    def _compact(self) -> Any:
        """Read a vector that R keeps in short (ALTREP)."""
        name = _name_of(self._item()[0])
        # The attributes of what is inside are those of the time before it was wrapped.
        self._bare += 1
        state = self._item()
        self._bare -= 1
        attributes = _by_name(self._item())
        inside = state[0] if isinstance(state, RList) and len(state) else state
        if not isinstance(inside, RVector):
            raise DataError(f"it holds a vector of the unknown form {name!r}")
        match name:
            case "compact_intseq" | "compact_realseq":
                inside = self._sequence(inside.values, whole=name == "compact_intseq")
            case "deferred_string":
                self._write_out(_TEXT * len(inside))
                inside = _as_text(inside)
            case _ if not name.startswith("wrap_"):
                raise DataError(f"it holds a vector of the unknown form {name!r}")
        return inside if self._bare else dressed(inside, attributes)

    def _sequence(self, state: NDArray[np.float64], *, whole: bool) -> RVector:
        if state.size != 3 or not np.isfinite(state).all():
            raise DataError("a sequence in it is damaged")
        length, start, step = state.tolist()
        if length < 0 or (whole and abs(start) + abs(step) * length >= 2**31):
            raise DataError("a sequence in it is damaged")
        self._write_out(length)
        values = np.arange(int(length)) * step + start
        return RVector(values.astype(np.int32), "integer") if whole else RVector(values, "double")

    def _write_out(self, elements: float) -> None:
        """Count elements that the stream holds in short."""
        self._written_out += elements
        if self._written_out > self._most:
            raise DataError(f"what it holds in short has more than {self._most} elements")

    def _byte_code(self) -> None:
        """Read over compiled code, which may share parts of itself."""
        self._item()
        for _ in range(self._length()):
            code = self._read.integer()
            if code == 21:
                self._byte_code()
            else:
                self._byte_code_part(code)

    def _byte_code_part(self, code: int) -> None:
        """Read over a constant, or a chain of pairs; only elements can nest."""
        while code in _BYTE_CODE_PAIRS:
            if code == 243:
                self._read.integer()
                return
            if code == 244:
                self._read.integer()
                code = self._read.integer()
            if code in (239, 240):
                self._item()
            self._item()
            self._byte_code_part(self._read.integer())
            code = self._read.integer()
        self._item()


def _by_name(pairs: Any) -> dict[str, Any]:
    return dict(zip(pairs.names or (), pairs, strict=True)) if isinstance(pairs, RList) else {}


def _name_of(symbol: Any) -> str:
    """Return the name of a symbol, nothing for anything else."""
    node = symbol.node if isinstance(symbol, RLanguage) else None
    return node.name if isinstance(node, Symbol) else ""


def _as_text(numbers: RVector) -> RVector:
    """Return numbers as R writes them; lme4's row names are such vectors."""
    if numbers.kind not in ("integer", "double"):
        raise DataError("a text in it is damaged")
    floats = numbers.as_float()
    whole = numbers.kind == "integer"
    written = [str(number) for number in numbers.values.tolist()] if whole else labels(floats)
    absent = np.isnan(floats).tolist()
    return character([None if gone else text for gone, text in zip(absent, written, strict=True)])


def _whole_numbers(values: NDArray[np.int32], kind: Kind) -> RVector:
    """Return a vector of integers or logicals, R's NA among them."""
    absent = values == NA_INTEGER
    found = values.astype(np.bool_) if kind == "logical" else values  # 7 is TRUE, as for R
    return RVector(np.where(absent, np.nan, found) if absent.any() else found, kind)
