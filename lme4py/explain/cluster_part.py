"""What one grouping factor has in a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray

__all__ = ["ClusterPart"]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class ClusterPart:
    """What one grouping factor has in a cluster: columns of Z and their random effects.

    Parameters
    ----------
    group : str
        The grouping factor.
    levels : tuple of str
        Its levels that occur in the cluster; for the cluster's own factor, the one.
    columns : ndarray of int64, shape (q_j,)
        Positions of the columns in Z (rows of Zt).
    names : tuple of (str, str), length q_j
        Level and column name of each.
    Z : ndarray of float64, shape (n_j, q_j)
        Those columns on the rows of the cluster.
    """

    group: str
    levels: tuple[str, ...]
    columns: NDArray[np.int64]
    names: tuple[tuple[str, str], ...]
    Z: FloatArray

    def __repr__(self) -> str:
        rows, columns = self.Z.shape
        return f"<ClusterPart: Z {rows} x {columns} of {self.group}, {len(self.levels)} levels>"
