"""A formula and data to a design (``lFormula``, ``glFormula``), and to a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import numpy as np

from lme4py.argument_types import with_arguments
from lme4py.control import Control, control_of, fit_control
from lme4py.data.coding import ContrastArgument
from lme4py.data.values import FloatArray
from lme4py.design import FixedDesign, MixedDesign
from lme4py.errors import FormulaError
from lme4py.family import Family, family_of
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import Expression
from lme4py.learn import Arguments, learn
from lme4py.messages import Messages, log
from lme4py.versions import following, lme4_of

if TYPE_CHECKING:
    from scipy.sparse import csc_array

    from lme4py.fit.optimise import Start
    from lme4py.fitted_model import FittedModel

_OF_MIXED_MODELS = (
    *("reml", "family", "weights", "offset", "mustart", "etastart", "control", "double_bar"),
)


class SharedOptions(TypedDict, total=False):
    """The options that both functions take, for type checkers: each function documents them."""

    subset: Expression
    weights: Expression
    offset: Expression
    na_action: str
    contrasts: Mapping[str, ContrastArgument] | None
    control: Control | Mapping[str, Any] | None
    collation: str
    double_bar: Literal["split", "diag"]
    env: Mapping[str, Any] | None
    attached_contrasts: Mapping[str, ContrastArgument] | None
    default_contrasts: tuple[str, str]
    lme4: str


class LinearOptions(SharedOptions, total=False):
    """Those of `lformula`."""

    reml: bool


class GeneralizedOptions(SharedOptions, total=False):
    """Those of `glformula`."""

    family: str | Family
    mustart: Expression
    etastart: Expression


@overload
def lformula(
    formula: str | Formula,
    data: Any,
    *,
    sparse_X: Literal[False] = False,
    **options: Unpack[LinearOptions],
) -> MixedDesign[FloatArray]: ...


@overload
def lformula(
    formula: str | Formula,
    data: Any,
    *,
    sparse_X: Literal[True],
    **options: Unpack[LinearOptions],
) -> MixedDesign[csc_array]: ...


@with_arguments(Arguments, without=("family", "mustart", "etastart"))
def lformula(formula: str | Formula, data: Any, **options: Any) -> MixedDesign[Any]:
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
        Values, one for each row of `data` in their order, or an R expression evaluated in
        `data`. Row numbers in `subset` count from 1, as in R; text is row names.
    na_action : {"omit", "exclude", "fail", "pass"}
        What happens to rows with missing values; R's ``"na.omit"`` ... too.
    contrasts : mapping, optional
        Variable to ``"contr.sum"``, a matrix, a DataFrame or a function; for X only. It
        goes before what `attached_contrasts` says.
    control : Control or mapping, optional
        lme4's ``check.*`` options.
    collation : str
        Order of levels made from text: ``"icu"`` is R's in a UTF-8 locale, ``"C"`` R's in the
        C locale, the name of a locale (``"sv"``) R's there; that needs PyICU.
    double_bar : {"split", "diag"}
        What ``||`` means; "split" is lme4's meaning.
    sparse_X : bool
        Give X as a csc_array.
    env : mapping, optional
        Further variables and functions the formula may use.
    attached_contrasts : mapping, optional
        Factor to ``"contr.sum"``, a matrix, a DataFrame or a function, as R's
        ``contrasts(data$f) <- m``: for X and for random slopes. A matrix is cut, or
        completed, to one column less than there are levels.
    default_contrasts : tuple of str
        Codings of unordered and of ordered factors that have none of their own, in X and
        in random slopes (R's ``options(contrasts = )``).
    lme4 : str
        The version of lme4 to follow, as R prints it: one before 1.1-36, such as
        ``"1.1-31"`` (with R 4.2), or one since, ``"2.1"`` (with R 4.6). A parsed formula is
        read anew by it.

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
    return _build(formula, data, Arguments(**options), Messages())


@overload
def glformula(
    formula: str | Formula,
    data: Any,
    *,
    sparse_X: Literal[False] = False,
    **options: Unpack[GeneralizedOptions],
) -> MixedDesign[FloatArray]: ...


@overload
def glformula(
    formula: str | Formula,
    data: Any,
    *,
    sparse_X: Literal[True],
    **options: Unpack[GeneralizedOptions],
) -> MixedDesign[csc_array]: ...


@with_arguments(Arguments, without=("reml",))
def glformula(formula: str | Formula, data: Any, **options: Any) -> MixedDesign[Any]:
    """Turn a generalized mixed-model formula and data into matrices (``lme4::glFormula``).

    Parameters
    ----------
    formula, data, subset, weights, offset, na_action, contrasts, control, collation, double_bar, \
sparse_X, env, attached_contrasts, default_contrasts, lme4
        As for `lformula`.
    family : str or Family
        ``"binomial"``, ``"poisson(link='log')"``, ``"negative.binomial(theta = 2)"`` ...;
        gaussian with the identity link is handed to `lformula`, as in lme4.
    mustart, etastart : array-like or str, optional
        Columns of the model frame, as in lme4; a linear model disregards them.

    Returns
    -------
    MixedDesign

    Examples
    --------
    >>> data = {"s": [1, 2, 4, 3], "n": [5, 5, 5, 5], "g": ["a", "a", "b", "b"]}
    >>> glformula("cbind(s, n - s) ~ 1 + (1 | g)", data, family="binomial").y.shape
    (4, 2)
    """
    arguments, messages = Arguments(**options), Messages()
    family = family_of(arguments.family, lme4_of(arguments.lme4))
    if family != Family("gaussian", "identity"):
        return _build(formula, data, arguments, messages, family=family)
    starts = {name: options[name] for name in ("mustart", "etastart") if name in options}
    given = [f"‘{name}’" for name, value in starts.items() if value is not None]
    if given:
        messages.warn(f"extra argument(s) {', '.join(given)} disregarded")
    control = control_of(arguments.control, note=messages.remark)
    linear = replace(arguments, control=control, mustart=None, etastart=None)
    return _build(formula, data, linear, messages)


@with_arguments(Arguments, without=("family", "mustart", "etastart", "sparse_X"))
def lmer(
    formula: str | Formula,
    data: Any,
    *,
    start: Start = None,
    sparse_X: bool = False,
    **options: Unpack[LinearOptions],
) -> FittedModel:
    """Fit a linear mixed model as lme4's ``lmer`` does.

    Parameters
    ----------
    formula, data, reml, subset, weights, offset, na_action, contrasts, collation, double_bar, \
sparse_X, env, attached_contrasts, default_contrasts, lme4
        As for `lformula`.
    control : Control or mapping, optional
        As for `lformula`; a mapping may have ``optimizer``, ``optCtrl``, ``restart_edge``,
        ``boundary.tol``, ``calc.derivs``, ``check.conv.grad``, ``check.conv.singular`` and
        ``check.conv.hess`` besides.
    start : array-like or mapping, optional
        Values of the covariance parameters to start at; lme4's own if not given.

    Returns
    -------
    FittedModel

    Raises
    ------
    Lme4pyError
        As `lformula`, and where the response cannot be fitted.

    Warns
    -----
    Lme4pyWarning, Lme4pyMessage
        What lme4 says of the optimum.

    Examples
    --------
    >>> import lme4py
    >>> fit = lme4py.lmer("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> fit.fixef.round(2).to_dict(), round(fit.sigma, 2), fit.is_singular()
    ({'(Intercept)': 251.41, 'Days': 10.47}, 25.59, False)
    """
    from lme4py.fit.linear import mk_lmer_devfun
    from lme4py.fitted_model import FittedModel

    options["control"], control = fit_control(options.get("control"), generalized=False)
    design = lformula(formula, data, sparse_X=sparse_X, **options)  # type: ignore[call-overload]
    return FittedModel.of(mk_lmer_devfun(design), design, start=start, control=control)


@with_arguments(Arguments, without=("reml", "sparse_X"))
def glmer(
    formula: str | Formula,
    data: Any,
    *,
    start: Start = None,
    nAGQ: int = 1,
    sparse_X: bool = False,
    **options: Unpack[GeneralizedOptions],
) -> FittedModel:
    """Fit a generalized linear mixed model as lme4's ``glmer`` does, in its two steps.

    Parameters
    ----------
    formula, data, family, subset, weights, offset, mustart, etastart, na_action, contrasts, \
collation, double_bar, sparse_X, env, attached_contrasts, default_contrasts, lme4
        As for `glformula`.
    control : Control or mapping, optional
        As for `lmer`; it may have ``nAGQ0initStep``, too.
    start : array-like or mapping, optional
        As for `lmer`, or ``{"par": ..., "fixef": ...}``.
    nAGQ : int, default 1
        1 for the Laplace approximation, more for so many points of adaptive Gauss-Hermite
        quadrature with one scalar random-effects term, 0 to leave the fixed effects to PIRLS,
        which is quicker and less exact.

    Returns
    -------
    FittedModel

    Raises
    ------
    Lme4pyError
        As `glformula`, where the response cannot be fitted, and where PIRLS fails.

    Warns
    -----
    Lme4pyWarning, Lme4pyMessage
        What lme4 says of the optimum.

    Examples
    --------
    >>> import lme4py
    >>> data = {"y": [1, 0, 4, 3, 2, 5, 9, 9], "g": list("aabbccdd")}
    >>> fit = lme4py.glmer("y ~ 1 + (1 | g)", data, family="poisson")
    >>> fit.fixef.round(4).to_dict(), round(fit.aic, 4)
    ({'(Intercept)': 1.1584}, 40.1829)
    """
    from lme4py.fit.generalized import mk_glmer_devfun
    from lme4py.fit.linear import mk_lmer_devfun
    from lme4py.fitted_model import FittedModel

    options["control"], control = fit_control(options.get("control"), generalized=True)
    design = glformula(formula, data, sparse_X=sparse_X, **options)  # type: ignore[call-overload]
    if design.family is None:
        messages = Messages()
        messages.warn(
            "calling glmer() with family=gaussian (identity link) as a shortcut to lmer() is "
            "deprecated; please call lmer() directly"
        )
        messages.tell()
        return FittedModel.of(mk_lmer_devfun(design), design, start=start, control=control)
    devfun = mk_glmer_devfun(design, nAGQ)
    return FittedModel.of(devfun, design, start=start, control=control)


@with_arguments(Arguments, without=_OF_MIXED_MODELS)
def model_matrix(formula: str | Formula, data: Any, **options: Any) -> FixedDesign[Any]:
    """Turn a formula without random terms into its matrix (R's ``model.matrix``).

    Parameters
    ----------
    formula : str or Formula
        With or without a response: ``"~ x * f"``.
    data, subset, na_action, contrasts, collation, sparse_X, env, attached_contrasts, \
default_contrasts, lme4
        As for `lformula`.

    Returns
    -------
    FixedDesign
        X is what R's ``model.matrix(formula, model.frame(formula,
        data))`` is: columns that depend on others stay, and so do those of levels that no
        row has. ``spec.apply`` makes the same columns of other rows.

    Raises
    ------
    Lme4pyError
        As `lformula`, and for a formula with random terms.

    Examples
    --------
    >>> design = model_matrix("~ x * f", {"x": [1.0, 2.0, 4.0], "f": ["a", "b", "b"]})
    >>> design.X_frame
       (Intercept)    x   fb  x:fb
    0          1.0  1.0  0.0   0.0
    1          1.0  2.0  1.0   2.0
    2          1.0  4.0  1.0   4.0
    """
    ignored = Control(check_formula_LHS="ignore", check_rankX="ignore", check_scaleX="ignore")
    arguments = Arguments(**options, control=ignored)
    return _build(formula, data, arguments, Messages(), mixed=False).fixed_part()


def _build(
    formula: str | Formula,
    data: Any,
    arguments: Arguments,
    messages: Messages,
    **kind: Any,
) -> MixedDesign[Any]:
    try:
        # What R warns of is said in its words; numpy's own remarks would come on top.
        with np.errstate(all="ignore"), following(lme4_of(arguments.lme4)):
            design = learn(formula, data, arguments, messages, **kind)
    except RecursionError:
        raise FormulaError("the formula is nested too deeply") from None
    finally:
        messages.tell()
    if design.model_frame.omitted or design.fixed.dropped:
        from lme4py.summary import rows_and_columns_gone

        log(rows_and_columns_gone(design))
    return design
