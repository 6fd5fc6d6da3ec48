"""A parsed formula as users hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from lme4py.errors import FormulaError
from lme4py.formula.bars import (
    Bar,
    DoubleBar,
    bars_as_sums,
    expand_double_bars,
    find_bars,
    without_bars,
)
from lme4py.formula.deparse import deparse
from lme4py.formula.formula_traps import Trap, formula_traps
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Number, call, calls_in, with_operands
from lme4py.versions import LME4_2, Lme4, lme4_of

_REMEMBERED = 2_000
"""Formulas of up to so many characters are read once."""


@dataclass(frozen=True, eq=False, repr=False)
class Formula:
    """An R formula; two are equal when R would print them alike, and one lme4 reads them.

    Parameters
    ----------
    node : Call
        The ``~`` call.
    text : str
        The formula as it was written.
    lme4 : Lme4
        The generation of lme4 that reads it.

    Examples
    --------
    >>> formula = Formula.parse("y~x*M+(1+x|g)")
    >>> print(formula)
    y ~ x * M + (1 + x | g)
    >>> print(formula.nobars())
    y ~ x * M
    >>> [bar.label for bar in formula.bars]
    ['1 + x | g']
    """

    node: Call
    text: str = ""
    lme4: Lme4 = LME4_2

    def __post_init__(self) -> None:
        if not isinstance(self.node, Call):
            raise FormulaError(
                "a formula is made of a syntax tree here", hint="Formula.parse(text) reads a text"
            )

    @classmethod
    def parse(cls, text: str, lme4: str | Lme4 = "2.1") -> Formula:
        """Read a formula as R does.

        Parameters
        ----------
        text : str
            As in R: ``"y ~ x + (1 | g)"``.
        lme4 : str
            The version of lme4 that reads the random terms, as R prints it: ``"2.1"``, or
            ``"1.1-31"``, which names three nested groups otherwise.

        Returns
        -------
        Formula

        Raises
        ------
        FormulaSyntaxError
            If the text is not one R expression.
        FormulaError
            If it is one, but no formula.
        DataError
            If the version is not known.

        Examples
        --------
        >>> str(Formula.parse("log(y)~x+(1|g)"))
        'log(y) ~ x + (1 | g)'
        >>> for version in ("1.1-31", "2.1"):
        ...     print([bar.label for bar in Formula.parse("~ (1 | a/b/c)", lme4=version).bars])
        ['1 | c:(b:a)', '1 | b:a', '1 | a']
        ['1 | c:b:a', '1 | b:a', '1 | a']
        """
        if not isinstance(text, str):
            raise FormulaError("invalid formula", hint=f"it is a {type(text).__name__}, not text")
        found = _read(text) if len(text) <= _REMEMBERED else _formula(text)
        generation = lme4_of(lme4)
        return found if found.lme4 == generation else replace(found, lme4=generation)

    @property
    def response(self) -> Node | None:
        """The left side, None for a one-sided formula."""
        return self.node.operands[0] if len(self.node.operands) == 2 else None

    @property
    def right(self) -> Node:
        """The right side."""
        return self.node.operands[-1]

    def _with_right(self, right: Node) -> Formula:
        return replace(self, node=with_operands(self.node, *self.node.operands[:-1], right))

    @cached_property
    def bars(self) -> tuple[Bar, ...]:
        """The random-effects terms, ``a/b`` and ``||`` expanded (lme4's ``findbars``)."""
        return find_bars(self.right, self.lme4)

    @cached_property
    def traps(self) -> tuple[Trap, ...]:
        """What lme4 reads in another way than it seems to say."""
        return tuple(formula_traps(self.right))

    def nobars(self) -> Formula:
        """Return the formula without random-effects terms (lme4's ``nobars``).

        Returns
        -------
        Formula
            Its right side is 1 if nothing else is there.

        Examples
        --------
        >>> str(Formula.parse("y ~ (1 | g)").nobars())
        'y ~ 1'
        """
        return self._nobars

    @cached_property
    def _nobars(self) -> Formula:
        return self._with_right(without_bars(self.right, self.lme4) or Number(1.0))

    def subbars(self) -> Formula:
        """Return the formula with ``+`` for every bar (lme4's ``subbars``).

        Returns
        -------
        Formula
            It names all variables that the model needs.

        Examples
        --------
        >>> str(Formula.parse("y ~ x + (1 | g)").subbars())
        'y ~ x + (1 + g)'
        """
        return self._subbars

    @cached_property
    def _subbars(self) -> Formula:
        sides = (bars_as_sums(side, self.lme4) for side in self.node.operands)
        return replace(self, node=call("~", *sides, span=self.node.span))

    def expanded(self, double_bar: DoubleBar = "split") -> Formula:
        """Return the formula with every ``||`` written out.

        Parameters
        ----------
        double_bar : {"split", "diag"}
            Split into its terms, lme4's ``expandDoubleVerts``, or written as ``diag``.

        Returns
        -------
        Formula

        Examples
        --------
        >>> str(Formula.parse("y ~ (x || g)").expanded())
        'y ~ ((1 | g) + (0 + x | g))'
        >>> str(Formula.parse("y ~ (x || g)").expanded("diag"))
        'y ~ diag(x | g)'
        """
        return self._split if double_bar == "split" else self._expanded(double_bar)

    @cached_property
    def _split(self) -> Formula:
        return self._expanded("split")

    def _expanded(self, double_bar: DoubleBar) -> Formula:
        right = expand_double_bars(self.right, double_bar)
        return self if right is self.right else self._with_right(right)

    def __str__(self) -> str:
        return deparse(self.node)

    def __repr__(self) -> str:
        return f"Formula.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Formula) and self.lme4 == other.lme4
        return same and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def _formula(text: str) -> Formula:
    node = parse(text)
    if isinstance(node, Call) and node.name == "~":
        return Formula(node, text)
    hint = "a formula has a ~ between response and terms"
    for inner in calls_in(node):
        # A whole call, such as ``m <- lmer(y ~ x + (1 | g), data = d)``.
        if inner.name == "~" and len(inner.operands) == 2:
            alone = f"give the formula alone: {deparse(inner)!r}"
            hint = f"{alone}; data, weights and the like are arguments beside it"
            break
    what = "" if isinstance(node, Call) else f' "{text}": not a call'
    raise FormulaError(f"invalid formula{what}", node.span, hint)


# A formula and its parts never change, so builds of the same text may share them.
_read = lru_cache(maxsize=128)(_formula)
