"""The four panels of a picture of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.columns import column_of_X
from lme4py.explain.pictures.figure import short
from lme4py.explain.pictures.palette import FAINT, INK, LINE_COLOUR, colour_of, colours_of, paint
from lme4py.explain.pictures.pixels import square_axis, x_pixels, zt_pixels
from lme4py.explain.pictures.scale import Plain
from lme4py.explain.pictures.sheet import (
    HEIGHT,
    MOST_LABELS,
    MOST_TERMS,
    TITLE,
    ZT_WIDTH,
    Sheet,
    mark_height,
)
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_square", "draw_x", "draw_zt"]


# Characters that fit between X and Zt.
_ROOM = 14


def _show(axes: Axes, pixels: FloatArray, rows: int, columns: int, name: str, title: str) -> None:
    """Draw an image over the axes of its matrix, from row and column 0."""
    axes.set_label(name)
    if pixels.size:
        axes.imshow(
            pixels,
            aspect="auto",
            # A few times more screen pixels than columns: whole ones would make stripes.
            interpolation="bilinear" if name == "X" and columns > 4 * MOST_LABELS else "nearest",
            extent=(0, columns, rows, 0),
        )
    axes.set_xlim(0, max(columns, 1))
    axes.set_ylim(max(rows, 1), 0)
    axes.text(
        0.0,
        1.0,
        f"{title}   {rows:,} × {columns:,}",
        transform=axes.transAxes,
        fontsize=10,
        color=INK,
        va="bottom",
        ha="left",
    ).set_gid("title")
    axes.set_xticks(_ticks(columns))
    axes.set_yticks(_ticks(rows))
    axes.xaxis.set_major_formatter(_thousands)
    axes.yaxis.set_major_formatter(_thousands)


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


def draw_x(axes: Axes, matrices: MixedDesign, sheet: Sheet) -> None:
    """Draw X, the names of its columns and the marks of those that stand again in Z."""
    n, p = matrices.X.shape
    pixels = x_pixels(matrices) if p else np.zeros((0, 0, 3))
    _show(axes, pixels, n, p, "X", "X")
    _raise_title(axes, sheet.above - TITLE)
    axes.set_ylabel("observations", fontsize=8, color=FAINT, labelpad=2)
    if not p:
        axes.set_xticks([])
        axes.text(
            0.5, 0.5, "no columns", transform=axes.transAxes, ha="center", color=FAINT, fontsize=8
        )
        return
    marks = _marks(axes, matrices)
    if sheet.named:
        axes.set_xticks([])
        for k, name in enumerate(matrices.fixed.names):
            axes.annotate(
                short(name),
                ((k + 0.5) / p, 1.0),
                xycoords="axes fraction",
                xytext=(0, (marks + 0.07) * 72),
                textcoords="offset points",
                rotation=90 if p > 1 else 0,
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=INK,
                parse_math=False,
            )


def _marks(axes: Axes, matrices: MixedDesign) -> float:
    """Mark over X the columns that stand again in a random term; return the height used."""
    p = matrices.X.shape[1]
    terms = matrices.random.terms
    height = mark_height(matrices)
    across = Plain(p)
    weights = np.zeros((len(terms), across.pixels))
    fixed = {name: k for k, name in enumerate(matrices.fixed.names)}
    for number, term in enumerate(terms):
        for place, name in enumerate(term.plan.names):
            k = fixed.get(name)
            if k is not None and np.array_equal(column_of_X(matrices, k), term.plan.column(place)):
                weights[number, across.pixel(np.array([k]))] = 1.0
    colours = np.repeat(np.arange(len(terms))[:, None], across.pixels, axis=1)
    inset = axes.inset_axes((0.0, 1.0 + 0.05 / HEIGHT, 1.0, height / HEIGHT))
    inset.imshow(
        paint(weights, colours, colours_of(terms)),
        aspect="auto",
        interpolation="nearest",
        extent=(0, p, len(terms), 0),
    )
    for k in range(1, p if p <= MOST_LABELS else 0):
        inset.axvline(k, color="white", linewidth=1.5)
    inset.set_axis_off()
    return height


def _raise_title(axes: Axes, inches: float) -> None:
    for text in axes.texts:
        if text.get_gid() == "title":
            text.set_position((0.0, 1.0 + inches / HEIGHT))


def draw_zt(axes: Axes, matrices: MixedDesign) -> None:
    """Draw Zt and the labels of its terms."""
    random = matrices.random
    q, n = random.Zt.shape
    pixels, rows = zt_pixels(matrices)
    _show(axes, pixels, q, n, "Zt", "Zᵗ")
    axes.set_xlabel("observations", fontsize=8, color=FAINT, labelpad=2)
    axes.set_yticks([])
    edges = rows.edges / max(int(rows.edges[-1]), 1)
    band = axes.inset_axes((-0.1 / ZT_WIDTH, 0.0, 0.06 / ZT_WIDTH, 1.0))
    band.set_axis_off()
    band.set_xlim(0, 1)
    band.set_ylim(1, 0)
    for k, term in enumerate(random.terms):
        begin, end = float(edges[k]), float(edges[k + 1])
        band.axhspan(begin, end, color=colour_of(k), linewidth=0)
        if k > 0 and len(random.terms) <= MOST_TERMS:
            axes.axhline(begin * q, color=LINE_COLOUR, linewidth=0.5)
        room = (end - begin) * HEIGHT
        if room < 0.13:
            continue
        label = short(term.bar.label)
        level = room < 0.062 * len(label)
        if level and len(label) > _ROOM:
            label = f"{label[: _ROOM - 1]}…"
        axes.annotate(
            label,
            (0.0, 1 - (begin + end) / 2),
            xycoords="axes fraction",
            xytext=(-0.15 * 72, 0),
            textcoords="offset points",
            rotation=0 if level else 90,
            ha="right",
            va="center",
            fontsize=7.5,
            color=colour_of(k),
            parse_math=False,
        )


def draw_square(
    axes: Axes, matrices: MixedDesign, pixels: FloatArray, name: str, title: str
) -> None:
    """Draw a matrix whose rows and columns are the rows of Zt."""
    q = int(matrices.random.Gp[-1])
    _show(axes, pixels, q, q, name, title)
    axis = square_axis(matrices)
    edges = axis.edges * q / max(int(axis.edges[-1]), 1)
    if axis.enlarges:
        # Terms are not drawn to scale: only their bounds have a place.
        for set_ticks, room in ((axes.set_xticks, 0.2), (axes.set_yticks, 0.05)):
            far = [0]
            for k in range(1, len(edges)):
                if edges[k] - edges[far[-1]] >= room * q:
                    far.append(k)
            set_ticks(edges[far], [f"{axis.Gp[k]:,}" for k in far])
    for edge in edges[1:-1] if len(edges) <= MOST_TERMS + 2 else ():
        axes.axhline(float(edge), color=LINE_COLOUR, linewidth=0.5)
        axes.axvline(float(edge), color=LINE_COLOUR, linewidth=0.5)
