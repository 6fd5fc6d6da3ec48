"""A spec gives the design's rows back, whatever rows are asked for, and says what it cannot."""

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import lme4py
from lme4py.errors import DataError, FormulaError

from .live.generator import make_case
from .replay import row_faults

GROUPS = [f"g{i}" for i in range(6)]


def data(rows=60):
    dice = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "y": dice.normal(size=rows),
            "x": dice.normal(size=rows),
            "z": dice.uniform(1, 9, rows),
            "f": dice.choice(["a", "b", "c"], rows),
            "k": pd.Categorical(dice.choice(["lo", "hi"], rows), ["lo", "hi"]),
            "g": [GROUPS[i % 6] for i in range(rows)],
            "when": np.datetime64("2020-01-01") + np.arange(rows),
        }
    )


def design(formula, frame=None, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.lformula(formula, data() if frame is None else frame, **arguments)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_models_give_their_rows_back(seed):
    compared = 0
    for number in range(40):
        case = make_case(seed, number)
        faults = row_faults(case, np.random.default_rng(number))
        assert not faults, (case.name, case.formula, faults)
        compared += faults is not None
    assert compared > 20


FROZEN = {
    "I(x - ave(x, f))": ["ave(x, f)"],
    "ave(x, f, k, FUN = median)": ["ave(x, f, k, FUN = median)"],
    "I(x - mean(x))": ["mean(x)"],
    "I(x - x[1])": ["x[1]"],
    "scale(x)[, 1]": ["scale(x)"],
    "cut(z, 0:5 * 2)": ["cut(z, 0:5 * 2)"],
    "cut(z, c(0, quantile(z, 0.5), 10))": [
        "cut(z, c(0, quantile(z, 0.5), 10))",
        "c(0, quantile(z, 0.5), 10)",
    ],
    "I(x - mean(x[x > 0]))": ["mean(x[x > 0])"],
    "I(x * sd(x - mean(x)))": ["sd(x - mean(x))"],
    "I(nchar(levels(k)[1]) * x)": ["nchar(levels(k)[1])"],
    "factor(f, levels = rev(levels(factor(f))))": [
        "factor(f, levels = rev(levels(factor(f))))",
        "rev(levels(factor(f)))",
    ],
    "c(2, 5, 9)[as.integer(factor(f))]": ["factor(f)"],
    "letters[as.integer(k)]": [],
    "I(x + 1) + log(z) + ifelse(x > 0, 1, 0)": [],
    "c(x)": [],
    "rep(x, 1)": [],
    "matrix(x)": [],
}


@pytest.mark.parametrize("text", FROZEN)
def test_what_is_frozen(text):
    made = design(f"y ~ {text} + (1 | g)")
    assert sorted(made.spec.kept) == sorted(FROZEN[text])
    for rows in ([3], [59, 0, 7], range(60)):
        found = made.spec.apply(data().iloc[list(rows)])
        np.testing.assert_allclose(found.X, made.X[list(rows)], rtol=0, atol=1e-12)


def test_rows_of_a_model_come_with_their_response():
    frame = data()
    # A level, and a group, that occur where y or a weight is missing only.
    frame.loc[[3, 4], "f"] = "d"
    frame["f"] = pd.Categorical(frame["f"])
    frame.loc[[3], "y"], frame.loc[[4], "z"] = np.nan, np.nan
    frame.loc[[3, 4], "g"] = "alone"
    made = design("y ~ f + (x | g)", frame, weights="z", subset="x > mean(x) - 1")
    with pytest.raises(DataError, match="new level"):
        made.spec.apply(frame)
    rows = lme4py.Spec.from_json(made.spec.to_json()).apply(frame, response=True)
    for name in ("X", "y", "weights"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(made, name))
    assert (rows.Zt != made.Zt).nnz == 0
    assert rows.positions.tolist() == made.frame.index.tolist()


def test_arguments_given_as_values_are_not_known_of_new_rows():
    made = design("y ~ x + (1 | g)", weights=np.ones(60))
    assert made.spec.apply(data()).weights is None
    with pytest.raises(DataError, match="weights was given as values"):
        made.spec.apply(data(), response=True)
    made = design("y ~ x + (1 | g)", subset=np.arange(1, 31))
    with pytest.raises(DataError, match="subset was given as values"):
        made.spec.apply(data(), response=True)
    made = design("y ~ x + (1 | g)", subset="1:30")
    with pytest.raises(DataError, match="numbers of rows"):
        made.spec.apply(data(), response=True)


WHOLE = [
    "rev(x)",
    "rank(x)",
    "cumsum(x)",
    "order(x)",
    "seq_along(x)",
    "x[order(x)]",
    "I(x + c(0, 1))",
    "I(x %in% z)",
    "rep(c(0, 1), 30)",
]


@pytest.mark.parametrize("text", WHOLE)
def test_what_needs_all_rows_is_refused(text):
    made = design(f"y ~ {text} + (1 | g)")
    with pytest.raises(FormulaError, match=r"new rows"):
        made.spec.apply(data().iloc[:5])


def test_means_of_groups():
    made = design("y ~ I(x - ave(x, f)) + ave(x) + (1 | g)")
    means = data().groupby("f").x.mean()
    found = made.spec.apply({"x": [1.0, 2.0], "f": ["b", "a"], "g": ["g1", "g2"]}).X
    np.testing.assert_allclose(found[:, 1], [1 - means["b"], 2 - means["a"]], rtol=1e-12)
    with pytest.raises(DataError, match="new data has the value 'z'"):
        made.spec.apply({"x": [1.0], "f": ["z"], "g": ["g1"]})
    made = design("y ~ ave(x, f, FUN = cumsum) + (1 | g)")
    with pytest.raises(DataError, match="cannot be computed for new rows"):
        made.spec.apply(data())


def test_new_level_of_a_group():
    spec = design("y ~ x + (x | g)").spec
    new = {"x": [1.0, 2.0], "g": ["g3", "g7"]}
    with pytest.raises(DataError, match=r"new levels detected in newdata: 'g7'") as caught:
        spec.apply(new)
    assert "'g0', 'g1'" in str(caught.value)
    rows = spec.apply(new, new_levels="zero")
    assert rows.Z.toarray()[0].tolist() == [0.0] * 6 + [1.0, 1.0] + [0.0] * 4
    assert not rows.Z.toarray()[1].any()


def test_new_combination_of_groups():
    frame = data()
    frame.loc[frame.g == "g0", "f"] = "a"
    spec = design("y ~ x + (1 | f:g)", frame).spec
    with pytest.raises(DataError, match=r"'b:g0' of the grouping factor f:g"):
        spec.apply({"x": [0.0], "f": ["b"], "g": ["g0"]})
    assert spec.apply({"x": [0.0], "f": ["b"], "g": ["g0"]}, new_levels="zero").Z.nnz == 0


@pytest.mark.parametrize(
    "formula", ["y ~ f + (1 | g)", "y ~ x + (f | g)", "y ~ factor(f) + (1 | g)"]
)
@pytest.mark.parametrize("new_levels", ["error", "zero"])
def test_new_level_of_a_fixed_factor(formula, new_levels):
    with pytest.raises(DataError, match=r"'d'") as caught:
        design(formula).spec.apply({"x": [0.0], "f": ["d"], "g": ["g1"]}, new_levels=new_levels)
    assert "'a', 'b', 'c'" in str(caught.value)


def test_missing_values():
    spec = design("y ~ x + (1 | g)").spec
    new = pd.DataFrame({"x": [1.0, np.nan, 3.0], "g": ["g0", "g1", None]})
    assert spec.apply(new).positions.tolist() == [0]
    kept = spec.apply(new, na_action="pass")
    assert np.isnan(kept.X[1, 1])
    assert kept.Zt.toarray()[:, 2].tolist() == [0.0] * 6
    with pytest.raises(DataError, match="missing values in object"):
        spec.apply(new, na_action="fail")


def test_no_rows_at_all():
    rows = design("y ~ poly(x, 2) + splines::ns(z, 3) + (x | g)").spec.apply(data().iloc[:0])
    assert rows.X.shape == (0, 6)
    assert rows.Zt.shape == (12, 0)
    matrix = design("y ~ pmin(cbind(x, z), 9) + (1 | g)").spec
    assert matrix.apply(data().iloc[:0]).X.shape == (0, 3)


def test_columns_are_held_to_their_types():
    spec = design("y ~ x + f + k + when + (1 | g)").spec
    new = data().iloc[:4]
    with pytest.raises(DataError, match="object 'x' not found in the new data"):
        spec.apply(new.drop(columns="x"))
    with pytest.raises(DataError, match="'x' was fitted with type \"double\""):
        spec.apply(new.assign(x=["1", "2", "3", "4"]))
    with pytest.raises(DataError, match="'f' was fitted with type \"factor\""):
        spec.apply(new.assign(f=1.5))
    same = spec.apply(new.assign(k=new.k.astype(str), f=pd.Categorical(new.f)))
    np.testing.assert_array_equal(same.X, spec.apply(pl.from_pandas(new.drop(columns="y"))).X)


@pytest.mark.parametrize(
    "text", ["y ~ x + (1 | g)", "y ~ factor(k) + (1 | g:k)", "y ~ x + (x | g)"]
)
def test_a_column_that_is_missing_is_shown_in_the_formula(text):
    spec = design(text).spec
    for name in spec.columns.keys() - {"y"}:
        with pytest.raises(DataError, match=f"object '{name}' not found") as caught:
            spec.apply(data().drop(columns=name).iloc[:4])
        span = caught.value.span
        assert span.text[span.start : span.end] == name


def test_only_columns_of_the_model_are_looked_at():
    frame = data()
    spec = lme4py.lformula("y ~ I(x + shift) + (1 | g)", frame, env={"shift": 2.0}).spec
    again = lme4py.Spec.from_json(spec.to_json())
    new = frame.iloc[:3].assign(shift=100.0)
    np.testing.assert_array_equal(again.apply(new).X[:, 1], frame.x[:3] + 2.0)


def test_dropped_and_rescaled_columns():
    frame = data().assign(big=lambda d: d.x * 1e6, twice=lambda d: d.x * 2)
    made = design(
        "y ~ twice + x + big + f + (1 | g)", frame, control={"check.scaleX": "silent.rescale"}
    )
    np.testing.assert_array_equal(made.spec.apply(frame.iloc[5:9]).X, made.X[5:9])


def test_offsets():
    frame = data()
    made = design("y ~ x + offset(log(z)) + (1 | g)", frame, offset="x / 2")
    rows = made.spec.apply(frame.iloc[[8, 2]])
    np.testing.assert_array_equal(rows.offset, made.offset[[8, 2]])
    made = design("y ~ x + (1 | g)", frame, offset=frame.z.to_numpy())
    with pytest.raises(DataError, match="offset was given as values"):
        made.spec.apply(frame.iloc[:2])
    assert made.spec.apply(frame.iloc[:2], offset=[1.0, 2.0]).offset.tolist() == [1.0, 2.0]


def test_the_response_is_not_needed_unless_it_is_used():
    new = data().iloc[:3].drop(columns="y")
    assert design("y ~ x + (1 | g)").spec.apply(new).X.shape == (3, 2)
    with pytest.raises(DataError, match="'y' not found"):
        design("y ~ x + (y | g)").spec.apply(new)


def test_functions_of_the_user():
    frame = data()
    lme4py.register(
        "spread.of",
        lambda x, by, state: (x - state["low"]) * by,
        fit=lambda x, by: {"low": x.min(), "by": by},
    )
    made = design("y ~ spread.of(x, 2) + half(z) + (1 | g)", frame, env={"half": lambda v: v / 2})
    one = made.spec.apply(frame.iloc[[4]])
    np.testing.assert_array_equal(one.X, made.X[[4]])
    loaded = lme4py.Spec.from_json(made.spec.to_json())
    with pytest.raises(FormulaError, match='could not find function "half"'):
        loaded.apply(frame.iloc[[4]])
    again = loaded.apply(frame.iloc[[4]], env={"half": lambda v: v / 2})
    np.testing.assert_array_equal(again.X, one.X)
    with pytest.raises(DataError, match="'mean' is a function of R's"):
        lme4py.register("mean", lambda x: x)


def test_the_lme4_that_is_followed_is_kept(tmp_path):
    frame = data().assign(h=np.resize(["u", "v", "w"], 60))
    made = design("y ~ x + (1 | k/h/f)", frame, lme4="1.1-31")
    assert made.random.cnms[0][0] == "f:(h:k)"
    assert lme4py.Spec.from_json(made.spec.to_json()).formula == made.formula
    made.save(tmp_path / "design.npz")
    loaded = lme4py.load(tmp_path / "design.npz")
    assert loaded.formula == made.formula
    assert loaded.formula.lme4.version == "1.1-31"
    np.testing.assert_array_equal(loaded.spec.apply(frame).Zt.toarray(), made.Zt.toarray())


def test_json_is_exact_and_versioned():
    made = design("y ~ poly(x, 3) + splines::bs(z, df = 5) + C(k, sum) + (scale(x) || g)")
    text = made.spec.to_json()
    loaded = lme4py.Spec.from_json(text)
    assert loaded.to_json() == text
    whole, again = made.spec.apply(data()), loaded.apply(data())
    np.testing.assert_array_equal(whole.X, again.X)
    np.testing.assert_array_equal(whole.Zt.data, again.Zt.data)
    plain = json.loads(text)
    with pytest.raises(DataError, match="version 99"):
        lme4py.Spec.from_json(json.dumps({**plain, "version": 99}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "1",
        '"x"',
        "[" * 100_000,
        "{}",
        "\x00",
        '{"format": "lme4py.Spec", "version": 2}',
    ],
)
def test_what_is_no_spec(text):
    with pytest.raises(DataError):
        lme4py.Spec.from_json(text)


def test_rows_do_not_depend_on_each_other():
    made = design(
        "y ~ splines::bs(x, df = 4) + splines::ns(z, 3) + poly(x, z, degree = 2) + (x | g)"
    )
    new = data()
    new["x"] = np.linspace(-9, 9, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = made.spec.apply(new)
        for row in (0, 13, 59):
            alone = made.spec.apply(new.iloc[[row]])
            np.testing.assert_array_equal(alone.X[0], whole.X[row])
            np.testing.assert_array_equal(alone.Z.toarray()[0], whole.Z.toarray()[row])


def test_a_missing_part_of_a_group_is_no_new_level():
    made = design("y ~ x + (1 | f:k)")
    rows = made.spec.apply({"x": [0.0, 1.0], "f": ["a", None], "k": ["lo", "hi"]}, na_action="pass")
    assert np.diff(rows.Zt.indptr).tolist() == [1, 0]
