"""Every component of every fixture equals what lme4 recorded: 1.1-31 on R 4.2, 2.1 on R 4.6."""

from __future__ import annotations

import pytest

from lme4py.errors import Lme4pyError
from tests.recorded.cases import FIXTURES, build, error_text, load, verdict
from tests.recorded.components import plain_quotes

PATHS = sorted(
    path for folder in ("edges", "kept", "lme4") for path in FIXTURES.glob(f"{folder}/*.rds")
)
SINCE = load(FIXTURES / "lme4-2x" / "records.rds")
RECORDS = {f"{path.parent.name}/{path.stem}": lambda path=path: load(path) for path in PATHS}
RECORDS |= {f"lme4-2x/{name}": lambda name=name: SINCE[name] for name in SINCE.names}

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


@pytest.mark.parametrize("name", RECORDS)
def test_fixture(name):
    assert verdict(RECORDS[name]()) == []


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
    assert len(SINCE) >= 250


@pytest.mark.parametrize("name", [name for name in RECORDS if not name.startswith("kept")])
def test_errors_use_the_words_of_lme4(name):
    record = RECORDS[name]()
    expected = error_text(record)
    if expected is None or not expected.startswith(LME4_WORDS):
        return
    # R goes on with its own call stack after ":error =".
    words = plain_quotes(expected.splitlines()[0].partition(":error =")[0])
    with pytest.raises(Lme4pyError) as caught:
        build(record)
    assert words in plain_quotes(str(caught.value))
