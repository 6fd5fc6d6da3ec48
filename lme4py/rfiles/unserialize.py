"""R's serialization format: the stream of bytes that ``saveRDS`` writes, as a tree of items.

The format is R's own (R Internals, 1.8 "Serialization Formats"): every item begins
with an integer that holds its type and flags. Versions 2 and 3, byte code and the compact
vectors of R >= 3.5 are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError
from lme4py.numerals import labels
from lme4py.rfiles.encodings import NA_INTEGER, READERS, Reader, TruncatedError
from lme4py.rfiles.item import Item, Kind

__all__ = ["parse"]

_BYTE_CODE_TYPES = frozenset((2, 6, 239, 240, 243, 244))
_NOTHING: Mapping[int, Kind] = {
    0: "null",
    254: "null",
    253: "environment",
    252: "other",
    251: "missing argument",
    250: "environment",
    242: "environment",
    241: "environment",
}
_UTF8 = 8
_LATIN1 = 4


def parse(stream: bytes) -> Item:
    r"""Return the object in an uncompressed stream.

    Raises
    ------
    DataError
        If it is not one object of R's, whole and nothing else.

    Examples
    --------
    >>> parse(b"A\n2\n262658\n131840\n14\n2\n0.5\nNA\n").value.tolist()
    [0.5, nan]
    """
    reader = READERS.get(stream[:2])
    if reader is None:
        raise DataError("it does not begin as R's serialization does")
    return _Parser(reader(stream)).whole()


class _Parser:
    """Reads items; the methods follow the cases of the format."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._references: list[Item] = []
        self._encoding = "utf-8"
        self._written_out = 0.0

    def whole(self) -> Item:
        version = self._reader.integer()
        self._reader.integers(2)
        if version not in (2, 3):
            raise DataError(f"version {version} of R's serialization is unknown")
        if version == 3:
            name = self._reader.text(self._reader.integer())
            self._encoding = "latin-1" if name.startswith(b"ISO-8859") else "utf-8"
        try:
            found = self._item()
        except RecursionError:
            raise DataError("its objects are nested too deeply") from None
        if self._reader.left():
            raise DataError("something follows the object")
        return found

    def _item(self) -> Item:
        return self._of(self._reader.integer())

    def _of(self, flags: int) -> Item:
        """Read the rest of an item whose first integer is `flags`."""
        code = flags & 255
        attributed, tagged = bool(flags & 512), bool(flags & 1024)
        if code in _NOTHING:
            return Item(_NOTHING[code])
        match code:
            case 255:
                return self._reference(flags >> 8 or self._reader.integer())
            case 1:
                return self._remember(Item("symbol", self._item().value or ""))
            case 2 | 3 | 5 | 6 | 17 | 239 | 240:
                return self._pairs(code, attributed, tagged)
            case 4:
                return self._environment()
            case 9:
                return self._characters(flags >> 12, attributed)
            case 22 | 23:
                return self._pointer(code, attributed)
            case 238:
                return self._compact()
            case 247 | 248 | 249:
                self._reader.integer()
                for _ in range(self._length()):
                    self._item()
                return self._remember(Item("environment"))
            case _:
                found = self._plain(code)
        if attributed:
            found.attributes = self._item()
        return found

    def _plain(self, code: int) -> Item:
        """Read an item that has its value first and then its attributes."""
        read = self._reader
        match code:
            case 7 | 8:
                read.text(read.integer())
                return Item("function")
            case 10:
                return Item("logical", read.integers(self._length()))
            case 13:
                return Item("integer", read.integers(self._length()))
            case 14:
                return Item("double", read.doubles(self._length()))
            case 15:
                return Item("complex", read.doubles(2 * self._length()).view(np.complex128))
            case 16:
                return Item("character", [self._text() for _ in range(self._length())])
            case 19 | 20:
                length = self._length()
                kind: Kind = "list" if code == 19 else "expression"
                return Item(kind, [self._item() for _ in range(length)])
            case 21:
                self._byte_code([None] * self._length())
                return Item("other")
            case 24:
                return Item("raw", np.frombuffer(read.octets(self._length()), np.uint8))
            case 25:
                return Item("S4")
            case _:
                raise DataError(f"it holds an object of unknown type {code}")

    def _text(self) -> str | None:
        """Read an element of a character vector."""
        found = self._item()
        if found.kind != "text":
            raise DataError("an element of a character vector in it is no text")
        text: str | None = found.value
        return text

    def _length(self) -> int:
        """Return a length, if what is left could hold that many elements."""
        length = self._reader.integer()
        if length == -1:
            length = (self._reader.integer() << 32) + (self._reader.integer() & 0xFFFFFFFF)
        if not 0 <= length <= self._reader.left():
            raise TruncatedError
        return length

    def _remember(self, found: Item) -> Item:
        self._references.append(found)
        return found

    def _reference(self, place: int) -> Item:
        if not 0 < place <= len(self._references):
            raise DataError("a reference in it leads nowhere")
        return self._references[place - 1]

    def _pairs(self, code: int, attributed: bool, tagged: bool) -> Item:
        """Read a chain of pairs; only its elements can nest, its length is a loop."""
        kind: Kind = "call" if code in (6, 240) else "pairs" if code in (2, 239) else "function"
        pairs: list[tuple[str, Item]] = []
        first = Item(kind, pairs)
        while True:
            attributes = self._item() if attributed else None
            if attributes is not None and not pairs:
                first.attributes = attributes
            tag = self._item().value if tagged else None
            pairs.append((tag if isinstance(tag, str) else "", self._item()))
            flags = self._reader.integer()
            if flags & 255 not in (2, 6):
                rest = self._of(flags)
                # A function's body; the arguments of a call shared with another end it.
                if rest.kind != "null":
                    pairs.append(("", rest))
                return first
            attributed, tagged = bool(flags & 512), bool(flags & 1024)

    def _environment(self) -> Item:
        found = self._remember(Item("environment"))
        self._reader.integer()
        for _ in range(4):
            self._item()
        return found

    def _characters(self, levels: int, attributed: bool) -> Item:
        length = self._reader.integer()
        found = Item("text")
        if length >= 0:
            content = self._reader.text(length)
            encoding = "utf-8" if levels & _UTF8 else "latin-1"
            if not levels & (_UTF8 | _LATIN1):
                encoding = self._encoding
            found.value = content.decode(encoding, errors="replace")
        elif length != -1:
            raise DataError("a text in it has a negative length")
        if attributed:
            self._item()
        return found

    def _pointer(self, code: int, attributed: bool) -> Item:
        found = self._remember(Item("other"))
        if code == 22:
            self._item()
            self._item()
        if attributed:
            self._item()
        return found

    def _compact(self) -> Item:
        """Read a vector that R keeps in short (ALTREP)."""
        about, state, attributes = self._item(), self._item(), self._item()
        name = about.value[0][1].value if about.kind == "pairs" else None
        parts = _parts(state)
        if isinstance(name, str) and name.startswith("wrap_") and parts:
            found = Item(parts[0].kind, parts[0].value)
        elif name in ("compact_intseq", "compact_realseq") and state.kind == "double":
            found = self._sequence(name, state.value)
        elif name == "deferred_string" and parts:
            found = _as_text(parts[0])
        else:
            raise DataError(f"it holds a vector of the unknown form {name!r}")
        if attributes.kind == "pairs":
            found.attributes = attributes
        return found

    def _sequence(self, name: str, state: NDArray[np.float64]) -> Item:
        if state.size != 3 or not np.isfinite(state).all():
            raise DataError("a sequence in it is damaged")
        length, start, step = state.tolist()
        self._written_out += max(length, 0)
        if length < 0 or self._written_out > _LONGEST_SEQUENCE:
            raise DataError(f"it holds a sequence of {length:.0f} numbers")
        values = start + step * np.arange(int(length))
        if name == "compact_realseq":
            return Item("double", values)
        if values.size and np.abs(values).max() >= 2**31:
            raise DataError("a sequence in it is damaged")
        return Item("integer", values.astype(np.int32))

    def _byte_code(self, repeated: list[Any]) -> None:
        """Read over compiled code, which may share parts of itself."""
        self._item()
        for _ in range(self._length()):
            code = self._reader.integer()
            if code == 21:
                self._byte_code(repeated)
            elif code in _BYTE_CODE_TYPES:
                self._byte_code_pairs(code)
            else:
                self._item()

    def _byte_code_pairs(self, code: int) -> None:
        while code in _BYTE_CODE_TYPES:
            if code == 243:
                self._reader.integer()
                return
            if code == 244:
                self._reader.integer()
                code = self._reader.integer()
            if code in (239, 240):
                self._item()
            self._item()
            car = self._reader.integer()
            if car in _BYTE_CODE_TYPES:
                self._byte_code_pairs(car)
            else:
                self._item()
            code = self._reader.integer()
        self._item()


_LONGEST_SEQUENCE = 2**27
"""Elements of all compact sequences that are written out (half a gigabyte of integers)."""


def _parts(state: Item) -> list[Item]:
    """Return the elements of a list or of pairs."""
    match state.kind:
        case "list":
            return list(state.value)
        case "pairs":
            return [item for _, item in state.value]
        case _:
            return []


def _as_text(numbers: Item) -> Item:
    """Return numbers as R writes them; lme4's row names are such vectors."""
    if numbers.kind == "integer":
        texts = [None if number == NA_INTEGER else str(number) for number in numbers.value.tolist()]
    elif numbers.kind == "double":
        written = labels(numbers.value)
        absent = np.isnan(numbers.value).tolist()
        texts = [None if gone else text for gone, text in zip(absent, written, strict=True)]
    else:
        raise DataError("a text in it is damaged")
    return Item("character", texts)
