"""Families and links of generalized models, by name or as R writes the call."""

from __future__ import annotations

from dataclasses import dataclass

from lme4py.errors import FormulaError, nearest
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Symbol, Text
from lme4py.versions import LME4_2, Lme4

__all__ = ["Family", "family_of"]

_LINKS = {
    "binomial": ("logit", "probit", "cauchit", "cloglog", "log"),
    "poisson": ("log", "identity", "sqrt"),
    "Gamma": ("inverse", "log", "identity"),
    "inverse.gaussian": ("1/mu^2", "inverse", "identity", "log"),
    "gaussian": ("identity", "log", "inverse"),
}
_NEGATIVE = "X and Z do not depend on the family: take 'poisson', from which glmer.nb starts too"
_QUASI = ("quasi", "quasibinomial", "quasipoisson")


@dataclass(frozen=True, slots=True)
class Family:
    """A family of distributions with its link.

    Parameters
    ----------
    name : str
        R's name: "binomial", "poisson", "Gamma", "inverse.gaussian", "gaussian".
    link : str
        R's name of the link.

    Examples
    --------
    >>> print(Family("binomial", "probit"))
    binomial(link = 'probit')
    """

    name: str
    link: str

    def __str__(self) -> str:
        return f"{self.name}(link = '{self.link}')"


def family_of(family: str | Family, lme4: Lme4 = LME4_2) -> Family:
    """Return the family that a name or a call such as ``"binomial(link='probit')"`` means.

    Raises
    ------
    FormulaError
        For a family or link that R does not have, in its words.

    Examples
    --------
    >>> family_of("binomial(link='probit')")
    Family(name='binomial', link='probit')
    """
    if isinstance(family, Family):
        # One made by hand may have a link that R has not.
        family = str(family)
    if not isinstance(family, str):
        raise FormulaError(f"'family' must be text, not {type(family).__name__}")
    node = parse(family)
    call = node if isinstance(node, Call) and not _is_stats(node) else None
    called = node if call is None else call.function
    name = _word(called.operands[1] if isinstance(called, Call) and _is_stats(called) else called)
    if name in _QUASI:
        raise FormulaError('"quasi" families cannot be used in glmer')
    if name not in _LINKS:
        raise FormulaError(
            f"object '{name or family}' of mode 'function' was not found",
            hint=_NEGATIVE
            if "negative.binomial" in family
            else nearest(name or family, _LINKS) or f"known families: {', '.join(_LINKS)}",
        )
    links = lme4.binomial_links if name == "binomial" else _LINKS[name]
    link = None if call is None else _link(call)
    if link is not None and link not in links:
        raise FormulaError(
            f'link "{link}" not available for ‘{name}’ family; available links are '
            + ", ".join(f"‘{choice}’" for choice in links)
        )
    return Family(name, link or links[0])


def _is_stats(node: Call) -> bool:
    """Tell whether a node is ``stats::name``."""
    return node.name == "::" and _word(node.operands[0]) == "stats"


def _word(node: Node) -> str | None:
    return node.name if isinstance(node, Symbol) else node.value if isinstance(node, Text) else None


def _link(call: Call) -> str | None:
    if not call.arguments:
        return None
    (argument, *others) = call.arguments
    value = None if argument.value is None else _word(argument.value)
    if others or argument.name not in (None, "link") or value is None:
        raise FormulaError("the only argument of a family is its link", call.span)
    return value


def is_gaussian_identity(family: Family) -> bool:
    """Tell whether a family is the one that linear models have."""
    return family == Family("gaussian", "identity")
