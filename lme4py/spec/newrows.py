"""The matrices of new rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

__all__ = ["NewLevels", "NewRows"]


NewLevels: TypeAlias = Literal["error", "zero"]


@dataclass(frozen=True, eq=False)
class NewRows:
    """The matrices of new rows.

    Parameters
    ----------
    X : ndarray of float64, shape (m, p), Fortran order
        Fixed-effects model matrix.
    Zt : csc_array, shape (q, m)
        Transposed random-effects model matrix.
    offset : ndarray of float64, shape (m,), or None
        The sum of the model's offsets.
    positions : ndarray of int64, shape (m,)
        The row of the new data, from 0, that each row was: those with missing values
        may be left out.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> rows = design.spec.apply({"Days": [3, 4], "Subject": ["309", "308"]})
    >>> rows.X.tolist(), rows.Z.shape
    ([[1.0, 3.0], [1.0, 4.0]], (2, 18))
    """

    X: FloatArray
    Zt: csc_array
    offset: FloatArray | None
    positions: NDArray[np.int64]

    @cached_property
    def Z(self) -> csr_array:
        """Random-effects model matrix, shape (m, q): the transpose of `Zt`, sharing its arrays."""
        return self.Zt.T

    def __repr__(self) -> str:
        rows, columns = self.X.shape
        return f"NewRows({rows} rows: X {rows} x {columns}, Zt {self.Zt.shape[0]} x {rows})"
