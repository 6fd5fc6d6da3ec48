"""One matrix in a picture: pixels or numbers, the names around it, marks and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.explain.pictures.figure import FAINT, INK, new_figure, put
from lme4py.explain.pictures.raster import TermAxis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Frame", "Label", "MatrixPanel", "panel_figure"]

Label: TypeAlias = tuple[float, str, str]
"""A place along a matrix, counted in its lines, the name there, and its colour."""
Frame: TypeAlias = tuple[float, float, float, float]
"""A rectangle: its left, top, right and bottom, in lines."""

# Inches.
_CHARACTER = 0.072
_CELL = 0.34
_ROW = 0.225
_PIXELS_HIGH = 2.6


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
    axes : (TermAxis, TermAxis), optional
        Its rows and columns; without them each line is a cell.
    cells : sequence of sequence of str
        The numbers; pixels have none.
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
    axes: tuple[TermAxis, TermAxis] | tuple[()] = ()
    cells: Sequence[Sequence[str]] = ()
    above: Sequence[Label] = ()
    beside: Sequence[Label] = ()
    marks: Sequence[tuple[str, Sequence[int]]] = ()
    frames: Sequence[Frame] = ()
    sign: str = ""
    inches: float = 0.0

    @property
    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Where its rows and columns begin and end, in lines."""
        down, across, _ = self.colours.shape
        exact = np.arange(down + 1.0), np.arange(across + 1.0)
        return (self.axes[0].edges, self.axes[1].edges) if self.axes else exact

    @property
    def cell(self) -> float:
        """Inches that a column of numbers has."""
        return max([_CELL, *(0.14 + _CHARACTER * len(cell) for row in self.cells for cell in row)])

    @property
    def lead(self) -> float:
        """Inches before the numbers."""
        longest = max((len(name) for _, name, _ in self.beside), default=0)
        return 0.1 + _CHARACTER * longest + 0.3 * bool(self.sign)

    @property
    def width(self) -> float:
        """Inches of the matrix, of numbers with all that stands beside them."""
        inside = self.lead + self.cell * self.colours.shape[1] + 0.06
        return max(inside, 0.085 * len(self.title)) if self.cells else self.inches


def panel_figure(panels: Sequence[MatrixPanel], title: str = "", below: float = 0.0) -> Figure:
    """Return a figure of matrices side by side, with so many inches for what is written below."""
    widths = [panel.width for panel in panels]
    most = max(len(panel.cells) for panel in panels)
    longest = max((len(name) for panel in panels for _, name, _ in panel.above), default=0)
    height = 0.8 + 0.061 * longest + (_ROW * most or _PIXELS_HIGH + below)
    size = max(sum(widths) + (0.3 if most else 0.6 * len(panels)), 0.085 * len(title) + 0.5), height
    figure, every = new_figure(*size, 1, len(panels), width_ratios=widths)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=10, color=INK, parse_math=False)
    for axes, panel in zip(every, panels, strict=True):
        _draw(axes, panel)
        if panel.cells:
            _put_between_brackets(axes, panel, most)
        else:
            _count_lines(axes, panel)
    return figure


def _draw(axes: Axes, panel: MatrixPanel) -> None:
    """Draw a matrix and what stands around it."""
    from matplotlib.patches import Rectangle

    down, across = panel.edges
    axes.set_label(panel.name)
    axes.set_xlabel(panel.title, fontsize=9.5, color=INK, parse_math=False)
    if panel.colours.size:
        axes.pcolormesh(across, down, panel.colours, rasterized=not panel.cells)
    for left, top, right, bottom in panel.frames:
        box = Rectangle((left, top), right - left, bottom - top)
        axes.add_patch(box).set(fill=False, edgecolor="#9aa1ab", linewidth=0.8)
    for i, row in enumerate(panel.cells):
        for k, cell in enumerate(row):
            put(axes, k + 0.5, i + 0.5, cell, ha="center", color=FAINT if cell == "0" else INK)
    top, height = 0.0, 0.03 * float(down[-1])
    for colour, columns in panel.marks:
        top -= height
        axes.broken_barh(
            [(k + 0.03, 0.94) for k in columns], (top, 0.8 * height), color=colour, clip_on=False
        )
    room = panel.cell if panel.cells else panel.inches / max(len(panel.above), 1)
    # Neighbouring names are a character apart, or upright.
    upright = any(_CHARACTER * (1 + len(name)) > room for _, name, _ in panel.above)
    for place, name, colour in panel.above:
        style = {"color": colour, "fontsize": 7.5, "ha": "center", "va": "bottom"}
        put(axes, place, top, name, (0, 3), rotation=90 * upright, **style)
    for place, name, colour in panel.beside:
        aside = -4 if panel.cells else -24
        put(axes, 0, place, name, (aside, 0), color=colour, fontsize=7.5, ha="right")


def _put_between_brackets(axes: Axes, panel: MatrixPanel, most: int) -> None:
    """Leave room around numbers, of which the longest matrix has so many rows."""
    rows, columns, _ = panel.colours.shape
    left, inch = -panel.lead / panel.cell, 1 / panel.cell
    half = most / 2 + 0.13
    axes.set(xlim=(left, left + panel.width * inch), ylim=(rows / 2 + half, rows / 2 - half))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if panel.sign:
        put(axes, left + 0.19 * inch, rows / 2, panel.sign, fontsize=13, ha="center")
    for edge, inward in ((-0.03 * inch, 0.05), (columns + 0.03 * inch, -0.05)):
        end = edge + inward * inch
        axes.plot([end, edge, edge, end], [0, 0, rows, rows], color=INK, linewidth=1.0)


def _count_lines(axes: Axes, panel: MatrixPanel) -> None:
    """Put ticks beside pixels, where lines are to scale and not named one by one."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.set(xlim=(0, panel.edges[1][-1] or 1), ylim=(panel.edges[0][-1] or 1, 0))
    axes.tick_params(length=2, width=0.6, pad=2)
    sides = (axes.yaxis, panel.beside), (axes.xaxis, panel.above)
    for (ticks, names), axis in zip(sides, panel.axes, strict=True):
        ticks.set_major_locator(MaxNLocator(4, integer=True))
        ticks.set_major_formatter(EngFormatter(sep=""))
        if axis.enlarges or len(names) == axis.Gp[-1]:
            ticks.set_ticks([])
