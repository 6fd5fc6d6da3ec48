"""The picture of a model: where X, Zt, Lambdat and ZᵗZ have entries.

Every random term has a colour, the same in all panels; the terms of X alternate between two
greys. A darker pixel holds larger absolute values (relative to the largest of the column of the
model matrix). The marks over X tell which of its columns stand again in the rows of which random
term. The model may have 20 or 1,000,000 columns.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.markup.page import one_line
from lme4py.explain.monomials import column_of_X
from lme4py.explain.pictures.figure import FAINT, INK, colours_of, new_figure, paint, put, short
from lme4py.explain.pictures.raster import (
    TermAxis,
    lambdat_pixels,
    square_axis,
    x_pixels,
    zt_pixels,
    ztz_pixels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot"]

_MOST_NAMES = 14
_MOST_TERMS = 12
_LINE_COLOUR = "#9aa1ab"


def plot(design: MixedDesign) -> Figure:
    """Draw the structure of X, Zt, Lambdat and ZᵗZ side by side: ``design.plot``."""
    p, terms = len(design.fixed.names), len(design.random.terms)
    named = design.fixed.names if p <= _MOST_NAMES else []
    above = 0.06 * max((len(short(name)) for name in named), default=0)
    marks = min(0.09 * terms, 0.36)
    height = 3.7 + above + 0.18 * min(terms, _MOST_TERMS + 1)
    figure = new_figure(11.2, height, "constrained")
    x_width = float(np.clip(0.26 * p, 0.85, 2.4))
    panels = figure.subplot_mosaic(
        [["marks", ".", ".", "."], ["X", "Zt", "Lambdat", "ZtZ"]],
        width_ratios=(x_width, 2.9, 2.3, 2.3),
        height_ratios=(marks, 2.3),
        gridspec_kw={"hspace": 0.02},
    )
    _draw_x(panels["X"], panels["marks"], design)
    pixels, axis = zt_pixels(design)
    _show(panels["Zt"], pixels, (axis.Gp[-1], design.X.shape[0]), "Zt", "Zᵗ")
    _name_terms(panels["Zt"], design, axis)
    pixels, step = ztz_pixels(design)
    for name, title, found in (("Lambdat", "Λᵗ", lambdat_pixels(design)), ("ZtZ", "ZᵗZ", pixels)):
        _draw_square(panels[name], design, found, name, title)
    _draw_legend(figure, design, step)
    return figure


def _show(
    axes: Axes,
    pixels: FloatArray,
    shape: tuple[int, int],
    name: str,
    title: str,
    over: Axes | None = None,
) -> None:
    """Draw an image over the axes of its matrix; its title may stand over others."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    rows, columns = shape
    axes.set_label(name)
    if pixels.size:
        # A few times more screen pixels than columns: whole ones would make stripes.
        wide = name == "X" and columns > 4 * _MOST_NAMES
        smooth = "bilinear" if wide else "nearest"
        axes.imshow(pixels, aspect="auto", interpolation=smooth, extent=(0, columns, rows, 0))
    axes.set(xlim=(0, max(columns, 1)), ylim=(max(rows, 1), 0))
    over = axes if over is None else over
    over.set_title(f"{title}   {rows:,} × {columns:,}", loc="left", fontsize=10, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
        axis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(length=2, width=0.6, labelsize=7, color=FAINT, labelcolor=FAINT, pad=2)
    axes.spines[:].set_color("#c4c9d1")
    if name in ("X", "Zt"):
        label = axes.set_ylabel if name == "X" else axes.set_xlabel
        label("observations", fontsize=8, color=FAINT)


def _draw_x(axes: Axes, over: Axes, design: MixedDesign) -> None:
    """Draw X, over it the names of its columns and the marks of those that stand again in Z."""
    names, (n, p) = design.fixed.names, design.X.shape
    _show(axes, x_pixels(design) if p else np.empty(0), (n, p), "X", "X", over)
    over.set_axis_off()
    if p <= _MOST_NAMES:
        axes.set_xticks([])
    if not p:
        style = {"ha": "center", "color": FAINT, "transform": axes.transAxes}
        put(axes, 0.5, 0.5, "no columns", **style)
        return
    across = TermAxis([0, p])
    terms = design.random.terms
    weights = np.zeros((len(terms), across.first.size))
    for number, term in enumerate(terms):
        for place, name in enumerate(term.plan.names):
            k = names.index(name) if name in names else None
            if k is not None and np.array_equal(column_of_X(design, k), term.plan.column(place)):
                weights[number, across.bins(np.array([k]))] = 1.0
    colours = np.arange(len(terms))[:, None].repeat(weights.shape[1], axis=1)
    marks = paint(weights, colours, colours_of(len(terms)))
    over.imshow(marks, aspect="auto", interpolation="nearest", extent=(0, p, len(terms), 0))
    if p <= _MOST_NAMES:
        over.vlines(range(1, p), 0, len(terms), color="white", linewidth=1.5)
        over.set_axis_on()
        over.spines[:].set_visible(False)
        over.set_yticks([])
        over.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        shown = [short(name) for name in names]
        turned = 90 if p > 1 else 0
        over.set_xticks(
            np.arange(p) + 0.5, shown, parse_math=False, rotation=turned, fontsize=7.5, color=INK
        )


def _name_terms(axes: Axes, design: MixedDesign, axis: TermAxis) -> None:
    """Write the terms beside their rows of Zt, and draw lines between them."""
    q, terms = int(axis.Gp[-1]), design.random.terms
    middles = (axis.shares[:-1] + axis.shares[1:]) / 2
    tall = [k for k, share in enumerate(np.diff(axis.shares)) if share > 0.05]
    labels = [short(terms[k].bar.label, 14) for k in tall]
    axes.set_yticks(q * middles[tall], labels, fontsize=7.5, parse_math=False)
    palette = colours_of(len(terms))
    for k, label in zip(tall, axes.get_yticklabels(), strict=True):
        label.set_color(palette[k])
    if len(terms) <= _MOST_TERMS:
        axes.hlines(q * axis.shares[1:-1], *axes.get_xlim(), color=_LINE_COLOUR, linewidth=0.5)


def _draw_square(
    axes: Axes, design: MixedDesign, pixels: FloatArray, name: str, title: str
) -> None:
    """Draw a matrix whose rows and columns are the rows of Zt."""
    axis = square_axis(design)
    q = int(axis.Gp[-1])
    _show(axes, pixels, (q, q), name, title)
    edges = axis.shares * q
    if axis.enlarges:
        # Terms are not drawn to scale: only their bounds have a place.
        for set_ticks, room in ((axes.set_xticks, 0.2), (axes.set_yticks, 0.05)):
            far = [0]
            for k in range(1, len(edges)):
                if edges[k] - edges[far[-1]] >= room * q:
                    far.append(k)
            set_ticks(edges[far], [f"{axis.Gp[k]:,}" for k in far])
    if len(edges) <= _MOST_TERMS + 2:
        axes.hlines(edges[1:-1], 0, q, color=_LINE_COLOUR, linewidth=0.5)
        axes.vlines(edges[1:-1], 0, q, color=_LINE_COLOUR, linewidth=0.5)


def _draw_legend(figure: Figure, design: MixedDesign, step: int) -> None:
    """Write one line for each random term below the panels, and how to read the picture."""
    from matplotlib.patches import Patch

    count = len(design.random.terms)
    lines = [_legend_line(design, k) for k in range(min(count, _MOST_TERMS))]
    handles = [Patch(color=colour) for colour in colours_of(len(lines))]
    if count > _MOST_TERMS:
        lines.append(f"… and {count - _MOST_TERMS} more terms")
        handles.append(Patch(alpha=0))
    legend = figure.legend(
        handles,
        lines,
        loc="outside lower left",
        title=textwrap.fill(_how_to_read(design, step), 200),
        title_fontsize=7.5,
        alignment="left",
        fontsize=8.5,
        handlelength=0.8,
        labelcolor=INK,
        frameon=False,
    )
    legend.get_title().set_color(FAINT)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_line(design: MixedDesign, k: int) -> str:
    """Return what is said of a random term."""
    term, Gp = design.random.terms[k], design.random.Gp
    columns = ", ".join(short(name) for name in term.plan.names[:5])
    if term.columns > 5:
        columns += f", … {term.columns - 5} more"
    line = (
        f"({one_line(term.bar.label)})   {term.levels:,} groups × {term.columns} "
        f"column{'' if term.columns == 1 else 's'}: {columns};   rows "
        f"{int(Gp[k]):,} to {int(Gp[k + 1]) - 1:,} of Zᵗ;   "
        f"{term.covariance.parameters} theta"
    )
    return line if len(line) <= 150 else f"{line[:149]}…"


def _how_to_read(design: MixedDesign, step: int) -> str:
    """Return how to read the picture."""
    terms = design.random.terms
    said = [
        "Darker: larger absolute values, added up where several share a pixel.",
        "Colour over a column of X: it stands again in that term's rows of Zᵗ.",
    ]
    if any(term.columns > 1 and term.covariance.parameters > term.columns for term in terms):
        said.append("Pale in Λᵗ: covariances, which start at 0.")
    if len(terms) > 1:
        said.append("Grey in ZᵗZ: between different terms.")
        if square_axis(design).enlarges:
            said.append("Small terms are drawn larger than their share.")
    if step > 1:
        said.append(f"ZᵗZ was computed from one observation in {step}.")
    return " ".join(said)
