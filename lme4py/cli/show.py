"""``lme4py show``: the design of a formula and a table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import Answer, Command, whole_number
from lme4py.cli.design_options import FORMULA, add_model, design_of

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

__all__ = ["COMMAND"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--rows", type=whole_number(), default=6, metavar="N", help="rows of X and Zt (default: 6)"
    )


def _run(options: argparse.Namespace) -> Answer:
    from lme4py.summary import summary

    design = design_of(options)
    return Answer(lambda: summary(design, rows=options.rows), lambda: _record(design))


def _record(design: MixedDesign) -> dict[str, Any]:
    """Return what the page says, positions counting from 0."""
    fixed, random = design.fixed, design.random
    return {
        "formula": str(design.formula),
        "rows": int(design.X.shape[0]),
        "omitted": design.model_frame.omitted,
        "lost_levels": dict(design.lost_levels),
        "reml": design.reml,
        "family": None
        if design.family is None
        else {"name": design.family.name, "link": design.family.link},
        "weights": design.weights is not None,
        "offset": design.offset is not None,
        "X": {
            "shape": list(design.X.shape),
            "names": fixed.names,
            "assign": fixed.assign.tolist(),
            "contrasts": {
                name: coding if isinstance(coding, str) else coding.values.tolist()
                for name, coding in fixed.contrasts.items()
            },
            "dropped": fixed.dropped,
        },
        "Zt": {"shape": list(random.Zt.shape), "values": int(random.Zt.nnz)},
        "terms": [
            {"label": label, "group": group, "columns": columns, "levels": int(levels)}
            for (label, _), (group, columns), levels in zip(
                random.Ztlist, random.cnms, random.nl, strict=True
            )
        ],
        "Gp": random.Gp.tolist(),
        "theta": random.theta.tolist(),
        "lower": [None if bound == -float("inf") else bound for bound in random.lower.tolist()],
        "messages": list(design.messages),
        "advice": list(design.advice),
    }


COMMAND = Command(
    "show",
    "print the design of a formula and a table",
    "Print the design that a formula and a table make: dimensions, the columns of X, the random "
    f"terms, and the head of X and Zt. Without arguments, the sleepstudy data and {FORMULA}.",
    (
        "lme4py show",
        "lme4py show 'y ~ x + (x | g)' table.csv --rows 3",
        "lme4py show 'cbind(s, n - s) ~ x + (1 | g)' table.parquet --family binomial",
        "lme4py show 'y ~ f + (1 | g)' table.rds --contrasts f=contr.sum --weights w",
        "lme4py show 'y ~ x + (1 | g)' table.csv --json",
    ),
    _arguments,
    _run,
)
