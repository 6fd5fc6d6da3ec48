"""Penalised least squares, with the matrix of the random effects factored by blocks.

A linear model is one such problem at each Λ, and so is a step of PIRLS: of X, Z and a response with
weights W it wants the fixed effects β and the random effects b = Λu that make
(y - Xβ - ZΛu)ᵗW(y - Xβ - ZΛu) + uᵗu least (Bates et al. 2015, equation 14). All that it asks of
ΛᵗZᵗWZΛ + I (equation 18) is its determinant and products with V = Λ (ΛᵗZᵗWZΛ + I)⁻¹ Λᵗ, the
conditional covariance of b relative to σ² (equation 58). A row of the data has one level of a
factor, so what belongs to one factor is block-diagonal in ZᵗWZ. The largest factor is eliminated by
its small dense blocks B; with the others

    V₁₁ = H + H Kᵗ V₂₂ K H,   V₂₂ = Λ₂ S⁻¹ Λ₂ᵗ,   S = I + Λ₂ᵗ (G - K H Kᵗ) Λ₂,

where H is V of the largest factor by itself, G the part of ZᵗWZ that belongs to the others, and
K the part between. S is dense or, where it is large and mostly zero, as with pupils in classes
in schools, left to SuperLU with an order for symmetric matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag as joined
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf
from scipy.sparse import block_diag, bsr_array, coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.matrices.covariance import relative_factor
from lme4py.matrices.reterms import RandomEffects

Factor: TypeAlias = Sequence[tuple[FloatArray, int]]
"""Λ in the order of a layout: lower triangles, and for how many levels each stands."""
Solver: TypeAlias = Callable[[FloatArray], FloatArray]


# Below so many rows S is dense in any case, beyond the second number never, and in between where
# at least this share of it is not zero.
_SMALL, _LARGE, _FILLED = 400, 6000, 0.02
# Pairs of entries of K are listed where there are no more than this; K is dense where it has no
# more elements than that; so many columns are solved for at a time.
_LISTED, _COMPACT, _AT_A_TIME = 2**23, 2**16, 512
# What is left of a column of length 1, squared, is nothing below the first in blocks, below the
# second where the third was added to all, so that it could be divided by.
_FLAT, _SOME, _LITTLE = 1e-10, 1e-5, 1e-9
_BEYOND = "the random effects have variances beyond the range of floating point"
SINGULAR = "check_rankX drops columns that depend on others; some weights must be above 0"


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockLayout:
    """Where the entries of ZᵗWZ belong, looked up once for a model.

    `order` has the rows of Zᵗ in the order that is used here: `size` of the largest factor, level
    by level, then those of the other terms. `own` are the largest factor's places among the terms,
    `width` its columns; `rows` are the rows of each term in that order, shape (levels, c). The
    parts `blocks`, below one another, `k` and `g` have positions in the entries of ZᵗWZ in place of
    numbers. `listed` is what `_listed` finds, where S is dense and that is not too much; `ends`
    tells where a term's part of ``par`` ends.
    """

    random: RandomEffects
    ends: NDArray[Any]
    order: NDArray[Any]
    own: tuple[int, ...]
    size: int
    width: int
    rows: tuple[NDArray[Any], ...]
    blocks: coo_array
    k: coo_array
    g: coo_array
    dense: bool
    listed: tuple[NDArray[Any], NDArray[Any], csr_array] | None

    @classmethod
    def of(cls, random: RandomEffects, ZtZ: csc_array) -> BlockLayout:
        """Return how ZᵗWZ is to be factored, by where it has entries."""
        q = int(random.Gp[-1])
        if ZtZ.shape != (q, q):
            raise DataError(f"ZtZ is {ZtZ.shape[0]} x {ZtZ.shape[1]}, the terms have {q} effects")
        if not q:
            # lme4's words.
            raise DataError("length(theta) > 0L is not TRUE", hint="the terms have no columns")
        names, parts = [group for group, _ in random.cnms], np.split(np.arange(q), random.Gp[1:-1])
        pairs = zip(parts, random.terms, strict=True)
        rows = [part.reshape(term.levels, term.columns) for part, term in pairs]
        largest = names[int(np.argmax([each.size for each in rows]))]
        own = tuple(at for at, name in enumerate(names) if name == largest)
        by_level = np.concatenate([rows[at] for at in own], axis=1)
        size, width = by_level.size, by_level.shape[1]
        others = [each.ravel() for at, each in enumerate(rows) if at not in own]
        order = np.concatenate([by_level.ravel(), *others])
        entries = csc_array((np.arange(ZtZ.nnz), ZtZ.indices, ZtZ.indptr), shape=(q, q))
        places = entries[:, order].tocsr()[order]
        blocks, k = places[:size, :size].tocoo(), places[size:, :size]
        row, column = blocks.coords
        if not np.array_equal(row // width, column // width):
            raise DataError(f"ZtZ has entries between levels of {largest}")
        dense, listed = q - size <= _SMALL, None
        if _SMALL < q - size <= _LARGE:
            linked = csr_array((np.ones(k.nnz), k.indices, k.indptr), shape=k.shape)
            dense = (linked @ linked.T).nnz >= _FILLED * (q - size) ** 2
        g, inverse = places[size:, size:].tocoo(), np.argsort(order)
        if dense and k.shape[0] * size > _COMPACT:
            scalar = all(term.columns == 1 for at, term in enumerate(random.terms) if at not in own)
            listed = _listed(k.tocsc(), g, width, lower=scalar)
        return cls(
            random=random,
            ends=np.cumsum([term.covariance.par().size for term in random.terms])[:-1],
            order=order,
            own=own,
            size=size,
            width=width,
            rows=tuple(inverse[each] for each in rows),
            blocks=coo_array((blocks.data, (row, column % width)), shape=(size, width)),
            k=k.tocoo(),
            g=g,
            dense=dense,
            listed=listed,
        )

    def factor(self, par: FloatArray) -> Factor:
        """Return Λ."""
        found = [
            (relative_factor(term.covariance, term.covariance.theta(part)), term.levels)
            for term, part in zip(self.random.terms, np.split(par, self.ends), strict=True)
        ]
        own = [found[at] for at in self.own]
        block = own[0][0] if len(own) == 1 else joined(*(block for block, _ in own))
        others = [pair for at, pair in enumerate(found) if at not in self.own and pair[0].size]
        return [(block, own[0][1]), *others]

    def stored(self, *effects: FloatArray) -> list[FloatArray]:
        """Return effects in the order of Zᵗ's rows."""
        return [each[np.argsort(self.order)] for each in effects]

    def filled(self, data: FloatArray, squares: FloatArray, mixed: FloatArray) -> LeastSquares:
        """Return the problem of such products: the entries of ZᵗWZ, [X y]ᵗW[X y], ZᵗW[X y]."""
        listed, small = None, self.k.shape[0] * self.k.shape[1] <= _COMPACT
        if self.listed is not None:
            one, other, pattern = self.listed
            products = np.append(-data[one] * data[other], data[self.g.data])[pattern.data]
            listed = csr_array((products, pattern.indices, pattern.indptr), shape=pattern.shape)
        return LeastSquares(
            layout=self,
            squares=squares,
            mixed=mixed,
            blocks=_holding(self.blocks, data, dense=True).reshape(-1, self.width, self.width),
            k=_holding(self.k, data, dense=small),
            g=_holding(self.g, data, dense=self.dense),
            listed=listed,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LeastSquares:
    """All that the problem has of the rows (equation 17), Zᵗ in the order of the layout.

    `squares` is [X y]ᵗW[X y], `mixed` ZᵗW[X y]; `blocks`, `k` and `g` are the parts B, K and G of
    ZᵗWZ, and `listed` turns the entries of H, and a 1, into G - K H Kᵗ.
    """

    layout: BlockLayout
    squares: FloatArray
    mixed: FloatArray
    blocks: FloatArray
    k: Any
    g: Any
    listed: csr_array | None

    def at(self, factor: Factor) -> PenalisedFit:
        """Return the solution at a relative factor (equations 48 to 51)."""
        size, p, (Lambda, levels) = self.layout.size, len(self.squares) - 1, factor[0]
        inside = Lambda.T @ self.blocks @ Lambda + np.eye(len(Lambda))
        if len(Lambda) > 1:
            roots = cholesky(inside, _BEYOND, None)
            half = np.linalg.solve(roots, Lambda.T)
        else:
            roots = np.sqrt(inside)
            half = Lambda / roots
        inner = np.matmul(half.transpose(0, 2, 1), half)
        log_det = 2.0 * float(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum())
        own, rest = self.mixed[:size], self.mixed[size:]
        kept: FloatArray = _times([(inner, levels)], own)
        solve: Solver = np.copy
        if len(factor) > 1:
            solve, pivots = self._others(inner, factor[1:])
            log_det += 2.0 * float(np.log(pivots).sum())
            rest = _times(factor[1:], rest - self.k @ kept, transposed=True)
        left = self.squares - own.T @ kept - rest.T @ solve(rest)
        root = cholesky(left[:p, :p], "Downdated VtV is not positive definite", SINGULAR)
        half = solve_triangular(root, left[:p, p], lower=True, check_finite=False)
        pwrss = float(left[p, p] - half @ half)
        return PenalisedFit(self, factor, inner, solve, rest, log_det, root, half, pwrss)

    def rank(self) -> int:
        """Return the rank of [X Z], where [X Z]ᵗ[X Z] has ones on its diagonal, and there is no y.

        It is that of the blocks B, of what these leave of the other terms, and both leave of X.
        """
        inner = np.asarray(np.linalg.pinv(self.blocks, _FLAT, hermitian=True))
        own, rest = np.split(self.mixed, [self.layout.size])
        kept, some = _times([(inner, len(inner))], own), _FLAT
        found = int(np.linalg.matrix_rank(inner, hermitian=True).sum())
        left = self.squares - own.T @ kept
        if len(rest):
            solve, pivots = self._others(inner, [(np.array([[_LITTLE**-0.5]]), len(rest))])
            rest, some = (rest - self.k @ kept) * _LITTLE**-0.5, _SOME
            found += int((pivots**2 > some / _LITTLE).sum())
            left = left - rest.T @ solve(rest)
        return found + int((np.linalg.eigvalsh(left) > some).sum())

    def _others(self, inner: FloatArray, factor: Factor) -> tuple[Solver, FloatArray]:
        """Return what solves for S, and the diagonal of its root."""
        if self.listed is not None:
            S = (self.listed @ np.append(inner.ravel(), 1.0)).reshape(self.g.shape)
        elif isinstance(self.k, np.ndarray):
            S = self.g - self.k @ _times([(inner, len(inner))], self.k.T)
        else:
            S = self.g - self.k @ _block_diagonal(inner) @ self.k.T
        if not self.layout.dense:
            repeated = (np.broadcast_to(block, (levels, *block.shape)) for block, levels in factor)
            Lambda = block_diag([_block_diagonal(blocks) for blocks in repeated], format="csr")
            S = csc_array(Lambda.T @ csr_array(S) @ Lambda + eye_array(S.shape[0]))
            options = {"SymmetricMode": True}
            lu = splu(S, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
            return lu.solve, np.sqrt(lu.U.diagonal())
        if all(block.size == 1 for block, _ in factor):
            # Of the upper triangle nothing is read.
            scale = np.concatenate([np.full(levels, block[0, 0]) for block, levels in factor])
            S *= scale[:, None]
            S *= scale
        else:
            S = _times(factor, _times(factor, S, transposed=True).T, transposed=True)
        np.einsum("ii->i", S)[:] += 1.0
        root, status = dpotrf(S.T, overwrite_a=1, clean=0)
        if status:
            raise DataError(_BEYOND)
        solve = partial(cho_solve, (root, False), check_finite=False)
        return solve, root.diagonal()


@dataclass(frozen=True, eq=False)
class PenalisedFit:
    """The solution of a problem at Λ.

    `inner` is H, `solve` solves for S, `rest` is Λ₂ᵗ (R₂ - K H R₁) for R = ZᵗW[X y]; `log_det` is
    log|ΛᵗZᵗWZΛ + I|, RXᵗRX the square of `root`, `half` RX β, `pwrss` the least sum r².
    """

    problem: LeastSquares
    factor: Factor
    inner: FloatArray
    solve: Solver
    rest: FloatArray
    log_det: float
    root: FloatArray
    half: FloatArray
    pwrss: float

    @cached_property
    def beta(self) -> FloatArray:
        """Coefficients of X, shape (p,)."""
        half = solve_triangular(self.root, self.half, lower=True, trans=1, check_finite=False)
        return np.asarray(half)

    @cached_property
    def effects(self) -> tuple[FloatArray, FloatArray]:
        """The effects u and b = Λu in the order of the layout, shape (q,) (equations 52 and 57)."""
        problem, factor, levels = self.problem, self.factor, len(self.inner)
        error = np.append(-self.beta, 1.0)[:, None]
        second = self.solve(self.rest @ error)
        others = _times(factor[1:], second)
        first = problem.mixed[: problem.layout.size] @ error
        first -= problem.k.T @ others
        own = _times([(self.inner, levels)], first)
        left = first - _times([(problem.blocks, levels)], own)
        u = np.concatenate([_times(factor[:1], left, transposed=True), second])
        return u[:, 0], np.concatenate([own, others])[:, 0]

    @property
    def inverse_root(self) -> FloatArray:
        """The inverse of RX; its product with its transpose is (RXᵗRX)⁻¹ (equation 54)."""
        # LAPACK's solver of triangles would wake the threads of BLAS, which then spin.
        return np.asarray(np.linalg.inv(self.root.T), dtype=np.float64)

    def diagonal_blocks(self) -> list[FloatArray]:
        """Return what V has of each term's levels, shape (levels, c, c), in stored order."""
        layout, first, found = self.problem.layout, self.inner, []
        ones = eye_array(layout.order.size - layout.size, format="csc")
        if ones.nnz:
            first = first + first @ self._around(csc_array(self.problem.k), layout.width) @ first
        for place, rows in enumerate(layout.rows):
            if place in layout.own or not rows.size:
                at = rows[0] % layout.width
                found.append(first[:, at[:, None], at])
            else:
                found.append(self._around(ones[:, rows.ravel() - layout.size], rows.shape[1]))
        return found

    def _around(self, columns: csc_array, width: int) -> FloatArray:
        """Return the diagonal blocks of CᵗV₂₂C, so many columns of C each."""
        found, step = [], max(1, _AT_A_TIME // width) * width
        for begin in range(0, columns.shape[1], step):
            some = _times(self.factor[1:], columns[:, begin : begin + step].toarray(), True)
            parts = (part.reshape(len(some), -1, width) for part in (some, self.solve(some)))
            found.append(np.einsum("qia,qib->iab", *parts))
        return np.concatenate(found)


def cholesky(matrices: FloatArray, words: str, hint: str | None) -> FloatArray:
    """Return the lower triangles whose squares matrices are; `DataError` where there are none."""
    try:
        return np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise DataError(words, hint=hint) from None


def pairs_of_entries(
    matrix: csc_array, width: int = 1, *, lower: bool = False
) -> tuple[NDArray[np.integer[Any]], ...]:
    """Return the positions of any two entries of a matrix A that stand in the same `width` columns.

    Of such pairs A D Aᵗ is the sum if D has blocks so wide: returned are also the place in A D Aᵗ,
    by rows, where each belongs, and the place in the blocks of D of what it is multiplied by. Of a
    symmetric A D Aᵗ the `lower` triangle will do.
    """
    starts = matrix.indptr[::width]
    counts = np.diff(starts)
    each = np.repeat(counts, counts)
    one = np.repeat(np.arange(matrix.nnz, dtype=np.int32), each)
    shifts = np.repeat(starts[:-1], counts) - np.cumsum(each) + each
    other = np.arange(one.size, dtype=np.int32) + np.repeat(shifts.astype(np.int32), each)
    if lower:
        kept = matrix.indices[one] >= matrix.indices[other]
        one, other = one[kept], other[kept]
    column = np.repeat(np.arange(matrix.shape[1], dtype=np.int32), np.diff(matrix.indptr))
    # Places beyond 32 bits are rare, and slow.
    size = np.min_scalar_type(-(matrix.shape[0] ** 2)).type(matrix.shape[0])
    to = matrix.indices[one] * size + matrix.indices[other]
    return one, other, to, column[one] * width + column[other] % width


def _listed(
    k: csc_array, g: coo_array, width: int, *, lower: bool
) -> tuple[NDArray[Any], NDArray[Any], csr_array] | None:
    """Return the pairs of entries of K that meet in K H Kᵗ, and where they and those of G go.

    G - K H Kᵗ is linear in the entries of H, and a 1. A sparse product of matrices would look for
    the many products again at each step. None where there are too many.
    """
    counts = np.diff(k.indptr[::width]).astype(np.int64)
    if counts @ counts > _LISTED:
        return None
    one, other, to, inner = pairs_of_entries(k, width, lower=lower)
    (row, column), (size, last) = g.coords, (k.shape[0], k.shape[1] * width)
    to = np.append(to, row * size + column)
    inner = np.append(inner, np.full(g.nnz, last, dtype=np.int32))
    numbers = np.arange(to.size, dtype=np.int32)
    pattern = coo_array((numbers, (to, inner)), shape=(size**2, last + 1)).tocsr()
    return k.data[one], k.data[other], pattern


def _holding(pattern: coo_array, data: FloatArray, *, dense: bool) -> Any:
    """Return the matrix that has such numbers where a pattern has their positions."""
    numbers = data[pattern.data]
    if not dense:
        return csr_array((numbers, pattern.coords), shape=pattern.shape)
    found = np.zeros(pattern.shape)
    found[pattern.coords] = numbers
    return found


def _block_diagonal(blocks: FloatArray) -> csr_array:
    pointers, size = np.arange(len(blocks) + 1), len(blocks) * blocks.shape[1]
    return bsr_array((blocks, pointers[:-1], pointers), shape=(size, size)).tocsr()


def _times(factor: Factor, values: FloatArray, transposed: bool = False) -> FloatArray:
    """Return a block-diagonal matrix, or its transpose, times an array of shape (rows, k)."""
    found, begin = [], 0
    for block, levels in factor:
        width = block.shape[-1]
        part = values[begin : begin + levels * width]
        begin += len(part)
        if block.size == 1 or (width == 1 and block.ndim == 3):
            found.append(block.reshape(-1, 1) * part)
        else:
            turned = block.swapaxes(-1, -2) if transposed else block
            product = np.matmul(turned, part.reshape(levels, width, -1))
            found.append(product.reshape(part.shape))
    return found[0] if len(found) == 1 else np.concatenate([values[:0], *found])
