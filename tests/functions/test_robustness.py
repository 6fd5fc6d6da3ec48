"""Whatever a function is given: a value of the promised form, or an error of ours."""

import random

import numpy as np
import pytest

import lme4py
from lme4py.data.collation import Collation
from lme4py.data.columns import Columns
from lme4py.data.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
)
from lme4py.errors import Lme4pyError
from lme4py.formula.parse import parse
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.functions import table
from lme4py.functions.table import Context, Dot

CALLS = 40


def _codes(*codes):
    return np.array(codes, dtype=np.int32)


VALUES = (
    Numeric(np.array([1, 2.5, -3, 0, np.nan, 1e6]), "double"),
    Numeric(np.array([1e300, np.inf, -np.inf]), "double"),
    Numeric(np.array([1.0]), "double"),
    Numeric(np.empty(0), "double"),
    Numeric(np.array([3, -2, 7, 0, 100000, 35]), "integer"),
    Numeric(np.array([3, np.nan, -1]), "integer"),
    Numeric(np.array([-1]), "integer"),
    Numeric(np.array([True, False]), "logical"),
    Numeric(np.array([np.nan]), "logical"),
    Numeric(np.array([18000.0, np.nan]), "double", "Date"),
    Numeric(np.array([1e15, np.inf]), "double", "Date"),
    Numeric(np.array([1e9, 18000.5]), "double", "POSIXct"),
    Numeric(np.array([1.5, np.nan]), "double", "mins"),
    Matrix(np.array([[1.0, 2], [np.nan, 4], [5, 6]]), ("a", "b")),
    Matrix(np.empty((0, 2))),
    Character(_codes(0, -1, 1, 0), ("a", "2020-01-01")),
    Character(_codes(-1), ()),
    Character(_codes(), ()),
    Factor(_codes(0, 1, -1, 1), ("a", "b")),
    Factor(_codes(0, 1), ("a", None)),
    Factor(_codes(), ("a",)),
    Factor(_codes(0, 2, -1), ("lo", "mid", "hi"), ordered=True),
    Null(),
    FunctionName("log"),
)


def _check_form(value):
    match value:
        case Numeric(values=values, kind=kind):
            missing = values.dtype.kind == "f" and np.isnan(values).any()
            exact = {"logical": np.bool_, "integer": np.int64, "double": np.float64}[kind]
            assert values.ndim == 1
            assert values.dtype == (np.float64 if missing else exact)
        case Matrix(values=values, names=names):
            assert values.ndim == 2
            assert values.dtype == np.float64
            assert names is None or len(names) == values.shape[1]
        case Character(codes=codes, pool=pool) | Factor(codes=codes, levels=pool):
            assert codes.dtype == np.int32
            assert codes.min(initial=-1) >= -1
            assert codes.max(initial=-1) < len(pool)
            assert len(set(pool)) == len(pool)


@pytest.mark.parametrize("name", table.names())
def test_any_arguments_give_a_value_or_our_error(name):
    entry = table.lookup(name)
    choose = random.Random(name)
    for _ in range(CALLS):
        chosen = [
            formal
            for formal in entry.formals
            if formal != "..." and (formal in entry.required or choose.random() < 0.3)
        ]
        given = {formal: choose.choice(VALUES) for formal in chosen}
        given["context"] = Context(6, Collation("icu"), lambda _: None)
        if "..." in entry.formals:
            given["dots"] = tuple(
                Dot(None, choose.choice(VALUES)) for _ in range(choose.randint(0, 3))
            )
        try:
            value = entry.compute(**given)
        except Lme4pyError:
            continue
        _check_form(value[0] if entry.role == "basis" else value)


@pytest.mark.parametrize(
    "call",
    [
        "factor(1:400000)",
        "factor(x, labels = x)",
        "factor(x, levels = x)",
        "factor(x, exclude = x)",
        "ordered(x)",
    ],
)
def test_factors_of_many_levels_take_a_linear_number_of_steps(call):
    """Every level beside every other would be 10^11 comparisons: hours."""
    many = np.arange(400_000)
    columns = Columns({"x": many})
    scope = Scope(columns, {}, Context(many.size, Collation("icu"), lambda _: None))
    value = evaluate(parse(call), scope).value
    assert len(value.levels) == (0 if "exclude" in call else many.size)


KNOTS_ON_A_BOUNDARY = {
    "knots = c(0.5, 1)": [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.59375, 0.25, 0.03125, 0.0, 0.0],
        [0.25, 0.5, 0.25, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
    ],
    "knots = c(0, 0.5)": [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.125, 0.59375, 0.25, 0.03125, 0.0],
        [0.0, 0.25, 0.5, 0.25, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ],
    "knots = c(0.5, 1), degree = 1": [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [0, 1, 0]],
}


@pytest.mark.parametrize("given", KNOTS_ON_A_BOUNDARY)
def test_knots_on_a_boundary(given):
    """As R 4.2.2 and R 4.6.1 print it; scipy's basis has zeros in the last row."""
    columns = Columns({"x": [0.0, 0.25, 0.5, 1.0]})
    scope = Scope(columns, {}, Context(4, Collation("icu"), lambda _: None))
    found = evaluate(parse(f"bs(x, {given}, Boundary.knots = c(0, 1))"), scope)
    np.testing.assert_allclose(found.value.values, KNOTS_ON_A_BOUNDARY[given], atol=1e-15)


@pytest.mark.parametrize(
    "named, placed",
    [
        ("plogis(q = x)", "plogis(x)"),
        ("qlogis(p = x)", "qlogis(x)"),
        ("qnorm(p = x)", "qnorm(x)"),
        ("is.element(el = x, set = c(0.5, 0.2))", "I(x %in% c(0.5, 0.2))"),
    ],
)
def test_arguments_have_rs_names(named, placed):
    """R: names(formals(plogis)), names(formals(is.element)), ..."""
    data = {"x": [0.1, 0.5, 0.9, 0.2]}
    one, two = (lme4py.model_matrix(f"~ {text}", data).X.tolist() for text in (named, placed))
    assert one == two
