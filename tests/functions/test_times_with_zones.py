"""Times that have a zone keep its clock (``fixtures/times``, R 4.2.2 and R 4.6 in UTC)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lme4py
from lme4py.data.collation import Collation
from lme4py.data.column_values import value_of
from lme4py.data.columns import Columns
from lme4py.data.values import Factor
from lme4py.formula.parse import parse
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.functions.coercion import text
from lme4py.functions.table import Context
from lme4py.rfiles.read_rds import read_rds
from lme4py.versions import LME4_1, LME4_2, followed, following

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "times"
EXPECTED = read_rds(FOLDER / "expected.rds")
RECORDS = [
    (lme4, *row)
    for lme4, name in ((LME4_1, "expected.rds"), (LME4_2, "expected-4.6.rds"))
    for row in read_rds(FOLDER / name)["records"].table().itertuples(index=False)
]
TIMES = {
    row.times: pd.to_datetime([float(item) for item in row.seconds.split("|")], unit="s", utc=True)
    .tz_convert(row.zone)
    .as_unit("s")
    for row in EXPECTED["zones"].table().itertuples()
}
MAKERS = {
    "pandas": lambda times: pd.DataFrame({"x": times}),
    "objects": lambda times: pd.DataFrame({"x": pd.Series(list(times), dtype=object)}),
    "polars": lambda times: pl.from_pandas(pd.DataFrame({"x": times})),
    "pyarrow": lambda times: pl.from_pandas(pd.DataFrame({"x": times})).to_arrow(),
}


def evaluated(call, data):
    columns = Columns(data)
    context = Context(columns.rows, Collation(), lambda _: None, lme4=followed())
    return evaluate(parse(call), Scope(columns, {}, context)).value


@pytest.mark.parametrize("library", MAKERS)
@pytest.mark.parametrize("lme4, times, call, value, levels", RECORDS)
def test_as_in_r(lme4, times, call, value, levels, library):
    with following(lme4):
        found = evaluated(call, MAKERS[library](TIMES[times]))
        words = text(found)
    assert "|".join(found.levels if isinstance(found, Factor) else ()) == levels
    assert [words.pool[code] for code in words.codes] == [item.strip() for item in value.split("|")]


def moments(texts, library, zone=None):
    times = pd.to_datetime(texts, format="ISO8601").tz_localize(zone).as_unit("us")
    series = pd.Series(times)
    makers = {
        "numpy": times.to_numpy,
        "pandas": lambda: series,
        "polars": lambda: pl.from_pandas(series),
        "pyarrow": lambda: pa.Array.from_pandas(series),
        "objects": lambda: np.array(times.to_pydatetime(), dtype=object),
    }
    return value_of(makers[library]())


@pytest.mark.parametrize("library", ["numpy", "pandas", "polars", "pyarrow", "objects"])
def test_midnights_without_a_zone_are_dates_from_every_library(library):
    """R: as.numeric(as.Date("2020-01-02")), as.numeric(as.POSIXct("2020-01-02", tz = "UTC"))."""
    value = moments(["2020-01-02", "2020-03-01"], library)
    assert (value.time, value.values[0]) == ("Date", 18263)
    value = moments(["2020-01-02", "2020-03-01 12:00"], library)
    assert (value.time, value.values[0]) == ("POSIXct", 1577923200)
    if library != "numpy":
        assert moments(["2020-01-02"], library, "UTC").time == "POSIXct UTC"


@pytest.mark.parametrize("lme4", ["1.1-31", "2.1"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("term", ["(1 | at)", "factor(at) + (1 | h)", "paste(at, h) + (1 | h)"])
def test_a_new_row_has_the_label_that_it_has_in_any_batch(term, zone, lme4):
    """A batch of midnights alone, or one row, is written as the model's moments are."""
    at = pd.to_datetime(
        ["2020-01-02", "2020-01-03 06:00", "2020-01-04", "2020-01-05 12:00"], format="ISO8601"
    )
    moments = at.tz_localize(zone).repeat(3)
    data = pd.DataFrame({"y": np.arange(12.0) ** 2, "at": moments, "h": list("abcdef") * 2})
    design = lme4py.lformula(f"y ~ {term}", data, control={"check.rankX": "ignore"}, lme4=lme4)
    spec = lme4py.Spec.from_json(design.spec.to_json())
    new = data.drop(columns="y")
    for rows in ([0], [0, 1, 6], [3], [9, 0]):
        found = spec.apply(new.iloc[rows])
        np.testing.assert_array_equal(found.X, design.X[rows])
        np.testing.assert_array_equal(found.Z.toarray(), design.Z.toarray()[rows])


def test_an_unknown_zone():
    times = pa.array([0], pa.timestamp("us", "Nowhere/Land"))
    with pytest.raises(lme4py.DataError, match="unknown time zone 'Nowhere/Land'"):
        evaluated("factor(x)", pa.table({"x": times}))


def test_a_damaged_class_of_times_is_no_spec():
    at = pd.date_range("2020-01-01 06:00", periods=12, tz="Europe/Rome")
    data = pd.DataFrame({"y": np.arange(12.0) ** 2, "at": at, "h": list("abcdef") * 2})
    design = lme4py.lformula("y ~ weekdays(at) + (1 | h)", data)
    saved = design.spec.to_json()
    assert "POSIXct Europe/Rome clock" in saved
    with pytest.raises(lme4py.DataError, match="do not fit together"):
        lme4py.Spec.from_json(saved.replace("POSIXct Europe/Rome", "POSIXlt"))
    spec = lme4py.Spec.from_json(saved.replace("Europe/Rome", "Nowhere"))
    with pytest.raises(lme4py.DataError, match="unknown time zone 'Nowhere'"):
        spec.apply(data)
