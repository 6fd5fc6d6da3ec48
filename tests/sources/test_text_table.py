"""Texts are found by their bytes, whatever they are and however they are stored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lme4py.sources.text_table import TextTable, coded

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


@pytest.mark.parametrize("library", [arrow, large_arrow, polars, pandas])
def test_tables_grow_block_by_block(library):
    dice, tables, pools = np.random.default_rng(5), {}, []
    for count in (3, 40, 0, 500, 1, 200):
        texts = [text if dice.uniform() > 0.1 else None for text in random_texts(count, dice)]
        frame, tables = coded(library(texts), tables, grow=True)
        if count:
            assert frame["g"].texts().tolist() == texts
        pools.append(tables["g"].pool)
    assert all(pools[-1][: len(pool)] == pool for pool in pools)
    assert len(set(pools[-1])) == len(pools[-1])
    fixed, again = coded(library([*TEXTS, None]), tables, grow=False)
    assert fixed["g"].texts().tolist() == [*TEXTS, None]
    assert again["g"].pool is pools[-1]


@pytest.mark.parametrize("library", [arrow, large_arrow, polars, pandas])
def test_texts_that_a_table_does_not_have(library):
    table = TextTable(("u", "v"))
    frame, tables = coded(library(["v", "w"]), {"g": table}, grow=False)
    assert frame["g"].texts().tolist() == ["v", "w"]
    assert tables["g"] is table


@pytest.mark.parametrize("library", [arrow, pandas])
def test_texts_that_are_no_utf_8(library):
    tables = {"g": TextTable(("u", "\ud800"))}
    for texts in (["u"], ["u", None, "w"]):
        frame, tables = coded(library(texts), tables, grow=True)
        assert frame["g"].texts().tolist() == texts
        assert frame["g"].pool is tables["g"].pool
    assert tables["g"].pool == ("u", "\ud800", "w")
