"""X, Zt, Lambdat and ZᵗZ as pixels, and the axes that lead from rows and columns to them.

Stored entries are sorted into pixels a few million at a time; nothing dense of the
matrix's own size is formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.design import MixedDesign
from lme4py.explain.monomials import column_of_X
from lme4py.explain.pictures.figure import BETWEEN, FIXED, colours_of, paint
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array

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
# Entries in one pixel up to which it shows the largest; beyond, it shows how many.
_CROWDED = 16
# Entries sorted into pixels at a time.
_CHUNK = 4_000_000
# Products of entries up to which ZᵗZ is counted in full.
_MOST_PRODUCTS = 200_000_000
_TINY = 1e-300


class TermAxis:
    """The rows of Zt as an axis: exact where they fit, else each term with a share it can use.

    An axis of one term is one of equal pixels: observations, or columns of X.

    Parameters
    ----------
    Gp : ndarray
        First row of each term, and q.
    limit : int
        Number of rows that still fit one to a pixel.
    pixels : int
        Pixels to use when they do not.
    """

    def __init__(self, Gp: ArrayLike, limit: int = BINS, pixels: int = BINS) -> None:
        self.Gp = np.asarray(Gp, dtype=np.int64)
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
        inside = (rows - self.Gp[term]) * self.counts[term] // np.diff(self.Gp)[term]
        found: NDArray[np.int64] = self.first[term] + inside
        return found

    @property
    def shares(self) -> FloatArray:
        """Where each term begins, and the last one ends, as parts of the axis."""
        found: FloatArray = self.edges / max(int(self.edges[-1]), 1)
        return found

    @property
    def enlarges(self) -> bool:
        """Whether terms are not drawn to scale."""
        return bool(np.abs(self.shares - self.Gp / max(int(self.Gp[-1]), 1)).max() > 0.01)

    def capacity(self) -> int:
        """Return how many rows the fullest pixel holds."""
        return int((-(-np.diff(self.Gp) // np.maximum(self.counts, 1))).max(initial=1))

    def terms(self) -> NDArray[np.int64]:
        """Return the term of each pixel."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def spread(self, pixels: FloatArray, *axes: int) -> FloatArray:
        """Return an image with each term as large as it is shown."""
        for axis in axes:
            pixels = np.repeat(pixels, np.repeat(self.repeats, self.counts), axis=axis)
        return pixels


def _chunks(matrix: csc_array) -> Iterator[tuple[NDArray[Any], NDArray[Any], slice]]:
    """Yield rows, columns and places of the stored entries, some columns at a time."""
    pointers = matrix.indptr
    begin, last = 0, matrix.shape[1]
    while begin < last:
        limit = int(pointers[begin]) + _CHUNK
        end = max(begin + 1, int(np.searchsorted(pointers, limit, side="right")) - 1)
        places = slice(int(pointers[begin]), int(pointers[end]))
        columns = np.repeat(np.arange(begin, end), np.diff(pointers[begin : end + 1]))
        yield matrix.indices[places], columns, places
        begin = end


def x_pixels(design: MixedDesign) -> FloatArray:
    """Return the pixels of X: the mean absolute value of the rows in each."""
    n, p = design.X.shape
    down, across = TermAxis([0, n]), TermAxis([0, p])
    starts = np.flatnonzero(np.diff(down.pixel(np.arange(n)), prepend=-1))
    sizes = np.diff(np.append(starts, n))
    weights = np.zeros((down.pixels, across.pixels))
    colours = np.zeros(weights.shape, dtype=np.int64)
    pixel = across.pixel(np.arange(p))
    for k in range(p):
        found = np.abs(column_of_X(design, k))
        unknown = ~np.isfinite(found)
        found[unknown] = 0.0
        found[unknown] = found.max(initial=1.0)
        mean = np.add.reduceat(found, starts) / sizes
        share = mean / max(float(mean.max(initial=0.0)), _TINY)
        np.maximum(weights[:, pixel[k]], share, out=weights[:, pixel[k]])
        colours[:, pixel[k]] = int(design.fixed.assign[k]) % 2
    return paint(weights, colours, FIXED)


def zt_pixels(design: MixedDesign) -> tuple[FloatArray, TermAxis]:
    """Return the pixels of Zt, and the axis of its rows."""
    random, Zt = design.random, design.random.Zt
    down, across = TermAxis(random.Gp), TermAxis([0, Zt.shape[1]])
    crowded = down.capacity() * across.capacity() > _CROWDED
    first = np.concatenate(([0], np.cumsum(random.nc)))
    largest = np.zeros(int(first[-1]))

    def kinds(rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return for each row the column of its term, counted through all terms."""
        term = down.term(rows)
        kind: NDArray[np.int64] = first[term] + (rows - down.Gp[term]) % random.nc[term]
        return kind

    if not crowded:
        for rows, _, places in _chunks(Zt):
            found = np.abs(Zt.data[places])
            found[~np.isfinite(found)] = 0.0
            np.maximum.at(largest, kinds(rows), found)
    flat = np.zeros(down.pixels * across.pixels)
    for rows, columns, places in _chunks(Zt):
        pixel = down.pixel(rows) * across.pixels + across.pixel(columns)
        if crowded:
            flat += np.bincount(pixel, minlength=flat.size)
        else:
            share = np.abs(Zt.data[places]) / np.maximum(largest[kinds(rows)], _TINY)
            np.maximum.at(flat, pixel, np.where(np.isfinite(share), share, 1.0))
    weights = flat.reshape(down.pixels, across.pixels)
    colours = np.repeat(down.terms()[:, None], across.pixels, axis=1)
    if crowded:
        for number in range(down.counts.size):
            part = weights[down.first[number] : down.first[number + 1]]
            part /= max(float(part.max(initial=0.0)), _TINY)
    return down.spread(paint(weights, colours, colours_of(len(random.terms))), 0), down


def square_axis(design: MixedDesign) -> TermAxis:
    """Return the rows of Zt as an axis of the square matrices."""
    return TermAxis(design.random.Gp, BINS, _SQUARE)


def lambdat_pixels(design: MixedDesign) -> FloatArray:
    """Return the pixels of Lambdat: its diagonal dark, what stands beside it pale."""
    axis = square_axis(design)
    weights = np.zeros((axis.pixels, axis.pixels))
    for rows, columns, _ in _chunks(design.random.Lambdat):
        place = (axis.pixel(rows), axis.pixel(columns))
        np.maximum.at(weights, place, np.where(rows == columns, 1.0, 0.35))
    colours = np.repeat(axis.terms()[:, None], axis.pixels, axis=1)
    return axis.spread(paint(weights, colours, colours_of(len(design.random.terms))), 0, 1)


def ztz_pixels(design: MixedDesign) -> tuple[FloatArray, int]:
    """Return the pixels of ZᵗZ, and which observations were counted: each `step`-th."""
    from scipy.sparse import coo_array, csr_array

    Zt = design.random.Zt
    axis = square_axis(design)
    entries = np.diff(Zt.indptr).astype(np.float64)
    step = max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))
    counted = Zt if step == 1 else Zt[:, ::step]
    counts = np.zeros((axis.pixels, axis.pixels))
    for rows, columns, _ in _chunks(counted):
        if not rows.size:
            continue
        first, last = int(columns[0]), int(columns[-1])
        places = (axis.pixel(rows), columns - first)
        shape = (axis.pixels, last - first + 1)
        indicator = csr_array(coo_array((np.ones(rows.size), places), shape=shape))
        counts += (indicator @ indicator.T).toarray()
    term, count = axis.terms(), len(design.random.terms)
    weights = np.log1p(counts)
    weights /= max(float(weights.max(initial=0.0)), _TINY)
    colours = np.where(term[:, None] == term, term[:, None], count)
    return axis.spread(paint(weights, colours, [*colours_of(count), BETWEEN]), 0, 1), step
