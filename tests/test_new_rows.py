"""New rows whose columns have other types, and parts of the random effects, as R takes them."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.rfiles.read_rds import read_rds

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "spec" / "new_types.rds"
CASES = list(read_rds(FILE)["cases"]) if FILE.is_file() else []
WORDS = ("logical", "double", "integer", "difftime", "matrix", "Date")
GROUPS = ("character", "factor", "ordered", "truth", "factor_truth")

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")


def _word(case, key):
    return str(case[key].values[0])


def _accident(case):
    """Whether R predicts from a dummy of text or truth where the model had another column."""
    model, new = _word(case, "model"), _word(case, "new")
    if _word(case, "role") == "group":
        return False
    text = new in ("character", "truth", "factor_truth")
    return text and model in WORDS and not (model == "logical" and "truth" in new)


@pytest.mark.skipif(not CASES, reason="tests run without the fixtures")
@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: "-".join(_word(case, key) for key in ("role", "model", "new"))
)
def test_types_as_r_takes_them(case):
    control = {"check.nobs.vs.nlev": "ignore", "check.nobs.vs.nRE": "ignore"}
    design = lme4py.lformula(_word(case, "formula"), case["data"].table(), control=control)
    new = case["newdata"].table()
    expected = case["predicted"]
    if expected.kind == "character" or _accident(case):
        with pytest.raises(lme4py.DataError):
            design.spec.apply(new)
        return
    rows = design.spec.apply(new)
    found = rows.X @ case["beta"].values + rows.Z @ case["b"].values
    np.testing.assert_allclose(found, expected.values, rtol=1e-9)


@pytest.fixture(scope="module")
def crossed():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=60),
            "x": rng.normal(size=60),
            "g": np.repeat(list("abcdef"), 10),
            "h": np.tile(list("uvwz"), 15),
        }
    )
    return lme4py.lformula("y ~ x + (x | g) + (1 | h)", data), data


@pytest.mark.parametrize(
    ("random", "columns", "needed"),
    [
        (True, {"g": 2, "h": 1}, "xgh"),
        (False, {}, "x"),
        ("~ 0", {}, "x"),
        (["g"], {"g": 2}, "xg"),
        ({"h"}, {"h": 1}, "xh"),
        ("~ (1 | h)", {"h": 1}, "xh"),
        ("~ (1 | g)", {"g": 1}, "xg"),
        ("~ (0 + x | g) + (1 | h)", {"g": 1, "h": 1}, "xgh"),
        ("~ (x || g)", {"g": 2}, "xg"),
        (lme4py.Formula.parse("~ (x | g)"), {"g": 2}, "xg"),
    ],
)
def test_parts_of_the_random_effects(crossed, random, columns, needed):
    design, data = crossed
    whole = design.spec.apply(data)
    rows = design.spec.apply(data[list(needed)], random=random)
    np.testing.assert_array_equal(rows.X, whole.X)
    assert rows.Zt.shape == whole.Zt.shape
    kept = np.zeros(whole.Zt.shape)
    for term, begin, end in zip(
        design.random.terms, design.random.Gp[:-1], design.random.Gp[1:], strict=True
    ):
        if term.bar.group_name in columns:
            step = term.columns
            first = 1 if columns[term.bar.group_name] < step and "0 + x" in str(random) else 0
            for column in range(first, first + columns[term.bar.group_name]):
                places = slice(begin + column, end, step)
                kept[places] = whole.Zt.toarray()[places]
    np.testing.assert_array_equal(rows.Zt.toarray(), kept)


@pytest.mark.parametrize(
    ("random", "words"),
    [
        (["k"], "not present in original model: k"),
        ("~ (1 | k)", "not present in original model: k"),
        ("~ (x | h)", "not present in original model: x of h"),
        (3, "random must be True, False"),
        ("g", "invalid formula"),
    ],
)
def test_what_no_part_is(crossed, random, words):
    design, data = crossed
    with pytest.raises(lme4py.Lme4pyError, match=words):
        design.spec.apply(data, random=random)


def test_a_missing_group_where_new_levels_may_be(crossed):
    design, data = crossed
    new = data.iloc[:3].assign(g=[None, "a", "new"], h=["u", None, "v"])
    rows = design.spec.apply(new, new_levels="zero")
    assert rows.positions.tolist() == [0, 1, 2]
    assert np.diff(rows.Zt.indptr).tolist() == [1, 2, 1]
    # A missing predictor still takes its row away, and so does a group without new_levels.
    assert design.spec.apply(new.assign(x=[1, None, 2]), new_levels="zero").X.shape[0] == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert design.spec.apply(new.iloc[:2]).positions.size == 0


COMBINED = {
    "plain": (["p", "q", "q", "r"], ["u", "v", "u", "v"]),
    "levels with colons": (["a:b", "a", "a:b", "a"], ["c", "b:c", "d", "d"]),
    "empty levels": (["", "", "p", ":"], ["u", "", ":u", ""]),
    "levels called NA": (["NA", "p", "NA", "p"], ["NA", "NA", "u", "u"]),
    "missing parts": ([None, "p", "NA", "p"], ["u", None, "u", "u"]),
}


@pytest.mark.parametrize("group", ["a:b", "b:a", "a/b", "b:(a:c)", "a:a"])
@pytest.mark.parametrize("case", COMBINED)
@pytest.mark.parametrize("na_action", ["omit", "pass"])
def test_combinations_are_those_of_their_texts_for_many_rows_and_for_one(case, group, na_action):
    a, b = (np.tile(np.array(texts, dtype=object), 3) for texts in COMBINED[case])
    data = pd.DataFrame({"y": np.arange(12.0), "a": a, "b": b, "c": np.repeat(list("xyz"), 4)})
    control = {"check.nobs.vs.nlev": "ignore", "check.nobs.vs.nRE": "ignore"}
    made = lme4py.lformula(f"y ~ 1 + (1 | {group})", data, control=control, na_action=na_action)
    expected = made.random.Zt.toarray()
    for spec in (made.spec, lme4py.Spec.from_json(made.spec.to_json())):
        rows = spec.apply(data, na_action=na_action)
        np.testing.assert_array_equal(rows.Zt.toarray(), expected)
        for column, place in enumerate(rows.positions):
            one = spec.apply(data.iloc[[place]], na_action=na_action).Zt.toarray()
            np.testing.assert_array_equal(one[:, 0], expected[:, column])


def test_a_combination_that_is_new_is_told_among_many_rows():
    data = pd.DataFrame({"y": np.arange(8.0), "a": [*"ppqq"] * 2, "b": [*"uvuu"] * 2})
    spec = lme4py.lformula("y ~ 1 + (1 | a:b)", data).spec
    new = pd.concat([data, pd.DataFrame({"y": [0.0], "a": ["q"], "b": ["v"]})])
    with pytest.raises(lme4py.DataError, match="'q:v' of the grouping factor a:b"):
        spec.apply(new)
    found = spec.apply(new, new_levels="zero").Zt
    np.testing.assert_array_equal(np.diff(found.indptr) * found.sum(axis=0), [1] * 8 + [0])


def test_an_offset_of_another_type_is_told_as_r_tells_it():
    """predict(lm(y ~ v, d, offset = v), new) stops with these words in R 4.2.2."""
    data = {"y": [1.0, 2, 4, 3], "x": [0.0, 1, 0, 1], "v": [1.0, 2, 3, 4], "g": list("aabb")}
    new = {**data, "v": list("pqrs")}
    for formula in ("y ~ x + (1 | g)", "y ~ x + v + (1 | g)"):
        spec = lme4py.lformula(formula, data, offset="v").spec
        words = '\'v\' was fitted with type "double" but type "character" was supplied\n  v'
        with pytest.raises(lme4py.DataError, match=words):
            spec.apply(new)


def test_columns_that_are_called_as_arguments_are():
    """model.frame(y ~ ., d), R 4.2.2 and 4.6.1: columns are there, whatever their names."""
    data = {"y": [1.0, 2, 4, 3, 5, 7], "(weights)": [1.0, 2, 3, 4, 5, 9], "g": list("aabbab")}
    for formula in ("y ~ . - g + (1 | g)", "y ~ `(weights)` + (1 | g)"):
        design = lme4py.lformula(formula, data)
        assert design.fixed.names == ["(Intercept)", "`(weights)`"]
        assert design.X[:, 1].tolist() == data["(weights)"]
        assert design.spec.apply(data).X.tolist() == design.X.tolist()
    response = lme4py.lformula("`(weights)` ~ y + (1 | g)", data)
    assert response.y.tolist() == data["(weights)"]
    assert response.spec.apply(data).X.tolist() == response.X.tolist()
    with pytest.raises(lme4py.FormulaError, match=r"object '\(offset\)' not found"):
        lme4py.lformula("y ~ `(offset)` + (1 | g)", data, offset="y")
