"""Figures without pyplot, and how matrices, names and colours look on them.

No window opens, no backend is chosen, nothing stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.errors import Lme4pyError
from lme4py.explain.markup.formats import TEXT
from lme4py.explain.markup.page import one_line
from lme4py.explain.pictures.raster import TermAxis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Label: TypeAlias = tuple[float, str, str]
"""A place along a matrix, counted in its lines, the name there, and its colour."""
Frame: TypeAlias = tuple[float, float, float, float]
"""A rectangle: its left, top, right and bottom, in lines."""

# Inches.
_CHARACTER = 0.072
_CELL = 0.34
_ROW = 0.225
_PIXELS_HIGH = 2.6
_PALEST = 0.28
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7a5195", "#8c6d31")
INK = "#1f2328"
FAINT = "#6b7280"
_SUBSCRIPTS = str.maketrans("0123456789ijklmn", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₗₘₙ")


def _lowered(index: str, above: bool = False) -> str:
    """Return digits and letters of indices as a subscript, names in brackets."""
    del above
    numbers, _, level = index.partition(",")
    lowered = numbers.translate(_SUBSCRIPTS)
    if set(lowered) & set(numbers):
        return f"[{index}]"
    further = _lowered(level) if level else ""
    return lowered + (further if further.startswith("[") else f",{further}" * bool(level))


PICTURE = replace(
    TEXT,
    name=lambda name, _: one_line(name),
    number=lambda number: number.replace("-", "\N{MINUS SIGN}") if number.strip("0.") else "0",
    script=_lowered,
)
"""Text as it stands in a picture, where nothing has to be told apart by signs alone."""


@cache
def _figure_class() -> type[Figure]:
    """Return a Figure that a notebook shows also when pyplot was never imported."""
    from matplotlib.figure import Figure

    return type("Picture", (Figure,), {"_repr_png_": _png})


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    page = BytesIO()
    figure.savefig(page, format="png")
    return page.getvalue()


def new_figure(
    width: float, height: float, down: int, across: int, **shared: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure of that size in inches, and its axes by rows, laid out by matplotlib."""
    try:
        figure = _figure_class()((width, height), dpi=100, facecolor="white", layout="constrained")
    except ImportError as error:
        raise Lme4pyError(
            "plots need matplotlib, which is not installed", hint="pip install -e '.[plot]'"
        ) from error
    every = figure.subplots(down, across, squeeze=False, **shared).ravel()
    for axes in every:
        axes.tick_params(labelsize=7, color=FAINT, labelcolor=FAINT)
        axes.spines[:].set_color("#c4c9d1")
    return figure, every


def _put(
    axes: Axes, x: float, y: float, text: str, off: tuple[float, float] = (0, 0), **style: Any
) -> None:
    """Write text as it is: a dollar sign begins no formula. `off` is in points."""
    style = {"color": INK, "fontsize": 8.5, "va": "center", "parse_math": False, **style}
    axes.annotate(
        text, (x, y), xytext=off, textcoords="offset points", annotation_clip=False, **style
    )


def short(name: str, longest: int = 18) -> str:
    """Return a name on one line, its end left out where it is long."""
    name = one_line(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def colours_of(count: int) -> list[str]:
    """Return the colours of so many random terms."""
    return [_COLOURS[k % len(_COLOURS)] for k in range(count)]


def paint(weights: FloatArray, colours: NDArray[np.int64], palette: Sequence[str]) -> FloatArray:
    """Return RGB pixels: white without a weight, else the colour, paler for small weights."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(colour) for colour in palette])
    strength = np.where(weights > 0, _PALEST + (1 - _PALEST) * weights, 0.0)
    pixels: FloatArray = 1 - strength[..., None] * (1 - table[colours])
    return pixels


def tint(colours: Sequence[str], cells: Sequence[Sequence[str]]) -> FloatArray:
    """Return RGB cells with the colours of their columns behind the numbers; none for ink and 0."""
    from matplotlib.colors import to_rgb

    line = np.array([to_rgb("white" if c == INK else c) for c in colours or ["white"]])
    filled = np.array([[cell != "0" for cell in row] for row in cells])
    return np.where(filled[..., None], line, 1.0)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MatrixPanel:
    """What is drawn of a matrix."""

    name: str  # labels its axes
    title: str  # below
    colours: FloatArray  # RGB of its pixels or cells, shape (rows, columns, 3)
    axes: tuple[TermAxis, TermAxis] | tuple[()] = ()  # without them each line is a cell
    cells: Sequence[Sequence[str]] = ()  # the numbers; pixels have none
    above: Sequence[Label] = ()  # names of columns, or of stretches of them
    beside: Sequence[Label] = ()  # and of rows
    marks: Sequence[tuple[str, Sequence[int]]] = ()  # colours, and the columns under them
    frames: Sequence[Frame] = ()
    sign: str = ""  # before it
    inches: float = 0.0  # how wide pixels are drawn

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
        # Pale behind numbers.
        alpha = 0.25 if panel.cells else 1.0
        axes.pcolormesh(across, down, panel.colours, alpha=alpha, rasterized=not panel.cells)
    for left, top, right, bottom in panel.frames:
        box = Rectangle((left, top), right - left, bottom - top)
        axes.add_patch(box).set(fill=False, edgecolor="#9aa1ab", linewidth=0.8)
    for i, row in enumerate(panel.cells):
        for k, cell in enumerate(row):
            _put(axes, k + 0.5, i + 0.5, cell, ha="center", color=FAINT if cell == "0" else INK)
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
        _put(axes, place, top, name, (0, 3), rotation=90 * upright, **style)
    for place, name, colour in panel.beside:
        aside = -4 if panel.cells else -24
        _put(axes, 0, place, name, (aside, 0), color=colour, fontsize=7.5, ha="right")


def _put_between_brackets(axes: Axes, panel: MatrixPanel, most: int) -> None:
    """Leave room around numbers, of which the longest matrix has so many rows."""
    rows, columns, _ = panel.colours.shape
    left, inch = -panel.lead / panel.cell, 1 / panel.cell
    half = most / 2 + 0.13
    axes.set(xlim=(left, left + panel.width * inch), ylim=(rows / 2 + half, rows / 2 - half))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if panel.sign:
        _put(axes, left + 0.19 * inch, rows / 2, panel.sign, fontsize=13, ha="center")
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
