"""The subcommands that show a design or write it: show, explain, plot, cluster, export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import Answer, command, doing, number, option
from lme4py.cli.design_options import MODEL, design_of
from lme4py.errors import DataError, file_fault
from lme4py.explain.markup.page import filled
from lme4py.export.files import FORMATS
from lme4py.export.files import export as export_design
from lme4py.replacing import replacing

if TYPE_CHECKING:
    from lme4py.design import MixedDesign
    from lme4py.explain.clusters import Cluster

_NOTATIONS = ("raudenbush-bryk", "gelman-hill")
_MARKUPS = {"text": "text", "latex": "latex", "html": "html", "md": "markdown"}
_PROSE = 100  # longer lines are hard to read


@command("[FORMULA] [DATA]", *MODEL, number("--rows", "rows of X and Zt", default=6))
def show(options: argparse.Namespace) -> Answer:
    """Print the design of a formula and a table.

    Print the design that a formula and a table make: dimensions, the columns of X, the random
    terms, and the head of X and Zt. Without arguments, the sleepstudy data and
    Reaction ~ Days + (Days | Subject).

    lme4py show
    lme4py show 'y ~ x + (x | g)' table.csv --rows 3
    lme4py show 'cbind(s, n - s) ~ x + (1 | g)' table.parquet --family binomial
    lme4py show 'y ~ f + (1 | g)' table.rds --contrasts f=contr.sum --weights w
    lme4py show 'y ~ x + (1 | g)' table.csv --json
    """
    from lme4py.summary import summary

    design = design_of(options)
    if options.json:
        return Answer(_record_of_design(design))
    return Answer(summary(design, rows=options.rows, width=options.width))


def _record_of_design(design: MixedDesign) -> dict[str, Any]:
    """Return what the page says, positions counting from 0."""
    fixed, random, family = design.fixed, design.random, design.family
    return {
        "formula": str(design.formula),
        "rows": design.X.shape[0],
        "omitted": design.model_frame.omitted,
        "lost_levels": design.lost_levels,
        "reml": design.reml,
        "family": None if family is None else {"name": family.label, "link": family.link},
        "weights": design.weights is not None,
        "offset": design.offset is not None,
        "X": {
            "shape": design.X.shape,
            "names": fixed.names,
            "assign": fixed.assign,
            "contrasts": {
                name: coding if isinstance(coding, str) else coding.values
                for name, coding in fixed.contrasts.items()
            },
            "dropped": fixed.dropped,
        },
        "Zt": {"shape": random.Zt.shape, "values": random.Zt.nnz},
        "terms": [
            {
                "label": term.bar.label,
                "group": term.bar.group_name,
                "columns": term.plan.names,
                "levels": term.levels,
            }
            for term in random.terms
        ],
        "Gp": random.Gp,
        "theta": random.theta,
        "lower": random.lower,
        "messages": design.messages,
        "advice": design.advice,
    }


@command(
    "[FORMULA] [DATA]",
    *MODEL,
    option("--notation", "of the equations", choices=_NOTATIONS, default=_NOTATIONS[0]),
    option("--format", "of the page; latex: equations alone", choices=_MARKUPS, default="text"),
    number("--terms-per-line", "break sums after N terms (default: where the line ends)", 1),
)
def explain(options: argparse.Namespace) -> Answer:
    """Tell a model in words and equations.

    Tell what each part of a formula adds to the model: its level, its columns of X and rows of
    Zt, its theta, and why a slope's column stands in X and in Z; then the equations by
    level, combined and as matrices. Without arguments, the sleepstudy data and
    Reaction ~ Days + (Days | Subject).

    lme4py explain
    lme4py explain 'y ~ x*M + (1 + x | g)' table.csv
    lme4py explain 'y ~ x + (x | g)' table.csv --notation gelman-hill --format latex
    lme4py explain 'y ~ x + (x | a/b)' table.csv --format md > model.md
    """
    design = design_of(options)
    equations = design.equations(notation=options.notation, terms_per_line=options.terms_per_line)
    width = 88 if options.json else min(options.width, _PROSE)
    words = design.explain(width=width, notation=options.notation)
    if options.json:
        record = {
            "formula": str(design.formula),
            "words": words.text,
            "notation": options.notation,
            "equations": equations.text(),
            "latex": equations.latex(),
        }
        return Answer(record)
    match options.format:
        case "latex":
            return Answer(equations.latex())
        case "html":
            return Answer(f"{words.html}\n<h4>Equations</h4>\n{equations.html()}")
        case "md":
            return Answer(f"{words.markdown}\n\n## Equations\n\n{equations.markdown()}")
        case _:
            told = equations.text(options.width)
            return Answer(f"{words.text}\n\nEquations\n---------\n\n{told}")


@command(
    "--output FILE [FORMULA] [DATA]",
    *MODEL,
    option("--output -o", "the picture: .png, .svg or .pdf", required=True, metavar="FILE"),
    number("--dpi", "pixels per inch", 10, 2400, default=150),
    option(
        "--panels",
        "of X, Z, Zt, Lambdat, ZtZ, J and raw",
        nargs="+",
        default=("X", "Zt", "Lambdat", "ZtZ"),
        metavar="PANEL",
    ),
    number("--groups", "the rows and effects of N groups; small matrices in numbers", 1),
    option("--by-group", "rows and levels sorted by group", action="store_true"),
)
def plot(options: argparse.Namespace) -> Answer:
    """Draw X, Zt, Lambdat and ZtZ as a picture.

    Draw where the matrices of a model have entries, its random terms in colour, and write the
    picture to a file. Without formula and data, the sleepstudy data and
    Reaction ~ Days + (Days | Subject). Needs matplotlib: pip install -e '.[plot]'.

    lme4py plot -o sleepstudy.png
    lme4py plot -o first.png --panels X Z --groups 3
    lme4py plot 'y ~ x + (x | g) + (1 | h)' table.csv -o model.svg
    """
    design, path = design_of(options), options.output
    figure = design.plot(options.panels, groups=options.groups, by_group=options.by_group)
    try:
        with replacing(path) as unfinished:
            figure.savefig(unfinished, dpi=options.dpi)
    except ValueError as error:
        # matplotlib answers an unknown suffix with a ValueError.
        raise file_fault("write", path, error) from error
    if options.json:
        return Answer({"formula": str(design.formula), "file": path})
    return Answer(f"{path}: {', '.join(options.panels)} of {design.formula}")


@command(
    "[FORMULA] [DATA]",
    *MODEL,
    option("--level", "level of the grouping factor (default: its first)"),
    option(
        "--group",
        "grouping factor (default: the one with the level, or the first)",
        metavar="FACTOR",
    ),
    number("--rows", "rows to print; the middle of longer matrices is left out", 3, default=8),
    option("--format", "of the page", choices=_MARKUPS, default="text"),
)
def cluster(options: argparse.Namespace) -> Answer:
    """Print the equation of one cluster with its numbers.

    Print the rows of one level of a grouping factor as y_j = X_j β + Z_j b_j + ε_j with their
    numbers, which columns of Z belong to which factor, and whether Z is block-diagonal. Without
    arguments, the first subject of the sleepstudy data and Reaction ~ Days + (Days | Subject).

    lme4py cluster
    lme4py cluster 'y ~ x + (x | g)' table.csv --level 308
    lme4py cluster 'y ~ x + (x | g) + (1 | item)' table.csv --group item --rows 20
    lme4py cluster 'y ~ x + (x | g)' table.csv --level a --format latex
    """
    design = design_of(options)
    if options.level is None:
        group = options.group or next(iter(design.random.flist))
        found = design.clusters(group)[0]
    else:
        found = design.cluster(options.level, group=options.group)

    if options.json:
        return Answer(_record_of_cluster(design, found))
    shown = found.display(rows=options.rows)
    if options.format != "text":
        return Answer(getattr(shown, _MARKUPS[options.format])())
    blocks = filled(str(design.blocks()), options.width)
    return Answer(f"{shown.text(options.width)}\n\n{blocks}")


def _record_of_cluster(design: MixedDesign, found: Cluster) -> dict[str, Any]:
    """Return the cluster's numbers, positions counting from 0."""
    blocks = design.blocks()
    return {
        "group": found.group,
        "level": found.level,
        "rows": found.rows,
        "y": found.y,
        "X": {"names": design.fixed.names, "values": found.X},
        "parts": [
            {
                "group": part.group,
                "levels": part.levels,
                "columns": part.columns,
                "names": part.names,
                "Z": part.Z,
            }
            for part in found.parts
        ],
        "offset": found.offset,
        "weights": found.weights,
        "blocks": {"count": blocks.row_sizes.size, "group": blocks.group},
    }


@command(
    "--output FILE [FORMULA] [DATA]",
    *MODEL,
    option("--output -o", "where to write", type=Path, required=True, metavar="FILE"),
    option("--format", "default: by the ending of the file's name", choices=FORMATS),
)
def export(options: argparse.Namespace) -> Answer:
    """Write the matrices into a file.

    Write the design for other programs: npz (numpy arrays and JSON; lme4py.load reads it), mtx
    (Matrix Market), arrow, or rds (R's own, read with readRDS). Prints the files written.

    lme4py export 'y ~ x + (x | g)' table.csv -o design.npz
    lme4py export 'y ~ x + (x | g)' table.csv -o design.rds
    lme4py export 'y ~ x + (x | g)' table.csv -o folder/design.mtx --json
    """
    chosen = options.format or options.output.suffix.removeprefix(".").lower()
    if chosen not in FORMATS:
        raise DataError(
            f"cannot tell the format of '{options.output}' from its name",
            hint="add --format " + ", ".join(FORMATS),
        )
    design = design_of(options)
    with doing(f"writing {options.output}"):
        written = [str(path) for path in export_design(design, options.output, chosen)]
    return Answer({"format": chosen, "written": written} if options.json else "\n".join(written))
