"""All views of random designs: ``python -m tests.views --cases 300 --seed 7``.

Prints every fault with the name of its case and ends with status 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import logging
import sys
import tempfile
import time
import traceback
from pathlib import Path

from .checks import CHECKS, SLOW, faults
from .made import KINDS, Made, make, named


def _faults(made: Made, check: str) -> list[str]:
    try:
        return faults(made, check)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        last = traceback.extract_tb(error.__traceback__)[-1]
        return [f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"]


def main() -> int:
    """Run the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.views", description=__doc__)
    reader.add_argument("--cases", type=int, default=100, help="of each kind")
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--first", type=int, default=0, help="number of the first case")
    reader.add_argument("--kind", choices=KINDS, action="append", help="default: all")
    reader.add_argument("--check", choices=[*CHECKS, *SLOW], action="append", help="default: all")
    reader.add_argument("--only", metavar="ID", action="append", help="run this case (repeatable)")
    reader.add_argument("--names", action="store_true", help="print the name of every case")
    chosen = reader.parse_args()

    logging.getLogger("lme4py").addHandler(logging.NullHandler())
    checks = chosen.check or [*CHECKS, *SLOW]
    seconds: collections.Counter[str] = collections.Counter()
    longest: dict[str, tuple[float, str]] = {}
    designs = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.only:
            cases = [named(item, folder) for item in chosen.only]
        else:
            numbers = range(chosen.first, chosen.first + chosen.cases)
            cases = (
                make(kind, chosen.seed, number, folder)
                for kind in chosen.kind or KINDS
                for number in numbers
            )
        for made in cases:
            if made is None:
                continue
            if chosen.names:
                print(made.case.name, flush=True)
            designs += 1
            for check in checks:
                began = time.perf_counter()
                found = _faults(made, check)
                spent = time.perf_counter() - began
                seconds[check] += spent
                longest[check] = max(longest.get(check, (0.0, "")), (spent, made.case.name))
                failed += bool(found)
                for line in found[:4]:
                    print(f"{made.case.name}  {check}  {line}\n    {made.case.formula}", flush=True)
    for check, spent in seconds.most_common():
        most, where = longest[check]
        print(f"{spent:8.1f} s  {check}, at most {most:.2f} s ({where})")
    print(f"{designs} designs, {designs * len(checks)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
