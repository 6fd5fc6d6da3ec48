"""Bars: one random-effects term, what counts as one, and the walks that meet them.

A bar may be the first argument of a covariance structure of lme4 2.x, as in
``cs(x | g, hom = TRUE)``. The bar knows its structure; for everything else, such a
call stands for the bar in parentheses (`structures.plain_bars`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from lme4py.abbreviation import Abbreviated
from lme4py.errors import FormulaError
from lme4py.formula.deparse import deparse, variable_name
from lme4py.formula.syntax import Argument, Call, Constant, Node, Symbol, call
from lme4py.versions import LME4_2

__all__ = [
    "BARS",
    "STRUCTURES",
    "Bar",
    "DoubleBar",
    "holds_bars",
    "is_bar",
    "is_structure",
    "sides_of",
    "spine_of",
    "structured_bar",
]

STRUCTURES = LME4_2.structures
"""The covariance structures of lme4 2.x: names that may be called around a bar."""
DoubleBar: TypeAlias = Literal["split", "diag"]
BARS = frozenset({"|", "||"})


@dataclass(frozen=True, repr=False, slots=True)
class Bar(Abbreviated):
    """One random-effects term ``effects | group``.

    Parameters
    ----------
    effects : Node
        Left of the bar: a one-sided formula for the columns.
    group : Node
        Right of the bar: the grouping factor, after ``a/b`` is expanded.
    source : Node
        The bar as it stands in the formula, for error positions.
    structure : {"us", "diag", "cs", "ar1"}
        The covariance structure; a plain bar is ``us``.
    hom : bool, optional
        One common standard deviation; None if the formula does not say.
    """

    effects: Node
    group: Node
    source: Node
    structure: str = "us"
    hom: bool | None = None

    @property
    def label(self) -> str:
        """The bar's text, as lme4 names it in ``Ztlist``."""
        return deparse(call("|", self.effects, self.group))

    @property
    def node(self) -> Call:
        """The term as a formula writes it: in parentheses, or in the name of its structure."""
        bar = call("|", self.effects, self.group)
        if self.structure == "us":
            return call("(", bar)
        hom = () if self.hom is None else (Argument(Constant(str(self.hom).upper()), "hom"),)
        return Call(Symbol(self.structure), (Argument(bar), *hom))

    @property
    def group_name(self) -> str:
        """The grouping factor's name in ``cnms`` and ``flist``."""
        return variable_name(self.group)


def is_bar(node: Node | None) -> bool:
    """Tell whether an expression is a bar."""
    return isinstance(node, Call) and node.name in BARS


def holds_bars(node: Node) -> bool:
    """Whether a bar stands in the expression, where the walks come by."""
    pending = [node]
    while pending:
        item = pending.pop()
        if is_bar(item):
            return True
        if isinstance(item, Call):
            pending.extend(item.operands[:2])
    return False


def is_structure(node: Node) -> bool:
    """Whether a structure is called around a term, or around something that has bars."""
    return (
        isinstance(node, Call)
        and node.name in STRUCTURES
        and bool(node.operands)
        and holds_bars(node.operands[0])
    )


def structured_bar(node: Call) -> Call | None:
    """Return the bar that a structure is called around; in parentheses lme4 does not see it."""
    if node.name not in STRUCTURES or not node.operands:
        return None
    inner = node.operands[0]
    return inner if isinstance(inner, Call) and inner.name == "|" else None


def sides_of(bar: Call) -> tuple[Node, Node]:
    """Return what stands left and right of a bar."""
    if len(bar.operands) != 2:
        raise FormulaError("a bar has two sides: (effects | group)", bar.span)
    effects, group = bar.operands
    return effects, group


def spine_of(node: Node) -> tuple[Node, list[Call]]:
    """Return the leftmost operand that has not two operands, and the calls above it, inner first.

    The walks of this module follow the first two arguments of a call, so long sums
    are walked in a loop along their left spine.
    """
    calls: list[Call] = []
    while isinstance(node, Call) and len(node.operands) >= 2:
        if is_bar(node) or is_structure(node):
            break
        calls.append(node)
        node = node.operands[0]
    return node, calls[::-1]
