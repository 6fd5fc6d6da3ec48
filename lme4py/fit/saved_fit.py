"""The saved form of a fit: JSON, read without running anything."""

from __future__ import annotations

from lme4py.codec import Codec
from lme4py.family import Family
from lme4py.fit.fitted import EstimatedTerm, FittedModel
from lme4py.fit.optimise import Optimum
from lme4py.spec import saved
from lme4py.spec.spec import Spec

__all__ = ["read", "write"]


def _term_fits(term: EstimatedTerm) -> bool:
    levels, width = len(term.levels), len(term.names)
    return (
        term.matrix.shape == (width, width)
        and term.modes.shape == (levels, width)
        and term.variances is not None
        and term.variances.shape == (levels, width * width)
    )


def _fit_fits(fit: FittedModel) -> bool:
    size, count = len(fit.names), fit.par.size
    return (
        fit.coefficients.shape == (size,)
        and fit.covariance.shape == (size, size)
        and fit.par.shape == fit.lower.shape == fit.upper.shape == (count,)
        and fit.n > 0
    )


_CODEC = Codec(
    "a saved fit",
    {
        FittedModel: _fit_fits,
        EstimatedTerm: _term_fits,
        Optimum: lambda item: item.par.ndim == 1,
        Family: lambda _: True,
    },
    {Spec: (saved.write, saved.read)},
    root=FittedModel,
    version=2,
)


def write(fit: FittedModel) -> str:
    """Return a fit as JSON text, every number to the last bit."""
    return _CODEC.write(fit)


def read(text: str) -> FittedModel:
    """Return what `write` wrote as a fit; `DataError` for any other text."""
    found: FittedModel = _CODEC.read(text)
    return found
