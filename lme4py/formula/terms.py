"""R's ``terms()``: operators become an ordered list of terms.

A term is a *set* of variables, held as an int whose bit i stands for variable i.
Everything in this module is a statement about such sets:

* ``+`` is union that keeps first occurrences; ``-`` removes sets; ``:`` joins each
  left term with each right one; ``*`` is both sides and their ``:``; ``a/b`` is
  ``a`` and every term of ``b`` joined with *all* variables of ``a``; ``%in%`` joins
  each left term with all variables of the right; ``(...)^n`` joins the inside with
  itself n - 1 times.
* ``1`` and ``0`` set the intercept where they are met, left to right, the last one
  wins; on the right of ``-`` their meaning is turned around.
* The finished terms are sorted by the number of their variables, stable.
* Variable v of term T is coded by contrasts if T without v is empty, or a subset of
  a term that stands *earlier* in the sorted list; otherwise by one indicator per
  level. (R's manual words this differently; this is what R computes.)

An operator whose left side has no terms yields none for ``*``, ``/`` and ``:``,
because R appends to a list that is not there: ``1*a`` is empty and ``a*1`` is ``a``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import product
from operator import or_
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.errors import FormulaError, Span
from lme4py.formula.deparse import term_label, variable_name
from lme4py.formula.syntax import Call, Constant, Node, Number, Symbol, Text, symbols

MAXIMUM_TERMS = 20_000
"""More terms than this are refused; no data could identify such a model."""

_MAXIMUM_PRODUCTS = 2_000_000
OPERATORS = frozenset({"+", "-", "*", "/", ":", "^", "%in%"})
"""The calls that mean sets of terms; all others are variables."""

TermList: TypeAlias = dict[int, None]
"""An ordered set of terms."""


@dataclass(frozen=True, repr=False)
class Terms(Abbreviated):
    """The right-hand side of a formula as an ordered list of terms.

    The response, if there is one, is the first of the `variables`; the others follow in the order
    of their first appearance, offsets and removed terms included. `members` has one bit set per
    term, sorted by degree; `offsets` are positions among the variables, `warnings` R's.
    """

    variables: tuple[Node, ...]
    response: int | None
    members: tuple[int, ...]
    intercept: bool
    offsets: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the variables as columns of the model frame."""
        return tuple(variable_name(variable) for variable in self.variables)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The variables by those names.

        A column of the data may be called as a call is written; of two R takes the first.
        """
        named: dict[str, Node] = {}
        for name, node in zip(self.frame_names, self.variables, strict=True):
            named.setdefault(name, node)
        return named

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the variables as parts of labels."""
        return tuple(term_label(variable) for variable in self.variables)

    def positions(self, term: int) -> tuple[int, ...]:
        """Return the positions of the variables of a term, in the order of its label."""
        found = []
        while term:
            lowest = term & -term
            found.append(lowest.bit_length() - 1)
            term ^= lowest
        return tuple(found)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """R's ``term.labels``.

        Examples
        --------
        >>> from lme4py.formula.parse import parse
        >>> terms(parse("y ~ d:c + b*a - b")).labels
        ('a', 'd:c', 'b:a')
        """
        names = self.names
        return tuple(":".join(names[i] for i in self.positions(term)) for term in self.members)

    @property
    def order(self) -> tuple[int, ...]:
        """Number of variables of each term."""
        return tuple(term.bit_count() for term in self.members)

    @cached_property
    def codings(self) -> tuple[tuple[int, ...], ...]:
        """How each variable of each term is coded if it is a factor: 1 contrasts, 2 indicators.

        In the order of `positions`.
        """
        found = []
        earlier: TermList = {0: None}
        met = 0
        for term in self.members:
            rests = [term & ~(1 << variable) for variable in self.positions(term)]
            # What has variables that no earlier term has is in none of them.
            inside = [
                rest in earlier or (not rest & ~met and any(not rest & ~other for other in earlier))
                for rest in rests
            ]
            found.append(tuple(1 if contrasted else 2 for contrasted in inside))
            earlier[term] = None
            met |= term
        return tuple(found)

    def codes(self) -> NDArray[np.uint8]:
        """Return R's ``factors`` matrix, shape (variables, terms): 0, or as in `codings`."""
        codes = np.zeros((len(self.variables), len(self.members)), dtype=np.uint8)
        for column, (term, coding) in enumerate(zip(self.members, self.codings, strict=True)):
            codes[list(self.positions(term)), column] = coding
        return codes


def terms(formula: Node, columns: Sequence[str] | None = None) -> Terms:
    """Expand a formula, a ``~`` call with one or two sides, as R's ``terms.formula`` does.

    `columns` are the names of the data, which ``.`` stands for (those of the left side
    excepted). An invalid power, a number or text as a term, ``.`` without data, and an expansion
    beyond `MAXIMUM_TERMS` are a `FormulaError`.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> terms(parse("y ~ a*b - 1")).intercept
    False
    """
    if not isinstance(formula, Call) or formula.name != "~":
        raise FormulaError("argument is not a valid model")
    sides = formula.operands
    response = sides[0] if len(sides) == 2 else None
    expansion = _Expansion(response, columns)
    expected = expansion.extract(sides[-1])
    members = expansion.encode(sides[-1])
    variables = expansion.variables
    offsets = tuple(
        i
        for i, variable in enumerate(variables)
        if isinstance(variable, Call) and variable.name == "offset"
        if response is None or i > 0
    )
    hidden = reduce(or_, (1 << i for i in offsets), 0)
    kept = sorted((term for term in members if not term & hidden), key=int.bit_count)
    warning = (
        f"'varlist' has changed (from nvar={expected}) to new {len(variables)} after EncodeVars() "
        "-- should no longer happen!"
    )
    return Terms(
        tuple(variables),
        None if response is None else 0,
        tuple(kept),
        expansion.intercept,
        offsets,
        (warning,) if expected not in (None, len(variables)) else (),
    )


class _Expansion:
    """The walk over one formula: variables met so far, and the intercept as last set."""

    def __init__(self, response: Node | None, columns: Sequence[str] | None) -> None:
        self.variables: list[Node] = []
        self.intercept = True
        self._positions: dict[str, int] = {}
        self._turned = False
        self._response, self._names = response, columns
        if response is not None:
            self._install(response)

    def _columns(self, node: Symbol) -> list[int]:
        """Enter what a dot stands for: the columns of the data but for those of the left side."""
        if self._names is None:
            raise FormulaError("'.' in formula and no 'data' argument", node.span)
        left = () if self._response is None else [item.name for item in symbols(self._response)]
        return [self._install(Symbol(name, node.span)) for name in self._names if name not in left]

    def _install(self, node: Node) -> int:
        """Return the bit of a variable, entering it when new."""
        key = f"`{node.name}" if isinstance(node, Symbol) else term_label(node)
        position = self._positions.get(key)
        if position is None:
            position = self._positions[key] = len(self.variables)
            self.variables.append(node)
        return 1 << position

    def extract(self, node: Node) -> int | None:
        """Enter the variables in R's order where the formula has a dot; return their number.

        R lists the variables before it reads the operators. After a dot it leaves out
        plain names, expecting the dot to cover them; those that it does not cover join
        the list later, behind calls that stand further right, and R warns of itself.
        """
        if self._names is None or not any(symbol.name == "." for symbol in symbols(node)):
            return None
        met_dot = False
        pending = [node]
        while pending:
            item = pending.pop()
            if isinstance(item, Symbol) and item.name == ".":
                met_dot = True
                self._columns(item)
            elif isinstance(item, Symbol):
                if not met_dot:
                    self._install(item)
            elif isinstance(item, Call) and (item.name in OPERATORS or item.name == "("):
                operands = item.operands[:1] if item.name == "^" else item.operands
                pending.extend(reversed(operands))
            elif isinstance(item, Call) and item.name != "~":
                self._install(item)
        return len(self.variables)

    def encode(self, node: Node) -> TermList:
        """Return the terms of an expression.

        The left spine of operators is walked in a loop, so a sum of thousands of
        terms needs no depth.
        """
        spine: list[Call] = []
        while isinstance(node, Call) and node.name in OPERATORS and len(node.operands) == 2:
            spine.append(node)
            node = node.operands[0]
        found = self._encode_operand(node)
        for operation in reversed(spine):
            found = self._apply(operation, found)
            if len(found) > MAXIMUM_TERMS:
                raise _too_many(operation.span)
        return found

    def _encode_operand(self, node: Node) -> TermList:
        match node:
            case Symbol(name="."):
                return dict.fromkeys(self._columns(node))
            case Constant(name="NULL"):
                return {}
            case Number(value=0 | 1) | Constant(name="TRUE" | "FALSE"):
                on = node.value == 1 if isinstance(node, Number) else node.name == "TRUE"
                self.intercept = on is not self._turned
                return {}
            case Number() | Text() | Constant():
                raise FormulaError(
                    "invalid model formula in ExtractVars",
                    node.span,
                    "only 0 and 1 may stand as terms; write I(...) for arithmetic",
                )
            case Call(arguments=(argument,)) if node.name in ("(", "+") and argument.value:
                return self.encode(argument.value)
            case Call(arguments=(argument,)) if node.name == "-" and argument.value:
                self._encode_turned(argument.value)
                return {}
            case Call(arguments=(argument,)) if node.name in OPERATORS and argument.value:
                # What lme4 makes of x:NULL; R takes an operand that is not there for NULL.
                return self._apply(node, self.encode(argument.value))
            case Call() if node.name == "~":
                raise FormulaError("invalid model formula", node.span)
            case _:
                return {self._install(node): None}

    def _encode_turned(self, node: Node) -> TermList:
        """Encode what stands right of a minus."""
        self._turned = not self._turned
        found = self.encode(node)
        self._turned = not self._turned
        return found

    def _apply(self, operation: Call, left: TermList) -> TermList:
        name = operation.name
        operand = operation.operands[1] if len(operation.operands) == 2 else Constant("NULL")
        if name == "^":
            return self._power(operation, operand, left)
        if name == "-":
            for term in self._encode_turned(operand):
                left.pop(term, None)
            return left
        right = self.encode(operand)
        if name == "+":
            left.update(right)
            return left
        if name == ":":
            return _products(left, right, operation.span)
        # All variables of one side; where R appends to a list that is not there, none remains.
        joined = reduce(or_, right if name == "%in%" else left, 0)
        if name == "%in%":
            return {term | joined: None for term in left}
        if name == "*":
            return left and left | right | _products(left, right, operation.span)
        return left and left | {term | joined: None for term in right}

    def _power(self, operation: Call, exponent: Node, left: TermList) -> TermList:
        if not isinstance(exponent, Number) or isinstance(exponent.value, complex):
            raise FormulaError("invalid power in formula", exponent.span)
        if not 2 <= exponent.value < 2**31:
            raise FormulaError(
                "invalid power in formula",
                exponent.span,
                "the power must be a number greater than 1; write I(...) for arithmetic",
            )
        found = left
        for _ in range(int(exponent.value) - 1):
            larger = _products(left, found, operation.span)
            if list(larger) == list(found):
                # A result that repeats itself, order included, stays so for every higher power.
                return larger
            found = larger
        return found


def _products(left: TermList, right: TermList, span: Span | None) -> TermList:
    if len(left) * len(right) > _MAXIMUM_PRODUCTS:
        raise _too_many(span)
    joined = {first | second: None for first, second in product(left, right)}
    if len(joined) > MAXIMUM_TERMS:
        raise _too_many(span)
    return joined


def _too_many(span: Span | None) -> FormulaError:
    return FormulaError(f"the formula expands to more than {MAXIMUM_TERMS:,} terms", span)
