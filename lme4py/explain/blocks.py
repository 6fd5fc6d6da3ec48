"""Z by blocks: which rows and columns hang together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.explain.hierarchy import hierarchy

__all__ = ["BlockStructure", "block_structure"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class BlockStructure:
    """Whether Z falls into blocks, and in which order of rows and columns.

    ``Z[rows][:, columns]`` has the blocks along its diagonal: block k is
    `row_sizes[k]` by `column_sizes[k]`. The arrays are yours.

    Parameters
    ----------
    group : str or None
        The grouping factor whose levels are the blocks; None if no factor's are.
    rows : ndarray of int64, shape (n,)
        The order of the rows.
    columns : ndarray of int64, shape (q,)
        The order of the columns.
    row_sizes, column_sizes : ndarray of int64, shape (blocks,)
        Sizes of the blocks.
    """

    group: str | None
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    row_sizes: NDArray[np.int64]
    column_sizes: NDArray[np.int64]

    @property
    def is_block_diagonal(self) -> bool:
        """Whether there is more than one block."""
        return self.row_sizes.size > 1

    def __bool__(self) -> bool:
        return self.is_block_diagonal

    @property
    def already_ordered(self) -> bool:
        """Whether the blocks are there without reordering anything."""
        return bool(np.all(np.diff(self.rows) > 0) and np.all(np.diff(self.columns) > 0))

    def __repr__(self) -> str:
        return f"<BlockStructure: {self}>"

    def __str__(self) -> str:
        count = self.row_sizes.size
        if count <= 1:
            return "Z is one block: its grouping factors are crossed so that all hangs together"
        largest = f"{int(self.row_sizes.max())} × {int(self.column_sizes.max())}"
        by = f"one for each level of {self.group}" if self.group else "by no single factor"
        order = "as it stands" if self.already_ordered else "after reordering rows and columns"
        return f"Z is block-diagonal {order}: {count} blocks, {by}, at most {largest}"


def block_structure(design: MixedDesign) -> BlockStructure:
    """Return the finest block-diagonal form of Z.

    Levels belong to one block when an observation has both. The blocks are the levels
    of a grouping factor exactly if all others are nested in it (or the same).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    factors = [*hierarchy(design).factors.values()]
    n = design.X.shape[0]
    bounds = n + np.cumsum([0, *(factor.size for factor in factors)])
    row = np.concatenate([np.flatnonzero(factor.codes >= 0) for factor in factors])
    level = np.concatenate(
        [begin + f.codes[f.codes >= 0] for begin, f in zip(bounds, factors, strict=False)]
    )
    shape = (int(bounds[-1]), int(bounds[-1]))
    graph = coo_array((np.ones(row.size), (row, level)), shape=shape)
    _, block = connected_components(graph, directed=False)
    by_row, *by_level = np.split(block, bounds[:-1])
    own = {factor.name: blocks for factor, blocks in zip(factors, by_level, strict=True)}
    found, first = np.unique(by_row, return_index=True)
    group = next(
        (name for name, o in own.items() if np.unique(o).size == o.size == found.size), None
    )
    # The blocks in the order of the levels, or of the rows they begin with.
    key = found[np.argsort(first)] if group is None else own[group]
    rank = np.zeros(block.max() + 1, dtype=np.int64)
    rank[key] = np.arange(key.size)
    by_column = [np.repeat(own[name], len(names)) for name, names in design.random.cnms]
    row_rank, column_rank = rank[by_row], rank[np.concatenate(by_column)]
    return BlockStructure(
        group=group,
        rows=np.argsort(row_rank, kind="stable"),
        columns=np.argsort(column_rank, kind="stable"),
        row_sizes=np.bincount(row_rank, minlength=key.size),
        column_sizes=np.bincount(column_rank, minlength=key.size),
    )
