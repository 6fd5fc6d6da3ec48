"""Random-effects terms: the bars ``(effects | group)`` of a formula.

Four walks over the right-hand side, each lme4's:

* `find_bars` meets the bars left to right through parentheses, any operator and any
  call; what joins or encloses a bar has no meaning for it.
* `without_bars` cuts them out: of ``A op (bar)`` A remains, of ``(bar) op B`` B.
* `bars_as_sums` writes ``+`` for ``|``, which gives the variables of the model frame.
* `expand_double_bars` writes ``(x || g)`` as ``(1 | g) + (0 + x | g)``.

A bar may be the first argument of a covariance structure of lme4 2.x, as in
``cs(x | g, hom = TRUE)``. The bar knows its structure; for everything else, such a
call stands for the bar in parentheses (`plain_bars`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from lme4py.errors import FormulaError, FormulaSyntaxError
from lme4py.formula.deparse import deparse, variable_name
from lme4py.formula.parse import parse
from lme4py.formula.syntax import (
    Argument,
    Call,
    Constant,
    Node,
    Symbol,
    call,
    strip_parentheses,
)
from lme4py.formula.terms import terms

__all__ = [
    "STRUCTURES",
    "Bar",
    "DoubleBar",
    "bars_as_sums",
    "expand_double_bars",
    "find_bars",
    "plain_bars",
    "structure_remarks",
    "without_bars",
]

STRUCTURES = ("us", "diag", "cs", "ar1")
"""The covariance structures of lme4 2.x: names that may be called around a bar."""

DoubleBar: TypeAlias = Literal["split", "diag"]

_BARS = frozenset({"|", "||"})

# glmmTMB's structures that lme4 has not, and lme4's way to write the same where there is one.
# Its `exp` is not among them: exp(x | g) is a call of R's exp, and lme4 sees the bar in it.
_FOREIGN = {
    "homdiag": "diag({}, hom = TRUE)",
    "homcs": "cs({}, hom = TRUE)",
    "hetar1": "ar1({}, hom = FALSE)",
    **dict.fromkeys(("toep", "homtoep", "rr", "ou", "gau", "mat", "propto", "equalto"), None),
}


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
    def group_name(self) -> str:
        """The grouping factor's name in ``cnms`` and ``flist``."""
        return variable_name(self.group)


def _is_bar(node: Node | None) -> bool:
    return isinstance(node, Call) and node.name in _BARS


def _holds_bars(node: Node) -> bool:
    """Whether a bar stands in the expression, where the walks come by."""
    pending = [node]
    while pending:
        item = pending.pop()
        if _is_bar(item):
            return True
        if isinstance(item, Call):
            pending.extend(item.operands[:2])
    return False


def _is_structure(node: Node) -> bool:
    """Whether a structure is called around a term, or around something that has bars."""
    return (
        isinstance(node, Call)
        and node.name in STRUCTURES
        and bool(node.operands)
        and _holds_bars(node.operands[0])
    )


def _structured_bar(node: Call) -> Call | None:
    """Return the bar that a structure is called around; in parentheses lme4 does not see it."""
    if node.name not in STRUCTURES or not node.operands:
        return None
    inner = node.operands[0]
    return inner if isinstance(inner, Call) and inner.name == "|" else None


def _sides(bar: Call) -> tuple[Node, Node]:
    """Return what stands left and right of a bar."""
    if len(bar.operands) != 2:
        raise FormulaError("a bar has two sides: (effects | group)", bar.span)
    effects, group = bar.operands
    return effects, group


def _spine(node: Node) -> tuple[Node, list[Call]]:
    """Return the leftmost operand that has not two operands, and the calls above it, inner first.

    The walks of this module follow the first two arguments of a call, so long sums
    are walked in a loop along their left spine.
    """
    calls: list[Call] = []
    while (
        isinstance(node, Call)
        and len(node.operands) >= 2
        and not _is_bar(node)
        and not _is_structure(node)
    ):
        calls.append(node)
        node = node.operands[0]
    calls.reverse()
    return node, calls


def find_bars(node: Node) -> tuple[Bar, ...]:
    """Return the random-effects terms of a right-hand side (lme4's ``findbars``).

    Raises
    ------
    FormulaError
        If a covariance structure is unknown, or `hom` is not TRUE or FALSE.

    Examples
    --------
    >>> [bar.label for bar in find_bars(parse("x + (1 + x | g/h)"))]
    ['1 + x | h:g', '1 + x | g']
    >>> [(bar.label, bar.structure, bar.hom) for bar in find_bars(parse("cs(x | g, hom = TRUE)"))]
    [('x | g', 'cs', True)]
    """
    _refuse_foreign(node)
    expanded = expand_double_bars(node)
    return tuple(bar for found in _walk_bars(expanded) for bar in _nested(found))


def _walk_bars(node: Node) -> Iterator[Bar]:
    first, calls = _spine(node)
    if isinstance(first, Call):
        if first.name == "|":
            yield Bar(*_sides(first), first)
        elif (inner := _structured_bar(first)) is not None:
            yield Bar(*_sides(inner), inner, first.name or "us", _hom(first))
        elif len(first.operands) == 1 or _is_structure(first):
            yield from _walk_bars(first.operands[0])
    for outer in calls:
        yield from _walk_bars(outer.operands[1])


def _hom_arguments(structured: Call) -> list[Argument]:
    """Return the arguments that R takes for `hom`: `$` completes names, if only one will do."""
    exact = [item for item in structured.arguments if item.name == "hom"]
    longer = [item for item in structured.arguments if (item.name or "").startswith("hom")]
    return exact[:1] or (longer if len(longer) == 1 else [])


def _hom(structured: Call) -> bool | None:
    for item in _hom_arguments(structured):
        if isinstance(item.value, Constant) and item.value.name in ("TRUE", "FALSE"):
            return item.value.name == "TRUE"
        raise FormulaError(
            "'hom' is not TRUE or FALSE in special call",
            structured.span if item.value is None else item.value.span,
            "lme4 does not evaluate it: write hom = TRUE or hom = FALSE",
        )
    return None


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
    >>> deparse(without_bars(parse("(1 | g) - x + z")))
    'x + z'
    >>> deparse(without_bars(parse("x + diag(z | g)")))
    'x'
    """
    return _outside_bars(plain_bars(node))


def _outside_bars(node: Node) -> Node | None:
    first, calls = _spine(node)
    kept = _operand_without_bars(first)
    for outer in calls:
        if outer.name not in ("~", "(") and any(_is_bar(operand) for operand in outer.operands):
            kept = None
            continue
        right = _outside_bars(outer.operands[1])
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
    inside = _outside_bars(node.operands[0])
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


def plain_bars(node: Node) -> Node:
    """Return the expression with every structured term written as a bar in parentheses.

    Raises
    ------
    FormulaError
        If a structure is not one of lme4's.

    Examples
    --------
    >>> deparse(plain_bars(parse("x + cs(1 + x | g, hom = TRUE)")))
    'x + (1 + x | g)'
    """
    _refuse_foreign(node)

    def simplify(item: Call, operands: tuple[Node, ...]) -> Node:
        if _is_structure(item):
            return call("(", operands[0], span=item.span)
        return _rebuilt(item, operands)

    return _rewrite(node, simplify)


def _refuse_foreign(node: Node) -> None:
    """Raise for a structure that lme4 has not, and for a bar in the wrong place of one it has."""
    for item in _calls(node):
        if not item.operands:
            continue
        first, *others = (strip_parentheses(operand) for operand in item.operands)
        if item.name in _FOREIGN and _is_bar(first):
            instead = _FOREIGN[item.name]
            raise FormulaError(
                f"unknown covariance structure '{item.name}': lme4 has {', '.join(STRUCTURES)}",
                item.span,
                f"write {instead.format(deparse(first))}"
                if instead
                else f"without a name, ({deparse(first)}) is unstructured: us",
            )
        if item.name in STRUCTURES and not _holds_bars(first) and any(map(_is_bar, others)):
            raise FormulaError(
                f"the first argument of {item.name} must be its term",
                item.span,
                f"write {item.name}(effects | group, hom = TRUE)",
            )


def _calls(node: Node) -> Iterator[Call]:
    """Yield every call of the tree, outer before inner, left before right."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, Call):
            yield item
            pending.extend(reversed(item.operands))


def structure_remarks(node: Node, double_bar: DoubleBar = "split") -> list[str]:
    """Return where an expression asks for a structure in a way that lme4 passes over in silence.

    Examples
    --------
    >>> structure_remarks(parse("x + diag((x | g))"))
    ['lme4 passes over the structure of diag((x | g)): write diag(x | g)']
    """
    remarks: list[str] = []
    for item in _calls(node):
        if not _is_structure(item):
            continue
        inner = strip_parentheses(item.operands[0])
        if _structured_bar(item) is not None:
            used = () if item.name == "us" else tuple(_hom_arguments(item))
            unused = [argument for argument in item.arguments[1:] if argument not in used]
            if unused:
                text = ", ".join(_argument_text(argument) for argument in unused)
                known = "none" if item.name == "us" else "only hom = TRUE or hom = FALSE"
                remarks.append(f"lme4 ignores {text} in {deparse(item)}: {item.name} has {known}")
        elif double_bar == "diag" and item.name == "diag" and item.operands[0] is inner:
            continue
        elif item.name != "us":
            if isinstance(inner, Call) and _is_bar(inner):
                instead = deparse(_with_operands(item, call("|", *inner.operands)))
            else:
                instead = f"{item.name}(effects | group)"
            remarks.append(f"lme4 passes over the structure of {deparse(item)}: write {instead}")
    return remarks


def _argument_text(argument: Argument) -> str:
    value = "" if argument.value is None else deparse(argument.value)
    return value if argument.name is None else f"{argument.name} = {value}"


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
        return _rebuilt(item, operands)

    return _rewrite(plain_bars(node), substitute)


def _rebuilt(item: Call, operands: tuple[Node, ...]) -> Call:
    """Return the call with these operands; the call itself if they are its own."""
    same = all(new is old for new, old in zip(operands, item.operands, strict=True))
    return item if same else _with_operands(item, *operands)


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
    >>> deparse(expand_double_bars(parse("(x * z || g)")))
    '((1 | g) + (0 + x | g) + (0 + z | g) + (0 + x:z | g))'
    >>> deparse(expand_double_bars(parse("y + (x * z || g)"), "diag"))
    'y + diag(x * z | g)'
    """
    first, calls = _spine(node)
    result = _with_single_bars(first, method)
    for outer in calls:
        right = (
            outer.operands[1]
            if len(outer.operands) > 2
            else expand_double_bars(outer.operands[1], method)
        )
        changed = result is not outer.operands[0] or right is not outer.operands[1]
        result = _with_operands(outer, result, right) if changed else outer
    return result


def _with_single_bars(node: Node, method: DoubleBar) -> Node:
    if not isinstance(node, Call) or node.name == "|":
        return node
    if node.name == "||":
        return _split(node) if method == "split" else _diagonal(node)
    if len(node.operands) != 1 and not _is_structure(node):
        return node
    inner = node.operands[0]
    if method == "diag" and isinstance(inner, Call) and inner.name == "||":
        if node.name == "(":
            return _diagonal(inner)
        if node.name == "diag":
            return _with_operands(node, call("|", *inner.operands, span=inner.span))
    inside = expand_double_bars(inner, method)
    return node if inside is inner else _with_operands(node, inside)


def _diagonal(bar: Call) -> Call:
    return call("diag", call("|", *bar.operands, span=bar.span), span=bar.span)


def _split(bar: Call) -> Node:
    effects, group = _sides(bar)
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
