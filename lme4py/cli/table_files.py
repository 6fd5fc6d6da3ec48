"""Tables from files, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lme4py.data.read_csv import read_csv
from lme4py.errors import DataError, file_fault

__all__ = ["EXPECTED", "is_table", "read_table"]

EXPECTED = (
    "a .csv, .tsv, .parquet, .arrow, .feather or .rds file "
    "(text may be packed: .csv.gz, .bz2, .xz, .zip)"
)
_PACKED = (".gz", ".bz2", ".xz", ".zip")


def is_table(text: str) -> bool:
    """Return whether a text looks like the name of a file that `read_table` reads."""
    return _kind(Path(text)) in _READERS


def _kind(path: Path) -> str:
    """Return the ending that tells what a file holds: ``.csv`` of ``a.csv.gz``."""
    inner = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    return inner.suffix.lower()


def read_table(path: Path, **marks: Any) -> Any:
    """Return the table in a file.

    Parameters
    ----------
    path : Path
    **marks
        Arguments of `lme4py.read_csv`, for text.

    Raises
    ------
    DataError
        With the reason it cannot be read.
    """
    kind = _kind(path)
    if kind not in _READERS:
        raise DataError(f"cannot read '{path}': expected {EXPECTED}")
    if kind in (".csv", ".tsv"):
        return read_csv(path, **({"sep": "\t"} if kind == ".tsv" else {}) | marks)
    if marks:
        raise DataError(f"--{next(iter(marks))} is for text: '{path}' is none")
    try:
        return _READERS[kind](path)
    except ImportError as error:
        raise DataError(
            f"cannot read '{path}' without pyarrow", hint="pip install -e '.[arrow]'"
        ) from error
    except (OSError, ValueError) as error:
        # pyarrow's parsing errors are ValueErrors, a missing file is an OSError.
        raise file_fault("read", path, error) from error


def _parquet(path: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(path)


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
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".rds": _rds,
}
