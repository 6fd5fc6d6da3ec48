"""Every function has one row in docs/functions.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from lme4py.functions.table import lookup, names

DOCS = Path(__file__).resolve().parents[1] / "docs"

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="tests run without the docs")


def test_the_table_is_current():
    script = DOCS / "function_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run python docs/function_table.py"


def test_every_function_says_what_it_does():
    silent = [
        name for name in names() if lookup(name).package == "base" and not lookup(name).purpose
    ]
    assert not silent
