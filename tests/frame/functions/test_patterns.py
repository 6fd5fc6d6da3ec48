"""Regular expressions: what is refused, and that no pattern takes long.

What they match is compared with R's answers in fixtures/functions/search.tsv.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lme4py.errors import DataError
from lme4py.frame.functions.patterns import matcher
from lme4py.frame.functions.patterns.matcher import compile_pattern
from tests.bounded import bounded_work


@pytest.mark.parametrize(
    "text",
    [
        "a\\b",
        "\\<a",
        "(?i)a",
        "a(?=b)",
        "a+?",
        "a*?b",
        "[[:foo:]]",
        "[[.a.]]",
        "*a",
        "{1}",
        "^*",
        "a)",
        "(ab){2}",
        "\\1",
        "a{,2}",
        "(" * 60 + "a" + ")" * 60,
        "((a{200}){200}){200}",
        "a" * 3000,
    ],
)
def test_outside_the_part_supported(text):
    with pytest.raises(DataError):
        compile_pattern(text)


@pytest.mark.parametrize(
    "text,reason",
    [
        ("(", "Missing ')'"),
        ("[a", "Missing ']'"),
        ("a{2", "Missing '}'"),
        ("a**", "Invalid use of repetition operators"),
        ("\\", "Trailing backslash"),
        ("[b-a]", "Invalid character range"),
        ("a{3,1}", "Invalid contents of {}"),
    ],
)
def test_no_regular_expression_in_the_words_of_r(text, reason):
    with pytest.raises(DataError) as caught:
        compile_pattern(text)
    assert caught.value.message == f"invalid regular expression '{text}', reason '{reason}'"


_ENDLESS = ["(a*)*b", "(a|a)*b", "(a|aa)+b", "a?" * 30 + "a" * 30 + "b", ".*.*.*=x"]


@pytest.mark.parametrize("text", _ENDLESS)
@pytest.mark.parametrize("perl", [False, True])
def test_what_takes_others_for_ever_is_quick(text, perl):
    with bounded_work(calls=200_000):
        pattern = compile_pattern(text, perl=perl)
        assert not pattern.found_in("a" * 5000 + "c")
        assert pattern.match("a" * 5000 + "c") is None


def test_what_takes_too_long_all_the_same_is_an_error(monkeypatch):
    monkeypatch.setattr(matcher, "_MOST_STEPS", 200_000)
    with pytest.raises(DataError, match="takes too long"):
        compile_pattern("(a?){200}b", perl=True).replaced("a" * 900 + "b", lambda *_: "", True)


_PIECES = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "(a)", "(b|ab)", "a*", "b+", "a?", "(ab)*", "^", "$", "b{1,2}"]
)


@given(st.lists(_PIECES, min_size=1, max_size=5), st.text("abc", max_size=8))
def test_with_perl_it_matches_as_python_does(pieces, text):
    """PCRE and Python agree on these; both take the first match in the order of writing."""
    source = "".join(pieces)
    found = re.search(source, text)
    pattern = compile_pattern(source, perl=True)
    assert pattern.found_in(text) == (found is not None)
    match = pattern.match(text)
    if found is None:
        assert match is None
    else:
        groups = [found.span(group) for group in range(pattern.groups + 1)]
        assert match == tuple(end for span in groups for end in span)
