"""``reorder``, ``replace`` and ``polym``, with R 4.2.2's values, and their new rows."""

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data.collation import Collation
from lme4py.data.values import Factor
from lme4py.functions.table import Context, lookup
from tests.bounded import bounded_work

BOTH = "1.0 2.0 0.1 1.1 0.2"
DATA = {
    "y": np.array([1.0, 3, 2, 5, 4, 6, 8, 7, 9, 12, 10, 11]),
    "x": np.array([5.0, 3, 9, 1, 2, 7, 4, 8, 6, 10, 12, 11]),
    "z": np.arange(1, 13),
    "f": pd.Categorical(list("uvw") * 4),
    "s": list("rts") * 4,
    "g": list("abcd") * 3,
}
LEVELS = {
    "reorder(f, x)": "u v w",
    "reorder(f, -x)": "w v u",
    "reorder(s, x)": "r t s",
    "reorder(s, x, FUN = median)": "r t s",
    "reorder(f, x, max)": "u w v",
    "reorder(z, x)": "4 5 2 7 1 9 6 8 3 10 12 11",
    "reorder(f, ifelse(f == 'u', NA, x))": "v w u",
    "reorder(f, x, decreasing = TRUE)": "w v u",
}
VALUES = {
    "replace(x, x > 8, 0)": [5, 3, 0, 1, 2, 7, 4, 8, 6, 0, 0, 0],
    "replace(z, z > 6, 1.5)": [1, 2, 3, 4, 5, 6, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5],
    "replace(x, is.na(x), mean(x))": [5, 3, 9, 1, 2, 7, 4, 8, 6, 10, 12, 11],
    "replace(f, f == 'u', 'v')": list("vvwvvwvvwvvw"),
    "replace(s, s == 'r', 'q')": list("qtsqtsqtsqts"),
}
FAULTS = {
    "reorder(f)": 'argument "X" is missing, with no default',
    "reorder(f, 1)": "arguments must have same length",
    "reorder(f, x, FUN = nosuch)": "object 'nosuch' not found",
    "replace(x, 1, 2)": "takes a condition",
}


def _design(call):
    control = {"check.rankX": "ignore"}
    return lme4py.lformula(f"y ~ {call} + (1 | g)", DATA, control=control)


@pytest.mark.parametrize("call", [*LEVELS, "reorder(f, x, order = TRUE)", *VALUES])
def test_values_and_new_rows(call):
    design = _design(call)
    value = design.frame.iloc[:, 1]
    if call in LEVELS:
        assert list(value.cat.categories) == LEVELS[call].split()
        assert value.astype(str).tolist() == [str(item) for item in DATA[call[8]]]
    elif call in VALUES:
        assert value.tolist() == VALUES[call]
    else:
        assert design.fixed.names[1].endswith(".L")
    alone = [design.spec.apply({k: v[row : row + 1] for k, v in DATA.items()}) for row in (2, 7)]
    np.testing.assert_array_equal(np.vstack([row.X for row in alone]), design.X[[2, 7]])


@pytest.mark.parametrize(
    ("call", "names", "row"),
    [
        ("polym(x, z, degree = 2)", BOTH, [-0.1254, -0.2646, -0.4599, 0.0577, 0.5018]),
        ("polym(x, z, degree = 2, raw = TRUE)", BOTH, [5, 25, 1, 5, 1]),
        ("polym(x, degree = 2)", "1 2", [-0.1254, -0.2646]),
        ("polym(x, z)", "1.0 0.1", [-0.1254, -0.4599]),
    ],
)  # fmt: skip
def test_polym(call, names, row):
    design = _design(call)
    assert [name[len(call) :] for name in design.fixed.names[1:]] == names.split()
    np.testing.assert_allclose(design.X[0, 1:], row, atol=5e-5)
    rows = design.spec.apply({name: column[:1] for name, column in DATA.items()})
    np.testing.assert_allclose(rows.X, design.X[:1], atol=1e-14)


@pytest.mark.parametrize(("call", "words"), FAULTS.items())
def test_what_they_refuse(call, words):
    with pytest.raises(lme4py.Lme4pyError) as caught:
        _design(call)
    assert words in str(caught.value)


def test_indicators_of_many_levels_are_bounded():
    for call in ("dummy(f, 1:20000)", "dummy(1:20000)"):
        with bounded_work(calls=200_000, megabytes=600), pytest.raises(lme4py.DataError):
            _design(call)


def test_indicators_have_as_many_rows_as_the_data():
    rows = 2**21 + 5
    made = Factor(np.arange(rows, dtype=np.int32) % 3, ("a", "b", "c"))
    context = Context(rows, Collation("icu"), lambda _: None)
    values, _ = lookup("dummy").compute(f=made, context=context)
    assert values.values.shape == (rows, 2)
    assert values.values.sum(axis=0).tolist() == [(made.codes == k).sum() for k in (1, 2)]
