"""The links of generalized models: means, linear predictors, and how one moves the other."""

from __future__ import annotations

import numpy as np

from lme4py.data.values import FloatArray

__all__ = ["mean_of_link", "predictor_of_link", "slope_of_link"]

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


def predictor_of_link(link: str, mean: FloatArray) -> FloatArray:
    """Return the values of the linear predictor that means belong to: ``linkfun(mu)``.

    Parameters
    ----------
    link : str
        R's name of the link.
    mean : ndarray of float64

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> predictor_of_link("logit", np.array([0.5])).tolist()
    [0.0]
    """
    match link:
        case "logit":
            found = np.log(mean / (1.0 - mean))
        case "probit":
            from scipy.special import ndtri

            found = ndtri(mean)
        case "cauchit":
            found = np.tan(np.pi * (mean - 0.5))
        case "cloglog":
            found = np.log(-np.log1p(-mean))
        case "log":
            found = np.log(mean)
        case "sqrt":
            found = np.sqrt(mean)
        case "inverse":
            found = 1.0 / mean
        case "1/mu^2":
            found = 1.0 / mean**2
        case _:
            found = mean
    result: FloatArray = found
    return result


def slope_of_link(link: str, eta: FloatArray) -> FloatArray:
    """Return the derivatives of the means by the linear predictor: ``mu.eta(eta)``.

    Parameters
    ----------
    link : str
        R's name of the link.
    eta : ndarray of float64

    Returns
    -------
    ndarray of float64
        No smaller than the machine epsilon where R keeps them so.

    Examples
    --------
    >>> slope_of_link("logit", np.array([0.0, 100.0])).tolist()
    [0.25, 2.220446049250313e-16]
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        match link:
            case "logit":
                odds = np.exp(-np.abs(eta))
                slope = np.where(np.abs(eta) > 30.0, 0.0, odds / (1.0 + odds) ** 2)
            case "probit":
                slope = np.exp(-0.5 * eta**2) / np.sqrt(2.0 * np.pi)
            case "cauchit":
                slope = 1.0 / (np.pi * (1.0 + eta**2))
            case "cloglog":
                capped = np.exp(np.minimum(eta, 700.0))
                slope = capped * np.exp(-capped)
            case "log":
                slope = np.exp(eta)
            case "sqrt":
                return 2.0 * eta
            case "inverse":
                return -1.0 / eta**2
            case "1/mu^2":
                return -0.5 * eta**-1.5
            case _:
                return np.ones_like(eta)
    return np.maximum(slope, _EPSILON)
