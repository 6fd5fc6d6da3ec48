"""The arguments that name a model, shared by the commands, and the design they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import doing, option
from lme4py.cli.table_files import EXPECTED, is_table, read_table
from lme4py.errors import DataError

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

__all__ = ["MODEL", "OPTIONS", "TEXT", "chosen_of", "data_of", "design_of"]

_FORMULA = "Reaction ~ Days + (Days | Subject)"


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


OPTIONS = (
    option("--family", help="generalized linear, e.g. binomial or poisson(link='log')"),
    option("--subset", metavar="EXPR", help="rows to use, an R expression"),
    option("--weights", metavar="EXPR", help="weights, a column or an R expression"),
    option("--offset", metavar="EXPR", help="offset, a column or an R expression"),
    option(
        "--collation",
        metavar="ORDER",
        help="order of levels made from text: icu (as in R), C, or that of a locale, as sv",
    ),
    *(
        option(flag, choices=choices, help=f"{meaning} (default: {choices[0]})")
        for flag, choices, meaning in (
            ("--na-action", ["omit", "exclude", "fail", "pass"], "what to do with missing values"),
            ("--double-bar", ["split", "diag"], "what || means; split is lme4's"),
        )
    ),
    *(
        option(
            flag, action="append", type=_pair, metavar=metavar, help=f"{meaning}; may be repeated"
        )
        for flag, metavar, meaning in (
            ("--contrasts", "NAME=CODING", "coding of a factor in X, e.g. f=contr.sum"),
            (
                "--attached-contrasts",
                "NAME=CODING",
                "coding of a factor in X and in random slopes, as R's contrasts(d$f) <-",
            ),
            ("--control", "CHECK=ACTION", "lme4's check options, e.g. check.rankX=ignore"),
            ("--env", "NAME=VALUE", "a number or text that the formula may use, e.g. k=3"),
        )
    ),
    option(
        "--default-contrasts",
        nargs=2,
        metavar=("CODING", "ORDERED"),
        help="coding of unordered and of ordered factors, as R's options(contrasts = )",
    ),
    option(
        "--lme4",
        metavar="VERSION",
        help="the version of lme4 to follow, e.g. 1.1-31 (default: 2.1)",
    ),
    option(
        "--ml",
        dest="reml",
        action="store_false",
        default=None,
        help="maximum likelihood, not REML",
    ),
)
"""The options of the model: family, subset, weights ..."""

TEXT = (
    option("--sep", help="what separates the fields of a .csv file, e.g. ';' (default: ,)"),
    option("--decimal", help="its decimal point, e.g. , (default: .)"),
    option("--encoding", help="its encoding, e.g. latin1 (default: UTF-8, or UTF-16 if marked)"),
    option("--na", action="append", help="a missing value (default: NA); may be repeated"),
)
"""What the fields of a text file are like."""

MODEL = (
    option("formula", nargs="?", default=_FORMULA, metavar="FORMULA", help=f"default: {_FORMULA}"),
    option(
        "data",
        nargs="?",
        type=Path,
        metavar="DATA",
        help=f"{EXPECTED}; without it the sleepstudy data",
    ),
)
"""The formula and the data."""


def data_of(options: argparse.Namespace) -> Any:
    """Return the table that was named, read as the options of `TEXT` say."""
    given = {name: getattr(options, name) for name in ("sep", "decimal", "encoding", "na")}
    marks = {name: value for name, value in given.items() if value is not None}
    return read_table(options.data, **marks)


def design_of(options: argparse.Namespace) -> MixedDesign:
    """Return the design that the arguments describe."""
    from lme4py.api import glformula, lformula
    from lme4py.data import sleepstudy

    if options.data is None and is_table(options.formula):
        raise DataError(
            f"'{options.formula}' stands where the formula belongs",
            hint=f"write: lme4py {options.command.name} 'y ~ x + (1 | g)' {options.formula}",
        )
    if options.data is None:
        data = sleepstudy()
    else:
        with doing(f"reading {options.data}"):
            data = data_of(options)
    chosen = chosen_of(options)
    with doing("building the design"):
        if "family" in chosen:
            chosen.pop("reml", None)
            return glformula(options.formula, data, **chosen)
        return lformula(options.formula, data, **chosen)


def chosen_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the model that were given, as arguments."""
    chosen: dict[str, Any] = {}
    for (flag,), settings in OPTIONS:
        name = settings.get("dest", flag.removeprefix("--").replace("-", "_"))
        if (value := getattr(options, name)) is not None:
            chosen[name] = dict(value) if settings.get("action") == "append" else value
    if "autoscale" in chosen.get("control", {}):
        word = chosen["control"]["autoscale"]
        chosen["control"]["autoscale"] = _LOGICAL.get(word, word)
    if "env" in chosen:
        chosen["env"] = {name: _variable(text) for name, text in chosen["env"].items()}
    return chosen


# As R writes them.
_LOGICAL = {"TRUE": True, "T": True, "FALSE": False, "F": False, "NULL": None}


def _variable(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
