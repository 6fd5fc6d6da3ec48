"""Designs in files: saved and loaded whole, or written for other programs.

The whole design is a ``.npz``: numpy's archive, which is an uncompressed zip of ``.npy``
arrays. One of them, ``metadata``, is a JSON text as bytes; ``X_names`` and
``Zt_names`` are the names of X's columns and Zt's rows as UTF-8 lines. No pickles are
written, and none are read.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lme4py.archive import read_archive, write_archive
from lme4py.argument_types import choice_of, path_of
from lme4py.design import MixedDesign
from lme4py.errors import file_fault
from lme4py.export.stored_design import damaged, design_of_parts, stored_parts
from lme4py.replacing import replacing

Format = Literal["npz", "mtx", "arrow", "rds"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""The formats that `export` writes."""


def save(design: MixedDesign, path: str | os.PathLike[str]) -> None:
    """Write a whole design into a ``.npz`` file: `MixedDesign.save`."""
    arrays, metadata = stored_parts(design)
    texts = {"metadata": json.dumps(metadata, ensure_ascii=False, indent=1)}
    for part, names in (("X_names", design.fixed.names), ("Zt_names", design.random.row_names)):
        # A line each; a line break inside a name is written as in Python.
        lines = (name.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for name in names)
        texts[part] = "".join(lines)
    try:
        encoded = {name: text.encode() for name, text in texts.items()}
    except UnicodeEncodeError as fault:
        raise file_fault("write", path, fault) from None
    written = {name: np.frombuffer(text, dtype=np.uint8) for name, text in encoded.items()}
    write_archive(path, written | arrays)


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
    arrays = read_archive(path, "a stored design")
    if "metadata" not in arrays:
        raise damaged("it has no metadata")
    try:
        metadata = json.loads(arrays["metadata"].tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise damaged(f"its metadata: {error}") from None
    return design_of_parts(arrays, metadata)


def export(design: MixedDesign, path: str | os.PathLike[str], format: str) -> list[Path]:
    """Write a design for another program: `MixedDesign.export`; return what was written."""
    target = Path(path_of(path))
    match choice_of("format", format, FORMATS):
        case "npz":
            save(design, target)
            return [target]
        case "rds":
            from lme4py.export.to_rds import design_as_list
            from lme4py.rfiles.serialize import serialize

            with replacing(target) as unfinished:
                content = serialize(design_as_list(design))
                # R's own level: the highest takes eight times as long for two hundredths of the
                # size.
                unfinished.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
            return [target]
        case "mtx":
            from lme4py.export.to_tables import write_matrix_market as write_folder
        case _:
            from lme4py.export.to_tables import write_arrow as write_folder
    with replacing(target) as unfinished:
        written = write_folder(design, unfinished)
    return [target / path.name for path in written]
