"""One measurement in a process of its own: CPU seconds and peak memory above the input.

Run as ``python -m tests.benchmarks.measure CASE BUILDER DIRECTORY``; prints one line of JSON.
Imports and the first parse of a formula come before the measurement for every library;
`start` measures those.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.builders import BUILDERS, results_size
from tests.benchmarks.cases import CASES, Case, level_names

_TINY = {"y": [1.0, 2.0, 4.0, 3.0] * 5, "x": [0.0, 1.0, 0.5, 2.5] * 5, "g": list("aabbc") * 4}


def load(case: Case, directory: Path) -> Any:
    """Return the data of a case as the frame it asks for."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, levels in case.columns.items():
        values = np.load(directory / f"{name}.npy")
        if levels and case.frame == "pandas":
            kind = pd.CategoricalDtype(level_names(name, levels))
            values = pd.Categorical.from_codes(values, dtype=kind)
        elif levels:
            values = _dictionary(values, level_names(name, levels), case)
        columns[name] = values
    if case.frame == "polars":
        import polars as pl

        return pl.DataFrame(columns)
    if case.frame == "arrow":
        import pyarrow as pa

        return pa.table(columns)
    frame = pd.DataFrame(columns, copy=False)
    if case.text:
        names = [name for name, levels in case.columns.items() if levels]
        frame = frame.astype(dict.fromkeys(names, "str"))
    return frame


def _as_frame(table: Any, kind: str) -> Any:
    if kind == "polars":
        import polars as pl

        return pl.from_pandas(table)
    if kind == "arrow":
        import pyarrow as pa

        return pa.Table.from_pandas(table)
    return table


def _dictionary(codes: np.ndarray, names: list[str], case: Case) -> Any:
    if case.frame == "polars":
        import polars as pl

        series = pl.Series(names).gather(codes)
        return series if case.text else series.cast(pl.Enum(names))
    import pyarrow as pa

    column = pa.DictionaryArray.from_arrays(codes, names)
    return column.cast(pa.string()) if case.text else column


def warm(case: Case) -> None:
    """Touch as much memory as any build needs, and give it back.

    The host of a virtual machine finds memory when it is first used, which takes up to
    ten times as long as the whole build, or next to nothing, as it happens.
    """
    np.ones(case.warm_numbers)


class Memory:
    """Peak memory of this process since it was marked, in bytes."""

    def __init__(self) -> None:
        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except (AttributeError, OSError):
            self._base = self._usage()
            return
        self._base = self._status("VmRSS")

    @staticmethod
    def _status(key: str) -> int:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
        return 0

    @staticmethod
    def _usage() -> int:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def above(self) -> int:
        """Return how far the peak lies above what was in use when this was made."""
        peak = self._status("VmHWM") if Path("/proc/self/status").exists() else self._usage()
        return peak - self._base


def main() -> None:
    name, who, directory = sys.argv[1:4]
    case = CASES[name]
    build = BUILDERS[who]
    import pandas as pd

    tiny = pd.DataFrame(_TINY)
    tiny["g"] = tiny["g"].astype("category")
    # The floor knows only the one formula.
    if who != "floor":
        build("y ~ x + (1 | g)", _as_frame(tiny, case.frame))()
    data = load(case, Path(directory))
    run = build(case.formula, data)
    if case.repeat > 1:
        run()
    warm(case)
    memory = Memory()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(case.repeat):
        result = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = memory.above()
    figures = {
        "cpu": cpu / case.repeat,
        "wall": wall / case.repeat,
        "peak": peak,
        "outputs": results_size(result),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
