"""Designs in files: saved and loaded whole, or written for other programs; and Arrow's tables.

The whole design is a ``.npz``: numpy's archive, which is an uncompressed zip of ``.npy``
arrays. One of them, ``metadata``, is a JSON text as bytes; ``X_names`` and
``Zt_names`` are the names of X's columns and Zt's rows as UTF-8 lines. No pickles are
written, and none are read.

Text is written with as many digits as tell a double from its neighbours. Positions count from
0, except inside the Matrix Market files, whose format counts from 1.
"""

from __future__ import annotations

import gzip
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from lme4py.archive import read_archive, write_archive
from lme4py.argument_types import choice_of, path_of
from lme4py.design import MixedDesign
from lme4py.errors import file_fault
from lme4py.export.coordinates import dense
from lme4py.export.stored_design import damaged, design_of_parts, stored_parts
from lme4py.replacing import replacing

if TYPE_CHECKING:
    from pyarrow import Table

_DIGITS = 17
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
        case chosen:
            with replacing(target) as unfinished:
                unfinished.mkdir(parents=True, exist_ok=True)
                write = _write_matrix_market if chosen == "mtx" else _write_arrow
                written = write(design, unfinished)
            return [target / path.name for path in written]


def _write_matrix_market(design: MixedDesign, folder: Path) -> list[Path]:
    """Write a design as text files into a folder, with a script that reads them in R.

    The matrices are sparse, with the starting zeros of Lambdat stored; the tables are in CSV.
    """
    import pandas as pd
    from scipy.io import mmwrite
    from scipy.sparse import coo_array

    written = []
    # Entry by entry: R's Matrix package does not read the dense kind of the format.
    X: Any = coo_array(design.X)
    for name, matrix in (("X", X), ("Zt", design.Zt), ("Lambdat", design.random.Lambdat)):
        written.append(folder / f"{name}.mtx")
        with written[-1].open("wb") as file:
            # scipy itself does not tell that a file could not be written.
            mmwrite(file, matrix, field="real", precision=_DIGITS, symmetry="general")
    for name, columns in (_tables(design) | _descriptions(design)).items():
        written.append(folder / f"{name}.csv")
        pd.DataFrame(columns).to_csv(written[-1], index=False, na_rep="NaN", lineterminator="\n")
    script = folder / "read_design.R"
    text = files("lme4py.export").joinpath("read_design.R").read_text(encoding="utf-8")
    script.write_text(text, encoding="utf-8")
    return [*written, _metadata(design, folder), script]


def _write_arrow(design: MixedDesign, folder: Path) -> list[Path]:
    """Write a design as Arrow IPC files, ``X.arrow`` and so on, and ``design.json``."""
    from pyarrow import ipc

    written = []
    for name, table in to_arrow(design).items():
        written.append(folder / f"{name}.arrow")
        with ipc.new_file(str(written[-1]), table.schema) as file:
            file.write_table(table)
    return [*written, _metadata(design, folder)]


def _metadata(design: MixedDesign, folder: Path) -> Path:
    """Write everything about a design but its arrays as ``design.json``."""
    path = folder / "design.json"
    text = json.dumps(stored_parts(design)[1], ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def to_arrow(design: MixedDesign) -> dict[str, Table]:
    """Return a design as ``pyarrow`` tables: `MixedDesign.to_arrow`."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError("to_arrow() needs pyarrow: pip install -e '.[arrow]'") from error

    random = design.random
    zt, lambdat = random.Zt.tocoo(), random.Lambdat
    entries = {
        "Zt": {"row": zt.row, "column": zt.col, "value": zt.data},
        "Lambdat": {
            "row": lambdat.indices,
            # scipy's coo would add up the zeros that are stored.
            "column": np.repeat(np.arange(lambdat.shape[1]), np.diff(lambdat.indptr)),
            "value": lambdat.data,
            "theta": random.Lind,
        },
    }
    groups = [
        pa.DictionaryArray.from_arrays(
            pa.array(group.codes, mask=group.codes < 0),
            pa.array(list(group.levels), pa.string()),
            ordered=group.ordered,
        )
        for group in random.groups.values()
    ]
    tables = {
        "X": pa.Table.from_arrays(
            [pa.array(np.ascontiguousarray(column)) for column in dense(design.X).T],
            names=design.fixed.names,
        ),
        "groups": pa.Table.from_arrays(groups, names=list(random.groups)),
        **{name: pa.table(columns) for name, columns in (entries | _tables(design)).items()},
        "frame": pa.Table.from_pandas(design.frame, preserve_index=False),
    }
    told = {"lme4py": json.dumps(stored_parts(design)[1], ensure_ascii=False)}
    return {name: table.replace_schema_metadata(told) for name, table in tables.items()}


def _tables(design: MixedDesign) -> dict[str, dict[str, Any]]:
    """Return the columns of the tables that every form has: the response, effects, theta, bounds.

    The response is y (y1, y2, ... where it has several columns), weights and offset, if there.
    """
    random, y, sizes = design.random, design.y, np.diff(design.random.Gp)
    columns = [] if y is None else list(y.reshape(len(y), -1).T)
    names = ["y"] if len(columns) == 1 else [f"y{k + 1}" for k in range(len(columns))]
    response = dict(zip(names, columns, strict=True))
    others = {"weights": design.weights, "offset": design.offset}
    return {
        "response": response | {name: x for name, x in others.items() if x is not None},
        "effects": {
            "term": np.repeat(np.arange(len(sizes)), sizes),
            "group": np.repeat([group for group, _ in random.cnms], sizes),
            "level": random.row_names,
            "column": [
                name for t in random.terms for _ in range(t.levels) for name in t.plan.names
            ],
        },
        "theta": {"theta": random.theta},
        "bounds": {"par": random.par, "lower": random.lower, "upper": random.upper},
    }


def _descriptions(design: MixedDesign) -> dict[str, dict[str, Any]]:
    """Return the columns of the tables that say in CSV what Arrow keeps in types and JSON."""
    fixed, random, family = design.fixed, design.random, design.family
    terms, groups = random.terms, random.groups
    return {
        "columns": {
            "name": fixed.names,
            "assign": fixed.assign,
            "term": ["" if k == 0 else fixed.terms[k - 1] for k in fixed.assign.tolist()],
            "center": [fixed.centers.get(name, 0.0) for name in fixed.names],
            "scale": [fixed.scales.get(name, 1.0) for name in fixed.names],
        },
        "terms": {
            "label": [term.bar.label for term in terms],
            "group": [term.bar.group_name for term in terms],
            "factor": random.assign,
            "levels": random.nl,
            "columns": random.nc,
            "first_row": random.Gp[:-1],
            "covariance": [term.covariance.name for term in terms],
            "hom": [term.covariance.hom for term in terms],
            "order": random.order,
        },
        "levels": {
            "factor": [at for at, group in enumerate(groups.values()) for _ in group.levels],
            "group": [name for name, group in groups.items() for _ in group.levels],
            "level": [str(level) for group in groups.values() for level in group.levels],
        },
        "codes": {str(k): group.codes for k, group in enumerate(groups.values())},
        "Lind": {"Lind": random.Lind},
        "model": {
            "formula": [str(design.formula)],
            "REML": ["" if design.reml is None else design.reml],
            "family": ["" if family is None else family.label],
            "link": ["" if family is None else family.link],
        },
    }
