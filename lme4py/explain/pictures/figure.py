"""Figures without pyplot, and how things look on them: colours, weights, labels.

No window opens, no backend is chosen, nothing stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.errors import Lme4pyError
from lme4py.explain.markup.formats import TEXT
from lme4py.explain.markup.page import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FAINT",
    "INK",
    "PICTURE",
    "colours_of",
    "faded",
    "new_figure",
    "paint",
    "put",
    "short",
    "tint",
]

_PALEST = 0.28
_TINT = 0.25
_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b58900",
    "#56b4e9",
    "#7a5195",
    "#8c6d31",
)
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
    """Return a figure of that size in inches, and its axes by rows, laid out by matplotlib.

    Raises
    ------
    Lme4pyError
        Without matplotlib.
    """
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


def put(
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
    return faded(np.where(filled[..., None], line, 1.0))


def faded(colours: FloatArray) -> FloatArray:
    """Return RGB cells that are pale enough for numbers on them."""
    pale: FloatArray = 1 - _TINT * (1 - colours)
    return pale
