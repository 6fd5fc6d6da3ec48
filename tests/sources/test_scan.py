"""A scan of blocks learns the spec that all rows in memory give, number for number."""

from __future__ import annotations

import functools
import operator
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import lme4py.sources.scan
from lme4py.errors import CheckError, DataError, FormulaError
from lme4py.sources.scan import Scan, scan

from .models import FORMULAS, SOURCES, cut, design_of, frame, pieces


@pytest.fixture(params=[0, 4096], ids=["few rows kept", "all rows kept"])
def kept(request, monkeypatch):
    """Let the model be learned from the rows with all its levels, or from all rows."""
    monkeypatch.setattr(lme4py.sources.scan, "FIRST_ROWS", request.param)


def scanned(formula, source, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scan(formula, source, **options).to_json()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("library", SOURCES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_the_spec_is_that_of_all_rows(formula, library):
    data, options = SOURCES[library](frame()), FORMULAS[formula]
    expected = design_of(formula, data, options).spec.to_json()
    dice = np.random.default_rng(len(formula))
    for _ in range(2):
        cuts = pieces(500, dice)
        blocks = [cut(data, piece) for piece in cuts]
        assert scanned(formula, blocks, **options) == expected, cuts
    assert scanned(formula, data, rows=1 + len(formula), **options) == expected


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("formula", FORMULAS)
def test_parts_are_read_anywhere_and_added(formula):
    data, options = frame(), FORMULAS[formula]
    expected = design_of(formula, data, options).spec.to_json()
    found = Scan(formula, data.columns, **options)
    sweeps = 0
    while not found.complete:
        found = pickle.loads(pickle.dumps(found))  # noqa: S301  # our own
        parts = [found.read(data.iloc[piece]) for piece in pieces(500, np.random.default_rng(3))]
        # Neighbours first, in any order.
        while len(parts) > 1:
            at = (sweeps * 7) % (len(parts) - 1)
            parts[at : at + 2] = [parts[at] + pickle.loads(pickle.dumps(parts[at + 1]))]  # noqa: S301
        found = found.advance(parts[0])
        sweeps += 1
    assert found.spec().to_json() == expected
    assert sweeps <= 5


SUMS = [
    formula
    for formula in FORMULAS
    if any(f"{name}(" in formula for name in ("mean", "scale", "sd", "sum", "var"))
]


@pytest.mark.parametrize("formula", SUMS)
def test_sums_of_parts_are_added_on_request(formula):
    data, options = frame(), FORMULAS[formula]
    design = design_of(formula, data, options)
    found = Scan(formula, data.columns, exact=False, **options)
    while not found.complete:
        parts = [found.read(data.iloc[piece]) for piece in pieces(500, np.random.default_rng(3))]
        found = found.advance(functools.reduce(operator.add, parts))
    blocks = list(found.spec().blocks(data))
    np.testing.assert_allclose(np.vstack([block.X for block in blocks]), design.X, atol=1e-12)


def test_sums_keep_no_numbers():
    rows = np.random.default_rng(3).normal(size=(40, 5000))
    block = {"x": rows[0], "y": rows[1], "g": np.arange(5000) % 7}
    numbers = 8 * rows.size
    for exact in (False, True):
        found = Scan("y ~ scale(x) + I(x / sd(x) - mean(x) + sum(x)) + (1 | g)", block, exact=exact)
        while not found.complete:
            for x in rows:
                found = found.read({**block, "x": x})
            if found.found.frame is None and found.known.spec is None:  # a state is open
                size = len(pickle.dumps(found))
                assert size > numbers if exact else size < 50_000
            found = found.advance()
        if not exact:
            carried = found.spec().to_json()
    whole = {"x": rows.ravel(), "y": np.tile(rows[1], 40), "g": np.tile(block["g"], 40)}
    design = design_of("y ~ scale(x) + I(x / sd(x) - mean(x) + sum(x)) + (1 | g)", whole, {})
    assert carried == found.spec().to_json() == design.spec.to_json()


def test_the_random_part_needs_no_data():
    data = frame()
    design = design_of("y ~ x + (x | g) + (1 | h/k)", data, {})
    found = scan("y ~ x + (x | g) + (1 | h/k)", data, rows=100).random
    for name in ("theta", "lower", "upper", "Lind", "Gp", "nl", "nc", "order"):
        np.testing.assert_array_equal(getattr(found, name), getattr(design.random, name))
    assert found.cnms == design.random.cnms
    assert found.row_names == design.random.row_names
    assert (found.Lambdat != design.random.Lambdat).nnz == 0


# Checks and messages -----------------------------------------------------------------------


def said(make, *arguments, **options):
    """Return what a call warns of in lme4's words, or its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            make(*arguments, **options)
        except lme4py.Lme4pyError as error:
            return [type(error).__name__, error.message]
    ours = lme4py.Lme4pyAdvice
    return sorted({str(item.message) for item in caught if not issubclass(item.category, ours)})


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x + (1 | one)", {}),
        ("y ~ x + (1 | every)", {}),
        ("y ~ x + (x | many)", {}),
        ("y ~ x + (1 | every)", {"control": {"check_nobs_vs_nlev": "ignore"}}),
        ("y ~ x + (x | many)", {"control": {"check_nobs_vs_nRE": "warning"}}),
        ("y ~ x + (1 | h)", {"control": {"check_nlev_gtreq_5": "warning"}}),
        ("y ~ x + I(2 * x) + f + (1 | g)", {}),
        ("y ~ x + I(2 * x) + f + (1 | g)", {"control": {"check_rankX": "stop.deficient"}}),
        ("y ~ I(x * 1e6) + f + (1 | g)", {}),
        ("y ~ I(x * 1e6) + f + (1 | g)", {"control": {"check_scaleX": "stop"}}),
        ("y ~ one + (1 | g)", {}),
        ("y ~ log(x - 10) + (1 | g)", {}),
        ("y ~ nothing + (1 | g)", {}),
        ("y ~ scale(f) + (1 | g)", {}),
        ("y ~ x", {}),
        ("y ~ x + (1 | g)", {"subset": "x > 100"}),
        ("y ~ log(z) + offset(f) + (1 | g)", {}),
        ("y ~ x + (1 | g)", {"weights": "f"}),
        ("y ~ mean(x) + (1 | g)", {}),
        ("f ~ x + (1 | g)", {}),
    ],
)
def test_checks_say_what_they_say_in_memory(formula, options):
    data = frame().assign(one="only", every=[f"e{i}" for i in range(500)])
    data["many"] = [f"m{i // 2}" for i in range(500)]
    expected = said(lme4py.lformula, formula, data, **options)
    assert said(scan, formula, data, rows=90, **options) == expected


UNCHECKED = {
    "check_nobs_vs_nlev": "ignore",
    "check_nobs_vs_nRE": "ignore",
    "check_nobs_vs_rankZ": "ignore",
}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ I(x * 1e6) + f + (1 | g)", {"control": {"check_scaleX": "warn+rescale"}}),
        ("y ~ x + f + (1 | g)", {"control": {"autoscale": True}}),
        ("y ~ x + k + (k | g)", {"attached_contrasts": {"k": "contr.sum", "b": "contr.sum"}}),
        ("y ~ f + (1 | g)", {"contrasts": {"f": "contr.helmert"}}),
        ("y ~ f * o + (1 | g)", {"default_contrasts": ("contr.sum", "contr.helmert")}),
        ("y ~ f + (x || g)", {"lme4": "1.1-31", "collation": "C"}),
        ("y ~ f + (f || g)", {"double_bar": "diag"}),
        ("y ~ cut(x, breaks) + (1 | g)", {"env": {"breaks": [0.0, 10.0, 20.0]}}),
        ("y ~ . - unused + (1 | g)", {}),
        ("y ~ x + (1 | every)", {"control": UNCHECKED}),
    ],
)
def test_options_are_those_of_lformula(formula, options):
    data = frame().assign(every=[f"e{i}" for i in range(500)])
    if formula.startswith("y ~ ."):
        data = data.drop(columns=["every", "h", "t"])
    expected = design_of(formula, data, options).spec.to_json()
    assert scanned(formula, data, rows=77, **options) == expected


# Types that differ by block --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("x", [1, 2, 3, 4], [1.5, 2.5, 2.25, 9.0]),
        ("x", [1.5, 2, 3, 4], [1, 2, 2, 9]),
        ("x", [1, 2, 3, 4], [np.nan, 1, 2, 5]),
        ("x", [np.nan] * 4, [1.5, 2.5, 2.25, 9.0]),
        ("f", [None] * 4, ["u", "v", "w", "u"]),
        ("f", ["u", "v", "w", "u"], [None] * 4),
        ("f", pd.Categorical(["u", "v", "u", "v"]), pd.Categorical(["w", "v", "w", "v"])),
        ("f", pd.Categorical(["u", "v", "u", "v"]), pd.Categorical(["v", "v", "u", "u"])),
        ("f", pd.Categorical(["u", "v", "u", "v"]), ["v", "v", "b", "u"]),
        ("x", pd.to_datetime(["2024-01-01"] * 4), pd.to_datetime(["2024-01-01 12:00"] * 4)),
        ("x", pd.to_datetime(["2024-01-01 12:00"] * 4), pd.to_datetime(["2024-01-02"] * 4)),
        ("b", [True, False, True, False], [True, True, None, False]),
    ],
)
def test_types_of_blocks(name, first, second):
    def block(values, start):
        rest = {"y": np.arange(4.0) * start, "g": ["p", "q", "r", "p"]}
        return pd.DataFrame({name: values, **rest})

    blocks = [block(first, 1), block(second, 3), block(first, 4)]
    formula = f"y ~ {name} + (1 | g)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = pd.concat(blocks, ignore_index=True)
    assert scanned(formula, blocks) == design_of(formula, whole, {}).spec.to_json()
    for number in range(3):
        swapped = blocks[number:] + blocks[:number]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = pd.concat(swapped, ignore_index=True)
        assert scanned(formula, swapped) == design_of(formula, whole, {}).spec.to_json()


def test_arrow_dictionaries_that_differ_by_block():
    import pyarrow as pa

    def table(texts):
        codes = pa.array(texts).dictionary_encode()
        y = pa.array(np.arange(len(texts)) * 1.5)
        return pa.table({"f": codes, "y": y, "g": pa.array(["p", "q"] * (len(texts) // 2))})

    blocks = [table(["c", "a", "c", "a"]), table(["b", "a", "b", "c"])]
    whole = pa.concat_tables(blocks)
    expected = design_of("y ~ f + (1 | g)", whole, {}).spec.to_json()
    assert scanned("y ~ f + (1 | g)", blocks) == expected


# What goes wrong -----------------------------------------------------------------------------


def failing(source, match, hint="", formula="y ~ x + (1 | g)", **options):
    with pytest.raises(lme4py.Lme4pyError, match=match) as caught:
        scan(formula, source, rows=50, **options)
    assert hint in str(caught.value)


def test_errors_name_the_block():
    data = frame()
    parts = [data.iloc[begin : begin + 50] for begin in range(0, 500, 50)]
    failing([*parts[:6], parts[6].drop(columns="x")], "object 'x' not found", "in block 7")
    failing([*parts[:6], parts[6].assign(x="text")], "is of type", "in block 7")
    failing([*parts[:6], parts[6].assign(x=1j)], "complex", "in block 7")
    failing(data, "not found", "did you mean 'x'", formula="y ~ xx + (1 | g)")
    # R's dummy() leaves out rows, of new rows too.
    holes = data.assign(h=data["g"].astype(object).where(np.arange(500) != 60))
    failing(holes, "variable lengths differ", "in block 2", formula="y ~ dummy(h) + (1 | g)")
    failing(data, "object 'yy' not found", "did you mean 'y'", formula="yy ~ xx + (1 | gg)")


@pytest.mark.parametrize("rows", [2, 4, 100])
@pytest.mark.parametrize("x", [[1.0, 2.0], [1.0, 2.0, 4.0, 3.0, 5.0], 3.0, "text", np.array(3.0)])
@pytest.mark.parametrize("text", ["x", "scale(x)", "cut(x, 2)", "mean(x):y"])
def test_columns_of_other_lengths_are_an_error(text, x, rows):
    """Whatever the blocks: a column that is too long was cut to the rows without a word."""
    data = {"y": [1.0, 2.0, 4.0, 3.0], "g": [*"aabb"], "x": x}
    with pytest.raises(DataError, match=r"variable lengths differ \(found for 'x'\)"):
        scan(f"y ~ {text} + (1 | g)", data, rows=rows)


@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("x", [{1.0, 2.0, 3.0, 4.0}, {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}])
def test_what_is_no_column_is_told_whatever_the_blocks(x, rows):
    data = {"y": [1.0, 2.0, 4.0, 3.0], "g": [*"aabb"], "x": x}
    with pytest.raises(DataError, match=r"invalid type \(.*\) for variable 'x'"):
        scan("y ~ x + (1 | g)", data, rows=rows)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numpy_says_nothing_of_infinite_numbers():
    data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [np.inf, 1.0, -np.inf, np.inf], "g": [*"abab"]}
    with pytest.raises(CheckError, match="NA/NaN/Inf in foreign function call"):
        scan("y ~ x + (1 | g)", data, rows=1)


@pytest.mark.parametrize("text", ["rev(x)", "rank(x)", "cumsum(x)", "order(x)", "x[order(x)]"])
def test_what_needs_all_rows_together_is_refused(text):
    failing(frame(), "uses all rows together", "^", formula=f"y ~ {text} + (1 | g)")


def test_arguments_are_expressions():
    data = frame()
    for name in ("weights", "offset"):
        failing(data, f"{name} is an expression here", **{name: data["z"]})
    failing(data, "subset is an expression here", subset=[1, 2, 3])
    failing(data, "numbers of rows", subset="1:30")
    with pytest.raises(TypeError, match="wieghts"):
        scan("y ~ x + (1 | g)", data, wieghts="z")


def test_sources_that_change():
    data = frame()
    calls = []

    def shrinking():
        calls.append(1)
        yield data.iloc[: 500 - 50 * len(calls)]

    failing(shrinking, "where it had", "only once", formula="y ~ scale(x) + (1 | g)")
    failing([], "no source of rows")
    failing([data.iloc[:0]], "no rows")


def test_a_scan_that_is_not_complete():
    found = Scan("y ~ x + (1 | g)", frame().columns)
    with pytest.raises(DataError, match="not complete"):
        found.spec()
    with pytest.raises(FormulaError, match="No random effects"):
        scan("y ~ x", frame())


def test_lformula_says_to_scan(tmp_path):
    import polars as pl

    for source in (tmp_path / "x.parquet", pl.LazyFrame({"y": [1]}), frame):
        with pytest.raises(DataError, match=r"lme4py\.scan"):
            lme4py.lformula("y ~ x + (1 | g)", source)
