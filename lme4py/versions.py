"""The releases of lme4 that are followed: what differs between them, each rule once.

lme4 1.1-36 (January 2025) gave the reading of formulas to the package reformulas; what
lme4 returns is the same from there to 2.1, and the same before. A generation also stands
for the R that it is used with, 4.2 and 4.6, where R's own rules changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lme4py.errors import DataError

__all__ = ["LME4_1", "LME4_2", "Lme4", "lme4_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lme4:
    """One generation of lme4.

    Parameters
    ----------
    version : str
        The release that stands for it.
    structures : tuple of str
        Names that may be called around a bar for a covariance structure.
    expands_groups : bool
        A grouping expression is expanded as ``terms()`` does, and a label and the list of
        them are turned around where it has a ``/``. Otherwise ``a/b`` alone is expanded, and
        everything else is one expression.
    splits_generalized : bool
        ``glFormula`` writes out ``||`` in its formula, as ``lFormula`` does.
    autoscales : bool
        ``lmerControl`` has ``autoscale``.
    empty_call : str
        What is said of a call without arguments, which ``subbars`` does not survive.
    scale_advice : str
        How "Some predictor variables are on very different scales:" goes on.
    """

    version: str
    structures: tuple[str, ...]
    expands_groups: bool
    splits_generalized: bool
    autoscales: bool
    empty_call: str
    scale_advice: str


LME4_1 = Lme4(
    version="1.1-31",
    structures=(),
    expands_groups=False,
    splits_generalized=False,
    autoscales=False,
    empty_call="length(term) >= 3 is not TRUE",
    scale_advice="consider rescaling",
)
LME4_2 = Lme4(
    version="2.1",
    structures=("us", "diag", "cs", "ar1"),
    expands_groups=True,
    splits_generalized=True,
    autoscales=True,
    empty_call="subscript out of bounds",
    scale_advice="consider rescaling. \nYou may also use (g)lmerControl(autoscale = TRUE) to "
    "improve numerical stability.",
)
_CHANGED = (1, 1, 36)
_PRINTED = re.compile(r"[‘']?(\d+(?:[.-]\d+)+)[’']?")


def lme4_of(version: Any) -> Lme4:
    """Return the generation that a release belongs to.

    Parameters
    ----------
    version : str or Lme4
        As R prints it: ``"1.1-31"``, ``"1.1.38"``, ``"2.1"``.

    Raises
    ------
    DataError
        For anything else, and for releases that are not known.

    Examples
    --------
    >>> lme4_of("1.1-35.5").version, lme4_of("1.1.38").version, lme4_of("2.0-1").version
    ('1.1-31', '2.1', '2.1')
    """
    if isinstance(version, Lme4):
        return version
    printed = _PRINTED.fullmatch(version.strip()) if isinstance(version, str) else None
    numbers = () if printed is None else tuple(map(int, re.split("[.-]", printed[1])))
    if not (1,) <= numbers < (3,):
        raise DataError(
            f"unknown version of lme4: {version!r}",
            hint='give it as R prints packageVersion("lme4"): "1.1-31" and the like before 1.1-36, '
            '"2.1" and the like since',
        )
    return LME4_2 if numbers >= _CHANGED else LME4_1
