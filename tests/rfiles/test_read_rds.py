"""R's values as R 4.2.2 wrote them (fixtures/values.rds, fixtures/user.rds)."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import struct
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.errors import DataError
from lme4py.formula.deparse import deparse
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import (
    RFrame,
    RLanguage,
    RList,
    RSparse,
    RUnread,
    character,
    own_value,
)
from lme4py.rfiles.serialize import serialize
from lme4py.rfiles.unserialize import unserialize
from tests.bounded import bounded_work

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture(scope="module")
def values() -> RList:
    return read_rds(FIXTURES / "values.rds")


def test_null_and_numbers(values: RList):
    assert values["nothing"] is None
    assert np.isnan(values["logical"].as_float()).tolist() == [False, True, False]
    assert values["logical"].values[[0, 2]].tolist() == [True, False]
    assert values["integer"].as_float().tolist()[::2] == [1.0, -3.0]
    assert np.isnan(values["integer"].as_float()[1])
    assert values["sequence"].values.tolist() == [1, 2, 3, 4, 5]
    double = values["double"].values
    assert double[0] == 0.1
    assert np.isnan(double[1:3]).all()
    assert double[3:].tolist() == [np.inf, -np.inf]
    assert values["named"].names == ("a", "b")
    assert values["complex"].values.tolist() == [1 + 2j]


def test_text_in_every_encoding(values: RList):
    assert values["character"].texts() == ["a", None, "é", "été"]


def test_factors(values: RList):
    factor = values["factor"]
    assert isinstance(factor, Factor)
    assert factor.codes.tolist() == [0, -1, 1]
    assert factor.levels == ("z", "a", "unused")
    assert not factor.ordered
    assert values["ordered"].ordered
    assert values["na_level"].levels == ("a", None)
    assert isinstance(values["contrasted"].contrasts, Matrix)


def test_matrices(values: RList):
    matrix = values["matrix"]
    assert matrix.values.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert matrix.column_names == ("p", "q", "r")
    assert matrix.names is None
    sparse = values["sparse"]
    assert isinstance(sparse, RSparse)
    assert sparse.matrix.toarray().tolist() == [[0, 1.5], [0, 0], [0, -2]]
    assert values["other_s4"].name == "ddiMatrix"


@pytest.mark.parametrize("name", ["formula", "call", "symbol"])
def test_language_is_a_syntax_tree(values: RList, name: str):
    assert isinstance(values[name], RLanguage)
    expected = {"formula": "y ~ x", "call": "f(x)", "symbol": "x"}
    assert deparse(values[name].node) == expected[name]


@pytest.mark.parametrize("name", ["fun", "builtin", "environment"])
def test_what_is_not_data_is_left_alone(values: RList, name: str):
    assert isinstance(values[name], RUnread)


def test_lists(values: RList):
    assert values["nested"]["b"]["c"].texts() == ["deep"]
    assert values["nested"].names == ("", "b")
    assert values.get("absent") is None
    with pytest.raises(DataError, match="no element 'absent'"):
        values["absent"]


def test_frames_become_pandas(values: RList):
    frame = RFrame(
        {
            "l": own_value(values["logical"]),
            "i": own_value(values["integer"]),
            "whole": Numeric(np.array([1, 2, 3]), "integer"),
            "f": values["factor"],
            "s": own_value(character(["b", None, "a"])),
            "d": Numeric(np.array([1.5, np.nan, 2.0]), "double"),
        },
        ("1", "2", "3"),
    ).table()
    assert str(frame["l"].dtype) == "boolean"
    assert str(frame["i"].dtype) == "Int64"
    assert str(frame["whole"].dtype) == "int64"
    assert frame["f"].cat.categories.tolist() == ["z", "a", "unused"]
    assert frame["s"].isna().tolist() == [False, True, False]
    assert frame.index.tolist() == [1, 2, 3]
    assert values["frame"].table().index.tolist() == ["one", "two"]


def test_times_become_pandas(values: RList):
    frame = RFrame({"when": own_value(values["date"])}, ("1", "2")).table()
    assert frame["when"][1] == pd.Timestamp("2024-02-29")
    assert pd.isna(frame["when"][2])
    stamp = RFrame({"t": own_value(values["time"])}, ("1",)).table()["t"][1]
    assert stamp == pd.Timestamp("2024-02-29 12:30", tz="UTC")


@pytest.mark.parametrize(
    ("number", "time"),
    [(1e300, "Date"), (np.inf, "Date"), (-1e18, "POSIXct"), (1.0, "POSIXct Mars/Olympus")],
)
def test_times_that_pandas_has_not_stay_numbers(number: float, time: str):
    column = Numeric(np.array([number, 5.0]), "double", time)
    assert RFrame({"t": column}, ("1", "2")).table()["t"] is column


def test_columns_pandas_cannot_hold(values: RList):
    # R computes with a difference in its own unit, of which pandas keeps none.
    span = RFrame({"span": own_value(values["span"])}, ("1", "2")).table()["span"]
    assert span.time == values["span"].attributes["units"].values[0]
    assert span.values.tolist() == values["span"].values.tolist()
    frame = RFrame({"m": own_value(values["matrix"])}, ("1", "2"))
    assert frame.table()["m"].values.shape == (2, 3)
    assert RFrame({"v": values["na_level"]}, ("1", "2")).table()["v"].levels == ("a", None)
    assert RFrame({"v": values["nested"]}, ("1", "2")).table()["v"].dtype == object


def test_columns_that_no_model_can_use_stop_only_a_model_that_does():
    record = read_rds(FIXTURES / "spec" / "unused_columns.rds")
    table = record["data"].table()
    assert table.index[0] == "row1"
    design = lme4py.lformula("y ~ x + (1 | g)", table)
    np.testing.assert_array_equal(design.X, record["lf"]["X"].values)
    for name, words in zip(record["refused"].names, record["refused"].values, strict=True):
        if words:
            with pytest.raises(lme4py.Lme4pyError, match="invalid type") as caught:
                lme4py.lformula(f"y ~ {name} + (1 | g)", table)
            assert f"for variable '{name}'" in caught.value.message


@pytest.mark.parametrize(
    "value",
    [
        Numeric(np.array([1.5, np.nan]), "double"),
        Numeric(np.array([1, -7]), "integer"),
        Numeric(np.array([1.0, np.nan]), "integer"),
        Numeric(np.array([True, False]), "logical"),
        Numeric(np.array([1.0, np.nan, 0.0]), "logical"),
        Numeric(np.array([19782.0, np.nan]), "double", "Date"),
        Numeric(np.array([1.0e9]), "double", "POSIXct"),
        Numeric(np.array([1.0e9]), "double", "POSIXct Europe/Rome"),
        Numeric(np.array([3.0]), "double", "hours"),
        Character(np.array([0, -1, 1], dtype=np.int32), ("é", "b")),
        Factor(np.array([1, -1], dtype=np.int32), ("a", "b"), True, "contr.sum"),
        Factor(np.array([1, 0], dtype=np.int32), ("a", None), False, Matrix(np.eye(2), ("p", "q"))),
        Matrix(np.array([[1.0, np.nan]]), ("p", "q")),
    ],
    ids=repr,
)
def test_values_come_back(value):
    """What is written for R is read as the same value."""
    found = own_value(unserialize(serialize(value)))
    assert type(found) is type(value)
    for item in fields(value):
        one, two = getattr(found, item.name), getattr(value, item.name)
        if isinstance(two, Matrix):
            np.testing.assert_array_equal(one.values, two.values)
            one, two = one.names, two.names
        np.testing.assert_array_equal(one, two)


def test_text_of_an_ascii_file():
    """As R 4.2.2 writes saveRDS("é\\n", ascii = TRUE)."""
    text = b"A\n2\n262658\n131840\n16\n1\n32777\n3\n\\303\\251\\n\n"
    assert unserialize(text).texts() == ["é\n"]


def test_a_packed_bomb_is_unpacked_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr("lme4py.rfiles.read_rds._SMALL", 2**20)
    path = tmp_path / "bomb.rds"
    path.write_bytes(gzip.compress(bytes(200_000_000), compresslevel=9))
    with bounded_work(calls=10_000, megabytes=60), pytest.raises(DataError, match="unpacks to"):
        read_rds(path)


def test_what_a_user_writes():
    both = read_rds(FIXTURES / "user.rds")
    assert both.names == ("data", "lf")
    frame = both["lf"]["fr"]
    assert isinstance(frame.columns["poly(Days, 2)"], Matrix)
    assert both["lf"]["reTrms"]["Zt"].matrix.shape == (36, 180)
    assert both["lf"]["reTrms"]["flist"].attributes["assign"].values.tolist() == [1]


def test_files_that_are_not_r_s(tmp_path: Path):
    with pytest.raises(DataError, match="cannot read"):
        read_rds(tmp_path / "absent.rds")
    good = (FIXTURES / "values.rds").read_bytes()
    for number, content in enumerate([b"", b"x,y\n1,2\n", good[: len(good) // 2], good[:40]]):
        path = tmp_path / f"{number}.rds"
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a file written by R's saveRDS"):
            read_rds(path)
    shutil.copy(FIXTURES / "values.rds", tmp_path / "no_extension")
    assert read_rds(tmp_path / "no_extension").names is not None


def packed(path: Path, stream: bytes) -> Path:
    path.write_bytes(gzip.compress(stream))
    return path


def vector(code: int, length: int, rest: bytes = b"") -> bytes:
    return HEADER + struct.pack(">ii", code, length) + rest


def short(name: bytes, state: bytes) -> bytes:
    """Return a vector that R keeps in short: the symbol, the state, no attributes."""
    symbol = struct.pack(">iiii", 2, 1, 9, len(name)) + name + NOTHING
    return struct.pack(">i", 238) + symbol + state + NOTHING


def sequence(length: float, start: float = 1.0) -> bytes:
    state = struct.pack(">iiddd", 14, 3, length, start, 1.0)
    return short(b"compact_intseq", state)


NOTHING = struct.pack(">i", 254)
HEADER = b"X\n" + struct.pack(">iii", 2, 262658, 131840)


def test_every_logical_but_zero_is_true(tmp_path: Path):
    numbers = struct.pack(">iii", 7, -(2**31), 0)
    with_missing = read_rds(packed(tmp_path / "a.rds", vector(10, 3, numbers)))
    assert with_missing.values[[0, 2]].tolist() == [1.0, 0.0]
    assert np.isnan(with_missing.values[1])
    whole = read_rds(packed(tmp_path / "b.rds", vector(10, 1, struct.pack(">i", 7))))
    assert whole.values.tolist() == [True]


HOSTILE = {
    "a length of two billion numbers": vector(14, 2**31 - 1),
    "a long vector of 2^60 numbers": vector(14, -1, struct.pack(">ii", 2**28, 0)),
    "a negative length": vector(14, -2),
    "texts without end": vector(16, 2**31 - 1, struct.pack(">ii", 9, -1) * 100),
    "lists in lists": HEADER + struct.pack(">ii", 19, 1) * 100_000,
    "pairs in pairs": HEADER + struct.pack(">i", 2) * 100_000,
    "calls in attributes": HEADER + struct.pack(">i", 6 | 512) * 100_000,
    "a sequence of a billion": HEADER + sequence(1e9),
    "a sequence beyond integers": HEADER + sequence(10, 2.0**31 - 5),
    "a sequence backwards": HEADER + sequence(-1),
    "a reference to nothing": HEADER + struct.pack(">i", 255 | (7 << 8)),
    "a type that R has not": HEADER + struct.pack(">i", 99),
    "version 9": b"X\n" + struct.pack(">iii", 9, 1, 1),
    "something behind the object": HEADER + struct.pack(">ii", 254, 254),
    "numbers of the text form": b"A\n2\n1\n1\n13\n1\n9999999999999999999999\n",
    "words of the text form": b"A\n2\n1\n1\n14\n1\nseven\n",
    "nothing but the header": b"X\n",
}


def test_numbers_that_are_texts_in_short_are_bounded(tmp_path: Path):
    texts = short(b"deferred_string", struct.pack(">i", 2) + sequence(1e5) + NOTHING)
    stream = HEADER + struct.pack(">ii", 19, 100) + 100 * texts
    path = packed(tmp_path / "texts.rds", stream)
    with bounded_work(calls=100_000, megabytes=200), pytest.raises(DataError, match="in short"):
        read_rds(path)


def test_xz_is_told_how_much_memory_it_may_take(tmp_path: Path):
    content = bytearray(lzma.compress(vector(14, 1, struct.pack(">d", 0.5))))
    path = tmp_path / "wide.rds"
    path.write_bytes(content)
    assert read_rds(path).values.tolist() == [0.5]
    # The block's header, after 12 bytes: its size, flags, filter, length, dictionary, checksum.
    end = 12 + 4 * (content[12] + 1)
    content[16] = 40  # 4 GiB
    content[end - 4 : end] = struct.pack("<I", zlib.crc32(content[12 : end - 4]))
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"it is damaged .*[Mm]emory"):
        read_rds(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams_end_soon_and_clearly(tmp_path: Path, name: str):
    path, size = packed(tmp_path / "hostile.rds", HOSTILE[name]), len(HOSTILE[name])
    # What is done is bounded by the bytes that are there, whatever they ask for.
    with (
        bounded_work(calls=1_000 + 20 * size, megabytes=1 + size / 10_000),
        pytest.raises(DataError, match="not a file written by R's saveRDS"),
    ):
        read_rds(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lme4py.rfiles.read_rds._SMALL", 2**22)
    path = tmp_path / "bomb.rds"
    path.write_bytes(gzip.compress(vector(14, 2**22) + bytes(2**23), 9))
    assert path.stat().st_size < 2**14
    with pytest.raises(DataError, match="unpacks to more than"):
        read_rds(path)


def test_parts_that_do_not_fit(tmp_path: Path):
    def attributes(*pairs: tuple[bytes, bytes]) -> bytes:
        return b"".join(
            struct.pack(">iiii", 2 | 1024, 1, 9, len(tag)) + tag + value for tag, value in pairs
        ) + struct.pack(">i", 254)

    def integers(*numbers: int) -> bytes:
        return struct.pack(f">ii{len(numbers)}i", 13, len(numbers), *numbers)

    def text(word: bytes) -> bytes:
        return struct.pack(">iiii", 16, 1, 9, len(word)) + word

    body = struct.pack(">iiii", 13 | 512, 2, 1, 2)
    for stream in (
        body + attributes((b"dim", integers(3, 3))),
        body + attributes((b"dim", integers(-1, -2))),
        body + attributes((b"levels", text(b"a")), (b"class", text(b"factor"))),
        struct.pack(">i", 25 | 512) + attributes((b"class", text(b"dgCMatrix"))),
        struct.pack(">iii", 19 | 512, 1, 254)
        + attributes((b"names", text(b"a")), (b"class", text(b"data.frame"))),
    ):
        with pytest.raises(DataError, match="not a file written by R's saveRDS"):
            read_rds(packed(tmp_path / "odd.rds", HEADER + stream))


def test_every_changed_byte_is_read_or_refused(tmp_path: Path):
    stream = lzma.decompress((FIXTURES / "values.rds").read_bytes())
    rng = random.Random(8)
    path = tmp_path / "changed.rds"
    read = 0
    for _ in range(600):
        changed = bytearray(stream)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(changed))
            match rng.randrange(4):
                case 0:
                    changed[at] = rng.randrange(256)
                case 1:
                    changed[at : at + 4] = rng.choice([b"\x7f\xff\xff\xff", b"\xff" * 4, bytes(4)])
                case 2:
                    del changed[at : at + rng.randrange(40)]
                case _:
                    changed[at:at] = changed[: rng.randrange(100)]
        path.write_bytes(bytes(changed))
        try:
            read_rds(path)
            read += 1
        except DataError:
            pass
    assert read < 600


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "none"])
def test_compressions(tmp_path: Path, form: str):
    stream = lzma.decompress((FIXTURES / "values.rds").read_bytes())
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "none": bytes}
    path = tmp_path / form
    path.write_bytes(pack[form](stream))
    assert read_rds(path)["named"].names == ("a", "b")
    path.write_bytes(pack[form](stream)[:-9])
    with pytest.raises(DataError, match="not a file written by R's saveRDS"):
        read_rds(path)
