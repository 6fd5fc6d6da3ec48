"""Coding matrices: R's ``contr.*`` functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import signature
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lme4py import linpack
from lme4py.data.values import Matrix
from lme4py.errors import DataError, nearest
from lme4py.moments import mean, total

FloatArray = NDArray[np.float64]
DefaultContrasts: TypeAlias = tuple[str, str]
"""R's ``options(contrasts = )``: the coding of unordered factors, and that of ordered ones."""

DEFAULT_CONTRASTS: DefaultContrasts = ("contr.treatment", "contr.poly")

_TOO_FEW = "not enough degrees of freedom to define contrasts"
_MOST_POLY = 95
_PIECE = 1 << 15


def power(values: FloatArray, exponent: int) -> FloatArray:
    """Return `values` to a whole power with the digits of R's ``^``.

    The C library's ``pow`` is called from the cube up: numpy's own is off by an ulp.
    """
    if exponent == 0:
        return np.ones_like(values)
    if exponent == 1:
        return values.copy()
    if exponent == 2:
        return values * values
    powers = np.empty_like(values)
    for begin in range(0, values.size, _PIECE):
        piece = values[begin : begin + _PIECE]
        with np.errstate(all="ignore"):
            quick = np.power(piece, float(exponent))
        finite = np.isfinite(quick)
        quick[finite] = list(map(math.pow, piece[finite].tolist(), repeat(exponent)))
        powers[begin : begin + _PIECE] = quick
    return powers


def orthogonal_powers(centred: FloatArray, degree: int) -> tuple[FloatArray, int]:
    """Return monic orthogonal polynomials of centred numbers as R computes them.

    Parameters
    ----------
    centred : ndarray, shape (n,)
        Numbers with their mean taken off.
    degree : int
        Highest power.

    Returns
    -------
    columns : ndarray, shape (n, degree + 1), Fortran order
        Not normalized; the first is the constant.
    rank : int
        Rank of the powers by R's rule; columns were pivoted when it falls short.
    """
    powers = np.empty((centred.size, degree + 1), order="F")
    for exponent in range(degree + 1):
        powers[:, exponent] = power(centred, exponent)
    decomposition = linpack.qr(powers, overwrite=True)
    diagonal = np.diag(np.diagonal(decomposition.qr))
    # Of fewer points than powers the columns beyond them are zeros.
    padded = np.zeros((len(diagonal), degree + 1))
    padded[:, : len(diagonal)] = diagonal
    return linpack.q_times(decomposition, np.asfortranarray(padded)), decomposition.rank


def _treatment(levels: Sequence[str], base: float = 1) -> Matrix:
    if math.isnan(base) or base < 1 or base > len(levels):
        raise DataError("baseline group number out of range")
    kept = [place for place in range(len(levels)) if place != int(base) - 1]
    values = np.asfortranarray(np.eye(len(levels))[:, kept])
    return Matrix(values, tuple(levels[place] for place in kept))


def _sas(levels: Sequence[str]) -> Matrix:
    return _treatment(levels, len(levels))


def _sum(levels: Sequence[str]) -> Matrix:
    values = np.eye(len(levels), len(levels) - 1, order="F")
    values[-1] = -1.0
    return Matrix(values)


def _helmert(levels: Sequence[str]) -> Matrix:
    count = len(levels)
    values = -np.triu(np.ones((count, count - 1), order="F"))
    places = np.arange(count - 1)
    values[places + 1, places] = places + 1.0
    return Matrix(np.asfortranarray(values + 0.0))


def _poly(levels: Sequence[str], scores: ArrayLike | None = None, contrasts: bool = True) -> Matrix:
    count = len(levels)
    if count > _MOST_POLY:
        raise DataError(
            "orthogonal polynomials cannot be represented accurately enough for "
            f"{count - 1} degrees of freedom"
        )
    chosen = np.arange(1.0, count + 1) if scores is None else np.asarray(scores, dtype=np.float64)
    if chosen.shape != (count,):
        raise DataError("'scores' argument is of the wrong length")
    if len(set(chosen.tolist())) < count:
        raise DataError("'scores' must all be different numbers")
    if not np.isfinite(chosen).all():
        raise DataError("NA/NaN/Inf in foreign function call (arg 1)")
    raw, _ = orthogonal_powers(chosen - mean(chosen), count - 1)
    with np.errstate(all="ignore"):
        norms = [math.sqrt(total(column * column)) for column in raw.T]
        values = np.asfortranarray(raw / norms)
    names = [f"^{exponent}" for exponent in range(count)]
    if not contrasts:
        values[:, 0] = 1.0
        return Matrix(values, tuple(names))
    names[1:4] = [".L", ".Q", ".C"][: count - 1]
    return Matrix(np.asfortranarray(values[:, 1:]), tuple(names[1:]))


CONTRASTS: dict[str, Callable[..., Matrix]] = {
    "contr.treatment": _treatment,
    "contr.SAS": _sas,
    "contr.sum": _sum,
    "contr.helmert": _helmert,
    "contr.poly": _poly,
}


def coding_matrix(name: str, levels: Sequence[str], **options: Any) -> Matrix:
    """Return the matrix of R's contrast function `name`, one row per level.

    Parameters
    ----------
    name : str
        ``contr.treatment``, ``contr.SAS``, ``contr.sum``, ``contr.helmert`` or
        ``contr.poly``.
    levels : sequence of str
        Level names, for the names of the columns.
    **options
        R's: ``base`` (1-based, treatment), ``scores`` (poly), ``contrasts=False``
        for R's matrix with a column for every level.

    Returns
    -------
    Matrix
        Shape (k, k - 1). Names as in R: levels (treatment, SAS), ``.L .Q .C ^4``
        (poly), None (sum, helmert).

    Raises
    ------
    DataError
        In R's words: fewer than two levels, a base out of range, bad scores, more
        than 95 levels for poly, an unknown function.

    Examples
    --------
    >>> coding_matrix("contr.sum", ("a", "b", "c")).values
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1., -1.]])
    >>> coding_matrix("contr.poly", ("lo", "mid", "hi")).names
    ('.L', '.Q')
    """
    if name not in CONTRASTS:
        raise _unknown(name)
    for option in options:
        if option not in (*signature(CONTRASTS[name]).parameters, "contrasts"):
            raise DataError(f"unused argument ({option}) in {name}()")
    full = name != "contr.poly" and not options.pop("contrasts", True)
    early = name in ("contr.sum", "contr.helmert")
    # The others have a full matrix for a single level, too.
    if len(levels) < 2 and (early or not full):
        text = f"contrasts not defined for {len(levels) - 1} degrees of freedom"
        raise DataError(_TOO_FEW if early else text)
    if full:
        return Matrix(np.eye(len(levels), order="F"), tuple(levels))
    return CONTRASTS[name](levels, **options)


def _unknown(name: str) -> DataError:
    return DataError(
        f"object '{name}' of mode 'function' was not found",
        hint=nearest(name, CONTRASTS) or f"known contrasts: {', '.join(CONTRASTS)}",
    )


def default_contrasts_of(argument: Any) -> DefaultContrasts:
    """Return the ``default_contrasts`` argument as a pair of names.

    Raises
    ------
    DataError
        If it is no pair of known names, in the words of R's ``options``.

    Examples
    --------
    >>> default_contrasts_of(["contr.sum", "contr.poly"])
    ('contr.sum', 'contr.poly')
    """
    names = tuple(argument) if isinstance(argument, list | tuple) else ()
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise DataError(
            "invalid value for 'contrasts'",
            hint="default_contrasts takes two names, for unordered and for ordered factors: "
            "('contr.sum', 'contr.poly')",
        )
    for name in names:
        if name not in CONTRASTS:
            raise _unknown(name)
    return names


def complete_contrasts(given: Matrix, columns: int) -> Matrix:
    """Return a contrast matrix with the columns that R's ``contrasts<-`` keeps.

    Parameters
    ----------
    given : Matrix
        One row per level, of which there are two or more.
    columns : int
        How many columns are wanted: surplus ones are cut off. If there are fewer, R
        adds directions orthogonal to the constant and to the given columns, always
        up to one less than there are levels.

    Raises
    ------
    DataError
        If the given columns and the constant depend on each other and need filling.

    Examples
    --------
    >>> complete_contrasts(Matrix(np.array([[1.0], [0.0], [-1.0]]), ("A",)), 2).names
    ('A', '')
    """
    values, names = given.values, given.names
    levels, found = values.shape
    if found >= columns:
        kept = None if names is None else names[:columns]
        return Matrix(np.asfortranarray(values[:, :columns]), kept, given.kind)
    if not found:
        raise DataError("replacement has length zero", hint="a matrix of contrasts has columns")
    if not np.isfinite(values).all():
        raise DataError("NA/NaN/Inf in foreign function call (arg 1)")
    decomposition = linpack.qr(np.column_stack([np.ones(levels), values]))
    if decomposition.rank != found + 1:
        raise DataError("singular contrast matrix")
    filled = linpack.q_times(decomposition, np.eye(levels))[:, 1:]
    filled[:, :found] = values
    if names is None:
        return Matrix(np.asfortranarray(filled))
    if columns != levels - 1:
        raise DataError("length of 'dimnames' [2] not equal to array extent")
    return Matrix(np.asfortranarray(filled), (*names, *[""] * (columns - found)))
