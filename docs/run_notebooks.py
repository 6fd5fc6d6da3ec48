"""Run the notebooks anew and store what they give; ``--check`` tells whether they are current.

With names, those only: ``python docs/run_notebooks.py port proof``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).with_name("notebooks")
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Times and sizes of the machine; the objects that pictures are.
_VARIES = re.compile(r"\d+(\.\d+)? s\b|<\w+ (size|at) .*>|\d+ cores")


def run(path: Path) -> Any:
    """Return a notebook with what its cells give now."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    return notebook


def shown(notebook: Any) -> list[str]:
    """Return the texts that each cell of a notebook shows."""
    texts = []
    for cell in notebook.cells:
        # What is printed comes in pieces that differ from run to run, and so does their order.
        kinds: dict[str, str] = {}
        for item in cell.get("outputs", ()):
            kind = item.get("name", item.output_type)
            text = item.get("text") or item.get("data", {}).get("text/plain", "")
            kinds[kind] = kinds.get(kind, "") + text
        texts += [f"{kind}: {_VARIES.sub('...', kinds[kind])}" for kind in sorted(kinds)]
    return texts


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--check"]
    stale = []
    for path in [path for path in NOTEBOOKS if not names or path.stem in names]:
        fresh = run(path)
        if shown(fresh) != shown(nbformat.read(path, as_version=4)):
            stale.append(path.stem)
        if "--check" not in sys.argv:
            nbformat.write(fresh, path)
    print(f"changed: {', '.join(stale) or 'none'}")
    if "--check" in sys.argv:
        sys.exit(bool(stale))
