"""On new rows dates and date-times get the breaks, the origin and the unit of the old ones."""

import numpy as np
import pandas as pd
import pytest

import lme4py

OLD = pd.DataFrame(
    {
        "y": np.arange(12.0) ** 1.5,
        "g": list("aabbccddeeff"),
        "day": pd.to_datetime("2021-01-15") + pd.to_timedelta(np.arange(12) * 9, unit="D"),
        "at": pd.to_datetime("2021-01-15 06:00") + pd.to_timedelta(np.arange(12) * 100, unit="h"),
    }
)
NEW = OLD.iloc[[1, 1, 4]].drop(columns="y")


def _columns(expression):
    control = {"check.scaleX": "ignore"}
    design = lme4py.lformula(f"y ~ {expression} + (1 | g)", OLD, control=control)
    spec = type(design.spec).from_json(design.spec.to_json())
    old = design.X.toarray() if hasattr(design.X, "toarray") else np.asarray(design.X)
    new = spec.apply(NEW).X
    return old, new.toarray() if hasattr(new, "toarray") else np.asarray(new)


@pytest.mark.parametrize(
    "expression",
    [
        "cut(as.numeric(day), 2)",
        "I(day - min(day))",
        "I(at - min(at))",
        "I(at - as.POSIXct('2021-01-15 03:00'))",
        "difftime(at, '2021-01-15 03:00')",
        "as.numeric(difftime(at, min(at), units = 'weeks'))",
        "factor(format(day, '%m'))",
        "months(day)",
        "as.numeric(at - min(at), units = 'hours')",
        "grepl('[ab]', g)",
        "I(day > '2021-02-01')",
    ],
)
def test_rows_of_the_model_come_out_as_they_were(expression):
    old, new = _columns(expression)
    np.testing.assert_allclose(new, old[[1, 1, 4]], rtol=1e-14)


@pytest.mark.parametrize(
    "expression",
    ["I(day[1] - at)", "factor(g) + day", "factor(g) == ordered(g)", "day * 2"],
)
def test_operands_with_two_classes_are_an_error(expression):
    with pytest.raises(lme4py.Lme4pyError, match=r"has no value|not defined"):
        _columns(expression if expression.startswith("I(") else f"I({expression})")
