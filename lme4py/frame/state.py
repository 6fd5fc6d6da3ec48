"""What evaluating an expression on the model's rows found out, as a tree of its shape.

New rows are computed with it: a mean, knots or levels come from the state, never from the new
rows. A state is made once, by learning, and is not changed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.data.factors import extreme_rows, first_rows
from lme4py.data.values import Value, concatenate, length, take
from lme4py.errors import DataError
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node
from lme4py.functions.table import Compute, Context, Rows
from lme4py.moments import Sums, resumed, sums_after

_FEW = 1 << 16


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class State(Abbreviated):
    """What was found out at one node of an expression, and at its arguments.

    Parameters
    ----------
    kind : {"parts", "value", "basis", "unit", "open"}
        What `kept` is: nothing (all that was found stands in the parts); the value of the
        node itself, which new rows take instead of evaluating it; the state of a basis,
        beside which the arguments are evaluated; the unit of a difference of times; what
        has been gathered or added up so far for a state that is not known yet.
    kept : object
        A `Value`; the mapping of a basis; a unit's name; `Gathered`, `Carried` or None.
    parts : tuple of State
        One for each argument of the call as it is written; empty where nothing was found
        in any of them.
    """

    kind: Literal["parts", "value", "basis", "unit", "open"] = "parts"
    kept: Any = None
    parts: tuple[State, ...] = ()

    @staticmethod
    def above(parts: Sequence[State]) -> State:
        """Return the state of a call that learned nothing but what its arguments did."""
        return State(parts=tuple(parts)) if any(map(bool, parts)) else NOTHING

    def __bool__(self) -> bool:
        """Whether there is something to know."""
        return self.kind != "parts" or bool(self.parts)

    def part(self, place: int) -> State:
        """Return the state of one argument."""
        if place < len(self.parts):
            return self.parts[place]
        return OPEN if self.kind == "open" else NOTHING

    @property
    def is_open(self) -> bool:
        """Whether something is not known yet."""
        return self.kind == "open" or any(part.is_open for part in self.parts)

    def __add__(self, other: State) -> State:
        """Return what was found in the rows of both, those of `self` first."""
        if self.is_open != other.is_open:
            # What has as many elements as a block by chance.
            raise DataError(
                "an expression is not computed row by row in all blocks",
                hint="put it into the data as a column",
            )
        if not self.is_open:
            return self
        kept = self.kept if other.kept is None else other.kept
        if self.kept is not None and other.kept is not None:
            kept = self.kept + other.kept
        parts = tuple(one + two for one, two in zip(self.parts, other.parts, strict=True))
        return State("open", kept, parts)


NOTHING = State()
"""The state of an expression that is computed row by row."""

OPEN = State("open")
"""The state of an expression of which nothing is known yet."""


@dataclass(frozen=True, eq=False, slots=True)
class Gathered:
    """The arguments of a call in some rows, as far as its state needs them."""

    named: Mapping[str, Any]  # by their formal names, as the function takes them
    formals: tuple[str, ...]  # that have one element per row; each of the dots says so itself
    pieces: tuple[tuple[Value, ...], ...]  # block after block, the values of these
    needed: Rows  # by the function

    @classmethod
    def of(cls, named: Mapping[str, Any], formals: tuple[str, ...], needed: Rows) -> Gathered:
        """Return the arguments of one call."""
        dots = [dot.value for dot in named.get("dots", ()) if dot.rowwise]
        found = cls(named, formals, ((*map(named.__getitem__, formals), *dots),), needed)
        return found._reduced()

    def __add__(self, other: Gathered) -> Gathered:
        """Return the arguments in the rows of both."""
        return replace(self, pieces=(*self.pieces, *other.pieces))._reduced()

    def _reduced(self) -> Gathered:
        """Return the rows that are needed; from time to time, so that it costs little in all."""
        sizes = [length(piece[0]) for piece in self.pieces]
        if self.needed == "all" or (len(sizes) > 1 and not is_time_to_reduce(sizes)):
            return self
        values = self.values
        rows = first_rows(values) if self.needed == "distinct" else extreme_rows(values)
        return replace(self, pieces=(tuple(take(value, rows) for value in values),))

    @property
    def values(self) -> tuple[Value, ...]:
        """The values of the arguments that have one element per row."""
        return tuple(concatenate(parts) for parts in zip(*self.pieces, strict=True))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as the function takes them."""
        values = iter(self.values)
        found = {**self.named, **{formal: next(values) for formal in self.formals}}
        if "dots" in found:
            found["dots"] = tuple(
                replace(dot, value=next(values)) if dot.rowwise else dot for dot in found["dots"]
            )
        return found


@dataclass(frozen=True, eq=False, slots=True)
class Carried:
    """Sums of the numbers that a call asks for, carried from block to block."""

    named: Mapping[str, Any]  # the arguments, of which those with rows have none
    answers: tuple[Sums, ...]  # to what was asked in earlier sweeps
    arrays: Sequence[NDArray[Any]]  # what is asked now, of a block
    sums: Sums  # and of the rows before it

    @classmethod
    def of(
        cls, asks: Compute, named: Mapping[str, Any], formals: tuple[str, ...], before: Any
    ) -> Carried:
        """Return what a call asks for in some rows, after what an earlier sweep carried, if any.

        The `formals`, and the ``dots``, have one element per row.
        """
        answers = before.answers if isinstance(before, Carried) else ()
        arrays, _ = resumed(asks(**named), answers)
        bare = {key: item for key, item in named.items() if key != "context"}
        bare |= {formal: take(named[formal], slice(0, 0)) for formal in formals}
        if "dots" in named:
            dots = (replace(dot, value=take(dot.value, slice(0, 0))) for dot in named["dots"])
            bare["dots"] = tuple(dots)
        return cls(bare, answers, arrays, ((0, 0.0),) * len(arrays))

    def __add__(self, other: Carried) -> Carried:
        """Return the sums in the rows of both."""
        pairs = zip(sums_after(self.sums, self.arrays), other.sums, strict=True)
        sums = tuple((one + two, first + second) for (one, first), (two, second) in pairs)
        return replace(other, sums=sums)

    def __reduce__(self) -> Any:
        """Pickle sums, not numbers."""
        arrays = tuple(array[:0] for array in self.arrays)
        return Carried, (self.named, self.answers, arrays, sums_after(self.sums, self.arrays))

    def answered(self, asks: Compute, context: Context) -> tuple[Carried | None, Any]:
        """Return what is to be asked for in the next sweep, or None and what was computed."""
        answers = (*self.answers, sums_after(self.sums, self.arrays))
        arrays, found = resumed(asks(context=context, **self.named), answers)
        return (replace(self, answers=answers) if arrays else None), found


def is_time_to_reduce(sizes: Sequence[int]) -> bool:
    """Tell whether pieces of these sizes are to be made one: seldom, so that it costs little.

    The first was made so before; the others came since.

    Examples
    --------
    >>> is_time_to_reduce([100_000, 60_000]), is_time_to_reduce([100_000, 60_000, 60_000])
    (False, True)
    """
    return sum(sizes[1:]) >= max(sizes[0], _FEW)


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
