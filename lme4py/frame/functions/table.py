"""The table of functions a formula may call: nothing else is reachable from formula text.

An entry is a Python function with R's signature beside it. Arguments are matched
by R's rule (exact name, then unique prefix, then position), so formulas read as in
R. Each entry declares its `role`, which says how it behaves on new rows.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias

from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Node
from lme4py.frame.coding import DEFAULT_CONTRASTS, DefaultContrasts
from lme4py.frame.collation import Collation
from lme4py.frame.values import Value
from lme4py.versions import LME4_2, Lme4

__all__ = [
    "Context",
    "Dot",
    "Function",
    "Role",
    "State",
    "enter_user",
    "function",
    "lookup",
    "match_arguments",
    "names",
    "replays",
]

Role: TypeAlias = Literal["elementwise", "shape", "summary", "basis", "whole"]
"""How a function treats rows.

``elementwise``: row i of the result depends on row i of the arguments only.
``shape``: a vector put together from parts (``c``, ``rep``, ``x[i]``): like
``elementwise`` where the result has one element per row, else like ``summary``.
``summary``: the result is a parameter (a mean, levels, knots), frozen for new rows.
``basis``: row i of the result depends on row i and on a state found from all rows;
the function returns ``(value, state)`` and has a replay.
``whole``: each row may depend on every row and there is no state (``rev``); it
cannot be computed again for new rows.
"""

State: TypeAlias = Mapping[str, Any]
"""What a basis keeps: float arrays, tuples of str, numbers, text, None; plain data for JSON."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know beside its arguments.

    Parameters
    ----------
    rows : int
        Number of rows of the data.
    collation : Collation
        The order of text.
    warn : callable
        Takes the text of a warning (R's words where R has them).
    default_contrasts : tuple of str
        R's ``options(contrasts = )``.
    lme4 : Lme4
        The generation of lme4 and R that is followed.
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


class Compute(Protocol):
    """A function of values."""

    def __call__(self, *arguments: Any, **named: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Function:
    """One entry of the table.

    Parameters
    ----------
    name : str
        R's name.
    signature : str
        R's formal arguments, ``"x, ..., degree = 1"``; an argument with no default
        is required, unless it is written with a trailing ``?`` (R's ``missing``).
    compute : callable
        Called with one keyword per formal argument given by the caller, in lower case
        and with R's dots turned into underscores (``na.rm`` -> ``na_rm``), ``...`` as ``dots``, a
        tuple of `Dot`; and with ``context`` if it has such a parameter. A basis
        returns ``(value, state)``, all others a value.
    role : {"elementwise", "summary", "basis", "whole"}
    package : str
        The R package (``pkg::name`` is accepted for it).
    purpose : str
        One line for the documentation.
    replay : callable, optional
        For a basis: called like `compute` with ``state`` first, returns the value.
    quoted : tuple of str
        Formal arguments that are handed over as syntax trees when they are bare names of
        no variable (``C(f, sum)``).
    words : tuple of str
        What a quoted argument means by itself, even where a variable has that name.
    tables : tuple of str
        Formal arguments of an elementwise function that every row looks things up in
        (``x %in% table``); other vectors are repeated along the rows.
    """

    name: str
    signature: str
    compute: Compute
    role: Role
    package: str = "base"
    purpose: str = ""
    replay: Compute | None = None
    quoted: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def formals(self) -> tuple[str, ...]:
        """Names of the formal arguments, R's spelling."""
        if not self.signature.strip():
            return ()
        return tuple(
            part.partition("=")[0].strip().rstrip("?").strip() for part in self.signature.split(",")
        )

    @property
    def required(self) -> tuple[str, ...]:
        """Formal arguments that must be given."""
        if not self.signature.strip():
            return ()
        parts = [part.strip() for part in self.signature.split(",")]
        return tuple(
            part for part in parts if "=" not in part and not part.endswith("?") and part != "..."
        )

    @property
    def takes_context(self) -> bool:
        """Whether `compute` wants the context."""
        return "context" in inspect.signature(self.compute).parameters


_TABLE: dict[str, Function] = {}
_SUBJECTS = (
    "arithmetic",
    "bare",
    "bases.columns",
    "bases.polynomials",
    "bases.scaling",
    "bases.splines",
    "calendar",
    "comparison",
    "conversions",
    "factors.contrasts",
    "factors.factor",
    "factors.indicators",
    "factors.interaction",
    "factors.intervals",
    "factors.levels",
    "grouped",
    "indexing",
    "logic",
    "mathematics.choices",
    "mathematics.cumulative",
    "mathematics.distributions",
    "mathematics.elementary",
    "mathematics.predicates",
    "mathematics.rounding",
    "mathematics.special",
    "ordering",
    "search",
    "selection",
    "summaries",
    "text",
    "times",
    "vectors.construction",
    "vectors.matrices",
    "vectors.selection",
    "vectors.sequences",
)
_USER: dict[str, Function] = {}


def function(
    name: str,
    signature: str,
    *,
    role: Role,
    package: str = "base",
    purpose: str = "",
    quoted: Sequence[str] = (),
    tables: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Callable[[Compute], Compute]:
    """Return a decorator that enters a Python function into the table under R's `name`."""

    def enter(compute: Compute) -> Compute:
        _TABLE[name] = Function(
            name,
            signature,
            compute,
            role,
            package,
            purpose,
            quoted=tuple(quoted),
            tables=tuple(tables),
            words=tuple(words),
        )
        return compute

    return enter


def replays(name: str) -> Callable[[Compute], Compute]:
    """Return a decorator that enters the replay of the basis `name`."""

    def enter(replay: Compute) -> Compute:
        _TABLE[name] = replace(_TABLE[name], replay=replay)
        return replay

    return enter


@cache
def _load() -> None:
    """Import the subjects, each of which enters its functions."""
    for subject in _SUBJECTS:
        importlib.import_module(f"lme4py.frame.functions.{subject}")


def names() -> list[str]:
    """Return the names of all functions of the table, sorted."""
    _load()
    return sorted({**_TABLE, **_USER})


def enter_user(function: Function) -> None:
    """Enter a user's function; one of R's functions keeps its name."""
    _load()
    if function.name in _TABLE:
        raise DataError(
            f"'{function.name}' is a function of R's that formulas can call already",
            hint="choose another name",
        )
    _USER[function.name] = function


def lookup(name: str, package: str | None = None) -> Function | None:
    """Return the entry called `name`, or None; with `package`, only if it is of that package."""
    _load()
    if package is None and name in _USER:
        return _USER[name]
    entry = _TABLE.get(name)
    if entry is None or (package is not None and package != entry.package):
        return None
    return entry


def match_arguments(
    function: Function, given: Sequence[tuple[str | None, Any]]
) -> tuple[dict[str, Any], list[tuple[str | None, Any]]]:
    """Match call arguments to formal ones as R does: exact names, prefixes, positions.

    Parameters
    ----------
    function : Function
        The entry that is called.
    given : sequence of (name or None, item)
        The arguments as written.

    Returns
    -------
    matched : dict
        Formal argument (R's spelling) to item.
    dots : list of (name or None, item)
        What ``...`` takes.

    Raises
    ------
    DataError
        For an unused, doubled or missing argument, in R's words.
    """
    formals = function.formals
    before = formals[: formals.index("...")] if "..." in formals else formals
    matched: dict[str, Any] = {}
    rest: list[tuple[str | None, Any]] = []
    for name, item in given:
        if name is not None and name in formals and name != "...":
            if name in matched:
                raise DataError(f'formal argument "{name}" matched by multiple actual arguments')
            matched[name] = item
        else:
            rest.append((name, item))
    unnamed: list[tuple[str | None, Any]] = []
    for name, item in rest:
        prefixed = [
            formal
            for formal in before
            if name and formal.startswith(name) and formal not in matched
        ]
        if len(prefixed) == 1:
            matched[prefixed[0]] = item
        elif len(prefixed) > 1:
            raise DataError(
                f"argument '{name}' of {function.name}() matches multiple formal arguments"
            )
        else:
            unnamed.append((name, item))
    free = iter([formal for formal in before if formal not in matched])
    dots: list[tuple[str | None, Any]] = []
    for name, item in unnamed:
        formal = next(free, None) if name is None else None
        if formal is not None:
            matched[formal] = item
        elif "..." in formals:
            dots.append((name, item))
        else:
            hint = nearest(name, formals) if name else None
            raise DataError(
                f"unused argument{f' ({name})' if name else ''} in {function.name}()", hint=hint
            )
    for formal in function.required:
        if formal not in matched:
            raise DataError(f'argument "{formal}" is missing, with no default')
    return matched, dots
