"""Draw the pictures of docs/tutorial.md; ``--check`` tells whether they are current."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.image import imread

import lme4py

HERE = Path(__file__).parent
DPI = 110
# Fonts are drawn a little differently by each release of matplotlib.
TOLERANCE = 0.03


def draw() -> dict[str, bytes]:
    """Return the pictures as PNG, by file name."""
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    drawn = {}
    for name, figure in [
        ("tutorial.png", design.plot()),
        ("tutorial-cluster.png", design.plot_cluster("308")),
    ]:
        page = BytesIO()
        figure.savefig(page, format="png", dpi=DPI, metadata={"Software": None})
        drawn[name] = page.getvalue()
    return drawn


def is_current(name: str, picture: bytes) -> bool:
    """Return whether the stored picture shows the same."""
    stored, fresh = imread(HERE / name), imread(BytesIO(picture))
    return stored.shape == fresh.shape and float(np.abs(stored - fresh).mean()) < TOLERANCE


if __name__ == "__main__":
    pictures = draw()
    if sys.argv[1:] == ["--check"]:
        sys.exit(not all(is_current(name, picture) for name, picture in pictures.items()))
    for name, picture in pictures.items():
        (HERE / name).write_bytes(picture)
