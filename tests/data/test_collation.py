"""The order of text against R 4.2.2 (ICU 72, locale C.UTF-8)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lme4py.data import collation
from lme4py.data.collation import Collation
from lme4py.errors import DataError

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "collation"

# paste(sort(strsplit(rawToChar(as.raw(32:126)), "")[[1]]), collapse = "")
R_PRINTABLE = (
    " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
    "aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"
)


def shuffled(texts: list[str]) -> list[str]:
    random.Random(1).shuffle(texts)
    return texts


def recorded(name: str) -> list[str]:
    return (FOLDER / name).read_text(encoding="utf-8").split("\n")[:-1]


def test_printable_ascii_order() -> None:
    assert "".join(Collation("icu").sort(shuffled(list(R_PRINTABLE)))) == R_PRINTABLE


@pytest.mark.parametrize(
    "expected",
    [
        ["_", "a", "A", "a b", "ab", "Ab", "b", "B", "s10", "s2", "z"],
        ["ab", "aB", "Ab", "AB", "aba", "abA", "ABA"],
        ["", "-", "-1", "1", "1.5", "10", "2"],
        ["a 1", "a_1", "a-1", "a.1", "a1", "A1"],
        ["_", "a", "A", "a b", "ab", "Ab", "b", "B", "\u00e9", "s10", "s2", "z"],
    ],
)
def test_words(expected: list[str]) -> None:
    assert Collation("icu").sort(shuffled(list(expected))) == expected


def test_texts_of_39_languages() -> None:
    assert Collation().sort(recorded("words.txt")) == recorded("ordered.txt")


def test_ascii_alone_is_ordered_as_it_is_among_other_text() -> None:
    texts = [text for text in recorded("words.txt") if text.isascii()]
    assert len(texts) > 200
    assert Collation().sort(texts) == [text for text in recorded("ordered.txt") if text.isascii()]


def test_code_points() -> None:
    assert Collation("C").sort(["ab", "a b", "_", "Ab", "a"]) == ["Ab", "_", "a", "a b", "ab"]


def test_order_is_stable() -> None:
    assert Collation().order(["b", "a", "b", "B", "a"]) == [1, 4, 0, 2, 3]
    assert Collation().order([]) == []


def test_no_character_of_a_broken_text_is_lost() -> None:
    broken = ["b\udfff", "\ud800", "a"]
    assert Collation().sort(broken) == ["\ud800", "a", "b\udfff"]


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="unknown collation 'POSIX'"):
        Collation("POSIX")


def test_swedish() -> None:
    pytest.importorskip("icu", reason="the order of a locale needs PyICU")
    assert Collation("sv").sort(recorded("words.txt")) == recorded("ordered-sv.txt")


def test_a_locale_without_pyicu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(collation, "import_module", missing)
    collation._of_locale.cache_clear()
    with pytest.raises(DataError, match=r"'sv'(.|\n)*PyICU(.|\n)*\.\[locales\]"):
        Collation("sv")
