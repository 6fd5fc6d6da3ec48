"""The spec: what was learned of a model, so that X and Zt of any rows can be computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import few
from lme4py.argument_types import choice_of, flag_of, mapping_of
from lme4py.data.coding import DefaultContrasts
from lme4py.data.values import FloatArray, Levels, LevelTable, Value
from lme4py.formula.formula import Formula
from lme4py.formula.terms import Terms, terms
from lme4py.frame.combinations import Combinations
from lme4py.frame.modelframe import na_action_of
from lme4py.frame.state import NOTHING, State, kept_items
from lme4py.matrices.fixed import LearnedColumns
from lme4py.matrices.grouping import LearnedGroup, joined_names
from lme4py.messages import Messages
from lme4py.versions import following

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

    from lme4py.crossproducts import Crossproducts
    from lme4py.matrices.reterms import RandomEffects

NewLevels: TypeAlias = Literal["error", "zero"]
RandomParts: TypeAlias = bool | str | Formula | Iterable[str]


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
    y, weights : ndarray of float64, shape (m,), or None
        The response, shape (m, k) if it is a matrix, and the weights: where the rows were
        asked for with their response, and the model has them.

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
    y: FloatArray | None = None
    weights: FloatArray | None = None

    @cached_property
    def Z(self) -> csr_array:
        """Random-effects model matrix, shape (m, q): the transpose of `Zt`, sharing its arrays."""
        return self.Zt.T

    def __repr__(self) -> str:
        rows, columns = self.X.shape
        return f"NewRows({rows} rows: X {rows} x {columns}, Zt {self.Zt.shape[0]} x {rows})"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Spec:
    """What was learned of a model, without data; ``design.spec`` is one.

    Parameters
    ----------
    formula : Formula
        The formula, ``||`` expanded.
    names : tuple of str
        Columns of the model's data, which ``.`` stands for.
    columns : mapping of str to Value
        Those that new rows need: their types and levels, without rows.
    frame_names : tuple of str
        Labels of the model frame's variables.
    variables : mapping of str to Value
        Those of its variables that new rows need, likewise.
    states : mapping of str to State
        What evaluating those variables, and the ``offset`` argument, learned: means, knots.
    grouping : mapping of str to tuple of str
        Levels of the variables that grouping expressions name.
    groups : tuple of LearnedGroup
        One for each bar, in the order of the formula.
    fixed : LearnedColumns
        Of X: contrasts, which columns were kept, how they are centred and scaled.
    collation, na_action : str
        As the model was made.
    default_contrasts : tuple of str
        Codings of unordered and of ordered factors that have none of their own.
    offset, weights, subset : str or bool
        The expressions of these arguments; True for one that was given as values.
    response : Value or None
        The response, likewise.
    generalized : bool
        Whether y of a factor is 0 for its first level and 1 for the others.
    env : mapping of str to object
        Functions and variables the formula uses besides; not saved.

    Examples
    --------
    >>> import lme4py
    >>> lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy()).spec
    Spec('Reaction ~ Days + (1 | Subject)': 2 columns of X, 18 levels of Z)
    """

    formula: Formula
    names: tuple[str, ...]
    columns: Mapping[str, Value]
    frame_names: tuple[str, ...]
    variables: Mapping[str, Value]
    states: Mapping[str, State]
    grouping: Mapping[str, Levels]
    groups: tuple[LearnedGroup, ...]
    fixed: LearnedColumns
    collation: str
    default_contrasts: DefaultContrasts
    na_action: str
    offset: str | bool
    weights: str | bool
    subset: str | bool
    response: Value | None
    generalized: bool
    env: Mapping[str, Any] = field(default_factory=dict, metadata={"saved": False})

    @cached_property
    def terms(self) -> Terms:
        """The terms of the formula, random ones among the fixed."""
        return terms(self.formula.subbars().node, self.names)

    @cached_property
    def fixed_terms(self) -> Terms:
        """The terms of the fixed part."""
        return terms(self.formula.nobars().node, self.frame_names)

    @cached_property
    def combinations(self) -> tuple[Combinations | None, ...]:
        """Of each bar whose group is ``a:b``, the combinations that its levels are."""
        found = []
        for bar, group in zip(self.formula.bars, self.groups, strict=True):
            parts = [self.grouping.get(name) for name in joined_names(bar)]
            tables = tuple(LevelTable.of(levels) for levels in parts if levels is not None)
            known = len(tables) == len(parts) > 1
            found.append(Combinations(group.levels, tables) if known else None)
        return tuple(found)

    @cached_property
    def random(self) -> RandomEffects:
        """The random part without data: theta, lower, Lind, Gp, cnms, the names of Zt's rows.

        Examples
        --------
        >>> import lme4py
        >>> spec = lme4py.scan("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> spec.random.theta.tolist(), spec.random.Gp.tolist(), spec.random.Zt.shape
        ([1.0, 0.0, 1.0], [0, 36], (36, 0))
        """
        from lme4py.matrices.randomterm import RandomTerm
        from lme4py.matrices.reterms import random_effects

        pairs = zip(self.formula.bars, self.groups, strict=True)
        terms = [RandomTerm.empty(bar, found.levels, found.columns, 0) for bar, found in pairs]
        return random_effects(terms, 0)

    @property
    def kept(self) -> dict[str, Any]:
        """What the functions of the formula keep for new rows, by the text of each call.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ I(Days - mean(Days)) + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.spec.kept["mean(Days)"].values
        array([4.5])
        """
        return {
            text: item
            for name, node in self.terms.by_name.items()
            for text, item in kept_items(node, self.states.get(name, NOTHING))
        }

    def apply(
        self,
        newdata: Any,
        *,
        new_levels: NewLevels = "error",
        na_action: str | None = None,
        random: RandomParts = True,
        offset: Any = None,
        response: bool = False,
        env: Mapping[str, Any] | None = None,
    ) -> NewRows:
        """Return the matrices of new rows, with everything frozen as the model found it.

        Parameters
        ----------
        newdata : pandas, polars or pyarrow frame, or mapping of arrays
            The columns the right-hand side needs; the response need not be there.
        new_levels : {"error", "zero"}
            What a level of a grouping factor does that the model did not have: stop, or
            leave the row without random effects of that term (R's ``allow.new.levels``),
            as a missing level then does. A new level of a factor in X always stops.
        na_action : {"omit", "exclude", "fail", "pass"}, optional
            What happens to rows with missing values; as for the model if not given.
            With "pass" they stay: NaN in X, nothing in Z where the group is missing.
        random : bool, sequence of str, or a formula
            The random effects that the rows have (R's ``re.form``): all, none, those of
            some grouping factors, or the columns that a one-sided formula such as
            ``"~ (1 | Subject)"`` names. Zt keeps its rows, which are empty for the others;
            the columns of `newdata` that only the others need may be absent.
        offset : array-like or str, optional
            The ``offset`` argument for the new rows; needed if the model's was given as
            values, for those say nothing of new rows. (R's ``predict`` takes an argument
            of that name and ignores it.)
        response : bool
            Take the rows as rows of a model: with y and weights, without those that the
            model's subset leaves out or where y or a weight is missing. The model's own data
            give its own matrices so.
        env : mapping, optional
            Functions and variables besides those the model was made with; a spec that
            was loaded needs its functions here, or registered.

        Returns
        -------
        NewRows

        Raises
        ------
        DataError
            For a missing column, another type, a new level (which is named).
        FormulaError
            For functions of all rows together, such as ``rank(x)``.

        Notes
        -----
        Given rows of the model's data, in any order, the rows of X and Z come back as
        they were; ``poly``, which is computed by its recurrence here as in R's
        ``predict``, to about 1e-13 of its scale. R itself computes ``mean(x)``,
        ``cut(x, 3)``, ``quantile(x)`` anew from the new rows; here they are frozen.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ scale(Days) + (Days | Subject)", lme4py.data.sleepstudy())
        >>> rows = design.spec.apply({"Days": [0, 20], "Subject": ["308", "new"]},
        ...                          new_levels="zero")
        >>> rows.X.round(3).tolist(), rows.Z.toarray()[:, :2].tolist()
        ([[1.0, -1.562], [1.0, 5.381]], [[1.0, 0.0], [0.0, 0.0]])
        >>> design.spec.apply({"Days": [3]}, random=False)
        NewRows(1 rows: X 1 x 2, Zt 36 x 1)
        """
        from lme4py.spec.apply import apply

        choice_of("new_levels", new_levels, ("error", "zero"))
        given = mapping_of("env", env, '{"k": 3}')
        action = na_action_of(self.na_action if na_action is None else na_action)
        messages = Messages()
        try:
            with np.errstate(all="ignore"), following(self.formula.lme4):
                return apply(
                    self,
                    newdata,
                    new_levels=new_levels,
                    na_action=action,
                    random=random,
                    offset=offset,
                    response=flag_of("response", response),
                    env={**self.env, **given},
                    messages=messages,
                )
        finally:
            messages.tell()

    def blocks(self, source: Any, *, rows: int = 500_000) -> Iterator[NewRows]:
        """Yield the matrices of rows that need not fit into memory, block by block.

        Parameters
        ----------
        source : path, glob, frame, or what reads rows
            Parquet, Arrow or CSV files; a ``pyarrow.dataset.Dataset``; polars' LazyFrame,
            DuckDB's relation, Dask's data frame; anything with ``__arrow_c_stream__``; a list
            of frames, or a function that returns an iterator of them. Only the columns that
            the model needs are read.
        rows : int
            The most rows that a block has before those that the model leaves out are gone.

        Returns
        -------
        iterator of NewRows
            With y and weights; `positions` count the rows of the whole source, from 0.

        Raises
        ------
        DataError
            As `apply`, with the block that it arose in.

        Notes
        -----
        The rows are taken as rows of a model (``apply(..., response=True)``): those of the
        model's own data come back as they are in `design.X` and `design.Zt`, whatever the
        blocks are.

        Examples
        --------
        >>> import lme4py
        >>> data = lme4py.data.sleepstudy()
        >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", data)
        >>> [block.X.shape for block in design.spec.blocks(data, rows=100)]
        [(100, 2), (80, 2)]
        """
        from lme4py.sources.spec_blocks import blocks

        return blocks(self, source, rows)

    def crossproducts(self, source: Any, *, rows: int = 500_000) -> Crossproducts:
        """Return the cross-products of X, Z and y of rows that need not fit into memory.

        Parameters
        ----------
        source, rows
            As for `blocks`.

        Returns
        -------
        Crossproducts
            All that a linear mixed model needs of its rows.

        Raises
        ------
        DataError
            As `apply`; if the source has no rows, or the response is not one column.

        Examples
        --------
        >>> import lme4py
        >>> data = lme4py.data.sleepstudy()
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", data)
        >>> design.spec.crossproducts(data, rows=50).XtX.tolist()
        [[180.0, 810.0], [810.0, 5130.0]]
        """
        from lme4py.sources.spec_blocks import crossproducts

        return crossproducts(self, source, rows)

    def __repr__(self) -> str:
        width = len(self.fixed.names)
        formula = few([str(self.formula)])
        return f"Spec({formula!r}: {width} columns of X, {self.rows_of_Zt} of Z)"

    @property
    def rows_of_Zt(self) -> str:
        """The numbers of levels of the grouping factors, as text."""
        return few(f"{len(group.levels)} levels" for group in self.groups) or "no levels"

    def to_json(self) -> str:
        """Return the spec as JSON text, every number to the last bit.

        Returns
        -------
        str

        Raises
        ------
        DataError
            If the state of a registered function is no plain data.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> spec = lme4py.Spec.from_json(design.spec.to_json())
        >>> spec.apply({"Days": [3], "Subject": ["309"]}).X
        array([[1., 3.]])
        """
        from lme4py.spec.saved import write

        return write(self)

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Return the spec that `to_json` wrote. Nothing in the text is run as code.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Spec

        Raises
        ------
        DataError
            If the text is no spec, damaged, or of a newer version.

        Examples
        --------
        >>> import lme4py
        >>> try:
        ...     Spec.from_json("{}")
        ... except lme4py.DataError as error:
        ...     print(error.message.split(":")[0])
        not a saved spec
        """
        from lme4py.spec.saved import read

        return read(text)
