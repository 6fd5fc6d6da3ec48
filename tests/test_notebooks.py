"""The notebooks of the documentation run, and give what they hold."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.ipynb"))

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="tests run without the sources")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, monkeypatch):
    reason = "notebooks need nbclient and ipykernel: pip install -e '.[docs]'"
    for name in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(name, reason=reason)
    script = runpy.run_path(str(DOCS / "run_notebooks.py"))
    if path.stem == "five-million":
        monkeypatch.setenv("LME4PY_ROWS", "50000")
        script["run"](path)
        return
    stored = script["nbformat"].read(path, as_version=4)
    assert script["shown"](script["run"](path)) == script["shown"](stored), (
        f"python docs/run_notebooks.py {path.stem}"
    )
