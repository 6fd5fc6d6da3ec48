"""Polynomials: R's poly, which keeps the recurrence of the orthogonal ones for new rows."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.coding import orthogonal_powers, power
from lme4py.frame.functions.coercion import as_flag, as_number
from lme4py.frame.functions.table import Dot, State, function, replays
from lme4py.frame.values import FloatArray, Matrix, Null, Numeric, Value, length
from lme4py.moments import mean, total

_FEW_POINTS = "'degree' must be less than number of unique points"
_MOST_DEGREES = 1_000
_MOST_PRODUCTS = 1_000_000


def _column_sums(columns: FloatArray) -> FloatArray:
    """Return R's ``colSums``: long double sums from the first row to the last."""
    return np.array([total(column) for column in columns.T], dtype=np.float64)


def _poly_arguments(
    x: Value, dots: tuple[Dot, ...], degree: Value | None
) -> tuple[list[FloatArray], int, bool]:
    """Return the variables of a call of poly, its degree, and whether R calls polym."""
    variables = [x]
    # One new row makes a second variable look like a degree.
    if len(dots) == 1 and length(dots[0].value) == 1 and not dots[0].rowwise:
        degree = dots[0].value
    else:
        variables += [dot.value for dot in dots]
    several = len(variables) > 1 or isinstance(x, Matrix)
    columns: list[FloatArray] = []
    for variable in variables:
        if isinstance(variable, Matrix):
            columns.extend(variable.values.T)
        elif isinstance(variable, Numeric):
            columns.append(variable.as_float())
        else:
            raise DataError("poly() takes numeric variables")
    if degree is not None and length(degree) != 1:
        raise DataError("the condition has length > 1")
    chosen = 1.0 if degree is None else as_number(degree, "degree")
    if math.isnan(chosen):
        raise DataError("missing value where TRUE/FALSE needed")
    if chosen < 1:
        raise DataError("'degree' must be at least 1")
    if chosen > _MOST_DEGREES or (chosen + 1) ** len(columns) > _MOST_PRODUCTS:
        raise DataError(f"poly() makes at most {_MOST_DEGREES} degrees")
    if len({column.size for column in columns}) > 1:
        raise DataError("arguments must have the same length")
    return columns, int(chosen), several


def _raw_powers(x: FloatArray, degree: int) -> FloatArray:
    return np.column_stack([power(x, exponent) for exponent in range(1, degree + 1)])


def _fit_poly(x: FloatArray, degree: int) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    """Return orthonormal polynomials of `x`; its mean, alpha and norm2 of their recurrence.

    R's alpha is ours plus the mean. Kept apart, new rows agree with the old ones to the
    last digits also where the mean is large: there R's own ``predict`` does not.
    """
    if np.isnan(x).any():
        raise DataError("missing values are not allowed in 'poly'")
    if degree >= len(np.unique(x)):
        raise DataError(_FEW_POINTS)
    if not np.isfinite(x).all():
        raise DataError("NA/NaN/Inf in foreign function call (arg 1)")
    centre = mean(x)
    centred = x - centre
    monic, rank = orthogonal_powers(centred, degree)
    if rank < degree:
        raise DataError(_FEW_POINTS)
    squares = monic * monic
    norm2 = _column_sums(squares)
    alpha = (_column_sums(centred[:, None] * squares) / norm2)[:degree]
    return (monic / np.sqrt(norm2))[:, 1:], centre, alpha, np.concatenate(([1.0], norm2))


def _recur_poly(x: FloatArray, alpha: FloatArray, norm2: FloatArray) -> FloatArray:
    """Return the polynomials of a stored recurrence at new points."""
    columns = [np.ones_like(x), x - alpha[0]]
    for i in range(1, len(alpha)):
        columns.append((x - alpha[i]) * columns[i] - (norm2[i + 1] / norm2[i]) * columns[i - 1])
    result: FloatArray = (np.column_stack(columns) / np.sqrt(norm2[1:]))[:, 1:]
    return result


def _poly_matrix(bases: list[FloatArray], degree: int) -> Matrix:
    """Return one basis as it is, or all products of several up to the total degree."""
    if len(bases) == 1:
        names = tuple(str(exponent) for exponent in range(1, degree + 1))
        return Matrix(np.asfortranarray(bases[0]), names)
    # R's expand.grid lets the first variable's exponent run fastest.
    exponents = [
        choice[::-1]
        for choice in itertools.product(range(degree + 1), repeat=len(bases))
        if 0 < sum(choice) <= degree
    ]
    full = [np.column_stack([np.ones(basis.shape[0]), basis]) for basis in bases]
    values = np.empty((bases[0].shape[0], len(exponents)), order="F")
    for place, choice in enumerate(exponents):
        column = full[0][:, choice[0]].copy()
        for basis, exponent in zip(full[1:], choice[1:], strict=True):
            column *= basis[:, exponent]
        values[:, place] = column
    return Matrix(values, tuple(".".join(map(str, choice)) for choice in exponents))


@function(
    "poly",
    "x, ..., degree = 1, coefs = NULL, raw = FALSE, simple = FALSE",
    role="basis",
    package="stats",
    purpose="orthogonal or raw polynomials, of one variable or several",
)
def poly(
    x: Value,
    dots: tuple[Dot, ...] = (),
    degree: Value | None = None,
    coefs: Value | None = None,
    raw: Value | None = None,
    simple: Value | None = None,
) -> tuple[Matrix, State]:
    """Return R's ``poly`` and, per variable, the mean and the recurrence."""
    del simple
    if coefs is not None and not isinstance(coefs, Null):
        raise DataError("poly(coefs = ) is for prediction; it cannot be given in a formula")
    columns, chosen, _ = _poly_arguments(x, dots, degree)
    if raw is not None and as_flag(raw, "raw"):
        with np.errstate(all="ignore"):
            bases = [_raw_powers(column, chosen) for column in columns]
        return _poly_matrix(bases, chosen), {"degree": chosen, "alpha": None}
    with np.errstate(all="ignore"):
        fits = [_fit_poly(column, chosen) for column in columns]
    state = {
        "degree": chosen,
        "mean": np.array([centre for _, centre, _, _ in fits]),
        "alpha": np.array([alpha for _, _, alpha, _ in fits]),
        "norm2": np.array([norm2 for _, _, _, norm2 in fits]),
    }
    return _poly_matrix([basis for basis, _, _, _ in fits], chosen), state


@replays("poly")
def poly_again(
    state: State,
    x: Value,
    dots: tuple[Dot, ...] = (),
    degree: Value | None = None,
    **options: Any,
) -> Matrix:
    """Return the polynomials at new points, by R's recurrence on the stored numbers."""
    del options
    columns, _, _ = _poly_arguments(x, dots, degree)
    chosen = int(state["degree"])
    with np.errstate(all="ignore"):
        if state["alpha"] is None:
            return _poly_matrix([_raw_powers(column, chosen) for column in columns], chosen)
        alpha = np.asarray(state["alpha"], dtype=np.float64)
        norm2 = np.asarray(state["norm2"], dtype=np.float64)
        if len(alpha) != len(columns):
            raise DataError("wrong number of columns in new data")
        centred = [column - centre for column, centre in zip(columns, state["mean"], strict=True)]
        bases = [_recur_poly(*parts) for parts in zip(centred, alpha, norm2, strict=True)]
    return _poly_matrix(bases, chosen)
