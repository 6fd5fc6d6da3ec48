"""Rows kept in a folder are the rows that were read, and a source of their own."""

from __future__ import annotations

import json

import pytest

import lme4py
from lme4py.errors import DataError

from .models import FORMULAS, SOURCES, design_of, frame
from .test_blocks import rows_differ
from .test_scan import scanned


@pytest.mark.parametrize("library", SOURCES)
@pytest.mark.parametrize("formula", list(FORMULAS)[::4])
def test_later_sweeps_and_others_read_what_was_kept(formula, library, tmp_path):
    data, options = SOURCES[library](frame()), FORMULAS[formula]
    design = design_of(formula, data, options)
    folder = tmp_path / "rows"
    assert scanned(formula, data, rows=73, spill=folder, **options) == design.spec.to_json()
    assert rows_differ(design, design.spec.blocks(folder)) == []
    assert rows_differ(design, design.spec.blocks(folder, rows=50)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_the_source_is_read_once(tmp_path):
    calls = []

    def frames():
        calls.append(1)
        return iter([frame().iloc[:100], frame().iloc[100:]])

    lme4py.scan("y ~ scale(x - mean(x)) + (1 | g)", frames, spill=tmp_path / "rows")
    assert len(calls) == 2  # the first call tells the columns


def test_what_goes_wrong_leaves_nothing(tmp_path):
    folder, data = tmp_path / "rows", frame()
    with pytest.raises(DataError, match="not found"):
        lme4py.scan("y ~ x + (1 | g)", [data, data.drop(columns="x")], spill=folder)
    assert list(tmp_path.iterdir()) == []
    lme4py.scan("y ~ x + (1 | g)", data, spill=folder)
    with pytest.raises(DataError, match="is there already"):
        lme4py.scan("y ~ x + (1 | g)", data, spill=folder)
    with pytest.raises(DataError, match="path"):
        lme4py.scan("y ~ x + (1 | g)", data, spill=7)


def test_damaged_folders(tmp_path):
    folder = tmp_path / "rows"
    spec = lme4py.scan("y ~ x + (1 | g)", frame(), spill=folder)
    (folder / "block-1.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="not a block of rows"):
        list(spec.blocks(folder))
    wrong = [{"blocks": []}, {"blocks": 5, "pools": {}}, {"blocks": [5], "pools": {}}]
    for text in ("{", "[]", *map(json.dumps, [*wrong, {"blocks": [], "pools": []}])):
        (folder / "rows.json").write_text(text)
        with pytest.raises(DataError, match="does not tell of rows"):
            list(spec.blocks(folder))
