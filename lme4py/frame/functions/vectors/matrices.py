"""Matrices made of vectors, and sums of their rows."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.frame.functions.coercion import LADDER, as_flag, flat, pack, recycle
from lme4py.frame.functions.table import Context, function
from lme4py.frame.functions.vectors.lengths import LONGEST, Array, bounded
from lme4py.frame.values import Character, Factor, Matrix, Null, Value


def _extent(value: Value | None, name: str) -> int | None:
    if value is None:
        return None
    array, _ = flat(value, f"non-numeric matrix extent '{name}'")
    if not array.size:
        raise DataError(f"invalid '{name}' value (too large or NA)")
    if np.isnan(array[0]) or array[0] >= LONGEST:
        raise DataError(f"invalid '{name}' value (too large or NA)")
    if array[0] < 0:
        raise DataError(f"invalid '{name}' value (< 0)")
    return int(array[0])


def _shape(size: int, rows: int | None, columns: int | None) -> tuple[int, int]:
    """Return the number of rows and columns; what is not given follows from the size."""
    if rows is not None and columns is not None:
        return rows, columns
    if rows is not None:
        return rows, -(-size // rows) if rows else 0
    if columns is not None:
        return -(-size // columns) if columns else 0, columns
    return size, 1


def _uneven(size: int, extent: int) -> bool:
    return extent > 0 and (size % extent != 0 if size > extent else extent % size != 0)


@function(
    "matrix",
    "data=NA, nrow?, ncol?, byrow=FALSE, dimnames=NULL",
    role="shape",
    purpose="A vector as a matrix, column after column.",
)
def _matrix(
    context: Context,
    data: Value | None = None,
    nrow: Value | None = None,
    ncol: Value | None = None,
    byrow: Value | None = None,
    dimnames: Value | None = None,
) -> Value:
    if dimnames is not None and not isinstance(dimnames, Null):
        raise DataError("matrix(dimnames = ) is not supported", hint="cbind() names its columns")
    if isinstance(data, Null):
        raise DataError("'data' must be of a vector type, was 'NULL'")
    if isinstance(data, Character | Factor):
        raise DataError("a matrix of text cannot be used in a model")
    array, kind = (
        (np.array([np.nan]), LADDER[0])
        if data is None
        else flat(data, "'data' must be of a vector type")
    )
    size = array.size
    rows, columns = _shape(size, _extent(nrow, "nrow"), _extent(ncol, "ncol"))
    cells = rows * columns
    bounded(float(cells))
    if size > 1 and cells % size:
        if _uneven(size, rows):
            _warn_uneven(context, size, "rows", rows)
        elif _uneven(size, columns):
            _warn_uneven(context, size, "columns", columns)
        else:
            context.warn(f"data length differs from size of matrix: [{size} != {rows} x {columns}]")
    elif size > 1 and cells == 0:
        context.warn("non-empty data for zero-extent matrix")
    filled = recycle(array, cells) if size else np.full(cells, np.nan)
    by_row = byrow is not None and as_flag(byrow, "byrow")
    values = filled.reshape((rows, columns), order="C" if by_row else "F")
    return Matrix(np.asfortranarray(values, dtype=np.float64), None, kind)


def _warn_uneven(context: Context, size: int, what: str, extent: int) -> None:
    context.warn(
        f"data length [{size}] is not a sub-multiple or multiple of the number of {what} [{extent}]"
    )


def _row_sums(x: Value, na_rm: Value | None) -> tuple[Array, Array]:
    """Return the sum of each row and how many numbers went into it."""
    if not isinstance(x, Matrix):
        raise DataError("'x' must be an array of at least two dimensions")
    values: Array = x.values
    counted = np.ones(values.shape, dtype=np.bool_)
    if na_rm is not None and as_flag(na_rm, "na.rm"):
        counted = ~np.isnan(values)
        values = np.where(counted, values, 0.0)
    sums = np.zeros(values.shape[0], dtype=np.longdouble)
    for column in values.T:
        sums += column
    return sums, counted.sum(axis=1)


@function(
    "rowSums", "x, na.rm=FALSE, dims=1L", role="elementwise", purpose="Sums of a matrix's rows."
)
def _row_sums_of(x: Value, na_rm: Value | None = None, dims: Value | None = None) -> Value:  # noqa: ARG001
    return pack(_row_sums(x, na_rm)[0].astype(np.float64), "double")


@function(
    "rowMeans", "x, na.rm=FALSE, dims=1L", role="elementwise", purpose="Means of a matrix's rows."
)
def _row_means_of(x: Value, na_rm: Value | None = None, dims: Value | None = None) -> Value:  # noqa: ARG001
    sums, counts = _row_sums(x, na_rm)
    with np.errstate(all="ignore"):
        means = sums / counts
    return pack(means.astype(np.float64), "double")
