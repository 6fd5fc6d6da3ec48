"""The picture of a model: where X, Zt, Lambdat and ZᵗZ have entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lme4py.design import MixedDesign
from lme4py.explain.pictures.figure import new_figure
from lme4py.explain.pictures.legend import draw_legend
from lme4py.explain.pictures.panels import draw_square, draw_x, draw_zt
from lme4py.explain.pictures.pixels import lambdat_pixels, ztz_pixels
from lme4py.explain.pictures.sheet import Sheet, add_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]


def plot(matrices: MixedDesign) -> Figure:
    """Draw the structure of X, Zt, Lambdat and ZᵗZ side by side.

    Every random term has a colour, the same in all panels; the terms of X alternate
    between two greys. A darker pixel holds a larger absolute value (relative to the largest of
    its column of the model matrix). The marks over X tell which of its columns stand again
    in the rows of which random term.

    Parameters
    ----------
    matrices : MixedDesign
        A model of any size: 20 or 1,000,000 columns.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown: ``figure.savefig("model.png")``, or the last line of a notebook cell.

    Raises
    ------
    Lme4pyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> plot(design).savefig("model.png")  # doctest: +SKIP
    """
    sheet = Sheet.of(matrices)
    figure = new_figure(sheet.width, sheet.height)
    axes = [add_panel(figure, sheet, begin, width) for begin, width in sheet.panels()]
    draw_x(axes[0], matrices, sheet)
    draw_zt(axes[1], matrices)
    draw_square(axes[2], matrices, lambdat_pixels(matrices), "Lambdat", "Λᵗ")
    pixels, step = ztz_pixels(matrices)
    draw_square(axes[3], matrices, pixels, "ZtZ", "ZᵗZ")
    draw_legend(figure, sheet, matrices, step)
    return figure
