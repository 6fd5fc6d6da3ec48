"""Names of a design's rows as R would give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.unique_names import make_unique

__all__ = ["numbered", "row_names"]


def numbered(design: Any) -> NDArray[np.int64] | None:
    """Return the position of each row where the data's rows have no names of their own.

    None where they have. It is -1 for a row that ``subset`` asked for in vain.
    """
    import pandas as pd

    index = getattr(design, "index", design.frame.index)
    unnamed = index is None or (
        isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    )
    if not unnamed:
        return None
    positions = getattr(getattr(design, "model_frame", None), "positions", None)
    return np.arange(len(design.frame)) if positions is None else np.asarray(positions)


def row_names(design: Any, given: Sequence[str] | None = None) -> list[str]:
    """Return the names of a design's rows as R would give them.

    Parameters
    ----------
    design : MixedDesign
    given : sequence of str, optional
        R's names of the rows of the data, taken where they have none here. Otherwise such
        rows count from 1.

    Examples
    --------
    >>> import lme4py
    >>> rows = {"y": [1.0, None, 4, 3, 2], "g": ["a", "a", "b", "b", "b"]}
    >>> row_names(lme4py.lformula("y ~ 1 + (1 | g)", rows))
    ['1', '3', '4', '5']
    """
    places = numbered(design)
    # pandas repeats a row's label; R makes it unique: 13, 13.1, ...
    if places is None:
        return make_unique(map(str, design.frame.index))
    if given is not None and places.size and int(places.max()) < len(given):
        return make_unique(given[at] if at >= 0 else "NA" for at in places.tolist())
    return make_unique(str(at + 1) if at >= 0 else "NA" for at in places.tolist())
