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
from lme4py.errors import DataError, file_fault
from lme4py.export.stored_design import damaged, design_of_parts, stored_parts

__all__ = ["FORMATS", "Format", "export", "load", "save"]

_LONGEST_HEADER = 10_000

Format = Literal["npz", "mtx", "arrow", "rds"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""The formats that `export` writes."""


def save(design: MixedDesign, path: str | os.PathLike[str]) -> None:
    """Write a whole design into a ``.npz`` file: `MixedDesign.save`."""
    arrays, metadata = stored_parts(design)
    texts = {
        "metadata": json.dumps(metadata, ensure_ascii=False, indent=1),
        "X_names": _lines(design.fixed.names),
        "Zt_names": _lines(design.random.row_names),
    }
    written = {name: np.frombuffer(text.encode(), dtype=np.uint8) for name, text in texts.items()}
    name = path_of(path)
    try:
        with Path(name).open("wb") as file:
            # numpy's zip bears a fixed date: equal designs make equal files.
            np.savez(file, **written, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise file_fault("write", name, error) from None


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
            arrays = {
                info.filename.removesuffix(".npy"): _array(archive, info)
                for info in _members(archive)
            }
    except OSError as error:
        raise file_fault("read", name, error) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        # No zip, truncated, encrypted, or of a later version of zip.
        raise DataError(f"{name} is not a stored design: {error}") from None
    if "metadata" not in arrays:
        raise damaged("it has no metadata")
    try:
        metadata = json.loads(arrays["metadata"].tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise damaged(f"its metadata: {error}") from None
    return design_of_parts(arrays, metadata)


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries, if each is an uncompressed array and they do not overlap."""
    members = archive.infolist()
    for info in members:
        if not info.filename.endswith(".npy"):
            raise damaged(f"it has a file {info.filename!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise damaged("its arrays are compressed")
    size = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    if sum(info.file_size for info in members) > size:
        raise damaged("it claims more bytes than it has")
    return members


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
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
        raise damaged(f"{name} is no array: {error}") from None
    shape, fortran, dtype = header
    if dtype.kind not in "biuf" or not all(length >= 0 for length in shape):
        raise damaged(f"{name} is of type {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise damaged(f"{name} is not as long as it says")
    flat = np.frombuffer(content, dtype=dtype, offset=file.tell()).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order="F" if fortran else "C")


def export(design: MixedDesign, path: str | os.PathLike[str], format: str) -> list[Path]:
    """Write a design for another program: `MixedDesign.export`; return what was written."""
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
                from lme4py.export.to_tables import write_matrix_market

                return write_matrix_market(design, target)
            case _:
                from lme4py.export.to_tables import write_arrow

                return write_arrow(design, target)
    except OSError as error:
        raise file_fault("write", target, error) from None
