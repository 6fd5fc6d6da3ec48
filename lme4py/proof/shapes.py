"""What each element of lme4's ``reTrms`` must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lme4py.errors import DataError
from lme4py.rfiles.rvalues import RFactor, RFrame, RList, RMatrix, RSparse, RVector

__all__ = ["TERMS", "named_items", "refuse_others"]

TERMS = ("Zt", "Lambdat", "Lind", "theta", "cnms", "flist")


def refuse_others(terms: RList, X: Any, name: str) -> None:
    """Refuse components whose types are not lme4's."""
    for item, fits in _SHAPES.items():
        if item in terms and not fits(terms[item]):
            raise DataError(f"{item} in {name} is not what lme4 writes")
    if X is not None and not isinstance(X, RMatrix):
        raise DataError(f"X in {name} is not a dense matrix")


def _numeric(value: Any) -> bool:
    return isinstance(value, RVector) and value.kind in ("integer", "double")


def _counts(value: Any) -> bool:
    return _numeric(value) and bool(np.isfinite(value.as_float()).all())


def _column_names(value: Any) -> bool:
    return isinstance(value, RList) and all(
        names is None or (isinstance(names, RVector) and names.kind == "character")
        for names in value
    )


def _factors(value: Any) -> bool:
    if not isinstance(value, RList | RFrame):
        return False
    assign = value.attributes.get("assign")
    factors = all(isinstance(factor, RFactor) for _, factor in named_items(value))
    return factors and (assign is None or _counts(assign))


_SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "Zt": lambda value: isinstance(value, RSparse),
    "Lambdat": lambda value: isinstance(value, RSparse),
    "Ztlist": lambda value: (
        isinstance(value, RList) and all(isinstance(block, RSparse | RVector) for block in value)
    ),
    **dict.fromkeys(("Lind", "Gp", "nl", "ord"), _counts),
    **dict.fromkeys(("theta", "lower", "upper", "par"), _numeric),
    "cnms": _column_names,
    "flist": _factors,
}
"""What each element of ``reTrms`` must be."""


def named_items(value: RList | RFrame) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the elements of a list or of the columns of a frame."""
    if isinstance(value, RFrame):
        yield from value.columns.items()
    else:
        yield from zip(value.names or (), value, strict=True)
