"""The table of functions a formula may call: nothing else is reachable from formula text.

An entry is a Python function and what R calls it. Its formal arguments are read from the
Python signature, once, when it is entered:

===================== ==========================================================================
in Python             in R
===================== ==========================================================================
``na_rm``             ``na.rm``: one underscore is a dot
``ordered__result``   ``ordered_result``: two are an underscore
``from_``             ``from``: a last one, where Python keeps the word for itself, is left out
``dots``              ``...``, a tuple of `Dot`
``context``           none: the `Context` is handed in
``called``            none: the name under which the function was called, where it has several
no default            required
``= MISSING``         may be left out; the function does as R's ``missing()`` says
``= None``            ``= NULL``, and NULL arrives as None
any other default     R's default
===================== ==========================================================================

An argument annotated with ``bool``, ``int``, ``float`` or ``str`` arrives as that: its first
element, or R's error. Arguments are matched by R's rule (exact name, then unique prefix, then
position), so formulas read as in R. Each entry declares its `role`, which says how it behaves
on new rows.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

import lme4py.functions
from lme4py.data.coding import DEFAULT_CONTRASTS, DefaultContrasts
from lme4py.data.collation import Collation
from lme4py.data.values import Character, Matrix, Null, Numeric, Value
from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Node, match_arguments
from lme4py.moments import answered
from lme4py.numerals import LARGEST_INTEGER
from lme4py.versions import LME4_2, Lme4

Role: TypeAlias = Literal["elementwise", "shape", "index", "summary", "basis", "whole"]
"""How a function treats rows.

``elementwise``: row i of the result depends on row i of the arguments only.
``shape``: a vector put together from parts (``c``, ``rep``): like ``elementwise`` where
the result has one element per row, else like ``summary``.
``index``: elements that are picked (``x[i]``): the same, unless rows pick among rows.
``summary``: the result is a parameter (a mean, levels, knots), frozen for new rows.
``basis``: row i of the result depends on row i and on a state found from all rows.
``whole``: each row may depend on every row and there is no state (``rev``); it
cannot be computed again for new rows.
"""

Rows: TypeAlias = Literal["all", "distinct", "extremes"]

Compute: TypeAlias = Callable[..., Any]

State: TypeAlias = Mapping[str, Any]
"""What a basis keeps: values of R's, float arrays, tuples of str, numbers, text, None."""

MISSING: Any = object()
"""The default of an argument that may be left out although R gives it no default."""

NA = Numeric(np.array([np.nan]), "logical")
"""R's NA, as a default."""

TRUE = Numeric(np.array([True]), "logical")
"""R's TRUE, as a default of what may be other than a truth value."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know beside its arguments.

    The number of rows of the data, the order of text, where the text of a warning goes, R's
    ``options(contrasts = )``, and the generation of lme4 and R that is followed.
    """

    rows: int
    collation: Collation
    warn: Callable[[str], None]
    default_contrasts: DefaultContrasts = DEFAULT_CONTRASTS
    lme4: Lme4 = LME4_2


@dataclass(frozen=True, slots=True)
class Dot:
    """One argument that ``...`` took: its name if it had one, its value, its node.

    `rowwise` tells whether the value has one element per row of the data.
    """

    name: str | None
    value: Value
    node: Node | None = None
    rowwise: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """One entry of the table.

    Parameters
    ----------
    name : str
        R's name.
    formals : mapping of str to Parameter
        The formal arguments: the parameters of the Python function, by R's names of them.
    compute : callable
        Called with one keyword per formal argument given by the caller, by its name; ``...``
        as ``dots``; and with ``context``. A basis returns ``(value, state)``, all others a
        value.
    role : {"elementwise", "shape", "index", "summary", "basis", "whole"}
    package : str
        The R package (``pkg::name`` is accepted for it).
    purpose : str
        One line for the documentation.
    replay : callable, optional
        For a basis: called like `compute` with the state first, returns the value.
    quoted : tuple of str
        Formal arguments that are handed over as syntax trees when they are bare names of
        no variable (``C(f, sum)``).
    words : tuple of str
        What a quoted argument means by itself, even where a variable has that name.
    tables : tuple of str
        Formal arguments of an elementwise function that every row looks things up in
        (``x %in% table``); other vectors are repeated along the rows.
    counts : tuple of str
        Formal arguments that may count the rows, of which other data have another number.
    chooses_unit : bool
        Whether R chooses the unit of a difference of times by the rows; new rows keep it.
    rows : {"all", "distinct", "extremes"}
        From which rows a basis or summary finds the same: the first of every value, or those
        of the least, the greatest and a missing number.
    asks : callable, optional
        Of a basis or summary that needs sums of its numbers alone: called like `compute`, it asks
        for these (`moments.Asking`), and returns the state or the value.
    """

    name: str
    formals: Mapping[str, inspect.Parameter]
    compute: Compute
    role: Role
    package: str = "base"
    purpose: str = ""
    replay: Compute | None = None
    quoted: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    chooses_unit: bool = False
    rows: Rows = "all"
    asks: Compute | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """The formal arguments that must be given."""
        return tuple(n for n, at in self.formals.items() if at.default is at.empty and n != "...")


# Options: arguments of one element ------------------------------------------------------------


def as_number(value: Value, name: str) -> float:
    """Return an option that is one number; missing is NaN."""
    if not isinstance(value, Numeric | Matrix | Null):
        raise DataError(f"invalid '{name}' argument")
    size = 0 if isinstance(value, Null) else value.values.size
    if isinstance(value, Null) or size != 1:
        raise DataError(f"invalid '{name}' argument", hint=f"it is one value, not {size}")
    return float(value.values.item())


def as_integer(value: Value, name: str) -> int:
    """Return an option that is one whole number."""
    number = as_number(value, name)
    if not abs(number) <= LARGEST_INTEGER or number != int(number):
        raise DataError(f"invalid '{name}' argument")
    return int(number)


def as_flag(value: Value, name: str) -> bool:
    """Return an option that is TRUE or FALSE."""
    number = as_number(value, name)
    if np.isnan(number):
        raise DataError(f"invalid '{name}' argument")
    return number != 0


def as_string(value: Value, name: str) -> str:
    """Return an option that is one string."""
    if not isinstance(value, Character) or value.codes.size != 1 or value.codes[0] < 0:
        raise DataError(f"invalid '{name}' argument")
    return value.pool[int(value.codes[0])]


# Entries from Python functions --------------------------------------------------------------

_HANDED_IN = ("state", "context", "called")
_CONVERSIONS: Mapping[str, Callable[[Value, str], Any]] = {
    "bool": as_flag,
    "int": as_integer,
    "float": as_number,
    "str": as_string,
}


def _formals(compute: Compute) -> dict[str, inspect.Parameter]:
    """Return the parameters of a Python function by R's names of them, by the rules above."""
    found = {}
    for parameter in inspect.signature(compute).parameters.values():
        given = parameter.name.removesuffix("_").replace("__", "\0").replace("_", ".")
        if parameter.name not in _HANDED_IN:
            found["..." if given == "dots" else given.replace("\0", "_")] = parameter
    return found


def _adapted(compute: Compute, name: str) -> Compute:
    """Return the function as the evaluator calls it: by R's names, with values."""
    formals, parameters = _formals(compute), inspect.signature(compute).parameters
    if "called" in parameters:
        compute = partial(compute, called=name)

    def adapted(*state: State, **given: Any) -> Any:
        named: dict[str, Any] = {}
        for key, value in given.items():
            formal = formals.get("..." if key == "dots" else key)
            if key == "context" and key in parameters:
                named[key] = value
            elif formal is None:
                continue  # a replay takes fewer
            elif value is None and formal.default is formal.empty and key != "dots":
                raise DataError(f'argument "{key}" is missing, with no default')
            elif value is not None:
                annotation = str(formal.annotation)
                wanted = annotation.removesuffix(" | None")
                convert = _CONVERSIONS.get(wanted)
                if wanted != annotation and isinstance(value, Null):
                    named[formal.name] = None
                else:
                    named[formal.name] = value if convert is None else convert(value, key)
        return compute(*state, **named)

    return adapted


def _answering(asks: Compute) -> Compute:
    """Return a function that asks for sums as one that has all rows."""
    return lambda **given: answered(asks(**given))


def _basis(fit: Compute, replay: Compute) -> Compute:
    """Return a basis whose value is what the replay makes of the state that was fitted."""

    def compute(**given: Any) -> tuple[Value, State]:
        made = fit(**given)
        return made if isinstance(made, tuple) else (replay(made, **given), made)

    return compute


def function_entry(
    name: str,
    compute: Compute,
    *,
    replay: Compute | None = None,
    **taken: Any,
) -> Function:
    """Return a Python function as an entry; `taken` are further fields of `Function`."""
    called, again, asks = _adapted(compute, name), None, None
    if inspect.isgeneratorfunction(compute):
        called, asks = _answering(called), called
    if replay is not None:
        again = _adapted(replay, name)
        called = _basis(called, again)
    formals = _formals(compute)
    return Function(name=name, formals=formals, compute=called, replay=again, asks=asks, **taken)


# The table ----------------------------------------------------------------------------------

_TABLE: dict[str, Function] = {}
_F = TypeVar("_F", bound=Callable[..., Any])


def function(names: str | Mapping[str, str], *, role: Role, **taken: Any) -> Callable[[_F], _F]:
    """Return a decorator that enters a Python function into the table.

    `names` is R's name, and the first line of the docstring says its purpose; or a family of
    functions, each with its purpose. `taken` are further fields of `Function`. For a basis,
    `replay` takes the state, then those of the arguments that it has parameters for, and returns
    the value; the decorated function returns the state (its value is then what the replay makes
    of it), or ``(value, state)`` where it finds both in one go. A generator asks for
    the sums that it needs.
    """

    def enter(compute: _F) -> _F:
        purpose = (compute.__doc__ or "").partition("\n")[0].removeprefix("Return ")
        family = {names: purpose[:1].upper() + purpose[1:]} if isinstance(names, str) else names
        for name, what in family.items():
            _TABLE[name] = function_entry(name, compute, role=role, purpose=what, **taken)
        return compute

    return enter


@cache
def _load() -> None:
    """Import the modules beside this one, each of which enters its functions."""
    for module in pkgutil.iter_modules(lme4py.functions.__path__, "lme4py.functions."):
        importlib.import_module(module.name)


def names() -> list[str]:
    """Return the names of all functions of the table, sorted."""
    _load()
    return sorted(_TABLE)


def enter_user(function: Function) -> None:
    """Enter a user's function; one of R's functions keeps its name."""
    _load()
    if function.name in _TABLE and _TABLE[function.name].package != function.package:
        raise DataError(
            f"'{function.name}' is a function of R's that formulas can call already",
            hint="choose another name",
        )
    _TABLE[function.name] = function


def lookup(name: str, package: str | None = None) -> Function | None:
    """Return the entry called `name`, or None; with `package`, only if it is of that package."""
    _load()
    entry = _TABLE.get(name)
    return entry if entry is None or package in (None, entry.package) else None


def arguments_of(
    function: Function, given: Sequence[tuple[str | None, Any]]
) -> tuple[dict[str, Any], list[tuple[str | None, Any]]]:
    """Return the arguments of a call by their formal names, and those that ``...`` takes."""
    matched, dots = match_arguments(function.name, function.formals, given)
    if dots and "..." not in function.formals:
        name = dots[0][0]
        hint = nearest(name, function.formals) if name else None
        raise DataError(
            f"unused argument{f' ({name})' if name else ''} in {function.name}()", hint=hint
        )
    for formal in function.required:
        if formal not in matched:
            raise DataError(f'argument "{formal}" is missing, with no default')
    return matched, dots
