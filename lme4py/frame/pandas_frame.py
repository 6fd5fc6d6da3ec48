"""The model frame, and matrices, as pandas tables with R's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.data.values import Character, Factor, Numeric, Value, split
from lme4py.frame.modelframe import ModelFrame

if TYPE_CHECKING:
    import pandas as pd


def pandas_frame(frame: ModelFrame, index: Any) -> pd.DataFrame:
    """Return the columns of a model frame; matrix variables are split by column.

    Parameters
    ----------
    frame : ModelFrame
    index : pandas.Index or None
        Labels of the rows of the data.
    """
    import pandas as pd

    columns = {
        name: found
        for item in frame.variables.items()
        for name, value in split(*item)
        if (found := _as_pandas(value)) is not None
    }
    # The frame's own arrays are read-only, users may want to write to these.
    return pd.DataFrame(columns, index=row_labels(frame, index), copy=True)


def labelled(matrix: Any, index: pd.Index, columns: Any) -> pd.DataFrame:
    """Return a matrix as a table of its own, of sparse columns if it is sparse."""
    import pandas as pd

    if isinstance(matrix, np.ndarray):
        return pd.DataFrame(matrix, index=index, columns=columns, copy=True)
    sparse: Any = pd.DataFrame.sparse
    table: pd.DataFrame = sparse.from_spmatrix(matrix, index=index, columns=columns)
    return table


def text_index(texts: Any) -> Any:
    r"""Return texts as an index: as objects if one has a lone surrogate, which pandas' text lacks.

    Examples
    --------
    >>> list(text_index(["a", "\ud800"])) == ["a", "\ud800"]
    True
    """
    import pandas as pd

    try:
        return pd.Index(texts)
    except UnicodeEncodeError:
        return pd.Index(texts, dtype=object)


def row_labels(frame: ModelFrame, index: Any, rows: slice = slice(None)) -> Any:
    """Return the labels of some rows; R's ``NA`` for those that ``subset`` asked for in vain.

    Without an index they are numbers of rows of the frame, which has been renumbered.
    """
    import pandas as pd

    if index is None:
        return pd.RangeIndex(frame.rows)[rows]
    if frame.positions is None:
        return index[rows]
    positions = frame.positions[rows]
    if not positions.size or positions.min() >= 0:
        return index[positions]
    labels = index.astype(object)[positions].to_numpy(copy=True)
    labels[positions < 0] = "NA"
    return type(index.astype(object))(labels, dtype=object, name=index.name)


def _as_pandas(value: Value) -> Any:
    import pandas as pd

    match value:
        case Factor():
            levels = ["NA" if level is None else level for level in value.levels]
            kind = pd.CategoricalDtype(text_index(levels), value.ordered)
            return pd.Categorical.from_codes(value.codes, dtype=kind)
        case Character():
            return text_index(value.texts())
        case Numeric():
            return value.values
        case _:
            return None
