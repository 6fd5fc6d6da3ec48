"""The fixed part: X with R's attributes, its checks, and the same columns for new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control
from lme4py.data.values import FloatArray, Matrix
from lme4py.errors import CheckError, DataError, FormulaError
from lme4py.formula.terms import Terms
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.table import Context
from lme4py.matrices.checks import autoscaled, check_rank, check_scale
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import ModelMatrix, Plan
from lme4py.messages import Messages, rows_text

if TYPE_CHECKING:
    from scipy.sparse import csc_array


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

    def matrix(self, terms: Terms, frame: ModelFrame, context: Context) -> FloatArray:
        """Return X of new rows, shape (m, p): the columns that were kept, centred and scaled.

        Raises
        ------
        DataError
            If the columns are not those that were learned.
        FormulaError
            If a column needs what new rows do not have.
        """
        for name in terms.frame_names:
            if name not in frame.variables and name.startswith("("):
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

    Raises
    ------
    FormulaError, DataError
        In R's words, e.g. for a factor with one level.
    CheckError
        As the checks of rank and scale say.
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
    """Check the rank and the scales of X's columns; without `control` all stay as they are.

    Raises
    ------
    CheckError
        As the checks say.
    """
    dropped: dict[str, int] = {}
    whole = matrix
    if control is not None:
        if control.autoscale:
            whole = autoscaled(whole)
        matrix, dropped = check_rank(whole, control.check_rankX, context, messages)
        matrix = check_scale(matrix, control.check_scaleX, context, messages)
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
