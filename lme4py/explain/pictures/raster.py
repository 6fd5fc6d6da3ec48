"""Matrices as pixels, and the axes that lead from rows and columns to them.

What falls into a pixel is added up by sparse products; nothing dense of the matrix's own
size is formed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array, csr_array

from lme4py.data.values import FloatArray

__all__ = ["SQUARE", "TermAxis", "pattern", "products", "relative", "sampling_step", "shades"]

# Pixels each way; for the square matrices fewer, whose diagonal would be too thin.
BINS = 220
SQUARE = 115
_LEAST_SHARE = 0.07
# Products of entries up to which ZᵗZ is computed from all observations.
_MOST_PRODUCTS = 200_000_000


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
    terms : ndarray of int64, shape (bins,)
        The part of each bin; parts without rows have none.
    enlarges : bool
        Whether parts are not drawn to scale.
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
        self.enlarges = bool(np.abs(self.bounds - self.Gp).max() > 0.01 * count)

        def spaced(bounds: NDArray[np.float64]) -> FloatArray:
            parts = zip(bounds, bounds[1:], bins, strict=False)
            return np.concatenate([np.linspace(*part, endpoint=False) for part in parts])

        self.first = spaced(self.Gp.astype(np.float64)).astype(np.int64)
        self.edges = np.append(spaced(self.bounds), count)
        self.terms = np.repeat(np.arange(bins.size), bins)

    @property
    def sums(self) -> csr_array:
        """The matrix that adds up the rows of each bin."""
        count = int(self.Gp[-1])
        entries = np.ones(count), np.arange(count), np.append(self.first, count)
        return csr_array(entries, shape=(self.first.size, count))


def relative(matrix: csc_array, kinds: NDArray[np.int64]) -> csc_array:
    """Return absolute values, relative to the largest of all rows of the same kind."""
    values, kind = np.abs(matrix.data), kinds[matrix.indices]
    finite = np.isfinite(values)
    largest = _largest(values[finite], kind[finite], kinds)
    shares = np.where(finite, values / largest[kind], 1.0)
    return csc_array((shares, matrix.indices, matrix.indptr), shape=matrix.shape)


def _largest(values: FloatArray, kind: NDArray[np.int64], kinds: NDArray[np.int64]) -> FloatArray:
    """Return the largest value of each kind, which may be divided by."""
    largest = np.full(int(kinds.max(initial=0)) + 1, 1e-300)
    np.maximum.at(largest, kind, values)
    return largest


def shades(
    matrix: csc_array, down: TermAxis, across: TermAxis, kinds: NDArray[np.int64]
) -> FloatArray:
    """Return the means over the columns of each pixel, relative to the largest of its kind.

    Of the rows that share a pixel the sum is taken; `kinds` are those of the pixels' rows.
    """
    weights: FloatArray = (down.sums @ matrix @ across.sums.T).toarray()
    weights /= np.diff(across.first, append=across.Gp[-1])
    return weights / _largest(weights.max(axis=1, initial=0.0), kinds, kinds)[kinds][:, None]


def pattern(stored: csc_array, axis: TermAxis) -> FloatArray:
    """Return the pixels of Lambdat: its diagonal dark, what stands beside it pale."""
    ones = csc_array((np.ones(stored.nnz), stored.indices, stored.indptr), shape=stored.shape)
    filled: FloatArray = (axis.sums @ ones @ axis.sums.T).toarray() > 0
    return np.where(np.eye(len(filled), dtype=bool), 1.0, 0.35) * filled


def sampling_step(Zt: csc_array) -> int:
    """Return of how many observations one is enough for ZᵗZ."""
    entries = np.diff(Zt.indptr).astype(np.float64)
    return max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))


def products(Zt: csc_array, axis: TermAxis) -> FloatArray:
    """Return the pixels of ZᵗZ."""
    step = sampling_step(Zt)
    rows = axis.sums @ (Zt if step == 1 else Zt[:, ::step])
    weights: FloatArray = np.log1p((rows @ rows.T).toarray())
    return weights / max(float(weights.max(initial=0.0)), 1e-300)
