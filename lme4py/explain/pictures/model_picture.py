"""The picture of a model: where X, Zt, Lambdat and ZᵗZ have entries. All sizes are inches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.markup.page import one_line
from lme4py.explain.monomials import column_of_X
from lme4py.explain.pictures.figure import (
    FAINT,
    LINE_COLOUR,
    colour_of,
    colours_of,
    cut,
    new_figure,
    paint,
    put,
    short,
)
from lme4py.explain.pictures.raster import (
    TermAxis,
    lambdat_pixels,
    square_axis,
    x_pixels,
    zt_pixels,
    ztz_pixels,
)
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot"]


_HEIGHT = 2.3
_ZT_WIDTH = 2.9
_LEFT = 0.62
_GAP = 0.58
_RIGHT = 0.15
_TITLE = 0.34
# More room left of Zt, for its terms' labels.
_LABELS = 0.35
_LINE = 0.21
_NOTE_LINE = 0.16
_MOST_LABELS = 14
_MOST_TERMS = 12
# Characters that fit between X and Zt.
_ROOM = 14


def plot(design: MixedDesign) -> Figure:
    """Draw the structure of X, Zt, Lambdat and ZᵗZ side by side.

    Every random term has a colour, the same in all panels; the terms of X alternate
    between two greys. A darker pixel holds a larger absolute value (relative to the largest of
    its column of the model matrix). The marks over X tell which of its columns stand again
    in the rows of which random term. The model may have 20 or 1,000,000 columns.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> plot(design).savefig("model.png")  # doctest: +SKIP
    """
    sheet = _Sheet.of(design)
    figure = new_figure(sheet.width, sheet.height)
    x, zt, lambdat, ztz = sheet.panels(figure)
    _draw_x(x, design, sheet)
    _draw_zt(zt, design)
    _draw_square(lambdat, design, lambdat_pixels(design), "Lambdat", "Λᵗ")
    pixels, step = ztz_pixels(design)
    _draw_square(ztz, design, pixels, "ZtZ", "ZᵗZ")
    _draw_legend(figure, sheet, design, step)
    return figure


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Sizes that depend on the model."""

    x_width: float
    above: float
    legend: float
    marks: float
    named: bool

    @classmethod
    def of(cls, design: MixedDesign) -> _Sheet:
        names, terms = design.fixed.names, len(design.random.terms)
        named = len(names) <= _MOST_LABELS
        longest = max((len(short(name)) for name in names), default=0)
        marks = min(0.09 * terms, 0.36)
        above = _TITLE + marks + 0.11
        if named:
            above += 0.063 * longest + 0.02 if len(names) > 1 else 0.14
        width = float(np.clip(0.26 * len(names), 0.85, 2.4))
        legend = 0.5 + _LINE * (min(terms, _MOST_TERMS + 1) + 1) + 2 * _NOTE_LINE
        return cls(width, above, legend, marks, named)

    @property
    def width(self) -> float:
        return _LEFT + self.x_width + _ZT_WIDTH + 2 * _HEIGHT + 3 * _GAP + _LABELS + _RIGHT

    @property
    def height(self) -> float:
        return self.above + _HEIGHT + self.legend + 0.1

    def panels(self, figure: Figure) -> Iterator[Axes]:
        """Yield the axes of the panels from left to right."""
        begin, bottom = _LEFT, self.legend / self.height
        for width, gap in (
            (self.x_width, _GAP + _LABELS),
            (_ZT_WIDTH, _GAP),
            (_HEIGHT, _GAP),
            (_HEIGHT, 0.0),
        ):
            size = (width / self.width, _HEIGHT / self.height)
            axes = figure.add_axes((begin / self.width, bottom, *size))
            for spine in axes.spines.values():
                spine.set_color("#c4c9d1")
            axes.tick_params(length=2, width=0.6, labelsize=7, color=FAINT, labelcolor=FAINT, pad=2)
            yield axes
            begin += width + gap


def _show(
    axes: Axes, pixels: FloatArray, shape: tuple[int, int], name: str, title: str, raised: float = 0
) -> None:
    """Draw an image over the axes of its matrix, from row and column 0."""
    rows, columns = shape
    axes.set_label(name)
    if pixels.size:
        # A few times more screen pixels than columns: whole ones would make stripes.
        wide = name == "X" and columns > 4 * _MOST_LABELS
        extent = (0, columns, rows, 0)
        smooth = "bilinear" if wide else "nearest"
        axes.imshow(pixels, aspect="auto", interpolation=smooth, extent=extent)
    axes.set_xlim(0, max(columns, 1))
    axes.set_ylim(max(rows, 1), 0)
    _on(axes, 0, 1 + raised / _HEIGHT, f"{title}   {rows:,} × {columns:,}", size=10, va="bottom")
    for axis, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
        axis.set_ticks(_ticks(count))
        axis.set_major_formatter(_thousands)


def _on(axes: Axes, x: float, y: float, text: str, **style: object) -> None:
    """Write at a place given in parts of the axes."""
    put(axes, x, y, text, transform=axes.transAxes, **style)  # type: ignore[arg-type]


def _thousands(value: float, _: float | None = None) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _ticks(count: int) -> list[int]:
    """Return about four round positions from 0."""
    if count < 5:
        return list(range(count + 1))
    rough = count / 4
    power = 10 ** int(np.floor(np.log10(rough)))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough)
    return list(range(0, count + 1, step))


def _draw_x(axes: Axes, design: MixedDesign, sheet: _Sheet) -> None:
    """Draw X, the names of its columns and the marks of those that stand again in Z."""
    n, p = design.X.shape
    pixels = x_pixels(design) if p else np.zeros((0, 0, 3))
    _show(axes, pixels, (n, p), "X", "X", sheet.above - _TITLE)
    axes.set_ylabel("observations", fontsize=8, color=FAINT, labelpad=2)
    if sheet.named or not p:
        axes.set_xticks([])
    if not p:
        _on(axes, 0.5, 0.5, "no columns", ha="center", color=FAINT, size=8)
        return
    _draw_marks(axes, design, sheet.marks)
    for k, name in enumerate(design.fixed.names if sheet.named else ()):
        over = 1 + (sheet.marks + 0.07) / _HEIGHT
        style = {"rotation": 90 if p > 1 else 0, "ha": "center", "va": "bottom"}
        _on(axes, (k + 0.5) / p, over, short(name), size=7.5, **style)


def _draw_marks(axes: Axes, design: MixedDesign, height: float) -> None:
    """Mark over X the columns that stand again in a random term."""
    p, terms = design.X.shape[1], design.random.terms
    across = TermAxis([0, p])
    weights = np.zeros((len(terms), across.pixels))
    fixed = {name: k for k, name in enumerate(design.fixed.names)}
    for number, term in enumerate(terms):
        for place, name in enumerate(term.plan.names):
            k = fixed.get(name)
            if k is not None and np.array_equal(column_of_X(design, k), term.plan.column(place)):
                weights[number, across.pixel(np.array([k]))] = 1.0
    colours = np.repeat(np.arange(len(terms))[:, None], across.pixels, axis=1)
    marks = paint(weights, colours, colours_of(len(terms)))
    inset = axes.inset_axes((0.0, 1.0 + 0.05 / _HEIGHT, 1.0, height / _HEIGHT))
    inset.imshow(marks, aspect="auto", interpolation="nearest", extent=(0, p, len(terms), 0))
    for k in range(1, p if p <= _MOST_LABELS else 0):
        inset.axvline(k, color="white", linewidth=1.5)
    inset.set_axis_off()


def _draw_zt(axes: Axes, design: MixedDesign) -> None:
    """Draw Zt and the labels of its terms."""
    q, n = design.random.Zt.shape
    terms = design.random.terms
    pixels, rows = zt_pixels(design)
    _show(axes, pixels, (q, n), "Zt", "Zᵗ")
    axes.set_xlabel("observations", fontsize=8, color=FAINT, labelpad=2)
    axes.set_yticks([])
    band = axes.inset_axes((-0.1 / _ZT_WIDTH, 0.0, 0.06 / _ZT_WIDTH, 1.0))
    band.set_axis_off()
    band.set_xlim(0, 1)
    band.set_ylim(1, 0)
    edges = rows.shares.tolist()
    for k, term in enumerate(terms):
        begin, end = edges[k], edges[k + 1]
        band.axhspan(begin, end, color=colour_of(k), linewidth=0)
        if k > 0 and len(terms) <= _MOST_TERMS:
            axes.axhline(begin * q, color=LINE_COLOUR, linewidth=0.5)
        room = (end - begin) * _HEIGHT
        if room < 0.13:
            continue
        label = short(term.bar.label)
        level = room < 0.062 * len(label)
        label = cut(label, _ROOM) if level else label
        style = {"rotation": 0 if level else 90, "ha": "right", "color": colour_of(k)}
        _on(axes, -0.15 / _ZT_WIDTH, 1 - (begin + end) / 2, label, size=7.5, **style)


def _draw_square(
    axes: Axes, design: MixedDesign, pixels: FloatArray, name: str, title: str
) -> None:
    """Draw a matrix whose rows and columns are the rows of Zt."""
    q = int(design.random.Gp[-1])
    _show(axes, pixels, (q, q), name, title)
    axis = square_axis(design)
    edges = axis.shares * q
    if axis.enlarges:
        # Terms are not drawn to scale: only their bounds have a place.
        for set_ticks, room in ((axes.set_xticks, 0.2), (axes.set_yticks, 0.05)):
            far = [0]
            for k in range(1, len(edges)):
                if edges[k] - edges[far[-1]] >= room * q:
                    far.append(k)
            set_ticks(edges[far], [f"{axis.Gp[k]:,}" for k in far])
    for edge in edges[1:-1].tolist() if len(edges) <= _MOST_TERMS + 2 else ():
        axes.axhline(edge, color=LINE_COLOUR, linewidth=0.5)
        axes.axvline(edge, color=LINE_COLOUR, linewidth=0.5)


def _draw_legend(figure: Figure, sheet: _Sheet, design: MixedDesign, step: int) -> None:
    """Write one line for each random term below the panels, and how to read the picture."""
    lines = [_legend_line(design, k) for k in range(len(design.random.terms))]
    left, beside = _LEFT / sheet.width, (_LEFT + 0.18) / sheet.width
    y = sheet.legend - 0.48
    for k, line in enumerate(lines[:_MOST_TERMS]):
        put(figure, left, y / sheet.height, "■", color=colour_of(k), size=10)
        put(figure, beside, y / sheet.height, cut(line, int((sheet.width - _LEFT - 0.3) / 0.074)))
        y -= _LINE
    if len(lines) > _MOST_TERMS:
        put(figure, beside, y / sheet.height, f"… and {len(lines) - _MOST_TERMS} more terms")
        y -= _LINE
    reading = textwrap.fill(_how_to_read(design, step), int((sheet.width - _LEFT - _RIGHT) / 0.052))
    style = {"color": FAINT, "va": "top", "linespacing": 1.35}
    put(figure, left, (y + 0.06) / sheet.height, reading, size=7.5, **style)


def _legend_line(design: MixedDesign, k: int) -> str:
    """Return what is said of a random term."""
    term, Gp = design.random.terms[k], design.random.Gp
    columns = ", ".join(short(name) for name in term.plan.names[:5])
    if term.columns > 5:
        columns += f", … {term.columns - 5} more"
    return (
        f"({one_line(term.bar.label)})   {term.levels:,} groups × {term.columns} "
        f"column{'' if term.columns == 1 else 's'}: {columns};   rows "
        f"{int(Gp[k]):,} to {int(Gp[k + 1]) - 1:,} of Zᵗ;   "
        f"{term.covariance.parameters} theta"
    )


def _how_to_read(design: MixedDesign, step: int) -> str:
    """Return how to read the picture."""
    terms = design.random.terms
    said = [
        "Darker: larger absolute value, or more entries in one pixel.",
        "Colour over a column of X: it stands again in that term's rows of Zᵗ.",
    ]
    if any(term.columns > 1 and term.covariance.parameters > term.columns for term in terms):
        said.append("Pale in Λᵗ: covariances, which start at 0.")
    if len(terms) > 1:
        said.append("Grey in ZᵗZ: between different terms.")
        if square_axis(design).enlarges:
            said.append("Small terms are drawn larger than their share.")
    if step > 1:
        said.append(f"ZᵗZ was counted on one observation in {step}.")
    return " ".join(said)
