"""``lme4py plot``: a picture of the matrices, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from lme4py.cli.command import Answer, Command, whole_number
from lme4py.cli.design_options import FORMULA, add_model, design_of
from lme4py.errors import DataError

__all__ = ["COMMAND"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the picture: .png, .svg or .pdf",
    )
    parser.add_argument(
        "--dpi",
        type=whole_number(10, 2400),
        default=150,
        metavar="N",
        help="pixels per inch (default: 150)",
    )


def _run(options: argparse.Namespace) -> Answer:
    design = design_of(options)
    figure = design.plot()
    path: Path = options.output
    try:
        figure.savefig(path, dpi=options.dpi)
    except (OSError, ValueError) as error:
        # matplotlib answers an unknown suffix with a ValueError.
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise DataError(f"cannot write '{path}': {reason}") from error
    return Answer(
        lambda: f"{path}: X, Zt, Lambdat and ZtZ of {design.formula}",
        lambda: {"formula": str(design.formula), "file": str(path)},
    )


COMMAND = Command(
    "plot",
    "draw X, Zt, Lambdat and ZtZ as a picture",
    "Draw where the matrices of a model have entries, its random terms in colour, and write the "
    f"picture to a file. Without formula and data, the sleepstudy data and {FORMULA}. "
    "Needs matplotlib: pip install -e '.[plot]'.",
    (
        "lme4py plot -o sleepstudy.png",
        "lme4py plot 'y ~ x + (x | g) + (1 | h)' table.csv -o model.svg",
    ),
    _arguments,
    _run,
)
