"""Equations as trees: numbers, symbols, sums, products, matrices. Text is only their rendering.

A tree can be evaluated, symbols in it can be replaced by trees, and products of sums
can be multiplied out. A symbol says what it stands for, not how it is written; that is
a notation's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np

__all__ = [
    "Applied",
    "Column",
    "Dots",
    "Grid",
    "Kind",
    "Node",
    "Number",
    "Power",
    "Product",
    "Quotient",
    "Relation",
    "Root",
    "Sum",
    "Symbol",
    "Transposed",
    "evaluate",
    "expanded",
    "joined",
    "signed",
    "substituted",
    "symbols_of",
    "times",
]

Kind: TypeAlias = Literal[
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
    "matrix",  # X, Z, y, b, ... as a whole: its letter is the name
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Symbol:
    """A quantity of the model.

    Parameters
    ----------
    kind : str
        What it is.
    name : str
        The variable's name, or the letter of a matrix.
    part : str
        The level or column of the variable.
    numbers : tuple of int
        Its place among its kind: (1, 0) for gamma_10.
    factors : tuple of int
        Positions of the grouping factors whose levels it differs between.
    row : str
        "i" if it differs between observations, "1" or "n" for the first or last one of a
        cluster, "" otherwise.
    copy : int
        Tells apart what would have the same name otherwise.
    of : tuple of Symbol
        The random effects whose variance, deviation or correlation it is.
    """

    kind: Kind
    name: str = ""
    part: str = ""
    numbers: tuple[int, ...] = ()
    factors: tuple[int, ...] = ()
    row: str = ""
    copy: int = 0
    of: tuple[Symbol, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum; the empty one is zero."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product; the empty one is one."""

    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """A power with a whole exponent."""

    base: Node
    exponent: int


@dataclass(frozen=True, slots=True)
class Quotient:
    """A quotient."""

    over: Node
    under: Node


@dataclass(frozen=True, slots=True)
class Root:
    """A square root."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Applied:
    """A function or distribution with its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Dots:
    """What is left out of a matrix or a list."""

    direction: Literal["across", "down", "diagonal"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix, by rows."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column vector."""

    entries: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Transposed:
    """A matrix or vector, transposed."""

    inner: Node


Node: TypeAlias = (
    Number
    | Symbol
    | Sum
    | Product
    | Power
    | Quotient
    | Root
    | Applied
    | Dots
    | Grid
    | Column
    | Transposed
)


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation, or a statement about a distribution.

    Parameters
    ----------
    left, right : Node
        The two sides.
    sign : {"=", "~"}
        Equality, or "is distributed as".
    """

    left: Node
    right: Node
    sign: Literal["=", "~"] = "="


def joined(terms: list[Node]) -> Node:
    """Return the sum of terms: the term itself if it is alone."""
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def times(*factors: Node) -> Node:
    """Return the product of factors: the factor itself if it is alone."""
    return factors[0] if len(factors) == 1 else Product(factors)


def evaluate(node: Node, values: Mapping[Symbol, Any]) -> Any:
    """Return the value of a tree.

    Parameters
    ----------
    node : Node
        The tree; a one-row `Grid` times a `Column` is their inner product.
    values : mapping of Symbol to number or ndarray
        What each symbol stands for.

    Raises
    ------
    KeyError
        For a symbol without a value.

    Examples
    --------
    >>> x, b = Symbol("predictor", "x"), Symbol("fixed", numbers=(1,))
    >>> evaluate(Sum((Number(1.0), Product((b, x)))), {x: np.array([1.0, 2.0]), b: 3.0})
    array([4., 7.])
    """
    match node:
        case Number(value=value):
            return value
        case Symbol():
            return values[node]
        case Sum(terms=terms):
            total: Any = 0.0
            for term in terms:
                total = total + evaluate(term, values)
            return total
        case Product(factors=(Grid(rows=(row,)), Column(entries=entries))):
            pairs = zip(row, entries, strict=True)
            return evaluate(Sum(tuple(Product(pair) for pair in pairs)), values)
        case Product(factors=factors):
            result: Any = 1.0
            for factor in factors:
                result = result * evaluate(factor, values)
            return result
        case Power(base=base, exponent=exponent):
            return evaluate(base, values) ** exponent
        case Quotient(over=over, under=under):
            return evaluate(over, values) / evaluate(under, values)
        case Root(inner=inner):
            return np.sqrt(evaluate(inner, values))
        case _:
            raise TypeError(f"{type(node).__name__} has no value")


def substituted(node: Node, meaning: Mapping[Symbol, Node]) -> Node:
    """Return the tree with symbols replaced, and what replaces them treated alike.

    `meaning` must not lead back to a symbol it replaces.
    """
    match node:
        case Symbol():
            return substituted(meaning[node], meaning) if node in meaning else node
        case Sum(terms=terms):
            return Sum(tuple(substituted(term, meaning) for term in terms))
        case Product(factors=factors):
            return Product(tuple(substituted(factor, meaning) for factor in factors))
        case Power(base=base, exponent=exponent):
            return Power(substituted(base, meaning), exponent)
        case Quotient(over=over, under=under):
            return Quotient(substituted(over, meaning), substituted(under, meaning))
        case Root(inner=inner):
            return Root(substituted(inner, meaning))
        case Transposed(inner=inner):
            return Transposed(substituted(inner, meaning))
        case Applied(function=function, arguments=arguments):
            return Applied(function, tuple(substituted(item, meaning) for item in arguments))
        case Column(entries=entries):
            return Column(tuple(substituted(entry, meaning) for entry in entries))
        case Grid(rows=rows):
            return Grid(tuple(tuple(substituted(e, meaning) for e in row) for row in rows))
        case _:
            return node


def expanded(node: Node) -> Sum:
    """Return the tree multiplied out: a sum of products without sums inside.

    Examples
    --------
    >>> a, b, c = (Symbol("predictor", name) for name in "abc")
    >>> [[f.name for f in t.factors] for t in expanded(Product((Sum((a, b)), c))).terms]
    [['a', 'c'], ['b', 'c']]
    """
    return Sum(tuple(times(*factors) if factors else Number(1.0) for factors in _products(node)))


def _products(node: Node) -> list[tuple[Node, ...]]:
    match node:
        case Sum(terms=terms):
            return [factors for term in terms for factors in _products(term)]
        case Product(factors=factors):
            choices = product(*(_products(factor) for factor in factors))
            return [tuple(item for chosen in choice for item in chosen) for choice in choices]
        case _:
            return [(node,)]


def symbols_of(node: Node) -> list[Symbol]:
    """Return the symbols of a tree from left to right, repetitions kept."""
    match node:
        case Symbol():
            return [node]
        case Sum(terms=inner) | Product(factors=inner) | Applied(arguments=inner):
            return [symbol for item in inner for symbol in symbols_of(item)]
        case Column(entries=inner):
            return [symbol for item in inner for symbol in symbols_of(item)]
        case Grid(rows=rows):
            return [symbol for row in rows for item in row for symbol in symbols_of(item)]
        case Quotient(over=over, under=under):
            return symbols_of(over) + symbols_of(under)
        case Power(base=item) | Root(inner=item) | Transposed(inner=item):
            return symbols_of(item)
        case _:
            return []


def signed(terms: tuple[Node, ...]) -> list[tuple[bool, Node]]:
    """Return the terms of a sum as (negative, term without its sign).

    Examples
    --------
    >>> signed((Number(1.0), Product((Number(-2.0), Number(3.0)))))
    [(False, Number(value=1.0)), (True, Product(factors=(Number(value=2.0), Number(value=3.0))))]
    """
    found: list[tuple[bool, Node]] = []
    for term in terms:
        match term:
            case Number(value=value) if value < 0:
                found.append((True, Number(-value)))
            case Product(factors=(Number(value=value), *rest)) if value < 0:
                found.append((True, Product((Number(-value), *rest))))
            case _:
                found.append((False, term))
    return found
