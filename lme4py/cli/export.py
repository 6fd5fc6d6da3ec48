"""``lme4py export``: the design into a file, for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from lme4py.cli.command import Answer, Command
from lme4py.cli.design_options import add_model, design_of
from lme4py.cli.progress import doing
from lme4py.errors import DataError
from lme4py.export.files import FORMATS, export

__all__ = ["COMMAND"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--output", "-o", type=Path, required=True, metavar="FILE", help="where to write"
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="default: by the ending of the file's name"
    )


def _run(options: argparse.Namespace) -> Answer:
    ending = options.output.suffix.removeprefix(".").lower()
    chosen = options.format or ending
    if chosen not in FORMATS:
        raise DataError(
            f"cannot tell the format of '{options.output}' from its name",
            hint="add --format " + ", ".join(FORMATS),
        )
    design = design_of(options)
    with doing(f"writing {options.output}"):
        written = [str(path) for path in export(design, options.output, chosen)]
    return Answer(lambda: "\n".join(written), lambda: {"format": chosen, "written": written})


COMMAND = Command(
    "export",
    "write the matrices into a file",
    "Write the design for other programs: npz (numpy arrays and JSON; lme4py.load reads it), mtx "
    "(Matrix Market), arrow, or rds (R's own, read with readRDS). Prints the files written.",
    (
        "lme4py export 'y ~ x + (x | g)' table.csv -o design.npz",
        "lme4py export 'y ~ x + (x | g)' table.csv -o design.rds",
        "lme4py export 'y ~ x + (x | g)' table.csv -o folder/design.mtx --json",
    ),
    _arguments,
    _run,
)
