"""Colours of the terms, and weights painted in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import FloatArray
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["BETWEEN", "FAINT", "FIXED", "INK", "LINE_COLOUR", "colour_of", "colours_of", "paint"]


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


def paint(weights: FloatArray, colours: NDArray[np.int64], palette: Sequence[str]) -> FloatArray:
    """Return RGB pixels: white without a weight, else the colour, paler for small weights."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(colour) for colour in palette])
    strength = np.where(weights > 0, _PALEST + (1 - _PALEST) * np.clip(weights, 0, 1), 0.0)
    pixels: FloatArray = 1 - strength[..., None] * (1 - table[colours])
    return pixels


def colour_of(k: int) -> str:
    """Return the colour of random term `k`."""
    return _COLOURS[k % len(_COLOURS)]


def colours_of(terms: Sequence[RandomTerm]) -> list[str]:
    """Return the colour of each random term."""
    return [colour_of(k) for k in range(len(terms))]
