"""The order of text: R sorts strings with ICU's rules wherever the locale is UTF-8."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from lme4py.errors import DataError

TABLE = "root_order.json.gz"
"""ICU's root order of the characters that have a place of their own; see `_root`."""
FIRST_CONTRACTION = 0xD800
"""The first of the code points that stand for contractions: surrogates, in no text of R's."""
FIRST_LETTER = 0x10000
"""What the lowest weight of a letter is written as: the ranks from here on meet no surrogate."""

# White space, punctuation, symbols and digits in ICU's root order, then the letters.
_ORDER = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"
_BETWEEN = "\udfff"
_MANY, _SHORT = 1000, 64


class _Level(dict[int, str]):
    """The weights of one level as `str.translate` takes them, with a rule for all others."""

    def __init__(self, listed: Mapping[int, str], others: Callable[[int], str]) -> None:
        super().__init__(listed)
        self[ord(_BETWEEN)] = _BETWEEN
        self._others = others

    def __missing__(self, code: int) -> str:
        return self._others(code)


@cache
def _ascii() -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Return the levels of ASCII, letters and case, as `bytes.translate` takes them.

    ICU ignores all other control characters.
    """
    ranks = {ord(item): rank for rank, item in enumerate(_ORDER, start=1)}
    ranks |= {ord(chr(code).upper()): rank for code, rank in ranks.items()}
    ignored = bytes(set(range(0x80)) - set(ranks))
    letters = bytes(ranks.get(code, code) for code in range(0x100))
    case = bytes(chr(code).isupper() if code < 0x80 else code for code in range(0x100))
    return (letters, ignored), (case, ignored)


@cache
def _root() -> tuple[dict[str, str], re.Pattern[str], tuple[_Level, _Level, _Level]]:
    """Return contractions, with what stands for each, and the levels: letters, accents, case.

    A contraction is a text that sorts as one character does: Thai vowels that are written
    before their consonant, or a letter with an accent that makes another letter of it.
    """
    import gzip
    import json
    from importlib.resources import files

    packed = files("lme4py.data").joinpath(TABLE).read_bytes()
    table = json.loads(gzip.decompress(packed).decode("utf-8", "surrogatepass"))
    contractions = {
        text: chr(code) for code, text in enumerate(table["contractions"], FIRST_CONTRACTION)
    }
    # The longest first: a pair may begin a triple.
    choices = "|".join(sorted(contractions, key=len, reverse=True))
    beginnings = "".join({text[0] for text in contractions})
    letters = {
        ord(item): chr(rank)
        for rank, group in enumerate(table["alike"], FIRST_LETTER)
        for item in group
    }
    _, accent, case = table["common"]
    levels = (
        # Characters without a place stand behind all others.
        _Level(letters | str.maketrans(table["primary"]), lambda code: "\U0010ffff" + chr(code)),
        _Level(str.maketrans(table["secondary"]), lambda _: accent),
        _Level(str.maketrans(table["tertiary"]), lambda _: case),
    )
    return contractions, re.compile(f"(?=[{beginnings}])(?:{choices})"), levels


def _keys(texts: Sequence[str]) -> Sequence[Any]:
    """Return what texts are sorted by: the weights of one level, or of several.

    They are translated as one, which is several times faster.
    """
    if "".join(texts).isascii():
        joined = "\xff".join(texts).encode("latin-1")
        # With no capitals at all what comes behind the letters is the same for all.
        plain = joined.lower() == joined
        keys = [joined.translate(*level).split(b"\xff") for level in _ascii()[: 1 if plain else 2]]
        return keys[0] if plain else list(zip(*keys, strict=True))
    contractions, pattern, levels = _root()
    decomposed = unicodedata.normalize("NFD", _BETWEEN.join(texts))
    written = pattern.sub(lambda found: contractions[found[0]], decomposed)
    return list(zip(*(written.translate(level).split(_BETWEEN) for level in levels), strict=True))


@cache
def _of_locale(name: str) -> Callable[[str], Any]:
    """Return the key of a locale, from PyICU."""
    unknown = DataError(
        f"unknown collation '{name}': choose 'icu', 'C' or a locale",
        hint="the order of a locale, as 'sv', needs PyICU: pip install -e '.[locales]'",
    )
    try:
        icu: Any = import_module("icu")
    except ImportError as error:
        raise unknown from error
    locale = icu.Locale(name)
    languages = {icu.Locale(known).getLanguage() for known in icu.Locale.getAvailableLocales()}
    if locale.getLanguage() not in languages:
        raise unknown
    key: Callable[[str], Any] = icu.Collator.createInstance(locale).getSortKey
    return key


@dataclass(frozen=True, slots=True)
class Collation:
    """An order of text.

    Parameters
    ----------
    name : str
        ``"icu"`` is R's order in a UTF-8 locale of most languages (also ``C.UTF-8``):
        punctuation, digits, letters; accents and then case break ties, lower case
        first. It is the root order of ICU 72. ``"C"`` is the order of code points, R's
        under ``LC_ALL=C``. The name of a locale (``"sv"``) is R's order there, with the
        ICU of PyICU, which must be installed.

    Raises
    ------
    DataError
        For another name, or that of a locale without PyICU.

    Examples
    --------
    >>> Collation().sort(["b", "B", "a_1", "a 1", "s10", "s2", "A", "é", "Ø"])
    ['A', 'a 1', 'a_1', 'b', 'B', 'é', 'Ø', 's10', 's2']
    >>> Collation("C").sort(["b", "B", "a"])
    ['B', 'a', 'b']
    """

    name: str = "icu"

    def __post_init__(self) -> None:
        if str(self.name) not in ("icu", "C"):
            _of_locale(str(self.name))

    def order(self, texts: Sequence[str]) -> list[int]:
        """Return the positions of the texts in order (R's ``order``); ties keep their order."""
        clean = texts
        try:
            "".join(texts).encode()
        except UnicodeEncodeError:
            # A lone surrogate is no character; R has none.
            clean = [text.encode("utf-8", "replace").decode() for text in texts]
        if self.name == "C":
            keys: Sequence[Any] = clean
        elif self.name == "icu":
            keys = _keys(clean)
        else:
            keys = list(map(_of_locale(self.name), clean))
        if len(keys) > _MANY and isinstance(keys[0], bytes) and max(map(len, keys)) <= _SHORT:
            # Nearly twice as fast, of a table; no weight is the zero that fills its rows.
            found: list[int] = np.argsort(np.array(keys), kind="stable").tolist()
            return found
        return sorted(range(len(texts)), key=keys.__getitem__)

    def sort(self, texts: Iterable[str]) -> list[str]:
        """Return the texts in order (R's ``sort``)."""
        known = list(texts)
        return [known[position] for position in self.order(known)]
