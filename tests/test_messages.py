"""Every message as users see it, word for word and with its caret: tests/messages.txt.

``python -m tests.test_messages`` writes the file anew; read its difference before a commit.
R's own words in it are compared with R's in test_checks and tests/live.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import lme4py
from lme4py.errors import Span
from lme4py.messages import Messages

from .matrices.test_traps import ADVICE, REMARKS
from .rules import D
from .test_bad_input import ARGUMENTS, DATA, FORMULAS, GENERALIZED, GOOD

PATH = Path(__file__).with_name("messages.txt")


def _spoken(call):
    """Return what a call says: its error, or our advice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "\n".join(call().advice)
        except lme4py.Lme4pyError as error:
            return f"{type(error).__name__}: {error}"


def _all():
    for formula in FORMULAS:
        shown = repr(formula) if len(formula) < 60 else f"{formula[:40]!r} ... {len(formula)}"
        yield f"formula {shown}", lambda text=formula: lme4py.lformula(text, D)
    for name, data in DATA.items():
        yield f"data: {name}", lambda table=data: lme4py.lformula(GOOD, table)
    for name, given in ARGUMENTS.items():
        formula = "y ~ fun(x) + (1 | g)" if "env" in given else "y ~ x + f + (1 | g)"
        yield (
            f"argument: {name}",
            lambda text=formula, options=given: lme4py.lformula(text, D, **options),
        )
    for name, given in GENERALIZED.items():
        yield (
            f"glformula: {name}",
            lambda options=given: lme4py.glformula("lg ~ x + (1 | g)", D, **options),
        )
    for name, row in [*ADVICE.items(), *REMARKS.items()]:
        yield f"advice: {name}", row[0]


def _written():
    blocks = []
    for name, call in _all():
        lines = [f"    {line}".rstrip() for line in _spoken(call).splitlines()]
        blocks.append("\n".join([f"## {name}", *lines]))
    return "\n\n".join(blocks) + "\n"


def _parts(text):
    blocks = [block.partition("\n") for block in text.rstrip("\n").split("\n\n## ")]
    return {head.removeprefix("## "): body for head, _, body in blocks}


@pytest.fixture(scope="module")
def parts():
    return _parts(PATH.read_text(encoding="utf-8")), _parts(_written())


def test_texts(parts):
    stored, found = parts
    assert list(found) == list(stored)
    assert {name: text for name, text in found.items() if text != stored[name]} == {}


def test_all_say_something(parts):
    _, found = parts
    assert len(found) >= 250
    assert all(text.strip() for text in found.values())


def test_no_names_of_ours_or_pythons(parts):
    _, found = parts
    for name, text in found.items():
        for word in ("Traceback", "<lambda>", "KeyError", "IndexError", "dtype="):
            assert word not in text, name


def test_places_of_texts():
    messages = Messages()
    messages.warn("a")
    messages.warn("a")
    messages.change("b")
    messages.advise("c", Span("y ~ x", 4, 5))
    messages.remark("d")
    assert messages.texts == ["a", "b"]
    assert messages.ours == ["c\n  y ~ x\n      ^", "d"]


def test_each_once(caplog):
    messages = Messages()
    for _ in range(2):
        messages.warn("warning")
        messages.note("message")
        messages.change("columns")
        messages.advise("advice")
        messages.remark("remark")
    with caplog.at_level("DEBUG", logger="lme4py"), pytest.warns(lme4py.Lme4pyWarning) as told:
        messages.tell()
    assert [(str(entry.message), entry.category) for entry in told] == [
        ("warning", lme4py.Lme4pyWarning),
        ("columns", lme4py.Lme4pyMessage),
        ("advice", lme4py.Lme4pyAdvice),
    ]
    assert [(record.getMessage(), record.levelname) for record in caplog.records] == [
        ("message", "INFO"),
        ("columns", "INFO"),
    ]
    assert told[0].filename == __file__


def test_warnings_come_before_an_error():
    empty = pytest.raises(lme4py.DataError, match=r"0 \(non-NA\) cases")
    with pytest.warns(lme4py.Lme4pyWarning, match="NaNs produced"), empty:
        lme4py.lformula("y ~ log(x - 99) + (1 | g)", D)


if __name__ == "__main__":
    PATH.write_text(_written(), encoding="utf-8")
