"""R's rule of what the arguments of a call mean."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import TypeVar

from lme4py.errors import DataError

T = TypeVar("T")


def match_arguments(
    called: str, formals: Iterable[str], given: Iterable[tuple[str | None, T]]
) -> tuple[dict[str, T], list[tuple[str | None, T]]]:
    """Return what each formal argument takes, and what is left for ``...``.

    Whole names are matched first, then beginnings of names, with the formal arguments before
    ``...`` that are free still, then places. Two arguments for one formal, or two formals for the
    beginning of a name, are a `DataError`.

    Examples
    --------
    >>> given = [("n", 2), (None, "data"), ("ncol", 3), ("q", 4)]
    >>> match_arguments("matrix", ("data", "nrow", "ncol"), given)
    ({'ncol': 3, 'nrow': 2, 'data': 'data'}, [('q', 4)])
    """
    known, items = list(formals), list(given)
    before = list(takewhile("...".__ne__, known))
    matched: dict[str, T] = {}

    def take(formal: str, item: T) -> None:
        if formal in matched:
            raise DataError(f'formal argument "{formal}" matched by multiple actual arguments')
        matched[formal] = item

    for name, item in items:
        if name is not None and name in known:
            take(name, item)
    free, others = [formal for formal in before if formal not in matched], []
    for name, item in items:
        if name is not None and name in known:
            continue
        fits = [formal for formal in free if name and formal.startswith(name)]
        if len(fits) > 1:
            raise DataError(f"argument '{name}' of {called}() matches multiple formal arguments")
        if fits:
            take(fits[0], item)
        else:
            others.append((name, item))
    places, left = iter([formal for formal in before if formal not in matched]), []
    for name, item in others:
        formal = next(places, None) if name is None else None
        if formal is None:
            left.append((name, item))
        else:
            matched[formal] = item
    return matched, left
