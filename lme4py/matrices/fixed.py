"""The fixed part: X with R's attributes, lme4's checks of it, and its columns for new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, log
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control
from lme4py.data.values import FloatArray, Matrix
from lme4py.errors import CheckError, DataError, FormulaError
from lme4py.formula.terms import Terms
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.bases import scale
from lme4py.functions.table import Context
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import ModelMatrix, Plan
from lme4py.matrices.rank import rank_of
from lme4py.messages import Messages, rows_text
from lme4py.moments import sum_of_squares

if TYPE_CHECKING:
    from scipy.sparse import csc_array

_SCALE_LIMIT = log(1e3)
_HEAD = 64
_MANY, _STEP = 4096, 64
_NOT_CANCELLED, _MARGIN = 1e-4, 1e-3


@dataclass(frozen=True, eq=False, repr=False, slots=True, kw_only=True)
class FixedEffects(Abbreviated):
    """The fixed part beside its matrix.

    Parameters
    ----------
    names : list of str
        Column names of X.
    assign : ndarray of int64
        The term of each column, 0 for the intercept.
    contrasts : dict
        Contrast of every factor: a name, or the matrix that was given.
    dropped : dict of str to int
        Columns left out because they depend on others: name and 0-based position.
    terms : list of str
        R's term labels.
    scales : dict of str to float
        Divisors of columns that ``check_scaleX`` or ``autoscale`` rescaled.
    plan : Plan
        How the columns are made of the variables', before any was dropped or rescaled.
    kept : tuple of int
        Which columns of the plan X has.
    centers : dict of str to float
        What ``autoscale`` subtracted from columns.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> design.fixed.names, design.fixed.assign.tolist(), design.fixed.terms
    (['(Intercept)', 'Days'], [0, 1], ['Days'])
    """

    names: list[str]
    assign: NDArray[np.int64]
    contrasts: dict[str, str | Matrix]
    dropped: dict[str, int]
    terms: list[str]
    scales: dict[str, float]
    plan: Plan
    kept: tuple[int, ...] = field(repr=False)
    centers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False, slots=True, kw_only=True)
class LearnedColumns(Abbreviated):
    """What is learned of X, so that new rows get the same columns.

    `kept` are the columns of the full model matrix that X has, whose `names` are theirs; `centers`
    are taken off them (0 for nothing) and they are divided by `divisors` (1 for nothing).
    """

    contrasts: Mapping[str, str | Matrix]
    kept: tuple[int, ...]
    names: tuple[str, ...]
    centers: tuple[float, ...]
    divisors: tuple[float, ...]

    def matrix(self, terms: Terms, frame: ModelFrame, context: Context) -> FloatArray:
        """Return X of new rows, shape (m, p): the columns that were kept, centred and scaled."""
        for name in terms.frame_names:
            if name.startswith("(") and name not in (*frame.variables, frame.response):
                raise FormulaError(
                    f"X has a column of the argument '{name.strip('()')}', for which '.' stands "
                    "too: it has no values for new rows"
                )
        contrasts, known = self.contrasts, frame.response in frame.variables
        if frame.response is not None and not known:
            # "." may stand for the response under a second name, of which no column is made.
            twin = f"{frame.response}."
            contrasts = {n: item for n, item in contrasts.items() if not n.startswith(twin)}
        layout = plan(terms, frame, context, contrasts, with_response=known)
        if max(self.kept, default=-1) >= len(layout.names) or any(
            layout.names[place] != name for place, name in zip(self.kept, self.names, strict=True)
        ):
            raise DataError("the spec does not fit its formula: it names other columns of X")
        values = np.empty((frame.rows, len(self.kept)), order="F")
        learned = zip(self.kept, self.centers, self.divisors, strict=True)
        for target, (source, center, divisor) in enumerate(learned):
            column = layout.column(source)
            if center != 0.0:
                column -= center
            if divisor != 1.0:
                column /= divisor
            values[:, target] = column
        return values


def fixed_part(
    terms: Terms,
    frame: ModelFrame,
    context: Context,
    messages: Messages,
    *,
    contrasts: Any,
    control: Control | None,
    sparse: bool,
) -> tuple[FloatArray | csc_array, FixedEffects, LearnedColumns]:
    """Return X without its dependent columns, scaled as the checks say, and all about it.

    Without `control` no check is made: X has all its columns.
    """
    if isinstance(contrasts, list | tuple):
        raise DataError("'contrasts.arg' argument must be named", hint="give {variable: contrast}")
    if not isinstance(contrasts, Mapping | None):
        context.warn("non-list contrasts argument ignored")
        contrasts = None
    layout = plan(terms, frame, context, contrasts)
    for text in layout.warnings:
        context.warn(text)
    matrix = layout.sparse_matrix() if sparse else layout.matrix()
    try:
        return checked_columns(matrix, terms.labels, control, context, messages)
    except CheckError as error:
        error.hint = error.hint or _not_finite(matrix, frame)
        raise


def checked_columns(
    matrix: ModelMatrix,
    labels: Sequence[str],
    control: Control | None,
    context: Context,
    messages: Messages,
) -> tuple[FloatArray | csc_array, FixedEffects, LearnedColumns]:
    """Check the rank and the scales of X's columns; without `control` all stay as they are."""
    dropped: dict[str, int] = {}
    whole = matrix
    if control is not None:
        if control.autoscale:
            whole = _autoscaled(whole)
        matrix, dropped = _rank_checked(whole, control.check_rankX, context, messages)
        matrix = _scale_checked(matrix, control.check_scaleX, context, messages)
    names, layout = matrix.names, matrix.plan
    fixed = FixedEffects(
        names=list(names),
        assign=np.array([layout.assign[place] for place in matrix.kept], dtype=np.int64),
        contrasts=dict(layout.contrasts),
        dropped=dropped,
        terms=list(labels),
        # Of dropped columns, too: they were scaled before.
        scales=_numbers_of(whole, "divisors") | _numbers_of(matrix, "divisors"),
        plan=layout,
        kept=matrix.kept,
        centers=_numbers_of(whole, "centers"),
    )
    learned = LearnedColumns(
        contrasts=fixed.contrasts,
        kept=matrix.kept,
        names=names,
        centers=tuple(0.0 if isnan(number) else number for number in matrix.centers.tolist()),
        divisors=tuple(1.0 if isnan(number) else number for number in matrix.divisors.tolist()),
    )
    return matrix.values, fixed, learned


def _numbers_of(matrix: ModelMatrix, part: Literal["centers", "divisors"]) -> dict[str, float]:
    pairs = zip(matrix.names, getattr(matrix, part).tolist(), strict=True)
    return {name: number for name, number in pairs if not isnan(number)}


def _not_finite(matrix: ModelMatrix, frame: ModelFrame) -> str | None:
    """Return which columns of X have missing or infinite values, and where."""
    found = []
    for number, name in enumerate(matrix.names):
        values = matrix.column(number)
        mask = ~np.isfinite(values)
        if mask.any():
            found.append(f"'{name}' in X: {rows_text(mask, frame.positions, values)}")
    return "\n".join(found) or None


# lme4's checks of X ---------------------------------------------------------------------------


def _rank_checked(
    matrix: ModelMatrix, action: str, context: Context, messages: Messages
) -> tuple[ModelMatrix, dict[str, int]]:
    """Return X without its dependent columns, and the name and place of each of these.

    This is lme4's ``chkRank.drop.cols``, the action its ``check.rankX``.
    """
    if action in ("ignore", "stop.deficient"):
        if action == "stop.deficient":
            _stop_deficient(matrix, context.warn)
        return matrix, {}
    rank, pivot = rank_of(matrix.values, matrix.squares)
    if rank == pivot.size:
        return matrix, {}
    # As in lme4: names in the order of the columns, positions in the order of the pivot.
    # The two disagree when there are fewer rows than columns.
    names = (matrix.names[place] for place in sorted(pivot[rank:]))
    dropped = {name: int(place) for name, place in zip(names, pivot[rank:], strict=True)}
    reduced = matrix.taking(pivot[:rank])
    if rank_of(reduced.values)[0] < rank:
        raise CheckError("Dropping columns failed to produce full column rank design matrix")
    lost = pivot.size - rank
    plural = "columns / coefficients" if lost > 1 else "column / coefficient"
    text = f"fixed-effect model matrix is rank deficient so dropping {lost} {plural}"
    if action == "message+drop.cols":
        messages.change(text)
    elif action == "warn+drop.cols":
        context.warn(text)
    return reduced, dropped


def _stop_deficient(matrix: ModelMatrix, warn: Callable[[str], None]) -> None:
    rows, columns = matrix.values.shape
    values = matrix.values
    if rows < columns:
        # R takes the rank of the transpose here, and says so.
        warn("rankMatrix(x, method='qr'): computing t(x) as nrow(x) < ncol(x)")
        values = np.asfortranarray(values.T) if isinstance(values, np.ndarray) else values.T.tocsc()
    rank, pivot = rank_of(values)
    if rank == columns:
        return
    hint = None
    if rows >= columns:
        names = ", ".join(matrix.names[i] for i in sorted(pivot[rank:]))
        hint = f"columns that depend on those before them: {names}"
    raise CheckError(
        f"the fixed-effects model matrix is column rank deficient (rank(X) = {rank} < "
        f"{columns} = p);\nthe fixed effects will be jointly unidentifiable",
        hint=hint,
    )


def _autoscaled(matrix: ModelMatrix) -> ModelMatrix:
    """Centre and scale every column but the intercept (lme4 2.x, ``autoscale = TRUE``)."""
    columns = [place for place, name in enumerate(matrix.names) if name != "(Intercept)"]
    if not columns:
        return matrix
    if not isinstance(matrix.values, np.ndarray):
        raise CheckError("autoscale centres X, which is not sparse then", hint="leave sparse_X out")
    scaled, state = scale(Matrix(matrix.values[:, columns]))
    values, centers, divisors = (
        part.copy(order="F") for part in (matrix.values, matrix.centers, matrix.divisors)
    )
    values[:, columns] = scaled.values
    centers[columns], divisors[columns] = state["center"], state["scale"]
    return replace(matrix, values=values, centers=centers, divisors=divisors, squares=None)


def _scale_checked(
    matrix: ModelMatrix, action: str, context: Context, messages: Messages
) -> ModelMatrix:
    """Return X after a check of its columns' scales, rescaled where `action` says so.

    This is lme4's ``checkScaleX``, the action its ``check.scaleX``.
    """
    if action == "ignore" or not matrix.kept or _clearly_close(matrix):
        return matrix
    columns, spreads = _spreads(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(spreads)
    known = logs[~np.isnan(logs)]
    distant = known.size > 0 and (
        np.abs(known).max() > _SCALE_LIMIT or known.max() - known.min() > _SCALE_LIMIT
    )
    # R's any() is true as soon as one comparison is, unknown only if none is.
    if not distant and known.size < logs.size:
        raise CheckError(
            "missing value where TRUE/FALSE needed",
            hint="X has missing or infinite values, or a single row",
        )
    if not distant:
        return matrix
    text = "Some predictor variables are on very different scales:"
    if action in ("warning", "stop"):
        text += f" {context.lme4.scale_advice}"
        if action == "stop":
            spread = ", ".join(
                f"{matrix.names[i]} {value:.3g}" for i, value in zip(columns, spreads, strict=True)
            )
            raise CheckError(text, hint=f"standard deviations: {spread}")
        context.warn(text)
        return matrix
    text += " auto-rescaled (results NOT adjusted)"
    if action == "warn+rescale":
        context.warn(text)
    messages.note(text)  # R prints none, not even for "message+rescale"
    divisors = matrix.divisors.copy()
    divisors[columns] = spreads
    by = np.where(np.isnan(divisors), 1.0, divisors)
    values: Any = matrix.values
    if isinstance(values, np.ndarray):
        values = values / by
    else:
        values = values.copy()
        values.data /= np.repeat(by, np.diff(values.indptr))
    return replace(matrix, values=values, divisors=divisors)


def _clearly_close(matrix: ModelMatrix) -> bool:
    """Tell whether bounds prove the scales alike, with a wide margin.

    Standard deviations to the last digit need several passes over every column.
    """
    rows, squares = matrix.values.shape[0], matrix.squares
    if squares is None or rows < 2 or matrix.spreads is not None:
        return False
    logs = []
    for place, indicator in enumerate(matrix.indicators):
        if indicator:
            continue
        column, high = matrix.column(place), float(squares[place])
        # Columns of zeros and ones count only if there is something else further down.
        if _zeros_and_ones(column[:_HEAD]):
            return False
        # Some rows differ from their own mean no more than all rows do from theirs.
        some = column[:: _STEP if rows > _MANY else 1]
        low = sum_of_squares(some - some.sum() / some.size)
        if not low > _NOT_CANCELLED * high:
            return False
        logs += [0.5 * log(low / (rows - 1)), 0.5 * log(high / (rows - 1))]
    least, most = min(logs, default=0.0), max(logs, default=0.0)
    return max(-least, most, most - least) < _SCALE_LIMIT - _MARGIN


def _zeros_and_ones(column: FloatArray) -> bool:
    return bool(((column == 0) | (column == 1)).all())


def _spreads(matrix: ModelMatrix) -> tuple[list[int], FloatArray]:
    """Return the columns that are not all 0 or 1, and their standard deviations."""
    if matrix.spreads is not None:
        columns = np.flatnonzero(~np.isnan(matrix.spreads)).tolist()
        return columns, matrix.spreads[columns]
    rows, marks = matrix.values.shape[0], matrix.indicators
    columns = [
        place
        for place, mark in enumerate(marks)
        if not (mark or _zeros_and_ones(matrix.column(place)))
    ]
    if rows < 2:
        return columns, np.full(len(columns), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        return columns, np.array([matrix.column(i).std(ddof=1) for i in columns])
