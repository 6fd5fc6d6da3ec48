"""Text files against what R 4.6's read.csv made of them (``fixtures/read_csv``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data.values import Character
from lme4py.errors import DataError
from lme4py.rfiles.read_rds import read_rds

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "read_csv"
CASES = read_rds(FOLDER / "expected.rds")


def read(case):
    named = zip(case["arguments"].names, case["arguments"].items, strict=True)
    given = {name: list(vector.values) for name, vector in named}
    arguments = {name: items if name == "na" else items[0] for name, items in given.items()}
    arguments["encoding"] = arguments["encoding"] or None
    return lme4py.read_csv(FOLDER / case["file"].values[0], **arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"].values[0])
def test_read_csv(case):
    expected = case["frame"]
    if not hasattr(expected, "columns"):
        with pytest.raises(DataError, match=expected.values[0]):
            read(case)
        return
    frame = read(case)
    assert list(frame.columns) == list(expected.columns)
    assert len(frame) == len(expected)
    if expected.row_numbers() is None:
        assert list(frame.index) == list(expected.row_names)
    for name, vector in expected.columns.items():
        found = frame[name]
        kinds = {"b": "logical", "i": "integer", "f": "double"}
        kind = "character" if isinstance(vector, Character) else vector.kind
        assert kinds.get(found.dtype.kind, "character") == kind, name
        if isinstance(vector, Character):
            assert [None if pd.isna(item) else item for item in found] == list(vector.texts()), name
        else:
            theirs = vector.as_float()
            np.testing.assert_array_equal(found.to_numpy(np.float64, na_value=np.nan), theirs, name)


def written(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content, options, words",
    [
        (b"", {}, "no lines available in input"),
        (b"y,g\n1,2,3,4\n", {}, "more columns than column names"),
        (b"y,g\n1,1,\n1,2,\n", {}, "duplicate 'row.names'"),
        (b"y\n1\n1\n1\n1\n1,2\n", {}, "line 6"),
        (b'y,g\n1,"a\n', {}, "inside string"),
        (b"y,g\n1,\xe9\n", {}, "line 2 is not utf-8.*\n.*latin1"),
        (b"y,g\n", {"encoding": "klingon"}, "unknown encoding 'klingon'"),
        (b"\x1f\x8bxxxxxxxxx", {}, "cannot read"),
        (b"y,g\n", {"sep": "::"}, "invalid 'sep' argument"),
        (b"y,g\n", {"decimal": ""}, "invalid 'decimal' argument"),
    ],
)
def test_faults(tmp_path, content, options, words):
    with pytest.raises(DataError, match=f"(?s){words}"):
        lme4py.read_csv(written(tmp_path, content), **options)


def test_no_file():
    with pytest.raises(DataError, match="No such file"):
        lme4py.read_csv("nowhere.csv")


def test_a_mark_of_utf_8_is_no_letter_of_the_first_name(tmp_path):
    frame = lme4py.read_csv(written(tmp_path, b"\xef\xbb\xbfy,g\n1,a\n"))
    assert list(frame.columns) == ["y", "g"]


def test_names_as_they_stand(tmp_path):
    frame = lme4py.read_csv(written(tmp_path, b"a b,a b\n1,2\n"), check_names=False)
    assert list(frame.columns) == ["a b", "a b"]


def test_names_that_can_be_read_stay_as_they_are(tmp_path):
    frame = lme4py.read_csv(written(tmp_path, b'"",X,a b,a.b,a.b\n1,2,3,4,5\n'))
    # As R 4.2 and R 4.6 call them: a column X stays X beside the row names that R wrote.
    assert list(frame.columns) == ["X.1", "X", "a.b.2", "a.b", "a.b.1"]


@pytest.mark.parametrize("wrong", [{"encoding": 1}, {"check_names": "yes"}, {"na": 0}])
def test_arguments_of_other_types(wrong, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    with pytest.raises(lme4py.DataError, match=next(iter(wrong))):
        lme4py.read_csv(path, **wrong)
