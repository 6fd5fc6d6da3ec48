"""Random-effects terms: the bars ``(effects | group)`` of a formula.

Four walks over the right-hand side, each lme4's:

* `find_bars` meets the bars left to right through parentheses, any operator and any
  call; what joins or encloses a bar has no meaning for it.
* `without_bars` cuts them out: of ``A op (bar)`` A remains, of ``(bar) op B`` B.
* `bars_as_sums` writes ``+`` for ``|``, which gives the variables of the model frame.
* `expand_double_bars` writes ``(x || g)`` as ``(1 | g) + (0 + x | g)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lme4py.errors import FormulaError, FormulaSyntaxError
from lme4py.formula.deparse import deparse, variable_name
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Argument, Call, Node, Symbol, call
from lme4py.formula.terms import terms

__all__ = ["Bar", "bars_as_sums", "expand_double_bars", "find_bars", "without_bars"]

_BARS = frozenset({"|", "||"})


@dataclass(frozen=True, slots=True)
class Bar:
    """One random-effects term ``effects | group``.

    Parameters
    ----------
    effects : Node
        Left of the bar: a one-sided formula for the columns.
    group : Node
        Right of the bar: the grouping factor, after ``a/b`` is expanded.
    source : Node
        The bar as it stands in the formula, for error positions.
    """

    effects: Node
    group: Node
    source: Node

    @property
    def label(self) -> str:
        """The bar's text, as lme4 names it in ``Ztlist``."""
        return deparse(call("|", self.effects, self.group))

    @property
    def group_name(self) -> str:
        """The grouping factor's name in ``cnms`` and ``flist``."""
        return variable_name(self.group)


def _is_bar(node: Node | None) -> bool:
    return isinstance(node, Call) and node.name in _BARS


def _spine(node: Node) -> tuple[Node, list[Call]]:
    """Return the leftmost operand that has not two operands, and the calls above it, inner first.

    The walks of this module follow the first two arguments of a call, so long sums
    are walked in a loop along their left spine.
    """
    calls: list[Call] = []
    while isinstance(node, Call) and len(node.operands) >= 2 and not _is_bar(node):
        calls.append(node)
        node = node.operands[0]
    calls.reverse()
    return node, calls


def find_bars(node: Node) -> tuple[Bar, ...]:
    """Return the random-effects terms of a right-hand side (lme4's ``findbars``).

    Examples
    --------
    >>> [bar.label for bar in find_bars(parse("x + (1 + x | g/h)"))]
    ['1 + x | h:g', '1 + x | g']
    """
    expanded = expand_double_bars(node)
    return tuple(bar for found in _walk_bars(expanded) for bar in _nested(found))


def _walk_bars(node: Node) -> Iterator[Call]:
    first, calls = _spine(node)
    if isinstance(first, Call):
        if first.name == "|":
            yield first
        elif len(first.operands) == 1:
            yield from _walk_bars(first.operands[0])
    for outer in calls:
        yield from _walk_bars(outer.operands[1])


def _nested(bar: Call) -> Iterator[Bar]:
    """Yield ``(e | b:a)`` and ``(e | a)`` for ``(e | a/b)``, deepest first."""
    effects, group = bar.operands
    for factor in _nesting(group):
        yield Bar(effects, factor, bar)


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
    >>> deparse(without_bars(parse("(1 | g) - x + z")))
    'x + z'
    """
    first, calls = _spine(node)
    kept = _operand_without_bars(first)
    for outer in calls:
        if outer.name not in ("~", "(") and any(_is_bar(operand) for operand in outer.operands):
            kept = None
            continue
        right = without_bars(outer.operands[1])
        if kept is None:
            kept = right
        elif right is not None:
            changed = kept is not outer.operands[0] or right is not outer.operands[1]
            kept = _with_operands(outer, kept, right) if changed else outer
    return kept


def _operand_without_bars(node: Node) -> Node | None:
    if _is_bar(node):
        return None
    if not isinstance(node, Call) or len(node.operands) != 1:
        return node
    inside = without_bars(node.operands[0])
    if inside is None:
        return None
    return node if inside is node.operands[0] else _with_operands(node, inside)


def _with_operands(node: Call, *operands: Node) -> Call:
    """Return the call with its first operands replaced, argument names kept."""
    replacements = iter(operands)
    arguments = tuple(
        item if item.value is None else Argument(next(replacements, item.value), item.name)
        for item in node.arguments
    )
    return replace(node, arguments=arguments)


def bars_as_sums(node: Node) -> Node:
    """Return the expression with ``+`` for every ``|`` and ``||`` (lme4's ``subbars``).

    Examples
    --------
    >>> deparse(bars_as_sums(parse("x + (1 | g)")))
    'x + (1 + g)'
    """

    def substitute(item: Call, operands: tuple[Node, ...]) -> Node:
        if item.name in _BARS and len(operands) == 2:
            return replace(_with_operands(item, *operands), function=Symbol("+"))
        same = all(new is old for new, old in zip(operands, item.operands, strict=True))
        return item if same else _with_operands(item, *operands)

    return _rewrite(node, substitute)


def _rewrite(node: Node, change: Callable[[Call, tuple[Node, ...]], Node]) -> Node:
    """Return the tree with `change` applied to every call, innermost first."""
    spine: list[Call] = []
    while isinstance(node, Call) and node.operands:
        spine.append(node)
        node = node.operands[0]
    for outer in reversed(spine):
        rest = (_rewrite(operand, change) for operand in outer.operands[1:])
        node = change(outer, (node, *rest))
    return node


def expand_double_bars(node: Node) -> Node:
    """Return the expression with each ``(e || g)`` split into one bar per term of e.

    lme4 builds the pieces as text and parses them, so its limits are kept: no term
    besides the intercept, or a grouping name that needs back-quotes, is an error.

    Examples
    --------
    >>> deparse(expand_double_bars(parse("(x * z || g)")))
    '((1 | g) + (0 + x | g) + (0 + z | g) + (0 + x:z | g))'
    """
    first, calls = _spine(node)
    if isinstance(first, Call) and first.name == "||":
        result = _split(first)
    elif isinstance(first, Call) and first.name != "|" and len(first.operands) == 1:
        inside = expand_double_bars(first.operands[0])
        result = first if inside is first.operands[0] else _with_operands(first, inside)
    else:
        result = first
    for outer in calls:
        right = (
            outer.operands[1] if len(outer.operands) > 2 else expand_double_bars(outer.operands[1])
        )
        changed = result is not outer.operands[0] or right is not outer.operands[1]
        result = _with_operands(outer, result, right) if changed else outer
    return result


def _split(bar: Call) -> Node:
    effects, group = bar.operands
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
    return _at(parsed, bar)


def _at(node: Node, source: Call) -> Node:
    """Return the tree with every node at the place of `source` in the user's text."""

    def move(item: Call, operands: tuple[Node, ...]) -> Node:
        moved = (replace(operand, span=source.span) for operand in operands)
        return replace(_with_operands(item, *moved), span=source.span)

    return _rewrite(node, move)
