"""Write the root collation of ICU beside its reader: ``python -m tests.data.make_root_order``.

Needs PyICU. The file follows the ICU release that PyICU was built with; R 4.2.2 of Debian 12 has
ICU 72. What R makes of it is in ``fixtures/collation``.
"""

from __future__ import annotations

import gzip
import json
import sys
import unicodedata
from functools import cache
from importlib import import_module
from itertools import pairwise, product
from operator import itemgetter
from pathlib import Path
from typing import Any

from lme4py.data import collation

FULL_STRENGTH = 0x3F3F  # a tertiary weight without the bits of the letter's case
CONTINUED = 0xC0
BLOCK = 128


@cache
def elements() -> Any:
    """Return ICU's reader of collation elements."""
    icu: Any = import_module("icu")
    return icu.Collator.createInstance(icu.Locale("root")).createCollationElementIterator("")


@cache
def weights(text: str) -> tuple[tuple[int, int, int], ...]:
    """Return the weights of a text: three numbers for each of its collation elements."""
    elements().setText(text)
    found: list[tuple[int, int, int]] = []
    for signed in elements():
        order = signed & 0xFFFFFFFF
        high, middle, low = order >> 16, order >> 8 & 0xFF, order & 0xFF
        if low & CONTINUED == CONTINUED and found:
            first = found.pop()
            found.append((first[0] | high, first[1] | middle, (first[2] | low) & FULL_STRENGTH))
        else:
            found.append((high << 16, middle << 8, low << 8))
    return tuple(
        (first, second, third & FULL_STRENGTH)
        for first, second, third in found
        if first or second or third
    )


def contracted(text: str) -> bool:
    return weights(text) != sum((weights(part) for part in text), ())


def is_listed(character: str) -> bool:
    kind = unicodedata.category(character)
    alone = unicodedata.normalize("NFD", character) == character
    return alone and kind not in ("Cn", "Co", "Cs")


def contractions(characters: list[str]) -> list[str]:
    """Return the texts that are more than their characters, each in its decomposed form."""
    blocks: dict[int, list[str]] = {}
    for character in characters:
        if "CJK UNIFIED" in unicodedata.name(character, ""):
            continue
        blocks.setdefault(ord(character) // BLOCK, []).append(character)
    seen = {
        unicodedata.normalize("NFD", unicodedata.normalize(form, chr(code)))
        for code in range(sys.maxunicode)
        for form in ("NFD", "NFKD")
        if not 0xAC00 <= code < 0xD7A4
    }
    pairs = {a + b for text in seen for a, b in pairwise(text)}
    for block in blocks.values():
        pairs |= {a + b for a, b in product(block, block)}
    found = {pair for pair in pairs if contracted(pair)}
    for pair in sorted(found):
        for third in blocks.get(ord(pair[1]) // BLOCK, []):
            text = pair + third
            if weights(text) not in (
                weights(pair) + weights(third),
                weights(pair[0]) + weights(text[1:]),
            ):
                found.add(text)
    return sorted(found)


def level_of(elements: dict[str, tuple[tuple[int, ...], ...]], level: int) -> dict[str, str]:
    """Return the weights of one level as texts: a weight is the character of its rank."""
    used = {element[level] for many in elements.values() for element in many} - {0}
    first = collation.FIRST_LETTER if level == 0 else 1
    ranks = {weight: chr(rank) for rank, weight in enumerate(sorted(used), first)}
    return {
        name: "".join(ranks[element[level]] for element in many if element[level])
        for name, many in elements.items()
    }


def unlike(level: dict[str, str]) -> dict[str, str]:
    """Return the weights that are not those of most characters."""
    return {name: text for name, text in level.items() if text != level["a"]}


def main() -> None:
    characters = [chr(code) for code in range(sys.maxunicode) if is_listed(chr(code))]
    joined = contractions(characters)
    names = {text: chr(collation.FIRST_CONTRACTION + i) for i, text in enumerate(joined)}
    found = {names.get(text, text): weights(text) for text in (*characters, *joined)}
    levels = [level_of(found, level) for level in range(3)]
    groups: dict[str, str] = {}
    for name, text in sorted(levels[0].items(), key=itemgetter(1)):
        if len(text) == 1:
            groups[text] = groups.get(text, "") + name
    content = {
        "ICU": import_module("icu").ICU_VERSION,
        "contractions": joined,
        # One text for each primary weight, in order: the characters that have this weight alone.
        "alike": [
            groups.get(chr(rank), "")
            for rank in range(collation.FIRST_LETTER, ord(max(groups)) + 1)
        ],
        "primary": {name: text for name, text in levels[0].items() if len(text) != 1},
        "secondary": unlike(levels[1]),
        "tertiary": unlike(levels[2]),
        "common": [level["a"] for level in levels],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    packed = gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)
    Path(collation.__file__).with_name(collation.TABLE).write_bytes(packed)


if __name__ == "__main__":
    main()
