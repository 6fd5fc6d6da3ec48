"""The response as the numbers that fitting code takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control
from lme4py.data.missing_rows import rows_text
from lme4py.data.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.errors import CheckError, DataError, Span
from lme4py.family import Family
from lme4py.frame.modelframe import ModelFrame

_WHOLE = 0.001


def response(frame: ModelFrame, *, generalized: bool) -> FloatArray | None:
    """Return the response, shape (n,) or (n, k); None for text, which has no numbers.

    A matrix of one column, which ``scale(y)`` is, is a vector here (R's ``model.response``).
    """
    match None if frame.response is None else frame.get(frame.response):
        case Numeric() as value:
            return value.as_float()
        case Matrix(values=values):
            return values[:, 0] if values.shape[1] == 1 else values
        case Factor(codes=codes) if generalized:
            return np.where(codes < 0, np.nan, codes > 0)
        case Factor(codes=codes):
            return np.where(codes < 0, np.nan, codes + 1.0)
        case _:
            return None


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Response(Abbreviated):
    """The response as lme4's fitting code receives it (``mkRespMod``).

    Parameters
    ----------
    y : ndarray of float64, shape (n,)
        Proportions of successes for a two-column binomial response, 0 and 1 for a
        factor or logical one, otherwise the response itself.
    weights : ndarray of float64, shape (n,)
        The ``weights`` argument, or ones; multiplied by `trials` for two columns.
    trials : ndarray of float64, shape (n,)
        Row totals of a two-column binomial response, ones otherwise (R's ``n``).
    offset : ndarray of float64, shape (n,)
        Sum of all offsets; zeros where there are none.
    mustart : ndarray of float64, shape (n,), or None
        Starting values of the mean: the ``mustart`` argument or the family's; None in
        linear models.
    etastart : ndarray of float64, shape (n,), or None
        The ``etastart`` argument, which goes before `mustart`.
    """

    y: FloatArray
    weights: FloatArray
    trials: FloatArray
    offset: FloatArray
    mustart: FloatArray | None
    etastart: FloatArray | None


def fitting_response(
    frame: ModelFrame,
    family: Family | None,
    control: Control,
    warn: Callable[[str], None],
    span: Span | None = None,
) -> Response:
    """Return the response with its initial weights (lme4's ``mkRespMod``).

    Parameters
    ----------
    frame : ModelFrame
    family : Family or None
        None for linear models.
    control : Control
        For ``check.response.not.const``.
    warn : callable
        Takes the text of a warning.
    span : Span, optional
        Where the response stands in the formula.

    Raises
    ------
    DataError
        If the response cannot be fitted by the family, in R's words.
    CheckError
        If it is the same in every row, for generalized models.
    """
    if frame.response is None:
        raise DataError("the formula has no response", hint="write it on the left of ~")
    y = _numbers(frame.variables[frame.response], frame, family, span)
    weights = frame.weights()
    if weights is None:
        weights = np.ones(frame.rows)
    elif not (weights >= 0).all():
        raise DataError(
            "all(weights >= 0) is not TRUE",
            hint=f"weights: {rows_text(~(weights >= 0), frame.positions, weights)}",
        )
    offset = frame.offset()
    if offset is None:
        offset = np.zeros(frame.rows)
    etastart, mustart = (_column(frame, name) for name in ("(etastart)", "(mustart)"))
    trials, start = np.ones(frame.rows), None
    if family is not None:
        supplied = etastart is not None or mustart is not None
        y, weights, trials, start = _initialized(y, weights, family, frame, span, supplied, warn)
        level, text = control.check_response_not_const, "Response is constant"
        if level != "ignore" and np.unique(y).size < 2:
            if level == "warning":
                warn(text)
            elif level == "stop":
                hint = 'set control {"check.response.not.const": "ignore"} to go on'
                raise CheckError(text, hint=hint)
            else:
                raise CheckError("unknown check level for 'check.response.not.const'")
    if y.ndim > 1:
        raise DataError(
            f"response must be numeric: one column, not {y.shape[1]}",
            span,
            "two columns mean successes and failures, of a binomial family alone",
        )
    return Response(y, weights, trials, offset, start if mustart is None else mustart, etastart)


def _column(frame: ModelFrame, name: str) -> FloatArray | None:
    value = frame.get(name)
    return value.as_float() if isinstance(value, Numeric) else None


def _numbers(
    value: Value, frame: ModelFrame, family: Family | None, span: Span | None
) -> FloatArray:
    """Return the response as numbers, shape (n,) or (n, k), or raise R's error."""
    binomial = family is not None and family.name == "binomial"
    plain = isinstance(value, Numeric) and value.time is None
    text = "response must be numeric or factor" if binomial else "response must be numeric"
    if not (plain or isinstance(value, Matrix) or (binomial and isinstance(value, Factor))):
        match value:
            case Character() if binomial:
                hint = "the response is text: make it a factor, whose first level means failure"
            case Character() | Factor():
                hint = "the response is text or a factor: give numbers"
            case _:
                hint = "the response is a time: convert it with as.numeric()"
        raise DataError(text, span, hint)
    y = response(frame, generalized=family is not None)
    if y is None:
        raise DataError(text, span)
    if not np.isfinite(y).all():
        raise _fault("NA/NaN/Inf in 'y'", y, ~np.isfinite(y), frame, span)
    return y


def _fault(
    text: str, y: FloatArray, wrong: NDArray[np.bool_], frame: ModelFrame, span: Span | None
) -> DataError:
    """Return the error of a response that is wrong in some rows."""
    rows = np.asarray(wrong.any(axis=1)) if wrong.ndim > 1 else wrong
    where = rows_text(rows, frame.positions, y if y.ndim == 1 else None)
    return DataError(text, span, where)


def _initialized(
    y: FloatArray,
    weights: FloatArray,
    family: Family,
    frame: ModelFrame,
    span: Span | None,
    supplied: bool,
    warn: Callable[[str], None],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return y, weights, trials and mustart as the family's ``initialize`` leaves them."""
    ones = np.ones(frame.rows)

    def refuse(text: str, wrong: NDArray[np.bool_]) -> DataError:
        return _fault(text, y, wrong, frame, span)

    match family.name:
        case "binomial":
            return _binomial(y, weights, ones, refuse, warn)
        case "poisson":
            if (y < 0).any():
                raise refuse("negative values not allowed for the 'Poisson' family", y < 0)
            return y, weights, ones, y + 0.1
        case "negative.binomial":
            if (y < 0).any():
                text = "negative values not allowed for the negative binomial family"
                raise refuse(text, y < 0)
            return y, weights, ones, y + (y == 0) / 6
        case "Gamma" if (y <= 0).any():
            raise refuse("non-positive values not allowed for the 'Gamma' family", y <= 0)
        case "inverse.gaussian" if (y <= 0).any():
            raise refuse(
                "positive values only are allowed for the 'inverse.gaussian' family", y <= 0
            )
        case "gaussian" if not supplied:
            wrong = {"inverse": y == 0, "log": y <= 0}.get(family.link)
            if wrong is not None and wrong.any():
                text = "cannot find valid starting values: please specify some"
                raise refuse(text, wrong)
        case _:
            pass
    return y, weights, ones, y


def _binomial(
    y: FloatArray,
    weights: FloatArray,
    ones: FloatArray,
    refuse: Callable[[str, NDArray[np.bool_]], DataError],
    warn: Callable[[str], None],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    if y.ndim == 1:
        y = np.where(weights == 0, 0.0, y)
        if ((y < 0) | (y > 1)).any():
            raise refuse("y values must be 0 <= y <= 1", (y < 0) | (y > 1))
        successes = weights * y
        if (np.abs(successes - np.round(successes)) > _WHOLE).any():
            warn("non-integer #successes in a binomial glm!")
        return y, weights, ones, (successes + 0.5) / (weights + 1)
    if y.shape[1] != 2:
        raise DataError(
            "for the 'binomial' family, y must be a vector of 0 and 1's\n"
            "or a 2 column matrix where col 1 is no. successes and col 2 is no. failures"
        )
    if (y < 0).any():
        # R goes on to NaN and stops with "Value -inf out of range (0, 1)".
        raise refuse("negative counts in a binomial response", y < 0)
    if (np.abs(y - np.round(y)) > _WHOLE).any():
        warn("non-integer counts in a binomial glm!")
    trials = y.sum(axis=1)
    with np.errstate(invalid="ignore"):
        share = np.where(trials == 0, 0.0, y[:, 0] / trials)
    return share, weights * trials, trials, (trials * share + 0.5) / (trials + 1)
