"""Tables from files, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lme4py.errors import DataError

__all__ = ["EXPECTED", "is_table", "read_table"]

EXPECTED = "a .csv, .tsv, .parquet, .arrow, .feather or .rds file"


def is_table(text: str) -> bool:
    """Return whether a text looks like the name of a file that `read_table` reads."""
    return Path(text).suffix.lower() in _READERS


def read_table(path: Path) -> Any:
    """Return the table in a file.

    Raises
    ------
    DataError
        With the reason it cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"cannot read '{path}': expected {EXPECTED}")
    try:
        return reader(path)
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"cannot read '{path}' without pyarrow", hint="pip install -e '.[arrow]'"
        ) from error
    except (OSError, ValueError) as error:
        # pandas' parsing errors and pyarrow's are ValueErrors, a missing file is an OSError.
        reason = getattr(error, "strerror", None) or [*str(error).strip().splitlines(), "empty"][0]
        raise DataError(f"cannot read '{path}': {reason}") from error


def _pandas(reader: str, **options: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        import pandas as pd

        return getattr(pd, reader)(path, **options)

    return read


def _arrow(path: Path) -> Any:
    """Read Arrow's IPC format, whether written as a file (Feather) or as a stream."""
    from pyarrow import ArrowInvalid, ipc

    with path.open("rb") as source:
        try:
            return ipc.open_file(source).read_all()
        except ArrowInvalid:
            source.seek(0)
            return ipc.open_stream(source).read_all()


def _rds(path: Path) -> Any:
    """Read a data frame of R's, alone or as the element `data` of a list."""
    from lme4py.rfiles.read_rds import read_rds
    from lme4py.rfiles.rvalues import RFrame, RList

    content = read_rds(path)
    if isinstance(content, RList) and isinstance(content.get("data"), RFrame):
        content = content["data"]
    if not isinstance(content, RFrame):
        raise DataError(f"cannot read '{path}': it holds no data frame")
    return content.table()


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".csv": _pandas("read_csv"),
    ".tsv": _pandas("read_csv", sep="\t"),
    ".parquet": _pandas("read_parquet"),
    ".arrow": _arrow,
    ".feather": _arrow,
    ".rds": _rds,
}
