"""One R process for a batch of cases; what it recorded, read back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList

from .generator import Case
from .rcode import call

__all__ = ["BATCH", "REPOSITORY", "keep", "records", "unavailable"]

BATCH = 200
REPOSITORY = Path(__file__).resolve().parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The order of text levels is ICU's in any UTF-8 locale; C.UTF-8 exists everywhere.
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "R_DEFAULT_INTERNET_TIMEOUT": "1"}
    return subprocess.run(
        ["Rscript", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def unavailable() -> str | None:
    """Return why R cannot be asked here, or None when it can."""
    if shutil.which("Rscript") is None:
        return "Rscript is not on the PATH"
    probe = _run("-e", "stopifnot(requireNamespace('lme4', quietly = TRUE), capabilities('ICU'))")
    return None if probe.returncode == 0 else f"R lacks lme4 or ICU: {probe.stderr.strip()}"


def records(cases: Sequence[Case]) -> Iterator[tuple[Case, RList]]:
    """Yield each case with R's record of it, one R process for each `BATCH` of them."""
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "cases.R"), Path(folder, "records.rds")
            source.write_text("".join(call(case) for case in batch), encoding="utf-8")
            done = _run(
                str(REPOSITORY / "tests/live/compare.R"), str(REPOSITORY), str(source), str(target)
            )
            if done.returncode != 0:
                raise RuntimeError(f"R stopped at {batch[0].name}...: {done.stderr.strip()}")
            answers: RList = read_rds(target)
        for case in batch:
            yield case, answers[case.name]


def keep(case: Case, folder: Path) -> Path:
    """Have R write the record of one case as a fixture of its own; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"case_{case.name}.rds"
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "case.R")
        source.write_text(call(case), encoding="utf-8")
        program = (
            f"source('{REPOSITORY}/fixtures/record.R');"
            "library(splines); case <- function(id, data, formula, glm, arguments)"
            f" saveRDS(record(data, formula, glm, arguments), '{path}', compress = 'xz');"
            f"source('{source}')"
        )
        done = _run("-e", program)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return path
