"""What a fitted model can be asked."""

import json
import warnings

import numpy as np
import pytest

import lme4py
from lme4py.data import sleepstudy


@pytest.fixture(scope="module")
def fit():
    return lme4py.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


@pytest.fixture(scope="module")
def counts():
    data = {"y": [1, 0, 4, 3, 2, 5, 9, 9], "x": [0, 1] * 4, "g": list("aabbccdd")}
    return lme4py.glmer("y ~ x + (1 | g)", data, family="poisson")


def test_predictions_of_its_own_rows(fit):
    data = sleepstudy()
    np.testing.assert_allclose(fit.predict(data), fit.fitted(), rtol=1e-12)
    np.testing.assert_allclose(fit.predict(), fit.fitted(), rtol=1e-12)
    without = fit.predict(random=False)
    np.testing.assert_allclose(fit.predict(data, random=False), without, rtol=1e-12)
    np.testing.assert_allclose(without, 251.4051 + 10.46729 * data["Days"], rtol=1e-6)
    with pytest.raises(lme4py.DataError, match="new levels detected in newdata"):
        fit.predict({"Days": [1], "Subject": ["new"]})


def test_means_of_generalized_rows(counts):
    np.testing.assert_allclose(np.exp(counts.predict()), counts.fitted(), rtol=1e-12)
    np.testing.assert_allclose(counts.predict(type="response"), counts.fitted(), rtol=1e-12)
    assert not counts.has_scale
    assert counts.simulate(seed=1).shape == (8,)


def test_json_keeps_the_estimates(fit, counts):
    for one in (fit, counts):
        again = lme4py.FittedModel.from_json(one.to_json())
        assert repr(again) == repr(one)
        np.testing.assert_array_equal(again.vcov, one.vcov)
        for (_, ours), (_, theirs) in zip(
            again.conditional_variances, one.conditional_variances, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        assert again.to_json() == one.to_json()
        with pytest.raises(lme4py.DataError, match="has no rows"):
            again.fitted()
    new = {"Days": [3], "Subject": ["309"]}
    read = lme4py.FittedModel.from_json(fit.to_json())
    assert read.predict(new).tolist() == fit.predict(new).tolist()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"format": "lme4py.FittedModel", "version": 0}']
)
def test_other_texts_are_no_fits(text):
    with pytest.raises(lme4py.DataError, match=r"not a saved fit|a saved fit of version"):
        lme4py.FittedModel.from_json(text)


def test_damaged_fits(fit):
    plain = json.loads(fit.to_json())
    one = {"array": "float64", "shape": [1], "items": [1.0]}
    for change in ({"n": -1}, {"par": one}, {"covariance": one}):
        damaged = {**plain, "content": {**plain["content"], **change}}
        with pytest.raises(lme4py.DataError, match="not a saved fit"):
            lme4py.FittedModel.from_json(json.dumps(damaged))


def test_from_cross_products_alone():
    data = sleepstudy()
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", data)
    devfun = lme4py.mk_lmer_devfun(design.crossproducts(), design.random)
    alone = lme4py.FittedModel.of(devfun, design.spec)
    whole = lme4py.lmer("Reaction ~ Days + (Days | Subject)", data)
    np.testing.assert_allclose(alone.beta, whole.beta, rtol=1e-9)
    assert alone.criterion == pytest.approx(whole.criterion, rel=0, abs=1e-7)
    assert list(alone.fixef.index) == ["(Intercept)", "Days"]
    new = {"Days": [1, 2], "Subject": ["308", "309"]}
    np.testing.assert_allclose(alone.predict(new), whole.predict(new), rtol=1e-7)
    with pytest.raises(lme4py.DataError, match="no rows"):
        alone.fitted()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"start": [1.0]}, "length not equal to 3"),
        ({"start": {"fixef": [1.0]}}, "invalid names fixef"),
        ({"start": ["a", "b", "c"]}, "non-numeric"),
        ({"control": {"optimizer": "nlm"}}, "couldn't find optimizer function nlm"),
        ({"control": {"optCtrl": {"maxfum": 1}}}, "no option 'maxfum'"),
        ({"control": {"optCtrl": {"maxfun": 0}}}, "a number above 0"),
        ({"control": {"optCtrl": {"maxfun": 0.5}}}, "a number above 0, not 0.5"),
        ({"reml": "x"}, "reml must be True or False, not 'x'"),
        ({"control": {"check.conv.grad": "loud"}}, "invalid control level"),
        ({"control": {"restart_edge": 3}}, "must be True or False"),
    ],
)
def test_arguments_that_mean_nothing(options, message):
    with pytest.raises(lme4py.Lme4pyError, match=message):
        lme4py.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy(), **options)


def test_gaussian_glmer_is_lmer():
    with pytest.warns(lme4py.Lme4pyWarning, match="please call lmer"):
        fit = lme4py.glmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), family="gaussian")
    assert fit.family is None
    assert fit.reml


def test_names_that_explanations_take(fit):
    assert list(fit.fixef.index) == ["(Intercept)", "Days"]
    assert fit.par.tolist() == fit.theta.tolist()
    assert fit.ranef["Subject"].shape == (18, 2)
    assert list(fit.ranef["Subject"].index)[:2] == ["308", "309"]


def test_rows_with_missing_values_after_a_subset():
    """R 4.2.2, lme4 1.1-31: subset = Days > 1, na.action = na.exclude."""
    data = sleepstudy()
    data.loc[[2, 49, 50, 179], "Reaction"] = np.nan
    fit = lme4py.lmer(
        "Reaction ~ Days + (1 | Subject)", data, subset="Days > 1", na_action="exclude"
    )
    for found in (fit.fitted(), fit.residuals(), fit.predict()):
        assert found.size == 144
        assert np.flatnonzero(np.isnan(found)).tolist() == [0, 39, 143]
    np.testing.assert_allclose(fit.fitted()[1:3], [343.1131322, 354.0893986], rtol=1e-6)
    np.testing.assert_allclose(fit.residuals()[1:3], [-21.673332182, 2.762501445], rtol=1e-4)


@pytest.mark.parametrize("formula", ["flat ~ 1 + (1 | g) + (1 | h)", "far ~ x + (1 | g) + (1 | k)"])
def test_cross_products_start_where_the_rows_do(formula):
    from tests.fit.records import recorded

    design = lme4py.lformula(formula, recorded("linear", "2.1")["data"]["made"].table())
    own = lme4py.mk_lmer_devfun(design)
    alone = lme4py.mk_lmer_devfun(design.crossproducts(), design.random)
    assert (own.start != 1.0).all()
    np.testing.assert_allclose(alone.start, own.start, rtol=1e-6)


def test_a_long_formula_is_broken_as_R_breaks_it():
    """R 4.2.2: ``cat("Formula:", deparse(formula), fill = TRUE)``."""
    dice = np.random.default_rng(1)
    names = ["a" * 20, "b" * 26, "c" * 14, "d" * 26, "e" * 29, "f" * 20]
    data = {name: dice.normal(size=60) for name in ("y", *names)}
    data["g"] = np.repeat(list("stuvwx"), 10)
    fixed, random = " + ".join(names[:3]), " + ".join(names[3:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lme4py.lmer(f"y ~ {fixed} + (1 + {random} | g)", data)
    assert repr(fit).split("\n")[1:5] == [
        "Formula: ",
        "y ~ aaaaaaaaaaaaaaaaaaaa + bbbbbbbbbbbbbbbbbbbbbbbbbb + cccccccccccccc +  ",
        "    (1 + dddddddddddddddddddddddddd + eeeeeeeeeeeeeeeeeeeeeeeeeeeee +  ",
        "        ffffffffffffffffffff | g)",
    ]


def test_long_arguments_are_broken_as_R_breaks_them():
    """R 4.2.2, lme4 1.1-31."""
    fit = lme4py.lmer(
        "Reaction ~ Days + (1 | Subject)",
        sleepstudy(),
        subset='Days > 1 & !(Subject %in% c("308", "309")) & Reaction > 100 & Reaction < 900 & '
        "log(Reaction + Days) > 1",
        weights="ifelse(Days > 5 & Reaction > 250, 2, 1) + 0 * log(Reaction + Days + 100)",
    )
    assert repr(fit).split("\n")[2:7] == [
        "Weights: ifelse(Days > 5 & Reaction > 250, 2, 1) + 0 * log(Reaction +  ",
        "    Days + 100)",
        ' Subset: Days > 1 & !(Subject %in% c("308", "309")) & Reaction > 100 &  ',
        "    Reaction < 900 & log(Reaction + Days) > 1",
        "REML criterion at convergence: 1266.912",
    ]


def test_names_of_groups_that_are_made_are_not_those_that_stand():
    """As R 4.2 and lme4 1.1-31 print them, whose ``make.names`` turns ``g:h`` into ``g.h.1``."""
    dice = np.random.default_rng(3)
    data = {
        "y": dice.normal(size=60),
        "x": dice.normal(size=60),
        "g": np.repeat(list("abcdef"), 10),
        "h": np.tile(list("stuv"), 15),
        "g.h": dice.choice(list("klmno"), 60),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lme4py.lmer("y ~ x + (1 | g:h) + (1 | g.h) + (1 | g) + (0 + x | g)", data)
    lines = repr(fit.var_corr).split("\n")[1:]
    assert [line.split()[0] for line in lines] == ["g.h.1", "g", "g.1", "g.h", "Residual"]


def test_a_search_that_was_stopped():
    """R 4.2.2, lme4 1.1-31, and R 4.6.1, lme4 2.1-0: ``optCtrl = list(maxeval = 5)``."""
    pytest.importorskip("nlopt", reason="R says what nlopt says")
    formula, control = "Reaction ~ Days + (Days | Subject)", {"optCtrl": {"maxeval": 5}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lme4py.lmer(formula, sleepstudy(), control=control, lme4="1.1-31")
    ended = (
        "optimizer (nloptwrap) convergence code: 5 (NLOPT_MAXEVAL_REACHED: Optimization stopped "
        "because maxeval (above) was reached.)"
    )
    assert repr(fit).split("\n")[-1] == f"{ended} ; 0 optimizer warnings; 2 lme4 warnings "
    assert fit.summary().split("\n")[-5:] == [
        "Days          10.467      5.776   1.812",
        ended,
        "unable to evaluate scaled gradient",
        "Model failed to converge: degenerate  Hessian with 1 negative eigenvalues",
        "",
    ]


def test_what_was_said_of_X_ends_both_texts():
    """R 4.2.2, lme4 1.1-31."""
    with pytest.warns(lme4py.Lme4pyMessage, match="rank deficient"):
        fit = lme4py.lmer("Reaction ~ Days + I(2 * Days) + (1 | Subject)", sleepstudy())
    for text in (repr(fit), fit.summary()):
        assert text.split("\n")[-2:] == [
            "fit warnings:",
            "fixed-effect model matrix is rank deficient so dropping 1 column / coefficient",
        ]


def test_scaled_residuals_have_as_many_decimals_as_in_R():
    """R 4.2.2, lme4 1.1-31, whose ``zapsmall`` rounds the logarithm of the largest."""
    from tests.fit.records import records

    [record] = [each for each in records("linear") if each.id == "penicillin-1.1-31"]
    there = {"start": record.best("par"), "control": {"optimizer": None}}
    fit = lme4py.lmer(record.text("formula"), record.data(), **there)
    assert fit.summary().split("\n")[5:8] == [
        "Scaled residuals: ",
        "     Min       1Q   Median       3Q      Max ",
        "-2.07923 -0.67140  0.06292  0.58377  2.97959 ",
    ]
