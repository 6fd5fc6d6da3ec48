"""The picture of one cluster: its equation as annotated matrices of numbers. Sizes are inches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters import Cluster
from lme4py.explain.expression import shortened
from lme4py.explain.markup.formats import TextSetter
from lme4py.explain.markup.page import one_line
from lme4py.explain.pictures.figure import FAINT, INK, colours_of, new_figure, put, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cluster"]

_MOST = (14, 10)
_SUBSCRIPTS = str.maketrans("0123456789ijklmn", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₗₘₙ")


class _PictureSetter(TextSetter):
    """Text as it stands in a picture, where nothing has to be told apart by signs alone."""

    def number(self, number: str) -> str:
        return number.replace("-", "\N{MINUS SIGN}")

    def name(self, name: str, bold: bool = False) -> str:
        del bold
        return one_line(name)

    def script(self, index: str, above: bool) -> str:
        """Return digits and letters of indices as a subscript, names in brackets."""
        del above
        lowered = index.translate(_SUBSCRIPTS)
        return f"[{index}]" if set(lowered) & set(index) - {","} else lowered


_CELL = 0.34
_ROW = 0.225
_CHARACTER = 0.072
_Head: TypeAlias = tuple[Sequence[str], Sequence[str | None]]
"""The names over the columns of a matrix, and their colours."""


def plot_cluster(design: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.
    """
    left, terms = found.equation(_MOST)
    heads = iter(_heads(design, found))
    setter = _PictureSetter(found.write, digits=5)
    figure = new_figure(1, 1)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    # The middle of the equation is at height 0; its extent is known when it is drawn.
    x, bottom, top = 0.25, 0.0, 0.0
    symbols: list[tuple[float, str]] = []
    for k, (first, *rest) in enumerate([[left], *terms]):
        if k:
            put(axes, x + 0.11, 0, "=" if k == 1 else "+", fontsize=13, ha="center")
            x += 0.3
        head: _Head = next(heads) if rest else ([""], [None])
        for letter, entries in (first, *rest):
            cells = setter.cells(entries)
            width, above = _draw_matrix(axes, x, cells, head)
            symbols.append((x + width / 2, setter.symbol(found.write(letter))))
            bottom, top = min(bottom, -len(cells) * _ROW / 2), max(top, above)
            x, head = x + width + 0.08, ([""], [None])
    width, bottom, top = max(x + 0.17, 0.085 * len(found.title) + 0.5), bottom - 0.45, top + 0.55
    put(axes, 0.25, top - 0.25, found.title, fontsize=10)
    for place, symbol in symbols:
        put(axes, place, bottom + 0.22, symbol, fontsize=9.5, color=FAINT, ha="center")
    axes.set(xlim=(0, width), ylim=(bottom, top))
    figure.set_size_inches(width, top - bottom)
    return figure


def _heads(design: MixedDesign, found: Cluster) -> Iterator[_Head]:
    """Yield the names over the columns of X and of each part of Z, and their colours."""
    Gp = design.random.Gp
    palette = colours_of(Gp.size)
    # The colour of the term that a column of Z belongs to.
    own, *others = (
        [palette[term] for term in np.searchsorted(Gp[1:], part.columns, side="right")]
        for part in found.parts
    )
    places = dict(zip(found.names, range(len(found.names)), strict=True))
    if found.fixed_names:
        same = [
            name in places and np.array_equal(found.Z[:, places[name]], found.X[:, k])
            for k, name in enumerate(found.fixed_names)
        ]
        pairs = zip(found.fixed_names, same, strict=True)
        yield found.fixed_names, [own[places[name]] if alike else None for name, alike in pairs]
    if found.columns.size:
        yield found.names, own
    for part, tints in zip(found.others, others, strict=True):
        if part.columns.size:
            yield [f"{level} {name}" for level, name in part.names], tints


def _draw_matrix(
    axes: Axes, left: float, cells: Sequence[Sequence[str]], head: _Head
) -> tuple[float, float]:
    """Draw a matrix of cells between brackets; return its width and where its names end."""
    names = shortened([short(name) for name in head[0]], _MOST[1], "")
    tints = shortened(head[1], _MOST[1], None)
    widths = [
        max([_CELL, *(_CHARACTER * len(row[k]) + 0.14 for row in cells)]) for k in range(len(names))
    ]
    upright = any(_CHARACTER * len(name) > width for name, width in zip(names, widths, strict=True))
    top = len(cells) * _ROW / 2
    x = left + 0.06
    for k, (name, width, tint) in enumerate(zip(names, widths, tints, strict=True)):
        if tint is not None:
            axes.fill_between((x, x + width), -top, top, color=tint, alpha=0.16, linewidth=0)
        for i, row in enumerate(cells):
            put(axes, x + width / 2, top - (i + 0.5) * _ROW, row[k], ha="center")
        style = {"fontsize": 7.5, "color": tint or INK, "rotation": 90 if upright else 0}
        put(axes, x + width / 2, top + 0.06, name, ha="center", va="bottom", **style)
        x += width
    for edge, inward in ((left + 0.03, 0.05), (x + 0.03, -0.05)):
        across = [edge + inward, edge, edge, edge + inward]
        axes.plot(across, [top, top, -top, -top], color=INK, linewidth=1.0, solid_capstyle="butt")
    longest = max(map(len, names))
    above = 0.0 if not longest else 0.061 * longest + 0.05 if upright else 0.2
    return x + 0.06 - left, top + above
