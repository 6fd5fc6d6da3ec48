"""A design as plain arrays: the columns of its terms, dense; and all of it with named dimensions.

The latter is the way PyMC and its kin take models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import FloatArray
from lme4py.design import FixedDesign, MixedDesign
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Coordinates", "TermCoordinates", "coordinates"]

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class TermCoordinates(Abbreviated):
    """One random term: which level each row has, and what its effects are multiplied by.

    The term adds ``(block * effects[codes]).sum(axis=1)`` to the predictor, where
    `effects` has shape (levels, columns).

    Parameters
    ----------
    label : str
        The bar as the formula has it.
    group : str
        Name of the grouping factor.
    codes : ndarray of int64, shape (n,)
        Position of each row's level; -1 for a row without one.
    block : ndarray of float64, shape (n, columns), Fortran order
        The left side of the bar.
    levels, columns : tuple of str
        Names of the rows and columns of `effects`.
    dims : tuple of str
        Names of these two dimensions in `Coordinates.coords`.
    covariance : str
        lme4's name of the covariance structure of the columns: ``us`` (free), ``diag``,
        ``cs`` or ``ar1``.
    """

    label: str
    group: str
    codes: NDArray[np.int64]
    block: FloatArray
    levels: tuple[str, ...]
    columns: tuple[str, ...]
    dims: tuple[str, str]
    covariance: str


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Coordinates(Abbreviated):
    """A design as arrays with named dimensions.

    Parameters
    ----------
    coords : dict of str to tuple of str
        Names along every dimension, for ``pm.Model(coords=...)``: ``fixed``, one for
        the levels of each grouping factor, one for the columns of each term.
    X : ndarray of float64, shape (n, p)
        Fixed-effects model matrix, dimension ``fixed``.
    y, weights, offset : ndarray of float64 or None
        As in the design.
    terms : tuple of TermCoordinates
        The random terms in the order of the formula.
    """

    coords: dict[str, tuple[str, ...]]
    X: FloatArray
    y: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    terms: tuple[TermCoordinates, ...]

    def linear_predictor(self, beta: FloatArray, effects: Sequence[FloatArray]) -> FloatArray:
        """Return the predictor at given effects, shape (n,); offset included.

        Parameters
        ----------
        beta : ndarray, shape (p,)
        effects : sequence of ndarray, shape (l, c)
            One for each of `terms`: l levels, c columns.
        """
        total: FloatArray = self.X @ beta
        for term, values in zip(self.terms, effects, strict=True):
            added = (term.block * values[term.codes]).sum(axis=1)
            total = total + np.where(term.codes < 0, 0.0, added)
        return total if self.offset is None else total + self.offset


def coordinates(design: MixedDesign) -> Coordinates:
    """Return codes, dense blocks and named dimensions: `MixedDesign.coordinates`."""
    coords: dict[str, tuple[str, ...]] = {"fixed": tuple(design.fixed.names)}

    def dimension(name: str, labels: tuple[str, ...]) -> str:
        """Return the dimension with these labels, entered under a free name if it is new."""
        candidate, number = name, 1
        while coords.setdefault(candidate, labels) != labels:
            number += 1
            candidate = f"{name}_{number}"
        return candidate

    terms = []
    for term in design.random.in_formula:
        group = term.bar.group_name
        levels, columns = tuple(map(str, term.group.levels)), tuple(term.plan.names)
        found = TermCoordinates(
            label=term.bar.label,
            group=group,
            codes=term.group.codes.astype(np.int64),
            block=effects(term),
            levels=levels,
            columns=columns,
            dims=(dimension(group, levels), dimension(f"{group}_effects", columns)),
            covariance=term.covariance.name,
        )
        terms.append(found)
    X = dense(design.X)
    return Coordinates(coords, X, design.y, design.weights, design.offset, tuple(terms))


def fixed_terms(design: FixedDesign) -> dict[str, slice]:
    """Return the columns of X that belong to each fixed term, in order."""
    assign, labels = design.fixed.assign, (INTERCEPT, *design.fixed.terms)
    starts = np.flatnonzero(np.diff(assign, prepend=-1)).tolist()
    stops = [*starts, len(assign)][1:]
    return {labels[assign[at]]: slice(at, end) for at, end in zip(starts, stops, strict=True)}


def dense(matrix: Any) -> FloatArray:
    """Return a matrix as an array, sparse ones in Fortran order."""
    found: FloatArray = matrix if isinstance(matrix, np.ndarray) else matrix.toarray(order="F")
    return found


def effects(term: RandomTerm) -> FloatArray:
    """Return the left side of a bar as a dense array, shape (n, columns), Fortran order."""
    values = np.empty((term.group.codes.size, term.columns), order="F")
    term.plan.fill(values)
    return values
