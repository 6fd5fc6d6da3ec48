"""All clusters of a grouping factor."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.explain.clusters.cluster import Cluster, ClusterPart
from lme4py.explain.levels import Grouping, Hierarchy, hierarchy
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Clusters"]


class Clusters(Sequence[Cluster]):
    """All clusters of a grouping factor, in the order of its levels.

    Parameters
    ----------
    design : MixedDesign
        The model.
    group : str, optional
        The grouping factor; may be left out where there is only one.

    Raises
    ------
    DataError
        If there is no such factor, or several to choose from.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> clusters = Clusters(design)
    >>> len(clusters), clusters[0].level, clusters[0].Z.shape
    (18, '308', (10, 2))
    """

    def __init__(self, design: MixedDesign, group: str | None = None) -> None:
        self.design = design
        self._levels = hierarchy(design)
        factors = self._levels.factors
        if group is None and len(factors) > 1:
            names = ", ".join(repr(factor.name) for factor in factors)
            raise DataError("say which grouping factor", hint=f"one of {names}")
        self._factor = 0 if group is None else self._levels.position(group)

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self._grouping.name

    @property
    def _grouping(self) -> Grouping:
        return self._levels.factors[self._factor]

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, in order."""
        return self._grouping.levels

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows sorted by level, and where each level begins among them."""
        codes = self._grouping.codes
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(self._grouping.levels) + 1))
        return order, starts

    def __len__(self) -> int:
        return len(self._grouping.levels)

    @overload
    def __getitem__(self, index: int) -> Cluster: ...

    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...

    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self._cluster(code) for code in range(*index.indices(len(self)))]
        # Python's protocol of sequences: a wrong type is a TypeError, a place beyond an IndexError.
        place = operator.index(index)
        code = place + len(self) if place < 0 else place
        if not 0 <= code < len(self):
            raise IndexError(f"{self.group} has {len(self)} clusters, there is none at {place}")
        return self._cluster(code)

    def __iter__(self) -> Iterator[Cluster]:
        return (self._cluster(code) for code in range(len(self)))

    def _cluster(self, code: int) -> Cluster:
        design = self.design
        order, starts = self._order
        rows = np.sort(order[starts[code] : starts[code + 1]])
        Z = design.Z[rows]
        parts = {
            factor.name: _part(design, self._levels, place, rows, Z)
            for place, factor in enumerate(self._levels.factors)
        }
        own = parts.pop(self.group)
        X: Any = design.X[rows]
        return Cluster(
            self.group,
            self._grouping.levels[code],
            rows,
            None if design.y is None else design.y[rows],
            X if isinstance(X, np.ndarray) else X.toarray(),
            own,
            tuple(parts.values()),
            None if design.offset is None else design.offset[rows],
            None if design.weights is None else design.weights[rows],
            tuple(design.fixed.names),
            design.family is None,
        )


def _part(
    design: MixedDesign, levels: Hierarchy, place: int, rows: NDArray[np.int64], Z: csr_array
) -> ClusterPart:
    factor = levels.factors[place]
    codes = np.unique(factor.codes[rows])
    codes = codes[codes >= 0]
    columns: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    names: list[tuple[str, str]] = []
    for code in codes:
        for term, begin in zip(design.random.terms, design.random.Gp, strict=False):
            if term.bar.group_name == factor.name:
                first = int(begin) + int(code) * term.columns
                columns.append(np.arange(first, first + term.columns, dtype=np.int64))
                names += [(factor.levels[code], name) for name in term.plan.names]
    positions = np.concatenate(columns)
    return ClusterPart(
        factor.name,
        tuple(factor.levels[code] for code in codes),
        positions,
        tuple(names),
        _columns(Z, positions),
    )


def _columns(Z: csr_array, positions: NDArray[np.int64]) -> FloatArray:
    """Return columns of a few rows of Z; scipy's own selection takes a pass over all columns."""
    order = np.argsort(positions)
    ascending = positions[order]
    dense = np.zeros((Z.shape[0], positions.size))
    row = np.repeat(np.arange(Z.shape[0]), np.diff(Z.indptr))
    at = np.searchsorted(ascending, Z.indices)
    found = at < positions.size
    found[found] = ascending[at[found]] == Z.indices[found]
    dense[row[found], order[at[found]]] = Z.data[found]
    return dense
