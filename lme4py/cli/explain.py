"""``lme4py explain``: a model in words and in equations."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import Answer, Command, add_format, in_format
from lme4py.cli.design_options import FORMULA, add_model, design_of

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

__all__ = ["COMMAND"]

_NOTATIONS = ("raudenbush-bryk", "gelman-hill")


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--notation",
        choices=_NOTATIONS,
        default=_NOTATIONS[0],
        help=f"of the equations (default: {_NOTATIONS[0]})",
    )
    add_format(parser, "; latex prints the equations alone")


def _run(options: argparse.Namespace) -> Answer:
    design = design_of(options)
    return Answer(
        lambda: _page(design, options.notation, options.format),
        lambda: _record(design, options.notation),
    )


def _page(design: MixedDesign, notation: str, form: str) -> str:
    equations = in_format(design.equations(notation=notation), form)
    words = design.explain()
    match form:
        case "latex":
            return equations
        case "html":
            return f"{words.html}\n<h4>Equations</h4>\n{equations}"
        case "md":
            return f"{words.markdown}\n\n## Equations\n\n{equations}"
        case _:
            return f"{words.text}\n\nEquations\n---------\n\n{equations}"


def _record(design: MixedDesign, notation: str) -> dict[str, Any]:
    equations = design.equations(notation=notation)
    return {
        "formula": str(design.formula),
        "words": design.explain().text,
        "notation": notation,
        "equations": equations.text(),
        "latex": equations.latex(),
    }


COMMAND = Command(
    "explain",
    "tell a model in words and equations",
    "Tell what each part of a formula adds to the model: its level, its columns of X and rows of "
    "Zt, its theta, and why a slope's column stands in X and in Z; then the equations by "
    f"level, combined and as matrices. Without arguments, the sleepstudy data and {FORMULA}.",
    (
        "lme4py explain",
        "lme4py explain 'y ~ x*M + (1 + x | g)' table.csv",
        "lme4py explain 'y ~ x + (x | g)' table.csv --notation gelman-hill --format latex",
        "lme4py explain 'y ~ x + (x | a/b)' table.csv --format md > model.md",
    ),
    _arguments,
    _run,
)
