"""Texts of objects that stay short, however much the objects hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from reprlib import Repr
from typing import Any

import numpy as np

_ITEMS = 4
_CHARACTERS = 60


class Abbreviated:
    """A dataclass (``repr=False``) that shows few of many items, and arrays by type and shape.

    As in ``Row(names=('a', 'b', 'c', 'd', ...), values=<float64, shape (3,)>)``.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        shown = (
            f"{item.name}={_SHORT.repr(getattr(self, item.name))}"
            for item in fields(self)  # type: ignore[arg-type]
            if item.repr
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class _Short(Repr):
    """The standard library's abbreviations, with arrays by shape and our objects by name."""

    def __init__(self) -> None:
        super().__init__()
        self.maxtuple = self.maxlist = self.maxdict = _ITEMS
        self.maxlevel = 3
        self.maxstring = self.maxother = _CHARACTERS

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, np.ndarray):
            return f"<{x.dtype}, shape {x.shape}>"
        if isinstance(x, Abbreviated):
            return f"{type(x).__name__}(...)"
        return super().repr1(x, level)


_SHORT = _Short()


def few(texts: Iterable[str]) -> str:
    """Return some texts, separated by commas, and how many there are where some are left out.

    Examples
    --------
    >>> few("abc"), few("abcdefgh")
    ('a, b, c', 'a, b, c, d, ... (8)')
    """
    found = list(texts)
    shown = ", ".join(
        text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 3]}..."
        for text in found[:_ITEMS]
    )
    return shown if len(found) <= _ITEMS else f"{shown}, ... ({len(found)})"
