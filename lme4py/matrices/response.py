"""The response as the numbers that fitting code takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.control import Control
from lme4py.data.values import Character, Factor, FloatArray, Matrix, Numeric
from lme4py.errors import DataError, Span
from lme4py.family import Family
from lme4py.frame.modelframe import ModelFrame
from lme4py.matrices.checks import act
from lme4py.messages import rows_text

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

    A linear model has no `family`. `span` is the place of the response in the formula. What
    the family does not take is a `DataError` in R's words; a `CheckError`, if `control` says so,
    is a response that is the same in every row.
    """
    if frame.response is None:
        raise DataError("the formula has no response", hint="write it on the left of ~")

    def refuse(text: str, wrong: NDArray[np.bool_]) -> DataError:
        """Return the error of a response that is wrong in some rows."""
        rows = np.asarray(wrong.any(axis=1)) if wrong.ndim > 1 else wrong
        return DataError(text, span, rows_text(rows, frame.positions, y if y.ndim == 1 else None))

    y = _numbers(frame, family, span)
    if not np.isfinite(y).all():
        raise refuse("NA/NaN/Inf in 'y'", ~np.isfinite(y))
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
        y, weights, trials, start = _initialized(y, weights, family, supplied, refuse, warn)
        level, option = control.check_response_not_const, "check.response.not.const"
        if level != "ignore" and np.unique(y).size < 2:
            act(level, "Response is constant", option, warn)
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


def _numbers(frame: ModelFrame, family: Family | None, span: Span | None) -> FloatArray:
    """Return the response as numbers, shape (n,) or (n, k), or raise R's error."""
    value = frame.get(frame.response or "")
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
    return y


# What a family does not take, compared with zero, and R's words for it.
_REFUSED: Mapping[str, tuple[np.ufunc, str]] = {
    "poisson": (np.less, "negative values not allowed for the 'Poisson' family"),
    "negative.binomial": (
        np.less,
        "negative values not allowed for the negative binomial family",
    ),
    "Gamma": (np.less_equal, "non-positive values not allowed for the 'Gamma' family"),
    "inverse.gaussian": (
        np.less_equal,
        "positive values only are allowed for the 'inverse.gaussian' family",
    ),
}
_NO_START = "cannot find valid starting values: please specify some"
_WITHOUT_START: Mapping[str, tuple[np.ufunc, str]] = {
    "inverse": (np.equal, _NO_START),
    "log": (np.less_equal, _NO_START),
}


def _initialized(
    y: FloatArray,
    weights: FloatArray,
    family: Family,
    supplied: bool,
    refuse: Callable[[str, NDArray[np.bool_]], DataError],
    warn: Callable[[str], None],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return y, weights, trials and mustart as the family's ``initialize`` leaves them."""
    if family.name == "binomial":
        return _binomial(y, weights, refuse, warn)
    refused = _REFUSED.get(family.name)
    if family.name == "gaussian" and not supplied:
        refused = _WITHOUT_START.get(family.link)
    if refused is not None and (wrong := refused[0](y, 0)).any():
        raise refuse(refused[1], wrong)
    start = y
    if family.name == "poisson":
        start = y + 0.1
    elif family.name == "negative.binomial":
        start = y + (y == 0) / 6
    return y, weights, np.ones(len(y)), start


def _binomial(
    y: FloatArray,
    weights: FloatArray,
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
        return y, weights, np.ones(len(y)), (successes + 0.5) / (weights + 1)
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
