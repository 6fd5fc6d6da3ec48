"""Cross-products added up over blocks, each of which has few of many levels.

What a block adds concerns its own levels alone, so that the sums of a million levels are not
made anew for every block: here, and nowhere else, a value is added to in place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.crossproducts import Crossproducts

if TYPE_CHECKING:
    from lme4py.data.values import FloatArray
    from lme4py.spec.spec import NewRows

__all__ = ["RunningSum"]

_INT32_LIMIT = 2**31


class RunningSum:
    """The cross-products of the blocks so far.

    ZᵗZ is kept in runs of entries that are sorted by column and row. Two runs are merged as
    soon as the later one is no smaller than the earlier, so that all in all little is moved.
    """

    def __init__(self) -> None:
        self._dense: Crossproducts | None = None
        self._runs: list[tuple[NDArray[np.int64], FloatArray]] = []

    def add(self, block: NewRows) -> None:
        """Add the rows of a block, whose y is one column of numbers."""
        from scipy.sparse import csc_array

        q, rows = block.Zt.shape
        present = np.zeros(q, dtype=np.bool_)
        present[block.Zt.indices] = True
        levels = np.flatnonzero(present)
        places = np.cumsum(present, dtype=np.int32) - 1
        parts = (block.Zt.data, places[block.Zt.indices], block.Zt.indptr)
        Zt = csc_array(parts, shape=(levels.size, rows))
        y = np.zeros(rows) if block.y is None else block.y
        found = Crossproducts.of(block.X, Zt, y, weights=block.weights, offset=block.offset)
        columns = np.repeat(levels, np.diff(found.ZtZ.indptr))
        self._runs.append((columns * q + levels[found.ZtZ.indices], found.ZtZ.data))
        while len(self._runs) > 1 and self._runs[-1][0].size >= self._runs[-2][0].size:
            self._merge()
        total = self._dense
        if total is None:
            total = replace(found, ZtX=np.zeros((q, found.ZtX.shape[1])), Zty=np.zeros(q))
        else:
            total = replace(
                total,
                XtX=total.XtX + found.XtX,
                Xty=total.Xty + found.Xty,
                yty=total.yty + found.yty,
                n=total.n + found.n,
                sum_log_weights=total.sum_log_weights + found.sum_log_weights,
            )
        total.ZtX[levels] += found.ZtX
        total.Zty[levels] += found.Zty
        self._dense = total

    def _merge(self) -> None:
        (first, one), (second, two) = self._runs[-2:]
        keys, values = np.concatenate([first, second]), np.concatenate([one, two])
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._runs[-2:] = [(keys[starts], np.add.reduceat(values, starts))]

    def total(self) -> Crossproducts | None:
        """Return the sum; None where there was no block."""
        from scipy.sparse import csc_array

        if self._dense is None:
            return None
        while len(self._runs) > 1:
            self._merge()
        ((keys, values),) = self._runs
        q = self._dense.Zty.size
        columns = keys // q
        pointers = np.searchsorted(columns, np.arange(q + 1))
        narrow = max(keys.size, q) < _INT32_LIMIT
        kind: type[np.int32 | np.int64] = np.int32 if narrow else np.int64
        parts: Any = (values, (keys - columns * q).astype(kind), pointers.astype(kind))
        ZtZ = csc_array(parts, shape=(q, q))
        return replace(self._dense, ZtZ=ZtZ)
