"""One table in every form that is accepted gives one design."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py import DataError
from lme4py.data.collation import Collation
from lme4py.data.column_values import value_of
from lme4py.data.columns import Columns
from lme4py.data.factors import factor_of
from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.versions import LME4_1, following

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

ROWS = 24
PLAIN = {
    "y": [((i * 7) % 11) / 2 for i in range(ROWS)],
    "x": [i / 2 for i in range(ROWS)],
    "k": [(i * 5) % 7 for i in range(ROWS)],
    "s": [["s2", "s10", "s1"][i // 8] for i in range(ROWS)],
    "flag": [i % 3 == 0 for i in range(ROWS)],
    "g": ["abcd"[i % 4] for i in range(ROWS)],
}
FORMULA = "y ~ x * s + flag + k + (1 + x | g) + (1 | k)"
FORMS = {
    "mapping of lists": lambda: PLAIN,
    "mapping of arrays": lambda: {name: np.array(column) for name, column in PLAIN.items()},
    "mapping of objects": lambda: {n: np.array(c, dtype=object) for n, c in PLAIN.items()},
    "pandas": lambda: pd.DataFrame(PLAIN),
    "pandas categorical": lambda: pd.DataFrame(PLAIN).assign(g=lambda d: d["g"].astype("category")),
    "pandas nullable": lambda: pd.DataFrame(PLAIN).convert_dtypes(),
    "pandas arrow": lambda: pd.DataFrame(PLAIN).convert_dtypes(dtype_backend="pyarrow"),
    "mapping of pandas arrays": lambda: {n: pd.array(c) for n, c in PLAIN.items()},
    "mapping of pandas series": lambda: {n: pd.Series(c) for n, c in PLAIN.items()},
    "mapping of pandas indexes": lambda: {n: pd.Index(c) for n, c in PLAIN.items()},
    "mapping of arrow in pandas": lambda: {
        n: pd.Series(c).convert_dtypes(dtype_backend="pyarrow").array for n, c in PLAIN.items()
    },
    "mapping of polars series": lambda: {n: pl.Series(c) for n, c in PLAIN.items()},
    "mapping of arrow arrays": lambda: {n: pa.array(c) for n, c in PLAIN.items()},
    "mapping of arrow chunks": lambda: {
        n: pa.chunked_array([c[:9], c[9:]]) for n, c in PLAIN.items()
    },
    "mapping of tuples": lambda: {n: tuple(c) for n, c in PLAIN.items()},
    "pandas text by Python": lambda: pd.DataFrame(PLAIN).astype(
        dict.fromkeys("sg", pd.StringDtype("python"))
    ),
    "pandas odd index": lambda: pd.DataFrame(PLAIN, index=[7] * ROWS),
    "polars": lambda: pl.DataFrame(PLAIN),
    "polars categorical": lambda: pl.DataFrame(PLAIN).with_columns(
        pl.col("g", "s").cast(pl.Categorical)
    ),
    "polars enum": lambda: pl.DataFrame(PLAIN).with_columns(
        pl.col("g").cast(pl.Enum(["a", "b", "c", "d"]))
    ),
    "pyarrow": lambda: pa.table(PLAIN),
    "pyarrow chunks": lambda: pa.concat_tables(
        [pa.table(PLAIN).slice(0, 5), pa.table(PLAIN).slice(5)]
    ),
    "pyarrow dictionary": lambda: pa.table(PLAIN).set_column(
        5, "g", pa.array(PLAIN["g"]).dictionary_encode()
    ),
    "pyarrow of an enum": lambda: (
        pl.DataFrame(PLAIN).with_columns(pl.col("g").cast(pl.Enum(["a", "b", "c", "d"]))).to_arrow()
    ),
}


@pytest.fixture(scope="module")
def expected():
    return lme4py.lformula(FORMULA, PLAIN)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_design(form, expected):
    design = lme4py.lformula(FORMULA, FORMS[form]())

    assert design.fixed.names == expected.fixed.names
    assert design.random.row_names == expected.random.row_names
    assert design.random.cnms == expected.random.cnms
    np.testing.assert_array_equal(design.X, expected.X)
    np.testing.assert_array_equal(design.Zt.indices, expected.Zt.indices)
    np.testing.assert_array_equal(design.Zt.data, expected.Zt.data)


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"v": [1, None, 3]},
        lambda: pd.DataFrame({"v": pd.array([1, None, 3], dtype="Int64")}),
        lambda: pl.DataFrame({"v": [1, None, 3]}),
        lambda: pa.table({"v": [1, None, 3]}),
    ],
    ids=["list", "pandas", "polars", "pyarrow"],
)
def test_missing_integers_stay_integers(form):
    value = Columns(form()).get("v")

    assert isinstance(value, Numeric)
    assert value.kind == "integer"
    np.testing.assert_array_equal(value.as_float(), [1, np.nan, 3])


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"v": [True, None, False]},
        lambda: pd.DataFrame({"v": pd.array([True, None, False], dtype="boolean")}),
        lambda: pl.DataFrame({"v": [True, None, False]}),
        lambda: pa.table({"v": [True, None, False]}),
    ],
    ids=["list", "pandas", "polars", "pyarrow"],
)
def test_missing_logicals_stay_logical(form):
    value = Columns(form()).get("v")

    assert value.kind == "logical"
    np.testing.assert_array_equal(value.as_float(), [1, np.nan, 0])


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"v": ["b", None, "a"]},
        lambda: {"v": np.array(["b", None, "a"], dtype=object)},
        lambda: pd.DataFrame({"v": ["b", None, "a"]}),
        lambda: pd.DataFrame({"v": ["b", None, "a"]}, dtype=object),
        lambda: pl.DataFrame({"v": ["b", None, "a"]}),
        lambda: pa.table({"v": ["b", None, "a"]}),
    ],
    ids=["list", "array", "pandas", "pandas object", "polars", "pyarrow"],
)
def test_missing_text(form):
    value = Columns(form()).get("v")

    assert isinstance(value, Character)
    assert [None if code < 0 else value.pool[code] for code in value.codes] == ["b", None, "a"]


DATES = [dt.date(2020, 2, 1), dt.date(2019, 12, 31)]


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"v": DATES},
        lambda: {"v": np.array(DATES, dtype="datetime64[D]")},
        lambda: pd.DataFrame({"v": pd.to_datetime(DATES)}),
        lambda: pl.DataFrame({"v": DATES}),
        lambda: pa.table({"v": DATES}),
    ],
    ids=["list", "array", "pandas", "polars", "pyarrow"],
)
def test_dates_are_days(form):
    value = Columns(form()).get("v")

    assert value.time == "Date"
    # R: as.numeric(as.Date(c("2020-02-01", "2019-12-31")))
    assert value.as_float().tolist() == [18293, 18261]


def test_times_are_seconds():
    stamps = [dt.datetime(2020, 2, 1, 12), dt.datetime(2020, 2, 1)]  # noqa: DTZ001

    for data in (pd.DataFrame({"v": stamps}), pl.DataFrame({"v": stamps}), pa.table({"v": stamps})):
        value = Columns(data).get("v")
        assert value.time == "POSIXct"
        # R: as.numeric(as.POSIXct("2020-02-01 12:00", tz = "UTC"))
        assert value.as_float().tolist() == [1580558400, 1580515200]


def test_categories_keep_their_order_and_kind():
    values = pd.Categorical(["lo", "hi"], ["lo", "mid", "hi"], ordered=True)
    value = Columns(pd.DataFrame({"v": values})).get("v")

    assert isinstance(value, Factor)
    assert (value.levels, value.ordered, value.codes.tolist()) == (
        ("lo", "mid", "hi"),
        True,
        [0, 2],
    )


def test_numeric_categories_are_labelled_as_r_does():
    value = Columns(pd.DataFrame({"v": pd.Categorical([1e5, 0.5])})).get("v")

    assert value.levels == ("0.5", "1e+05")


@pytest.mark.parametrize(
    "column,kind",
    [
        ([Decimal("1.5"), Decimal(2)], "double"),
        (np.array([1, 2], dtype=np.uint8), "integer"),
        (np.array([1, 2**40]), "double"),
        (np.array([0.5, 2], dtype=np.float32), "double"),
        ([np.nan, None], "logical"),
        ([2**70, 1], "double"),
    ],
    ids=["decimal", "small integers", "large integers", "float32", "nothing", "huge"],
)
def test_kinds_of_numbers(column, kind):
    assert value_of(column).kind == kind


def test_matrices():
    value = value_of(np.arange(6.0).reshape(3, 2))

    assert isinstance(value, Matrix)
    assert value.values.shape == (3, 2)
    assert value_of([[1, 2], [3, 4], [5, 6]]).values.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    "data,words",
    [
        (5, "first argument must be a named list"),
        ("text", "first argument must be a named list"),
        (pl.DataFrame(PLAIN).lazy(), "first argument must be a named list"),
    ],
    ids=["number", "text", "lazy"],
)
def test_what_is_no_table(data, words):
    with pytest.raises(DataError, match=words):
        Columns(data)


def test_a_name_that_repeats_is_told_where_it_is_asked_for():
    columns = Columns(pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))
    assert columns.names == ("a", "b")
    assert columns.get("b").values.tolist() == [2]
    with pytest.raises(DataError, match="column names repeat: 'a'"):
        columns.get("a")
    table = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["b", "a", "a"])
    for arrow in (table, table.to_batches()[0]):
        with pytest.raises(DataError, match="column names repeat: 'a'"):
            Columns(arrow)


@pytest.mark.parametrize(
    "column",
    [[1j], [[1], [2, 3]], [{}], [1, "a"], np.zeros((2, 2, 2)), [object()]],
    ids=["complex", "lists", "dicts", "mixed", "3-d", "objects"],
)
def test_what_is_no_column(column):
    with pytest.raises(DataError, match="invalid type"):
        Columns({"v": column}).get("v")


MASK = [False, True, False, False]


@pytest.mark.parametrize(
    "values,kind,rest",
    [
        ([1, 2, 3, 4], "integer", [1, 3, 4]),
        ([1, 2**40, 3, 4], "integer", [1, 3, 4]),
        ([1.5, 2, 3, 4], "double", [1.5, 3, 4]),
        ([True, True, False, True], "logical", [1, 0, 1]),
        (np.array(["1970-01-02", "1970-01-03"] * 2, "M8[s]"), "double", [1, 1, 2]),
        (np.array([7, 8, 9, 10], "m8[m]"), "double", [420, 540, 600]),
    ],
    ids=["integer", "large", "double", "logical", "date", "difftime"],
)
def test_masked_entries_are_missing(values, kind, rest):
    masked = np.ma.array(values, mask=MASK)
    value = value_of(masked)

    assert value.kind == kind
    assert np.isnan(value.as_float()).tolist() == MASK
    assert value.as_float()[[0, 2, 3]].tolist() == rest
    assert masked.mask.tolist() == MASK


def test_masked_text_matrices_and_lists():
    text = value_of(np.ma.array(["b", "a", "b", "c"], mask=MASK))
    matrix = value_of(np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]]))

    assert [text.pool[code] for code in text.codes[[0, 2, 3]]] == ["b", "b", "c"]
    assert text.codes[1] == -1
    assert matrix.kind == "integer"
    np.testing.assert_array_equal(matrix.values, [[1, np.nan], [3, 4]])
    assert np.isnan(value_of([1.0, np.ma.masked]).as_float()).tolist() == [False, True]
    assert value_of(np.ma.array([1, 2])).values.tolist() == [1, 2]


def test_masked_rows_go_wherever_they_are():
    columns = {name: np.array(column) for name, column in PLAIN.items()}
    for place, name in enumerate(columns):
        columns[name] = np.ma.array(columns[name], mask=np.arange(ROWS) == place)
    weights = np.ma.array(np.ones(ROWS), mask=np.arange(ROWS) == 6)
    subset = np.ma.array(np.ones(ROWS, dtype=bool), mask=np.arange(ROWS) == 7)
    design = lme4py.lformula(FORMULA, columns, weights=weights, subset=subset)

    assert design.model_frame.positions.tolist() == list(range(8, ROWS))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("form", [np.asarray, pd.Series], ids=["numpy", "pandas"])
def test_datetimes_before_1970_are_no_dates(form, unit):
    texts = ["1969-03-07T08:00", "1969-03-07T20:00", "NaT", "1969-03-08T08:00"]
    value = value_of(form(np.array(texts, dtype=f"M8[{unit}]")))

    assert value.time == "POSIXct"
    # R: as.numeric(as.POSIXct(c("1969-03-07 08:00", ...), tz = "UTC"))
    np.testing.assert_array_equal(value.as_float(), [-25891200, -25848000, np.nan, -25804800])
    days = value_of(form(np.array(["1969-12-31", "1970-01-01"], dtype=f"M8[{unit}]")))
    assert (days.time, days.as_float().tolist()) == ("Date", [-1, 0])


def test_datetimes_before_1970_as_groups():
    # R 4.2.2: rownames(lFormula(y ~ 1 + (1 | t), d)$reTrms$Zt)
    times = pd.to_datetime(["1969-03-07 08:00", "1969-03-07 20:00", "1969-03-08 08:00"] * 4)
    design = lme4py.lformula(
        "y ~ 1 + (1 | t)",
        {"y": np.arange(12.0), "t": times},
        control={"check_nlev_gtreq_5": "ignore"},
    )
    assert design.random.row_names == [
        "1969-03-07 08:00:00",
        "1969-03-07 20:00:00",
        "1969-03-08 08:00:00",
    ]


DAYS = [dt.date(1969, 12, 31), dt.date(2020, 1, 2)]
# Categories, and R's levels(factor(...)) of the same.
LEVELS = [
    (pd.to_datetime(DAYS), ["1969-12-31", "2020-01-02"]),
    (pd.to_datetime(["1969-03-07 08:00", "2020-01-02 00:00"]),
     ["1969-03-07 08:00:00", "2020-01-02"]),
    (pd.to_datetime(DAYS).as_unit("s"), ["1969-12-31", "2020-01-02"]),
    (pd.to_datetime(DAYS).tz_localize("UTC"), ["1969-12-31", "2020-01-02"]),
    (pd.Index(DAYS, dtype=object), ["1969-12-31", "2020-01-02"]),
    (pd.to_timedelta(["1s", "2h"]), ["1", "7200"]),
    (pd.Index([1e5, 2.5]), ["1e+05", "2.5"]),
    (pd.Index([100000, 2**40]), ["100000", "1099511627776"]),
    (pd.Index([False, True]), ["FALSE", "TRUE"]),
    (pd.Index(["a", "b"]), ["a", "b"]),
]  # fmt: skip


@pytest.mark.parametrize("categories,levels", LEVELS)
def test_levels_are_named_as_in_r(categories, levels):
    codes = [1, 0, -1, 1]
    value = value_of(pd.Categorical.from_codes(codes, categories))

    assert value.levels == tuple(levels)
    assert value.codes.tolist() == codes


def test_r_4_2_writes_midnights_together():
    categories, _ = LEVELS[1]
    with following(LME4_1):
        value = value_of(pd.Categorical.from_codes([0, 1], categories))

    assert value.levels == ("1969-03-07 08:00:00", "2020-01-02 00:00:00")


@pytest.mark.parametrize(
    "dictionary,codes,levels",
    [
        (["a", None, "b", "a"], [0, -1, 1, 0, -1], ("a", "b")),
        ([dt.date(1969, 12, 31), None, dt.date(2020, 1, 2), None], [0, -1, 1, -1, -1],
         ("1969-12-31", "2020-01-02")),
        ([1.5, 1e5, None, 1.5], [0, 1, -1, 0, -1], ("1.5", "1e+05")),
        ([True, False, None, True], [0, 1, -1, 0, -1], ("TRUE", "FALSE")),
    ],
    ids=["text", "dates", "numbers", "logical"],
)  # fmt: skip
def test_dictionaries_with_null_and_repeated_values(dictionary, codes, levels):
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None]), pa.array(dictionary))
    for given in (array, pa.chunked_array([array])):
        value = value_of(given)
        assert (value.codes.tolist(), value.levels) == (codes, levels)


def test_categories_that_print_alike_are_one_level():
    value = value_of(pd.Categorical.from_codes([0, 1, 2], [1, "1", "a"]))

    assert (value.codes.tolist(), value.levels) == ([0, 0, 1], ("1", "a"))


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_from_pandas_to_polars_and_back(ordered):
    values = pd.Categorical(["hi", "lo", "mid"], ["lo", "mid", "hi"], ordered=ordered)
    frame = pd.DataFrame({"v": values})
    polars = pl.from_pandas(frame)
    enum = polars.with_columns(pl.col("v").cast(pl.Enum(["lo", "mid", "hi"])))

    # A Categorical of polars has no order: its levels are those of text.
    assert isinstance(Columns(polars).get("v"), Character)
    # An Enum has: that of its definition, as a factor's levels have.
    kept = Columns(enum).get("v")
    assert (kept.levels, kept.ordered, kept.codes.tolist()) == (
        ("lo", "mid", "hi"),
        False,
        [2, 0, 1],
    )
    for back in (enum.to_pandas(), enum.to_arrow()):
        assert Columns(back).get("v").levels == ("lo", "mid", "hi")
    assert Columns(frame).get("v").ordered == ordered


class Stream:
    """A query's result as DuckDB gives it: nothing but Arrow's C stream."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Broken:
    def __arrow_c_stream__(self, requested_schema=None):
        raise RuntimeError("no such table")


def test_arrow_streams_are_read(expected):
    table = pa.table(PLAIN)
    for stream in (Stream(table), table.to_reader()):
        design = lme4py.lformula(FORMULA, stream)
        np.testing.assert_array_equal(design.X, expected.X)
    with pytest.raises(DataError, match="the stream of Broken stopped: RuntimeError: no such"):
        Columns(Broken())


def test_lazy_frames_of_narwhals_are_refused():
    nw = pytest.importorskip("narwhals")

    with pytest.raises(DataError, match="first argument must be a named list") as caught:
        Columns(nw.from_native(pl.DataFrame(PLAIN).lazy()))
    assert caught.value.hint.startswith("call .collect() first")
    assert Columns(nw.from_native(pl.DataFrame(PLAIN))).rows == ROWS


@pytest.mark.parametrize("kind", ["Int128", "UInt128"])
def test_integers_of_128_bits(kind):
    dtype = getattr(pl, kind, None)
    if dtype is None:
        pytest.skip(f"this polars has no {kind}")
    assert value_of(pl.Series([1, 2], dtype=dtype)).kind == "integer"
    assert value_of(pl.Series([1, 2**70], dtype=dtype)).as_float().tolist() == [1, 2.0**70]
    missing = value_of(pl.Series([1, None], dtype=dtype))
    assert missing.kind == "integer"
    np.testing.assert_array_equal(missing.as_float(), [1, np.nan])


def test_data_are_left_alone():
    data = pd.DataFrame(PLAIN)
    before = data.copy(deep=True)

    design = lme4py.lformula(FORMULA, data)
    design.X[:] = 0
    design.Zt.data[:] = 0

    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize(
    "column",
    [
        [10**400, 1],
        [None, -(10**400)],
        [Decimal("sNaN"), Decimal(1)],
        [dt.timedelta.max, None],
        pa.array([0, 1], pa.date64()),
        pl.col("x"),
        pd.DataFrame({"a": ["u", "v"]}),
    ],
)
def test_what_no_vector_of_r_holds_is_our_error(column):
    with pytest.raises(DataError, match="invalid type"):
        value_of(column)


def test_moments_as_objects_keep_the_clock_of_their_zone():
    """R 4.6: as.character(as.POSIXct("2020-01-01 10:00", tz = "Etc/GMT-5"))."""
    zone = dt.timezone(dt.timedelta(hours=5), "at home")
    times = [dt.datetime(2020, 1, 1, 10, tzinfo=zone), None, dt.datetime(2020, 1, 2, tzinfo=zone)]
    assert factor_of(value_of(times), Collation()).levels == (
        "2020-01-01 10:00:00",
        "2020-01-02",
    )
    # In several zones: in UTC.
    times[2] = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
    assert factor_of(value_of(times), Collation()).levels == (
        "2020-01-01 05:00:00",
        "2020-01-02",
    )


def test_text_that_is_no_utf_8_stays_as_it_is():
    """R keeps such bytes, as levels (factor(c("a\\xed\\xa0\\x80", "b"))) and in lFormula."""
    broken = ["a\ud800", "b"]
    categories = pd.CategoricalDtype(pd.Index(broken, dtype=object))
    data = {
        "y": [0.0, 1.0, 4.0, 2.0, 5.0, 3.0],
        "g": broken * 3,
        "f": pd.Categorical.from_codes([0, 0, 1, 1, 0, 1], dtype=categories),
    }
    design = lme4py.lformula("y ~ paste(g) + (1 | f)", data)
    assert design.fixed.names == ["(Intercept)", "paste(g)b"]
    assert list(design.frame["paste(g)"]) == data["g"]
    assert list(design.frame["f"].cat.categories) == design.random.row_names == broken
    assert list(design.random.flist["f"].categories) == broken
    assert [level for _, level, _ in design.Z_frame.columns] == broken
    crossed = lme4py.model_matrix("~ relevel(f, 'b')", data)
    assert list(crossed.X_frame.columns)[1] == "relevel(f, 'b')a\ud800".replace("'", '"')
