"""lme4's checks of a model before it is fitted, with lme4's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lme4py.control import Control
from lme4py.errors import CheckError, Span
from lme4py.frame.values import FloatArray
from lme4py.matrices.modelmatrix import ModelMatrix
from lme4py.matrices.reterms import RandomEffects, RandomTerm
from lme4py.messages import Messages

__all__ = ["Checks", "check_scale"]

_SMALL = 1_000_000
_SCALE_LIMIT = float(np.log(1e3))


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one build.

    Parameters
    ----------
    control : Control
        What each check does.
    messages : Messages
        Where warnings go.
    rows : int
        Number of observations n.
    equal_allowed : bool
        Generalized models may have as many levels, or random effects, as observations.
    """

    control: Control
    messages: Messages
    rows: int
    equal_allowed: bool

    def _act(self, level: str, text: str, option: str, span: Span | None = None) -> str:
        """Warn or stop with a text, as the option says; return the text."""
        match level.removesuffix("Small"):
            case "warning":
                self.messages.warn(text)
            case "stop":
                raise CheckError(text, span, f'set control {{"{option}": "ignore"}} to go on')
            case _:
                raise CheckError(f"unknown check level for '{option}'", span)
        return text

    def _exceeds(self, count: int) -> bool:
        return count > self.rows if self.equal_allowed else count >= self.rows

    def levels(self, random: RandomEffects) -> list[str]:
        """Check the numbers of levels of the grouping factors (``checkNlevels``)."""
        terms = {term.bar.group_name: term for term in reversed(random.terms)}
        groups = {
            name: terms[name] for name in dict.fromkeys(t.bar.group_name for t in random.terms)
        }
        found: list[str] = []
        level = self.control.check_nlev_gtr_1
        few = [term for term in groups.values() if term.levels < 2]
        if level != "ignore" and few:
            text = "grouping factors must have > 1 sampled level"
            found.append(self._act(level, text, "check.nlev.gtr.1", few[0].bar.group.span))
        level = self.control.check_nobs_vs_nlev
        many = {name: term for name, term in groups.items() if self._exceeds(term.levels)}
        if level != "ignore" and many:
            comparison = "<=" if self.equal_allowed else "<"
            text = (
                f"number of levels of each grouping factor must be {comparison} "
                f"number of observations (problems: {', '.join(many)})"
            )
            # lme4 accepts "message" here and then says nothing.
            span = next(iter(many.values())).bar.group.span
            found.append(
                text if level == "message" else self._act(level, text, "check.nobs.vs.nlev", span)
            )
        level = self.control.check_nlev_gtreq_5
        fewer = [term for term in groups.values() if term.levels < 5]
        if level != "ignore" and fewer:
            text = "grouping factors with < 5 sampled levels may give unreliable estimates"
            found.append(self._act(level, text, "check.nlev.gtreq.5", fewer[0].bar.group.span))
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
                found.append(self._act(level, text, "check.nobs.vs.nRE", term.bar.source.span))
        return list(dict.fromkeys(found))

    def rank_of_z(self, random: RandomEffects) -> list[str]:
        """Check the rank of Z (``checkZrank``)."""
        level = self.control.check_nobs_vs_rankZ
        if level in ("ignore", "ignoreSmall"):
            return []
        q, n = random.Zt.shape
        if q == 0:
            # R takes the largest of no singular values.
            self.messages.warn("no non-missing arguments to max; returning -Inf")
            return []
        if level.endswith("Small") and q * n > _SMALL:
            return []
        rank = int(np.linalg.matrix_rank(random.Zt.toarray()))
        if not self._exceeds(rank):
            return []
        text = self._unidentifiable(rank, "rank(Z)", "")
        return [self._act(level, text, "check.nobs.vs.rankZ")]

    def _unidentifiable(self, count: int, what: str, where: str) -> str:
        comparison = "<" if self.equal_allowed else "<="
        residual = "" if self.equal_allowed else " and the residual variance (or scale parameter)"
        return (
            f"number of observations (={self.rows}) {comparison} {what} (={count}){where}; "
            f"the random-effects parameters{residual} are probably unidentifiable"
        )


def check_scale(
    matrix: ModelMatrix, action: str, warn: Callable[[str], None]
) -> tuple[ModelMatrix, str | None, Mapping[str, float]]:
    """Check the scales of X's columns (lme4's ``checkScaleX``).

    Parameters
    ----------
    matrix : ModelMatrix
        X.
    action : str
        The value of ``check.scaleX``.
    warn : callable
        Takes the text of a warning.

    Returns
    -------
    matrix : ModelMatrix
        X, rescaled where the action says so.
    message : str or None
        lme4's notice.
    scales : mapping of str to float
        The divisors of rescaled columns.
    """
    if action == "ignore" or not len(matrix.names):
        return matrix, None, {}
    columns, spreads = _spreads(matrix.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(spreads)
    known = logs[~np.isnan(logs)]
    distant = known.size > 0 and (
        np.abs(known).max() > _SCALE_LIMIT or known.max() - known.min() > _SCALE_LIMIT
    )
    # R's any() is true as soon as one comparison is, unknown only if none is.
    if not distant and known.size < logs.size:
        raise CheckError(
            "missing value where TRUE/FALSE needed", hint="X has missing or infinite values"
        )
    if not distant:
        return matrix, None, {}
    text = "Some predictor variables are on very different scales:"
    if action in ("warning", "stop"):
        text += " consider rescaling"
        if action == "stop":
            raise CheckError(text, hint="columns: " + ", ".join(matrix.names[i] for i in columns))
        warn(text)
        return matrix, text, {}
    text += " auto-rescaled (results NOT adjusted)"
    if action == "warn+rescale":
        warn(text)
    values = matrix.values.copy(order="F")
    values[:, columns] /= spreads
    scales = {matrix.names[i]: float(spread) for i, spread in zip(columns, spreads, strict=True)}
    return replace(matrix, values=values), text, scales


def _spreads(values: FloatArray) -> tuple[list[int], FloatArray]:
    """Return the columns that are not all 0 or 1, and their standard deviations."""
    columns = [
        i for i in range(values.shape[1]) if not ((values[:, i] == 0) | (values[:, i] == 1)).all()
    ]
    if values.shape[0] < 2:
        return columns, np.full(len(columns), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        return columns, np.array([values[:, i].std(ddof=1) for i in columns])
