"""Levels of a factor: moved, added, listed, counted."""

from __future__ import annotations

import math

import numpy as np

from lme4py.errors import DataError, nearest
from lme4py.frame.factors import as_factor, recode
from lme4py.frame.functions.coercion import as_flag, as_number
from lme4py.frame.functions.factors.stored import frozen, replay_levels, strings_of
from lme4py.frame.functions.table import Context, Dot, State, function
from lme4py.frame.values import Character, Factor, MalformedFactor, Null, Numeric, Value, length


@function("relevel", "x, ref, ...", role="basis", package="stats", purpose="one level moved first")
def relevel(x: Value, ref: Value, dots: tuple[Dot, ...] = ()) -> tuple[Factor, State]:
    """Return R's ``relevel``."""
    del dots
    if not isinstance(x, Factor):
        raise DataError("'relevel' only for (unordered) factors")
    if x.ordered:
        raise DataError("'relevel' only for unordered factors")
    if length(ref) != 1:
        raise DataError("'ref' must be of length one")
    if isinstance(ref, Character | Factor):
        wanted = strings_of(ref)[0]
        if wanted not in x.levels:
            known = [level for level in x.levels if level is not None]
            raise DataError("'ref' must be an existing level", hint=nearest(wanted or "NA", known))
        first = x.levels.index(wanted)
    else:
        number = as_number(ref, "ref")
        if math.isnan(number):
            raise DataError("'ref' must be an existing level")
        if number < 1 or number > len(x.levels):
            raise DataError(f"ref = {number:g} must be in 1L:{len(x.levels)}")
        first = int(number) - 1
    order = [first, *(place for place in range(len(x.levels)) if place != first)]
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    made = Factor(recode(x.codes, position), tuple(x.levels[place] for place in order))
    return made, frozen(made)


replay_levels("relevel")


@function("addNA", "x, ifany = FALSE", role="basis", purpose="missing values made a level")
def add_na(x: Value, context: Context, ifany: Value | None = None) -> tuple[Factor, State]:
    """Return R's ``addNA``."""
    made = as_factor(x, context.collation)
    missing = bool((made.codes < 0).any())
    only_if_any = ifany is not None and as_flag(ifany, "ifany")
    if missing or not only_if_any:
        levels = made.levels if None in made.levels else (*made.levels, None)
        codes = np.where(made.codes < 0, np.int32(levels.index(None)), made.codes)
        made = Factor(codes, levels, made.ordered)
    return made, frozen(made)


replay_levels("addNA")


@function("levels", "x", role="summary", purpose="the levels of a factor")
def levels(x: Value) -> Value:
    """Return R's ``levels``."""
    if not isinstance(x, Factor | MalformedFactor):
        return Null()
    pool = tuple(level for level in x.levels if level is not None)
    places = {level: place for place, level in enumerate(pool)}
    codes = [-1 if level is None else places[level] for level in x.levels]
    return Character(np.array(codes, dtype=np.int32), pool)


@function("nlevels", "x", role="summary", purpose="the number of levels of a factor")
def nlevels(x: Value) -> Numeric:
    """Return R's ``nlevels``."""
    count = len(x.levels) if isinstance(x, Factor) else 0
    return Numeric(np.array([count], dtype=np.int64), "integer")
