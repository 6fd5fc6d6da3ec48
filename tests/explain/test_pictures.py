"""The pictures: which pixels are filled, at any size, and what is written beside them."""

import io
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.explain.clusters import cluster
from lme4py.explain.pictures import figure as figures
from lme4py.explain.pictures import raster
from lme4py.explain.pictures.model_picture import plot, plot_cluster
from lme4py.explain.pictures.raster import BINS, TermAxis

pytest.importorskip("matplotlib")
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text


def _data(n, groups, seed=3):
    rng = np.random.default_rng(seed)
    g = rng.integers(0, groups, n)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": np.where(rng.random(n) < 0.2, 0.0, rng.normal(size=n)),
            "z": rng.normal(size=n),
            "f": rng.choice(list("abc"), n),
            "g": g,
            "s": g % 5,
            "h": rng.integers(0, 7, n),
            "won": rng.integers(0, 2, n),
        }
    )


SMALL = [
    "y ~ x + (x | g)",
    "y ~ x + (x || g)",
    "y ~ 1 + (1 | g) + (1 | h)",
    "y ~ f*x + (0 + f | h) + (x | s)",
    "y ~ x + (1 + x | s/g)",
    "y ~ 0 + (1 | h)",
    "y ~ x + diag(x | h) + cs(0 + f | s)",
]


@pytest.fixture(params=SMALL)
def small(request):
    return lme4py.lformula(request.param, _data(150, 20))


PANELS = ("X", "Zt", "Lambdat", "ZtZ", "Z", "J", "raw")


def _panels(figure):
    return {axes.get_label(): axes for axes in figure.axes if axes.get_label()}


def _mesh(axes):
    """Return the colours of a panel, and the edges of its rows and columns."""
    (mesh,) = [artist for artist in axes.collections if isinstance(artist, QuadMesh)]
    corners = mesh.get_coordinates()
    return np.asarray(mesh.get_array()), corners[:, 0, 1], corners[0, :, 0]


def filled(axes):
    return (_mesh(axes)[0] < 1).any(axis=2)


def _texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def _indicators(design):
    """Return J of lme4's paper, and the raw columns, by term."""
    for term in design.random.terms:
        J = np.equal.outer(term.group.codes, np.arange(term.levels)).astype(float)
        raw = np.column_stack([term.plan.column(k) for k in range(term.columns)])
        yield J, raw


def test_small_matrices_are_drawn_entry_by_entry(small):
    panels = _panels(small.plot(PANELS))
    Z = small.Z.toarray()
    stored = small.random.Lambdat.copy()
    stored.data[:] = 1
    met = (Z != 0).astype(float)
    J, raw = zip(*_indicators(small), strict=True)
    # Bates et al. (2015), equation 8: a row of Z is the product of rows of J and raw columns.
    built = [
        np.einsum("ij,ik->ijk", *pair).reshape(len(Z), -1) for pair in zip(J, raw, strict=True)
    ]
    np.testing.assert_array_equal(np.hstack(built), Z)
    expected = (small.X, Z.T, stored.toarray(), met.T @ met, Z, np.hstack(J), np.hstack(raw))
    for name, matrix in zip(PANELS, expected, strict=True):
        if not matrix.size:
            continue
        np.testing.assert_array_equal(filled(panels[name]), matrix != 0, err_msg=name)
        _, down, across = _mesh(panels[name])
        np.testing.assert_array_equal(down, np.arange(len(matrix) + 1))
        np.testing.assert_array_equal(across, np.arange(matrix.shape[1] + 1))


@pytest.mark.parametrize("formula", ["y ~ x + (x | g) + (1 | h)", "y ~ f + (0 + f | g) + (1 | s)"])
def test_large_matrices_fill_the_pixels_that_hold_entries(formula):
    design = lme4py.lformula(formula, _data(5000, 900))
    axis = TermAxis(design.random.Gp)
    q, n = design.Zt.shape
    assert q > BINS
    place = np.searchsorted(axis.first, np.arange(q), side="right") - 1
    # No bin has rows of two terms; bins and terms are drawn in order, over the whole height.
    term = np.repeat(np.arange(len(design.random.terms)), np.diff(design.random.Gp))
    np.testing.assert_array_equal(axis.terms[place], term)
    assert (np.diff(axis.edges) > 0).all()
    assert (axis.edges[0], axis.edges[-1]) == (0, q)
    assert np.isin(axis.bounds, axis.edges).all()
    across = np.searchsorted(TermAxis([0, n]).first, np.arange(n), side="right") - 1
    expected = np.zeros((axis.first.size, BINS), dtype=bool)
    entries = design.Zt.tocoo()
    expected[place[entries.row], across[entries.col]] = True
    panels = _panels(design.plot(("Zt", "Z")))
    np.testing.assert_array_equal(filled(panels["Zt"]), expected)
    np.testing.assert_array_equal(filled(panels["Z"]), expected.T)
    np.testing.assert_allclose(_mesh(panels["Zt"])[1], axis.edges)


def test_products_are_counted_in_full_where_rows_share_pixels():
    design = lme4py.lformula("y ~ x + (x | g) + (1 | h)", _data(5000, 900))
    axis = TermAxis(design.random.Gp, raster.SQUARE)
    place = np.searchsorted(axis.first, np.arange(design.Zt.shape[0]), side="right") - 1
    product = (design.Zt != 0).astype(float) @ (design.Z != 0).astype(float)
    entries = product.tocoo()
    expected = np.zeros((axis.first.size, axis.first.size), dtype=bool)
    expected[place[entries.row], place[entries.col]] = True
    np.testing.assert_array_equal(filled(_panels(design.plot())["ZtZ"]), expected)


def test_products_are_shaded_by_their_values():
    """Both groups have as many rows; the larger sum of squares is darker."""
    data = {"y": np.arange(40.0), "x": np.repeat([1.0, 3.0], 20), "g": ["a"] * 20 + ["b"] * 20}
    ignored = {"check_nlev_gtreq_5": "ignore", "check_nobs_vs_nlev": "ignore"}
    design = lme4py.lformula("y ~ 1 + (0 + x | g)", data, control=ignored)
    darkness = 3 - _mesh(_panels(design.plot(("X", "ZtZ")))["ZtZ"])[0].sum(axis=2)
    assert darkness[1, 1] > darkness[0, 0] > darkness[0, 1] == 0


def test_a_small_term_beside_a_large_one_can_be_seen():
    design = lme4py.lformula("y ~ x + (x | g) + (1 | h)", _data(40_000, 20_000))
    axis = TermAxis(design.random.Gp)
    assert np.diff(axis.bounds).min() >= 0.06 * axis.bounds[-1]


def test_size_costs_no_dense_matrix():
    design = lme4py.lformula("y ~ x + (x | g)", _data(200_000, 50_000))
    plot(design)
    tracemalloc.start()
    plot(design).savefig(io.BytesIO(), format="png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One bit for each entry of Zt would be 2.5 GB.
    assert peak < 150e6


def test_wide_products_are_sampled_and_said_so(monkeypatch):
    monkeypatch.setattr(raster, "_MOST_PRODUCTS", 100)
    figure = lme4py.lformula("y ~ x + (x | g)", _data(150, 20)).plot()
    said = " ".join(" ".join(_texts(figure)).split())
    assert "ZᵗZ was computed from one observation in" in said


def test_panels_and_their_words(small):
    figure = small.plot()
    panels = _panels(figure)
    assert list(panels) == ["X", "Zt", "Lambdat", "ZtZ"]
    n, p = small.X.shape
    q = small.Zt.shape[0]
    titles = [f"X   {n} × {p}", f"Zᵗ   {q} × {n}", f"Λᵗ   {q} × {q}", f"ZᵗZ   {q} × {q}"]
    assert [axes.get_xlabel() for axes in panels.values()] == titles
    texts = _texts(figure)
    for term in small.random.terms:
        assert any(text.startswith(f"({term.bar.label})   {term.levels} groups") for text in texts)
    assert [text.get_text() for text in panels["X"].texts] == small.fixed.names


def test_marks_over_x_are_on_the_columns_that_stand_in_z():
    design = lme4py.lformula("y ~ x + z + (x | g) + (1 | h)", _data(150, 20))
    axes = _panels(design.plot())["X"]
    marked = {}
    for artist in axes.collections:
        if not isinstance(artist, QuadMesh):
            colour = tuple(artist.get_facecolor()[0])
            spans = [path.vertices[:, 0] for path in artist.get_paths()]
            marked[colour] = [int((span.min() + span.max()) / 2) for span in spans]
    # x | g and 1 | h; the columns are (Intercept), x, z, and z keeps the colour of text.
    assert list(marked.values()) == [[0, 1], [0]]
    shown = [to_rgba(text.get_color()) for text in axes.texts]
    assert shown == [*[next(iter(marked))] * 2, to_rgba(figures.INK)]


def _written(axes):
    """Return the numbers of a panel by their places."""
    _, down, across = _mesh(axes)
    found = np.full((down.size - 1, across.size - 1), "", dtype=object)
    for text in axes.texts:
        x, y = text.xy
        row, column = np.searchsorted(down, y) - 1, np.searchsorted(across, x) - 1
        if text.get_rotation() == 0 and 0 <= row < len(found) and 0 <= column < len(found[0]):
            found[row, column] = text.get_text().replace("\N{MINUS SIGN}", "-")
    return found.astype(float)


SCHOOLS = pd.DataFrame(
    {
        "y": np.arange(36.0),
        "t": np.arange(36) * 7 % 5 - 1.5,
        "school": np.tile(list("cab"), 12),
        "pupil": np.tile(np.repeat([1, 2, 3, 4], 3), 3),
        "item": np.repeat([7, 8, 9], 12),
    }
)


@pytest.mark.parametrize(
    "formula", ["y ~ t + (t | school/pupil)", "y ~ t + (t | school) + (1 | item)"]
)
@pytest.mark.parametrize("by_group", [False, True])
def test_small_windows_are_drawn_in_numbers(formula, by_group):
    design = lme4py.lformula(formula, SCHOOLS)
    panels = _panels(design.plot(("X", "Z"), groups=2, by_group=by_group))
    X, Z = _written(panels["X"]), _written(panels["Z"])
    (transposed,) = _panels(design.plot(["Zt"], groups=2, by_group=by_group)).values()
    np.testing.assert_array_equal(_written(transposed), Z.T)
    # The first two levels, with all their rows and no others, and the effects they touch.
    rows = np.flatnonzero(SCHOOLS["school"] < "c")
    full = np.column_stack([design.X, design.Z.toarray()])[rows]
    columns = [0, 1, *(2 + np.flatnonzero(full[:, 2:].any(axis=0)))]
    drawn = np.column_stack([X, Z])
    assert drawn.shape == (24, len(columns))

    # With by_group the same rows and columns stand in another order.
    if not by_group:
        np.testing.assert_array_equal(drawn, full[:, columns])
    np.testing.assert_array_equal(np.sort(drawn.sum(axis=0)), np.sort(full[:, columns].sum(axis=0)))
    np.testing.assert_array_equal(np.sort(drawn.sum(axis=1)), np.sort(full.sum(axis=1)))


def _frames(axes):
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(f.get_x(), f.get_y(), f.get_width(), f.get_height()) for f in frames]


def test_nested_levels_are_blocks_within_blocks():
    data = pd.concat([SCHOOLS] * 3).sample(frac=1, random_state=2)
    design = lme4py.lformula("y ~ t + (t | school/pupil)", data)
    axes = _panels(design.plot(("X", "Z"), by_group=True))["Z"]
    entries = filled(axes)
    pupils, schools = entries[:, :24], entries[:, 24:]
    for k in range(3):
        rows, own, inner = (
            slice(36 * k, 36 * (k + 1)),
            slice(2 * k, 2 * k + 2),
            slice(8 * k, 8 * k + 8),
        )
        # A school's rows have its two columns, and those of its pupils, nothing else.
        assert schools[rows, own].any(axis=1).all()
        assert not np.delete(schools[rows], own, axis=1).any()
        assert not np.delete(pupils[rows], inner, axis=1).any()
        for j in range(4):
            block = pupils[rows, inner][9 * j : 9 * j + 9]
            assert block[:, 2 * j].all()
            assert not np.delete(block, [2 * j, 2 * j + 1], axis=1).any()
        assert (8 * k, 36 * k, 8, 36) in _frames(axes)
        assert (24 + 2 * k, 36 * k, 2, 36) in _frames(axes)


def test_crossed_factors_stand_side_by_side_without_frames_of_levels():
    design = lme4py.lformula("y ~ t + (1 | school) + (1 | item)", pd.concat([SCHOOLS] * 2))
    axes = _panels(design.plot(("X", "Z"), by_group=True))["Z"]
    assert _frames(axes) == [(0, 0, 3, 72), (3, 0, 3, 72)]
    assert [text.get_text() for text in axes.texts] == ["1 | school", "1 | item"]


def test_a_zero_among_decimals_is_faint_and_uncoloured():
    data = SCHOOLS.assign(t=SCHOOLS["t"] + 0.25 * (SCHOOLS["t"] != SCHOOLS["t"].iloc[0]))
    data["t"] -= data["t"].iloc[0]
    design = lme4py.lformula("y ~ t + (t | school)", data)
    for axes in (
        _panels(design.plot(["Z"], groups=1))["Z"],
        _panels(design.plot_cluster("a"))["Zⱼ"],
    ):
        colours, down, _ = _mesh(axes)
        zeros = [text for text in axes.texts if text.get_text() in ("0", "0.00")]
        assert {text.get_text() for text in zeros} == {"0"}
        assert {text.get_color() for text in zeros} == {figures.FAINT}
        rows = [np.searchsorted(down, text.xy[1]) - 1 for text in zeros]
        np.testing.assert_array_equal(colours[rows, 1], 1.0)


def test_random_effects_have_the_symbols_of_the_equations():
    design = lme4py.lformula("y ~ t + (t | school)", SCHOOLS)
    axes = _panels(design.plot(("X", "Z"), groups=2))["Z"]
    names = [text.get_text() for text in axes.texts if text.get_rotation() == 90]
    assert names == ["U₀[a]", "U₁[a]", "U₀[b]", "U₁[b]"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"panels": ["W"]}, "unknown panel 'W'"),
        ({"panels": []}, "there is no panel to draw"),
        ({"groups": 0}, "groups must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments, text):
    with pytest.raises(lme4py.DataError, match=text):
        lme4py.lformula("y ~ t + (t | school)", SCHOOLS).plot(**arguments)


@pytest.mark.parametrize("count", [30, 55, 300])
def test_many_columns_keep_their_names(count):
    rng = np.random.default_rng(1)
    data = {f"v{k}": rng.normal(size=400) for k in range(count)}
    data |= {"y": rng.normal(size=400), "g": rng.integers(0, 12, 400)}
    design = lme4py.lformula(f"y ~ {' + '.join(f'v{k}' for k in range(count))} + (1 | g)", data)
    axes = _panels(design.plot())["X"]
    names = [text.get_text() for text in axes.texts]
    if count < 60:
        assert names == design.fixed.names
    # Of more, every so many, each over its own column.
    assert len(names) > min(count, 40)
    assert all(design.fixed.names[int(text.xy[0])] == text.get_text() for text in axes.texts)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_names_with_dollars_and_brackets(suffix, tmp_path):
    data = _data(60, 6).rename(columns={"x": "cost $a_1$", "g": "<g>&"})
    design = lme4py.lformula("y ~ `cost $a_1$` + (`cost $a_1$` | `<g>&`)", data)
    path = tmp_path / f"picture.{suffix}"
    design.plot().savefig(path)
    assert path.stat().st_size > 1000


def test_many_terms_and_columns():
    rng = np.random.default_rng(1)
    data = {f"a_rather_long_name_{k}": rng.normal(size=400) for k in range(150)}
    data |= {"y": rng.normal(size=400), "g": rng.integers(0, 12, 400)}
    fixed = " + ".join(f"a_rather_long_name_{k}" for k in range(150))
    random = " + ".join(f"(0 + a_rather_long_name_{k} | g)" for k in range(30))
    figure = lme4py.lformula(f"y ~ {fixed} + {random}", data).plot()
    figure.savefig(io.BytesIO())
    assert "… and 18 more terms" in _texts(figure)


def test_missing_values_are_entries():
    data = _data(60, 6)
    data.loc[3, "x"] = np.nan
    design = lme4py.glformula(
        "won ~ x + (1 | g)",
        data,
        family="binomial",
        na_action="pass",
        control={"check.rankX": "ignore", "check.scaleX": "ignore"},
    )
    assert np.isnan(design.X[3, 1])
    figure = design.plot()
    assert filled(_panels(figure)["X"])[3, 1]
    figure.savefig(io.BytesIO())


def test_sparse_x_gives_the_same_picture():
    data = _data(150, 20)
    dense = lme4py.lformula("y ~ x + f + (x | g)", data)
    sparse = lme4py.lformula("y ~ x + f + (x | g)", data, sparse_X=True)
    drawn = (_mesh(_panels(design.plot())["X"])[0] for design in (sparse, dense))
    np.testing.assert_array_equal(*drawn)


def _block_texts(figure):
    return [text for text in _texts(figure) if text]


def test_cluster_numbers_and_names():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    texts = _block_texts(design.plot_cluster(308))
    assert "Subject j = 308: 10 rows" in texts
    for found in ["249.56", "466.35", "γ₁₀", "U₁ⱼ", "ε₁₀,ⱼ", "Xⱼ", "Zⱼ", "+", "="]:
        assert found in texts
    # Days 2 to 9 of X and of Z.
    assert texts.count("7") == 2
    same = _block_texts(design.plot_cluster(Subject="308"))
    assert same == texts


def test_cluster_of_crossed_factors_has_a_block_for_each():
    design = lme4py.lformula("y ~ x + (x | h) + (1 | s)", _data(150, 20))
    texts = _block_texts(plot_cluster(design, cluster(design, "3", group="h")))
    assert {"Z₁ⱼ", "Z₂ⱼ", "b₁ⱼ", "b₂", "U₀,₀"} <= set(texts)


def test_cluster_leaves_out_the_middle():
    data = _data(300, 2)
    for k in range(20):
        data[f"v{k}"] = np.random.default_rng(k).normal(size=300)
    fixed = " + ".join(f"v{k}" for k in range(20))
    design = lme4py.lformula(f"y ~ {fixed} + (1 | g)", data)
    figure = plot_cluster(design, cluster(design, "1"))
    texts = _block_texts(figure)
    assert "⋮" in texts
    assert "⋯" in texts
    assert max(figure.get_size_inches()) < 25


def test_generalized_cluster_has_eta_and_no_error():
    design = lme4py.glformula("won ~ x + (1 | h)", _data(150, 20), family="binomial")
    texts = _block_texts(plot_cluster(design, cluster(design, "3")))
    assert "η₁ⱼ" in texts
    assert "ε₁ⱼ" not in texts


def test_a_notebook_shows_it():
    figure = lme4py.lformula("y ~ x + (x | g)", _data(150, 20)).plot()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch):
    figures._figure_class.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    design = lme4py.lformula("y ~ x + (x | g)", _data(150, 20))
    try:
        with pytest.raises(
            lme4py.Lme4pyError, match=r"(?s)matplotlib.*pip install -e '\.\[plot\]'"
        ):
            design.plot()
    finally:
        figures._figure_class.cache_clear()


def test_pyplot_is_never_imported():
    code = (
        "import sys, lme4py\n"
        "design = lme4py.lformula('Reaction ~ Days + (Days | Subject)', lme4py.data.sleepstudy())\n"
        "assert 'matplotlib' not in sys.modules\n"
        "design.plot().savefig(sys.stdout.buffer, format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"\x89PNG")


# lme4 2.1 on R 4.6: fixef, getME(theta), sigma and ranef of Reaction ~ Days + (Days | Subject).
SLEEP = {
    "coefficients": [251.4051048485, 10.4672859596],
    "par": [0.966741773967, 0.015169058896, 0.230909953208],
    "sigma": 25.5917957217,
}
SLEEP_EFFECTS = {
    "308": (2.2585509499, 9.19897576557),
    "372": (12.3145921077, 1.28402207653),
}


def _line(line):
    return np.column_stack(line.get_data())


def test_group_lines_are_those_of_lme4():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    figure = design.plot_groups(**SLEEP, groups=18)
    panels = _panels(figure)
    assert list(panels) == ["all", *map(str, design.random.flist["Subject"].categories)]
    days = np.arange(10.0)
    fixed = 251.4051048485 + 10.4672859596 * days
    *own, mean = map(_line, panels["all"].lines)
    assert len(own) == 18
    np.testing.assert_allclose(mean, np.column_stack([days, fixed]))
    for level, (U0, U1) in SLEEP_EFFECTS.items():
        axes = panels[level]
        without, line = map(_line, axes.lines)
        np.testing.assert_allclose(without, mean)
        np.testing.assert_allclose(line[:, 1], fixed + U0 + U1 * days, rtol=1e-8)
        points = axes.collections[0].get_offsets()
        np.testing.assert_array_equal(points, _sleep(level))
        arrows = [text for text in axes.texts if text.arrow_patch is not None]
        assert [arrow.xy[1] - arrow.xyann[1] for arrow in arrows] == pytest.approx(
            [U0, U0 + 9 * U1], rel=1e-5
        )
    assert panels["308"].get_title() == "308:  U₀ⱼ = 2.26, U₁ⱼ = 9.2"


def _sleep(level):
    data = lme4py.data.sleepstudy()
    return data.loc[data["Subject"].astype(str) == level, ["Days", "Reaction"]]


@pytest.mark.parametrize("arguments", [SLEEP, {}])
def test_group_lines_of_a_fit_are_those_of_its_estimates(arguments):
    """A linear model is fitted where nothing is given."""
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    axes = _panels(design.plot_groups(**arguments, groups=18))["372"]
    U0, U1 = SLEEP_EFFECTS["372"]
    expected = 251.4051048485 + U0 + (10.4672859596 + U1) * np.arange(10)
    np.testing.assert_allclose(_line(axes.lines[1])[:, 1], expected, rtol=1e-5)


def test_group_lines_of_a_generalized_fit():
    data = _data(150, 20)
    fit = lme4py.glmer("won ~ x + (1 | h)", data, family="binomial")
    axes = _panels(fit.design.plot_groups(fit=fit, groups=3))["2"]
    rows = data[data["h"] == 2].sort_values("x")
    x, line = _line(axes.lines[1]).T
    np.testing.assert_array_equal(x, np.unique(rows["x"]))
    expected = np.asarray(fit.fitted())[rows.drop_duplicates("x").index]
    np.testing.assert_allclose(line, expected)


def test_group_lines_hold_other_variables_at_the_mean_of_the_group():
    data = _data(150, 20)
    design = lme4py.lformula("y ~ x*z + I(x^2) + f + (x | h) + (1 | s) + offset(z)", data)
    dice = np.random.default_rng(1)
    beta, b = dice.normal(size=design.X.shape[1]), dice.normal(size=design.Zt.shape[0])
    fit = SimpleNamespace(beta=beta, theta=design.random.theta, sigma=1.0, b=b)
    panels = _panels(design.plot_groups("x", fit=fit, group="h", groups=3))
    for level, axes in list(panels.items())[1:]:
        own = data[data["h"].astype(str) == level]
        x, z = np.sort(own["x"].unique()), own["z"].mean()
        shares = [(own["f"] == name).mean() for name in "bc"]
        columns = {"(Intercept)": 1, "x": x, "z": z, "I(x^2)": x**2, "x:z": x * z}
        columns |= {"fb": shares[0], "fc": shares[1]}
        fixed = z + sum(k * columns[name] for k, name in zip(beta, design.fixed.names, strict=True))
        without, line = map(_line, axes.lines)
        np.testing.assert_allclose(without, np.column_stack([x, fixed]))
        begin = design.random.Gp[[group for group, _ in design.random.cnms].index("h")]
        U0, U1 = b[begin + 2 * int(level) :][:2]
        np.testing.assert_allclose(line[:, 1], fixed + U0 + U1 * x)


def test_group_lines_of_generalized_models_are_means():
    data = _data(150, 20)
    design = lme4py.glformula("cbind(won, 1 - won) ~ x + (1 | h)", data, family="binomial")
    fit = SimpleNamespace(beta=[0.2, 0.5], theta=[1.0], b=np.linspace(-1, 1, 7))
    axes = _panels(design.plot_groups(fit=fit, groups=1))["0"]
    x, line = _line(axes.lines[1]).T
    np.testing.assert_allclose(line, 1 / (1 + np.exp(-(0.2 - 1 + 0.5 * x))))
    assert set(axes.collections[0].get_offsets()[:, 1]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("formula", "arguments", "text"),
    [
        ("y ~ x + (1 | h)", {"coefficients": [1, 2]}, "lines need estimates"),
        ("y ~ x + (1 | h)", {"predictor": "w", **SLEEP, "par": [1.0]}, "'w' is not a numeric var"),
        ("y ~ x + (1 | h)", {"group": "k", **SLEEP, "par": [1.0]}, "'k' is not a grouping factor"),
        ("y ~ f + (1 | h)", {}, "the model has no numeric variable"),
        ("y ~ offset(y) + (1 | h)", {"coefficients": [1]}, "the model has no numeric variable"),
    ],
)
def test_group_lines_that_cannot_be_drawn(formula, arguments, text):
    with pytest.raises(lme4py.DataError, match=text):
        lme4py.lformula(formula, _data(150, 20)).plot_groups(**arguments)
