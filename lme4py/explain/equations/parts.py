"""Equations under a heading, before a notation writes their symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lme4py.explain.expression import Relation

__all__ = ["Caption", "Part"]


Caption: TypeAlias = Callable[[int], str]
"""A grouping factor, by its number, as headings name it."""


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Equations that belong together.

    Parameters
    ----------
    title : str
        The heading, "" for none.
    relations : sequence of Relation
        The equations.
    stage : int
        The stage of the hierarchy at which they are read: notations leave out its index.
    notes : tuple of str
        Sentences below them.
    """

    title: str
    relations: Sequence[Relation]
    stage: int
    notes: tuple[str, ...] = ()
