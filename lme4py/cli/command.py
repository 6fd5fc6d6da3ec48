"""What a subcommand is: its words, its options, and the answer it gives."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BAD_INPUT", "DIFFERENT", "DONE", "Answer", "Command"]

DONE = 0
DIFFERENT = 1
BAD_INPUT = 2


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
