"""The response as fitting code receives it, against mkRespMod of lme4 1.1-31 (R 4.2.2)."""

from __future__ import annotations

import numpy as np
import pytest

import lme4py
from tests.rules import D, I, generalized, linear, said, with_columns

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")

THIRD = 1 / 3
# Call; y[1:3], weights[1:3], n[1:3] of mkRespMod(fr, family), and the family's mustart[1:3].
VALUES = {
    "cbind with weights": (
        lambda: generalized("cbind(h, 1) ~ x + (1|g)", weights="h"),
        ([0.75, 0.5, 2 / 3], [12, 2, 6], [4, 2, 3], [0.7, 0.5, 0.625]),
    ),
    "cbind": (
        lambda: generalized("cbind(h, 3 - h) ~ x + (1|g)"),
        ([1, THIRD, 2 / 3], [3, 3, 3], [3, 3, 3], [0.875, 0.375, 0.625]),
    ),
    "cbind with an empty row": (
        lambda: generalized("cbind(h - 1, h - 1) ~ x + (1|g)"),
        ([0.5, 0, 0.5], [4, 0, 2], [4, 0, 2], [0.5, 0.5, 0.5]),
    ),
    "cbind of logicals": (
        lambda: generalized("cbind(lg, !lg) ~ x + (1|g)"),
        ([1, 0, 0], [1, 1, 1], [1, 1, 1], [0.75, 0.25, 0.25]),
    ),
    "factor": (
        lambda: generalized("f ~ x + (1|g)"),
        ([0, 1, 1], [1, 1, 1], [1, 1, 1], [0.25, 0.75, 0.75]),
    ),
    "ordered": (
        lambda: generalized("o ~ x + (1|g)"),
        ([0, 1, 1], [1, 1, 1], [1, 1, 1], [0.25, 0.75, 0.75]),
    ),
    "logical": (
        lambda: generalized("lg ~ x + (1|g)"),
        ([1, 0, 0], [1, 1, 1], [1, 1, 1], [0.75, 0.25, 0.25]),
    ),
    "share and size": (
        lambda: generalized("h/3 ~ x + (1|g)", weights=np.full(24, 3.0)),
        ([1, THIRD, 2 / 3], [3, 3, 3], [1, 1, 1], [0.875, 0.375, 0.625]),
    ),
    "zero weights": (
        lambda: generalized("I(y > 2) ~ x + (1|g)", weights="h - 1"),
        ([1, 0, 1], [2, 0, 1], [1, 1, 1], [2.5 / 3, 0.5, 0.75]),
    ),
    "poisson": (
        lambda: generalized("h ~ x + (1|g)", family="poisson"),
        ([3, 1, 2], [1, 1, 1], [1, 1, 1], [3.1, 1.1, 2.1]),
    ),
    "poisson of logicals": (
        lambda: generalized("lg ~ x + (1|g)", family="poisson"),
        ([1, 0, 0], [1, 1, 1], [1, 1, 1], [1.1, 0.1, 0.1]),
    ),
    "Gamma": (
        lambda: generalized("x ~ z + (1|g)", family="Gamma"),
        ([0.5, 1, 1.5], [1, 1, 1], [1, 1, 1], [0.5, 1, 1.5]),
    ),
    "inverse gaussian": (
        lambda: generalized("x ~ z + (1|g)", family="inverse.gaussian"),
        ([0.5, 1, 1.5], [1, 1, 1], [1, 1, 1], [0.5, 1, 1.5]),
    ),
    "log gaussian": (
        lambda: generalized("x ~ z + (1|g)", family="gaussian(link='log')"),
        ([0.5, 1, 1.5], [1, 1, 1], [1, 1, 1], [0.5, 1, 1.5]),
    ),
    "one-column matrix": (
        lambda: linear("cbind(y) ~ z + (1|g)"),
        ([3.5, 1.5, 5], [1, 1, 1], [1, 1, 1], None),
    ),
    "linear": (
        lambda: linear("y ~ x + (1|g)", weights="x", offset="z"),
        ([3.5, 1.5, 5], [0.5, 1, 1.5], [1, 1, 1], None),
    ),
    "linear logical": (
        lambda: linear("lg ~ x + (1|g)"),
        ([1, 0, 0], [1, 1, 1], [1, 1, 1], None),
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    call, (y, weights, trials, mustart) = VALUES[name]
    found = call().response
    for ours, theirs in ((found.y, y), (found.weights, weights), (found.trials, trials)):
        assert ours.shape == (24,)
        np.testing.assert_allclose(ours[:3], theirs, rtol=1e-15)
    if mustart is None:
        assert found.mustart is None
    else:
        np.testing.assert_allclose(found.mustart[:3], mustart, rtol=1e-14)


def test_the_raw_response_is_kept():
    design = generalized("cbind(h, 3 - h) ~ x + (1|g)")
    assert design.y.shape == (24, 2)
    assert design.response is design.response
    assert design.weights is None


def test_starting_values_and_offset():
    found = generalized("I(y > 2) ~ x + (1|g)", offset="x", mustart="x/20", etastart="z/9").response
    np.testing.assert_allclose(found.offset, D.x)
    np.testing.assert_allclose(found.mustart, D.x / 20)
    np.testing.assert_allclose(found.etastart, D.z / 9)
    assert linear("y ~ (1|g)").response.offset.tolist() == [0.0] * 24


FAULTS = {
    "two columns of parts": (
        lambda: generalized("cbind(h/3, 1) ~ x + (1|g)"),
        "W: non-integer counts in a binomial glm!",
    ),
    "three columns": (
        lambda: generalized("cbind(h, 1, 2 + z) ~ x + (1|g)"),
        (
            "E: for the 'binomial' family, y must be a vector of 0 and 1's\n"
            "or a 2 column matrix where col 1 is no. successes and col 2 is no. failures"
        ),
    ),
    "above one": (lambda: generalized("h ~ (1|g)"), "E: y values must be 0 <= y <= 1"),
    "below zero": (lambda: generalized("z ~ (1|g)"), "E: y values must be 0 <= y <= 1"),
    "negative counts": (
        lambda: generalized("cbind(z, 1 + 0 * x) ~ (1|g)"),
        "E: negative counts in a binomial response",
    ),
    "text": (lambda: generalized("s ~ (1|g)"), "E: response must be numeric or factor"),
    "date": (
        lambda: generalized("d ~ (1|g)", with_columns(d=np.datetime64("2020-01-01") + I)),
        "E: response must be numeric or factor",
    ),
    "factor for counts": (
        lambda: generalized("f ~ (1|g)", family="poisson"),
        "E: response must be numeric",
    ),
    "zero for Gamma": (
        lambda: generalized("y ~ (1|g)", family="Gamma"),
        "E: non-positive values not allowed for the 'Gamma' family",
    ),
    "zero for inverse gaussian": (
        lambda: generalized("y ~ (1|g)", family="inverse.gaussian"),
        "E: positive values only are allowed for the 'inverse.gaussian' family",
    ),
    "zero for log gaussian": (
        lambda: generalized("y ~ (1|g)", family="gaussian(link='log')"),
        "E: cannot find valid starting values: please specify some",
    ),
    "zero for inverse gaussian link": (
        lambda: generalized("y ~ (1|g)", family="gaussian(link='inverse')"),
        "E: cannot find valid starting values: please specify some",
    ),
    "two columns, linear": (
        lambda: linear("cbind(y, x) ~ (1|g)"),
        "E: response must be numeric: one column, not 2",
    ),
    "one-sided": (
        lambda: linear("~ x + (1|g)", control={"check.formula.LHS": "ignore"}),
        "E: the formula has no response",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name):
    call, expected = FAULTS[name]
    design = call()
    assert said(lambda: design.response)[:1] == [expected]


def test_starting_values_help_where_the_family_finds_none():
    design = generalized("y ~ (1|g)", family="gaussian(link='log')", mustart="y + 1")
    assert design.response.mustart[0] == 4.5


def test_default_family():
    assert generalized("lg ~ (1|g)").family == lme4py.Family("binomial", "logit")
    assert generalized("y ~ (1|g)", family="gaussian").family is None
