"""Functions that users bring: plain vectorised callables, perhaps with a frozen state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lme4py.data.column_values import value_of
from lme4py.data.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value
from lme4py.errors import DataError, Lme4pyError
from lme4py.functions.table import Dot, Function, State, enter_user, function_entry

__all__ = ["register", "users_function"]

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
