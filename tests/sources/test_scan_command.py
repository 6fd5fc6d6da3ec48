"""The command writes the spec, and the rows or their sums, or nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse import csc_array, hstack

from lme4py.cli.program import main
from lme4py.crossproducts import Crossproducts

from .models import design_of, frame


@pytest.fixture
def files(tmp_path):
    """Write rows to three files, and return their pattern."""
    for number, start in enumerate(range(0, 500, 200)):
        frame().iloc[start : start + 200].to_parquet(tmp_path / f"part-{number}.parquet")
    return str(tmp_path / "part-*.parquet")


FORMULA = "y ~ scale(x) + f + (x | g)"


def test_spec_and_sums(files, tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["scan", FORMULA, files, "--out", str(out), "--weights", "z", "--rows", "64"]) == 0
    design = design_of(FORMULA, frame(), {"weights": "z"})
    assert (out / "spec.json").read_text() == design.spec.to_json()
    found = Crossproducts.load(out / "crossproducts.npz")
    np.testing.assert_allclose(found.XtX, design.crossproducts().XtX, rtol=1e-12)
    assert "498 rows" in capsys.readouterr().out
    assert not (tmp_path / "model.part").exists()


def test_blocks(files, tmp_path, capsys):
    out = tmp_path / "model"
    command = ["scan", FORMULA, files, "--out", str(out), "--blocks", "--rows", "64", "--json"]
    assert main(command) == 0
    design, record = design_of(FORMULA, frame(), {}), json.loads(capsys.readouterr().out)
    names = [name for name in record["files"] if name.startswith("block")]
    blocks = [np.load(out / name) for name in names]
    np.testing.assert_array_equal(np.vstack([block["X"] for block in blocks]), design.X)
    np.testing.assert_array_equal(np.concatenate([block["y"] for block in blocks]), design.y)
    parts = [
        csc_array(
            tuple(block[f"Zt_{part}"] for part in ("data", "indices", "indptr")), block["Zt_shape"]
        )
        for block in blocks
    ]
    assert (hstack(parts, format="csc") != design.Zt).nnz == 0
    for block in blocks:
        block.close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["y ~ nowhere + (1 | g)"], "object 'nowhere' not found"),
        ([FORMULA, "--family", "poisson"], "linear models"),
        ([FORMULA, "--sep", ";"], "--sep"),
    ],
)
def test_nothing_is_written_half(files, tmp_path, capsys, words, text):
    out = tmp_path / "model"
    formula, *options = words
    assert main(["scan", formula, files, "--out", str(out), *options]) == 2
    assert text in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".parquet") == []


def test_a_fault_in_the_last_block_leaves_nothing(files, tmp_path, capsys, monkeypatch):
    calls = []

    def stops(_, path):
        calls.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Crossproducts, "save", stops)
    assert main(["scan", FORMULA, files, "--out", str(tmp_path / "model")]) == 2
    assert calls
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == []


def test_a_folder_that_is_there_is_left_alone(files, tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    assert main(["scan", FORMULA, files, "--out", str(tmp_path / "model")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
