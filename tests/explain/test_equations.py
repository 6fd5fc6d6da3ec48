"""Equations: the question's two models, equatiomatic's formulas, and the proof by evaluation."""

import contextlib
import re
import shutil
import tracemalloc
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.explain.estimates import covariance_symbols
from lme4py.explain.expression import (
    Operation,
    Quantity,
    evaluate,
    quantities_of,
    rows_of,
    substituted,
)
from lme4py.explain.markup.display import Display, Section
from lme4py.explain.markup.formats import LATEX, MATHML, TEXT
from lme4py.explain.markup.typesetting import Typesetter, Written
from tests.explain.engines import ENGINES, SCRIPTS, compile_with, has_package, read_by
from tests.explain.random_designs import check_markup, valid_design
from tests.explain.readers import read

IGNORED = {
    "check_nobs_vs_nlev": "ignore",
    "check_nobs_vs_nRE": "ignore",
    "check_nobs_vs_rankZ": "ignore",
    "check_nlev_gtr_1": "ignore",
}
NOTATIONS = ("raudenbush-bryk", "gelman-hill")


def _two_levels():
    dice = np.random.default_rng(1)
    n = 60
    group = np.repeat(np.arange(10), 6)
    return {
        "y": dice.normal(size=n),
        "X": dice.normal(size=n),
        "M": dice.normal(size=10)[group],
        "g": [f"g{code}" for code in group],
        "f": np.tile(list("abc"), 20),
        "count": dice.poisson(3, size=n),
        "trials": np.full(n, 5.0),
        "won": dice.integers(0, 6, size=n),
    }


def _longitudinal():
    """Like equatiomatic's sim_longitudinal: waves in students in schools in districts."""
    dice = np.random.default_rng(3)
    districts, schools, students, waves = 4, 3, 5, 5
    sid = np.repeat(np.arange(districts * schools * students), waves)
    school, district = sid // students, sid // (students * schools)
    count = districts * schools * students
    return {
        "score": dice.normal(size=sid.size),
        "wave": np.tile(np.arange(waves), count).astype(float),
        "sid": [f"{code}" for code in sid],
        "school": [f"s{code}" for code in school],
        "district": [f"d{code}" for code in district],
        "treatment": dice.integers(0, 2, count).astype(str)[sid],
        "group": dice.choice(["low", "medium", "high"], count)[sid],
        "prop_low": dice.normal(size=districts * schools)[school],
        "dist_mean": dice.normal(size=districts)[district],
    }


def _schools():
    """Like equatiomatic's hsb."""
    dice = np.random.default_rng(4)
    n = 300
    return {
        "math": dice.normal(size=n),
        "female": dice.integers(0, 2, n),
        "ses": dice.normal(size=n),
        "minority": dice.integers(0, 2, n),
        "size": dice.integers(1, 90, n).astype(float),
        "sch.id": np.repeat(np.arange(20), 15),
    }


def _stops():
    dice = np.random.default_rng(5)
    n = 225
    precinct, eth = np.repeat(np.arange(75), 3), np.tile(["black", "hispanic", "white"], 75)
    return {
        "stops": dice.poisson(9, n),
        "eth": eth,
        "precinct": precinct,
        "total_arrests": dice.integers(10, 900, n).astype(float),
        "bush": dice.integers(0, 2, n),
        "black": dice.integers(0, 2, n),
        "female": dice.integers(0, 2, n),
        "edu": dice.integers(1, 5, n).astype(float),
        "state": dice.integers(0, 20, n),
    }


DATA = {"two": _two_levels(), "D": _longitudinal(), "H": _schools(), "S": _stops()}


def _design(data, formula, family=None, **arguments):
    make = lme4py.lformula if family is None else lme4py.glformula
    given = {} if family is None else {"family": family}
    return make(formula, DATA[data], control=IGNORED, **given, **arguments)


def _lines(text):
    return [line.strip() for line in text.splitlines()]


# -- the two models of the question --------------------------------------------------------


def test_random_slope_model():
    equations = _design("two", "y ~ X + (1 + X | g)").equations()
    assert _lines(equations.levels.text()) == [
        "Level 1: observations i",
        "y_ij = β_0j + β_1j·X_ij + ε_ij",
        "",
        "Level 2: g j = 1, …, 10",
        "β_0j = γ_00 + U_0j",
        "β_1j = γ_10 + U_1j",
    ]
    assert equations.combined.text() == "y_ij = γ_00 + U_0j + γ_10·X_ij + U_1j·X_ij + ε_ij"
    assert _lines(equations.matrix.text())[:3] == [
        "One observation",
        "y_ij = [1  X_ij] ⎡γ_00⎤ + [1  X_ij] ⎡U_0j⎤ + ε_ij",
        "⎣γ_10⎦             ⎣U_1j⎦",
    ]
    assert "y_j = X_j β + Z_j b_j + ε_j" in equations.matrix.text()


def test_cross_level_model():
    equations = _design("two", "y ~ X*M + (1 + X | g)").equations()
    assert _lines(equations.levels.text())[-2:] == [
        "β_0j = γ_00 + γ_01·M_j + U_0j",
        "β_1j = γ_10 + γ_11·M_j + U_1j",
    ]
    assert equations.combined.text() == (
        "y_ij = γ_00 + γ_01·M_j + U_0j + γ_10·X_ij + γ_11·M_j·X_ij + U_1j·X_ij + ε_ij"
    )
    assert _lines(equations.matrix.text())[1:5] == [
        "⎡γ_00⎤",
        "y_ij = [1  X_ij  M_j  X_ij·M_j] ⎢γ_10⎥ + [1  X_ij] ⎡U_0j⎤ + ε_ij",
        "⎢γ_01⎥             ⎣U_1j⎦",
        "⎣γ_11⎦",
    ]
    assert equations.levels_of_variables == {"X": None, "M": "g"}
    assert equations.coefficients == {
        "(Intercept)": "γ_00",
        "X": "γ_10",
        "M": "γ_01",
        "X:M": "γ_11",
    }


def test_latex_of_the_question():
    equations = _design("two", "y ~ X*M + (1 + X | g)").equations()
    (line,) = equations.combined.latex().splitlines()[1:-1]
    assert line == (
        r"y_{ij} &= \gamma_{00} + \gamma_{01} \cdot M_{j} + U_{0j} + \gamma_{10} \cdot X_{ij} + "
        r"\gamma_{11} \cdot M_{j} \cdot X_{ij} + U_{1j} \cdot X_{ij} + \varepsilon_{ij}"
    )


def test_cross_level_product_without_random_slope():
    """The slope has an equation of its own without a residual."""
    equations = _design("two", "y ~ X*M + (1 | g)").equations()
    assert _lines(equations.levels.text())[-2:] == [
        "β_0j = γ_00 + γ_01·M_j + U_0j",
        "β_1j = γ_10 + γ_11·M_j",
    ]


def test_gelman_hill():
    equations = _design("two", "y ~ X*M + (1 + X | g)").equations(notation="gelman-hill")
    assert _lines(equations.levels.text()) == [
        "Level 1: observations i",
        "y_i = α_j[i] + β_1j[i]·X_i + ε_i",
        "",
        "Level 2: g j = 1, …, 10",
        "α_j = γ_0^α + γ_1^α·M_j + η_j^α",
        "β_1j = γ_0^{β_1} + γ_1^{β_1}·M_j + η_j^{β_1}",
    ]
    shown = equations.distribution.text()
    assert "y_i ~ N(α_j[i] + β_1j[i]·X_i, σ²)" in shown
    assert re.search(r"ρ_\{.*\}·σ_\{α_j\}·σ_\{?β_1j", shown)


# -- equatiomatic's formulas -----------------------------------------------------------------

PREDICTORS = [
    "wave",
    "wave + group + treatment",
    "wave + group + treatment + prop_low",
    "wave + group + treatment + prop_low + dist_mean",
]
THREE_WAY = (
    "score ~ wave*group*treatment + wave*prop_low*treatment + (wave|sid) + (wave|school)"
    " + (wave + treatment|district)"
)
EVERY_LEVEL = (
    "score ~ wave + group + treatment + prop_low + (wave|sid) + (wave + group + treatment|school)"
    " + (wave + treatment + prop_low|district)"
)
EQUATIOMATIC = [
    # It refuses a random variable that is no fixed one.
    ("D", "score ~ wave + (group|sid)", None),
    ("D", "score ~ 1 + (1|sid)", None),
    ("D", "score ~ 1 + (1|sid) + (1|school)", None),
    ("D", "score ~ 1 + (1|sid) + (1|school) + (1|district)", None),
    ("H", "math ~ female + ses + minority + (1|sch.id)", None),
    ("D", "score ~ wave + (1|sid) + (1|school) + (1|district)", None),
    ("H", "math ~ female + ses + minority + (minority|sch.id)", None),
    ("H", "math ~ female + ses + minority + (ses + female|sch.id)", None),
    ("H", "math ~ ses * female + minority + (ses * female|sch.id)", None),
    ("H", "math ~ ses * female + minority + (ses * female + minority|sch.id)", None),
    ("D", "score ~ wave + (wave|sid) + (wave|school) + (wave|district)", None),
    *[
        ("D", f"score ~ {fixed} + (wave|sid) + (wave + treatment|school) + (wave|district)", None)
        for fixed in PREDICTORS
    ],
    ("H", "math ~ minority * female + (1|sch.id)", None),
    ("H", "math ~ minority * female + (minority * female|sch.id)", None),
    ("D", "score ~ treatment * group + (1|sid) + (1|school) + (1|district)", None),
    ("D", "score ~ treatment * group + (1|sid) + (treatment * group|district)", None),
    ("D", "score ~ treatment * wave + (1|sid)", None),
    ("D", "score ~ treatment * wave + (wave|sid)", None),
    ("D", THREE_WAY, None),
    ("H", "math ~ minority * female + (minority * female || sch.id)", None),
    ("D", "score ~ wave + (wave||sid) + (wave|school) + (1|school) + (wave||district)", None),
    ("D", "score ~ wave + (1|sid/school)", None),
    ("D", "score ~ wave + (1|district/school/sid)", None),
    ("D", "score ~ wave + (wave|school/sid) + (1|district)", None),
    ("D", "score ~ wave + (1|sid) + (1|sid)", None),
    ("H", "log(size + 1) ~ exp(ses) + poly(ses, 4) + (ses|sch.id)", None),
    ("D", "score ~ 0 + wave:group:treatment + (0 + group:treatment|district)", None),
    ("D", "score ~ 0 + wave*group + (1|sid)", None),
    ("D", "score ~ log(wave + 1) + exp(prop_low) + (log(wave + 1)|sid)", None),
    ("D", "score ~ wave + poly(prop_low, 4) + (wave|sid) + (wave|school) + (wave|district)", None),
    ("D", "score ~ wave + treatment + (wave|sid) + (wave|school)", None),
    ("D", "score ~ wave + treatment + (wave|sid) + (wave|school) + (1|district)", None),
    ("D", EVERY_LEVEL, None),
    (
        "D",
        "score ~ treatment*group + (1|sid) + (treatment|school) + (treatment*group|district)",
        None,
    ),
    ("D", "score ~ treatment * wave + (wave|sid) + (1|school) + (1|district)", None),
    ("D", "score ~ treatment * wave + (1|sid) + (1|school) + (1|district)", None),
    ("D", "score ~ 1 + (1|sid/school/district)", None),
    ("D", "score ~ wave + group + prop_low + (1|sid/school/district)", None),
    ("H", "math ~ minority * female + (minority|sch.id) + (female|sch.id)", None),
    ("S", "stops ~ eth + (1|precinct)", "poisson"),
    ("S", "stops ~ eth + offset(log(total_arrests)) + (1|precinct)", "poisson"),
    ("S", "stops ~ eth * total_arrests + (eth|precinct)", "poisson"),
    ("S", "bush ~ black + female + edu + (black|state)", "binomial"),
]


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("data, formula, family", EQUATIOMATIC)
def test_equatiomatic_formulas(data, formula, family):
    design = _design(data, formula, family)
    for notation in NOTATIONS:
        equations = design.equations(notation=notation)
        assert equations.verify()
        _well_formed(equations)


def _well_formed(equations):
    check_markup(equations.html())
    text, latex = equations.text(), equations.latex()
    assert text
    assert equations.markdown()
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    assert latex.count(r"\left") == latex.count(r"\right")
    # Within a group of equations no two quantities look the same.
    for display in (equations.levels, equations.combined, equations.distribution):
        setter = display.setter
        for section in display.sections:
            seen = {}
            for relation in section.relations:
                for symbol in (*quantities_of(relation.left), *quantities_of(relation.right)):
                    if symbol.kind != "offset":
                        text = setter.symbol(setter.write(symbol, section.stage))
                        assert seen.setdefault(text, symbol) == symbol


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nested_levels():
    equations = _design("D", "score ~ wave + prop_low + (wave|sid) + (1|school)").equations()
    assert _lines(equations.levels.text()) == [
        "Level 1: observations i",
        "score_ijk = π_0jk + π_1jk·wave_ijk + ε_ijk",
        "",
        "Level 2: sid j = 1, …, 60",
        "π_0jk = β_00k + U_0jk",
        "π_1jk = β_10k + U_1jk",
        "",
        "Level 3: school k = 1, …, 12",
        "β_00k = γ_000 + γ_001·prop_low_k + U_00k",
        "β_10k = γ_100",
    ]


def test_crossed_factors_have_one_mean():
    n = 40
    data = {
        "y": np.arange(n) * 1.0,
        "x": np.cos(np.arange(n)),
        "person": np.repeat(np.arange(8), 5),
        "item": np.tile(np.arange(5), 8),
        "age": np.repeat(np.arange(8), 5) ** 2.0,
        "length": np.tile(np.arange(5), 8) ** 2.0,
    }
    formula = "y ~ x + age*length + (x|person) + (1|item)"
    equations = lme4py.lformula(formula, data, control=IGNORED).equations()
    assert equations.levels_of_variables == {"x": None, "age": "person", "length": "item"}
    assert "β_0jk = γ_00 + γ_01·age_j + γ_02·length_k + γ_03·age_j·length_k + U_0j + U_0k" in (
        equations.levels.text()
    )
    assert equations.verify()


def test_random_slope_of_a_group_variable():
    """M is constant in g: its random slope belongs to the intercept's equation."""
    equations = _design("two", "y ~ X + M + (M | g)").equations()
    assert "β_0j = γ_00 + γ_01·M_j + U_0j + U_01j·M_j" in equations.levels.text()


def test_factors_matrices_and_products():
    equations = _design("two", "y ~ 0 + f*poly(X, 2) + (0 + f | g)").equations()
    (lowest,) = equations.levels.sections[0].relations
    found = quantities_of(lowest.right)
    names = {(item.name, item.part) for item in found if item.kind == "predictor"}
    assert names == {("f", "a"), ("f", "b"), ("f", "c"), ("poly(X, 2)", "1"), ("poly(X, 2)", "2")}
    assert equations.verify()


def test_codings_of_one_name_are_told_apart():
    sums = pd.DataFrame({"b": [-1.0, 1, 0], "c": [-1.0, 0, 1]})
    design = _design("two", "y ~ f + (f | g)", contrasts={"f": sums})
    equations = design.equations()
    text = equations.levels.text()
    assert "f[b]_ij" in text
    assert "f[b]′_ij" in text
    assert equations.verify()


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyMessage")
def test_dropped_columns_are_not_in_the_equations():
    data = {**DATA["two"], "X2": 2 * DATA["two"]["X"]}
    equations = lme4py.lformula("y ~ X + X2 + M + (1|g)", data).equations()
    assert "X2" not in equations.text()
    assert equations.verify()


def test_rescaled_columns():
    data = {**DATA["two"], "X": 1e9 * DATA["two"]["X"]}
    control = {**IGNORED, "check_scaleX": "silent.rescale"}
    assert lme4py.lformula("y ~ X + M + (X|g)", data, control=control).equations().verify()


# -- generalized models ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family, formula, left, response",
    [
        ("poisson", "count ~ X + (1|g)", "log(μ_ij)", "count_ij ~ Poisson(μ_ij)"),
        (
            "binomial",
            "cbind(won, trials - won) ~ X + (1|g)",
            "logit(μ_ij)",
            "won_ij ~ Binomial(n_ij, μ_ij)",
        ),
        ("poisson(link='sqrt')", "count ~ X + (1|g)", "√(μ_ij)", "count_ij ~ Poisson(μ_ij)"),
        ("Gamma", "trials ~ X + (1|g)", "1/μ_ij", "trials_ij ~ Gamma(μ_ij, σ²)"),
        (
            "inverse.gaussian",
            "trials ~ X + (1|g)",
            "1/μ_ij²",
            "trials_ij ~ InverseGaussian(μ_ij, σ²)",
        ),
        ("gaussian(link='log')", "trials ~ X + (1|g)", "log(μ_ij)", "trials_ij ~ N(μ_ij, σ²)"),
        (
            "binomial(link='probit')",
            "I(won > 2) ~ X + (1|g)",
            "probit(μ_ij)",
            "I(won > 2)_ij ~ Bernoulli(μ_ij)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_families(family, formula, left, response):
    equations = _design("two", formula, family).equations()
    lines = _lines(equations.levels.text())
    assert lines[1] == response
    assert f"{left} = β_0j + β_1j·X_ij" in lines
    assert equations.combined.text() == f"{left} = γ_00 + U_0j + γ_10·X_ij"
    assert "η = X β + Z b" in equations.matrix.text()
    assert f"η_ij = {left}" in equations.matrix.text()
    assert ("n_ij = won_ij + (trials - won)_ij" in lines) is ("cbind" in formula)
    assert response in equations.distribution.text()
    assert equations.verify()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "family, shown",
    [
        ("Gamma", "trials_ij ~ Gamma(μ_ij, σ²/w_ij)"),
        ("Gamma", "Gamma(μ, σ²) has mean μ and variance σ²·μ²"),
        ("inverse.gaussian", "trials_ij ~ InverseGaussian(μ_ij, σ²/w_ij)"),
        ("inverse.gaussian", "variance σ²·μ³"),
        ("gaussian(link='log')", "trials_ij ~ N(μ_ij, σ²/w_ij)"),
        ("poisson", "weights multiply the log-likelihood"),
    ],
)
def test_weights_of_generalized_models(family, shown):
    equations = _design("two", "trials ~ X + (1|g)", family, weights="count + 1").equations()
    assert shown in equations.distribution.text()
    assert shown in equations.levels.text()


def test_which_level_is_success():
    """R's glm: the first level is failure, all others success."""
    data = {**DATA["two"], "f": np.tile(["no", "yes"], 30), "h": np.tile(list("abc"), 20)}
    for response, success in (("f", "is yes; no is"), ("h", "is any other level; a is")):
        design = lme4py.glformula(f"factor({response}) ~ X + (1|g)", data, control=IGNORED)
        assert f"success, counted as 1, {success} counted as 0" in design.equations().levels.text()


def test_linear_predictor_and_errors_have_letters_of_their_own():
    design = _design("two", "count ~ X + (1 + X|g)", "poisson")
    equations = design.equations(notation="gelman-hill")
    assert "ν = X β + Z b" in equations.matrix.text()
    assert "ν_i = log(μ_i)" in equations.matrix.text()
    assert "η_j^α" in equations.levels.text()
    assert "η_i" not in equations.text()


def test_rows_of_one_cluster_as_gelman_and_hill_index_them():
    equations = _design("two", "y ~ X + (1 + X|g)").equations(notation="gelman-hill")
    shown = equations.matrix.text()
    assert "y_{i_1}" in shown
    assert "X_{i_{n_j}}" in shown


@pytest.mark.parametrize(
    "bars, variances",
    [
        # The effects are U_0j, U_2j; U_0j and U_01j; U_0j and U_0j again.
        ("(1 | g) + (0 + f2 | g)", ["U_2j", "τ_22"]),
        ("(M | g)", ["U_01j", "τ_{0,0}", "τ_{0,01}", "τ_{01,01}"]),
        ("(1 | g) + (1 | g)", ["U′_0j", "τ_00", "τ′_00"]),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_variance_has_the_number_of_its_effect(bars, variances):
    data = {**DATA["two"], "f2": np.cos(np.arange(60.0))}
    design = lme4py.lformula(f"y ~ X + f2 + {bars}", data, control=IGNORED)
    shown = design.equations().distribution.text()
    for found in variances:
        assert found in shown


def test_offsets_and_weights():
    design = _design("two", "y ~ offset(M) + X + (1|g)", offset="X / 2", weights="trials")
    equations = design.equations()
    assert equations.combined.text().endswith("+ M_ij + offset_ij + ε_ij")
    assert equations.distribution.text().startswith("ε_ij ~ N(0, σ²/w_ij)")
    assert equations.verify()


# -- covariances -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bar, rows",
    [
        ("(1 + X | g)", ["τ_00 τ_01", "τ_10 τ_11"]),
        ("(1 + X || g)", ["τ_00 0", "0 τ_11"]),
        ("diag(1 + X | g)", ["τ_00 0", "0 τ_11"]),
        ("diag(1 + X | g, hom = TRUE)", ["τ 0", "0 τ"]),
        ("cs(1 + X | g)", ["τ_00 ρ·√(τ_00·τ_11)", "ρ·√(τ_11·τ_00) τ_11"]),
        ("cs(1 + X | g, hom = TRUE)", ["τ ρ·τ", "ρ·τ τ"]),
    ],
)
def test_structures(bar, rows):
    equations = _design("two", f"y ~ X + {bar}").equations()
    lines = equations.distribution.text().splitlines()[-2:]
    for line, row in zip(lines, rows, strict=True):
        inside = re.split(r"[⎡⎣]", line)[-1].rstrip(")").rstrip("⎤⎦")
        assert inside.split() == row.split()


def test_autoregressive_powers():
    equations = _design("two", "y ~ 1 + ar1(0 + f | g)").equations()
    assert "⎡τ     ρ·τ  ρ²·τ⎤" in equations.distribution.text()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("number", range(40))
def test_zeros_are_where_lambda_has_none(number):
    """The covariance written down is zero exactly where that of the matrices always is."""
    _, design = valid_design(77, number)
    found = design.equations().system
    dice = np.random.default_rng(number)
    Lambdat = design.random.Lambdat.copy()
    Lambdat.data = dice.uniform(0.5, 1.5, Lambdat.data.size)
    cov = (Lambdat.T @ Lambdat).tocsr()
    for factor in found.hierarchy.factors:
        columns = found.columns_of(factor)
        if not columns:
            continue
        grid, _ = covariance_symbols(found, factor)
        rows = [int(design.random.Gp[c.term]) + c.place for c in columns]
        dense = cov[rows][:, rows].toarray() != 0
        written = [[entry != 0.0 for entry in row] for row in rows_of(grid)]
        assert np.array_equal(dense, written)


# -- verification ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(100))
def test_random_designs(number):
    case, design = valid_design(41, number)
    equations = design.equations(notation=NOTATIONS[number % 2])
    found = equations.verify(number)
    assert found.ok, (case.formula, found)
    finite = np.isfinite(design.X).all(axis=1) & np.isfinite(design.Z.toarray()).all(axis=1)
    if design.offset is not None:
        finite &= np.isfinite(design.offset)
    assert found.rows == finite.sum()
    if number % 5 == 0:
        _well_formed(equations)


AUTOSCALED = ["y ~ X*M + (X | g)", "y ~ X + I(2*X) + M + (1 | g)", "y ~ 0 + X + (0 + X | g)"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("formula", AUTOSCALED)
def test_what_autoscale_takes_off_columns_stands_in_the_equations(formula, tmp_path):
    design = lme4py.lformula(formula, DATA["two"], control={**IGNORED, "autoscale": True})
    assert design.fixed.centers
    design.save(tmp_path / "design.npz")
    for same in (design, lme4py.load(tmp_path / "design.npz")):
        equations = same.equations()
        assert equations.verify()
        _well_formed(equations)
        assert "centred and rescaled (autoscale)" in same.explain().text
        # One row by the printed levels, and as row times vector.
        *_, product, numbers = equations.observation(3).relations
        effects = {q: 1.0 + k for k, q in enumerate(quantities_of(numbers)) if q.numbers}
        rest = dict.fromkeys(equations.system.residual, 0.0)
        x = {q: float(v(slice(3, 4))[0]) for q, v in equations.system.values.items()}
        values = [evaluate(r.right, {**effects, **rest, **x}) for r in (product, numbers)]
        assert values[0] == pytest.approx(values[1])


def _changed(equations, **fields):
    return replace(equations, system=replace(equations.system, **fields))


def _swapped(columns):
    """Return columns of which the first two have each other's effects."""
    one, two, *rest = columns
    return (replace(one, effect=two.effect), replace(two, effect=one.effect), *rest)


def test_wrong_equations_are_found():
    equations = _design("two", "y ~ X*M + f + (1 + X | g)").equations()
    found = equations.system
    assert not _changed(equations, fixed=_swapped(found.fixed)).verify()
    assert not _changed(equations, fixed=(*found.fixed[1::-1], *found.fixed[2:])).verify()
    assert not _changed(equations, random=_swapped(found.random)).verify()
    halves = (found.stages[0][0], *found.stages[0][2:])
    crossed = Operation("=", (found.stages[0][1].left, found.stages[0][0].right))
    assert not _changed(equations, stages=((*halves, crossed),)).verify()
    assert not _changed(equations, observations=found.observations[1:]).verify()


def test_wrong_levels_are_found():
    """A variable that differs between observations claims to be one of the groups."""
    equations = _design("two", "y ~ X*M + f + (1 + X | g)").equations()
    found = equations.system
    (true,) = [symbol for symbol in found.values if symbol.name == "X"]
    false = Quantity("predictor", "X", factors=("g",))
    values = {false if symbol == true else symbol: found.values[symbol] for symbol in found.values}
    observations = tuple(substituted(term, {true: false}) for term in found.observations)
    values[true] = found.values[true]
    outcome = _changed(equations, values=values, observations=observations).verify()
    assert not outcome
    assert outcome.combined > 0.01
    assert outcome.levels > 0.01
    assert outcome.matrix < 1e-10


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_with_infinite_values_are_not_compared():
    """Multiplied out, infinity times a difference has no value."""
    data = {**DATA["two"], "Z": np.where(np.arange(60) == 7, np.inf, DATA["two"]["X"])}
    control = {**IGNORED, "check_scaleX": "ignore", "check_rankX": "ignore"}
    design = lme4py.lformula("y ~ Z*M + (Z || g)", data, control=control)
    found = design.equations().verify()
    assert found.ok
    assert found.rows == 59


def test_missing_groups():
    """A row without a level has no random effect there."""
    data = dict(DATA["two"])
    data["g"] = [None, *data["g"][1:]]
    design = lme4py.glformula(
        "count ~ X + M + (X|g)", data, family="poisson", na_action="pass", control=IGNORED
    )
    assert design.equations().verify()


# -- what is printed, read by another reader -----------------------------------------------------

FORMS = {"text": TEXT, "latex": LATEX, "mathml": MATHML}


def _right_sides(display, section, form):
    """Return the printed right sides of a section's equations."""
    alone = replace(display, sections=(replace(section, title="", notes=()),))
    if form == "mathml":
        page = re.sub(' xmlns="[^"]*"', "", alone.html())
        tables = ET.fromstring(page).iter("mtable")  # noqa: S314 - we wrote it
        rows = [row for table in tables for row in table if len(row) == 3]
        inside = [list(row[2]) for row in rows if row[1][0].text == "="]
        return ["".join(ET.tostring(e, "unicode") for e in row) for row in inside]
    lines = alone.latex().splitlines()[1:-1] if form == "latex" else alone.text().splitlines()
    sign = " &= " if form == "latex" else " = "
    return [line.removesuffix(r" \\").split(sign, 1)[1] for line in lines if sign in line]


def _named(display, section, form, values):
    """Return the values by the symbols that are printed for them."""
    setter = replace(display.setter, form=FORMS[form])
    printed = {
        setter.symbol(setter.write(item, section.stage)): value for item, value in values.items()
    }
    assert len(printed) == len(values)
    return printed


def _tree(dice, depth):
    """Return a random tree of the letters a, b and c, and of numbers of either sign."""
    kind = dice.integers(3 if depth == 0 else 8)
    if kind == 0:
        return float(dice.choice([-1, 1]) * dice.integers(1, 10)) / 4
    if kind < 3:
        return Quantity("predictor", "abc"[dice.integers(3)])

    def parts(count):
        return tuple(_tree(dice, depth - 1) for _ in range(count))

    if kind < 5:
        return Operation("+", parts(dice.integers(2, 4)))
    if kind < 6:
        return Operation("·", parts(dice.integers(2, 4)))
    if kind < 7:
        return Operation("/", parts(2))
    squared = dice.random() < 0.5
    return Operation("^", (*parts(1), 2)) if squared else Operation("√", parts(1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(60))
def test_printed_trees_are_read_as_they_are(seed, form):
    tree = _tree(np.random.default_rng(seed), 4)
    letters = {
        Quantity("predictor", name): value
        for name, value in zip("abc", (0.7, 1.9, 2.6), strict=True)
    }
    section = Section("", (Operation("=", (Quantity("response", "y"), tree)),))
    display = Display((section,), Typesetter(lambda item, _: Written(item.name), 12))
    (printed,) = _right_sides(display, section, form)
    found = read(printed, _named(display, section, form, letters), form)
    np.testing.assert_allclose(found, evaluate(tree, letters), rtol=1e-9)


READ = [
    ("two", "y ~ X*M + (1 + X | g)", None),
    ("two", "y ~ 0 + f*poly(X, 2) + (0 + f | g)", None),
    ("two", "y ~ offset(M) + X + (M | g)", None),
    ("D", "score ~ wave*prop_low + treatment + (wave|sid) + (1|school) + (1|district)", None),
    ("S", "stops ~ eth + offset(log(total_arrests)) + (eth|precinct)", "poisson"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", [*READ, *range(12)])
def test_printed_equations_give_the_predictor(case, form, notation):
    design = valid_design(97, case)[1] if isinstance(case, int) else _design(*case)
    names = design.fixed.names
    given = {name: round(np.sin(3.0 * k) * 10, 3) for k, name in enumerate(names) if k % 2}
    if len(set(names)) < len(names):
        given = None
    equations = design.equations(notation=notation, coefficients=given, digits=12, width=None)
    dice = np.random.default_rng(8)
    beta = dice.normal(size=len(names))
    for k, name in enumerate(names):
        beta[k] = beta[k] if given is None else given.get(name, beta[k])
    b = dice.normal(size=design.Zt.shape[0])
    expected = design.X @ beta + design.Z @ b + (0 if design.offset is None else design.offset)
    known = equations.system.values_at(beta, b)
    known |= dict.fromkeys(equations.system.residual, 0.0)

    def check(display, section, values):
        # A generalized model has its link in a further line.
        printed = _right_sides(display, section, form)[0]
        found = read(printed, _named(display, section, form, values), form)
        finite = np.isfinite(expected)
        np.testing.assert_allclose(
            np.broadcast_to(found, expected.shape)[finite], expected[finite], atol=1e-8
        )

    check(equations.combined, equations.combined.sections[0], known)
    lowest, *upper = equations.levels.sections
    for section in reversed(upper):
        values = _named(equations.levels, section, form, known)
        printed = _right_sides(equations.levels, section, form)
        for relation, right in zip(section.relations, printed, strict=True):
            known[relation.left] = read(right, values, form)
    check(equations.levels, lowest, known)
    if form != "text":
        check(equations.matrix, equations.matrix.sections[0], known)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("case", [*READ, *range(12)])
def test_one_observation_is_its_row_of_the_matrices(case, notation):
    """Its printed numbers, read by another reader, and its terms, each in all three forms."""
    design = valid_design(98, case)[1] if isinstance(case, int) else _design(*case)
    equations = design.equations(notation=notation, digits=12, width=None)
    dice = np.random.default_rng(9)
    beta, b = dice.normal(size=len(design.fixed.names)), dice.normal(size=design.Zt.shape[0])
    expected = design.X @ beta + design.Z @ b + (0 if design.offset is None else design.offset)
    row = int(dice.choice(np.flatnonzero(np.isfinite(expected))))
    known = {item: np.broadcast_to(v, expected.shape)[row]
             for item, v in equations.system.values_at(beta, b).items()}  # fmt: skip
    known |= dict.fromkeys(equations.system.residual, 0.0)
    display = equations.observation(row)
    for form in ("text", "latex"):
        found = []
        for section in display.sections:
            plain = Section("", tuple(r.map(_unmarked) for r in section.relations), section.stage)
            for printed in _right_sides(display, plain, form):
                # Matrices of several lines are no text to read.
                with contextlib.suppress(AssertionError):
                    found.append(read(printed, _named(display, plain, form, known), form))
        np.testing.assert_allclose(found, expected[row], atol=1e-8)
        assert len(found) >= 3
    counts = {
        len(re.findall(r"\\textcolor", line))
        for line in display.latex().splitlines()
        if "&=" in line and "array" not in line
    }
    assert counts == {len(equations.system.fixed) + len(equations.system.random)}


def _unmarked(tree):
    if not isinstance(tree, Operation):
        return tree
    return tree.operands[0] if tree.name == "marked" else tree.map(_unmarked)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("form", ["latex", "mathml"])
@pytest.mark.parametrize("kind", ["", "diag", "cs", "ar1"])
@pytest.mark.parametrize("hom", [False, True])
def test_printed_covariances_are_those_of_the_structure(kind, hom, form, notation):
    """The printed matrix at the variances and correlations of a covariance is that covariance."""
    written = f"{kind}(0 + f | g{', hom = TRUE' if hom and kind else ''})"
    design = _design("two", f"y ~ 1 + {written}")
    dice = np.random.default_rng(4)
    par = dice.uniform(0.2, 0.8, design.random.par.size)
    (term,) = design.random.covariance(par)
    equations = design.equations(notation=notation)
    display = equations.distribution
    section = display.sections[-1]
    effects = [found.effect for found in equations.system.random]
    # The first relation's right side is a distribution: its last matrix is the covariance.
    tree = section.relations[0].right.operands[1]
    values = {}
    for item in quantities_of(tree):
        places = [effects.index(effect) for effect in item.of]
        if item.kind == "correlation":
            values[item] = term.correlation[tuple(places or (0, 1))]
        elif item.kind == "deviation":
            values[item] = term.deviations[places[0]]
        else:
            one, two = (places * 2)[:2] if places else (0, 0)
            values[item] = term.matrix[one, two]
    named = _named(display, section, form, values)
    alone = replace(display, sections=(Section("", (Operation("=", (0.0, tree)),), 1),))
    (printed,) = _right_sides(alone, alone.sections[0], form)
    found = read(printed, named, form)
    np.testing.assert_allclose(np.array(found, dtype=float), term.matrix, atol=1e-12)


# -- options -----------------------------------------------------------------------------------


def test_level_by_accident_can_be_overridden():
    design = _design("two", "y ~ X*M + (1 + X | g)")
    equations = design.equations(levels={"M": None})
    assert equations.levels_of_variables == {"X": None, "M": None}
    assert "β_2j·M_ij" in equations.levels.text()
    assert equations.verify()


def test_level_inside_a_call_is_overridden_by_its_variable():
    equations = _design("two", "y ~ exp(M) + (1 | g)").equations(levels={"M": None})
    assert equations.levels_of_variables == {"exp(M)": None}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"levels": {"X": "g"}}, "'X' cannot belong to 'g': it has several values in level 'g0'"),
        ({"levels": {"Y": None}}, "'Y' is not a variable of the model's columns"),
        ({"levels": {"M": "G"}}, "'G' is not a grouping factor"),
        ({"names": {"Mm": "z"}}, "did you mean 'M'?"),
        ({"notation": "gelman"}, "did you mean 'gelman-hill'?"),
        ({"coefficients": [1.0]}, "1 coefficients for 4 columns of X"),
        ({"coefficients": {"XM": 1.0}}, "'XM' is not a column of X"),
        ({"digits": 0}, "digits"),
        ({"terms_per_line": 0}, "terms_per_line"),
    ],
)
def test_bad_options(options, message):
    design = _design("two", "y ~ X*M + (1 + X | g)")
    with pytest.raises(lme4py.DataError) as caught:
        design.equations(**options)
    assert message in str(caught.value)


def test_names():
    equations = _design("two", "y ~ f + (1 | g)").equations(
        names={"y": "outcome", "fb": "is_b", "g": "clinic"}
    )
    lines = _lines(equations.levels.text())
    assert lines[1] == "outcome_ij = β_0j + β_1j·is_b_ij + β_2j·f[c]_ij + ε_ij"
    assert lines[3] == "Level 2: clinic j = 1, …, 10"


def test_numbers_in_place_of_symbols():
    design = _design("two", "y ~ X + (1 + X | g)")
    equations = design.equations(coefficients=[251.405, -10.4673])
    assert equations.combined.text() == ("y_ij = 251.4 + U_0j - 10.47·X_ij + U_1j·X_ij + ε_ij")
    assert equations.verify()
    some = design.equations(coefficients={"X": 1e-9}, digits=3)
    assert r"1 \times 10^{-9} \cdot X_{ij}" in some.combined.latex()
    assert "γ_00" in some.combined.text()


def test_wrapping():
    equations = _design("two", "y ~ X + (1 + X | g)").equations(terms_per_line=2)
    assert equations.combined.text().splitlines() == [
        "y_ij = γ_00 + U_0j",
        "      + γ_10·X_ij + U_1j·X_ij",
        "      + ε_ij",
    ]
    assert equations.combined.latex().count("\\\\\n&\\quad {} + ") == 2
    assert equations.combined.html().count("<mtr>") == 3


def test_odd_names_are_escaped():
    data = {**DATA["two"], "50% of x_1 & {y}^#~$\\": DATA["two"]["X"]}
    formula = "y ~ `50% of x_1 & {y}^#~$\\\\` + (1 | g)"
    equations = lme4py.lformula(formula, data).equations()
    latex = equations.combined.latex()
    # MathJax knows no commands inside text, but mathematics.
    assert r"\text{50$\%$ of x$\_$1 $\&$ \{y\}$\wedge$$\#$$\sim$\$$\backslash$}" in latex
    check_markup(equations.html())
    assert "(50% of x_1 & {y}^#~$\\)_ij" in equations.combined.text()


def _many_factors():
    n = 120
    dice = np.random.default_rng(8)
    data = {"y": dice.normal(size=n)}
    for k in range(20):
        data[f"g{k}"] = dice.integers(0, 5, n)
    formula = "y ~ 1 + " + " + ".join(f"(1|g{k})" for k in range(20))
    return lme4py.lformula(formula, data, control=IGNORED)


def test_more_than_seventeen_terms():
    """equatiomatic runs out of letters at seventeen."""
    equations = _many_factors().equations()
    assert equations.verify()
    _well_formed(equations)


MANY = {**DATA["two"], "t": np.tile([f"t{k}" for k in range(20)], 3)}


def test_many_levels_are_told_with_an_index():
    design = lme4py.lformula("y ~ t + (t | g)", MANY, control=IGNORED)
    equations = design.equations()
    assert "⋱" in equations.distribution.text()
    levels = _lines(equations.levels.text())
    assert "y_ij = β_0j + Σ_{h=1}^{19} β_hj·t[h]_ij + ε_ij" in levels
    assert "t[h]_ij for h = 1, …, 19: t1, t10, …, t9" in levels
    assert "β_hj = γ_h0 + U_hj,  h = 0, …, 19" in levels
    assert "Σ_{h=1}^{19} (γ_h0·t[h]_ij + U_hj·t[h]_ij)" in equations.combined.text()
    assert r"\sum_{h=1}^{19} \beta_{hj}" in equations.levels.latex()
    assert "<munderover><mo>∑</mo>" in equations.levels.html()
    full = design.equations(width=None)
    assert "⋱" not in full.distribution.text()
    assert "γ_{10,0}·t[t18]_ij" in full.combined.text()
    assert equations.verify()


def test_columns_of_many_levels_are_not_kept():
    """What is shown of a factor with many levels needs a few of its columns at a time."""
    rows, levels = 20_000, 200
    dice = np.random.default_rng(3)
    data = {"y": dice.normal(size=rows), "t": [f"t{k}" for k in dice.integers(0, levels, rows)]}
    data["g"] = [f"g{k}" for k in dice.integers(0, 50, rows)]
    design = lme4py.lformula("y ~ t + (1 | g)", data, sparse_X=True, control=IGNORED)
    design.equations()
    tracemalloc.start()
    shown = [design.explain().text, design.equations().text(), design.cluster("g1").text()]
    shown.append(design.equations().observation(3).text())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "Σ_{h=1}^{199} γ_h0·t[h]_ij" in shown[3]
    assert peak < 8 * rows * levels / 3


def test_many_equations_without_an_effect_stand_side_by_side():
    equations = _design("D", THREE_WAY).equations()
    lines = _lines(equations.levels.text())
    assert "π_12kl = β_120l, π_14kl = β_140l, π_15kl = β_150l" in lines
    assert len(lines) < 30
    nine = {**DATA["two"], **{f"x{k}": np.cos(np.arange(60.0) * (k + 2)) for k in range(9)}}
    formula = f"y ~ {' + '.join(f'x{k}' for k in range(9))} + (1 | g)"
    equations = lme4py.lformula(formula, nine, control=IGNORED).equations()
    assert "β_hj = γ_h0,  h = 1, …, 9" in equations.levels.text()
    # Different variables are no run.
    assert "Σ" not in equations.combined.text()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("width", [50, 70, 100])
@pytest.mark.parametrize("notation", NOTATIONS)
def test_pages_are_as_wide_as_asked(width, notation):
    """Text is cut, if need be; equations in LaTeX are broken at the same places."""
    designs = [_design(*case) for case in EQUATIOMATIC[10:24]]
    designs += [lme4py.lformula("y ~ t + (t | g)", MANY, control=IGNORED), _many_factors()]
    for design in designs:
        equations = design.equations(notation=notation, width=width)
        row = equations.observation(0)
        for shown in (equations, row):
            assert max(map(len, shown.text().splitlines())) <= width
        assert equations.verify()


def test_notebook():
    design = _design("two", "y ~ X + (1 + X | g)")
    assert design._repr_latex_().startswith("$$\n\\begin{aligned}")
    equations = design.equations()
    assert equations._repr_latex_().endswith("\\end{aligned}\n$$")
    # No HTML: a notebook that is not trusted would strip its MathML, and show it all the same.
    assert not hasattr(equations, "_repr_html_")
    assert equations._repr_markdown_().startswith("### Levels\n\n**Level 1")
    assert "$$\n\\begin{aligned}" in equations.levels._repr_markdown_()
    assert str(equations) == equations.text()
    assert equations.text().startswith(repr(equations.levels), len("Levels\n------\n"))
    assert len(repr(equations).splitlines()) == 1


# -- a TeX reader reads it ---------------------------------------------------------------------

# Read by LaTeX itself, by KaTeX and by MathJax; those of further scripts need XeLaTeX.
ODD_NAMES = [
    "50% of x_1 & {y}^#~$\\ <a|b>",
    "δ θ λ ν Δ Σ Ω ∂",
    "x₁ µ σ² ± 10 € (½) a′",
    "élève naïf Łódź ạ",
    "☃ 😀 ✓ ﷽",
    "δ",
]
FURTHER_SCRIPTS = ["年齢", "возраст", "나이"]


def odd_texts(names):
    for name in names:
        odd = {**DATA["two"], name: DATA["two"]["X"], f"group {name}": DATA["two"]["g"]}
        quoted = name.replace("\\", "\\\\")
        design = lme4py.lformula(f"y ~ `{quoted}` + (1 | `group {quoted}`)", odd, control=IGNORED)
        for notation in NOTATIONS:
            yield design.equations(notation=notation).latex()
        yield design.clusters()[0].latex()


def views_in_latex(design, number=0):
    """Yield all that is written in LaTeX of a design."""
    notation, environment = NOTATIONS[number % 2], ("aligned", "align*")[number % 3 == 0]
    equations = design.equations(notation=notation, width=(88, 50, None)[number % 3])
    yield equations.latex(environment)
    yield equations.observation(0).latex()
    group = design.random.cnms[number % len(design.random.cnms)][0]
    found = design.clusters(group)[-1]
    yield found.display(notation=notation).latex()
    dice, random = np.random.default_rng(number), design.random
    par = np.clip(dice.uniform(0.2, 0.8, random.par.size), random.lower, random.upper)
    yield found.variance(par, 2.0).display(notation=notation).latex(environment)


@cache
def _texts():
    return [*_each_text()]


def _each_text():
    for number, (data, formula, family) in enumerate(EQUATIOMATIC):
        yield from views_in_latex(_design(data, formula, family), number)
        yield _design(data, formula, family).equations(terms_per_line=3).latex()
    for number in range(20):
        yield from views_in_latex(valid_design(13, number)[1], number)
    for number in range(3):
        wide = lme4py.lformula("y ~ t + (t | g)", MANY, control=IGNORED)
        yield from views_in_latex(wide, number)
        yield from views_in_latex(_many_factors(), number)
    yield from odd_texts(ODD_NAMES)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("package", SCRIPTS)
def test_browsers_read_it(package):
    if not has_package(package):
        pytest.skip(f"needs node with {package} (npm install {package}, NODE_PATH)")
    assert read_by(package, [*_texts(), *odd_texts(FURTHER_SCRIPTS)]) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_latex_reads_it(engine, tmp_path):
    if shutil.which(engine) is None:
        pytest.skip(f"needs {engine}")
    texts = [*_texts()]
    if engine == "xelatex":
        texts += odd_texts(FURTHER_SCRIPTS)
    assert compile_with(engine, texts, tmp_path) == ""
