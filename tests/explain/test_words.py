"""A model told in words: the right columns, rows, levels, parameters and means."""

import re

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.explain.markup.page import Definitions, Heading, Page, Paragraph, Table, code
from lme4py.explain.words.explanation import overview
from lme4py.explain.words.parts import Reading

FORMULAS = [
    "y ~ x*M + (1 + x | g)",
    "y ~ x + (x || g)",
    "y ~ f*x + (0 + f | g) + (1 | s/g)",
    "y ~ 0 + f + (1 | g) + (1 | h)",
    "y ~ 1 + (x | g)",
    "y ~ poly(x, 2) + log(M + 10) + (poly(x, 2) | s)",
    "y ~ x*M*W + (x*M | s) + (1 | h)",
    "y ~ f:x + W + (f | h)",
    "y ~ 0 + (1 | g)",
    "y ~ x + offset(M) + (1 | g) + cs(0 + f | h)",
]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n, groups = 180, 18
    g = np.repeat(np.arange(groups), n // groups)
    s = g // 3
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "M": rng.normal(size=groups)[g],
            "W": rng.normal(size=6)[s],
            "f": rng.choice(list("abc"), n),
            "g": [f"g{k:02d}" for k in g],
            "s": [f"s{k}" for k in s],
            "h": rng.choice(list("uvwxyz"), n),
            "won": rng.integers(0, 2, n),
        }
    )


@pytest.fixture(scope="module")
def sleep():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    return design.explain()


def flat(text):
    return " ".join(text.split())


def test_sleepstudy(sleep):
    said = flat(sleep.text)
    for sentence in [
        "180 observations of Reaction: y = X β + Z b + ε.",
        "Level 2 is Subject: 18 groups of 10 observations.",
        "R adds the 1 that is not written: it means (1 + Days | Subject).",
        (
            "It makes the rows 0 to 35 of Zt, group by group: row 0 is 308 (Intercept), row 1 is "
            "308 Days, row 2 is 309 (Intercept), ..., row 35 is 372 Days."
        ),
        "theta is the lower triangle of T by columns: (Intercept), Days.(Intercept) and Days.",
        "β_1j = γ_10 + U_1j The slope of Days in one Subject: in X γ_10 of Days; in Z U_1j of",
        "In X the column stands once, for all 180 rows; its coefficient γ_10 is the mean.",
        "β_0j = γ_00 + U_0j The intercept in one Subject: in X γ_00 of (Intercept); in Z U_0j",
    ]:
        assert sentence in said


def test_the_models_of_the_question(data):
    said = flat(lme4py.lformula("y ~ x*M + (1 + x | g)", data).explain().text)
    assert "M is constant within each g." in said
    assert "a cross-level interaction" in said
    assert "what is left of the slope's differences is in Z b" in said
    # These are the equations of level 2.
    assert (
        "β_1j = γ_10 + γ_11·M_j + U_1j The slope of x in one g: in X γ_10 of x and γ_11 of x:M;"
        in said
    )
    assert "β_0j = γ_00 + γ_01·M_j + U_0j The intercept in one g" in said


def test_cross_level_product_without_random_slope(data):
    said = flat(lme4py.lformula("y ~ x*M + (1 | g)", data).explain().text)
    assert "the slope is not random there, so its differences are those that X says" in said
    assert "slope of x in one" not in said


@pytest.mark.parametrize(
    "formula, told, never",
    [
        (
            "y ~ M*D + (1 | g) + (1 | h)",
            "It has one value per combination of g and h: it moves",
            "D and M are constant",
        ),
        (
            "y ~ W*M + (1 | s/g)",
            "It has one value per g:s: it moves",
            "combination",
        ),
        (
            "y ~ x*W + (x | g) + (1 | s)",
            "It gives each s its own slope of x, by what W is there: a cross-level interaction",
            "not random",
        ),
        (
            "y ~ x*M*D + (x | g) + (x | h)",
            "β_1jk = γ_10 + γ_11·M_j + γ_12·D_k + γ_13·M_j·D_k + U_1j + U_1k",
            "not random",
        ),
        (
            "y ~ x*M*D + (x | g) + (1 | h)",
            "by what D is there: a cross-level interaction; the slope is not random there",
            "U_1k",
        ),
    ],
)
def test_products_of_variables_of_different_groups(data, formula, told, never):
    data = data.assign(D=data["h"].map(dict(zip("uvwxyz", range(6), strict=True))) ** 2.0)
    said = flat(lme4py.lformula(formula, data).explain().text)
    assert told in said
    assert never not in said


def test_a_slope_is_random_through_whatever_is_made_of_its_variable(data):
    said = flat(lme4py.lformula("y ~ x*M + (poly(x, 2) | g)", data).explain().text)
    assert "what is left of the slope's differences is in Z b" in said
    assert "not random" not in said


def test_slope_without_fixed_effect(data):
    said = flat(lme4py.lformula("y ~ 1 + (x | g)", data).explain().text)
    assert "the mean slope of x is held at 0" in said
    assert "mean intercept" not in said


def test_another_coding_has_its_mean_in_several_coefficients(data):
    said = flat(lme4py.lformula("y ~ f + (0 + f | g)", data).explain().text)
    assert "β_3j = U_3j The effect of fa in one g: in Z U_3j of fa." in said
    assert "X has no such column, but others that add up to it" in said
    assert "β_1j = γ_10 + U_1j The effect of fb in one g: in X γ_10 of fb; in Z U_1j of fb." in said


def test_nested_groups_share_one_mean(data):
    said = flat(lme4py.lformula("y ~ x + (1 | s/g)", data).explain().text)
    assert "each inside one s" in said
    assert "Level 3 is s: 6 groups of 30 observations." in said
    assert "π_0jk = γ_000 + U_00k + U_0jk The intercept in one s and g:s" in said
    assert "Written (1 | s/g) in the formula." in said


def test_crossed_groups(data):
    said = flat(lme4py.lformula("y ~ x + (1 | g) + (1 | h)", data).explain().text)
    assert "g and h are crossed: neither lies in the other." in said


def test_double_bar(data):
    said = flat(lme4py.lformula("y ~ x + (x || g)", data).explain().text)
    assert "effects of different terms are uncorrelated. That is what || asks for" in said
    assert said.count("Written (x || g) in the formula.") == 2


def test_main_effects_say_where_they_hold(data):
    said = flat(lme4py.lformula("y ~ f*x*M + (1 | g)", data).explain().text)
    assert "per unit of x, where f is a and M is 0." in said
    coded = lme4py.lformula("y ~ f*x + (1 | g)", data, contrasts={"f": "contr.sum"})
    assert "per unit of x, where the columns of f are 0." in flat(coded.explain().text)


def test_factors_of_the_group_move_means(data):
    data = data.assign(kind=np.where(data["M"] > 0, "high", "low"))
    said = flat(lme4py.lformula("y ~ x*kind + (x | g)", data).explain().text)
    assert "β_1j = γ_10 + γ_11·kind[low]_j + U_1j The slope of x in one g" in said
    assert "x:kindlow belongs to the mean" in said


def test_generalized(data):
    said = flat(lme4py.glformula("won ~ x + (1 | g)", data, family="binomial").explain().text)
    assert "g(E[y]) = X β + Z b" in said
    assert "link g = logit" in said
    # A binomial model has no σ.
    assert "σ" not in said


def test_one_level_per_observation_is_level_1_for_variables(data):
    data = data.assign(row=[f"r{k:03d}" for k in range(len(data))])
    design = lme4py.glformula("won ~ x + (1 | row)", data, family="poisson")
    assert "constant within" not in design.explain().text


def _places(text):
    parts = [list(map(int, part.split(" to "))) for part in text.split(", ") if part[:1].isdigit()]
    return [place for part in parts for place in range(part[0], part[-1] + 1)]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_table_shares_out_all_columns_rows_and_parameters(data, formula):
    design = lme4py.lformula(formula, data)
    table = overview(Reading(design))
    columns, rows, theta = (
        [place for row in table.rows for place in _places(row[k])] for k in (3, 4, 5)
    )
    for places, total in [
        (columns, design.X.shape[1]),
        (rows, design.Zt.shape[0]),
        (theta, len(design.random.theta)),
    ]:
        assert sorted(places) == [*range(total)]


@pytest.mark.parametrize("formula", FORMULAS)
def test_equations_of_the_words_are_true(data, formula):
    """What stands in Z beside the effects that are named is Z b; what is named first is X's."""
    design = lme4py.lformula(formula, data)
    reading = Reading(design)
    labels = [label.strip() for label in design.explain().text.splitlines() if " = " in label]
    symbols = [reading.symbol(found.effect) for found in reading.system.random]
    for symbol in {symbol.strip("\2\3") for symbol in symbols}:
        assert sum(symbol in re.split(r"[ ·]", label) for label in labels) == 1
    assert [found.name for found in reading.system.fixed] == design.fixed.names


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("width", [60, 88, 120])
def test_keeps_its_width(data, formula, width):
    text = lme4py.lformula(formula, data).explain(width=width).text
    assert max(map(len, text.splitlines())) <= width


def test_three_renderings_say_the_same(sleep):
    plain = re.sub(r"[\W_]+", "", re.sub(r"<[^>]*>", "", sleep.html))
    for other in (sleep.text, sleep.markdown.replace("---", "")):
        assert re.sub(r"[\W_]+", "", other) == plain


def test_shown_by_itself(sleep):
    assert str(sleep) == sleep.text
    assert repr(sleep).startswith("<Explanation of Reaction ~ Days + (Days | Subject): print()")
    assert sleep._repr_html_() == sleep.html


def test_names_are_escaped():
    rng = np.random.default_rng(1)
    data = {
        "y": rng.normal(size=40),
        "a <b>|`*": rng.normal(size=40),
        "g&h": np.repeat([f"<{k}>" for k in range(8)], 5),
    }
    told = lme4py.lformula(r"y ~ `a <b>|\`*` + (1 | `g&h`)", data).explain()
    assert "<b>" not in told.html
    assert "&lt;b&gt;" in told.html
    assert "<0>" not in told.html
    assert "&lt;0&gt;" in told.html
    rows = [line for line in told.markdown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {7}


def test_long_models_stay_readable():
    rng = np.random.default_rng(2)
    data = {f"x{k}": rng.normal(size=400) for k in range(200)}
    data["y"] = rng.normal(size=400)
    data["g"] = np.repeat([f"g{k}" for k in range(20)], 20)
    fixed = " + ".join(f"x{k}" for k in range(200))
    text = lme4py.lformula(f"y ~ {fixed} + (1 | g)", data).explain().text
    assert "172 more" in text
    assert len(text.splitlines()) < 200


def test_document():
    page = Page(
        [
            Heading(f"Of {code('a*b')}"),
            Paragraph(f"One {code('`')}."),
            Definitions([(code("x"), ["first", "second"])]),
            Table(["p", "q"], [["1", code("|")], ["", "2"]]),
        ]
    )
    assert page.text() == (
        "Of a*b\n------\n\nOne `.\n\n  x\n    first\n    second\n\n  p  q\n  1  |\n     2"
    )
    assert page.markdown() == (
        "## Of `a*b`\n\nOne `` ` ``.\n\n- `x`\n  - first\n  - second\n\n"
        "| p | q |\n| --- | --- |\n| 1 | `\\|` |\n|  | 2 |"
    )
    assert "<li><code>x</code><p>first</p><p>second</p></li>" in page.html()
