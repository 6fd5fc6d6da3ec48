"""Placeholder: the order of text (see the task of this module)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Collation:
    """An order of text: ``"icu"`` or ``"C"``."""

    name: str = "icu"

    def sort(self, texts: Iterable[str]) -> list[str]:
        """Return the texts in order."""
        return sorted(texts)
