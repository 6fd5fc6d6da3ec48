"""R's serialization format: the stream of bytes that ``saveRDS`` writes, as R's values.

The format is R's own (R Internals, 1.8 "Serialization Formats"): every item begins
with an integer that holds its type and flags. Versions 2 and 3, byte code and the compact
vectors of R >= 3.5 are read. Nothing in a stream is believed: a length is compared with the
bytes that are left before anything of that length is made, so time and memory are bounded by
the size of the stream. Functions are read over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.data.values import Factor, length
from lme4py.errors import DataError, FormulaError
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text, call
from lme4py.numerals import labels
from lme4py.rfiles.encodings import (
    ATTRIBUTES,
    ENCODINGS,
    LATIN1,
    LEVELS,
    TAG,
    TRUNCATED,
    UTF8,
    VECTORS,
    Encoding,
)
from lme4py.rfiles.rvalues import (
    MISSING,
    NA_INTEGER,
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
    own_value,
    texts,
)

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
_KINDS = {code: kind for kind, code in VECTORS.items()}
_WRITTEN_OUT = 2**25
_TIMES_STREAM = 16
_TEXT = 32
"""Elements that a stream may hold in short, 2^25 or 16 for each byte; a text counts as 32."""
_MOST_ROWS = 2**21
"""Rows that a data frame without columns may claim."""


def unserialize(stream: bytes) -> Any:
    r"""Return the object in an uncompressed stream; `DataError` if it is not one, and whole.

    Objects whose parts do not fit together raise what their parts raise: `read_rds` makes a
    DataError of it.

    >>> unserialize(b"A\n2\n262658\n131840\n14\n2\n0.5\nNA\n").values.tolist()
    [0.5, nan]
    """
    encoding = ENCODINGS.get(stream[:2])
    if encoding is None:
        raise DataError("it does not begin as R's serialization does")
    try:
        return _Stream(encoding(stream)).whole()
    except RecursionError:
        raise DataError("its objects are nested too deeply") from None


class _Stream:
    """Reads item by item; the methods follow the cases of the format."""

    def __init__(self, encoding: Encoding) -> None:
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
        code = flags & 255
        if code in _NOTHING:
            return _NOTHING[code]
        if code in _KINDS:
            vector = self._vector(_KINDS[code])
            attributes = self._attributes(flags)
            return vector if self._bare else _dressed(vector, attributes)
        match code:
            case 255:  # a reference
                place = flags >> 8 or self._read.integer()
                if not 0 < place <= len(self._references):
                    raise DataError("a reference in it leads nowhere")
                return self._references[place - 1]
            case 1:  # a symbol
                return self._remember(RLanguage(Symbol(self._text() or "")))
            case 2 | 3 | 5 | 6 | 17 | 239 | 240:  # pairlist, function, promise, call, dots
                return self._pairs(flags)
            case 4:
                return self._environment()
            case 9:
                return self._characters(flags)
            case 19 | 20:  # a list, expressions
                items = tuple([self._item() for _ in range(self._length())])
                return _dressed_list(items, self._attributes(flags))
            case 25:  # an S4 object
                return _formal(self._attributes(flags))
            case 238:
                return self._compact()
            case 247 | 248 | 249:  # a package or namespace, a table of methods
                self._read.integer()
                for _ in range(self._length()):
                    self._text()
                return self._remember(_ENVIRONMENT)
            case _:
                return self._read_over(flags)

    def _read_over(self, flags: int) -> RUnread:
        """Read a function that R has built in, a pointer or compiled code."""
        code = flags & 255
        found = RUnread("function" if code in (7, 8) else "other")
        match code:
            case 7 | 8:
                self._read.text(self._read.integer())
            case 21:
                self._read.integer()
                self._byte_code()
            case 22:  # an external pointer
                self._remember(found)
                self._item()
                self._item()
            case 23:  # a weak reference
                self._remember(found)
            case _:
                raise DataError(f"it holds an object of unknown type {code}")
        self._attributes(flags)
        return found

    def _vector(self, kind: Kind) -> RVector:
        read, length = self._read, self._length()
        match kind:
            case "logical" | "integer":
                return _whole_numbers(read.integers(length), kind)
            case "double":
                return RVector(read.doubles(length), kind)
            case "complex":
                return RVector(read.doubles(2 * length).view(np.complex128), kind)
            case "raw":
                return RVector(np.frombuffer(read.octets(length), np.uint8), kind)
            case "character":
                return character([self._text() for _ in range(length)])

    def _attributes(self, flags: int) -> dict[str, Any]:
        return _by_name(self._item()) if flags & ATTRIBUTES else {}

    def _text(self) -> str | None:
        """Read an element of a character vector, or the name of a symbol."""
        flags = self._read.integer()
        if flags & 255 != 9:
            raise DataError("an element of a character vector in it is no text")
        return self._characters(flags)

    def _characters(self, flags: int) -> str | None:
        length, levels = self._read.integer(), flags >> LEVELS
        if length < -1:
            raise DataError("a text in it has a negative length")
        content = None if length < 0 else self._read.text(length)
        self._attributes(flags)
        if content is None:
            return None
        known = "utf-8" if levels & UTF8 else "latin-1" if levels & LATIN1 else self._encoding
        return content.decode(known, errors="replace")

    def _length(self) -> int:
        """Return a length, if what is left could hold that many elements."""
        length = self._read.integer()
        if length == -1:
            length = (self._read.integer() << 32) + (self._read.integer() & 0xFFFFFFFF)
        if not 0 <= length <= self._read.left():
            raise DataError(TRUNCATED)
        return length

    def _remember(self, found: Any) -> Any:
        self._references.append(found)
        return found

    def _pairs(self, flags: int) -> Any:
        """Read a chain of pairs; only its elements can nest, its length is a loop."""
        code = flags & 255
        pairs: list[tuple[str, Any]] = []
        attributes: dict[str, Any] = {}
        while not pairs or flags & 255 in (2, 6):
            own = self._attributes(flags)
            attributes = attributes if pairs else own
            tag = self._item() if flags & TAG else None
            pairs.append((_name_of(tag), self._item()))
            flags = self._read.integer()
        rest = self._of(flags)
        if rest is not None:
            # A function's body; the arguments of a call shared with another end it.
            pairs.append(("", rest))
        if code in (2, 239):
            return RList(tuple(value for _, value in pairs), tuple(tag for tag, _ in pairs))
        if code in (6, 240):
            return RLanguage(_node_of_call(pairs), attributes)
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
        return inside if self._bare else _dressed(inside, attributes)

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


def _dressed(vector: RVector, attributes: Mapping[str, Any]) -> RVector | Factor:
    """Return a vector with its attributes: a factor, a matrix, or a vector still."""
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


def _dressed_list(items: tuple[Any, ...], attributes: Mapping[str, Any]) -> RList | RFrame:
    """Return a list with its attributes, or the data frame it is."""
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


def _formal(slots: dict[str, Any]) -> RSparse | RSlots:
    """Return an S4 object: a sparse matrix, or its slots."""
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


def _node_of_call(parts: Sequence[tuple[str, Any]]) -> Node | None:
    """Return a call of its function and arguments, None where values without a name are in it."""
    (_, function), *rest = parts
    try:
        arguments = [
            Argument(None if value is MISSING else _node(value), name or None)
            for name, value in rest
        ]
        return Call(_node(function), tuple(arguments))
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
