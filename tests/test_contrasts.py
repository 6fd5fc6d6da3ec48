"""Contrasts attached to factors and the default ones, as R and lme4 take them."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lme4py
from lme4py.cli import main
from lme4py.cli.design_options import read_table
from lme4py.rfiles.read_rds import read_rds
from tests.recorded.cases import FIXTURES, arguments, build, data, load, other_words, verdict

RECORDS = load(FIXTURES / "contrasts" / "records.rds")
MADE = [name for name in RECORDS.names if RECORDS[name]["error"] is None]
EDGE = FIXTURES / "contrasts" / "contrasts_attr_fixture.rds"
TABLE = FIXTURES / "contrasts" / "contrasts_attr.csv"


@pytest.mark.parametrize("name", RECORDS.names)
def test_as_in_r(name):
    assert verdict(RECORDS[name]) == []
    assert other_words(RECORDS[name]) is None


def test_r_made_most_of_them():
    assert len(MADE) > 200
    assert len(RECORDS) - len(MADE) > 20


# Functions of all rows together have no values for new rows.
WHOLE = ("rev(f)", "rep", "f[", "o[", "c(f)", "levels(f)")
# Those whose design has a row for each row of the data, in which all can be computed again.
APPLIED = [
    name
    for name in MADE
    if not any(text in name for text in WHOLE) and "subset" not in arguments(RECORDS[name])
]


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning", "ignore::lme4py.Lme4pyAdvice")
@pytest.mark.parametrize("name", APPLIED)
def test_new_rows_are_coded_as_the_model_was(name):
    record = RECORDS[name]
    design, _ = build(record)
    spec = lme4py.Spec.from_json(design.spec.to_json())
    assert spec.default_contrasts == design.spec.default_contrasts
    table = data(record)
    for rows in (design.spec.apply(table), spec.apply(table)):
        np.testing.assert_allclose(rows.X, design.X, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(rows.Z.toarray(), design.Z.toarray(), rtol=1e-12, atol=1e-12)


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": np.arange(24.0) % 7,
            "x": np.arange(24.0),
            "f": pd.Categorical(list("abc") * 8),
            "o": pd.Categorical(["lo", "hi", "mid"] * 8, ["lo", "mid", "hi"], ordered=True),
            "t": list("uvw") * 8,
            "lg": [True, False, False, True] * 6,
            "g": np.repeat(list("pqrs"), 6),
        }
    )


QUIET = {"check_nobs_vs_nRE": "ignore", "check_rankX": "ignore"}


def linear(formula, table=None, **options):
    return lme4py.lformula(formula, frame() if table is None else table, control=QUIET, **options)


SUM = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])


@pytest.mark.parametrize(
    "given",
    [
        SUM,
        SUM.tolist(),
        SUM[:, 0],
        pd.DataFrame(SUM),
        pl.DataFrame(SUM),
        pa.table({"1": SUM[:, 0], "2": SUM[:, 1]}),
        lambda levels: np.vstack([np.eye(levels - 1), -np.ones((1, levels - 1))]),
        "contr.sum",
    ],
    ids=["array", "list", "vector", "pandas", "polars", "pyarrow", "function", "name"],
)
def test_forms_of_a_matrix(given):
    design = linear("y ~ f + (f | g)", attached_contrasts={"f": given})
    assert len(design.fixed.names) == 3
    assert design.X[:3, 1].tolist() == SUM[:, 0].tolist()
    assert design.random.cnms[0][1] == design.fixed.names
    np.testing.assert_array_equal(design.Zt.toarray()[:3, :6], design.X[:6].T)


def test_names_of_columns():
    named = pd.DataFrame(SUM, columns=["first", "second"])
    assert linear("y ~ f + (1 | g)", attached_contrasts={"f": named}).fixed.names[1:] == [
        "ffirst",
        "fsecond",
    ]


def _polars(table):
    return pl.from_pandas(table).with_columns(pl.col("f").cast(pl.Enum(["a", "b", "c"])))


@pytest.mark.parametrize("to", [_polars, pa.Table.from_pandas, dict])
def test_other_frames(to):
    expected = linear("y ~ f + (f | g)", attached_contrasts={"f": SUM})
    table = frame().drop(columns=["o"])
    design = linear("y ~ f + (f | g)", to(table), attached_contrasts={"f": SUM})
    np.testing.assert_array_equal(design.X, expected.X)
    np.testing.assert_array_equal(design.Zt.toarray(), expected.Zt.toarray())


def test_none_takes_contrasts_away():
    table = read_table(EDGE)
    assert linear("y ~ cond + (1 | subj)", table).fixed.names == ["(Intercept)", "cond1"]
    without = linear("y ~ cond + (1 | subj)", table, attached_contrasts={"cond": None})
    assert without.fixed.names == ["(Intercept)", "condb"]


FAULTS = {
    "text": (
        {"attached_contrasts": {"t": "contr.sum"}},
        "only to factors\n't' is text: make it a pandas",
    ),
    "number": ({"attached_contrasts": {"x": "contr.sum"}}, "'x' is not a factor"),
    "absent": ({"attached_contrasts": {"ff": "contr.sum"}}, "no column 'ff'; did you mean 'f'"),
    "no mapping": ({"attached_contrasts": "contr.sum"}, "must be a mapping"),
    "unknown": ({"attached_contrasts": {"f": "contr.some"}}, "was not found\ndid you mean"),
    "rows": ({"attached_contrasts": {"f": np.eye(4)}}, "wrong number of contrast matrix rows"),
    "no columns": ({"attached_contrasts": {"f": np.zeros((3, 0))}}, "replacement has length zero"),
    "truth": (
        {"attached_contrasts": {"f": SUM > 0}},
        "numeric contrasts or contrast name expected",
    ),
    "ragged": ({"attached_contrasts": {"f": [[1], [2, 3]]}}, "numeric contrasts or contrast name"),
    "cube": ({"attached_contrasts": {"f": np.ones((3, 2, 1))}}, "numeric contrasts or contrast"),
    "fails": ({"attached_contrasts": {"f": lambda levels: levels / 0}}, "function of 'f' failed"),
    "other order": (
        {"attached_contrasts": {"f": pd.DataFrame(SUM, index=["c", "b", "a"])}},
        "the rows of the contrasts of 'f' are c, b, a, its levels a, b, c",
    ),
    "one default": ({"default_contrasts": ("contr.sum",)}, "invalid value for 'contrasts'"),
    "a default": ({"default_contrasts": "contr.sum"}, "invalid value for 'contrasts'"),
    "default unknown": ({"default_contrasts": ("contr.sum", "contr.pol")}, "mean 'contr.poly'"),
    "default a matrix": ({"default_contrasts": (SUM, "contr.poly")}, "takes two names"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name):
    options, words = FAULTS[name]
    with pytest.raises(lme4py.DataError) as caught:
        linear("y ~ f + (1 | g)", **options)
    assert words in str(caught.value)


def test_advice_where_contrasts_reach_x_only():
    def said(**options):
        advice = linear("y ~ f + (f | g)", **options).advice
        return [text for text in advice if text.startswith("contrasts= acts on X only")]

    (plain,) = said(contrasts={"f": "contr.sum"})
    assert "'f' in (f | g) keeps contr.treatment; attached_contrasts= acts on both" in plain
    (option,) = said(contrasts={"f": SUM}, default_contrasts=("contr.SAS", "contr.poly"))
    assert "keeps contr.SAS" in option
    (matrix,) = said(contrasts={"f": "contr.sum"}, attached_contrasts={"f": SUM})
    assert "keeps the matrix attached to it" in matrix
    assert said(contrasts={"f": "contr.treatment"}) == []
    assert said(attached_contrasts={"f": "contr.sum"}) == []


def test_new_rows_of_a_logical_with_contrasts():
    design = linear("y ~ lg + (lg | g)", attached_contrasts={"lg": "contr.sum"})
    assert design.fixed.names == ["(Intercept)", "lg1"]
    rows = design.spec.apply({"lg": [False, True], "g": ["p", "q"]})
    assert rows.X.tolist() == [[1.0, 1.0], [1.0, -1.0]]


def test_a_stored_design_knows_its_contrasts(tmp_path):
    design = linear(
        "y ~ f + o + (f + o | g)",
        attached_contrasts={"f": SUM},
        default_contrasts=("contr.SAS", "contr.helmert"),
    )
    design.save(tmp_path / "m.npz")
    loaded = lme4py.load(tmp_path / "m.npz")
    assert loaded.spec.default_contrasts == ("contr.SAS", "contr.helmert")
    (stored,), (made,) = loaded.random.terms, design.random.terms
    assert stored.plan.contrasts["o"] == made.plan.contrasts["o"] == "contr.helmert"
    assert stored.plan.names == made.plan.names
    design.export(tmp_path / "m.rds", "rds")
    kept = read_rds(tmp_path / "m.rds")["fr"].columns["f"].contrasts
    np.testing.assert_array_equal(kept.values, SUM)


def test_mk_re_terms():
    made = lme4py.mk_re_terms(
        "(f + o | g)",
        frame(),
        attached_contrasts={"f": "contr.sum"},
        default_contrasts=("contr.treatment", "contr.treatment"),
    )
    assert made.cnms == [("g", ["(Intercept)", "f1", "f2", "omid", "ohi"])]


class TestCommand:
    def show(self, capsys, *options):
        assert main(["show", "y ~ cond + (cond | subj)", *map(str, options), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        return shown["X"]["names"], shown["terms"][0]["columns"]

    def test_a_file_of_r_keeps_what_is_attached(self, capsys):
        assert self.show(capsys, EDGE) == (["(Intercept)", "cond1"],) * 2
        design = lme4py.lformula("y ~ cond + (cond | subj)", read_table(EDGE))
        expected = read_rds(EDGE)["lf"]
        np.testing.assert_array_equal(design.X, expected["X"].values)
        np.testing.assert_array_equal(
            design.Zt.toarray(), expected["reTrms"]["Zt"].matrix.toarray()
        )

    def test_options(self, capsys):
        codings = "--default-contrasts", "contr.SAS", "contr.poly"
        assert self.show(capsys, TABLE, *codings) == (["(Intercept)", "conda"],) * 2
        attached = "--attached-contrasts", "cond=contr.treatment"
        assert self.show(capsys, EDGE, *attached) == (["(Intercept)", "condb"],) * 2
        assert main(["show", "y ~ cond + (1 | subj)", str(TABLE), *attached]) == 2
        assert "'cond' is text" in capsys.readouterr().err


def recoded(fixture, **options):
    """Make the model of a fixture again, contrasts as given only."""
    kept = {name: item for name, item in fixture.arguments.items() if name != "contrasts"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.lformula(fixture.formula, fixture.table(), **{**kept, **options})


@pytest.mark.parametrize(
    "file, options, cause",
    [
        (
            "coded_data",
            {"attached_contrasts": {"f": None, "o": "contr.helmert"}},
            "attached contrasts: 'f' carries a matrix of its own in R",
        ),
        (
            "coded_data",
            {"attached_contrasts": {"o": None}},
            "give attached_contrasts={'o': 'contr.helmert'}",
        ),
        ("tampered_contrasts_option", {}, "give default_contrasts=('contr.sum', 'contr.poly')"),
        (
            "slope_and_factor",
            {"default_contrasts": ("contr.sum", "contr.poly")},
            "contrasts: 'f' is coded by contr.sum here and by contr.treatment in R",
        ),
        (
            "slope_and_factor",
            {"attached_contrasts": {"f": "contr.sum"}},
            "'f' carries no contrasts of its own in R",
        ),
    ],
)
def test_compare_names_the_cause(file, options, cause):
    fixture = lme4py.read_fixture(FIXTURES / "compare" / f"{file}.rds")
    comparison = lme4py.compare(recoded(fixture, **options), fixture)
    assert not comparison
    assert any(cause in text for text in comparison.causes), comparison.causes


def test_the_option_named_as_cause_is_the_remedy():
    fixture = lme4py.read_fixture(FIXTURES / "compare" / "tampered_contrasts_option.rds")
    design = recoded(fixture, default_contrasts=("contr.sum", "contr.poly"))
    assert lme4py.compare(design, fixture)
