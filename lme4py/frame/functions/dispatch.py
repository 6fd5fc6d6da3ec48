"""R's choice of the method of an operator when its operands have classes.

The operators form the group ``Ops``. Each operand may bring a method of its own: of the
operator (``+.Date``) or, failing that, of the whole group (``Ops.Date``). One method or twice the
same one is called. Of two different ones R takes neither: it warns, and computes with the bare
numbers. The exceptions are a difftime added to or subtracted from a Date or POSIXct.

The methods and what R computes without one are entered by the modules of the operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import pack
from lme4py.frame.functions.table import Context
from lme4py.frame.values import (
    Factor,
    MalformedFactor,
    Matrix,
    Numeric,
    Value,
    is_difftime,
    length,
)

__all__ = ["Operation", "classes", "enter_internal", "method", "operate"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One use of an operator, as a method sees it.

    Parameters
    ----------
    name : str
        The operator.
    first, second : Value
        The operands; `second` is None for an operator with one.
    methods : (str or None, str or None)
        The name of the method if the first, the second operand brought it (R's ``.Method``).
    context : Context
    """

    name: str
    first: Value
    second: Value | None
    methods: tuple[str | None, str | None]
    context: Context

    @property
    def operands(self) -> tuple[Value, ...]:
        """The operands there are."""
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def pair(self) -> tuple[Value, Value]:
        """Both operands.

        Raises
        ------
        DataError
            If there is only one.
        """
        if self.second is None:
            raise DataError("invalid unary operator")
        return self.first, self.second

    def without_method(self, first: Value, second: Value | None = None) -> Value:
        """Return what R computes of other operands where there is no method."""
        return _INTERNAL[self.name](replace(self, first=first, second=second))

    def missing(self) -> Numeric:
        """Return NA for each element of the longer operand."""
        sizes = [
            operand.values.size if isinstance(operand, Matrix) else length(operand)
            for operand in self.operands
        ]
        return pack(np.full(max(sizes), np.nan), "logical")


Compute: TypeAlias = Callable[[Operation], Value]

_METHODS: dict[str, Compute] = {}
_INTERNAL: dict[str, Compute] = {}
# Which of two different methods R takes all the same.
_ARITHMETIC = frozenset(("+", "-", "*", "/", "^", "%%", "%/%"))
_DIFFTIME = "Ops.difftime"
_FIRST_WINS = frozenset(("+.POSIXt", "-.POSIXt", "+.Date", "-.Date"))
_SECOND_WINS = frozenset(("+.POSIXt", "+.Date"))


def method(*names: str) -> Callable[[Compute], Compute]:
    """Return a decorator that enters a method under R's names (``"Ops.factor"``)."""

    def enter(compute: Compute) -> Compute:
        for name in names:
            _METHODS[name] = compute
        return compute

    return enter


def enter_internal(compute: Compute, *names: str) -> None:
    """Enter what operators compute without a method."""
    for name in names:
        _INTERNAL[name] = compute


def classes(value: Value | None) -> tuple[str, ...]:
    """Return R's ``oldClass`` of a value.

    Examples
    --------
    >>> classes(Numeric(np.zeros(1), "double", "POSIXct"))
    ('POSIXct', 'POSIXt')
    """
    match value:
        case Factor(ordered=ordered) | MalformedFactor(ordered=ordered):
            return ("ordered", "factor") if ordered else ("factor",)
        case Numeric(time="POSIXct"):
            return ("POSIXct", "POSIXt")
        case Numeric(time="Date"):
            return ("Date",)
        case Numeric(time=time) if is_difftime(time):
            return ("difftime",)
        case _:
            return ()


def _found(name: str, value: Value | None) -> str | None:
    """Return the method of the operator, else of its group, for the first class with one."""
    for kind in classes(value):
        for stem in (name, "Ops"):
            if f"{stem}.{kind}" in _METHODS:
                return f"{stem}.{kind}"
    return None


def operate(name: str, first: Value, second: Value | None, context: Context) -> Value:
    """Return ``first name second``, or ``name first`` without a second operand.

    Parameters
    ----------
    name : str
        An operator of arithmetic, comparison or logic.
    first : Value
    second : Value or None
    context : Context
        Takes R's warnings.

    Raises
    ------
    DataError
        As R, where the operands' classes or types do not allow the operator.

    Notes
    -----
    R 4.2's ``DispatchGroup``; R 4.3 asks ``chooseOpsMethod`` before it warns.
    """
    left, right = _found(name, first), _found(name, second)
    operation = Operation(name, first, second, (left, right), context)
    if left is not None and right is not None and left != right:
        if right == _DIFFTIME and left in _FIRST_WINS:
            right = None
        elif left == _DIFFTIME and right in _SECOND_WINS:
            left = None
        else:
            if context.rows == 1 and name in _ARITHMETIC:
                # The class of the result is that of the operand with as many elements; a single
                # new row does not tell which one that was among the rows of the model.
                raise DataError(
                    f"{name} of operands with different classes has no value for a single new row",
                    hint="put it into the data as a column",
                )
            context.warn(f'Incompatible methods ("{left}", "{right}") for "{name}"')
            return _INTERNAL[name](replace(operation, methods=(None, None)))
    chosen = left or right
    if chosen is None:
        return _INTERNAL[name](operation)
    return _METHODS[chosen](replace(operation, methods=(left, right)))
