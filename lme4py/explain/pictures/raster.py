"""Matrices as pixels, and the axes that lead from rows and columns to them.

What falls into a pixel is added up by sparse products; nothing dense of the matrix's own
size is formed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.data.values import FloatArray
from lme4py.explain.pictures.window import Window

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

__all__ = [
    "SQUARE",
    "TermAxis",
    "dense_weights",
    "pattern",
    "products",
    "relative",
    "sampling_step",
    "sparse_weights",
]

# Pixels each way; for the square matrices fewer, whose diagonal would be too thin.
BINS = 220
SQUARE = 115
_LEAST_SHARE = 0.07
# Products of entries up to which ZᵗZ is computed from all observations.
_MOST_PRODUCTS = 200_000_000
_TINY = 1e-300


class TermAxis:
    """Rows in parts as an axis: exact where they fit, else each part with a share it can use.

    Neighbouring rows that share a pixel are a bin, and a bin lies in one part: a random term.
    An axis of one part is one of equal pixels: observations, or columns of X.

    Parameters
    ----------
    Gp : array-like of int
        First row of each part, and the number of rows.
    pixels : int
        Pixels to use when the rows do not fit one to a pixel.

    Attributes
    ----------
    first : ndarray of int64, shape (bins,)
        The first row of each bin.
    edges : ndarray of float64, shape (bins + 1,)
        Where the bins are drawn, in rows where the parts are to scale.
    bounds : ndarray of float64
        Where the parts are drawn.
    """

    def __init__(self, Gp: ArrayLike, pixels: int = BINS) -> None:
        self.Gp = np.asarray(Gp, dtype=np.int64)
        rows, count = np.diff(self.Gp), int(self.Gp[-1])
        shares = rows
        if count > BINS:
            least = max(1, int(pixels * min(_LEAST_SHARE, 0.5 / rows.size)))
            shares = np.maximum(least, pixels * rows // count) * (rows > 0)
        bins = np.minimum(rows, shares)
        self.bounds = np.concatenate(([0], np.cumsum(shares))) * (count / max(shares.sum(), 1))

        def spaced(bounds: NDArray[np.float64]) -> FloatArray:
            parts = zip(bounds, bounds[1:], bins, strict=False)
            return np.concatenate([np.linspace(*part, endpoint=False) for part in parts])

        self.first = spaced(self.Gp.astype(np.float64)).astype(np.int64)
        self.edges = np.append(spaced(self.bounds), count)

    @property
    def terms(self) -> NDArray[np.int64]:
        """The part of each bin; parts without rows have none."""
        return np.searchsorted(self.Gp[1:], self.first, side="right")

    @property
    def sums(self) -> csr_array:
        """The matrix that adds up the rows of each bin."""
        from scipy.sparse import csr_array

        count = int(self.Gp[-1])
        entries = np.ones(count), np.arange(count), np.append(self.first, count)
        return csr_array(entries, shape=(self.first.size, count))

    @property
    def enlarges(self) -> bool:
        """Whether parts are not drawn to scale."""
        return bool(np.abs(self.bounds - self.Gp).max() > 0.01 * self.Gp[-1])


def dense_weights(columns: Iterable[FloatArray], down: TermAxis, across: TermAxis) -> FloatArray:
    """Return the mean absolute value in each pixel, relative to the largest of its column."""
    weights = np.zeros((down.first.size, across.first.size))
    sums = down.sums
    sizes = sums.sum(axis=1)
    pixel = np.searchsorted(across.first, np.arange(across.Gp[-1]), side="right") - 1
    for at, column in zip(pixel, columns, strict=True):
        found = np.abs(column)
        found[~np.isfinite(found)] = found[np.isfinite(found)].max(initial=1.0)
        mean = (sums @ found) / sizes
        share = mean / max(float(mean.max(initial=0.0)), _TINY)
        np.maximum(weights[:, at], share, out=weights[:, at])
    return weights


def sparse_weights(matrix: csc_array, down: TermAxis, across: TermAxis) -> FloatArray:
    """Return the sum of the entries in each pixel, relative to the largest of its part."""
    weights: FloatArray = (down.sums @ matrix @ across.sums.T).toarray()
    largest = np.full(down.Gp.size - 1, _TINY)
    np.maximum.at(largest, down.terms, weights.max(axis=1, initial=0.0))
    weights /= largest[down.terms][:, None]
    return weights


def relative(shown: Window) -> csc_array:
    """Return Zt with absolute values, relative to the largest of their column of the term."""
    Zt = abs(shown.Zt)
    # The column of its term that each row of Zt belongs to, counted through all terms.
    counts = np.cumsum([0, *(term.columns for term in shown.design.random.terms)])
    term, _, column = shown.effects
    kind = (counts[term] + column)[Zt.indices]
    finite = np.isfinite(Zt.data)
    largest = np.full(int(counts[-1]), _TINY)
    np.maximum.at(largest, kind[finite], Zt.data[finite])
    Zt.data = np.where(finite, Zt.data / largest[kind], 1.0)
    return Zt


def pattern(shown: Window, axis: TermAxis) -> FloatArray:
    """Return the pixels of Lambdat: its diagonal dark, what stands beside it pale."""
    stored = shown.Lambdat.copy()
    stored.data[:] = 1.0
    weights = sparse_weights(stored, axis, axis) > 0
    found: FloatArray = np.where(np.eye(len(weights), dtype=bool), 1.0, 0.35) * weights
    return found


def sampling_step(Zt: csc_array) -> int:
    """Return of how many observations one is enough for ZᵗZ."""
    entries = np.diff(Zt.indptr).astype(np.float64)
    return max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))


def products(Zt: csc_array, axis: TermAxis) -> FloatArray:
    """Return the pixels of ZᵗZ."""
    step = sampling_step(Zt)
    rows = axis.sums @ (Zt if step == 1 else Zt[:, ::step])
    weights: FloatArray = np.log1p((rows @ rows.T).toarray())
    weights /= max(float(weights.max(initial=0.0)), _TINY)
    return weights
