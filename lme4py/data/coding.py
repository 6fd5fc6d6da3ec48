"""Contrasts: R's ``contr.*`` functions, and what ``contrasts(d$f) <- m`` keeps on a column.

Attached contrasts reach whatever is made of the factor, X and random slopes alike, as long as
every level is used; functions that make a new factor (``factor``, ``relevel``) lose them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from lme4py import linpack
from lme4py.data.columns import Columns
from lme4py.data.factors import logical_factor
from lme4py.data.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.errors import DataError, nearest
from lme4py.moments import mean, total

ContrastArgument: TypeAlias = str | Callable[[int], Any] | Any
"""A name such as "contr.sum", a matrix, a DataFrame, or a function of the number of levels."""

DefaultContrasts: TypeAlias = tuple[str, str]
"""R's ``options(contrasts = )``: the coding of unordered factors, and that of ordered ones."""

DEFAULT_CONTRASTS: DefaultContrasts = ("contr.treatment", "contr.poly")

_TOO_FEW = "not enough degrees of freedom to define contrasts"
_EXPECTED = "numeric contrasts or contrast name expected"
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
    """Return monic orthogonal polynomials of centred numbers, shape (n, degree + 1), as R does.

    They are not normalized; the first is the constant. The rank is that of the powers by R's
    rule: where it falls short, columns were pivoted.
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
    """Return the matrix of R's contrast function `name`, one row per level, its columns named.

    The options are R's: ``base`` (1-based, treatment), ``scores`` (poly), ``contrasts=False`` for
    a column for every level.

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
    """Return a contrast matrix with as many columns as are wanted (R's ``contrasts<-``).

    Surplus ones are cut off. If there are fewer, R adds directions orthogonal to the constant and
    to the given columns, always up to one less than there are levels.

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


def with_contrasts(columns: Columns, attached: Mapping[str, ContrastArgument]) -> Columns:
    """Return columns with contrasts attached to some of the factors; None takes theirs away."""
    known: dict[str, Value] = {}
    for name, argument in attached.items():
        factor = _factor(columns, name)
        contrasts = given_contrast(argument, factor, name)
        known[name] = replace(factor, codes=factor.codes[:0].copy(), contrasts=contrasts)
    return columns.held_to(known)


def _factor(columns: Columns, name: str) -> Factor:
    value = columns.get(name)
    if isinstance(value, Numeric) and value.kind == "logical":
        return logical_factor(value.values)
    if isinstance(value, Factor):
        return value
    remedy = "make it a pandas Categorical or a polars Enum"
    if value is None:
        close = nearest(str(name), columns.names)
        hint = f"the data have no column '{name}'{'; ' + close if close else ''}"
    elif isinstance(value, Character):
        hint = f"'{name}' is text: {remedy}, or write C(factor({name}), ...) in the formula"
    else:
        hint = f"'{name}' is not a factor: {remedy}"
    raise DataError("contrasts apply only to factors", hint=hint)


def given_contrast(
    argument: ContrastArgument, factor: Factor, name: str, *, as_wide_as_given: bool = False
) -> str | Matrix | None:
    """Return what R's ``contrasts<-`` makes of a value for a factor of some name.

    A name is only remembered: whether there is such a function shows when a column is coded by
    it. A matrix is cut or completed to one column less than there are levels, unless it keeps its
    columns as R's ``contrasts.arg`` does (`as_wide_as_given`).
    """
    refuse_single_level(factor, name)
    if argument is None or isinstance(argument, str):
        return argument
    levels = len(factor.levels)
    if callable(argument) and not hasattr(argument, "__array__"):
        as_wide_as_given = False
        try:
            argument = argument(levels)
        except Exception as error:  # whatever a user's function raises is shown as ours
            raise DataError(
                f"the contrast function of '{name}' failed: {type(error).__name__}: {error}"
            ) from error
    given, columns = _matrix(argument, factor, name)
    if given.values.shape[0] != levels:
        raise DataError(
            "wrong number of contrast matrix rows",
            hint=f"'{name}' has {levels} levels, its matrix {given.values.shape[0]} rows",
        )
    return complete_contrasts(given, columns if as_wide_as_given and columns else levels - 1)


def refuse_single_level(factor: Factor, name: str) -> None:
    """Raise R's error if a factor has fewer than two levels."""
    if len(factor.levels) < 2:
        levels = ", ".join(repr(level) for level in factor.levels)
        raise DataError(
            "contrasts can be applied only to factors with 2 or more levels",
            hint=f"'{name}' has the levels ({levels}) in the rows that are left",
        )


def _matrix(argument: Any, factor: Factor, name: str) -> tuple[Matrix, int | None]:
    """Return a matrix, and how many columns it was given with: None for a vector."""
    if isinstance(argument, Matrix):
        return argument, argument.values.shape[1]
    try:
        array = np.asarray(argument)
        values = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        values = array = np.zeros(0, dtype=np.bool_)
    if array.dtype.kind == "b" or values.ndim > 2:
        raise DataError(_EXPECTED, hint=f"the contrast of '{name}' is a {type(argument).__name__}")
    if values.ndim < 2:
        return Matrix(values.reshape(-1, 1)), None
    # R takes the rows as they come, whatever they are called. A list has an `index`, too.
    labels = [str(label) for label in (argument.index if hasattr(argument, "iloc") else ())]
    levels = [str(level) for level in factor.levels]
    if labels != levels and sorted(labels) == sorted(levels):
        raise DataError(
            f"the rows of the contrasts of '{name}' are {', '.join(labels)}, its levels "
            f"{', '.join(levels)}",
            hint=f"put the rows in the order of the levels: .loc[{levels}]",
        )
    # pyarrow's `columns` are the columns themselves.
    names = getattr(argument, "column_names", None) or getattr(argument, "columns", None)
    # A pandas frame whose columns are numbered has no names for them.
    named = None if names is None or hasattr(names, "step") else tuple(map(str, names))
    return Matrix(values, named), values.shape[1]
