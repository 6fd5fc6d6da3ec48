"""The commands ``explain`` and ``plot``."""

import json

import pytest

from lme4py.cli import main

TABLE = """\
y,X,M,g
3,0,1,a
5,1,1,a
7,2,1,a
2,0,2,b
3,1,2,b
4,2,2,b
6,1,4,c
9,2,4,c
"""
FORMULA = "y ~ X*M + (1 + X | g)"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


def run(capsys, *words):
    code = main(list(words))
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def test_explain_without_arguments(capsys):
    page = run(capsys, "explain")
    assert page.startswith("Reaction ~ Days + (Days | Subject)\n====")
    assert "Why columns of X stand again in Z" in page
    assert "β_1j = γ_10 + U_1j" in page


@pytest.mark.parametrize(
    "form, expected",
    [
        ("text", ["It has one value per g", "β_1j = γ_10 + γ_11·M_j + U_1j"]),
        ("md", ["# `y ~ X * M + (1 + X | g)`", r"| `(1 + X \| g)` |", "## Equations", "$$"]),
        ("html", ["<h3><code>y ~ X * M", "<math"]),
        ("latex", [r"\gamma_{11}"]),
    ],
)
def test_formats(capsys, table, form, expected):
    page = run(capsys, "explain", FORMULA, table, "--format", form)
    for found in expected:
        assert found in page


def test_latex_is_equations_alone(capsys, table):
    assert "constant within" not in run(capsys, "explain", FORMULA, table, "--format", "latex")


def test_notation(capsys, table):
    page = run(capsys, "explain", FORMULA, table, "--notation", "gelman-hill")
    assert "j[i]" in page
    assert "γ_00" not in page


def test_json(capsys, table):
    record = json.loads(run(capsys, "explain", FORMULA, table, "--json"))
    assert record["formula"] == "y ~ X * M + (1 + X | g)"
    assert record["notation"] == "raudenbush-bryk"
    assert {"words", "equations", "latex"} <= set(record)


def test_explain_generalized(capsys):
    page = run(capsys, "explain", "Reaction ~ Days + (1 | Subject)", "--family", "Gamma")
    assert "link g = inverse" in page


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot(capsys, table, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"model.{suffix}"
    assert str(path) in run(capsys, "plot", FORMULA, table, "-o", str(path))
    assert path.stat().st_size > 1000


def test_plot_of_some_panels_and_groups(capsys, table, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "model.svg"
    options = ["--panels", "X", "J", "--groups", "2", "--by-group"]
    assert "X, J of" in run(capsys, "plot", FORMULA, table, "-o", str(path), *options)
    # Two groups of three rows.
    shapes = [f"{panel}   6 × {columns}" for panel, columns in (("X", 4), ("J", 2))]
    assert all(f"<!-- {shape} -->" in path.read_text(encoding="utf-8") for shape in shapes)


@pytest.mark.parametrize("target", ["model.nonsense", "no/such/directory/model.png"])
def test_plot_cannot_write(capsys, table, tmp_path, target):
    pytest.importorskip("matplotlib")
    assert main(["plot", FORMULA, table, "-o", str(tmp_path / target)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lme4py: cannot write")


def test_plot_without_matplotlib(capsys, table, tmp_path, monkeypatch):
    import sys

    from lme4py.explain.pictures import figure

    figure._figure_class.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    try:
        assert main(["plot", FORMULA, table, "-o", str(tmp_path / "model.png")]) == 2
    finally:
        figure._figure_class.cache_clear()
    assert "pip install -e '.[plot]'" in capsys.readouterr().err
