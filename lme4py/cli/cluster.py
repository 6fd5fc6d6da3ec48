"""``lme4py cluster``: the rows of one level as y_j = X_j β + Z_j b_j + ε_j, with the numbers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import Answer, Command
from lme4py.cli.model import FORMULA, add_model, design_of

if TYPE_CHECKING:
    from lme4py.design import MixedDesign
    from lme4py.explain.clusters.single_cluster import Cluster

__all__ = ["COMMAND"]

_FORMATS = ("text", "latex", "html", "md")


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
        type=_count,
        default=8,
        metavar="N",
        help="rows to print; the middle of longer matrices is left out (default: 8)",
    )
    parser.add_argument(
        "--format", choices=_FORMATS, default="text", help="of the page (default: text)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows from 3 on")
    return int(text)


def _run(options: argparse.Namespace) -> Answer:
    design = design_of(options)
    if options.level is None:
        found = design.clusters(options.group)[0]
    else:
        found = design.cluster(options.level, group=options.group)
    return Answer(
        lambda: _page(design, found, options.rows, options.format), lambda: _record(design, found)
    )


def _page(design: MixedDesign, found: Cluster, rows: int, form: str) -> str:
    display = found.display(rows=rows)
    if form == "latex":
        return display.latex()
    if form == "html":
        return display.html()
    if form == "md":
        return display.markdown()
    return f"{display.text()}\n\n{design.blocks()}"


def _record(design: MixedDesign, found: Cluster) -> dict[str, Any]:
    """Return the cluster's numbers, positions counting from 0."""
    blocks = design.blocks()
    return {
        "group": found.group,
        "level": found.level,
        "rows": found.rows.tolist(),
        "y": None if found.y is None else _plain(found.y.tolist()),
        "X": {"names": list(found.fixed_names), "values": _plain(found.X.tolist())},
        "parts": [
            {
                "group": part.group,
                "levels": list(part.levels),
                "columns": part.columns.tolist(),
                "names": [list(pair) for pair in part.names],
                "Z": _plain(part.Z.tolist()),
            }
            for part in found.parts
        ],
        "offset": None if found.offset is None else _plain(found.offset.tolist()),
        "weights": None if found.weights is None else _plain(found.weights.tolist()),
        "blocks": {"count": int(blocks.row_sizes.size), "group": blocks.group},
    }


def _plain(values: Any) -> Any:
    """Return numbers with None for what JSON cannot write."""
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return values if abs(values) < float("inf") else None


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
