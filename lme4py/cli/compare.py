"""``lme4py compare``: what R made of a model, made again here and compared."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lme4py.cli.command import Answer, command, doing, option
from lme4py.cli.design_options import EXPECTED, chosen_of, data_of, made
from lme4py.errors import DataError, Lme4pyError

if TYPE_CHECKING:
    from lme4py.proof.findings import Comparison

DIFFERENT = 1


@command(
    "FILE ...",
    option("files", "files that R's saveRDS wrote", nargs="+", type=Path, metavar="FILE"),
    option("--formula", "instead of the file's own formula"),
    option("--data", f"instead of the file's own data: {EXPECTED}"),
    option("--quiet", "one line for each file that is equal", action="store_true"),
)
def compare(options: argparse.Namespace) -> Answer:
    """Compare with what R made of the same model.

    Make the model in a file of R's again, from the formula and the data in it, and compare
    every component with R's: equal, equal up to order, or different, with the first
    differences and what probably caused them. In R:
    saveRDS(list(data = d, lf = lme4::lFormula(f, d)), 'm.rds').

    lme4py compare m.rds
    lme4py compare m.rds --formula 'y ~ x + (x || g)'
    lme4py compare models/*.rds --quiet
    lme4py compare m.rds --data mine.csv --collation C
    lme4py compare m.rds --json | jq .equal
    """
    comparisons: list[Comparison] = []
    faults: list[Lme4pyError] = []
    with doing("comparing", len(options.files)) as done:
        for path in options.files:
            try:
                comparisons.append(_compared(path, options))
            except Lme4pyError as error:
                faults.append(error)
            done(path.name)
    if faults:
        # What could be compared is told all the same.
        told = [_page(comparisons, options.quiet, 88)] if comparisons else []
        raise DataError("\n\n".join([*told, *map(str, faults)]))
    code = 0 if all(comparisons) else DIFFERENT
    if options.json:
        records = [item.record() for item in comparisons]
        return Answer({"equal": all(comparisons), "files": records}, code)
    return Answer(_page(comparisons, options.quiet, options.width), code)


def _compared(path: Path, options: argparse.Namespace) -> Comparison:
    from lme4py.proof.against_r import compare_either
    from lme4py.proof.fixture import read_fixture

    fixture = read_fixture(path)
    formula = options.formula if options.formula is not None else fixture.formula
    if formula is None:
        raise DataError(f"{path} holds no formula", hint="give it: --formula 'y ~ x + (1 | g)'")
    data = fixture.table() if options.data is None else data_of(options)
    arguments = {**fixture.arguments, **chosen_of(options)}
    if options.lme4 is not None:
        fixture = replace(fixture, arguments={**fixture.arguments, "lme4": options.lme4})
    try:
        return compare_either(
            fixture, lambda version: made(formula, data, {**arguments, "lme4": version})
        )
    except Lme4pyError as error:
        notes = "".join(f"\nnote: {note}" for note in fixture.notes)
        if "not found" in error.message and fixture.data is not fixture.frame:
            notes += "\nnote: variables of R's workspace are not in the file; "
            notes += "give them with --env k=3"
        raise DataError(f"the model in {path} cannot be made here: {error}{notes}") from error


def _page(comparisons: list[Comparison], quiet: bool, width: int) -> str:
    pages = [item.headline if quiet and item.equal else item.text(width) for item in comparisons]
    if len(comparisons) > 1:
        equal = sum(map(bool, comparisons))
        pages.append(f"{equal} of {len(comparisons)} files equal")
    return ("\n" if quiet else "\n\n").join(pages)
