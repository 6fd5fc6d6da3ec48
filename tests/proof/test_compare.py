"""What R wrote of a model against the same model made here: R 4.2.2, lme4 1.1-31.

fixtures/make_compare.R wrote the files; `tests/live/test_compare_live.py` has it write all.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array

import lme4py
from lme4py.cli import main
from lme4py.errors import DataError
from lme4py.proof.fixture import fixture_of
from lme4py.proof.measures import measure, permutation
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList, RSparse, RVector

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FOLDER = FIXTURES / "compare"
UNTOUCHED = sorted(path for path in FOLDER.glob("*.rds") if not path.name.startswith("tampered"))
# What was done to the record: a component that shows it, and words of the cause.
TAMPERED = {
    "c_locale": ("frame['ch']", "locale order of levels: R sorted 'ch' in the C locale"),
    "contrasts_option": ("cnms", "contrasts option"),
    "digits": ("frame['x']", "rounding: column 'x'"),
    "double_bar": ("cnms", "meaning of ||"),
    "factor_order": ("frame['f']", "factor against character: 'f'"),
    "level_swapped": ("flist['site']", "flist was changed after lme4 made it"),
    "rows_missing": ("frame.row_names", "missing values (NA handling)"),
    "rows_moved": ("frame.row_names", "the rows of the data stand in another order"),
    "stored_zeros": ("Zt", "stored zeros: Zt is the same matrix"),
    "theta": ("theta", "theta is no starting value in the file"),
    "unit": ("X", "column 'x' of X is 100 times R's"),
    "x_value": ("X", "X was changed after lme4 made it"),
    "zt_value": ("Zt", "Zt was changed after lme4 made it"),
}


def rebuilt(fixture):
    make = lme4py.glformula if fixture.generalized else lme4py.lformula
    # R 4.2 with lme4 1.1-31 wrote the files; most do not say so.
    return make(fixture.formula, fixture.table(), **{"lme4": "1.1-31", **fixture.arguments})


@pytest.mark.parametrize("path", UNTOUCHED, ids=lambda path: path.stem)
def test_a_model_is_made_again_from_the_file_alone(path):
    fixture = lme4py.read_fixture(path)
    comparison = lme4py.compare(rebuilt(fixture), fixture)
    assert comparison, str(comparison)
    assert comparison.causes == ()
    assert len(comparison.findings) >= 17


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning", "ignore::lme4py.Lme4pyAdvice")
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("lme4/*.rds")), ids=lambda path: path.stem)
def test_so_are_the_other_fixtures(path):
    record = read_rds(path)
    if record["lf"] is None:
        return
    fixture = fixture_of(record)
    comparison = lme4py.compare(rebuilt(fixture), fixture)
    assert comparison, str(comparison)


def test_every_tampered_file_has_a_row():
    assert {path.stem.removeprefix("tampered_") for path in FOLDER.glob("tampered*")} == {*TAMPERED}
    assert len(TAMPERED) >= 12


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning", "ignore::lme4py.Lme4pyAdvice")
@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found_and_explained(name):
    component, cause = TAMPERED[name]
    fixture = lme4py.read_fixture(FOLDER / f"tampered_{name}.rds")
    comparison = lme4py.compare(rebuilt(fixture), fixture)
    assert not comparison
    assert component in {finding.component for finding in comparison.different}
    assert cause in comparison.causes[0], comparison.causes
    assert cause in " ".join(str(comparison).split())


def test_order_is_told_from_difference():
    fixture = lme4py.read_fixture(FOLDER / "tampered_rows_moved.rds")
    comparison = lme4py.compare(rebuilt(fixture), fixture)
    assert {finding.verdict for finding in comparison.different} == {"order"}
    assert not comparison.equal


def test_first_difference_has_place_and_both_values():
    fixture = lme4py.read_fixture(FOLDER / "tampered_x_value.rds")
    (finding,) = lme4py.compare(rebuilt(fixture), fixture).different
    (difference,) = finding.differences
    assert difference.place == "[4, 1] row '5', column 'x'"
    assert float(difference.theirs) == pytest.approx(float(difference.ours) + 1)
    assert finding.summary == "1 of 648 numbers differ"
    x = rebuilt(fixture).X[:, 1]
    assert finding.largest == pytest.approx(1 / np.abs(x).max(), rel=0.2)


@pytest.fixture(scope="module")
def sleep():
    record = read_rds(FIXTURES / "lme4" / "sleepstudy_slope.rds")
    return fixture_of(record, "sleepstudy"), lme4py.data.sleepstudy()


def test_a_table_that_counts_from_0_is_no_difference(sleep):
    fixture, data = sleep
    assert isinstance(data.index, pd.RangeIndex)
    formula = "Reaction ~ Days + (Days | Subject)"
    assert lme4py.compare(lme4py.lformula(formula, data), fixture)
    assert lme4py.compare(lme4py.lformula(formula, data.to_dict("list")), fixture)


@pytest.mark.parametrize(
    "formula, options, component, cause",
    [
        ("Reaction ~ Days + (Days || Subject)", {}, "cnms", "meaning of ||"),
        ("Reaction ~ Days + (Days | Subject)", {"reml": False}, "reml", "REML against ML"),
        ("Reaction ~ Days + (Days | Subject)", {"subset": "Days > 0"}, "X", "missing values"),
        ("Reaction ~ Days + (Days | Subject)", {"weights": "Days + 1"}, "weights", "weights"),
        ("Reaction ~ I(Days / 2) + (Days | Subject)", {}, "fixed.names", "formulas differ"),
        ("log(Reaction) ~ Days + (Days | Subject)", {}, "y", "response"),
    ],
)
def test_another_call(sleep, formula, options, component, cause):
    fixture, data = sleep
    comparison = lme4py.compare(lme4py.lformula(formula, data, **options), fixture)
    assert component in {finding.component for finding in comparison.different}
    assert any(cause in text for text in comparison.causes), comparison.causes


def test_report_for_people_and_for_programs(sleep):
    fixture, data = sleep
    design = lme4py.lformula("Reaction ~ Days + (Days || Subject)", data)
    comparison = lme4py.compare(design, fixture)
    assert "DIFFERENT" in str(comparison)
    # As R has them: dim(X), dim(Zt), nnzero(Zt); the intercept and Days of two terms.
    said = " ".join(str(comparison).split())
    assert "to 1e-12 of the largest" in said
    assert "X 180 x 2 0 equal" in said
    assert "Zt 36 x 180, 342 values" in said
    assert "fixed.names 2 exact equal" in said
    assert max(map(len, comparison.text(60).splitlines())) <= 60
    html = comparison._repr_html_()
    assert "<table>" in html
    assert "<script" not in html
    record = json.loads(json.dumps(comparison.record()))
    assert record["equal"] is False
    assert record["tolerance"] == 1e-12
    assert record["components"][0]["size"] == "180 x 2"
    assert {row["verdict"] for row in record["components"]} == {"equal", "order", "different"}


def test_numbers_beside_zeros_of_r_are_written_as_json(sleep):
    fixture, data = sleep
    given = fixture.X.values.copy(order="F")
    given[:, 1] = 0.0
    zeros = replace(fixture, X=replace(fixture.X, values=given))
    comparison = lme4py.compare(lme4py.lformula(fixture.formula, data), zeros)
    (found,) = [item for item in comparison.findings if item.component == "X"]
    assert found.largest == np.inf
    (row,) = [row for row in comparison.record()["components"] if row["component"] == "X"]
    assert row["largest"] is None
    json.dumps(comparison.record(), allow_nan=False)


def test_a_fitted_model():
    fixture = lme4py.read_fixture(FOLDER / "fitted_slope.rds")
    assert fixture.fitted
    assert "getME" in " ".join(fixture.notes)
    assert str(fixture.formula) == "y ~ x + f + (x | plot)"
    other = lme4py.lformula("y ~ x + f + (1 | plot)", fixture.table())
    names = {finding.component for finding in lme4py.compare(other, fixture).different}
    assert {"Zt", "theta (number)", "cnms", "Gp"} <= names


def test_arguments_are_read_from_the_file():
    arguments = lme4py.read_fixture(FOLDER / "subset_holes.rds").arguments
    assert arguments["na_action"] == "exclude"
    assert arguments["subset"].dtype == np.bool_
    weighted = lme4py.read_fixture(FOLDER / "weights_offset.rds").arguments
    assert weighted["weights"].tolist() == [1.0, 2.0, 3.0] * 24
    assert weighted["offset"].shape == (72,)
    coded = lme4py.read_fixture(FOLDER / "sum_contrasts.rds").arguments["contrasts"]
    assert coded == {"f": "contr.sum", "o": "contr.helmert"}
    assert lme4py.read_fixture(FOLDER / "named_rows.rds").arguments["reml"] is False
    family = lme4py.read_fixture(FOLDER / "binomial_cbind.rds").arguments["family"]
    assert family == "binomial(link = 'logit')"


def test_lme4_2_keeps_the_index_in_lambdat():
    fixture = lme4py.read_fixture(FOLDER / "two_shape.rds")
    assert fixture.two
    comparison = lme4py.compare(rebuilt(fixture), fixture)
    assert {"par", "upper", "ord"} <= {finding.component for finding in comparison.findings}


NEEDED = ("Zt", "Lambdat", "Lind", "theta", "cnms", "flist", "Gp")


@pytest.mark.parametrize(
    "record, words",
    [
        (RList((), ()), "holds no model"),
        (RList((RVector(np.arange(3), "integer"),), ("lf",)), "holds no model"),
        (RList((RList((RList((), ()),), ("reTrms",)),), ("lf",)), "has no Zt, Lambdat"),
        (
            RList(
                (
                    RList(
                        (
                            RList(
                                (None,) * 7,
                                NEEDED,
                            ),
                        ),
                        ("reTrms",),
                    ),
                ),
                ("lf",),
            ),
            "Zt in the record is not what lme4 writes",
        ),
    ],
)
def test_lists_that_are_no_models(record, words):
    with pytest.raises(DataError, match=words):
        fixture_of(record)


@pytest.mark.parametrize("name", ["values", "replaced"])
def test_other_files_of_r(name, tmp_path):
    path = FIXTURES / "values.rds"
    if name == "replaced":
        path = tmp_path / "x.rds"
        path.write_text("y,x\n1,2\n")
    with pytest.raises(DataError):
        lme4py.read_fixture(path)


def test_edited_components_raise_nothing_foreign():
    """Components of the wrong shape in a record are differences or a DataError."""
    record = read_rds(FOLDER / "slope_and_factor.rds")
    design = rebuilt(fixture_of(record))
    lf = record["lf"]
    terms = lf["reTrms"]
    short = RVector(np.array([1], dtype=np.int32), "integer")
    for name in terms.names:
        for value in (short, None, RList((), ()), RVector(np.zeros((2, 2)), "double")):
            changed = RList(
                tuple(
                    value if tag == name else item
                    for tag, item in zip(terms.names, terms, strict=True)
                ),
                terms.names,
            )
            items = tuple(
                changed if tag == "reTrms" else item for tag, item in zip(lf.names, lf, strict=True)
            )
            whole = RList((record["data"], RList(items, lf.names)), ("data", "lf"))
            try:
                found = lme4py.compare(design, fixture_of(whole))
            except DataError:
                continue
            assert not found or value is None, name


def test_permutation_pairs_repeats_in_order():
    assert permutation("abca", "caab").tolist() == [2, 0, 3, 1]
    assert permutation("ab", "aa") is None


def test_sparse_matrices_of_another_kind(sleep):
    theirs = sleep[0].terms["Zt"]
    assert measure("Zt", theirs, theirs).verdict == "equal"
    fewer = replace(theirs, matrix=theirs.matrix[1:])
    assert measure("Zt", fewer, theirs).summary == "shape (35, 180), R has (36, 180)"
    assert measure("Zt", np.zeros(3), theirs).summary == "numbers, R has a sparse matrix"


def test_sparse_matrices_with_other_numbers_in_other_places():
    ours, theirs = (
        RSparse(csc_array((numbers, (rows, [0, 1])), shape=(3, 2)), None, None)
        for numbers, rows in (([1.0, 2.0], [0, 1]), ([1.0, 3.0], [0, 2]))
    )
    found = measure("Zt", ours, theirs)
    assert (found.verdict, found.summary) == ("different", "2 of 3 stored numbers differ")
    assert [str(one) for one in found.differences] == [
        "[1, 1]: 2.0, R has nothing",
        "[2, 1]: nothing, R has 3.0",
    ]
    assert found.largest == 1.0


def test_types_that_the_list_for_r_does_not_show(sleep):
    random = lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleep[1]).random
    for matrix in (random.Zt, random.Lambdat):
        assert isinstance(matrix, csc_array)
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert random.Lind.dtype == random.Gp.dtype == random.nl.dtype == np.int32


class TestCommand:
    @pytest.fixture(autouse=True)
    def _wide(self, monkeypatch):
        # Where the files lie must not decide where lines break.
        monkeypatch.setenv("COLUMNS", "400")

    def test_equal(self, capsys):
        assert main(["compare", str(FOLDER / "slope_and_factor.rds")]) == 0
        assert "components equal R's" in capsys.readouterr().out

    def test_different(self, capsys):
        assert main(["compare", str(FOLDER / "tampered_theta.rds")]) == 1
        out = capsys.readouterr().out
        assert "theta" in out
        assert "likely causes" in out

    def test_several(self, capsys):
        paths = [str(FOLDER / f"{name}.rds") for name in ("coded_data", "tampered_unit")]
        assert main(["compare", "--quiet", *paths]) == 1
        assert "1 of 2 files equal" in capsys.readouterr().out

    def test_json(self, capsys):
        assert main(["compare", "--json", str(FOLDER / "two_shape.rds")]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["equal"] is True
        assert record["files"][0]["causes"] == []

    def test_other_formula_and_options(self, capsys):
        path = str(FOLDER / "slope_and_factor.rds")
        assert main(["compare", path, "--formula", "y ~ x + (x || plot)"]) == 1
        assert "meaning of ||" in capsys.readouterr().out
        assert main(["compare", path, "--contrasts", "f=contr.sum"]) == 1
        assert "contrasts: 'f'" in capsys.readouterr().out
        assert main(["compare", str(FOLDER / "tampered_c_locale.rds"), "--collation", "C"]) == 0

    def test_own_data(self, capsys, tmp_path):
        fixture = lme4py.read_fixture(FOLDER / "text_levels.rds")
        fixture.table().to_csv(tmp_path / "d.csv", index=False)
        words = ["compare", str(FOLDER / "text_levels.rds"), "--data", str(tmp_path / "d.csv")]
        assert main(words) == 1
        # A CSV has no factors: plot was one in R, its levels in numeric order.
        assert "factor against character: 'plot'" in capsys.readouterr().out

    def test_no_formula(self, capsys, tmp_path):
        assert main(["compare", str(tmp_path / "absent.rds")]) == 2
        assert "cannot read" in capsys.readouterr().err

    def test_a_model_that_cannot_be_made(self, capsys):
        words = ["compare", str(FOLDER / "slope_and_factor.rds"), "--formula", "y ~ q + (1 | plot)"]
        assert main(words) == 2
        assert "cannot be made here" in capsys.readouterr().err
