"""A design as Arrow tables, in memory or as a folder of IPC files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.export.dense_blocks import (
    fixed_matrix,
    grouping_factors,
    random_tables,
    response_columns,
)
from lme4py.export.stored_design import stored_parts, write_metadata
from lme4py.matrices.reterms import RandomEffects

if TYPE_CHECKING:
    from pyarrow import Table

__all__ = ["to_arrow", "write_tables"]


def to_arrow(design: MixedDesign) -> dict[str, Table]:
    """Return a design as ``pyarrow`` tables: `MixedDesign.to_arrow`."""
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
        **{
            name: pa.table(columns)
            for name, columns in (_entries(design.random) | random_tables(design.random)).items()
        },
        "frame": pa.Table.from_pandas(design.frame, preserve_index=False),
    }
    told = {"lme4py": json.dumps(stored_parts(design)[1], ensure_ascii=False)}
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


def _entries(random: RandomEffects) -> dict[str, dict[str, Any]]:
    """Return the stored entries of Zt and Lambdat."""
    zt, lambdat = random.Zt.tocoo(), random.Lambdat
    position = np.repeat(np.arange(lambdat.shape[1], dtype=np.int64), np.diff(lambdat.indptr))
    return {
        "Zt": {"row": zt.row, "column": zt.col, "value": zt.data},
        "Lambdat": {
            "row": lambdat.indices,
            "column": position,
            "value": lambdat.data,
            "theta": random.Lind,
        },
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
