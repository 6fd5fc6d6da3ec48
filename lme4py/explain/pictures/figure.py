"""Figures without pyplot: no window opens, no backend is chosen, nothing stays open."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lme4py.errors import Lme4pyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_class", "new_figure", "short"]


_LONGEST_LABEL = 18


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


def short(name: str) -> str:
    """Return a name on one line, cut where it is long."""
    name = " ".join(name.split())
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
