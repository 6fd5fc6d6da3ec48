"""A design as Arrow tables, in memory or as a folder of IPC files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.export.dense_blocks import fixed_matrix, grouping_factors, response_columns
from lme4py.export.stored_encoding import encode, write_metadata
from lme4py.matrices.reterms import RandomEffects

__all__ = ["to_arrow", "write_tables"]


def to_arrow(design: MixedDesign) -> dict[str, Any]:
    """Return a design as ``pyarrow`` tables.

    Parameters
    ----------
    design : MixedDesign

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
        raise ImportError("to_arrow() needs pyarrow: pip install -e '.[arrow]'") from error

    tables = {
        "X": pa.Table.from_arrays(
            [pa.array(np.ascontiguousarray(column)) for column in fixed_matrix(design).T],
            names=design.fixed.names,
        ),
        "response": pa.table(response_columns(design)),
        "groups": _groups(design.random),
        **{name: pa.table(columns) for name, columns in _random(design.random).items()},
        "frame": pa.Table.from_pandas(design.frame, preserve_index=False),
    }
    told = {"lme4py": json.dumps(encode(design).metadata, ensure_ascii=False)}
    return {name: table.replace_schema_metadata(told) for name, table in tables.items()}


def _groups(random: RandomEffects) -> Any:
    """Return the grouping factors, in the order of the terms."""
    import pyarrow as pa

    groups = grouping_factors(random)
    return pa.Table.from_arrays(
        [
            pa.DictionaryArray.from_arrays(
                pa.array(group.codes, mask=group.codes < 0),
                pa.array(list(group.levels), pa.string()),
                ordered=group.ordered,
            )
            for group in groups.values()
        ],
        names=list(groups),
    )


def _random(random: RandomEffects) -> dict[str, dict[str, Any]]:
    """Return the columns of the tables of the random part."""
    zt, lambdat, terms = random.Zt.tocoo(), random.Lambdat, random.terms
    position = np.repeat(np.arange(lambdat.shape[1], dtype=np.int64), np.diff(lambdat.indptr))
    return {
        "Zt": {"row": zt.row, "column": zt.col, "value": zt.data},
        "Lambdat": {
            "row": lambdat.indices,
            "column": position,
            "value": lambdat.data,
            "theta": random.Lind,
        },
        "effects": {
            "term": np.repeat(np.arange(len(terms)), np.diff(random.Gp)),
            "group": [
                term.bar.group_name for term in terms for _ in range(term.levels * term.columns)
            ],
            "level": random.row_names,
            "column": [
                name for term in terms for _ in range(term.levels) for name in term.plan.names
            ],
        },
        "theta": {"theta": random.theta},
        "bounds": {"par": random.par, "lower": random.lower, "upper": random.upper},
    }


def write_tables(design: MixedDesign, folder: Path) -> list[Path]:
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
    return [*written, write_metadata(design, folder)]
