"""Functions that are not in the table: users bring their own, or are told where R has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lme4py.data.column_values import value_of
from lme4py.data.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value
from lme4py.errors import DataError, Lme4pyError, nearest
from lme4py.functions.table import Dot, Function, State, enter_user, function_entry, lookup, names

UserFunction = Callable[..., Any]


def register(name: str, function: UserFunction, *, fit: UserFunction | None = None) -> None:
    """Let formulas call a function of yours by name.

    Parameters
    ----------
    name : str
        What formulas write; a name of R's that is in the table cannot be taken.
    function : callable
        Vectorised: takes arrays of the rows (text as an object array of str, missing
        None) and plain Python values for single constants; returns an array or a
        matrix with one row per row of the data.
    fit : callable, optional
        What must stay the same for new rows. Called once, on the data of the model,
        with the arguments of the call; what it returns is given to every call of
        `function` as ``state=``. A number, text, array, or a list or dict of these, so
        that a `Spec` can be saved.

    Raises
    ------
    DataError
        If the name is taken by R, or is not a name.

    Notes
    -----
    Without `fit`, row i of the result may depend on row i of the arguments only; then it
    is the same for new rows. Registering a name again replaces the function.

    Examples
    --------
    >>> import lme4py
    >>> lme4py.register("centred", lambda x, state: x - state, fit=lambda x: x.mean())
    >>> data = {"y": [1.0, 2, 3, 4], "x": [1.0, 3, 5, 7], "g": ["a", "a", "b", "b"]}
    >>> design = lme4py.lformula("y ~ centred(x) + (1 | g)", data)
    >>> design.spec.apply({"x": [9.0], "g": ["b"]}).X
    array([[1., 5.]])
    """
    given: Any = name
    if not isinstance(given, str) or not given.replace(".", "_").isidentifier():
        raise DataError(f"{name!r} is not a name that a formula can call")
    for argument, item in (("function", function), ("fit", fit)):
        if not callable(item) and (argument == "function" or item is not None):
            raise DataError(f"register() takes functions: {argument} is a {type(item).__name__}")
    enter_user(users_function(name, function, fit, package="registered"))


def users_function(
    name: str, function: UserFunction, fit: UserFunction | None = None, package: str = "env"
) -> Function:
    """Return a table entry for a user's own vectorised function."""

    def called(user: UserFunction, dots: tuple[Dot, ...], **more: Any) -> Any:
        positional = [_python_value(dot) for dot in dots if dot.name is None]
        keywords = {dot.name: _python_value(dot) for dot in dots if dot.name is not None}
        try:
            return user(*positional, **keywords, **more)
        except Lme4pyError:
            raise
        except Exception as error:  # whatever a user's function raises is shown as ours
            raise DataError(f"{name}() failed: {type(error).__name__}: {error}") from error

    def compute(dots: tuple[Dot, ...]) -> Value:
        return value_of(called(function, dots))

    def fitted(dots: tuple[Dot, ...]) -> State:
        return {"state": called(fit or function, dots)}

    def again(state: State, dots: tuple[Dot, ...]) -> Value:
        return value_of(called(function, dots, state=state["state"]))

    if fit is None:
        return function_entry(name, compute, role="elementwise", package=package)
    return function_entry(name, fitted, role="basis", package=package, replay=again)


def _python_value(dot: Dot) -> Any:
    """Return what a user's function sees: arrays of rows, plain values for single constants."""
    value, single = dot.value, not dot.rowwise
    match value:
        case Numeric(values=values):
            # A copy, as in R: what the function writes into its argument stays with it.
            return values.item() if single and values.shape == (1,) else values.copy()
        case Character(codes=codes, pool=pool):
            texts = np.array([*pool, None], dtype=object)[codes]
            return texts[0] if single and texts.shape == (1,) else texts
        case Null():
            return None
        case FunctionName(name=text):
            return text
        case Factor(codes=codes, levels=levels):
            return np.array([*levels, None], dtype=object)[codes]
        case Matrix(values=matrix):
            return matrix.copy(order="K")


_ELSEWHERE: Mapping[str, str] = {
    "{": "braces are left over from an f-string: write f'...' before the quotes, or the name alone",
    "=": "equality is written ==",
    "~": "a formula has one ~; negation is written !",
    "isin": "write x %in% c('a', 'b')",
    "isna": "write is.na(x)",
    "notna": "write !is.na(x)",
    "if_else": "write ifelse(x > 0, 1, 0)",
    "fct_relevel": "write relevel(factor(x), 'b')",
    "&&": "write &",
    "||": "write |",
    "[[": "write x[2]",
    "proportions": "write prop.table(x)",
    "get": "the formula is text: put the name into it, f'{name} ~ x'",
    "logit": "R's own logit is qlogis()",
    "inv.logit": "R's own inverse of the logit is plogis()",
    "expit": "R's own inverse of the logit is plogis()",
    "rcs": "that is rms's; the splines of R itself are ns() and bs()",
    "s": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "te": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "Q": "a name with spaces is written in back-quotes: `my name`",
    "center": "write scale(x, scale = FALSE)",
    "standardize": "write scale(x)",
    "gr": "that is brms's; lme4 has (x | g)",
    "mm": "that is brms's; a Z of your own goes through lme4py.mk_re_terms",
    "re": "random terms are written (1 | g)",
    "lag": "lags differ between packages: put the lagged values into the data as a column",
    "year": "that is lubridate's; R's own is as.numeric(format(x, '%Y'))",
    "month": "that is lubridate's; R's own is as.numeric(format(x, '%m'))",
    "yday": "that is lubridate's; R's own is as.numeric(format(x, '%j'))",
    "strftime": "write format(x, '%Y-%m')",
    "julian": "write as.numeric(x)",
    "ISOdate": "write as.POSIXct('2020-01-31 12:00')",
    "head": "write x[1:6]",
    "seq": "write 0:10 * 5, or c(0, 5, 10)",
    "seq.int": "write 0:10 * 5, or c(0, 5, 10)",
    "startsWith": "write substr(x, 1, 2) == 'ab'",
    "substring": "write substr(x, 1, 2)",
    "regexpr": "grepl() tells whether a pattern occurs",
    "rep_len": "write rep(x, length.out = n)",
    "rep.int": "write rep(x, n)",
    "prod": "write exp(sum(log(x)))",
    "pnorm": "the logistic one is plogis(), quantiles are qnorm()",
    "sort": "write x[order(x)]",
    "unique": "write x[!duplicated(x)]",
    "match": "x %in% table tells whether, factor(x, levels = table) where",
    "IQR": "write diff(quantile(x, c(0.25, 0.75)))",
}
"""What people look for of functions that are not in the table, and where to find it."""

# What dplyr, car and zoo make of a column.
_COLUMNS = (
    "case_when case_match recode recode_factor coalesce na_if ntile between lead mutate across "
    "replace_na revalue mapvalues na.locf rollmean cumall cume_dist percent_rank row_number"
)
# Of R itself: no misspelling of another one.
_OF_R = (
    "ISOdatetime NCOL NROW Reduce all any as.difftime atan2 beta by choose cospi cummin cumprod "
    "digamma dnorm endsWith lbeta mad sapply sinpi sprintf strtoi tail tanpi trigamma units"
)


def advice(name: str) -> str:
    """Return what to do about a function that is not in the table.

    Examples
    --------
    >>> advice("sclae")
    "did you mean 'scale'?"
    >>> advice("mad")
    "bring it yourself: env={'mad': lambda x: ...} takes an array and gives one of as many rows"
    """
    last = name.rpartition(".")[2]
    if name in _ELSEWHERE or last in ("isin", "isna", "notna"):  # as pandas has them
        return _ELSEWHERE.get(name) or _ELSEWHERE[last]
    if name in _COLUMNS.split() or name.startswith("fct_"):
        return "compute it as a column of the data"
    if last != name and lookup(last) is not None:
        return f"R's own is {last}()"
    near = None if name in _OF_R.split() else nearest(name, names())
    if near is not None or not name.replace(".", "_").isidentifier():
        return near or "docs/functions.md lists what a formula can call"
    return (
        f"bring it yourself: env={{'{name}': lambda x: ...}} takes an array and gives one of as "
        "many rows"
    )
