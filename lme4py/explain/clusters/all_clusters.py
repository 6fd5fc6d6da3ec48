"""All clusters of a grouping factor, and the one that is asked for by its level."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.clusters.single_cluster import Cluster, ClusterPart
from lme4py.explain.hierarchy import GroupingFactor, hierarchy
from lme4py.frame.values import FloatArray
from lme4py.numerals import label as number_label

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Clusters", "cluster"]


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
    >>> clusters
    <Clusters: 18 of Subject>
    >>> clusters[0].level, clusters[0].Z.shape
    ('308', (10, 2))
    """

    def __init__(self, design: MixedDesign, group: str | None = None) -> None:
        self.design = design
        self._hierarchy = hierarchy(design)
        factors = self._hierarchy.factors
        if group is None and len(factors) > 1:
            names = ", ".join(repr(factor.name) for factor in factors)
            raise DataError("say which grouping factor", hint=f"one of {names}")
        self._grouping = factors[0] if group is None else self._hierarchy.named(group)

    def __repr__(self) -> str:
        return f"<Clusters: {len(self)} of {self.group}>"

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self._grouping.name

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, in order."""
        return self._grouping.levels

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows sorted by level, and where each level begins among them."""
        codes = self._grouping.codes
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(len(self) + 1))

    def __len__(self) -> int:
        return self._grouping.size

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
        return map(self._cluster, range(len(self)))

    def _cluster(self, code: int) -> Cluster:
        design = self.design
        order, starts = self._order
        rows = np.sort(order[starts[code] : starts[code + 1]])
        Z = design.Z[rows]
        factors = self._hierarchy.factors
        X: Any = design.X[rows]
        return Cluster(
            group=self.group,
            level=self.levels[code],
            rows=rows,
            y=None if design.y is None else design.y[rows],
            X=X if isinstance(X, np.ndarray) else X.toarray(),
            own=self._part(self._grouping, rows, Z),
            others=tuple(self._part(f, rows, Z) for f in factors if f is not self._grouping),
            offset=None if design.offset is None else design.offset[rows],
            weights=None if design.weights is None else design.weights[rows],
            fixed_names=tuple(design.fixed.names),
            linear=design.family is None,
        )

    def _part(self, factor: GroupingFactor, rows: NDArray[np.int64], Z: csr_array) -> ClusterPart:
        random = self.design.random
        codes = np.unique(factor.codes[rows])
        codes = codes[codes >= 0].astype(np.int64)
        own = [
            (int(begin), columns)
            for begin, (group, columns) in zip(random.Gp, random.cnms, strict=False)
            if group == factor.name
        ]
        positions = [
            begin + code * len(columns) + k
            for code in codes
            for begin, columns in own
            for k in range(len(columns))
        ]
        return ClusterPart(
            factor.name,
            tuple(factor.levels[code] for code in codes),
            np.array(positions, dtype=np.int64),
            tuple(
                (factor.levels[code], name)
                for code in codes
                for _, columns in own
                for name in columns
            ),
            _columns(Z, np.array(positions, dtype=np.int64)),
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


def cluster(design: MixedDesign, *level: object, **factor: object) -> Cluster:
    """Return the cluster of a level: ``cluster(design, "308")`` or ``(design, Subject="308")``.

    The arguments are those of ``design.cluster``.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print(cluster(design, 308).display(rows=4))
    Subject = 308: 10 rows
      y_j = X_j β + Z_j b_j + ε_j
      ⎡249.560⎤   ⎡1  0⎤                   ⎡1  0⎤                         ⎡ε_1 ⎤
      ⎢258.705⎥ = ⎢1  1⎥ ⎡β_(Intercept)⎤ + ⎢1  1⎥ ⎡b_{(Intercept),308}⎤ + ⎢ε_2 ⎥
      ⎢      ⋮⎥   ⎢⋮  ⋮⎥ ⎣β_Days       ⎦   ⎢⋮  ⋮⎥ ⎣b_{Days,308}       ⎦   ⎢⋮   ⎥
      ⎣466.353⎦   ⎣1  9⎦                   ⎣1  9⎦                         ⎣ε_10⎦
    """
    factors = hierarchy(design).factors
    label, group = _asked(level, factor)
    if group is not None:
        found = Clusters(design, group)
        if label not in found.levels:
            raise DataError(
                f"'{group}' has no level '{label}'",
                hint=nearest(label, found.levels) or f"its levels: {_some(found.levels)}",
            )
        return found[found.levels.index(label)]
    having = [choice for choice in factors if label in choice.levels]
    if not having:
        everything = dict.fromkeys(name for choice in factors for name in choice.levels)
        raise DataError(
            f"no grouping factor has a level '{label}'",
            hint=nearest(label, everything)
            or "; ".join(f"{choice.name}: {_some(choice.levels)}" for choice in factors),
        )
    if len(having) > 1:
        choices = " or ".join(f"group='{choice.name}'" for choice in having)
        raise DataError(
            f"several grouping factors have a level '{label}'", hint=f"say which: {choices}"
        )
    return Clusters(design, having[0].name)[having[0].levels.index(label)]


def _asked(level: tuple[object, ...], factor: dict[str, object]) -> tuple[str, str | None]:
    """Return the level asked for, and its factor if that was named."""
    if len(level) == 1 and set(factor) <= {"group"}:
        group = factor.get("group")
        return _label(level[0]), None if group is None else str(group)
    if not level and len(factor) == 1:
        ((name, value),) = factor.items()
        return _label(value), name
    raise DataError(
        "name one cluster", hint="write cluster('308'), cluster('308', group='g') or cluster(g=308)"
    )


def _label(level: object) -> str:
    match level:
        case bool() | np.bool_():
            return "TRUE" if level else "FALSE"
        case int() | np.integer():
            return str(int(level))
        case float() | np.floating():
            return number_label(float(level))
        case _:
            return str(level)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... {len(names) - 6} more" if len(names) > 6 else "")
