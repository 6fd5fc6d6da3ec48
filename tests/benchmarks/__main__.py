"""Compare lme4py with its peers: ``python -m tests.benchmarks``.

Every measurement is a process of its own; the processes of one case take turns. A table
of medians is printed: CPU seconds, peak memory above the input, and ratios to lme4py with
the range of the rounds. What is not installed is left out. ``--peers-python`` names an
interpreter that has the peers, where this one has not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.cases import CASES
from tests.benchmarks.report import markdown, picture
from tests.benchmarks.runs import measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="builders, separated by commas")
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--table", type=Path, help="also write the table to this file")
    parser.add_argument("--plot", type=Path, help="also draw the cases by rows (needs matplotlib)")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    series = []
    for name in options.cases or CASES:
        found = measure(CASES[name], options.rounds, options.peers_python, only)
        print(markdown(found, heading=not series), flush=True)
        series += found
    if options.table:
        options.table.write_text(markdown(series) + "\n", encoding="utf-8")
    if options.plot:
        picture(series, options.plot)


if __name__ == "__main__":
    main()
