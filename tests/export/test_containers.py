"""X as patsy's, formulaic's and tabmat's matrices, and the design as named coordinates."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array

import lme4py
from lme4py.data import sleepstudy

ROWS = sleepstudy().assign(f=np.tile(["u", "v", "w"], 60), k=np.repeat([1.0, 2.0, 3.0], 60))
FORMULAS = [
    "Reaction ~ Days + (Days | Subject)",
    "Reaction ~ f * poly(Days, 2) + (Days | Subject) + (1 | f:Subject)",
    "Reaction ~ 0 + f:Days + (0 + f | Subject)",
    "Reaction ~ Days:f + k + I(2 * k) + (Days || Subject) + (1 | f)",
    "Reaction ~ . - Subject + (1 | Subject)",
    "Reaction ~ 0 + (1 | Subject)",
]
# One of the models has a column too many.
pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyMessage")
IGNORE = {"check.nobs.vs.nRE": "ignore", "check.nlev.gtreq.5": "ignore"}


@pytest.fixture(params=FORMULAS)
def design(request):
    return lme4py.lformula(request.param, ROWS, control=IGNORE)


def test_patsy(design):
    matrix = design.to_patsy()
    info = matrix.design_info
    np.testing.assert_array_equal(matrix, design.X)
    assert info.column_names == design.fixed.names
    for number in np.unique(design.fixed.assign):
        label = "Intercept" if number == 0 else design.fixed.terms[number - 1]
        expected = np.flatnonzero(design.fixed.assign == number)
        assert list(range(*info.slice(label).indices(info.column_names.__len__()))) == list(
            expected
        )


def test_patsy_linear_constraints():
    info = lme4py.lformula("Reaction ~ f + (1 | Subject)", ROWS).to_patsy().design_info
    assert info.linear_constraint("fv = fw").coefs.tolist() == [[0, 1, -1]]
    assert info.subset(["f"]).column_names == ["fv", "fw"]
    assert info.describe() == "1 + f"


def test_patsy_does_not_code_new_data():
    from patsy import build_design_matrices

    info = lme4py.lformula("Reaction ~ f + (1 | Subject)", ROWS).to_patsy().design_info
    with pytest.raises(lme4py.FormulaError, match="patsy cannot make the columns of f"):
        build_design_matrices([info], ROWS)


def test_patsy_names_that_clash():
    """R lets a column of one term be called as another term, or two columns be called alike."""
    data = {"y": np.arange(12.0) ** 2, "f": list("abcabcabcabc"), "g": list("xxxyyyzzzwww")}
    data["fb"] = np.sqrt(np.arange(12.0))
    design = lme4py.lformula("y ~ f + fb + (1 | g)", data)
    assert design.fixed.names == ["(Intercept)", "fb", "fc", "fb"]
    with pytest.raises(lme4py.DataError, match="two columns of X are called 'fb'"):
        design.to_patsy()
    clash = {**data, "f1": data["fb"], "f11": np.cos(data["y"])}
    clash["f1"] = pd.Categorical(np.repeat(["0", "1"], 6))
    design = lme4py.lformula("y ~ f1 + f11 + (1 | g)", clash)
    assert design.fixed.names == ["(Intercept)", "f11", "f11"]
    poly = lme4py.lformula(
        "y ~ h + h1 + (1 | g)",
        {**data, "h": pd.Categorical(np.repeat(["0", "1"], 6)), "h1": np.cos(data["y"])},
        contrasts={"h": pd.DataFrame({"2": [1.0, 0.0]}, index=["0", "1"])},
    )
    assert poly.to_patsy().design_info.column_names == ["(Intercept)", "h2", "h1"]


@pytest.mark.parametrize(
    "output, kind", [("pandas", pd.DataFrame), ("numpy", np.ndarray), ("sparse", csc_array)]
)
def test_formulaic(design, output, kind):
    from formulaic import ModelMatrix

    matrix = design.to_formulaic(output)
    assert isinstance(matrix, ModelMatrix)
    assert isinstance(matrix.__wrapped__, kind)
    plain = matrix.toarray() if output == "sparse" else np.asarray(matrix.__wrapped__)
    np.testing.assert_array_equal(plain, design.X)
    spec = matrix.model_spec
    assert list(spec.column_names) == design.fixed.names
    starts = [
        ("1" if number == 0 else design.fixed.terms[number - 1])
        for number in dict.fromkeys(design.fixed.assign.tolist())
    ]
    assert [":".join(str(factor.expr) for factor in term.factors) for term in spec.terms] == starts
    indices = [place for places in spec.term_indices.values() for place in places]
    assert indices == list(range(len(design.fixed.names)))


def test_formulaic_finds_terms_and_rows():
    d = ROWS.set_axis(range(1000, 1180))
    matrix = lme4py.lformula(FORMULAS[1], d, subset="Days > 1").to_formulaic()
    assert matrix.model_spec.term_slices["f:poly(Days, 2)"] == slice(5, 9)
    assert matrix.index[0] == 1002
    constraint = matrix.model_spec.get_linear_constraints("fv = fw").constraint_matrix
    assert constraint.tolist() == [[0, 1, -1, 0, 0, 0, 0, 0, 0]]


def test_formulaic_output_is_checked():
    design = lme4py.lformula(FORMULAS[0], ROWS)
    with pytest.raises(lme4py.DataError, match="unknown output 'polars'"):
        design.to_formulaic("polars")


def test_coordinates_give_the_linear_predictor(design):
    plain = design.coordinates()
    generator = np.random.default_rng(11)
    beta = generator.normal(size=design.X.shape[1])
    b = generator.normal(size=design.Zt.shape[0])
    effects = {}
    for k, term in enumerate(design.random.terms):
        block = b[design.random.Gp[k] : design.random.Gp[k + 1]]
        effects[term.bar.label] = block.reshape(term.levels, term.columns)
    got = plain.linear_predictor(beta, [effects[term.label] for term in plain.terms])
    np.testing.assert_allclose(got, design.X @ beta + design.Z @ b, rtol=1e-12, atol=1e-12)
    for term in plain.terms:
        assert plain.coords[term.dims[0]] == term.levels
        assert plain.coords[term.dims[1]] == term.columns
        assert term.block.shape == (180, len(term.columns))
    assert plain.coords["fixed"] == tuple(design.fixed.names)


def test_coordinates_share_levels_and_keep_columns_apart():
    plain = lme4py.lformula(
        "Reaction ~ Days + (Days || Subject)", ROWS, offset=np.ones(180), weights="Days + 1"
    ).coordinates()
    assert list(plain.coords) == ["fixed", "Subject", "Subject_effects", "Subject_effects_2"]
    assert [term.dims for term in plain.terms] == [
        ("Subject", "Subject_effects"),
        ("Subject", "Subject_effects_2"),
    ]
    assert plain.offset.tolist() == [1.0] * 180
    assert plain.weights[0] == 1.0


def test_a_row_without_a_level_adds_nothing():
    d = ROWS.copy()
    d.loc[4, "f"] = np.nan
    design = lme4py.lformula(
        "Reaction ~ Days + (1 | Subject) + (1 | f)", d, na_action="pass", control=IGNORE
    )
    plain = design.coordinates()
    assert plain.terms[1].codes[4] == -1
    effects = [np.ones((len(term.levels), 1)) for term in plain.terms]
    assert plain.linear_predictor(np.zeros(2), effects)[[3, 4]].tolist() == [2.0, 1.0]


def test_tabmat(design):
    pytest.importorskip("tabmat", reason="tabmat is not installed")
    both = design.to_tabmat()
    np.testing.assert_array_equal(both.toarray(), np.hstack([design.X, design.Z.toarray()]))
    names = both.column_names
    assert names[: design.X.shape[1]] == design.fixed.names
    assert len(set(names)) == len(names)
    if design.X.shape[1]:
        np.testing.assert_array_equal(design.to_tabmat(random=False).toarray(), design.X)


def test_tabmat_kinds_and_missing_levels():
    pytest.importorskip("tabmat", reason="tabmat is not installed")
    d = ROWS.copy()
    d.loc[4, "f"] = np.nan
    design = lme4py.lformula(
        "Reaction ~ Days + (Days | Subject) + (1 | f)", d, na_action="pass", control=IGNORE
    )
    matrix = design.to_tabmat()
    kinds = [type(part).__name__ for part in matrix.matrices]
    assert kinds == ["DenseMatrix", "SparseMatrix", "CategoricalMatrix"]
    assert matrix.column_names[2:5] == ["Subject[308]", "Subject[308]:Days", "Subject[309]"]
    assert matrix.column_names[-1] == "f[w]"
    np.testing.assert_array_equal(matrix.toarray(), np.hstack([design.X, design.Z.toarray()]))


def test_glum_takes_it():
    """A ridge with the penalty I on Z only: Henderson's equations at theta = 1."""
    glum = pytest.importorskip("glum", reason="glum is not installed")
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", ROWS)
    matrix = design.to_tabmat()
    penalty = np.r_[np.zeros(2), np.ones(18)] / 180
    model = glum.GeneralizedLinearRegressor(
        family="normal", fit_intercept=False, alpha=1.0, P2=penalty, gradient_tol=1e-10
    ).fit(matrix, design.y)
    whole = np.hstack([design.X, design.Z.toarray()])
    expected = np.linalg.solve(whole.T @ whole + np.diag(180 * penalty), whole.T @ design.y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-6)
