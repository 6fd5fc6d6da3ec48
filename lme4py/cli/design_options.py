"""The arguments that name a model, shared by the commands; its data, and the design they make."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.cli.command import Option, doing, option
from lme4py.data.read_csv import read_csv
from lme4py.errors import DataError
from lme4py.sources.row_files import FORMATS, kind_of, reading

if TYPE_CHECKING:
    from lme4py.design import MixedDesign

EXPECTED = (
    "a .csv, .tsv, .parquet, .arrow, .feather or .rds file "
    "(may be packed: .csv.gz, .bz2; text also .xz, .zip)"
)
_KINDS = (*FORMATS, ".rds")
_FORMULA = "Reaction ~ Days + (Days | Subject)"
# Arguments of `lformula` and `glformula`: what stands for the value, and what it means.
_ARGUMENTS = {
    "family": ("FAMILY", "generalized linear, e.g. binomial or poisson(link='log')"),
    "subset": ("EXPR", "rows to use, an R expression"),
    "weights": ("EXPR", "weights, a column or an R expression"),
    "offset": ("EXPR", "offset, a column or an R expression"),
    "collation": ("ORDER", "order of text levels: icu (as in R), C, or that of a locale, as sv"),
    "na_action": ("ACTION", "if values are missing: omit, exclude, fail, pass (default: omit)"),
    "double_bar": ("MEANING", "of ||: split, which is lme4's, or diag (default: split)"),
    "contrasts": ("NAME=CODING", "coding of a factor in X, e.g. f=contr.sum"),
    "attached_contrasts": (
        "NAME=CODING",
        "coding of a factor in X and in random slopes, as R's contrasts(d$f) <-",
    ),
    "control": ("CHECK=ACTION", "lme4's check options, e.g. check.rankX=ignore"),
    "env": ("NAME=VALUE", "a number or text that the formula may use, e.g. k=3"),
    "default_contrasts": (
        "CODING ORDERED",
        "coding of unordered and of ordered factors, as R's options(contrasts = )",
    ),
    "lme4": ("VERSION", "the version of lme4 to follow, e.g. 1.1-31 (default: 2.1)"),
}
# As R writes them.
_LOGICAL = {"TRUE": True, "T": True, "FALSE": False, "F": False, "NULL": None}


def _argument(name: str, metavar: str, meaning: str) -> Option:
    """Return the option of an argument; one of names with values may be repeated."""
    settings: dict[str, Any] = {"metavar": metavar}
    if "=" in metavar:
        settings |= {"action": "append", "type": _pair}
        meaning = f"{meaning}; may be repeated"
    elif " " in metavar:
        settings = {"metavar": tuple(metavar.split()), "nargs": 2}
    return option(f"--{name.replace('_', '-')}", meaning, **settings)


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


OPTIONS = (
    *(_argument(name, *told) for name, told in _ARGUMENTS.items()),
    option("--ml", "maximum likelihood, not REML", dest="reml", action="store_const", const=False),
)
"""The options of the model: family, subset, weights ..."""

TEXT = (
    option("--sep", "what separates the fields of a .csv file, e.g. ';' (default: ,)"),
    option("--decimal", "its decimal point, e.g. , (default: .)"),
    option("--encoding", "its encoding, e.g. latin1 (default: UTF-8, or UTF-16 if marked)"),
    option("--na", "a missing value (default: NA); may be repeated", action="append"),
)
"""What the fields of a text file are like, named as the arguments of `read_csv`."""

MODEL = (
    option("formula", f"default: {_FORMULA}", nargs="?", metavar="FORMULA"),
    option("data", f"{EXPECTED}; without it the sleepstudy data", nargs="?", metavar="DATA"),
)
"""The formula and the data."""


def chosen_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the model that were given, as arguments."""
    chosen = _given(options, *_ARGUMENTS, "reml")
    for name, (metavar, _) in _ARGUMENTS.items():
        if "=" in metavar and name in chosen:
            chosen[name] = dict(chosen[name])
    if "control" in chosen:
        chosen["control"] = {k: _LOGICAL.get(word, word) for k, word in chosen["control"].items()}
    if "env" in chosen:
        chosen["env"] = {name: _variable(text) for name, text in chosen["env"].items()}
    return chosen


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    found = {name: getattr(options, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _variable(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def data_of(options: argparse.Namespace) -> Any:
    """Return the table that was named, read as the options of `TEXT` say."""
    with doing(f"reading {options.data}"):
        return read_table(Path(options.data), **_given(options, "sep", "decimal", "encoding", "na"))


def read_table(path: Path, **marks: Any) -> Any:
    """Return the table in a file; the marks are arguments of `lme4py.read_csv`, for text."""
    match kind_of(path):
        case ".csv":
            return read_csv(path, **marks)
        case ".tsv":
            return read_csv(path, **{"sep": "\t", **marks})
        case kind if kind not in _KINDS:
            raise DataError(f"cannot read '{path}': expected {EXPECTED}")
        case _ if marks:
            raise DataError(f"--{next(iter(marks))} is for text: '{path}' is none")
        case ".rds":
            return _frame_of_r(path)
        case kind:
            with reading(path):
                return _arrow(path, kind)


def _arrow(path: Path, kind: str) -> Any:
    """Read Parquet, or Arrow's IPC format, whether written as a file (Feather) or as a stream."""
    import pandas as pd
    from pyarrow import ArrowInvalid, input_stream, ipc

    packed = path.suffix.lower() != kind
    with io.BytesIO(input_stream(path).read()) if packed else path.open("rb") as source:
        if kind == ".parquet":
            return pd.read_parquet(source)
        try:
            return ipc.open_file(source).read_all()
        except ArrowInvalid:
            source.seek(0)
            return ipc.open_stream(source).read_all()


def _frame_of_r(path: Path) -> Any:
    """Read a data frame of R's, alone or as the element `data` of a list."""
    from lme4py.rfiles.read_rds import read_rds
    from lme4py.rfiles.rvalues import RFrame, RList

    content = read_rds(path)
    if isinstance(content, RList):
        content = content.get("data")
    if not isinstance(content, RFrame):
        raise DataError(f"cannot read '{path}': it holds no data frame")
    return content.table()


def made(formula: Any, data: Any, arguments: Mapping[str, Any]) -> MixedDesign:
    """Return the design of `lformula`, or where there is a family of `glformula`."""
    from lme4py.api import glformula, lformula

    if "family" in arguments:
        arguments = {name: value for name, value in arguments.items() if name != "reml"}
        return glformula(formula, data, **arguments)
    return lformula(formula, data, **arguments)


def design_of(options: argparse.Namespace) -> MixedDesign:
    """Return the design that the arguments describe."""
    from lme4py.data import sleepstudy

    formula = _FORMULA if options.formula is None else options.formula
    if options.data is None and kind_of(Path(formula)) in _KINDS:
        raise DataError(
            f"'{formula}' stands where the formula belongs",
            hint=f"write: lme4py {options.command.name} 'y ~ x + (1 | g)' {formula}",
        )
    data = sleepstudy() if options.data is None else data_of(options)
    with doing("building the design"):
        return made(formula, data, chosen_of(options))
