"""Formulas that lme4 reads as another model than the text seems to say, and without a word.

The walks of `lme4py.formula.bars` and `lme4py.formula.terms` follow R and lme4 exactly;
this module says where that is probably not what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lme4py.errors import Span
from lme4py.formula.bars import (
    BARS,
    STRUCTURES,
    DoubleBar,
    hom_arguments,
    is_bar,
    is_structure,
    structured_bar,
)
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import (
    Call,
    Constant,
    Node,
    Number,
    call,
    calls_in,
    folded,
    is_null,
    strip_parentheses,
    with_operands,
)
from lme4py.formula.terms import OPERATORS
from lme4py.versions import LME4_2, Lme4

_LONG = 40
_NO_BAR, _SOME, _ONLY_BARS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Trap:
    """A place where a formula probably does not say what was meant.

    Parameters
    ----------
    text : str
        How lme4 reads it, and what to write instead.
    span : Span or None
        The place.
    number : Node, optional
        It is one only if this variable is a number.
    """

    text: str
    span: Span | None
    number: Node | None = None


def formula_traps(right: Node) -> list[Trap]:
    """Return the traps in a right-hand side, as it was written.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> [trap.text for trap in formula_traps(parse("(1 | g) - x"))]
    ["lme4 loses a '-' that follows a random term: it reads '+ x' here; write what is to be \
removed before the random terms"]
    >>> formula_traps(parse("x - 1 + (1 + x | g) + (0 + z | h)"))
    []
    """
    return [*_bars_and_nulls(right), *_around_bars(right), *_terms(right)]


def _shown(node: Node) -> str:
    text = deparse(node)
    return text if len(text) <= _LONG else text[: _LONG - 3] + "..."


def _bars_and_nulls(right: Node) -> Iterator[Trap]:
    """Find bars without parentheses, those of brms, and arguments that lme4 deletes."""
    if isinstance(right, Call) and is_bar(right) and not isinstance(right.operands[0], Number):
        sides = f"{_shown(right.operands[0])} {right.name} {_shown(right.operands[1])}"
        yield Trap(
            f"without parentheses the whole right side is one random term: lme4 reads "
            f"1 + ({sides}), with an intercept as the only fixed effect; "
            "write parentheses around the random term",
            right.span,
        )
    for item in calls_in(right):
        effects = item.operands[0] if item.name == "|" and len(item.operands) == 2 else item
        if effects is not item and isinstance(effects, Call) and effects.name == "|":
            term = call("|", effects.operands[0], item.operands[1])
            yield Trap(
                f"{_shown(item)} is brms's; lme4 reads its first bar as R's 'or'; write "
                f"({_shown(term)})",
                item.span,
            )
        kept = tuple(argument for argument in item.arguments if not is_null(argument.value))
        # Of a sum nothing is lost.
        if len(kept) < len(item.arguments) and item.name not in ("+", "("):
            read = replace(item, arguments=kept)
            yield Trap(
                f"lme4 deletes arguments that are NULL: it reads {_shown(read)} for "
                f"{_shown(item)}; put what you mean into the data as a column",
                item.span,
            )


def _around_bars(right: Node) -> list[Trap]:
    """Find operators and calls around bars, which lme4 ignores."""
    found: list[Trap] = []

    def looked_at(item: Node, parts: tuple[int, ...]) -> int:
        """Return whether there are bars in a node, and whether there is nothing else."""
        if _is_random_term(item):
            return _ONLY_BARS
        if isinstance(item, Call) and (text := _ignored(item, parts)):
            found.append(Trap(text, item.span))
        if not any(parts):
            return _NO_BAR
        return _ONLY_BARS if set(parts) == {_ONLY_BARS} else _SOME

    folded(right, looked_at, whole=_is_random_term)
    return found


def _ignored(item: Call, parts: tuple[int, ...]) -> str:
    """Return what lme4 ignores of a call, in whose operands there are bars or not."""
    if item.name in ("(", "+") or not any(parts):
        return ""
    name = item.name or "the call"
    if len(parts) != 2:
        what = "the '-'" if name == "-" else f"{name}()"
        return (
            f"lme4 ignores {what} around a random term: the term is in the model as it "
            "stands; write random terms on their own, joined by +"
        )
    if name != "-":
        shown = f"{name}()" if name[0].isalnum() else f"'{name}'"
        return (
            f"lme4 ignores {shown} around a random term and reads the rest "
            "without it; write random terms on their own, joined by +"
        )
    if parts[1]:
        return (
            "lme4 ignores a '-' before a random term: the term is in the model all the same; "
            "leave it out of the formula"
        )
    if parts[0] == _ONLY_BARS:
        return (
            "lme4 loses a '-' that follows a random term: it reads "
            f"'+ {_shown(item.operands[1])}' here; "
            "write what is to be removed before the random terms"
        )
    return ""


def _terms(right: Node) -> Iterator[Trap]:
    """Find terms that R's operators read in a surprising way."""
    pending = [(right, False)]
    while pending:
        item, barred = pending.pop()
        if not isinstance(item, Call):
            continue
        first = item.operands[0] if item.operands else None
        if item.name in BARS:
            # The right side is a grouping expression, with rules of its own.
            pending.append((item.operands[0], True))
        elif item.name == "offset" and barred:
            yield Trap(
                f"{_shown(item)} inside a random term is added to the offset of the whole model; "
                "write it outside the parentheses",
                item.span,
            )
        elif item.name == "!" and isinstance(first, Call) and first.name in OPERATORS:
            yield Trap(
                f"! takes everything to its right: it negates '{_shown(first)}'; "
                "write parentheses around what is to be negated",
                item.span,
            )
        elif item.name in OPERATORS or item.name == "(" or _is_random_term(item):
            yield from _operation(item)
            pending.extend((operand, barred) for operand in reversed(item.operands))


def _operation(node: Call) -> Iterator[Trap]:
    operands = [strip_parentheses(operand) for operand in node.operands]
    first, last = operands[0], operands[-1]
    plain = not isinstance(first, Call) or first.name not in OPERATORS
    is_offset = [isinstance(item, Call) and item.name == "offset" for item in operands]
    power = node.name == "^" and len(operands) == 2
    square = node.name in (":", "*") and len(operands) == 2 and first == last
    if plain and (power or square):
        instead = f"I({_shown(node)}) for the power" if power else f"I({_shown(first)}^2)"
        text = f"{_shown(node)} is {_shown(first)} in a formula; write {instead}"
        yield Trap(text, node.span, first)
    if node.name == "-":
        negated = last.operands[0] if isinstance(last, Call) and last.name == "-" else None
        if last in (Number(0.0), Constant("FALSE")):
            text = "'- 0' adds the intercept; write '- 1' or '+ 0' to leave it out"
            yield Trap(text, node.span)
        elif negated is not None and strip_parentheses(negated) == Number(1.0):
            yield Trap("'- -1' keeps the intercept; write '- 1' to leave it out", node.span)
        elif is_offset[-1]:
            yield Trap(
                f"'- {_shown(last)}' does not remove the offset: it is applied all the "
                "same; leave it out of the formula",
                node.span,
            )
    elif node.name in ("*", "/", ":", "^", "%in%") and any(is_offset):
        yield Trap(
            f"{_shown(node)} has an offset in a product: the offset is applied and the product "
            "dropped; write offset(...) on its own",
            node.span,
        )


def _is_random_term(node: Node) -> bool:
    """Tell whether a node is a bar, or a covariance structure called around one."""
    if isinstance(node, Call) and node.name in STRUCTURES and node.operands:
        # Where lme4 passes over the structure, `structure_remarks` tells it.
        node = strip_parentheses(node.operands[0])
    return is_bar(node)


def structure_remarks(
    node: Node, double_bar: DoubleBar = "split", lme4: Lme4 = LME4_2
) -> list[str]:
    """Return where an expression asks for a structure in a way that lme4 passes over in silence.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> structure_remarks(parse("x + diag((x | g))"))
    ['lme4 passes over the structure of diag((x | g)): write diag(x | g)']
    """
    remarks: list[str] = []
    for item in calls_in(node):
        if item.name not in STRUCTURES or not item.operands:
            continue
        text, inner = deparse(item), strip_parentheses(item.operands[0])
        if not is_structure(item):
            if item.name in lme4.structures:
                first = deparse(item.operands[0])
                remarks.append(f"lme4 reads {first} for {text}, which has no bar")
        elif structured_bar(item) is not None:
            used = [] if item.name == "us" else hom_arguments(item)
            unused = [argument for argument in item.arguments[1:] if argument not in used]
            if len(item.arguments) > 2:
                remarks.append(
                    f"lme4 loses {text}, which has more than two arguments: the model is "
                    f"without this term"
                )
            elif unused:
                value = "" if unused[0].value is None else deparse(unused[0].value)
                given = value if unused[0].name is None else f"{unused[0].name} = {value}"
                known = "none" if item.name == "us" else "only hom = TRUE or hom = FALSE"
                remarks.append(f"lme4 ignores {given} in {text}: {item.name} has {known}")
        elif double_bar == "diag" and item.name == "diag" and item.operands[0] is inner:
            continue
        elif item.name != "us":
            instead = f"{item.name}(effects | group)"
            if isinstance(inner, Call) and is_bar(inner):
                instead = deparse(with_operands(item, call("|", *inner.operands)))
            remarks.append(f"lme4 passes over the structure of {text}: write {instead}")
    return remarks
