"""The matrix of the random effects, factored by blocks.

All that a fit asks of ΛᵗZᵗWZΛ + I (Bates et al. 2015, equation 18) is its determinant and
products with

    V = Λ (ΛᵗZᵗWZΛ + I)⁻¹ Λᵗ,

the conditional covariance of the effects b relative to σ² (equation 58). A row of the data has
one level of a grouping factor, so what belongs to one factor is block-diagonal in ZᵗWZ. The
largest factor is eliminated by its small dense blocks; with the other factors

    V₁₁ = H + H Kᵗ V₂₂ K H,   V₂₂ = Λ₂ S⁻¹ Λ₂ᵗ,   S = I + Λ₂ᵗ (G - K H Kᵗ) Λ₂,

where H is V of the largest factor by itself, G the part of ZᵗWZ that belongs to the others, and
K the part between them and the largest. S has a row for each effect of the other factors. It
is dense, or, where it is large and mostly zero, as with pupils in classes in schools, sparse and
left to SuperLU with an order for symmetric matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.sparse import block_diag, bsr_array, coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.fit.relative_factor import RelativeFactor
from lme4py.matrices.reterms import RandomEffects

__all__ = ["BlockLayout", "BlockProducts", "ConditionalCovariance"]

IntArray: TypeAlias = NDArray[np.integer[Any]]

# Below so many rows S is dense in any case, beyond the second number never, and in between where
# at least this share of it is not zero.
_SMALL, _LARGE, _FILLED = 400, 6000, 0.02
# Products of entries of K are listed once for all steps where they are no more than this.
_LISTED = 2**22
# K is dense where it has no more elements.
_COMPACT = 2**16
# Columns that are solved for at a time where diagonal blocks of V are asked for.
_AT_A_TIME = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockLayout:
    """Where the entries of ZᵗWZ belong, looked up once for a model.

    Parameters
    ----------
    first, rest : ndarray of int
        Rows of Zᵗ of the largest grouping factor, level by level, and of the others.
    first_terms, rest_terms : tuple of int
        The terms that these belong to.
    width : int
        Effects of a level of the largest factor.
    in_blocks : tuple of ndarray
        Of its blocks: positions in the entries of ZᵗWZ, and places in the blocks.
    k, g : csr_array of int
        K and G with positions in the entries of ZᵗWZ, counted from 1, in place of numbers.
    dense : bool
        Whether S is.
    term_rows : tuple of ndarray of int
        Rows of each term within `first` or `rest`, shape (levels, c).
    """

    first: IntArray
    rest: IntArray
    first_terms: tuple[int, ...]
    rest_terms: tuple[int, ...]
    width: int
    in_blocks: tuple[IntArray, IntArray]
    k: csr_array
    g: csr_array
    dense: bool
    term_rows: tuple[IntArray, ...]

    @classmethod
    def of(cls, random: RandomEffects, ZtZ: csc_array) -> BlockLayout:
        """Return how ZᵗWZ is to be factored, by where it has entries.

        Raises
        ------
        DataError
            If the matrix is not one of these terms.
        """
        q = int(random.Gp[-1])
        if ZtZ.shape != (q, q):
            raise DataError(f"ZtZ is {ZtZ.shape[0]} x {ZtZ.shape[1]}, the terms have {q} effects")
        names = [term.bar.group_name for term in random.terms]
        rows = [
            begin + np.arange(term.levels * term.columns).reshape(term.levels, term.columns)
            for begin, term in zip(random.Gp[:-1], random.terms, strict=True)
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
            dense=rest.size <= _SMALL or (rest.size <= _LARGE and _filled(k) >= _FILLED),
            term_rows=tuple(inside[each] for each in rows),
        )

    def fill(self, data: FloatArray, *, lasting: bool = False) -> BlockProducts:
        """Return ZᵗWZ with these entries, by its parts.

        Parameters
        ----------
        data : ndarray of float64
            The entries, in the order of the matrix that the layout was made of.
        lasting : bool
            Whether many factors Λ will be tried on them.
        """
        width = self.width
        blocks = np.zeros(self.first.size * width)
        blocks[self.in_blocks[1]] = data[self.in_blocks[0]]
        k, g = (
            csr_array((data[part.data - 1], part.indices, part.indptr), shape=part.shape)
            for part in (self.k, self.g)
        )
        small = k.shape[0] * k.shape[1] <= _COMPACT
        return BlockProducts(
            layout=self,
            blocks=blocks.reshape(-1, width, width),
            k=k.toarray() if small else k,
            g=g.toarray() if self.dense else g,
            listed=_listed(k, g, width) if lasting and self.dense and not small else None,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockProducts:
    """ZᵗWZ by its parts.

    Parameters
    ----------
    layout : BlockLayout
    blocks : ndarray of float64, shape (levels, c, c)
        The part of the largest factor.
    k : ndarray of float64 or csr_array
        Dense where it is small.
    g : ndarray of float64 or csr_array
    listed : csr_array or None
        What turns the entries of H, and a 1, into the lower triangle of G - K H Kᵗ.
    """

    layout: BlockLayout
    blocks: FloatArray
    k: Any
    g: Any
    listed: csr_array | None

    def times(self, b: FloatArray) -> FloatArray:
        """Return ZᵗWZ b for b of shape (q,)."""
        layout = self.layout
        first, rest = b[layout.first], b[layout.rest]
        result = np.empty_like(b)
        inside = np.matmul(self.blocks, first.reshape(len(self.blocks), layout.width, 1))
        result[layout.first] = inside.ravel() + self.k.T @ rest
        result[layout.rest] = self.k @ first + self.g @ rest
        return result

    def eliminate(self, factor: RelativeFactor) -> ConditionalCovariance:
        """Return V at a relative factor.

        Raises
        ------
        DataError
            For numbers beyond the range of floating point.
        """
        inner, log_det = self._largest(factor.some(self.layout.first_terms).joined())
        others = factor.some(self.layout.rest_terms)
        solve: Callable[[FloatArray], FloatArray] = np.copy
        if self.layout.dense and self.layout.rest.size:
            root, status = dpotrf(self._dense_s(inner, others).T, overwrite_a=1, clean=0)
            if status:
                raise _beyond()
            log_det += 2.0 * float(np.log(root.diagonal()).sum())
            solve = lambda values: np.asarray(dpotrs(root, values)[0])  # noqa: E731
        elif self.layout.rest.size:
            lu = splu(
                self._sparse_s(inner, others),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
            log_det += float(np.log(lu.U.diagonal()).sum())
            solve = lu.solve
        return ConditionalCovariance(self, others, inner, solve, log_det)

    def _largest(self, Lambda: FloatArray) -> tuple[FloatArray, float]:
        """Return H, and the logarithm of the determinant of the part it inverts."""
        if len(Lambda) == 1:
            squared = Lambda[0, 0] ** 2
            inside = squared * self.blocks + 1.0
            return squared / inside, float(np.log(inside).sum())
        inside = Lambda.T @ self.blocks @ Lambda
        inside += np.eye(len(Lambda))
        try:
            roots = np.linalg.cholesky(inside)
        except np.linalg.LinAlgError:
            raise _beyond() from None
        half = np.linalg.solve(roots, np.broadcast_to(Lambda.T, inside.shape))
        log_det = 2.0 * float(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum())
        return np.matmul(half.transpose(0, 2, 1), half), log_det

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
        """Return S as a sparse matrix."""
        Lambda = block_diag(
            [
                _block_diagonal(np.broadcast_to(block, (levels, *block.shape)))
                for block, levels in zip(factor.blocks, factor.levels, strict=True)
            ],
            format="csr",
        )
        k = csr_array(self.k)
        left = self.g - k @ _block_diagonal(inner) @ k.T
        return csc_array(Lambda.T @ left @ Lambda + eye_array(self.layout.rest.size))


@dataclass(frozen=True, eq=False)
class ConditionalCovariance:
    """V, by H and a solver for S.

    Parameters
    ----------
    products : BlockProducts
    others : RelativeFactor
        Λ₂.
    inner : ndarray of float64, shape (levels, c, c)
        H.
    solve : callable
        Takes an array of shape (q₂, k) and solves S for it.
    log_det : float
        The logarithm of the determinant of ΛᵗZᵗWZΛ + I.
    """

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
        layout, width = self.products.layout, self.products.layout.width
        first = self.inner
        if layout.rest.size:
            first = first + first @ self._around(csc_array(self.products.k), width) @ first
        ones = eye_array(layout.rest.size, format="csc")
        found = []
        for place, rows in enumerate(layout.term_rows):
            if place in layout.first_terms:
                at = rows[0] % width
                found.append(first[:, at[:, None], at])
            else:
                found.append(self._around(ones[:, rows.ravel()], rows.shape[1]))
        return found

    def _around(self, columns: csc_array, width: int) -> FloatArray:
        """Return the diagonal blocks of CᵗV₂₂C, so many columns of C each."""
        count = columns.shape[1] // width
        found = np.empty((count, width, width))
        step = max(1, _AT_A_TIME // width)
        for begin in range(0, count, step):
            part = slice(begin, begin + step)
            some = columns[:, begin * width : (begin + step) * width].toarray()
            solved = self._v22(some)
            shape = (len(some), -1, width)
            found[part] = np.einsum("qia,qib->iab", some.reshape(shape), solved.reshape(shape))
        return found


def _times(inner: FloatArray, values: FloatArray) -> FloatArray:
    """Return H times an array of shape (levels c, k)."""
    if inner.shape[1] == 1:
        return np.asarray(inner[:, 0] * values)
    parts = values.reshape(len(inner), inner.shape[1], -1)
    return np.asarray(np.matmul(inner, parts).reshape(values.shape))


def _filled(k: csr_array) -> float:
    """Return the share of K Kᵗ that is not zero."""
    linked = csr_array((np.ones(k.nnz), k.indices, k.indptr), shape=k.shape)
    return float((linked @ linked.T).nnz / k.shape[0] ** 2)


def _listed(k: csr_array, g: csr_array, width: int) -> csr_array | None:
    """Return the products of entries of K of one level, by where they go; None for too many.

    G - K H Kᵗ is linear in the entries of H, which are few beside the products that a sparse
    product of matrices would look for again at each step.
    """
    columns = k.tocsc()
    size, last = k.shape
    at = np.repeat(np.arange(last, dtype=np.int32), np.diff(columns.indptr))
    rows, levels, data = columns.indices, at // np.int32(width), columns.data
    if width > 1:
        order = np.lexsort((rows, levels))
        rows, at, levels, data = rows[order], at[order], levels[order], data[order]
    counts = np.bincount(levels, minlength=last // width)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    before = (np.arange(rows.size) - starts + 1).astype(np.int32)
    total = int(before.sum())
    if total > _LISTED:
        return None
    # Each entry with itself and those before it of its level: the lower triangle.
    one = np.repeat(np.arange(rows.size, dtype=np.int32), before)
    shifts = (starts - np.cumsum(before) + before).astype(np.int32)
    other = np.arange(total, dtype=np.int32) + np.repeat(shifts, before)
    values = -data[one] * data[other]
    if width > 1:
        values[(rows[one] == rows[other]) & (one != other)] *= 2.0
    inner = levels[one]
    if width > 1:
        inner = inner * width * width + at[one] % width * width + at[other] % width
    lower = g.tocoo()
    places = lower.coords[0] * size + lower.coords[1]
    return coo_array(
        (
            np.concatenate([values, lower.data * (lower.coords[0] >= lower.coords[1])]),
            (
                np.concatenate([rows[one] * size + rows[other], places]),
                np.concatenate([inner, np.full(lower.nnz, last * width, dtype=np.int32)]),
            ),
        ),
        shape=(size * size, last * width + 1),
    ).tocsr()


def _block_diagonal(blocks: FloatArray) -> csr_array:
    """Return a sparse matrix of square blocks along its diagonal."""
    count, width = blocks.shape[:2]
    pointers = np.arange(count + 1)
    shape = (count * width, count * width)
    return bsr_array((blocks, pointers[:-1], pointers), shape=shape).tocsr()


def _beyond() -> DataError:
    return DataError("the random effects have variances beyond the range of floating point")
