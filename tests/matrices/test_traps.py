"""Where lme4 is silent and the model is probably not what was meant; and no noise elsewhere."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from tests.rules import IGNORE, D, I, generalized, linear, said, with_columns

V = with_columns
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "lme4"
HOLES = np.where(I % 5 == 0, np.nan, D.z)


def advice(call):
    return said(call, advice=True)


# Name, call, beginning of the advice, and what of the design shows that lme4 reads it so.
ADVICE = {
    "minus after a bar": (
        lambda: linear("y ~ (1|g) - 1"),
        "lme4 loses a '-' that follows a random term: it reads '+ 1' here",
        lambda d: d.fixed.names == ["(Intercept)"],
    ),
    "minus x after a bar": (
        lambda: linear("y ~ (1|g) - x"),
        "lme4 loses a '-' that follows a random term: it reads '+ x' here",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "minus before a bar": (
        lambda: linear("y ~ x - (1|g)"),
        "lme4 ignores a '-' before a random term",
        lambda d: d.random.nl.tolist() == [4],
    ),
    "bar in a product": (
        lambda: linear("y ~ x * (1|g)"),
        "lme4 ignores '*' around a random term",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "bar in a call": (
        lambda: linear("y ~ h + log(1|h)"),
        "lme4 ignores log() around a random term",
        lambda d: d.random.nl.tolist() == [3],
    ),
    "no parentheses": (
        lambda: linear("y ~ x + z | g"),
        "without parentheses the whole right side is one random term: lme4 reads 1 + (x + z | g)",
        lambda d: d.fixed.names == ["(Intercept)"],
    ),
    "minus offset": (
        lambda: linear("y ~ x - offset(z) + (1|g)"),
        "'- offset(z)' does not remove the offset",
        lambda d: d.offset.tolist() == D.z.tolist(),
    ),
    "offset in a product": (
        lambda: linear("y ~ x * offset(z) + (1|g)"),
        "x * offset(z) has an offset in a product",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "offset in a bar": (
        lambda: linear("y ~ 1 + (1 + offset(h)|g)"),
        "offset(h) inside a random term is added to the offset of the whole model",
        lambda d: d.offset.tolist() == D.h.tolist(),
    ),
    "power": (
        lambda: linear("y ~ x^2 + (1|g)"),
        "x^2 is x in a formula; write I(x^2)",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "power of a number in a call": (
        lambda: linear("y ~ log(x)^2 + (1|g)"),
        "log(x)^2 is log(x) in a formula; write I(log(x)^2)",
        lambda d: d.fixed.names == ["(Intercept)", "log(x)"],
    ),
    "square": (
        lambda: linear("y ~ x:x + (1|g)"),
        "x:x is x in a formula; write I(x^2)",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "minus zero": (
        lambda: linear("y ~ x - 0 + (1|g)"),
        "'- 0' adds the intercept",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "minus minus one": (
        lambda: linear("y ~ x - (-1) + (1|g)"),
        "'- -1' keeps the intercept",
        lambda d: d.fixed.names == ["(Intercept)", "x"],
    ),
    "negation": (
        lambda: linear("y ~ (1|g) + (!lg + z)"),
        "! takes everything to its right: it negates 'lg + z'",
        lambda d: d.fixed.names == ["(Intercept)", "!lg + zTRUE"],
    ),
    "double bar with a factor": (
        lambda: linear("y ~ x + (f || g)", control=IGNORE),
        "'f' is a factor, so its 3 columns stay correlated under ||",
        lambda d: d.random.theta.size == 7,
    ),
    "double bar with a matrix": (
        lambda: linear("y ~ x + (poly(x, 2) || g)", control=IGNORE),
        "'poly(x, 2)' has several columns, so its 2 columns stay correlated under ||",
        lambda d: d.random.theta.size == 4,
    ),
    "two intercepts": (
        lambda: linear("y ~ x + (1|g) + (x|g)"),
        "two random terms have an intercept for 'g'",
        lambda d: d.random.nl.tolist() == [4, 4],
    ),
    "number in both sides of a bar": (
        lambda: linear("y ~ 1 + (h | g:h)", control=IGNORE),
        "'h' is a number but stands in the grouping factor 'g:h'",
        lambda d: d.random.cnms == [("g:h", ["(Intercept)", "h2", "h3"])],
    ),
    "merged levels": (
        lambda: linear(
            "y ~ (1 | v:w)",
            V(v=["a:b", "a"] * 12, w=["c", "b:c"] * 12),
            control=IGNORE,
        ),
        "2 combinations of 'v:w' have only 1 names",
        lambda d: d.random.row_names == ["a:b:c"],
    ),
    "missing values as levels": (
        lambda: linear(
            "y ~ (1 | v:k)", V(v=np.where(I == 5, None, D.k)), na_action="pass", control=IGNORE
        ),
        "missing values of 'v' became levels such as NA:... of 'v:k'",
        lambda d: d.random.row_names == ["u:u", "v:v", "NA:u"],
    ),
    "swapped bar": (
        lambda: linear("y ~ v + (1 | v)", V(v=np.repeat(D.x.to_numpy()[:12] + 0.25, 2))),
        "'v' is a number with 12 distinct values and both a predictor and a grouping factor",
        lambda d: d.random.nl.tolist() == [12],
    ),
    "single rows": (
        lambda: linear("y ~ x + (1 | v)", V(v=[*range(23), 0])),
        "22 of 23 levels of 'v' have a single row",
        lambda d: d.random.nl.tolist() == [23],
    ),
    "dot": (
        lambda: linear("y ~ . + (1|g)", D[["y", "x", "g"]]),
        "'.' stands for 'g' too, which is a grouping factor",
        lambda d: d.fixed.names == ["(Intercept)", "x", "gb", "gc", "gd"],
    ),
    "numbers as text": (
        lambda: linear("y ~ v + (1|g)", V(v=[*(str(i) for i in range(11)), "n/a", *["1"] * 12])),
        "'v' is text, though nearly all its 12 distinct values are numbers (not 'n/a')",
        lambda d: d.X.shape[1] == 12,
    ),
    "decimal commas": (
        lambda: linear("y ~ v + (1|g)", V(v=["1,5", "2,25", "-,5", "4"] * 6)),
        "'v' is text: numbers with a decimal comma ('1,5')",
        lambda d: d.fixed.names == ["(Intercept)", "v1,5", "v2,25", "v4"],
    ),
    "decimal commas in the response": (
        lambda: linear("v ~ x + (1|g)", V(v=[f"{i},5" for i in range(24)])),
        "'v' is text: numbers with a decimal comma ('0,5')",
        lambda d: d.y is None,
    ),
    "cut by pandas": (
        lambda: linear("y ~ v + (1|g)", V(v=pd.cut(D.x, 3))),
        "'v' is an ordered category, as pd.cut, pd.qcut, pd.read_stata",
        lambda d: d.fixed.names == ["(Intercept)", "v.L", "v.Q"],
    ),
    "ordered slope": (
        lambda: linear("y ~ x + (o|g)", control=IGNORE),
        "'o' is an ordered category",
        lambda d: d.random.cnms == [("g", ["(Intercept)", "o.L", "o.Q"])],
    ),
    "infinite slope": (
        lambda: linear("y ~ 1 + (v|g)", V(v=np.where(I == 3, np.inf, D.x))),
        "'v' in (v | g) is infinite, which no fit takes: row 2 (inf): 1 of 24 rows",
        lambda d: np.isinf(d.Zt.data).any(),
    ),
    "infinite response": (
        lambda: linear("y ~ (1|g)", V(y=np.where(I == 3, -np.inf, D.y))),
        "the response 'y' is infinite, which no fit takes: row 2 (-inf)",
        lambda d: np.isinf(d.y).any(),
    ),
    "negative weights": (
        lambda: linear("y ~ (1|g)", weights="z"),
        "weights must be finite and not negative for the fit: row 2 (-2.0)",
        lambda d: d.weights.min() < 0,
    ),
    "infinite offset": (
        lambda: linear("y ~ (1|g)", offset="log(x - 0.5)"),
        "the offset is not finite, which no fit takes: row 0 (-inf)",
        lambda d: np.isinf(d.offset).any(),
    ),
    "factor response": (
        lambda: linear("f ~ (1|g)"),
        "response must be numeric: 'f' is a factor",
        lambda d: d.y.max() == 3,
    ),
    "text response": (
        lambda: generalized("s ~ (1|g)"),
        "response must be numeric or factor: 's' is text",
        lambda d: d.y is None,
    ),
    "structure passed over": (
        lambda: linear("y ~ diag((x|g))"),
        "lme4 passes over the structure of diag((x | g)): write diag(x | g)",
        lambda d: d.random.theta.size == 3,
    ),
}


@pytest.mark.parametrize("name", ADVICE)
def test_advice(name):
    call, text, holds = ADVICE[name]
    found = advice(call)
    assert any(item.startswith(text) for item in found), found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = call()
    assert holds(design)
    assert any(item.startswith(text) for item in design.advice)
    assert not set(design.advice) & set(design.messages)


REMARKS = {
    "column and env": (
        lambda: linear("y ~ x + (1|g)", env={"x": np.zeros(24), "unused": 1}),
        "'x' is a column of the data and a variable of env: the column is used",
    ),
    "fixed and random": (
        lambda: linear("y ~ g + (1|g)"),
        "'g' is a fixed effect and a grouping factor",
    ),
    "contrasts": (
        lambda: linear("y ~ f + (f|g)", contrasts={"f": "contr.sum"}),
        "contrasts= acts on X only: 'f' in (f | g)",
    ),
    "all rows": (
        lambda: linear("y ~ scale(x) + (1|g)", subset="x > 6"),
        "scale(x) is computed from all 24 rows, as in R; 12 of them are kept",
    ),
    "removed term": (
        lambda: linear("y ~ x - v + (1|g)", V(v=HOLES)),
        "'v' is in no term, but rows where it is missing are dropped: row 4, row 9, row 14, row 19",
    ),
    "half single rows": (
        lambda: linear("y ~ x + (1|v)", V(v=[*range(12), *[20] * 6, *[21] * 6])),
        "12 of 14 levels of 'v' have a single row; they say little about its variance",
    ),
    "trend and group": (
        lambda: linear("y ~ v + (1|v)", pd.concat([V(v=I), V(v=I)], ignore_index=True)),
        "'v' is a number with 24 distinct values and both a predictor and a grouping factor",
    ),
}


@pytest.mark.parametrize(
    "formula", ["y ~ f^2 + (1|g)", "y ~ f:f + (1|g)", "y ~ f*f + (1|g)", "y ~ factor(h)^2 + (1|g)",
                "y ~ lg:lg + (1|g)", "y ~ s*s + (1|g)"],
)  # fmt: skip
def test_factors_have_no_powers(formula):
    assert advice(lambda: linear(formula)) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: linear("y ~ o + (1|g)", contrasts={"o": "contr.poly"}),
        lambda: linear("y ~ 0 + o + (1|g)"),
        lambda: linear("y ~ x + (1|o)", control=IGNORE),
        lambda: linear("y ~ factor(f, ordered = TRUE) + (1|g)"),
        lambda: linear("y ~ v + (1|g)", V(v=pd.cut(D.x, 3, ordered=False, labels=list("abc")))),
    ],
    ids=["asked for", "indicators", "group", "ordered in the formula", "no order"],
)
def test_no_advice_on_orders_without_polynomials(call):
    assert advice(call) == []


def test_read_stata_gives_ordered_categories(tmp_path):
    V(v=pd.Categorical(["lo", "mid", "hi"] * 8)).drop(columns=["o", "lg"]).to_stata(
        tmp_path / "a.dta", write_index=False
    )
    read = pd.read_stata(tmp_path / "a.dta")
    [told] = advice(lambda: linear("y ~ v + (1|g)", read))
    assert "data['v'].cat.as_unordered()" in told
    plain = read.assign(v=read["v"].cat.as_unordered())
    assert advice(lambda: linear("y ~ v + (1|g)", plain)) == []


def test_single_rows_are_no_trap_where_other_levels_have_several():
    # 95 % single rows: the twelve pairs tell the residual variance.
    levels = [*range(240), *np.repeat(np.arange(240, 252), 2)]
    data = {"y": np.sin(np.arange(264.0)), "g": levels}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design = lme4py.lformula("y ~ 1 + (1 | g)", data)
    assert design.advice == [
        "240 of 252 levels of 'g' have a single row; they say little about its variance"
    ]


@pytest.mark.parametrize("name", REMARKS)
def test_remarks_are_quiet(name, caplog):
    call, text = REMARKS[name]
    with warnings.catch_warnings(), caplog.at_level("DEBUG", logger="lme4py"):
        warnings.simplefilter("error")
        design = call()
    assert any(item.startswith(text) for item in design.advice), design.advice
    assert not any(text in message for message in caplog.messages)


def test_advice_can_be_told_from_lme4s_warnings():
    with pytest.warns(lme4py.Lme4pyWarning) as told:
        linear("y ~ (1|g) - I(x * 1e4)")
    kinds = {entry.category for entry in told}
    assert kinds == {lme4py.Lme4pyWarning, lme4py.Lme4pyAdvice}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", lme4py.Lme4pyAdvice)
        linear("y ~ (1|g) - 1")


def test_advice_comes_with_an_error_too():
    found = advice(lambda: linear("y ~ x + z + h + k + lg + f | g"))
    assert found[0].startswith("without parentheses the whole right side is one random term")


def test_each_advice_once_with_a_caret():
    with pytest.warns(lme4py.Lme4pyAdvice) as told:
        linear("y ~ x + (f || g/k)", control=IGNORE)
    texts = [str(entry.message) for entry in told]
    assert len(texts) == len(set(texts)) == 2
    assert texts[0].endswith("\n  y ~ x + (f || g/k)\n           ^^^^^^^^")


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x + (1|g)", "y ~ x + (x|g)", "y ~ x + (x||g)", "y ~ 0 + x + (0 + x|g)",
        "y ~ x + (1|g) - 1", "y ~ (1|g) + x", "y ~ 1 | g", "y ~ x*z + (1|g/k)",
        "y ~ x + I(x^2) + (1|g)", "y ~ (x + z)^2 + (1|g)", "y ~ x - 1 + (x - 1|g)",
        "y ~ offset(z) + x + (1|g)", "y ~ f*k + (1|g) + (1|k)", "y ~ x + (1|g) + (0 + x|g)",
        "y ~ poly(x, 2) + (poly(x, 2)|g)", "y ~ x + (1|h)", "y ~ f + (0 + f|g)",
        "y ~ x + (1|g:k) + (1|g)", "y ~ (!lg) + (1|g)", "y ~ (x + (1|g)) - 1", "y ~ cs(x|g) + x",
    ],
)  # fmt: skip
def test_no_advice_on_ordinary_formulas(formula):
    assert advice(lambda: linear(formula, control=IGNORE)) == []


def test_what_stands_in_a_bar_is_no_random_term():
    """lme4's findbars stops at the one bar that the whole right side is."""
    [trap] = lme4py.Formula.parse("y ~ x + sqrt(x | h) + z | g").traps
    assert trap.text.startswith("without parentheses the whole right side is one random term")


def test_as_many_levels_as_rows_are_meant_in_generalized_models():
    assert advice(lambda: generalized("lg ~ x + (1|v)", V(v=I))) == []


# The models of lme4's help pages and vignettes.
DOCUMENTED = [
    *("sleepstudy_intercept", "sleepstudy_slope", "sleepstudy_double_bar", "sleepstudy_two_terms"),
    *("sleepstudy_null", "sleepstudy_weights", "sleepstudy_offset_term", "sleepstudy_quadratic"),
    *("dyestuff", "dyestuff2", "penicillin", "pastes_nested", "pastes_sample"),
    *("pastes_interaction", "cake", "cake_numeric", "cbpp_cbind", "cbpp_proportion"),
    *("cbpp_observation", "grouseticks", "grouseticks_nested", "arabidopsis"),
    *("insteval_default_checks", "verbagg_ordered"),
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_no_advice_on_the_models_of_lme4s_documentation(name):
    from tests.recorded.cases import arguments, data, load

    path = FIXTURES / f"{name}.rds"
    if not path.is_file():
        pytest.skip("no such fixture")
    record = load(path)
    make = lme4py.glformula if bool(record["glm"].values[0]) else lme4py.lformula
    formula = str(record["formula"].values[0])
    assert advice(lambda: make(formula, data(record), **arguments(record))) == []


# What R 4.2.2 with lme4 1.1-31 makes of 76561198000000000 + 16 * (0:5), twice.
IDENTIFIERS_IN_R = ["7.6561198e+16", "76561198000000064", "76561198000000080"]


def test_long_numbers_that_become_one_level():
    identifiers = np.tile(76561198000000000 + 16 * np.arange(6), 2)
    data = {"y": np.arange(12.0), "id": identifiers}
    with pytest.warns(lme4py.Lme4pyAdvice, match="6 different numbers.* only 3 levels"):
        design = lme4py.lformula("y ~ 1 + (1 | id)", data)
    assert design.random.row_names == IDENTIFIERS_IN_R
    text = {**data, "id": identifiers.astype(str)}
    assert lme4py.lformula("y ~ 1 + (1 | id)", text).random.Zt.shape == (6, 12)
    assert not lme4py.lformula("y ~ 1 + (1 | id)", text).advice


def test_long_numbers_explain_the_error_that_they_cause():
    # In R: grouping factors must have > 1 sampled level.
    data = {"y": np.arange(12.0), "id": np.tile(10**15 + np.arange(6), 2)}
    with (
        pytest.warns(lme4py.Lme4pyAdvice, match="convert the column to text"),
        pytest.raises(lme4py.CheckError, match="> 1 sampled level"),
    ):
        lme4py.lformula("y ~ 1 + (1 | id)", data)


@pytest.mark.parametrize("first", [1, 100_000, 10**12, 12345678901234])
def test_numbers_that_stay_different_are_passed_over(first):
    data = {"y": np.arange(12.0), "id": np.tile(first + np.arange(6), 2)}
    assert not lme4py.lformula("y ~ 1 + (1 | id)", data).advice


def _sleep_shuffled():
    return lme4py.data.sleepstudy().sample(frac=1, random_state=1)


@pytest.mark.parametrize("argument", ["weights", "offset", "subset"])
def test_a_series_with_other_labels_than_the_data(argument):
    data = lme4py.data.sleepstudy()
    values = {"weights": data["Days"] + 1.0, "offset": data["Days"], "subset": data["Days"] > 2}
    given = {argument: values[argument]}
    with pytest.warns(lme4py.Lme4pyAdvice, match=f"^{argument} has other row labels"):
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", _sleep_shuffled(), **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", data, **given)
        plain = {argument: values[argument].tolist()}
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", _sleep_shuffled(), **plain)
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", data.to_dict("list"), **given)


@pytest.mark.parametrize("rows", [range(20), np.arange(20), [0, 1, 11, 12], pd.Series(range(20))])
def test_row_numbers_that_begin_with_0(rows):
    with pytest.warns(lme4py.Lme4pyAdvice, match="count from 1"):
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", lme4py.data.sleepstudy(), subset=rows)


@pytest.mark.parametrize("rows", [range(1, 21), -np.arange(1, 21), "Days < 2", np.ones(180, bool)])
def test_rows_that_are_meant_as_in_r(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lme4py.lformula("Reaction ~ 1 + (1 | Subject)", lme4py.data.sleepstudy(), subset=rows)


def test_times_are_no_long_numbers():
    times = pd.to_datetime("2020-01-01 12:00") + pd.to_timedelta(np.arange(12) % 6 * 100, unit="ms")
    data = {"y": np.arange(12.0), "t": times}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        control = {"check.nlev.gtr.1": "ignore"}
        assert not lme4py.lformula("y ~ 1 + (1 | t)", data, control=control).advice
