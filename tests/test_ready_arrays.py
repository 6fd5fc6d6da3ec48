"""The assembler on ready arrays gives what the formula gives."""

from __future__ import annotations

import formulaic
import numpy as np
import pandas as pd
import patsy
import pytest

import lme4py
from lme4py.data import sleepstudy
from lme4py.errors import DataError, FormulaError, Lme4pyError
from lme4py.ready_arrays import TermArrays

DATA = pd.DataFrame(
    {
        "y": np.linspace(-1, 2, 24) ** 2,
        "x": np.tile([0.0, 1.5, 2.0], 8),
        "f": np.tile(["p", "q"], 12),
        "g": np.repeat(["b", "A", "a", "B"], 6),
        "h": np.tile(["k", "l", "m"], 8),
    }
)


def assert_same(ours, expected):
    for name in ("Zt", "Lambdat"):
        left, right = getattr(ours, name), getattr(expected, name)
        assert left.shape == right.shape
        for part in ("data", "indices", "indptr"):
            assert np.array_equal(getattr(left, part), getattr(right, part)), (name, part)
    for name in ("Lind", "theta", "lower", "Gp", "nl", "order", "assign"):
        assert np.array_equal(getattr(ours, name), getattr(expected, name)), name
    assert ours.row_names == expected.row_names
    assert ours.cnms == expected.cnms
    assert list(ours.flist) == list(expected.flist)


@pytest.mark.parametrize(
    "bars",
    ["(x | g)", "(1 | h) + (x | g)", "(x || g) + (1 | h)", "(f | g)", "(1 | g/h)", "(0 + x | g:h)"],
)
def test_text_in_a_frame_is_what_lformula_makes(bars):
    options = {"control": {"check_nobs_vs_nRE": "ignore", "check_nlev_gtreq_5": "ignore"}}
    expected = lme4py.lformula(f"y ~ 1 + {bars}", DATA, **options).random
    assert_same(lme4py.mk_re_terms(bars, DATA), expected)
    assert_same(lme4py.mk_re_terms(f"~ {bars}", DATA), expected)
    assert_same(lme4py.mk_re_terms(lme4py.Formula.parse(f"y ~ {bars}"), DATA), expected)


def test_arrays_are_what_the_formula_makes():
    design = lme4py.lformula("y ~ 1 + (1 | h) + (x | g)", DATA)
    slope = np.column_stack([np.ones(24), DATA["x"]])
    ready = [
        TermArrays(np.ones(24), DATA["h"], "h", ["(Intercept)"]),
        TermArrays(slope, DATA["g"], "g", ["(Intercept)", "x"]),
    ]
    assert_same(lme4py.mk_re_terms(ready), design.random)
    mixed = [ready[0], "x | g"]
    assert_same(lme4py.mk_re_terms(mixed, DATA), design.random)


def test_names_come_along():
    effects = patsy.dmatrix("x", DATA)
    assert lme4py.mk_re_terms([TermArrays(effects, DATA["g"], "g")]).cnms == [
        ("g", ["(Intercept)", "x"])
    ]
    frame = DATA[["x", "y"]]
    assert lme4py.mk_re_terms([TermArrays(frame, DATA["g"], "g")]).cnms == [("g", ["x", "y"])]
    assert lme4py.mk_re_terms([TermArrays(DATA["x"].to_numpy(), DATA["g"], "g")]).cnms == [
        ("g", ["x1"])
    ]


def test_levels_missing_groups_and_structures():
    group = pd.Categorical(["c", "a", None, "c"], categories=["c", "b", "a"])
    terms = lme4py.mk_re_terms([TermArrays(np.ones(4), group, "g")])
    assert terms.row_names == ["c", "a"]
    assert terms.Zt.toarray().tolist() == [[1, 0, 0, 1], [0, 1, 0, 0]]
    both = np.column_stack([np.ones(4), np.arange(4)])
    diagonal = lme4py.mk_re_terms([TermArrays(both, ["a", "a", "b", "b"], "g", None, "diag")])
    assert diagonal.theta.tolist() == [1, 1]
    assert lme4py.mk_re_terms("(1 | g)", DATA).row_names == ["a", "A", "b", "B"]
    assert lme4py.mk_re_terms("(1 | g)", DATA, collation="C").row_names == ["A", "B", "a", "b"]


@pytest.mark.parametrize("library", ["patsy", "formulaic", "formulaic sparse", "pandas", "numpy"])
def test_the_fixed_part_of_another_library(library):
    match library:
        case "patsy":
            X = patsy.dmatrix("x * f", DATA)
        case "formulaic":
            X = formulaic.model_matrix("x * f", DATA)
        case "formulaic sparse":
            X = formulaic.model_matrix("x * f", DATA, output="sparse")
        case "pandas":
            X = pd.DataFrame({"(Intercept)": 1.0, "x": DATA["x"]})
        case _:
            X = np.column_stack([np.ones(24), DATA["x"]])
    design = lme4py.mixed_design(X, "(x | g)", DATA["y"], frame=DATA, weights=np.ones(24))
    expected = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    assert np.array_equal(design.X, expected)
    assert design.X.flags.f_contiguous
    assert_same(design.random, lme4py.lformula("y ~ x + (x | g)", DATA).random)
    assert design.y.tolist() == DATA["y"].tolist()
    if "patsy" in library or "formulaic" in library:
        assert design.fixed.terms == ["x" if library != "patsy" else "f", *design.fixed.terms[1:]]
        assert design.fixed.names[0] == "(Intercept)"
        assert design.fixed.assign[0] == 0
        assert sorted(set(design.fixed.assign.tolist())) == [0, 1, 2, 3]
    if library == "numpy":
        assert design.fixed.names == ["x1", "x2"]
    assert "MixedDesign" in repr(design)
    assert "<table" in design._repr_html_()
    assert design.frame.shape[0] == 24
    assert str(lme4py.Formula.parse(str(design.formula))) == str(design.formula)


def test_generalized():
    won = (DATA["y"] > 1).astype(float)
    design = lme4py.mixed_design(np.ones(24), "(1 | g)", won, frame=DATA, family="binomial")
    assert design.family.link == "logit"
    assert design.reml is None


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: lme4py.mk_re_terms("(1 | g)"), "need a frame"),
        (lambda: lme4py.mk_re_terms("x", DATA), "no random effects terms"),
        (lambda: lme4py.mk_re_terms([], DATA), "no random effects terms"),
        (lambda: lme4py.mk_re_terms([7], DATA), "not int"),
        (lambda: lme4py.mk_re_terms(7, DATA), "not int"),
        (lambda: lme4py.mk_re_terms("(1 | nothing)", DATA), "nothing"),
        (lambda: lme4py.mk_re_terms([TermArrays(np.ones(3), ["a"], "g")]), "no vector of 3"),
        (
            lambda: lme4py.mk_re_terms([TermArrays(["u", "v"], ["a", "b"], "g")]),
            "could not convert",
        ),
        (lambda: lme4py.mk_re_terms([TermArrays(np.ones((2, 2, 2)), ["a", "b"], "g")]), "3 dimens"),
        (
            lambda: lme4py.mk_re_terms([TermArrays(np.ones((2, 2)), ["a", "b"], "g", ["u"])]),
            "1 names",
        ),
        (lambda: lme4py.mk_re_terms([TermArrays([1, 2], [None, None], "g")]), "Invalid grouping"),
        (
            lambda: lme4py.mk_re_terms([TermArrays([1, 2], ["a", "b"], "g"), "1 | g"], DATA),
            "different numbers of rows",
        ),
        (lambda: lme4py.mixed_design(np.ones(3), "(1 | g)", frame=DATA), "X has 3 rows"),
        (
            lambda: lme4py.mixed_design(np.ones(24), "(1 | g)", [1.0], frame=DATA),
            r"y has shape \(1,\)",
        ),
    ],
)
def test_parts_that_do_not_fit(make, words):
    with pytest.raises((DataError, FormulaError), match=words) as caught:
        make()
    assert isinstance(caught.value, Lme4pyError)


def test_sleepstudy():
    data = sleepstudy()
    design = lme4py.mixed_design(
        patsy.dmatrix("Days", data), "(Days | Subject)", data["Reaction"], frame=data
    )
    expected = lme4py.lformula("Reaction ~ Days + (Days | Subject)", data)
    assert np.array_equal(design.X, expected.X)
    assert_same(design.random, expected.random)
