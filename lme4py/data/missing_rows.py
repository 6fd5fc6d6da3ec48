"""Which rows of the user's data a message speaks of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Character, Factor, Matrix, Numeric, Value

_SHOWN = 5


def rows_text(
    mask: NDArray[np.bool_],
    positions: NDArray[np.int64] | None = None,
    values: NDArray[Any] | None = None,
) -> str:
    """Return the first rows that a mask marks, and their number.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        True at the rows of the model frame in question.
    positions : ndarray of int64, shape (n,), optional
        The row of the data that each row of the frame was; None when they are the same.
    values : ndarray, shape (n,), optional
        Values to show with the rows.

    Returns
    -------
    str
        Rows are counted from 0, as Python counts them.

    Examples
    --------
    >>> rows_text(np.array([False, True, True]), values=np.array([1.0, np.inf, -np.inf]))
    'row 1 (inf), row 2 (-inf): 2 of 3 rows, counted from 0'
    """
    found = np.flatnonzero(mask)
    shown = []
    for at in found[:_SHOWN]:
        place = at if positions is None else positions[at]
        name = f"row {int(place)}" if place >= 0 else "an absent row"
        shown.append(name if values is None else f"{name} ({values[at]})")
    more = ", ..." if found.size > _SHOWN else ""
    total = f"{found.size:,} of {mask.size:,} rows, counted from 0"
    return f"{', '.join(shown)}{more}: {total}"


def missing(value: Value) -> NDArray[np.bool_] | None:
    """Return where a value is missing, shape (n,); None when nowhere."""
    match value:
        case Numeric() if value.values.dtype.kind != "f" or np.isfinite(value.squares):
            return None
        case Numeric(values=values) | Matrix(values=values):
            # The least of some numbers is NaN when one of them is.
            if values.dtype.kind != "f" or not values.size or not np.isnan(values.min()):
                return None
            return np.asarray(np.isnan(values).reshape(len(values), -1).any(axis=1))
        case Factor():
            return np.less(value.codes, 0) if value.incomplete else None
        case Character(codes=codes):
            return np.less(codes, 0) if codes.size and codes.min() < 0 else None
        case _:
            return None
