"""The saved form of a fit: JSON, read without running anything."""

from __future__ import annotations

import json
from typing import Any

from lme4py.codec import Codec
from lme4py.errors import DataError, Lme4pyError
from lme4py.family import Family
from lme4py.fit.fitted import EstimatedTerm, FittedModel
from lme4py.fit.optimise import Optimum
from lme4py.spec import saved
from lme4py.spec.spec import Spec

__all__ = ["read", "write"]

_FORMAT = "lme4py.FittedModel"
_VERSION = 1


def write(fit: FittedModel) -> str:
    """Return a fit as JSON text, every number to the last bit."""
    plain = {"format": _FORMAT, "version": _VERSION, "fit": _CODEC.to_plain(fit)}
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def read(text: str) -> FittedModel:
    """Return what `write` wrote as a fit; `DataError` for any other text."""
    try:
        fit = _CODEC.from_plain(_content(json.loads(text)))
    except DataError:
        raise
    except Lme4pyError as error:
        raise _CODEC.damaged(error.message) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise _CODEC.damaged(f"{type(error).__name__}: {error}") from error
    if not isinstance(fit, FittedModel):
        raise _CODEC.damaged("it is something else")
    return fit


def _content(plain: Any) -> Any:
    """Return the fit out of what stands around it."""
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        raise _CODEC.damaged("the text does not say so")
    if plain.get("version") != _VERSION:
        raise DataError(
            f"a fit of version {plain.get('version')!r}; this lme4py reads version {_VERSION}"
        )
    return plain.get("fit")


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


def _optimum_fits(optimum: Optimum) -> bool:
    return optimum.par.ndim == 1


def _spec(plain: Any) -> Spec:
    return saved.read(plain)


_CODEC = Codec(
    "a saved fit",
    {
        FittedModel: _fit_fits,
        EstimatedTerm: _term_fits,
        Optimum: _optimum_fits,
        Family: lambda _: True,
    },
    {Spec: (saved.write, _spec)},
)
