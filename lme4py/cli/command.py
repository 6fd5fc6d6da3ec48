"""What a subcommand is: a function whose docstring is its help, its options, its answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

Option: TypeAlias = tuple[tuple[str, ...], Mapping[str, Any]]
"""What argparse's ``add_argument`` takes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subcommand found: a text, with ``--json`` a mapping of JSON's types and arrays."""

    content: str | Mapping[str, Any]
    code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: what answers it, what its line must have, and its own options.

    The function has the command's name; its docstring is a line for the list of commands, a
    paragraph for the command's own help, and lines that a user can type. Among the arguments it
    takes are ``json`` and ``width``, the characters of a line.
    """

    run: Callable[[argparse.Namespace], Answer]
    operands: str
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        """The word after ``lme4py``."""
        return self.run.__name__


def command(
    operands: str, *options: Option
) -> Callable[[Callable[[argparse.Namespace], Answer]], Command]:
    """Make a function the subcommand of its name."""
    return lambda run: Command(run, operands, options)


def option(flags: str, meaning: str, **settings: Any) -> Option:
    """Return an option by its flags and what it means, after which its default is told."""
    if "default" in settings:
        default = settings["default"]
        shown = " ".join(default) if isinstance(default, tuple) else default
        meaning = f"{meaning} (default: {shown})"
    return tuple(flags.split()), {"help": meaning.replace("%", "%%"), **settings}


def number(
    flags: str, meaning: str, least: int = 0, most: float = float("inf"), **settings: Any
) -> Option:
    """Return an option that is a whole number from `least` to `most`."""

    def read(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            end = "on" if most == float("inf") else f"to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} {end}")
        return int(text)

    return option(flags, meaning, type=read, metavar="N", **settings)


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
