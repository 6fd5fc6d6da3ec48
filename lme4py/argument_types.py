"""What callers give where a name, a number, a mapping or a file belongs: checked, in our words.

Types are checked where an argument enters, so that a mistake is told, by a `DataError`, with the
name of the argument and not by a traceback from the inside.
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, nearest

P = ParamSpec("P")
R = TypeVar("R")


def choice_of(name: str, value: object, choices: Iterable[str]) -> str:
    """Return one of several names."""
    known = tuple(choices)
    if isinstance(value, str) and value in known:
        return value
    listed = f"{', '.join(known[:-1])} or {known[-1]}"
    raise DataError(f"unknown {name} {_shown(value)}", hint=nearest(str(value), known) or listed)


def coefficients_of(given: Any, names: Sequence[str]) -> NDArray[np.float64]:
    """Return a number for each column of X; NaN where a mapping has none."""
    listed = ", ".join(names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                hint = nearest(str(name), names) or f"its columns: {listed}"
                raise DataError(f"'{name}' is not a column of X", hint=hint)
        given = [given.get(name, np.nan) for name in names]
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim != 1:
        raise DataError("coefficients must be numbers, one for each column of X, or a mapping")
    if values.size != len(names):
        raise DataError(
            f"{values.size} coefficients for {len(names)} columns of X",
            hint=f"in this order: {listed}",
        )
    return values


def count_of(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return a whole number within bounds."""
    bounds = f"at least {least}" if most is None else f"between {least} and {most}"
    given: Any = None if isinstance(value, bool) else value
    try:
        number = operator.index(given)
    except TypeError:
        wrong = f"{name} must be a whole number, not {_shown(value)}"
        raise DataError(wrong, hint=f"{name} is {bounds}") from None
    if number < least or (most is not None and number > most):
        raise DataError(f"{name} must be {bounds}, not {number}")
    return number


def flag_of(name: str, value: Any) -> bool:
    """Return True or False."""
    if isinstance(value, np.bool_) or (isinstance(value, np.ndarray) and not value.ndim):
        value = value.item()
    if value is None or isinstance(value, bool):
        return bool(value)
    raise DataError(f"{name} must be True or False, not {_shown(value)}")


def mapping_of(name: str, value: Any, example: str) -> Mapping[Any, Any]:
    """Return a mapping, an empty one for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        hint = f"such as {name}={example}"
        raise DataError(f"{name} must be a mapping, not {_shown(value)}", hint=hint)
    return value


def number_of(name: str, value: Any) -> float:
    """Return a finite number."""
    number = np.nan
    if not isinstance(value, str | bool) and np.ndim(value) == 0:
        with suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    if not np.isfinite(number):
        raise DataError(f"{name} must be a finite number, not {_shown(value)}")
    return number


def numbers_of(name: str, value: Any) -> NDArray[np.float64]:
    """Return an array of numbers."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        text = f"it is a {type(value).__name__}"
        raise DataError(f"{name} must be numbers", hint=text) from None


def path_of(value: Any) -> str:
    """Return the name of a file."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise DataError(f"the path of a file must be text or a path, not {_shown(value)}")
    return os.fsdecode(value)


class UnusedArgumentError(DataError, TypeError):
    """An argument that a function does not have, which is a TypeError to Python."""


def with_arguments(
    source: type, *, without: Sequence[str] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that gives ``**options`` the names and defaults of a dataclass.

    `without` are fields that the function does not have. Others are answered in our own words.

    Examples
    --------
    >>> from lme4py import lformula
    >>> lformula("y ~ x + (1 | g)", {}, REML=False)
    Traceback (most recent call last):
    ...
    lme4py.argument_types.UnusedArgumentError: unused argument (REML = False)
    write reml=False
    """
    options = [
        inspect.Parameter(
            item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=item.type
        )
        for item in fields(source)
        if item.name not in without
    ]

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        *given, _ = signature.parameters.values()
        known = tuple(item.name for item in (*given, *options))

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            refuse_unknown(kwargs, known)
            return function(*args, **kwargs)

        vars(checked)["__signature__"] = signature.replace(parameters=[*given, *options])
        return checked

    return decorate


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Answer arguments that a function does not have, with what is meant."""
    for name, value in given.items():
        if name not in known:
            hint = _REMEDIES.get(name) or nearest(name, known)
            hint = f"write {name.lower()}={value!r}" if name.lower() in known else hint
            raise UnusedArgumentError(f"unused argument ({name} = {_shown(value)})", hint=hint)


_REMEDIES = {
    "family": "generalized models are made by glformula",
    **dict.fromkeys(("reml", "REML"), "a generalized model has no REML"),
    **dict.fromkeys(
        ("random", "groups", "re_formula"),
        "random effects stand in the formula: y ~ x + (1 | g)",
    ),
}
"""What callers of nlme, statsmodels and lme4 itself give, and what is meant here."""


def _shown(value: object) -> str:
    """Return a short value as it is written, the type of anything else."""
    text = repr(value) if value is None or isinstance(value, str | bool | int | float) else ""
    return text if 0 < len(text) <= 60 else type(value).__name__
