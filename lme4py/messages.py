"""What a build has to say besides its result: lme4's warnings and messages, each once."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field

from lme4py.errors import Lme4pyWarning

__all__ = ["Messages"]

_LOGGER = logging.getLogger("lme4py")
_LOGGER.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Messages:
    """Texts collected while a design is built, told to the user when it is done.

    Parameters
    ----------
    warnings : dict
        Texts of warnings, in order.
    notes : dict
        Texts of messages, in order.
    """

    warnings: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.warnings[text] = None

    def note(self, text: str) -> None:
        """Add a message."""
        self.notes[text] = None

    def tell(self, stacklevel: int) -> None:
        """Issue the warnings as `Lme4pyWarning` and log the messages."""
        for text in self.notes:
            _LOGGER.info(text)
        for text in self.warnings:
            _LOGGER.warning(text)
            warnings.warn(text, Lme4pyWarning, stacklevel=stacklevel)
