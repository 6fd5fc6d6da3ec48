"""A sparse X is the dense one, column for column, and never dense on the way."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array

import lme4py
from lme4py.linpack import qr
from lme4py.matrices.rank import rank_of
from tests.recorded.cases import FIXTURES, build, error_text, load
from tests.recorded.components import differences

ROWS = 400


def _frame():
    random = np.random.default_rng(8)
    codes = random.integers(0, 6, ROWS)
    return pd.DataFrame(
        {
            "y": random.standard_normal(ROWS),
            "x": np.where(random.random(ROWS) < 0.4, 0.0, random.standard_normal(ROWS)),
            "big": 1e6 * random.standard_normal(ROWS),
            "infinite": np.where(np.arange(ROWS) == 7, np.inf, 1.5),
            "a": pd.Categorical.from_codes(codes, list("pqrstu")),
            "same": pd.Categorical.from_codes(codes, list("PQRSTU")),
            "b": random.random(ROWS) < 0.3,
            "m": pd.Categorical.from_codes(random.integers(-1, 3, ROWS), list("uvw")),
            "g": pd.Categorical.from_codes(random.integers(0, 9, ROWS), list("abcdefghi")),
        }
    )


FORMULAS = [
    "y ~ 1",
    "y ~ 0",
    "y ~ x*a + b",
    "y ~ a:b:x + m",
    "y ~ 0 + a + x:a",
    "y ~ poly(x, 2) + log(abs(big) + 1)",
    "y ~ x + big + a",
    "y ~ x + I(2 * x) + a + same",
    "y ~ a*same*b",
    "y ~ C(a, contr.helmert) * x + C(m, contr.sum)",
]


def _both(formula, **arguments):
    formula, frame = f"{formula} + (1 | g)", _frame()
    dense = lme4py.lformula(formula, frame, **arguments)
    return dense, lme4py.lformula(formula, frame, sparse_X=True, **arguments)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("action", ["message+drop.cols", "ignore"])
def test_columns_are_those_of_the_dense_matrix(formula, action):
    dense, sparse = _both(formula, control={"check.rankX": action})
    assert isinstance(sparse.X, csc_array)
    assert sparse.X.shape == dense.X.shape
    np.testing.assert_array_equal(sparse.X.toarray(), dense.X)
    assert (sparse.X.data != 0).all()
    assert sparse.X.indices.dtype == np.int32
    csc_array((sparse.X.data, sparse.X.indices, sparse.X.indptr), sparse.X.shape).check_format()
    assert sparse.fixed.names == dense.fixed.names
    assert sparse.fixed.dropped == dense.fixed.dropped
    assert sparse.messages == dense.messages


@pytest.mark.parametrize("formula", ["y ~ infinite:a", "y ~ m"])
def test_missing_and_infinite_values_stay(formula):
    control = {"check.rankX": "ignore", "check.scaleX": "ignore"}
    dense, sparse = _both(formula, control=control, na_action="pass")
    np.testing.assert_array_equal(sparse.X.toarray(), dense.X)


def test_scales_are_divided_out_alike():
    dense, sparse = _both("y ~ x + big", control={"check.scaleX": "message+rescale"})
    np.testing.assert_array_equal(sparse.X.toarray(), dense.X)
    assert sparse.fixed.scales == dense.fixed.scales != {}


@pytest.mark.parametrize("action", ["stop.deficient", "stop"])
def test_refusals_are_those_of_the_dense_matrix(action):
    control = {"check.rankX" if "." in action else "check.scaleX": action}
    formula = "y ~ a + same + (1 | g)" if "." in action else "y ~ x + big + (1 | g)"
    with pytest.raises(lme4py.CheckError) as dense:
        lme4py.lformula(formula, _frame(), control=control)
    with pytest.raises(lme4py.CheckError) as sparse:
        lme4py.lformula(formula, _frame(), control=control, sparse_X=True)
    assert str(sparse.value) == str(dense.value)


@pytest.mark.parametrize("share", [1e-12, 2e-8, 9e-8, 1.1e-7, 4e-7, 1e-5, 1e-2])
@pytest.mark.parametrize("seed", range(4))
def test_rank_near_the_tolerance(share, seed):
    """A column that is a combination of others but for `share` of its norm."""
    random = np.random.default_rng(seed)
    x = np.where(random.random((80, 6)) < 0.5, 0.0, random.standard_normal((80, 6)))
    noise = random.standard_normal(80)
    column = x[:, :3] @ [1.0, -2.0, 0.5]
    column += noise * share * np.linalg.norm(column) / np.linalg.norm(noise)
    x = np.column_stack([x[:, :4], column, x[:, 4:], np.zeros(80)])
    rank, pivot = rank_of(csc_array(x))
    expected = qr(x)
    assert rank == expected.rank
    assert pivot.tolist() == expected.pivot.tolist()


def test_many_columns_fit_where_a_dense_matrix_would_not():
    rows = 200_000
    random = np.random.default_rng(1)
    frame = {"y": random.standard_normal(rows), "g": np.arange(rows) % 10}
    for name in ("a", "b"):
        codes = random.integers(0, 1000, rows)
        frame[name] = pd.Categorical.from_codes(codes, [f"{name}{i:04}" for i in range(1000)])
    design = lme4py.lformula("y ~ a + b + (1 | g)", frame, sparse_X=True)
    assert design.X.shape == (rows, 1999)
    assert design.X.nnz <= 3 * rows


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("edges/*.rds")), ids=lambda path: path.stem)
def test_at_the_edges_it_is_r_s_matrix(path):
    """Fixtures of fixtures/make_edges.R, whose X is dense."""
    record = load(path)
    if error_text(record) is not None:
        with pytest.raises(lme4py.Lme4pyError):
            build(record, sparse_X=True)
        return
    design, said = build(record, sparse_X=True)
    dense = replace(design, X=design.X.toarray(order="F"))
    assert differences(dense, record, said) == []
