"""What a spec holds: everything that new rows need of a model, and no data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Call, Node
from lme4py.formula.terms import Terms, terms
from lme4py.frame.coding import DEFAULT_CONTRASTS, DefaultContrasts
from lme4py.frame.schema import ColumnType, Levels
from lme4py.frame.values import Matrix

__all__ = ["Group", "Recipe", "joins_names"]


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """The grouping factor of one bar.

    Parameters
    ----------
    levels : tuple of str
        In the order of the rows of Zt.
    ordered : bool
        Whether it is an ordered factor.
    frozen : mapping of str to object
        Parameters and states of the functions in the grouping expression.
    """

    levels: tuple[str, ...]
    ordered: bool
    frozen: Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Recipe:
    """The fields of a spec; `lme4py.Spec` tells what each is."""

    formula: Formula
    names: tuple[str, ...]
    columns: Mapping[str, ColumnType]
    frame_names: tuple[str, ...]
    variables: Mapping[str, ColumnType]
    grouping: Mapping[str, Levels]
    groups: tuple[Group, ...]
    frozen: Mapping[str, Any]
    contrasts: Mapping[str, str | Matrix]
    kept: tuple[int, ...]
    names_of_X: tuple[str, ...]
    centers: tuple[float, ...]
    divisors: tuple[float, ...]
    collation: str
    na_action: str
    offset: str | bool
    env: Mapping[str, Any] = field(default_factory=dict)
    default_contrasts: DefaultContrasts = DEFAULT_CONTRASTS

    @cached_property
    def terms(self) -> Terms:
        """The terms of the formula, random ones among the fixed."""
        return terms(self.formula.subbars().node, self.names)


def joins_names(group: Node) -> bool:
    """Tell whether a group is a name, or names joined by ``:``."""
    pending = [group]
    while pending:
        node = pending.pop()
        if isinstance(node, Call):
            if node.name not in (":", "("):
                return False
            pending.extend(node.operands)
    return True
