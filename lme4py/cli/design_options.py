"""The arguments that name a model, shared by the commands, and the design they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.cli.progress import doing
from lme4py.cli.table_files import EXPECTED, is_table, read_table
from lme4py.errors import DataError

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

__all__ = ["FORMULA", "add_model", "add_options", "chosen_of", "design_of"]

FORMULA = "Reaction ~ Days + (Days | Subject)"


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the formula, the data and the options of the model to a command's parser."""
    parser.add_argument(
        "formula", nargs="?", default=FORMULA, metavar="FORMULA", help=f"default: {FORMULA}"
    )
    parser.add_argument(
        "data",
        nargs="?",
        type=Path,
        metavar="DATA",
        help=f"{EXPECTED}; without it the sleepstudy data",
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the model: family, subset, weights ..."""
    for name, metavar, meaning in (
        ("family", "FAMILY", "generalized linear, e.g. binomial or poisson(link='log')"),
        ("subset", "EXPR", "rows to use, an R expression"),
        ("weights", "EXPR", "weights, a column or an R expression"),
        ("offset", "EXPR", "offset, a column or an R expression"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, help=meaning)
    for name, choices, meaning in (
        ("na-action", ["omit", "exclude", "fail", "pass"], "what to do with missing values"),
        ("collation", ["icu", "C"], "order of levels made from text; icu is R's in a UTF-8 locale"),
        ("double-bar", ["split", "diag"], "what || means; split is lme4's"),
    ):
        default = choices[0]
        explained = f"{meaning} (default: {default})"
        parser.add_argument(f"--{name}", choices=choices, default=default, help=explained)
    for name, metavar, read, meaning in (
        ("contrasts", "NAME=CODING", _pair, "coding of a factor in X, e.g. f=contr.sum"),
        (
            "attached-contrasts",
            "NAME=CODING",
            _pair,
            "coding of a factor in X and in random slopes, as R's contrasts(d$f) <-",
        ),
        ("control", "CHECK=ACTION", _pair, "lme4's check options, e.g. check.rankX=ignore"),
        ("env", "NAME=VALUE", _variable, "a number or text that the formula may use, e.g. k=3"),
    ):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            type=read,
            metavar=metavar,
            help=f"{meaning}; may be repeated",
        )
    parser.add_argument(
        "--default-contrasts",
        nargs=2,
        metavar=("CODING", "ORDERED"),
        help="coding of unordered and of ordered factors, as R's options(contrasts = )",
    )
    parser.add_argument(
        "--lme4",
        default="2.1",
        metavar="VERSION",
        help="the version of lme4 to follow, e.g. 1.1-31 (default: 2.1)",
    )
    parser.add_argument("--ml", action="store_true", help="maximum likelihood, not REML")


def design_of(options: argparse.Namespace) -> MixedDesign:
    """Return the design that the arguments of `add_model` describe."""
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
            data = read_table(options.data)
    chosen = chosen_of(options)
    with doing("building the design"):
        if "family" in chosen:
            chosen.pop("reml", None)
            return glformula(options.formula, data, **chosen)
        return lformula(options.formula, data, **chosen)


def chosen_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the model that were given, or have a default, as arguments."""
    chosen: dict[str, Any] = {
        "family": options.family,
        "subset": options.subset,
        "weights": options.weights,
        "offset": options.offset,
        "na_action": options.na_action,
        "collation": options.collation,
        "contrasts": dict(options.contrasts) or None,
        "attached_contrasts": dict(options.attached_contrasts) or None,
        "default_contrasts": options.default_contrasts,
        "control": dict(options.control) or None,
        "double_bar": options.double_bar,
        "env": dict(options.env) or None,
        "lme4": options.lme4,
        "reml": False if options.ml else None,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    name, separator, coding = text.partition("=")
    if not (name and separator and coding):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, coding


def _variable(text: str) -> tuple[str, float | str]:
    name, value = _pair(text)
    try:
        return name, float(value)
    except ValueError:
        return name, value
