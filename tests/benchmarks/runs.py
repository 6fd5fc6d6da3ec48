"""Running measurements: one process each, interleaved, repeated."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.benchmarks.cases import Case, arrays

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = Path(__file__).with_name("lme4.R")


@dataclass
class Series:
    """The measurements of one builder on one case."""

    case: Case
    builder: str
    cpu: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    outputs: int = 0
    failure: str = ""

    @property
    def seconds(self) -> float:
        return statistics.median(self.cpu)

    @property
    def memory(self) -> float:
        return statistics.median(self.peak)


@contextmanager
def written(case: Case) -> Iterator[Path]:
    """Write the columns of a case where every process can read them."""
    with tempfile.TemporaryDirectory(prefix="lme4py-benchmark-") as name:
        directory = Path(name)
        for column, values in arrays(case).items():
            np.save(directory / f"{column}.npy", values)
            if "R" in case.builders:
                values.tofile(directory / f"{column}.bin")
        yield directory


def _command(case: Case, builder: str, directory: Path, python: str) -> list[str]:
    if builder == "R":
        kinds = [f"{name}={levels}" for name, levels in case.columns.items()]
        numbers = [str(case.rows), str(case.repeat), str(case.warm_numbers)]
        return ["Rscript", str(_SCRIPT), case.formula, str(directory), *numbers, *kinds]
    used = sys.executable if builder.startswith(("lme4py", "floor")) else python
    return [used, "-m", "tests.benchmarks.measure", case.name, builder, str(directory)]


def measure(case: Case, rounds: int, python: str, only: Sequence[str]) -> list[Series]:
    """Measure everyone on one case, in turns, so that a slow minute is slow for all."""
    series = [Series(case, name) for name in case.builders if not only or name in only]
    with written(case) as directory:
        for turn in range(rounds):
            for entry in series:
                # R needs as long as everyone else together many times over.
                if entry.failure or (entry.builder == "R" and case.rows > 10_000 and turn >= 2):
                    continue
                _once(entry, _command(case, entry.builder, directory, python))
    return series


def _once(entry: Series, command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=_ROOT, timeout=600
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as fault:
        entry.failure = type(fault).__name__
        return
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        entry.failure = lines[-1][:120]
        return
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    entry.cpu.append(figures["cpu"])
    entry.peak.append(figures["peak"])
    entry.outputs = figures["outputs"]


_START = """
import resource, time
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
begin = cpu()
import {package}
imported = cpu() - begin
import lme4py.data
data = lme4py.data.sleepstudy()
import pandas
begin = cpu()
{first}
print(imported, cpu() - begin)
"""


def start(package: str, first: str, rounds: int, python: str = sys.executable) -> list[list[float]]:
    """Return CPU seconds of an import, and of the first build after it, round by round."""
    script = _START.format(package=package, first=first)
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            [python, "-c", script], capture_output=True, text=True, check=False, cwd=_ROOT
        )
        if done.returncode == 0:
            found.append([float(number) for number in done.stdout.split()])
    return found
