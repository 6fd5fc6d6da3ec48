"""The matrix of the random effects, factored by blocks.

All that a fit asks of ΛᵗZᵗWZΛ + I (Bates et al. 2015, equation 18) is its determinant and
products with

    V = Λ (ΛᵗZᵗWZΛ + I)⁻¹ Λᵗ,

the conditional covariance of the effects b relative to σ² (equation 58). A row of the data has
one level of a grouping factor, so what belongs to one factor is block-diagonal in ZᵗWZ. The
largest factor is eliminated by its small dense blocks; with the other factors

    V₁₁ = H + H Kᵗ V₂₂ K H,   V₂₂ = Λ₂ S⁻¹ Λ₂ᵗ,   S = I + Λ₂ᵗ (G - K H Kᵗ) Λ₂,

where H is V of the largest factor by itself, G the part of ZᵗWZ that belongs to the others, and
K the part between them and the largest. S has a row for each effect of the other factors, and is
dense. Where it would be large and mostly zero, as with pupils in classes in schools, the whole
matrix is left to SuperLU, with an order for symmetric ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtrs
from scipy.sparse import bsr_array, coo_array, csc_array, csr_array, diags_array, eye_array
from scipy.sparse.linalg import SuperLU, splu

from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.fit.relative_factor import RelativeFactor
from lme4py.matrices.reterms import RandomEffects

__all__ = ["BlockProducts", "ConditionalCovariance", "WholeProducts", "layout_of"]

IntArray: TypeAlias = NDArray[np.int64]

# Below so many rows S is dense in any case, beyond the second number never, and in between where
# at least this share of it is not zero.
_SMALL, _LARGE, _FILLED = 400, 6000, 0.02
# Products of two entries of K are listed once for all steps where they are no more than this.
_LISTED = 2**22
# Columns of V that are computed at a time where its diagonal blocks are asked for.
_AT_A_TIME = 512


class ConditionalCovariance(Protocol):
    """V at some parameters."""

    @property
    def log_det(self) -> float:
        """The logarithm of the determinant of ΛᵗZᵗWZΛ + I."""

    def gram(self, R: FloatArray) -> FloatArray:
        """Return RᵗVR, shape (k, k), for R of shape (q, k)."""

    def times(self, r: FloatArray) -> FloatArray:
        """Return V r for r of shape (q,)."""

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return what V has of each term's levels, shape (levels, c, c), in stored order."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockLayout:
    """Where the entries of ZᵗWZ belong, looked up once for a model.

    Parameters
    ----------
    first, rest : ndarray of int64
        Rows of Zᵗ of the largest grouping factor, level by level, and of the others.
    first_terms, rest_terms : tuple of int
        The terms that these belong to.
    width : int
        Effects of a level of the largest factor.
    in_blocks, in_k, in_rest : tuple of ndarray
        Of each part: positions in the entries of ZᵗWZ, and places in the part.
    pointers : ndarray
        Row pointers of K, whose entries are ordered by rows.
    term_rows : tuple of ndarray of int64
        Rows of each term within `first` or `rest`, shape (levels, c).
    """

    first: IntArray
    rest: IntArray
    first_terms: tuple[int, ...]
    rest_terms: tuple[int, ...]
    width: int
    in_blocks: tuple[IntArray, IntArray]
    in_k: tuple[IntArray, IntArray]
    in_rest: tuple[IntArray, IntArray]
    pointers: IntArray
    term_rows: tuple[IntArray, ...]

    def fill(self, data: FloatArray, *, lasting: bool = False) -> BlockProducts:
        """Return ZᵗWZ with these entries, by its parts.

        Parameters
        ----------
        data : ndarray of float64
            The entries, in the order of the matrix that the layout was made of.
        lasting : bool
            Whether many factors Λ will be tried on them.
        """
        count, width, others = self.first.size // self.width, self.width, self.rest.size
        blocks = np.zeros(count * width * width)
        blocks[self.in_blocks[1]] = data[self.in_blocks[0]]
        rest = np.zeros(others * others)
        rest[self.in_rest[1]] = data[self.in_rest[0]]
        shape = (others, self.first.size)
        k = csr_array((data[self.in_k[0]], self.in_k[1], self.pointers), shape=shape)
        rest = rest.reshape(others, others)
        listed = _listed(k, width, rest) if lasting and others else None
        return BlockProducts(self, blocks.reshape(count, width, width), k, rest, listed)


@dataclass(frozen=True, eq=False)
class BlockProducts:
    """ZᵗWZ by its parts.

    Parameters
    ----------
    layout : BlockLayout
    blocks : ndarray of float64, shape (levels, c, c)
        The part of the largest factor.
    k : csr_array
        The part between the other factors and the largest.
    rest : ndarray of float64
        The part of the other factors.
    listed : csr_array or None
        What turns the entries of H, and a 1, into the lower triangle of G - K H Kᵗ.
    """

    layout: BlockLayout
    blocks: FloatArray
    k: csr_array
    rest: FloatArray
    listed: csr_array | None

    def times(self, b: FloatArray) -> FloatArray:
        """Return ZᵗWZ b for b of shape (q,)."""
        layout = self.layout
        first, rest = b[layout.first], b[layout.rest]
        result = np.empty_like(b)
        inside = np.matmul(self.blocks, first.reshape(len(self.blocks), layout.width, 1))
        result[layout.first] = inside.ravel() + self.k.T @ rest
        result[layout.rest] = self.k @ first + self.rest @ rest
        return result

    def eliminate(self, factor: RelativeFactor) -> EliminatedBlocks:
        """Return V at a relative factor.

        Raises
        ------
        DataError
            For numbers beyond the range of floating point.
        """
        inner, log_det = _small_inverses(self.blocks, factor.some(self.layout.first_terms))
        if not self.layout.rest.size:
            return EliminatedBlocks(self, factor, inner, None, log_det)
        others = factor.some(self.layout.rest_terms)
        root, status = dpotrf(self._remaining(inner, others).T, lower=0, overwrite_a=1, clean=0)
        if status:
            raise _beyond()
        log_det += 2.0 * float(np.log(root.diagonal()).sum())
        return EliminatedBlocks(self, factor, inner, root, log_det)

    def _remaining(self, inner: FloatArray, factor: RelativeFactor) -> FloatArray:
        """Return S; of its upper triangle nothing is right."""
        size = self.layout.rest.size
        if self.listed is not None:
            S = (self.listed @ np.append(inner.ravel(), 1.0)).reshape(size, size)
            if max(map(len, factor.blocks)) > 1:
                S += np.tril(S, -1).T
        else:
            S = self.rest - (self.k @ _block_diagonal(inner) @ self.k.T).toarray()
        if all(len(block) == 1 for block in factor.blocks):
            scale = np.repeat([block[0, 0] for block in factor.blocks], factor.levels)
            S *= scale[:, None]
            S *= scale
        else:
            S = factor.times(factor.times(S, transposed=True).T, transposed=True)
        np.einsum("ii->i", S)[:] += 1.0
        return S


@dataclass(frozen=True, eq=False)
class EliminatedBlocks:
    """V, from H and the Cholesky factor of S.

    Parameters
    ----------
    products : BlockProducts
    factor : RelativeFactor
    inner : ndarray of float64, shape (levels, c, c)
        H.
    root : ndarray of float64 or None
        The upper triangle whose square is S.
    log_det : float
    """

    products: BlockProducts
    factor: RelativeFactor
    inner: FloatArray
    root: FloatArray | None
    log_det: float

    def _h(self, values: FloatArray) -> FloatArray:
        """Return H times an array of shape (levels c, k)."""
        if self.products.layout.width == 1:
            return self.inner[:, 0] * values
        parts = values.reshape(len(self.inner), self.products.layout.width, -1)
        return np.matmul(self.inner, parts).reshape(values.shape)

    def _others(self, values: FloatArray, *, transposed: bool = False) -> FloatArray:
        factor = self.factor.some(self.products.layout.rest_terms)
        return factor.times(values, transposed=transposed)

    def gram(self, R: FloatArray) -> FloatArray:
        """Return RᵗVR."""
        layout = self.products.layout
        first = R[layout.first]
        half = self._h(first)
        result: FloatArray = first.T @ half
        if self.root is not None:
            left = R[layout.rest] - self.products.k @ half
            solved, _ = dtrtrs(self.root, self._others(left, transposed=True), trans=1)
            result += solved.T @ solved
        return result

    def times(self, r: FloatArray) -> FloatArray:
        """Return V r."""
        layout = self.products.layout
        result = np.empty_like(r)
        first = r[layout.first][:, None]
        if self.root is not None:
            left = r[layout.rest][:, None] - self.products.k @ self._h(first)
            second = self._second(left)
            result[layout.rest] = second[:, 0]
            first -= self.products.k.T @ second
        result[layout.first] = self._h(first)[:, 0]
        return result

    def _second(self, values: FloatArray) -> FloatArray:
        """Return V₂₂ times an array of shape (q₂, k)."""
        inside, _ = dtrtrs(self.root, self._others(values, transposed=True), trans=1)
        solved, _ = dtrtrs(self.root, inside)
        return self._others(solved)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return what V has of each term's levels."""
        layout, width = self.products.layout, self.products.layout.width
        first = self.inner.copy()
        rest = np.zeros((layout.rest.size, layout.rest.size))
        if self.root is not None:
            rest = self._second(np.eye(layout.rest.size))
            step = max(1, _AT_A_TIME // width)
            columns = self.products.k.tocsc()
            for begin in range(0, len(first), step):
                part = slice(begin, begin + step)
                h = self.inner[part]
                k = columns[:, begin * width : begin * width + h.shape[0] * width].toarray()
                k = k.reshape(-1, h.shape[0], width).transpose(1, 0, 2)
                inside = np.matmul(k.transpose(0, 2, 1), np.matmul(rest, k))
                first[part] += h @ inside @ h
        found = []
        for place, rows in enumerate(layout.term_rows):
            if place in layout.first_terms:
                at = rows % width
                found.append(first[rows[:, :1, None] // width, at[:, :, None], at[:, None, :]])
            else:
                found.append(rest[rows[:, :, None], rows[:, None, :]])
        return found


@dataclass(frozen=True, eq=False)
class WholeLayout:
    """ZᵗWZ as it is, for SuperLU.

    Parameters
    ----------
    indices, pointers : ndarray
        Where its entries stand.
    """

    indices: NDArray[Any]
    pointers: NDArray[Any]

    def fill(self, data: FloatArray, *, lasting: bool = False) -> WholeProducts:  # noqa: ARG002
        """Return ZᵗWZ with these entries."""
        size = self.pointers.size - 1
        return WholeProducts(csc_array((data, self.indices, self.pointers), shape=(size, size)))


@dataclass(frozen=True, eq=False)
class WholeProducts:
    """ZᵗWZ in one piece."""

    matrix: csc_array

    def times(self, b: FloatArray) -> FloatArray:
        """Return ZᵗWZ b for b of shape (q,)."""
        return np.asarray(self.matrix @ b)

    def eliminate(self, factor: RelativeFactor) -> FactoredWhole:
        """Return V at a relative factor; as `BlockProducts.eliminate`."""
        size = self.matrix.shape[0]
        parts = [
            _block_diagonal(np.broadcast_to(block, (levels, *block.shape)))
            for block, levels in zip(factor.blocks, factor.levels, strict=True)
        ]
        Lambda = _along_diagonal(parts)
        inside = (Lambda.T @ self.matrix @ Lambda + eye_array(size)).tocsc()
        try:
            found = splu(
                inside,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            raise _beyond() from None
        return FactoredWhole(factor, found)


@dataclass(frozen=True, eq=False)
class FactoredWhole:
    """V from a sparse factorisation of the whole matrix."""

    factor: RelativeFactor
    lu: SuperLU

    @cached_property
    def log_det(self) -> float:
        """The logarithm of the determinant."""
        return float(np.log(self.lu.U.diagonal()).sum())

    def _times(self, values: FloatArray) -> FloatArray:
        return self.factor.times(self.lu.solve(self.factor.times(values, transposed=True)))

    def gram(self, R: FloatArray) -> FloatArray:
        """Return RᵗVR."""
        result: FloatArray = R.T @ self._times(R)
        return result

    def times(self, r: FloatArray) -> FloatArray:
        """Return V r."""
        return self._times(r)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return what V has of each term's levels."""
        found, begin, size = [], 0, self.lu.shape[0]
        for block, levels in zip(self.factor.blocks, self.factor.levels, strict=True):
            width = len(block)
            result = np.empty((levels, width, width))
            step = max(1, _AT_A_TIME // width)
            for at in range(0, levels, step):
                rows = begin + width * at + np.arange(width * min(step, levels - at))
                ones = np.zeros((size, rows.size))
                ones[rows, np.arange(rows.size)] = 1.0
                square = self._times(ones)[rows].reshape(-1, width, rows.size // width, width)
                each = np.arange(len(square))
                result[at : at + step] = square[each, :, each, :]
            found.append(result)
            begin += width * levels
        return found


def layout_of(random: RandomEffects, ZtZ: csc_array) -> BlockLayout | WholeLayout:
    """Return how ZᵗWZ is to be factored, by where it has entries.

    Parameters
    ----------
    random : RandomEffects
        The terms.
    ZtZ : csc_array, shape (q, q)
        Its values do not matter.

    Raises
    ------
    DataError
        If the matrix is not one of these terms.
    """
    q = int(random.Gp[-1])
    if ZtZ.shape != (q, q):
        raise DataError(f"ZtZ is {ZtZ.shape[0]} x {ZtZ.shape[1]}, the terms have {q} effects")
    names = [term.bar.group_name for term in random.terms]
    sizes = [term.levels * term.columns for term in random.terms]
    largest = names[int(np.argmax(sizes))]
    rows = [
        begin + np.arange(size, dtype=np.int64).reshape(term.levels, term.columns)
        for begin, size, term in zip(random.Gp[:-1], sizes, random.terms, strict=True)
    ]
    first_terms = tuple(at for at, name in enumerate(names) if name == largest)
    rest_terms = tuple(at for at, name in enumerate(names) if name != largest)
    by_level = np.concatenate([rows[at] for at in first_terms], axis=1)
    first, width = by_level.ravel(), by_level.shape[1]
    empty = np.zeros(0, dtype=np.int64)
    rest = np.concatenate([empty, *(rows[at].ravel() for at in rest_terms)])
    places = csc_array((np.arange(1, ZtZ.nnz + 1), ZtZ.indices, ZtZ.indptr), shape=(q, q))
    above = places[:, first]
    k = above[rest].tocsr()
    k.sort_indices()
    if rest.size > _SMALL:
        linked = (k != 0).astype(np.float64)
        filled = (linked @ linked.T).nnz / rest.size**2
        if rest.size > _LARGE or filled < _FILLED:
            return WholeLayout(ZtZ.indices, ZtZ.indptr)
    blocks, others = above[first].tocoo(), places[:, rest][rest].tocoo()
    row, column = (np.asarray(axis, dtype=np.int64) for axis in blocks.coords)
    if not np.array_equal(row // width, column // width):
        raise DataError(f"the rows of ZtZ that belong to {largest} are not one block for a level")
    inside = np.empty(q, dtype=np.int64)
    inside[first], inside[rest] = np.arange(first.size), np.arange(rest.size)
    return BlockLayout(
        first=first,
        rest=rest,
        first_terms=first_terms,
        rest_terms=rest_terms,
        width=width,
        in_blocks=(blocks.data - 1, row * width + column % width),
        in_k=(k.data - 1, k.indices),
        in_rest=(others.data - 1, others.coords[0].astype(np.int64) * rest.size + others.coords[1]),
        pointers=k.indptr,
        term_rows=tuple(inside[each] for each in rows),
    )


def _small_inverses(blocks: FloatArray, factor: RelativeFactor) -> tuple[FloatArray, float]:
    """Return H, and the logarithm of the determinant of the part it inverts."""
    Lambda = factor.joined()
    if len(Lambda) == 1:
        squared = Lambda[0, 0] ** 2
        inside = squared * blocks + 1.0
        return squared / inside, float(np.log(inside).sum())
    inside = Lambda.T @ blocks @ Lambda
    inside += np.eye(len(Lambda))
    try:
        roots = np.linalg.cholesky(inside)
    except np.linalg.LinAlgError:
        raise _beyond() from None
    half = np.linalg.solve(roots, np.broadcast_to(Lambda.T, inside.shape))
    log_det = 2.0 * float(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum())
    return np.matmul(half.transpose(0, 2, 1), half), log_det


def _listed(k: csr_array, width: int, rest: FloatArray) -> csr_array | None:
    """Return the products of entries of K of one level, by where they go; None for too many.

    G - K H Kᵗ is linear in the entries of H, which are few beside the products that a sparse
    product of matrices would look for again at each step.
    """
    columns = k.tocsc()
    rows, at = (
        columns.indices.astype(np.int64),
        np.repeat(np.arange(columns.shape[1]), np.diff(columns.indptr)),
    )
    levels, data = at // width, columns.data
    if width > 1:
        order = np.lexsort((rows, levels))
        rows, at, levels, data = rows[order], at[order], levels[order], data[order]
    counts = np.bincount(levels, minlength=columns.shape[1] // width)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    before = np.arange(rows.size) - starts + 1
    total = int(before.sum())
    if total > _LISTED:
        return None
    # Each entry with itself and those before it of its level: the lower triangle.
    one = np.repeat(np.arange(rows.size), before)
    other = np.arange(total) + np.repeat(starts - np.cumsum(before) + before, before)
    size = rest.shape[0]
    values = -data[one] * data[other]
    if width > 1:
        values[(rows[one] == rows[other]) & (one != other)] *= 2.0
    inner = levels[one] * width * width + at[one] % width * width + at[other] % width
    lower = np.flatnonzero(np.tril(rest))
    last = columns.shape[1] * width
    return coo_array(
        (
            np.concatenate([values, rest.ravel()[lower]]),
            (
                np.concatenate([rows[one] * size + rows[other], lower]),
                np.concatenate([inner, np.full(lower.size, last)]),
            ),
        ),
        shape=(size * size, last + 1),
    ).tocsr()


def _block_diagonal(blocks: FloatArray) -> csr_array:
    """Return a sparse matrix of square blocks along its diagonal."""
    count, width = blocks.shape[:2]
    if width == 1:
        return diags_array(np.ascontiguousarray(blocks[:, 0, 0])).tocsr()
    pointers = np.arange(count + 1)
    size = count * width
    return bsr_array((blocks, pointers[:-1], pointers), shape=(size, size)).tocsr()


def _along_diagonal(parts: Sequence[csr_array]) -> csr_array:
    from scipy.sparse import block_diag

    return block_diag(parts, format="csr")


def _beyond() -> DataError:
    return DataError("the random effects have variances beyond the range of floating point")
