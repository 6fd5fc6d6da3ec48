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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.formula.bars import STRUCTURES

__all__ = [
    "STRUCTURES",
    "Autoregressive",
    "CompoundSymmetry",
    "Covariance",
    "Diagonal",
    "Template",
    "Unstructured",
    "relative_factor",
    "structure",
]

FloatArray: TypeAlias = NDArray[np.float64]
Template: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""One block of Lambdat: entries per column, row of each entry, its position in theta."""


class Covariance(Protocol):
    """What every structure can say."""

    @property
    def name(self) -> str:
        """lme4's name of the structure."""

    @property
    def columns(self) -> int:
        """Number of columns of the term."""

    @property
    def hom(self) -> bool:
        """Whether all columns have one common standard deviation."""

    @property
    def parameters(self) -> int:
        """Number of theta."""

    def par(self) -> FloatArray:
        """Return the starting values of the free parameters: the identity covariance."""

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of par for a term with these columns."""

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of theta for a term with these columns."""

    def lower(self) -> FloatArray:
        """Return the lower bounds of par."""

    def upper(self) -> FloatArray:
        """Return the upper bounds of par."""

    def theta(self, par: FloatArray | None = None) -> FloatArray:
        """Return theta at `par`, at the starting values when None."""

    def template(self) -> Template:
        """Return one block of Lambdat."""


def _lower_triangle(columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of Lambda's lower triangle in Lambdat's storage order."""
    rows, cols = np.tril_indices(columns)
    return rows, cols


def _by_columns(columns: int, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the position of entries in the lower triangle read column by column."""
    starts = np.concatenate(([0], np.cumsum(np.arange(columns, 0, -1))))
    return starts[cols] + rows - cols


def _full_template(
    columns: int, index: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.intp]]
) -> Template:
    """Return the template of a block whose whole lower triangle is stored."""
    rows, cols = _lower_triangle(columns)
    counts = np.arange(1, columns + 1, dtype=np.int32)
    return counts, cols.astype(np.int32), index(rows, cols).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Unstructured:
    """``us``: any positive semidefinite covariance; what a plain bar means.

    par is theta: the lower triangle of Lambda, column by column.

    Examples
    --------
    >>> Unstructured(3).template()[2].tolist()
    [0, 1, 3, 2, 4, 5]
    """

    columns: int
    name: ClassVar[str] = "us"
    hom: ClassVar[bool] = False

    @property
    def parameters(self) -> int:
        """Number of theta, c (c + 1) / 2."""
        return self.columns * (self.columns + 1) // 2

    def _diagonal(self) -> NDArray[np.intp]:
        each = np.arange(self.columns)
        return _by_columns(self.columns, each, each)

    def par(self) -> FloatArray:
        """Return the identity: 1 on the diagonal, 0 elsewhere."""
        start = np.zeros(self.parameters)
        start[self._diagonal()] = 1.0
        return start

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return ``A``, ``B.A`` ...: row before column."""
        return _triangle_names(columns)

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of par."""
        return _triangle_names(columns)

    def lower(self) -> FloatArray:
        """Return 0 for the diagonal, no bound elsewhere."""
        bounds = np.full(self.parameters, -np.inf)
        bounds[self._diagonal()] = 0.0
        return bounds

    def upper(self) -> FloatArray:
        """Return no bounds."""
        return np.full(self.parameters, np.inf)

    def theta(self, par: FloatArray | None = None) -> FloatArray:
        """Return par."""
        return self.par() if par is None else np.asarray(par, dtype=np.float64)

    def template(self) -> Template:
        """Return one block of Lambdat."""
        return _full_template(
            self.columns, lambda rows, cols: _by_columns(self.columns, rows, cols)
        )


def _triangle_names(columns: Sequence[str]) -> list[str]:
    """Return the names of a lower triangle's entries, column by column."""
    return [
        name if row == column else f"{columns[row]}.{name}"
        for column, name in enumerate(columns)
        for row in range(column, len(columns))
    ]


@dataclass(frozen=True, slots=True)
class _Deviations:
    """The standard deviations that ``diag``, ``cs`` and ``ar1`` share: one each, or one for all."""

    columns: int
    common: bool

    @property
    def count(self) -> int:
        return min(1, self.columns) if self.common else self.columns

    def names(self, columns: Sequence[str]) -> list[str]:
        return ["*"] * self.count if self.common else list(columns)


@dataclass(frozen=True, slots=True)
class Diagonal:
    """``diag``: independent effects; par is their standard deviations.

    Parameters
    ----------
    columns : int
        Number of columns.
    hom : bool
        One common standard deviation.
    """

    columns: int
    hom: bool = False
    name: ClassVar[str] = "diag"

    @property
    def _deviations(self) -> _Deviations:
        return _Deviations(self.columns, self.hom)

    @property
    def parameters(self) -> int:
        """Number of theta: the standard deviations."""
        return self._deviations.count

    def par(self) -> FloatArray:
        """Return ones."""
        return np.ones(self.parameters)

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns' names, ``*`` for a common value."""
        return self._deviations.names(columns)

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of par."""
        return self.par_names(columns)

    def lower(self) -> FloatArray:
        """Return zeros."""
        return np.zeros(self.parameters)

    def upper(self) -> FloatArray:
        """Return no bounds."""
        return np.full(self.parameters, np.inf)

    def theta(self, par: FloatArray | None = None) -> FloatArray:
        """Return par."""
        return self.par() if par is None else np.asarray(par, dtype=np.float64)

    def template(self) -> Template:
        """Return one block of Lambdat: its diagonal."""
        each = np.arange(self.columns, dtype=np.int32)
        return np.ones_like(each), each, np.zeros_like(each) if self.hom else each


@dataclass(frozen=True, slots=True)
class _Correlated:
    """Standard deviations and one correlation rho: the frame of ``cs`` and ``ar1``.

    par is the standard deviations, then rho when there are two columns or more.
    With different deviations theta is the whole lower triangle of Lambda, column by
    column; with a common one, only its distinct values.
    """

    columns: int
    hom: bool

    @property
    def _deviations(self) -> _Deviations:
        return _Deviations(self.columns, self.hom)

    @property
    def parameters(self) -> int:
        """Number of theta."""
        if self.hom:
            return max(2 * self.columns - 1, 0)
        return self.columns * (self.columns + 1) // 2

    def par(self) -> FloatArray:
        """Return ones for the standard deviations and 0 for rho."""
        return np.array([1.0] * self._deviations.count + [0.0] * (self.columns > 1))

    def par_names(self, columns: Sequence[str]) -> list[str]:
        """Return the columns' names (``*`` for a common value), then ``rho``."""
        return self._deviations.names(columns) + ["rho"] * (self.columns > 1)

    def theta_names(self, columns: Sequence[str]) -> list[str]:
        """Return ``A``, ``B.A`` ...: row before column, ``*`` for any row below."""
        return self._shared_names(columns) if self.hom else _triangle_names(columns)

    def lower(self) -> FloatArray:
        """Return 0 for standard deviations and the least rho."""
        return np.array([0.0] * self._deviations.count + [self._least()] * (self.columns > 1))

    def upper(self) -> FloatArray:
        """Return no bound for standard deviations and 1 for rho."""
        return np.array([np.inf] * self._deviations.count + [1.0] * (self.columns > 1))

    def _least(self) -> float:
        raise NotImplementedError

    def _factor(self, rho: float) -> FloatArray:
        """Return the Cholesky factor of the correlation matrix."""
        raise NotImplementedError

    def _distinct(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of the entries that are theta under a common deviation."""
        raise NotImplementedError

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the theta of entries under a common deviation."""
        raise NotImplementedError

    def _shared_names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of theta under a common deviation."""
        raise NotImplementedError

    def theta(self, par: FloatArray | None = None) -> FloatArray:
        """Return the distinct entries of Lambda at `par`."""
        values = self.par() if par is None else np.asarray(par, dtype=np.float64)
        if self.columns < 2:
            return values
        factor = values[:-1, None] * self._factor(float(values[-1]))
        if self.hom:
            return factor[self._distinct()]
        return factor.T[np.triu_indices(self.columns)]

    def template(self) -> Template:
        """Return one block of Lambdat."""
        if self.hom:
            return _full_template(self.columns, self._shared)
        return _full_template(
            self.columns, lambda rows, cols: _by_columns(self.columns, rows, cols)
        )


@dataclass(frozen=True, slots=True)
class CompoundSymmetry(_Correlated):
    """``cs``: every two effects have the same correlation.

    Parameters
    ----------
    columns : int
        Number of columns.
    hom : bool
        One common standard deviation.

    Examples
    --------
    >>> CompoundSymmetry(3, hom=True).theta(np.array([1.0, -0.5])).round(3).tolist()
    [1.0, -0.5, 0.866, -0.866, 0.0]
    """

    hom: bool = False
    name: ClassVar[str] = "cs"

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

    def _distinct(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        cols = np.repeat(np.arange(self.columns), 2)[: self.parameters]
        rows = cols + np.tile([0, 1], self.columns)[: self.parameters]
        return rows, cols

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        return 2 * cols + (rows > cols)

    def _shared_names(self, columns: Sequence[str]) -> list[str]:
        pairs = [name for column in columns for name in (column, f"*.{column}")]
        return pairs[: self.parameters]


@dataclass(frozen=True, slots=True)
class Autoregressive(_Correlated):
    """``ar1``: effects k columns apart have correlation rho to the power k.

    Parameters
    ----------
    columns : int
        Number of columns.
    hom : bool
        One common standard deviation, lme4's default here.

    Examples
    --------
    >>> Autoregressive(3).theta(np.array([1.0, 0.5])).round(3).tolist()
    [1.0, 0.5, 0.25, 0.866, 0.433]
    """

    hom: bool = True
    name: ClassVar[str] = "ar1"

    def _least(self) -> float:
        return -1.0

    def _factor(self, rho: float) -> FloatArray:
        each = np.arange(self.columns)
        powers: FloatArray = float(rho) ** np.abs(each[:, None] - each)
        factor = np.tril(powers)
        factor[:, 1:] *= np.sqrt(max(1.0 - rho * rho, 0.0))
        return factor

    def _distinct(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        each = np.arange(self.columns)
        cols = np.repeat([0, 1], [self.columns, max(self.columns - 1, 0)])
        return np.concatenate([each, each[1:]]), cols

    def _shared(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.where(cols == 0, rows, self.columns + rows - cols)

    def _shared_names(self, columns: Sequence[str]) -> list[str]:
        return [
            columns[row] if row == col else f"{columns[row]}.{columns[col]}"
            for row, col in zip(*self._distinct(), strict=True)
        ]


def relative_factor(covariance: Covariance, theta: FloatArray) -> FloatArray:
    """Return one block of Lambda at `theta`, as a dense lower triangle.

    Parameters
    ----------
    covariance : Covariance
        The structure of the term.
    theta : ndarray of float64
        Its theta.

    Returns
    -------
    ndarray of float64, shape (c, c)
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

    Parameters
    ----------
    name : {"us", "diag", "cs", "ar1"}
        lme4's name.
    columns : int
        Number of columns of the term.
    hom : bool, optional
        One common standard deviation; None for lme4's default, which is to have one
        for ``ar1`` only. ``us`` ignores it.
    """
    match name:
        case "diag":
            return Diagonal(columns, bool(hom))
        case "cs":
            return CompoundSymmetry(columns, bool(hom))
        case "ar1":
            return Autoregressive(columns, hom is not False)
        case _:
            return Unstructured(columns)
