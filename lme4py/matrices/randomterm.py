"""One bar of a formula on its data, and the entries of Zt that some of them make.

A term has the columns of its left side and the levels of its right. The entries are written
observation by observation at their final places.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated, few
from lme4py.data.values import Factor, FloatArray, Numeric
from lme4py.formula.bars import Bar
from lme4py.matrices.covariance import Covariance, structure
from lme4py.matrices.plan import Numbers, Plan, pieces

if TYPE_CHECKING:
    from scipy.sparse import csc_array

_INT32_LIMIT = 2**31 - 1
_FEW_COLUMNS = 16


@dataclass(frozen=True, eq=False, slots=True)
class RandomTerm:
    """One random-effects term on its data.

    The grouping factor has only levels that occur; the plan is of the columns of the left side.
    """

    bar: Bar
    group: Factor
    plan: Plan

    @classmethod
    def empty(
        cls, bar: Bar, levels: tuple[str | None, ...], columns: tuple[str, ...], rows: int
    ) -> RandomTerm:
        """Return a term of which no row has an effect: all its entries are zero."""
        group = Factor(np.full(rows, -1, dtype=np.int32), levels)
        zeros = np.zeros((rows, len(columns)))
        return cls(bar, group, Plan.given(zeros, columns, (0,) * len(columns)))

    def reduced(self, columns: Collection[str]) -> RandomTerm:
        """Return the term with zeros in all but some of its columns."""
        if set(self.plan.names) <= set(columns):
            return self
        nothing = Numbers(Numeric(np.zeros(self.plan.rows), "double"))
        pairs = zip(self.plan.names, self.plan.products, strict=True)
        products = tuple(old if name in columns else (nothing,) for name, old in pairs)
        return replace(self, plan=replace(self.plan, products=products))

    def __repr__(self) -> str:
        columns = few(self.plan.names)
        return f"RandomTerm({few([self.bar.label])}: {self.levels} levels x ({columns}))"

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.group.levels)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.plan.names)

    @property
    def covariance(self) -> Covariance:
        """The covariance structure."""
        return structure(self.bar.structure, self.columns, self.bar.hom)


@dataclass(frozen=True, eq=False, repr=False)
class Entries(Abbreviated):
    """The three arrays of a sparse matrix in compressed columns.

    The build needs no more; scipy's matrix on them is made when somebody asks for it. `data`,
    without zeros, and the row of each number in `indices` stand column by column, rows ascending;
    `indptr` tells where each column begins, and how many numbers there are. The `shape` is (q, n).
    """

    data: FloatArray
    indices: NDArray[Any]
    indptr: NDArray[Any]
    shape: tuple[int, int]

    def matrix(self) -> csc_array:
        """Return the matrix, on these very arrays."""
        from scipy.sparse import csc_array

        result = csc_array((self.data, self.indices, self.indptr), shape=self.shape)
        result.has_sorted_indices = True
        result.has_canonical_format = True
        return result


def zt_entries(terms: Sequence[RandomTerm], rows: int) -> Entries:
    """Return the entries of Zt for terms in stored order.

    Column i holds, term by term, those of the rows ``Gp[k] + level[i] * c_k + 0 .. c_k - 1``:
    the c_k numbers that observation i has in term k (Bates et al. 2015, equation 6). So
    indices and values are written once, in their final order, without sparse arithmetic.
    Zeros are taken out of a piece right after it is written, at the place where the
    entries before it end.
    """
    width = sum(term.columns for term in terms)
    q = sum(term.levels * term.columns for term in terms)
    # A row without a level has no entry in a term.
    zeros = any(term.group.incomplete or term.plan.may_hold_zeros for term in terms)
    most = rows * (sum(term.plan.most_entries for term in terms) if zeros else width)
    kind: type[np.int32 | np.int64] = np.int32 if max(most, q) <= _INT32_LIMIT else np.int64
    # A piece is written with its zeros, so the last one may need more than stays.
    size = min(rows * width, most + next(pieces(rows, width), slice(0, 0)).stop * width)
    data, places = np.empty(size), np.empty(size, dtype=kind)
    pointers: NDArray[Any] = np.arange(rows + 1, dtype=kind)
    pointers *= kind(width)
    end = 0
    for piece in pieces(rows, width) if width else ():
        count = piece.stop - piece.start
        written = slice(end, end + count * width)
        values, indices = data[written], places[written]
        _fill_rows(terms, piece, values.reshape(-1, width), indices.reshape(-1, width))
        if zeros:
            ends = pointers[piece.start + 1 : piece.stop + 1]
            np.cumsum(_without_zeros(values, indices, width), out=ends)
            ends += kind(end)
        end = int(pointers[piece.stop])
    if end < size:
        # Views must not outlive what they look at.
        del values, indices
        for array in (data, places):
            array.resize(end, refcheck=False)
    return Entries(data, places, pointers, (q, rows))


def _fill_rows(
    terms: Sequence[RandomTerm],
    rows: slice,
    values: NDArray[np.float64],
    indices: NDArray[np.int32 | np.int64],
) -> None:
    """Write the entries of some observations, zeros where a row has no level."""
    kind = indices.dtype.type
    first_row = first_column = 0
    for term in terms:
        last = first_column + term.columns
        filled = values[:, first_column:last]
        term.plan.fill_rows(rows, filled)
        codes = term.group.codes[rows]
        starts: NDArray[Any] = codes
        if term.columns > 1:
            starts = np.multiply(codes, kind(term.columns), out=indices[:, first_column])
        # The first column is the last, as the starts stand there.
        for column in reversed(range(term.columns)):
            np.add(starts, kind(first_row + column), out=indices[:, first_column + column])
        if term.group.incomplete:
            filled[codes < 0] = 0.0
        first_row += term.levels * term.columns
        first_column = last


def _without_zeros(
    values: NDArray[np.float64], indices: NDArray[np.int32 | np.int64], width: int
) -> NDArray[np.int32]:
    """Move the entries that are not zero to the front; return how many each row has.

    NaN is an entry, zero is not.
    """
    stored = values != 0
    by_row = stored.reshape(-1, width)
    if width > _FEW_COLUMNS:
        counts: NDArray[np.int32] = np.count_nonzero(by_row, axis=1).astype(np.int32)
    else:
        # Along short rows the columns are added several times faster.
        counts = np.zeros(len(by_row), dtype=np.int32)
        for column in by_row.T:
            counts += column
    # Taking by position is ten times as fast as by a mask, and makes a copy, so that
    # source and target may overlap.
    kept = np.flatnonzero(stored)
    for array in (values, indices):
        array[: kept.size] = array.take(kept)
    return counts
