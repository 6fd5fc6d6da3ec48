"""lme4's checks of a model before it is fitted, with lme4's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lme4py.control import Control
from lme4py.errors import CheckError, Span
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.rank import has_full_row_rank
from lme4py.matrices.reterms import RandomEffects
from lme4py.messages import Messages

_MANY_LEVELS = "number of levels of each grouping factor must be"
_ONE_LEVEL = "grouping factors must have > 1 sampled level"
_FEW_LEVELS = "grouping factors with < 5 sampled levels may give unreliable estimates"
_SMALL = 1_000_000


def act(
    level: str, text: str, option: str, warn: Callable[[str], None], span: Span | None = None
) -> str:
    """Warn or stop with a text, as the option says; return the text."""
    match level.removesuffix("Small"):
        case "warning":
            warn(text)
        case "stop":
            raise CheckError(text, span, f'set control {{"{option}": "ignore"}} to go on')
        case _:
            raise CheckError(f"unknown check level for '{option}'", span)
    return text


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one build, as `control` says, on so many rows.

    Generalized models may have as many levels, or random effects, as rows: `equal_allowed`.
    """

    control: Control
    messages: Messages
    rows: int
    equal_allowed: bool

    def _exceeds(self, count: int) -> bool:
        return count > self.rows if self.equal_allowed else count >= self.rows

    def levels(self, random: RandomEffects) -> list[str]:
        """Check the numbers of levels of the grouping factors (``checkNlevels``)."""
        groups: dict[str, RandomTerm] = {}
        for term in random.terms:
            groups.setdefault(term.bar.group_name, term)
        many = ", ".join(name for name, term in groups.items() if self._exceeds(term.levels))
        limit = "<=" if self.equal_allowed else "<"
        sizes = f"{_MANY_LEVELS} {limit} number of observations (problems: {many})"
        table: tuple[tuple[str, Callable[[int], bool], str], ...] = (
            ("check.nlev.gtr.1", lambda count: count < 2, _ONE_LEVEL),
            ("check.nobs.vs.nlev", self._exceeds, sizes),
            ("check.nlev.gtreq.5", lambda count: count < 5, _FEW_LEVELS),
        )
        found = []
        for option, is_wrong, text in table:
            level: str = getattr(self.control, option.replace(".", "_"))
            wrong = [term for term in groups.values() if is_wrong(term.levels)]
            if level == "ignore" or not wrong:
                continue
            # lme4 accepts "message" there and then says nothing.
            if level != "message" or option != "check.nobs.vs.nlev":
                act(level, text, option, self.messages.warn, wrong[0].bar.group.span)
            found.append(text)
        return found

    def random_effects(self, terms: Sequence[RandomTerm]) -> list[str]:
        """Check each term's number of random effects (``checkZdims``)."""
        level = self.control.check_nobs_vs_nRE
        # lme4 2.x leaves it out for all terms as soon as one of them has a structure.
        if level == "ignore" or any(term.bar.structure != "us" for term in terms):
            return []
        found = []
        for term in terms:
            count = term.levels * term.columns
            if self._exceeds(count):
                text = self._unidentifiable(
                    count, "number of random effects", f" for term ({term.bar.label})"
                )
                option, span = "check.nobs.vs.nRE", term.bar.source.span
                found.append(act(level, text, option, self.messages.warn, span))
        return list(dict.fromkeys(found))

    def rank_of_z(self, random: RandomEffects) -> list[str]:
        """Check the rank of Z (``checkZrank``)."""
        level = self.control.check_nobs_vs_rankZ
        # As in lme4, "ignoreSmall" is checked: it is not the word "ignore".
        if level == "ignore":
            return []
        q, n = random.entries.shape[0], self.rows
        if q == 0:
            # R takes the largest of no singular values.
            self.messages.warn("no non-missing arguments to max; returning -Inf")
            return []
        if level.endswith("Small") and q * n > _SMALL:
            return []
        if not random.finite:
            # lme4 stops here whatever the option says.
            _, _, end = self._unidentifiable(0, "rank(Z)", "").partition(";")
            raise CheckError(
                f"rank(Z) is NA: invalid random effect factors?{end}",
                hint="a random slope has missing, infinite or huge values",
            )
        # The rank is at most n: generalized models, which may reach it, never exceed it. Some
        # of the rows do not tell it.
        some = q < n or random.entries.shape[1] < n
        if self.equal_allowed or some or not has_full_row_rank(random.entries):
            return []
        text = self._unidentifiable(n, "rank(Z)", "")
        return [act(level, text, "check.nobs.vs.rankZ", self.messages.warn)]

    def _unidentifiable(self, count: int, what: str, where: str) -> str:
        comparison = "<" if self.equal_allowed else "<="
        residual = "" if self.equal_allowed else " and the residual variance (or scale parameter)"
        return (
            f"number of observations (={self.rows}) {comparison} {what} (={count}){where}; "
            f"the random-effects parameters{residual} are probably unidentifiable"
        )
