"""X, Zt, Lambdat and ZᵗZ as pixels.

Stored entries are sorted into pixels a few million at a time; nothing dense of the
matrix's own size is formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.explain.columns import column_of_X
from lme4py.explain.pictures.palette import BETWEEN, FIXED, colours_of, paint
from lme4py.explain.pictures.scale import BINS, Plain, TermRows
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["lambdat_pixels", "square_axis", "x_pixels", "zt_pixels", "ztz_pixels"]


_SQUARE = 115
# Entries in one pixel up to which it shows the largest; beyond, it shows how many.
_CROWDED = 16
# Entries sorted into pixels at a time.
_CHUNK = 4_000_000
# Products of entries up to which ZᵗZ is counted in full.
_MOST_PRODUCTS = 200_000_000
_TINY = 1e-300


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


def x_pixels(matrices: MixedDesign) -> FloatArray:
    """Return the pixels of X: the mean absolute value of the rows in each."""
    n, p = matrices.X.shape
    down, across = Plain(n), Plain(p)
    starts = down.starts()
    sizes = np.diff(np.append(starts, n))
    weights = np.zeros((down.pixels, across.pixels))
    colours = np.zeros(weights.shape, dtype=np.int64)
    pixel = across.pixel(np.arange(p))
    for k in range(p):
        found = np.abs(column_of_X(matrices, k))
        unknown = ~np.isfinite(found)
        found[unknown] = 0.0
        found[unknown] = found.max(initial=1.0)
        mean = np.add.reduceat(found, starts) / sizes
        share = mean / max(float(mean.max(initial=0.0)), _TINY)
        np.maximum(weights[:, pixel[k]], share, out=weights[:, pixel[k]])
        colours[:, pixel[k]] = int(matrices.fixed.assign[k]) % 2
    return paint(weights, colours, FIXED)


def zt_pixels(matrices: MixedDesign) -> tuple[FloatArray, TermRows]:
    """Return the pixels of Zt, and the axis of its rows."""
    random, Zt = matrices.random, matrices.random.Zt
    down, across = TermRows(random.Gp, BINS, BINS), Plain(Zt.shape[1])
    crowded = down.capacity() * -(-across.size // across.pixels) > _CROWDED
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
    return down.spread(paint(weights, colours, colours_of(random.terms)), 0), down


def square_axis(matrices: MixedDesign) -> TermRows:
    """Return the rows of Zt as an axis of the square matrices."""
    return TermRows(matrices.random.Gp, BINS, _SQUARE)


def lambdat_pixels(matrices: MixedDesign) -> FloatArray:
    """Return the pixels of Lambdat: its diagonal dark, what stands beside it pale."""
    random = matrices.random
    axis = square_axis(matrices)
    flat = np.zeros(axis.pixels * axis.pixels)
    for rows, columns, _ in _chunks(random.Lambdat):
        pixel = axis.pixel(rows) * axis.pixels + axis.pixel(columns)
        np.maximum.at(flat, pixel, np.where(rows == columns, 1.0, 0.35))
    weights = flat.reshape(axis.pixels, axis.pixels)
    colours = np.repeat(axis.terms()[:, None], axis.pixels, axis=1)
    painted = paint(weights, colours, colours_of(random.terms))
    return axis.spread(axis.spread(painted, 0), 1)


def ztz_pixels(matrices: MixedDesign) -> tuple[FloatArray, int]:
    """Return the pixels of ZᵗZ, and which observations were counted: each `step`-th."""
    from scipy.sparse import coo_array, csr_array

    random, Zt = matrices.random, matrices.random.Zt
    axis = square_axis(matrices)
    size = axis.pixels
    entries = np.diff(Zt.indptr).astype(np.float64)
    step = max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))
    counted = Zt if step == 1 else Zt[:, ::step]
    counts = np.zeros((size, size))
    for rows, columns, _ in _chunks(counted):
        if not rows.size:
            continue
        first, last = int(columns[0]), int(columns[-1])
        places = (axis.pixel(rows), columns - first)
        shape = (size, last - first + 1)
        indicator = csr_array(coo_array((np.ones(rows.size), places), shape=shape))
        counts += (indicator @ indicator.T).toarray()
    term = axis.terms()
    weights = np.log1p(counts)
    weights /= max(float(weights.max(initial=0.0)), _TINY)
    colours = np.where(term[:, None] == term, term[:, None], len(random.terms))
    painted = paint(weights, colours, [*colours_of(random.terms), BETWEEN])
    return axis.spread(axis.spread(painted, 0), 1), step
