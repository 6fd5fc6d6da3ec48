"""Which coding matrix a factor gets: the ``contrasts=`` argument, its own, or R's default."""

from __future__ import annotations

from collections.abc import Mapping

from lme4py.frame.attached import ContrastArgument, given_contrast, refuse_single_level
from lme4py.frame.coding import DefaultContrasts, coding_matrix
from lme4py.frame.values import Factor, Matrix

__all__ = ["contrast_of", "contrast_table", "indicator_names", "resolve"]


def contrast_of(factor: Factor, defaults: DefaultContrasts) -> str | Matrix:
    """Return the contrast attached to the factor, or the default for it."""
    return defaults[factor.ordered] if factor.contrasts is None else factor.contrasts


def contrast_table(contrast: str | Matrix, factor: Factor) -> Matrix:
    """Return the coding matrix, one row per level."""
    if isinstance(contrast, Matrix):
        return contrast
    return coding_matrix(contrast, indicator_names(factor))


def indicator_names(factor: Factor) -> tuple[str, ...]:
    """Return the names of a factor's indicator columns: its levels."""
    return tuple("NA" if level is None else level for level in factor.levels)


def resolve(
    factors: Mapping[str, Factor],
    arguments: Mapping[str, ContrastArgument],
    defaults: DefaultContrasts,
) -> dict[str, str | Matrix]:
    """Return the contrast of every factor, ``contrasts=`` before the factor's own.

    Raises
    ------
    DataError
        If a factor has fewer than two levels, whether or not a term would use its
        contrast; or in R's words for an entry of ``contrasts=`` that is no coding of it.
    """
    chosen: dict[str, str | Matrix] = {}
    for name, factor in factors.items():
        refuse_single_level(factor, name)
        if name in arguments:
            given = given_contrast(arguments[name], factor, name, as_wide_as_given=True)
            # R's contrasts = list(f = NULL) takes the factor's own away.
            chosen[name] = defaults[factor.ordered] if given is None else given
        else:
            chosen[name] = contrast_of(factor, defaults)
    return chosen
