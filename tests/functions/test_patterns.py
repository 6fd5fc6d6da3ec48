"""Regular expressions: what is refused, what needs the package, and that none takes long.

What they match is compared with R's answers in fixtures/functions/search.tsv.
"""

import sys

import pytest

import lme4py
from lme4py.errors import DataError
from lme4py.functions.text import Pattern

DATA = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "g": ["a+", "b2", "a+", "b2", "a+", "b2"]}


def build(call):
    return lme4py.lformula(f"y ~ {call} + (1 | g)", DATA)


@pytest.mark.parametrize("text", ["a+?", "a*?b", "a**", "(ab){2}", "a(?=b)", "a{2", "a{1,300}"])
def test_what_tre_reads_by_rules_of_its_own(text):
    with pytest.raises(DataError, match="is not supported without perl = TRUE"):
        Pattern(text)


@pytest.mark.parametrize("text", ["(", "a)", "*a", "{1}", "[a", "\\", "[b-a]", "a{3,1}", "(a)\\2"])
def test_no_regular_expression(text):
    with pytest.raises(DataError) as caught:
        Pattern(text)
    assert caught.value.message.startswith(f"invalid regular expression '{text}': ")


def test_an_empty_match_beside_another_one():
    """PCRE under R leaves out the letter after an empty match, the package does not."""
    with pytest.raises(DataError, match="two matches in one place"):
        Pattern("a||b", perl=True).replaced("cb", lambda _: "#", every=True)


@pytest.mark.parametrize("perl", [False, True])
def test_what_takes_too_long_is_an_error(perl, monkeypatch):
    monkeypatch.setattr("lme4py.functions.text._SECONDS", 0.05)
    with pytest.raises(DataError, match="takes too long on these texts"):
        Pattern("(a|a|aa)*$", perl=perl).occurs("a" * 5000 + "c")


def test_a_long_pattern_is_refused():
    with pytest.raises(DataError, match="more than 2000 letters"):
        Pattern("a" * 3000)


def test_plain_text_needs_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "regex", None)
    for plain in ("grepl('a', g)", "grepl('a+', g, fixed = TRUE)", "gsub('a', 'b', g)"):
        build(f"{plain}")
    with pytest.raises(lme4py.Lme4pyError, match=r"pip install -e '\.\[regex\]'"):
        build("grepl('^a', g)")


def test_a_group_that_tre_fills_by_rules_of_its_own():
    with pytest.raises(lme4py.Lme4pyError, match="perl = TRUE"):
        build("sub('(a|b)', '<\\\\1>', g)")
    assert build("sub('(a|b)', '<\\\\1>', g, perl = TRUE)") is not None
