"""A digest of every array of many builds, to show that a faster path changes no bit.

Run ``python -m tests.benchmarks.digests > before`` ahead of a change of the hot paths,
and ``... > after`` behind it; the two files must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import lme4py
from tests.live.generator import Case, Column, make_case
from tests.recorded.cases import FIXTURES, build, load

_KINDS = ("pandas", "polars", "arrow", "mapping")


def digest(design: Any) -> str:
    """Return a digest of all that a design holds."""
    state = hashlib.sha256()

    def add(item: Any) -> None:
        if hasattr(item, "indptr"):
            for part in (item.data, item.indices, item.indptr):
                add(part)
        elif isinstance(item, np.ndarray) and item.dtype != object:
            # The bytes: -0.0 differs from 0.0.
            state.update(f"{item.dtype}{item.shape}".encode())
            state.update(np.asfortranarray(item).tobytes(order="F"))
        else:
            state.update(repr(item).encode())

    random = design.random
    for item in (design.X, design.y, design.weights, design.offset, design.Zt, random.Lambdat):
        add(item)
    for item in (random.Lind, random.theta, random.lower, random.Gp, random.nl, random.cnms):
        add(item)
    for item in (random.row_names, random.order, random.assign, design.messages):
        add(item)
    for group in random.flist.values():
        add(group.codes)
        add(list(group.categories))
    fixed = design.fixed
    add((fixed.names, fixed.dropped, fixed.terms, fixed.scales, sorted(fixed.contrasts)))
    add(fixed.assign)
    for name, value in design.frame.items():
        add(str(name))
        add(value.cat.codes.to_numpy() if hasattr(value, "cat") else value.to_numpy())
    return state.hexdigest()[:20]


def _outcome(formula: str, data: Any, **arguments: Any) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return digest(lme4py.lformula(formula, data, **arguments))
    except lme4py.Lme4pyError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"


def _column(column: Column) -> Any:
    if column.levels:
        return pd.Categorical(
            column.values, categories=column.levels, ordered=column.kind == "ordered"
        )
    missing = any(value is None for value in column.values)
    kinds: dict[str, str] = {"double": "float64", "integer": "Int64", "logical": "boolean"}
    if not missing:
        kinds |= {"integer": "int64", "logical": "bool"}
    if column.kind in kinds:
        return pd.array(column.values, dtype=kinds[column.kind])
    return pd.array(column.values, dtype="str")


def _frame(case: Case, kind: str) -> Any:
    columns = {
        name: _column(column) for name, column in case.columns.items() if hasattr(column, "kind")
    }
    if kind == "mapping":
        return columns
    frame = pd.DataFrame(columns)
    if kind == "pandas":
        return frame
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    if kind == "arrow":
        return table
    import polars as pl

    return pl.from_arrow(table)


def _random_cases(count: int, seed: int) -> Iterator[tuple[str, str]]:
    for number in range(count):
        case = make_case(seed, number)
        given = case.arguments
        arguments = {
            ours: given[theirs]
            for ours, theirs in (("na_action", "na.action"), ("control", "control"))
            if theirs in given
        }
        for kind in _KINDS:
            yield f"{case.name} {kind}", _outcome(case.formula, _frame(case, kind), **arguments)


def _large() -> Iterator[tuple[str, str]]:
    random = np.random.default_rng(3)
    n = 70_001
    codes = random.integers(0, 700, n)
    x = random.standard_normal(n)
    holes = np.where(random.random(n) < 0.01, np.nan, x)
    thin = x.copy()
    thin[::7] = 0.0
    names = [f"s{i}" for i in range(900)]
    frame = pd.DataFrame(
        {
            "y": random.standard_normal(n),
            "x": x,
            "h": holes,
            "t": thin,
            "big": x * 1e5,
            "near": 1e9 + x,
            "i": random.integers(-5, 6, n),
            "b": random.random(n) < 0.3,
            "zero": np.zeros(n),
            "inf": np.where(np.arange(n) == 17, np.inf, x),
            "a": pd.Categorical.from_codes(random.integers(0, 4, n), list("pqrs")),
            "late": pd.Categorical.from_codes(np.where(np.arange(n) > n - 5, 2, 0), list("uvw")),
            "m": pd.Categorical.from_codes(random.integers(-1, 3, n), list("uvw")),
            "g": pd.Categorical.from_codes(codes, names),
            "s": np.sort(codes),
            "k": np.array(names, dtype=object)[codes],
        }
    )
    formulas = [
        "y ~ x*a + (1 + x | g) + (1 | k)",
        "y ~ h*a*b + t + (0 + t | g)",
        "y ~ a:x + x:a:b + (a | g) + (t || k)",
        "y ~ big + x + (1 | s)",
        "y ~ near + x + (1 | s)",
        "y ~ x + I(2 * x) + a + m + (1 | m:a)",
        "y ~ zero + b + (b | s)",
        "y ~ inf + (1 | g)",
        "y ~ x + (inf:i | g)",
        "y ~ 0 + late + (late | g)",
        "y ~ poly(x, 3) + i + (1 | a/g)",
        "y ~ factor(i) * a + (1 | g)",
        "y ~ x:i:t + i:b + (i * t | g)",
        "y ~ 1 + (1 | g) + (0 + x | g) + (i | k) + (1 | a)",
        "y ~ cbind(x, t, i) * a + (1 | k)",
        "y ~ x + (1 | g:k)",
    ]
    for formula in formulas:
        for action in ("omit", "pass"):
            yield f"large {action} {formula}", _outcome(formula, frame, na_action=action)
        yield f"large subset {formula}", _outcome(formula, frame, subset="x > 0 & g != 's1'")
        yield f"large head {formula}", _outcome(formula, frame.head(500))
        summed = {"a": "contr.sum"} if "a" in formula else None
        yield f"large sum {formula}", _outcome(formula, frame, contrasts=summed)


def main() -> int:
    """Run the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.digests", description=__doc__)
    reader.add_argument("--cases", type=int, default=1000)
    reader.add_argument("--seed", type=int, default=11)
    chosen = reader.parse_args()
    for name, outcome in _large():
        print(name, outcome)
    for path in sorted(FIXTURES.rglob("*.rds")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = digest(build(load(path))[0])
        except lme4py.Lme4pyError as error:
            outcome = type(error).__name__
        except (KeyError, TypeError, ValueError):
            continue
        print(path.name, outcome)
    for name, outcome in _random_cases(chosen.cases, chosen.seed):
        print(name, outcome)
    return 0


if __name__ == "__main__":
    sys.exit(main())
