"""NULL in formulas against what lme4 1.1-31 and 2.1 recorded in ``fixtures/edges``."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.formula.bars import bars_as_sums, expand_double_bars
from lme4py.formula.deparse import deparse
from lme4py.formula.parse import parse
from tests.rules import IGNORE, D, I, linear, said

EDGES = Path(__file__).resolve().parents[2] / "fixtures" / "edges"
RECORDED = {"1.1-31": EDGES / "nulls.csv", "2.1": EDGES / "nulls-2.1.csv"}
DATA = D.assign(
    b=I % 3 == 0,
    w=pd.Categorical(np.array(["a", "b", "c", None], dtype=object)[(I * 5) % 7 % 4]),
)


def recorded():
    for lme4, path in RECORDED.items():
        with path.open(encoding="utf-8") as file:
            lines = [line for line in file if not line.startswith("#")]
        yield from ({**row, "lme4": lme4} for row in csv.DictReader(lines))


def built(entry):
    options = {"lme4": entry["lme4"]}
    options["control"] = {name: level for name, level in IGNORE.items() if "rankX" not in name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if entry["family"] == "binomial":
            return lme4py.glformula(entry["formula"], DATA, **options)
        return lme4py.lformula(entry["formula"], DATA, **options)


@pytest.mark.parametrize(
    "entry", list(recorded()), ids=lambda entry: "{lme4} {family}: {formula}".format(**entry)
)
def test_null_is_read_as_lme4_reads_it(entry):
    if entry["error"]:
        with pytest.raises(lme4py.Lme4pyError) as caught:
            built(entry)
        # R adds a side that is gone first: Ops.factor(g) is NA, or stops.
        if "NULL |" not in entry["formula"]:
            assert caught.value.message.startswith(entry["error"].strip())
        return
    design = built(entry)
    assert design.X.shape[0] == int(entry["rows"])
    assert " | ".join(design.fixed.names) == entry["columns"]
    assert ", ".join(label for label, _ in design.random.Ztlist) == entry["terms"]
    assert " | ".join(design.model_frame.variables) == entry["variables"]
    assert str(design.formula) == entry["read"]


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("y ~ factor(w, exclude = NULL) + (1 | g)", "it reads factor(w) for factor(w, exclude = "),
        ("y ~ x + (factor(w, exclude = NULL) | g)", "it reads factor(w) for factor(w, exclude = "),
        ("y ~ x - NULL + (1 | g)", "it reads -x for x - NULL"),
    ],
)
def test_what_is_lost_is_told(formula, text):
    [told] = said(lambda: linear(formula, DATA, control=IGNORE), advice=True)

    assert text in told


def test_of_a_sum_nothing_is_lost():
    assert said(lambda: linear("y ~ x + NULL + (1 | g)"), advice=True) == []


@pytest.mark.parametrize("walk", [expand_double_bars, bars_as_sums])
@pytest.mark.parametrize("text", ["x + f(a, b)", "x[, 1] + (1 + g)", "f(x, y = )"])
def test_what_has_no_null_stays_itself(walk, text):
    node = parse(text)

    assert walk(node) is node


def test_parentheses_are_walked_in_linear_time():
    text = "(" * 60 + "f(x, y, NULL, NULL)" + ")" * 60

    assert deparse(expand_double_bars(parse(text))) == text


def test_long_sums_are_walked_in_a_loop():
    node = parse(" + ".join(["x"] * 5000) + " + c(x, NULL)")

    assert deparse(bars_as_sums(node)).endswith(" c(x)")
