"""statsmodels fits to_statsmodels() as lme4 1.1-31 does under R 4.2.2 (fixtures/fits.rds)."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data import sleepstudy
from lme4py.export.to_statsmodels import to_statsmodels
from lme4py.rfiles.read_rds import read_rds

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "fits.rds"

mixed_linear_model = pytest.importorskip(
    "statsmodels.regression.mixed_linear_model", reason="statsmodels is not installed"
)


@pytest.fixture(scope="module")
def recorded():
    return read_rds(FIXTURE)


NAMES = [
    "random_intercept",
    "correlated_slope",
    "maximum_likelihood",
    "double_bar",
    "nested",
    "crossed",
    "crossed_slopes",
    "partly_crossed",
    "factor_fixed",
    "sum_contrasts",
    "factor_slopes",
    "factor_and_number",
    "slope_and_inner",
    "scaled",
    "polynomial",
    "offset",
]


def _design(recorded, fit):
    contrasts, offset = fit["contrasts"], fit["offset"]
    return lme4py.lformula(
        fit["formula"].values[0],
        recorded["data"][fit["data"].values[0]].table(),
        reml=bool(fit["reml"].values[0]),
        contrasts=contrasts
        and {name: value.values[0] for name, value in zip(contrasts.names, contrasts, strict=True)},
        offset=offset and offset.values[0],
    )


def _fit(design):
    """L-BFGS gets near from any start, where BFGS may stall; BFGS then finishes."""
    model = to_statsmodels(design)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = model.fit(reml=design.reml, method="lbfgs")
        start = near.params_object
        return model, model.fit(reml=design.reml, method="bfgs", gtol=1e-7, start_params=start)


def test_the_table_is_complete(recorded):
    assert list(recorded["fits"].names) == NAMES
    assert recorded["versions"].values.tolist() == ["4.2.2", "1.1.31"]


@pytest.mark.parametrize("name", NAMES)
def test_fit_is_lme4s(recorded, name):
    expected = recorded["fits"][name]
    design = _design(recorded, expected)
    model, result = _fit(design)
    assert result.llf == pytest.approx(expected["loglik"].values[0], rel=1e-6)
    fixed = expected["fixef"]
    assert list(result.fe_params.index) == list(fixed.names)
    scale = np.abs(fixed.values).max()
    np.testing.assert_allclose(result.fe_params, fixed.values, rtol=1e-5, atol=1e-6 * scale)
    # The covariance parameters, by group and columns; lme4 lists each term's own.
    sigma = expected["sigma"].values[0]
    assert np.sqrt(result.scale) == pytest.approx(sigma, rel=1e-3)
    table = expected["vcov"].table()
    variances = table.loc[table["var2"].isna() & (table["grp"] != "Residual"), "vcov"]
    ours = [*np.diag(np.atleast_2d(result.cov_re)), *np.atleast_1d(result.vcomp)]
    np.testing.assert_allclose(sorted(ours), sorted(variances), rtol=5e-3, atol=1e-3 * sigma**2)
    assert sorted(model.group_labels) == list(model.group_labels)


ROWS = sleepstudy().assign(
    Half=lambda d: np.where(d.Days < 5, "early", "late"), Day=lambda d: d.Days.astype(str)
)

GROUPS = [
    ("Days + (1 | Subject)", 18, ["Subject Var"]),
    ("Days + (Days | Subject)", 18, ["Subject Var", "Subject x Days Cov", "Days Var"]),
    ("Days + (0 + Days | Subject)", 18, ["Days Var"]),
    ("Days + (Days || Subject)", 18, ["Subject Var", "Subject Days Var"]),
    ("Days + (1 | Subject/Half)", 18, ["Subject Var", "Half:Subject Var"]),
    ("Days + (1 | Subject:Half) + (1 | Subject)", 18, ["Subject Var", "Subject:Half Var"]),
    ("Days + (1 | Subject) + (1 | Day)", 1, ["Subject Var", "Day Var"]),
    (
        "Days + (1 | Subject:Half) + (Days | Subject)",
        18,
        ["Subject Var", "Subject x Days Cov", "Days Var", "Subject:Half Var"],
    ),
    (
        "Days + (Days || Subject) + (Days || Half)",
        1,
        ["Subject Var", "Subject Days Var", "Half Var", "Half Days Var"],
    ),
    ("1 + (Half || Subject)", 18, None),
]


advised = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyAdvice")


@advised
@pytest.mark.parametrize("right, groups, names", GROUPS)
def test_groups_and_names(right, groups, names):
    design = lme4py.lformula(
        f"Reaction ~ {right}",
        ROWS,
        control={"check.nobs.vs.nlev": "ignore", "check.nlev.gtreq.5": "ignore"},
    )
    model = to_statsmodels(design)
    assert isinstance(model, mixed_linear_model.MixedLM)
    assert (model.n_groups, model.exog_names) == (groups, design.fixed.names)
    if names is not None:
        got = model.data.param_names[model.k_fe :]
        # A single group has no exog_re.
        assert got == names


def _covariance(model, rows, sparse):
    """The sum of all effects' outer products, as MixedLM holds them: Z Z' for unit variances."""
    total = np.zeros((rows, rows))
    for place, label in enumerate(model.group_labels):
        pieces = model._augment_exog(place)
        z = pieces.toarray() if sparse else np.asarray(pieces)
        index = model.row_indices[label]
        total[np.ix_(index, index)] += z @ z.T
    return total


@advised
@pytest.mark.parametrize("right", [right for right, _, _ in GROUPS])
@pytest.mark.parametrize("sparse", [False, True])
def test_all_effects_are_handed_over(right, sparse, monkeypatch):
    """Z Z' of the pieces is that of the design, dense or sparse."""
    if sparse:
        monkeypatch.setattr("lme4py.export.to_statsmodels._DENSE_LIMIT", 0)
    design = lme4py.lformula(f"Reaction ~ {right}", ROWS)
    model = to_statsmodels(design)
    z = design.Z.toarray()
    got = _covariance(model, len(ROWS), sparse and model.k_vc > 0)
    np.testing.assert_allclose(got, z @ z.T, rtol=1e-12)


def test_levels_sort_as_statsmodels_sorts_them():
    """Level order is R's (a B c), groups come sorted by code points (B a c)."""
    generator = np.random.default_rng(3)
    group = np.repeat(["a", "B", "c", "D", "e", "10", "9"], 8)
    data = {"y": generator.normal(size=56), "x": generator.normal(size=56), "g": group}
    data["h"] = np.tile([1, 1, 2, 2, 3, 3, 4, 4], 7)
    design = lme4py.lformula("y ~ x + (1 | g) + (0 + x | g:h)", data)
    model = to_statsmodels(design)
    assert model.group_labels == sorted(set(group))
    for place, label in enumerate(model.group_labels):
        x = np.asarray(data["x"])[group == label]
        got = model.exog_vc.mats[0][place]
        np.testing.assert_array_equal(got.sum(axis=1), x)
        assert model.exog_vc.colnames[0][place] == [f"{label}:{h}" for h in (1, 2, 3, 4)]


def test_the_index_of_the_data_does_not_matter():
    d = sleepstudy()
    d.index = np.tile(np.arange(90), 2)
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", d, subset="Days > 0")
    model = to_statsmodels(design)
    assert model.nobs == 162
    assert isinstance(model.data.orig_exog.index, pd.RangeIndex)
    assert [len(rows) for rows in model.row_indices.values()] == [9] * 18


@pytest.mark.parametrize(
    "right, options, cause",
    [
        ("(Days | Subject) + (Days | Half)", {}, "it has one covariance matrix, and both"),
        ("(Days | Subject) + (1 | Day)", {}, "levels of Day occur in several of these groups"),
        ("(Days | Subject:Half) + (1 | Subject)", {}, "occur in several of these groups"),
        ("(1 | Subject)", {"weights": "Days + 1"}, "it has no weights"),
        ("0 + (1 | Subject)", {}, "X has no columns"),
    ],
)
def test_what_it_cannot_express(right, options, cause):
    design = lme4py.lformula(
        f"Reaction ~ {right}", ROWS, control={"check.nlev.gtreq.5": "ignore"}, **options
    )
    with pytest.raises(lme4py.Lme4pyError, match="MixedLM cannot express this model") as caught:
        to_statsmodels(design)
    assert cause in str(caught.value)


def test_unit_weights_are_none():
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", ROWS, weights=np.ones(180))
    assert to_statsmodels(design).nobs == 180


def test_generalized_models_are_refused():
    data = {"y": [0, 1] * 10, "g": np.repeat(list("abcde"), 4)}
    design = lme4py.glformula("y ~ 1 + (1 | g)", data, family="binomial")
    with pytest.raises(lme4py.FormulaError, match="it fits linear models"):
        to_statsmodels(design)


@pytest.mark.parametrize(
    "column, cause",
    [("Reaction", "the response has"), ("Subject", "rows have no level of Subject")],
)
def test_missing_values_are_refused(column, cause):
    d = sleepstudy()
    d.loc[7, column] = np.nan
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", d, na_action="pass")
    with pytest.raises(lme4py.DataError, match=cause):
        to_statsmodels(design)


def _better(design):
    """The advice of docs/exports.md: both methods, and the fit of larger log-likelihood."""
    model = to_statsmodels(design)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [model.fit(reml=design.reml, method=method) for method in ("lbfgs", "powell")]
    return max((fit for fit in fits if np.isfinite(fit.llf)), key=lambda fit: fit.llf)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scales_a_thousand_times_apart(recorded, scale):
    """Another unit of Days moves the REML log-likelihood by its logarithm, and nothing else."""
    expected = recorded["fits"]["correlated_slope"]["loglik"].values[0] - np.log(scale)
    rows = sleepstudy().assign(Days=lambda d: d["Days"] * scale)
    control = {"check.scaleX": "ignore"}
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", rows, control=control)
    result = _better(design)
    assert result.llf == pytest.approx(expected, rel=1e-5)


def test_a_variance_of_zero():
    """Where the groups differ by less than chance, the fit is that without them."""
    y = np.random.default_rng(1).normal(size=180)
    design = lme4py.lformula("y ~ 1 + (1 | Subject)", sleepstudy().assign(y=y))
    n, rss = 180, float(((y - y.mean()) ** 2).sum())
    alone = -0.5 * ((n - 1) * (np.log(2 * np.pi * rss / (n - 1)) + 1) + np.log(n))
    assert _better(design).llf == pytest.approx(alone, rel=1e-6)
