"""Columns made from columns: scaling, polynomials, splines.

Each is a fit, which finds the state from the values of all rows, and a replay, which makes
the columns of any rows from the state.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lme4py import linpack
from lme4py.data.coding import orthogonal_powers, power
from lme4py.data.values import FloatArray, Matrix, Numeric, Value, length
from lme4py.errors import DataError
from lme4py.functions.coercion import as_columns, elements
from lme4py.functions.table import MISSING, TRUE, Context, Dot, State, as_flag, as_integer, function
from lme4py.moments import WIDE, Asking, answered, mean, means, quantile, total
from lme4py.versions import followed

# Scaling ------------------------------------------------------------------------------------


def _chosen(option: Value, name: str, count: int) -> FloatArray | bool:
    """Return an option of scale that is TRUE, FALSE or one number per column."""
    if isinstance(option, Numeric) and option.kind == "logical":
        return as_flag(option, name)
    given, _ = elements(option, f"invalid '{name}' argument")
    if given.size != count:
        raise DataError(f"length of '{name}' must equal the number of columns of 'x'")
    return given


def _scaled(state: State, x: Value) -> Matrix:
    """Return rows on the stored centre and scale."""
    values = as_columns(x, followed().not_numeric)
    with np.errstate(all="ignore"):
        for option, step in (("center", np.subtract), ("scale", np.divide)):
            if state[option] is None:
                continue
            stored = np.asarray(state[option], dtype=np.float64)
            if stored.size != values.shape[1]:
                raise DataError(f"length of '{option}' must equal the number of columns of 'x'")
            values = step(values, stored)
    return Matrix(np.asfortranarray(values), x.names if isinstance(x, Matrix) else None)


@function("scale", role="basis", replay=_scaled)
def _centre_and_spread(x: Value, center: Value = TRUE, scale: Value = TRUE) -> Asking[State]:
    """Return columns centred and divided by the standard deviation."""
    values = as_columns(x, followed().not_numeric)
    middle = _chosen(center, "center", values.shape[1])
    divisor = _chosen(scale, "scale", values.shape[1])
    if middle is True:
        # R's colMeans, which corrects nothing.
        middle = np.array((yield from means(_known(values), corrected=not WIDE)))
    if divisor is True:
        centred = values if middle is False else values - middle
        sums = yield [column * column for column in _known(centred)]
        divisor = np.sqrt([float(total) / max(1, size - 1) for size, total in sums])
    return {
        "center": None if middle is False else middle,
        "scale": None if divisor is False else divisor,
    }


def _known(columns: FloatArray) -> list[FloatArray]:
    return [column[~np.isnan(column)] for column in columns.T]


def scale(matrix: Matrix) -> tuple[Matrix, State]:
    """Return R's ``scale(matrix)``, and the centre and the scale of each column."""
    state = answered(_centre_and_spread(matrix))
    return _scaled(state, matrix), state


# Polynomials --------------------------------------------------------------------------------

_FEW_POINTS = "'degree' must be less than number of unique points"
_MOST_DEGREES = 1_000
_MOST_PRODUCTS = 1_000_000


def _variables(x: Value, dots: tuple[Dot, ...], degree: int) -> tuple[list[FloatArray], int]:
    """Return the variables of a call of poly, and its degree, which may stand in their place."""
    values = [x]
    # One new row makes a second variable look like a degree.
    if len(dots) == 1 and length(dots[0].value) == 1 and not dots[0].rowwise:
        degree = as_integer(dots[0].value, "degree")
    else:
        values += [dot.value for dot in dots]
    matrices = [as_columns(value, "poly() takes numeric variables") for value in values]
    if len({len(matrix) for matrix in matrices}) > 1:
        raise DataError("arguments must have the same length")
    return [column for matrix in matrices for column in matrix.T], degree


def _fit(x: FloatArray, degree: int) -> tuple[FloatArray, float, FloatArray, FloatArray]:
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
    # R's colSums: long double sums from the first row to the last.
    norm2 = np.array([total(column * column) for column in monic.T])
    weighted = np.array([total(centred * (column * column)) for column in monic.T])
    monic /= np.sqrt(norm2)
    return monic[:, 1:], centre, (weighted / norm2)[:degree], np.concatenate(([1.0], norm2))


def _recurred(x: FloatArray, alpha: FloatArray, norm2: FloatArray) -> FloatArray:
    """Return the polynomials of a stored recurrence at new points."""
    columns = [np.ones_like(x), x - alpha[0]]
    for i in range(1, len(alpha)):
        columns.append((x - alpha[i]) * columns[i] - (norm2[i + 1] / norm2[i]) * columns[i - 1])
    result: FloatArray = (np.column_stack(columns) / np.sqrt(norm2[1:]))[:, 1:]
    return result


def _products(bases: list[FloatArray], degree: int) -> Matrix:
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


def _bounded_degree(degree: int, columns: Sequence[FloatArray]) -> None:
    if degree < 1:
        raise DataError("'degree' must be at least 1")
    if degree > _MOST_DEGREES or (degree + 1) ** len(columns) > _MOST_PRODUCTS:
        raise DataError(f"poly() makes at most {_MOST_DEGREES} degrees")


def _poly_again(state: State, x: Value, dots: tuple[Dot, ...] = (), degree: int = 1) -> Matrix:
    """Return the polynomials at new points, by R's recurrence on the stored numbers."""
    columns, _ = _variables(x, dots, degree)
    degree = int(state["degree"])
    _bounded_degree(degree, columns)
    with np.errstate(all="ignore"):
        if state["alpha"] is None:
            powers = range(1, degree + 1)
            bases = [np.column_stack([power(column, k) for k in powers]) for column in columns]
            return _products(bases, degree)
        alpha = np.asarray(state["alpha"], dtype=np.float64)
        norm2 = np.asarray(state["norm2"], dtype=np.float64)
        if alpha.shape != (len(columns), degree):
            raise DataError("wrong number of columns in new data")
        centred = [column - centre for column, centre in zip(columns, state["mean"], strict=True)]
        bases = [_recurred(*parts) for parts in zip(centred, alpha, norm2, strict=True)]
    return _products(bases, degree)


@function(
    {
        "poly": "Orthogonal or raw polynomials, of one variable or several.",
        "polym": "The same, of several variables.",
    },
    role="basis",
    package="stats",
    replay=_poly_again,
)
def _poly(
    x: Value,
    dots: tuple[Dot, ...] = (),
    degree: int = 1,
    raw: bool = False,
    simple: bool = False,  # noqa: ARG001  # only attributes differ
) -> tuple[Matrix, State] | State:
    """Return orthogonal or raw polynomials, of one variable or several."""
    columns, degree = _variables(x, dots, degree)
    _bounded_degree(degree, columns)
    if raw:
        return {"degree": degree, "alpha": None}
    with np.errstate(all="ignore"):
        fits = [_fit(column, degree) for column in columns]
    state = {
        "degree": degree,
        "mean": np.array([centre for _, centre, _, _ in fits]),
        "alpha": np.array([alpha for _, _, alpha, _ in fits]),
        "norm2": np.array([norm2 for _, _, _, norm2 in fits]),
    }
    return _products([basis for basis, _, _, _ in fits], degree), state


# Splines ------------------------------------------------------------------------------------

_BEYOND = "some 'x' values beyond boundary knots may cause ill-conditioned bases"
_MOST_KNOTS = 2_000
_HIGHEST_DEGREE = 50
_PIECE = 1 << 14  # rows whose numbers stay in the cache


def _design(knots: FloatArray, x: FloatArray, order: int) -> FloatArray:
    """Return the B-spline basis at `x` by the recurrence of Cox and de Boor.

    Zero-length intervals, which knots tied with a boundary make, contribute nothing;
    a point on the right end belongs to the last interval, as in R.
    """
    count = knots.size - order
    if x.size and (x.min() < knots[order - 1] or x.max() > knots[count]):
        raise DataError(
            f"the 'x' data must be in the range {knots[order - 1]:g} to {knots[count]:g} "
            "unless you set 'outer.ok = TRUE'"
        )
    cursor = np.minimum(np.searchsorted(knots, x, side="right"), count)
    right = [knots[cursor + r] - x for r in range(order - 1)]
    left = [x - knots[cursor - 1 - r] for r in range(order - 1)]
    values = [np.ones_like(x)]
    for j in range(1, order):
        carried = np.zeros_like(x)
        for r in range(j):
            width = right[r] + left[j - 1 - r]
            share = values[r] / width
            flat_interval = width == 0
            if flat_interval.any():
                share[flat_interval] = 0.0
                kept = flat_interval & (right[r] == 0) if r == 0 else np.zeros_like(flat_interval)
                values[r] = np.where(kept, values[r], carried + right[r] * share)
            else:
                values[r] = carried + right[r] * share
            carried = left[j - 1 - r] * share
        values.append(carried)
    basis = np.zeros((x.size, count), order="F")
    rows = np.arange(x.size)
    for place, column in enumerate(values):
        basis[rows, cursor - order + place] = column
    return basis


def _derivatives(knots: FloatArray, point: float, order: int, orders: list[int]) -> FloatArray:
    """Return derivatives of each B-spline at a point, one row per order of derivative."""
    from scipy.interpolate import BSpline

    if not knots[order - 1] < knots[knots.size - order]:
        return np.full((len(orders), knots.size - order), np.nan)
    splines = BSpline(knots, np.eye(knots.size - order), order - 1)
    values = np.array([splines(point, nu=nu) for nu in orders], dtype=np.float64)
    # R divides by the length of the interval, which is zero where a knot is tied with
    # the right boundary or lies beyond it.
    cursor = min(int(np.searchsorted(knots, point, side="right")), knots.size - order)
    if knots[cursor] == knots[cursor - 1]:
        derived = np.array(orders) > 0
        values[np.flatnonzero(derived)[:, None], np.arange(cursor - order, cursor)] = np.nan
    return values


def _extended(
    knots: FloatArray,
    x: FloatArray,
    order: int,
    ends: tuple[float, float],
    pivots: tuple[float, float],
    orders: list[int],
) -> FloatArray:
    """Return the basis at all points: beyond the boundary, a Taylor expansion at a pivot."""
    beyond = x < ends[0], x > ends[1]
    inside = ~(beyond[0] | beyond[1])
    if inside.all():
        return _design(knots, x, order)
    basis = np.zeros((x.size, knots.size - order), order="F")
    for which, pivot in zip(beyond, pivots, strict=True):
        if not which.any():
            continue
        pieces = _derivatives(knots, pivot, order, orders)
        distance = x[which] - pivot
        tail = np.zeros((distance.size, basis.shape[1]))
        # Term by term, not as a product of matrices: a row must not depend on those beside it.
        for k, coefficients in zip(orders, pieces, strict=True):
            tail += power(distance, k)[:, None] * (coefficients / math.factorial(k))
        basis[which] = tail
    if inside.any():
        basis[inside] = _design(knots, x[inside], order)
    return basis


def _all_knots(state: State, order: int) -> tuple[FloatArray, float, float]:
    """Return all knots in order, and the boundary; inner knots may lie beyond it."""
    low, high = (float(end) for end in state["boundary"])
    inner = np.asarray(state["knots"], dtype=np.float64)
    return np.sort(np.concatenate((np.repeat((low, high), order), inner))), low, high


def _points(x: Value) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the numbers of a variable that are not missing, and where they are."""
    points, _ = elements(x, "bs() and ns() take numeric variables")
    known = ~np.isnan(points)
    return points if known.all() else points[known], known


def _in_rows(
    make: Callable[[FloatArray], FloatArray],
    points: FloatArray,
    known: NDArray[np.bool_],
    width: int,
) -> Matrix:
    """Return columns made of each point alone, NaN where the variable is missing, and R's names."""
    made = np.empty((points.size, width), order="F")
    with np.errstate(all="ignore"):
        for begin in range(0, points.size, _PIECE):
            rows = slice(begin, begin + _PIECE)
            made[rows] = make(points[rows])
    if not known.all():
        full = np.full((known.size, width), np.nan, order="F")
        full[known] = made
        made = full
    return Matrix(made, tuple(str(place) for place in range(1, width + 1)))


def _b_splines(state: State, x: Value, context: Context) -> Matrix:
    """Return B-splines at the stored knots."""
    points, known = _points(x)
    order = int(state["degree"]) + 1
    start = 0 if state["intercept"] else 1
    knots, low, high = _all_knots(state, order)
    if points.size and (points.min() < low or points.max() > high):
        context.warn(_BEYOND)
    # R expands at a quarter of the way to the first inner knot.
    pivots = (
        0.75 * low + 0.25 * float(knots[order]),
        0.75 * high + 0.25 * float(knots[-order - 1]),
    )

    def basis(piece: FloatArray) -> FloatArray:
        return _extended(knots, piece, order, (low, high), pivots, list(range(order)))[:, start:]

    return _in_rows(basis, points, known, knots.size - order - start)


def _natural_splines(state: State, x: Value) -> Matrix:
    """Return natural cubic splines at the stored knots: straight lines beyond the boundary."""
    points, known = _points(x)
    knots, *ends = _all_knots(state, 4)
    low, high = ends
    start = 0 if state["intercept"] else 1
    with np.errstate(all="ignore"):
        bends = np.vstack([_derivatives(knots, end, 4, [2]) for end in ends])[:, start:]
    if not np.isfinite(bends).all():
        raise DataError("NA/NaN/Inf in foreign function call (arg 1)")
    constraint = linpack.qr(np.ascontiguousarray(bends.T))

    def natural(piece: FloatArray) -> FloatArray:
        basis = _extended(knots, piece, 4, (low, high), (low, high), [0, 1])[:, start:]
        return linpack.q_times(constraint, basis.T, transposed=True)[2:].T

    return _in_rows(natural, points, known, knots.size - 4 - start - 2)


def _placed(
    x: Value,
    context: Context,
    df: int | None,
    given: Value | None,
    ends: Value,
    *,
    degree: int,
    intercept: bool,
    natural: bool = False,
) -> State:
    """Return what a spline is made from: its knots are given, or at quantiles for `df` columns."""
    points, _ = _points(x)
    if ends is not MISSING:
        boundary = np.sort(elements(ends, "'Boundary.knots' must be numeric")[0])
    elif natural and points.size == 1:
        boundary = np.sort(points[0] * np.array([7.0, 9.0]) / 8.0)
    elif points.size:
        boundary = np.array([points.min(), points.max()])
    else:
        raise DataError("a spline needs at least one value of 'x' that is not missing")
    if boundary.size != 2 or not np.isfinite(boundary).all():
        raise DataError("'Boundary.knots' must be two finite numbers")
    # So many columns need no knots.
    fewest = (1 if natural else degree) + intercept
    count, knots = 0 if df is None else df - fewest, np.empty(0)
    if given is not None:
        knots, _ = elements(given, "'knots' must be numeric")
        if not np.isfinite(knots).all():
            raise DataError("'knots' must be finite")
        count = knots.size
    if count > _MOST_KNOTS:
        raise DataError(f"splines have at most {_MOST_KNOTS} knots here")
    if count < 0:
        context.warn(f"'df' was too small; have used {fewest}")
    inside = points[(points >= boundary[0]) & (points <= boundary[1])]
    if given is None and count > 0 and inside.size:
        knots = quantile(inside, np.linspace(0.0, 1.0, count + 2)[1:-1])
        if context.lme4.moves_knots and np.isin(knots, boundary).any():
            knots = _moved_inside(knots, boundary, context, stops=natural)
    elif given is None and count > 0 and natural:
        raise DataError("no value of 'x' lies inside 'Boundary.knots' to place inner knots by")
    return {"knots": knots, "boundary": boundary, "degree": degree, "intercept": intercept}


def _moved_inside(
    knots: FloatArray, boundary: FloatArray, context: Context, *, stops: bool
) -> FloatArray:
    """Return inner knots with those that lie on the boundary moved inside, as R 4.6 does."""
    moved, stuck = knots.copy(), False
    for side, end in zip(("left", "right"), boundary, strict=True):
        there = moved == end
        if there.all():
            stuck = True
            text = f"all interior knots match {side} boundary knot"
            if stops:
                raise DataError(text)
            context.warn(text)
        elif there.any():
            others = moved[~there]
            nearest = others.min() if side == "left" else others.max()
            moved[there] = end + (nearest - end) / 8
    if not stuck:
        context.warn("shoving 'interior' knots matching boundary knots to inside")
    return moved


@function("bs", role="basis", package="splines", replay=_b_splines)
def _bs(
    x: Value,
    context: Context,
    df: int | None = None,
    knots: Value | None = None,
    degree: int = 3,
    intercept: bool = False,
    Boundary_knots: Value = MISSING,
) -> State:
    """Return a B-spline basis."""
    if degree < 1:
        raise DataError("'degree' must be integer >= 1")
    if degree > _HIGHEST_DEGREE:
        raise DataError(f"splines have a degree of at most {_HIGHEST_DEGREE} here")
    return _placed(x, context, df, knots, Boundary_knots, degree=degree, intercept=intercept)


@function("ns", role="basis", package="splines", replay=_natural_splines)
def _ns(
    x: Value,
    context: Context,
    df: int | None = None,
    knots: Value | None = None,
    intercept: bool = False,
    Boundary_knots: Value = MISSING,
) -> State:
    """Return a natural cubic spline basis."""
    ends = Boundary_knots
    return _placed(x, context, df, knots, ends, degree=3, intercept=intercept, natural=True)
