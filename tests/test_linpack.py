"""Limited pivoting against qr(x, tol = 1e-7, LAPACK = FALSE) of R 4.2.2 (and 4.6.1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lme4py.linpack import q_times, qr
from lme4py.matrices.rank import rank_of

YEARS = np.array([1950, 1963, 1967, 1971, 1980, 1988, 1994, 2003, 2011, 2019.0])
BLOCKS = np.kron(np.eye(3), np.ones((4, 1)))
ROWS = np.arange(15)
# R: i <- 0:14; A <- outer((i * 7) %% 5, 0:4, "==") * 1; B <- outer((i * i * 11 + i) %% 4, ...)
A, B = (np.eye(5)[ROWS * 7 % 5], np.eye(4)[(ROWS * ROWS * 11 + ROWS) % 4])
# cbind(1, A[, -1], B[, -1], do.call(cbind, lapply(1:5, function(k) A[, k] * B)))
CROSSED = np.column_stack([np.ones(15), A[:, 1:], B[:, 1:], *(A[:, [k]] * B for k in range(5))])
KEPT = [0, 1, 2, 3, 4, 6, 8, 12, 16, 20]

# R: x <- ...; q <- qr(x, tol = 1e-7); q$rank; q$pivot - 1
CASES = {
    "full": (np.column_stack([np.ones(10), YEARS]), 2, [0, 1]),
    "dummies with intercept": (np.column_stack([np.ones(12), BLOCKS]), 3, [0, 1, 2, 3]),
    "dummies first": (np.column_stack([BLOCKS, np.ones(12)]), 3, [0, 1, 2, 3]),
    "repeated in the middle": (
        np.column_stack([np.ones(10), np.full(10, 2.0), YEARS]),
        2,
        [0, 2, 1],
    ),
    "zero column": (np.column_stack([np.zeros(10), YEARS]), 1, [1, 0]),
    "raw powers of years": (np.column_stack([YEARS**k for k in range(5)]), 4, [0, 1, 2, 3, 4]),
    "crossed, more columns than rows": (
        CROSSED,
        10,
        KEPT + [j for j in range(28) if j not in KEPT],
    ),
    "crossed, more rows than columns": (
        np.vstack([CROSSED, CROSSED, CROSSED[:9]]),
        10,
        KEPT + [j for j in range(28) if j not in KEPT],
    ),
    "more columns than rows": (np.vander(np.array([1.0, 2, 3]), 5, True), 3, [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", CASES)
def test_rank_and_pivot(name: str) -> None:
    x, rank, pivot = CASES[name]
    found = qr(x)
    assert (found.rank, found.pivot.tolist()) == (rank, pivot)
    small_rank, small_pivot = rank_of(x)
    assert (small_rank, small_pivot.tolist()) == (rank, pivot)


def test_no_columns() -> None:
    rank, pivot = rank_of(np.zeros((4, 0)))
    assert rank == 0
    assert pivot.tolist() == []


def test_extreme_scales_do_not_overflow() -> None:
    x = np.column_stack([np.ones(4), [1e200, 2e200, 3e200, 5e200], [1e-200, 0, 2e-200, 0]])
    assert rank_of(x)[0] == 3


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 6))
def test_q_r_gives_the_matrix_back(seed: int, rows: int, columns: int) -> None:
    x = np.random.default_rng(seed).normal(size=(rows, columns))
    found = qr(x)
    back = q_times(found, np.triu(found.qr))
    np.testing.assert_allclose(back, x[:, found.pivot], atol=1e-12)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([(20, 6), (9, 100), (90, 80)])
)
def test_short_cut_agrees_with_the_full_rule(seed: int, rank: int, shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(shape[0], rank)) @ generator.integers(-2, 3, (rank, shape[1]))
    full = qr(x)
    short_rank, short_pivot = rank_of(x)
    assert short_rank == full.rank
    assert short_pivot.tolist() == full.pivot.tolist()
