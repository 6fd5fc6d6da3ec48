"""A design as a folder of Matrix Market files and CSV tables, with a reader in R.

Text throughout, every double with as many digits as tell it from its neighbours.
Positions count from 0, except inside the Matrix Market files, whose format counts
from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lme4py.design import MixedDesign
from lme4py.export.dense_blocks import grouping_factors, random_tables, response_columns
from lme4py.export.stored_design import write_metadata

__all__ = ["write_folder"]

_DIGITS = 17


def write_folder(design: MixedDesign, folder: Path) -> list[Path]:
    """Write a design as text files into a folder, which is made when it is not there.

    Parameters
    ----------
    design : MixedDesign
    folder : Path

    Returns
    -------
    list of Path
        ``X.mtx``, ``Zt.mtx``, ``Lambdat.mtx`` (all three sparse, starting zeros of
        Lambdat stored); tables of the columns of X, the rows of Zt, the random terms,
        the levels of the grouping factors, their codes by row, the response, theta,
        Lind and the bounds; ``design.json``; ``read_design.R``.
    """
    import pandas as pd
    from scipy.io import mmwrite
    from scipy.sparse import coo_array

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # Entry by entry: R's Matrix package does not read the dense kind of the format.
    matrices: dict[str, Any] = {
        "X": coo_array(design.X),
        "Zt": design.random.Zt,
        "Lambdat": design.random.Lambdat,
    }
    for name, matrix in matrices.items():
        path = folder / f"{name}.mtx"
        mmwrite(path, matrix, field="real", precision=_DIGITS, symmetry="general")
        written.append(path)
    for name, columns in _tables(design).items():
        path = folder / f"{name}.csv"
        pd.DataFrame(columns).to_csv(path, index=False, na_rep="NaN", lineterminator="\n")
        written.append(path)
    described = write_metadata(design, folder)
    script = folder / "read_design.R"
    script.write_text(
        files("lme4py.export").joinpath("read_design.R").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    return [*written, described, script]


def _tables(design: MixedDesign) -> dict[str, Mapping[str, Any]]:
    fixed, random, family = design.fixed, design.random, design.family
    terms = random.terms
    groups = grouping_factors(random)
    return {
        "columns": {
            "name": fixed.names,
            "assign": fixed.assign,
            "term": ["" if k == 0 else fixed.terms[k - 1] for k in fixed.assign.tolist()],
            "center": [fixed.centers.get(name, 0.0) for name in fixed.names],
            "scale": [fixed.scales.get(name, 1.0) for name in fixed.names],
        },
        **random_tables(random),
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
            "factor": np.repeat(
                np.arange(len(groups)), [len(group.levels) for group in groups.values()]
            ),
            "group": [name for name, group in groups.items() for _ in group.levels],
            "level": [str(level) for group in groups.values() for level in group.levels],
        },
        "codes": {str(k): group.codes for k, group in enumerate(groups.values())},
        "response": response_columns(design),
        "Lind": {"Lind": random.Lind},
        "model": {
            "formula": [str(design.formula)],
            "REML": ["" if design.reml is None else design.reml],
            "family": ["" if family is None else family.name],
            "link": ["" if family is None else family.link],
        },
    }
