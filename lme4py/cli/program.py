"""The program: words in, one subcommand's answer on the screen, an exit code out."""

from __future__ import annotations

import argparse
import codecs
import inspect
import json
import os
import shutil
import sys
import textwrap
import traceback
import unicodedata
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from io import TextIOWrapper
from typing import Any

import numpy as np

from lme4py.cli.command import Command
from lme4py.cli.compare import compare
from lme4py.cli.design_options import OPTIONS, TEXT
from lme4py.cli.scan_command import scan
from lme4py.cli.views import cluster, explain, export, plot, show
from lme4py.errors import Lme4pyError, Lme4pyWarning

COMMANDS = (show, explain, plot, cluster, compare, export, scan)
BAD_INPUT, OWN_FAULT, INTERRUPTED = 2, 3, 130

_CODES = """\
exit codes:
  0  done (compare: everything equal)
  1  compare found a difference
  2  the formula, the data, a file, the memory or the arguments are at fault
  3  lme4py itself is at fault
  130  interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``lme4py``; those of the process by default.

    Returns
    -------
    int
        0; 1 when ``compare`` found a difference; 2 when the formula, the data, a file, the
        memory or the arguments are at fault, 3 when lme4py is, the reason being on standard
        error; 130 when interrupted.

    Examples
    --------
    >>> main(["show", "Reaction ~ Days + (1 | Subject)", "--rows", "0"])
    Reaction ~ Days + (1 | Subject)
    <BLANKLINE>
    linear, REML · 180 rows · p = 2 · q = 18 · 1 theta
    <BLANKLINE>
    X 180 x 2: (Intercept), Days
    <BLANKLINE>
    Zt 18 x 180: 180 values
    <BLANKLINE>
      term         group    levels  rows of Zt  theta  columns
      1 | Subject  Subject      18  0:18        1      (Intercept)
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A letter β is printed as beta where there is no other way.
            stream.reconfigure(errors="lme4py.spelled")
    options = _parser().parse_args(arguments)
    try:
        return _answered(options)
    except Lme4pyError as error:
        return _failed(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        return _failed("there is not enough memory")
    except Exception:  # noqa: BLE001 (1 would mean that compare found a difference)
        _failed(traceback.format_exc())
        return OWN_FAULT


def _failed(text: object) -> int:
    """Say on standard error what is at fault, as far as that can be written to."""
    with suppress(OSError):
        print(f"lme4py: {text}", file=sys.stderr)
    return BAD_INPUT


def _answered(options: argparse.Namespace) -> int:
    """Run the subcommand, print its answer, and return the exit code."""
    command: Command = options.command
    unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    with warnings.catch_warnings():
        # A page ends with them.
        warnings.simplefilter("ignore", Lme4pyWarning)
        answer = command.run(options)
    match answer.content:
        case str(page):
            shown = _coloured(page)
        case record:
            shown = json.dumps(record, default=_plain, ensure_ascii=not unicode, allow_nan=False)
    try:
        print(shown, flush=True)
    except OSError as fault:
        # Keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader such as `head` has seen enough.
        if not isinstance(fault, BrokenPipeError):
            return _failed(f"cannot write the answer: {fault.strerror}")
    return answer.code


def _plain(value: Any) -> Any:
    """Return an array or a number of numpy's in JSON's types: None is what these cannot write."""
    finite = np.isfinite(value)
    return value.tolist() if finite.all() else np.where(finite, value, np.array(None)).tolist()


def _spelled(fault: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that cannot be encoded."""
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    return "".join(map(_ascii, fault.object[fault.start : fault.end])), fault.end


def _ascii(character: str) -> str:
    found = unicodedata.name(character, "")
    if found.startswith("GREEK "):
        letter = found.rpartition("LETTER ")[2].split(" ")[0]
        return letter.lower() if "SMALL" in found else letter.title()
    plain = unicodedata.normalize("NFKD", _WORDS.get(character) or character.translate(_SIGNS))
    return plain.encode("ascii", "ignore").decode() or "?"


_SIGNS = str.maketrans("‘’′“”−–—‐‑─│║⋮·×⋅⊙⋱∼", "'''\"\"------|||****\\~")
_SIGNS |= str.maketrans("⎡⎢⎣⎤⎥⎦⎛⎜⎝⎞⎟⎠", "[[[]]]((()))")
_WORDS = {"√": "sqrt", "≤": "<=", "≥": ">=", "→": "->"}
codecs.register_error("lme4py.spelled", _spelled)


def _on_terminal() -> bool:
    """Tell whether the answer goes to a terminal; where it is closed there is no output at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def _width() -> int:
    """Return the characters of a line: the terminal's or of COLUMNS, else 88."""
    known = _on_terminal() or "COLUMNS" in os.environ
    return max(shutil.get_terminal_size((88, 24)).columns, 30) if known else 88


# What is brought out on a terminal, in the styles of rich.
COLOURS = {
    r"(?m)^(?! )(?=.*\S).+$": "bold",
    r"\bDIFFERENT\b": "bold red",
    r"\bequal$": "green",
    r"(?m)^  (?=(term|component|part) +\S).*$": "italic",
}


def _coloured(page: str) -> str:
    """Return the page as it is, or on a terminal that takes colours with the colours."""
    if not _on_terminal():
        return page
    from rich.console import Console
    from rich.text import Text

    text = Text(page)
    for pattern, style in COLOURS.items():
        text.highlight_regex(pattern, style)
    console = Console(soft_wrap=True)
    with console.capture() as captured:
        console.print(text, end="")
    return captured.get()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lme4py",
        description="R's mixed-model formulas as lme4's exact matrices.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lme4py {version('lme4py')}")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        title, description, examples = str(inspect.getdoc(command.run)).split("\n\n")
        own = parsers.add_parser(
            command.name,
            usage=f"%(prog)s [OPTION ...] {command.operands}",
            help=title[0].lower() + title[1:].rstrip("."),
            description=textwrap.fill(description, min(_width(), 79)),
            epilog=f"examples:\n{textwrap.indent(examples, '  ')}\n\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        own.add_argument("--json", action="store_true", help="print JSON, for scripts")
        own.set_defaults(command=command, width=_width())
        # The command's own options come first.
        text, model = map(own.add_argument_group, ("of a text file", "of the model"))
        for group, options in ((own, command.options), (text, TEXT), (model, OPTIONS)):
            for flags, settings in options:
                group.add_argument(*flags, **settings)
    return parser
