"""Bars: one random-effects term, what counts as one, and the structures called around them.

A bar may be the first argument of a covariance structure of lme4 2.x, as in
``cs(x | g, hom = TRUE)``. The bar knows its structure; for everything else, such a
call stands for the bar in parentheses (`plain_bars`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from lme4py.abbreviation import Abbreviated
from lme4py.errors import FormulaError
from lme4py.formula.deparse import deparse, variable_name
from lme4py.formula.syntax import (
    Argument,
    Call,
    Constant,
    Node,
    Symbol,
    call,
    calls_in,
    rebuilt,
    rewrite,
    strip_parentheses,
)
from lme4py.versions import LME4_2, Lme4

STRUCTURES = LME4_2.structures
"""The covariance structures of lme4 2.x: names that may be called around a bar."""
DoubleBar: TypeAlias = Literal["split", "diag"]
BARS = frozenset({"|", "||"})
# glmmTMB's structures that lme4 has not, and lme4's way to write the same where there is one.
# Its `exp` is not among them: exp(x | g) is a call of R's exp, and lme4 sees the bar in it.
_FOREIGN = {
    "homdiag": "diag({}, hom = TRUE)",
    "homcs": "cs({}, hom = TRUE)",
    "hetar1": "ar1({}, hom = FALSE)",
    **dict.fromkeys(("toep", "homtoep", "rr", "ou", "gau", "mat", "propto", "equalto"), None),
}


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


def _holds_bars(node: Node) -> bool:
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
        and _holds_bars(node.operands[0])
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


def hom_arguments(structured: Call) -> list[Argument]:
    """Return the arguments that R takes for `hom`: `$` completes names, if only one will do."""
    exact = [item for item in structured.arguments if item.name == "hom"]
    longer = [item for item in structured.arguments if (item.name or "").startswith("hom")]
    return exact[:1] or (longer if len(longer) == 1 else [])


def hom_of(structured: Call) -> bool | None:
    """Return what a structure's `hom` says, None if it is not given."""
    for item in hom_arguments(structured):
        if isinstance(item.value, Constant) and item.value.name in ("TRUE", "FALSE"):
            return item.value.name == "TRUE"
        raise FormulaError(
            "'hom' is not TRUE or FALSE in special call",
            structured.span if item.value is None else item.value.span,
            "lme4 does not evaluate it: write hom = TRUE or hom = FALSE",
        )
    return None


def plain_bars(node: Node, lme4: Lme4 = LME4_2) -> Node:
    """Return the expression with every structured term written as a bar in parentheses.

    lme4 looks for the names, whether or not there is a bar. Of a call that holds one it keeps
    the operator only if it has two arguments: of others the first argument is left. A structure
    that is not one of lme4's is an error.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(plain_bars(parse("x + cs(1 + x | g, hom = TRUE)")))
    'x + (1 + x | g)'
    >>> deparse(plain_bars(parse("!x + cs(1 | g)")))
    'x + (1 | g)'
    """
    refuse_foreign(node, lme4)

    def simplify(item: Call, operands: tuple[Node, ...]) -> Node:
        if item.name in lme4.structures and operands:
            return call("(", operands[0], span=item.span)
        made = rebuilt(item, operands)
        return made if made is item or len(item.arguments) == 2 else operands[0]

    return rewrite(node, simplify)


def refuse_foreign(node: Node, lme4: Lme4) -> None:
    """Raise for a structure that lme4 has not, and for a bar in the wrong place of one it has."""
    for item in calls_in(node):
        if not item.operands:
            continue
        first, *others = (strip_parentheses(operand) for operand in item.operands)
        if item.name in _FOREIGN and is_bar(first):
            instead = _FOREIGN[item.name]
            raise FormulaError(
                f"unknown covariance structure '{item.name}': lme4 has {', '.join(STRUCTURES)}",
                item.span,
                f"write {instead.format(deparse(first))}"
                if instead
                else f"without a name, ({deparse(first)}) is unstructured: us",
            )
        if is_structure(item) and item.name not in lme4.structures:
            raise FormulaError(
                f'could not find function "{item.name}"',
                item.span,
                f"lme4 {lme4.version} has no covariance structures: leave {item.name}() out, or "
                'give lme4="2.1"',
            )
        if item.name in STRUCTURES and not _holds_bars(first) and any(map(is_bar, others)):
            raise FormulaError(
                f"the first argument of {item.name} must be its term",
                item.span,
                f"write {item.name}(effects | group, hom = TRUE)",
            )
