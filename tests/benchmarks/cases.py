"""What is measured: formulas, and the data they are built on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FORMULA = "y ~ x*a + z + (1 + x | g1) + (1 | g2)"
EVERYONE = ("floor", "lme4py", "mixedlm", "formulaic", "R")


@dataclass(frozen=True)
class Case:
    """One build.

    Parameters
    ----------
    name : str
        A word for the command line.
    title : str
        What the table calls it.
    formula : str
    rows : int
    columns : mapping
        Column names; a number of levels for a factor (0: numeric).
    frame : {"pandas", "polars", "arrow"}
    text : bool
        Factors are given as plain strings.
    builders : tuple of str
        Who is measured.
    repeat : int
        Builds per process; more than one where a build is too short to be seen.
    """

    name: str
    title: str
    formula: str
    rows: int
    columns: Mapping[str, int]
    frame: str = "pandas"
    text: bool = False
    builders: tuple[str, ...] = ("lme4py",)
    repeat: int = 1

    @property
    def warm_numbers(self) -> int:
        """How many doubles take more memory than any builder needs above the input."""
        return self.rows * (40 + 3 * len(self.columns))


def _usual(rows: int) -> dict[str, int]:
    return {"y": 0, "x": 0, "z": 0, "a": 3, "g1": max(rows // 20, 2), "g2": max(rows // 1000, 2)}


def _many(count: int) -> dict[str, int]:
    return {"y": 0} | {f"x{i}": 0 for i in range(count)} | {"g1": 1000}


def _cases() -> list[Case]:
    million = 1_000_000
    usual = _usual(million)
    six = "y ~ x*a + z + (1 + x | g1) + (1 | g2) + (z || g3) + (1 | g4) + (0 + x | g2)"
    more = usual | {"g3": 500, "g4": 20}
    heavy = {"y": 0, "x": 0, "f1": 300, "f2": 200, "g1": 1000}
    return [
        Case("rows-10k", "10,000 rows", FORMULA, 10_000, _usual(10_000), repeat=20),
        Case("rows-100k", "100,000 rows", FORMULA, 100_000, _usual(100_000), repeat=5),
        Case("rows-1M", "1,000,000 rows", FORMULA, million, usual, builders=EVERYONE),
        Case(
            "rows-10M",
            "10,000,000 rows",
            FORMULA,
            10 * million,
            _usual(10 * million),
            builders=("floor", "lme4py"),
        ),
        Case(
            "formulae-10k",
            "10,000 rows, few groups",
            "y ~ x*a + z + (x | g1) + (1 | g2)",
            10_000,
            _usual(10_000) | {"g1": 50, "g2": 20},
            builders=("lme4py", "mixedlm", "formulae"),
        ),
        Case(
            "groups-few",
            "10 and 5 groups",
            FORMULA,
            million,
            usual | {"g1": 10, "g2": 5},
            builders=("floor", "lme4py", "mixedlm"),
        ),
        Case(
            "groups-nested",
            "nested: (1 | g2/g4)",
            "y ~ x*a + z + (1 | g2/g4)",
            million,
            more,
            builders=("lme4py", "mixedlm"),
        ),
        Case(
            "terms-1",
            "one random term",
            "y ~ x*a + z + (1 | g2)",
            million,
            usual,
            builders=("lme4py", "mixedlm"),
        ),
        Case("terms-6", "six random terms", six, million, more, builders=("lme4py", "mixedlm")),
        Case(
            "factor-slopes",
            "factor slopes: (a | g2)",
            "y ~ x*a + z + (a | g2)",
            million,
            usual,
            builders=("lme4py", "mixedlm"),
        ),
        Case(
            "strings",
            "strings for factors",
            FORMULA,
            million,
            usual,
            text=True,
            builders=("lme4py", "mixedlm"),
        ),
        Case("polars", "polars, categories", FORMULA, million, usual, "polars"),
        Case("polars-strings", "polars, strings", FORMULA, million, usual, "polars", text=True),
        Case("arrow", "arrow, dictionaries", FORMULA, million, usual, "arrow"),
        Case("arrow-strings", "arrow, strings", FORMULA, million, usual, "arrow", text=True),
        Case(
            "wide",
            "X of 200 columns, 100,000 rows",
            "y ~ " + " + ".join(f"x{i}" for i in range(199)) + " + (1 | g1)",
            100_000,
            _many(199),
            builders=("lme4py", "mixedlm", "formulaic"),
        ),
        Case(
            "sparse",
            "sparse X of 500 columns",
            "y ~ x + f1 + f2 + (1 | g1)",
            million,
            heavy,
            builders=("lme4py-sparse",),
        ),
        Case(
            "small",
            "180 rows, again and again",
            "y ~ x + (x | g1)",
            180,
            {"y": 0, "x": 0, "g1": 18},
            builders=("lme4py", "mixedlm", "formulae", "formulaic", "R"),
            repeat=200,
        ),
        Case(
            "replay",
            "one new row, again and again",
            "y ~ x + (x | g1)",
            180,
            {"y": 0, "x": 0, "g1": 18},
            builders=("lme4py-replay",),
            repeat=200,
        ),
    ]


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}


def arrays(case: Case, seed: int = 20240501) -> dict[str, np.ndarray]:
    """Return the columns of a case: doubles, or int32 codes of a factor with every level used."""
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for name, levels in case.columns.items():
        if levels:
            codes = random.integers(0, levels, case.rows, dtype=np.int32)
            codes[:levels] = np.arange(levels, dtype=np.int32)
            made[name] = codes
        else:
            made[name] = random.standard_normal(case.rows)
    return made


def level_names(name: str, levels: int) -> list[str]:
    """Return the names of a factor's levels, in alphabetical order."""
    width = len(str(levels))
    return [f"{name}_{i:0{width}d}" for i in range(levels)]
