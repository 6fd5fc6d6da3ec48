"""Families and links of generalized models, by name or as R writes the call."""

from __future__ import annotations

import operator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from lme4py.errors import DataError, FormulaError, nearest
from lme4py.formula.deparse import deparse
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Number, Symbol, Text, match_arguments
from lme4py.numerals import label
from lme4py.versions import LME4_2, Lme4

_NEGATIVE = "negative.binomial"
_DEFAULTS = {
    "binomial": "logit",
    "poisson": "log",
    "Gamma": "inverse",
    "inverse.gaussian": "1/mu^2",
    "gaussian": "identity",
    _NEGATIVE: "log",
}
_WORDS = {
    "poisson": ("log", "identity", "sqrt"),
    "Gamma": ("inverse", "log", "identity"),
    "inverse.gaussian": ("inverse", "log", "identity", "1/mu^2"),
    "gaussian": ("inverse", "log", "identity"),
    _NEGATIVE: ("log", "identity", "sqrt"),
}
"""The links that may stand in a call without quotes."""
_LINKS = (
    "logit", "probit", "cauchit", "cloglog", "identity", "log", "sqrt", "1/mu^2", "inverse",
)  # fmt: skip
"""R's ``make.link``: as text every family takes every one."""
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_QUASI = ("quasi", "quasibinomial", "quasipoisson")
_OTHERS = {
    **dict.fromkeys(("nbinom2", "nbinom1", "nb", "negbinomial"), "negative.binomial(theta = ...)"),
    **dict.fromkeys(("bernoulli", "logit", "logistic"), "binomial"),
    "probit": "binomial(link = 'probit')",
    "normal": "gaussian",
    "lognormal": "gaussian, with log(y) for the response",
}
"""What glmmTMB, brms and others call families, and R's word."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of distributions with its link.

    Parameters
    ----------
    name : str
        R's function: "binomial", "poisson", "Gamma", "inverse.gaussian", "gaussian",
        "negative.binomial".
    link : str
        R's name of the link.
    theta : float, optional
        The shape of a negative binomial distribution, whose variance is mu + mu^2 / theta.

    Raises
    ------
    FormulaError
        If R has no such family or link.
    DataError
        If theta is missing, or given to another family.

    Examples
    --------
    >>> print(Family("binomial", "probit"))
    binomial(link = 'probit')
    >>> Family("negative.binomial", "log", 2).label
    'Negative Binomial(2)'
    """

    name: str
    link: str
    theta: float | None = None

    def __post_init__(self) -> None:
        if self.name not in _DEFAULTS:
            raise _unknown(self.name)
        if self.link not in _LINKS:
            hint = nearest(str(self.link), _LINKS) or f"R's links are {', '.join(_LINKS)}"
            raise FormulaError(f"‘{self.link}’ link not recognised", hint=hint)
        if (self.name == _NEGATIVE) != isinstance(self.theta, int | float):
            raise DataError(
                "'theta' must be specified"
                if self.name == _NEGATIVE
                else f"unused argument (theta = {self.theta})",
                hint="the shape, such as negative.binomial(theta = 1.5)",
            )

    def __str__(self) -> str:
        theta = "" if self.theta is None else f"theta = {self.theta!r}, "
        return f"{self.name}({theta}link = '{self.link}')"

    @property
    def label(self) -> str:
        """What R's ``family$family`` says."""
        if self.theta is None:
            return self.name
        return f"Negative Binomial({label(np.round(self.theta, 4))})"


def family_of(family: str | Family, lme4: Lme4 = LME4_2) -> Family:
    """Return the family that a name or a call such as ``"binomial(link='probit')"`` means.

    Examples
    --------
    >>> family_of("binomial(link='probit')")
    Family(name='binomial', link='probit', theta=None)
    >>> family_of("MASS::negative.binomial(2)").label
    'Negative Binomial(2)'
    """
    if isinstance(family, Family):
        return family
    if not isinstance(family, str):
        raise FormulaError(f"'family' must be text, not {type(family).__name__}")
    node = parse(family)
    call = node if isinstance(node, Call) and node.name != "::" else None
    called = node if call is None else call.function
    parts = called.operands if isinstance(called, Call) and called.name == "::" else (called,)
    package, name = _word(parts[0]) if len(parts) == 2 else None, _word(parts[-1])
    if name in _QUASI:
        raise FormulaError('"quasi" families cannot be used in glmer')
    home = "MASS" if name == _NEGATIVE else "stats"
    if name not in _DEFAULTS or package not in (None, home):
        raise _unknown(family if name is None or package else name)
    formals = ("theta", "link") if name == _NEGATIVE else ("link",)
    arguments = () if call is None else call.arguments
    pairs = [(item.name, item.value) for item in arguments if item.value is not None]
    given, unused = match_arguments(name, formals, pairs)
    for argument, value in unused:
        shown = f"{argument} = {deparse(value)}" if argument else deparse(value)
        raise FormulaError(f"unused argument ({shown})", value.span)
    words = lme4.binomial_links if name == "binomial" else _WORDS[name]
    link, theta = given.get("link"), given.get("theta")
    return Family(
        name,
        _DEFAULTS[name] if link is None else _link(link, name, words),
        None if theta is None else _number(theta),
    )


def has_dispersion(family: Family | None) -> bool:
    """Tell whether a distribution, None for a linear model's, has a dispersion to be estimated."""
    return family is None or family.name in ("Gamma", "inverse.gaussian", "gaussian")


def _unknown(name: str) -> FormulaError:
    meant = _OTHERS.get(str(name).lower())
    known = f"known families: {', '.join(_DEFAULTS)}"
    hint = f"write {meant}" if meant else nearest(str(name), _DEFAULTS) or known
    return FormulaError(f"object '{name}' of mode 'function' was not found", hint=hint)


def _word(node: Node) -> str | None:
    return node.name if isinstance(node, Symbol) else node.value if isinstance(node, Text) else None


def _link(node: Node, family: str, words: tuple[str, ...]) -> str:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Symbol) and node.name in words:
        return node.name
    choices = ", ".join(f"‘{choice}’" for choice in words)
    raise FormulaError(
        f'link "{deparse(node)}" not available for {family} family; available links are {choices}',
        node.span,
        f"as text it is: link = '{deparse(node)}'" if deparse(node) in _LINKS else None,
    )


def _number(node: Node) -> float:
    """Return the number that stands for theta, perhaps as a fraction."""
    match node:
        case Number(value=float() as value):
            return value
        case Call() if node.name == "-" and len(node.operands) == 1:
            return -_number(node.operands[0])
        case Call() if node.name in _ARITHMETIC and len(node.operands) == 2:
            with suppress(ArithmeticError):
                return float(_ARITHMETIC[node.name](*map(_number, node.operands)))
        case _:
            pass
    text = "non-numeric argument to mathematical function"
    raise FormulaError(text, node.span, "theta is a number")
