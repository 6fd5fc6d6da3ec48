"""Indicators of levels: lme4's dummy."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.factors import as_factor
from lme4py.frame.functions.factors.contrasts import ONE_LEVEL
from lme4py.frame.functions.factors.stored import Levels, frozen, level_texts, strings_of, thawed
from lme4py.frame.functions.table import Context, State, function, replays
from lme4py.frame.values import Factor, Matrix, Value


@function(
    "dummy",
    "f, levelsToKeep?",
    role="basis",
    package="lme4",
    purpose="indicators of some levels of a factor",
)
def dummy(f: Value, context: Context, levelstokeep: Value | None = None) -> tuple[Matrix, State]:
    """Return lme4's ``dummy``: by default every level but the first has a column."""
    made = as_factor(f, context.collation)
    if len(made.levels) < 2:
        raise DataError(ONE_LEVEL)
    kept = list(made.levels[1:]) if levelstokeep is None else strings_of(levelstokeep)
    if not any(level in kept for level in made.levels):
        raise DataError("at least some of the levels in f must also be present in levelsToKeep")
    if not all(level in made.levels for level in kept):
        raise DataError("all of the levelsToKeep must be levels of f")
    state = {**frozen(made), "kept": tuple(kept)}
    present = Factor(made.codes[made.codes >= 0], made.levels)
    return _indicators(present, kept), state


def _indicators(made: Factor, kept: Levels) -> Matrix:
    values = np.empty((made.codes.size, len(kept)), order="F")
    for place, level in enumerate(kept):
        values[:, place] = made.codes == made.levels.index(level)
    values[made.codes < 0] = np.nan
    return Matrix(values, tuple(level_texts(kept)))


@replays("dummy")
def dummy_again(state: State, f: Value, **options: Any) -> Matrix:
    """Return the indicators of new rows; a missing value has missing ones."""
    del options
    return _indicators(thawed(state, f, "dummy"), tuple(state["kept"]))
