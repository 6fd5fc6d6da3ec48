"""An equation of matrices drawn as blocks of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lme4py.explain.pictures.figure import new_figure
from lme4py.explain.pictures.palette import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Block", "draw_equation"]


@dataclass(frozen=True, slots=True)
class Block:
    """A matrix of the cluster's equation as cells of text.

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
        """Width of each column in inches."""
        return [
            max([_CELL, *(_CHARACTER * len(row[k]) + 0.14 for row in self.cells)])
            for k in range(len(self.tints))
        ]

    @property
    def width(self) -> float:
        """Width with its brackets, in inches."""
        return sum(self.widths) + 0.12

    @property
    def upright(self) -> bool:
        """Whether the names over the columns have to stand."""
        return any(
            _CHARACTER * len(name) > width
            for name, width in zip(self.names, self.widths, strict=False)
        )

    @property
    def above(self) -> float:
        """Room for the names over the columns, in inches."""
        if not any(self.names):
            return 0.0
        return 0.061 * max(map(len, self.names)) + 0.05 if self.upright else 0.2


_CELL = 0.34
_ROW = 0.225
_CHARACTER = 0.072
_OPERATOR = 0.3


def draw_equation(title: str, blocks: Sequence[Block | str]) -> Figure:
    """Draw matrices and the signs between them in one line, centred on each other."""
    tall = max(len(block.cells) for block in blocks if isinstance(block, Block)) * _ROW
    above = max(block.above for block in blocks if isinstance(block, Block))
    width = 0.5 + sum(
        block.width + 0.08 if isinstance(block, Block) else _OPERATOR for block in blocks
    )
    height = 0.55 + above + tall + 0.45
    width = max(width, 0.085 * len(title) + 0.5)
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    axes.text(0.25, height - 0.25, title, fontsize=10, color=INK, va="center", parse_math=False)
    middle = 0.45 + tall / 2
    x = 0.25
    for block in blocks:
        if isinstance(block, str):
            axes.text(x + 0.11, middle, block, fontsize=13, color=INK, ha="center", va="center")
            x += _OPERATOR
        else:
            _draw_block(axes, block, x, middle)
            axes.text(
                x + block.width / 2,
                0.22,
                block.symbol,
                fontsize=9.5,
                color=FAINT,
                ha="center",
                va="center",
            )
            x += block.width + 0.08
    return figure


def _draw_block(axes: Axes, block: Block, left: float, middle: float) -> None:
    from matplotlib.patches import Rectangle

    tall = len(block.cells) * _ROW
    top, bottom = middle + tall / 2, middle - tall / 2
    x = left + 0.06
    for k, width in enumerate(block.widths):
        tint = block.tints[k]
        if tint is not None:
            axes.add_patch(
                Rectangle((x, bottom), width, tall, facecolor=tint, alpha=0.16, linewidth=0)
            )
        for i, row in enumerate(block.cells):
            axes.text(
                x + width / 2,
                top - (i + 0.5) * _ROW,
                row[k],
                fontsize=8.5,
                color=INK,
                ha="center",
                va="center",
                parse_math=False,
            )
        if block.names[k]:
            axes.text(
                x + width / 2,
                top + 0.06,
                block.names[k],
                fontsize=7.5,
                color=INK if tint is None else tint,
                ha="center",
                va="bottom",
                rotation=90 if block.upright else 0,
                parse_math=False,
            )
        x += width
    for edge, inward in ((left + 0.03, 0.05), (left + block.width - 0.03, -0.05)):
        axes.plot(
            [edge + inward, edge, edge, edge + inward],
            [top, top, bottom, bottom],
            color=INK,
            linewidth=1.0,
            solid_capstyle="butt",
        )
