"""Every component of every fixture equals what lme4 recorded (R 4.2.2, lme4 1.1-31)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lme4py.errors import Lme4pyError
from tests.recorded.cases import FIXTURES, build, error_text, load, verdict
from tests.recorded.components import plain_quotes

PATHS = sorted(
    path for folder in ("edges", "kept", "lme4") for path in FIXTURES.glob(f"{folder}/*.rds")
)

LME4_WORDS = (
    "number of levels of each grouping factor must be",
    "number of observations (=",
    "grouping factors must have > 1 sampled level",
    "No random effects terms specified in formula",
    "Invalid grouping factor specification",
    "couldn't evaluate grouping factor",
    "0 (non-NA) cases",
    "missing values in object",
    "NA in Z (random-effects model matrix)",
    "the fixed-effects model matrix is column rank deficient",
    "Some predictor variables are on very different scales",
    "quasi",
    "object '",
    "variable lengths differ",
    "subscript out of bounds",
    "(subscript) logical subscript too long",
)
"""The beginnings of those of lme4's errors that ours must contain."""


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_fixture(path: Path):
    assert verdict(load(path)) == []


def test_as_many_rows_are_omitted_as_in_r():
    """R: length(attr(lf$fr, "na.action"))."""
    counted = 0
    for path in FIXTURES.glob("edges/*.rds"):
        record = load(path)
        if record["lf"] is not None:
            omitted = record["lf"]["fr"].attributes.get("na.action", ())
            assert build(record)[0].model_frame.omitted == len(omitted), path.name
            counted += len(omitted) > 0
    assert counted >= 7


def test_there_are_enough():
    assert len(PATHS) >= 100


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.parent.name != "kept"], ids=lambda path: path.stem
)
def test_errors_use_the_words_of_lme4(path: Path):
    record = load(path)
    expected = error_text(record)
    if expected is None or not expected.startswith(LME4_WORDS):
        return
    # R goes on with its own call stack after ":error =".
    words = plain_quotes(expected.splitlines()[0].partition(":error =")[0])
    with pytest.raises(Lme4pyError) as caught:
        build(record)
    assert words in plain_quotes(str(caught.value))
