"""How the columns of X and of a bar are made of the frame's variables, where that can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import Lme4pyError
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Node, call
from lme4py.formula.terms import terms
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import FloatArray
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import BarFrame, Grouping
from lme4py.matrices.modelmatrix import Frame, plan
from lme4py.matrices.plan import Plan

__all__ = ["plan_of_bar", "plan_of_x"]


def plan_of_x(
    formula: Formula, frame: ModelFrame, fixed: FixedEffects, X: FloatArray, context: Context
) -> Plan | None:
    """Return how X is made of the frame's variables; None where that cannot be told."""
    found = _planned(formula.nobars().node, frame, frame, fixed.contrasts, context)
    if found is None:
        return None
    changed = bool(fixed.scales or fixed.centers)
    numbers = iter(range(len(found.names)))
    for k, name in enumerate(fixed.names):
        # Columns that depend on others were dropped; the others are in order.
        same = (
            changed or np.array_equal(found.column(number), X[:, k], equal_nan=True)
            for number in numbers
            if found.names[number] == name
        )
        if not any(same):
            return None
    return found


def _planned(
    node: Node,
    frame: ModelFrame,
    seen: Frame,
    contrasts: Mapping[str, Any] | None,
    context: Context,
) -> Plan | None:
    try:
        return plan(terms(node, frame.names), seen, context, contrasts)
    except Lme4pyError:
        return None


def plan_of_bar(
    bar: Bar,
    grouping: Grouping,
    frame: ModelFrame,
    names: tuple[str, ...],
    assign: tuple[int, ...],
    block: FloatArray,
    codes: NDArray[np.int32],
    context: Context,
) -> Plan:
    """Return how a bar's columns are made of the frame's variables, or that they are given."""
    seen = BarFrame.of(bar, grouping)
    found = _planned(call("~", bar.effects, span=bar.effects.span), frame, seen, None, context)
    if found is not None and found.names == names:
        values = np.empty_like(block)
        found.fill(values)
        # Rows without a level have no entry in Zt.
        known = codes >= 0
        if np.array_equal(values[known], block[known], equal_nan=True):
            return found
    return Plan.given(block, names, assign)
