"""X, Zt, Lambdat and ZᵗZ as pixels, and the axes that lead from rows and columns to them.

What falls into a pixel is added up by sparse products; nothing dense of the matrix's own
size is formed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.monomials import column_of_X
from lme4py.explain.pictures.figure import colours_of, paint

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

__all__ = [
    "BINS",
    "TermAxis",
    "lambdat_pixels",
    "square_axis",
    "x_pixels",
    "zt_pixels",
    "ztz_pixels",
]

# Pixels each way of X and Zt, and of the square matrices, whose diagonal would be too thin.
BINS = 220
_SQUARE = 115
_LEAST_SHARE = 0.07
_FIXED = ("#3b4252", "#7b8494")
_BETWEEN = "#8a8f98"
# Products of entries up to which ZᵗZ is computed from all observations.
_MOST_PRODUCTS = 200_000_000
_TINY = 1e-300


class TermAxis:
    """The rows of Zt as an axis: exact where they fit, else each term with a share it can use.

    Neighbouring rows that share a pixel are a bin, and a bin lies in one term; where a term is
    enlarged, several pixels show one bin. An axis of one term is one of equal pixels:
    observations, or columns of X.

    Parameters
    ----------
    Gp : ndarray
        First row of each term, and q.
    pixels : int
        Pixels to use when the rows do not fit one to a pixel.
    """

    def __init__(self, Gp: ArrayLike, pixels: int = BINS) -> None:
        self.Gp = np.asarray(Gp, dtype=np.int64)
        rows = np.diff(self.Gp)
        counts = rows
        if self.Gp[-1] > BINS:
            least = max(1, int(pixels * min(_LEAST_SHARE, 0.5 / rows.size)))
            counts = np.maximum(least, pixels * rows // self.Gp[-1]) * (rows > 0)
        begins = [
            begin + np.arange(count) * size // count
            for begin, size, count in zip(self.Gp, rows, counts, strict=False)
        ]
        # The first row of each bin, and the bin that each pixel shows.
        self.first, self.shown = np.unique(np.concatenate(begins), return_inverse=True)
        self.edges = np.concatenate(([0], np.cumsum(counts)))

    def bins(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bin of each row."""
        return np.searchsorted(self.first, rows, side="right") - 1

    @property
    def terms(self) -> NDArray[np.int64]:
        """The term of each bin; terms without columns have none."""
        return np.searchsorted(self.Gp[1:], self.first, side="right")

    @property
    def sums(self) -> csr_array:
        """The matrix that adds up the rows of each bin."""
        from scipy.sparse import csr_array

        count = int(self.Gp[-1])
        entries = np.ones(count), np.arange(count), np.append(self.first, count)
        return csr_array(entries, shape=(self.first.size, count))

    @property
    def shares(self) -> FloatArray:
        """Where each term begins, and the last one ends, as parts of the axis."""
        found: FloatArray = self.edges / max(int(self.edges[-1]), 1)
        return found

    @property
    def enlarges(self) -> bool:
        """Whether terms are not drawn to scale."""
        return bool(np.abs(self.shares - self.Gp / max(int(self.Gp[-1]), 1)).max() > 0.01)


def x_pixels(design: MixedDesign) -> FloatArray:
    """Return the pixels of X: the mean absolute value of the rows in each."""
    n, p = design.X.shape
    down, across = TermAxis([0, n]), TermAxis([0, p])
    weights = np.zeros((down.first.size, across.first.size))
    colours = np.zeros(weights.shape, dtype=np.int64)
    sums, pixel = down.sums, across.bins(np.arange(p))
    sizes = sums.sum(axis=1)
    for k in range(p):
        found = np.abs(column_of_X(design, k))
        found[~np.isfinite(found)] = found[np.isfinite(found)].max(initial=1.0)
        mean = (sums @ found) / sizes
        share = mean / max(float(mean.max(initial=0.0)), _TINY)
        np.maximum(weights[:, pixel[k]], share, out=weights[:, pixel[k]])
        colours[:, pixel[k]] = int(design.fixed.assign[k]) % 2
    return paint(weights, colours, _FIXED)


def _relative(design: MixedDesign) -> csc_array:
    """Return Zt with absolute values, relative to the largest of their column of the term."""
    Zt, counts = abs(design.random.Zt), [term.columns for term in design.random.terms]
    sizes, first = np.diff(design.random.Gp), np.cumsum([0, *counts])
    # The column of its term that each row of Zt belongs to, counted through all terms.
    kinds = [np.arange(q) % c + k for q, c, k in zip(sizes, counts, first, strict=False) if c]
    kind = np.concatenate([np.arange(0), *kinds])[Zt.indices]
    finite = np.isfinite(Zt.data)
    largest = np.full(int(first[-1]), _TINY)
    np.maximum.at(largest, kind[finite], Zt.data[finite])
    Zt.data = np.where(finite, Zt.data / largest[kind], 1.0)
    return Zt


def zt_pixels(design: MixedDesign) -> tuple[FloatArray, TermAxis]:
    """Return the pixels of Zt, and the axis of its rows."""
    axis, across = TermAxis(design.random.Gp), TermAxis([0, design.random.Zt.shape[1]])
    weights = (axis.sums @ _relative(design) @ across.sums.T).toarray()
    largest = np.full(axis.Gp.size - 1, _TINY)
    np.maximum.at(largest, axis.terms, weights.max(axis=1, initial=0.0))
    weights /= largest[axis.terms][:, None]
    colours = np.repeat(axis.terms[:, None], weights.shape[1], axis=1)
    pixels = paint(weights, colours, colours_of(largest.size))
    return pixels[axis.shown], axis


def square_axis(design: MixedDesign) -> TermAxis:
    """Return the rows of Zt as an axis of the square matrices."""
    return TermAxis(design.random.Gp, _SQUARE)


def lambdat_pixels(design: MixedDesign) -> FloatArray:
    """Return the pixels of Lambdat: its diagonal dark, what stands beside it pale."""
    axis, pattern = square_axis(design), design.random.Lambdat.copy()
    pattern.data[:] = 1.0
    stored = (axis.sums @ pattern @ axis.sums.T).toarray() > 0
    weights = np.where(np.eye(len(stored), dtype=bool), 1.0, 0.35) * stored
    colours = np.repeat(axis.terms[:, None], len(stored), axis=1)
    pixels = paint(weights, colours, colours_of(axis.Gp.size - 1))
    return pixels[axis.shown][:, axis.shown]


def ztz_pixels(design: MixedDesign) -> tuple[FloatArray, int]:
    """Return the pixels of ZᵗZ, and which observations were taken: each `step`-th."""
    axis, Zt = square_axis(design), _relative(design)
    entries = np.diff(Zt.indptr).astype(np.float64)
    step = max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))
    rows = axis.sums @ (Zt if step == 1 else Zt[:, ::step])
    weights = np.log1p((rows @ rows.T).toarray())
    weights /= max(float(weights.max(initial=0.0)), _TINY)
    term, count = axis.terms, axis.Gp.size - 1
    colours = np.where(term[:, None] == term, term[:, None], count)
    pixels = paint(weights, colours, [*colours_of(count), _BETWEEN])
    return pixels[axis.shown][:, axis.shown], step
