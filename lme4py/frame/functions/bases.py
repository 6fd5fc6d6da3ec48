"""Columns made from columns: I, offset, cbind, scale, poly, and the splines bs and ns.

A basis keeps what R keeps for prediction: centre and scale, the recurrence of the
polynomials, the knots of the splines.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py import linpack
from lme4py.errors import DataError
from lme4py.formula.syntax import Symbol
from lme4py.frame.coding import orthogonal_powers, power
from lme4py.frame.functions.coercion import as_flag, as_number, flat, higher
from lme4py.frame.functions.table import Context, Dot, State, function, replays
from lme4py.frame.values import (
    Character,
    Factor,
    Kind,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
)
from lme4py.moments import mean, quantile, running_total, total

FloatArray = NDArray[np.float64]

_FEW_POINTS = "'degree' must be less than number of unique points"
_BEYOND = "some 'x' values beyond boundary knots may cause ill-conditioned bases"
_MOST_DEGREES = 1_000
_MOST_PRODUCTS = 1_000_000
_MOST_KNOTS = 2_000
_HIGHEST_SPLINE = 50
_NOT_NUMERIC = "'x' must be numeric"


@function("I", "x", role="elementwise", purpose="protect an expression from the formula's algebra")
def identity(x: Value) -> Value:
    """Return the argument."""
    if isinstance(x, MalformedFactor) and x.kind == "double":
        raise DataError('adding class "factor" to an invalid object')
    return x


@function("offset", "object", role="elementwise", package="stats", purpose="a known offset")
def offset(object: Value) -> Value:
    """Return the argument; the formula gives it its meaning."""
    return object


def _given(value: Value | None) -> bool:
    return value is not None and not isinstance(value, Null)


def _column_sums(columns: FloatArray) -> FloatArray:
    """Return R's ``colSums``: long double sums from the first row to the last."""
    return np.array([total(column) for column in columns.T], dtype=np.float64)


# cbind ---------------------------------------------------------------------------------


def _cbind_part(dot: Dot) -> tuple[FloatArray, Kind]:
    """Return an argument of cbind as an array, with R's type."""
    match dot.value:
        case Matrix():
            return dot.value.values, dot.value.kind
        case Numeric():
            return dot.value.as_float(), dot.value.kind
        case Factor():
            codes = dot.value.codes
            return np.where(codes < 0, np.nan, codes + 1.0), "integer"
        case Character():
            raise DataError("cbind() of text makes a character matrix, which no model can use")
        case _:
            raise DataError("cbind() takes numbers, factors and matrices of numbers")


@function(
    "cbind",
    "..., deparse.level = 1",
    role="elementwise",
    purpose="columns side by side; on the left side, successes and failures",
)
def cbind(
    context: Context, dots: tuple[Dot, ...] = (), deparse_level: Value | None = None
) -> Value:
    """Return R's ``cbind``: named arguments and plain symbols name their columns."""
    level = 1.0 if deparse_level is None else as_number(deparse_level, "deparse.level")
    used = [dot for dot in dots if not isinstance(dot.value, Null)]
    if not used:
        return Null()
    parts = [_cbind_part(dot) for dot in used]
    heights = {part.shape[0] for part, _ in parts if part.ndim == 2}
    if len(heights) > 1:
        where = next(
            place
            for place, (part, _) in enumerate(parts, 1)
            if part.ndim == 2 and part.shape[0] != parts[0][0].shape[0]
        )
        raise DataError(f"number of rows of matrices must match (see arg {where})")
    rows = heights.pop() if heights else max(part.shape[0] for part, _ in parts)
    columns: list[FloatArray] = []
    names: list[str] = []
    for place, (dot, (part, _)) in enumerate(zip(used, parts, strict=True), 1):
        if part.ndim == 2:
            columns.append(part)
            known = dot.value.names if isinstance(dot.value, Matrix) else None
            names.extend(known or [""] * part.shape[1])
            continue
        if part.shape[0] == 0 and rows > 0:
            continue
        if rows % max(part.shape[0], 1) or part.shape[0] > rows:
            context.warn(
                f"number of rows of result is not a multiple of vector length (arg {place})"
            )
        columns.append(np.resize(part, rows).reshape(-1, 1))
        if dot.name:
            names.append(dot.name)
        else:
            plain = level >= 1 and isinstance(dot.node, Symbol)
            names.append(dot.node.name if plain and isinstance(dot.node, Symbol) else "")
    values = np.asfortranarray(np.hstack(columns), dtype=np.float64)
    kind = higher(*(kind for _, kind in parts))
    return Matrix(values, tuple(names) if any(names) else None, kind)


# scale ---------------------------------------------------------------------------------


def _columns(x: Value) -> tuple[FloatArray, tuple[str, ...] | None]:
    """Return a vector or matrix as a matrix of doubles, with its names."""
    if isinstance(x, Numeric):
        return x.as_float().reshape(-1, 1), None
    if isinstance(x, Matrix):
        return x.values, x.names
    raise DataError(_NOT_NUMERIC)


def _column_mean(values: FloatArray) -> float:
    """Return R's ``colMeans(na.rm = TRUE)``: unlike ``mean`` it is not corrected."""
    kept = values[~np.isnan(values)]
    if not kept.size:
        return math.nan
    if np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        return mean(kept)
    return float(running_total(kept)[-1] / kept.size)


def _spread(values: FloatArray) -> float:
    kept = values[~np.isnan(values)]
    return math.sqrt(total(kept * kept) / max(1, kept.size - 1))


def _chosen(option: Value | None, name: str, count: int) -> FloatArray | bool:
    """Return an option of scale that is TRUE, FALSE or one number per column."""
    if option is None:
        return True
    if isinstance(option, Numeric) and option.kind == "logical":
        return as_flag(option, name)
    numbers, _ = flat(option, f"invalid '{name}' argument")
    if numbers.size != count:
        raise DataError(f"length of '{name}' must equal the number of columns of 'x'")
    return numbers


@function(
    "scale",
    "x, center = TRUE, scale = TRUE",
    role="basis",
    purpose="centre and divide by the standard deviation",
)
def scale(
    x: Value, center: Value | None = None, scale: Value | None = None
) -> tuple[Matrix, State]:
    """Return R's ``scale`` and the centre and scale used (None where there is none)."""
    values, names = _columns(x)
    count = values.shape[1]
    with np.errstate(all="ignore"):
        middle = _chosen(center, "center", count)
        if middle is True:
            middle = np.array([_column_mean(column) for column in values.T])
        if middle is not False:
            values = values - middle
        divisor = _chosen(scale, "scale", count)
        if divisor is True:
            divisor = np.array([_spread(column) for column in values.T])
        if divisor is not False:
            values = values / divisor
    state = {
        "center": None if middle is False else middle,
        "scale": None if divisor is False else divisor,
    }
    return Matrix(np.asfortranarray(values), names), state


@replays("scale")
def scale_again(
    state: State, x: Value, center: Value | None = None, scale: Value | None = None
) -> Matrix:
    """Return new rows on the stored centre and scale."""
    del center, scale
    values, names = _columns(x)
    with np.errstate(all="ignore"):
        for option, step in (("center", np.subtract), ("scale", np.divide)):
            if state[option] is None:
                continue
            numbers = np.asarray(state[option], dtype=np.float64)
            if numbers.size != values.shape[1]:
                raise DataError(f"length of '{option}' must equal the number of columns of 'x'")
            values = step(values, numbers)
    return Matrix(np.asfortranarray(values), names)


# poly ----------------------------------------------------------------------------------


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
    if _given(coefs):
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
    coefs: Value | None = None,
    raw: Value | None = None,
    simple: Value | None = None,
) -> Matrix:
    """Return the polynomials at new points, by R's recurrence on the stored numbers."""
    del coefs, raw, simple
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


# Splines -------------------------------------------------------------------------------


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
