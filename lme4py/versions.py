"""The releases of lme4 that are followed: what differs between them, each rule once.

lme4 1.1-36 (January 2025) gave the reading of formulas to the package reformulas; what
lme4 returns is the same from there to 2.1, and the same before. A generation also stands
for the R that it is used with, 4.2 and 4.6, where R's own rules changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

from lme4py.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lme4:
    """One generation of lme4; the defaults are those of today's."""

    # The release that stands for it.
    version: str = "2.1"
    # Names that may be called around a bar for a covariance structure.
    structures: tuple[str, ...] = ("us", "diag", "cs", "ar1")
    # A grouping expression is expanded as `terms()` does, and a label and the list of them are
    # turned around where it has a `/`. Otherwise `a/b` alone is expanded.
    expands_groups: bool = True
    # `glFormula` writes out `||` in its formula, as `lFormula` does.
    splits_generalized: bool = True
    # `lmerControl` has `autoscale`.
    autoscales: bool = True
    # What is said of a call without arguments, which `subbars` does not survive.
    empty_call: str = "subscript out of bounds"
    # How "Some predictor variables are on very different scales:" goes on.
    scale_advice: str = (
        "consider rescaling. \nYou may also use (g)lmerControl(autoscale = TRUE) to "
        "improve numerical stability."
    )
    # R's `C()` takes text, numbers and truth for a factor, and gives a contrast function the
    # levels, which then name its columns, not their number.
    codes_any_vector: bool = True
    # `as.Date`, `as.POSIXct` and `difftime` take numbers without an origin.
    counts_from_1970: bool = True
    # `bs` and `ns` move inner knots that `df` puts on a boundary to the inside.
    moves_knots: bool = True
    # `as.character` of a date-time leaves out midnight and shows parts of a second, each element
    # for itself; otherwise midnights are left out where there is nothing else.
    times_one_by_one: bool = True
    # `ave` does not call its function for combinations that do not occur.
    averages_what_is_there: bool = True
    # `as.numeric("1e")` is 1.
    reads_open_exponents: bool = False
    binomial_links: tuple[str, ...] = ("logit", "probit", "cloglog", "cauchit", "log", "identity")
    # No derivatives of fits with many rows or parameters, or on a bound.
    skips_derivatives: bool = True
    # `glmer` estimates a dispersion inside of PIRLS; the random effects' covariance is then not
    # relative to it.
    profiles_dispersion: bool = True
    # What minus twice the log-likelihood is called.
    deviance_label: str = "-2*log(L)"
    # What warnings of convergence end with.
    convergence_hint: str = "\n  See ?lme4::convergence and ?lme4::troubleshooting."
    # What `scale` of a factor and `cut` with too few labels say.
    not_numeric: str = "'x' must be numeric or complex"
    unequal_labels: str = "number of intervals and length of 'labels' differ"


LME4_2 = Lme4()
# What is told by yes or no is the other way round.
_TURNED: Any = {
    item.name: not item.default for item in fields(Lme4) if isinstance(item.default, bool)
}
LME4_1 = Lme4(
    **_TURNED,
    version="1.1-31",
    structures=(),
    empty_call="length(term) >= 3 is not TRUE",
    scale_advice="consider rescaling",
    binomial_links=("logit", "probit", "cloglog", "cauchit", "log"),
    deviance_label="deviance",
    convergence_hint="",
    not_numeric="'x' must be numeric",
    unequal_labels="lengths of 'breaks' and 'labels' differ",
)
_followed: ContextVar[Lme4] = ContextVar("_followed", default=LME4_2)
_CHANGED = (1, 1, 36)
_PRINTED = re.compile(r"[‘']?(\d+(?:[.-]\d+)+)[’']?")


@contextmanager
def following(lme4: Lme4) -> Iterator[None]:
    """Follow a generation where numbers become text, which is done far from any argument."""
    token = _followed.set(lme4)
    try:
        yield
    finally:
        _followed.reset(token)


def followed() -> Lme4:
    """Return the generation that is followed here."""
    return _followed.get()


def lme4_of(version: Any) -> Lme4:
    """Return the generation that a release belongs to, which is given as R prints it.

    Examples
    --------
    >>> lme4_of("1.1-35.5").version, lme4_of("1.1.38").version, lme4_of("2.0-1").version
    ('1.1-31', '2.1', '2.1')
    """
    for lme4 in (LME4_2, LME4_1):
        if version is lme4 or (isinstance(version, str) and version == lme4.version):
            return lme4
    printed = _PRINTED.fullmatch(version.strip()) if isinstance(version, str) else None
    numbers = () if printed is None else tuple(map(int, re.split("[.-]", printed[1])))
    if not (1,) <= numbers < (3,):
        raise DataError(
            f"unknown version of lme4: {version!r}",
            hint='give it as R prints packageVersion("lme4"): "1.1-31" and the like before 1.1-36, '
            '"2.1" and the like since',
        )
    return LME4_2 if numbers >= _CHANGED else LME4_1
