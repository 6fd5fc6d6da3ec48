"""The matrices of one model together: what every view and export starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.control import Control
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.schema import Origin
from lme4py.frame.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.matrices.plan import Plan
from lme4py.matrices.reterms import RandomEffects

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csc_array, csr_array

__all__ = ["FixedEffects", "MixedMatrices"]


@dataclass(frozen=True, eq=False, slots=True)
class FixedEffects:
    """The fixed part beside its matrix.

    Parameters
    ----------
    names : list of str
        Column names of X.
    assign : ndarray of int64
        The term of each column, 0 for the intercept.
    contrasts : dict
        Contrast of every factor: a name, or the matrix that was given.
    dropped : dict of str to int
        Columns left out because they depend on others: name and 0-based position.
    terms : list of str
        R's term labels.
    scales : dict of str to float
        Divisors of columns that ``check_scaleX`` or ``autoscale`` rescaled.
    plan : Plan
        How the columns are made of the variables', before any was dropped or rescaled.
    centers : dict of str to float
        What ``autoscale`` subtracted from columns.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> design.fixed.names, design.fixed.assign.tolist(), design.fixed.terms
    (['(Intercept)', 'Days'], [0, 1], ['Days'])
    """

    names: list[str]
    assign: NDArray[np.int64]
    contrasts: dict[str, str | Matrix]
    dropped: dict[str, int]
    terms: list[str]
    scales: dict[str, float]
    plan: Plan
    centers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class MixedMatrices:
    """What lme4's ``lFormula`` or ``glFormula`` returns, on Python's arrays.

    Parameters
    ----------
    formula : Formula
        The formula, ``||`` expanded for linear models as lme4 keeps it.
    X : ndarray of float64, shape (n, p), Fortran order
        Fixed-effects model matrix.
    fixed : FixedEffects
        Names and attributes of X.
    y : ndarray of float64, shape (n,) or (n, k), or None
        The response; the two columns of ``cbind`` stay two.
    weights, offset : ndarray of float64, shape (n,), or None
        As given; offsets are the sum of terms and argument.
    random : RandomEffects
        lme4's ``reTrms``.
    reml : bool or None
        Whether REML was asked for; None for generalized models.
    family : Family or None
        None for linear models.
    messages : list of str
        lme4's messages and warnings, in order.
    model_frame : ModelFrame
        The evaluated variables.
    index : object
        The pandas index of the data, None where rows have no labels.
    advice : list of str
        Those of `messages` that are ours: lme4 is silent there.
    control : Control
        What the checks did.
    origin : Origin or None
        What new rows need to know of the data and the arguments.
    """

    formula: Formula
    X: FloatArray
    fixed: FixedEffects
    y: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    random: RandomEffects
    reml: bool | None
    family: Family | None
    messages: list[str]
    model_frame: ModelFrame
    index: Any
    advice: list[str] = field(default_factory=list)
    control: Control = field(default_factory=Control)
    origin: Origin | None = None

    @property
    def Zt(self) -> csc_array:
        """Transposed random-effects model matrix, shape (q, n)."""
        return self.random.Zt

    @cached_property
    def Z(self) -> csr_array:
        """Random-effects model matrix, shape (n, q): the transpose of `Zt`, sharing its arrays."""
        return self.random.Zt.T

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The model frame with R's variable labels; matrix variables are split by column."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name, value in self.model_frame.variables.items():
            columns |= _as_pandas(name, value)
        index = None
        if self.index is not None:
            index = _taken(self.index, self.model_frame.positions)
        # The frame's own arrays are read-only, users may want to write to these.
        return pd.DataFrame(columns, index=index, copy=True)


def _taken(index: Any, positions: NDArray[np.int64] | None) -> Any:
    """Return the labels of the rows; R's ``NA`` for those that ``subset`` asked for in vain."""
    if positions is None:
        return index
    if not positions.size or positions.min() >= 0:
        return index[positions]
    labels = index.astype(object)[positions].to_numpy(copy=True)
    labels[positions < 0] = "NA"
    return type(index.astype(object))(labels, dtype=object, name=index.name)


def _as_pandas(name: str, value: Value) -> dict[str, Any]:
    import pandas as pd

    match value:
        case Factor():
            levels = ["NA" if level is None else level for level in value.levels]
            kind = pd.CategoricalDtype(levels, value.ordered)
            return {name: pd.Categorical.from_codes(value.codes, dtype=kind)}
        case Character():
            return {name: np.array([*value.pool, None], dtype=object)[value.codes]}
        case Matrix():
            names = value.names or tuple(str(i + 1) for i in range(value.values.shape[1]))
            return {f"{name}.{label}": value.values[:, i] for i, label in enumerate(names)}
        case Numeric():
            return {name: value.values}
        case _:
            return {}
