"""What lme4py exports is what R reads, and lme4 fits: ``pytest tests/live/test_exports.py``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from lme4py.export.files import export
from lme4py.rfiles.read_rds import read_rds
from tests.export.designs import DESIGNS, make
from tests.live.session import unavailable

PROGRAM = Path(__file__).with_name("exports.R")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory):
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("exports")
    for number, name in enumerate(DESIGNS):
        for kind in ("rds", "mtx", "npz"):
            export(make(name), folder / f"{number}.{kind}", kind)
    subprocess.run(["Rscript", str(PROGRAM), str(folder), str(len(DESIGNS))], check=True)
    return dict(zip(DESIGNS, read_rds(folder / "answers.rds"), strict=True))


@pytest.mark.parametrize("name", DESIGNS)
def test_r_reads_the_same(answers, name):
    """R's three readings agree bit for bit, and what R writes back are our arrays."""
    design, record = make(name), answers[name]
    assert record["different"].values.tolist() == []
    x = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    assert record["X"].values.tobytes(order="F") == np.asfortranarray(x).tobytes(order="F")
    for component, matrix in (("Zt", design.Zt), ("Lambdat", design.random.Lambdat)):
        read = record[component].matrix
        assert read.shape == matrix.shape
        for array in ("data", "indices", "indptr"):
            assert getattr(read, array).tolist() == getattr(matrix, array).tolist()


def test_lme4_fits_what_it_reads(answers):
    """lme4's own lmer and the one from our matrices end at the same deviance."""
    fits = answers["small"]["fits"]
    assert fits["ours"].values[0] == fits["lme4"].values[0]
