"""lme4's checks of a model before it is fitted, with lme4's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from lme4py.control import Control
from lme4py.data.values import FloatArray, Matrix
from lme4py.errors import CheckError, Span
from lme4py.functions.bases import scale
from lme4py.functions.table import Context
from lme4py.matrices.plan import ModelMatrix
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.rank import has_full_row_rank, rank_of
from lme4py.matrices.reterms import RandomEffects
from lme4py.messages import Messages
from lme4py.moments import sum_of_squares

_MANY_LEVELS = "number of levels of each grouping factor must be"
_SMALL = 1_000_000
_SCALE_LIMIT = float(np.log(1e3))
_HEAD = 64
_MANY, _STEP = 4096, 64
_NOT_CANCELLED, _MARGIN = 1e-4, 1e-3


def act(
    level: str, text: str, option: str, warn: Callable[[str], None], span: Span | None = None
) -> str:
    """Warn or stop with a text, as the option says; return the text."""
    match level.removesuffix("Small"):
        case "warning":
            warn(text)
        case "stop":
            raise CheckError(text, span, f'set control {{"{option}": "ignore"}} to go on')
        case _:
            raise CheckError(f"unknown check level for '{option}'", span)
    return text


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one build, as `control` says, on so many rows.

    Generalized models may have as many levels, or random effects, as rows: `equal_allowed`.
    """

    control: Control
    messages: Messages
    rows: int
    equal_allowed: bool

    def _exceeds(self, count: int) -> bool:
        return count > self.rows if self.equal_allowed else count >= self.rows

    def levels(self, random: RandomEffects) -> list[str]:
        """Check the numbers of levels of the grouping factors (``checkNlevels``)."""
        groups: dict[str, RandomTerm] = {}
        for term in random.terms:
            groups.setdefault(term.bar.group_name, term)
        many = ", ".join(name for name, term in groups.items() if self._exceeds(term.levels))
        limit = "<=" if self.equal_allowed else "<"
        table: tuple[tuple[str, Callable[[int], bool], str], ...] = (
            (
                "check.nlev.gtr.1",
                lambda count: count < 2,
                "grouping factors must have > 1 sampled level",
            ),
            (
                "check.nobs.vs.nlev",
                self._exceeds,
                f"{_MANY_LEVELS} {limit} number of observations (problems: {many})",
            ),
            (
                "check.nlev.gtreq.5",
                lambda count: count < 5,
                "grouping factors with < 5 sampled levels may give unreliable estimates",
            ),
        )
        found = []
        for option, is_wrong, text in table:
            level: str = getattr(self.control, option.replace(".", "_"))
            wrong = [term for term in groups.values() if is_wrong(term.levels)]
            if level == "ignore" or not wrong:
                continue
            # lme4 accepts "message" there and then says nothing.
            if level != "message" or option != "check.nobs.vs.nlev":
                act(level, text, option, self.messages.warn, wrong[0].bar.group.span)
            found.append(text)
        return found

    def random_effects(self, terms: Sequence[RandomTerm]) -> list[str]:
        """Check each term's number of random effects (``checkZdims``)."""
        level = self.control.check_nobs_vs_nRE
        # lme4 2.x leaves it out for all terms as soon as one of them has a structure.
        if level == "ignore" or any(term.bar.structure != "us" for term in terms):
            return []
        found = []
        for term in terms:
            count = term.levels * term.columns
            if self._exceeds(count):
                text = self._unidentifiable(
                    count, "number of random effects", f" for term ({term.bar.label})"
                )
                option, span = "check.nobs.vs.nRE", term.bar.source.span
                found.append(act(level, text, option, self.messages.warn, span))
        return list(dict.fromkeys(found))

    def rank_of_z(self, random: RandomEffects) -> list[str]:
        """Check the rank of Z (``checkZrank``)."""
        level = self.control.check_nobs_vs_rankZ
        # As in lme4, "ignoreSmall" is checked: it is not the word "ignore".
        if level == "ignore":
            return []
        q, n = random.entries.shape[0], self.rows
        if q == 0:
            # R takes the largest of no singular values.
            self.messages.warn("no non-missing arguments to max; returning -Inf")
            return []
        if level.endswith("Small") and q * n > _SMALL:
            return []
        if not random.finite:
            # lme4 stops here whatever the option says.
            _, _, end = self._unidentifiable(0, "rank(Z)", "").partition(";")
            raise CheckError(
                f"rank(Z) is NA: invalid random effect factors?{end}",
                hint="a random slope has missing, infinite or huge values",
            )
        # The rank is at most n: generalized models, which may reach it, never exceed it. Some
        # of the rows do not tell it.
        some = q < n or random.entries.shape[1] < n
        if self.equal_allowed or some or not has_full_row_rank(random.entries):
            return []
        text = self._unidentifiable(n, "rank(Z)", "")
        return [act(level, text, "check.nobs.vs.rankZ", self.messages.warn)]

    def _unidentifiable(self, count: int, what: str, where: str) -> str:
        comparison = "<" if self.equal_allowed else "<="
        residual = "" if self.equal_allowed else " and the residual variance (or scale parameter)"
        return (
            f"number of observations (={self.rows}) {comparison} {what} (={count}){where}; "
            f"the random-effects parameters{residual} are probably unidentifiable"
        )


def check_rank(
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


def autoscaled(matrix: ModelMatrix) -> ModelMatrix:
    """Centre and scale every column but the intercept (lme4 2.x, ``autoscale = TRUE``)."""
    columns = [place for place, name in enumerate(matrix.names) if name != "(Intercept)"]
    if not columns:
        return matrix
    if not isinstance(matrix.values, np.ndarray):
        raise CheckError("autoscale centres X, which is not sparse then", hint="leave sparse_X out")
    scaled, state = scale(Matrix(matrix.values[:, columns]))
    changed = [matrix.values, matrix.centers, matrix.divisors]
    for place, part in enumerate((scaled.values, state["center"], state["scale"])):
        changed[place] = changed[place].copy(order="F")
        changed[place][..., columns] = part
    values, centers, divisors = changed
    return replace(matrix, values=values, centers=centers, divisors=divisors, squares=None)


def check_scale(
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
