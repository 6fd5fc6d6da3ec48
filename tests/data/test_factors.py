"""Factors and interactions of groups against the rules of R 4.2.2 and lme4 1.1-31."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lme4py.data.collation import Collation
from lme4py.data.factors import as_factor, distinct, drop_unused, factor_of, interaction_of
from lme4py.data.values import Character, Factor, Null, Numeric
from lme4py.errors import DataError

ICU = Collation("icu")
DOUBLES = Numeric(np.array([10, 9, 0.3, 0.1 + 0.2, 1 / 3, -0.0, 0.0, np.nan]), "double")


def words(*values):
    pool = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else pool.index(value) for value in values]
    return Character(np.array(codes, dtype=np.int32), pool)


def shown(factor):
    return [None if code < 0 else factor.levels[code] for code in factor.codes]


# What R says the levels are.
@pytest.mark.parametrize(
    "value,levels",
    [
        (DOUBLES, ("0", "0.3", "0.333333333333333", "9", "10")),
        (Numeric(np.array([100000, 1]), "integer"), ("1", "100000")),
        (Numeric(np.array([100000.0, 1.0]), "double"), ("1", "1e+05")),
        (Numeric(np.array([1.0, np.nan]), "logical"), ("TRUE",)),
        (Numeric(np.array([True, False]), "logical"), ("FALSE", "TRUE")),
        (Numeric(np.array([-np.inf, np.inf, 1]), "double"), ("-Inf", "1", "Inf")),
        (Numeric(np.array([18293.0, 18261.0]), "double", "Date"), ("2019-12-31", "2020-02-01")),
        (
            Numeric(np.array([0.0, 3600.0]), "double", "POSIXct"),
            ("1970-01-01", "1970-01-01 01:00:00"),
        ),
        (
            Numeric(np.array([0.25, 86399.999999, 5.0]), "double", "POSIXct"),
            ("1970-01-01 00:00:00.25", "1970-01-01 00:00:05", "1970-01-01 23:59:59.999999"),
        ),
        (Numeric(np.array([0.0, 86400.0]), "double", "POSIXct"), ("1970-01-01", "1970-01-02")),
        (Numeric(np.array([1.0, 1e5]), "double", "secs"), ("1", "1e+05")),
        (words("s2", "B", "s10", None, "b", "_"), ("_", "b", "B", "s10", "s2")),
        (Character(np.array([2, 0], dtype=np.int32), ("z", "unused", "a")), ("a", "z")),
        (Factor(np.array([0, 2], dtype=np.int32), ("z", "q", "a")), ("z", "a")),
        (Factor(np.array([0, 1], dtype=np.int32), ("z", None)), ("z",)),
        (Numeric(np.array([], dtype=np.float64), "double"), ()),
    ],
)
def test_levels(value, levels):
    assert factor_of(value, ICU).levels == levels


def test_labels_that_print_alike_are_one_level():
    assert factor_of(DOUBLES, ICU).codes.tolist() == [4, 3, 1, 1, 2, 0, 0, -1]


def test_code_point_order():
    assert factor_of(words("b", "B", "a"), Collation("C")).levels == ("B", "a", "b")


def test_ordered_stays_ordered_and_as_factor_changes_nothing():
    factor = Factor(np.array([1], dtype=np.int32), ("lo", "hi"), ordered=True)
    assert factor_of(factor, ICU).ordered
    assert as_factor(factor, ICU) is factor


def test_drop_unused_keeps_contrasts_only_if_nothing_goes():
    full = Factor(np.array([1, 0], dtype=np.int32), ("a", "b"), contrasts="contr.sum")
    assert drop_unused(full) is full
    part = Factor(np.array([1, -1], dtype=np.int32), ("a", "b"), contrasts="contr.sum")
    assert drop_unused(part).levels == ("b",)
    assert drop_unused(part).contrasts is None
    assert drop_unused(part).codes.tolist() == [0, -1]


def test_null_is_no_factor():
    with pytest.raises(DataError):
        factor_of(Null(), ICU)


@given(st.lists(st.floats(width=16) | st.integers(-5, 5).map(float), max_size=40))
def test_distinct_gives_the_values_back(values):
    array = np.array(values, dtype=np.float64)
    found, codes = distinct(array)
    assert (np.diff(found) > 0).all()
    np.testing.assert_array_equal(np.append(found, np.nan)[codes], array)


# lme4:::`%i%` in lme4 1.1-31
@pytest.mark.parametrize(
    "parts,levels,rows",
    [
        (
            [("b", "a", "b"), ("y", "x", "x")],
            ("a:x", "b:x", "b:y"),
            ["b:y", "a:x", "b:x"],
        ),
        ([("a:b", "a"), ("c", "b:c")], ("a:b:c",), ["a:b:c", "a:b:c"]),
        ([("a", "b"), ("x", "x"), ("v", "u")], ("a:x:v", "b:x:u"), ["a:x:v", "b:x:u"]),
    ],
)
def test_interaction(parts, levels, rows):
    found = reduce(interaction_of, [factor_of(words(*part), ICU) for part in parts])
    assert found.levels == levels
    assert shown(found) == rows


def test_numeric_groups_keep_their_order():
    v = factor_of(Numeric(np.array([10.0, 9.0, 1e5]), "double"), ICU)
    k = factor_of(words("u", "u", "u"), ICU)
    assert interaction_of(v, k).levels == ("9:u", "10:u", "1e+05:u")


def test_missing_parts():
    left = factor_of(words("u", None, "v", "u"), ICU)
    right = factor_of(words("u", "u", "v", None), ICU)
    kept = interaction_of(left, right)
    assert kept.levels == ("u:u", "v:v", "NA:u", "u:NA")
    assert shown(kept) == ["u:u", "NA:u", "v:v", "u:NA"]


def test_interaction_needs_factors_of_one_length():
    one, two = factor_of(words("a"), ICU), factor_of(words("a", "b"), ICU)
    with pytest.raises(DataError, match="variable lengths differ"):
        interaction_of(one, two)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=30))
def test_interaction_is_dense_and_in_order(pairs):
    codes = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    a = Factor(codes[:, 0].copy(), tuple("vwxyz"))
    b = Factor(codes[:, 1].copy(), tuple("4321"))
    found = interaction_of(a, b)
    assert list(found.levels) == [f"{'vwxyz'[p]}:{'4321'[q]}" for p, q in sorted(set(pairs))]
    assert shown(found) == [f"{'vwxyz'[p]}:{'4321'[q]}" for p, q in pairs]
