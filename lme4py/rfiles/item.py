"""One object of R's serialization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Item", "Kind"]

Kind = Literal[
    "null",
    "symbol",
    "pairs",
    "call",
    "function",
    "environment",
    "text",
    "logical",
    "integer",
    "double",
    "complex",
    "character",
    "list",
    "expression",
    "raw",
    "S4",
    "missing argument",
    "other",
]


@dataclass(eq=False, slots=True)
class Item:
    """One object of the stream.

    Parameters
    ----------
    kind : str
    value : object
        An array of numbers; a list of str (None is NA) of a character vector; a list of
        items of a list; a list of (tag, item) of pairs and calls, the called function
        first; a str of a text or symbol; else None.
    attributes : Item or None
        Pairs.
    """

    kind: Kind
    value: Any = None
    attributes: Item | None = None
