"""numpy's ``.npz``: named arrays in an uncompressed zip, written and read without pickles."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import path_of
from lme4py.errors import DataError

__all__ = ["damaged", "read_archive", "write_archive"]

_LONGEST_HEADER = 10_000


def damaged(detail: str) -> DataError:
    """Return the error for a file that is no stored design."""
    return DataError(f"this is not a stored design: {detail}")


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into a file; equal arrays make equal files.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    name = path_of(path)
    try:
        with zipfile.ZipFile(name, "w", zipfile.ZIP_STORED) as archive:
            for key, array in arrays.items():
                # A fixed date, not today's.
                member = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
                with archive.open(member, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot write {name}: {error.strerror or error}") from None


def read_archive(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers; no size in the file is believed before that many bytes are there.

    Raises
    ------
    DataError
        If there is no such file, or it is no archive of uncompressed arrays.
    """
    name = path_of(path)
    try:
        with zipfile.ZipFile(name) as archive:
            return {
                info.filename.removesuffix(".npy"): _array(archive, info)
                for info in _members(archive)
            }
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        # No zip, truncated, encrypted, or of a later version of zip.
        raise DataError(f"{name} is not a stored design: {error}") from None


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
