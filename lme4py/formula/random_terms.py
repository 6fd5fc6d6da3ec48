"""Random-effects terms: the bars ``(effects | group)`` of a formula.

Three walks over the right-hand side, each lme4's:

* `find_bars` meets the bars left to right through parentheses, any operator and any
  call; what joins or encloses a bar has no meaning for it.
* `without_bars` cuts them out: of ``A op (bar)`` A remains, of ``(bar) op B`` B.
* `bars_as_sums` writes ``+`` for ``|``, which gives the variables of the model frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lme4py.errors import FormulaError
from lme4py.formula.bars import (
    BARS,
    Bar,
    is_bar,
    is_structure,
    rebuilt,
    rewrite,
    sides_of,
    spine_of,
    structured_bar,
    with_operands,
)
from lme4py.formula.deparse import deparse
from lme4py.formula.double_bars import expand_double_bars
from lme4py.formula.nulls import lost_in_expansion
from lme4py.formula.structures import hom_of, plain_bars, refuse_foreign
from lme4py.formula.syntax import Call, Node, Symbol, call

__all__ = ["bars_as_sums", "find_bars", "without_bars"]


def find_bars(node: Node) -> tuple[Bar, ...]:
    """Return the random-effects terms of a right-hand side (lme4's ``findbars``).

    Raises
    ------
    FormulaError
        If a covariance structure is unknown, or `hom` is not TRUE or FALSE.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> [bar.label for bar in find_bars(parse("x + (1 + x | g/h)"))]
    ['1 + x | h:g', '1 + x | g']
    >>> [(bar.label, bar.structure, bar.hom) for bar in find_bars(parse("cs(x | g, hom = TRUE)"))]
    [('x | g', 'cs', True)]
    """
    refuse_foreign(node)
    expanded = expand_double_bars(lost_in_expansion(node))
    return tuple(bar for found in _walk_bars(expanded) for bar in _nested(found))


def _walk_bars(node: Node) -> Iterator[Bar]:
    first, calls = spine_of(node)
    if isinstance(first, Call):
        if first.name == "|":
            yield Bar(*sides_of(first), first)
        elif (inner := structured_bar(first)) is not None:
            yield Bar(*sides_of(inner), inner, first.name or "us", hom_of(first))
        elif len(first.operands) == 1 or is_structure(first):
            yield from _walk_bars(first.operands[0])
    for outer in calls:
        yield from _walk_bars(outer.operands[1])


def _nested(bar: Bar) -> Iterator[Bar]:
    """Yield ``(e | b:a)`` and ``(e | a)`` for ``(e | a/b)``, deepest first."""
    for factor in _nesting(bar.group):
        yield replace(bar, group=factor)


def _nesting(group: Node) -> list[Node]:
    if not _mentions_slash(group):
        return [group]
    if not (isinstance(group, Call) and group.name == "/" and len(group.operands) == 2):
        raise _unparseable(group)
    outer_side, inner = group.operands
    if isinstance(outer_side, Call) and outer_side.name != "/":
        if _mentions_slash(outer_side):
            raise _unparseable(outer_side)
        raise FormulaError(
            f"couldn't evaluate grouping factor {deparse(group)} within model frame",
            outer_side.span,
            "left of / lme4 takes a plain name; add the combined factor to the data",
        )
    if _mentions_slash(inner):
        raise _unparseable(inner)
    outer = _nesting(outer_side)
    # lme4 joins the inner factor with the deepest one of the outer side.
    return [call(":", inner, outer[0], span=group.span), *outer]


def _unparseable(group: Node) -> FormulaError:
    return FormulaError(
        "unparseable formula for grouping factor",
        group.span,
        "write nested groups as a/b, without parentheses or other operators around them",
    )


def _mentions_slash(node: Node) -> bool:
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, Call):
            if item.name == "/":
                return True
            pending.extend(item.operands)
            pending.append(item.function)
    return False


def without_bars(node: Node) -> Node | None:
    """Return a right-hand side with its bars cut out, None if nothing is left (``nobars``).

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(without_bars(parse("(1 | g) - x + z")))
    'x + z'
    >>> deparse(without_bars(parse("x + diag(z | g)")))
    'x'
    """
    return _outside_bars(plain_bars(node))


def _outside_bars(node: Node) -> Node | None:
    first, calls = spine_of(node)
    kept = _operand_without_bars(first)
    for outer in calls:
        if outer.name not in ("~", "(") and any(is_bar(operand) for operand in outer.operands):
            kept = None
            continue
        right = _outside_bars(outer.operands[1])
        if kept is None:
            kept = right
        elif right is not None:
            changed = kept is not outer.operands[0] or right is not outer.operands[1]
            kept = with_operands(outer, kept, right) if changed else outer
    return kept


def _operand_without_bars(node: Node) -> Node | None:
    if is_bar(node):
        return None
    if not isinstance(node, Call) or len(node.operands) != 1:
        return node
    inside = _outside_bars(node.operands[0])
    if inside is None:
        return None
    return node if inside is node.operands[0] else with_operands(node, inside)


def bars_as_sums(node: Node) -> Node:
    """Return the expression with ``+`` for every ``|`` and ``||`` (lme4's ``subbars``).

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(bars_as_sums(parse("x + (1 | g)")))
    'x + (1 + g)'
    """

    def substitute(item: Call, operands: tuple[Node, ...]) -> Node:
        if item.name in BARS and len(operands) == 2:
            return replace(with_operands(item, *operands), function=Symbol("+"))
        return rebuilt(item, operands)

    return rewrite(plain_bars(node), substitute)
