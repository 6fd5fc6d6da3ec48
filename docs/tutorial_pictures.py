"""Draw the pictures of the tutorial and the gallery; ``--check`` tells whether they are current."""

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


def designs() -> dict[str, lme4py.MixedDesign]:
    """Return the models of the tutorial and the gallery."""
    small = {"y": [3, 5, 7, 2, 3, 4, 6, 9], "X": [0, 1, 2, 0, 1, 2, 1, 2], "g": list("aaabbbcc")}
    rows = np.arange(24)
    larger = {
        "y": np.sin(rows),
        "X": rows % 3,
        "pupil": rows // 3 % 4,
        "school": np.array(list("AB"))[rows // 12],
        "item": np.array(list("pqrs"))[rows % 4],
    }
    return {
        "sleep": lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy()),
        "apart": lme4py.lformula("Reaction ~ Days + (Days || Subject)", lme4py.data.sleepstudy()),
        "small": lme4py.lformula("y ~ X + (1 + X | g)", small),
        "nested": lme4py.lformula("y ~ X + (X | school/pupil)", larger),
        "crossed": lme4py.lformula("y ~ X + (X | school) + (1 | item)", larger),
    }


def draw() -> dict[str, bytes]:
    """Return the pictures as PNG, by file name."""
    models = designs()
    # What lme4 2.1 on R 4.6 estimates.
    estimates = {
        "coefficients": [251.405105, 10.467286],
        "par": [0.966741774, 0.015169059, 0.230909953],
        "sigma": 25.5917957,
    }
    drawn = {}
    for name, figure in [
        ("tutorial.png", models["sleep"].plot()),
        ("tutorial-cluster.png", models["sleep"].plot_cluster("308")),
        ("tutorial-groups.png", models["sleep"].plot_groups("Days", **estimates)),
        ("tutorial-built.png", models["small"].plot(["X", "J", "raw", "Z"])),
        ("tutorial-nested.png", models["nested"].plot(["X", "Z"], by_group=True)),
        ("tutorial-crossed.png", models["crossed"].plot(["X", "Z"])),
        ("gallery-double-bar.png", models["apart"].plot()),
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
