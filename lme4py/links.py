"""The links of generalized models: means, linear predictors, and how one moves the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lme4py.data.values import FloatArray

_EPSILON = float(np.finfo(np.float64).eps)


class Link(NamedTuple):
    """A link of R's: functions of arrays, to arrays of the same shape.

    `mean` is of the linear predictor (``make.link(link)$linkinv``), `predictor` of the mean
    (``linkfun``), and `slope` of the linear predictor: how the mean moves with it (``mu.eta``).
    """

    mean: Callable[[Any], Any]
    predictor: Callable[[Any], Any]
    slope: Callable[[Any], Any]


def mean_of_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the means at values of the linear predictor: ``make.link(link)$linkinv(eta)``.

    As in R, means that must lie inside of bounds keep the machine epsilon away from them.

    Examples
    --------
    >>> mean_of_link("logit", np.array([-1000.0, 0.0])).round(3).tolist()
    [0.0, 0.5]
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.asarray(LINKS[link].mean(eta))


def _inside(mean: Any) -> Any:
    return np.clip(mean, _EPSILON, 1.0 - _EPSILON)


def _positive(slope: Any) -> Any:
    return np.maximum(slope, _EPSILON)


def _logistic(eta: Any) -> Any:
    odds = np.clip(np.exp(eta), _EPSILON, 1.0 / _EPSILON)
    return odds / (1.0 + odds)


def _logistic_slope(eta: Any) -> Any:
    odds = np.exp(-np.abs(eta))
    return _positive(np.where(np.abs(eta) > 30.0, 0.0, odds / (1.0 + odds) ** 2))


def _normal(eta: Any) -> Any:
    from scipy.special import ndtr

    return _inside(ndtr(eta))


def _normal_quantile(mean: Any) -> Any:
    from scipy.special import ndtri

    return ndtri(mean)


def _cloglog_slope(eta: Any) -> Any:
    capped = np.exp(np.minimum(eta, 700.0))
    return _positive(capped * np.exp(-capped))


LINKS = {
    "logit": Link(_logistic, lambda mean: np.log(mean / (1.0 - mean)), _logistic_slope),
    "probit": Link(
        _normal,
        _normal_quantile,
        lambda eta: _positive(np.exp(-0.5 * eta**2) / np.sqrt(2.0 * np.pi)),
    ),
    "cauchit": Link(
        lambda eta: _inside(np.arctan2(1.0, -eta) / np.pi),
        lambda mean: np.tan(np.pi * (mean - 0.5)),
        lambda eta: _positive(1.0 / (np.pi * (1.0 + eta**2))),
    ),
    "cloglog": Link(
        lambda eta: _inside(-np.expm1(-np.exp(eta))),
        lambda mean: np.log(-np.log1p(-mean)),
        _cloglog_slope,
    ),
    "log": Link(lambda eta: _positive(np.exp(eta)), np.log, lambda eta: _positive(np.exp(eta))),
    "sqrt": Link(np.square, np.sqrt, lambda eta: 2.0 * eta),
    "inverse": Link(lambda eta: 1.0 / eta, lambda mean: 1.0 / mean, lambda eta: -1.0 / eta**2),
    "1/mu^2": Link(
        lambda eta: 1.0 / np.sqrt(eta),
        lambda mean: 1.0 / mean**2,
        lambda eta: -0.5 * eta**-1.5,
    ),
    "identity": Link(lambda eta: eta, lambda mean: mean, np.ones_like),
}
"""R's links by name. Means and slopes that have bounds keep the machine epsilon away from them."""
