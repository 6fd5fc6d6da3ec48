"""Bars against what lme4's own walks wrote for the same expressions (fixtures/formula)."""

from pathlib import Path

import pytest

from lme4py import Formula, FormulaError, FormulaSyntaxError
from lme4py.formula.bars import (
    bars_as_sums,
    expand_double_bars,
    find_bars,
    without_bars,
)
from lme4py.formula.deparse import deparse
from lme4py.formula.parse import parse
from lme4py.versions import LME4_1, LME4_2

TAB = "\t"

FOLDER = Path(__file__).parents[2] / "fixtures" / "formula"
RECORDS = {"bars.tsv": LME4_1, "bars-2.1.tsv": LME4_2, "groups-2.1.tsv": LME4_2}
LINES = {
    f"{lme4.version} {line.partition(TAB)[0]}": (lme4, *line.split(TAB))
    for name, lme4 in RECORDS.items()
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()
    if line[0] != "#"
}


def _without(node, lme4):
    kept = without_bars(node, lme4)
    return "1" if kept is None else deparse(kept)


WALKS = {
    "find_bars": lambda node, lme4: " ;; ".join(bar.label for bar in find_bars(node, lme4)),
    "without_bars": _without,
    "bars_as_sums": lambda node, lme4: deparse(bars_as_sums(node, lme4)),
    "expand_double_bars": lambda node, _: deparse(expand_double_bars(node)),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("walk", WALKS)
def test_walk(walk, line):
    lme4, text, *results = line
    expected = dict(zip(WALKS, results, strict=True))[walk]
    if lme4.splits_generalized and walk == "find_bars" and results[-1].startswith("error"):
        # lme4 writes out || before it looks for bars.
        expected = results[-1]

    if expected.startswith("error "):
        with pytest.raises((FormulaError, FormulaSyntaxError)) as found:
            WALKS[walk](parse(text), lme4)
        # R gives its parser's place in a text of its own; the words are the same.
        words = expected.removeprefix("error ").rpartition(": ")[2]
        assert words in found.value.message
    else:
        assert WALKS[walk](parse(text), lme4) == expected


def test_thousands_of_terms_need_no_depth():
    text = " + ".join(f"x{i}" for i in range(5000)) + " + (1 | g) + (x1 || h)"
    formula = Formula.parse(f"y ~ {text}")

    assert [bar.label for bar in formula.bars] == ["1 | g", "1 | h", "0 + x1 | h"]
    assert str(formula.nobars()).endswith("x4999")
    assert str(formula.subbars()).endswith("(1 + g) + (x1 + h)")


def test_a_bar_knows_where_it_stands():
    formula = Formula.parse("y ~ x + (1 + x | g/h)")

    assert [bar.source.span.source for bar in formula.bars] == ["1 + x | g/h"] * 2
