"""A fit against the estimates that R recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.proof.findings import Finding
from lme4py.proof.fixture import Fixture
from lme4py.rfiles.rvalues import RVector

# How far optima of the same criterion lie apart: of its value, in standard errors of a
# coefficient, and relative to sigma or to the largest theta.
_VALUE, _ERRORS, _SHARE = 1e-4, 1e-2, 5e-3


def estimates(fit: Any, fixture: Fixture) -> Iterator[Finding]:
    """Yield a finding for each estimate that the file of a fitted model has.

    The criterion may be lower than R's; it must not be higher.
    """
    known = fixture.terms.by_name("devcomp", "cmp")
    value = known.get("REML" if fit.reml else "dev")
    if value is not None:
        above = fit.criterion - value
        text = f"{fit.criterion:.6f}, R has {value:.6f}"
        yield _judged("fit.criterion", above <= _VALUE * 1e-2, text, abs(above), _VALUE * 1e-2)
    pairs = (
        ("fit.fixef", "beta", fit.beta, np.sqrt(np.diag(fit.covariance)), _ERRORS),
        ("fit.theta", "theta", fit.theta, np.abs(fit.theta).max(initial=0.0), _SHARE),
    )
    for component, name, ours, scale, tolerance in pairs:
        theirs = fixture.terms.find(name, RVector)
        if theirs is not None:
            yield _close(component, ours, theirs.as_float(), scale, tolerance)
    scale = known.get("sigmaREML" if fit.reml else "sigmaML")
    if scale is not None and fit.has_scale:
        yield _close("fit.sigma", np.array([fit.sigma]), np.array([scale]), scale, _SHARE)


def _close(
    component: str, ours: FloatArray, theirs: FloatArray, scale: Any, tolerance: float
) -> Finding:
    if ours.shape != theirs.shape:
        return Finding(component, "different", f"{ours.size} numbers, R has {theirs.size}")
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.nan_to_num(np.abs(ours - theirs) / scale, nan=0.0)
    largest = float(apart.max(initial=0.0))
    at = int(apart.argmax()) if ours.size else 0
    text = f"{ours[at]:.8g}, R has {theirs[at]:.8g}" if ours.size else ""
    return _judged(component, largest <= tolerance, text, largest, tolerance)


def _judged(component: str, good: bool, text: str, largest: float, tolerance: float) -> Finding:
    if good:
        return Finding(component, "equal", size=f"within {tolerance:g}", largest=largest)
    return Finding(component, "different", f"{text} (tolerance {tolerance:g})", largest=largest)
