"""``lme4py cluster``: the rows of one level as y_j = X_j β + Z_j b_j + ε_j, with the numbers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.cli.command import Answer, Command, add_format, in_format, whole_number
from lme4py.cli.design_options import FORMULA, add_model, design_of

if TYPE_CHECKING:
    from lme4py.design import MixedDesign
    from lme4py.explain.clusters import Cluster
    from lme4py.frame.values import FloatArray

__all__ = ["COMMAND"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--level", metavar="LEVEL", help="level of the grouping factor (default: its first)"
    )
    parser.add_argument(
        "--group",
        metavar="FACTOR",
        help="grouping factor; needed where several have the level",
    )
    parser.add_argument(
        "--rows",
        type=whole_number(3),
        default=8,
        metavar="N",
        help="rows to print; the middle of longer matrices is left out (default: 8)",
    )
    add_format(parser)


def _run(options: argparse.Namespace) -> Answer:
    design = design_of(options)
    if options.level is None:
        found = design.clusters(options.group)[0]
    else:
        found = design.cluster(options.level, group=options.group)

    def page() -> str:
        shown = in_format(found.display(rows=options.rows), options.format)
        return f"{shown}\n\n{design.blocks()}" if options.format == "text" else shown

    return Answer(page, lambda: _record(design, found))


def _record(design: MixedDesign, found: Cluster) -> dict[str, Any]:
    """Return the cluster's numbers, positions counting from 0."""
    blocks = design.blocks()
    return {
        "group": found.group,
        "level": found.level,
        "rows": found.rows.tolist(),
        "y": _numbers(found.y),
        "X": {"names": list(found.fixed_names), "values": _numbers(found.X)},
        "parts": [
            {
                "group": part.group,
                "levels": list(part.levels),
                "columns": part.columns.tolist(),
                "names": [list(pair) for pair in part.names],
                "Z": _numbers(part.Z),
            }
            for part in found.parts
        ],
        "offset": _numbers(found.offset),
        "weights": _numbers(found.weights),
        "blocks": {"count": int(blocks.row_sizes.size), "group": blocks.group},
    }


def _numbers(values: FloatArray | None) -> Any:
    """Return numbers as lists, with None for what JSON cannot write."""
    if values is None:
        return None
    known = values.astype(object)
    known[~np.isfinite(values)] = None
    return known.tolist()


COMMAND = Command(
    "cluster",
    "print the equation of one cluster with its numbers",
    "Print the rows of one level of a grouping factor as y_j = X_j β + Z_j b_j + ε_j with their "
    "numbers, which columns of Z belong to which factor, and whether Z is block-diagonal. Without "
    f"arguments, the first subject of the sleepstudy data and {FORMULA}.",
    (
        "lme4py cluster",
        "lme4py cluster 'y ~ x + (x | g)' table.csv --level 308",
        "lme4py cluster 'y ~ x + (x | g) + (1 | item)' table.csv --group item --rows 20",
        "lme4py cluster 'y ~ x + (x | g)' table.csv --level a --format latex",
    ),
    _arguments,
    _run,
)
