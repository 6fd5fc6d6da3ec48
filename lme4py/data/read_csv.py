"""Text files as R's read.csv reads them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import flag_of, path_of
from lme4py.errors import DataError, file_fault
from lme4py.numerals import BLANK, LARGEST_INTEGER, number
from lme4py.unique_names import make_names

if TYPE_CHECKING:
    import pandas as pd

FieldKind: TypeAlias = Literal["empty", "logical", "integer", "double", "text"]

_LOOKED_AT = 5
_TRUTH = {"T": True, "TRUE": True, "F": False, "FALSE": False}
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")


def _unzipped(content: bytes) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(content))
    return archive.read(only_member(archive))


def only_member(archive: zipfile.ZipFile) -> str:
    """Return the name of the one file in an archive."""
    names = archive.namelist()
    if len(names) != 1:
        raise OSError(f"the zip archive holds {len(names)} files, not one")
    return names[0]


_UNPACK: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"PK\x03\x04": _unzipped,
}
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What the readers of packed files raise; RuntimeError stands for a password."""
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_csv(
    path: str | PathLike[str],
    *,
    sep: str = ",",
    decimal: str = ".",
    encoding: str | None = None,
    na: str | Collection[str] = "NA",
    comment: str = "",
    check_names: bool = True,
) -> pd.DataFrame:
    r"""Read a table from a text file by the rules of R's ``read.csv``.

    Parameters
    ----------
    path : path
        The file; it may be packed by gzip, bzip2 or xz, or alone in a zip archive.
    sep : str
        The character between fields; R's ``sep``.
    decimal : str
        The decimal point, ``","`` for instance; R's ``dec``.
    encoding : str, optional
        As Python or R names it, R's ``fileEncoding``: ``"latin1"``, ``"cp1252"``. By
        default a byte order mark tells UTF-16 from UTF-8.
    na : str or collection of str
        The fields that are missing values, quoted or not; R's ``na.strings``.
    comment : str
        The character that begins a comment, none by default; R's ``comment.char``.
    check_names : bool
        Make names of the header that R can read in a formula, and no name twice.

    Returns
    -------
    DataFrame
        All fields of a column decide its type: bool for ``T``, ``F``, ``TRUE`` and
        ``FALSE``, then int64, then float64 (``boolean`` and ``Int64`` where a value is
        missing), else text as it stands, in which an empty field is the text ``""``.
        Where the header is one field shorter than the lines below, the first column
        becomes the index.

    Raises
    ------
    DataError
        If the file cannot be read, decoded or taken apart.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trial.csv"
    >>> _ = path.write_text("y;dose;done\n1,5;None;T\n2,5;Low;F\n")
    >>> read_csv(path, sep=";", decimal=",")
         y  dose   done
    0  1.5  None   True
    1  2.5   Low  False
    """
    import pandas as pd

    marks: Mapping[str, Any] = {"sep": sep, "decimal": decimal, "comment": comment}
    for name, given in marks.items():
        if not isinstance(given, str) or len(given) > 1 or not (given or name == "comment"):
            raise DataError(f"invalid '{name}' argument: one character is needed, not {given!r}")
    if not isinstance(encoding, str | None):
        raise DataError(f"invalid 'encoding' argument: a name is needed, not {encoding!r}")
    if not isinstance(na, Collection):
        raise DataError(f"invalid 'na' argument: a text is needed, or several, not {na!r}")
    checked = flag_of("check_names", check_names)
    lines = _decoded(path, encoding)
    if comment:
        lines = io.StringIO("".join(_without_comment(line, comment) for line in lines))
    header, labels, cells = _fields(lines, sep, path)
    index: Any = pd.RangeIndex(len(cells))
    if labels:
        index = pd.Index(cells[0].to_numpy(dtype=object), dtype=object)
        if not index.is_unique:
            raise repeated_labels(path)
    missing = frozenset([na] if isinstance(na, str) else na)
    columns = [
        column_of_fields(cells[place], missing, decimal, index)
        for place in range(labels, len(header) + labels)
    ]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = pd.Index(make_names(header) if checked else header)
    return frame


def _fields(
    lines: io.StringIO, sep: str, path: str | PathLike[str]
) -> tuple[list[str], Literal[0, 1], pd.DataFrame]:
    """Return what `header_of` does, and the fields of the lines below the header as text."""
    import pandas as pd

    try:
        header, labels = header_of(lines, sep, path)
        lines.seek(0)
        cells = pd.read_csv(
            Records(lines, sep),
            sep=sep,
            header=None,
            names=range(len(header) + labels),
            index_col=False,
            dtype=str,
            na_filter=False,
            low_memory=False,
        )
    except (csv.Error, pd.errors.ParserError) as error:
        reason = str(error).strip().rpartition("C error: ")[2]
        hint = f"fields are separated by {sep!r}"
        raise DataError(f"cannot read '{path}': {reason}", hint=hint) from error
    return header, labels, cells.iloc[1:]


class Records(io.TextIOBase):
    r"""Text as pandas is to read it, which skips a line of blanks, and does not skip one of ``""``.

    To R the first is a field of blanks, the second nothing.

    Examples
    --------
    >>> Records(io.StringIO('a\n  \n"b\n  \n"\n""\n'), ",").read()
    'a\n"  "\n"b\n  \n"\n\n'
    """

    def __init__(self, lines: io.TextIOBase, sep: str) -> None:
        self._lines, self._quoted = lines, False
        self._blanks = " \t".replace(sep, "")
        self._parts = re.compile(
            rf'(?P<nothing>^""$)|(?P<blanks>^[{self._blanks}]+$)|"[^"]*(?:"|\Z)', re.MULTILINE
        )

    def read(self, size: int | None = -1) -> str:
        """Return about so much of the text, up to the end of a line."""
        text = self._lines.read(size) + self._lines.readline()
        if not any(mark in text for mark in ('"', *self._blanks)):
            return text
        codes = np.frombuffer(f"\n{text}\n\n".encode(), dtype=np.uint8)
        quotes = codes == ord('"')
        # A piece that begins between quotes is searched as if they were opened in it.
        before = '".' if self._quoted else ""
        self._quoted ^= np.count_nonzero(quotes) % 2 == 1
        # Few texts have a line that begins so.
        lines = np.flatnonzero(codes[:-2] == ord("\n"))
        blank = np.isin(codes[lines + 1], [ord(mark) for mark in self._blanks])
        if (blank | (quotes[lines + 1] & quotes[lines + 2])).any():
            return self._parts.sub(_as_R_has_it, before + text).removeprefix(before)
        return text


def _as_R_has_it(part: re.Match[str]) -> str:
    if part.lastgroup == "nothing":
        return ""
    return f'"{part[0]}"' if part.lastgroup == "blanks" else part[0]


def header_of(
    lines: Iterable[str], sep: str, path: str | PathLike[str]
) -> tuple[list[str], Literal[0, 1]]:
    """Return the names of the columns, and 1 where a field before them names the row, else 0."""
    records = (record for record in csv.reader(lines, delimiter=sep) if record)
    first = list(islice(records, _LOOKED_AT))
    if not first:
        raise DataError(f"cannot read '{path}': no lines available in input")
    header = [name.strip(BLANK) for name in first[0]]
    if header == [""]:  # a line of blanks
        header = []
    width = max(map(len, first))
    if width > len(header) + 1:
        raise DataError(
            f"cannot read '{path}': more columns than column names",
            hint=f"the header has {len(header)}, a line {width} fields between {sep!r}",
        )
    return header, 1 if width > len(header) else 0


def repeated_labels(path: str | PathLike[str]) -> DataError:
    """Return the error of names of rows that are not different."""
    return DataError(
        f"cannot read '{path}': duplicate 'row.names' are not allowed",
        hint="the header is one field shorter than the lines below, so that the first "
        "column holds the names of the rows; does a line end with the separator?",
    )


def _decoded(path: str | PathLike[str], encoding: str | None) -> io.StringIO:
    """Return the text of a file; its lines end with a line feed, between quotes, too."""
    try:
        content = Path(path_of(path)).read_bytes()
        for magic, unpack in _UNPACK.items():
            if content.startswith(magic):
                content = unpack(content)
    except DAMAGE as error:
        raise file_fault("read", path, error) from error
    name = encoding or _MARKS.get(content[:2], "utf-8")
    try:
        return io.StringIO(content.decode(name).removeprefix("\ufeff"), newline=None)
    except LookupError as error:
        raise DataError(f"unknown encoding '{name}'", hint="latin1, cp1252, utf-16") from error
    except UnicodeError as error:
        line = content[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"cannot read '{path}': line {line} is not {name}",
            hint="give the encoding, 'latin1' or 'cp1252' for one",
        ) from error


def _without_comment(line: str, mark: str) -> str:
    """Return a line up to its comment; a mark between quotes begins none."""
    parts = line.split(mark)
    kept = parts[0]
    for part in parts[1:]:
        if kept.count('"') % 2 == 0:
            return kept and kept + "\n"
        kept += mark + part
    return kept


def kind_of_fields(cells: pd.Series[Any], missing: Collection[str], decimal: str) -> FieldKind:
    """Return what R's ``type.convert`` makes of the fields of a column."""
    import pandas as pd

    known = [str(item) for item in pd.unique(cells) if item not in missing and item.strip(BLANK)]
    return _kind(known, decimal)


def _kind(known: list[str], decimal: str) -> FieldKind:
    if all(item in _TRUTH for item in known):
        return "logical" if known else "empty"
    numbers = [_number(item, decimal) for item in known]
    if None in numbers:
        return "text"
    small = all(abs(number or 0.0) <= LARGEST_INTEGER for number in numbers)
    return "integer" if small and all(map(_INTEGER.fullmatch, known)) else "double"


def common_kind(kinds: Collection[FieldKind]) -> FieldKind:
    """Return what a column is whose parts are these alone.

    Examples
    --------
    >>> common_kind(["integer", "empty", "double"]), common_kind(["logical", "integer"])
    ('double', 'text')
    """
    found = set(kinds) - {"empty"}
    if len(found) == 1:
        return found.pop()
    if found <= {"integer", "double"}:
        return "double" if found else "empty"
    return "text"


def column_of_fields(
    cells: pd.Series[Any],
    missing: Collection[str],
    decimal: str,
    index: Any,
    kind: FieldKind | None = None,
) -> Any:
    """Return R's ``type.convert`` of the fields of a column; each distinct one is read once."""
    import pandas as pd

    codes, found = pd.factorize(cells)
    pool = [None if item in missing else str(item) for item in found]
    known = [item for item in pool if item is not None and item.strip(BLANK)]
    absent = np.array([item is None or not item.strip(BLANK) for item in pool], dtype=bool)
    kind = kind or _kind(known, decimal)
    if kind in ("logical", "empty"):
        truth = np.array([_TRUTH.get(item or "", False) for item in pool], dtype=bool)
        return _masked(truth, absent, codes, index)
    if kind == "text":
        texts = np.array([*pool, None], dtype=object)[codes]
        return pd.Series(texts, index=index, dtype=None if known else object)
    values = np.full(len(pool), np.nan)
    values[~absent] = [_number(item, decimal) for item in known]
    if kind == "integer":
        return _masked(np.where(absent, 0, values).astype(np.int64), absent, codes, index)
    return pd.Series(values[codes], index=index)


def _masked(
    pool: NDArray[Any], absent: NDArray[np.bool_], codes: NDArray[np.intp], index: Any
) -> Any:
    import pandas as pd

    values = pd.Series(pool[codes], index=index)
    if not absent.any():
        return values
    kind: Any = "boolean" if pool.dtype == bool else "Int64"
    return values.astype(kind).mask(absent[codes])


def _number(text: str, decimal: str) -> float | None:
    """Return the number that R reads from a text, None if it is none."""
    # R looks for NA first, and does not go on to read NAN.
    return None if text.strip(BLANK).startswith("NA") else number(text, decimal)
