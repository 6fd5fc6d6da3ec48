"""Contrasts: the coding matrices contr.*, C and contrasts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Constant, Symbol, Text
from lme4py.frame.coding import CONTRASTS, coding_matrix, complete_contrasts
from lme4py.frame.functions.coercion import as_flag, as_integer, as_number, as_string, flat
from lme4py.frame.functions.factors.stored import frozen, level_texts, strings_of, thawed
from lme4py.frame.functions.table import Context, Dot, State, function, replays
from lme4py.frame.values import (
    Character,
    Factor,
    FunctionName,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
)

ONE_LEVEL = "contrasts can be applied only to factors with 2 or more levels"
_SHORT = {
    "poly": "contr.poly",
    "helmert": "contr.helmert",
    "sum": "contr.sum",
    "treatment": "contr.treatment",
    "SAS": "contr.SAS",
}
_MOST_CODED = 5_000


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def _levels_argument(n: Value, name: str) -> tuple[str, ...]:
    """Return the levels that the first argument of a contrast function stands for."""
    if isinstance(n, Numeric) and n.values.size == 1:
        count = as_number(n, "n")
        if math.isnan(count) or (count <= 1 and name != "contr.poly"):
            raise DataError("not enough degrees of freedom to define contrasts")
        if count > _MOST_CODED:
            raise DataError(f"a coding matrix of more than {_MOST_CODED} levels")
        return _numbered(int(count))
    if length(n) > _MOST_CODED:
        raise DataError(f"a coding matrix of more than {_MOST_CODED} levels")
    return tuple(level_texts(strings_of(n)))


def _options(name: str, given: dict[str, Value | None]) -> dict[str, Any]:
    """Return the options of a contrast function as Python values."""
    options: dict[str, Any] = {}
    for option, value in given.items():
        if value is None or option in ("sparse", "n"):
            continue
        if option == "contrasts":
            options[option] = as_flag(value, option)
        elif option == "base":
            options[option] = as_number(value, option)
        elif option == "scores":
            options[option] = flat(value, "'scores' must all be different numbers")[0]
        else:
            raise DataError(f"unused argument ({option}) in {name}()")
    return options


def _enter_contrast(name: str, signature: str) -> Callable[..., Matrix]:
    def compute(n: Value, **given: Value | None) -> Matrix:
        return coding_matrix(name, _levels_argument(n, name), **_options(name, given))

    compute.__doc__ = f"Return R's ``{name}``."
    function(
        name, signature, role="summary", package="stats", purpose="a coding matrix for a factor"
    )(compute)
    return compute


contr_treatment = _enter_contrast(
    "contr.treatment", "n, base = 1, contrasts = TRUE, sparse = FALSE"
)
contr_sas = _enter_contrast("contr.SAS", "n, contrasts = TRUE, sparse = FALSE")
contr_sum = _enter_contrast("contr.sum", "n, contrasts = TRUE, sparse = FALSE")
contr_helmert = _enter_contrast("contr.helmert", "n, contrasts = TRUE, sparse = FALSE")
contr_poly = _enter_contrast("contr.poly", "n, scores?, contrasts = TRUE, sparse = FALSE")


def _coding_of(
    contr: Any, count: int, default: str, options: dict[str, Value | None] | None
) -> str | Matrix:
    """Return what C() attaches: the name of a contrast function, or a matrix.

    `contr` is a syntax tree, or a value where it was evaluated. R calls a function
    that is given by its own symbol with the number of levels, so its columns are
    named by numbers; one given by text or a short name is only remembered.
    """
    called = False
    match contr:
        case None:
            name = default
        case Symbol():
            name = _SHORT.get(contr.name, contr.name)
            called = contr.name not in _SHORT
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
        case Null() | Constant(name="NULL"):
            name = default
        case _:
            raise DataError("numeric contrasts or contrast name expected")
    if name not in CONTRASTS:
        raise DataError(
            f"object '{name}' of mode 'function' was not found", hint=nearest(name, CONTRASTS)
        )
    if not called and options is None:
        return name
    return coding_matrix(name, _numbered(count), **_options(name, options or {}))


@function(
    "C",
    "object, contr?, how.many?, ...",
    role="basis",
    package="stats",
    purpose="a factor with its own contrasts",
    quoted=("contr",),
    words=tuple(_SHORT),
)
def with_contrasts(
    object: Value,
    context: Context,
    contr: Any = None,
    how_many: Value | None = None,
    dots: tuple[Dot, ...] = (),
) -> tuple[Factor, State]:
    """Return R's ``C``."""
    # R takes neither text nor truth for a factor here.
    if not isinstance(object, Factor) or not object.levels:
        raise DataError(
            "object not interpretable as a factor",
            hint=None if isinstance(object, Factor) else "write C(factor(...), ...)",
        )
    made = object
    if len(made.levels) < 2:
        raise DataError(ONE_LEVEL)
    options: dict[str, Value | None] | None = None
    if dots or how_many is not None:
        options = {}
        for place, dot in enumerate(dots):
            options[dot.name or ("base", "contrasts")[min(place, 1)]] = dot.value
    default = context.default_contrasts[made.ordered]
    coding = _coding_of(contr, len(made.levels), default, options)
    if isinstance(coding, Matrix):
        count = len(made.levels)
        if coding.values.shape[0] != count:
            raise DataError("wrong number of contrast matrix rows")
        wanted = count - 1 if how_many is None else as_integer(how_many, "how.many")
        coding = complete_contrasts(coding, wanted)
    made = Factor(made.codes, made.levels, made.ordered, coding)
    state = {
        **frozen(made),
        "contrasts": coding if isinstance(coding, str) else None,
        "matrix": coding.values if isinstance(coding, Matrix) else None,
        "names": coding.names if isinstance(coding, Matrix) else None,
    }
    return made, state


@replays("C")
def with_contrasts_again(state: State, object: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels and contrasts."""
    del options
    made = thawed(state, object, "C")
    coding: str | Matrix
    if state["matrix"] is None:
        coding = str(state["contrasts"])
    else:
        names = None if state["names"] is None else tuple(state["names"])
        coding = Matrix(np.asfortranarray(state["matrix"], dtype=np.float64), names)
    return Factor(made.codes, made.levels, made.ordered, coding)


@function(
    "contrasts",
    "x, contrasts = TRUE",
    role="summary",
    package="stats",
    purpose="the coding matrix of a factor",
)
def contrasts(x: Value, context: Context, contrasts: Value | None = None) -> Matrix:
    """Return R's ``contrasts``."""
    if isinstance(x, Numeric) and x.kind == "logical":
        x = Factor(np.zeros(0, dtype=np.int32), ("FALSE", "TRUE"))
    if not isinstance(x, Factor):
        raise DataError("contrasts apply only to factors")
    names = level_texts(x.levels)
    if contrasts is not None and not as_flag(contrasts, "contrasts"):
        return Matrix(np.eye(len(names), order="F"), tuple(names))
    if isinstance(x.contrasts, Matrix):
        return x.contrasts
    return coding_matrix(x.contrasts or context.default_contrasts[x.ordered], names)
