"""What a family says of responses and their means: variances, deviances, likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import FloatArray
from lme4py.family import Family


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Likelihood(Abbreviated):
    """A response and its distribution, given the means (R's family objects).

    Parameters
    ----------
    family : Family
    y : ndarray of float64, shape (n,)
    weights : ndarray of float64, shape (n,)
    trials : ndarray of float64, shape (n,)
        Row totals of a two-column response, ones otherwise.
    """

    family: Family
    y: FloatArray
    weights: FloatArray
    trials: FloatArray

    def variance(self, mean: FloatArray) -> FloatArray:
        """Return the variance function at the means."""
        match self.family.name:
            case "binomial":
                return mean * (1.0 - mean)
            case "poisson":
                return mean
            case "negative.binomial":
                return mean + mean**2 / self._theta
            case "Gamma":
                return mean**2
            case "inverse.gaussian":
                return mean**3
            case _:
                return np.ones_like(mean)

    def deviances(self, mean: FloatArray) -> FloatArray:
        """Return each row's contribution to the deviance."""
        y = self.y
        match self.family.name:
            case "binomial":
                parts = xlogy(y, y / mean) + xlogy(1.0 - y, (1.0 - y) / (1.0 - mean))
                found = 2.0 * parts
            case "poisson":
                found = 2.0 * (xlogy(y, y / mean) - (y - mean))
            case "negative.binomial":
                theta = self._theta
                far = (y + theta) * np.log((y + theta) / (mean + theta))
                found = 2.0 * (xlogy(y, np.maximum(1.0, y) / mean) - far)
            case "Gamma":
                found = -2.0 * (np.log(y / mean) - (y - mean) / mean)
            case "inverse.gaussian":
                found = (y - mean) ** 2 / (y * mean**2)
            case _:
                found = (y - mean) ** 2
        return np.asarray(self.weights * found)

    @property
    def _theta(self) -> float:
        """The shape of a negative binomial distribution."""
        return float(self.family.theta or np.nan)

    def minus_two_log(self, mean: FloatArray) -> float:
        """Return minus twice the log-likelihood, without what R's ``aic`` adds for dispersion.

        That is the deviance divided by the sum of the weights, by the rows for gaussian ones.
        """
        y, weights = self.y, self.weights
        total = float(y.size if self.family.name == "gaussian" else weights.sum())
        phi = float(self.deviances(mean).sum() / total)
        match self.family.name:
            case "binomial":
                counts = np.round(self.trials if (self.trials > 1).any() else weights)
                share = np.divide(weights, counts, out=np.zeros_like(y), where=counts > 0)
                won = np.round(counts * y)
                ways = gammaln(counts + 1) - gammaln(won + 1) - gammaln(counts - won + 1)
                logs = share * (ways + xlogy(won, mean) + xlog1py(counts - won, -mean))
            case "poisson":
                logs = weights * (xlogy(y, mean) - mean - gammaln(y + 1.0))
            case "negative.binomial":
                theta = self._theta
                near = xlogy(y, mean) - (y + theta) * np.log(mean + theta) - gammaln(y + 1.0)
                logs = weights * (
                    near + theta * np.log(theta) - gammaln(theta) + gammaln(theta + y)
                )
            case "Gamma":
                logs = weights * (
                    -np.log(y) - gammaln(1 / phi) + (np.log(y / (mean * phi)) - y / mean) / phi
                )
            case "inverse.gaussian":
                logs = -0.5 * weights * (np.log(2.0 * np.pi * phi) + 1.0 + 3.0 * np.log(y))
            case _:
                logs = -0.5 * (np.log(2.0 * np.pi * phi / weights) + 1.0)
        return float(-2.0 * logs.sum())
