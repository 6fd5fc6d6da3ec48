"""Designs in files: saved and loaded whole, or written for other programs.

The whole design is a ``.npz``: numpy's archive, which is an uncompressed zip of ``.npy``
arrays. One of them, ``metadata``, is a JSON text as bytes; ``X_names`` and
``Zt_names`` are the names of X's columns and Zt's rows as UTF-8 lines. No pickles are
written, and none are read.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import choice_of, path_of
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.export.record import Record
from lme4py.export.stored_decoding import decode
from lme4py.export.stored_encoding import encode

__all__ = ["FORMATS", "Format", "export", "load", "save"]

Format = Literal["npz", "mtx", "arrow", "rds"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""The formats that `export` writes."""

_TEXTS = frozenset({"metadata", "X_names", "Zt_names"})
_LONGEST_HEADER = 10_000


def save(design: MixedDesign, path: str | os.PathLike[str]) -> None:
    """Write a whole design into a ``.npz`` file, for `load` or for any reader of numpy's format.

    Parameters
    ----------
    design : MixedDesign
    path : path
        Written as it is, whatever its extension; an existing file is replaced.

    Raises
    ------
    DataError
        If the file cannot be written, or the rows have labels that cannot be stored.

    Examples
    --------
    >>> import lme4py, os, tempfile
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> path = os.path.join(tempfile.mkdtemp(), "sleep.npz")
    >>> save(design, path)
    >>> load(path).fixed.names
    ['(Intercept)', 'Days']
    """
    record = encode(design)
    texts = {
        "metadata": json.dumps(record.metadata, ensure_ascii=False, indent=1),
        "X_names": _lines(design.fixed.names),
        "Zt_names": _lines(design.random.row_names),
    }
    arrays = {name: np.frombuffer(text.encode(), dtype=np.uint8) for name, text in texts.items()}
    file_name = path_of(path)
    try:
        with zipfile.ZipFile(file_name, "w", zipfile.ZIP_STORED) as archive:
            for name, array in (arrays | record.arrays).items():
                with archive.open(_member(name), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot write {file_name}: {error.strerror or error}") from None


def _member(name: str) -> zipfile.ZipInfo:
    """Return the entry of an array, with a fixed date: equal designs make equal files."""
    return zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))


def _lines(names: list[str]) -> str:
    r"""Return names as lines; a line break inside a name is written ``\n``."""
    return "".join(name.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for name in names)


def load(path: str | os.PathLike[str]) -> MixedDesign:
    """Read a design that `MixedDesign.save` wrote.

    Parameters
    ----------
    path : path
        A ``.npz`` file.

    Returns
    -------
    MixedDesign
        Every component equal to the saved design's, bit for bit, its `spec` too.

    Raises
    ------
    DataError
        If there is no such file, or it holds something else than a design, in whole or
        in part. Nothing in the file is run as code, and no size in it is believed before
        that many bytes are there.

    Examples
    --------
    >>> import lme4py, os, tempfile
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> path = os.path.join(tempfile.mkdtemp(), "sleep.npz")
    >>> design.save(path)
    >>> load(path)
    <MixedDesign: Reaction ~ Days + (Days | Subject)
     X 180 x 2: (Intercept), Days
     Zt 36 x 180: Subject 18 x ((Intercept), Days)>
    """
    name = path_of(path)
    try:
        with zipfile.ZipFile(name) as archive:
            arrays = {info.filename: _read(archive, info) for info in _members(archive)}
    except zipfile.BadZipFile as error:
        raise DataError(f"{name} is not a stored design: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror or error}") from None
    except (EOFError, NotImplementedError, RuntimeError) as error:
        # Truncated, encrypted or of a later version of zip.
        raise DataError(f"{name} is not a stored design: {error}") from None
    found = {key.removesuffix(".npy"): array for key, array in arrays.items()}
    if "metadata" not in found:
        raise DataError(f"{name} is not a stored design: it has no metadata")
    kept = {key: array for key, array in found.items() if key not in _TEXTS}
    return decode(Record(kept, _json(found["metadata"])))


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries, if each is an uncompressed array and they do not overlap."""
    members = archive.infolist()
    for info in members:
        if not info.filename.endswith(".npy"):
            raise DataError(f"this is not a stored design: it has a file {info.filename!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise DataError("this is not a stored design: its arrays are compressed")
    size = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    if sum(info.file_size for info in members) > size:
        raise DataError("this is not a stored design: it claims more bytes than it has")
    return members


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Return the array of an entry; its header is held against the bytes that follow."""
    content = archive.read(info)
    file = io.BytesIO(content)
    name = info.filename
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(file, max_header_size=_LONGEST_HEADER)
        else:
            header = np.lib.format.read_array_header_2_0(file, max_header_size=_LONGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError) as error:
        raise DataError(f"this is not a stored design: {name} is no array: {error}") from None
    shape, fortran, dtype = header
    if dtype.kind not in "biuf" or not all(length >= 0 for length in shape):
        raise DataError(f"this is not a stored design: {name} is of type {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise DataError(f"this is not a stored design: {name} is not as long as it says")
    flat = np.frombuffer(content, dtype=dtype, offset=file.tell()).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order="F" if fortran else "C")


def _json(array: NDArray[Any]) -> dict[str, Any]:
    try:
        metadata = json.loads(array.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is not a stored design: its metadata: {error}") from None
    if not isinstance(metadata, dict):
        raise DataError("this is not a stored design: its metadata are no object")
    return metadata


def export(design: MixedDesign, path: str | os.PathLike[str], format: str) -> list[Path]:
    """Write a design for another program.

    Parameters
    ----------
    design : MixedDesign
    path : path
        The file (``npz``, ``rds``) or folder (``mtx``, ``arrow``) to write; a folder is
        made when it is not there.
    format : {"npz", "mtx", "arrow", "rds"}
        numpy's archive, as `save` writes; Matrix Market files and tables in CSV with a
        script that reads them in R; Arrow IPC files; a list as lme4's ``lFormula``
        gives it, for R's ``readRDS``.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    DataError
        For an unknown format, or if a file cannot be written.
    """
    target = Path(path_of(path))
    try:
        match choice_of("format", format, FORMATS):
            case "npz":
                save(design, target)
                return [target]
            case "rds":
                from lme4py.export.to_rds import write_rds

                target.write_bytes(write_rds(design))
                return [target]
            case "mtx":
                from lme4py.export.to_matrix_market import write_folder

                return write_folder(design, target)
            case _:
                from lme4py.export.to_arrow import write_tables

                return write_tables(design, target)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from None
