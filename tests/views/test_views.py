"""Every view of some random designs; ``python -m tests.views`` takes any number of others."""

from __future__ import annotations

import itertools
import logging
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.export.to_rds import row_names
from lme4py.proof.fixture import read_fixture
from lme4py.ready_arrays import TermArrays

from .checks import CHECKS, SLOW, faults
from .made import KINDS, make

SEED = 20260301


@pytest.fixture(autouse=True)
def quiet():
    handler = logging.NullHandler()
    logging.getLogger("lme4py").addHandler(handler)
    yield
    logging.getLogger("lme4py").removeHandler(handler)


def designs(kind, count, folder, first=0):
    found = (make(kind, SEED, number, folder) for number in itertools.count(first))
    return itertools.islice((made for made in found if made is not None), count)


@pytest.mark.parametrize("kind", KINDS)
def test_every_view(kind, tmp_path):
    for made in designs(kind, 6, tmp_path):
        for check in CHECKS:
            assert faults(made, check) == [], (made.case.name, check, made.case.formula)


@pytest.mark.parametrize("check", SLOW)
def test_slower_views(check, tmp_path):
    for kind in KINDS:
        for made in designs(kind, 2, tmp_path, first=100):
            assert faults(made, check) == [], (made.case.name, made.case.formula)


DATA = pd.DataFrame(
    {
        "y": np.linspace(-1, 2, 24) ** 2,
        "x": np.tile([0.0, 1.5, 2.0, 5.0], 6),
        "f": np.tile(["p", "q"], 12),
        "g": np.repeat(["b", "A", "a", "B"], 6),
    }
)
IGNORE = {"check_nlev_gtreq_5": "ignore", "check_rankX": "silent.drop.cols"}


def design(formula, data=DATA, **arguments):
    return lme4py.lformula(formula, data, control=IGNORE, **arguments)


def exported(made, tmp_path):
    made.export(tmp_path / "design.rds", "rds")
    return read_fixture(tmp_path / "design.rds")


def test_rows_of_an_rds_file_have_the_names_that_r_gives(tmp_path):
    """R: attr(lFormula(...)$fr, "row.names") after the third row is left out as missing."""
    holes = DATA.assign(y=DATA["y"].where(DATA.index != 2))
    record = exported(design("y ~ x + (1 | g)", holes), tmp_path)
    assert record.frame.row_names[:3] == ("1", "2", "4")
    named = holes.set_index(holes.index.map("r{}".format))
    record = exported(design("y ~ x + (1 | g)", named), tmp_path)
    assert record.frame.row_names[:3] == ("r0", "r1", "r3")


def test_rows_asked_for_in_vain_are_called_na():
    """R: row.names(model.frame(y ~ 1, d, subset = c(1, 99, 2, 99), na.action = na.pass))."""
    expected = ["1", "NA", "2", "NA.1", *map(str, range(3, 25))]
    arguments = {"subset": "c(1, 99, 2, 99, 3:24)", "na_action": "pass"}
    made = design("y ~ 1 + (1 | g)", **arguments)
    assert row_names(made) == expected
    named = DATA.set_index(DATA.index.map("r{}".format))
    made = design("y ~ 1 + (1 | g)", named, **arguments)
    assert row_names(made)[:5] == ["r0", "NA", "r1", "NA.1", "r2"]
    assert made.frame.index[:4].tolist() == ["r0", "NA", "r1", "NA"]


def test_dropped_columns_stand_in_an_rds_file(tmp_path):
    """R: attr(lFormula(y ~ x + I(2 * x) + (1 | g), d)$X, "col.dropped") is c("I(2 * x)" = 3)."""
    made = design("y ~ x + I(2 * x) + (1 | g)")
    dropped = exported(made, tmp_path).X.attributes["col.dropped"]
    assert (dropped.names, dropped.values.tolist()) == (("I(2 * x)",), [3])


@pytest.mark.parametrize("formula", ["scale(y) ~ x + (1 | g)", "~ x + (1 | g)"])
def test_responses_of_an_rds_file(formula, tmp_path):
    """A matrix of one column is a vector to lme4; a formula without response has none."""
    made = lme4py.lformula(formula, DATA, control={**IGNORE, "check_formula_LHS": "ignore"})
    assert lme4py.compare(made, exported(made, tmp_path))


def test_a_spec_survives_a_second_file(tmp_path):
    design("y ~ scale(x) + (1 | g)").save(tmp_path / "one.npz")
    lme4py.load(tmp_path / "one.npz").save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert lme4py.load(tmp_path / "two.npz").spec.apply(DATA).X.shape == (24, 2)


def test_text_in_the_order_of_c_after_loading(tmp_path):
    made = design("y ~ g*x + (0 + g | f)", collation="C")
    made.save(tmp_path / "design.npz")
    loaded = lme4py.load(tmp_path / "design.npz")
    assert str(loaded.equations()) == str(made.equations())


def test_equations_of_ready_arrays(tmp_path):
    """The intercept is no other column of the last variable; each column stands for itself."""
    X = np.column_stack([np.ones(24), DATA["x"]])
    term = TermArrays(X, DATA["g"], "g", ["(Intercept)", "x"], structure="diag")
    made = lme4py.mixed_design(X, [term], DATA["y"], names=["(Intercept)", "x"])
    assert str(made.formula) == "y ~ 1 + x + diag(1 + x | g)"
    expected = design("y ~ 1 + x + diag(1 + x | g)")
    assert str(made.equations()) == str(expected.equations())
    only = lme4py.mixed_design(X[:, :1], "(x | g)", DATA["y"], names=["(Intercept)"], frame=DATA)
    assert str(only.equations()) == str(design("y ~ 1 + (x | g)").equations())
    for case in (made, only):
        case.save(tmp_path / "design.npz")
        loaded = lme4py.load(tmp_path / "design.npz")
        assert str(loaded.explain()) == str(case.explain())
        assert loaded.equations().verify()


def test_a_term_of_numbers_called_intercept_is_no_indicator():
    pytest.importorskip("tabmat", reason="tabmat is not installed")
    term = TermArrays(DATA["x"].to_numpy(), DATA["g"], "g", ["(Intercept)"])
    made = lme4py.mixed_design(np.ones((24, 1)), [term], DATA["y"])
    np.testing.assert_array_equal(made.to_tabmat().toarray()[:, 1:], made.Z.toarray())


def test_statsmodels_is_not_left_to_fill_the_memory():
    """MixedLM's tables for 40 correlated effects, 820 covariances, would have 4 GB."""
    rows = DATA.loc[np.repeat(DATA.index, 10)].reset_index(drop=True)
    rows["many"] = [f"m{k % 40}" for k in range(240)]
    control = {**IGNORE, "check_nobs_vs_nRE": "ignore", "check_nobs_vs_rankZ": "ignore"}
    made = lme4py.lformula("y ~ x + (many | g)", rows, control=control)
    with pytest.raises(lme4py.FormulaError, match=r"for its 822 parameters .* tables of 4 GB"):
        made.to_statsmodels()


def test_no_text_of_a_design_holds_all_its_numbers():
    X = np.ones((2000, 40))
    made = lme4py.mixed_design(X, [TermArrays(X, np.arange(2000) % 7, "g")])
    assert len(repr(made.fixed)) < 1_000
    assert len(repr(made.random)) < 1_000


def test_exports_say_what_they_cannot():
    with pytest.raises(lme4py.FormulaError, match="needs a random effect"):
        design("y ~ x + (0 | g)").to_statsmodels()
    pytest.importorskip("tabmat", reason="tabmat is not installed")
    with pytest.raises(lme4py.DataError, match="tabmat has no matrix without columns"):
        design("y ~ 0 + (1 | g)").to_tabmat(random=False)


def test_parts_of_a_cluster_with_several_terms():
    made = design("y ~ x + (1 | g) + (0 + x | g) + (1 | f)")
    Z = made.Z.toarray()
    for found in made.clusters("g"):
        for part in found.parts:
            np.testing.assert_array_equal(part.Z, Z[np.ix_(found.rows, part.columns)])
    assert Counter(made.cluster("p", group="f").columns.tolist()) == Counter([8])
