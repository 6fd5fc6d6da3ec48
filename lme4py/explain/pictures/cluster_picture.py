"""The picture of one cluster: its equation as annotated matrices of numbers. Sizes are inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters.single_cluster import Cluster
from lme4py.explain.pictures.figure import FAINT, INK, colour_of, new_figure, put, short
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cluster"]

_MOST_ROWS = 14
_MOST_COLUMNS = 10
_CELL = 0.34
_ROW = 0.225
_CHARACTER = 0.072
_OPERATOR = 0.3
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def plot_cluster(design: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.
    """

    def tint(column: int) -> str:
        """Return the colour of the term that a column of Z belongs to."""
        return colour_of(int(np.searchsorted(design.random.Gp[1:], column, side="right")))

    def tint_of_x(number: int) -> str | None:
        """Return the colour of the cluster's own column that a column of X is equal to."""
        for place, name in enumerate(found.names):
            same = name == found.fixed_names[number]
            if same and np.array_equal(found.Z[:, place], found.X[:, number]):
                return tint(int(found.columns[place]))
        return None

    terms: list[list[_Bracketed]] = []
    if names := found.fixed_names:
        tints = list(map(tint_of_x, range(len(names))))
        beta = _vector("β", [f"β[{short(name)}]" for name in names])
        terms.append([_matrix("Xⱼ", found.X, names, tints), beta])
    for part in found.parts:
        if part.columns.size:
            own = part is found.own
            heads = [name if own else f"{level} {name}" for level, name in part.names]
            effects = [f"b[{short(level)}, {short(name)}]" for level, name in part.names]
            symbol = "ⱼ" if own else f" of {short(part.group)}"
            Z = _matrix(f"Z{symbol}", part.Z, heads, list(map(tint, part.columns.tolist())))
            terms.append([Z, _vector(f"b{symbol}", effects)])
    if found.offset is not None:
        terms.append([_matrix("offset", found.offset[:, None])])
    count = found.rows.size
    if found.linear:
        terms.append([_vector("εⱼ", _numbered("ε", count))])
    left = _vector("ηⱼ", _numbered("η", count))
    if found.response is not None:
        left = _matrix("yⱼ", found.response[:, None])
    blocks: list[_Bracketed | str] = [left]
    for k, term in enumerate(terms):
        blocks += ["+" if k else "=", *term]
    plural = "" if count == 1 else "s"
    return _draw(f"{found.group} = {found.level}:  {count} observation{plural}", blocks)


def _numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{k}".translate(_SUBSCRIPTS) for k in range(1, count + 1)]


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


def _kept(count: int, most: int) -> list[int | None]:
    """Return the positions to show; None stands for those left out."""
    if count <= most:
        return list(range(count))
    return [*range(most - 3), None, count - 2, count - 1]


def _vector(symbol: str, entries: Sequence[str]) -> _Bracketed:
    cells = [["⋮" if k is None else entries[k]] for k in _kept(len(entries), _MOST_ROWS)]
    return _Bracketed(symbol, cells, [""], [None])


def _matrix(
    symbol: str,
    values: FloatArray,
    names: Sequence[str] = ("",),
    tints: Sequence[str | None] = (None,),
) -> _Bracketed:
    rows = _kept(values.shape[0], _MOST_ROWS)
    columns = _kept(values.shape[1], _MOST_COLUMNS)

    def cell(i: int | None, k: int | None) -> str:
        if i is None:
            return "⋮" if k is not None else "⋱"
        if k is None:
            return "⋯"
        return f"{values[i, k] + 0.0:.5g}".replace("-", "\N{MINUS SIGN}")

    return _Bracketed(
        symbol,
        [[cell(i, k) for k in columns] for i in rows],
        ["" if k is None else short(names[k]) for k in columns],
        [None if k is None else tints[k] for k in columns],
    )


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
