"""New rows times R's own coefficients are what R's predict() says, on models with states."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data.values import Character, Factor
from lme4py.rfiles.read_rds import read_rds

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "spec" / "predictions.rds"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="tests run without the fixtures")


def _frame(frame):
    return pd.DataFrame(
        {
            name: pd.Categorical.from_codes(column.codes, list(column.levels))
            if isinstance(column, Factor)
            else column.texts()
            if isinstance(column, Character)
            else column.values
            for name, column in frame.columns.items()
        }
    )


RECORD = read_rds(FILE) if FILE.is_file() else None
CASES = list(RECORD["cases"]) if RECORD is not None else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["formula"].values[0]))
@pytest.mark.parametrize("saved", [False, True], ids=["spec", "json"])
def test_predictions(case, saved):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = lme4py.lformula(str(case["formula"].values[0]), _frame(RECORD["train"]))
        spec = design.spec
        if saved:
            spec = lme4py.Spec.from_json(spec.to_json())
        rows = spec.apply(_frame(RECORD["new"]), new_levels="zero")
    found = rows.X @ case["beta"].values + rows.Z @ case["b"].values
    if rows.offset is not None:
        found = found + rows.offset
    expected = case["new"].values
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_there_are_enough_of_them():
    assert len(CASES) >= 20
