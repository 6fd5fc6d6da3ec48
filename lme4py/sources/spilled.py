"""Rows kept in a folder as numbers and codes, so that later sweeps never see their text.

A block is an archive with an array for each column; what the arrays stand for, and the texts of
the codes, is one document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lme4py.archive import read_archive, write_archive
from lme4py.data.values import Character, Factor, Levels, Matrix, Numeric, Value
from lme4py.errors import DataError, file_fault
from lme4py.replacing import new_folder
from lme4py.sources.row_files import Frames

DOCUMENT = "rows.json"
"""The file that such a folder has."""


def keeping(folder: Path, blocks: Iterator[Any]) -> Iterator[Any]:
    """Yield blocks as they come, and keep them in a new folder, whole or not at all."""
    kinds: list[dict[str, Any]] = []
    pools: dict[str, Levels] = {}
    levels: dict[Levels, int] = {}
    with new_folder(folder) as unfinished:
        for number, block in enumerate(blocks, start=1):
            arrays: dict[str, Any] = {}
            kinds.append({})
            for name, value in block.columns.items():
                kind: tuple[Any, ...]
                match value:
                    case Numeric():
                        array, kind = value.values, ("Numeric", value.kind, value.time)
                    case Matrix():
                        array, kind = value.values, ("Matrix", value.kind, value.names)
                    case Factor():
                        place = levels.setdefault(value.levels, len(levels))
                        array, kind = value.codes, ("Factor", place, value.ordered)
                    case Character():
                        # They grow at their end.
                        pools[name] = value.pool
                        array, kind = value.codes, ("Character", name, None)
                arrays[str(len(arrays))], kinds[-1][name] = array, kind
            write_archive(unfinished / f"block-{number}.npz", arrays)
            yield block
        document = json.dumps({"blocks": kinds, "pools": pools, "levels": list(levels)})
        (unfinished / DOCUMENT).write_text(document, encoding="utf-8")


def kept_rows(folder: Path) -> tuple[tuple[str, ...], Frames]:
    """Return the columns of the rows that are kept in a folder, and what reads the rows."""
    path = folder / DOCUMENT
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        kinds: list[dict[str, Any]] = document["blocks"]
        columns = tuple(dict.fromkeys(name for kind in kinds for name in {**kind}))
        # Each a tuple, by which blocks are seen to have the same.
        texts: dict[Any, Levels] = {name: tuple(pool) for name, pool in document["pools"].items()}
        texts |= {place: tuple(levels) for place, levels in enumerate(document["levels"])}
    except OSError as fault:
        raise file_fault("read", path, fault) from None
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise DataError(f"'{path}' does not tell of rows: {fault}") from None

    def frames(names: Sequence[str], _: int) -> Iterator[dict[str, Value]]:
        for number, kind in enumerate(kinds, start=1):
            arrays = read_archive(folder / f"block-{number}.npz", "a block of rows").values()
            told = zip(kind.items(), arrays, strict=True)
            yield {name: _value(array, texts, *of) for (name, of), array in told if name in names}

    return columns, frames


def _value(array: Any, texts: Mapping[Any, Any], kind: str, of: Any, more: Any) -> Value:
    match kind:
        case "Numeric":
            return Numeric(array, of, more)
        case "Matrix":
            return Matrix(array, None if more is None else tuple(more), of)
        case "Factor":
            return Factor(array, texts[of], more)
        case _:
            return Character(array, texts[of])
