"""The picture of one cluster: its equation as annotated matrices of numbers. Sizes are inches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters.single_cluster import Cluster, Lettered
from lme4py.explain.expression import shortened
from lme4py.explain.markup.formats import TEXT
from lme4py.explain.markup.page import one_line
from lme4py.explain.markup.typesetting import Typesetter
from lme4py.explain.pictures.figure import FAINT, INK, colour_of, new_figure, put, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cluster"]

_MOST = (14, 10)
_SUBSCRIPTS = str.maketrans("0123456789j", "₀₁₂₃₄₅₆₇₈₉ⱼ")


def _script(index: str, above: bool) -> str:
    """Return digits and the letter of the cluster as a subscript, names in brackets."""
    del above
    return index.translate(_SUBSCRIPTS) if index.isdigit() or index == "j" else f"[{index}]"


# Text as it stands in a picture, where nothing has to be told apart by signs alone.
_FORM = replace(
    TEXT,
    number=lambda number: number.replace("-", "\N{MINUS SIGN}"),
    name=lambda name, _: one_line(name),
    script=_script,
)
_CELL = 0.34
_ROW = 0.225
_CHARACTER = 0.072
_OPERATOR = 0.3


def plot_cluster(design: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.
    """
    left, terms = found.equation(_MOST)
    heads = iter(_heads(design, found))
    blocks: list[_Bracketed | str] = [_bracketed(found, left)]
    for k, (first, *rest) in enumerate(terms):
        blocks.append("+" if k else "=")
        blocks.append(_bracketed(found, first, *(next(heads) if rest else ())))
        blocks += [_bracketed(found, other) for other in rest]
    return _draw(found.title, blocks)


def _heads(
    design: MixedDesign, found: Cluster
) -> Iterator[tuple[Sequence[str], Sequence[str | None]]]:
    """Yield the names over the columns of X and of each part of Z, and their colours."""
    # The colour of the term that a column of Z belongs to.
    terms = [np.searchsorted(design.random.Gp[1:], p.columns, side="right") for p in found.parts]
    own = dict(zip(found.names, range(len(found.names)), strict=True))
    if found.fixed_names:
        tints: list[str | None] = []
        for k, name in enumerate(found.fixed_names):
            same = name in own and np.array_equal(found.Z[:, own[name]], found.X[:, k])
            tints.append(colour_of(int(terms[0][own[name]])) if same else None)
        yield found.fixed_names, tints
    for part, places in zip(found.parts, terms, strict=True):
        if part.columns.size:
            names = [n if part is found.own else f"{level} {n}" for level, n in part.names]
            yield names, [colour_of(int(place)) for place in places]


def _bracketed(
    found: Cluster,
    shown: Lettered,
    names: Sequence[str] = ("",),
    tints: Sequence[str | None] = (None,),
) -> _Bracketed:
    letter, entries = shown
    setter = Typesetter(_FORM, found.write, digits=5)
    return _Bracketed(
        setter.symbol(found.write(letter)),
        setter.cells(entries),
        shortened([short(name) for name in names], _MOST[1], ""),
        shortened(tints, _MOST[1], None),
    )


@dataclass(frozen=True, slots=True)
class _Bracketed:
    """A matrix of the equation as cells of text.

    Parameters
    ----------
    symbol : str
        What it is called in the equation.
    cells : sequence of sequence of str
        Rows of cells.
    names : sequence of str
        What stands over the columns.
    tints : sequence of (str or None)
        Colour of each column.
    """

    symbol: str
    cells: Sequence[Sequence[str]]
    names: Sequence[str]
    tints: Sequence[str | None]

    @property
    def widths(self) -> list[float]:
        """Width of each column."""
        return [
            max([_CELL, *(_CHARACTER * len(row[k]) + 0.14 for row in self.cells)])
            for k in range(len(self.tints))
        ]

    @property
    def width(self) -> float:
        """Width with its brackets."""
        return sum(self.widths) + 0.12

    @property
    def upright(self) -> bool:
        """Whether the names over the columns have to stand."""
        pairs = zip(self.names, self.widths, strict=True)
        return any(_CHARACTER * len(name) > width for name, width in pairs)

    @property
    def above(self) -> float:
        """Room for the names over the columns."""
        if not any(self.names):
            return 0.0
        return 0.061 * max(map(len, self.names)) + 0.05 if self.upright else 0.2


def _draw(title: str, blocks: Sequence[_Bracketed | str]) -> Figure:
    """Draw matrices and the signs between them in one line, centred on each other."""
    matrices = [block for block in blocks if isinstance(block, _Bracketed)]
    tall = max(len(block.cells) for block in matrices) * _ROW
    signs = _OPERATOR * (len(blocks) - len(matrices))
    width = 0.5 + signs + sum(block.width + 0.08 for block in matrices)
    width = max(width, 0.085 * len(title) + 0.5)
    height = 1.0 + tall + max(block.above for block in matrices)
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    put(axes, 0.25, height - 0.25, title, size=10)
    middle = 0.45 + tall / 2
    x = 0.25
    for block in blocks:
        if isinstance(block, str):
            put(axes, x + 0.11, middle, block, size=13, ha="center")
            x += _OPERATOR
        else:
            _draw_matrix(axes, block, x, middle)
            put(axes, x + block.width / 2, 0.22, block.symbol, size=9.5, color=FAINT, ha="center")
            x += block.width + 0.08
    return figure


def _draw_matrix(axes: Axes, block: _Bracketed, left: float, middle: float) -> None:
    from matplotlib.patches import Rectangle

    tall = len(block.cells) * _ROW
    top, bottom = middle + tall / 2, middle - tall / 2
    x = left + 0.06
    for k, (width, tint) in enumerate(zip(block.widths, block.tints, strict=True)):
        centre = x + width / 2
        if tint is not None:
            patch = Rectangle((x, bottom), width, tall, facecolor=tint, alpha=0.16, linewidth=0)
            axes.add_patch(patch)
        for i, row in enumerate(block.cells):
            put(axes, centre, top - (i + 0.5) * _ROW, row[k], ha="center")
        if block.names[k]:
            style = {"color": tint or INK, "rotation": 90 if block.upright else 0}
            name = block.names[k]
            put(axes, centre, top + 0.06, name, size=7.5, ha="center", va="bottom", **style)
        x += width
    for edge, inward in ((left + 0.03, 0.05), (left + block.width - 0.03, -0.05)):
        across = [edge + inward, edge, edge, edge + inward]
        down = [top, top, bottom, bottom]
        axes.plot(across, down, color=INK, linewidth=1.0, solid_capstyle="butt")
