"""How the symbols of a model are written: Raudenbush-Bryk's notation, and Gelman-Hill's.

Raudenbush and Bryk give an observation all its indices, y_ij, and call what is fixed
gamma and what is random U. Gelman and Hill give it one, y_i, and write j[i] for the
group it lies in; their coefficients are alpha and beta_1, their errors eta.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

from lme4py.explain.expression import Quantity
from lme4py.explain.hierarchy import Hierarchy
from lme4py.explain.markup.formats import TEXT, Format
from lme4py.explain.markup.typesetting import Mark, Typesetter, Written

_INDEX_LETTERS = "jklmnopqrstuvw"
# From the highest level downwards.
_COEFFICIENTS = "γβπκψωφχζ"
_SINGLE = {"mean": "μ", "residual": "ε", "weight": "w", "trials": "n", "size": "n"}


def _subscript(
    numbers: tuple[int | str, ...], index: tuple[Mark, ...] = (), level: str = ""
) -> tuple[Mark, ...]:
    """Return numbers, and index letters or a level by its name, as one subscript.

    With commas between the numbers, and behind them, if one has two digits.
    """
    digits = tuple(map(str, numbers))
    long = any(len(number) > 1 for number in digits)
    shown = (",".join(digits),) if long else digits
    end = (Written(level),) if level else index
    return (*shown, *([","] if shown and end and (long or level) else []), *end)


class Notation(ABC):
    """A way of writing the quantities of a model; `names` are others for variables and columns."""

    name: ClassVar[str]
    predicted: ClassVar[str]
    """The letter of the linear predictor."""
    covariance: ClassVar[str]
    """The letter of the covariance matrix of random effects."""
    by_deviation: ClassVar[bool]
    """Whether covariances are ρ·σ·σ, and coefficients are distributed about their means."""

    def __init__(self, levels: Hierarchy, names: Mapping[str, str], response: str) -> None:
        self.levels = levels
        # j, k, ... for the factors, the finest first.
        self.letters = {
            factor: _INDEX_LETTERS[k % len(_INDEX_LETTERS)] + "′" * (k // len(_INDEX_LETTERS))
            for k, factor in enumerate(levels.from_stage(1))
        }
        self.names = names
        self.response = response

    def __repr__(self) -> str:
        return f"<Notation: {self.name}>"

    def setter(self, form: Format = TEXT, digits: int = 4) -> Typesetter:
        """Return what writes trees in this notation."""
        return Typesetter(self.write, digits, form)

    def caption(self, factor: str) -> str:
        """Return a factor with its index and the number of its levels."""
        own, letter = self.levels.factors[factor], self.letters[factor]
        counted = f"1, …, {own.size}" if own.size > 1 else "1"
        return f"{self.names.get(factor, factor)} {letter} = {counted}"

    def write(self, quantity: Quantity, stage: int = 0) -> Written:
        """Return the quantity as it stands in an equation of a stage (0: of the observations)."""
        name, part, copy = quantity.name, quantity.part, quantity.copy
        below = self._index(quantity, stage)
        match quantity.kind:
            case "predictor" if part and name + part in self.names:
                return Written(self.names[name + part], below=below, primes=copy)
            case "predictor" | "offset":
                return Written(self.names.get(name, name), part, below, primes=copy)
            case "response":
                name = name or self.response
                return Written(self.names.get(name, name), below=below)
            case "predicted":
                return Written(self.predicted, below=below)
            case "matrix":
                numbered = _subscript(quantity.numbers, below)
                letter = {"η": self.predicted, "T": self.covariance}.get(name, name)
                return Written(letter, below=numbered, bold=True, primes=copy)
            case "residual variance":
                return Written("σ", above=("2",))
            case kind if kind in _SINGLE:
                return Written(_SINGLE[kind], below=below)
            case _:
                return self._parameter(quantity, below)

    @abstractmethod
    def _index(self, quantity: Quantity, stage: int) -> tuple[Mark, ...]:
        """Return the index of a quantity, which follows from where it differs."""

    @abstractmethod
    def _parameter(self, quantity: Quantity, index: tuple[Mark, ...]) -> Written:
        """Return a coefficient, effect, variance, deviation or correlation in writing."""


class RaudenbushBryk(Notation):
    """Raudenbush and Bryk (2002): y_ij, gamma_00, U_0j; covariances are tau."""

    name = "raudenbush-bryk"
    predicted = "η"
    covariance = "T"
    by_deviation = False

    def _index(self, quantity: Quantity, stage: int) -> tuple[Mark, ...]:
        # It is the same in every equation.
        del stage
        own = quantity.factors
        above = (higher for factor in own for higher in self.levels.above[factor])
        letters = self._letters_of({*own, *above})
        if not quantity.row:
            return letters
        # A row belongs to a level of every factor, a row of a cluster to that cluster.
        letters = letters if own else self._letters_of(self.levels.factors)
        if quantity.row == "n":
            # A cluster's last row: the number of its rows carries the cluster's index.
            return (Written("n", below=letters), *letters)
        return _subscript((quantity.row,), letters)

    def _letters_of(self, factors: Iterable[str]) -> tuple[Mark, ...]:
        own = set(factors)
        return tuple(self.letters[f] for f in self.letters if f in own)

    def _parameter(self, quantity: Quantity, index: tuple[Mark, ...]) -> Written:
        numbers = quantity.numbers
        match quantity.kind:
            case "fixed" | "coefficient":
                place = self.levels.stages + 1 - len(quantity.numbers)
                base = _COEFFICIENTS[place] if place < len(_COEFFICIENTS) else f"ξ{place}"
                return Written(base, below=_subscript(numbers, index), primes=quantity.copy)
            case "random":
                below = _subscript(numbers, index, quantity.part)
                return Written("U", below=below, primes=quantity.copy)
            case kind:
                # The factor's letter where there are several factors.
                several = len(self.levels.factors) > 1
                above = ("(", self.letters[quantity.factors[0]], ")") if several else ()
                base = "τ" if kind == "variance" else "ρ"
                below = _subscript(numbers)
                if quantity.of and not numbers:
                    pair = (quantity.of[0].numbers, quantity.of[-1].numbers)
                    below = (",".join("".join(map(str, _subscript(one))) for one in pair),)
                return Written(base, below=below, above=above, primes=quantity.copy)


class GelmanHill(Notation):
    """Gelman and Hill (2007): y_i, alpha_j[i]; covariances are rho sigma sigma."""

    name = "gelman-hill"
    # Their eta is the error of a coefficient.
    predicted = "ν"
    covariance = "Σ"
    by_deviation = True

    def _letter(self, factor: str, stage: int) -> str:
        letter = self.letters[factor]
        if stage == 0:
            return f"{letter}[i]"
        if self.levels.stage[factor] == stage:
            return letter
        below = [f for f in self.levels.at(stage) if factor in self.levels.above[f]]
        return f"{letter}[{self.letters[below[0]] if below else 'i'}]"

    def _index(self, quantity: Quantity, stage: int) -> tuple[Mark, ...]:
        if quantity.row == "i":
            return ("i",)
        if quantity.row:
            # One of the rows i of a group.
            letter = self.letters[(*quantity.factors, *self.levels.at(stage))[0]]
            last = Written("n", below=(letter,))
            return (Written("i", below=(last if quantity.row == "n" else quantity.row,)),)
        factors = quantity.factors
        if quantity.kind in ("matrix", "size"):
            return tuple(self.letters[factor] for factor in factors)
        if quantity.kind == "coefficient":
            # The finest ones determine the others.
            lowest = min((self.levels.stage[f] for f in factors), default=0)
            factors = tuple(f for f in factors if self.levels.stage[f] == lowest)
        return (",".join(self._letter(factor, stage) for factor in factors),) if factors else ()

    def _parameter(self, quantity: Quantity, index: tuple[Mark, ...]) -> Written:
        # Effects carry their own primes.
        primes = 0 if quantity.of else quantity.copy
        match quantity.kind:
            case "fixed" | "coefficient":
                return self._coefficient(quantity, index)
            case "random":
                below = _subscript(quantity.numbers[1:], index, quantity.part)
                alone = len(quantity.numbers) == 1
                top = self._coefficient(quantity, ()) if alone else self._level_one(quantity)
                return Written("η", below=below, above=(top,), primes=quantity.copy)
            case "variance":
                # Of one effect with itself; written as the square of its deviation.
                return Written("σ", below=self._of(quantity), above=("2",), primes=primes)
            case "deviation":
                return Written("σ", below=self._of(quantity), primes=primes)
            case _:
                return Written("ρ", below=self._of(quantity), primes=primes)

    @staticmethod
    def _level_one(quantity: Quantity) -> Written:
        number = quantity.numbers[0]
        return Written("β", below=_subscript((number,))) if number else Written("α")

    def _coefficient(self, quantity: Quantity, index: tuple[Mark, ...]) -> Written:
        top, further = self._level_one(quantity), quantity.numbers[1:]
        if not further:
            own = quantity.numbers if top.below else ()
            return Written(top.base, below=_subscript(own, index), primes=quantity.copy)
        below = _subscript(further, index)
        return Written("γ", below=below, above=(top,), primes=quantity.copy)

    def _of(self, quantity: Quantity) -> tuple[Mark, ...]:
        """Return the coefficients whose deviations a parameter is of; else the factor."""
        letter = self.letters[quantity.factors[0]]
        return tuple(self._coefficient(effect, (letter,)) for effect in quantity.of) or (letter,)


NOTATIONS = {kind.name: kind for kind in (RaudenbushBryk, GelmanHill)}
