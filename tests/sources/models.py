"""Models with every kind of function, and data to cut into blocks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

import lme4py

__all__ = ["FORMULAS", "SOURCES", "cut", "design_of", "frame", "pieces"]

FORMULAS: dict[str, dict[str, Any]] = {
    # Row by row.
    "y ~ x + (1 | g)": {},
    "y ~ log(z) * f + (x | g)": {},
    "y ~ k + i + b + (1 | g)": {},
    "y ~ o + x:f + (1 | g) + (1 | h)": {},
    "y ~ I(x^2) + ifelse(x > 0, z, 1) + (1 | g:h)": {},
    "y ~ x + (1 | g/h)": {},
    "y ~ 0 + f + (0 + x | g) + (1 | i)": {},
    "y ~ x + (x || g)": {},
    "y ~ f * k + (f | g)": {},
    "log(z) ~ x + offset(z) + (1 | g)": {},
    "y ~ as.character(f) + paste(f, k) + (1 | g)": {},
    "y ~ is.na(m) + (1 | g)": {"na_action": "pass"},
    "y ~ m + (1 | g)": {},
    "y ~ format(when, '%m') + (1 | when)": {},
    "y ~ z + x + (1 | g)": {"weights": "z", "offset": "log(z)"},
    "y ~ f + x + (1 | g)": {"subset": "x > mean(x) & f != 'c'"},
    # Levels and extremes, in any order.
    "y ~ factor(i) + h + (1 | factor(h))": {},
    "y ~ relevel(factor(f), ref = 'c') + (1 | g)": {},
    "y ~ factor(f, levels = rev(levels(factor(f)))) + (1 | g)": {},
    "y ~ interaction(f, k) + g + k + (1 | interaction(g, k))": {},
    "y ~ addNA(factor(t)) + (1 | g)": {},
    "y ~ C(k, sum) + (1 | g)": {},
    "y ~ cut(x, 3) + (1 | g)": {},
    "y ~ cut(z, c(0, 3, 6, 9)) + (1 | g)": {},
    "y ~ I((x - min(x)) / (max(x) - min(x))) + (1 | g)": {},
    "y ~ I(z / range(z)[2]) + (1 | g)": {},
    "y ~ I(nlevels(k) * x) + (1 | g)": {},
    # Sums in the order of the rows.
    "y ~ scale(x) + (scale(x) | g)": {},
    "y ~ I(x - mean(x)) + (1 | g)": {},
    "y ~ I(m - mean(m, na.rm = TRUE)) + (1 | g)": {},
    "y ~ I((x - mean(x)) / sd(x)) + (1 | g)": {},
    "y ~ I(i / sum(i) + x / var(x)) + (1 | g)": {},
    "scale(y) ~ scale(log(z), scale = FALSE) + (1 | g)": {},
    # Whole columns.
    "y ~ poly(x, 2) + (1 | g)": {},
    "y ~ splines::ns(x, df = 3) + (1 | g)": {},
    "y ~ splines::bs(z, df = 5) + (1 | g)": {},
    "y ~ cut(z, quantile(z, c(0, 0.3, 1)), include.lowest = TRUE) + (1 | g)": {},
    "y ~ I(x > median(x)) + I(abs(x) / median(x)) + (1 | g)": {},
    "y ~ I(x - x[1]) + I(x * length(x[x > 0])) + (1 | g)": {},
    # A state for each group.
    "y ~ I(x - ave(x, g)) + ave(x, g) + (1 | g)": {},
    "y ~ ave(x, f, k, FUN = max) + ave(z) + (1 | g)": {},
    # One inside the other.
    "y ~ scale(x - mean(x)) + (1 | g)": {},
    "y ~ poly(scale(log(z)), 2) + (1 | g)": {},
    "y ~ cut(scale(x)[, 1], 3) + (1 | factor(h):k) + h": {},
    # Columns that depend on others.
    "y ~ x + I(2 * x) + f + I(f == 'a') + (1 | g)": {},
    "y ~ I(z * 1e5) + x + (1 | g)": {},
}
"""Formulas and what is given with them."""

LATE = 400


def frame(rows: int = 500) -> pd.DataFrame:
    """Return data whose levels do not all come at once, some where y is missing only."""
    dice = np.random.default_rng(11)
    late = np.arange(rows) > LATE
    made = pd.DataFrame(
        {
            "y": dice.normal(size=rows),
            "x": dice.normal(size=rows) + 10,
            "z": dice.uniform(1, 9, rows),
            "m": np.where(dice.uniform(size=rows) < 0.1, np.nan, dice.normal(size=rows)),
            "i": dice.integers(1, 7, rows),
            "b": dice.uniform(size=rows) > 0.5,
            "f": np.where(late & (dice.uniform(size=rows) < 0.3), "B", dice.choice([*"cab"], rows)),
            "t": dice.choice(["u", "v", None], rows),
            "k": pd.Categorical(dice.choice(["lo", "hi"], rows), ["lo", "never", "hi"]),
            "o": pd.Categorical(dice.choice([*"rst"], rows), [*"tsr"], ordered=True),
            "g": [f"g{number}" for number in dice.integers(0, 12 + 8 * late)],
            "h": [f"h{number}" for number in dice.integers(0, 5 + 2 * late)],
            "when": np.datetime64("2024-01-01", "s") + dice.integers(0, 300, rows) * 86400,
            "unused": dice.normal(size=rows),
        }
    )
    made.loc[[5, LATE + 60], "y"] = np.nan
    made.loc[5, "g"], made.loc[LATE + 60, "f"] = "alone", "only here"
    return made


def pieces(rows: int, dice: np.random.Generator) -> list[slice]:
    """Return random cuts of some rows: from one row to all of them, empty ones among them."""
    ends = np.sort(dice.integers(0, rows + 1, dice.integers(0, 12)))
    return [slice(int(a), int(b)) for a, b in zip([0, *ends], [*ends, rows], strict=True)]


def _pandas(data: pd.DataFrame) -> Any:
    return data


def _polars(data: pd.DataFrame) -> Any:
    import polars as pl

    made = pl.from_pandas(data)
    return made.with_columns(pl.col("k", "o").cast(pl.Enum(["lo", "never", "hi", *"tsr"])))


def _arrow(data: pd.DataFrame) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(data, preserve_index=False)


SOURCES = {"pandas": _pandas, "polars": _polars, "pyarrow": _arrow}
"""What the data become, by the name of a library."""


def cut(data: Any, piece: slice) -> Any:
    """Return some rows of a frame."""
    if isinstance(data, pd.DataFrame):
        return data.iloc[piece]
    return data.slice(piece.start, piece.stop - piece.start)


def design_of(formula: str, data: Any, options: dict[str, Any]) -> Any:
    """Return the design in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.lformula(formula, data, **options)
