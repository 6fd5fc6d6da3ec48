"""Covariance structures against what lme4 2.1-0 returned (fixtures/lme4-2x)."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
import lme4py.summary
from lme4py import CheckError, DataError, FormulaError, Lme4pyWarning
from lme4py.data import sleepstudy

# What else is said of a model is not the matter here.
pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "lme4-2x"
PATHS = sorted(FIXTURES.glob("expected/*.json.gz"))


def _read(path):
    return json.loads(gzip.decompress(path.read_bytes()))


def _frame(name):
    columns = {}
    for column in _read(FIXTURES / "data" / f"{name}.json.gz")["columns"]:
        if column["type"] in ("factor", "ordered"):
            kind = pd.CategoricalDtype(column["levels"], column["type"] == "ordered")
            codes = np.array(column["codes"]) - 1
            columns[column["name"]] = pd.Categorical.from_codes(codes, dtype=kind)
        else:
            columns[column["name"]] = np.array(
                column["values"], dtype={"double": float, "integer": int}[column["type"]]
            )
    return pd.DataFrame(columns)


def _numbers(values):
    return [float(value) for value in values]


def _build(record):
    data, options = _frame(record["data"]), {"control": record.get("control"), "collation": "C"}
    if record["kind"] == "glmer":
        return lme4py.glformula(record["formula"], data, family=record["family"], **options)
    return lme4py.lformula(record["formula"], data, **options)


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.name.partition(".")[0])
def case(request):
    record = _read(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Lme4pyWarning)
        return record, record["expected"], _build(record)


def test_there_are_all():
    assert len(PATHS) == 31


def test_parameters(case):
    _, expected, design = case
    for name in ("par", "theta", "lower", "upper"):
        assert getattr(design.random, name).tolist() == _numbers(expected[name])
    assert len(design.random.par_names) == len(expected["par"])
    assert len(design.random.theta_names) == len(expected["theta"])


def test_lambdat(case):
    _, expected, design = case
    found, wanted = design.random.Lambdat, expected["Lambdat"]
    assert found.shape == (wanted["nrow"], wanted["ncol"])
    assert found.indptr.tolist() == wanted["p"]
    assert found.indices.tolist() == wanted["i"]
    assert found.data.tolist() == _numbers(wanted["x"])
    assert (design.random.Lind + 1).tolist() == expected["Lind"]


def test_zt(case):
    _, expected, design = case
    found, wanted = design.random.Zt, expected["Zt"]
    assert found.shape == (wanted["nrow"], wanted["ncol"])
    assert found.indptr.tolist() == wanted["p"]
    assert found.indices.tolist() == wanted["i"]
    np.testing.assert_allclose(found.data, _numbers(wanted["x"]), rtol=1e-12, atol=1e-15)
    assert design.random.row_names == expected["Zt_rownames"]
    assert [label for label, _ in design.random.Ztlist] == expected["Ztlist"]


def test_groups_and_columns(case):
    _, expected, design = case
    random = design.random
    assert random.Gp.tolist() == expected["Gp"]
    assert random.nl.tolist() == expected["nl"]
    assert [[group, names] for group, names in random.cnms] == expected["cnms"]
    assert (random.assign + 1).tolist() == expected["flist_assign"]
    assert list(random.flist) == [factor["name"] for factor in expected["flist"]]
    for found, wanted in zip(random.flist.values(), expected["flist"], strict=True):
        assert list(found.categories) == wanted["levels"]
        assert (found.codes + 1).tolist() == wanted["codes"]


def test_x(case):
    _, expected, design = case
    wanted = expected["X"]
    assert design.X.shape == (wanted["nrow"], wanted["ncol"])
    assert design.fixed.names == wanted["names"]
    assert design.fixed.assign.tolist() == wanted["assign"]
    assert design.fixed.dropped == {}
    assert wanted["dropped"] == []
    np.testing.assert_allclose(
        design.X.ravel(order="F"), _numbers(wanted["values"]), rtol=1e-12, atol=1e-15
    )


def test_the_rest(case):
    record, expected, design = case
    assert design.X.shape[0] == expected["n"]
    assert design.y.ravel(order="F").tolist() == _numbers(expected["y"]["values"])
    assert design.weights is None
    assert expected["weights"] is None
    assert design.offset is None
    assert expected["offset"] is None
    said = [text for text in design.messages if text not in design.advice]
    assert said == expected["warnings"] + expected["messages"] == []
    assert str(design.formula.nobars()) == record["fixed_formula"]
    if "||" not in record["formula"]:
        # lme4's record has the formula as it was written, R has no spaces around the slash.
        assert str(design.formula) == record["formula"].replace(" / ", "/")


# The frame of the rules below: R's names and values, y is not looked at.
EACH = np.arange(1, 25)
D = pd.DataFrame(
    {
        "y": (EACH * 7) % 11 / 2,
        "x": EACH / 2,
        "z": (EACH * 5) % 7 - 3,
        "g": pd.Categorical(list("abcd") * 6),
        "k": pd.Categorical(np.repeat(["u", "v"], 12)),
        "f": pd.Categorical(list("pqrprq") * 4),
    }
)
# What our advice says of these formulas is tested in test_traps.
quiet = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyAdvice")
CONTROL = {"check.nobs.vs.nRE": "ignore", "check.nlev.gtr.1": "ignore"}


def _random(formula, **options):
    return lme4py.lformula(formula, D, control=CONTROL, **options).random


def _signature(random):
    return [
        (label, term.covariance.name, term.covariance.hom)
        for (label, _), term in zip(random.Ztlist, random.terms, strict=True)
    ]


INF = np.inf


# lme4 2.1-0
@pytest.mark.parametrize(
    "formula, par, lower, upper, thetas",
    [
        ("y ~ diag(0 + f | g)", [1, 1, 1], [0, 0, 0], [INF] * 3, 3),
        ("y ~ diag(0 + f | g, hom = TRUE)", [1], [0], [INF], 1),
        ("y ~ cs(0 + f | g, hom = TRUE)", [1, 0], [0, -0.5], [INF, 1], 5),
        ("y ~ ar1(0 + f | g)", [1, 0], [0, -1], [INF, 1], 5),
        ("y ~ cs(1 | g)", [1], [0], [INF], 1),
        ("y ~ ar1(1 | g)", [1], [0], [INF], 1),
    ],
)
def test_parameters_of_the_rules(formula, par, lower, upper, thetas):
    random = _random(formula)
    assert random.par.tolist() == par
    assert random.lower.tolist() == lower
    assert random.upper.tolist() == upper
    assert random.theta.size == thetas


# lme4 2.1-0: Lind (from 1), p and i of the first level's block
@pytest.mark.parametrize(
    "formula, index, pointers, rows",
    [
        ("y ~ diag(0 + f | g)", [1, 2, 3], [0, 1, 2, 3], [0, 1, 2]),
        ("y ~ cs(0 + f | g)", [1, 2, 4, 3, 5, 6], [0, 1, 3, 6], [0, 0, 1, 0, 1, 2]),
        ("y ~ cs(0 + f | g, hom = TRUE)", [1, 2, 3, 2, 4, 5], [0, 1, 3, 6], [0, 0, 1, 0, 1, 2]),
        ("y ~ ar1(0 + f | g)", [1, 2, 4, 3, 5, 4], [0, 1, 3, 6], [0, 0, 1, 0, 1, 2]),
    ],
)
def test_template_of_the_rules(formula, index, pointers, rows):
    random = _random(formula)
    assert (random.Lind[: len(index)] + 1).tolist() == index
    assert random.Lambdat.indptr[:4].tolist() == pointers
    assert random.Lambdat.indices[: len(rows)].tolist() == rows


@quiet
def test_structures_follow_their_terms():
    # lme4 2.1-0: ord 2 3 1 for levels 2, 4, 2
    random = _random("y ~ diag(1 | k) + cs(x | g) + ar1(z | k)")
    assert random.order.tolist() == [1, 2, 0]
    assert _signature(random) == [
        ("x | g", "cs", False),
        ("z | k", "ar1", True),
        ("1 | k", "diag", False),
    ]
    assert random.par_names == ["g.(Intercept)", "g.x", "g.rho", "k.*", "k.rho", "k.(Intercept)"]
    assert random.theta_names[:3] == ["g.(Intercept)", "g.x.(Intercept)", "g.x"]
    assert random.par.tolist() == [1, 1, 0, 1, 0, 1]
    # ar1 of two columns with one deviation has three theta, one per column and one below
    assert random.theta.tolist() == [1, 0, 1, 1, 0, 1, 1]


@quiet
@pytest.mark.parametrize(
    "formula, expected",
    [
        ("y ~ cs(x | g/k)", [("x | k:g", "cs", False), ("x | g", "cs", False)]),
        ("y ~ (diag(x | g))", [("x | g", "diag", False)]),
        ("y ~ x * cs(z | g) - ar1(1 | k)", [("z | g", "cs", False), ("1 | k", "ar1", True)]),
        ("y ~ x + -us(z | g)", [("z | g", "us", False)]),
        # R's $ completes names.
        ("y ~ cs(x | g, homogeneous = TRUE)", [("x | g", "cs", True)]),
    ],
)
def test_where_a_structure_may_stand(formula, expected):
    assert _signature(_random(formula)) == expected


@quiet
def test_a_leading_structure_loses_what_follows_it():
    # lme4 2.1-0: XN(y ~ diag(x|g) - 1) is the intercept
    design = lme4py.lformula("y ~ diag(x | g) - 1", D, control=CONTROL)
    assert design.fixed.names == ["(Intercept)"]
    assert list(design.frame) == ["y", "x", "g"]


@pytest.mark.parametrize(
    "formula, expected, written",
    [
        ("y ~ diag((x | g))", [("x | g", "us", False)], "diag(x | g)"),
        ("y ~ diag(x || g)", [("1 | g", "us", False), ("0 + x | g", "us", False)], "diag(x | g)"),
        (
            "y ~ cs(((x | g)), hom = TRUE)",
            [("x | g", "us", False)],
            "cs(x | g, hom = TRUE)",
        ),
        ("y ~ cs(x | g, TRUE)", [("x | g", "cs", False)], "hom = TRUE"),
        ("y ~ us(x | g, hom = TRUE)", [("x | g", "us", False)], "us has none"),
        ("y ~ (1 | k) + cs(x | g, TRUE, 2)", [("1 | k", "us", False)], "lme4 loses cs(x | g, "),
        ("y ~ cs(x) + (1 | k)", [("1 | k", "us", False)], "lme4 reads x for cs(x)"),
    ],
)
def test_what_lme4_passes_over_is_told(formula, expected, written):
    with pytest.warns(Lme4pyWarning) as told:
        random = _random(formula)
    assert _signature(random) == expected
    assert any(written in str(item.message) for item in told)


@pytest.mark.parametrize("formula", ["y ~ us((x | g))", "y ~ x + us(x || g)"])
def test_nothing_is_told_where_nothing_is_lost(formula):
    design = lme4py.lformula(formula, D, control=CONTROL)
    assert not [text for text in design.advice if "us(" in text]


@pytest.mark.parametrize(
    "formula,names",
    [
        # lme4 2.1: colnames(lFormula(...)$X)
        ("y ~ cs(x) + (1 | g)", ["(Intercept)", "x"]),
        ("y ~ log(z^2 + diag(x | g))", ["(Intercept)", "z"]),
        ("y ~ offset(x + diag(z | g)) + z", ["(Intercept)", "x", "z"]),
        ("y ~ x * (z + cs(x | g))", ["(Intercept)", "x", "z", "x:z"]),
        ("y ~ us(x, z) + (1 | g)", ["(Intercept)", "x"]),
    ],
)
def test_what_is_left_of_calls_that_hold_a_structure(formula, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert lme4py.lformula(formula, D, control=CONTROL).fixed.names == names


@pytest.mark.parametrize("version", ["1.1-31", "1.1.35.5"])
def test_older_releases_have_no_structures(version):
    with pytest.raises(FormulaError, match='could not find function "cs"') as found:
        lme4py.lformula("y ~ x + cs(x | g)", D, control=CONTROL, lme4=version)
    assert 'give lme4="2.1"' in str(found.value)
    with pytest.raises(DataError, match='double_bar="diag"'):
        lme4py.lformula("y ~ (x || g)", D, double_bar="diag", lme4=version)
    with pytest.raises(DataError, match="autoscale"):
        lme4py.lformula("y ~ (x | g)", D, control={"autoscale": True}, lme4=version)


@pytest.mark.parametrize("version", ["2", "lme4", "0.9", "3.0", 2.1, None, "", "2.1 "])
def test_a_version_is_written_as_r_prints_it(version):
    if version == "2.1 ":
        assert lme4py.Formula.parse("y ~ x", version).lme4.version == "2.1"
        return
    with pytest.raises(DataError, match="unknown version of lme4") as found:
        lme4py.lformula("y ~ (x | g)", D, lme4=version)
    assert "packageVersion" in str(found.value)


@pytest.mark.parametrize("hom", ["T", "NA", "1", "!FALSE", '"TRUE"', ""])
def test_hom_is_a_literal(hom):
    with pytest.raises(FormulaError, match="'hom' is not TRUE or FALSE in special call"):
        _random(f"y ~ cs(x | g, hom = {hom})")


@pytest.mark.parametrize(
    "name",
    [
        *("toep", "homtoep", "rr", "ou", "gau", "mat"),
        *("homdiag", "homcs", "hetar1", "propto", "equalto"),
    ],
)
def test_unknown_structures_name_the_known(name):
    with pytest.raises(FormulaError, match="us, diag, cs, ar1") as found:
        _random(f"y ~ x + {name}(0 + f | g, d = 2)")
    assert name in str(found.value)
    assert found.value.span is not None


def test_unknown_structures_have_lme4s_way_where_there_is_one():
    with pytest.raises(FormulaError, match=r"write cs\(x \| g, hom = TRUE\)"):
        _random("y ~ homcs(x | g)")


@pytest.mark.parametrize("formula", ["y ~ cs(hom = TRUE, x | g)", "y ~ diag(x, (1 | g))"])
def test_the_term_comes_first(formula):
    with pytest.raises(FormulaError, match="first argument"):
        _random(formula)


def test_names_of_structures_are_free_elsewhere():
    data = D.assign(diag=D["x"], cs=D["k"])
    design = lme4py.lformula("y ~ exp(x / 10) + diag + (diag | cs)", data, control=CONTROL)
    assert design.fixed.names == ["(Intercept)", "exp(x/10)", "diag"]
    assert _signature(design.random) == [("diag | cs", "us", False)]


@pytest.mark.parametrize("family", [None, "poisson"])
def test_double_bar_as_diag(family):
    # lme4 2.1-0 with options(lme4.doublevert.default = "diag_special"): f + x | g #4; 1 | k #2
    text = "y ~ z + (1 || k) + (f + x || g)"
    if family is None:
        design = lme4py.lformula(text, D, control=CONTROL, double_bar="diag")
    else:
        design = lme4py.glformula(text, D, family=family, control=CONTROL, double_bar="diag")
    assert str(design.formula) == "y ~ z + diag(1 | k) + diag(f + x | g)"
    assert _signature(design.random) == [("f + x | g", "diag", False), ("1 | k", "diag", False)]
    assert design.random.theta.size == 5
    assert design.fixed.names == ["(Intercept)", "z"]
    again = lme4py.lformula(str(design.formula), D, control=CONTROL)
    assert (again.Zt != design.Zt).nnz == 0


def test_double_bar_as_diag_takes_what_cannot_be_split():
    data = D.rename(columns={"g": "the group"})
    options = {"control": CONTROL, "double_bar": "diag"}
    design = lme4py.lformula("y ~ x + (x || `the group`/k)", data, **options)
    assert [label for label, _ in design.random.Ztlist] == [
        "x | k:`the group`",
        "x | `the group`",
    ]
    design = lme4py.lformula("y ~ diag(x || g, hom = TRUE)", D, **options)
    assert _signature(design.random) == [("x | g", "diag", True)]
    assert not [text for text in design.advice if "diag" in text]


def test_double_bar_is_checked():
    with pytest.raises(DataError, match="double_bar"):
        lme4py.lformula("y ~ (x || g)", D, double_bar="diagonal")


def test_the_check_of_random_effects_is_off():
    # lme4 2.1-0: nothing is said of the second
    data = D.assign(v=np.tile(EACH[:12], 2))
    with pytest.raises(CheckError, match="number of random effects"):
        lme4py.lformula("y ~ (x | v) + us(1 | g)", data)
    assert lme4py.lformula("y ~ diag(x | v)", data).messages == []
    lme4py.lformula("y ~ (x | v) + cs(1 | g)", data)


def test_structures_are_shown():
    design = lme4py.lformula("Reaction ~ ar1(Days | Subject)", sleepstudy())
    assert "ar1 hom" in lme4py.summary.summary(design)
    assert "ar1 hom" in design._repr_html_()
    plain = lme4py.lformula("Reaction ~ (Days | Subject)", sleepstudy())
    assert "structure" not in lme4py.summary.summary(plain)


def _pair(rng):
    """A random formula without and with structures, and the structures in formula order."""
    plain, structured, structures = "y ~ z", "y ~ z", []
    for _ in range(rng.integers(1, 5)):
        bar = f"{rng.choice(EFFECTS)} | {rng.choice(['g', 'k', 'f', 'g:k'])}"
        name = rng.choice(["us", "diag", "cs", "ar1"])
        hom = rng.choice(["", ", hom = TRUE", ", hom = FALSE"]) if name != "us" else ""
        join = rng.choice([" + ", " - ", " * "])
        wrap = rng.choice(["{}", "({})", "-{}"])
        plain += join + wrap.format(f"({bar})")
        structured += join + wrap.format(f"{name}({bar}{hom})")
        common = "TRUE" in hom if hom else name == "ar1"
        structures.append((bar, name, common and name != "us"))
    return plain, structured, structures


EFFECTS = ["1", "x", "0 + x", "f", "0 + f", "x + z", "poly(x, 2)", "f:x"]


@pytest.mark.parametrize("seed", range(40))
def test_structures_change_nothing_but_parameters(seed):
    plain, structured, structures = _pair(np.random.default_rng(seed))
    one, other = (lme4py.lformula(text, D, control=CONTROL) for text in (plain, structured))
    assert other.fixed.names == one.fixed.names
    assert np.array_equal(other.X, one.X)
    assert list(other.frame) == list(one.frame)
    assert np.array_equal(other.Zt.toarray(), one.Zt.toarray())
    assert other.random.cnms == one.random.cnms
    assert other.random.Gp.tolist() == one.random.Gp.tolist()
    assert other.random.order.tolist() == one.random.order.tolist()
    assert list(other.random.flist) == list(one.random.flist)
    assert _signature(other.random) == [structures[k] for k in other.random.order]
    # At the start both are the identity.
    assert np.array_equal(other.random.Lambdat.toarray(), one.random.Lambdat.toarray())


@pytest.mark.parametrize("hom", ["TRUE", "FALSE"])
@pytest.mark.parametrize("name", ["diag", "cs", "ar1"])
def test_one_level_and_fifty_columns(name, hom):
    data = D.loc[np.repeat(D.index, 10)].reset_index(drop=True)
    data["week"] = pd.Categorical(np.arange(len(data)) % 50 + 1)
    data["one"] = "a"
    formula = f"y ~ {name}(0 + week | g, hom = {hom}) + {name}(0 + week | one, hom = {hom})"
    random = lme4py.lformula(formula, data, control=CONTROL).random
    assert random.nl.tolist() == [4, 1]
    par = np.where(random.upper == 1, 0.3, 2.0)
    factor = random.lambdat_at(par).T @ random.lambdat_at(par)
    dense = factor.toarray()
    assert np.array_equal(dense[:50, :50], dense[200:, 200:])
    assert not dense[:50, 50:].any()
    for term in random.covariance(par):
        np.testing.assert_allclose(term.matrix, dense[:50, :50], rtol=1e-14)
        np.testing.assert_allclose(term.deviations, 2.0, rtol=1e-13)


# Parameters of a design


def test_lambdat_at_shares_its_structure():
    random = _random("y ~ cs(x | g) + (z | k)")
    par = [2.0, 1.0, 0.6, 1.0, -3.0, 0.5]
    moved = random.lambdat_at(par)
    assert np.shares_memory(moved.indices, random.Lambdat.indices)
    assert np.shares_memory(moved.indptr, random.Lambdat.indptr)
    assert moved.data[:3].tolist() == [2.0, 0.6, 0.8]
    assert moved.data.tolist() == random.theta_at(par)[random.Lind].tolist()
    assert random.lambdat_at(random.par).data.tolist() == random.Lambdat.data.tolist()
    assert moved.has_canonical_format


def test_covariance_is_lambda_times_its_transpose():
    random = _random("y ~ cs(f | g, hom = TRUE) + diag(z | k) + (x | g:k)")
    rng = np.random.default_rng(7)
    par = np.where(random.upper == 1, 0.4, rng.uniform(0.1, 2, random.par.size))
    factor = random.lambdat_at(par).toarray()
    whole = factor.T @ factor
    found = random.covariance(par)
    assert [term.group for term in found] == [group for group, _ in random.cnms]
    for term, names, begin in zip(found, random.cnms, random.Gp, strict=False):
        size = len(term.names)
        block = whole[begin : begin + size, begin : begin + size]
        np.testing.assert_allclose(term.matrix, block, rtol=1e-14)
        assert list(term.frame.columns) == list(term.frame.index) == names[1]
        np.testing.assert_allclose(term.deviations**2, np.diag(block))
        np.testing.assert_allclose(np.diag(term.correlation), 1)
    assert [np.array_equal(term.matrix, np.eye(len(term.names))) for term in random.covariance()]


@pytest.mark.parametrize(
    "par, words",
    [
        ([1.0], "has 1 values, the model has 3"),
        ([[1.0, 1.0, 0.0]], "has 1x3 values"),
        (1.0, "the model has 3"),
        ([1.0, 1.0, 1.5], r"par\[2\] \(g.rho\) is 1.5, not between -1 and 1"),
        ([-0.1, 1.0, 0.0], r"par\[0\] \(g.\(Intercept\)\) is -0.1"),
        ([1.0, np.nan, 0.0], r"par\[1\]"),
        ([np.inf, 1.0, 0.0], "is inf"),
        (["a", 1.0, 0.0], "must be numbers"),
        (None, "model has 3|par"),
        ({"g.rho": 1}, "must be numbers"),
    ],
)
def test_parameters_are_checked(par, words):
    random = _random("y ~ cs(x | g)")
    for use in (random.lambdat_at, random.theta_at):
        with pytest.raises(DataError, match=words):
            use(par)


def test_terms_without_columns():
    random = _random("y ~ cs(0 | g) + ar1(0 | k) + diag(0 | g, hom = TRUE) + (1 | k)")
    assert random.par.tolist() == random.theta.tolist() == [1]
    assert random.par_names == ["k.(Intercept)"]
    sizes = {term.label: term.matrix.shape for term in random.covariance()}
    assert sizes == {"0 | g": (0, 0), "0 | k": (0, 0), "1 | k": (1, 1)}
