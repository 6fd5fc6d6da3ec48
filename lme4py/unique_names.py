"""Repeated names made unique as R makes them."""

from __future__ import annotations

from collections.abc import Iterable


def make_unique(names: Iterable[str]) -> list[str]:
    """Return the names with ``.1``, ``.2`` ... after repeated ones (R's ``make.unique``).

    A name with a number is passed over where it is taken already.

    Examples
    --------
    >>> make_unique(["13", "13", "14", "13", "13.1"])
    ['13', '13.2', '14', '13.3', '13.1']
    """
    given = list(names)
    taken = set(given)
    if len(taken) == len(given):
        return given
    found, seen, count = [], set[str](), dict[str, int]()
    for name in given:
        unique = name
        while unique in seen or (unique != name and unique in taken):
            count[name] = count.get(name, 0) + 1
            unique = f"{name}.{count[name]}"
        seen.add(unique)
        found.append(unique)
    return found
