"""Λ as the blocks it is made of: one small lower triangle for each random-effects term."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import FloatArray
from lme4py.matrices.covariance import Covariance
from lme4py.matrices.reterms import RandomEffects

__all__ = ["FactorTemplate", "RelativeFactor"]


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class RelativeFactor(Abbreviated):
    """Λ at some parameters (Bates et al. 2015, equation 4).

    Parameters
    ----------
    blocks : tuple of ndarray of float64, each of shape (c, c)
        The lower triangle that all levels of a term share, for each term.
    levels : tuple of int
        How many levels each term has.

    Examples
    --------
    >>> factor = RelativeFactor((np.array([[2.0, 0.0], [1.0, 3.0]]),), (1,))
    >>> factor.times(np.eye(2)).tolist()
    [[2.0, 0.0], [1.0, 3.0]]
    """

    blocks: tuple[FloatArray, ...]
    levels: tuple[int, ...]

    def times(self, values: FloatArray, *, transposed: bool = False) -> FloatArray:
        """Return Λ, or Λᵗ, times an array of shape (q,) or (q, k)."""
        result, begin = np.empty_like(values), 0
        for block, levels in zip(self.blocks, self.levels, strict=True):
            width = len(block)
            rows = slice(begin, begin + levels * width)
            if width == 1:
                np.multiply(values[rows], block[0, 0], out=result[rows])
            else:
                parts = values[rows].reshape(levels, width, -1)
                product = np.matmul(block.T if transposed else block, parts)
                result[rows] = product.reshape(values[rows].shape)
            begin = rows.stop
        return result

    def some(self, terms: Iterable[int]) -> RelativeFactor:
        """Return the part of some terms."""
        places = list(terms)
        return RelativeFactor(
            tuple(self.blocks[at] for at in places), tuple(self.levels[at] for at in places)
        )

    def joined(self) -> FloatArray:
        """Return the blocks of all terms along one diagonal."""
        if len(self.blocks) == 1:
            return self.blocks[0]
        ends = list(accumulate(map(len, self.blocks), initial=0))
        whole = np.zeros((ends[-1], ends[-1]))
        for block, (begin, end) in zip(self.blocks, pairwise(ends), strict=True):
            whole[begin:end, begin:end] = block
        return whole


class FactorTemplate:
    """Which parameter stands where in the blocks of Λ, looked up once for a fit.

    Parameters
    ----------
    random : RandomEffects
        The terms of the model.
    """

    def __init__(self, random: RandomEffects) -> None:
        self.levels = tuple(term.levels for term in random.terms)
        covariances = [term.covariance for term in random.terms]
        ends = accumulate((covariance.par().size for covariance in covariances), initial=0)
        self._terms = [
            (covariance, slice(*bounds), *_places(covariance))
            for covariance, bounds in zip(covariances, pairwise(ends), strict=True)
        ]

    def theta(self, par: FloatArray) -> FloatArray:
        """Return theta at `par`."""
        parts = [covariance.theta(par[part]) for covariance, part, *_ in self._terms]
        return np.concatenate(parts) if parts else np.zeros(0)

    def at(self, par: FloatArray) -> RelativeFactor:
        """Return Λ at `par`."""
        blocks = []
        for covariance, part, flat, index in self._terms:
            block = np.zeros((covariance.columns, covariance.columns))
            block.ravel()[flat] = covariance.theta(par[part])[index]
            blocks.append(block)
        return RelativeFactor(tuple(blocks), self.levels)


def _places(covariance: Covariance) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return the places of a block that are not zero, and the theta of each."""
    counts, columns, index = covariance.template()
    # A column of Lambdat is a row of Lambda.
    rows = np.repeat(np.arange(covariance.columns), counts)
    return (rows * covariance.columns + columns).astype(np.intp), index
