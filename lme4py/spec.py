"""What new rows need: the model as a recipe that holds no data.

A spec keeps types and levels of columns, contrasts, the parameters and states that
functions found in the model's data, which columns of X were kept, and the levels of
the grouping factors in their order. Any row can then be computed alone: its numbers
depend on that row and the spec, not on the rows beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, FormulaError, Lme4pyError, nearest
from lme4py.formula.bars import Bar
from lme4py.formula.formula import Formula
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Symbol, call, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.frame.collation import Collation
from lme4py.frame.columns import value_of
from lme4py.frame.evaluate import Scope, evaluate, evaluate_rows, stored_keys
from lme4py.frame.factors import factor_of
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.plain import from_plain, to_plain, type_from_plain, type_to_plain
from lme4py.frame.rows import missing, rows_text
from lme4py.frame.schema import (
    ColumnType,
    Levels,
    NewColumns,
    known_levels,
    place_levels,
    type_of,
    unknown_levels,
)
from lme4py.frame.values import (
    Character,
    Factor,
    FloatArray,
    Matrix,
    Null,
    Numeric,
    Value,
    length,
    take,
)
from lme4py.matrices.grouping import Factors, group_value
from lme4py.matrices.mixed import MixedMatrices
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.rank import rank_of
from lme4py.matrices.reterms import RandomTerm, random_effects
from lme4py.messages import Messages

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

__all__ = ["Group", "NewRows", "Spec", "spec_of"]

NewLevels: TypeAlias = Literal["error", "zero"]

_FORMAT = "lme4py.Spec"
_VERSION = 1
_NA_ACTIONS = {
    name: name.removeprefix("na.")
    for action in ("omit", "exclude", "fail", "pass")
    for name in (action, f"na.{action}")
}


@dataclass(frozen=True, eq=False)
class NewRows:
    """The matrices of new rows.

    Parameters
    ----------
    X : ndarray of float64, shape (m, p), Fortran order
        Fixed-effects model matrix.
    Zt : csc_array, shape (q, m)
        Transposed random-effects model matrix.
    offset : ndarray of float64, shape (m,), or None
        The sum of the model's offsets.
    positions : ndarray of int64, shape (m,)
        The row of the new data, from 0, that each row was: those with missing values
        may be left out.
    """

    X: FloatArray
    Zt: csc_array
    offset: FloatArray | None
    positions: NDArray[np.int64]

    @cached_property
    def Z(self) -> csr_array:
        """Random-effects model matrix, shape (m, q): the transpose of `Zt`, sharing its arrays."""
        return self.Zt.T

    def __repr__(self) -> str:
        rows, columns = self.X.shape
        return f"NewRows({rows} rows: X {rows} x {columns}, Zt {self.Zt.shape[0]} x {rows})"


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """The grouping factor of one bar.

    Parameters
    ----------
    levels : tuple of str
        In the order of the rows of Zt.
    ordered : bool
        Whether it is an ordered factor.
    frozen : mapping of str to object
        Parameters and states of the functions in the grouping expression.
    """

    levels: tuple[str, ...]
    ordered: bool
    frozen: Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Spec:
    """A model as a recipe for new rows; ``design.spec`` is one.

    Parameters
    ----------
    formula : Formula
        The formula, ``||`` expanded.
    names : tuple of str
        Columns of the model's data, which ``.`` stands for.
    columns : mapping of str to ColumnType
        Type and levels of those that new rows need.
    frame_names : tuple of str
        Labels of the model frame's variables.
    variables : mapping of str to ColumnType
        Type and levels of the variables that new rows need.
    grouping : mapping of str to tuple of str
        Levels of the variables that grouping expressions name.
    groups : tuple of Group
        One for each bar, in the order of the formula.
    frozen : mapping of str to object
        Parameters and states by the text of their expressions: a mean, knots.
    contrasts : mapping of str to (str or Matrix)
        Of every factor in X.
    kept : tuple of int
        Columns of the full model matrix that X has.
    names_of_X : tuple of str
        Names of X's columns.
    centers, divisors : tuple of float
        What is taken off each column of X, and what it is divided by; 0 and 1 for none.
    collation, na_action : str
        As the model was made.
    offset : str or bool
        The expression of the ``offset`` argument; True if it was given as values.
    env : mapping of str to object
        Functions and variables the formula uses besides; not saved.
    """

    formula: Formula
    names: tuple[str, ...]
    columns: Mapping[str, ColumnType]
    frame_names: tuple[str, ...]
    variables: Mapping[str, ColumnType]
    grouping: Mapping[str, Levels]
    groups: tuple[Group, ...]
    frozen: Mapping[str, Any]
    contrasts: Mapping[str, str | Matrix]
    kept: tuple[int, ...]
    names_of_X: tuple[str, ...]
    centers: tuple[float, ...]
    divisors: tuple[float, ...]
    collation: str
    na_action: str
    offset: str | bool
    env: Mapping[str, Any] = field(default_factory=dict)

    def apply(
        self,
        newdata: Any,
        *,
        new_levels: NewLevels = "error",
        na_action: str | None = None,
        offset: Any = None,
        env: Mapping[str, Any] | None = None,
    ) -> NewRows:
        """Return the matrices of new rows, with everything frozen as the model found it.

        Parameters
        ----------
        newdata : pandas, polars or pyarrow frame, or mapping of arrays
            The columns the right-hand side needs; the response need not be there.
        new_levels : {"error", "zero"}
            What a level of a grouping factor does that the model did not have: stop, or
            leave the row without random effects of that term (R's ``allow.new.levels``).
            A new level of a factor in X always stops.
        na_action : {"omit", "exclude", "fail", "pass"}, optional
            What happens to rows with missing values; as for the model if not given.
            With "pass" they stay: NaN in X, nothing in Z where the group is missing.
        offset : array-like or str, optional
            The ``offset`` argument for the new rows; needed if the model's was given as
            values, for those say nothing of new rows.
        env : mapping, optional
            Functions and variables besides those the model was made with; a spec that
            was loaded needs its functions here, or registered.

        Returns
        -------
        NewRows

        Raises
        ------
        DataError
            For a missing column, another type, a new level (which is named).
        FormulaError
            For functions of all rows together, such as ``rank(x)``.

        Notes
        -----
        Given rows of the model's data, in any order, the rows of X and Z come back as
        they were; ``poly``, which is computed by its recurrence here as in R's
        ``predict``, to about 1e-13 of its scale. R itself computes ``mean(x)``,
        ``cut(x, 3)``, ``quantile(x)`` anew from the new rows; here they are frozen.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ scale(Days) + (Days | Subject)", lme4py.data.sleepstudy())
        >>> rows = design.spec.apply({"Days": [0, 20], "Subject": ["308", "new"]},
        ...                          new_levels="zero")
        >>> rows.X.round(3).tolist(), rows.Z.toarray()[:, :2].tolist()
        ([[1.0, -1.562], [1.0, 5.381]], [[1.0, 0.0], [0.0, 0.0]])
        """
        if new_levels not in ("error", "zero"):
            raise DataError(f"unknown new_levels {new_levels!r}", hint="error or zero")
        action = self.na_action if na_action is None else _NA_ACTIONS.get(str(na_action))
        if action is None:
            raise DataError(
                f"unknown na_action {na_action!r}",
                hint=nearest(str(na_action), _NA_ACTIONS) or "omit, exclude, fail, pass",
            )
        messages = Messages()
        try:
            with np.errstate(all="ignore"):
                return self._apply(newdata, new_levels, action, offset, env or {}, messages)
        finally:
            messages.tell(stacklevel=3)

    def _apply(
        self,
        newdata: Any,
        new_levels: NewLevels,
        action: str,
        offset: Any,
        env: Mapping[str, Any],
        messages: Messages,
    ) -> NewRows:
        columns = NewColumns(newdata, self.names, self.columns)
        collation = Collation(self.collation)
        scope = Scope(
            columns,
            {**self.env, **env},
            Context(columns.rows, collation, messages.warn),
            dict(self.frozen),
            replaying=True,
        )
        expanded = self._terms
        values = {
            name: _new_value(name, node, scope, columns)
            for name, node in zip(expanded.frame_names, expanded.variables, strict=True)
            if name in self.variables
        }
        extra = self._offset(offset, scope)
        if extra is not None:
            values["(offset)"] = extra
        positions = _kept_rows(values, columns.rows, action)
        frame = _NewFrame(
            self.frame_names,
            None if expanded.response is None else expanded.frame_names[expanded.response],
            {name: take(value, positions) for name, value in values.items()},
            self.variables,
            len(positions),
        )
        inner = replace(scope, context=replace(scope.context, rows=frame.rows))
        terms_of_bars = [
            self._random_term(bar, group, frame, inner, new_levels)
            for bar, group in zip(self.formula.bars, self.groups, strict=True)
        ]
        offsets = [expanded.frame_names[place] for place in expanded.offsets]
        return NewRows(
            self._matrix(frame, collation),
            random_effects(terms_of_bars, frame.rows).Zt,
            frame.offset(offsets),
            positions,
        )

    @cached_property
    def _terms(self) -> Terms:
        return terms(self.formula.subbars().node, self.names)

    def _offset(self, given: Any, scope: Scope) -> Value | None:
        """Return the offset argument of the new rows."""
        if given is None and not self.offset:
            return None
        if given is None and self.offset is True:
            raise DataError(
                "the model's offset was given as values, which new rows do not have",
                hint="give offset= for the new rows, or the model's as an expression",
            )
        expression = self.offset if given is None else given
        if isinstance(expression, str):
            value = evaluate(parse(expression), scope)
        else:
            value = value_of(expression)
        if isinstance(value, Null):
            return None
        if not isinstance(value, Numeric) or length(value) != scope.context.rows:
            raise DataError(
                f"the offset must be {scope.context.rows} numbers, one for each new row"
            )
        return value

    def _matrix(self, frame: _NewFrame, collation: Collation) -> FloatArray:
        expanded = terms(self.formula.nobars().node, self.frame_names)
        contrasts = self.contrasts
        if frame.response is not None and frame.response not in frame.values:
            # "." may stand for the response under a second name, of which no column is made.
            twin = f"{frame.response}."
            contrasts = {
                name: item for name, item in contrasts.items() if not name.startswith(twin)
            }
        layout = plan(expanded, frame, frame.rows, collation, contrasts)
        if max(self.kept, default=-1) >= len(layout.names) or any(
            layout.names[place] != name
            for place, name in zip(self.kept, self.names_of_X, strict=True)
        ):
            raise DataError("the spec does not fit its formula: it names other columns of X")
        values = np.empty((frame.rows, len(self.kept)), order="F")
        for target, source in enumerate(self.kept):
            column = layout.column(source)
            if self.centers[target] != 0.0:
                column -= self.centers[target]
            if self.divisors[target] != 1.0:
                column /= self.divisors[target]
            values[:, target] = column
        return values

    def _random_term(
        self, bar: Bar, group: Group, frame: _NewFrame, scope: Scope, new_levels: NewLevels
    ) -> RandomTerm:
        factors = _NewFactors(frame, self.grouping, closed=not _joins_names(bar.group))
        inner = replace(scope, frozen=dict(group.frozen))
        try:
            found = group_value(bar, factors, inner)
        except FormulaError as error:
            raise DataError(
                f"couldn't evaluate grouping factor {bar.group_name} for the new rows: "
                f"{error.message}",
                error.span or bar.group.span,
                error.hint,
            ) from None
        if found.codes.size != frame.rows:
            raise DataError(
                f"the grouping factor {bar.group_name} has {found.codes.size} elements for "
                f"{frame.rows} rows",
                bar.group.span,
            )
        if new_levels == "error":
            factors.refuse_unknown(bar)
        placed = place_levels(found, group.levels)
        codes = placed.codes
        if len(placed.levels) > len(group.levels):
            lost = codes >= len(group.levels)
            # A missing part is no new level: the row has no level at all.
            known = lost & ~factors.unknown_parts(bar)
            if new_levels == "error" and bool(known.any()):
                new = [str(placed.levels[code]) for code in np.unique(codes[known])]
                raise _new_group_levels(bar.group_name, new, group.levels, bar)
            codes = np.where(lost, np.int32(-1), codes)
        left = call("~", bar.effects, span=bar.effects.span)
        columns = plan(
            terms(left, self.frame_names),
            factors.with_groups(bar),
            frame.rows,
            Collation(self.collation),
        )
        return RandomTerm(bar, Factor(codes, group.levels, group.ordered), columns)

    def __repr__(self) -> str:
        return f"Spec({str(self.formula)!r}: {len(self.kept)} columns of X, {self.rows_of_Zt} of Z)"

    @property
    def rows_of_Zt(self) -> str:
        """The numbers of levels of the grouping factors, as text."""
        return " + ".join(f"{len(group.levels)} levels" for group in self.groups)

    def to_json(self) -> str:
        """Return the spec as JSON text, every number to the last bit.

        Raises
        ------
        DataError
            If the state of a registered function is no plain data.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> spec = lme4py.Spec.from_json(design.spec.to_json())
        >>> spec.apply({"Days": [3], "Subject": ["309"]}).X
        array([[1., 3.]])
        """
        text, expansion = _writing(self.formula)
        plain = {
            "format": _FORMAT,
            "version": _VERSION,
            "formula": text,
            "double_bar": expansion,
            "names": list(self.names),
            "columns": {name: type_to_plain(item) for name, item in self.columns.items()},
            "frame_names": list(self.frame_names),
            "variables": {name: type_to_plain(item) for name, item in self.variables.items()},
            "grouping": {name: list(levels) for name, levels in self.grouping.items()},
            "groups": [
                {
                    "levels": list(group.levels),
                    "ordered": group.ordered,
                    "frozen": _frozen_to_plain(group.frozen),
                }
                for group in self.groups
            ],
            "frozen": _frozen_to_plain(self.frozen),
            "contrasts": {name: to_plain(item) for name, item in self.contrasts.items()},
            "kept": list(self.kept),
            "names_of_X": list(self.names_of_X),
            "centers": to_plain(self.centers),
            "divisors": to_plain(self.divisors),
            "collation": self.collation,
            "na_action": self.na_action,
            "offset": self.offset,
        }
        return json.dumps(plain, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Return the spec that `to_json` wrote. Nothing in the text is run as code.

        Parameters
        ----------
        text : str
            JSON.

        Raises
        ------
        DataError
            If the text is no spec, damaged, or of a newer version.
        """
        try:
            plain = json.loads(text)
            return cls._from_plain(plain)
        except DataError:
            raise
        except Lme4pyError as error:
            raise DataError(f"not a saved spec: {error.message}") from error
        except (
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise DataError(f"not a saved spec: {type(error).__name__}: {error}") from error

    @classmethod
    def _from_plain(cls, plain: Any) -> Spec:
        if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
            raise DataError("not a saved spec: the text does not say so")
        version = plain.get("version")
        if version != _VERSION:
            raise DataError(
                f"a spec of version {version!r}; this lme4py reads version {_VERSION}",
                hint="a newer lme4py may read it",
            )
        formula = _read_formula(plain["formula"], plain["double_bar"])
        spec = cls(
            formula,
            _read_texts(plain["names"]),
            {name: type_from_plain(item) for name, item in plain["columns"].items()},
            _read_texts(plain["frame_names"]),
            {name: type_from_plain(item) for name, item in plain["variables"].items()},
            {name: _read_texts(item, missing=True) for name, item in plain["grouping"].items()},
            tuple(
                Group(
                    _read_texts(item["levels"]),
                    bool(item["ordered"]),
                    _frozen_from_plain(item["frozen"]),
                )
                for item in plain["groups"]
            ),
            _frozen_from_plain(plain["frozen"]),
            {name: from_plain(item) for name, item in plain["contrasts"].items()},
            tuple(plain["kept"]),
            tuple(plain["names_of_X"]),
            _read_floats(plain["centers"]),
            _read_floats(plain["divisors"]),
            plain["collation"],
            plain["na_action"],
            plain["offset"],
        )
        spec._check()
        return spec

    def _check(self) -> None:
        """Raise an error if the parts do not fit together."""
        Collation(self.collation)
        width = len(self.kept)
        contrasts = self.contrasts.values()
        fits = (
            len(self.names_of_X) == len(self.centers) == len(self.divisors) == width
            and all(type(place) is int and place >= 0 for place in self.kept)
            and all(isinstance(name, str) for name in self.names_of_X)
            and len(self.groups) == len(self.formula.bars) > 0
            and all(group.levels for group in self.groups)
            and all(isinstance(item, str | Matrix) for item in contrasts)
            and self.na_action in ("omit", "exclude", "fail", "pass")
            and (isinstance(self.offset, str | bool))
        )
        if not fits:
            raise DataError("not a saved spec: its parts do not fit together")


# New rows ---------------------------------------------------------------------------------


def _new_value(name: str, node: Node, scope: Scope, columns: NewColumns) -> Value:
    """Return a variable of the model frame for the new rows."""
    if isinstance(node, Symbol):
        # New levels may be allowed; whoever uses the variable knows.
        value = columns.get_open(node.name)
        if value is not None:
            return value
    value = evaluate_rows(node, scope)
    if length(value) != scope.context.rows:
        raise DataError(
            f"variable lengths differ (found for '{name}')",
            node.span,
            f"it has {length(value)} elements, the new data have {scope.context.rows} rows",
        )
    return value


def _kept_rows(values: Mapping[str, Value], rows: int, action: str) -> NDArray[np.int64]:
    """Return the positions of the rows that stay."""
    lost = np.zeros(rows, dtype=np.bool_)
    if action != "pass":
        for name, value in values.items():
            found = missing(value)
            if found is None:
                continue
            if action == "fail":
                raise DataError("missing values in object", hint=f"'{name}': {rows_text(found)}")
            lost |= found
    return np.flatnonzero(~lost)


@dataclass(frozen=True, eq=False, slots=True)
class _NewFrame:
    """The model frame of the new rows; factors on the model's levels."""

    names: tuple[str, ...]
    response: str | None
    values: Mapping[str, Value]
    types: Mapping[str, ColumnType]
    rows: int

    def get(self, name: str) -> Value | None:
        """Return a variable as the model had it, or None."""
        value = self.values.get(name)
        if value is not None:
            return self.types[name].adapt(value, name) if name in self.types else value
        if name == self.response:
            # A name here, no values: no column is made of it.
            return Numeric(np.zeros(self.rows), "double")
        if name in self.names:
            raise FormulaError(
                f"X has a column of the argument '{name.strip('()')}', for which '.' stands "
                "too: it has no values for new rows"
            )
        return None

    def offset(self, names: Sequence[str]) -> FloatArray | None:
        """Return the sum of the offsets."""
        parts = [self.values[name] for name in (*names, "(offset)") if name in self.values]
        total: FloatArray | None = None
        for part in parts:
            if isinstance(part, Numeric):
                numbers = part.as_float()
            elif isinstance(part, Matrix) and part.values.shape[1] == 1:
                numbers = part.values[:, 0]
            else:
                raise DataError("'offset' must be a numeric vector")
            total = numbers if total is None else total + numbers
        return total


class _NewFactors:
    """The variables that a bar's group names, as factors on the model's levels.

    Levels the model did not have stand behind the known ones; where `closed`, they
    are missing values.
    """

    def __init__(self, frame: _NewFrame, levels: Mapping[str, Levels], closed: bool) -> None:
        self.frame = frame
        self.levels = levels
        self._closed = closed
        self._open: dict[str, Factor] = {}

    def open(self, name: str) -> Factor | None:
        """Return a variable as a factor, new levels behind the known ones."""
        if name not in self.levels or name not in self.frame.values:
            return None
        if name not in self._open:
            value = self.frame.values[name]
            if isinstance(value, Matrix):
                raise DataError(f"a matrix cannot be a grouping factor: '{name}'")
            if isinstance(value, Numeric):
                value = factor_of(value, Collation("C"))
            if not isinstance(value, Character | Factor):
                raise DataError(f"'{name}' cannot be a grouping factor")
            placed = place_levels(value, self.levels[name])
            kind = self.frame.types[name]
            ordered = kind.kind == "factor" and kind.ordered
            self._open[name] = Factor(placed.codes, placed.levels, ordered)
        return self._open[name]

    def get(self, name: str) -> Factor | None:
        """Return a variable as a factor, or None where there is none."""
        found = self.open(name)
        if found is None or not self._closed:
            return found
        known = self.levels[name]
        codes = np.where(found.codes < len(known), found.codes, np.int32(-1))
        return Factor(codes, known, found.ordered)

    def refuse_unknown(self, bar: Bar) -> None:
        """Raise an error if a variable that the group names has a new level."""
        for symbol in symbols(bar.group):
            found = self.open(symbol.name)
            if found is not None and len(found.levels) > len(self.levels[symbol.name]):
                known = self.levels[symbol.name]
                new = [str(level) for level in found.levels[len(known) :]]
                raise _new_group_levels(symbol.name, new, known, bar)

    def unknown_parts(self, bar: Bar) -> NDArray[np.bool_]:
        """Return the rows where a variable that the group names is missing."""
        lost = np.zeros(self.frame.rows, dtype=np.bool_)
        for symbol in symbols(bar.group):
            found = self.open(symbol.name)
            if found is not None:
                lost |= found.codes < 0
        return lost

    def with_groups(self, bar: Bar) -> _LeftFrame:
        """Return the frame as the left side of a bar sees it."""
        return _LeftFrame(self, frozenset(symbol.name for symbol in symbols(bar.group)))


@dataclass(frozen=True, eq=False, slots=True)
class _LeftFrame:
    """The frame in which what the group names are factors, as in lme4."""

    factors: _NewFactors
    grouping: frozenset[str]

    @property
    def names(self) -> Sequence[str]:
        """Names of the variables."""
        return self.factors.frame.names

    def get(self, name: str) -> Value | None:
        """Return a variable, or None."""
        if name not in self.grouping:
            return self.factors.frame.get(name)
        found = self.factors.open(name)
        if found is None:
            return self.factors.frame.get(name)
        known = self.factors.levels[name]
        if len(found.levels) > len(known):
            raise unknown_levels(name, found.levels, known)
        return replace(found, contrasts=self.factors.frame.types[name].contrasts)


def _joins_names(group: Node) -> bool:
    """Tell whether a group is a name, or names joined by ``:``."""
    pending = [group]
    while pending:
        node = pending.pop()
        if isinstance(node, Call):
            if node.name not in (":", "("):
                return False
            pending.extend(node.operands)
    return True


def _new_group_levels(name: str, new: Sequence[str], known: Levels, bar: Bar) -> DataError:
    shown = ", ".join(f"'{level}'" for level in new[:8]) + (", ..." if len(new) > 8 else "")
    hint = known_levels([f"'{level}'" for level in new], known)
    return DataError(
        f"new levels detected in newdata: {shown} of the grouping factor {name}",
        bar.group.span,
        f'{hint}; new_levels="zero" gives such rows no random effect',
    )


# From a model -----------------------------------------------------------------------------


def spec_of(matrices: MixedMatrices) -> Spec:
    """Return what new rows need of a model."""
    origin = matrices.origin
    if origin is None:
        raise DataError("this design was not made from a data frame, so it has no spec")
    formula, frame = matrices.formula, matrices.model_frame
    expanded = terms(formula.subbars().node, origin.names)
    nodes = dict(zip(expanded.frame_names, expanded.variables, strict=True))
    needed = {
        name: node
        for name, node in nodes.items()
        if name != frame.response or _uses_response(formula, frame, name)
    }
    offset = origin.offset if isinstance(origin.offset, str) else origin.offset is not None
    reads = [*needed.values(), *([parse(offset)] if isinstance(offset, str) else [])]
    read_names = {symbol.name for node in reads for symbol in symbols(node)}
    factors = Factors(frame, Collation(origin.collation))
    grouping: dict[str, Levels] = {}
    for bar in formula.bars:
        for symbol in symbols(bar.group):
            found = factors.get(symbol.name)
            if found is not None:
                grouping[symbol.name] = found.levels
    plan_of_X = matrices.fixed.plan
    names_of_X = tuple(matrices.fixed.names)
    return Spec(
        formula,
        origin.names,
        {name: item for name, item in origin.columns.items() if name in read_names},
        frame.names,
        {name: _settled_type(frame.variables[name], origin.collation) for name in needed},
        grouping,
        _groups(matrices, factors, origin.env),
        stored_keys(reads, origin.frozen),
        dict(matrices.fixed.contrasts),
        _kept_columns(matrices, len(plan_of_X.names)),
        names_of_X,
        tuple(float(matrices.fixed.centers.get(name, 0.0)) for name in names_of_X),
        tuple(float(matrices.fixed.scales.get(name, 1.0)) for name in names_of_X),
        origin.collation,
        origin.na_action,
        offset,
        dict(origin.env),
    )


def _settled_type(value: Value, collation: str) -> ColumnType:
    """Return the type of a variable of the frame; text is a factor by its levels there."""
    if isinstance(value, Character):
        value = factor_of(value, Collation(collation))
    return type_of(value)


def _uses_response(formula: Formula, frame: ModelFrame, response: str) -> bool:
    """Tell whether the right-hand side makes columns or groups of the response."""
    fixed = terms(formula.nobars().node, frame.names)
    # A term that is the response alone is dropped; "." may stand for it by another name.
    alone = 0 if fixed.response is None else 1 << fixed.response
    for term in fixed.members:
        if term != alone and response in (fixed.frame_names[i] for i in fixed.positions(term)):
            return True
    for bar in formula.bars:
        if any(symbol.name == response for symbol in symbols(bar.group)):
            return True
        if response in terms(call("~", bar.effects), frame.names).frame_names:
            return True
    return False


def _groups(matrices: MixedMatrices, factors: Factors, env: Mapping[str, Any]) -> tuple[Group, ...]:
    context = Context(factors.frame.rows, factors.collation, lambda _text: None)
    stored = matrices.random
    by_place = dict(zip(stored.order.tolist(), stored.terms, strict=True))
    groups = []
    for place, bar in enumerate(matrices.formula.bars):
        frozen: dict[str, Any] = {}
        if not _joins_names(bar.group):
            group_value(bar, factors, Scope(factors.frame, env, context, frozen))
        group = by_place[place].group
        levels = tuple("NA" if level is None else level for level in group.levels)
        groups.append(Group(levels, group.ordered, frozen))
    return tuple(groups)


def _kept_columns(matrices: MixedMatrices, full: int) -> tuple[int, ...]:
    """Return which columns of the full model matrix X has."""
    fixed = matrices.fixed
    dropped = set(fixed.dropped.values())
    if full - len(dropped) == len(fixed.names):
        return tuple(place for place in range(full) if place not in dropped)
    # Dropped columns of one name are one entry there.
    rank, pivot = rank_of(fixed.plan.matrix().values)
    return tuple(int(place) for place in pivot[:rank])


# JSON -------------------------------------------------------------------------------------


def _writing(formula: Formula) -> tuple[str, str]:
    """Return text, and how its ``||`` are expanded, that make the formula again."""
    for expansion in ("none", "split", "diag"):
        try:
            if _read_formula(formula.text, expansion) == formula:
                return formula.text, expansion
        except Lme4pyError:
            continue
    return str(formula), "none"


def _read_formula(text: Any, expansion: Any) -> Formula:
    formula = Formula.parse(text)
    match expansion:
        case "none":
            return formula
        case "split":
            return formula.expanded("split")
        case "diag":
            return formula.expanded("diag")
        case _:
            raise DataError("not a saved spec: unknown double_bar")


def _frozen_to_plain(frozen: Mapping[str, Any]) -> Any:
    return {key: to_plain(item) for key, item in frozen.items()}


def _frozen_from_plain(plain: Any) -> dict[str, Any]:
    return {key: from_plain(item) for key, item in plain.items()}


def _read_texts(plain: Any, *, missing: bool = False) -> tuple[Any, ...]:
    if not isinstance(plain, list) or not all(
        isinstance(item, str) or (missing and item is None) for item in plain
    ):
        raise DataError("not a saved spec: a list of texts expected")
    if len(set(plain)) != len(plain):
        raise DataError("not a saved spec: texts that repeat")
    return tuple(plain)


def _read_floats(plain: Any) -> tuple[float, ...]:
    items = from_plain(plain)
    if not isinstance(items, tuple) or not all(isinstance(item, int | float) for item in items):
        raise DataError("not a saved spec: a list of numbers expected")
    return tuple(float(item) for item in items)
