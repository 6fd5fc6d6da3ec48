"""Terms against what R's terms() wrote for the same formulas (fixtures/formula)."""

from pathlib import Path

import numpy as np
import pytest

from lme4py.errors import FormulaError
from lme4py.formula.parse import parse
from lme4py.formula.terms import MAXIMUM_TERMS, terms

RECORD = Path(__file__).parents[2] / "fixtures" / "formula" / "terms.tsv"
LINES = [
    line.split("\t") for line in RECORD.read_text(encoding="utf-8").splitlines() if line[0] != "#"
]
COLUMNS = ("y", "a", "b", "c", "d")


def _split(text):
    return text.split(" ;; ") if text else []


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_terms(line):
    text, *expected = line
    formula = parse(text)
    columns = COLUMNS if "." in text.replace("2.7", "") else None
    if expected[0] == "error":
        with pytest.raises(FormulaError) as found:
            terms(formula, columns)
        assert found.value.message == expected[1]
        return

    found = terms(formula, columns)

    intercept, labels, variables, offsets, factors = expected
    assert found.intercept == (intercept == "1")
    assert [*found.labels] == _split(labels)
    assert [*found.frame_names] == _split(variables)
    assert [place + 1 for place in found.offsets] == [int(place) for place in offsets.split()]
    codes = found.codes()
    assert codes.T.ravel().tolist() == [int(code) for code in factors.split()]


def test_a_power_beyond_all_terms_ends_where_nothing_is_new():
    formula = "y ~ (a + b + c)^{}"

    assert terms(parse(formula.format(30))).labels == terms(parse(formula.format(3))).labels


@pytest.mark.parametrize(
    "text",
    [
        "y ~ (" + "+".join(f"x{i}" for i in range(40)) + ")^30",
        "y ~ " + "*".join(f"x{i}" for i in range(30)),
        "y ~ (" + "+".join(f"x{i}" for i in range(3000)) + ")^2",
    ],
    ids=["power", "product", "pairs"],
)
def test_expansion_is_bounded(text):
    with pytest.raises(FormulaError, match=f"more than {MAXIMUM_TERMS:,} terms"):
        terms(parse(text))


def test_a_sum_of_thousands_of_terms():
    found = terms(parse("y ~ " + " + ".join(f"x{i}" for i in range(2000))))

    assert len(found.members) == 2000
    assert found.labels[-1] == "x1999"


def test_dot_without_data():
    with pytest.raises(FormulaError, match=r"'\.' in formula and no 'data' argument"):
        terms(parse("y ~ . + a"))


def test_no_terms_have_no_codes():
    assert terms(parse("y ~ 1")).codes().shape == (1, 0)
    assert terms(parse("y ~ 1")).codes().dtype == np.uint8
