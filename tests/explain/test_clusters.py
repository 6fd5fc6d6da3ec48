"""Clusters: the parts of X and Z that belong to one level, and the blocks of Z."""

import re

import numpy as np
import pytest

import lme4py
from tests.explain.random_designs import check_markup, valid_design
from tests.explain.readers import read

IGNORED = {
    "check_nobs_vs_nlev": "ignore",
    "check_nobs_vs_nRE": "ignore",
    "check_nobs_vs_rankZ": "ignore",
    "check_nlev_gtr_1": "ignore",
}


def _data():
    dice = np.random.default_rng(2)
    n = 48
    return {
        "y": dice.normal(size=n),
        "x": dice.normal(size=n),
        "person": np.tile(np.arange(8), 6),
        "item": np.repeat(list("abcdef"), 8),
        "school": np.tile(["p", "p", "q", "q", "p", "p", "q", "q"], 6),
        "three": np.tile(["1", "2", "3"], 16),
    }


def _design(formula, **arguments):
    return lme4py.lformula(formula, _data(), control=IGNORED, **arguments)


def _check(design, found):
    """The parts of a cluster are all that its rows have in Z."""
    group = design.random.flist[found.group]
    assert np.array_equal(found.rows, np.flatnonzero(group == found.level))
    assert np.array_equal(found.X, design.X[found.rows], equal_nan=True)
    Z = np.zeros((found.rows.size, design.Z.shape[1]))
    for part in found.parts:
        Z[:, part.columns] = part.Z
        assert part.Z.shape == (found.rows.size, len(part.names))
        assert [design.random.row_names[column] for column in part.columns] == [
            level for level, _ in part.names
        ]
    assert np.array_equal(Z, design.Z[found.rows].toarray(), equal_nan=True)
    columns = sum(len(names) for name, names in design.random.cnms if name == found.group)
    assert found.Z.shape[1] == columns == len(found.names)


def test_sleepstudy():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    found = design.cluster("308")
    assert (found.group, found.level) == ("Subject", "308")
    assert found.rows.tolist() == list(range(10))
    assert found.names == ("(Intercept)", "Days")
    assert found.columns.tolist() == [0, 1]
    assert np.array_equal(found.Z, found.X)
    assert found.y[0] == 249.56
    assert found.others == ()
    for same in (design.cluster(308), design.cluster(Subject="308"), design.cluster(308.0)):
        assert same.rows.tolist() == found.rows.tolist()
    _check(design, found)


def test_all_clusters_cover_the_rows():
    design = _design("y ~ x + (1 + x | person) + (1 | item) + (0 + x || school)")
    for group in ("person", "item", "school"):
        clusters = design.clusters(group)
        assert clusters.group == group
        assert len(clusters) == len(design.random.flist[group].categories)
        assert sorted(np.concatenate([found.rows for found in clusters])) == list(range(48))
        for found in clusters:
            _check(design, found)
    assert [found.level for found in design.clusters("school")[:2]] == ["p", "q"]
    assert design.clusters("school")[-1].level == "q"
    with pytest.raises(IndexError):
        design.clusters("school")[2]


def test_which_columns_belong_to_which_factor():
    design = _design("y ~ x + (1 + x | person) + (1 | item)")
    found = design.cluster(person=3)
    assert found.own.levels == ("3",)
    assert found.own.names == (("3", "(Intercept)"), ("3", "x"))
    (item,) = found.others
    assert item.group == "item"
    assert item.levels == tuple("abcdef")
    assert np.array_equal(item.Z, np.eye(6))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("number", range(40))
def test_random_designs(number):
    _, design = valid_design(19, number)
    for group in design.random.flist:
        clusters = design.clusters(group)
        found = clusters[number % len(clusters)]
        _check(design, found)
        check_markup(found.html())
        assert found.text()
        assert found.markdown()
    _check_blocks(design)


def _check_blocks(design):
    blocks = design.blocks()
    n, q = design.Z.shape
    assert sorted(blocks.rows) == list(range(n))
    assert sorted(blocks.columns) == list(range(q))
    assert blocks.row_sizes.sum() == n
    assert blocks.column_sizes.sum() == q
    Z = design.Z.toarray()[blocks.rows][:, blocks.columns]
    row = np.repeat(np.arange(blocks.row_sizes.size), blocks.row_sizes)
    column = np.repeat(np.arange(blocks.column_sizes.size), blocks.column_sizes)
    assert not Z[row[:, None] != column].any()
    if blocks.group is not None:
        clusters = design.clusters(blocks.group)
        assert [found.rows.size for found in clusters] == blocks.row_sizes.tolist()
        starts = np.cumsum(blocks.row_sizes) - blocks.row_sizes
        for found, start in zip(clusters, starts, strict=True):
            part = blocks.rows[start : start + found.rows.size]
            assert part.tolist() == found.rows.tolist()
    return blocks


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "bars, group, count",
    [
        ("(1 + x | person)", "person", 8),
        ("(1 + x || person)", "person", 8),
        ("(1 | school/person)", "school", 2),
        ("(x | school) + (1 | person)", "school", 2),
        ("(1 | person) + (1 | item)", None, 1),
        ("(1 | person) + (1 | item) + (1 | school)", None, 1),
    ],
)
def test_blocks(bars, group, count):
    blocks = _check_blocks(_design(f"y ~ x + {bars}"))
    assert blocks.group == group
    assert blocks.row_sizes.size == count
    assert bool(blocks) is blocks.is_block_diagonal is (count > 1)
    assert ("one block" in str(blocks)) is (count == 1)


def test_crossed_factors_may_fall_apart():
    """Two pairs of crossed factors that never meet: blocks, but no factor's."""
    data = {
        "y": np.arange(16.0),
        "a": np.repeat([0, 1, 0, 1, 2, 3, 2, 3], 2),
        "b": np.repeat([0, 0, 1, 1, 2, 2, 3, 3], 2),
    }
    design = lme4py.lformula("y ~ 1 + (1|a) + (1|b)", data, control=IGNORED)
    blocks = _check_blocks(design)
    assert blocks.group is None
    assert blocks.row_sizes.tolist() == [8, 8]
    assert "by no single factor" in str(blocks)


def test_blocks_of_the_ordered_sleepstudy():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    assert design.blocks().already_ordered
    mixed = lme4py.lformula(
        "Reaction ~ Days + (Days | Subject)",
        lme4py.data.sleepstudy().sample(frac=1, random_state=1),
    )
    blocks = _check_blocks(mixed)
    assert not blocks.already_ordered
    assert blocks.group == "Subject"


@pytest.mark.parametrize(
    "level, factor, message",
    [
        (("33",), {}, "did you mean '3'?"),
        (("zz",), {}, "no grouping factor has a level 'zz'"),
        (("1",), {}, "say which: group='person' or group='three'"),
        (("a",), {"group": "person"}, "'person' has no level 'a'"),
        ((), {"persn": "1"}, "did you mean 'person'?"),
        ((), {"person": "q"}, "person: 0, 1, 2, 3, ... (8)"),
        ((), {}, "name one cluster"),
        (("1", "2"), {}, "name one cluster"),
        (("1",), {"person": "1"}, "name one cluster"),
    ],
)
def test_errors(level, factor, message):
    design = _design("y ~ x + (1 | person) + (1 | item) + (1 | three)")
    with pytest.raises(lme4py.DataError) as caught:
        design.cluster(*level, **factor)
    assert message in str(caught.value)


def test_symbols_are_those_of_the_equations():
    """R's names stand beside them; levels of other factors are named."""
    design = _design("y ~ x + (1 + x | person) + (1 | item) + (1 | school)")
    text = design.cluster(person=3).text()
    assert text.startswith("person j = 3, school l = q: 6 rows")
    assert "columns of X_jl: (Intercept) γ_000, x γ_100" in text
    assert "columns of Z_1jl: (Intercept) U_0jl, x U_1jl" in text
    assert "columns of Z_2jl for item = a: (Intercept) U_{0,a}" in text
    assert "columns of Z_3jl: (Intercept) U_00l" in text
    coefficients = design.equations().coefficients
    assert list(coefficients.values()) == ["γ_000", "γ_100"]
    for line in ("U_0jl", "U_{0,f}", "U_00l", "ε_6jl", "y_jl = X_jl β + Z_1jl b_1jl + Z_2jl b_2"):
        assert line in text
    written = design.cluster(person=3).display(notation="gelman-hill").text()
    assert "columns of Z_1j: (Intercept) η_j^α, x η_j^{β_1}" in written
    assert "ε_{i_6}" in written


def test_one_factor_must_be_chosen():
    design = _design("y ~ x + (1 | person) + (1 | item)")
    with pytest.raises(lme4py.DataError, match="say which grouping factor"):
        design.clusters()


def test_a_factor_called_group():
    data = {**_data(), "group": _data()["school"]}
    design = lme4py.lformula("y ~ x + (1 | group)", data, control=IGNORED)
    assert design.cluster(group="p").level == "p"


def test_long_clusters_are_elided():
    design = _design("y ~ x + (1 | school)")
    found = design.cluster("p")
    lines = found.display(rows=5).text().splitlines()
    assert len(lines) == 2 + 5 + 2
    assert "⋮" in lines[-4]
    assert found.latex().count(r"\vdots") > 2
    assert str(found) == found.text()
    assert found._repr_latex_().startswith("$$\n")


def test_wide_clusters_are_elided():
    data = {**_data(), "t": [f"t{k % 16}" for k in range(48)]}
    design = lme4py.lformula("y ~ t + (t | school)", data, control=IGNORED)
    text = design.cluster("p").text()
    assert "⋯" in text
    assert "⋱" in text


def test_generalized_model_and_offset():
    data = {**_data(), "count": np.arange(48) % 5}
    design = lme4py.glformula(
        "count ~ x + offset(x) + (1 | school)", data, family="poisson", control=IGNORED
    )
    found = design.cluster("p")
    assert "η_j = X_j β + Z_j b_j + o_j" in found.text()
    assert np.array_equal(found.offset, data["x"][found.rows])


def test_no_fixed_effects():
    found = _design("y ~ 0 + (1 | school)").cluster("q")
    assert "y_j = Z_j b_j + ε_j" in found.text()


def test_command(capsys):
    from lme4py.cli import main

    assert main(["cluster", "--rows", "4", "--level", "309"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Subject j = 309: 10 rows")
    assert "Z is block-diagonal as it stands: 18 blocks" in out
    for form, start in (("latex", r"\begin{aligned}"), ("html", "<div>"), ("md", "**Subject")):
        assert main(["cluster", "--format", form]) == 0
        assert capsys.readouterr().out.startswith(start)
    assert main(["cluster", "--json"]) == 0
    assert '"level": "308"' in capsys.readouterr().out
    assert main(["cluster", "--level", "37"]) == 2
    assert "did you mean '372'" in capsys.readouterr().err


def test_printed_numbers_are_those_of_the_matrices():
    """The arrays of the LaTeX, read by another reader, in the order of the equation."""
    design = _design("y ~ x + (1 + x | person) + (1 | item)")
    found = design.cluster(person=3)
    latex = found.display(rows=100, columns=100, digits=17).latex()
    printed = "".join(line for line in latex.splitlines() if "array" in line)
    arrays = [
        np.array(read(array, {}, "latex"), dtype=float)
        for array in re.findall(r"\\left\[\\begin{array}{r+} .*? \\end{array}\\right\]", printed)
    ]
    expected = [found.y[:, None], found.X, found.Z, found.others[0].Z]
    assert len(arrays) == len(expected)
    for array, matrix in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, matrix)


def test_what_rounds_to_nothing_has_no_sign():
    data = {"y": [1.0, 2, 3, 4], "x": [-0.0, 1, -1e-9, 5], "g": list("aabb")}
    design = lme4py.lformula("y ~ x + (1 | g)", data, control=IGNORED)
    assert "-0" not in design.cluster("a").text()


def test_reprs_are_short():
    design = _design("y ~ x + (1 + x | person) + (1 | item) + (1 | three)")
    clusters = design.clusters("three")
    equations = design.equations()
    held = [clusters, *clusters[0].parts, design.blocks(), equations.levels.sections[0]]
    held += [equations.system, equations.notation, equations.verify()]
    held += [equations.system.hierarchy, *equations.system.hierarchy.factors.values()]
    held += equations.combined.relations
    for item in held:
        assert len(repr(item)) < 150
        assert " at 0x" not in repr(item)
    for item in (clusters[0], equations, equations.matrix, design.explain()):
        assert len(repr(item).splitlines()) <= 10
