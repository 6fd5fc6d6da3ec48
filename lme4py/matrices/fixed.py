"""The fixed part: X with R's attributes, its checks, and the same columns for new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control
from lme4py.data.attached import ContrastArgument
from lme4py.data.missing_rows import rows_text
from lme4py.data.values import FloatArray, Matrix
from lme4py.errors import CheckError, DataError, FormulaError
from lme4py.formula.terms import Terms
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.table import Context
from lme4py.matrices.checks import autoscaled, check_rank, check_scale
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import ModelMatrix, Plan
from lme4py.matrices.sparsematrix import sparse_matrix
from lme4py.messages import Messages

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = [
    "CheckedColumns",
    "FixedEffects",
    "LearnedColumns",
    "checked_columns",
    "learn_fixed_part",
    "new_fixed_matrix",
]


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
    centers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False, slots=True, kw_only=True)
class LearnedColumns(Abbreviated):
    """What is learned of X, so that new rows get the same columns.

    Parameters
    ----------
    contrasts : mapping of str to (str or Matrix)
        Of every factor in X.
    kept : tuple of int
        Columns of the full model matrix that X has.
    names : tuple of str
        Names of X's columns.
    centers, divisors : tuple of float
        What is taken off each column of X, and what it is divided by; 0 and 1 for none.
    """

    contrasts: Mapping[str, str | Matrix]
    kept: tuple[int, ...]
    names: tuple[str, ...]
    centers: tuple[float, ...]
    divisors: tuple[float, ...]


def learn_fixed_part(
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

    Raises
    ------
    FormulaError, DataError
        In R's words, e.g. for a factor with one level.
    CheckError
        As the checks of rank and scale say.
    """
    warn = context.warn
    layout = plan(terms, frame, context, _contrasts_argument(contrasts, warn))
    for text in layout.warnings:
        warn(text)
    matrix = sparse_matrix(layout) if sparse else layout.matrix()
    try:
        checked = checked_columns(matrix, control, context, messages)
    except CheckError as error:
        error.hint = error.hint or _not_finite(matrix, frame)
        raise
    matrix = checked.matrix
    fixed = FixedEffects(
        names=list(matrix.names),
        assign=np.array(matrix.assign, dtype=np.int64),
        contrasts=dict(matrix.contrasts),
        dropped=checked.dropped,
        terms=list(terms.labels),
        scales=checked.divisors,
        plan=layout,
        centers=checked.centers,
    )
    return matrix.values, fixed, checked.learned


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CheckedColumns:
    """X after its checks.

    Parameters
    ----------
    matrix : ModelMatrix
        The kept columns, centred and scaled where the checks say so.
    kept : tuple of int
        Their positions in the full matrix.
    dropped : dict of str to int
        Name and position of the others.
    centers, divisors : dict of str to float
        By the names of the columns that have them.
    """

    matrix: ModelMatrix
    kept: tuple[int, ...]
    dropped: dict[str, int]
    centers: dict[str, float]
    divisors: dict[str, float]

    @property
    def learned(self) -> LearnedColumns:
        """What new rows need of them."""
        names = self.matrix.names
        return LearnedColumns(
            contrasts=dict(self.matrix.contrasts),
            kept=self.kept,
            names=names,
            centers=tuple(self.centers.get(name, 0.0) for name in names),
            divisors=tuple(self.divisors.get(name, 1.0) for name in names),
        )


def checked_columns(
    matrix: ModelMatrix, control: Control | None, context: Context, messages: Messages
) -> CheckedColumns:
    """Check the rank and the scales of X's columns; without `control` all stay as they are.

    Raises
    ------
    CheckError
        As the checks say.
    """
    centers: dict[str, float] = {}
    divisors: dict[str, float] = {}
    kept, dropped = tuple(range(len(matrix.names))), {}
    if control is not None:
        if control.autoscale:
            matrix, centers, divisors = autoscaled(matrix)
        reduced = check_rank(matrix, control.check_rankX, context.warn)
        kept, dropped = reduced.kept, reduced.dropped
        if reduced.message is not None:
            messages.change(reduced.message)
        matrix, rescaling, scales = check_scale(
            reduced.matrix, control.check_scaleX, context.warn, context.lme4.scale_advice
        )
        if rescaling is not None and control.check_scaleX != "warning":
            messages.note(rescaling)  # R prints none, not even for "message+rescale"
        divisors |= scales
    return CheckedColumns(
        matrix=matrix, kept=kept, dropped=dropped, centers=centers, divisors=divisors
    )


def new_fixed_matrix(
    terms: Terms, frame: ModelFrame, context: Context, learned: LearnedColumns
) -> FloatArray:
    """Return X of new rows, shape (m, p): the columns that were kept, centred and scaled.

    Raises
    ------
    DataError
        If the columns are not those that were learned, or a factor has new levels.
    FormulaError
        If a column needs what new rows do not have.
    """
    _refuse_absent(terms, frame)
    contrasts = learned.contrasts
    if frame.response is not None and frame.response not in frame.types:
        # "." may stand for the response under a second name, of which no column is made.
        twin = f"{frame.response}."
        contrasts = {name: item for name, item in contrasts.items() if not name.startswith(twin)}
    layout = plan(terms, frame, replace(context, rows=frame.rows), contrasts)
    if max(learned.kept, default=-1) >= len(layout.names) or any(
        layout.names[place] != name for place, name in zip(learned.kept, learned.names, strict=True)
    ):
        raise DataError("the spec does not fit its formula: it names other columns of X")
    values = np.empty((frame.rows, len(learned.kept)), order="F")
    for target, source in enumerate(learned.kept):
        column = layout.column(source)
        if learned.centers[target] != 0.0:
            column -= learned.centers[target]
        if learned.divisors[target] != 1.0:
            column /= learned.divisors[target]
        values[:, target] = column
    return values


def _refuse_absent(terms: Terms, frame: ModelFrame) -> None:
    """Raise an error if a column of X is made of an argument, for which ``.`` may stand."""
    for name in terms.frame_names:
        if name not in frame.variables and name.startswith("("):
            raise FormulaError(
                f"X has a column of the argument '{name.strip('()')}', for which '.' stands "
                "too: it has no values for new rows"
            )


def _contrasts_argument(
    contrasts: Any, warn: Callable[[str], None]
) -> Mapping[str, ContrastArgument] | None:
    if contrasts is None or isinstance(contrasts, Mapping):
        return contrasts
    if isinstance(contrasts, list | tuple):
        raise DataError("'contrasts.arg' argument must be named", hint="give {variable: contrast}")
    warn("non-list contrasts argument ignored")
    return None


def _not_finite(matrix: ModelMatrix, frame: ModelFrame) -> str | None:
    """Return which columns of X have missing or infinite values, and where."""
    found = []
    for number, name in enumerate(matrix.names):
        values = matrix.column(number)
        mask = ~np.isfinite(values)
        if mask.any():
            found.append(f"'{name}' in X: {rows_text(mask, frame.positions, values)}")
    return "\n".join(found) or None
