"""Responses drawn from a model at given parameters, as lme4's ``simulate`` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from lme4py.argument_types import coefficients_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.family import has_dispersion
from lme4py.links import mean_of_link
from lme4py.messages import rows_text

_POSITIVE = ("poisson", "Gamma", "inverse.gaussian", "negative.binomial")
# What numpy can draw of counts.
_MOST = 2.0**62


def simulate(
    design: MixedDesign,
    beta: Sequence[float] | Mapping[str, float],
    par: ArrayLike,
    sigma: float | None = None,
    seed: int | Generator | None = None,
) -> FloatArray:
    """Return a response drawn from the model; the arguments are those of ``design.simulate``."""
    names, scale = design.fixed.names, _scale(design, sigma)
    coefficients = coefficients_of(beta, names)
    unknown = [name for name, value in zip(names, coefficients, strict=True) if np.isnan(value)]
    if unknown:
        raise DataError(f"beta has no value for {', '.join(unknown)}")
    factor = design.random.lambdat_at(par).T
    try:
        random = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise DataError(f"seed must be a whole number of at least 0, not {seed!r}") from None
    b = factor @ random.standard_normal(factor.shape[0])
    # Only in linear models is Lambda relative to sigma.
    spread = scale if design.family is None else 1.0
    eta = design.X @ coefficients + spread * (design.Z @ b)
    if design.offset is not None:
        eta = eta + design.offset
    return _drawn(design, eta, scale, random)


def _scale(design: MixedDesign, sigma: float | None) -> float:
    """Return sigma, 1 for families that have none."""
    if design.family is not None and not has_dispersion(design.family):
        if sigma not in (None, 1):
            raise DataError(f"a {design.family.name} model has no sigma", hint="leave it out")
        return 1.0
    try:
        scale = float(np.nan if sigma is None else sigma)
    except (TypeError, ValueError):
        scale = np.nan
    if not 0 < scale < np.inf:
        raise DataError(f"sigma must be a positive number, not {sigma!r}")
    return scale


def _drawn(design: MixedDesign, eta: FloatArray, scale: float, random: Generator) -> FloatArray:
    """Draw from the distribution of the response, given the linear predictor."""
    family, weights, y = design.family, design.weights, design.y
    name, mean = "gaussian", eta
    if family is not None:
        name, mean = family.name, mean_of_link(family.link, eta)
    ones = np.ones(eta.size) if weights is None else weights
    if has_dispersion(family):
        _refuse(design, ones, ~(ones > 0), "the variance of a response with weight 0 is infinite")
    if name in _POSITIVE:
        _refuse(design, mean, ~((mean > 0) & (mean < _MOST)), f"the {name} family has no such mean")
    match name:
        case "binomial":
            _refuse(design, mean, ~((mean >= 0) & (mean <= 1)), "not a probability")
            pairs = None if y is None or y.ndim == 1 else y
            trials = ones if pairs is None else ones * pairs.sum(axis=1)
            whole = (trials == np.round(trials)) & (trials >= 0) & (trials < _MOST)
            _refuse(design, trials, ~whole, "cannot simulate from non-integer prior.weights")
            won = random.binomial(trials.astype(np.int64), mean).astype(np.float64)
            if pairs is not None:
                return np.column_stack([won, trials - won])
            return np.divide(won, trials, out=np.zeros_like(won), where=trials > 0)
        case "poisson":
            return random.poisson(mean).astype(np.float64)
        case "negative.binomial":
            theta = family.theta if family is not None and family.theta else 1.0
            return random.poisson(random.gamma(theta, mean / theta)).astype(np.float64)
        case "Gamma":
            shape = ones / scale**2
            return random.gamma(shape, mean / shape)
        case "inverse.gaussian":
            return random.wald(mean, ones / scale**2)
        case _:
            return mean + scale / np.sqrt(ones) * random.standard_normal(mean.size)


def _refuse(design: MixedDesign, values: FloatArray, wrong: NDArray[np.bool_], text: str) -> None:
    if wrong.any():
        raise DataError(text, hint=rows_text(wrong, design.model_frame.positions, values))
