"""Which coding matrix a factor gets: the ``contrasts=`` argument, its own, or R's default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from lme4py.errors import DataError, FormulaError, nearest
from lme4py.frame.coding import CONTRASTS, coding_matrix, complete_contrasts
from lme4py.frame.values import Factor, Matrix

__all__ = ["ContrastArgument", "contrast_of", "contrast_table", "given_contrast"]

ContrastArgument: TypeAlias = str | Callable[[int], Any] | Any
"""A name such as "contr.sum", a matrix, a DataFrame, or a function of the number of levels."""

_TOO_FEW = "contrasts can be applied only to factors with 2 or more levels"


def contrast_of(factor: Factor, name: str) -> str | Matrix:
    """Return the factor's own contrast, or R's default for it.

    Raises
    ------
    DataError
        If it has fewer than two levels, whether or not a term would use the contrast.
    """
    if len(factor.levels) < 2:
        levels = ", ".join(repr(level) for level in factor.levels)
        raise DataError(
            _TOO_FEW, hint=f"'{name}' has the levels ({levels}) in the rows that are left"
        )
    if factor.contrasts is not None:
        return factor.contrasts
    return "contr.poly" if factor.ordered else "contr.treatment"


def given_contrast(argument: ContrastArgument, factor: Factor, name: str) -> str | Matrix:
    """Return one entry of ``contrasts=`` as the name of a coding or a matrix.

    Raises
    ------
    DataError
        For an unknown name or a matrix of the wrong shape, in R's words.
    """
    if isinstance(argument, str):
        if argument not in CONTRASTS:
            raise FormulaError(
                f"object '{argument}' of mode 'function' was not found",
                hint=nearest(argument, CONTRASTS) or f"known contrasts: {', '.join(CONTRASTS)}",
            )
        return argument
    levels = len(factor.levels)
    computed = callable(argument) and not hasattr(argument, "__array__")
    matrix = _matrix(_called(argument, levels, name) if computed else argument, name)
    if matrix.values.shape[0] != levels:
        raise DataError(
            "wrong number of contrast matrix rows",
            hint=f"'{name}' has {levels} levels, its matrix {matrix.values.shape[0]} rows",
        )
    wanted = levels - 1 if computed else matrix.values.shape[1]
    return complete_contrasts(matrix, wanted)


def _called(function: Any, levels: int, name: str) -> Any:
    try:
        return function(levels)
    except Exception as error:  # whatever a user's function raises is shown as ours
        raise DataError(
            f"the contrast function of '{name}' failed: {type(error).__name__}: {error}"
        ) from error


def _matrix(argument: Any, name: str) -> Matrix:
    if isinstance(argument, Matrix):
        return argument
    names = getattr(argument, "columns", None)
    try:
        values = np.array(argument, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "numeric contrasts or contrast name expected",
            hint=f"the contrast of '{name}' is a {type(argument).__name__}",
        ) from None
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise DataError("numeric contrasts or contrast name expected")
    return Matrix(values, None if names is None else tuple(str(column) for column in names))


def contrast_table(contrast: str | Matrix, factor: Factor) -> Matrix:
    """Return the coding matrix, one row per level."""
    if isinstance(contrast, Matrix):
        return contrast
    return coding_matrix(contrast, _labels(factor))


def _labels(factor: Factor) -> tuple[str, ...]:
    return tuple("NA" if level is None else level for level in factor.levels)


def indicator_names(factor: Factor) -> tuple[str, ...]:
    """Return the names of a factor's indicator columns: its levels."""
    return _labels(factor)


def resolve(
    factors: Mapping[str, Factor], arguments: Mapping[str, ContrastArgument]
) -> dict[str, str | Matrix]:
    """Return the contrast of every factor, ``contrasts=`` before the factor's own."""
    chosen: dict[str, str | Matrix] = {}
    for name, factor in factors.items():
        default = contrast_of(factor, name)
        chosen[name] = (
            given_contrast(arguments[name], factor, name) if name in arguments else default
        )
    return chosen
