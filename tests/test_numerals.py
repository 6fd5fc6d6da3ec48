"""Numbers as R writes them; expected texts from R 4.2.2."""

from __future__ import annotations

import numpy as np
import pytest

from lme4py.numerals import constant, label, labels

TABLE = [
    (0.0, "0"),
    (-0.0, "0"),
    (1.0, "1"),
    (-1.5, "-1.5"),
    (1e5, "1e+05"),
    (1e4, "10000"),
    (123456.0, "123456"),
    (120000.0, "120000"),
    (100000.1, "100000.1"),
    (1e-4, "1e-04"),
    (0.00012, "0.00012"),
    (1e15, "1e+15"),
    (2.0**53, "9007199254740992"),
    (0.1 + 0.2, "0.3"),
    (1 / 3, "0.333333333333333"),
    (1e-310, "9.99999999999997e-311"),
    (4.9e-324, "4.94065645841247e-324"),
    (1.7976931348623157e308, "1.79769313486232e+308"),
    (float("inf"), "Inf"),
    (float("-inf"), "-Inf"),
    (float("nan"), "NaN"),
    # ties in the sixteenth digit, which R settles in long double arithmetic
    (0.8854202371259705, "0.885420237125971"),
    (9.999999999999995e-12, "1e-11"),
    (9.662266163219405e39, "9.6622661632194e+39"),
    (2.989519003021805e-42, "2.98951900302181e-42"),
]


@pytest.mark.parametrize("value, text", TABLE)
def test_label_is_as_character(value: float, text: str) -> None:
    assert label(value) == text


def test_labels_of_a_mixed_array_are_the_labels_one_by_one() -> None:
    values = np.array([value for value, _ in TABLE])
    assert labels(values) == [text for _, text in TABLE]


def test_labels_of_no_values() -> None:
    assert labels(np.array([])) == []


@pytest.mark.parametrize(
    "value, text",
    [
        (0.6634179349967395, "0.66341793499674"),
        (7.053162093891904e-11, "7.05316209389190e-11"),
    ],
)
def test_constants_keep_a_zero_left_by_rounding(value: float, text: str) -> None:
    assert constant(value) == text


def test_whole_numbers_agree_with_the_general_rule() -> None:
    rng = np.random.default_rng(11)
    values = np.concatenate(
        [rng.integers(-(10**9), 10**9, 2000), 10 ** rng.integers(0, 15, 50) * 12]
    ).astype(float)
    assert labels(values) == [constant(value) for value in values]
