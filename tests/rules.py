"""The data of the rules, and what a call says: the Python twin of R's prelude.

R:  D <- data.frame(y = (1:24 * 7) %% 11 / 2, x = 1:24 / 2, z = (1:24 * 5) %% 7 - 3, ...)
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

import lme4py

I = np.arange(1, 25)  # noqa: E741 - R's 1:24
D = pd.DataFrame(
    {
        "y": (I * 7) % 11 / 2,
        "x": I / 2,
        "z": ((I * 5) % 7 - 3).astype(float),
        "g": pd.Categorical(list("abcd") * 6),
        "h": np.tile([3.0, 1.0, 2.0], 8),
        "k": pd.Categorical(np.repeat(["u", "v"], 12)),
        "s": np.repeat(["s2", "s10", "s1"], 8),
        "lg": np.tile([True, False, False], 8),
        "f": pd.Categorical(list("pqrprq") * 4),
        "o": pd.Categorical(["lo", "mid", "hi"] * 8, categories=["lo", "mid", "hi"], ordered=True),
    }
)
IGNORE = {
    "check.nobs.vs.nlev": "ignore",
    "check.nobs.vs.nRE": "ignore",
    "check.nlev.gtr.1": "ignore",
    "check.rankX": "ignore",
    "check.scaleX": "ignore",
}


def with_columns(**columns: Any) -> pd.DataFrame:
    """Return the data with further columns (R's ``V``)."""
    return D.assign(**columns)


def linear(formula: str, data: Any = D, **options: Any) -> lme4py.MixedDesign:
    """Call `lformula` (R's ``L``)."""
    return lme4py.lformula(formula, data, **options)


def generalized(formula: str, data: Any = D, **options: Any) -> lme4py.MixedDesign:
    """Call `glformula`, binomial unless told (R's ``G``)."""
    return lme4py.glformula(formula, data, **options)


def said(call: Any, *, advice: bool = False) -> list[str]:
    """Return what R's ``Q`` returns: errors (E), warnings (W) and messages (M) of a call.

    With `advice`, only our own warnings are returned instead.
    """
    found: list[str] = []
    design = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            design = call()
        except lme4py.Lme4pyError as error:
            found.append(f"E: {error.message}")
    ours = [entry for entry in caught if issubclass(entry.category, lme4py.Lme4pyAdvice)]
    if advice:
        return [str(entry.message).splitlines()[0] for entry in ours]
    others = [entry for entry in caught if entry not in ours]
    told = [
        str(entry.message)
        for entry in others
        if not issubclass(entry.category, lme4py.Lme4pyMessage)
    ]
    known = [*told, *getattr(design, "advice", ())]
    notes = [f"M: {text}" for text in getattr(design, "messages", ()) if text not in known]
    return [f"W: {text}" for text in told] + found + notes
