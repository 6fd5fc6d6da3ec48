"""Files of lme4 2.1 are judged without being told the version (fixtures/lme4-2.1)."""

from pathlib import Path

import pytest

import lme4py
from lme4py.cli import main
from lme4py.rfiles.rvalues import RUnread

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "lme4-2.1"
FILES = sorted(FIXTURES.glob("*.rds"))
LACKING = "v21_39_getME_weights_subset"
"""A record without its weights and subset."""
WITHOUT_FORMULA = {
    "r46_m27_glmer_getME_ALL": ["--formula", "b ~ x + (1 | g)", "--family", "binomial"],
    # lme4 names the blocks by parameters there, which are fewer.
    "r46_m40_ar1_getME_ALL": [
        *("--formula", "Reaction ~ Days + ar1(0 + factor(Days) | Subject)"),
        *("--control", "check.nobs.vs.nRE=ignore"),
    ],
}


# lme4 says what it drops; here it is compared.
pytestmark = pytest.mark.filterwarnings("ignore::lme4py.errors.Lme4pyMessage")


def _compared(path, **arguments):
    fixture = lme4py.read_fixture(path)
    make = lme4py.glformula if fixture.generalized else lme4py.lformula
    design = make(fixture.formula, fixture.table(), **{**fixture.arguments, **arguments})
    return lme4py.compare(design, fixture)


def test_there_are_enough():
    assert len(FILES) >= 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reading_never_fails(path):
    fixture = lme4py.read_fixture(path)
    assert (fixture.formula is None) == (path.stem in WITHOUT_FORMULA)
    assert len(repr(fixture).splitlines()) == 1


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyMessage")  # columns are dropped in one
@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.stem not in (LACKING, *WITHOUT_FORMULA)],
    ids=lambda path: path.stem,
)
def test_equal(path, capsys):
    report = _compared(path)
    assert report, str(report)
    assert main(["compare", "--quiet", str(path)]) == 0
    assert capsys.readouterr().out.endswith(" components equal R's, as lme4 2.1 makes them\n")


@pytest.mark.parametrize("name", WITHOUT_FORMULA)
def test_all_of_getME_with_its_formula(name, capsys):
    path = FIXTURES / f"{name}.rds"
    assert main(["compare", "--quiet", *WITHOUT_FORMULA[name], str(path)]) == 0
    assert capsys.readouterr().out.endswith(" components equal R's, as lme4 2.1 makes them\n")


def test_an_unreadable_file_hides_no_other(capsys):
    files = [FIXTURES / f"{name}.rds" for name in (*WITHOUT_FORMULA, "v21_01_us")]
    assert main(["compare", "--quiet", *map(str, files)]) == 2
    said = "".join(capsys.readouterr())
    assert "v21_01_us.rds: all " in said
    assert said.count("holds no formula") == 2


def test_the_other_lme4_is_named():
    report = _compared(FIXTURES / "v21_35_nested3.rds", lme4="1.1-31")
    assert not report
    assert report.causes[0].startswith("lme4 version: ")
    assert report.causes[0].endswith('give lme4="2.1"')


def test_files_of_older_releases_are_made_by_their_rules(capsys):
    # R 4.2 with lme4 1.1-31 wrote it; the file does not say so.
    path = FIXTURES.parent / "compare" / "poisson_offset.rds"
    assert main(["compare", "--quiet", str(path)]) == 0
    assert capsys.readouterr().out.endswith(", as lme4 1.1-31 makes them\n")
    assert main(["compare", "--quiet", "--lme4", "2.1", str(path)]) == 1


def test_the_whole_of_getME_has_blocks_by_column():
    report = _compared(FIXTURES / "v21_27_getME_ALL.rds")
    found = [item.component for item in report.findings if item.component.startswith("Ztlist[")]
    assert found == ["Ztlist['Subject.(Intercept)']", "Ztlist['Subject.Days']"]


def test_autoscale_is_seen_and_a_plain_X_is_not_taken_for_it():
    path = FIXTURES / "v21_31_autoscale.rds"
    assert lme4py.read_fixture(path).arguments["control"]["autoscale"] is True
    report = _compared(path, control={"autoscale": False, "check.scaleX": "ignore"})
    assert [finding.component for finding in report.different] == ["X"]
    assert "autoscale" in report.causes[0]


def test_a_saved_fit_is_its_components():
    path = FIXTURES / "v21_33_fit_S4.rds"
    fixture = lme4py.read_fixture(path)
    assert fixture.fitted
    assert fixture.data is fixture.frame
    assert any("write the data beside it" in note for note in fixture.notes)


def test_another_s4_object_is_no_model():
    from lme4py.rfiles.read_rds import read_rds

    fit = read_rds(FIXTURES / "v21_33_fit_S4.rds")
    inside = fit.slots["pp"].slots[".xData"]
    assert isinstance(inside, RUnread)
    assert inside.kind == "environment"
    # An environment holds itself here; its text must end all the same.
    assert len(repr(inside)) < 80
    values = FIXTURES.parent / "values.rds"
    with pytest.raises(lme4py.DataError, match="holds no model"):
        lme4py.read_fixture(values)


def test_what_a_record_lacks_is_told():
    report = _compared(FIXTURES / f"{LACKING}.rds")
    assert report.causes[0].startswith("other rows: 180 here, 144 in R")
    assert "weights, offset, subset, family" in report.notes[0]
