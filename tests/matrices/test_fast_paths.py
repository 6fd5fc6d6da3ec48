"""Shortcuts for many rows say the same as the long way."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data.factors import drop_unused
from lme4py.data.values import Factor
from lme4py.matrices import fixed, plan
from lme4py.matrices.rank import rank_of

ROWS = 30_000


@pytest.mark.parametrize("place", [0, 4096, ROWS - 1])
def test_a_level_that_occurs_once_is_kept(place):
    codes = np.zeros(ROWS, dtype=np.int32)
    codes[1::2] = -1
    codes[place] = 2
    assert drop_unused(Factor(codes, ("a", "b", "c"))).levels == ("a", "c")
    codes[place] = 1
    factor = Factor(codes, ("a", "b"))
    assert drop_unused(factor) is factor


@pytest.mark.parametrize("columns", [2, 9, 60])
@pytest.mark.parametrize("dependent", [False, True])
def test_some_rows_never_prove_what_all_rows_deny(columns, dependent):
    random = np.random.default_rng(columns)
    x = np.asfortranarray(random.standard_normal((ROWS, columns)))
    x[:, 0] = 1.0
    if dependent:
        x[:, -1] = x[:, :-1] @ random.standard_normal(columns - 1)
    rank, pivot = rank_of(x)
    assert rank == columns - dependent
    assert pivot.tolist() == list(range(columns))


def test_a_column_that_few_rows_set_apart():
    """No sampled row shows it; the full Gram matrix, or the QR, does."""
    x = np.ones((ROWS, 2), order="F")
    x[1, 1] = 2.0
    assert rank_of(x)[0] == 2


@pytest.mark.parametrize(
    ("column", "distant"),
    [
        (np.random.default_rng(1).standard_normal(ROWS), False),
        (np.random.default_rng(1).standard_normal(ROWS) * 500, False),
        (np.random.default_rng(1).standard_normal(ROWS) * 1500, True),
        (np.random.default_rng(1).standard_normal(ROWS) + 1e5, False),
        (np.random.default_rng(1).standard_normal(ROWS) / 1500, True),
        (np.where(np.arange(ROWS) == 4001, 1e6, 0.5), True),
        (np.where(np.arange(ROWS) == 4001, 7.0, 1.0), False),
    ],
)
def test_scales_are_judged_as_by_standard_deviations(monkeypatch, column, distant):
    other = np.random.default_rng(2).standard_normal(ROWS)
    frame = {"y": other, "x": column, "z": other[::-1], "g": np.arange(ROWS) % 7}
    found = []
    for shortcut in (fixed._clearly_close, lambda _: False):
        monkeypatch.setattr(fixed, "_clearly_close", shortcut)
        if distant:
            with pytest.warns(lme4py.Lme4pyWarning, match="very different scales"):
                found.append(lme4py.lformula("y ~ x + z + (1 | g)", frame))
        else:
            found.append(lme4py.lformula("y ~ x + z + (1 | g)", frame))
    assert found[0].messages == found[1].messages
    assert bool(found[0].messages) is distant


def _in_pieces_of(monkeypatch, rows):
    monkeypatch.setattr(plan, "_SHORTEST_PIECE", rows)
    monkeypatch.setattr(plan, "_LONGEST_PIECE", rows)


@pytest.mark.parametrize("piece", [1, 7, 64, 10**6])
def test_zeros_are_removed_in_place(monkeypatch, piece):
    _in_pieces_of(monkeypatch, piece)
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "y": random.standard_normal(300),
            "x": np.where(random.random(300) < 0.5, 0.0, random.standard_normal(300)),
            "a": pd.Categorical.from_codes(random.integers(0, 3, 300), list("pqr")),
            "g": random.integers(0, 5, 300),
        }
    )
    Zt = lme4py.lformula("y ~ 1 + (x + a | g) + (0 + x | a)", frame).Zt
    assert (Zt.data != 0).all()
    assert Zt.data.base is None or Zt.data.base.size == Zt.nnz
    Zt.check_format()
    # Rebuilt from R's definition: the Khatri-Rao product of indicators and columns.
    a = frame["a"].cat.codes.to_numpy()
    left = np.column_stack([np.ones(300), frame["x"], a == 1, a == 2])
    groups = np.eye(5)[frame["g"]]
    first = (groups[:, :, None] * left[:, None, :]).reshape(300, 20).T
    second = (np.eye(3)[a] * frame["x"].to_numpy()[:, None]).T
    np.testing.assert_array_equal(Zt.toarray(), np.vstack([first, second]))


FORMULAS = [
    "y ~ x * a + (x | g)",
    "y ~ a * b + (0 + a:b | g)",
    "y ~ 1 + (0 + x:b | g) + (1 | a)",
    "y ~ 1 + (0 + h:b | g)",
    "y ~ 1 + (0 + h:b:x | g) + (x * a | a)",
    "y ~ 1 + (a + b + x | g) + (0 + poly(z, 2) | b)",
    "y ~ 1 + (C(a, contr.sum) * b | g)",
]


def _frame(rows):
    random = np.random.default_rng(11)
    numbers = random.standard_normal(rows)
    return pd.DataFrame(
        {
            "y": random.integers(0, 2, rows),
            "x": np.where(random.random(rows) < 0.3, 0.0, numbers),
            "z": random.standard_normal(rows),
            # Zero times infinity is an entry.
            "h": np.where(np.arange(rows) == rows // 2, np.inf, numbers),
            "a": pd.Categorical.from_codes(random.integers(0, 3, rows), list("pqr")),
            "b": pd.Categorical.from_codes(random.integers(0, 4, rows), list("klmn")),
            "g": random.integers(0, 9, rows),
        }
    )


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyAdvice")
@pytest.mark.parametrize("formula", FORMULAS)
def test_pieces_do_not_show(monkeypatch, formula):
    frame = _frame(500)
    whole = lme4py.glformula(formula, frame)
    _in_pieces_of(monkeypatch, 7)
    pieces = lme4py.glformula(formula, frame)
    np.testing.assert_array_equal(pieces.X, whole.X)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(pieces.Zt, part), getattr(whole.Zt, part))
    # Entry by entry from the columns themselves.
    first = 0
    for term in whole.random.terms:
        codes = term.group.codes
        columns = np.column_stack([term.plan.column(i) for i in range(term.columns)])
        stored = whole.Zt[first : first + term.levels * term.columns].toarray()
        picked = stored.reshape(term.levels, term.columns, -1)[codes, :, np.arange(500)]
        np.testing.assert_array_equal(picked, columns)
        assert np.count_nonzero(columns, axis=1).max() <= term.plan.most_entries
        first += term.levels * term.columns
    assert np.count_nonzero(whole.Zt.data) == whole.Zt.nnz


def test_given_columns_may_all_have_entries():
    """An intercept among given columns of one term counts beside them."""
    columns = np.column_stack([np.ones(3), np.arange(3.0), np.ones(3)])
    for names in (["(Intercept)", "a", "b"], ["(Intercept)", "a", "(Intercept)"]):
        assert plan.Plan.given(columns, names, (0, 0, 0)).most_entries == 3


def test_many_columns_that_exclude_each_other_need_little_memory():
    """The columns of 400 levels, written out, would take 130 MB."""
    rows = 40_000
    random = np.random.default_rng(3)
    f = pd.Categorical.from_codes(random.integers(0, 400, rows), [f"f{i:03}" for i in range(400)])
    frame = pd.DataFrame(
        {"y": random.standard_normal(rows), "f": f, "g": random.integers(0, 9, rows)}
    )
    tracemalloc.start()
    Zt = lme4py.lformula("y ~ 1 + (0 + f | g)", frame).Zt
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert Zt.nnz == rows
    assert peak < 10e6
