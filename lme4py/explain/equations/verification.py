"""The equations evaluated beside the matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lme4py.explain.expression import Sum, evaluate
from lme4py.explain.system import System
from lme4py.frame.values import FloatArray

__all__ = ["Verification", "verify"]


_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of evaluating the equations beside ``X @ beta + Z @ b``.

    Parameters
    ----------
    rows : int
        Number of rows compared: those without missing or infinite values, for which an
        equation multiplied out may differ from one that is not.
    combined, levels, matrix : float
        Largest difference of each form, relative to the size of the terms of its row.
    tolerance : float
        What they may be.
    """

    rows: int
    combined: float
    levels: float
    matrix: float
    tolerance: float = _TOLERANCE

    @property
    def ok(self) -> bool:
        """Whether all differences are within the tolerance."""
        return max(self.combined, self.levels, self.matrix) <= self.tolerance

    def __bool__(self) -> bool:
        return self.ok


def verify(system: System, seed: int) -> Verification:
    """Evaluate three forms of the equations beside ``X @ beta + Z @ b`` on every row."""
    design = system.design
    random = np.random.default_rng(seed)
    beta = random.standard_normal(len(design.fixed.names))
    b = random.standard_normal(int(design.random.Gp[-1]))
    offset = 0.0 if design.offset is None else design.offset
    values = system.values_at(beta, b)
    forms = system.combined_predictor(), system.nested_predictor(), Sum(tuple(system.row_terms()))
    with np.errstate(all="ignore"):
        direct = design.X @ beta + design.Z @ b + offset
        size = abs(design.X) @ abs(beta) + abs(design.Z) @ abs(b) + abs(offset)
        found = (np.broadcast_to(evaluate(form, values), direct.shape) for form in forms)
        combined, levels, matrix = (_difference(value, direct, size) for value in found)
    return Verification(int(np.isfinite(size).sum()), combined, levels, matrix)


def _difference(found: FloatArray, direct: FloatArray, size: FloatArray) -> float:
    """Return the largest difference, relative to the size of the terms where above 1."""
    compared = np.isfinite(size)
    differences = abs(found - direct)[compared] / np.maximum(size[compared], 1.0)
    return float(np.where(np.isnan(differences), np.inf, differences).max(initial=0.0))
