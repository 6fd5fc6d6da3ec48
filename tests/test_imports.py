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


def test_every_name_is_there():
    assert all(hasattr(lme4py, name) for name in lme4py.__all__)
    assert set(lme4py.__all__) <= set(dir(lme4py))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = lme4py.nothing_of_this_name
