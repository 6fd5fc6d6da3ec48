"""NULL in a formula: lme4's walks write back what they find, and R deletes what is set to NULL.

``term[[j]] <- NULL`` takes the argument out of the call, so ``factor(w, exclude = NULL)``
becomes ``factor(w)``; arguments behind it move up, and a walk that counted them before stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from lme4py.errors import FormulaError
from lme4py.formula.bars import BARS
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Argument, Call, Constant, Node, calls_in
from lme4py.versions import Lme4

__all__ = ["lost_in_expansion", "lost_in_frame", "without_nulls"]

_GONE = "subscript out of bounds"
Rewritten: TypeAlias = Callable[[Call, Node | None], Node]
"""What becomes of a call whose first argument has become another."""


def _is_null(node: Node | None) -> bool:
    return isinstance(node, Constant) and node.name == "NULL"


def without_nulls(call: Call) -> Call:
    """Return a call without the arguments that are NULL, itself if none is."""
    kept = tuple(item for item in call.arguments if not _is_null(item.value))
    return call if len(kept) == len(call.arguments) else replace(call, arguments=kept)


def lost_in_expansion(node: Node) -> Node:
    """Return an expression without the NULLs that ``expandDoubleVerts`` deletes.

    It comes by the first argument of every call, and by the second where there are two.

    Raises
    ------
    FormulaError
        Where lme4 stops, in R's words.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(lost_in_expansion(parse("factor(w, exclude = NULL) + cut(x, 3, labels = NULL)")))
    'factor(w) + cut(x, 3, labels = NULL)'
    """
    return _walked(node, _expanded, _GONE, past="||") if _concerned(node) else node


def lost_in_frame(node: Node, lme4: Lme4) -> Node:
    """Return an expression without the NULLs that ``subbars`` deletes: every one.

    Raises
    ------
    FormulaError
        Where lme4 stops, in R's words: behind a deleted argument there may be no other.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> from lme4py.versions import LME4_2
    >>> deparse(lost_in_frame(parse("cut(x, 3, labels = NULL)"), LME4_2))
    'cut(x, 3)'
    """
    return _walked(node, partial(_summed, lme4), lme4.empty_call) if _concerned(node) else node


def _concerned(node: Node) -> bool:
    return any(
        not item.arguments or any(_is_null(argument.value) for argument in item.arguments)
        for item in calls_in(node)
    )


def _walked(node: Node, rewritten: Rewritten, empty: str, past: str = "") -> Node:
    """Walk down the first arguments in a loop, and rewrite the calls on the way back."""
    spine: list[Call] = []
    first: Node | None = node
    while isinstance(first, Call) and first.name != past:
        if not first.arguments:
            raise FormulaError(
                empty, first.span, f"lme4 takes no call without arguments such as {deparse(first)}"
            )
        spine.append(first)
        first = first.arguments[0].value
    result = first
    for call in reversed(spine):
        result = rewritten(call, result)
    return node if result is None else result


def _expanded(call: Call, first: Node | None) -> Node:
    if call.name == "(":  # lme4 walks twice through parentheses
        if _is_null(first):
            raise _stopped(call)
        if first is not None and first is not call.arguments[0].value:
            first = lost_in_expansion(first)
    arguments = list(call.arguments)
    _assign(arguments, 0, first)
    if len(arguments) == 2:
        _assign(arguments, 1, _of(arguments[1], lost_in_expansion))
    return _with_arguments(call, arguments)


def _summed(lme4: Lme4, call: Call, first: Node | None) -> Node:
    arguments = list(call.arguments)
    _assign(arguments, 0, first)
    for place in range(1, len(call.arguments)):
        if place >= len(arguments):
            raise _stopped(call)
        _assign(arguments, place, _of(arguments[place], partial(lost_in_frame, lme4=lme4)))
    return _with_arguments(call, arguments)


def _of(argument: Argument, walk: Callable[[Node], Node]) -> Node | None:
    return None if argument.value is None else walk(argument.value)


def _assign(arguments: list[Argument], place: int, value: Node | None) -> None:
    """Do as R's ``term[[place]] <- value``."""
    if _is_null(value):
        del arguments[place]
    else:
        arguments[place] = Argument(value, arguments[place].name)


def _with_arguments(call: Call, arguments: list[Argument]) -> Call:
    same = len(arguments) == len(call.arguments) and all(
        new.value is old.value for new, old in zip(arguments, call.arguments, strict=True)
    )
    if not same and call.name in BARS and len(arguments) < 2:
        raise FormulaError(
            f"1 argument passed to '{call.name}' which requires 2",
            call.span,
            "lme4 deletes a side that is NULL: write (effects | group)",
        )
    return call if same else replace(call, arguments=tuple(arguments))


def _stopped(call: Call) -> FormulaError:
    return FormulaError(
        _GONE,
        call.span,
        f"lme4 deletes the arguments of {deparse(call)} that are NULL and then looks for one that "
        "is not there; put its value into the data as a column",
    )
