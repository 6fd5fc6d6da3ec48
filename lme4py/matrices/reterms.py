"""The random part: lme4's ``mkReTrms``, every component in its layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py.abbreviation import Abbreviated, few
from lme4py.argument_types import numbers_of
from lme4py.data.values import Factor, FloatArray
from lme4py.errors import DataError
from lme4py.frame.pandas_frame import text_index
from lme4py.matrices.covariance import relative_factor
from lme4py.matrices.randomterm import Entries, RandomTerm, zt_entries
from lme4py.moments import sum_of_squares

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csc_array

_INT32_LIMIT = 2**31 - 1
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class TermCovariance(Abbreviated):
    """The covariance of one term's effects, relative to sigma squared.

    Parameters
    ----------
    label : str
        The bar's text.
    group : str
        The grouping factor.
    names : tuple of str
        The columns, which name the rows and columns of `matrix`.
    structure : str
        ``us``, ``diag``, ``cs`` or ``ar1``.
    matrix : ndarray of float64, shape (c, c)
        The covariance; multiply it by sigma squared.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> [term] = design.random.covariance([1.0, 0.5, 0.0])
    >>> term.deviations.tolist(), term.correlation[0, 1].item()
    ([1.0, 0.5], 1.0)
    """

    label: str
    group: str
    names: tuple[str, ...]
    structure: str
    matrix: FloatArray

    @property
    def deviations(self) -> FloatArray:
        """Standard deviations, relative to sigma."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self) -> FloatArray:
        """Correlations; NaN where a standard deviation is 0."""
        deviations = self.deviations
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.matrix / np.outer(deviations, deviations)

    @property
    def frame(self) -> pd.DataFrame:
        """The covariance as a table with names."""
        import pandas as pd

        return pd.DataFrame(self.matrix, index=list(self.names), columns=list(self.names))


@dataclass(frozen=True, eq=False)
class RandomEffects:
    """lme4's ``reTrms``.

    Parameters
    ----------
    terms : tuple of RandomTerm
        In stored order.
    order : ndarray of int64
        Position in the formula of each stored term, from 0 (``ord`` of lme4 2.x).
    entries : Entries
        The arrays of Zt.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> random = design.random
    >>> random.Zt.shape, random.Lambdat.shape, random.theta.tolist()
    ((36, 180), (36, 36), [1.0, 0.0, 1.0])
    >>> random.cnms, random.Gp.tolist(), random.nl.tolist()
    ([('Subject', ['(Intercept)', 'Days'])], [0, 36], [18])
    """

    terms: tuple[RandomTerm, ...]
    order: NDArray[np.int64]
    entries: Entries

    def __repr__(self) -> str:
        q, n = self.entries.shape
        terms = few(f"{term.levels} x {term.columns} of {term.bar.label}" for term in self.terms)
        return f"RandomEffects(Zt {q} x {n}: {terms})"

    @cached_property
    def Zt(self) -> csc_array:
        """Transposed random-effects model matrix, float64, shape (q, n): sorted, no zeros."""
        return self.entries.matrix()

    @cached_property
    def finite(self) -> bool:
        """Whether the squares of all entries have a sum, without which R finds no rank."""
        plain = all(term.plan.plainly_finite for term in self.terms)
        return plain or bool(np.isfinite(sum_of_squares(self.entries.data)))

    @property
    def in_formula(self) -> list[RandomTerm]:
        """The terms in the order of the formula."""
        return [self.terms[place] for place in np.argsort(self.order)]

    @property
    def nl(self) -> NDArray[np.int32]:
        """Number of levels of each term, int32, shape (terms,)."""
        return np.array([term.levels for term in self.terms], dtype=np.int32)

    @property
    def nc(self) -> NDArray[np.int32]:
        """Number of columns of each term, int32, shape (terms,)."""
        return np.array([term.columns for term in self.terms], dtype=np.int32)

    @cached_property
    def Gp(self) -> NDArray[np.int32]:
        """First row of each term in Zt, from 0, and q: int32, shape (terms + 1,)."""
        sizes = self.nl.astype(np.int64) * self.nc
        total = np.concatenate(([0], np.cumsum(sizes)))
        return total.astype(np.int32 if total[-1] <= _INT32_LIMIT else np.int64)

    @cached_property
    def row_names(self) -> list[str]:
        """Row names of Zt, q of them: the level, once for each column of its term."""
        return [
            str(level)
            for term in self.terms
            for level in term.group.levels
            for _ in range(term.columns)
        ]

    @cached_property
    def row_index(self) -> pd.MultiIndex:
        """Group, level and column of each row of Zt: what `row_names` alone do not tell.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> design.random.row_index[1], design.random.row_index.get_loc(("Subject", "309", "Days"))
        (('Subject', '308', 'Days'), 3)
        """
        import pandas as pd

        rows = [
            (term.bar.group_name, str(level), name)
            for term in self.terms
            for level in term.group.levels
            for name in term.plan.names
        ]
        texts = [text_index([row[place] for row in rows]) for place in range(3)]
        return pd.MultiIndex.from_arrays(texts, names=["group", "level", "column"])

    @cached_property
    def theta(self) -> FloatArray:
        """Starting values of Lambda's distinct entries, float64: what `Lind` points into."""
        return _joined([term.covariance.theta() for term in self.terms])

    @cached_property
    def par(self) -> FloatArray:
        """The optimised parameters; equal to theta for unstructured terms."""
        return _joined([term.covariance.par() for term in self.terms])

    @property
    def par_names(self) -> list[str]:
        """Names of `par`: the group, then the column, ``*`` for all of them, or ``rho``."""
        return self._named([term.covariance.par_names(term.plan.names) for term in self.terms])

    @property
    def theta_names(self) -> list[str]:
        """Names of `theta`: the group, then the column, or row and column below the diagonal."""
        return self._named([term.covariance.theta_names(term.plan.names) for term in self.terms])

    def _named(self, names: Sequence[Sequence[str]]) -> list[str]:
        """Return names term by term behind those of the grouping factors."""
        pairs = zip(self.terms, names, strict=True)
        return [f"{term.bar.group_name}.{name}" for term, found in pairs for name in found]

    @cached_property
    def lower(self) -> FloatArray:
        """Lower bounds of `par`, float64, as long as `par`."""
        return _joined([term.covariance.lower() for term in self.terms])

    @cached_property
    def upper(self) -> FloatArray:
        """Upper bounds of `par`, float64, as long as `par`."""
        return _joined([term.covariance.upper() for term in self.terms])

    @cached_property
    def _template(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]:
        """Column pointers, rows and theta index of Lambdat."""
        counts, rows, index = ([np.zeros(0, dtype=np.int64)] for _ in range(3))
        first_theta = 0
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
        """Position in theta of each stored entry of Lambdat, from 0: int32, shape (nnz,)."""
        return self._template[2]

    @cached_property
    def Lambdat(self) -> csc_array:
        """The transposed relative covariance factor at theta, shape (q, q), its zeros stored."""
        return self._lambdat(self.theta)

    def _lambdat(self, theta: FloatArray) -> csc_array:
        from scipy.sparse import csc_array

        pointers, rows, index = self._template
        q = int(self.Gp[-1])
        result = csc_array((theta[index], rows, pointers), shape=(q, q))
        result.has_sorted_indices = True
        result.has_canonical_format = True
        return result

    def theta_at(self, par: ArrayLike) -> FloatArray:
        """Return theta at other parameters.

        Parameters
        ----------
        par : array-like of float, shape (len(self.par),)
            Between `lower` and `upper`; what an optimiser's rounding, 1e-10, put beside them
            is taken for them.

        Returns
        -------
        ndarray of float64

        Raises
        ------
        DataError
            For another length, or for a value that is not finite or out of bounds.

        Examples
        --------
        >>> import lme4py
        >>> from lme4py.data import sleepstudy
        >>> design = lme4py.lformula("Reaction ~ Days + cs(Days | Subject)", sleepstudy())
        >>> design.random.theta_at([2.0, 1.0, 0.0]).tolist()
        [2.0, 0.0, 1.0]
        """
        pairs = zip(self.terms, self._by_term(par), strict=True)
        return _joined([term.covariance.theta(part) for term, part in pairs])

    def lambdat_at(self, par: ArrayLike) -> csc_array:
        """Return Lambdat at other parameters; its structure is not built again.

        Parameters
        ----------
        par : array-like of float, shape (len(self.par),)
            Between `lower` and `upper`; what an optimiser's rounding, 1e-10, put beside them
            is taken for them.

        Returns
        -------
        csc_array, shape (q, q)
            `indices` and `indptr` are those of `Lambdat` itself: do not write to them.

        Raises
        ------
        DataError
            For another length, or for a value that is not finite or out of bounds.

        Examples
        --------
        >>> import lme4py
        >>> data = {"y": [1.0, 2, 4, 3], "x": [0.0, 1, 0, 1], "g": ["a", "a", "b", "b"]}
        >>> design = lme4py.lformula("y ~ x + cs(1 + x | g)", data)
        >>> design.random.par_names
        ['g.(Intercept)', 'g.x', 'g.rho']
        >>> design.random.lambdat_at([2.0, 1.0, 0.6]).data.tolist()
        [2.0, 0.6, 0.8, 2.0, 0.6, 0.8]
        """
        return self._lambdat(self.theta_at(par))

    def covariance(self, par: ArrayLike | None = None) -> list[TermCovariance]:
        """Return each term's covariance, relative to sigma squared, in stored order.

        Parameters
        ----------
        par : array-like of float, optional
            The parameters; the starting values, which make identities, when None.

        Returns
        -------
        list of TermCovariance

        Raises
        ------
        DataError
            For another length, or for a value that is not finite or out of bounds.

        Examples
        --------
        >>> import lme4py
        >>> from lme4py.data import sleepstudy
        >>> design = lme4py.lformula("Reaction ~ Days + cs(Days | Subject)", sleepstudy())
        >>> [term] = design.random.covariance([2.0, 1.0, 0.5])
        >>> print(term.frame)
                     (Intercept)  Days
        (Intercept)          4.0   1.0
        Days                 1.0   1.0
        """
        parts = self._by_term(self.par if par is None else par)
        found = []
        for term, part in zip(self.terms, parts, strict=True):
            kind, names = term.covariance, tuple(term.plan.names)
            factor = relative_factor(kind, kind.theta(part))
            matrix = factor @ factor.T
            found.append(
                TermCovariance(term.bar.label, term.bar.group_name, names, kind.name, matrix)
            )
        return found

    def _by_term(self, par: ArrayLike) -> list[FloatArray]:
        """Return par term by term, after its length and bounds are checked."""
        ends = np.cumsum([term.covariance.par().size for term in self.terms])
        return np.split(within_bounds(self, par), ends[:-1])

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
    def groups(self) -> dict[str, Factor]:
        """The grouping factors, each once, in order of first use: codes and levels."""
        groups: dict[str, Factor] = {}
        for term in self.terms:
            groups.setdefault(term.bar.group_name, term.group)
        return groups

    @cached_property
    def flist(self) -> dict[str, pd.Categorical]:
        """The grouping factors, each once, in order of first use."""
        import pandas as pd

        found: dict[str, pd.Categorical] = {}
        for name, group in self.groups.items():
            kind = pd.CategoricalDtype(text_index(group.levels), group.ordered)
            found[name] = pd.Categorical.from_codes(group.codes, dtype=kind)
        return found

    @property
    def assign(self) -> NDArray[np.int64]:
        """Position in `flist` of each term's factor, from 0."""
        positions = {name: i for i, name in enumerate(self.groups)}
        return np.array([positions[term.bar.group_name] for term in self.terms], dtype=np.int64)


def _joined(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.zeros(0)


def within_bounds(random: RandomEffects, par: ArrayLike) -> FloatArray:
    """Return parameters that have been checked, those beside a bound by rounding moved to it."""
    values, count = numbers_of("par", par), random.par.size
    if values.shape != (count,):
        raise DataError(
            f"par has {'x'.join(map(str, values.shape)) or 'no'} values, "
            f"the model has {count} parameters",
            hint=f"in this order: {', '.join(random.par_names)}",
        )
    inside = (random.lower - _ROUNDING <= values) & (values <= random.upper + _ROUNDING)
    wrong = ~(np.isfinite(values) & inside)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"par[{first}] ({random.par_names[first]}) is {values[first]:g}, "
            f"not between {random.lower[first]:g} and {random.upper[first]:g}"
        )
    return np.clip(values, random.lower, random.upper)


def random_effects(terms: Sequence[RandomTerm], rows: int) -> RandomEffects:
    """Assemble the random part from its terms in formula order (lme4's ``mkReTrms``)."""
    # Formula order as long as the numbers of levels never rise; else the reverse of a stable
    # ascending sort, in which ties come out backwards.
    levels = [term.levels for term in terms]
    order = list(range(len(levels)))
    if any(later > earlier for earlier, later in pairwise(levels)):
        order = sorted(order, key=levels.__getitem__)[::-1]
    stored = tuple(terms[i] for i in order)
    return RandomEffects(stored, np.array(order, dtype=np.int64), zt_entries(stored, rows))
