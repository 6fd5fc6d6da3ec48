"""The command ``lme4py``: a formula and a file in, the design on the screen."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lme4py.errors import DataError, Lme4pyError, Lme4pyWarning

if TYPE_CHECKING:
    import pandas as pd

    from lme4py.design import MixedDesign

__all__ = ["main"]

_FORMULA = "Reaction ~ Days + (Days | Subject)"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``lme4py``; those of the process by default.

    Returns
    -------
    int
        0, or 2 when the formula, the data or the arguments are at fault; the reason
        is on standard error.

    Examples
    --------
    >>> main(["show", "Reaction ~ Days + (1 | Subject)", "--rows", "0"])
    Reaction ~ Days + (1 | Subject)
    <BLANKLINE>
      linear, REML   180 rows   p = 2   q = 18   1 theta
    <BLANKLINE>
    X  180 x 2
      (Intercept), Days
    <BLANKLINE>
    Zt  18 x 180, 180 values
      term         group    levels  rows of Zt  theta  columns
      1 | Subject  Subject      18  0:18        1      (Intercept)
    0
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            # The page ends with them.
            warnings.simplefilter("ignore", Lme4pyWarning)
            page = _show(options)
    except Lme4pyError as error:
        print(f"lme4py: {error}", file=sys.stderr)
        return _BAD_INPUT
    try:
        print(page, flush=True)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lme4py", description="R's mixed-model formulas as lme4's exact matrices."
    )
    parser.add_argument("--version", action="version", version=f"lme4py {version('lme4py')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser(
        "show",
        help="print the design of a formula and a table",
        description="Print the design that a formula and a table make: dimensions, the columns "
        "of X, the random terms, and the head of X and Zt. Without arguments, the "
        f"sleepstudy data and {_FORMULA}.",
    )
    show.add_argument("formula", nargs="?", default=_FORMULA, metavar="FORMULA", help=_FORMULA)
    show.add_argument(
        "data", nargs="?", type=Path, metavar="DATA", help="a .csv, .tsv or .parquet file"
    )
    show.add_argument(
        "--family",
        metavar="FAMILY",
        help="generalized linear, e.g. binomial or poisson(link='log')",
    )
    show.add_argument("--subset", metavar="EXPR", help="rows to use, an R expression")
    show.add_argument("--weights", metavar="EXPR", help="weights, a column or an R expression")
    show.add_argument("--offset", metavar="EXPR", help="offset, a column or an R expression")
    show.add_argument(
        "--na-action",
        choices=["omit", "exclude", "fail", "pass"],
        default="omit",
        help="what to do with missing values (default: omit)",
    )
    show.add_argument(
        "--collation",
        choices=["icu", "C"],
        default="icu",
        help="order of levels made from text (default: icu, as R in a UTF-8 locale)",
    )
    show.add_argument(
        "--contrasts",
        action="append",
        default=[],
        type=_contrast,
        metavar="NAME=CODING",
        help="coding of a factor, e.g. f=contr.sum; may be repeated",
    )
    show.add_argument(
        "--rows", type=_count, default=6, metavar="N", help="rows of X and Zt (default: 6)"
    )
    return parser


def _contrast(text: str) -> tuple[str, str]:
    name, separator, coding = text.partition("=")
    if not (name and separator and coding):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=contr.sum")
    return name, coding


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def _show(options: argparse.Namespace) -> str:
    from lme4py.summary import summary

    return summary(_design(options), rows=options.rows)


def _design(options: argparse.Namespace) -> MixedDesign:
    from lme4py.data import sleepstudy
    from lme4py.design import glformula, lformula

    if options.data is None and Path(options.formula).suffix in {*_SEPARATORS, ".parquet"}:
        raise DataError(
            f"'{options.formula}' stands where the formula belongs",
            hint="write: lme4py show 'y ~ x + (1 | g)' " + options.formula,
        )
    data = sleepstudy() if options.data is None else _read(options.data)
    chosen: dict[str, Any] = {
        "subset": options.subset,
        "weights": options.weights,
        "offset": options.offset,
        "na_action": options.na_action,
        "collation": options.collation,
        "contrasts": dict(options.contrasts) or None,
    }
    if options.family is None:
        return lformula(options.formula, data, **chosen)
    return glformula(options.formula, data, family=options.family, **chosen)


def _read(path: Path) -> pd.DataFrame:
    """Return the table in a file, or raise `DataError` with the reason it cannot be read."""
    import pandas as pd

    suffix = path.suffix.lower()
    try:
        if suffix in _SEPARATORS:
            return pd.read_csv(path, sep=_SEPARATORS[suffix])
        if suffix == ".parquet":
            return pd.read_parquet(path)
    except ImportError as error:
        raise DataError(
            f"cannot read '{path}' without pyarrow", hint="pip install pyarrow"
        ) from error
    except (OSError, ValueError) as error:
        # pandas' parsing errors and pyarrow's are ValueErrors, a missing file is an OSError.
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise DataError(f"cannot read '{path}': {reason}") from error
    raise DataError(f"cannot read '{path}': expected a .csv, .tsv or .parquet file")
