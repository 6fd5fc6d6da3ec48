"""Blocks of a source are the rows of the design, bit for bit, whatever the blocks are."""

from __future__ import annotations

import gzip
import io
import zipfile
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.crossproducts import Crossproducts
from lme4py.data.read_csv import Records
from lme4py.errors import DataError

from .models import FORMULAS, SOURCES, cut, design_of, frame, pieces


def rows_differ(design, blocks):
    """Return which parts of some blocks are not those of a design."""
    blocks = list(blocks)
    X = np.vstack([block.X for block in blocks])
    # R computes poly anew from its recurrence.
    close = "poly" in str(design.formula)
    faults = [] if np.array_equal(X, design.X, equal_nan=True) else ["X"]
    if faults and close and np.allclose(X, design.X, rtol=0, atol=1e-13):
        faults = []
    for part in ("data", "indices"):
        joined = np.concatenate([getattr(block.Zt, part) for block in blocks])
        if not np.array_equal(joined, getattr(design.Zt, part), equal_nan=True):
            faults.append(f"Zt.{part}")
    for name in ("y", "weights", "offset"):
        values = getattr(design, name)
        if values is not None and not np.array_equal(
            np.concatenate([getattr(block, name) for block in blocks]), values, equal_nan=True
        ):
            faults.append(name)
    kept = design.model_frame.positions
    kept = np.arange(len(design.y)) if kept is None else kept
    if not np.array_equal(np.concatenate([block.positions for block in blocks]), kept):
        faults.append("positions")
    return faults


@pytest.mark.parametrize("library", SOURCES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_blocks_are_the_rows_of_the_design(formula, library):
    data = SOURCES[library](frame())
    design = design_of(formula, data, FORMULAS[formula])
    dice = np.random.default_rng(len(formula))
    for _ in range(3):
        cuts = pieces(500, dice)
        found = design.spec.blocks(lambda cuts=cuts: (cut(data, piece) for piece in cuts))
        assert rows_differ(design, found) == [], cuts
    assert rows_differ(design, design.spec.blocks(data, rows=37)) == []


@pytest.mark.parametrize("formula", ["y ~ x + f + (x | g)", "y ~ x + (1 | g/h) + (1 | i)"])
def test_crossproducts_add_up(formula, tmp_path):
    data, options = frame(), {"weights": "z", "offset": "x"}
    design = design_of(formula, data, options)
    whole = Crossproducts.of(
        design.X, design.Zt, design.y, weights=design.weights, offset=design.offset
    )
    found = design.spec.crossproducts(data, rows=41)
    again = design.spec.crossproducts(data, rows=41)
    found.save(tmp_path / "products.npz")
    loaded = Crossproducts.load(tmp_path / "products.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["products.npz"]
    for name in ("XtX", "Xty", "yty", "ZtX", "Zty", "ZtZ", "n", "sum_log_weights"):
        one, two, three, four = (getattr(item, name) for item in (whole, found, again, loaded))
        if name == "ZtZ":
            one, two, three, four = (item.toarray() for item in (one, two, three, four))
        np.testing.assert_allclose(two, one, rtol=1e-12, atol=1e-12 * np.abs(one).max())
        np.testing.assert_array_equal(two, three)
        np.testing.assert_array_equal(two, four)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x + f + (1 | g/h)", {}),
        ("y ~ x + (f + x | g) + (1 | h) + (0 + k | i)", {"weights": "z"}),
        ("y ~ f * x + (b | g) + (x || h)", {"offset": "x"}),
        ("y ~ x + (1 | g)", {"sparse_X": True, "weights": "z"}),
        ("y ~ 0 + (1 | g) + (1 | h) + (1 | i) + (1 | f)", {}),
    ],
)
def test_crossproducts_are_products(formula, options):
    data = frame()
    design = design_of(formula, data, options)
    X = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    Z, y = design.Z.toarray(), design.y - (0 if design.offset is None else design.offset)
    weights = np.ones(len(y)) if design.weights is None else design.weights
    expected = {
        "XtX": X.T @ (weights[:, None] * X),
        "Xty": X.T @ (weights * y),
        "yty": np.sum(weights * y * y),
        "ZtX": Z.T @ (weights[:, None] * X),
        "Zty": Z.T @ (weights * y),
        "ZtZ": Z.T @ (weights[:, None] * Z),
        "sum_log_weights": np.log(weights).sum(),
    }
    blocks = [design.spec.crossproducts(data, rows=rows) for rows in (9, 170)]
    for found in (design.crossproducts(), *blocks):
        for name, wanted in expected.items():
            made = found.ZtZ.toarray() if name == "ZtZ" else getattr(found, name)
            least = 1e-12 * np.abs(wanted).max(initial=0)
            np.testing.assert_allclose(made, wanted, rtol=1e-12, atol=least, err_msg=name)
        assert found.n == len(y)
        assert found.ZtZ.has_canonical_format
        assert found.ZtZ.nnz == np.count_nonzero(expected["ZtZ"])


def test_blocks_without_rows_add_nothing():
    data = frame()
    empty = data.iloc[:50].assign(y=np.nan)
    design = design_of("y ~ x + (x | g)", data, {})
    whole = design.crossproducts()
    for source in ([empty, data], [data.iloc[:200], empty, data.iloc[200:]]):
        found = design.spec.crossproducts(source)
        assert found.n == whole.n
        assert found.ZtZ.indices.dtype == np.int32
        np.testing.assert_allclose(found.ZtZ.toarray(), whole.ZtZ.toarray(), rtol=1e-12)
        np.testing.assert_allclose(found.ZtX, whole.ZtX, rtol=1e-12)


def test_crossproducts_of_other_models_do_not_add():
    data = frame()
    one = design_of("y ~ x + (1 | g)", data, {}).crossproducts()
    two = design_of("y ~ x + (1 | h)", data, {}).crossproducts()
    with pytest.raises(DataError, match="different models"):
        one + two


def test_damaged_crossproducts(tmp_path):
    path = tmp_path / "products.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match="not a file of cross-products"):
        Crossproducts.load(path)


# Where rows come from ----------------------------------------------------------------------


def _files(tmp_path, write, ending, rows=(0, 100, 101, 500)):
    data = frame()
    for number, (a, b) in enumerate(pairwise(rows)):
        write(data.iloc[a:b], tmp_path / f"part-{number}.{ending}")
    return str(tmp_path / f"part-*.{ending}")


def _written_arrow(data, path):
    import pyarrow as pa

    _ipc_of(pa.Table.from_pandas(data, preserve_index=False), path)


def _ipc_of(table, path):
    from pyarrow import ipc

    with ipc.new_file(path, table.schema) as file:
        file.write_table(table, max_chunksize=30)


def parquet(tmp_path):
    return _files(tmp_path, lambda data, path: data.to_parquet(path, row_group_size=60), "parquet")


def arrow(tmp_path):
    return _files(tmp_path, _written_arrow, "arrow")


def text(tmp_path):
    return _files(
        tmp_path, lambda data, path: data.to_csv(path, index=False, na_rep="NA"), "csv", (0, 500)
    )


def folder(tmp_path):
    parquet(tmp_path)
    return tmp_path


def paths(tmp_path):
    return sorted(folder(tmp_path).iterdir())


def dataset(tmp_path):
    from pyarrow import dataset

    return dataset.dataset(paths(tmp_path))


def lazy(tmp_path):
    import polars as pl

    return pl.scan_parquet(parquet(tmp_path))


def relation(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.sql(f"from read_parquet('{parquet(tmp_path)}')")


def stream(tmp_path):  # noqa: ARG001
    import polars as pl

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return pl.from_pandas(frame()).__arrow_c_stream__(requested_schema)

    return Stream()


def frames(tmp_path):  # noqa: ARG001
    return [frame().iloc[:77], frame().iloc[77:]]


def dask_frame(tmp_path):  # noqa: ARG001
    dask = pytest.importorskip("dask.dataframe")
    return dask.from_pandas(frame(), npartitions=4)


@pytest.mark.parametrize(
    "source",
    [
        parquet,
        arrow,
        text,
        folder,
        paths,
        dataset,
        lazy,
        relation,
        stream,
        frames,
        dask_frame,
    ],
)
def test_where_rows_come_from(source, tmp_path):
    design = design_of("y ~ log(z) + f + (x | g)", frame(), {"weights": "z"})
    given = source(tmp_path)
    for rows in (64, 1000):
        assert rows_differ(design, design.spec.blocks(given, rows=rows)) == []


def _parquet_of(table, path):
    from pyarrow.parquet import write_table

    write_table(table, path)


@pytest.mark.parametrize(("ending", "written"), [("parquet", _parquet_of), ("arrow", _ipc_of)])
def test_files_of_columns_that_have_metadata_or_one_name(ending, written, tmp_path):
    import polars as pl
    import pyarrow as pa

    data = frame()
    levels = sorted(data["f"].dropna().astype(str).unique())[::-1]
    enum = pl.from_pandas(data).with_columns(pl.col("f").cast(pl.String).cast(pl.Enum(levels)))
    table = enum.to_arrow()
    path = tmp_path / f"rows.{ending}"
    written(table, path)
    # An Enum is no ordered factor, although Arrow's type says so.
    spec = lme4py.lformula("y ~ f + (1 | g)", table).spec
    assert lme4py.scan("y ~ f + (1 | g)", path).to_json() == spec.to_json()
    twice = pa.Table.from_arrays([*table.columns, table["x"]], names=[*table.column_names, "x"])
    written(twice, path)
    assert lme4py.scan("y ~ z + (1 | g)", path).columns.keys() == {"y", "z", "g"}
    with pytest.raises(DataError, match="column names repeat: 'x'"):
        lme4py.scan("y ~ x + (1 | g)", path)


@pytest.mark.parametrize("order", [["a", "a.b", "y"], ["a.b", "y", "a"], ["y", "a", "a.b"]])
def test_a_part_of_a_column_with_the_path_of_another(order, tmp_path):
    import pyarrow as pa

    columns = {
        "y": pa.array(np.arange(40.0)),
        "a": pa.array([{"b": str(row % 4)} for row in range(40)]),
        "a.b": pa.array([f"level {row % 5}" for row in range(40)]),
    }
    _parquet_of(pa.table({name: columns[name] for name in order}), tmp_path / "rows.parquet")
    spec = lme4py.scan("y ~ 1 + (1 | a.b)", tmp_path / "rows.parquet")
    assert spec.grouping["a.b"] == tuple(f"level {number}" for number in range(5))
    with pytest.raises(DataError, match="invalid type"):
        lme4py.scan("y ~ 1 + (1 | a)", tmp_path / "rows.parquet")


def test_only_the_columns_that_are_needed_are_read(tmp_path):
    import pyarrow.parquet

    data = frame()
    design = design_of("y ~ x + (1 | g)", data, {})
    pattern = parquet(tmp_path)
    asked = []
    real = pyarrow.parquet.ParquetFile.iter_batches

    def spied(self, *arguments, **given):
        asked.append((given["columns"], given["batch_size"]))
        return real(self, *arguments, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", spied)
        list(design.spec.blocks(pattern, rows=64))
    assert asked == [(["y", "x", "g"], 64)] * 3


# What goes wrong -----------------------------------------------------------------------------


def failing(source, match, hint="", formula="y ~ x + (1 | g)"):
    spec = design_of(formula, frame(), {}).spec
    with pytest.raises(DataError, match=match) as caught:
        list(spec.blocks(source, rows=50))
    assert hint in str(caught.value)


def test_errors_name_the_block():
    data = frame()
    parts = [data.iloc[begin : begin + 50] for begin in range(0, 500, 50)]
    failing([*parts[:6], parts[6].drop(columns="x")], "'x' not found", "block 7 of the source")
    failing([*parts[:6], parts[6].assign(x="text")], 'type "character"', "block 7 of the source")
    failing([*parts[:6], parts[6].assign(g="new")], "'new'", "(rows 300 to 349)")
    failing([*parts[:2], 7], "list", "block 3")

    def stops():
        yield from parts[:2]
        raise OSError("the disk is gone")

    failing(stops, "block 3 of the function of frames could not be read: OSError: the disk is gone")


def test_what_is_no_source(tmp_path):
    data = frame()
    once = iter([data])
    failing(once, "only once", "give a function")
    failing(lambda: once, "gives no frames|same iterator again")
    failing(7, "no source of rows: int")
    failing(str(tmp_path / "*.parquet"), "no file matches")
    failing(str(tmp_path / "none.parquet"), "No such file")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    failing(tmp_path / "damaged.parquet", "cannot read")
    (tmp_path / "notes.txt").write_text("x")
    failing(tmp_path / "notes.txt", "expected .parquet")
    import pyarrow as pa

    failing(pa.Table.from_pandas(data).to_reader(), "only once")


def test_a_file_that_changes(tmp_path):
    data = frame()
    path = tmp_path / "rows.parquet"
    data.to_parquet(path)
    spec = design_of("y ~ x + (1 | g)", data, {}).spec
    blocks = spec.blocks(path, rows=50)
    next(blocks)
    data.iloc[:200].to_parquet(path)
    with pytest.raises(DataError, match="has changed while it was read"):
        list(blocks)


def test_an_arrow_file_that_is_cut_while_it_is_read(tmp_path):
    path = tmp_path / "rows.arrow"
    _written_arrow(pd.concat([frame()] * 40), path)
    spec = design_of("y ~ x + (1 | g)", frame(), {}).spec
    blocks = spec.blocks(path, rows=50)
    next(blocks)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)
    with pytest.raises(DataError, match="cannot read") as caught:
        list(blocks)
    assert "in block" in str(caught.value)


def test_a_query_that_cannot_be():
    import polars as pl

    lazy = pl.from_pandas(frame()).lazy().filter(pl.col("nowhere") > 1)
    failing(lazy, "could not be read: ColumnNotFoundError")


def test_blocks_of_a_spec_that_was_saved():
    data = frame()
    design = design_of("y ~ x + f + (x | g)", data, {"subset": "x > 9", "weights": "z"})
    spec = lme4py.Spec.from_json(design.spec.to_json())
    assert rows_differ(design, spec.blocks(data, rows=99)) == []
    assert pd.unique(np.diff(next(iter(spec.blocks(data, rows=99))).Zt.indptr)).tolist() == [2]


# Text as read.csv reads it ----------------------------------------------------------------------


def _products(path):
    spec = lme4py.scan("y ~ x + (1 | g)", path, rows=4)
    return spec.to_json(), spec.crossproducts(path).XtX.tolist()


def _lines(begin, count=12):
    return [f"{row * 1.5},{row * 7 % 5},{'abc'[row % 3]}\n" for row in range(begin, begin + count)]


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.TSV", "a.tsv.GZ"])
@pytest.mark.parametrize("labelled", [False, True])
def test_text_is_what_read_csv_reads(tmp_path, name, labelled):
    """A header that is one field short leaves out the names of the rows, as R writes them."""
    lines = [f"r{place},{line}" if labelled else line for place, line in enumerate(_lines(0))]
    tabbed = name.lower().startswith("a.tsv")
    text = "".join(["y,x,g\n", *lines]).replace(",", "\t" if tabbed else ",")
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("GZ") else text.encode())
    data = lme4py.read_csv(path, sep="\t" if tabbed else ",")
    design = lme4py.lformula("y ~ x + (1 | g)", data)
    spec = lme4py.scan("y ~ x + (1 | g)", path, rows=4)
    assert spec.to_json() == design.spec.to_json()
    np.testing.assert_array_equal(spec.crossproducts(path).XtX, design.crossproducts().XtX)


BLANKS = "\n".join(
    ["y,x,g", "   ", *"".join(_lines(0)).split(), '""', '1,2,"a', "", "  ", 'b"', "\t"]
)


def test_lines_of_blanks_and_of_nothing(tmp_path):
    (tmp_path / "a.csv").write_text(BLANKS)
    data = lme4py.read_csv(tmp_path / "a.csv")
    assert len(data) == 15  # as fixtures/read_csv has it of R
    made = lme4py.lformula("y ~ x + (1 | g)", data).spec
    assert lme4py.scan("y ~ x + (1 | g)", tmp_path / "a.csv", rows=4).to_json() == made.to_json()


@pytest.mark.parametrize("size", [1, 3, 20])
def test_text_is_the_same_piece_by_piece(size):
    pieces = Records(io.StringIO(BLANKS), ",")
    assert "".join(iter(lambda: pieces.read(size), "")) == Records(io.StringIO(BLANKS), ",").read()


@pytest.mark.parametrize(
    "text, match",
    [
        ("".join(["y,x,g\n", *_lines(0), "1,2,a,3\n"]), "Expected 3 fields in line 14, saw 4"),
        ("x,g\n1,2,a\n2,5,b\n1,3,a\n", "duplicate 'row.names'"),
        ("y\n1,2,3\n", "more columns than column names"),
        ("", "no lines available in input"),
    ],
)
def test_text_that_read_csv_refuses(tmp_path, text, match):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=match):
        lme4py.scan("x ~ 1 + (1 | g)", tmp_path / "a.csv", rows=100)
    with pytest.raises(DataError, match=match):
        lme4py.read_csv(tmp_path / "a.csv")


def test_a_folder_has_packed_files_too(tmp_path):
    whole = tmp_path / "whole.csv"
    whole.write_text("".join(["y,x,g\n", *_lines(0, 36)]))
    folder = tmp_path / "parts"
    folder.mkdir()
    first, *others = ("".join(["y,x,g\n", *_lines(begin)]).encode() for begin in (0, 12, 24))
    (folder / "0.csv").write_bytes(first)
    (folder / "1.csv.gz").write_bytes(gzip.compress(others[0]))
    with zipfile.ZipFile(folder / "2.CSV.zip", "w") as archive:
        archive.writestr("2.csv", others[1])
    (folder / "_SUCCESS").touch()
    assert _products(folder) == _products(whole)
    with zipfile.ZipFile(folder / "2.CSV.zip", "a") as archive:
        archive.writestr("3.csv", first)
    with pytest.raises(DataError, match="the zip archive holds 2 files, not one"):
        _products(folder)


def test_a_packed_file_that_is_cut_is_our_error(tmp_path):
    packed = gzip.compress("".join(["y,x,g\n", *_lines(0, 5000)]).encode())
    for size in (3, 12, 2000):
        (tmp_path / "a.csv.gz").write_bytes(packed[:size])
        with pytest.raises(DataError, match="cannot read"):
            _products(tmp_path / "a.csv.gz")
