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

__all__ = ["Frame", "Label", "MatrixPanel", "cell_edges", "draw_panel", "number_figure"]

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
    down, across : ndarray of float64
        Edges of pixels, or of cells in inches.
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
    down: FloatArray
    across: FloatArray
    cells: Sequence[Sequence[str]] = ()
    above: Sequence[Label] = ()
    beside: Sequence[Label] = ()
    marks: Sequence[tuple[str, Sequence[int]]] = ()
    frames: Sequence[Frame] = ()
    sign: str = ""
    inches: float = 0.0


def cell_edges(cells: Sequence[Sequence[str]]) -> tuple[FloatArray, FloatArray]:
    """Return down, its middle at 0, and across, of cells as wide as what is in them."""
    middle = len(cells) / 2
    down = np.linspace(-middle * _ROW, middle * _ROW, len(cells) + 1)
    widths = [
        max([_CELL, *(_CHARACTER * len(cell) + 0.14 for cell in column)])
        for column in zip(*cells, strict=True)
    ]
    return down, np.cumsum([0.0, *widths])


def draw_panel(axes: Axes, panel: MatrixPanel) -> None:
    """Draw a matrix and what stands around it; the limits of the axes are the caller's."""
    from matplotlib.patches import Rectangle

    down, across = panel.down, panel.across
    axes.set_label(panel.name)
    axes.set_xlabel(panel.title, fontsize=9.5, color=INK, parse_math=False)
    if panel.colours.size:
        axes.pcolormesh(across, down, panel.colours, rasterized=not panel.cells)

    def drawn(edges: FloatArray, line: float) -> float:
        """Return where a line is drawn: pixels are drawn in lines."""
        return float(np.interp(line, np.arange(edges.size), edges)) if panel.cells else line

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
    rooms = np.diff(across) if panel.cells else [panel.inches / max(len(panel.above), 1)]
    room = min(rooms, default=0.0)
    upright = any(_CHARACTER * len(name) > room for _, name, _ in panel.above)
    for place, name, colour in panel.above:
        style = {"color": colour, "fontsize": 7.5, "ha": "center", "va": "bottom"}
        put(axes, drawn(across, place), top, name, (0, 3), rotation=90 * upright, **style)
    for place, name, colour in panel.beside:
        style = {"color": colour, "fontsize": 7.5, "ha": "right"}
        aside = -4 if panel.cells else -24
        put(axes, float(across[0]), drawn(down, place), name, (aside, 0), **style)


def number_figure(panels: Sequence[MatrixPanel], title: str = "") -> Figure:
    """Return a figure of matrices of numbers side by side, each between brackets."""
    leads = [
        0.1
        + _CHARACTER * max((len(name) for _, name, _ in panel.beside), default=0)
        + 0.3 * bool(panel.sign)
        for panel in panels
    ]
    ends = [float(panel.across[-1]) for panel in panels]
    widths = [
        max(lead + end + 0.06, _TITLE * len(panel.title))
        for lead, end, panel in zip(leads, ends, panels, strict=True)
    ]
    half = max(float(panel.down[-1]) for panel in panels)
    longest = max((len(name) for panel in panels for _, name, _ in panel.above), default=0)
    size = max(sum(widths) + 0.3, 0.085 * len(title) + 0.5), 2 * half + 0.061 * longest + 0.8
    figure, every = new_figure(*size, 1, len(panels), width_ratios=widths)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=10, color=INK, parse_math=False)
    for axes, panel, lead, end, width in zip(every, panels, leads, ends, widths, strict=True):
        draw_panel(axes, panel)
        limits = {"xlim": (-lead, width - lead), "ylim": (half + 0.03, -half - 0.03)}
        axes.set(**limits, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if panel.sign:
            put(axes, 0.19 - lead, 0, panel.sign, fontsize=13, ha="center")
        for edge, inward in ((-0.03, 0.05), (end + 0.03, -0.05)):
            across = [edge + inward, edge, edge, edge + inward]
            axes.plot(across, panel.down[[0, 0, -1, -1]], color=INK, linewidth=1.0)
    return figure
