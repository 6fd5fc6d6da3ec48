"""Factors made of values: R's factor, ordered, as.factor, as.ordered, droplevels."""

from __future__ import annotations

from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.factors import as_factor, drop_unused, factor_of, recode
from lme4py.frame.functions.coercion import as_flag
from lme4py.frame.functions.factors.stored import Levels, frozen, placed, replay_levels, strings_of
from lme4py.frame.functions.table import Context, Dot, State, function, replays
from lme4py.frame.values import Character, Codes, Factor, FunctionName, Value


def _labelled(codes: Codes, levels: Levels, labels: Value | None) -> tuple[Codes, Levels]:
    """Return codes and levels after R's treatment of `labels`; equal labels are one level."""
    if labels is None:
        for place, level in enumerate(levels):
            if level in levels[:place]:
                raise DataError(f"factor level [{place + 1}] is duplicated")
        return codes, levels
    given = strings_of(labels)
    if len(given) == len(levels):
        place_of = {label: place for place, label in enumerate(dict.fromkeys(given))}
        return recode(codes, [place_of[label] for label in given]), tuple(place_of)
    if len(given) == 1:
        stem = "NA" if given[0] is None else given[0]
        return codes, tuple(f"{stem}{number}" for number in range(1, len(levels) + 1))
    raise DataError(f"invalid 'labels'; length {len(given)} should be 1 or {len(levels)}")


def _found_levels(x: Value, context: Context) -> Levels:
    """Return the levels R finds in `x`, NA last if there is one."""
    made = factor_of(x, context.collation)
    missing = bool((made.codes < 0).any())
    return (*made.levels, None) if missing else made.levels


def _factor(
    x: Value,
    context: Context,
    levels: Value | None,
    labels: Value | None,
    exclude: Value | None,
    ordered: bool | None,
) -> tuple[Factor, State]:
    if isinstance(x, FunctionName):
        raise DataError("unique() applies only to vectors")
    excluded: list[str | None] = [None] if exclude is None else strings_of(exclude)
    known = _found_levels(x, context) if levels is None else strings_of(levels)
    kept = [level for level in known if level not in excluded]
    places: dict[str | None, int] = {}
    for place, level in enumerate(kept):
        places.setdefault(level, place)
    codes, final = _labelled(placed(x, places, "factor", strict=False), kept, labels)
    is_ordered = (isinstance(x, Factor) and x.ordered) if ordered is None else ordered
    made = Factor(codes, tuple(final), is_ordered)
    renamed: list[int] = list(range(len(kept)))
    if labels is not None and len(final) != len(kept):
        given = strings_of(labels)
        renamed = [final.index(label) for label in given]
    state = {
        "texts": tuple(kept),
        "codes": tuple(renamed),
        "levels": made.levels,
        "ordered": is_ordered,
        # Levels the user listed leave other values out, in old rows and in new ones.
        "strict": levels is None,
        "excluded": tuple(item for item in excluded if item is not None),
    }
    return made, state


_EMPTY = Character(np.zeros(0, dtype=np.int32), ())


def _replay_texts(name: str) -> None:
    """Enter the replay of a basis that keeps which text stands for which level."""

    def again(state: State, x: Value = _EMPTY, **options: Any) -> Factor:
        del options
        places: dict[str | None, int] = {}
        for level, place in zip(state["texts"], state["codes"], strict=True):
            places.setdefault(level, int(place))
        for item in state["excluded"]:
            places.setdefault(item, -1)
        codes = placed(x, places, name, strict=bool(state["strict"]))
        return Factor(codes, tuple(state["levels"]), bool(state["ordered"]))

    replays(name)(again)


@function(
    "factor",
    "x?, levels?, labels?, exclude = NA, ordered?, nmax = NA",
    role="basis",
    purpose="a factor, with levels in R's order or as listed",
)
def factor(
    context: Context,
    x: Value = _EMPTY,
    levels: Value | None = None,
    labels: Value | None = None,
    exclude: Value | None = None,
    ordered: Value | None = None,
    nmax: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``factor``."""
    del nmax
    flag = None if ordered is None else as_flag(ordered, "ordered")
    return _factor(x, context, levels, labels, exclude, flag)


_replay_texts("factor")


@function(
    "ordered",
    "x?, levels?, labels?, exclude = NA, nmax = NA",
    role="basis",
    purpose="an ordered factor",
)
def ordered(
    context: Context,
    x: Value = _EMPTY,
    levels: Value | None = None,
    labels: Value | None = None,
    exclude: Value | None = None,
    nmax: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``ordered``."""
    del nmax
    return _factor(x, context, levels, labels, exclude, True)


_replay_texts("ordered")


@function("as.factor", "x", role="basis", purpose="a factor; a factor stays as it is")
def to_factor(x: Value, context: Context) -> tuple[Factor, State]:
    """Return R's ``as.factor``."""
    made = as_factor(x, context.collation)
    return made, frozen(made)


replay_levels("as.factor")


@function("as.ordered", "x", role="basis", purpose="an ordered factor; an ordered one stays")
def to_ordered(x: Value, context: Context) -> tuple[Factor, State]:
    """Return R's ``as.ordered``: unlike ``as.factor`` it drops unused levels."""
    if isinstance(x, Factor) and x.ordered:
        return x, frozen(x)
    found = factor_of(x, context.collation)
    made = Factor(found.codes, found.levels, ordered=True)
    return made, frozen(made)


replay_levels("as.ordered")


@function("droplevels", "x, exclude?, ...", role="basis", purpose="unused levels dropped")
def droplevels(
    x: Value, context: Context, exclude: Value | None = None, dots: tuple[Dot, ...] = ()
) -> tuple[Factor, State]:
    """Return R's ``droplevels``."""
    del dots
    if not isinstance(x, Factor):
        raise DataError("no applicable method for 'droplevels': it takes a factor")
    if exclude is not None:
        return _factor(x, context, None, None, exclude, None)
    kept = drop_unused(x)
    made = Factor(kept.codes, kept.levels, kept.ordered)
    return made, {
        "texts": made.levels,
        "codes": tuple(range(len(made.levels))),
        "levels": made.levels,
        "ordered": made.ordered,
        "strict": True,
        "excluded": (),
    }


_replay_texts("droplevels")
