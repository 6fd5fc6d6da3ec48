"""Phrases: names in a row, positions as ranges, long lists cut."""

from __future__ import annotations

from collections.abc import Sequence

from lme4py.explain.document import Code, Prose
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["MOST_NAMES", "MOST_TERMS", "elided", "joined", "listed", "one_line", "spans", "written"]


MOST_NAMES = 6
MOST_TERMS = 30


def elided(rows: list[list[Prose]], most: int) -> list[list[Prose]]:
    """Return rows of a table, cut to `most`."""
    if len(rows) <= most:
        return rows
    rest = len(rows) - most + 1
    return [*rows[: most - 1], [[f"... {rest} more"], *([[]] * (len(rows[0]) - 1))]]


def spans(columns: Sequence[int]) -> Prose:
    """Return positions as half-open ranges, as Python counts them."""
    if not columns:
        return ["none"]
    breaks = [k for k in range(1, len(columns)) if columns[k] != columns[k - 1] + 1]
    runs = [
        (columns[begin], columns[end - 1] + 1)
        for begin, end in zip([0, *breaks], [*breaks, len(columns)], strict=True)
    ]
    return [", ".join(f"{begin}:{end}" for begin, end in runs)]


def joined(parts: Sequence[Prose]) -> Prose:
    """Return parts in a row: a, b and c."""
    said: list[str | Code] = []
    for k, part in enumerate(parts):
        if k:
            said.append(" and " if k == len(parts) - 1 else ", ")
        said += part
    return said


def listed(names: Sequence[str], most: int = MOST_NAMES) -> Prose:
    """Return names as code, the middle of a long list left out."""
    said: list[str | Code] = []
    if len(names) <= most:
        return joined([[Code(name)] for name in names])
    for name in names[: most - 2]:
        said += [Code(name), ", "]
    return [*said, f"... {len(names) - most + 1} more ..., ", Code(names[-1])]


def one_line(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())


def written(term: RandomTerm) -> str:
    """Return a term with its bars expanded and its structure named."""
    structure = "" if term.covariance.name == "us" else term.covariance.name
    return f"{structure}({one_line(term.bar.label)})"
