"""The saved form of a spec: JSON, read without running anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.codec import Codec
from lme4py.data.coding import default_contrasts_of
from lme4py.data.collation import Collation
from lme4py.data.values import (
    UNITS,
    Character,
    Factor,
    FunctionName,
    Levels,
    LevelTable,
    Matrix,
    Null,
    Numeric,
    Value,
    time_class,
)
from lme4py.errors import DataError, Lme4pyError
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import NA_ACTIONS
from lme4py.frame.state import State
from lme4py.matrices.fixed import LearnedColumns
from lme4py.matrices.grouping import LearnedGroup
from lme4py.spec.spec import Spec


def write(spec: Spec) -> str:
    """Return a spec as JSON text, every number to the last bit."""
    return _CODEC.write(spec)


def read(text: str) -> Spec:
    """Return what `write` wrote as a spec; `DataError` for any other text."""
    spec: Spec = _CODEC.read(text)
    # Equal levels are one table, as learning leaves them.
    tables: dict[Levels, LevelTable] = {}

    def table(levels: Levels) -> LevelTable:
        return tables.setdefault(levels, LevelTable.of(levels))

    def typed(types: Mapping[str, Value]) -> dict[str, Value]:
        return {
            name: replace(item, levels=table(item.levels)) if isinstance(item, Factor) else item
            for name, item in types.items()
        }

    return replace(
        spec,
        columns=typed(spec.columns),
        variables=typed(spec.variables),
        grouping={name: table(levels) for name, levels in spec.grouping.items()},
        groups=tuple(replace(group, levels=table(group.levels)) for group in spec.groups),
    )


def _differ(items: Sequence[Any]) -> bool:
    return len(set(items)) == len(items)


def _are_codes(codes: NDArray[np.int32], size: int) -> bool:
    return codes.ndim == 1 and codes.min(initial=-1) >= -1 and codes.max(initial=-1) < size


def _contrasts_fit(contrasts: str | Matrix | None, levels: Sequence[Any]) -> bool:
    return not isinstance(contrasts, Matrix) or contrasts.values.shape[0] == len(levels)


def _time_fits(time: str | None) -> bool:
    return time is None or time_class(time) in (*UNITS, "Date", "POSIXct")


def _spec_fits(item: Spec) -> bool:
    Collation(item.collation)
    default_contrasts_of(item.default_contrasts)
    return (
        len(item.groups) == len(item.formula.bars)
        and item.na_action in NA_ACTIONS
        and _differ(item.names)
        and _differ(item.frame_names)
        and all(map(_differ, item.grouping.values()))
    )


VALUES = {
    Numeric: lambda item: (
        item.values.ndim == 1 and item.values.dtype != np.int32 and _time_fits(item.time)
    ),
    Matrix: lambda item: (
        item.values.ndim == 2 and (item.names is None or len(item.names) == item.values.shape[1])
    ),
    Character: lambda item: _are_codes(item.codes, len(item.pool)) and _differ(item.pool),
    Factor: lambda item: (
        _are_codes(item.codes, len(item.levels))
        and _differ(item.levels)
        and _contrasts_fit(item.contrasts, item.levels)
    ),
    FunctionName: lambda _: True,
    Null: lambda _: True,
}
"""R's values, and whether the parts of one fit together."""


_STATES: dict[str, Callable[[Any], bool]] = {
    "parts": lambda kept: kept is None,
    "unit": lambda kept: isinstance(kept, str) and kept in UNITS,
    "basis": lambda kept: isinstance(kept, dict),
    "value": lambda kept: type(kept) in VALUES,
    "open": lambda _: False,
}


def _written(formula: Formula) -> list[str]:
    """Return text, how its ``||`` are expanded, and the lme4, that make the formula again."""
    for expansion in ("none", "split", "diag"):
        try:
            if _formula([formula.text, expansion, formula.lme4.version]) == formula:
                return [formula.text, expansion, formula.lme4.version]
        except Lme4pyError:
            continue
    return [str(formula), "none", formula.lme4.version]


def _formula(plain: Any) -> Formula:
    match plain:
        case [str(text), "none", lme4]:
            return Formula.parse(text, lme4)
        case [str(text), "split" | "diag" as expansion, lme4]:
            return Formula.parse(text, lme4).expanded(expansion)
        case _:
            raise DataError("not a saved spec: unknown double_bar")


FORMULA = (_written, _formula)
"""How a formula is written as plain data, and read."""

_CODEC = Codec(
    "a saved spec",
    {
        **VALUES,
        State: lambda item: _STATES[item.kind](item.kept),
        LearnedGroup: lambda item: (
            len(item.levels) > 0 and _differ(item.levels) and None not in item.levels
        ),
        LearnedColumns: lambda item: (
            len(item.names) == len(item.centers) == len(item.divisors) == len(item.kept)
            and all(place >= 0 for place in item.kept)
        ),
        Spec: _spec_fits,
    },
    {Formula: FORMULA},
    root=Spec,
    version=6,
)
