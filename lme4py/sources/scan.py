"""The spec of rows that do not fit into memory, learned in a few sweeps over them.

A sweep reads every block once. The first learns the types of columns and gathers the arguments
of calls that have a state, a mean or knots; a call of such a call takes one sweep more; the next
keeps the rows of the model frame that have all levels, from which everything is learned as it is
in memory; the last looks at the columns of X. What blocks tell is added up, so that other
programs may read them wherever they are: `Scan`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lme4py.argument_types import count_of, flag_of, path_of, refuse_unknown
from lme4py.control import Control
from lme4py.data.coding import with_contrasts
from lme4py.data.columns import Columns, of_other_length
from lme4py.data.schema import adapt
from lme4py.data.values import FloatArray, Numeric, Value, length, time_class
from lme4py.errors import DataError, nearest
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import symbols
from lme4py.formula.terms import terms
from lme4py.frame.evaluate import Scope, closed
from lme4py.frame.modelframe import ModelFrame, Variables, variables_of
from lme4py.frame.state import OPEN, State
from lme4py.learn import Arguments, learn_model, read_model
from lme4py.matrices.fixed import checked_columns
from lme4py.matrices.plan import ModelMatrix, Plan
from lme4py.matrices.rank import clearly_full
from lme4py.messages import Messages
from lme4py.moments import WIDE
from lme4py.sources.partial_frame import POSITIONS, ColumnTypes, SomeRows, Spread, Triangle
from lme4py.sources.row_files import keeping
from lme4py.sources.source import Source, source_of, telling, total_of_partitions
from lme4py.sources.spec_blocks import computed, text_levels
from lme4py.spec.spec import Spec
from lme4py.versions import followed, following

FIRST_ROWS = 4096
_ALL = sys.maxsize
# As `lformula` takes them.
_OTHERS = ("family", "mustart", "etastart")
_OPTIONS = tuple(item.name for item in fields(Arguments) if item.name not in _OTHERS)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Known:
    """What earlier sweeps have found."""

    types: Mapping[str, Value] | None = None  # the columns, without rows
    states: Mapping[str, State] = field(default_factory=dict)  # by the labels of expressions
    rows: int | None = None  # of the source
    first: int = FIRST_ROWS  # how many of the first rows of the model frame are kept
    spec: Spec | None = None  # with every column of X, while these are to be looked at:
    plan: Plan | None = None  # of X
    messages: Messages = field(default_factory=Messages)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Found:
    """What this sweep has found in some rows."""

    rows: int = 0
    types: ColumnTypes = ColumnTypes()
    states: Mapping[str, State] = field(default_factory=dict)
    frame: SomeRows | None = None  # None while a state is open
    X: Triangle | None = None  # in the last sweep
    messages: Messages = field(default_factory=Messages)

    @np.errstate(all="ignore")
    def __add__(self, other: Found) -> Found:
        """Return what these rows tell and those that follow."""
        if not self.rows or not other.rows:
            return other if other.rows else self
        types = self.types.plus(other.types).after(other.types)
        rows, messages = self.rows + other.rows, self.messages + other.messages
        if types.changed:
            return Found(rows=rows, types=types, messages=messages)
        return Found(
            rows=rows,
            types=types,
            states={name: state + other.states[name] for name, state in self.states.items()},
            frame=self.frame + other.frame if self.frame and other.frame else None,
            X=self.X + other.X if self.X and other.X else None,
            messages=messages,
        )


class Scan:
    """What is known of a model whose rows are read block by block, by whatever program.

    A scan goes through sweeps. In each, every block is read once, in any place, and what the
    blocks tell is added up in the order of the rows; then the scan advances:

    .. code-block:: python

        scan = lme4py.Scan(formula, names)
        while not scan.complete:
            parts = [scan.read(block) for block in blocks]      # anywhere
            scan = scan.advance(functools.reduce(operator.add, parts))
        spec = scan.spec()

    A scan is not changed: `read`, ``+`` and `advance` return new ones, which can be pickled.

    Parameters
    ----------
    formula : str or Formula
    names : sequence of str
        The columns of the data.
    exact : bool
        Whether parts that are added have ``mean``, ``scale``, ``sd``, ``var`` and ``sum`` to R's
        last bit. R adds from the first row to the last, so that each part keeps its numbers, 8
        bytes a row. Else it keeps sums, which are R's where one scan reads all blocks in order.
    **options
        As for `lformula`; ``weights``, ``offset`` and ``subset`` are expressions.

    Raises
    ------
    Lme4pyError
        As `lformula`, for what the formula and the options alone tell.

    Examples
    --------
    >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [0, 1, 0, 1], "g": ["a", "a", "b", "b"]}
    >>> scan = Scan("y ~ scale(x) + (1 | g)", data)
    >>> while not scan.complete:
    ...     scan = scan.advance(scan.read(data))
    >>> scan.spec()
    Spec('y ~ scale(x) + (1 | g)': 2 columns of X, 2 levels of Z)
    """

    __slots__ = ("_carries", "_names", "_nodes", "_terms", "_text", "found", "known")

    def __init__(
        self, formula: str | Formula, names: Iterable[str], *, exact: bool = True, **options: Any
    ) -> None:
        messages = Messages()
        self._carries = not flag_of("exact", exact)
        refuse_unknown(options, _OPTIONS)
        self._text = read_model(formula, Arguments(**options), messages)
        for name, expression in self._text.expressions.items():
            if expression is True:
                raise DataError(
                    f"{name.strip('()')} is an expression here, such as the name of a column",
                    hint="values have no place beside rows that are read in blocks",
                )
        try:
            columns = None if isinstance(names, str) else tuple(map(str, names))
        except TypeError:  # an array without dimensions calls itself iterable
            columns = None
        if columns is None:
            raise DataError(f"names must be the names of columns, not {type(names).__name__}")
        self._names = columns
        # Of the formula in which bars are sums; and the expressions of variables and arguments.
        self._terms = terms(self._text.variables, columns)
        self._nodes = self._text.nodes(self._terms)
        control = self._text.control
        whole = bool(control.autoscale) or "rescale" in control.check_scaleX
        self.known = Known(first=_ALL if whole else FIRST_ROWS, messages=messages)
        self.found = Found()

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to find."""
        return self.known.spec is not None and self.known.plan is None

    @property
    def messages(self) -> Messages:
        """What was said so far."""
        return self.known.messages

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        there = {symbol.name for node in self._nodes.values() for symbol in symbols(node)}
        there.update(self._text.attached)
        return tuple(name for name in self._names if name in there)

    def read(self, block: Any, *, levels_grow: bool | None = None) -> Scan:
        """Return the scan with what a block tells besides.

        Parameters
        ----------
        block : data frame
            With the `columns`, at least.
        levels_grow : bool, optional
            Whether a factor whose levels differ by block is one factor with all of them, as
            Arrow and Dask join such columns, or text, as pandas does. By default that depends
            on whose frame it is.

        Returns
        -------
        Scan

        Raises
        ------
        Lme4pyError
            As `lformula`; for a column that is not there or has another type.

        Examples
        --------
        >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "g": ["a", "a", "b", "b"]}
        >>> scan = Scan("y ~ 1 + (1 | g)", data)
        >>> scan.read(data).found.rows
        4
        """
        columns, messages, types = Columns(block), Messages(), self.found.types
        if not columns.rows:
            return self
        with np.errstate(all="ignore"), following(self._text.lme4):
            if self.known.spec is not None:
                found = Found(X=Triangle.of(computed(self.known.spec, block, messages).X))
            else:
                values: dict[str, Any] = {name: columns.get(name) for name in self.columns}
                absent = next((name for name, value in values.items() if value is None), None)
                if absent is not None:
                    hint = nearest(absent, columns.names)
                    raise DataError(f"object '{absent}' not found in the block", hint=hint)
                if self.known.types is None:
                    grow = columns.index is None if levels_grow is None else levels_grow
                    types = types.plus(ColumnTypes.of(values, levels_grow=grow))
                found = self._told(columns.rows, values, types, messages)
        found = replace(found, rows=columns.rows, types=types, messages=messages)
        return self._with(found=self.found + found)

    def _told(
        self, rows: int, values: Mapping[str, Value], types: ColumnTypes, messages: Messages
    ) -> Found:
        """Return what a block tells of states, or of the model frame where all are known."""
        if types.changed:
            return Found()
        columns = BlockColumns(self._names, values, self.known.types or types.known, rows)
        scope = self._text.scope(columns, rows, messages)
        scope = replace(scope, carries=self._carries and WIDE)
        given = {name: text or None for name, text in self._text.expressions.items()}
        states = {**dict.fromkeys(self._nodes, OPEN), **self.known.states}
        variables = variables_of(self._terms, scope, given, states=states)
        if any(state.is_open for state in variables.states.values()):
            return Found(states=variables.states)
        frame = variables.frame(self._text.na_action)
        kept = SomeRows.of(frame, self._groups(frame.variables), self.known.first, rows)
        return Found(states=variables.states, frame=kept)

    def _groups(self, variables: Mapping[str, Value]) -> tuple[tuple[str, ...], ...]:
        """Return the variables of the frame that each grouping expression names."""
        found = []
        for bar in self._text.formula.bars:
            names = dict.fromkeys(symbol.name for symbol in symbols(bar.group))
            found.append(tuple(name for name in names if name in variables))
        return tuple(names for names in dict.fromkeys(found) if names)

    def __add__(self, other: Scan) -> Scan:
        """Return what the rows of both tell; those of `other` follow.

        Raises
        ------
        DataError
            For types of columns that do not go together, and scans of other models.
        """
        if not isinstance(other, Scan):
            return NotImplemented
        if str(other._text.written) != str(self._text.written):
            text = f"scans of other models: {self._text.written} and {other._text.written}"
            raise DataError(text)
        return self._with(found=self.found + other.found)

    def advance(self, found: Scan | None = None) -> Scan:
        """Return the scan for the next sweep, or a complete one.

        Parameters
        ----------
        found : Scan, optional
            What all blocks told; this scan itself by default.

        Returns
        -------
        Scan

        Raises
        ------
        Lme4pyError
            As `lformula`; if there are other rows than in the sweep before.

        Examples
        --------
        >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "g": ["a", "a", "b", "b"]}
        >>> scan = Scan("y ~ 1 + (1 | g)", data)
        >>> scan.advance(scan.read(data)).complete
        True
        """
        if not isinstance(found, Scan | None):
            raise DataError(f"found must be a scan, not {type(found).__name__}")
        total, known = (self if found is None else found).found, self.known
        if known.rows not in (None, total.rows):
            raise DataError(
                f"the source has {total.rows:,} rows where it had {known.rows:,} before",
                hint="it has changed, or can be read only once: "
                "give a function that returns a new iterator of frames each time",
            )
        if not total.rows:
            if not self.columns:  # nothing was read: say what is not there
                with following(self._text.lme4):
                    self._told(1, {}, ColumnTypes(), Messages())
            raise DataError("the source has no rows")
        known = replace(known, rows=total.rows, messages=known.messages + total.messages)
        with np.errstate(all="ignore"), following(self._text.lme4):
            return self._with(known=self._advanced(known, total))

    def _advanced(self, known: Known, total: Found) -> Known:
        """Return what is known after a sweep."""
        if total.X is not None:
            X, control = total.X, self._text.control
            return self._of_columns(known, X.factor, X.spread.deviations, control)
        if known.types is None:
            known = replace(known, types=self._attached(total.types.known))
            if total.types.changed or self._text.attached:
                return known
        if total.frame is not None:
            return self._modelled(known, total, total.frame.reduced())
        scope, nodes = self._scope(known, known.messages), self._nodes
        states = {name: closed(nodes[name], state, scope) for name, state in total.states.items()}
        return replace(known, states={**known.states, **states})

    def spec(self) -> Spec:
        """Return the spec of a scan that is complete.

        Returns
        -------
        Spec

        Raises
        ------
        DataError
            If there are sweeps left.

        Examples
        --------
        >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "g": ["a", "a", "b", "b"]}
        >>> scan = Scan("y ~ 1 + (1 | g)", data)
        >>> scan.advance(scan.read(data)).spec()
        Spec('y ~ 1 + (1 | g)': 1 columns of X, 2 levels of Z)
        """
        if self.known.spec is None or not self.complete:
            raise DataError("the scan is not complete: read all blocks, then advance")
        return self.known.spec

    def _with(self, *, known: Known | None = None, found: Found | None = None) -> Scan:
        made = copy(self)
        made.known = self.known if known is None else known
        made.found = Found() if found is None else found
        return made

    def _scope(self, known: Known, messages: Messages) -> Scope:
        return self._text.scope(BlockColumns(self._names, {}, {}), known.rows or 0, messages)

    def _attached(self, types: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return the types of columns with the contrasts that are attached to some."""
        blank = Numeric(np.zeros(0), "double")
        columns = Columns({name: types.get(name, blank) for name in self._names})
        return {**types, **with_contrasts(columns, self._text.attached).known}

    def _modelled(self, known: Known, total: Found, kept: SomeRows) -> Known:
        """Learn from the rows that were kept as from all rows."""
        messages, types, columns = Messages(), known.types or {}, kept.columns
        positions = columns.pop(POSITIONS).values
        variables = {
            name: adapt(value, types[name], name) if name in types else value
            for name, value in columns.items()
        }
        rows = ModelFrame.of(
            self._terms,
            variables,
            rows=positions.size,
            positions=None if positions.size == total.rows else positions,
            omitted=kept.omitted,
        )
        scope = self._scope(known, messages)
        settled = rows.settled(self._text.variables, scope.context)
        for numbers in (settled.weights, settled.offset):
            numbers()  # an error where they are none
        model = learn_model(
            self._text,
            Variables(
                terms=self._terms, values={}, states=total.states, rows=total.rows, selected=None
            ),
            settled,
            scope,
            messages,
            columns=types,
            rows=kept.rows,
            emptied="no row is left: subset or missing values take all of them",
        )
        known = replace(known, messages=known.messages + messages)
        if positions.size == kept.rows:
            return replace(known, spec=model.spec)
        if model.random.entries.shape[0] >= kept.rows:
            # So many levels: only all rows tell the rank of Z.
            return replace(known, first=_ALL)
        plan = model.fixed.plan
        known = replace(known, spec=model.spec, plan=plan)
        deviations = _deviations(plan, kept.spreads)
        X = model.X if isinstance(model.X, np.ndarray) else model.X.toarray()
        squares = kept.rows * np.square(_bounds(plan))
        if deviations is None or (plan.names and not clearly_full(X.T @ X, squares)):
            return known
        # What some rows leave of a column, all leave: every column stays.
        control = replace(self._text.control, check_rankX="ignore")
        return self._of_columns(known, X, deviations, control)

    def _of_columns(
        self, known: Known, values: FloatArray, deviations: FloatArray, control: Control
    ) -> Known:
        """Choose the columns of X."""
        spec, plan, messages = known.spec, known.plan, Messages()
        if spec is None or plan is None:
            raise DataError("the parts of the scan do not belong together")
        matrix = ModelMatrix.of(plan, np.asfortranarray(values), spreads=deviations)
        context = self._scope(known, messages).context
        _, _, learned = checked_columns(matrix, (), control, context, messages)
        return replace(
            known,
            spec=replace(spec, fixed=learned),
            plan=None,
            messages=known.messages + messages,
        )


def _bounds(plan: Plan) -> FloatArray:
    """Return what no number of X exceeds, column by column; the rows have all extremes."""
    parts = [
        [np.abs(part.take(slice(None))).max() for part in factors] for factors in plan.products
    ]
    return np.array([np.prod(part) for part in parts], dtype=np.float64)


def _deviations(plan: Plan, spreads: Mapping[str, Spread]) -> FloatArray | None:
    """Return the standard deviations of X's columns; None if these variables do not tell them."""
    known = {
        name: float(spread.deviations[0])
        for name, spread in spreads.items()
        if spread.means.size == 1
    }
    found = [
        np.nan if mark else known.get(name)
        for name, mark in zip(plan.names, plan.indicators, strict=True)
    ]
    return None if None in found else np.array(found, dtype=np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class BlockColumns:
    """The columns of a block, on the types that all blocks share."""

    names: tuple[str, ...]  # of all columns of the data
    values: Mapping[str, Value]
    types: Mapping[str, Value]
    rows: int = 0

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""
        if name not in self.values:
            return None
        value = self.values[name]
        if length(value) != self.rows:
            raise of_other_length(name, length(value), self.rows)
        found = adapt(value, self.types[name], name)
        # Whether midnights show the hour is known of all rows only, and matters to older versions.
        if isinstance(value, Numeric) and isinstance(found, Numeric):
            moments = time_class(value.time) == "POSIXct" == time_class(found.time)
            if moments and followed().times_one_by_one:
                return replace(found, time=value.time)
        return found


def scan(
    formula: str | Formula,
    source: Any,
    *,
    rows: int = 500_000,
    spill: str | os.PathLike[str] | None = None,
    exact: bool = True,
    **options: Any,
) -> Spec:
    """Learn the spec of a model whose rows need not fit into memory.

    Parameters
    ----------
    formula : str or Formula
    source : path, glob, frame, or what reads rows
        As for `Spec.blocks`.
    rows : int
        The most rows that are in memory at a time.
    spill : path, optional
        A new folder, in which the columns are kept as numbers and codes. Later sweeps read these,
        and so may `Spec.blocks` and `Spec.crossproducts`: the folder is a source.
    exact : bool
        As for `Scan`: for the partitions of a Dask frame. Of other sources sums are exact, and no
        numbers are kept.
    **options
        As for `lformula`; ``weights``, ``offset`` and ``subset`` are expressions.

    Returns
    -------
    Spec
        The same, number for number, as that of ``lformula`` on all rows in one frame.

    Raises
    ------
    Lme4pyError
        As `lformula`, with the block it arose in; if the source changes, or can be read only
        once.

    Examples
    --------
    >>> import lme4py
    >>> data = lme4py.data.sleepstudy()
    >>> spec = scan("Reaction ~ scale(Days) + (Days | Subject)", data, rows=50)
    >>> spec
    Spec('Reaction ~ scale(Days) + (Days | Subject)': 2 columns of X, 18 levels of Z)
    """
    count_of("rows", rows, 1)
    given = source_of(source)
    folder = None if spill is None else Path(path_of(spill))
    flag_of("exact", exact)
    in_order = given.partitions is None or folder is not None
    found = Scan(formula, given.names, exact=exact and not in_order, **options)
    while not found.complete:
        found = found.advance(_swept(found, given, rows, folder))
        if folder is not None:
            given, folder = source_of(folder), None
    found.messages.tell()
    return found.spec()


def _swept(found: Scan, source: Source, rows: int, folder: Path | None) -> Scan:
    if source.partitions is not None and folder is None:
        read = partial(found.read, levels_grow=True)
        return total_of_partitions(source.partitions, found.columns, read)
    spec = found.known.spec
    blocks = source.blocks(found.columns, rows, None if spec is None else text_levels(spec))
    for block in blocks if folder is None else keeping(folder, blocks):
        with telling(block.place):
            found = found.read(block.columns, levels_grow=block.levels_grow)
    return found
