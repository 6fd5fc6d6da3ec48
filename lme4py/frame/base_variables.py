"""R's constants, and the variables of its base package that formulas may name."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping

import numpy as np

from lme4py.data.values import Character, Null, Numeric, Value

__all__ = ["BASE_VARIABLES", "CONSTANTS"]

# Not by calendar's own names, which follow the locale.
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def _texts(items: Iterable[str]) -> Character:
    pool = tuple(items)
    return Character(np.arange(len(pool), dtype=np.int32), pool)


CONSTANTS: Mapping[str, Value] = {
    "TRUE": Numeric(np.array([True]), "logical"),
    "FALSE": Numeric(np.array([False]), "logical"),
    "NA": Numeric(np.array([np.nan]), "logical"),
    "NA_integer_": Numeric(np.array([np.nan]), "integer"),
    "NA_real_": Numeric(np.array([np.nan]), "double"),
    "NA_character_": Character(np.array([-1], dtype=np.int32), ()),
    "Inf": Numeric(np.array([np.inf]), "double"),
    "NaN": Numeric(np.array([np.nan]), "double"),
    "NULL": Null(),
}
"""Reserved words: they mean the same whatever the data hold."""

BASE_VARIABLES: Mapping[str, Value] = {
    "T": CONSTANTS["TRUE"],
    "F": CONSTANTS["FALSE"],
    "pi": Numeric(np.array([np.pi]), "double"),
    "letters": _texts(string.ascii_lowercase),
    "LETTERS": _texts(string.ascii_uppercase),
    "month.abb": _texts(month[:3] for month in _MONTHS),
    "month.name": _texts(_MONTHS),
}
"""Looked up where neither the data nor ``env`` has a variable of the name."""
