"""Names made unique, and such as a formula can have, as R makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NAME = re.compile(r"(?:[^\W\d_]|\.(?![0-9]))[\w.]*")
_RESERVED = re.compile(
    "if|else|repeat|while|function|for|next|break|in|TRUE|FALSE|NULL|Inf|NaN|"
    "NA(_integer_|_real_|_character_|_complex_)?"
)


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


def is_name(text: str) -> bool:
    """Tell whether R reads a text as a name, without back-quotes.

    Examples
    --------
    >>> [is_name(text) for text in ("a.b", ".2", "a b", "if")]
    [True, False, False, False]
    """
    return _NAME.fullmatch(text) is not None and not _RESERVED.fullmatch(text)


def make_names(names: Sequence[str]) -> list[str]:
    """Return names that R can read in a formula, each of them once (``make.names(unique = TRUE)``).

    Those that stand as they are come first: it is the others that get a number.

    Examples
    --------
    >>> make_names(["", "X", "a b", "if", "a.b", "2"])
    ['X.1', 'X', 'a.b.1', 'if.', 'a.b', 'X2']
    """
    made = []
    for given in names:
        name = re.sub(r"[^\w.]", ".", given if _NAME.match(given) else f"X{given}")
        made.append(f"{name}." if _RESERVED.fullmatch(name) else name)
    order = sorted(range(len(made)), key=lambda place: made[place] != names[place])
    unique = dict(zip(order, make_unique(made[place] for place in order), strict=True))
    return [unique[place] for place in range(len(made))]
