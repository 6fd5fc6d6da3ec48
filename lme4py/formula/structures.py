"""Covariance structures called around bars: those lme4 has, and those it has not."""

from __future__ import annotations

from lme4py.errors import FormulaError
from lme4py.formula.bars import STRUCTURES, holds_bars, is_bar, is_structure
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import (
    Argument,
    Call,
    Constant,
    Node,
    call,
    calls_in,
    rebuilt,
    rewrite,
    strip_parentheses,
)
from lme4py.versions import LME4_2, Lme4

__all__ = ["hom_arguments", "hom_of", "plain_bars", "refuse_foreign"]

# glmmTMB's structures that lme4 has not, and lme4's way to write the same where there is one.
# Its `exp` is not among them: exp(x | g) is a call of R's exp, and lme4 sees the bar in it.
_FOREIGN = {
    "homdiag": "diag({}, hom = TRUE)",
    "homcs": "cs({}, hom = TRUE)",
    "hetar1": "ar1({}, hom = FALSE)",
    **dict.fromkeys(("toep", "homtoep", "rr", "ou", "gau", "mat", "propto", "equalto"), None),
}


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
        if item.name in STRUCTURES and not holds_bars(first) and any(map(is_bar, others)):
            raise FormulaError(
                f"the first argument of {item.name} must be its term",
                item.span,
                f"write {item.name}(effects | group, hom = TRUE)",
            )
