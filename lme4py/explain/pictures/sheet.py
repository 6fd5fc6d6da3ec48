"""The sheet of a picture of a model: sizes in inches, and the axes of its panels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.pictures.figure import short
from lme4py.explain.pictures.palette import FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "HEIGHT",
    "LEFT",
    "LINE",
    "MOST_LABELS",
    "MOST_TERMS",
    "RIGHT",
    "TITLE",
    "ZT_WIDTH",
    "Sheet",
    "add_panel",
    "mark_height",
]


# Inches.
HEIGHT = 2.3
ZT_WIDTH = 2.9
LEFT = 0.62
_GAP = 0.58
RIGHT = 0.15
TITLE = 0.34
# More room left of Zt, for its terms' labels.
_LABELS = 0.35
LINE = 0.21
_NOTE_LINE = 0.16
MOST_LABELS = 14
MOST_TERMS = 12


@dataclass(frozen=True, slots=True)
class Sheet:
    """Sizes in inches that depend on the model."""

    x_width: float
    above: float
    legend: float
    named: bool

    @classmethod
    def of(cls, matrices: MixedDesign) -> Sheet:
        """Return the sizes for a model."""
        names = matrices.fixed.names
        named = len(names) <= MOST_LABELS
        longest = max((len(short(name)) for name in names), default=0)
        marks = mark_height(matrices) + 0.06
        above = TITLE + marks + 0.05
        if named:
            above += 0.063 * longest + 0.02 if len(names) > 1 else 0.14
        width = float(np.clip(0.26 * len(names), 0.85, 2.4))
        lines = min(len(matrices.random.terms), MOST_TERMS + 1)
        return cls(width, above, 0.5 + LINE * (lines + 1) + 2 * _NOTE_LINE, named)

    @property
    def width(self) -> float:
        """Width of the sheet."""
        return LEFT + self.x_width + ZT_WIDTH + 2 * HEIGHT + 3 * _GAP + _LABELS + RIGHT

    @property
    def height(self) -> float:
        """Height of the sheet."""
        return self.above + HEIGHT + self.legend + 0.1

    def panels(self) -> Iterator[tuple[float, float]]:
        """Yield where each panel begins and how wide it is."""
        begin = LEFT
        # Zt's labels stand left of it.
        for width, gap in (
            (self.x_width, _GAP + _LABELS),
            (ZT_WIDTH, _GAP),
            (HEIGHT, _GAP),
            (HEIGHT, 0.0),
        ):
            yield begin, width
            begin += width + gap


def add_panel(figure: Figure, sheet: Sheet, begin: float, width: float) -> Axes:
    """Return new axes of a panel, which begins at `begin` inches."""
    bottom = sheet.legend
    axes = figure.add_axes(
        (
            begin / sheet.width,
            bottom / sheet.height,
            width / sheet.width,
            HEIGHT / sheet.height,
        )
    )
    for spine in axes.spines.values():
        spine.set_color("#c4c9d1")
    axes.tick_params(length=2, width=0.6, labelsize=7, color=FAINT, labelcolor=FAINT, pad=2)
    return axes


def mark_height(matrices: MixedDesign) -> float:
    """Return the height of the marks over X."""
    return min(0.09 * len(matrices.random.terms), 0.36)
