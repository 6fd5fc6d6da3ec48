"""The pictures: which pixels are filled, at any size, and what is written beside them."""

import io
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.explain.clusters import cluster
from lme4py.explain.pictures import figure as figures
from lme4py.explain.pictures import raster
from lme4py.explain.pictures.cluster_picture import plot_cluster
from lme4py.explain.pictures.model_picture import plot
from lme4py.explain.pictures.raster import BINS, TermAxis

pytest.importorskip("matplotlib")
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


def filled(pixels):
    return (pixels < 1).any(axis=2)


def _panels(figure):
    return {axes.get_label(): axes for axes in figure.axes if axes.get_label()}


def _texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_small_matrices_are_drawn_entry_by_entry(small):
    Z = small.Z.toarray()
    np.testing.assert_array_equal(filled(raster.x_pixels(small)), small.X != 0)
    np.testing.assert_array_equal(filled(raster.zt_pixels(small)[0]), Z.T != 0)
    stored = small.random.Lambdat.copy()
    stored.data[:] = 1
    np.testing.assert_array_equal(filled(raster.lambdat_pixels(small)), stored.toarray() != 0)
    pixels, step = raster.ztz_pixels(small)
    met = (Z != 0).astype(float)
    np.testing.assert_array_equal(filled(pixels), met.T @ met > 0)
    assert step == 1


@pytest.mark.parametrize("formula", ["y ~ x + (x | g) + (1 | h)", "y ~ f + (0 + f | g) + (1 | s)"])
def test_large_matrices_fill_the_pixels_that_hold_entries(formula):
    design = lme4py.lformula(formula, _data(5000, 900))
    axis = TermAxis(design.random.Gp)
    q, n = design.Zt.shape
    assert q > BINS
    place = axis.bins(np.arange(q))
    # Rows keep their order, every bin has a row, no bin has rows of two terms.
    assert (np.diff(place) >= 0).all()
    assert np.unique(place).size == axis.first.size
    term = np.repeat(np.arange(len(design.random.terms)), np.diff(design.random.Gp))
    np.testing.assert_array_equal(axis.terms[place], term)
    across = TermAxis([0, n]).bins(np.arange(n))
    expected = np.zeros((axis.first.size, BINS), dtype=bool)
    entries = design.Zt.tocoo()
    expected[place[entries.row], across[entries.col]] = True
    shown, _ = raster.zt_pixels(design)
    np.testing.assert_array_equal(filled(shown), expected[axis.shown])


def test_products_are_counted_in_full_where_rows_share_pixels():
    design = lme4py.lformula("y ~ x + (x | g) + (1 | h)", _data(5000, 900))
    axis = raster.square_axis(design)
    place = axis.bins(np.arange(design.Zt.shape[0]))
    product = (design.Zt != 0).astype(float) @ (design.Z != 0).astype(float)
    entries = product.tocoo()
    expected = np.zeros((axis.first.size, axis.first.size), dtype=bool)
    expected[place[entries.row], place[entries.col]] = True
    pixels, _ = raster.ztz_pixels(design)
    # Some rows have several pixels.
    assert axis.shown.size > axis.first.size
    np.testing.assert_array_equal(filled(pixels), expected[axis.shown][:, axis.shown])


def test_products_are_shaded_by_their_values():
    """Both groups have six rows; the larger sum of squares is darker."""
    data = {"y": np.arange(12.0), "x": np.repeat([1.0, 3.0], 6), "g": list("aaaaaabbbbbb")}
    ignored = {"check_nlev_gtreq_5": "ignore", "check_nobs_vs_nlev": "ignore"}
    design = lme4py.lformula("y ~ 1 + (0 + x | g)", data, control=ignored)
    pixels, _ = raster.ztz_pixels(design)
    darkness = 3 - pixels.sum(axis=2)
    assert darkness[1, 1] > darkness[0, 0] > darkness[0, 1] == 0


def test_a_small_term_beside_a_large_one_can_be_seen():
    design = lme4py.lformula("y ~ x + (x | g) + (1 | h)", _data(40_000, 20_000))
    axis = TermAxis(design.random.Gp)
    assert np.diff(axis.edges).min() >= 0.06 * axis.edges[-1]


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
    assert list(panels) == ["marks", "X", "Zt", "Lambdat", "ZtZ"]
    n, p = small.X.shape
    q = small.Zt.shape[0]
    texts = _texts(figure)
    for title in [f"X   {n} × {p}", f"Zᵗ   {q} × {n}", f"Λᵗ   {q} × {q}", f"ZᵗZ   {q} × {q}"]:
        assert title in texts
    for term in small.random.terms:
        assert any(text.startswith(f"({term.bar.label})   {term.levels} groups") for text in texts)
    for name in small.fixed.names:
        assert name in texts


def test_colour_over_x_marks_the_columns_that_stand_in_z():
    design = lme4py.lformula("y ~ x + z + (x | g) + (1 | h)", _data(150, 20))
    (marks,) = [axes for axes in design.plot().axes if axes.get_label() == "marks"]
    shown = filled(np.asarray(marks.images[0].get_array()))
    # Rows: x | g, 1 | h. Columns: (Intercept), x, z.
    np.testing.assert_array_equal(shown, [[True, True, False], [True, False, False]])


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
    assert filled(raster.x_pixels(design))[3, 1]
    design.plot().savefig(io.BytesIO())


def test_sparse_x_gives_the_same_picture():
    data = _data(150, 20)
    dense = lme4py.lformula("y ~ x + f + (x | g)", data)
    sparse = lme4py.lformula("y ~ x + f + (x | g)", data, sparse_X=True)
    np.testing.assert_array_equal(raster.x_pixels(sparse), raster.x_pixels(dense))


def _block_texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


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
