"""Arguments mean what they mean in R 4.2.2: (function(x, ab, ac, ...) ...)(...)."""

import pytest

import lme4py
from lme4py.formula.syntax import match_arguments

FORMALS = ("x", "ab", "ac", "...")


def test_whole_names_come_before_beginnings_of_names():
    # (function(x, ab, ac, ...) list(ab, ac))(1, a = 3, ab = 4)
    found, left = match_arguments("f", FORMALS, [(None, 1), ("a", 3), ("ab", 4)])
    assert found == {"x": 1, "ab": 4, "ac": 3}
    assert left == []


def test_what_fits_nothing_is_left():
    given = [("q", 1), (None, 2), ("a.", 3), (None, 4), (None, 5), (None, 6)]
    assert match_arguments("f", FORMALS, given) == (
        {"x": 2, "ab": 4, "ac": 5},
        [("q", 1), ("a.", 3), (None, 6)],
    )


@pytest.mark.parametrize(
    "given, message",
    [
        ([("ab", 1), ("ab", 2)], 'formal argument "ab" matched by multiple actual arguments'),
        ([("ac", 0), ("a", 1), ("a", 2)], 'formal argument "ab" matched by multiple actual'),
        ([("a", 1)], "matches multiple formal arguments"),
    ],
)
def test_two_for_one_are_refused_in_rs_words(given, message):
    with pytest.raises(lme4py.DataError, match=message):
        match_arguments("f", FORMALS, given)


def test_a_beginning_of_a_name_means_what_no_whole_name_has_taken():
    # matrix(1:4, n = 2, ncol = 2)
    data = {"y": [1.0, 3, 2, 4], "g": ["a", "a", "b", "b"], "x": [1.0, 2, 3, 5]}
    texts = ("matrix(x, n = 4, ncol = 1)", "matrix(x, nrow = 4, ncol = 1)")
    one, two = (lme4py.model_matrix(f"y ~ {text}", data).X.tolist() for text in texts)
    assert one == two
    with pytest.raises(lme4py.DataError, match='"link" matched by multiple actual arguments'):
        lme4py.glformula("y ~ 1 + (1 | g)", data, family='binomial(link="logit", link="probit")')
