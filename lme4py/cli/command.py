"""What a subcommand is: a function whose docstring is its help, its options, its answer."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "BAD_INPUT",
    "DIFFERENT",
    "DONE",
    "INTERRUPTED",
    "OWN_FAULT",
    "Answer",
    "Command",
    "Option",
    "command",
    "doing",
    "option",
    "whole_number",
]

DONE = 0
DIFFERENT = 1
BAD_INPUT = 2
OWN_FAULT = 3
INTERRUPTED = 130
Option: TypeAlias = tuple[tuple[str, ...], Mapping[str, Any]]
"""What argparse's ``add_argument`` takes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subcommand found.

    Parameters
    ----------
    page : callable
        Makes the text for a reader, of so many characters a line.
    record : callable
        Makes the mapping that ``--json`` prints, of JSON's own types.
    code : int
        The exit code.
    """

    page: Callable[[int], str]
    record: Callable[[], Mapping[str, Any]]
    code: int = DONE


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Parameters
    ----------
    run : callable
        Turns the parsed arguments into the answer; may raise `Lme4pyError`. It has the
        command's name; its docstring is a line for the list of commands, a paragraph for the
        command's own help, and lines that a user can type.
    options : tuple of Option
        Its own arguments, beside ``--json`` and those that name the model.
    """

    run: Callable[[argparse.Namespace], Answer]
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        """The word after ``lme4py``."""
        return self.run.__name__

    @property
    def operands(self) -> str:
        """What stands on its line without a flag, or must have one, as its help shows it."""
        shown: list[str] = []
        for (flag, *_), settings in self.options:
            name = settings.get("metavar", "")
            if settings.get("required"):
                shown.insert(0, f"{flag} {name}")
            elif not flag.startswith("-"):
                forms = {"+": f"{name} ...", "?": f"[{name}]"}
                shown.append(forms.get(settings.get("nargs", ""), "") or name)
        return " ".join(shown)

    @property
    def help(self) -> list[str]:
        """The line, the paragraph and the examples."""
        return str(inspect.getdoc(self.run)).split("\n\n")


def command(*options: Option) -> Callable[[Callable[[argparse.Namespace], Answer]], Command]:
    """Make a function the subcommand of its name."""
    return lambda run: Command(run, options)


def option(*flags: str, **settings: Any) -> Option:
    """Return an option of a subcommand."""
    return flags, settings


def whole_number(least: int = 0, most: float = float("inf")) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`, for an option."""

    def read(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            end = "on" if most == float("inf") else f"to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} {end}")
        return int(text)

    return read


@contextmanager
def doing(what: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
    """Show on a terminal's standard error how far work is, on a line that goes again.

    Yields what tells that one of `total` parts is done, and what comes next.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.markup import escape

    percent = [] if total is None else [bars.TextColumn("{task.percentage:>3.0f}%")]
    clock = bars.TimeElapsedColumn() if total is None else bars.TimeRemainingColumn()
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), *percent, clock)
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda following: progress.update(task, advance=1, description=escape(following))
