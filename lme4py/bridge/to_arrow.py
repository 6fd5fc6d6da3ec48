"""A design as Arrow tables, in memory or as a folder of IPC files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lme4py.bridge.blocks import fixed_matrix
from lme4py.bridge.record import encode
from lme4py.matrices.mixed import MixedMatrices

__all__ = ["to_arrow", "write_tables"]


def to_arrow(design: MixedMatrices) -> dict[str, Any]:
    """Return a design as ``pyarrow`` tables.

    Parameters
    ----------
    design : MixedMatrices

    Returns
    -------
    dict of str to pyarrow.Table
        ``X``, a column per column (n rows); ``response``: y, weights, offset, those
        that are there (n rows); ``groups``: each grouping factor as dictionary column
        (n rows); ``Zt`` and ``Lambdat``: row, column, value of each stored entry, and
        its position in theta for Lambdat; ``effects``: term, group, level and column of
        each row of Zt; ``theta``; ``bounds``: par, lower, upper; ``frame``: the model
        frame (n rows). Positions count from 0. Everything else about the design is
        JSON in each schema's metadata, under the key ``lme4py``.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> tables = to_arrow(design)  # doctest: +SKIP
    >>> tables["Zt"].shape  # doctest: +SKIP
    (342, 3)
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError("to_arrow() needs pyarrow: pip install pyarrow") from error

    random = design.random
    groups = {term.bar.group_name: term.group for term in reversed(random.terms)}
    names = list(dict.fromkeys(term.bar.group_name for term in random.terms))
    response: dict[str, Any] = {}
    if design.y is not None:
        columns = design.y.reshape(len(design.y), -1)
        single = columns.shape[1] == 1
        response = {"y" if single else f"y{k + 1}": column for k, column in enumerate(columns.T)}
    for name, values in (("weights", design.weights), ("offset", design.offset)):
        if values is not None:
            response[name] = values
    zt, lambdat = random.Zt.tocoo(), random.Lambdat
    position = np.repeat(np.arange(lambdat.shape[1], dtype=np.int64), np.diff(lambdat.indptr))
    X = fixed_matrix(design)
    tables = {
        "X": pa.Table.from_arrays(
            [pa.array(np.ascontiguousarray(column)) for column in X.T], names=design.fixed.names
        ),
        "response": pa.table(response),
        "groups": pa.Table.from_arrays(
            [
                pa.DictionaryArray.from_arrays(
                    pa.array(groups[name].codes, mask=groups[name].codes < 0),
                    pa.array(list(groups[name].levels), pa.string()),
                    ordered=groups[name].ordered,
                )
                for name in names
            ],
            names=names,
        ),
        "Zt": pa.table({"row": zt.row, "column": zt.col, "value": zt.data}),
        "Lambdat": pa.table(
            {
                "row": lambdat.indices,
                "column": position,
                "value": lambdat.data,
                "theta": random.Lind,
            }
        ),
        "effects": pa.table(
            {
                "term": np.repeat(np.arange(len(random.terms)), np.diff(random.Gp)),
                "group": [
                    term.bar.group_name
                    for term in random.terms
                    for _ in range(term.levels * term.columns)
                ],
                "level": random.row_names,
                "column": [
                    name
                    for term in random.terms
                    for _ in range(term.levels)
                    for name in term.plan.names
                ],
            }
        ),
        "theta": pa.table({"theta": random.theta}),
        "bounds": pa.table({"par": random.par, "lower": random.lower, "upper": random.upper}),
        "frame": pa.Table.from_pandas(design.frame, preserve_index=False),
    }
    told = {"lme4py": json.dumps(encode(design).metadata, ensure_ascii=False)}
    return {name: table.replace_schema_metadata(told) for name, table in tables.items()}


def write_tables(design: MixedMatrices, folder: Path) -> list[Path]:
    """Write a design as Arrow IPC files, ``X.arrow`` and so on, and ``design.json``."""
    from pyarrow import ipc

    tables = to_arrow(design)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.arrow"
        with ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
        written.append(path)
    path = folder / "design.json"
    text = json.dumps(encode(design).metadata, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return [*written, path]
