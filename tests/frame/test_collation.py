"""The order of text against R 4.2.2 (ICU 72, locale C.UTF-8)."""

from __future__ import annotations

import random

import pytest

from lme4py.errors import DataError, Lme4pyAdvice
from lme4py.frame import collation
from lme4py.frame.collation import Collation

# paste(sort(strsplit(rawToChar(as.raw(32:126)), "")[[1]]), collapse = "")
R_PRINTABLE = (
    " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
    "aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"
)


def shuffled(texts: list[str]) -> list[str]:
    random.Random(1).shuffle(texts)
    return texts


def test_printable_ascii_order() -> None:
    assert "".join(Collation("icu").sort(shuffled(list(R_PRINTABLE)))) == R_PRINTABLE


@pytest.mark.parametrize(
    "expected",
    [
        ["_", "a", "A", "a b", "ab", "Ab", "b", "B", "s10", "s2", "z"],
        ["ab", "aB", "Ab", "AB", "aba", "abA", "ABA"],
        ["", "-", "-1", "1", "1.5", "10", "2"],
        ["a 1", "a_1", "a-1", "a.1", "a1", "A1"],
    ],
)
def test_ascii_words(expected: list[str]) -> None:
    assert Collation("icu").sort(shuffled(list(expected))) == expected


def test_accents_break_ties_of_letters() -> None:
    pytest.importorskip("pyuca")
    expected = ["_", "a", "A", "a b", "ab", "Ab", "b", "B", "\u00e9", "s10", "s2", "z"]
    assert Collation("icu").sort(shuffled(list(expected))) == expected


def test_code_points() -> None:
    assert Collation("C").sort(["ab", "a b", "_", "Ab", "a"]) == ["Ab", "_", "a", "a b", "ab"]


def test_order_is_stable_and_keys_agree_with_it() -> None:
    texts = ["b", "a", "b", "B", "a"]
    assert Collation().order(texts) == [1, 4, 0, 2, 3]
    assert sorted(texts, key=Collation().key) == Collation().sort(texts)


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="unknown collation 'POSIX'"):
        Collation("POSIX")


def test_without_a_library_the_approximation_is_announced_once(monkeypatch):
    monkeypatch.setattr(collation.importlib.util, "find_spec", lambda _name: None)
    collation._general_key.cache_clear()
    try:
        with pytest.warns(Lme4pyAdvice, match=r"\.\[collation\]"):
            found = Collation().sort(["f", "é", "e"])
        assert found == ["e", "é", "f"]
        # A second warning would fail the test.
        assert Collation().sort(["b", "ä"]) == ["ä", "b"]
    finally:
        collation._general_key.cache_clear()
