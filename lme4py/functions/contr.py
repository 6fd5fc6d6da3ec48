"""Contrasts: the coding matrices ``contr.*``, ``C`` and ``contrasts``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.data.coding import CONTRASTS, coding_matrix, complete_contrasts
from lme4py.data.factors import as_factor
from lme4py.data.values import Character, Factor, FunctionName, Matrix, Null, Numeric, Value, length
from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Constant, Symbol, Text
from lme4py.functions.coercion import elements, encoded, level_texts, scalar, strings_of
from lme4py.functions.leveling import ONE_LEVEL, frozen, thawed
from lme4py.functions.table import (
    MISSING,
    Context,
    Dot,
    State,
    arguments_of,
    as_number,
    as_string,
    function,
    lookup,
)

_SHORT = {name.removeprefix("contr."): name for name in CONTRASTS}
_MOST_CODED = 5_000


def _levels_argument(n: Value, name: str) -> tuple[str, ...]:
    """Return the levels that the first argument of a contrast function stands for."""
    single = isinstance(n, Numeric) and n.values.size == 1
    count = as_number(n, "n") if single else length(n)
    if single and (math.isnan(count) or (count <= 1 and name != "contr.poly")):
        raise DataError("not enough degrees of freedom to define contrasts")
    if count < 0:
        raise DataError("argument must be coercible to non-negative integer")
    if count > _MOST_CODED:
        raise DataError(f"a coding matrix of more than {_MOST_CODED} levels")
    if single:
        return tuple(str(number) for number in range(1, int(count) + 1))
    return tuple(level_texts(strings_of(n)))


@function("contr.treatment", role="summary", package="stats")
def _contr_treatment(n: Value, base: float = 1, contrasts: bool = True) -> Matrix:
    """Return a coding matrix: each level against a base."""
    levels = _levels_argument(n, "contr.treatment")
    return coding_matrix("contr.treatment", levels, base=base, contrasts=contrasts)


@function(
    {
        "contr.SAS": "A coding matrix: each level against the last.",
        "contr.sum": "A coding matrix: each level against the mean of all.",
        "contr.helmert": "A coding matrix: each level against the mean of those before.",
    },
    role="summary",
    package="stats",
)
def _contr(n: Value, called: str, contrasts: bool = True) -> Matrix:
    return coding_matrix(called, _levels_argument(n, called), contrasts=contrasts)


@function("contr.poly", role="summary", package="stats")
def _contr_poly(n: Value, scores: Value = MISSING, contrasts: bool = True) -> Matrix:
    """Return a coding matrix: orthogonal polynomials."""
    levels, options = _levels_argument(n, "contr.poly"), {}
    if scores is not MISSING:
        options["scores"] = elements(scores, "'scores' must all be different numbers")[0]
    return coding_matrix("contr.poly", levels, contrasts=contrasts, **options)


def _coding_of(
    contr: Any, levels: Value, default: str, dots: Sequence[Dot], called: bool
) -> str | Matrix:
    """Return what C() attaches: the name of a contrast function, or a matrix.

    `contr` is a syntax tree, or a value where it was evaluated. R calls a function
    that is given by its own symbol with the levels, or their number, so that they name its
    columns; one given by text or a short name is only remembered unless `called`.
    """
    match contr:
        case Symbol():
            name = _SHORT.get(contr.name, contr.name)
            called = called or contr.name not in _SHORT
        case FunctionName():
            name, called = contr.name, True
        case Text():
            name = contr.value
        case Character():
            name = as_string(contr, "contr")
        case Matrix():
            return contr
        case Numeric() if contr.kind != "logical":
            return Matrix(contr.as_float().reshape(-1, 1), None, contr.kind)
        case Null() | Constant(name="NULL") | None:
            name = default
        case _:
            raise DataError("numeric contrasts or contrast name expected")
    if name not in CONTRASTS:
        raise DataError(
            f"object '{name}' of mode 'function' was not found", hint=nearest(name, CONTRASTS)
        )
    entry = lookup(name)
    if not called or entry is None:
        return name
    given = [(None, levels), *((dot.name, dot.value) for dot in dots)]
    coding: Matrix = entry.compute(**arguments_of(entry, given)[0])
    return coding


def _coded(state: State, object: Value) -> Factor:
    """Return new rows with the stored levels and contrasts."""
    return thawed(state, "C", object)


@function(
    "C",
    role="basis",
    package="stats",
    replay=_coded,
    quoted=("contr",),
    words=tuple(_SHORT),
    rows="distinct",
)
def _with_contrasts(
    object: Value,
    context: Context,
    contr: Any = None,
    how_many: int = MISSING,
    dots: tuple[Dot, ...] = (),
) -> tuple[Factor, State]:
    """Return a factor with its own contrasts."""
    by_levels = context.lme4.codes_any_vector
    coded = as_factor(object, context.collation) if by_levels else object
    if not isinstance(coded, Factor) or not coded.levels:
        raise DataError(
            "object not interpretable as a factor",
            hint=None if isinstance(coded, Factor) else "write C(factor(...), ...)",
        )
    count = len(coded.levels)
    if count < 2:
        raise DataError(ONE_LEVEL)
    default, called = context.default_contrasts[coded.ordered], bool(dots)
    levels: Value = scalar(count, "integer")
    if by_levels:
        levels = encoded(np.arange(count), coded.levels)
    coding = _coding_of(contr, levels, default, dots, called or how_many is not MISSING)
    if isinstance(coding, Matrix):
        if coding.values.shape[0] != count:
            raise DataError("wrong number of contrast matrix rows")
        coding = complete_contrasts(coding, count - 1 if how_many is MISSING else how_many)
    made = replace(coded, contrasts=coding)
    return made, frozen(made)


@function("contrasts", role="summary", package="stats", rows="distinct")
def _contrasts(x: Value, context: Context, contrasts: bool = True) -> Matrix:
    """Return the coding matrix of a factor."""
    if isinstance(x, Numeric) and x.kind == "logical":
        x = Factor(np.zeros(0, dtype=np.int32), ("FALSE", "TRUE"))
    if not isinstance(x, Factor):
        raise DataError("contrasts apply only to factors")
    names = level_texts(x.levels)
    if not contrasts:
        return Matrix(np.eye(len(names), order="F"), tuple(names))
    if isinstance(x.contrasts, Matrix):
        return x.contrasts
    return coding_matrix(x.contrasts or context.default_contrasts[x.ordered], names)
