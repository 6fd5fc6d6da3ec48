"""What a build has to say besides its result: warnings, messages and advice, each once."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import Lme4pyAdvice, Lme4pyMessage, Lme4pyWarning, Span

_ROWS_SHOWN = 5


def log(texts: Iterable[str]) -> None:
    """Give texts to the logger ``lme4py``, which nobody sees who has not asked for them."""
    import logging

    for text in texts:
        logging.getLogger("lme4py").info(text)


@dataclass(frozen=True, slots=True)
class Messages:
    """Texts collected while a design is built, told to the user when it is done.

    R's own are kept apart from ours: `warnings` and `notes` are what R's ``warning()``
    and ``message()`` say; `advice` and `remarks` are said where R is silent. Python
    warnings are made of `warnings` (`Lme4pyWarning`), of `changes` (`Lme4pyMessage`), those notes
    that tell of other columns than asked for, and of `advice` (`Lme4pyAdvice`); the logger gets
    `notes`. `texts` are ``design.messages``, `ours` ``design.advice``.
    """

    warnings: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    changes: dict[str, None] = field(default_factory=dict)
    advice: dict[str, None] = field(default_factory=dict)
    remarks: dict[str, None] = field(default_factory=dict)

    def __add__(self, other: Messages) -> Messages:
        """Return what both have to say, each text once."""
        names = [item.name for item in fields(self)]
        return Messages(*(getattr(self, name) | getattr(other, name) for name in names))

    def warn(self, text: str) -> None:
        """Add a warning of R's."""
        self.warnings[text] = None

    def note(self, text: str) -> None:
        """Add a message of R's."""
        self.notes[text] = None

    def change(self, text: str) -> None:
        """Add a message of R's that the model has other columns than it was asked for."""
        self.note(text)
        self.changes[text] = None

    def advise(self, text: str, span: Span | None = None) -> None:
        """Add a warning of ours; `span` is the place in the formula it speaks of."""
        self.advice[text if span is None else f"{text}\n{span.caret()}"] = None

    def remark(self, text: str) -> None:
        """Add a quiet note of ours."""
        self.remarks[text] = None

    @property
    def texts(self) -> list[str]:
        """The texts of R and lme4."""
        return list(dict.fromkeys([*self.warnings, *self.notes]))

    @property
    def ours(self) -> list[str]:
        """The texts that lme4 does not have."""
        return [*self.advice, *self.remarks]

    def tell(self) -> None:
        """Issue Python warnings, in the name of who called the package, and log the messages."""
        log(self.notes)
        told: list[tuple[str, type[Warning]]] = [(text, Lme4pyWarning) for text in self.warnings]
        told += [(text, Lme4pyMessage) for text in self.changes if text not in self.warnings]
        told += [(text, Lme4pyAdvice) for text in self.advice]
        depth, frame = 1, inspect.currentframe() if told else None
        while frame and frame.f_globals.get("__name__", "").startswith("lme4py."):
            depth, frame = depth + 1, frame.f_back
        for text, category in told:
            warnings.warn(text, category, stacklevel=depth)


def rows_text(
    mask: NDArray[np.bool_],
    positions: NDArray[np.int64] | None = None,
    values: NDArray[Any] | None = None,
) -> str:
    """Return the first rows that a mask marks, and their number, counted from 0.

    `positions` are the rows of the data that those of the frame were, None where they are the
    same; `values` are shown with the rows.

    Examples
    --------
    >>> rows_text(np.array([False, True, True]), values=np.array([1.0, np.inf, -np.inf]))
    'row 1 (inf), row 2 (-inf): 2 of 3 rows, counted from 0'
    """
    found = np.flatnonzero(mask)
    shown = []
    for at in found[:_ROWS_SHOWN]:
        place = at if positions is None else positions[at]
        name = f"row {int(place)}" if place >= 0 else "an absent row"
        shown.append(name if values is None else f"{name} ({values[at]})")
    more = ", ..." if found.size > _ROWS_SHOWN else ""
    total = f"{found.size:,} of {mask.size:,} rows, counted from 0"
    return f"{', '.join(shown)}{more}: {total}"
