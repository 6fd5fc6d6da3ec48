"""What lme4py exports is what R reads, and lme4 fits: ``pytest tests/live/test_exports.py``.

With ``LME4PY_R_ROOT`` set to the root folder of another system with R (an lme4 2.x, say), its
R is asked by ``chroot`` as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import lme4py
from lme4py.data.values import Character, Numeric
from lme4py.export.files import export
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RFrame, RVector
from tests.export.designs import DESIGNS, make
from tests.live.session import Judge

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "fixtures"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory):
    reason = Judge().unavailable
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("exports")
    for number, name in enumerate(DESIGNS):
        for kind in ("rds", "mtx", "npz"):
            export(make(name), folder / f"{number}.{kind}", kind)
    program = str(HERE / "exports.R")
    subprocess.run(["Rscript", program, str(folder), str(len(DESIGNS))], check=True)
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


# Fits: R's own lFormula and what we export, led through lme4's modular functions alike.


def _rscript(root: str | None, folder: Path) -> list[str]:
    if root is None:
        return ["Rscript", str(HERE / "fits.R"), str(folder)]
    shutil.copy(HERE / "fits.R", folder / "fits.R")
    inside = "/" + str(folder.relative_to(root))
    return ["chroot", root, "Rscript", f"{inside}/fits.R", inside]


def _pairs(folder: Path, records: list[Path]) -> None:
    """Write R's own record and ours of every model that is whole in its file."""
    for path in records:
        if path.stem.startswith("tampered") or path.stem in NOT_FITTED:
            continue
        fixture = lme4py.read_fixture(path)
        if fixture.formula is None or fixture.fitted:
            continue
        general = "family" in fixture.arguments
        design = (lme4py.glformula if general else lme4py.lformula)(
            fixture.formula,
            fixture.table(),
            **{"lme4": fixture.generations[-1], **fixture.arguments},
        )
        shutil.copy(path, folder / f"{path.stem}_own.rds")
        export(design, folder / f"{path.stem}_ours.rds", "rds")
        export(design, folder / f"{path.stem}_text", "mtx")


NOT_FITTED = {
    "r46_s1_autoscale_dropped",  # lme4 2.1 stops at a fit that it scaled and dropped columns of
    "r46_s2_autoscale_dropped",
    "fitted_slope",  # a fit's components, not lFormula's
    "v21_13_getME_diag_ar1",
    "v21_25_getME_slope",
    "v21_27_getME_ALL",
    "v21_33_fit_S4",
    "v21_39_getME_weights_subset",
    "two_shape",  # in the shape of lme4 2.x, but without its covariance objects
    "v21_19_star",  # groups that only lme4 2.x expands
    "v21_35_nested3",
    "v21_41_paren_group",
}
COMPARE = sorted(FIXTURES.glob("compare/*.rds"))
TWO = sorted(FIXTURES.glob("lme4-2.1/*.rds"))
ROOT = os.environ.get("LME4PY_R_ROOT")


@pytest.fixture(scope="module", params=["Rscript on the PATH", "R in LME4PY_R_ROOT"])
def fits(request):
    root = ROOT if "ROOT" in request.param else None
    if "ROOT" in request.param and root is None:
        pytest.skip("LME4PY_R_ROOT is not set")
    reason = None if root else Judge().unavailable
    if reason is not None:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(dir=None if root is None else Path(root, "tmp")) as name:
        folder = Path(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _pairs(folder, COMPARE if root is None else [*COMPARE, *TWO])
        subprocess.run(_rscript(root, folder), check=True)
        found = read_rds(folder / "answers.rds")
    return dict(zip(found.names, found, strict=True))


# R keeps the coefficients of poly and scale for new data; we make R stop instead.
REFUSED = {"in_a_function", "named_rows"}
# With subset and na.exclude at once R pads to the rows that subset left, which we do not keep.
NOT_PADDED = {"subset_holes": {"fitted", "weights"}}


def _numbers(value):
    if isinstance(value, RFrame):
        value = value.columns["vcov"]
    if isinstance(value, Character):
        return value.texts().tolist()
    if isinstance(value, Numeric):
        return value.as_float().tolist()
    return value.texts() if value.kind == "character" else value.as_float().tolist()


def test_fits_are_lme4s(fits):
    """Estimates, fitted values and predictions of new rows, to the last bit."""
    assert len(fits) >= 11
    for name, answer in fits.items():
        assert not isinstance(answer, RVector), f"{name}: {answer.texts()}"
        own, ours, text = answer["own"], answer["ours"], answer["text"]
        for part in own.names:
            if part in NOT_PADDED.get(name, ()):
                continue
            if part == "anew" and name in REFUSED:
                assert "needs the coefficients of the first data" in ours["anew"].texts()[0]
                continue
            assert (own[part] is None) == (ours[part] is None), (name, part)
            if own[part] is not None:
                # NaN is equal: where lme4 has no correlation to tell.
                np.testing.assert_equal(_numbers(ours[part]), _numbers(own[part]), f"{name} {part}")
        for part in text.names:
            np.testing.assert_equal(_numbers(text[part]), _numbers(ours[part]), f"{name} {part}")
