"""What people type who come from Python, dplyr or brms: an error of ours, and what to write."""

import warnings

import numpy as np
import pandas as pd
import pytest

import lme4py

DATA = {
    "y": np.array([1.0, 3, 2, 5, 4, 6, 8, 7, 9, 12, 10, 11]),
    "x": np.arange(12.0),
    "t": list("rstrstrstrst"),
    "g": list("aabbccddeeff"),
}
FRAME = pd.DataFrame(DATA)

IGNORED = {"check.nobs.vs.nlev": "ignore", "check.nobs.vs.nRE": "ignore"}

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")

FORMULAS = {
    "lmer(y ~ x + (1 | g), data = d)": "give the formula alone: 'y ~ x + (1 | g)'",
    "m <- lmer(y ~ x + (1 | g), data = d, REML = FALSE)": "give the formula alone: 'y ~ x + (1",
    "m = glmer(y ~ x + (1 | g), d, binomial)": "give the formula alone: 'y ~ x + (1 | g)'",
    "summary(lme4::lmer(y ~ x + (1 | g), d))": "give the formula alone: 'y ~ x + (1 | g)'",
    "y ~ {x} + (1 | g)": "left over from an f-string",
    "y ~ x + (1 | {g})": "left over from an f-string",
    "y ~ df['x'] + (1 | g)": "write x",
    'y ~ df[["x"]] + (1 | g)': "write x",
    "y ~ df$x + (1 | g)": "write x",
    "y ~ df.x + (1 | g)": "write x",
    "y ~ relevel(t, 's') + (1 | g)": "write relevel(factor(x), ref = 'b')",
    "y ~ case_when(x > 3 ~ 1, TRUE ~ 0) + (1 | g)": "as a column of the data",
    "y ~ dplyr::recode(t, r = 's') + (1 | g)": "as a column of the data",
    "y ~ fct_collapse(t, r = 's') + (1 | g)": "as a column of the data",
    "y ~ ntile(x, 3) + (1 | g)": "as a column of the data",
    "y ~ lead(x) + (1 | g)": "as a column of the data",
    "y ~ if_else(x > 3, 1, 0) + (1 | g)": "write ifelse(",
    "y ~ fct_relevel(t, 's') + (1 | g)": "write relevel(factor(x)",
}
SUBSETS = {
    "x > 2 and x < 8": "R writes & for and",
    "x > 2 or t == 'r'": "R writes | for or",
    "not x > 2": "R writes ! for not",
    "x > 2 && x < 8": "write &",
    "t in ['r', 's']": "R writes %in% for in",
    "x is not None": "is.na(x)",
    "t.isin(['r'])": "a vector is written c(1, 2)",
    "x.notna()": "write !is.na(x)",
    "x <> 3": "R writes != for <>",
    "x = 3": "equality is written ==",
    "~(x > 2)": "negation is written !",
    "3 < x < 8": "join two of them with &",
}
ARGUMENTS = {
    "REML": (False, "write reml=False"),
    "family": ("binomial", "made by glformula"),
    "random": ("~1 | g", "stand in the formula"),
    "groups": ("g", "stand in the formula"),
    "weight": ("x", "did you mean 'weights'?"),
    "foo": (1, "unused argument (foo = 1)"),
}


@pytest.mark.parametrize(("formula", "hint"), FORMULAS.items())
def test_formulas(formula, hint):
    with pytest.raises(lme4py.Lme4pyError) as caught:
        lme4py.lformula(formula, FRAME)
    assert hint in str(caught.value)


@pytest.mark.parametrize(("subset", "hint"), SUBSETS.items())
def test_subsets(subset, hint):
    with pytest.raises(lme4py.Lme4pyError) as caught:
        lme4py.lformula("y ~ x + (1 | g)", FRAME, subset=subset)
    assert hint in str(caught.value)


@pytest.mark.parametrize(("name", "given"), ARGUMENTS.items())
def test_arguments(name, given):
    value, hint = given
    with pytest.raises(lme4py.DataError) as caught:
        lme4py.lformula("y ~ x + (1 | g)", FRAME, **{name: value})
    assert hint in str(caught.value)


def test_a_link_of_terms_as_brms_writes_it():
    with (
        pytest.warns(lme4py.Lme4pyWarning, match=r"that is brms's|is brms's.*write \(1 \| g\)"),
        pytest.raises(lme4py.FormulaError, match="object 'ID' not found"),
    ):
        lme4py.lformula("y ~ x + (1 | ID | g)", FRAME)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ . + (1 | g)"])
def test_names_that_repeat_stop_a_model_that_uses_them(formula):
    twice = pd.concat([FRAME, FRAME[["x"]]], axis=1)
    assert lme4py.lformula("y ~ t + (1 | g)", twice).fixed.names == ["(Intercept)", "ts", "tt"]
    with pytest.raises(lme4py.DataError, match="column names repeat: 'x'"):
        lme4py.lformula(formula, twice)


@pytest.mark.parametrize("table", [FRAME, DATA])
@pytest.mark.parametrize(
    ("formula", "names", "cnms"),
    [
        # R: lFormula with dat in the formula's environment.
        ("dat$y ~ dat$x + (1 | dat$g)", ["(Intercept)", "dat$x"], [("dat$g", ["(Intercept)"])]),
        ("y ~ x + (dat$x | g)", ["(Intercept)", "x"], [("g", ["(Intercept)", "dat$x"])]),
        ("y ~ log(dat$x + 1) + (1 | g)", ["(Intercept)", "log(dat$x + 1)"], None),
        ('y ~ dat[["x"]] + (1 | g)', ["(Intercept)", 'dat[["x"]]'], None),
    ],
)
def test_columns_of_a_frame_in_env(table, formula, names, cnms):
    design = lme4py.lformula(formula, FRAME, env={"dat": table}, control=IGNORED)
    assert design.fixed.names == names
    assert cnms is None or design.random.cnms == cnms
    alone = formula.replace("dat$", "").replace('dat[["x"]]', "x")
    plain = lme4py.lformula(alone, FRAME, control=IGNORED)
    np.testing.assert_array_equal(design.X, plain.X)


def test_no_such_column_of_a_frame_in_env():
    with pytest.raises(lme4py.DataError, match=r"invalid type \(NULL\) for variable 'dat\$xx'"):
        lme4py.lformula("y ~ dat$xx + (1 | g)", FRAME, env={"dat": FRAME})


NAMED = FRAME.set_index(pd.Index([f"r{number}" for number in range(1, 13)]))


@pytest.mark.parametrize(
    ("subset", "formula", "rows"),
    [
        # R 4.2.2: rownames(lFormula(..., subset = )$fr)
        (["r1", "r2", "r3", "r5", "r12", "r12"], "y ~ x + (1 | g)", "r1 r2 r3 r5 r12 r12"),
        (["r1", "r2", "r3", "r5", "zz"], "y ~ x + (1 | g)", "r1 r2 r3 r5"),
        (["r", "r1", "r2", "r3", "r5", "r11"], "y ~ x + (1 | g)", "r1 r2 r3 r5 r11"),
        (["r1", "r2", "r3", "r5", None], "y ~ x + (1 | g)", "r1 r2 r3 r5"),
        (["r1", "r2", "r3", "r5"], "y ~ scale(x) + (1 | g)", "r1 r2 r3 r5"),
        (pd.Categorical(list("abcacdabc")), "y ~ x + (1 | g)", "r1 r2 r3 r1 r3 r4 r1 r2 r3"),
    ],
)
def test_subset_by_row_names(subset, formula, rows):
    design = lme4py.lformula(formula, NAMED, subset=subset, control=IGNORED)
    assert list(design.frame.index) == rows.split()


def test_row_names_are_numbers_where_nobody_gave_any():
    for data in (FRAME, DATA):
        design = lme4py.lformula("y ~ x + (1 | g)", data, subset=["1", "2", "3", "5", "6", "7"])
        assert design.y.tolist() == [1, 3, 2, 4, 6, 8]


def test_a_column_called_as_a_call_is_written():
    # R 4.2.2: of two variables of one name the first counts.
    data = FRAME.assign(**{"I(x^2)": list("uvwuvwuvwuvw")})
    first = lme4py.lformula("y ~ `I(x^2)` + I(x^2) + (1 | g)", data)
    assert first.fixed.names == ["(Intercept)", "`I(x^2)`v", "`I(x^2)`w"]
    second = lme4py.lformula("y ~ I(x^2) + `I(x^2)` + (1 | g)", data)
    assert second.fixed.names == ["(Intercept)", "I(x^2)"]


def test_a_linear_model_by_glformula():
    # R: extra argument(s) ‘mustart’, ‘etastart’ disregarded
    start = [1.0] * 12
    with pytest.warns(lme4py.Lme4pyWarning, match="‘mustart’, ‘etastart’ disregarded"):
        design = lme4py.glformula(
            "y ~ x + (1 | g)", FRAME, family="gaussian", mustart=start, etastart=start
        )
    assert list(design.frame) == ["y", "x", "g"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        control = {"check.response.not.const": "ignore"}
        lme4py.glformula("y ~ x + (1 | g)", FRAME, family="gaussian", control=control)


def test_a_matrix_of_one_column_is_a_group():
    # R 4.2.2: rownames of Zt
    data = {**DATA, "m": np.tile([0.0, 1.0, 2.0], 4)[:, None]}
    design = lme4py.lformula("y ~ x + (1 | m) + (1 | factor(m))", data)
    assert design.random.row_names == ["0", "1", "2", "0", "1", "2"]
