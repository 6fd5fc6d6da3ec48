"""The part of a model that a picture shows: which rows and columns, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.hierarchy import hierarchy
from lme4py.explain.monomials import column_of_X

if TYPE_CHECKING:
    from scipy.sparse import csc_array

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
    rows : ndarray of int64 or None
        Which observations, None for all of them as they are.
    columns : ndarray of int64 or None
        Which columns of Z.
    runs : ndarray of int64
        Where the levels of the factor that all others are nested in begin and end among
        the rows; empty without one, or in another order.
    """

    design: MixedDesign
    rows: NDArray[np.int64] | None
    columns: NDArray[np.int64] | None
    runs: NDArray[np.int64]

    def bounds(self, side: Side) -> NDArray[np.int64]:
        """Return where the random terms begin on a side, and its length; others are one part."""
        terms, (n, p) = self.design.random.terms, self.design.X.shape
        match side:
            case "observations":
                return np.array([0, n if self.rows is None else self.rows.size])
            case "fixed":
                return np.array([0, p])
            case "effects":
                Gp = self.design.random.Gp.astype(np.int64)
                return Gp if self.columns is None else np.searchsorted(np.sort(self.columns), Gp)
            case "levels":
                sizes = np.diff(self.bounds("effects"))
                steps = [max(term.columns, 1) for term in terms]
                return np.cumsum([0, *(sizes // steps)])
            case "columns":
                return np.cumsum([0, *(term.columns for term in terms)])

    @cached_property
    def effects(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Term, level and column of its term of each column of Z."""
        Gp, terms = self.design.random.Gp, self.design.random.terms
        places = np.arange(int(Gp[-1])) if self.columns is None else self.columns
        term = np.searchsorted(Gp[1:], places, side="right")
        level, column = np.divmod(places - Gp[term], np.array([t.columns for t in terms])[term])
        return term, level, column

    @cached_property
    def Zt(self) -> csc_array:
        """The part of Zt."""
        Zt = self.design.random.Zt
        Zt = Zt if self.rows is None else Zt[:, self.rows]
        return Zt if self.columns is None else Zt[self.columns]

    @property
    def Lambdat(self) -> csc_array:
        """The part of Lambdat at theta."""
        Lambdat = self.design.random.Lambdat
        return Lambdat if self.columns is None else Lambdat[self.columns][:, self.columns]

    def places(self, number: int) -> NDArray[np.int64]:
        """Return the position, among the levels of a term that are shown, of each row's; or -1."""
        term, level, column = self.effects
        codes = self.design.random.terms[number].group.codes
        shown = level[(term == number) & (column == 0)]
        place: NDArray[np.int64] = np.full(self.design.random.terms[number].levels + 1, -1)
        place[shown] = np.arange(shown.size)
        return place[codes if self.rows is None else codes[self.rows]]

    @property
    def Jt(self) -> csc_array:
        """The indicators of the levels, those of each term below each other, transposed."""
        from scipy.sparse import coo_array

        begins, rows = self.bounds("levels"), np.arange(self.bounds("observations")[-1])
        places = [self.places(k) for k in range(begins.size - 1)]
        at = np.concatenate([begin + p[p >= 0] for begin, p in zip(begins, places, strict=False)])
        row = np.concatenate([rows[p >= 0] for p in places])
        return coo_array((np.ones(at.size), (at, row)), shape=(begins[-1], rows.size)).tocsc()

    def dense(self, side: Side) -> list[FloatArray]:
        """Return the columns of X, or the raw columns of the terms."""
        if side == "fixed":
            found = [column_of_X(self.design, k) for k in range(len(self.design.fixed.names))]
        else:
            terms = self.design.random.terms
            found = [term.plan.column(k) for term in terms for k in range(term.columns)]
        return found if self.rows is None else [column[self.rows] for column in found]


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
    none = np.empty(0, dtype=np.int64)
    if groups is None and not by_group:
        return Window(design, None, None, none)
    found, random = hierarchy(design), design.random
    highest = max(found.at(found.stages), key=lambda k: found.factors[k].size)
    codes = found.factors[highest].codes.astype(np.int64)
    rows = np.arange(codes.size)
    if groups is not None:
        rows = rows[(codes >= 0) & (codes < groups)]
    if by_group:
        keys = sorted(found.from_stage(1), key=lambda k: (found.stage[k], k == highest))
        rows = rows[np.lexsort([found.factors[k].codes[rows] for k in keys])]
    columns = []
    for begin, term in zip(random.Gp, random.terms, strict=False):
        levels, first = np.unique(term.group.codes[rows], return_index=True)
        levels = levels[np.argsort(first)] if by_group else levels
        starts = int(begin) + levels[levels >= 0, None].astype(np.int64) * term.columns
        columns.append((starts + np.arange(term.columns)).ravel())
    inner = (k for k in range(len(found.factors)) if k != highest)
    runs = none
    if by_group and all(found.nested[k, highest] for k in inner):
        runs = np.concatenate(([0], 1 + np.flatnonzero(np.diff(codes[rows])), [rows.size]))
    return Window(design, rows, np.concatenate(columns), runs)
