"""A design in blocks: the columns of each fixed term, the dense columns of each random one."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.fixed_design import FixedDesign
from lme4py.matrices.randomterm import RandomTerm

INTERCEPT = "(Intercept)"


def fixed_terms(design: FixedDesign) -> dict[str, slice]:
    """Return the columns of X that belong to each fixed term, in order.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ poly(Days, 2) + (1 | Subject)", sleepstudy())
    >>> fixed_terms(design)
    {'(Intercept)': slice(0, 1, None), 'poly(Days, 2)': slice(1, 3, None)}
    """
    assign, labels = design.fixed.assign, (INTERCEPT, *design.fixed.terms)
    starts = np.flatnonzero(np.diff(assign, prepend=-1)).tolist()
    stops = [*starts, len(assign)][1:]
    return {labels[assign[at]]: slice(at, end) for at, end in zip(starts, stops, strict=True)}


def dense(matrix: Any) -> FloatArray:
    """Return a matrix as an array, sparse ones in Fortran order."""
    found: FloatArray = matrix if isinstance(matrix, np.ndarray) else matrix.toarray(order="F")
    return found


def effects(term: RandomTerm) -> FloatArray:
    """Return the left side of a bar as a dense array, shape (n, columns), Fortran order."""
    values = np.empty((term.group.codes.size, term.columns), order="F")
    term.plan.fill(values)
    return values
