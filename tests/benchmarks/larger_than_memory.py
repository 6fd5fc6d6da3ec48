"""Rows of text that do not fit into memory: a scan and cross-products beside DuckDB's GROUP BY.

``python -m tests.benchmarks.larger_than_memory --rows 50_000_000 --groups 1_000_000`` writes
Parquet files, scans them and adds up their cross-products in one process, lets DuckDB compute
the same sums in another, and prints seconds of CPU and the memory above the interpreter's start.
``--part "in memory"`` is a design that holds all rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FORMULAS = {
    "nested": "y ~ x + a + (1 | h/g)",
    "crossed": "y ~ x + a + (1 | g) + (1 | h)",
}
_FILE = 1_000_000


def write(folder: Path, rows: int, groups: int, kind: str) -> list[Path]:
    """Write the rows in files of a million, those that are not there, and return their paths."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"part-{number:04d}.parquet" for number in range(-(-rows // _FILE))]
    if all(path.exists() for path in paths):
        return paths
    levels = np.array([f"group-{number:07d}" for number in range(groups)])
    outer = np.array([f"region-{number:05d}" for number in range(max(groups // 100, 2))])
    for number, path in enumerate(paths):
        if path.exists():
            continue
        dice = np.random.default_rng([groups, number])
        g = dice.integers(0, groups, _FILE)
        h = g % len(outer) if kind == "nested" else dice.integers(0, len(outer), _FILE)
        x = dice.normal(size=_FILE)
        table = pa.table(
            {
                "y": x + dice.normal(size=_FILE),
                "x": x,
                "a": pa.array(np.array([*"pqrst"])[dice.integers(0, 5, _FILE)]),
                "g": pa.array(levels[g]),
                "h": pa.array(outer[h]),
                **{f"unused{i}": dice.normal(size=_FILE) for i in range(4)},
            }
        )
        parquet.write_table(table, path, row_group_size=250_000)
    return paths


def ours(paths: list[Path], kind: str, spill: Path | None = None) -> dict[str, float]:
    """Scan, and add up the cross-products, of the files or of what the scan kept."""
    import lme4py

    begin, memory = time.process_time(), _memory()
    spec = lme4py.scan(FORMULAS[kind], paths, spill=spill)
    scanned, after = time.process_time(), _memory()
    products = spec.crossproducts(paths if spill is None else spill)
    return {
        "scan": scanned - begin,
        "seconds": time.process_time() - scanned,
        "memory of the scan": after - memory,
        "memory": _memory() - memory,
        "q": products.Zty.size,
        "entries": products.ZtZ.nnz,
    }


def spilled(paths: list[Path], kind: str) -> dict[str, float]:
    """Keep the rows as numbers and codes."""
    with tempfile.TemporaryDirectory(dir=paths[0].parent) as folder:
        return ours(paths, kind, Path(folder) / "rows")


def in_memory(paths: list[Path], kind: str) -> dict[str, float]:
    """Read all rows, build the design, and compute its cross-products."""
    import pyarrow as pa
    from pyarrow import parquet

    import lme4py

    begin, memory = time.process_time(), _memory()
    tables = [parquet.read_table(path, columns=["y", "x", "a", "g", "h"]) for path in paths]
    products = lme4py.lformula(FORMULAS[kind], pa.concat_tables(tables)).crossproducts()
    return {
        "seconds": time.process_time() - begin,
        "memory": _memory() - memory,
        "q": products.Zty.size,
    }


def with_duckdb(paths: list[Path], kind: str) -> dict[str, float]:
    """Let DuckDB compute the sums that these cross-products are made of."""
    import duckdb

    begin, memory = time.process_time(), _memory()
    sums = "count(*), sum(x), sum(y)" + "".join(
        f", count(*) filter (a = '{level}')" for level in "qrst"
    )
    files = f"read_parquet({list(map(str, paths))})"
    duckdb.sql("set threads = 1")
    keys = ["h, g", "h"] if kind == "nested" else ["g", "h", "g, h"]
    for key in keys:
        counted = "count(*)" if key == "g, h" else sums
        duckdb.sql(f"select {key}, {counted} from {files} group by {key}").to_arrow_table()  # noqa: S608
    squares = "sum(x * x), sum(x * y), sum(y * y)"
    duckdb.sql(f"select a, {sums}, {squares} from {files} group by a").fetchall()  # noqa: S608
    return {"seconds": time.process_time() - begin, "memory": _memory() - memory}


def _memory() -> float:
    """Return the most memory that this process had, in megabytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


PARTS = {"ours": ours, "spilled": spilled, "duckdb": with_duckdb, "in memory": in_memory}


def main() -> None:
    """Run each part in processes of its own, by turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--kind", choices=FORMULAS, default="nested")
    parser.add_argument("--folder", type=Path, default=Path("larger-than-memory"))
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--part", choices=PARTS)
    given = parser.parse_args()
    folder = given.folder / f"{given.kind}-{given.groups}"
    for rows in given.rows:
        paths = write(folder, rows, given.groups, given.kind)
        if given.part:
            print(json.dumps(PARTS[given.part](paths, given.kind)))
            return
        found: dict[str, list[dict[str, float]]] = {
            name: [] for name in PARTS if name != "in memory"
        }
        for _ in range(given.times):
            for name, runs in found.items():
                one = ["--rows", str(rows), "--part", name]
                command = [sys.executable, __file__, *sys.argv[1:], *one]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs.append(json.loads(done.stdout))
        for name, runs in found.items():
            least = {key: round(min(run[key] for run in runs), 2) for key in runs[0]}
            print(f"{rows:,} rows, {name}: {least}")


if __name__ == "__main__":
    main()
