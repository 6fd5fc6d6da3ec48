"""A finished design keeps its numbers, whatever happens to the data it was made of."""

from __future__ import annotations

import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import lme4py
from tests.benchmarks.digests import digest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

ROWS = 40
FORMULA = "y ~ x + I(i) + n + k + offset(o) + (1 + x | g) + (1 | h)"
NEW = {"x": [0.5], "i": [3], "n": [0.1], "k": [2.0], "o": [0.0], "g": ["1"], "h": ["p"]}


def numbers():
    """Return columns, each an array of numpy on memory of its own."""
    random = np.random.default_rng(1)
    doubles = {name: random.standard_normal(ROWS) for name in ("y", "x", "n", "k", "o")}
    return doubles | {
        "w": random.random(ROWS) + 0.5,
        "i": random.integers(0, 9, ROWS),
        "g": random.integers(0, 5, ROWS).astype(str),
        "h": np.array(list("pqrs") * (ROWS // 4)),
    }


def frame_of(columns):
    """Return a pandas frame with numpy's, nullable and categorical columns."""
    codes = columns["g"].astype(np.int32)
    # So many levels have codes of 32 bits, which are taken as they are.
    return (
        pd.DataFrame(columns)
        .assign(
            n=columns["n"].astype(object),
            k=pd.array(columns["k"], dtype="Float64"),
            g=pd.Categorical.from_codes(codes, [str(level) for level in range(40_000)]),
        )
        .astype({"n": "float64"})
    )


def overwrite(columns):
    """Write to every array."""
    for column in columns.values():
        column[:] = np.roll(column, 7)


def by_loc(frame):
    for name in frame.columns:
        frame.loc[:, name] = frame[name].to_numpy()[::-1].copy()


def by_iloc(frame):
    for place in range(frame.shape[1]):
        frame.iloc[3, place] = frame.iloc[5, place]


def by_at(frame):
    for name in frame.columns:
        frame.at[3, name] = frame.at[5, name]


def by_operator(frame):
    for name in "yxnkow":
        frame[name] /= 1000


def by_series(frame):
    for name in frame.columns:
        column = frame[name]
        # Before pandas 3 a column may be one of the frame, of which pandas then warns.
        with warnings.catch_warnings(action="ignore"):
            column[column.index[3]] = column.iloc[5]


def by_values(frame):
    for name in "yxnow":
        values = frame[name].to_numpy()
        if values.flags.writeable:  # before pandas 3.0
            values[:] = 0


def by_methods(frame):
    frame.insert(0, "first", 1.0)
    frame.pop("y")
    frame.index = frame.index[::-1]


FRAMES = (by_loc, by_iloc, by_at, by_operator, by_series, by_values, by_methods)
# Name: the data made of numpy's columns, and what changes them, given the columns and the data.
FORMS = {
    "dict": (dict, lambda columns, _: overwrite(columns)),
    "dict, emptied": (dict, lambda _, data: data.clear()),
    "lists": (
        lambda columns: {name: column.tolist() for name, column in columns.items()},
        lambda _, data: [column.reverse() for column in data.values()],
    ),
    "masked": (
        lambda columns: {name: np.ma.array(column) for name, column in columns.items()},
        lambda columns, _: overwrite(columns),
    ),
    "series": (
        lambda columns: {name: pd.Series(column) for name, column in columns.items()},
        lambda _, data: overwrite(data),
    ),
    "pyarrow": (pa.table, lambda columns, _: overwrite(columns)),
    "polars": (pl.DataFrame, lambda columns, _: overwrite(columns)),
    "polars, by itself": (
        pl.DataFrame,
        lambda _, data: [data[name].__setitem__(3, data[name][5]) for name in data.columns],
    ),
    "polars of arrow": (
        lambda columns: pl.from_arrow(pa.table(columns)),
        lambda columns, _: overwrite(columns),
    ),
    **{
        f"pandas {change.__name__}": (frame_of, lambda _, data, change=change: change(data))
        for change in FRAMES
    },
}
MOMENTS = {
    "before the views": lambda _: None,
    "after the views": lambda design: (design.frame, design.response, design.spec, design.Zt),
}


def everything(design, folder):
    """Return a digest of the design, its views, what it computes of new rows, and its file."""
    rows, response = design.spec.apply(NEW), design.response
    design.save(folder / "design.npz")
    saved = lme4py.load(folder / "design.npz")
    text = repr(
        (
            [array.tobytes() for array in (rows.X, rows.Zt.toarray())],
            [array.tobytes() for array in (response.y, response.weights, response.offset)],
            digest(saved),
            [(cluster.X.tobytes(), cluster.y.tobytes()) for cluster in design.clusters("g")],
        )
    )
    return digest(design), hashlib.sha256(text.encode()).hexdigest()


def build(data, weights="w"):
    return lme4py.lformula(FORMULA, data, weights=weights)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("form", FORMS)
def test_no_change_of_the_data_reaches_a_design(form, moment, tmp_path):
    make, change = FORMS[form]
    expected = everything(build(make(numbers())), tmp_path)
    columns = numbers()
    data = make(columns)
    design = build(data)
    MOMENTS[moment](design)

    change(columns, data)

    assert everything(design, tmp_path) == expected


@pytest.mark.parametrize("form", ["dict", "masked", "series", "pyarrow", "polars"])
def test_no_design_changes_the_data(form):
    columns = numbers()
    data = FORMS[form][0](columns)
    design = build(data, columns["w"])
    design.X[:] = 0
    design.Zt.data[:] = 0
    design.frame.loc[:, "x"] = 0.0
    for array in (design.y, design.weights, design.offset):
        assert not array.flags.writeable

    for name, column in numbers().items():
        np.testing.assert_array_equal(columns[name], column)


def test_arguments_beside_the_data_may_change_too():
    given = {"knots": np.array([-0.2, 0.2]), "z": numbers()["x"] ** 2, "few": np.array([2, 3, 4])}
    coding = np.array([[1.0], [-1.0]])
    data = numbers() | {"f": list("uv") * (ROWS // 2)}

    def design(env, coding, weights):
        return lme4py.lformula(
            "y ~ f + splines::ns(x, knots = knots) + z + i + (1 | factor(i %in% few)) + (1 | g)",
            data,
            env=env,
            contrasts={"f": coding},
            weights=weights,
            control={"check.nlev.gtr.1": "ignore"},
        )

    def computed(of):
        return of.spec.apply(
            {"f": ["v", "u"], "x": [0.1, 0.2], "i": [2, 5], "g": ["1", "2"]}, env={"z": np.zeros(2)}
        ).X.tolist(), digest(of)

    expected = computed(design(dict(given), coding.copy(), data["w"].copy()))
    weights = data["w"].copy()
    made = design(given, coding, weights)
    weights[:] = coding[:] = 0
    for array in given.values():
        array[:] = 0
    given.clear()

    assert computed(made) == expected


@pytest.mark.parametrize("rowwise", [True, False])
def test_a_function_writes_into_a_copy_as_in_r(rowwise):
    def halved(x):
        x[:] = x / 2
        return x

    columns = numbers()
    design = lme4py.lformula(
        f"y ~ halved({'x' if rowwise else 'cbind(x, k)'}) + (1 | g)",
        columns,
        env={"halved": halved},
    )

    np.testing.assert_array_equal(columns["x"], numbers()["x"])
    np.testing.assert_array_equal(design.X[:, 1], numbers()["x"] / 2)


def test_an_array_that_a_function_keeps_is_copied():
    kept = np.arange(float(ROWS))
    design = lme4py.lformula("y ~ mine(x) + (1 | g)", numbers(), env={"mine": lambda _: kept})
    before = digest(design)
    kept[:] = 0

    assert digest(design) == before


def test_threads_build_the_same_design_of_one_frame():
    frame = frame_of(numbers())
    expected = digest(build(frame))
    with ThreadPoolExecutor(4) as pool:
        designs = list(pool.map(build, [frame] * 16))
        by_loc(frame)
        found = set(pool.map(digest, designs))

    assert found == {expected}


def test_given_matrices_keep_their_numbers():
    X, y, group = np.ones((ROWS, 1)), numbers()["y"], numbers()["g"]
    design = lme4py.mixed_design(X, [lme4py.TermArrays(X, group, "g")], y)
    before = digest(design)
    X[:] = y[:] = group[:] = 0

    assert digest(design) == before
    assert not design.X.flags.writeable


def test_masked_entries_of_given_vectors_are_missing():
    y = np.ma.array(numbers()["y"], mask=np.arange(ROWS) == 3)
    design = lme4py.mixed_design(np.ones((ROWS, 1)), "(1 | g)", y, frame=numbers())

    assert np.flatnonzero(np.isnan(design.y)).tolist() == [3]
