"""How the symbols of a model are written: Raudenbush-Bryk's notation, and Gelman-Hill's.

Raudenbush and Bryk give an observation all its indices, y_ij, and call what is fixed
gamma and what is random U. Gelman and Hill give it one, y_i, and write j[i] for the
group it lies in; their coefficients are alpha and beta_1, their errors eta.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lme4py.errors import DataError, nearest
from lme4py.explain.expression import Symbol
from lme4py.explain.levels import Hierarchy

__all__ = [
    "NOTATIONS",
    "GelmanHill",
    "Mark",
    "Notation",
    "RaudenbushBryk",
    "Written",
    "notation_of",
]

Mark: TypeAlias = "str | Written"


@dataclass(frozen=True, slots=True)
class Written:
    """A symbol in writing.

    Parameters
    ----------
    base : str
        A letter or a name.
    part : str
        The level or column of a variable.
    below, above : tuple of (str or Written)
        Subscript and superscript, piece by piece.
    primes : int
        Number of primes.
    bold : bool
        A matrix or vector.
    """

    base: str
    part: str = ""
    below: tuple[Mark, ...] = ()
    above: tuple[Mark, ...] = ()
    primes: int = 0
    bold: bool = False


class Notation(Protocol):
    """A way of writing symbols."""

    @property
    def name(self) -> str:
        """The name of the notation."""

    @property
    def letters(self) -> tuple[str, ...]:
        """The index letter of each grouping factor."""

    def write(self, symbol: Symbol, stage: int = 0) -> Written:
        """Return the symbol as it stands in an equation of a stage (0: of the observations)."""


_INDEX_LETTERS = "jklmnopqrstuvw"
# From the highest level downwards.
_COEFFICIENTS = "γβπκψωφχζ"
_PLAIN = {
    "mean": "μ",
    "predicted": "η",
    "residual": "ε",
    "weight": "w",
    "trials": "n",
}


def _letters(levels: Hierarchy) -> tuple[str, ...]:
    """Return j, k, ... for the factors, the finest first."""
    order = levels.from_stage(1)
    named: dict[int, str] = {}
    for number, factor in enumerate(order):
        turn, place = divmod(number, len(_INDEX_LETTERS))
        named[factor] = _INDEX_LETTERS[place] + "′" * turn
    return tuple(named[factor] for factor in range(len(order)))


def _digits(numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Return indices as pieces, with commas between them if one has two digits."""
    if any(number > 9 for number in numbers):
        return (",".join(map(str, numbers)),)
    return tuple(map(str, numbers))


class _Base:
    name = ""

    def __init__(self, levels: Hierarchy, names: Mapping[str, str], response: str) -> None:
        self.levels = levels
        self.letters = _letters(levels)
        self.names = names
        self.response = response

    def _named(self, name: str) -> str:
        return self.names.get(name, name)

    def _common(self, symbol: Symbol, below: tuple[Mark, ...]) -> Written:
        """Write what both notations write alike but for its index."""
        match symbol.kind:
            case "predictor" if (symbol.name + symbol.part) in self.names and symbol.part:
                base = self.names[symbol.name + symbol.part]
                return Written(base, below=below, primes=symbol.copy)
            case "predictor" | "offset":
                base = self._named(symbol.name)
                return Written(base, symbol.part, below, primes=symbol.copy)
            case "response":
                return Written(self._named(self.response), below=below)
            case "matrix":
                numbered = _after(_digits(symbol.numbers), below)
                return Written(symbol.name, below=numbered, bold=True, primes=symbol.copy)
            case "residual variance":
                return Written("σ", above=("2",))
            case kind:
                return Written(_PLAIN[kind], below=below)


class RaudenbushBryk(_Base):
    """Raudenbush and Bryk (2002): y_ij, gamma_00, U_0j; covariances are tau."""

    name = "raudenbush-bryk"

    def _index(self, symbol: Symbol) -> tuple[Mark, ...]:
        if symbol.row:
            own = tuple(range(len(self.levels.factors)))
            # A cluster's last row: the number of its rows carries the cluster's index.
            letters = tuple(self.letters[f] for f in self._ordered(set(own)))
            first: Mark = symbol.row
            if symbol.row == "n":
                first = Written("n", below=letters)
            return (first, *letters)
        factors = set(symbol.factors)
        for factor in symbol.factors:
            factors |= set(self.levels.above(factor))
        return tuple(self.letters[factor] for factor in self._ordered(factors))

    def _ordered(self, factors: set[int]) -> list[int]:
        return [factor for factor in self.levels.from_stage(1) if factor in factors]

    def write(self, symbol: Symbol, stage: int = 0) -> Written:
        """Return the symbol in writing; it is the same in every equation."""
        del stage
        numbers, primes = _digits(symbol.numbers), symbol.copy
        match symbol.kind:
            case "fixed" | "coefficient":
                place = self.levels.stages + 1 - len(symbol.numbers)
                base = _COEFFICIENTS[place] if place < len(_COEFFICIENTS) else f"ξ{place}"
                return Written(base, below=self._joined(numbers, symbol), primes=primes)
            case "random":
                return Written("U", below=self._joined(numbers, symbol), primes=primes)
            case "variance":
                return Written("τ", below=numbers, above=self._which(symbol), primes=primes)
            case "correlation":
                return Written("ρ", below=numbers, above=self._which(symbol), primes=primes)
            case _:
                return self._common(symbol, self._index(symbol))

    def _joined(self, numbers: tuple[str, ...], symbol: Symbol) -> tuple[Mark, ...]:
        index = self._index(symbol)
        return _after(numbers, index)

    def _which(self, symbol: Symbol) -> tuple[Mark, ...]:
        """Return the factor's letter where there are several factors."""
        if len(self.levels.factors) == 1:
            return ()
        return ("(", self.letters[symbol.factors[0]], ")")


class GelmanHill(_Base):
    """Gelman and Hill (2007): y_i, alpha_j[i]; covariances are rho sigma sigma."""

    name = "gelman-hill"

    def _letter(self, factor: int, stage: int) -> str:
        letter = self.letters[factor]
        if stage == 0:
            return f"{letter}[i]"
        if self.levels.stage[factor] == stage:
            return letter
        below = [f for f in self.levels.at(stage) if self.levels.nested[f, factor]]
        return f"{letter}[{self.letters[below[0]] if below else 'i'}]"

    def _index(self, symbol: Symbol, stage: int) -> tuple[Mark, ...]:
        if symbol.row:
            return (symbol.row,)
        factors = symbol.factors
        if symbol.kind == "coefficient":
            # The finest ones determine the others.
            lowest = min((self.levels.stage[f] for f in factors), default=0)
            factors = tuple(f for f in factors if self.levels.stage[f] == lowest)
        return (",".join(self._letter(factor, stage) for factor in factors),) if factors else ()

    def write(self, symbol: Symbol, stage: int = 0) -> Written:
        """Return the symbol in writing, its index as seen from the equation's level."""
        index = self._index(symbol, stage)
        match symbol.kind:
            case "fixed" | "coefficient":
                return self._coefficient(symbol, index)
            case "random":
                named = self._coefficient(symbol, ())
                above: tuple[Mark, ...] = (Written(named.base, below=named.below[:1]),)
                if len(symbol.numbers) == 1:
                    return Written("η", below=index, above=(named,), primes=symbol.copy)
                top = self._level_one(symbol)
                rest = _digits(symbol.numbers[1:])
                above = (top,)
                return Written("η", below=_after(rest, index), above=above, primes=symbol.copy)
            case "variance":
                # Of one effect with itself; written as the square of its deviation.
                return Written("σ", below=self._of(symbol), above=("2",), primes=symbol.copy)
            case "deviation":
                return Written("σ", below=self._of(symbol), primes=symbol.copy)
            case "correlation":
                return Written("ρ", below=self._of(symbol), primes=symbol.copy)
            case _:
                return self._common(symbol, index)

    @staticmethod
    def _level_one(symbol: Symbol) -> Written:
        number = symbol.numbers[0]
        return Written("β", below=_digits((number,))) if number else Written("α")

    def _coefficient(self, symbol: Symbol, index: tuple[Mark, ...]) -> Written:
        top = self._level_one(symbol)
        if len(symbol.numbers) == 1:
            return Written(top.base, below=_after(top.below, index), primes=symbol.copy)
        below = _after(_digits(symbol.numbers[1:]), index)
        return Written("γ", below=below, above=(top,), primes=symbol.copy)

    def _of(self, symbol: Symbol) -> tuple[Mark, ...]:
        if not symbol.of:
            return (self.letters[symbol.factors[0]],)
        written = []
        for effect in symbol.of:
            letter = self.letters[effect.factors[0]]
            named = self._coefficient(effect, (letter,))
            written.append(Written(named.base, "", named.below, named.above, effect.copy))
        return tuple(written)


def _after(numbers: tuple[Mark, ...], index: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Return numbers and index letters as one subscript, a comma after several digits."""
    if numbers and index and any(isinstance(n, str) and len(n) > 1 for n in numbers):
        return (*numbers, ",", *index)
    return (*numbers, *index)


NOTATIONS: Mapping[str, type[RaudenbushBryk | GelmanHill]] = {
    RaudenbushBryk.name: RaudenbushBryk,
    GelmanHill.name: GelmanHill,
}


def notation_of(name: str, levels: Hierarchy, names: Mapping[str, str], response: str) -> Notation:
    """Return the notation of a name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    if str(name) not in NOTATIONS:
        raise DataError(
            f"unknown notation {name!r}",
            hint=nearest(str(name), NOTATIONS) or f"known notations: {', '.join(NOTATIONS)}",
        )
    return NOTATIONS[str(name)](levels, names, response)
