"""Equations as trees: numbers, quantities, and operations on trees. Text is their rendering.

A tree can be evaluated, quantities in it can be replaced by trees, and products of sums
can be multiplied out. A quantity says what it stands for, not how it is written; that is
a notation's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

Item = TypeVar("Item")
QuantityKind: TypeAlias = Literal[
    "response",  # y
    "mean",  # mu of a generalized model
    "predicted",  # its linear predictor eta
    "residual",  # epsilon
    "offset",
    "predictor",  # a variable, or one column of it
    "coefficient",  # beta_0j: has an equation of its own
    "fixed",  # gamma_00
    "random",  # U_0j
    "variance",  # tau_01: covariance of two random effects
    "deviation",  # sigma: standard deviation of one
    "correlation",  # rho
    "residual variance",
    "weight",
    "trials",
    "size",  # n_j: the number of rows of a group
    "matrix",  # X, Z, y, b, ... as a whole: its letter is the name
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of the model."""

    kind: QuantityKind
    name: str = ""  # of a variable, or the letter of a matrix
    # The level or column of the variable; the level of a random effect that is one of several.
    part: str = ""
    numbers: tuple[int | str, ...] = ()  # (1, 0) for gamma_10; "h" is the index of a run
    factors: tuple[str, ...] = ()  # those whose levels it differs between
    # "i" if it differs between observations, a number or "n" for a certain or the last one of a
    # cluster, "" otherwise.
    row: str = ""
    copy: int = 0  # tells apart what would have the same name otherwise
    of: tuple[Quantity, ...] = ()  # the effects whose variance, deviation or correlation it is


@dataclass(frozen=True, repr=False)
class Operation:
    """An operation on trees, or a statement about them.

    ============  ====================================================================
    name          operands
    ============  ====================================================================
    ``+``         terms; without any it is 0
    ``·``         factors; without any it is 1
    ``/``, ``√``  two trees; one
    ``^``         a base and its whole exponent
    ``ᵀ``         a matrix or vector, which is transposed
    ``=``, ``~``  the sides of an equation, of a statement about a distribution
    ``⊙``         two matrices: each row is the Kronecker product of their rows
    ``matrix``    rows, each an operation ``row`` on its entries; a vector is a column
    ``⋯⋮⋱``       (one of these) none: what is left out of a matrix or a list
    ``Σ``         the first and last value of the index h, and what is added up
    ``each``      what is told for each value of h, the first and the last one
    ``marked``    a tree, and a number: those of one number have the same colour
    all others    the arguments of a function or distribution of that name
    ============  ====================================================================
    """

    name: str
    operands: tuple[Tree, ...] = ()

    def __repr__(self) -> str:
        return f"<Operation: {self.name} of {len(self.operands)}>"

    @property
    def left(self) -> Tree:
        """The left side."""
        return self.operands[0]

    @property
    def right(self) -> Tree:
        """The right side."""
        return self.operands[1]

    def map(self, change: Callable[[Tree], Tree]) -> Operation:
        """Return the tree with each of its operands changed."""
        return Operation(self.name, tuple(map(change, self.operands)))


Tree: TypeAlias = float | Quantity | Operation
"""A number, a whole one written as it is, a quantity, or an operation on trees."""


def distributed(left: Tree, name: str, *parameters: Tree) -> Operation:
    """Return that something has a distribution."""
    return Operation("~", (left, Operation(name, parameters)))


def summed(terms: Iterable[Tree]) -> Tree:
    """Return the sum of terms: the term itself if it is alone."""
    found = tuple(terms)
    return found[0] if len(found) == 1 else Operation("+", found)


def times(*factors: Tree) -> Tree:
    """Return the product of factors, products among them joined: a factor alone is itself."""
    flat = [inner for each in factors for inner in operands_of("·", each)]
    return flat[0] if len(flat) == 1 else Operation("·", tuple(flat))


def operands_of(name: str, tree: Tree) -> tuple[Tree, ...]:
    """Return the terms of a sum, the factors of a product; all else is the only one."""
    return tree.operands if isinstance(tree, Operation) and tree.name == name else (tree,)


def grid(rows: Iterable[Iterable[Tree]]) -> Operation:
    """Return a matrix by rows."""
    return Operation("matrix", tuple(Operation("row", tuple(row)) for row in rows))


def column(entries: Iterable[Tree]) -> Operation:
    """Return a column vector."""
    return grid([entry] for entry in entries)


def rows_of(matrix: Tree) -> list[tuple[Tree, ...]]:
    """Return the rows of a matrix from above; all else is its only entry."""
    if not isinstance(matrix, Operation) or matrix.name != "matrix":
        return [(matrix,)]
    return [row.operands for row in matrix.operands if isinstance(row, Operation)]


def abridged(matrix: Tree, down: int, across: int) -> Operation:
    """Return a matrix without the middle of more rows and columns.

    Examples
    --------
    >>> small = rows_of(abridged(grid([[1.0] * 9] * 9), 4, 4))
    >>> len(small), small[2][2].name
    (4, '⋱')
    """
    rows = rows_of(matrix)
    # A matrix may have such a row already.
    dots: tuple[Tree, ...] = (Operation("⋮"),) * max(map(len, rows), default=0)
    kept = shortened(rows, down, dots)
    gaps = (Operation("⋱" if row == dots else "⋯") for row in kept)
    return grid(shortened(row, across, gap) for row, gap in zip(kept, gaps, strict=True))


def shortened(items: Sequence[Item], most: int, gap: Item) -> list[Item]:
    """Return at most so many items (three at least), a gap in place of the middle."""
    if len(items) <= most:
        return list(items)
    return [*items[: max(most - 2, 1)], gap, items[-1]]


def evaluate(tree: Tree, values: Mapping[Quantity, Any]) -> Any:
    """Return the value of a tree.

    Parameters
    ----------
    tree : Tree
        The tree; a matrix of one row times a vector is their inner product.
    values : mapping of Quantity to number or ndarray
        What each quantity stands for.

    Raises
    ------
    KeyError
        For a quantity without a value.

    Examples
    --------
    >>> x, b = Quantity("predictor", "x"), Quantity("fixed", numbers=(1,))
    >>> evaluate(Operation("+", (1.0, times(b, x))), {x: np.array([1.0, 2.0]), b: 3.0})
    array([4., 7.])
    """
    match tree:
        case Quantity():
            return values[tree]
        case Operation("marked", (inside, _)):
            return evaluate(inside, values)
        case Operation("·", (Operation("matrix", (Operation("row", entries),)), vector)):
            pairs = zip(entries, rows_of(vector), strict=True)
            return evaluate(Operation("+", tuple(times(x, *b) for x, b in pairs)), values)
        case Operation(name, operands):
            if name not in _ARITHMETIC:
                raise TypeError(f"{name} has no value")
            return _ARITHMETIC[name]([evaluate(operand, values) for operand in operands])
        case number:
            return number


_ARITHMETIC: Mapping[str, Callable[[list[Any]], Any]] = {
    # From a float on: powers of an exact zero must not be integers.
    "+": lambda operands: sum(operands, start=0.0),
    "·": lambda operands: math.prod(operands, start=1.0),
    "^": lambda operands: operands[0] ** operands[1],
    "/": lambda operands: operands[0] / operands[1],
    "√": lambda operands: np.sqrt(operands[0]),
}


_COMPUTED = _ARITHMETIC.keys() - {"+"}


def substituted(tree: Tree, meaning: Mapping[Quantity, Tree]) -> Tree:
    """Return the tree with quantities replaced, and what replaces them treated alike.

    `meaning` must not lead back to a quantity it replaces.
    """
    match tree:
        case Quantity() if tree in meaning:
            return substituted(meaning[tree], meaning)
        case Operation():
            return tree.map(lambda item: substituted(item, meaning))
        case _:
            return tree


def computed(tree: Tree) -> Tree:
    """Return the tree with its products, powers, quotients and roots of numbers computed.

    Examples
    --------
    >>> computed(Operation("√", (times(2.0, 8.0),)))
    4.0
    """
    if not isinstance(tree, Operation):
        return tree
    tree = tree.map(computed)
    known = tree.name in _COMPUTED and all(isinstance(each, float | int) for each in tree.operands)
    return float(evaluate(tree, {})) if known else tree


def expanded(tree: Tree) -> Operation:
    """Return the tree multiplied out: a sum of products without sums inside.

    Examples
    --------
    >>> a, b, c = (Quantity("predictor", name) for name in "abc")
    >>> [[f.name for f in t.operands] for t in expanded(times(summed((a, b)), c)).operands]
    [['a', 'c'], ['b', 'c']]
    """
    return Operation("+", tuple(times(*(factors or (1.0,))) for factors in _products(tree)))


def _products(tree: Tree) -> list[tuple[Tree, ...]]:
    match tree:
        case Operation("+", terms):
            return [factors for term in terms for factors in _products(term)]
        case Operation("·", factors):
            choices = product(*(_products(factor) for factor in factors))
            return [tuple(item for chosen in choice for item in chosen) for choice in choices]
        case _:
            return [(tree,)]


def quantities_of(tree: Tree) -> Iterator[Quantity]:
    """Yield the quantities of a tree from left to right, repetitions kept."""
    match tree:
        case Quantity():
            yield tree
        case Operation(_, operands):
            for operand in operands:
                yield from quantities_of(operand)


def signed(term: Tree) -> tuple[bool, Tree]:
    """Return a term of a sum as (whether it is negative, the term without its sign).

    Examples
    --------
    >>> signed(times(-2.0, 3.0)) == (True, times(2.0, 3.0))
    True
    """
    match term:
        case Operation("marked", (inside, mark)):
            negative, positive = signed(inside)
            return negative, Operation("marked", (positive, mark))
        case float(value) if value < 0:
            return True, -value
        case Operation("·", (float(value), *rest)) if value < 0:
            return True, Operation("·", (-value, *rest))
        case _:
            return False, term
