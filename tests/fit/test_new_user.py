"""What a new user asks of a fit, and mistakes at its door; R 4.2.2 with lme4 1.1-31 beside it."""

import numpy as np
import pandas as pd
import pytest

import lme4py

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return lme4py.data.sleepstudy()


@pytest.fixture(scope="module")
def fit(sleep):
    return lme4py.lmer(SLEEP, sleep)


# predict(fit, re.form = ...)[c(1, 2, 3, 180)] of
# Reaction ~ log(Days + 1) + (log(Days + 1) | Subject) + (1 | h), h = rep(c("u", "v", "w"), 60).
RE_FORM = {
    "~ (1 | Subject)": [231.594457, 259.336859, 275.565124, 338.374839],
    "~ (0 + log(Days + 1) | Subject)": [238.054254, 288.925081, 318.682607, 344.787787],
    "~ (1 | h)": [238.054254, 265.796656, 282.024921, 330.212518],
    "~ (log(Days + 1) | Subject)": [231.594457, 282.465284, 312.222810, 352.950108],
    "~ (1 | Subject) + (1 | h)": [231.594457, 259.336859, 275.565124, 338.374839],
}


def test_random_effects_of_own_rows(sleep):
    data = sleep.assign(h=["u", "v", "w"] * 60)
    formula = "Reaction ~ log(Days + 1) + (log(Days + 1) | Subject) + (1 | h)"
    fit = lme4py.lmer(formula, data, lme4="1.1-31")
    for random, wanted in RE_FORM.items():
        own = fit.predict(random=random)
        np.testing.assert_allclose(own[[0, 1, 2, 179]], wanted, rtol=1e-6)
        np.testing.assert_allclose(own, fit.predict(data, random=random), rtol=1e-12)
    np.testing.assert_array_equal(fit.predict(random=["h", "Subject"]), fit.predict())
    np.testing.assert_array_equal(fit.predict(random=[]), fit.predict(random=False))
    np.testing.assert_array_equal(fit.predict(random=np.False_), fit.predict(random=False))


# With quadrature the log-likelihood is half a deviance, without the 2 that R's aic() counts.
# glmer(size ~ x + (1 | g), d, family = f(link = "log"), nAGQ = n): f, n, logLik, AIC
QUADRATURE = [
    ("Gamma", 2, -14.8704963, 37.740993),
    ("Gamma", 5, -14.7972020, 37.594404),
    ("Gamma", 9, -14.7936064, 37.587213),
]


@pytest.mark.parametrize(("family", "nAGQ", "log_likelihood", "aic"), QUADRATURE)
def test_quadrature_with_a_dispersion(family, nAGQ, log_likelihood, aic):
    at = np.arange(1, 49)
    x, group = np.sin(at), (at - 1) % 6
    effects = 3 * np.array([-0.9, -0.4, 0.0, 0.2, 0.5, 0.8])
    size = np.exp(0.3 * x + effects[group] + 0.5 * np.cos(7 * at))
    data = pd.DataFrame({"size": size, "x": x, "g": [f"g{one}" for one in group]})
    given = {"family": f"{family}('log')", "nAGQ": nAGQ, "lme4": "1.1-31"}
    fit = lme4py.glmer("size ~ x + (1 | g)", data, **given)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=2e-6)
    assert fit.aic == pytest.approx(aic, abs=4e-6)


@pytest.mark.parametrize("formula", ["Reaction ~ 1 + (1 | Subject)", SLEEP])
def test_response_without_residuals(formula, sleep):
    # R, too, goes on: lmer(Reaction ~ 1 + (1 | Subject), transform(sleepstudy, Reaction = 5)).
    fit = lme4py.lmer(formula, sleep.assign(Reaction=5.0))
    assert fit.fixef["(Intercept)"] == pytest.approx(5.0)
    assert fit.sigma < 1e-12
    assert fit.criterion < -1e3


def _lmer(data, **changed):
    return lme4py.lmer(SLEEP, data.assign(**changed))


def _controlled(**control):
    def call(data, _):
        return lme4py.lmer(
            SLEEP, data, control={k.replace("_", "."): v for k, v in control.items()}
        )

    return call


def _scan(**options):
    return lambda data, _: lme4py.scan(SLEEP, data, **options)


MISTAKES = {
    "optimizer": (_controlled(optimizer=3), "couldn't find optimizer function 3"),
    "boundary.tol": (_controlled(boundary_tol="a"), "boundary.tol must be a finite number"),
    "no tolerance": (_controlled(boundary_tol=None), "boundary.tol must be a finite number"),
    "check": (_controlled(check_conv_grad=3), "check.conv.grad must be a mapping, not 3"),
    "tol": (_controlled(check_conv_grad={"tol": "x"}), "check.conv.grad: tol must be a finite"),
    "list": (_controlled(check_conv_hess=[1, 2]), "check.conv.hess must be a mapping, not list"),
    "maxfun": (_controlled(optCtrl={"maxfun": np.inf}), "optCtrl: maxfun must be a finite number"),
    "weights": (
        lambda data, _: lme4py.lmer(SLEEP, data, weights=[0] * 180),
        "Downdated VtV is not positive definite",
    ),
    "huge": (lambda data, _: _lmer(data, Days=data["Days"] * 1e160), "objective in x0 returns NA"),
    "infinite": (
        lambda data, _: lme4py.lmer(SLEEP, data, offset=[np.inf] + [0.0] * 179),
        "objective in x0 returns NA\na number is too large, or not finite",
    ),
    "terms": (
        lambda _, fit: lme4py.mk_lmer_devfun(fit.design.crossproducts(), 3),
        "cross-products need the terms",
    ),
    "no model": (lambda *_: lme4py.mk_lmer_devfun(3), "a design or cross-products are needed"),
    "no function": (lambda *_: lme4py.optimize_lmer(3), "a deviance function is needed, not int"),
    "no rows": (
        lambda _, fit: lme4py.FittedModel.of(lme4py.mk_lmer_devfun(fit.design), 3),
        "a design or a spec is needed, not int",
    ),
    "other rows": (
        lambda data, fit: lme4py.FittedModel.of(
            lme4py.mk_lmer_devfun(fit.design),
            lme4py.lformula("Reaction ~ Days + (1 | Subject)", data),
        ),
        "the model has other random effects",
    ),
    "no control": (
        lambda _, fit: lme4py.FittedModel.of(
            lme4py.mk_lmer_devfun(fit.design), fit.spec, control={"optimizer": "nlm"}
        ),
        "couldn't find optimizer function nlm",
    ),
    "singular": (lambda _, fit: fit.is_singular("a"), "tol must be a finite number, not 'a'"),
    "own rows": (lambda _, fit: fit.predict(random="~ (1 | Subjekt)"), "original model: Subjekt"),
    "no parts": (lambda _, fit: fit.predict(random=3), "random must be True, False, the names"),
    "offset": (lambda _, fit: fit.predict(offset=[1]), "offset belongs to new rows"),
    "other columns": (
        lambda data, fit: lme4py.lformula(
            "Reaction ~ Z + (Z | Subject)", data.assign(Z=2 * data["Days"])
        ).equations(fit=fit),
        "the fit is of (Intercept), Days, the design of (Intercept), Z",
    ),
    "other slopes": (
        lambda data, fit: lme4py.lformula(
            "Reaction ~ Days + (Z | Subject)", data.assign(Z=2 * data["Days"])
        ).cluster("308", fit=fit),
        "the fit is of Subject, (Intercept), Days, the design of Subject, (Intercept), Z",
    ),
    "predictor": (lambda _, fit: fit.design.plot_groups(3), "3"),
    "argument": (
        _scan(weihgts="Days"),
        "unused argument (weihgts = 'Days')\ndid you mean 'weights'?",
    ),
    "family": (_scan(family="poisson"), "generalized models are made by glformula"),
    "function": (lambda *_: lme4py.scan(SLEEP, lambda: 3), "TypeError: 'int' object is not iter"),
    "raises": (lambda *_: lme4py.scan(SLEEP, lambda: {}["k"]), "could not be read: KeyError: 'k'"),
    "names": (lambda *_: lme4py.Scan(SLEEP, 3), "names must be the names of columns, not int"),
    "no dimension": (
        lambda *_: lme4py.Scan(SLEEP, np.array("Days")),
        "names must be the names of columns, not ndarray",
    ),
    "advance": (
        lambda data, _: lme4py.Scan(SLEEP, data.columns).advance(3),
        "found must be a scan, not int",
    ),
    "other scan": (
        lambda data, _: (
            lme4py.Scan(SLEEP, data.columns)
            + lme4py.Scan("Reaction ~ 1 + (1 | Subject)", data.columns)
        ),
        "scans of other models",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_in_our_words(name, sleep, fit):
    call, words = MISTAKES[name]
    with pytest.raises(lme4py.Lme4pyError) as told:
        call(sleep, fit)
    assert words in str(told.value)
