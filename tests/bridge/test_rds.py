"""R's values as R 4.2.2 wrote them (fixtures/values.rds, fixtures/user.rds)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lme4py.bridge.rds import (
    RFactor,
    RFrame,
    RLanguage,
    RList,
    RMatrix,
    RSparse,
    RUnread,
    RVector,
    read_rds,
)
from lme4py.errors import DataError
from lme4py.formula.deparse import deparse

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture(scope="module")
def values() -> RList:
    return read_rds(FIXTURES / "values.rds")


def test_null_and_numbers(values: RList):
    assert values["nothing"] is None
    assert values["logical"].missing.tolist() == [False, True, False]
    assert values["logical"].values[[0, 2]].tolist() == [True, False]
    assert values["integer"].as_float().tolist()[::2] == [1.0, -3.0]
    assert np.isnan(values["integer"].as_float()[1])
    assert values["sequence"].values.tolist() == [1, 2, 3, 4, 5]
    double = values["double"].values
    assert double[0] == 0.1
    assert np.isnan(double[1:3]).all()
    assert double[3:].tolist() == [np.inf, -np.inf]
    assert values["named"].names == ("a", "b")
    assert values["complex"].values.tolist() == [1 + 2j]


def test_text_in_every_encoding(values: RList):
    assert values["character"].texts() == ["a", None, "é", "été"]


def test_factors(values: RList):
    factor = values["factor"]
    assert isinstance(factor, RFactor)
    assert factor.codes.tolist() == [0, -1, 1]
    assert factor.levels == ("z", "a", "unused")
    assert not factor.ordered
    assert values["ordered"].ordered
    assert values["na_level"].levels == ("a", None)
    assert isinstance(values["contrasted"].attributes["contrasts"], RMatrix)


def test_matrices(values: RList):
    matrix = values["matrix"]
    assert matrix.values.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert matrix.column_names == ("p", "q", "r")
    assert matrix.row_names is None
    sparse = values["sparse"]
    assert isinstance(sparse, RSparse)
    assert sparse.matrix.toarray().tolist() == [[0, 1.5], [0, 0], [0, -2]]
    assert values["other_s4"].name == "ddiMatrix"


@pytest.mark.parametrize("name", ["formula", "call", "symbol"])
def test_language_is_a_syntax_tree(values: RList, name: str):
    assert isinstance(values[name], RLanguage)
    expected = {"formula": "y ~ x", "call": "f(x)", "symbol": "x"}
    assert deparse(values[name].node) == expected[name]


@pytest.mark.parametrize("name", ["fun", "builtin", "environment"])
def test_what_is_not_data_is_left_alone(values: RList, name: str):
    assert isinstance(values[name], RUnread)


def test_lists(values: RList):
    assert values["nested"]["b"]["c"].texts() == ["deep"]
    assert values["nested"].names == ("", "b")
    assert values.get("absent") is None
    with pytest.raises(DataError, match="no element 'absent'"):
        values["absent"]


def test_frames_become_pandas(values: RList):
    frame = RFrame(
        {
            "l": values["logical"],
            "i": values["integer"],
            "whole": RVector(np.array([1, 2, 3], dtype=np.int32), "integer"),
            "f": values["factor"],
            "s": RVector(np.array(["b", None, "a"], dtype=object), "character"),
            "d": RVector(np.array([1.5, np.nan, 2.0]), "double"),
        },
        ("1", "2", "3"),
    ).to_pandas()
    assert str(frame["l"].dtype) == "boolean"
    assert str(frame["i"].dtype) == "Int64"
    assert str(frame["whole"].dtype) == "int64"
    assert frame["f"].cat.categories.tolist() == ["z", "a", "unused"]
    assert frame["s"].isna().tolist() == [False, True, False]
    assert frame.index.tolist() == [1, 2, 3]
    assert values["frame"].to_pandas().index.tolist() == ["one", "two"]


def test_times_become_pandas(values: RList):
    frame = RFrame({"when": values["date"], "span": values["span"]}, ("1", "2")).to_pandas()
    assert frame["when"][1] == pd.Timestamp("2024-02-29")
    assert pd.isna(frame["when"][2])
    assert frame["span"][2] == pd.Timedelta(hours=2)
    stamp = RFrame({"t": values["time"]}, ("1",)).to_pandas()["t"][1]
    assert stamp == pd.Timestamp("2024-02-29 12:30", tz="UTC")


def test_columns_pandas_cannot_hold(values: RList):
    frame = RFrame({"m": values["matrix"]}, ("1", "2"))
    assert frame.to_mapping()["m"].shape == (2, 3)
    with pytest.raises(DataError, match="'m' is a matrix"):
        frame.to_pandas()
    for name in ("na_level", "nested"):
        with pytest.raises(DataError, match="column 'v'"):
            RFrame({"v": values[name]}, ("1", "2")).to_pandas()


def test_what_a_user_writes():
    both = read_rds(FIXTURES / "user.rds")
    assert both.names == ("data", "lf")
    frame = both["lf"]["fr"]
    assert isinstance(frame.columns["poly(Days, 2)"], RMatrix)
    assert both["lf"]["reTrms"]["Zt"].matrix.shape == (36, 180)
    assert both["lf"]["reTrms"]["flist"].attributes["assign"].values.tolist() == [1]


def test_files_that_are_not_r_s(tmp_path: Path):
    with pytest.raises(DataError, match="cannot read"):
        read_rds(tmp_path / "absent.rds")
    good = (FIXTURES / "values.rds").read_bytes()
    for number, content in enumerate([b"", b"x,y\n1,2\n", good[: len(good) // 2], good[:40]]):
        path = tmp_path / f"{number}.rds"
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a file written by R's saveRDS"):
            read_rds(path)
    shutil.copy(FIXTURES / "values.rds", tmp_path / "no_extension")
    assert read_rds(tmp_path / "no_extension").names is not None
