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
from lme4py.data.values import Character, Factor, Matrix, Numeric, Value
from lme4py.errors import DataError, file_fault
from lme4py.frame.schema import Levels
from lme4py.replacing import new_folder

DOCUMENT = "rows.json"
"""The file that such a folder has."""


def keeping(folder: Path, blocks: Iterator[Any]) -> Iterator[Any]:
    """Yield blocks of values as they come, and keep them in a new folder, whole or not at all.

    Raises
    ------
    DataError
        If the folder has files, or cannot be written.
    """
    pools: dict[str, Levels] = {}
    kinds = []
    with new_folder(folder) as unfinished:
        for block in blocks:
            columns = {
                name: _taken_apart(name, value, pools) for name, value in block.frame.items()
            }
            arrays = {str(place): array for place, (array, _) in enumerate(columns.values())}
            write_archive(unfinished / f"block-{block.number}.npz", arrays)
            kinds.append({name: kind for name, (_, kind) in columns.items()})
            yield block
        document = json.dumps({"blocks": kinds, "pools": pools})
        (unfinished / DOCUMENT).write_text(document, encoding="utf-8")


def _taken_apart(name: str, value: Value, pools: dict[str, Levels]) -> tuple[Any, list[Any]]:
    """Return the array of a column, and what it stands for."""
    match value:
        case Numeric():
            return value.values, ["Numeric", value.kind, value.time]
        case Matrix():
            return value.values, ["Matrix", value.names, value.kind]
        case Character():
            # The pools of a column grow at their end.
            pools[name] = max(pools.get(name, ()), value.pool, key=len)
            return value.codes, ["Character", name]
        case Factor():
            place = next(
                (
                    key
                    for key in pools
                    if key.startswith(f"{name}: ") and pools[key] == value.levels
                ),
                None,
            )
            place = place or f"{name}: {len(pools)}"
            pools[place] = value.levels
            return value.codes, ["Factor", place, value.ordered]
        case _:
            raise DataError("a function or NULL has no rows")


def kept_names(folder: Path) -> tuple[str, ...]:
    """Return the columns of the rows that are kept in a folder."""
    return tuple(dict.fromkeys(name for block in _document(folder)["blocks"] for name in block))


def kept_rows(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Value]]:
    """Yield the rows that are kept in a folder, as they were.

    Raises
    ------
    DataError
        If a file is not what was written.
    """
    document = _document(folder)
    pools = {name: tuple(pool) for name, pool in document["pools"].items()}
    for number, kinds in enumerate(document["blocks"], start=1):
        arrays = read_archive(folder / f"block-{number}.npz", "a block of rows")
        yield {
            name: _put_together(array, kind, pools)
            for (name, kind), array in zip(kinds.items(), arrays.values(), strict=True)
            if name in names
        }


def _put_together(array: Any, kind: list[Any], pools: Mapping[str, tuple[Any, ...]]) -> Value:
    match kind:
        case ["Numeric", kind_of_numbers, time]:
            return Numeric(array, kind_of_numbers, time)
        case ["Matrix", names, kind_of_numbers]:
            return Matrix(array, None if names is None else tuple(names), kind_of_numbers)
        case ["Character", place]:
            return Character(array, pools[place])
        case [_, place, ordered]:
            return Factor(array, pools[place], ordered)
        case _:
            raise DataError(f"a column of an unknown kind: {kind}")


def _document(folder: Path) -> dict[str, Any]:
    path = folder / DOCUMENT
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise file_fault("read", path, fault) from None
    except ValueError as fault:
        raise DataError(f"'{path}' does not tell of rows: {fault}") from None
    match document:
        case {"blocks": [*blocks], "pools": {}} if all(isinstance(block, dict) for block in blocks):
            return dict(document)
    raise DataError(f"'{path}' does not tell of rows")
