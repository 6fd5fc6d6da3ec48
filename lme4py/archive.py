"""numpy's archives of named arrays.

An archive, ``.npz``, is an uncompressed zip of ``.npy`` arrays. Here it holds numbers alone: no
pickles are written, none are read, and no memory is filled but with what is in the file.
"""

from __future__ import annotations

import io
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
# Whatever numpy raises of a header.
_DAMAGE = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


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
    """Return the array of an entry, of numbers as this machine has them."""
    file = io.BytesIO(content)
    try:
        with np.errstate(all="raise"):
            values: NDArray[Any] = np.lib.format.read_array(
                file, allow_pickle=False, max_header_size=_LONGEST_HEADER
            )
    except _DAMAGE as fault:
        # No header, or one that claims more bytes than follow.
        raise DataError(f"{name} is no array: {fault}") from None
    if file.tell() < len(content):
        raise DataError(f"{name} is longer than it says")
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name} is of type {values.dtype}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)
