"""Numbers in place of symbols, and what they say of the spread of a cluster's rows."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lme4py
from lme4py.explain.estimates import estimates
from lme4py.rfiles.read_rds import read_rds
from tests.explain.random_designs import check_markup, valid_design

FIXTURES = Path(__file__).parents[2] / "fixtures"
SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return lme4py.lformula(SLEEP, lme4py.data.sleepstudy())


def _whole(design, par, sigma):
    """Return V = Z Λ Λᵗ Zᵗ σ² + σ² W⁻¹ of all rows, from lme4's matrices."""
    L = design.random.lambdat_at(par).T
    ZL = (design.Z @ L).toarray()
    weights = np.ones(len(ZL)) if design.weights is None else design.weights
    return sigma**2 * (ZL @ ZL.T + np.diag(1 / weights))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("number", range(40))
def test_variance_of_a_cluster_is_a_block_of_the_whole(number):
    _, design = valid_design(53, number)
    dice = np.random.default_rng(number)
    random = design.random
    par = np.clip(dice.uniform(0.2, 0.8, random.par.size), random.lower, random.upper)
    sigma = 1.5
    linear = design.family is None
    scaled = linear or design.family.name in ("gaussian", "Gamma", "inverse.gaussian")
    whole = _whole(design, par, sigma if scaled else 1.0)
    if not linear:
        whole -= np.diag((sigma if scaled else 1.0) ** 2 / np.ones(len(whole)))
        if design.weights is not None:
            pytest.skip("the residual part that is taken away is that without weights")
    for group in design.random.flist:
        clusters = design.clusters(group)
        found = clusters[number % len(clusters)]
        variance = found.variance(par, sigma if scaled else None)
        expected = whole[np.ix_(found.rows, found.rows)]
        np.testing.assert_allclose(variance.matrix, expected, rtol=1e-9, atol=1e-9)
        # A row without any effect has no variance in a generalized model.
        correlation = variance.correlation.diagonal()
        np.testing.assert_allclose(correlation[expected.diagonal() > 0], 1.0)
        check_markup(variance.html())
        for notation in ("raudenbush-bryk", "gelman-hill"):
            assert variance.display(notation=notation).text()
            assert found.variance().display(notation=notation).latex()


def test_intraclass_correlation(sleep):
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    found = design.cluster("308").variance([0.5], 2.0)
    # τ / (τ + σ²) with τ = 0.5² · 2², σ² = 2².
    np.testing.assert_allclose(found.icc, 0.2)
    np.testing.assert_allclose(found.correlation[0, 1], 0.2)
    assert "ICC = 0.200" in found.text()
    assert "V_j = Z_j T Z_jᵀ + σ²·I_j" in found.text()
    slopes = sleep.cluster("308").variance([1.0, 0.0, 1.0], 2.0)
    # τ_00 + x² τ_11 of all with τ = σ² = 4, x = 0, ..., 9.
    x = np.arange(10.0)
    np.testing.assert_allclose(slopes.icc, (1 + x**2) / (2 + x**2))
    assert "var(Reaction_ij) = τ_00 + 2·Days_ij·τ_01 + Days_ij²·τ_11 + σ²" in slopes.text()


def test_intraclass_correlation_of_a_binomial_response():
    data = {"y": np.tile([0.0, 1], 20), "x": np.arange(40.0), "g": np.repeat(np.arange(8), 5)}
    for link, latent in (("logit", np.pi**2 / 3), ("probit", 1.0), ("cloglog", np.pi**2 / 6)):
        design = lme4py.glformula("y ~ x + (1 | g)", data, family=f"binomial(link='{link}')")
        found = design.cluster("1").variance([2.0])
        np.testing.assert_allclose(found.icc, 4 / (4 + latent))
    design = lme4py.glformula("y ~ x + (1 | g)", data, family="poisson")
    assert design.cluster("1").variance([2.0]).icc is None


def test_without_estimates_the_symbols_stay(sleep):
    found = sleep.cluster("308").variance()
    assert (found.matrix, found.correlation, found.icc) == (None, None, None)
    assert "T = ⎡τ_00  τ_01⎤" in found.text()


# Written by R: getME(fit, "ALL"), or the fit itself.
RECORDS = [
    "lme4-2.1/v21_25_getME_slope.rds",
    "lme4-2.1/v21_13_getME_diag_ar1.rds",
    "lme4-2.1/v21_27_getME_ALL.rds",
    "lme4-2.1/v21_33_fit_S4.rds",
    "compare/fitted_slope.rds",
]


@pytest.mark.parametrize("name", RECORDS)
def test_r_records_of_fits(name):
    record = lme4py.read_fixture(FIXTURES / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = lme4py.lformula(record.formula, record.table(), **record.arguments)
    known = estimates(design, fit=record)
    np.testing.assert_array_equal(known.beta, np.ravel(record.terms["beta"].values))
    Lambdat = record.terms["Lambdat"]
    theta = record.terms["theta"].values
    assert known.sigma > 0
    for matrix, begin, term in zip(
        known.covariances, design.random.Gp, design.random.terms, strict=False
    ):
        L = design.random.Lambdat.copy()
        L.data = theta[design.random.Lind]
        one = L[begin : begin + term.columns, begin : begin + term.columns].toarray()
        np.testing.assert_allclose(matrix, known.sigma**2 * one.T @ one)
    assert Lambdat is not None
    # The modes: what is left of y is as large as lme4's weighted residuals are.
    weights = 1.0 if design.weights is None else design.weights
    left = design.y - design.X @ known.beta - design.Z @ known.b
    if design.offset is not None:
        left -= design.offset
    cmp = record.terms["devcomp"]["cmp"]
    wrss = dict(zip(cmp.names, cmp.values, strict=True))["wrss"]
    np.testing.assert_allclose(np.sum(weights * left**2), wrss, rtol=1e-6)
    equations = design.equations(fit=record, digits=12)
    assert f"{known.beta[0]:.12g}" in equations.combined.text()
    group = next(iter(design.random.flist))
    shown = design.clusters(group, fit=record)[0].display(digits=12).text()
    assert f"{known.beta[0]:.6g}"[:5] in shown


def test_statsmodels_results_are_near_lme4s():
    """fixtures/fits.rds: fixef, VarCorr and sigma of R's lmer."""
    pytest.importorskip("statsmodels")
    record = read_rds(FIXTURES / "fits.rds")
    fits, data = record["fits"], record["data"]
    count = 0
    for fit in fits:
        if fit.get("contrasts") is not None or fit.get("offset") is not None:
            continue
        formula = str(fit["formula"].values[0])
        table = data[str(fit["data"].values[0])].table()
        design = lme4py.lformula(formula, table, reml=bool(fit["reml"].values[0]))
        try:
            model = design.to_statsmodels()
        except lme4py.Lme4pyError:
            continue
        if design.X.shape[0] > 200:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = model.fit(reml=design.reml, method=["lbfgs", "powell"])
        known = estimates(design, fit=result)
        np.testing.assert_allclose(known.beta, fit["fixef"].values, rtol=1e-3, atol=1e-3)
        assert known.sigma == pytest.approx(float(fit["sigma"].values[0]), rel=1e-2)
        table = fit["vcov"].table()
        theirs = table.loc[table["var2"].isna() & (table["grp"] != "Residual"), "vcov"]
        ours = sorted(v for matrix in known.covariances for v in np.diag(matrix))
        np.testing.assert_allclose(ours, sorted(theirs), rtol=0.05, atol=1e-2)
        count += 1
    assert count >= 4


def test_fits_of_our_own(sleep):
    """R: fixef, sigma, VarCorr and ranef of lmer, lme4 1.1-31 on R 4.2.2."""
    fit = lme4py.lmer(SLEEP, lme4py.data.sleepstudy())
    known = estimates(sleep, fit=fit)
    np.testing.assert_allclose(known.beta, [251.40510, 10.46729], rtol=1e-5)
    (covariance,) = known.covariances
    np.testing.assert_allclose(np.diag(covariance), [612.100, 35.072], rtol=1e-4)
    assert known.sigma == pytest.approx(25.5918, rel=1e-5)
    np.testing.assert_allclose(known.b[:2], [2.258551, 9.198976], rtol=1e-4)
    assert "β_1j = 10.47 + U_1j" in sleep.equations(fit=fit).levels.text()


def test_modes_are_computed_where_a_fit_has_none(sleep):
    """R: ranef(lmer(Reaction ~ Days + (Days | Subject), sleepstudy)), lme4 1.1-31 on R 4.2.2."""
    pytest.importorskip("statsmodels")
    result = sleep.to_statsmodels().fit(reml=True, method="lbfgs")
    known = estimates(sleep, fit=result)
    np.testing.assert_allclose(known.b[:4], [2.258551, 9.198976, -40.398738, -8.619681], rtol=1e-3)


def test_numbers_of_all_kinds(sleep):
    equations = sleep.equations(par=[1.0, 0.5, 0.5], sigma=10.0, coefficients=[250.0, 10.0])
    assert "β_1j = 10 + U_1j" in equations.levels.text()
    text = equations.distribution.text()
    assert text.startswith("ε_ij ~ N(0, 100)")
    assert "⎡100  50⎤" in text
    assert "⎣ 50  50⎦" in text
    written = sleep.equations(par=[1.0, 0.5, 0.5], sigma=10.0, notation="gelman-hill")
    assert "⎡100  50⎤" in written.distribution.text()
    cs = lme4py.lformula("Reaction ~ Days + cs(Days | Subject)", lme4py.data.sleepstudy())
    for notation in ("raudenbush-bryk", "gelman-hill"):
        # 10 · 5 · 0.5 off the diagonal.
        shown = cs.equations(par=[1.0, 0.5, 0.5], sigma=10.0, notation=notation)
        assert "⎡100  25⎤" in shown.distribution.text()


def test_a_fit_is_anything_with_beta_and_theta(sleep):
    fit = SimpleNamespace(
        fixef={"(Intercept)": 250.0, "Days": 10.0},
        theta=[1.0, 0.5, 0.5],
        sigma=lambda: 10.0,
        b=np.arange(36.0),
    )
    known = estimates(sleep, fit=fit)
    found = sleep.cluster("309", fit=fit)
    shown = found.display(digits=8, rows=20).text()
    assert "⎡2⎤" in shown
    assert "⎣3⎦" in shown
    residual = found.y - found.X @ known.beta - found.Z @ [2.0, 3.0]
    assert f"{residual[0]:.4f}" in shown
    np.testing.assert_allclose(
        found.variance().matrix, found.variance([1.0, 0.5, 0.5], 10.0).matrix
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"par": [1.0, 0.0, 1.0]}, "par is relative to sigma"),
        ({"par": [1.0], "sigma": 1.0}, "3"),
        ({"sigma": -1.0}, "sigma must be a number that is not negative"),
        ({"sigma": 1e300}, "with a finite square, not 1e+300"),
        ({"sigma": "a"}, "sigma must be a number"),
        ({"fit": 3.5}, "fit is no fitted model: float has no beta and theta"),
        ({"fit": SimpleNamespace(beta=[1.0], theta=[1.0, 0, 1])}, "1 fixed effects, the design 2"),
        ({"fit": SimpleNamespace(beta=[1.0, 2], theta=[1.0])}, "1 elements of theta"),
        ({"fit": object(), "sigma": 1.0}, "give coefficients, par and sigma, or a fit"),
    ],
)
def test_what_are_no_estimates(sleep, arguments, message):
    with pytest.raises(lme4py.DataError) as caught:
        sleep.equations(**arguments)
    assert message in str(caught.value)


def test_a_factor_called_fit():
    data = {"y": np.arange(12.0), "fit": np.repeat(list("abc"), 4)}
    design = lme4py.lformula("y ~ 1 + (1 | fit)", data)
    assert design.cluster(fit="b").level == "b"
