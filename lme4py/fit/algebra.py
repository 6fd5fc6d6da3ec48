"""The matrix of the random effects, factored by blocks.

All that a fit asks of ΛᵗZᵗWZΛ + I (Bates et al. 2015, equation 18) is its determinant and products
with V = Λ (ΛᵗZᵗWZΛ + I)⁻¹ Λᵗ, the conditional covariance of the effects b relative to σ²
(equation 58). A row of the data has one level of a factor, so what belongs to one factor is
block-diagonal in ZᵗWZ. The largest factor is eliminated by its small dense blocks; with the others

    V₁₁ = H + H Kᵗ V₂₂ K H,   V₂₂ = Λ₂ S⁻¹ Λ₂ᵗ,   S = I + Λ₂ᵗ (G - K H Kᵗ) Λ₂,

where H is V of the largest factor by itself, G the part of ZᵗWZ that belongs to the others, and
K the part between. S is dense or, where it is large and mostly zero, as with pupils in classes
in schools, left to SuperLU with an order for symmetric matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag as joined
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.sparse import block_diag, bsr_array, coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.matrices.reterms import RandomEffects

__all__ = ["BlockLayout", "BlockProducts", "ConditionalCovariance", "RelativeFactor", "template"]

# Below so many rows S is dense in any case, beyond the second number never, and in between where
# at least this share of it is not zero.
_SMALL, _LARGE, _FILLED = 400, 6000, 0.02
# Products of entries of K are listed once for all steps where they are no more than this; K is
# dense where it has no more elements than that; so many columns are solved for at a time.
_LISTED, _COMPACT, _AT_A_TIME = 2**22, 2**16, 512


@dataclass(frozen=True, eq=False, slots=True)
class RelativeFactor:
    """Λ: for each term the lower triangle that its levels share, and how many levels it has."""

    blocks: tuple[FloatArray, ...]
    levels: tuple[int, ...]

    def times(self, values: FloatArray, *, transposed: bool = False) -> FloatArray:
        """Return Λ, or Λᵗ, times an array of shape (q,) or (q, k)."""
        result, begin = np.empty_like(values), 0
        for block, levels in zip(self.blocks, self.levels, strict=True):
            rows = slice(begin, begin + levels * len(block))
            parts = values[rows].reshape(levels, len(block), -1)
            product = np.matmul(block.T if transposed else block, parts)
            result[rows], begin = product.reshape(values[rows].shape), rows.stop
        return result

    def some(self, terms: Iterable[int]) -> RelativeFactor:
        """Return the part of some terms."""
        pairs = [(self.blocks[at], self.levels[at]) for at in terms]
        return RelativeFactor(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def template(random: RandomEffects) -> Callable[[FloatArray], tuple[RelativeFactor, FloatArray]]:
    """Return the function of ``par`` that gives Λ and theta; places are looked up once."""
    levels, places, begin = tuple(map(int, random.nl)), [], 0
    for term in random.terms:
        covariance = term.covariance
        counts, columns, index = covariance.template()
        # A column of Lambdat is a row of Lambda.
        flat = np.repeat(np.arange(term.columns), counts) * term.columns + columns
        end = begin + covariance.par().size
        places.append((covariance, slice(begin, end), flat, index))
        begin = end

    def at(par: FloatArray) -> tuple[RelativeFactor, FloatArray]:
        blocks, found = [], [np.zeros(0)]
        for covariance, part, flat, index in places:
            theta, block = covariance.theta(par[part]), np.zeros(covariance.columns**2)
            block[flat] = theta[index]
            blocks.append(block.reshape(covariance.columns, -1))
            found.append(theta)
        return RelativeFactor(tuple(blocks), levels), np.concatenate(found)

    return at


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockLayout:
    """Where the entries of ZᵗWZ belong, looked up once for a model.

    `first` and `rest` are the rows of Zᵗ of the largest factor, level by level, and of the
    others; `in_blocks` holds positions in the entries of ZᵗWZ and places in the blocks; `k` and
    `g` hold positions, from 1, in place of numbers; `term_rows` the rows of each term within
    `first` or `rest`, shape (levels, c).
    """

    first: NDArray[Any]
    rest: NDArray[Any]
    first_terms: tuple[int, ...]
    rest_terms: tuple[int, ...]
    width: int
    in_blocks: tuple[NDArray[Any], NDArray[Any]]
    k: csr_array
    g: csr_array
    dense: bool
    term_rows: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, random: RandomEffects, ZtZ: csc_array) -> BlockLayout:
        """Return how ZᵗWZ is to be factored, by where it has entries."""
        q = int(random.Gp[-1])
        if ZtZ.shape != (q, q):
            raise DataError(f"ZtZ is {ZtZ.shape[0]} x {ZtZ.shape[1]}, the terms have {q} effects")
        names = [term.bar.group_name for term in random.terms]
        rows = [
            np.arange(*ends).reshape(term.levels, term.columns)
            for ends, term in zip(pairwise(random.Gp.tolist()), random.terms, strict=True)
        ]
        largest = names[int(np.argmax([each.size for each in rows]))]
        first_terms = tuple(at for at, name in enumerate(names) if name == largest)
        rest_terms = tuple(at for at, name in enumerate(names) if name != largest)
        by_level = np.concatenate([rows[at] for at in first_terms], axis=1)
        first, width = by_level.ravel(), by_level.shape[1]
        rest = np.concatenate([first[:0], *(rows[at].ravel() for at in rest_terms)])
        places = csc_array((np.arange(1, ZtZ.nnz + 1), ZtZ.indices, ZtZ.indptr), shape=(q, q))
        blocks, k = places[:, first][first].tocoo(), places[:, first][rest].tocsr()
        row, column = (np.asarray(axis, dtype=np.int64) for axis in blocks.coords)
        if not np.array_equal(row // width, column // width):
            raise DataError(f"ZtZ has entries between levels of {largest}")
        dense = rest.size <= _SMALL
        if _SMALL < rest.size <= _LARGE:
            linked = csr_array((np.ones(k.nnz), k.indices, k.indptr), shape=k.shape)
            dense = (linked @ linked.T).nnz >= _FILLED * rest.size**2
        inside = np.empty(q, dtype=np.int64)
        inside[first], inside[rest] = np.arange(first.size), np.arange(rest.size)
        return cls(
            first=first,
            rest=rest,
            first_terms=first_terms,
            rest_terms=rest_terms,
            width=width,
            in_blocks=(blocks.data - 1, row * width + column % width),
            k=k,
            g=places[:, rest][rest].tocsr(),
            dense=dense,
            term_rows=tuple(inside[each] for each in rows),
        )

    def fill(self, data: FloatArray, *, lasting: bool = False) -> BlockProducts:
        """Return ZᵗWZ with these entries; `lasting` if many factors Λ will be tried on them."""
        blocks = np.zeros(self.first.size * self.width)
        blocks[self.in_blocks[1]] = data[self.in_blocks[0]]
        k, g = (
            csr_array((data[part.data - 1], part.indices, part.indptr), shape=part.shape)
            for part in (self.k, self.g)
        )
        small = self.first.size * self.rest.size <= _COMPACT
        return BlockProducts(
            layout=self,
            blocks=blocks.reshape(-1, self.width, self.width),
            k=k.toarray() if small else k,
            g=g.toarray() if self.dense else g,
            listed=_listed(k, g, self.width) if lasting and self.dense and not small else None,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockProducts:
    """ZᵗWZ by its parts; `listed` turns the entries of H, and a 1, into half of G - K H Kᵗ."""

    layout: BlockLayout
    blocks: FloatArray
    k: Any
    g: Any
    listed: csr_array | None

    def times(self, b: FloatArray) -> FloatArray:
        """Return ZᵗWZ b for b of shape (q,)."""
        layout, result = self.layout, np.empty_like(b)
        first, rest = b[layout.first], b[layout.rest]
        result[layout.first] = _times(self.blocks, first[:, None])[:, 0] + self.k.T @ rest
        result[layout.rest] = self.k @ first + self.g @ rest
        return result

    def eliminate(self, factor: RelativeFactor) -> ConditionalCovariance:
        """Return V at a relative factor."""
        Lambda = joined(*factor.some(self.layout.first_terms).blocks)
        inside = Lambda.T @ self.blocks @ Lambda + np.eye(len(Lambda))
        try:
            roots = np.linalg.cholesky(inside) if len(Lambda) > 1 else np.sqrt(inside)
        except np.linalg.LinAlgError:
            raise _beyond() from None
        transposed = np.broadcast_to(Lambda.T, inside.shape)
        half = np.linalg.solve(roots, transposed) if len(Lambda) > 1 else transposed / roots
        inner = np.matmul(half.transpose(0, 2, 1), half)
        log_det = 2.0 * float(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum())
        others = factor.some(self.layout.rest_terms)
        solve: Callable[[FloatArray], FloatArray] = np.copy
        if self.layout.dense and self.layout.rest.size:
            root, status = dpotrf(self._dense_s(inner, others).T, overwrite_a=1, clean=0)
            if status:
                raise _beyond()
            log_det += 2.0 * float(np.log(root.diagonal()).sum())
            return ConditionalCovariance(
                self, others, inner, lambda values: dpotrs(root, values)[0], log_det
            )
        if self.layout.rest.size:
            options = {"SymmetricMode": True}
            S = self._sparse_s(inner, others)
            lu = splu(S, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
            log_det += float(np.log(lu.U.diagonal()).sum())
            solve = lu.solve
        return ConditionalCovariance(self, others, inner, solve, log_det)

    def _dense_s(self, inner: FloatArray, factor: RelativeFactor) -> FloatArray:
        """Return S; of its upper triangle nothing is right."""
        size = self.layout.rest.size
        scalar = all(len(block) == 1 for block in factor.blocks)
        if isinstance(self.k, np.ndarray):
            S = self.g - self.k @ _times(inner, self.k.T)
        elif self.listed is None:
            S = self.g - (self.k @ _block_diagonal(inner) @ self.k.T).toarray()
        else:
            S = (self.listed @ np.append(inner.ravel(), 1.0)).reshape(size, size)
            if not scalar:
                S += np.tril(S, -1).T
        if scalar:
            scale = np.repeat([block[0, 0] for block in factor.blocks], factor.levels)
            S *= scale[:, None]
            S *= scale
        else:
            S = factor.times(factor.times(S, transposed=True).T, transposed=True)
        np.einsum("ii->i", S)[:] += 1.0
        return np.asarray(S)

    def _sparse_s(self, inner: FloatArray, factor: RelativeFactor) -> csc_array:
        pairs = zip(factor.blocks, factor.levels, strict=True)
        repeated = (np.broadcast_to(block, (levels, *block.shape)) for block, levels in pairs)
        Lambda = block_diag([_block_diagonal(blocks) for blocks in repeated], format="csr")
        k = csr_array(self.k)
        left = self.g - k @ _block_diagonal(inner) @ k.T
        return csc_array(Lambda.T @ left @ Lambda + eye_array(self.layout.rest.size))


@dataclass(frozen=True, eq=False)
class ConditionalCovariance:
    """V, by Λ₂, H, a solver for S, and log|ΛᵗZᵗWZΛ + I|."""

    products: BlockProducts
    others: RelativeFactor
    inner: FloatArray
    solve: Callable[[FloatArray], FloatArray]
    log_det: float

    def _v22(self, values: FloatArray) -> FloatArray:
        """Return V₂₂ times an array of shape (q₂, k)."""
        return self.others.times(self.solve(self.others.times(values, transposed=True)))

    def gram(self, R: FloatArray) -> FloatArray:
        """Return RᵗVR, shape (k, k), for R of shape (q, k)."""
        layout = self.products.layout
        half = _times(self.inner, R[layout.first])
        result: FloatArray = R[layout.first].T @ half
        if layout.rest.size:
            left = R[layout.rest] - self.products.k @ half
            result += left.T @ self._v22(left)
        return result

    def times(self, r: FloatArray) -> FloatArray:
        """Return V r for r of shape (q,)."""
        layout, k = self.products.layout, self.products.k
        result, first = np.empty_like(r), r[layout.first][:, None]
        if layout.rest.size:
            second = self._v22(r[layout.rest][:, None] - k @ _times(self.inner, first))
            result[layout.rest] = second[:, 0]
            first -= k.T @ second
        result[layout.first] = _times(self.inner, first)[:, 0]
        return result

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return what V has of each term's levels, shape (levels, c, c), in stored order."""
        layout, first, found = self.products.layout, self.inner, []
        if layout.rest.size:
            first = first + first @ self._around(csc_array(self.products.k), layout.width) @ first
        ones = eye_array(layout.rest.size, format="csc")
        for place, rows in enumerate(layout.term_rows):
            if place in layout.first_terms:
                at = rows[0] % layout.width
                found.append(first[:, at[:, None], at])
            else:
                found.append(self._around(ones[:, rows.ravel()], rows.shape[1]))
        return found

    def _around(self, columns: csc_array, width: int) -> FloatArray:
        """Return the diagonal blocks of CᵗV₂₂C, so many columns of C each."""
        found, step = [], max(1, _AT_A_TIME // width) * width
        for begin in range(0, columns.shape[1], step):
            some = columns[:, begin : begin + step].toarray()
            shape = (len(some), -1, width)
            parts = some.reshape(shape), self._v22(some).reshape(shape)
            found.append(np.einsum("qia,qib->iab", *parts))
        return np.concatenate(found)


def _times(blocks: FloatArray, values: FloatArray) -> FloatArray:
    """Return a block-diagonal matrix times an array of shape (levels c, k)."""
    if blocks.shape[1] == 1:
        return np.asarray(blocks[:, 0] * values)
    parts = values.reshape(len(blocks), blocks.shape[1], -1)
    return np.asarray(np.matmul(blocks, parts).reshape(values.shape))


def _listed(k: csr_array, g: csr_array, width: int) -> csr_array | None:
    """Return the products of entries of K of one level, by where they go; None for too many.

    G - K H Kᵗ is linear in the entries of H, which are few beside the products that a sparse
    product of matrices would look for again at each step.
    """
    columns, (size, last) = k.tocsc(), k.shape
    at = np.repeat(np.arange(last, dtype=np.int32), np.diff(columns.indptr))
    order = np.lexsort((columns.indices, at // width)) if width > 1 else slice(None)
    rows, at, data = columns.indices[order], at[order], columns.data[order]
    counts = np.bincount(at // width, minlength=last // width)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    # Each entry with itself and those before it of its level: the lower triangle.
    before = (np.arange(rows.size) - starts + 1).astype(np.int32)
    total = int(before.sum())
    if total > _LISTED:
        return None
    one = np.repeat(np.arange(rows.size, dtype=np.int32), before)
    shifts = (starts - np.cumsum(before) + before).astype(np.int32)
    other = np.arange(total, dtype=np.int32) + np.repeat(shifts, before)
    values, inner = -data[one] * data[other], at[one]
    if width > 1:
        values[(rows[one] == rows[other]) & (one != other)] *= 2.0
        inner = inner * width + at[other] % width
    lower = g.tocoo()
    row, column = lower.coords
    ones = np.full(lower.nnz, last * width, dtype=np.int32)
    entries = np.concatenate([values, lower.data * (row >= column)])
    to = np.concatenate([rows[one] * size + rows[other], row * size + column])
    shape = (size * size, last * width + 1)
    return coo_array((entries, (to, np.concatenate([inner, ones]))), shape=shape).tocsr()


def _block_diagonal(blocks: FloatArray) -> csr_array:
    pointers, size = np.arange(len(blocks) + 1), len(blocks) * blocks.shape[1]
    return bsr_array((blocks, pointers[:-1], pointers), shape=(size, size)).tocsr()


def _beyond() -> DataError:
    return DataError("the random effects have variances beyond the range of floating point")
