"""R's own files: what ``saveRDS`` wrote, as typed Python values.

The reader is ours, because a model frame holds what general converters stumble over
(matrix columns, formulas with the environment of the function that made them, contrast
attributes that are functions), and because a file is somebody else's: see
`unserialize` for the bounds.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from lme4py.argument_types import path_of
from lme4py.errors import DataError, file_fault
from lme4py.rfiles.unserialize import unserialize

_DAMAGE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What an object raises whose parts do not fit together."""

_OPENERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""The standard library's readers, by how a file begins."""

_PIECE = 2**18
_DICTIONARY = 2**28
"""Memory that unpacking xz may take; R's own files need 65 MiB at most."""
_SMALL = 2**27
_RATIO = 100
"""A file may unpack to 128 MiB, and beyond that to 100 times its size (R's: 2 to 30 times)."""


def read_rds(path: str | os.PathLike[str]) -> Any:
    """Read what R's ``saveRDS`` wrote.

    Parameters
    ----------
    path : path-like
        Compressed by gzip, bzip2 or xz, or not at all; binary or ``ascii = TRUE``.

    Returns
    -------
    object
        None for NULL, `RVector`, `Factor`, `RFrame`, `RList`, `RSparse`
        for a dgCMatrix, `RSlots` for other S4 objects, `RLanguage` for formulas and
        calls, `RUnread` for environments and functions.

    Raises
    ------
    DataError
        If the file is missing, damaged, not R's, or unpacks to an absurd size.
    """
    path = path_of(path)
    try:
        content = Path(path).read_bytes()
    except OSError as fault:
        raise file_fault("read", path, fault) from fault
    try:
        # A file may be packed once more: m.rds.gz.
        most = max(_SMALL, _RATIO * len(content))
        return unserialize(_unpacked(_unpacked(content, most), most))
    except DataError as fault:
        raise DataError(f"{path} is not a file written by R's saveRDS: {fault.message}") from fault
    except MemoryError:
        raise DataError(f"{path} would need more memory than there is") from None
    except _DAMAGE as fault:
        raise DataError(
            f"{path} is not a file written by R's saveRDS: the parts of an object in it do not "
            f"fit together ({fault})"
        ) from fault


def _unpacked(content: bytes, most: int) -> bytes:
    """Return the stream in a file, of so many bytes at most."""
    opener = next((_OPENERS[magic] for magic in _OPENERS if content.startswith(magic)), None)
    if opener is None:
        return content
    try:
        if opener is lzma.open:
            # What unpacks it later cannot be told how much memory the file may ask for.
            lzma.LZMADecompressor(memlimit=_DICTIONARY).decompress(content, 1)
        with opener(io.BytesIO(content)) as file:
            pieces = islice(iter(partial(file.read, _PIECE), b""), most // _PIECE + 1)
            stream = b"".join(pieces)
    except EOFError:
        raise DataError("it ends in the middle of the compressed data") from None
    except (zlib.error, lzma.LZMAError, OSError) as fault:
        raise DataError(f"it is damaged ({fault})") from fault
    if len(stream) > most:
        raise DataError(f"it unpacks to more than {most} bytes")
    return stream
