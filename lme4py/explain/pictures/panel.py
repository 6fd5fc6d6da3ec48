"""One matrix in a picture: pixels or numbers, the names around it, marks and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.explain.pictures.figure import FAINT, INK, new_figure, put

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Frame", "Label", "MatrixPanel", "draw_panel", "number_figure"]

Label: TypeAlias = tuple[float, str, str]
"""A place along a matrix, counted in its lines, the name there, and its colour."""
Frame: TypeAlias = tuple[float, float, float, float]
"""A rectangle: its left, top, right and bottom, in lines."""

_LINE = "#9aa1ab"
# Inches.
_CHARACTER = 0.072
_CELL = 0.34
_ROW = 0.225
_TITLE = 0.085


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MatrixPanel:
    """What is drawn of a matrix.

    Parameters
    ----------
    name : str
        Label of its axes.
    title : str
        What stands below.
    colours : ndarray of float64, shape (rows, columns, 3)
        RGB of its pixels or cells.
    edges : (ndarray of float64, ndarray of float64), optional
        Where pixels begin and end, down and across; cells have room for their numbers.
    cells : sequence of sequence of str
        The numbers.
    above, beside : sequence of Label
        Names of columns and rows, or of stretches of them.
    marks : sequence of (str, sequence of int)
        Colours, and the columns over which they stand.
    frames : sequence of Frame
        Rectangles drawn on it.
    sign : str
        What stands before it.
    inches : float
        How wide pixels are drawn.
    """

    name: str
    title: str
    colours: FloatArray
    edges: tuple[FloatArray, FloatArray] | None = None
    cells: Sequence[Sequence[str]] = ()
    above: Sequence[Label] = ()
    beside: Sequence[Label] = ()
    marks: Sequence[tuple[str, Sequence[int]]] = ()
    frames: Sequence[Frame] = ()
    sign: str = ""
    inches: float = 0.0

    @property
    def down(self) -> FloatArray:
        """Edges of rows; those of cells in inches, their middle at 0."""
        half = len(self.cells) / 2 * _ROW
        return self.edges[0] if self.edges else np.linspace(-half, half, len(self.cells) + 1)

    @property
    def across(self) -> FloatArray:
        """Edges of columns; those of cells in inches."""
        if self.edges:
            return self.edges[1]
        columns = (max(map(len, column)) for column in zip(*self.cells, strict=True))
        return np.cumsum([0.0, *(max(_CELL, _CHARACTER * width + 0.14) for width in columns)])

    @property
    def lead(self) -> float:
        """Inches before the numbers."""
        longest = max((len(name) for _, name, _ in self.beside), default=0)
        return 0.1 + _CHARACTER * longest + 0.3 * bool(self.sign)

    @property
    def width(self) -> float:
        """Inches of the numbers with all that stands beside them."""
        return max(self.lead + float(self.across[-1]) + 0.06, _TITLE * len(self.title))


def draw_panel(axes: Axes, panel: MatrixPanel) -> None:
    """Draw a matrix and what stands around it; the limits of the axes are the caller's."""
    from matplotlib.patches import Rectangle

    down, across, numbers = panel.down, panel.across, panel.edges is None
    axes.set_label(panel.name)
    axes.set_xlabel(panel.title, fontsize=9.5, color=INK, parse_math=False)
    if panel.colours.size:
        axes.pcolormesh(across, down, panel.colours, rasterized=not numbers)

    def drawn(edges: FloatArray, line: float) -> float:
        """Return where a line is drawn: pixels are drawn in lines."""
        return float(np.interp(line, np.arange(edges.size), edges)) if numbers else line

    for left, begin, right, end in panel.frames:
        x, y = drawn(across, left), drawn(down, begin)
        box = Rectangle((x, y), drawn(across, right) - x, drawn(down, end) - y)
        axes.add_patch(box).set(fill=False, edgecolor=_LINE, linewidth=0.8)
    for i, row in enumerate(panel.cells):
        for k, cell in enumerate(row):
            x, y = drawn(across, k + 0.5), drawn(down, i + 0.5)
            put(axes, x, y, cell, ha="center", color=FAINT if cell == "0" else INK)
    top, height = float(down[0]), 0.03 * float(down[-1] - down[0])
    for colour, columns in panel.marks:
        top -= height
        axes.broken_barh(
            [(k + 0.03, 0.94) for k in columns], (top, 0.8 * height), color=colour, clip_on=False
        )
    rooms = np.diff(across) if numbers else [panel.inches / max(len(panel.above), 1)]
    upright = any(_CHARACTER * len(name) > min(rooms) for _, name, _ in panel.above)
    style = {"fontsize": 7.5, "ha": "center", "va": "bottom", "rotation": 90 * upright}
    for place, name, colour in panel.above:
        put(axes, drawn(across, place), top, name, (0, 3), color=colour, **style)
    aside = -4 if numbers else -24
    for place, name, colour in panel.beside:
        style = {"color": colour, "fontsize": 7.5, "ha": "right"}
        put(axes, float(across[0]), drawn(down, place), name, (aside, 0), **style)


def number_figure(panels: Sequence[MatrixPanel], title: str = "") -> Figure:
    """Return a figure of matrices of numbers side by side, each between brackets."""
    widths = [panel.width for panel in panels]
    half = max(float(panel.down[-1]) for panel in panels)
    longest = max((len(name) for panel in panels for _, name, _ in panel.above), default=0)
    size = max(sum(widths) + 0.3, 0.085 * len(title) + 0.5), 2 * half + 0.061 * longest + 0.8
    figure, every = new_figure(*size, 1, len(panels), width_ratios=widths)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=10, color=INK, parse_math=False)
    for axes, panel in zip(every, panels, strict=True):
        draw_panel(axes, panel)
        left, end = -panel.lead, float(panel.across[-1])
        limits = {"xlim": (left, left + panel.width), "ylim": (half + 0.03, -half - 0.03)}
        axes.set(**limits, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if panel.sign:
            put(axes, left + 0.19, 0, panel.sign, fontsize=13, ha="center")
        for edge, inward in ((-0.03, 0.05), (end + 0.03, -0.05)):
            across = [edge + inward, edge, edge, edge + inward]
            axes.plot(across, panel.down[[0, 0, -1, -1]], color=INK, linewidth=1.0)
    return figure
