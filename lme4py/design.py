"""Formula and data become a design: the pipeline from text to lme4's matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lme4py.control import Control, control_of
from lme4py.errors import CheckError, DataError, FormulaError, nearest
from lme4py.family import Family, family_of, is_gaussian_identity
from lme4py.formula.formula import Formula
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.columns import Columns
from lme4py.frame.evaluate import Scope
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import Expression, ModelFrame, NAAction, model_frame
from lme4py.frame.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.matrices.checks import Checks, check_scale
from lme4py.matrices.contrasts import ContrastArgument
from lme4py.matrices.grouping import Factors, random_term
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.rank import drop_dependent_columns, rank_of
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.messages import Messages
from lme4py.summary import brief, html

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csc_array, csr_array

__all__ = ["FixedEffects", "MixedDesign", "glformula", "lformula"]

_NA_ACTIONS: Mapping[str, NAAction] = {
    "omit": "omit",
    "exclude": "exclude",
    "fail": "fail",
    "pass": "pass",
    "na.omit": "omit",
    "na.exclude": "exclude",
    "na.fail": "fail",
    "na.pass": "pass",
}


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
        Divisors of columns that ``check_scaleX`` rescaled.
    """

    names: list[str]
    assign: NDArray[np.int64]
    contrasts: dict[str, str | Matrix]
    dropped: dict[str, int]
    terms: list[str]
    scales: dict[str, float]


@dataclass(frozen=True, eq=False)
class MixedDesign:
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

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> design.X.shape, design.Zt.shape, design.random.Gp.tolist()
    ((180, 2), (36, 180), [0, 36])
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
    _index: Any

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
        if self._index is not None:
            positions = self.model_frame.positions
            index = self._index if positions is None else self._index[positions]
        return pd.DataFrame(columns, index=index, copy=False)

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return html(self)


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


def lformula(
    formula: str | Formula,
    data: Any,
    *,
    reml: bool = True,
    subset: Expression = None,
    weights: Expression = None,
    offset: Expression = None,
    na_action: str = "omit",
    contrasts: Mapping[str, ContrastArgument] | None = None,
    control: Control | Mapping[str, Any] | None = None,
    collation: Literal["icu", "C"] = "icu",
    double_bar: Literal["split", "diag"] = "split",
    sparse_X: bool = False,
    env: Mapping[str, Any] | None = None,
) -> MixedDesign:
    """Turn a mixed-model formula and data into lme4's matrices (``lme4::lFormula``).

    Parameters
    ----------
    formula : str or Formula
        As in R: ``"y ~ x*M + (1 + x | g)"``.
    data : pandas, polars or pyarrow frame, or mapping of arrays
        Never modified.
    reml : bool
        Kept for the fitting code.
    subset, weights, offset : array-like or str, optional
        Values, or an R expression evaluated in `data`.
    na_action : {"omit", "exclude", "fail", "pass"}
        What happens to rows with missing values; R's ``"na.omit"`` ... too.
    contrasts : mapping, optional
        Variable to ``"contr.sum"``, a matrix, a DataFrame or a function; for X only.
    control : Control or mapping, optional
        lme4's ``check.*`` options.
    collation : {"icu", "C"}
        Order of levels made from text: R's in a UTF-8 locale, or in the C locale.
    double_bar : {"split", "diag"}
        What ``||`` means; "split" is lme4's meaning.
    sparse_X : bool
        Give X as a csc_array.
    env : mapping, optional
        Further variables and functions the formula may use.

    Returns
    -------
    MixedDesign

    Raises
    ------
    Lme4pyError
        `FormulaSyntaxError`, `FormulaError`, `DataError` or `CheckError`, with
        R's or lme4's words and the place in the formula.

    Examples
    --------
    >>> design = lformula("y ~ x + (1 | g)", {"y": [1.0, 2.0, 4.0, 3.0],
    ...                   "x": [0, 1, 0, 1], "g": ["a", "a", "b", "b"]})
    >>> design.fixed.names, design.random.row_names
    (['(Intercept)', 'x'], ['a', 'b'])
    """
    arguments = _Arguments(
        subset,
        {"(weights)": weights, "(offset)": offset},
        na_action,
        contrasts,
        control,
        collation,
        double_bar,
        sparse_X,
        env,
        reml=reml,
    )
    return _build(formula, data, arguments)


def glformula(
    formula: str | Formula,
    data: Any,
    *,
    family: str | Family = "gaussian",
    subset: Expression = None,
    weights: Expression = None,
    offset: Expression = None,
    mustart: Expression = None,
    etastart: Expression = None,
    na_action: str = "omit",
    contrasts: Mapping[str, ContrastArgument] | None = None,
    control: Control | Mapping[str, Any] | None = None,
    collation: Literal["icu", "C"] = "icu",
    double_bar: Literal["split", "diag"] = "split",
    sparse_X: bool = False,
    env: Mapping[str, Any] | None = None,
) -> MixedDesign:
    """Turn a generalized mixed-model formula and data into matrices (``lme4::glFormula``).

    Parameters
    ----------
    formula, data, subset, weights, offset, na_action, contrasts, control, collation, double_bar, \
sparse_X, env
        As for `lformula`.
    family : str or Family
        ``"binomial"``, ``"poisson(link='log')"`` ...; gaussian with the identity link
        is handed to `lformula`, as in lme4.
    mustart, etastart : array-like or str, optional
        Columns of the model frame, as in lme4.

    Returns
    -------
    MixedDesign

    Examples
    --------
    >>> data = {"s": [1, 2, 4, 3], "n": [5, 5, 5, 5], "g": ["a", "a", "b", "b"]}
    >>> glformula("cbind(s, n - s) ~ 1 + (1 | g)", data, family="binomial").y.shape
    (4, 2)
    """
    chosen = family_of(family)
    linear = is_gaussian_identity(chosen)
    arguments = _Arguments(
        subset,
        {"(weights)": weights, "(offset)": offset, "(mustart)": mustart, "(etastart)": etastart},
        na_action,
        contrasts,
        control,
        collation,
        double_bar,
        sparse_X,
        env,
        family=None if linear else chosen,
        reml=True if linear else None,
    )
    return _build(formula, data, arguments)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The arguments that linear and generalized models share."""

    subset: Expression
    extras: Mapping[str, Expression]
    na_action: str
    contrasts: Any
    control: Control | Mapping[str, Any] | None
    collation: str
    double_bar: str
    sparse_X: bool
    env: Mapping[str, Any] | None
    family: Family | None = None
    reml: bool | None = None


def _build(formula: str | Formula, data: Any, arguments: _Arguments) -> MixedDesign:
    messages = Messages()
    try:
        return _assemble(formula, data, arguments, messages)
    finally:
        messages.tell(stacklevel=4)


def _assemble(
    formula: str | Formula, data: Any, arguments: _Arguments, messages: Messages
) -> MixedDesign:
    family = arguments.family
    control = control_of(arguments.control)
    parsed = _two_sided(formula, control)
    columns = Columns(data)
    collation = Collation(arguments.collation)
    scope = Scope(columns, arguments.env or {}, Context(columns.rows, collation, messages.warn))
    if family is None:
        parsed = parsed.expanded()
    frame = model_frame(
        parsed.subbars().node,
        scope,
        subset=arguments.subset,
        extras=arguments.extras,
        na_action=_na_action(arguments.na_action),
    )
    if frame.rows == 0 and family is None:
        raise DataError("0 (non-NA) cases", hint=_emptied(frame))
    random = _random_part(parsed, frame, scope)
    checks = Checks(control, messages, frame.rows, family is not None)
    found = checks.levels(random) + checks.random_effects(random.terms)
    if family is None and np.isnan(random.Zt.data).any():
        raise CheckError(
            "NA in Z (random-effects model matrix): please use "
            "\"na.action='na.omit'\" or \"na.action='na.exclude'\""
        )
    found += checks.rank_of_z(random)
    matrix, fixed, texts = _fixed_part(parsed, frame, arguments.contrasts, scope, control)
    for text in texts:
        messages.note(text)
    return MixedDesign(
        parsed,
        matrix,
        fixed,
        _response(frame, family),
        frame.weights(),
        frame.offset(),
        random,
        arguments.reml,
        family,
        [*found, *messages.warnings, *messages.notes],
        frame,
        columns.index,
    )


def _two_sided(formula: str | Formula, control: Control) -> Formula:
    parsed = formula if isinstance(formula, Formula) else Formula.parse(formula)
    if parsed.response is None and control.check_formula_LHS == "stop":
        raise CheckError(
            "!checkLHS || length(as.formula(formula, env = denv)) == 3 is not TRUE",
            parsed.node.span,
            "the formula has no response on the left of ~",
        )
    return parsed


def _na_action(name: str) -> NAAction:
    if name not in _NA_ACTIONS:
        raise DataError(
            f"unknown na_action {name!r}",
            hint=nearest(str(name), _NA_ACTIONS) or "omit, exclude, fail, pass",
        )
    return _NA_ACTIONS[name]


def _emptied(frame: ModelFrame) -> str:
    return f"{frame.omitted} rows had missing values; subset selected the rest away"


def _random_part(formula: Formula, frame: ModelFrame, scope: Scope) -> RandomEffects:
    bars = formula.bars
    if not bars:
        raise FormulaError(
            "No random effects terms specified in formula",
            formula.right.span,
            "add a term such as (1 | group)",
        )
    factors = Factors(frame, scope.context.collation)
    return random_effects([random_term(bar, factors, scope) for bar in bars], frame.rows)


def _fixed_part(
    formula: Formula,
    frame: ModelFrame,
    contrasts: Any,
    scope: Scope,
    control: Control,
) -> tuple[FloatArray, FixedEffects, list[str]]:
    """Return X, its attributes and lme4's messages about it."""
    warn = scope.context.warn
    expanded = terms(formula.nobars().node, frame.names)
    layout = plan(
        expanded, frame, frame.rows, scope.context.collation, _contrasts_argument(contrasts, warn)
    )
    for text in layout.warnings:
        warn(text)
    full = layout.matrix()
    notes: list[str] = []
    matrix, dropped = full, {}
    if control.check_rankX == "stop.deficient":
        rank, _ = rank_of(full.values)
        if rank < len(full.names):
            raise CheckError(
                f"the fixed-effects model matrix is column rank deficient (rank(X) = {rank} < "
                f"{len(full.names)} = p);\nthe fixed effects will be jointly unidentifiable"
            )
    elif control.check_rankX != "ignore":
        reduced = drop_dependent_columns(full)
        matrix, dropped = reduced.matrix, reduced.dropped
        if reduced.message and control.check_rankX == "warn+drop.cols":
            warn(reduced.message)
        elif reduced.message and control.check_rankX == "message+drop.cols":
            notes.append(reduced.message)
    matrix, message, scales = check_scale(matrix, control.check_scaleX, warn)
    if message is not None and control.check_scaleX != "warning":
        notes.append(message)
    fixed = FixedEffects(
        list(matrix.names),
        np.array(matrix.assign, dtype=np.int64),
        dict(matrix.contrasts),
        dropped,
        list(expanded.labels),
        dict(scales),
    )
    return matrix.values, fixed, notes


def _contrasts_argument(
    contrasts: Any, warn: Callable[[str], None]
) -> Mapping[str, ContrastArgument] | None:
    if contrasts is None or isinstance(contrasts, Mapping):
        return contrasts
    if isinstance(contrasts, list | tuple):
        raise DataError("'contrasts.arg' argument must be named", hint="give {variable: contrast}")
    warn("non-list contrasts argument ignored")
    return None


def _response(frame: ModelFrame, family: Family | None) -> FloatArray | None:
    value = None if frame.response is None else frame.variables[frame.response]
    match value:
        case Numeric():
            return value.as_float()
        case Matrix(values=values):
            return values
        case Factor(codes=codes) if family is not None:
            return np.where(codes < 0, np.nan, codes > 0)
        case Factor(codes=codes):
            return np.where(codes < 0, np.nan, codes + 1.0)
        case _:
            return None
