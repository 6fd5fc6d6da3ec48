"""Combinations of factors as one factor: R's interaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.factors import as_factor, drop_unused, recode
from lme4py.frame.functions.coercion import as_flag, as_string
from lme4py.frame.functions.factors.stored import level_texts, thawed
from lme4py.frame.functions.table import Context, Dot, State, function, replays
from lme4py.frame.values import Factor, Value

_MOST_COMBINATIONS = 5_000_000


def _combined(factors: Sequence[Factor], separator: str, last_fastest: bool, drop: bool) -> Factor:
    """Return all combinations of factors, from the last to the first as R goes."""
    result = factors[-1]
    for current in reversed(factors[:-1]):
        missing = (current.codes < 0) | (result.codes < 0)
        outer, inner = level_texts(current.levels), level_texts(result.levels)
        if len(outer) * len(inner) > _MOST_COMBINATIONS:
            raise DataError(
                f"an interaction of more than {_MOST_COMBINATIONS} combinations",
                hint="a:b has only those that occur",
            )
        if last_fastest:
            codes = current.codes.astype(np.int64) * len(inner) + result.codes
            texts = [f"{a}{separator}{b}" for a in outer for b in inner]
        else:
            codes = result.codes.astype(np.int64) * len(outer) + current.codes
            texts = [f"{a}{separator}{b}" for b in inner for a in outer]
        codes[missing] = -1
        places = {label: place for place, label in enumerate(dict.fromkeys(texts))}
        merged = recode(codes.astype(np.int32), [places[label] for label in texts])
        result = Factor(merged, tuple(places))
        if drop:
            result = drop_unused(result)
    return Factor(result.codes, result.levels)


@function(
    "interaction",
    '..., drop = FALSE, sep = ".", lex.order = FALSE',
    role="basis",
    purpose="combinations of factors as one factor",
)
def interaction(
    context: Context,
    dots: tuple[Dot, ...] = (),
    drop: Value | None = None,
    sep: Value | None = None,
    lex_order: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``interaction``."""
    if not dots:
        raise DataError("No factors specified")
    dropping = drop is not None and as_flag(drop, "drop")
    separator = "." if sep is None else as_string(sep, "sep")
    last_fastest = lex_order is not None and as_flag(lex_order, "lex.order")
    factors = [as_factor(dot.value, context.collation) for dot in dots]
    if dropping:
        factors = [drop_unused(item) for item in factors]
    if len({item.codes.size for item in factors}) > 1:
        raise DataError("variable lengths differ in interaction()")
    made = _combined(factors, separator, last_fastest, dropping)
    state = {
        "parts": tuple(item.levels for item in factors),
        "levels": made.levels,
        "sep": separator,
        "lex_order": last_fastest,
    }
    return made, state


@replays("interaction")
def interaction_again(state: State, dots: tuple[Dot, ...] = (), **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    parts = state["parts"]
    if len(parts) != len(dots):
        raise DataError("interaction() of a different number of factors")
    factors = [
        thawed({"levels": part, "ordered": False}, dot.value, "interaction")
        for part, dot in zip(parts, dots, strict=True)
    ]
    full = _combined(factors, state["sep"], bool(state["lex_order"]), drop=False)
    return thawed({"levels": state["levels"], "ordered": False}, full, "interaction")
