"""A design in blocks: the columns of each fixed term, the dense columns of each random one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lme4py.data.values import Factor, FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects

__all__ = [
    "INTERCEPT",
    "FixedTerm",
    "dense",
    "effects",
    "fixed_matrix",
    "fixed_terms",
    "grouping_factors",
    "in_formula_order",
    "random_tables",
    "response",
    "response_columns",
]

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, slots=True)
class FixedTerm:
    """One term of the fixed part: its label and its stretch of the columns of X."""

    label: str
    start: int
    stop: int

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.stop - self.start


def fixed_terms(design: MixedDesign) -> list[FixedTerm]:
    """Return the fixed terms that have columns in X, in order.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ poly(Days, 2) + (1 | Subject)", sleepstudy())
    >>> [(term.label, term.columns) for term in fixed_terms(design)]
    [('(Intercept)', 1), ('poly(Days, 2)', 2)]
    """
    assign = design.fixed.assign
    starts = np.flatnonzero(np.diff(assign, prepend=-1))
    stops = [*starts.tolist(), len(assign)][1:]
    return [
        FixedTerm(
            INTERCEPT if assign[start] == 0 else design.fixed.terms[assign[start] - 1],
            int(start),
            int(stop),
        )
        for start, stop in zip(starts, stops, strict=True)
    ]


def fixed_matrix(design: MixedDesign) -> FloatArray:
    """Return X as a dense array, shape (n, p), also where the design keeps it sparse."""
    return dense(design.X)


def dense(matrix: Any) -> FloatArray:
    """Return a matrix as an array, sparse ones in Fortran order."""
    found: FloatArray = matrix if isinstance(matrix, np.ndarray) else matrix.toarray(order="F")
    return found


def effects(term: RandomTerm) -> FloatArray:
    """Return the left side of a bar as a dense array, shape (n, columns), Fortran order."""
    values = np.empty((term.group.codes.size, term.columns), order="F")
    term.plan.fill(values)
    return values


def in_formula_order(design: MixedDesign) -> list[RandomTerm]:
    """Return the random terms as the formula has them; `design.random.terms` is in lme4's order."""
    random = design.random
    return [random.terms[k] for k in np.argsort(random.order)]


def response(design: MixedDesign) -> FloatArray:
    """Return the response as one vector.

    Raises
    ------
    DataError
        If the model has none, or one of several columns.
    """
    if design.y is None:
        raise DataError("the model has no numeric response")
    if design.y.ndim != 1 and design.y.shape[1] != 1:
        raise DataError(f"the response has {design.y.shape[1]} columns, not one")
    return design.y.ravel()


def response_columns(design: MixedDesign) -> dict[str, FloatArray]:
    """Return y (y1, y2, ... where it has several columns), weights and offset, if there."""
    found: dict[str, FloatArray] = {}
    if design.y is not None:
        columns = design.y.reshape(len(design.y), -1)
        single = columns.shape[1] == 1
        found = {"y" if single else f"y{k + 1}": column for k, column in enumerate(columns.T)}
    for name, values in (("weights", design.weights), ("offset", design.offset)):
        if values is not None:
            found[name] = values
    return found


def grouping_factors(random: RandomEffects) -> dict[str, Factor]:
    """Return the grouping factors by name, in the order of the terms."""
    found: dict[str, Factor] = {}
    for term in random.terms:
        found.setdefault(term.bar.group_name, term.group)
    return found


def random_tables(random: RandomEffects) -> dict[str, dict[str, Any]]:
    """Return the columns of tables of the random part: its effects, theta, and par's bounds."""
    terms = random.terms
    sizes = np.diff(random.Gp)
    return {
        "effects": {
            "term": np.repeat(np.arange(len(terms)), sizes),
            "group": np.repeat([term.bar.group_name for term in terms], sizes),
            "level": random.row_names,
            "column": [name for t in terms for _ in range(t.levels) for name in t.plan.names],
        },
        "theta": {"theta": random.theta},
        "bounds": {"par": random.par, "lower": random.lower, "upper": random.upper},
    }
