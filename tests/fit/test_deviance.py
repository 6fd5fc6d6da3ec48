"""Deviances at given parameters are lme4's, of both generations (fixtures/fits)."""

import numpy as np
import pytest

import lme4py
from lme4py.fit import algebra, generalized
from tests.fit.records import records

LINEAR, GENERALIZED = records("linear"), records("generalized")

quiet = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyAdvice", "ignore::UserWarning")


def test_there_are_enough():
    for version in ("1.1-31", "2.1"):
        assert sum(record.version == version for record in LINEAR) >= 60
        assert sum(record.version == version for record in GENERALIZED) >= 40


@quiet
@pytest.mark.parametrize("record", LINEAR, ids=lambda record: record.id)
def test_linear(record):
    design = record.design()
    devfun = lme4py.mk_lmer_devfun(design)
    for par, expected in zip(record.get("at"), record.get("deviance"), strict=True):
        assert devfun(par) == pytest.approx(expected, rel=0, abs=1e-8)


@quiet
@pytest.mark.parametrize("record", LINEAR, ids=lambda record: record.id)
def test_from_cross_products(record):
    """Sums of squares lose digits where the response lies far from zero: made_far is at 10,000."""
    design = record.design()
    devfun = lme4py.mk_lmer_devfun(design.crossproducts(), design.random, reml=design.reml)
    tolerance = 1e-5 if "far" in record.name else 1e-8
    for par, expected in zip(record.get("at"), record.get("deviance"), strict=True):
        assert devfun(par) == pytest.approx(expected, rel=0, abs=tolerance)


WAYS = {
    "sparse": {"_SMALL": 0, "_LARGE": 0},
    "listed": {"_COMPACT": 0},
    "not listed": {"_COMPACT": 0, "_LISTED": 0},
}


@quiet
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "record", [r for r in LINEAR if r.version == "2.1"], ids=lambda record: record.id
)
def test_other_ways_to_factor(record, way, monkeypatch):
    """All of V is the same however ZtZ is factored: large models take other ways."""
    design = record.design()
    par = record.get("at")[1]
    expected = lme4py.mk_lmer_devfun(design).at(par)
    for name, value in WAYS[way].items():
        monkeypatch.setattr(algebra, name, value)
    found = lme4py.mk_lmer_devfun(design).at(par)
    assert found.criterion == pytest.approx(record.get("deviance")[1], rel=0, abs=1e-8)
    np.testing.assert_allclose(found.b, expected.b, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.u, expected.u, rtol=1e-7, atol=1e-7)
    blocks = zip(
        found.conditional.diagonal_blocks(), expected.conditional.diagonal_blocks(), strict=True
    )
    for ours, theirs in blocks:
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@quiet
@pytest.mark.parametrize("record", GENERALIZED, ids=lambda record: record.id)
def test_generalized(record):
    design = record.design()
    devfun = lme4py.mk_glmer_devfun(design, nAGQ=0)
    found = [devfun(par) for par in record.get("at0")]
    np.testing.assert_allclose(found, record.get("deviance0"), rtol=0, atol=1e-8)
    nAGQ = record.arguments.get("nAGQ", 1)
    if nAGQ:
        devfun = lme4py.mk_glmer_devfun(design, nAGQ)
        found = [devfun(par) for par in record.get("at")]
        np.testing.assert_allclose(found, record.get("deviance"), rtol=0, atol=1e-8)


@quiet
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "record",
    [r for r in GENERALIZED if r.version == "2.1" and "crossed" in r.name],
    ids=lambda record: record.id,
)
def test_other_ways_to_factor_with_changing_weights(record, way, monkeypatch):
    for name, value in WAYS[way].items():
        monkeypatch.setattr(algebra, name, value)
    devfun = lme4py.mk_glmer_devfun(record.design(), nAGQ=0)
    found = [devfun(par) for par in record.get("at0")]
    np.testing.assert_allclose(found, record.get("deviance0"), rtol=0, atol=1e-8)


@quiet
def test_negative_binomial():
    """By glmer with MASS::negative.binomial(theta = 3), R 4.6.1, lme4 2.1-0."""
    [record] = [r for r in GENERALIZED if r.id == "made_count-2.1"]
    arguments = {"family": "negative.binomial(theta = 3)"}
    design = lme4py.glformula("count ~ x + (1 | g)", record.data(), **arguments)
    found = lme4py.mk_glmer_devfun(design)([0.5, 0.6, 0.2])
    assert found == pytest.approx(1169.8514076374, rel=0, abs=1e-8)
    fit = lme4py.glmer("count ~ x + (1 | g)", record.data(), **arguments)
    assert fit.aic <= 1166.391299381
    assert "Family: Negative Binomial(3)  ( log )" in repr(fit)
    assert fit.df == 4


def test_bounds_have_a_tolerance():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    devfun = lme4py.mk_lmer_devfun(design)
    assert devfun([1.0, 0.1, -5.6e-17]) == devfun([1.0, 0.1, 0.0])
    assert design.random.lambdat_at([1.0, 0.1, -5.6e-17]).data.min() == 0.0
    with pytest.raises(lme4py.DataError, match="not between 0 and inf"):
        devfun([1.0, 0.1, -1e-3])
    with pytest.raises(lme4py.DataError, match="the model has 3 parameters"):
        devfun([1.0])


def test_as_many_fixed_effects_as_rows():
    """R: devfun(1) is NaN, and lmer says that "objective in x0 returns NA"."""
    data = {"y": [1.0, 3.0, 2.0, 5.0], "x": [*"abcd"], "g": [*"aabb"]}
    design = lme4py.lformula("y ~ x + (1 | g)", data)
    devfun = lme4py.mk_lmer_devfun(design)
    assert np.isnan([devfun([1.0]), devfun.at([1.0]).sigma]).all()
    with pytest.raises(lme4py.DataError, match="objective in x0 returns NA") as caught:
        lme4py.lmer("y ~ x + (1 | g)", data)
    assert "reml=False" in caught.value.hint


def test_what_cannot_be_fitted():
    data = lme4py.data.sleepstudy()
    linear = lme4py.lformula("Reaction ~ Days + (1 | Subject)", data)
    with pytest.raises(lme4py.FormulaError, match="a linear model"):
        lme4py.mk_glmer_devfun(linear)
    counts = lme4py.glformula("Days ~ 1 + (1 | Subject)", data, family="poisson")
    with pytest.raises(lme4py.FormulaError, match="a generalized model"):
        lme4py.mk_lmer_devfun(counts)
    slopes = lme4py.glformula("Days ~ 1 + (Reaction | Subject)", data, family="poisson")
    with pytest.raises(lme4py.DataError, match="single, scalar random-effects term"):
        lme4py.mk_glmer_devfun(slopes, nAGQ=2)
    with pytest.raises(lme4py.DataError, match="the terms have 36 effects"):
        lme4py.mk_lmer_devfun(linear.crossproducts(), slopes.random)
    with pytest.raises(lme4py.DataError, match="nAGQ must be between 0 and 100"):
        lme4py.mk_glmer_devfun(counts, nAGQ=101)


RANKS = (
    "y ~ x + (1 | g)",
    "y ~ x * f + (f | g)",
    "y ~ g + x + (x | h) + (1 | g)",
    "y ~ between + tiny + (tiny | g) + (0 + huge | h)",
    "y ~ x + (1 | g) + (x | g)",
    "y ~ f + (1 | g / h)",
    "y ~ poly(x, 3) + (0 + f | g) + (1 | h)",
)


@quiet
@pytest.mark.parametrize("way", ["dense", "blocks", *WAYS])
@pytest.mark.parametrize("formula", RANKS)
def test_a_dispersion_counts_the_rank_of_all_columns(formula, way, monkeypatch):
    """lme4 2.1: the weights less ``rankMatrix(cbind(X, Z))``, by blocks where that is large."""
    if way != "dense":
        monkeypatch.setattr(generalized, "_DENSE", 0)
    for name, value in WAYS.get(way, {}).items():
        monkeypatch.setattr(algebra, name, value)
    dice = np.random.default_rng(len(formula))
    n, g = 120, dice.integers(0, 12, 120)
    data = {"y": dice.gamma(3, 1, n), "x": dice.normal(size=n), "between": dice.normal(size=12)[g]}
    data |= {"tiny": dice.normal(size=n) * 1e-7, "huge": dice.normal(size=n) * 1e6}
    data |= {"g": [*map(str, g)], "h": dice.choice(list("pqrst"), n), "f": dice.choice([*"abc"], n)}
    checks = ("check.nobs.vs.nlev", "check.nobs.vs.nRE", "check.scaleX")
    design = lme4py.glformula(
        formula, data, family="Gamma(link='log')", control=dict.fromkeys(checks, "ignore")
    )
    columns = np.column_stack([design.X, design.Zt.T.toarray()])
    lengths = np.linalg.norm(columns, axis=0)
    rank = np.linalg.matrix_rank(columns / np.where(lengths > 0, lengths, 1.0))
    assert lme4py.mk_glmer_devfun(design).dispersed == n - rank


@quiet
def test_a_dispersion_counts_what_groups_leave_little_of():
    dice = np.random.default_rng(1)
    n, g, h = 400, dice.integers(0, 20, 400), dice.integers(0, 15, 400)
    x = dice.normal(size=20)[g] + 1e-3 * dice.normal(size=n)
    data = {"y": dice.gamma(2, 1, n), "x": x, "g": [*map(str, g)], "h": [*map(str, h)]}
    design = lme4py.glformula("y ~ x + (1 | g) + (1 | h)", data, family="Gamma(link='log')")
    # The intercept is in both groups.
    assert lme4py.mk_glmer_devfun(design, nAGQ=0).dispersed == n - (1 + 1 + 19 + 14)


@quiet
def test_a_dispersion_needs_no_dense_columns():
    import tracemalloc

    dice = np.random.default_rng(2)
    groups = dice.integers(0, 1000, 20_000)
    data = {"y": dice.gamma(3, np.exp(dice.normal(size=1000)[groups])), "g": [*map(str, groups)]}
    design = lme4py.glformula("y ~ 1 + (1 | g)", data, family="Gamma(link='log')")
    tracemalloc.start()
    lme4py.mk_glmer_devfun(design)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 1000
