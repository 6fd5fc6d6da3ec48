r"""The nodes of R's syntax tree, and R's rule of what the arguments of a call mean.

R has one kind of compound expression, the call: ``a + b`` is a call of `` `+` ``,
parentheses are a call of `` `(` ``, ``x[1]`` a call of `` `[` ``, ``\(q) q`` a call
of ``function``. The same form is kept here, because R's own rules for formulas
are stated on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TypeAlias, TypeVar

from lme4py.abbreviation import Abbreviated
from lme4py.errors import DataError, Span

T = TypeVar("T")


def _span() -> Span | None:
    return field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name, without its back-quotes."""

    name: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric constant; `integer` tells R's ``2L`` from ``2``."""

    value: float | complex
    integer: bool = False
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Text:
    """A string constant, its escapes resolved."""

    value: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Constant:
    """A reserved word with a value.

    `name` is one of ``TRUE FALSE NULL NA Inf NaN NA_integer_ NA_real_ NA_character_``.
    """

    name: str
    span: Span | None = _span()


@dataclass(frozen=True, repr=False, slots=True)
class Argument(Abbreviated):
    """One argument of a call: ``value``, ``name = value``, ``name =`` or nothing."""

    value: Node | None
    name: str | None = None


@dataclass(frozen=True, repr=False, slots=True)
class Call(Abbreviated):
    """A call of `function`, which for operators is the symbol of the operator."""

    function: Node
    arguments: tuple[Argument, ...]
    span: Span | None = _span()
    operands: tuple[Node, ...] = field(init=False, compare=False, repr=False)
    """The values of the arguments that have one, in order."""

    def __post_init__(self) -> None:
        values = tuple(item.value for item in self.arguments if item.value is not None)
        object.__setattr__(self, "operands", values)

    @property
    def name(self) -> str | None:
        """The called name where a plain symbol is called, else None."""
        return self.function.name if isinstance(self.function, Symbol) else None


CHAINS = frozenset(
    [
        *("~", "?", "|", "||", "&", "&&", "==", "!=", "<", ">", "<=", ">="),
        *("+", "-", "*", "/", ":"),
    ]
)
"""Operators that nest to the left, as those of the form ``%in%`` do."""

Node: TypeAlias = Symbol | Number | Text | Constant | Call


def call(name: str, *operands: Node, span: Span | None = None) -> Call:
    """Return the call of `name` with unnamed arguments."""
    return Call(Symbol(name), tuple(Argument(operand) for operand in operands), span)


def is_null(node: Node | None) -> bool:
    """Tell whether a node is R's NULL."""
    return isinstance(node, Constant) and node.name == "NULL"


def strip_parentheses(node: Node) -> Node:
    """Return `node` without the parentheses around it."""
    while isinstance(node, Call) and node.name == "(":
        node = node.operands[0]
    return node


def symbols(node: Node) -> Iterator[Symbol]:
    """Yield the symbols that `node` reads as variables, left to right (R's ``all.vars``).

    Names of called functions are not among them.
    """
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, Symbol):
            yield item
        elif isinstance(item, Call):
            pending.extend(reversed(item.operands))
            if not isinstance(item.function, Symbol):
                pending.append(item.function)


def with_operands(node: Call, *operands: Node) -> Call:
    """Return the call with its first operands replaced, argument names kept.

    It is the call itself if they are its own.
    """
    if all(new is old for new, old in zip(operands, node.operands, strict=False)):
        return node
    replacements = iter(operands)
    arguments = tuple(
        item if item.value is None else Argument(next(replacements, item.value), item.name)
        for item in node.arguments
    )
    return replace(node, arguments=arguments)


def calls_in(node: Node) -> Iterator[Call]:
    """Yield every call of the tree, outer before inner, left before right."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, Call):
            yield item
            pending.extend(reversed((item.function, *item.operands)))


def folded(
    node: Node,
    made: Callable[[Node, tuple[T, ...]], T],
    whole: Callable[[Node], bool] = lambda _: False,
) -> T:
    """Return what is made of a tree: of each node with what was made of its operands.

    Into a node that is taken `whole` nothing looks. However long a sum is, nothing calls itself.
    """
    backwards: list[tuple[Node, int]] = []
    waiting = [node]
    while waiting:
        item = waiting.pop()
        inside = item.operands if isinstance(item, Call) and not whole(item) else ()
        backwards.append((item, len(inside)))
        waiting.extend(inside)
    results: list[T] = []
    for item, count in reversed(backwards):
        begin = len(results) - count
        results[begin:] = [made(item, tuple(results[begin:]))]
    return results[0]


def placed(node: Node, span: Span | None) -> Node:
    """Return the tree with every node at `span`: the place in the user's text it was made from."""

    def moved(item: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(item, *operands) if isinstance(item, Call) else item
        return replace(made, span=span)

    return folded(node, moved)


def match_arguments(
    called: str, formals: Iterable[str], given: Iterable[tuple[str | None, T]]
) -> tuple[dict[str, T], list[tuple[str | None, T]]]:
    """Return what each formal argument takes, and what is left for ``...``.

    Whole names are matched first, then beginnings of names, with the formal arguments before
    ``...`` that are free still, then places. Two arguments for one formal, or two formals for the
    beginning of a name, are a `DataError`.

    Examples
    --------
    >>> given = [("n", 2), (None, "data"), ("ncol", 3), ("q", 4)]
    >>> match_arguments("matrix", ("data", "nrow", "ncol"), given)
    ({'ncol': 3, 'nrow': 2, 'data': 'data'}, [('q', 4)])
    """
    known, items = list(formals), list(given)
    before = list(takewhile("...".__ne__, known))
    matched: dict[str, T] = {}

    def take(formal: str, item: T) -> None:
        if formal in matched:
            raise DataError(f'formal argument "{formal}" matched by multiple actual arguments')
        matched[formal] = item

    for name, item in items:
        if name is not None and name in known:
            take(name, item)
    free, others = [formal for formal in before if formal not in matched], []
    for name, item in items:
        if name is not None and name in known:
            continue
        fits = [formal for formal in free if name and formal.startswith(name)]
        if len(fits) > 1:
            raise DataError(f"argument '{name}' of {called}() matches multiple formal arguments")
        if fits:
            take(fits[0], item)
        else:
            others.append((name, item))
    places, left = iter([formal for formal in before if formal not in matched]), []
    for name, item in others:
        formal = next(places, None) if name is None else None
        if formal is None:
            left.append((name, item))
        else:
            matched[formal] = item
    return matched, left
