"""Figures without pyplot, and how things look on them: colours, weights, labels.

No window opens, no backend is chosen, nothing stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.errors import Lme4pyError
from lme4py.explain.markup.page import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FAINT", "INK", "colours_of", "new_figure", "paint", "put", "short"]

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
INK = "#1f2328"
FAINT = "#6b7280"


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


def new_figure(width: float, height: float, layout: Any = None) -> Figure:
    """Return an empty figure of that size in inches, laid out by matplotlib if so asked.

    Raises
    ------
    Lme4pyError
        Without matplotlib.
    """
    try:
        return _figure_class()((width, height), dpi=100, facecolor="white", layout=layout)
    except ImportError as error:
        raise Lme4pyError(
            "plots need matplotlib, which is not installed", hint="pip install -e '.[plot]'"
        ) from error


def put(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write text as it is: a dollar sign begins no formula."""
    style = {"color": INK, "fontsize": 8.5, "va": "center", "parse_math": False, **style}
    axes.text(x, y, text, **style)


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
