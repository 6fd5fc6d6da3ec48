"""What a design looks like on a page."""

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.explain.markup.page import aligned_numbers
from lme4py.summary import brief, html, rows_and_columns_gone, summary


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(5)
    n = 240
    data = pd.DataFrame({f"a_rather_long_name_{k}": rng.normal(size=n) for k in range(60)})
    data["y"] = rng.normal(size=n)
    data["f"] = rng.choice([f"level<{k}>" for k in range(5)], size=n)
    data["g"] = rng.choice([f"g{k}" for k in range(9)], size=n)
    fixed = " + ".join(f"a_rather_long_name_{k}" for k in range(60))
    return lme4py.lformula(f"y ~ {fixed} + f + (f | g) + (1 | f:g)", data)


# R 4.2.2: format(c(...), digits = 7), one column of print(matrix)
@pytest.mark.parametrize(
    "values, expected",
    [
        ([1, 2, 3], ["1", "2", "3"]),
        ([249.56, 258.7047], ["249.5600", "258.7047"]),
        ([0.1, 1 / 3], ["0.1000000", "0.3333333"]),
        ([1e5, 1], ["1e+05", "1e+00"]),
        ([123456, 1], ["123456", "1"]),
        ([1e-10, 1], ["1e-10", "1e+00"]),
        ([1.5, np.nan, -np.inf], ["1.5", "NaN", "-Inf"]),
        ([0.0, -0.25], ["0.00", "-0.25"]),
        ([], []),
    ],
)
def test_numbers_as_r_prints_them(values, expected):
    assert aligned_numbers(values) == expected


def test_page_keeps_its_width(wide):
    # Only the lists of names may be wider than the page: a name is never broken.
    for width in (60, 88, 120):
        lines = summary(wide, width=width).splitlines()
        assert max(map(len, lines)) <= width


def test_long_things_are_counted(wide):
    page = summary(wide)
    assert "... 26 more" in page
    assert "more columns" in page
    assert "... (15)" in page
    assert all(len(line) <= 101 for line in brief(wide).splitlines())


def test_html_escapes_text(wide):
    page = html(wide)
    assert "level<" not in page
    assert "level&lt;" in page


def test_html_tells_what_it_leaves_out(wide):
    # y, (Intercept), 60 numbers and 4 of f, beside the row's name; 40 are shown.
    assert "... and 27 more columns" in html(wide)
    assert "text-align:right" in html(wide)


def test_rows_levels_and_columns_that_go_are_told(tmp_path, caplog):
    """R: nrow(lf$fr), nlevels(lf$reTrms$flist$Subject) and attr(lf$X, "col.dropped") say so."""
    data = lme4py.data.sleepstudy()
    absent = data["Subject"].isin(["308", "309"]) | (data["Days"] == 9)
    data["Reaction"] = data["Reaction"].mask(absent)
    with caplog.at_level("INFO", "lme4py"), pytest.warns(lme4py.Lme4pyMessage):
        design = lme4py.lformula("Reaction ~ Days + I(2 * Days) + (Days | Subject)", data)
    rows = "144 of 180 rows: 36 with missing values, and with them 2 levels of Subject"
    columns = "1 column dropped from X: I(2 * Days)"
    assert absent.sum() == 36
    assert rows_and_columns_gone(design) == [rows, columns]
    assert caplog.messages[-2:] == [rows, columns]
    path = tmp_path / "design.npz"
    design.save(path)
    for text in (repr(design), summary(design), html(design), repr(lme4py.load(path))):
        assert rows in text
        assert columns in text
    whole = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    assert rows_and_columns_gone(whole) == []


def test_a_long_term_hides_nothing(wide):
    """The table of terms is wrapped: group, levels and theta are always there."""
    lines = summary(wide, width=60).splitlines()
    (head,) = [line for line in lines if line.lstrip().startswith("term ")]
    assert head.split() == ["term", "group", "levels", "rows", "of", "Zt", "theta", "columns"]
    assert max(map(len, lines)) <= 60
