"""Equations as trees: constants, quantities, sums, products, matrices. Text is their rendering.

A tree can be evaluated, quantities in it can be replaced by trees, and products of sums
can be multiplied out. A quantity says what it stands for, not how it is written; that is
a notation's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, Self, TypeAlias, TypeVar

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
class Numeral:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of the model."""

    kind: QuantityKind
    name: str = ""  # of a variable, or the letter of a matrix
    # The level or column of the variable; the level of a random effect that is one of several.
    part: str = ""
    numbers: tuple[int | str, ...] = ()  # (1, 0) for gamma_10; "h" is the index of a `Series`
    factors: tuple[int, ...] = ()  # positions of those whose levels it differs between
    # "i" if it differs between observations, a number or "n" for a certain or the last one of a
    # cluster, "" otherwise.
    row: str = ""
    copy: int = 0  # tells apart what would have the same name otherwise
    of: tuple[Quantity, ...] = ()  # the effects whose variance, deviation or correlation it is


@dataclass(frozen=True, slots=True)
class Dots:
    """What is left out of a matrix or a list."""

    direction: Literal["across", "down", "diagonal"]


@dataclass(frozen=True, repr=False)
class Compound:
    """A tree made of others."""

    operands: tuple[Tree, ...]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.operands)}>"

    def map(self, change: Callable[[Tree], Tree]) -> Self:
        """Return the tree with each of its operands changed."""
        return replace(self, operands=tuple(map(change, self.operands)))


class Sum(Compound):
    """A sum; the empty one is zero."""


class Product(Compound):
    """A product; the empty one is one."""


class Power(Compound):
    """A base and its whole exponent, a `Numeral`."""


class Quotient(Compound):
    """Two trees, the first divided by the second."""


class Root(Compound):
    """The square root of one tree."""


class Transposed(Compound):
    """One matrix or vector, transposed."""


@dataclass(frozen=True, repr=False)
class Series(Compound):
    """One tree for every value of its index h, added up or told one by one."""

    first: int = 0
    last: int = 0
    added: bool = True


@dataclass(frozen=True, repr=False)
class Marked(Compound):
    """One tree that corresponds to others with the same mark, which have the same colour."""

    mark: int = 0


@dataclass(frozen=True, repr=False)
class Grid(Compound):
    """A matrix, its entries row by row, so many across; a vector is a column of them."""

    across: int = 1

    @property
    def rows(self) -> list[tuple[Tree, ...]]:
        """The rows from above."""
        starts = range(0, len(self.operands), max(self.across, 1))
        return [self.operands[start : start + self.across] for start in starts]

    def abridged(self, down: int, across: int) -> Grid:
        """Return the matrix without the middle of more rows and columns.

        Examples
        --------
        >>> small = grid([[Numeral(1.0)] * 9] * 9).abridged(4, 4)
        >>> len(small.rows), small.rows[2][2]
        (4, Dots(direction='diagonal'))
        """
        if self.across <= across and len(self.operands) <= down * self.across:
            return self
        dots: tuple[Tree, ...] = (Dots("down"),) * self.across
        rows = shortened(self.rows, down, dots)
        gaps = (Dots("diagonal" if row == dots else "across") for row in rows)
        return grid(shortened(row, across, gap) for row, gap in zip(rows, gaps, strict=True))


@dataclass(frozen=True, repr=False)
class Applied(Compound):
    """A function or distribution with its arguments."""

    function: str


@dataclass(frozen=True, repr=False)
class Relation(Compound):
    """An equation (=), a statement about a distribution (~), or a product by rows (⊙).

    In the last, each row is the Kronecker product of the rows of the two matrices.
    """

    sign: Literal["=", "~", "⊙"] = "="

    @property
    def left(self) -> Tree:
        """The left side."""
        return self.operands[0]

    @property
    def right(self) -> Tree:
        """The right side."""
        return self.operands[1]


Tree: TypeAlias = Numeral | Quantity | Dots | Compound


def distributed(left: Tree, name: str, *parameters: Tree) -> Relation:
    """Return that something has a distribution."""
    return Relation((left, Applied(parameters, name)), "~")


def summed(terms: Iterable[Tree]) -> Tree:
    """Return the sum of terms: the term itself if it is alone."""
    found = tuple(terms)
    return found[0] if len(found) == 1 else Sum(found)


def times(*factors: Tree) -> Tree:
    """Return the product of factors, products among them joined: a factor alone is itself."""
    flat = [inner for each in factors for inner in factors_of(each)]
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def factors_of(tree: Tree) -> tuple[Tree, ...]:
    """Return the factors of a product; all else is the only one."""
    return tree.operands if isinstance(tree, Product) else (tree,)


def terms_of(tree: Tree) -> tuple[Tree, ...]:
    """Return the terms of a sum; all else is the only one."""
    return tree.operands if isinstance(tree, Sum) else (tree,)


def grid(rows: Iterable[Iterable[Tree]]) -> Grid:
    """Return a matrix by rows."""
    lines = [tuple(row) for row in rows]
    return Grid(tuple(entry for line in lines for entry in line), len(lines[0]) if lines else 0)


def column(entries: Iterable[Tree]) -> Grid:
    """Return a column vector."""
    return Grid(tuple(entries))


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
    >>> evaluate(Sum((Numeral(1.0), Product((b, x)))), {x: np.array([1.0, 2.0]), b: 3.0})
    array([4., 7.])
    """
    match tree:
        case Numeral(value):
            return value
        case Quantity():
            return values[tree]
        case Marked((inside,)):
            return evaluate(inside, values)
        case Product((Grid(entries), Grid(effects))):
            pairs = zip(entries, effects, strict=True)
            return evaluate(Sum(tuple(Product(pair) for pair in pairs)), values)
        case Sum() | Product() | Power() | Quotient() | Root():
            operands = [evaluate(operand, values) for operand in tree.operands]
            return _OPERATIONS[type(tree)](operands)
        case _:
            raise TypeError(f"{type(tree).__name__} has no value")


_OPERATIONS: Mapping[type[Compound], Callable[[list[Any]], Any]] = {
    # From a float on: powers of an exact zero must not be integers.
    Sum: lambda operands: sum(operands, start=0.0),
    Product: lambda operands: math.prod(operands, start=1.0),
    Power: lambda operands: operands[0] ** operands[1],
    Quotient: lambda operands: operands[0] / operands[1],
    Root: lambda operands: np.sqrt(operands[0]),
}


def substituted(tree: Tree, meaning: Mapping[Quantity, Tree]) -> Tree:
    """Return the tree with quantities replaced, and what replaces them treated alike.

    `meaning` must not lead back to a quantity it replaces.
    """
    match tree:
        case Quantity() if tree in meaning:
            return substituted(meaning[tree], meaning)
        case Compound():
            return tree.map(lambda item: substituted(item, meaning))
        case _:
            return tree


def computed(tree: Tree) -> Tree:
    """Return the tree with its products, powers, quotients and roots of numbers computed.

    Examples
    --------
    >>> computed(Root((Product((Numeral(2.0), Numeral(8.0))),)))
    Numeral(value=4.0)
    """
    if not isinstance(tree, Compound):
        return tree
    tree = tree.map(computed)
    known = isinstance(tree, Product | Power | Quotient | Root)
    if known and all(isinstance(operand, Numeral) for operand in tree.operands):
        return Numeral(float(evaluate(tree, {})))
    return tree


def expanded(tree: Tree) -> Sum:
    """Return the tree multiplied out: a sum of products without sums inside.

    Examples
    --------
    >>> a, b, c = (Quantity("predictor", name) for name in "abc")
    >>> [[f.name for f in t.operands] for t in expanded(Product((Sum((a, b)), c))).operands]
    [['a', 'c'], ['b', 'c']]
    """
    return Sum(tuple(times(*(factors or (Numeral(1.0),))) for factors in _products(tree)))


def _products(tree: Tree) -> list[tuple[Tree, ...]]:
    match tree:
        case Sum(terms):
            return [factors for term in terms for factors in _products(term)]
        case Product(factors):
            choices = product(*(_products(factor) for factor in factors))
            return [tuple(item for chosen in choice for item in chosen) for choice in choices]
        case _:
            return [(tree,)]


def quantities_of(tree: Tree) -> Iterator[Quantity]:
    """Yield the quantities of a tree from left to right, repetitions kept."""
    match tree:
        case Quantity():
            yield tree
        case Compound(operands):
            for operand in operands:
                yield from quantities_of(operand)


def signed(term: Tree) -> tuple[bool, Tree]:
    """Return a term of a sum as (whether it is negative, the term without its sign).

    Examples
    --------
    >>> signed(Product((Numeral(-2.0), Numeral(3.0)))) == (
    ...     True, Product((Numeral(2.0), Numeral(3.0)))
    ... )
    True
    """
    match term:
        case Marked((inside,), mark):
            negative, positive = signed(inside)
            return negative, Marked((positive,), mark)
        case Numeral(value) if value < 0:
            return True, Numeral(-value)
        case Product((Numeral(value), *rest)) if value < 0:
            return True, Product((Numeral(-value), *rest))
        case _:
            return False, term
