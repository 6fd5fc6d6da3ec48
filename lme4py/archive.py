"""numpy's archives of named arrays.

An archive, ``.npz``, is an uncompressed zip of ``.npy`` arrays. Here it holds numbers alone: no
pickles are written, none are read, and no size in a file is believed before that many bytes are
there.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import path_of
from lme4py.errors import DataError, file_fault
from lme4py.replacing import replacing

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_LONGEST_HEADER = 10_000


def write_archive(path: str | os.PathLike[str], arrays: Arrays) -> None:
    """Write arrays into a file; equal arrays make equal files."""
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        # numpy's zip bears a fixed date.
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_archive(path: str | os.PathLike[str], what: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that is to hold `what`; `DataError` where it does not."""
    try:
        with zipfile.ZipFile(path_of(path)) as archive:
            return {
                info.filename.removesuffix(".npy"): _array(archive.read(info), info.filename)
                for info in _members(archive)
            }
    except OSError as fault:
        raise file_fault("read", path, fault) from None
    except DataError as fault:
        raise DataError(f"'{path}' is not {what}: {fault.message}") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as fault:
        # No zip, truncated, encrypted, or of a later version of zip.
        raise DataError(f"'{path}' is not {what}: {fault}") from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries, if each is an uncompressed array and they do not overlap."""
    members = archive.infolist()
    for info in members:
        if not info.filename.endswith(".npy"):
            raise DataError(f"it has a file {info.filename!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise DataError("its arrays are compressed")
    size = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    if sum(info.file_size for info in members) > size:
        raise DataError("it claims more bytes than it has")
    return members


def _array(content: bytes, name: str) -> NDArray[Any]:
    """Return the array of an entry; its header is held against the bytes that follow."""
    file = io.BytesIO(content)
    try:
        old = np.lib.format.read_magic(file) == (1, 0)
        formats = np.lib.format
        read = formats.read_array_header_1_0 if old else formats.read_array_header_2_0
        header = read(file, max_header_size=_LONGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError) as fault:
        raise DataError(f"{name} is no array: {fault}") from None
    shape, fortran, dtype = header
    if dtype.kind not in "biuf" or not all(length >= 0 for length in shape):
        raise DataError(f"{name} is of type {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise DataError(f"{name} is not as long as it says")
    flat = np.frombuffer(content, dtype=dtype, offset=file.tell()).astype(dtype.newbyteorder("="))
    try:
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as fault:  # no rows of more columns than numpy counts
        raise DataError(f"{name} is no array: {fault}") from None
