"""The links of generalized models: the mean that belongs to a value of the linear predictor."""

from __future__ import annotations

import numpy as np

from lme4py.data.values import FloatArray

__all__ = ["mean_of_link"]

_EPSILON = float(np.finfo(np.float64).eps)


def mean_of_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the means at values of the linear predictor: ``make.link(link)$linkinv(eta)``.

    Parameters
    ----------
    link : str
        R's name of the link.
    eta : ndarray of float64
        The linear predictor.

    Returns
    -------
    ndarray of float64
        As in R, means that must lie inside of bounds keep the machine epsilon away from them.

    Examples
    --------
    >>> mean_of_link("logit", np.array([-1000.0, 0.0])).round(3).tolist()
    [0.0, 0.5]
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        match link:
            case "logit":
                odds = np.clip(np.exp(eta), _EPSILON, 1.0 / _EPSILON)
                mean = odds / (1.0 + odds)
            case "probit":
                from scipy.special import ndtr

                mean = np.clip(ndtr(eta), _EPSILON, 1.0 - _EPSILON)
            case "cauchit":
                mean = np.clip(np.arctan2(1.0, -eta) / np.pi, _EPSILON, 1.0 - _EPSILON)
            case "cloglog":
                mean = np.clip(-np.expm1(-np.exp(eta)), _EPSILON, 1.0 - _EPSILON)
            case "log":
                mean = np.maximum(np.exp(eta), _EPSILON)
            case "sqrt":
                mean = eta**2
            case "inverse":
                mean = 1.0 / eta
            case "1/mu^2":
                mean = 1.0 / np.sqrt(eta)
            case _:
                mean = eta
    found: FloatArray = mean
    return found
