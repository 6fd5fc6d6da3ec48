"""Splines: R's bs and ns, which keep their knots for new rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py import linpack
from lme4py.errors import DataError
from lme4py.frame.coding import power
from lme4py.frame.functions.coercion import as_flag, as_number, flat
from lme4py.frame.functions.table import Context, State, function, replays
from lme4py.frame.values import FloatArray, Matrix, Null, Numeric, Value
from lme4py.moments import quantile

_BEYOND = "some 'x' values beyond boundary knots may cause ill-conditioned bases"
_MOST_KNOTS = 2_000
_HIGHEST_SPLINE = 50


def _given(value: Value | None) -> bool:
    return value is not None and not isinstance(value, Null)


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


def _spline_knots(
    x: FloatArray, count: int, given: FloatArray | None, outside: NDArray[np.bool_]
) -> FloatArray:
    """Return inner knots: those given, or `count` of them at quantiles of the values inside."""
    if given is not None:
        return given
    if count <= 0:
        return np.empty(0)
    if outside.all():
        return np.empty(0)
    return quantile(x[~outside], np.linspace(0.0, 1.0, count + 2)[1:-1])


class _SplineArguments:
    """What bs and ns are given, with R's defaults."""

    def __init__(
        self,
        x: Value,
        df: Value | None,
        knots: Value | None,
        intercept: Value | None,
        boundary: Value | None,
    ) -> None:
        numbers, _ = flat(x, "bs() and ns() take numeric variables")
        self.missing = np.isnan(numbers)
        self.x: FloatArray = numbers[~self.missing]
        if not self.x.size and boundary is None:
            raise DataError("a spline needs at least one value of 'x' that is not missing")
        self.df = as_number(df, "df") if df is not None and _given(df) else None
        self.knots = (
            flat(knots, "'knots' must be numeric")[0]
            if knots is not None and _given(knots)
            else None
        )
        self.intercept = intercept is not None and as_flag(intercept, "intercept")
        self.boundary_given = boundary is not None and _given(boundary)
        self.boundary: FloatArray = np.array([np.nan, np.nan])
        if self.x.size:
            self.boundary = np.array([self.x.min(), self.x.max()])
        if boundary is not None and self.boundary_given:
            self.boundary = np.sort(flat(boundary, "'Boundary.knots' must be numeric")[0])
        if self.boundary.size != 2 or not np.isfinite(self.boundary).all():
            raise DataError("'Boundary.knots' must be two finite numbers")
        if self.knots is not None and not np.isfinite(self.knots).all():
            raise DataError("'knots' must be finite")
        if self.knots is not None and self.knots.size > _MOST_KNOTS:
            raise DataError(f"splines have at most {_MOST_KNOTS} knots here")
        self.below = self.x < self.boundary[0]
        self.above = self.x > self.boundary[1]
        self.outside = self.below | self.above

    def spread(self, basis: FloatArray) -> Matrix:
        """Return the basis with rows of NaN where `x` was missing, and R's names."""
        if self.missing.any():
            full = np.full((self.missing.size, basis.shape[1]), np.nan, order="F")
            full[~self.missing] = basis
            basis = full
        names = tuple(str(place) for place in range(1, basis.shape[1] + 1))
        return Matrix(np.asfortranarray(basis), names)

    def state(self, knots: FloatArray, degree: int) -> State:
        """Return what R keeps to compute the basis again."""
        return {
            "knots": knots,
            "boundary": self.boundary,
            "degree": degree,
            "intercept": self.intercept,
        }


def _tail(
    arguments: _SplineArguments, which: NDArray[np.bool_], pivot: float, derivatives: FloatArray
) -> FloatArray:
    """Return the polynomial pieces beyond a boundary: a Taylor expansion at `pivot`."""
    distance = arguments.x[which] - pivot
    result = np.zeros((distance.size, derivatives.shape[1]))
    # Term by term, not as a product of matrices: a row must not depend on the rows beside it.
    for k, coefficients in enumerate(derivatives):
        result += power(distance, k)[:, None] * coefficients
    return result


def _whole_count(count: float) -> int:
    if math.isnan(count) or count != math.floor(count):
        raise DataError("'df' must be a whole number")
    if count > _MOST_KNOTS:
        raise DataError(f"splines have at most {_MOST_KNOTS} knots here")
    return int(count)


def _bs(arguments: _SplineArguments, degree: int, context: Context) -> tuple[Matrix, FloatArray]:
    order = degree + 1
    start = 0 if arguments.intercept else 1
    count = 0
    if arguments.df is not None and arguments.knots is None:
        count = _whole_count(arguments.df) - order + start
        if count < 0:
            context.warn(f"'df' was too small; have used {order - start}")
    knots = _spline_knots(arguments.x, count, arguments.knots, arguments.outside)
    low, high = arguments.boundary
    full = np.sort(np.concatenate((np.repeat(arguments.boundary, order), knots)))
    inside = ~arguments.outside
    if inside.all():
        basis = _design(full, arguments.x, order)
    else:
        context.warn(_BEYOND)
        basis = np.zeros((arguments.x.size, full.size - order), order="F")
        scaling = np.array([[float(math.factorial(k))] for k in range(order)])
        # R expands at a quarter of the way to the first inner knot.
        for which, end, inner in (
            (arguments.below, low, full[order]),
            (arguments.above, high, full[-order - 1]),
        ):
            if which.any():
                pivot = float(0.75 * end + 0.25 * inner)
                pieces = _derivatives(full, pivot, order, list(range(order))) / scaling
                basis[which] = _tail(arguments, which, pivot, pieces)
        if inside.any():
            basis[inside] = _design(full, arguments.x[inside], order)
    return arguments.spread(basis[:, start:]), knots


def _ns(arguments: _SplineArguments, context: Context) -> tuple[Matrix, FloatArray]:
    start = 0 if arguments.intercept else 1
    if not arguments.boundary_given and arguments.x.size == 1:
        arguments.boundary = np.sort(arguments.x[0] * np.array([7.0, 9.0]) / 8.0)
    count = 0
    if arguments.df is not None and arguments.knots is None:
        count = _whole_count(arguments.df) - 2 + start
        if count < 0:
            context.warn(f"'df' was too small; have used {2 - start}")
    knots = _spline_knots(arguments.x, count, arguments.knots, arguments.outside)
    if knots.size < count:
        raise DataError("no value of 'x' lies inside 'Boundary.knots' to place inner knots by")
    low, high = (float(end) for end in arguments.boundary)
    full = np.sort(np.concatenate((np.repeat(arguments.boundary, 4), knots)))
    inside = ~arguments.outside
    if inside.all():
        basis = _design(full, arguments.x, 4)
    else:
        basis = np.zeros((arguments.x.size, full.size - 4), order="F")
        for which, end in ((arguments.below, low), (arguments.above, high)):
            if which.any():
                basis[which] = _tail(arguments, which, end, _derivatives(full, end, 4, [0, 1]))
        if inside.any():
            basis[inside] = _design(full, arguments.x[inside], 4)
    bends = np.vstack([_derivatives(full, end, 4, [2]) for end in (low, high)])[:, start:]
    if not np.isfinite(bends).all():
        raise DataError("NA/NaN/Inf in foreign function call (arg 1)")
    constraint = linpack.qr(np.ascontiguousarray(bends.T))
    natural = linpack.q_transpose_times(constraint, basis[:, start:].T)
    return arguments.spread(natural[2:].T), knots


def _degree(degree: Value | None) -> int:
    chosen = 3.0 if degree is None else as_number(degree, "degree")
    if math.isnan(chosen) or chosen < 1:
        raise DataError("'degree' must be integer >= 1")
    if chosen > _HIGHEST_SPLINE:
        raise DataError(f"splines have a degree of at most {_HIGHEST_SPLINE} here")
    return int(chosen)


@function(
    "bs",
    "x, df = NULL, knots = NULL, degree = 3, intercept = FALSE, Boundary.knots?",
    role="basis",
    package="splines",
    purpose="B-spline basis",
)
def bs(
    x: Value,
    context: Context,
    df: Value | None = None,
    knots: Value | None = None,
    degree: Value | None = None,
    intercept: Value | None = None,
    boundary_knots: Value | None = None,
) -> tuple[Matrix, State]:
    """Return R's ``bs`` and its knots, boundary, degree and intercept."""
    chosen = _degree(degree)
    arguments = _SplineArguments(x, df, knots, intercept, boundary_knots)
    with np.errstate(all="ignore"):
        basis, used = _bs(arguments, chosen, context)
    return basis, arguments.state(used, chosen)


@function(
    "ns",
    "x, df = NULL, knots = NULL, intercept = FALSE, Boundary.knots?",
    role="basis",
    package="splines",
    purpose="natural cubic spline basis",
)
def ns(
    x: Value,
    context: Context,
    df: Value | None = None,
    knots: Value | None = None,
    intercept: Value | None = None,
    boundary_knots: Value | None = None,
) -> tuple[Matrix, State]:
    """Return R's ``ns`` and its knots, boundary and intercept."""
    arguments = _SplineArguments(x, df, knots, intercept, boundary_knots)
    with np.errstate(all="ignore"):
        basis, used = _ns(arguments, context)
    return basis, arguments.state(used, 3)


def _stored(state: State, x: Value) -> _SplineArguments:
    """Return the arguments R uses to compute a stored basis at new points."""
    return _SplineArguments(
        x,
        None,
        Numeric(np.asarray(state["knots"], dtype=np.float64), "double"),
        Numeric(np.array([bool(state["intercept"])]), "logical"),
        Numeric(np.asarray(state["boundary"], dtype=np.float64), "double"),
    )


@replays("bs")
def bs_again(state: State, x: Value, context: Context, **options: Any) -> Matrix:
    """Return the stored basis at new points."""
    del options
    with np.errstate(all="ignore"):
        return _bs(_stored(state, x), int(state["degree"]), context)[0]


@replays("ns")
def ns_again(state: State, x: Value, context: Context, **options: Any) -> Matrix:
    """Return the stored basis at new points."""
    del options
    with np.errstate(all="ignore"):
        return _ns(_stored(state, x), context)[0]
