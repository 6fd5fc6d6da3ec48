"""Covariance structures of one random-effects term: par, theta, and its block of Lambdat.

A term of c columns has one c x c block of the relative covariance factor Lambda per
level, the same for all levels; Lambda Lambda' is the covariance of the term's
effects, relative to sigma squared (Bates et al. 2015, equation 4). Three lists of
numbers describe it:

``par``
    what an optimiser moves: the free parameters and nothing else;
``theta``
    the distinct values of the lower triangle of Lambda, a function of par;
the template
    which theta stands at each stored entry of Lambdat.

Lambdat is stored column by column and is the transpose of Lambda, so the template
walks the lower triangle of Lambda by rows: for three free columns 0 1 3 2 4 5.

The structures are those of lme4 2.x: ``us``, ``diag``, ``cs`` and ``ar1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import FloatArray

Template: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""One block of Lambdat: entries per column, row of each entry, its position in theta."""


@dataclass(frozen=True, slots=True)
class Covariance:
    """What every structure can say: standard deviations, then a correlation rho where it has one.

    Parameters
    ----------
    columns : int
        Number of columns of the term.
    hom : bool
        One common standard deviation for all columns.
    """

    columns: int
    hom: bool = False
    name: ClassVar[str]
    """lme4's name of the structure."""
    correlated: ClassVar[bool] = False
    """Whether it has a correlation rho, of two columns or more."""

    def _least(self) -> float:
        """Return the lower bound of what is no standard deviation."""
        return -np.inf

    def _places(self) -> NDArray[np.intp]:
        """Return the position in theta of each entry of Lambda, shape (c, c); -1 for none."""
        rows, cols = np.indices((self.columns, self.columns))
        # Without a common deviation theta is the lower triangle, column by column.
        by_columns = cols * self.columns - cols * (cols + 1) // 2 + rows
        return np.where(rows < cols, -1, self._shared(rows, cols) if self.hom else by_columns)

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the theta of entries under a common deviation."""
        raise NotImplementedError

    def _first_places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return row and column of the first entry of Lambda, by columns, that each theta is."""
        found, first = np.unique(self._places().T, return_index=True)
        cols, rows = np.divmod(first[found >= 0], max(self.columns, 1))
        return rows, cols

    @property
    def parameters(self) -> int:
        """Number of theta."""
        return len(self._first_places()[0])

    def _numbers(self, deviation: float, other: float) -> FloatArray:
        """Return one number for every standard deviation, and one for rho where there is one."""
        count = min(1, self.columns) if self.hom else self.columns
        return np.array([deviation] * count + [other] * self._has_rho, dtype=np.float64)

    @property
    def _has_rho(self) -> bool:
        return self.correlated and self.columns > 1

    def par(self) -> FloatArray:
        """Return the starting values of the free parameters: the identity covariance."""
        return self._numbers(1.0, 0.0)

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns' names (``*`` for a common value), then ``rho``."""
        deviations = ["*"] * min(1, self.columns) if self.hom else list(columns)
        return deviations + ["rho"] * self._has_rho

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return ``A``, ``B.A`` ...: row before column, ``*`` for any row below."""
        return [
            columns[row] if row == col else f"{columns[row]}.{columns[col]}"
            for row, col in zip(*self._first_places(), strict=True)
        ]

    def lower(self) -> FloatArray:
        """Return the lower bounds of par: 0 for standard deviations, the least rho, or none."""
        return self._numbers(0.0, self._least())

    def upper(self) -> FloatArray:
        """Return the upper bounds of par: none for standard deviations, 1 for rho."""
        return self._numbers(np.inf, 1.0 if self.correlated else np.inf)

    def theta(self, par: FloatArray | None = None) -> FloatArray:
        """Return theta at `par`, at the starting values when None."""
        values = self.par() if par is None else np.asarray(par, dtype=np.float64)
        if not self._has_rho:
            return values
        factor = values[:-1, None] * self._factor(float(values[-1]))
        return factor[self._first_places()]

    def _factor(self, rho: float) -> FloatArray:
        """Return the Cholesky factor of the correlation matrix."""
        raise NotImplementedError

    @cache  # noqa: B019  of few instances, asked at every step of a fit
    def template(self) -> Template:
        """Return one block of Lambdat."""
        places = self._places()
        # A column of Lambdat is a row of Lambda.
        stored = places >= 0
        counts = np.count_nonzero(stored, axis=1)
        return (
            counts.astype(np.int32),
            np.nonzero(stored)[1].astype(np.int32),
            places[stored].astype(np.int32),
        )


@dataclass(frozen=True, slots=True)
class Unstructured(Covariance):
    """``us``: any positive semidefinite covariance; what a plain bar means.

    par is theta: the lower triangle of Lambda, column by column.

    Examples
    --------
    >>> Unstructured(3).template()[2].tolist()
    [0, 1, 3, 2, 4, 5]
    """

    name: ClassVar[str] = "us"

    def _numbers(self, deviation: float, other: float) -> FloatArray:
        """Return one number for every entry on the diagonal, and one for every other."""
        rows, cols = self._first_places()
        return np.where(rows == cols, deviation, other)

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of theta."""
        return self.theta_names(columns)


@dataclass(frozen=True, slots=True)
class Diagonal(Covariance):
    """``diag``: independent effects; par is their standard deviations, and theta is par."""

    name: ClassVar[str] = "diag"

    def _places(self) -> NDArray[np.intp]:
        each = np.arange(self.columns)
        return np.where(each == each[:, None], 0 if self.hom else each, -1)

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of par."""
        return self.par_names(columns)


@dataclass(frozen=True, slots=True)
class CompoundSymmetry(Covariance):
    """``cs``: every two effects have the same correlation.

    With different deviations theta is the whole lower triangle of Lambda, column by
    column; with a common one, only its distinct values.

    Examples
    --------
    >>> CompoundSymmetry(3, hom=True).theta(np.array([1.0, -0.5])).round(3).tolist()
    [1.0, -0.5, 0.866, -0.866, 0.0]
    """

    name: ClassVar[str] = "cs"
    correlated: ClassVar[bool] = True

    def _least(self) -> float:
        return -1.0 / max(self.columns - 1, 1)

    def _factor(self, rho: float) -> FloatArray:
        # Below its diagonal a column of the factor is constant. With k columns before it,
        # column k leaves (1 - rho) (1 + k rho) / (1 + (k - 1) rho) of a variance unexplained;
        # in this form nothing cancels, so the edges rho = 1 and -1 / (c - 1) are exact zeros.
        before = np.arange(1, self.columns)
        scale = np.maximum(1.0 + before * rho, 0.0)
        last = 1.0 + (before - 1) * rho
        factor = np.zeros((self.columns, self.columns))
        factor[:, 0] = rho
        factor[0, 0] = 1.0
        factor[before, before] = np.sqrt((1.0 - rho) * scale / last)
        for j in range(1, self.columns - 1):
            factor[j + 1 :, j] = rho * np.sqrt((1.0 - rho) / (last[j - 1] * scale[j - 1]))
        return factor

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        return 2 * cols + (rows > cols)

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return ``A``, ``B.A`` ...: row before column, ``*`` for any row below."""
        if not self.hom:
            return Covariance.theta_names(self, columns)
        pairs = [name for column in columns for name in (column, f"*.{column}")]
        return pairs[: self.parameters]


@dataclass(frozen=True, slots=True)
class Autoregressive(Covariance):
    """``ar1``: effects k columns apart have correlation rho to the power k.

    A common standard deviation is lme4's default here. Theta is as of `CompoundSymmetry`.

    Examples
    --------
    >>> Autoregressive(3).theta(np.array([1.0, 0.5])).round(3).tolist()
    [1.0, 0.5, 0.25, 0.866, 0.433]
    """

    hom: bool = True
    name: ClassVar[str] = "ar1"
    correlated: ClassVar[bool] = True

    def _least(self) -> float:
        return -1.0

    def _factor(self, rho: float) -> FloatArray:
        each = np.arange(self.columns)
        powers: FloatArray = float(rho) ** np.abs(each[:, None] - each)
        factor = np.tril(powers)
        factor[:, 1:] *= np.sqrt(max(1.0 - rho * rho, 0.0))
        return factor

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.where(cols == 0, rows, self.columns + rows - cols)


def relative_factor(covariance: Covariance, theta: FloatArray) -> FloatArray:
    """Return one block of Lambda at `theta`, a lower triangle, shape (c, c).

    Its product with its transpose is the covariance, relative to sigma squared.

    Examples
    --------
    >>> relative_factor(CompoundSymmetry(2), np.array([2.0, 0.6, 0.8])).tolist()
    [[2.0, 0.0], [0.6, 0.8]]
    """
    counts, rows, index = covariance.template()
    factor = np.zeros((covariance.columns, covariance.columns))
    # A column of Lambdat is a row of Lambda.
    factor[np.repeat(np.arange(covariance.columns), counts), rows] = theta[index]
    return factor


def structure(name: str, columns: int, hom: bool | None = None) -> Covariance:
    """Return the structure that ``name(... | g, hom = ...)`` means for a term of `columns`.

    lme4's default is one common standard deviation for ``ar1`` only; ``us`` ignores `hom`.
    """
    kinds = {kind.name: kind for kind in (Diagonal, CompoundSymmetry, Autoregressive)}
    if name not in kinds:
        return Unstructured(columns)
    return kinds[name](columns) if hom is None else kinds[name](columns, hom)
