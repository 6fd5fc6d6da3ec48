"""The order of text: R sorts strings with ICU's rules wherever the locale is UTF-8."""

from __future__ import annotations

import importlib.util
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lme4py.errors import DataError, Lme4pyAdvice

__all__ = ["Collation"]

_NAMES = ("icu", "C")
# White space, punctuation, symbols and digits in ICU's root order, then the letters.
_ORDER = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"


def _primary_table() -> dict[int, str | None]:
    """Map each ASCII character to its rank; ICU ignores the other control characters."""
    table: dict[int, str | None] = dict.fromkeys(range(128))
    for rank, character in enumerate(_ORDER, start=1):
        table[ord(character)] = chr(rank)
        table[ord(character.upper())] = chr(rank)
    return table


_PRIMARY = _primary_table()
_CASE: dict[int, str | None] = {
    code: None if rank is None else ("1" if chr(code).isupper() else "0")
    for code, rank in _PRIMARY.items()
}


_BETWEEN = "\x7f"
_PRIMARY_KEPT = {**_PRIMARY, ord(_BETWEEN): _BETWEEN}
_CASE_KEPT = {**_CASE, ord(_BETWEEN): _BETWEEN}


def _ascii_key(text: str) -> str:
    """Return a string whose code-point order is ICU's order of ASCII text."""
    key = text.translate(_PRIMARY)
    if text.lower() == text:
        return key + "\0"
    return f"{key}\0{text.translate(_CASE)}"


def _ascii_keys(texts: Sequence[str]) -> list[str]:
    """Return the keys of many texts: translated as one, which is several times faster."""
    joined = _BETWEEN.join(texts)
    if joined.count(_BETWEEN) != len(texts) - 1:
        return [_ascii_key(text) for text in texts]
    keys = joined.translate(_PRIMARY_KEPT).split(_BETWEEN)
    lower = joined.lower()
    if lower == joined:
        # With no capitals at all what comes behind the primary key is the same for all.
        return keys
    cases = joined.translate(_CASE_KEPT).split(_BETWEEN)
    return [
        f"{key}\0" if small == text else f"{key}\0{case}"
        for key, case, small, text in zip(keys, cases, lower.split(_BETWEEN), texts, strict=True)
    ]


def _decomposed_key(text: str) -> tuple[str, str, str]:
    """Return base letters, then accents, then case: Latin text, near enough to ICU."""
    parts = unicodedata.normalize("NFKD", text)
    base = "".join(part for part in parts if not unicodedata.combining(part))
    folded = base.casefold()
    # Beyond ASCII every character keeps its code point, behind all ranks of _PRIMARY.
    primary = folded.translate(_PRIMARY)
    accents = [part if unicodedata.combining(part) else " " for part in parts]
    case = "".join("1" if part.isupper() else "0" for part in base)
    return primary, "".join(accents).rstrip(), case


@cache
def _general_key() -> Callable[[str], Any]:
    """Return the key for text beyond ASCII: PyICU, else pyuca, else decomposition."""
    if importlib.util.find_spec("icu") is not None:
        icu: Any = importlib.import_module("icu")
        from_icu: Callable[[str], Any] = icu.Collator.createInstance(icu.Locale("")).getSortKey
        return from_icu
    if importlib.util.find_spec("pyuca") is not None:
        pyuca: Any = importlib.import_module("pyuca")
        from_pyuca: Callable[[str], Any] = pyuca.Collator().sort_key
        return from_pyuca
    # Kept by the cache, so this is said once.
    warnings.warn(
        "text beyond ASCII is put in order by an approximation of R's rules, exact for accented "
        "Latin letters: pip install -e '.[collation]'",
        Lme4pyAdvice,
        stacklevel=2,
    )
    return _decomposed_key


@dataclass(frozen=True, slots=True)
class Collation:
    """An order of text.

    Parameters
    ----------
    name : {"icu", "C"}
        ``"icu"`` is R's order in any UTF-8 locale (also ``C.UTF-8``): punctuation,
        digits, letters; accents and then case break ties, lower case first. It is
        exact for ASCII; beyond ASCII it is PyICU's order if that is installed, else
        pyuca's, else one made from Unicode decompositions, which is right for
        accented Latin letters. ``"C"`` is the order of code points, R's under
        ``LC_ALL=C``.

    Raises
    ------
    DataError
        For another name.

    Examples
    --------
    >>> Collation().sort(["b", "B", "a_1", "a 1", "s10", "s2", "A"])
    ['A', 'a 1', 'a_1', 'b', 'B', 's10', 's2']
    >>> Collation("C").sort(["b", "B", "a"])
    ['B', 'a', 'b']
    """

    name: str = "icu"

    def __post_init__(self) -> None:
        if str(self.name) not in _NAMES:
            raise DataError(f"unknown collation '{self.name}': choose 'icu' or 'C'")

    def key(self, text: str) -> Any:
        """Return a sort key of one text, comparable with the keys of any other text."""
        return text if self.name == "C" else _general_key()(text)

    def order(self, texts: Sequence[str]) -> list[int]:
        """Return the positions of the texts in order (R's ``order``); ties keep their order."""
        keys = self._keys(texts)
        return sorted(range(len(keys)), key=keys.__getitem__)

    def sort(self, texts: Iterable[str]) -> list[str]:
        """Return the texts in order (R's ``sort``)."""
        known = list(texts)
        return [known[position] for position in self.order(known)]

    def _keys(self, texts: Sequence[str]) -> list[Any]:
        if self.name == "C":
            return list(texts)
        if all(map(str.isascii, texts)):
            return _ascii_keys(texts)
        return [self.key(text) for text in texts]
