"""The design of a model without random effects: X with everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.pandas_frame import labelled, pandas_frame, text_index
from lme4py.matrices.fixed import FixedEffects
from lme4py.spec.spec import Spec

if TYPE_CHECKING:
    import pandas as pd
    from formulaic import ModelMatrix
    from patsy import DesignMatrix
    from typing_extensions import TypeVar

    from lme4py.export import to_formulaic

    # The default is for type checkers alone: views take designs with either kind of X.
    XType = TypeVar("XType", default=Any)
else:
    from typing import TypeVar

    XType = TypeVar("XType")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FixedDesign(Generic[XType]):
    """What R's ``model.matrix`` returns, and what belongs to it.

    Parameters
    ----------
    formula : Formula
    X : ndarray of float64, shape (n, p), Fortran order
        Fixed-effects model matrix.
    fixed : FixedEffects
        Names and attributes of X.
    y : ndarray of float64, shape (n,) or (n, k), or None
        The response.
    weights, offset : ndarray of float64, shape (n,), or None
        As given; offsets are the sum of terms and argument.
    messages : list of str
        lme4's messages and warnings, in order.
    model_frame : ModelFrame
        The evaluated variables.
    index : object
        The pandas index of the data, None where rows have no labels.
    advice : list of str
        Those of `messages` that are ours: lme4 is silent there.
    learned : Spec or None
        What new rows need of the model; None where it was not made from a data frame.
    lost_levels : mapping of str to int
        How many values of the variables that grouping expressions name went with the rows
        that have missing values.

    Examples
    --------
    >>> import lme4py
    >>> lme4py.model_matrix("~ x * f", {"x": [1, 2, 3], "f": ["a", "b", "b"]})
    <FixedDesign: ~x * f
     X 3 x 4: (Intercept), x, fb, x:fb>
    """

    formula: Formula
    X: XType
    fixed: FixedEffects
    y: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    messages: list[str]
    model_frame: ModelFrame
    index: Any
    advice: list[str] = field(default_factory=list)
    learned: Spec | None = None
    lost_levels: Mapping[str, int] = field(default_factory=dict)

    def fixed_part(self) -> FixedDesign[XType]:
        """Return the design without its random effects.

        Returns
        -------
        FixedDesign

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.fixed_part()
        <FixedDesign: Reaction ~ Days + (1 | Subject)
         X 180 x 2: (Intercept), Days>
        """
        return FixedDesign(**{item.name: getattr(self, item.name) for item in fields(FixedDesign)})

    def __repr__(self) -> str:
        from lme4py.summary import brief

        return brief(self)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The model frame with R's variable labels; matrix variables are split by column."""
        return pandas_frame(self.model_frame, self.index)

    @property
    def X_frame(self) -> pd.DataFrame:
        """X as a table of your own: labels of rows as in `frame`, R's column names."""
        return labelled(self.X, self.frame.index, text_index(self.fixed.names))

    @property
    def spec(self) -> Spec:
        """What new rows need: `Spec.apply` computes their X and Z with everything frozen.

        Raises
        ------
        DataError
            If the design was not made from a data frame.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.spec.apply({"Days": [3], "Subject": ["309"]}).X
        array([[1., 3.]])
        """
        if self.learned is None:
            raise DataError("this design was not made from a data frame, so it has no spec")
        return self.learned

    def to_patsy(self) -> DesignMatrix:
        """Return X as a patsy ``DesignMatrix`` with its ``DesignInfo``.

        Returns
        -------
        patsy.DesignMatrix
            float64, shape (n, p). Its ``design_info`` has R's column names and terms
            (the intercept's is ``Intercept``, as patsy calls it), so that slices by term
            and linear constraints work. It refuses new data: patsy codes factors by
            another rule than R.

        Raises
        ------
        DataError
            If two columns have the same name, which patsy cannot tell apart.
        ImportError
            Without patsy: ``pip install -e '.[patsy]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ poly(Days, 2) + (1 | Subject)", lme4py.data.sleepstudy())
        >>> info = design.to_patsy().design_info
        >>> info.column_names
        ['(Intercept)', 'poly(Days, 2)1', 'poly(Days, 2)2']
        >>> info.slice("poly(Days, 2)")
        slice(1, 3, None)
        """
        from lme4py.export import to_patsy

        return to_patsy.to_patsy(self)

    def to_formulaic(self, output: to_formulaic.Output = "pandas") -> ModelMatrix:
        """Return X as a formulaic ``ModelMatrix`` with its ``ModelSpec``.

        Parameters
        ----------
        output : {"pandas", "numpy", "sparse"}
            As formulaic's argument: a DataFrame (with the index of `frame`), an array, or a
            csc_array.

        Returns
        -------
        formulaic.ModelMatrix
            float64, shape (n, p). Its ``model_spec`` has R's column names and terms (the
            intercept's is ``1``, as formulaic calls it): ``column_names``,
            ``term_indices`` and ``term_slices``, linear constraints, subsets. Its
            ``get_model_matrix`` computes the columns of new data as `Spec.apply` does, by R's
            rules and with what was learned from the model's data; formulaic's own ways to
            them (a materializer, a derivative, another formula) are refused.

        Raises
        ------
        DataError
            For an unknown `output`.
        ImportError
            Without formulaic: ``pip install -e '.[formulaic]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ poly(Days, 2) + (1 | Subject)", lme4py.data.sleepstudy())
        >>> spec = design.to_formulaic().model_spec
        >>> spec.term_slices["poly(Days, 2)"]
        slice(1, 3, None)
        >>> spec.get_model_matrix({"Days": [0, 9]}, output="numpy").round(3).tolist()
        [[1.0, -0.117, 0.123], [1.0, 0.117, 0.123]]
        """
        from lme4py.export import to_formulaic

        return to_formulaic.to_formulaic(self, output)
