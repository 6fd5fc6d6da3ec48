"""`import lme4py` loads what it needs and nothing that is slow to load."""

import subprocess
import sys

import pytest

import lme4py

HEAVY = ("formulaic", "matplotlib", "narwhals", "pandas", "patsy", "rdata", "scipy", "statsmodels")


def test_heavy_packages_wait_until_they_are_needed():
    code = f"import sys, lme4py; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_build_leaves_scipy_alone():
    """It is loaded when a sparse matrix is asked for; the first build waits several times less."""
    code = (
        "import sys, lme4py.data\n"
        "sleep = lme4py.data.sleepstudy()\n"
        "design = lme4py.lformula('Reaction ~ Days + (Days | Subject)', sleep)\n"
        "print('scipy.sparse' in sys.modules, design.Zt.nnz, 'scipy.sparse' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # 36 x 180 with two entries a column, but for the 18 where Days is 0.
    assert done.stdout.split() == ["False", "342", "True"]


def test_every_name_is_there():
    assert all(hasattr(lme4py, name) for name in lme4py.__all__)
    assert set(lme4py.__all__) <= set(dir(lme4py))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = lme4py.nothing_of_this_name
