"""The part of a model that a picture shows: which rows and columns, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, vstack

from lme4py.design import MixedDesign
from lme4py.explain.hierarchy import hierarchy
from lme4py.export.dense_blocks import effects
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Side", "Window", "window"]

Side: TypeAlias = Literal["observations", "fixed", "effects", "levels", "columns"]
"""What the rows or columns of a matrix are: of y; of X; of Z; levels or columns of each term."""


@dataclass(frozen=True, eq=False, repr=False)
class Window:
    """A part of a design in the order of a picture; columns of Z stay sorted by term.

    Parameters
    ----------
    design : MixedDesign
        The model.
    rows : ndarray of int64 or slice
        Which observations.
    levels : sequence of ndarray of int64
        Which levels of each random term.
    runs : ndarray of int64
        Where the levels of the factor that all others are nested in begin and end among
        the rows; empty without one, or in another order.
    """

    design: MixedDesign
    rows: NDArray[np.int64] | slice
    levels: Sequence[NDArray[np.int64]]
    runs: NDArray[np.int64]

    @property
    def terms(self) -> Sequence[RandomTerm]:
        """The random terms."""
        return self.design.random.terms

    def bounds(self, side: Side) -> NDArray[np.int64]:
        """Return where the random terms begin on a side, and its length; others are one part."""
        n, p = self.design.X.shape
        sizes = {
            "observations": [n if isinstance(self.rows, slice) else self.rows.size],
            "fixed": [p],
            "effects": [
                len(k) * term.columns for k, term in zip(self.levels, self.terms, strict=True)
            ],
            "levels": [len(k) for k in self.levels],
            "columns": [term.columns for term in self.terms],
        }
        return np.cumsum([0, *sizes[side]])

    @property
    def places_in_Z(self) -> NDArray[np.int64]:
        """The positions of the columns of Z in the design."""
        parts = zip(self.design.random.Gp.tolist(), self.levels, self.terms, strict=False)
        return np.concatenate(
            [
                (Gp + levels[:, None] * t.columns + np.arange(t.columns)).ravel()
                for Gp, levels, t in parts
            ]
        )

    def places(self, number: int) -> NDArray[np.int64]:
        """Return the position, among the levels of a term that are shown, of each row's; or -1."""
        place: NDArray[np.int64] = np.full(self.terms[number].levels + 1, -1)
        place[self.levels[number]] = np.arange(self.levels[number].size)
        return place[self.terms[number].group.codes[self.rows]]

    def transposed(self, side: Side) -> csc_array:
        """Return the columns of a side by the observations: of X, Z, J, or raw columns."""
        Zt: Any = self.design.random.Zt
        match side:
            case "fixed":
                return csr_array(self.design.X)[self.rows].T
            case "columns":
                return csr_array(np.column_stack([*map(effects, self.terms)])[self.rows]).T
            case "levels":
                return csc_array(vstack([self._indicators(k) for k in range(len(self.terms))]))
            case _:
                whole = isinstance(self.rows, slice)
                return csc_array(Zt if whole else Zt[self.places_in_Z][:, self.rows])

    def _indicators(self, number: int) -> csc_array:
        places = self.places(number)
        (known,) = np.nonzero(places >= 0)
        shape = self.levels[number].size, places.size
        return csc_array((np.ones(known.size), (places[known], known)), shape=shape)

    @property
    def Lambdat(self) -> csc_array:
        """The part of Lambdat at theta."""
        return self.design.random.Lambdat[self.places_in_Z][:, self.places_in_Z]


def window(design: MixedDesign, groups: int | None = None, by_group: bool = False) -> Window:
    """Return what a picture shows.

    Parameters
    ----------
    design : MixedDesign
        The model.
    groups : int, optional
        So many levels of the highest factor alone, and the effects that occur with them.
    by_group : bool
        Sort the rows by the grouping factors, the highest first, and levels by their first row.
    """
    runs, terms = np.empty(0, dtype=np.int64), design.random.terms
    if groups is None and not by_group:
        return Window(design, slice(None), [np.arange(term.levels) for term in terms], runs)
    found = hierarchy(design)
    highest = max(found.at(found.stages), key=lambda k: found.factors[k].size)
    codes = found.factors[highest].codes.astype(np.int64)
    rows = np.arange(codes.size)
    if groups is not None:
        rows = rows[(codes >= 0) & (codes < groups)]
    if by_group:
        keys = sorted(found.from_stage(1), key=lambda k: (found.stage[k], k == highest))
        rows = rows[np.lexsort([found.factors[k].codes[rows] for k in keys])]
        if all(found.nested[k, highest] for k in range(len(found.factors)) if k != highest):
            runs = np.concatenate(([0], 1 + np.flatnonzero(np.diff(codes[rows])), [rows.size]))
    shown = []
    for term in terms:
        levels, first = np.unique(term.group.codes[rows], return_index=True)
        levels = levels[np.argsort(first)] if by_group else levels
        shown.append(levels[levels >= 0].astype(np.int64))
    return Window(design, rows, shown, runs)
