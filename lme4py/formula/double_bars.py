"""Double bars: ``(x || g)`` written as ``(1 | g) + (0 + x | g)``."""

from __future__ import annotations

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.bars import DoubleBar, is_structure, sides_of, spine_of
from lme4py.formula.deparse import variable_name
from lme4py.formula.nulls import lost_in_expansion
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, call, placed, with_operands
from lme4py.formula.terms import terms

__all__ = ["expand_double_bars"]


def expand_double_bars(node: Node, method: DoubleBar = "split") -> Node:
    """Return the expression with each ``(e || g)`` written with single bars.

    Parameters
    ----------
    node : Node
        A right-hand side.
    method : {"split", "diag"}
        One bar per term of e, as lme4 does; or ``diag(e | g)``, as lme4 2.x does on
        request. lme4 builds the pieces of "split" as text and parses them, so its limits
        are kept: no term besides the intercept, or a grouping name that needs
        back-quotes, is an error.

    Examples
    --------
    >>> from lme4py.formula.deparse import deparse
    >>> deparse(expand_double_bars(parse("(x * z || g)")))
    '((1 | g) + (0 + x | g) + (0 + z | g) + (0 + x:z | g))'
    >>> deparse(expand_double_bars(parse("y + (x * z || g)"), "diag"))
    'y + diag(x * z | g)'
    """
    first, calls = spine_of(node)
    result = _with_single_bars(first, method)
    for outer in calls:
        right = (
            outer.operands[1]
            if len(outer.operands) > 2
            else expand_double_bars(outer.operands[1], method)
        )
        changed = result is not outer.operands[0] or right is not outer.operands[1]
        result = with_operands(outer, result, right) if changed else outer
    return result


def _with_single_bars(node: Node, method: DoubleBar) -> Node:
    if not isinstance(node, Call) or node.name == "|":
        return node
    if node.name == "||":
        return _split(node) if method == "split" else _diagonal(node)
    if len(node.operands) != 1 and not is_structure(node):
        return node
    inner = node.operands[0]
    if method == "diag" and isinstance(inner, Call) and inner.name == "||":
        if node.name == "(":
            return _diagonal(inner)
        if node.name == "diag":
            return with_operands(node, call("|", *inner.operands, span=inner.span))
    inside = expand_double_bars(inner, method)
    return node if inside is inner else with_operands(node, inside)


def _diagonal(bar: Call) -> Call:
    return call("diag", call("|", *bar.operands, span=bar.span), span=bar.span)


def _split(bar: Call) -> Node:
    effects, group = sides_of(bar)
    found = terms(call("~", effects))
    if not found.labels:
        raise FormulaSyntaxError(
            "unexpected '|': the left side of || has no term besides the intercept",
            bar.span,
            "write (1 | group): a single random intercept has no correlations to leave out",
        )
    # R writes a lone name without its back-quotes here, so an odd one cannot be read again.
    group_text = variable_name(group)
    pieces = (["1"] if found.intercept else []) + [f"0+{label}" for label in found.labels]
    text = "+".join(f"({piece}|{group_text})" for piece in pieces)
    try:
        parsed = parse(text)
    except FormulaSyntaxError as error:
        raise FormulaSyntaxError(
            f"{error.message}: lme4 cannot split this ||",
            bar.span,
            "a grouping name that needs back-quotes does not work with ||; rename the column",
        ) from None
    # Through the parentheses around it lme4 walks twice.
    return lost_in_expansion(placed(parsed, bar.span))
