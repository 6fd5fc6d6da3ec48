"""Formulas that lme4 reads as another model than the text seems to say, and without a word.

The walks of `lme4py.formula.bars` and `lme4py.formula.terms` follow R and lme4 exactly;
this module says where that is probably not what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lme4py.errors import Span
from lme4py.formula.bars import BARS, STRUCTURES
from lme4py.formula.deparse import deparse
from lme4py.formula.nulls import without_nulls
from lme4py.formula.syntax import Call, Constant, Node, Number, call, calls_in, strip_parentheses
from lme4py.formula.terms import OPERATORS

__all__ = ["Trap", "formula_traps"]

_LONG = 40


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
    found = [*_whole_bar(right), *_named_bars(right), *_nulls(right)]
    _Walk(found).bars(right)
    _Walk(found).terms(right, inside_bar=False)
    return found


def _shown(node: Node) -> str:
    text = deparse(node)
    return text if len(text) <= _LONG else text[: _LONG - 3] + "..."


def _whole_bar(right: Node) -> Iterator[Trap]:
    """Find ``x + 1 | g``: without parentheses the bar takes the whole right side."""
    if not (isinstance(right, Call) and right.name in BARS):
        return
    effects, group = right.operands[0], right.operands[1]
    if not isinstance(effects, Number):
        yield Trap(
            f"without parentheses the whole right side is one random term: lme4 reads "
            f"1 + ({_shown(effects)} {right.name} {_shown(group)}), with an intercept as the only "
            "fixed effect; write parentheses around the random term",
            right.span,
        )


def _named_bars(right: Node) -> Iterator[Trap]:
    """Find ``(1 | ID | g)``, which links terms in brms."""
    for item in calls_in(right):
        if item.name == "|" and len(item.operands) == 2:
            effects, group = item.operands
            if isinstance(effects, Call) and effects.name == "|" and len(effects.operands) == 2:
                term = call("|", effects.operands[0], group)
                yield Trap(
                    f"{_shown(item)} is brms's; lme4 reads its first bar as R's 'or'; write "
                    f"({_shown(term)})",
                    item.span,
                )


def _nulls(right: Node) -> Iterator[Trap]:
    """Find arguments that are NULL, which lme4 deletes."""
    for item in calls_in(right):
        read = without_nulls(item)
        # Of a sum nothing is lost.
        if read is not item and item.name not in ("+", "("):
            yield Trap(
                f"lme4 deletes arguments that are NULL: it reads {_shown(read)} for "
                f"{_shown(item)}; put what you mean into the data as a column",
                item.span,
            )


@dataclass(frozen=True, slots=True)
class _Meeting:
    """What a walk met below a node: whether there is a bar, and whether nothing else is left."""

    bar: bool
    vanishes: bool


_NOTHING, _BAR = _Meeting(False, False), _Meeting(True, True)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Walks that add to a list of traps; long sums are walked in a loop."""

    found: list[Trap]

    def add(self, text: str, node: Node, number: Node | None = None) -> None:
        self.found.append(Trap(text, node.span, number))

    def bars(self, node: Node) -> _Meeting:
        """Look for operators and calls around bars, which lme4 ignores."""
        spine: list[Call] = []
        while isinstance(node, Call) and len(node.operands) == 2 and not _holds_bar(node):
            spine.append(node)
            node = node.operands[0]
        met = self._first(node)
        for outer in reversed(spine):
            met = self._joined(outer, met, self.bars(outer.operands[1]))
        return met

    def _first(self, node: Node) -> _Meeting:
        if _holds_bar(node):
            return _BAR
        if not isinstance(node, Call):
            return _NOTHING
        inner = [self.bars(operand) for operand in node.operands]
        if not any(item.bar for item in inner):
            return _NOTHING
        if node.name not in ("(", "+"):
            what = "the '-'" if node.name == "-" else f"{node.name or 'the call'}()"
            self.add(
                f"lme4 ignores {what} around a random term: the term is in the model as it "
                "stands; write random terms on their own, joined by +",
                node,
            )
        return _Meeting(True, all(item.vanishes for item in inner))

    def _joined(self, outer: Call, left: _Meeting, right: _Meeting) -> _Meeting:
        if outer.name == "-" and right.bar:
            self.add(
                "lme4 ignores a '-' before a random term: the term is in the model all the same; "
                "leave it out of the formula",
                outer,
            )
        elif outer.name == "-" and left.vanishes:
            self.add(
                "lme4 loses a '-' that follows a random term: it reads "
                f"'+ {_shown(outer.operands[1])}' here; "
                "write what is to be removed before the random terms",
                outer,
            )
        elif outer.name not in ("+", "-") and (left.bar or right.bar):
            self.add(
                f"lme4 ignores {_call_name(outer)} around a random term and reads the rest "
                "without it; write random terms on their own, joined by +",
                outer,
            )
        return _Meeting(left.bar or right.bar, left.vanishes and right.vanishes)

    def terms(self, node: Node, inside_bar: bool) -> None:
        """Look for terms that R's operators read in a surprising way."""
        pending = [(node, inside_bar)]
        while pending:
            item, barred = pending.pop()
            if not isinstance(item, Call):
                continue
            if item.name in BARS:
                # The right side is a grouping expression, with rules of its own.
                pending.append((item.operands[0], True))
                continue
            if item.name == "offset":
                self._offset(item, barred)
                continue
            if item.name == "!":
                self._negation(item)
                continue
            if item.name not in OPERATORS and item.name != "(" and not _holds_bar(item):
                continue
            self._operation(item)
            if item.name in ("*", "/", ":", "^", "%in%", "-"):
                self._product_with_offset(item)
            pending.extend((operand, barred) for operand in reversed(item.operands))

    def _offset(self, node: Call, barred: bool) -> None:
        if barred:
            self.add(
                f"{_shown(node)} inside a random term is added to the offset of the whole model; "
                "write it outside the parentheses",
                node,
            )

    def _product_with_offset(self, node: Call) -> None:
        operands = [strip_parentheses(operand) for operand in node.operands]
        is_offset = [isinstance(item, Call) and item.name == "offset" for item in operands]
        if node.name == "-":
            if is_offset[-1]:
                self.add(
                    f"'- {_shown(operands[-1])}' does not remove the offset: it is applied all the "
                    "same; leave it out of the formula",
                    node,
                )
        elif any(is_offset):
            self.add(
                f"{_shown(node)} has an offset in a product: the offset is applied and the product "
                "dropped; write offset(...) on its own",
                node,
            )

    def _operation(self, node: Call) -> None:
        operands = [strip_parentheses(operand) for operand in node.operands]
        match node.name:
            case "^" if len(operands) == 2 and not _is_operation(operands[0]):
                self.add(
                    f"{_shown(node)} is {_shown(operands[0])} in a formula; "
                    f"write I({_shown(node)}) for the power",
                    node,
                    operands[0],
                )
            case ":" | "*" if len(operands) == 2 and operands[0] == operands[1]:
                if not _is_operation(operands[0]):
                    square = f"I({_shown(operands[0])}^2)"
                    self.add(
                        f"{_shown(node)} is {_shown(operands[0])} in a formula; write {square}",
                        node,
                        operands[0],
                    )
            case "-" if _is_zero(operands[-1]):
                self.add("'- 0' adds the intercept; write '- 1' or '+ 0' to leave it out", node)
            case "-" if _is_minus_one(operands[-1]):
                self.add("'- -1' keeps the intercept; write '- 1' to leave it out", node)
            case _:
                pass

    def _negation(self, node: Call) -> None:
        operand = node.operands[0] if node.operands else None
        if isinstance(operand, Call) and operand.name in OPERATORS:
            self.add(
                f"! takes everything to its right: it negates '{_shown(operand)}'; "
                "write parentheses around what is to be negated",
                node,
            )


def _holds_bar(node: Node) -> bool:
    """Tell whether a node is a bar, or a covariance structure called around one."""
    if not isinstance(node, Call):
        return False
    if node.name in STRUCTURES and node.operands:
        # Where lme4 passes over the structure, `structure_remarks` tells it.
        inner = strip_parentheses(node.operands[0])
        return isinstance(inner, Call) and inner.name in BARS
    return node.name in BARS


def _call_name(node: Call) -> str:
    name = node.name or "the call"
    return f"'{name}'" if name in OPERATORS or not name[0].isalnum() else f"{name}()"


def _is_operation(node: Node) -> bool:
    return isinstance(node, Call) and node.name in OPERATORS


def _is_zero(node: Node) -> bool:
    return (isinstance(node, Number) and node.value == 0) or (
        isinstance(node, Constant) and node.name == "FALSE"
    )


def _is_minus_one(node: Node) -> bool:
    if not (isinstance(node, Call) and node.name == "-" and len(node.operands) == 1):
        return False
    inner = strip_parentheses(node.operands[0])
    return isinstance(inner, Number) and inner.value == 1
