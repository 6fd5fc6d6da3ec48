"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from lme4py.argument_types import path_of
from lme4py.errors import DataError, file_fault

_LONGEST_STEM = 200


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside the target to write to, a file or a folder; put it in place at the end.

    Where the block fails, the target stays as it was and nothing is left beside it. The files of
    a folder replace those of the same name, once all are written. What a link leads to is
    replaced, not the link; a device or a pipe is written to as it is. What cannot be written is a
    `DataError`, with the system's reason.
    """
    given = Path(path_of(path))
    target = Path(os.path.realpath(given))
    unfinished = target.with_name(f".{target.stem[:_LONGEST_STEM]}-{token_hex(4)}{target.suffix}")
    if given.exists() and not (given.is_file() or given.is_dir()):
        unfinished = target = given
    try:
        yield unfinished
        if unfinished.is_dir() and target.is_dir():
            for written in unfinished.iterdir():
                written.replace(target / written.name)
        elif unfinished != target:
            unfinished.replace(target)
    except (OSError, UnicodeEncodeError) as fault:
        raise file_fault("write", path, fault) from None
    finally:
        if unfinished != target:
            shutil.rmtree(unfinished, ignore_errors=True)
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a folder to write to, which stands at the path once everything is in it.

    Raises
    ------
    DataError
        If there is something at the path already, or a file cannot be written.
    """
    target = Path(path_of(path))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"'{target}' is there already", hint="name a new folder")
    with replacing(target) as unfinished:
        unfinished.mkdir(parents=True)
        yield unfinished
