"""Special functions: gamma, beta, factorials and binomial coefficients."""

from __future__ import annotations

import numpy as np

from lme4py.frame.functions.coercion import reject_classes
from lme4py.frame.functions.mathematics.elementwise import (
    Array,
    enter_formulas,
    mapped,
    mapped_pair,
    scipy_special,
)
from lme4py.frame.functions.table import Context, function
from lme4py.frame.values import Value


def _gamma(x: Array) -> Array:
    result = scipy_special("gamma")(x)
    return np.where((x <= 0) & (np.floor(x) == x), np.nan, result)


def _trigamma(x: Array) -> Array:
    from scipy import special

    result: Array = special.polygamma(1, x)
    return result


enter_formulas(
    {
        "gamma": (_gamma, "Gamma function."),
        "lgamma": (scipy_special("gammaln"), "Logarithm of the gamma function."),
        "digamma": (scipy_special("digamma"), "Derivative of lgamma."),
        "trigamma": (_trigamma, "Second derivative of lgamma."),
    }
)


def _beta(a: Array, b: Array) -> Array:
    result = np.where((a == 0) | (b == 0), np.inf, scipy_special("beta")(a, b))
    return np.where((a < 0) | (b < 0), np.nan, result)


def _logarithm_of_beta(a: Array, b: Array) -> Array:
    result = np.where((a == 0) | (b == 0), np.inf, scipy_special("betaln")(a, b))
    return np.where((a < 0) | (b < 0), np.nan, result)


@function("beta", "a, b", role="elementwise", purpose="Beta function.")
def _beta_function(a: Value, b: Value, context: Context) -> Value:
    return mapped_pair(a, b, _beta, context)


@function("lbeta", "a, b", role="elementwise", purpose="Logarithm of the beta function.")
def _lbeta(a: Value, b: Value, context: Context) -> Value:
    return mapped_pair(a, b, _logarithm_of_beta, context)


def _choose(n: Array, k: Array) -> Array:
    n, k = np.broadcast_arrays(n, np.rint(k))
    near = np.abs(n - np.rint(n)) <= 1e-7 * np.maximum(1.0, np.abs(n))
    whole = np.where(near, np.rint(n), n)
    # Of two equal choices R multiplies out the smaller.
    k = np.where(near & (whole - k < k) & (whole >= 0) & (k < 30), whole - k, k)
    result = np.where(k < 0, 0.0, np.where(k == 0, 1.0, n))
    small = k < 30
    most = int(np.nanmax(np.where(small, k, 0), initial=0))
    for step in range(2, most + 1):
        active = small & (k >= step)
        result = np.where(active, result * ((n - step + 1) / step), result)
    result = np.where(small & near & (k >= 2), np.rint(result), result)
    large = ~small & ~np.isnan(k) & ~np.isnan(n)
    if large.any():
        result = np.where(large, _choose_large(n, k, near & large), result)
    return np.where(np.isnan(n) | np.isnan(k), np.nan, result)


def _choose_large(n: Array, k: Array, near: Array) -> Array:
    """Return binomial coefficients for k of 30 and more; `near` marks those of whole numbers."""
    from scipy import special

    whole = np.rint(n)
    other = np.where(near & (n >= 0), whole - k, 30.0)
    few = (other >= 0) & (other < 30)
    result = np.asarray(special.binom(np.where(near, whole, n), k))
    if few.any():
        result = np.where(few, _choose(whole, np.where(few, other, 0.0)), result)
    result = np.where(near & (n >= 0) & (other < 0), 0.0, result)
    result = np.where(near, np.rint(result), result)
    if (negative := near & (n < 0)).any():
        sign = np.where(k % 2 == 1, -1.0, 1.0)
        upper = np.where(negative, k - whole - 1, 0.0)
        result = np.where(negative, sign * _choose(upper, np.where(negative, k, 0.0)), result)
    return result


@function("choose", "n, k", role="elementwise", purpose="Binomial coefficient.")
def _choose_function(n: Value, k: Value, context: Context) -> Value:
    return mapped_pair(n, k, _choose, context)


@function("factorial", "x", role="elementwise", purpose="gamma(x + 1).")
def _factorial(x: Value, context: Context) -> Value:
    reject_classes(x, "gamma")
    return mapped(x, lambda array: _gamma(array + 1), context)


@function("lfactorial", "x", role="elementwise", purpose="lgamma(x + 1).")
def _lfactorial(x: Value, context: Context) -> Value:
    reject_classes(x, "lgamma")
    return mapped(x, lambda array: scipy_special("gammaln")(array + 1), context)
