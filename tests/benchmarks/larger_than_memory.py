"""Rows of text that do not fit into memory: a scan and cross-products beside DuckDB's GROUP BY.

``python -m tests.benchmarks.larger_than_memory --rows 50_000_000 --groups 1_000_000`` writes
Parquet files, scans them and adds up their cross-products in one process, lets DuckDB compute
the same sums in another, and prints seconds of CPU and the memory above the interpreter's start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FORMULAS = {
    "nested": "y ~ x + a + (1 | h/g)",
    "crossed": "y ~ x + a + (1 | g) + (1 | h)",
}
_FILE = 1_000_000


def write(folder: Path, rows: int, groups: int, kind: str) -> None:
    """Write the rows in files of a million, if they are not there."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    levels = np.array([f"group-{number:07d}" for number in range(groups)])
    outer = np.array([f"region-{number:05d}" for number in range(max(groups // 100, 2))])
    for number, begin in enumerate(range(0, rows, _FILE)):
        path = folder / f"part-{number:04d}.parquet"
        if path.exists():
            continue
        dice, count = np.random.default_rng([rows, number]), min(_FILE, rows - begin)
        g = dice.integers(0, groups, count)
        h = g % len(outer) if kind == "nested" else dice.integers(0, len(outer), count)
        x = dice.normal(size=count)
        table = pa.table(
            {
                "y": x + dice.normal(size=count),
                "x": x,
                "a": pa.array(np.array([*"pqrst"])[dice.integers(0, 5, count)]),
                "g": pa.array(levels[g]),
                "h": pa.array(outer[h]),
                **{f"unused{i}": dice.normal(size=count) for i in range(4)},
            }
        )
        parquet.write_table(table, path, row_group_size=250_000)


def ours(folder: Path, kind: str) -> dict[str, float]:
    """Scan, and add up the cross-products."""
    import lme4py

    begin, memory = time.process_time(), _memory()
    spec = lme4py.scan(FORMULAS[kind], folder)
    scanned = time.process_time()
    products = spec.crossproducts(folder)
    return {
        "scan": scanned - begin,
        "crossproducts": time.process_time() - scanned,
        "memory": _memory() - memory,
        "n": products.n,
        "q": products.Zty.size,
        "entries": products.ZtZ.nnz,
        "check": float(products.ZtX.sum()),
    }


def with_duckdb(folder: Path, kind: str) -> dict[str, float]:
    """Let DuckDB compute the sums that these cross-products are made of."""
    import duckdb

    begin, memory = time.process_time(), _memory()
    sums = "count(*), sum(x), sum(y)" + "".join(
        f", count(*) filter (a = '{level}')" for level in "qrst"
    )
    files = f"read_parquet('{folder}/*.parquet')"
    duckdb.sql("set threads = 1")
    keys = ["h, g", "h"] if kind == "nested" else ["g", "h", "g, h"]
    found = [
        duckdb.sql(f"select {key}, {sums} from {files} group by {key}").fetch_arrow_table()  # noqa: S608
        for key in keys
    ]
    squares = "sum(x * x), sum(x * y), sum(y * y)"
    duckdb.sql(f"select a, {sums}, {squares} from {files} group by a").fetchall()  # noqa: S608
    return {
        "seconds": time.process_time() - begin,
        "memory": _memory() - memory,
        "entries": len(found[0]),
    }


def _memory() -> float:
    """Return the most memory that this process had, in megabytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Run each part in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--kind", choices=FORMULAS, default="nested")
    parser.add_argument("--folder", type=Path, default=Path("larger-than-memory"))
    parser.add_argument("--part", choices=["ours", "duckdb"])
    given = parser.parse_args()
    folder = given.folder / f"{given.kind}-{given.rows}-{given.groups}"
    if given.part:
        part = {"ours": ours, "duckdb": with_duckdb}[given.part]
        print(json.dumps(part(folder, given.kind)))
        return
    write(folder, given.rows, given.groups, given.kind)
    for part in ("ours", "duckdb"):
        command = [sys.executable, __file__, *sys.argv[1:], "--part", part]
        print(part, subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
