"""Tables from files, for the command line."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from lme4py.data.read_csv import read_csv
from lme4py.errors import DataError, file_fault

EXPECTED = (
    "a .csv, .tsv, .parquet, .arrow, .feather or .rds file "
    "(may be packed: .csv.gz, .bz2; text also .xz, .zip)"
)
_NAME = re.compile(
    r".*\.(?P<kind>csv|tsv|parquet|arrow|feather|rds)(?P<packed>\.(gz|bz2|xz|zip))?",
    re.IGNORECASE | re.DOTALL,
)


def is_table(text: str) -> bool:
    """Return whether a text looks like the name of a file that `read_table` reads."""
    return _NAME.fullmatch(text) is not None


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
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise DataError(f"cannot read '{path}': expected {EXPECTED}")
    kind = name["kind"].lower()
    if kind in ("csv", "tsv"):
        return read_csv(path, **({"sep": "\t"} if kind == "tsv" else {}) | marks)
    if marks:
        raise DataError(f"--{next(iter(marks))} is for text: '{path}' is none")
    try:
        return _frame_of_r(path) if kind == "rds" else _arrow(path, kind, name["packed"])
    except ImportError as error:
        raise DataError(
            f"cannot read '{path}' without pyarrow", hint="pip install -e '.[arrow]'"
        ) from error
    except (OSError, ValueError) as error:
        # pyarrow's parsing errors are ValueErrors, a missing file is an OSError.
        raise file_fault("read", path, error) from error


def _arrow(path: Path, kind: str, packed: str | None) -> Any:
    """Read Parquet, or Arrow's IPC format, whether written as a file (Feather) or as a stream."""
    import pandas as pd
    from pyarrow import ArrowInvalid, input_stream, ipc

    with io.BytesIO(input_stream(path).read()) if packed else path.open("rb") as source:
        if kind == "parquet":
            return pd.read_parquet(source)
        try:
            return ipc.open_file(source).read_all()
        except ArrowInvalid:
            source.seek(0)
            return ipc.open_stream(source).read_all()


def _frame_of_r(path: Path) -> Any:
    """Read a data frame of R's, alone or as the element `data` of a list."""
    from lme4py.rfiles.read_rds import read_rds
    from lme4py.rfiles.rvalues import RFrame, RList

    content = read_rds(path)
    if isinstance(content, RList) and isinstance(content.get("data"), RFrame):
        content = content["data"]
    if not isinstance(content, RFrame):
        raise DataError(f"cannot read '{path}': it holds no data frame")
    return content.table()
