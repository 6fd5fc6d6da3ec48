"""The notebooks of the documentation run, and give what they hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Times and sizes of the machine; the objects that pictures are.
_VARIES = re.compile(r"\d+(\.\d+)? s\b|<\w+ (size|at) .*>|\d+ cores")

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="tests run without the sources")


def _shown(notebook):
    """Return the texts that the cells of a notebook show, a list for each."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error", output
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            texts.append(_VARIES.sub("...", text))
    return texts


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, monkeypatch):
    reason = "notebooks need nbclient and ipykernel: pip install -e '.[docs]'"
    nbformat = pytest.importorskip("nbformat", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    many = "five" in path.stem
    if many:
        monkeypatch.setenv("LME4PY_ROWS", "50000")
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        fresh, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    assert len(_shown(fresh)) == len(_shown(stored))
    if not many:
        assert _shown(fresh) == _shown(stored)
