"""The part of a model that a picture shows, and its matrices as pixels.

What falls into a pixel is added up by sparse products; nothing dense of the matrix's own
size is formed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array, csr_array

from lme4py.data.values import Factor, FloatArray
from lme4py.design import MixedDesign
from lme4py.explain.hierarchy import hierarchy
from lme4py.explain.system import System, system
from lme4py.export.coordinates import effects
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm, zt_entries
from lme4py.matrices.reterms import RandomEffects

Side: TypeAlias = Literal["observations", "fixed", "effects", "levels", "columns"]
"""What the rows or columns of a matrix are: of y; of X; of Z; levels or columns of each term."""

PANELS: dict[str, tuple[Side, Side]] = {
    "X": ("observations", "fixed"),
    "Zt": ("effects", "observations"),
    "Lambdat": ("effects", "effects"),
    "ZtZ": ("effects", "effects"),
    "Z": ("observations", "effects"),
    "J": ("observations", "levels"),
    "raw": ("observations", "columns"),
}
"""What the rows and columns of each panel are."""

# Pixels each way; for the square matrices fewer, whose diagonal would be too thin.
BINS = 220
SQUARE = 115
_LEAST_SHARE = 0.07
# Products of entries up to which ZᵗZ is computed from all observations.
_MOST_PRODUCTS = 200_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Window:
    """Some rows of a design in the order of a picture, with the random part that they alone make.

    `X` is dense or sparse, as the design's. `runs` tells where the levels of the factor that all
    others are nested in begin and end among the rows; empty without one, or in another order.
    """

    design: MixedDesign
    X: Any
    random: RandomEffects
    runs: NDArray[np.int64]

    @cached_property
    def model(self) -> System:
        """The equations, whose symbols the picture has."""
        return system(self.design)

    def bounds(self, side: Side) -> NDArray[np.int64]:
        """Return where the random terms begin on a side, and its length; others are one part."""
        n, p = self.X.shape
        nl, nc = self.random.nl, self.random.nc
        sizes: dict[Side, Any] = {"fixed": [p], "effects": nl * nc, "levels": nl, "columns": nc}
        return np.cumsum([0, *sizes.get(side, [n])])

    def transposed(self, side: Side) -> csc_array:
        """Return the columns of a side by the observations: of X, Z, J, or raw columns."""
        n, terms = self.X.shape[0], self.random.terms
        match side:
            case "fixed":
                return csr_array(self.X).T
            case "columns":
                return csr_array(np.column_stack(list(map(effects, terms)))).T
            case "levels":
                # Z of an intercept alone.
                ones = Plan.given(np.ones((n, 1)), ("(Intercept)",), (0,))
                return zt_entries([replace(term, plan=ones) for term in terms], n).matrix()
            case _:
                return self.random.Zt


def window(design: MixedDesign, groups: int | None = None, by_group: bool = False) -> Window:
    """Return what a picture shows: all, or so many levels of the highest factor.

    With `by_group` rows are sorted by the grouping factors, the highest first, and levels by their
    first row.
    """
    runs, random = np.empty(0, dtype=np.int64), design.random
    if groups is None and not by_group:
        return Window(design, design.X, random, runs)
    found = hierarchy(design)
    highest = max(found.at(found.stages), key=lambda k: found.factors[k].size)
    codes = found.factors[highest].codes.astype(np.int64)
    rows = np.arange(codes.size)
    if groups is not None:
        rows = rows[(codes >= 0) & (codes < groups)]
    if by_group:
        keys = sorted(found.from_stage(1), key=lambda k: (found.stage[k], k == highest))
        rows = rows[np.lexsort([found.factors[k].codes[rows] for k in keys])]
        if all(highest in found.above[k] for k in found.factors if k != highest):
            runs = np.concatenate(([0], 1 + np.flatnonzero(np.diff(codes[rows])), [rows.size]))
    terms = tuple(_on_rows(term, rows, by_group) for term in random.terms)
    shown = RandomEffects(terms, random.order, zt_entries(terms, rows.size))
    return Window(design, design.X[rows], shown, runs)


def _on_rows(term: RandomTerm, rows: NDArray[np.int64], by_first: bool) -> RandomTerm:
    """Return a term on some rows with the levels that they have, maybe by their first row."""
    codes, known = term.group.codes[rows], term.group.levels
    levels, first = np.unique(codes, return_index=True)
    levels = levels[np.argsort(first)] if by_first else levels
    levels = levels[levels >= 0]
    # The last place is that of rows without a level.
    places = np.full(len(known) + 1, -1, dtype=np.int32)
    places[levels] = np.arange(levels.size)
    group = Factor(places[codes], tuple(known[level] for level in levels))
    plan = Plan.given(effects(term)[rows], term.plan.names, term.plan.assign)
    return replace(term, group=group, plan=plan)


class TermAxis:
    """Rows in parts as an axis: exact where they fit, else each part with a share it can use.

    Neighbouring rows that share a pixel are a bin, and a bin lies in one part: a random term.
    An axis of one part is one of equal pixels: observations, or columns of X.

    `Gp` is the first row of each part, and the number of rows; so many `pixels` are used when
    these do not fit one to a pixel. `first` is the first row of each bin, `terms` its part, and
    `edges` where it is drawn, in rows where the parts are to scale; `bounds`, where the parts are.
    """

    def __init__(self, Gp: ArrayLike, pixels: int = BINS) -> None:
        self.Gp = np.asarray(Gp, dtype=np.int64)
        rows, count = np.diff(self.Gp), int(self.Gp[-1])
        shares = rows
        if count > BINS:
            least = max(1, int(pixels * min(_LEAST_SHARE, 0.5 / rows.size)))
            shares = np.maximum(least, pixels * rows // count) * (rows > 0)
        bins = np.minimum(rows, shares)
        self.bounds = np.concatenate(([0], np.cumsum(shares))) * (count / max(shares.sum(), 1))
        # Whether parts are not drawn to scale.
        self.enlarges = bool(np.abs(self.bounds - self.Gp).max() > 0.01 * count)

        def spaced(bounds: NDArray[np.float64]) -> FloatArray:
            parts = zip(bounds, bounds[1:], bins, strict=False)
            return np.concatenate([np.linspace(*part, endpoint=False) for part in parts])

        self.first = spaced(self.Gp.astype(np.float64)).astype(np.int64)
        self.edges = np.append(spaced(self.bounds), count)
        self.terms = np.repeat(np.arange(bins.size), bins)

    @property
    def sums(self) -> csr_array:
        """The matrix that adds up the rows of each bin."""
        count = int(self.Gp[-1])
        entries = np.ones(count), np.arange(count), np.append(self.first, count)
        return csr_array(entries, shape=(self.first.size, count))


def darkness(name: str, shown: Window, down: TermAxis, across: TermAxis) -> FloatArray:
    """Return how dark each pixel of a panel is, from 0 to 1.

    That is the mean over its observations of absolute values, relative to the largest of their
    column of the model matrix; of columns that share a pixel the sum is taken, relative to the
    largest of the term. Lambdat has a dark diagonal, and pale entries beside it.
    """
    if name == "Lambdat":
        stored = shown.random.Lambdat
        ones = csc_array((np.ones(stored.nnz), stored.indices, stored.indptr), shape=stored.shape)
        filled: FloatArray = (down.sums @ ones @ across.sums.T).toarray() > 0
        return np.where(np.eye(len(filled), dtype=bool), 1.0, 0.35) * filled
    side = PANELS[name][name not in ("Zt", "ZtZ")]
    matrix = shown.transposed(side)
    kinds = np.arange(matrix.shape[0])
    if side == "effects":
        # The same column of its term at another level is of the same kind.
        steps = [np.arange(*ends) for ends in pairwise(shown.bounds("columns"))]
        kinds = np.concatenate([*map(np.tile, steps, shown.random.nl)])
    values, kind = np.abs(matrix.data), kinds[matrix.indices]
    finite = np.isfinite(values)
    values = np.where(finite, values / _largest(values[finite], kind[finite])[kind], 1.0)
    matrix = csc_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)
    if name == "ZtZ":
        step = sampling_step(matrix)
        rows = down.sums @ (matrix if step == 1 else matrix[:, ::step])
        weights: FloatArray = np.log1p((rows @ rows.T).toarray())
        return weights / max(float(weights.max(initial=0.0)), 1e-300)
    columns, observations = (down, across) if name == "Zt" else (across, down)
    weights = (columns.sums @ matrix @ observations.sums.T).toarray()
    weights /= np.diff(observations.first, append=observations.Gp[-1])
    alone = side in ("fixed", "columns")
    kinds = np.arange(len(weights)) if alone else columns.terms
    weights /= _largest(weights.max(axis=1, initial=0.0), kinds)[kinds][:, None]
    return weights if name == "Zt" else weights.T


def _largest(values: FloatArray, kinds: NDArray[np.int64]) -> FloatArray:
    """Return the largest value of each kind, which may be divided by."""
    largest = np.full(int(kinds.max(initial=0)) + 1, 1e-300)
    np.maximum.at(largest, kinds, values)
    return largest


def sampling_step(Zt: csc_array) -> int:
    """Return of how many observations one is enough for ZᵗZ."""
    entries = np.diff(Zt.indptr).astype(np.float64)
    return max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))
