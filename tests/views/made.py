"""Designs of the live comparison's random cases, with what they were made from; no R."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lme4py
from tests.live.borderline import make_borderline
from tests.live.generator import Case, make_case
from tests.live.wild import make_wild
from tests.replay import arguments_of, frame_of

__all__ = ["KINDS", "Made", "make", "named"]

KINDS: dict[str, Callable[[int, int], Case]] = {
    "random": make_case,
    "borderline": make_borderline,
    "wild": make_wild,
}
"""The generators of cases."""


@dataclass(frozen=True)
class Made:
    """A design and what it was made from."""

    case: Case
    data: pd.DataFrame
    design: lme4py.MixedDesign
    folder: Path
    dice: np.random.Generator

    def again(self, data: Any) -> lme4py.MixedDesign:
        """Return the design of the same call on other data."""
        return _built(self.case, data)


def _built(case: Case, data: Any) -> lme4py.MixedDesign:
    build = lme4py.glformula if case.glm else lme4py.lformula
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(case.formula, data, **arguments_of(case))


@functools.cache
def _kind_of(name: str) -> tuple[str, int, int]:
    *kind, seed, number = name.split("-")
    return (kind[0] if kind else "random"), int(seed), int(number)


def named(name: str, folder: Path) -> Made | None:
    """Return the design of the case of this name: ``7-12``, ``wild-7-12``."""
    return make(*_kind_of(name), folder)


def make(kind: str, seed: int, number: int, folder: Path) -> Made | None:
    """Return a case's design; None where the case stops with an error."""
    dice = np.random.default_rng([seed, number])
    case = KINDS[kind](seed, number)
    ours = {
        name: value
        for name, value, part in (
            ("sparse_X", True, 0.15),
            ("double_bar", "diag", 0.3),
            ("collation", "C", 0.15),
        )
        if dice.random() < part
    }
    case = replace(case, arguments={**case.arguments, **ours})
    data = frame_of(case)
    if case.row_names is not None:
        data.index = pd.Index(case.row_names)
    try:
        design = _built(case, data)
    except lme4py.Lme4pyError:
        return None
    return Made(case, data, design, folder, dice)
