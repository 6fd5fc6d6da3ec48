"""Bars against what lme4's own walks wrote for the same expressions (fixtures/formula)."""

from pathlib import Path

import pytest

from lme4py import Formula, FormulaError, FormulaSyntaxError
from lme4py.formula.deparse import deparse
from lme4py.formula.double_bars import expand_double_bars
from lme4py.formula.parse import parse
from lme4py.formula.random_terms import bars_as_sums, find_bars, without_bars

RECORD = Path(__file__).parents[2] / "fixtures" / "formula" / "bars.tsv"
LINES = [
    line.split("\t") for line in RECORD.read_text(encoding="utf-8").splitlines() if line[0] != "#"
]


def _without(node):
    kept = without_bars(node)
    return "1" if kept is None else deparse(kept)


WALKS = {
    "find_bars": lambda node: " ;; ".join(bar.label for bar in find_bars(node)),
    "without_bars": _without,
    "bars_as_sums": lambda node: deparse(bars_as_sums(node)),
    "expand_double_bars": lambda node: deparse(expand_double_bars(node)),
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
@pytest.mark.parametrize("walk", WALKS)
def test_walk(walk, line):
    text, *results = line
    expected = dict(zip(WALKS, results, strict=True))[walk]

    if expected.startswith("error "):
        with pytest.raises((FormulaError, FormulaSyntaxError)) as found:
            WALKS[walk](parse(text))
        # R gives its parser's place in a text of its own; the words are the same.
        words = expected.removeprefix("error ").rpartition(": ")[2]
        assert words in found.value.message
    else:
        assert WALKS[walk](parse(text)) == expected


def test_thousands_of_terms_need_no_depth():
    text = " + ".join(f"x{i}" for i in range(5000)) + " + (1 | g) + (x1 || h)"
    formula = Formula.parse(f"y ~ {text}")

    assert [bar.label for bar in formula.bars] == ["1 | g", "1 | h", "0 + x1 | h"]
    assert str(formula.nobars()).endswith("x4999")
    assert str(formula.subbars()).endswith("(1 + g) + (x1 + h)")


def test_a_bar_knows_where_it_stands():
    formula = Formula.parse("y ~ x + (1 + x | g/h)")

    assert [bar.source.span.source for bar in formula.bars] == ["1 + x | g/h"] * 2
