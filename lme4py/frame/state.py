"""What evaluating an expression on the model's rows found out, as a tree of its shape.

New rows are computed with it: a mean, knots or levels come from the state, never from the new
rows. A state is made once, by learning, and is not changed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lme4py.abbreviation import Abbreviated
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node

__all__ = ["NOTHING", "State", "kept_items"]


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class State(Abbreviated):
    """What was found out at one node of an expression, and at its arguments.

    Parameters
    ----------
    kind : {"parts", "value", "basis", "unit"}
        What `kept` is: nothing (all that was found stands in the parts); the value of the
        node itself, which new rows take instead of evaluating it; the state of a basis,
        beside which the arguments are evaluated; the unit of a difference of times.
    kept : object
        A `Value`; the mapping of a basis; a unit's name.
    parts : tuple of State
        One for each argument of the call as it is written; empty where nothing was found
        in any of them.
    """

    kind: Literal["parts", "value", "basis", "unit"] = "parts"
    kept: Any = None
    parts: tuple[State, ...] = ()

    def part(self, place: int) -> State:
        """Return the state of one argument."""
        return self.parts[place] if place < len(self.parts) else NOTHING


NOTHING = State()
"""The state of an expression that is computed row by row."""


def kept_items(node: Node, state: State) -> Iterator[tuple[str, Any]]:
    """Yield what a state keeps, with the text of the expression it is kept for, inner ones first.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> state = State(parts=(NOTHING, State("value", 2.5)))
    >>> list(kept_items(parse("x - mean(x)"), state))
    [('mean(x)', 2.5)]
    """
    pending, found = [(node, state)], []
    while pending:
        node, state = pending.pop()
        if state.kind in ("value", "basis"):
            found.append((deparse(node), state.kept))
        elif state.kind == "unit":
            found.append((f"units({deparse(node)})", state.kept))
        if isinstance(node, Call):
            pending += [
                (argument.value, part)
                for argument, part in zip(node.arguments, state.parts, strict=False)
                if argument.value is not None
            ]
    yield from reversed(found)
