"""Fits beside lme4 and statsmodels: ``python -m tests.benchmarks.fits``.

Data are lme4's own. Every measurement is a process of its own, which fits once to warm up where
that is quick; the programs take turns. A table of medians is printed: CPU seconds of a whole call
with one thread, and how many times as long as lme4py's that is. ``--peers-python`` names an
interpreter with statsmodels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", 20),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", 20),
    "Pastes": ("strength ~ 1 + (1 | batch/cask)", 20),
    "InstEval": ("y ~ service + (1 | s) + (1 | d) + (1 | dept)", 1),
}
FACTORS = ("Subject", "plate", "sample", "batch", "cask", "s", "d", "dept", "service")
WRITE = """
library(lme4)
for (name in c({names}))
  write.csv(get(name), file.path("{folder}", paste0(name, ".csv")), row.names = FALSE)
"""
R = """
suppressPackageStartupMessages(library(lme4))
d <- get("{name}")
if ({repeat} > 1) invisible(lmer({formula}, d))
cpu <- sum(proc.time()[1:2])
for (i in seq_len({repeat})) fit <- lmer({formula}, d)
cat((sum(proc.time()[1:2]) - cpu) / {repeat}, format(REMLcrit(fit), digits = 12))
"""
PYTHON = """
import time, warnings
import pandas as pd
import lme4py
warnings.simplefilter("ignore")
d = pd.read_csv("{folder}/{name}.csv", dtype={{name: "category" for name in {factors}}})
def fit():
    {call}
# The first fit imports what it needs.
lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
if {repeat} > 1:
    fit()
cpu = time.process_time()
for _ in range({repeat}):
    value = fit()
print((time.process_time() - cpu) / {repeat}, value)
"""
CALLS = {
    "lme4py": 'return lme4py.lmer("{formula}", d).criterion',
    "statsmodels": 'return -2 * lme4py.lformula("{formula}", d).to_statsmodels().fit().llf',
}


def measured(program: str, name: str, folder: Path, peers: str) -> tuple[float, float] | None:
    """Return CPU seconds and the criterion, None where a program cannot fit the model."""
    formula, repeat = CASES[name]
    parts = {"name": name, "formula": formula, "repeat": repeat, "folder": folder}
    if program == "lme4":
        command = ["Rscript", "-e", R.format(**parts)]
    else:
        call = CALLS[program].format(formula=formula)
        code = PYTHON.format(call=call, factors=FACTORS, **parts)
        command = [peers if program == "statsmodels" else sys.executable, "-c", code]
    # R's own BLAS has one thread.
    environment = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=1800,
    )
    if done.returncode:
        print(f"{program} {name}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    cpu, value = map(float, done.stdout.split()[-2:])
    return cpu, value


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fits", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers-python", default=sys.executable)
    options = parser.parse_args()
    names = options.cases or list(CASES)
    print("| model | program | CPU seconds | of lme4py's | REML criterion |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="lme4py-fits-") as folder:
        quoted = ", ".join(map(json.dumps, CASES))
        subprocess.run(["Rscript", "-e", WRITE.format(names=quoted, folder=folder)], check=True)
        for name in names:
            # statsmodels makes dense blocks of everything: not of 73,421 rows in one group.
            programs = ["lme4py", "lme4"] + ["statsmodels"] * (name != "InstEval")
            found: dict[str, list[tuple[float, float]]] = {program: [] for program in programs}
            for _ in range(options.rounds):
                for program in programs:
                    one = measured(program, name, Path(folder), options.peers_python)
                    found[program] += [] if one is None else [one]
            own = statistics.median(cpu for cpu, _ in found["lme4py"])
            for program, values in found.items():
                if values:
                    cpu = statistics.median(cpu for cpu, _ in values)
                    row = f"{cpu:.4f} | {cpu / own:.1f} | {values[-1][1]:.4f}"
                    print(f"| {name} | {program} | {row} |", flush=True)


if __name__ == "__main__":
    main()
