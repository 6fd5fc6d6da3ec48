"""The record of a design: named arrays and plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lme4py.errors import DataError

__all__ = ["FORMAT", "VERSION", "Record", "damaged"]

FORMAT = "lme4py design"
VERSION = 1


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """A design taken apart.

    Parameters
    ----------
    arrays : dict of str to ndarray
        float64, integers, bool; one or two dimensions.
    metadata : dict
        Everything else, as JSON can hold it.
    """

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def damaged(detail: str) -> DataError:
    """Return the error for a record that is none."""
    return DataError(f"this is not a stored design: {detail}")
