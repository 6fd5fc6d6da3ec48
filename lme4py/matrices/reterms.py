"""The random part: lme4's ``mkReTrms``, every component in its layout.

Column i of Zt holds, term by term, the entries of the rows
``Gp[k] + level[i] * c_k + 0 .. c_k - 1``: the c_k numbers that observation i has in
term k (Bates et al. 2015, equation 6). So indices and values are written once, in
their final order, and no sparse arithmetic is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.formula.bars import Bar
from lme4py.frame.values import Factor, FloatArray
from lme4py.matrices.covariance import Covariance, Unstructured
from lme4py.matrices.modelmatrix import Plan

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csc_array

__all__ = ["RandomEffects", "RandomTerm", "random_effects"]

_INT32_LIMIT = 2**31 - 1


@dataclass(frozen=True, eq=False, slots=True)
class RandomTerm:
    """One random-effects term on its data.

    Parameters
    ----------
    bar : Bar
        The term in the formula.
    group : Factor
        The grouping factor, only levels that occur.
    plan : Plan
        The columns of the left side.
    """

    bar: Bar
    group: Factor
    plan: Plan

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
        return Unstructured(self.columns)


@dataclass(frozen=True, eq=False)
class RandomEffects:
    """lme4's ``reTrms``.

    Parameters
    ----------
    terms : tuple of RandomTerm
        In stored order.
    order : ndarray of int64
        Position in the formula of each stored term, from 0 (``ord`` of lme4 2.x).
    Zt : csc_array, shape (q, n)
        float64, no stored zeros, sorted indices.
    """

    terms: tuple[RandomTerm, ...]
    order: NDArray[np.int64]
    Zt: csc_array

    @property
    def nl(self) -> NDArray[np.int32]:
        """Number of levels of each term."""
        return np.array([term.levels for term in self.terms], dtype=np.int32)

    @property
    def nc(self) -> NDArray[np.int32]:
        """Number of columns of each term."""
        return np.array([term.columns for term in self.terms], dtype=np.int32)

    @cached_property
    def Gp(self) -> NDArray[np.int32]:
        """First row of each term in Zt, and q."""
        sizes = self.nl.astype(np.int64) * self.nc
        total = np.concatenate(([0], np.cumsum(sizes)))
        return total.astype(np.int32 if total[-1] <= _INT32_LIMIT else np.int64)

    @cached_property
    def row_names(self) -> list[str]:
        """Row names of Zt: the level, once for each column of its term."""
        return [
            str(level)
            for term in self.terms
            for level in term.group.levels
            for _ in range(term.columns)
        ]

    @cached_property
    def theta(self) -> FloatArray:
        """Starting values of the covariance parameters."""
        return _joined([term.covariance.theta() for term in self.terms])

    @property
    def par(self) -> FloatArray:
        """The optimised parameters; equal to theta for unstructured terms."""
        return self.theta

    @cached_property
    def lower(self) -> FloatArray:
        """Lower bounds of `par`."""
        return _joined([term.covariance.lower() for term in self.terms])

    @cached_property
    def upper(self) -> FloatArray:
        """Upper bounds of `par`."""
        return _joined([term.covariance.upper() for term in self.terms])

    @cached_property
    def _template(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]:
        """Column pointers, rows and theta index of Lambdat."""
        counts, rows, index, first_theta = [], [], [], 0
        for term, begin in zip(self.terms, self.Gp[:-1], strict=True):
            block_counts, block_rows, block_index = term.covariance.template()
            starts = begin + np.arange(term.levels, dtype=np.int64) * term.columns
            counts.append(np.tile(block_counts, term.levels))
            rows.append((starts[:, None] + block_rows).ravel())
            index.append(np.tile(block_index + first_theta, term.levels))
            first_theta += term.covariance.parameters
        pointers = np.concatenate(([0], np.cumsum(np.concatenate(counts), dtype=np.int64)))
        kind = np.int32 if pointers[-1] <= _INT32_LIMIT else np.int64
        return (
            pointers.astype(kind),
            np.concatenate(rows).astype(kind),
            np.concatenate(index).astype(np.int32),
        )

    @property
    def Lind(self) -> NDArray[np.int32]:
        """Position in theta of each stored entry of Lambdat, from 0."""
        return self._template[2]

    @cached_property
    def Lambdat(self) -> csc_array:
        """The transposed relative covariance factor at theta, starting zeros stored."""
        from scipy.sparse import csc_array

        pointers, rows, index = self._template
        q = int(self.Gp[-1])
        return csc_array((self.theta[index], rows, pointers), shape=(q, q))

    @cached_property
    def Ztlist(self) -> list[tuple[str, csc_array]]:
        """The rows of each term, with the bar's text; labels may repeat."""
        bounds = zip(self.Gp[:-1], self.Gp[1:], strict=True)
        return [
            (term.bar.label, self.Zt[int(begin) : int(end), :])
            for term, (begin, end) in zip(self.terms, bounds, strict=True)
        ]

    @property
    def cnms(self) -> list[tuple[str, list[str]]]:
        """Grouping factor and column names of each term; groups may repeat."""
        return [(term.bar.group_name, list(term.plan.names)) for term in self.terms]

    @property
    def _groups(self) -> dict[str, Factor]:
        groups: dict[str, Factor] = {}
        for term in self.terms:
            groups.setdefault(term.bar.group_name, term.group)
        return groups

    @cached_property
    def flist(self) -> dict[str, pd.Categorical]:
        """The grouping factors, each once, in order of first use."""
        import pandas as pd

        found: dict[str, pd.Categorical] = {}
        for name, group in self._groups.items():
            kind = pd.CategoricalDtype(list(group.levels), group.ordered)
            found[name] = pd.Categorical.from_codes(group.codes, dtype=kind)
        return found

    @property
    def assign(self) -> NDArray[np.int64]:
        """Position in `flist` of each term's factor, from 0."""
        positions = {name: i for i, name in enumerate(self._groups)}
        return np.array([positions[term.bar.group_name] for term in self.terms], dtype=np.int64)


def _joined(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.zeros(0)


def stored_order(levels: Sequence[int]) -> NDArray[np.int64]:
    """Return the order in which lme4 stores terms with these numbers of levels.

    Formula order as long as the numbers never rise; else the reverse of a stable
    ascending sort, in which ties come out backwards.

    Examples
    --------
    >>> stored_order([2, 4, 4]).tolist(), stored_order([4, 4, 2]).tolist()
    ([2, 1, 0], [0, 1, 2])
    """
    counts = np.asarray(levels, dtype=np.int64)
    if np.any(np.diff(counts) > 0):
        return np.argsort(counts, kind="stable")[::-1].astype(np.int64)
    return np.arange(counts.size, dtype=np.int64)


def random_effects(terms: Sequence[RandomTerm], rows: int) -> RandomEffects:
    """Assemble the random part from its terms in formula order (lme4's ``mkReTrms``).

    Parameters
    ----------
    terms : sequence of RandomTerm
        At least one.
    rows : int
        Number of observations n.
    """
    order = stored_order([term.levels for term in terms])
    stored = tuple(terms[i] for i in order)
    return RandomEffects(stored, order, _zt(stored, rows))


def _zt(terms: Sequence[RandomTerm], rows: int) -> csc_array:
    """Write Zt: values and row indices observation by observation, in stored order."""
    from scipy.sparse import csc_array

    width = sum(term.columns for term in terms)
    q = sum(term.levels * term.columns for term in terms)
    kind: type[np.int32 | np.int64] = np.int32 if max(rows * width, q) <= _INT32_LIMIT else np.int64
    values = np.empty((rows, width))
    indices = np.empty((rows, width), dtype=kind)
    first_row = first_column = 0
    for term in terms:
        last = first_column + term.columns
        term.plan.fill(values[:, first_column:last])
        codes = term.group.codes
        for column in range(term.columns):
            target = indices[:, first_column + column]
            np.multiply(codes, term.columns, out=target, casting="unsafe")
            target += first_row + column
        if codes.size and codes.min() < 0:
            # A row without a level has no entry in this term.
            values[codes < 0, first_column:last] = 0.0
        first_row += term.levels * term.columns
        first_column = last
    pointers: NDArray[Any] = np.arange(rows + 1, dtype=kind)
    # NaN is an entry, zero is not.
    if np.count_nonzero(values) == values.size:
        pointers *= width
        data, places = values.ravel(), indices.ravel()
    else:
        stored = values != 0
        np.cumsum(np.count_nonzero(stored, axis=1), out=pointers[1:])
        data, places = values[stored], indices[stored]
    result = csc_array((data, places, pointers), shape=(q, rows))
    result.has_sorted_indices = True
    result.has_canonical_format = True
    return result
