"""What a subcommand is: its words, its options, and the answer it gives."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "BAD_INPUT",
    "DIFFERENT",
    "DONE",
    "Answer",
    "Command",
    "add_format",
    "in_format",
    "whole_number",
]

DONE = 0
DIFFERENT = 1
BAD_INPUT = 2
_FORMATS = {"text": "text", "latex": "latex", "html": "html", "md": "markdown"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subcommand found.

    Parameters
    ----------
    page : callable
        Makes the text for a reader.
    record : callable
        Makes the mapping that ``--json`` prints, of JSON's own types.
    code : int
        The exit code.
    """

    page: Callable[[], str]
    record: Callable[[], Mapping[str, Any]]
    code: int = DONE


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Parameters
    ----------
    name : str
    help : str
        One line for the list of commands.
    description : str
        A paragraph for its own help.
    examples : sequence of str
        Lines that a user can type.
    arguments : callable
        Adds its arguments to its parser; ``--json`` is added for it.
    run : callable
        Turns the parsed arguments into the answer; may raise `Lme4pyError`.
    """

    name: str
    help: str
    description: str
    examples: tuple[str, ...]
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]


def whole_number(least: int = 0, most: float = float("inf")) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`, for an option."""

    def read(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            end = "on" if most == float("inf") else f"to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} {end}")
        return int(text)

    return read


def add_format(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the option that chooses the format of a page."""
    help_text = f"of the page (default: text){more}"
    parser.add_argument("--format", choices=tuple(_FORMATS), default="text", help=help_text)


def in_format(view: Any, form: str) -> str:
    """Return equations or a cluster in the format that was chosen."""
    text: str = getattr(view, _FORMATS[form])()
    return text
