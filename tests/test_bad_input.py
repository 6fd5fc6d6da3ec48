"""Broken input of every kind ends in one of our errors, fast, and the data stay as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lme4py
from lme4py import Lme4pyError

from .bounded import bounded_work
from .rules import D, I, with_columns

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")

V = with_columns
GOOD = "y ~ x + (1 | g)"

FORMULAS = [
    # no formula at all
    "", " ", "y", "5", "y ~", "~", "~ ~", "y ~ x + (1 | g", "y ~ x + 1 | g)", "y ~ x + (1 g)",
    "y ~ x + (1 |)", "y ~ x + (| g)", "y ~ x + ()", "y = x + (1 | g)", "y <- x + (1 | g)",
    "y ~ x ~ (1 | g)", "y ~ x + (1 | g) +", "y ~ + * x", "y ~ x x", "y ~ x, (1 | g)",
    "y ~ x + (1 | g)\n+ z", "y ~ x; z", "y ~ _x + (1 | g)", "y ~ 2x + (1 | g)", "y ~ x + 'a",
    'y ~ x + "a', "y ~ `x + (1 | g)", "y ~ a < x < b + (1 | g)", "y ~ x %% + (1 | g)",
    "y ~ x %foo + (1 | g)", "y ~ {x", "y ~ x]", "y ~ x[[1]", "y ~ \\u0000", "y ~ x @ + (1 | g)",
    "y ~ if (x) + (1 | g)", "function(x) y", "y ~ x + (1 | g))", "((y ~ x + (1 | g)",
    "y ~ x \x00 + (1 | g)", "y ~ x + (1 | g) # ok?\n)", "y ~ x ? z", "\ufffd ~ x", "y ~ x + …",
    # as word processors write it
    "\ufeffy ~ x + (1 | g)", "y ~ x \u2212 1 + (1 | g)", "y ~ x +\u00a0(1 | g)",
    "y ~ x + (1 \u2223 g)",
    # as patsy, brms and others write it
    "y ~ Q('x') + (1 | g)", "y ~ np.log(x) + (1 | g)", "y ~ standardize(x) + (1 | g)",
    "y ~ x + (1 | gr(g))",
    # no model
    "y ~ x", "y ~ 1", "y ~ 0", "y ~ .", "y ~ x + 2 + (1 | g)", "y ~ x + 'a' + (1 | g)",
    "y ~ x + NA + (1 | g)", "y ~ x^y + (1 | g)", "y ~ x^1 + (1 | g)", "y ~ (x + z)^(2) + (1 | g)",
    "y ~ (x + z)^-1 + (1 | g)", "y ~ (x + z)^1.5 + (1 | g)", "y ~ x / 2 + (1 | g)",
    "y ~ x + Inf + (1 | g)", "y ~ x + 1i + (1 | g)", "y ~ (x ~ z) + (1 | g)", "y ~ (1 || g)",
    "y ~ (0 || g)", "y ~ (1 | 1)", "y ~ (1 | 'g')", "y ~ (1 | NULL)", "y ~ (1 | NA)",
    "y ~ (1 | TRUE)", "~ x + (1 | g)", "y ~ (x | g | k)", "y ~ (1 | (g/k)/h)", "y ~ (1 | g - g)",
    "y ~ (1 | g + 2)", "y ~ (1 | g:k/h)", "y ~ (1 | .)", "y ~ (1 | g^1)", "y ~ x + I(1 | g)",
    "y ~ (1 | x > 5)", "y ~ x + (1 | cut(x, 3))", "y ~ (1 | factor(h))", "y ~ (1 | log(x))",
    "y ~ cs(x | g, hom = NA)", "y ~ cs(x | g, hom = T)", "y ~ toep(x | g)",
    # names that do not exist
    "yy ~ x + (1 | g)", "y ~ X + (1 | g)", "y ~ x + (1 | G)", "y ~ x + (zz | g)",
    "y ~ log(zz) + (1 | g)", "y ~ lag(x) + (1 | g)", "y ~ foo::bar(x) + (1 | g)",
    "y ~ base::nofun(x) + (1 | g)", "y ~ x$y + (1 | g)", "y ~ x@y + (1 | g)",
    "y ~ offset(zz) + (1 | g)", "y ~ x + (1 | g/zz)", "y ~ x + (1 | g:zz)", "y ~ 5(x) + (1 | g)",
    "y ~ (x)(2) + (1 | g)", "y ~ get('x') + (1 | g)", "y ~ eval(x) + (1 | g)",
    "dd$y ~ x + (1 | g)", "y ~ x + (1 | dd$g)", "logit(y) ~ x + (1 | g)", "y ~ s(x) + (1 | g)",
    "y ~ year(x) + (1 | g)", "y ~ mgcv::s(x) + (1 | g)", "y ~ `$`(x) + (1 | g)",
    "y ~ ave(f, g) + (1 | g)", "y ~ ave(x, g, FUN = scale) + (1 | g)", "y ~ diff(f) + (1 | g)",
    "y ~ diff(x, 0) + (1 | g)", "y ~ months(x) + (1 | g)", "y ~ format(x, '%Y') + (1 | g)",
    "y ~ which(x) + (1 | g)", "y ~ complete.cases() + (1 | g)", "y ~ as.matrix(f) + (1 | g)",
    "y ~ difftime(lg, x) + (1 | g)", "y ~ duplicated(cbind(x, y)) + (1 | g)",
    "y ~ system('ls') + (1 | g)", "y ~ __import__('os') + (1 | g)", "y ~ library(x) + (1 | g)",
    # functions that cannot take their arguments
    "y ~ poly(x, 30) + (1 | g)", "y ~ poly(x, 0) + (1 | g)", "y ~ poly(f, 2) + (1 | g)",
    "y ~ poly() + (1 | g)", "y ~ log() + (1 | g)", "y ~ log(x, y, z) + (1 | g)",
    "y ~ log('a') + (1 | g)", "y ~ log(f) + (1 | g)", "y ~ exp(s)", "y ~ I(s + 1) + (1 | k)",
    "y ~ cut(x) + (1 | g)", "y ~ cut(x, 1) + (1 | g)", "y ~ cut(f, 3) + (1 | g)",
    "y ~ scale(f) + (1 | g)", "y ~ splines::ns(s) + (1 | g)",
    "y ~ splines::bs(s) + (1 | g)", "y ~ relevel(f, 'zz') + (1 | g)", "y ~ relevel(o, 1) + (1 | g)",
    "y ~ factor(f, labels = c('a', 'b')) + (1 | g)", "y ~ C(f, contr.sums) + (1 | g)",
    "y ~ C(f, nope)", "y ~ I(1) + (1 | g)", "y ~ c(1, 2) + (1 | g)", "y ~ NULL(x)",
    "y ~ mean + (1 | g)", "y ~ x[30] + (1 | g)", "y ~ log(x - 20) + (1 | g)",
    "y ~ log(x - .5) + (1 | g)", "y ~ I(1 / (x - 1)) + (1 | g)", "y ~ x + (log(x - 99) | g)",
    "y ~ exp(1e4 * x) + (1 | g)", "y ~ x %in% c(1, 2) + (1 | g)", "y ~ list(x) + (1 | g)",
    # too large to mean anything
    "y ~ " + "(" * 3000 + "x" + ")" * 3000, "y ~ " + "log(" * 3000 + "x" + ")" * 3000,
    "y ~ (" + " + ".join(f"v{i}" for i in range(60)) + ")^20 + (1 | g)", "y ~ " + "-" * 5000 + "x",
    "y ~ " + "!" * 3000 + "x", "y ~ x^99999999999999 + (1 | g)", "y ~ " + "x:" * 5000,
]  # fmt: skip

DATA = {
    "None": None,
    "number": 5,
    "text": "data.csv",
    "list": [1, 2, 3],
    "list of rows": [{"y": 1, "x": 2, "g": "a"}],
    "array": np.ones((3, 3)),
    "series": D["x"],
    "lazy frame": pl.DataFrame({"y": [1.0]}).lazy(),
    "empty mapping": {},
    "empty frame": pd.DataFrame(),
    "no rows": D.iloc[:0],
    "no rows in polars": pl.DataFrame({"y": [], "x": [], "g": []}),
    "one row": D.iloc[:1],
    "names twice": pd.concat([D, D["x"]], axis=1),
    "names twice by another": D.rename(columns={"z": "x"}),
    "differing lengths": {"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0], "g": ["a", "b", "a"]},
    "scalar column": {"y": D.y.to_numpy(), "x": 1.0, "g": list(D.g)},
    "constant group": V(g="a"),
    "group of its own for each row": V(g=I),
    "missing group": V(g=None),
    "missing response": V(y=np.nan),
    "missing predictor": V(x=np.nan),
    "all missing, each somewhere": V(
        x=np.where(I % 2, np.nan, D.x), z=1.0, y=np.where(I % 2, D.y, np.nan)
    ),
    "infinite predictor": V(x=np.where(I == 3, np.inf, D.x)),
    "numbers and text": V(x=[*range(23), "n/a"]),
    "numbers and None and dict": V(x=[{}, None, *range(22)]),
    "lists": V(x=[[1]] * 24),
    "tuples": V(x=[(1, 2)] * 24),
    "sets": V(x=[{1}] * 24),
    "frames": V(x=[D] * 24),
    "functions": V(x=[len] * 24),
    "complex": V(x=D.x.to_numpy() + 1j),
    "bytes in three dimensions": {"y": D.y, "x": np.ones((24, 2, 2)), "g": D.g},
    "raw bytes": V(x=np.array([b"a", b"b"] * 12, dtype="V1")),
    "structured": {"y": D.y, "x": np.zeros(24, dtype=[("a", float)]), "g": D.g},
    "text matrix": {"y": D.y, "x": np.array([["a", "b"]] * 24), "g": D.g},
    "matrix as group": {"y": D.y, "x": D.x, "g": np.ones((24, 2))},
    "one-level factor": V(x=pd.Categorical(["a"] * 24)),
    "polars lists": pl.DataFrame({"y": [1.0, 2.0], "x": [[1], [2]], "g": ["a", "b"]}),
    "polars structs": pl.DataFrame({"y": [1.0, 2.0], "x": [{"a": 1}, {"a": 2}], "g": ["a", "b"]}),
    "arrow lists": pa.table({"y": [1.0, 2.0], "x": [[1], [2]], "g": ["a", "b"]}),
    "arrow nulls": pa.table({"y": [1.0, 2.0], "x": pa.nulls(2), "g": ["a", "b"]}),
}

ARGUMENTS = {
    "subset unknown": {"subset": "zz > 1"},
    "subset broken": {"subset": "x >"},
    "subset text": {"subset": "s"},
    "subset empty": {"subset": "x > 99"},
    "subset mixed signs": {"subset": [1, -2]},
    "subset of objects": {"subset": [object()]},
    "weights unknown": {"weights": "zz"},
    "weights short": {"weights": [1.0, 2.0]},
    "weights text": {"weights": ["a"] * 24},
    "weights broken": {"weights": "x +"},
    "weights a function": {"weights": "mean"},
    "offset short": {"offset": [1.0]},
    "offset text": {"offset": "s"},
    "na_action": {"na_action": "drop"},
    "na_action None": {"na_action": ["omit"]},
    "contrasts list": {"contrasts": ["contr.sum"]},
    "contrasts for a number": {"contrasts": {"x": "contr.sum"}},
    "contrasts unknown": {"contrasts": {"f": "contr.nope"}},
    "contrasts of other rows": {"contrasts": {"f": np.ones((2, 1))}},
    "contrasts of text": {"contrasts": {"f": np.array([["a"], ["b"], ["c"]])}},
    "contrasts that fail": {"contrasts": {"f": lambda *_: 1 / 0}},
    "contrasts a number": {"contrasts": {"f": 5}},
    "control text": {"control": "ignore"},
    "control unknown": {"control": {"check.everything": "stop"}},
    "control value": {"control": {"check.rankX": "yes"}},
    "control not hashable": {"control": {"check.rankX": ["ignore"]}},
    "collation": {"collation": "klingon"},
    "double_bar": {"double_bar": "triple"},
    "env function that fails": {"env": {"fun": lambda _: 1 / 0}},
    "env function of wrong length": {"env": {"fun": lambda x: x[:3]}},
    "env function of objects": {"env": {"fun": lambda _: object()}},
}

GENERALIZED = {
    "quasi": {"family": "quasibinomial"},
    "no family": {"family": "nofam"},
    "no link": {"family": "binomial(link = 'nolink')"},
    "broken family": {"family": "binomial("},
    "negative binomial": {"family": "MASS::negative.binomial()"},
    "unknown of stats": {"family": "stats::nofam"},
    "called twice": {"family": "binomial()()"},
    "two arguments": {"family": "binomial('logit', 'probit')"},
    "number": {"family": 5},
    "None": {"family": None},
    "class": {"family": pd.DataFrame},
    "mustart short": {"mustart": [0.5]},
    "etastart unknown": {"etastart": "zz"},
}


def _refused(call, characters=0):
    with (
        bounded_work(calls=50_000 + 300 * characters, megabytes=20),
        pytest.raises(Lme4pyError) as caught,
    ):
        call()
    assert str(caught.value).strip()
    return caught.value


@pytest.fixture(autouse=True, scope="module")
def warm():
    """What is imported with the first call is no work of the calls that are counted."""
    lme4py.lformula(GOOD, D)
    with pytest.raises(Lme4pyError):
        lme4py.lformula("y ~ nofun(x) + (1 | g)", D)  # all functions are entered
    for data in (pl.from_pandas(D), pa.Table.from_pandas(D)):
        lme4py.lformula(GOOD, data)


def _unchanged(data):
    """Return a function that tells whether the data are as they are now."""
    if isinstance(data, pd.DataFrame):
        before = data.copy(deep=True)
        return lambda: pd.testing.assert_frame_equal(data, before)
    if isinstance(data, dict):
        copies = {name: np.array(column, copy=True) for name, column in data.items()}
        return lambda: [np.testing.assert_array_equal(data[name], copies[name]) for name in data]
    return lambda: None


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda text: repr(text[:40]))
def test_formula(formula):
    check = _unchanged(D)
    error = _refused(lambda: lme4py.lformula(formula, D), len(formula))
    if error.span is not None:
        assert "^" in str(error)
    check()


@pytest.mark.parametrize("formula", [None, 5, ["y", "x"], b"y ~ x", D, GOOD.encode()], ids=repr)
def test_what_is_no_text(formula):
    _refused(lambda: lme4py.lformula(formula, D))


@pytest.mark.parametrize("name", DATA)
def test_data(name):
    data = DATA[name]
    check = _unchanged(data)
    _refused(lambda: lme4py.lformula(GOOD, data))
    check()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name):
    options = ARGUMENTS[name]
    formula = "y ~ fun(x) + (1 | g)" if "env" in options else "y ~ x + f + (1 | g)"
    check = _unchanged(D)
    _refused(lambda: lme4py.lformula(formula, D, **options))
    check()


@pytest.mark.parametrize("name", GENERALIZED)
def test_generalized(name):
    _refused(lambda: lme4py.glformula("lg ~ x + (1 | g)", D, **GENERALIZED[name]))


def test_there_are_enough():
    assert len(FORMULAS) + len(DATA) + len(ARGUMENTS) + len(GENERALIZED) >= 200


@pytest.mark.parametrize(
    "formula, hint",
    [
        ("y ~ X + (1 | g)", "did you mean 'x'?"),
        ("y ~ x + (1 | G)", "did you mean 'g'?"),
        ("y ~ x + scal(x) + (1 | g)", "did you mean 'scale'"),
    ],
)
def test_nearest_name(formula, hint):
    assert hint in str(_refused(lambda: lme4py.lformula(formula, D)))


def test_mixed_types_name_the_rows():
    error = _refused(lambda: lme4py.lformula(GOOD, DATA["numbers and text"]))
    assert "x" in str(error)
    assert "row 23" in str(error)


def _tables():
    return {
        "a frame of text": pd.DataFrame({"a": list("xy")}),
        "an expression": pl.col("x"),
        "a table": pa.table({"a": [1.0, 2.0]}),
        "NA": pd.NA,
        "a moment": pd.Timestamp("2020-01-01"),
        "a scalar of Arrow": pa.scalar(1),
    }


@pytest.mark.parametrize("argument", ["weights", "offset", "subset", "env"])
@pytest.mark.parametrize("name", _tables())
def test_what_is_no_column_is_our_error(name, argument):
    """Objects of other libraries that have no column's attributes."""
    given = _tables()[name]
    formula = "y ~ I(x * k) + (1 | g)" if argument == "env" else GOOD
    with pytest.raises(lme4py.Lme4pyError):
        lme4py.lformula(formula, D, **{argument: {"k": given} if argument == "env" else given})


def test_an_array_of_arrow_is_weights_beside_a_pandas_frame():
    weights = np.arange(1.0, len(D) + 1)
    made = lme4py.lformula(GOOD, D, weights=pa.array(weights))
    np.testing.assert_array_equal(made.weights, weights)
