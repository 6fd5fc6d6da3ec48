"""From rows and columns of a matrix to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import FloatArray

__all__ = ["BINS", "Plain", "TermRows"]


# Pixels each way of X and Zt, and of the square matrices, whose diagonal would be too thin.
BINS = 220
_LEAST_SHARE = 0.07


@dataclass(frozen=True, slots=True)
class Plain:
    """An axis of equal pixels: observations, or columns of X."""

    size: int
    limit: int = BINS

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return min(self.size, self.limit)

    def pixel(self, places: NDArray[Any]) -> NDArray[np.int64]:
        """Return the pixel of each place."""
        return places.astype(np.int64) * self.pixels // max(self.size, 1)

    def starts(self) -> NDArray[np.int64]:
        """Return the first place of each pixel."""
        return -(-np.arange(self.pixels, dtype=np.int64) * self.size // max(self.pixels, 1))


class TermRows:
    """The rows of Zt as an axis: exact where they fit, else each term with a share it can use.

    Parameters
    ----------
    Gp : ndarray
        First row of each term, and q.
    limit : int
        Number of rows that still fit one to a pixel.
    pixels : int
        Pixels to use when they do not.
    """

    def __init__(self, Gp: NDArray[Any], limit: int, pixels: int) -> None:
        self.Gp = Gp.astype(np.int64)
        rows = np.diff(self.Gp)
        self.exact = bool(self.Gp[-1] <= limit)
        if self.exact:
            self.counts, self.repeats = rows, np.ones_like(rows)
        else:
            least = max(1, int(pixels * min(_LEAST_SHARE, 0.5 / rows.size)))
            share = np.maximum(least, pixels * rows // max(int(self.Gp[-1]), 1))
            self.counts = np.minimum(rows, share)
            self.repeats = -(-share // np.maximum(self.counts, 1)) * (rows > 0)
        self.first = np.concatenate(([0], np.cumsum(self.counts)))
        self.edges = np.concatenate(([0], np.cumsum(self.counts * self.repeats)))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return int(self.first[-1])

    def term(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the term of each row; terms without columns have no rows."""
        found: NDArray[np.int64] = np.searchsorted(self.Gp[1:], rows, side="right")
        return found

    def pixel(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the pixel of each row."""
        if self.exact:
            return rows.astype(np.int64)
        term = self.term(rows)
        inside = rows - self.Gp[term]
        found: NDArray[np.int64] = (
            self.first[term] + inside * self.counts[term] // np.diff(self.Gp)[term]
        )
        return found

    @property
    def enlarges(self) -> bool:
        """Whether terms are not drawn to scale."""
        drawn = self.edges / max(int(self.edges[-1]), 1)
        return bool(np.abs(drawn - self.Gp / max(int(self.Gp[-1]), 1)).max() > 0.01)

    def capacity(self) -> int:
        """Return how many rows the fullest pixel holds."""
        return int((-(-np.diff(self.Gp) // np.maximum(self.counts, 1))).max(initial=1))

    def terms(self) -> NDArray[np.int64]:
        """Return the term of each pixel."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def spread(self, pixels: FloatArray, axis: int) -> FloatArray:
        """Return an image with each term as large as it is shown."""
        return np.repeat(pixels, np.repeat(self.repeats, self.counts), axis=axis)
