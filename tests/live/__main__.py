"""Random cases, R against us: ``python -m tests.live --cases 2000 --seed 7``.

Prints what was compared and every difference with the name of its case, and ends
with status 1 if there is one. ``--r PATH`` names the R that judges: an Rscript, or a folder
with an R inside that is entered by ``chroot``; several judge one after the other.
``--only 7-123`` runs one case, ``--script 7-123`` prints it as an R script, ``--keep`` stores
failing cases in fixtures/kept, where they are fixtures from then on. ``--errors`` also shows
where both stop with other words, which is no failure.
"""

from __future__ import annotations

import argparse
import collections
import functools
import logging
import sys
import time
from pathlib import Path

from tests.recorded.cases import error_text, other_words, verdict

from .borderline import make_borderline
from .generator import Case, make_case
from .rcode import script
from .session import REPOSITORY, Judge
from .wild import FORMULAS, make_wild


def _named(name: str, calls: Path) -> Case:
    *kind, seed, number = name.split("-")
    if kind == ["wild"]:
        return make_wild(int(seed), int(number), calls)
    make = make_borderline if kind else make_case
    return make(int(seed), int(number))


def main() -> int:
    """Run the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    reader.add_argument(
        "--r", metavar="PATH", action="append", help="an Rscript, or a folder with an R in it"
    )
    reader.add_argument("--cases", type=int, default=300)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--first", type=int, default=0, help="number of the first case")
    reader.add_argument("--only", metavar="ID", action="append", help="run this case (repeatable)")
    reader.add_argument("--script", metavar="ID", help="print this case as an R script and stop")
    reader.add_argument("--keep", action="store_true", help="store failing cases as fixtures")
    reader.add_argument("--no-words", action="store_true", help="do not compare warnings, messages")
    reader.add_argument("--r-only", action="store_true", help="show only what R says")
    reader.add_argument("--errors", action="store_true", help="show where errors differ in words")
    reader.add_argument("--show", type=int, default=100, help="print at most this many failures")
    reader.add_argument(
        "--borderline", action="store_true", help="cases at the edge of lme4's checks"
    )
    reader.add_argument(
        "--wild",
        nargs="?",
        const=FORMULAS,
        type=Path,
        metavar="FILE",
        help="model calls as analysts write them, those of FILE if one is given",
    )
    chosen = reader.parse_args()

    calls = chosen.wild or FORMULAS
    judges = [Judge(path) for path in chosen.r or ["Rscript"]]
    if chosen.script:
        print(script(*judges[0].posed([_named(chosen.script, calls)])))
        return 0
    make = make_borderline if chosen.borderline else make_case
    if chosen.wild:
        make = functools.partial(make_wild, path=calls)
    numbers = range(chosen.first, chosen.first + chosen.cases)
    cases = (
        [_named(name, calls) for name in chosen.only]
        if chosen.only
        else [make(chosen.seed, number) for number in numbers]
    )

    # The same texts are compared; on the screen they would hide the findings.
    logging.getLogger("lme4py").addHandler(logging.NullHandler())
    failed = 0
    for judge in judges:
        if judge.unavailable is not None:
            print(f"cannot compare: {judge.unavailable}")
            return 2
        failed += _judged(judge, cases, chosen)
    return 1 if failed else 0


def _judged(judge: Judge, cases: list[Case], chosen: argparse.Namespace) -> int:
    """Print where one R differs from us; return the number of cases."""
    began = time.perf_counter()
    stopped, failed = 0, 0
    components: collections.Counter[str] = collections.Counter()
    texts: collections.Counter[str] = collections.Counter()
    for case, record in judge.records(judge.posed(cases)):
        error = error_text(record)
        stopped += error is not None
        if chosen.r_only:
            texts[(error or "no error").splitlines()[0][:90]] += 1
            continue
        if chosen.errors and (pair := other_words(record)) is not None:
            print(f"{case.name}  {case.formula}\n    R:    {pair[0]}\n    ours: {pair[1]}")
        found = verdict(record, conditions=not chosen.no_words)
        if not found:
            continue
        failed += 1
        components.update(line.split(":")[0].split("[")[0][:60] for line in found)
        if failed <= chosen.show:
            print(f"\n{case.name}  {'glFormula' if case.glm else 'lFormula'}  {case.formula}")
            if case.arguments:
                print(f"    arguments {_short(case.arguments)}")
            for line in found[:6]:
                print(f"    {line}")
            if len(found) > 6:
                print(f"    ... and {len(found) - 6} more")
        if chosen.keep:
            print(f"    kept as {judge.keep(case, Path(REPOSITORY, 'fixtures', 'kept'))}")
    for name, count in [*components.most_common(), *texts.most_common()]:
        print(f"{count:6d}  {name}")
    print(
        f"{judge.title}: {len(cases)} cases compared ({stopped} are errors in R), {failed} differ,"
        f" {time.perf_counter() - began:.0f} s"
    )
    return failed


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 240 else text[:237] + "..."


if __name__ == "__main__":
    sys.exit(main())
