"""Texts are found by their bytes, whatever they are and however they are stored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lme4py.data.columns import Columns
from lme4py.sources.text_table import TextTable

TEXTS = ["", "a", "b\0", "b", "seven77", "eight888", "nine99999", "é" * 9, "\U0001f600", "x" * 700]
ALIKE = ["twelve letters", "twelve lettérs", "Twelve letters", "twelve letters ", "TWELVE LETTERS"]


def random_texts(count, dice):
    """Return texts of all lengths, many of which occur again."""
    pool = [
        *TEXTS,
        *ALIKE,
        *("".join(dice.choice([*"ab"], dice.integers(1, 30))) for _ in "x" * 99),
    ]
    return [pool[place] for place in dice.integers(0, len(pool), count)]


def arrow(texts):
    import pyarrow as pa

    # Not all of the memory's rows are the column's.
    return {"g": pa.array(["before", *texts, "behind"])[1:-1]}


def large_arrow(texts):
    import pyarrow as pa

    half = len(texts) // 2
    return {"g": pa.chunked_array([texts[:half], texts[half:]], type=pa.large_string())}


def polars(texts):
    import polars as pl

    return pl.DataFrame({"g": pl.Series(texts, dtype=pl.String)})


def pandas(texts):
    return pd.DataFrame({"g": pd.Series(texts, dtype=object)})


def read(table, frame):
    """Return the column of a frame by the codes of a table."""
    return table.read(Columns(frame), "g")


@pytest.mark.parametrize("library", [arrow, large_arrow, polars, pandas])
def test_tables_grow_block_by_block(library):
    dice, table, pools = np.random.default_rng(5), TextTable(), []
    for count in (3, 40, 0, 500, 1, 200):
        texts = [text if dice.uniform() > 0.1 else None for text in random_texts(count, dice)]
        found = read(table, library(texts))
        if count:
            assert found.texts().tolist() == texts
        pools.append(table.pool)
    assert all(pools[-1][: len(pool)] == pool for pool in pools)
    assert len(set(pools[-1])) == len(pools[-1])
    fixed = TextTable(pools[-1])
    assert read(fixed, library([*TEXTS, None])).texts().tolist() == [*TEXTS, None]
    assert fixed.pool is pools[-1]


@pytest.mark.parametrize("library", [arrow, large_arrow, polars, pandas])
def test_texts_that_a_table_does_not_have(library):
    table = TextTable(("u", "v"))
    assert read(table, library(["v", "w"])).texts().tolist() == ["v", "w"]
    assert table.pool == ("u", "v")


@pytest.mark.parametrize("library", [arrow, pandas])
def test_texts_that_are_no_utf_8(library):
    table = TextTable()
    assert read(table, pandas(["u", "\ud800"])).texts().tolist() == ["u", "\ud800"]
    for texts in (["u"], ["u", None, "w"]):
        found = read(table, library(texts))
        assert found.texts().tolist() == texts
        assert found.pool is table.pool
    assert table.pool == ("u", "\ud800", "w")
