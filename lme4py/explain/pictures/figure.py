"""Figures without pyplot, and how things look on them: colours, weights, labels.

No window opens, no backend is chosen, nothing stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import Lme4pyError
from lme4py.explain.markup.page import one_line
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BETWEEN",
    "FAINT",
    "FIXED",
    "INK",
    "LINE_COLOUR",
    "colour_of",
    "colours_of",
    "cut",
    "figure_class",
    "new_figure",
    "paint",
    "put",
    "short",
]


_LONGEST_LABEL = 18
_PALEST = 0.28
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
FIXED = ("#3b4252", "#7b8494")
BETWEEN = "#8a8f98"
LINE_COLOUR = "#9aa1ab"
INK = "#1f2328"
FAINT = "#6b7280"


@cache
def figure_class() -> type[Figure]:
    """Return a Figure that a notebook shows also when pyplot was never imported."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Lme4pyError(
            "plots need matplotlib, which is not installed", hint="pip install -e '.[plot]'"
        ) from error

    return type("Picture", (Figure,), {"_repr_png_": _png})


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    page = BytesIO()
    figure.savefig(page, format="png")
    return page.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    figure = figure_class()(figsize=(width, height), dpi=100)
    figure.set_facecolor("white")
    return figure


def put(
    target: Figure | Axes, x: float, y: float, text: str, *, size: float = 8.5, **style: Any
) -> None:
    """Write text as it is: a dollar sign begins no formula."""
    style = {"color": INK, "ha": "left", "va": "center", "parse_math": False, **style}
    target.text(x, y, text, fontsize=size, **style)


def cut(text: str, longest: int) -> str:
    """Return text, its end left out where it is long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def short(name: str) -> str:
    """Return a name on one line, cut where it is long."""
    return cut(one_line(name), _LONGEST_LABEL)


def colour_of(k: int) -> str:
    """Return the colour of random term `k`."""
    return _COLOURS[k % len(_COLOURS)]


def colours_of(count: int) -> list[str]:
    """Return the colours of so many random terms."""
    return list(map(colour_of, range(count)))


def paint(weights: FloatArray, colours: NDArray[np.int64], palette: Sequence[str]) -> FloatArray:
    """Return RGB pixels: white without a weight, else the colour, paler for small weights."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(colour) for colour in palette])
    strength = np.where(weights > 0, _PALEST + (1 - _PALEST) * np.clip(weights, 0, 1), 0.0)
    pixels: FloatArray = 1 - strength[..., None] * (1 - table[colours])
    return pixels
