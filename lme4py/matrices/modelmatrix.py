"""R's ``model.matrix``: the columns of X, or of the left side of a bar.

A term's columns are the products of its variables' columns, the first variable of
the label running fastest. A variable's columns are: its numbers; a matrix's
columns; or, for a factor, one column of its coding matrix looked up by level code,
where the code of the pair (variable, term) says contrasts (1) or indicators (2).
Without an intercept the first factor met, term by term, has indicators instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, FormulaError, nearest
from lme4py.formula.terms import Terms
from lme4py.frame.collation import Collation
from lme4py.frame.factors import factor_of
from lme4py.frame.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.linpack import sum_of_squares
from lme4py.matrices.contrasts import (
    ContrastArgument,
    contrast_table,
    indicator_names,
    resolve,
)

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["Coded", "Frame", "Indicators", "ModelMatrix", "Numbers", "Plan", "pieces", "plan"]

_PIECE = 1 << 18
_SHORTEST_PIECE, _LONGEST_PIECE = 1 << 10, 1 << 15


class Frame(Protocol):
    """What a model matrix is made from: named columns of equal length."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    def get(self, name: str) -> Value | None:
        """Return a column, or None."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric variable: one array per column, and what each adds to the name."""

    columns: tuple[FloatArray, ...]
    suffixes: tuple[str, ...]

    def fill(self, column: int, rows: slice, out: NDArray[np.float64]) -> None:
        """Write some rows of one column."""
        np.copyto(out, self.columns[column][rows])

    def operand(self, column: int, rows: slice) -> NDArray[Any]:
        """Return some rows of one column as a factor of a product."""
        return self.columns[column][rows]


@dataclass(frozen=True, slots=True)
class Indicators:
    """A factor coded by zeros and ones: column j marks the rows of level ``first + j``."""

    codes: NDArray[np.int32]
    first: int
    suffixes: tuple[str, ...]

    def fill(self, column: int, rows: slice, out: NDArray[np.float64]) -> None:
        """Write some rows of one column."""
        np.equal(self.codes[rows], self.first + column, out=out, casting="unsafe")

    def operand(self, column: int, rows: slice) -> NDArray[Any]:
        """Return some rows of one column as a factor of a product."""
        marks: NDArray[Any] = self.codes[rows] == self.first + column
        return marks


@dataclass(frozen=True, slots=True)
class Coded:
    """A factor under any coding: the row of `table` that a code selects."""

    codes: NDArray[np.int32]
    table: FloatArray
    suffixes: tuple[str, ...]

    def fill(self, column: int, rows: slice, out: NDArray[np.float64]) -> None:
        """Write some rows of one column."""
        # "wrap" takes code -1 to the last row, and spares numpy a copy of `out`.
        np.take(self.table[:, column], self.codes[rows], out=out, mode="wrap")

    def operand(self, column: int, rows: slice) -> NDArray[Any]:
        """Return some rows of one column as a factor of a product."""
        return np.take(self.table[:, column], self.codes[rows], mode="wrap")


VariableColumns = Numbers | Indicators | Coded


def pieces(rows: int, width: int) -> Iterator[slice]:
    """Return slices of so many rows of `width` numbers that they stay in the cache."""
    size = max(_SHORTEST_PIECE, min(_LONGEST_PIECE, _PIECE // max(width, 1)))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))


def _finite(variable: VariableColumns, columns: Iterable[int]) -> bool:
    """Tell whether the numbers in some of a variable's columns are all finite, if that is plain."""
    match variable:
        case Numbers():
            squares = (sum_of_squares(variable.columns[column]) for column in columns)
            return all(map(isfinite, squares))
        case Coded():
            return bool(np.isfinite(variable.table).all())
        case _:
            return True


@dataclass(frozen=True, slots=True)
class Plan:
    """A model matrix before its numbers are written: names, and how to fill any array.

    Parameters
    ----------
    names : tuple of str
        Column names.
    assign : tuple of int
        The term of each column, 0 for the intercept.
    contrasts : mapping
        Contrast of every factor among the variables: a name or a matrix.
    rows : int
        Number of rows.
    products : tuple
        For each column the (variable columns, column number) pairs it multiplies.
    warnings : tuple of str
        R's warnings.
    """

    names: tuple[str, ...]
    assign: tuple[int, ...]
    contrasts: Mapping[str, str | Matrix]
    rows: int
    products: tuple[tuple[tuple[VariableColumns, int], ...], ...]
    warnings: tuple[str, ...]

    @classmethod
    def given(cls, values: FloatArray, names: Sequence[str], assign: Sequence[int]) -> Plan:
        """Return the plan of a matrix that is there already, shape (rows, columns)."""
        columns = Numbers(tuple(values.T), ("",) * len(names))
        products = tuple(((columns, place),) for place in range(len(names)))
        return cls(tuple(names), tuple(assign), {}, len(values), products, ())

    def fill(self, out: NDArray[np.float64]) -> None:
        """Write the matrix into `out`, shape (rows, columns), of any memory order."""
        for rows in pieces(self.rows, len(self.names)):
            self.fill_rows(rows, out[rows])

    def fill_rows(self, rows: slice, out: NDArray[np.float64]) -> None:
        """Write some rows of the matrix into `out`, shape (rows of the slice, columns)."""
        for number, factors in enumerate(self.products):
            self._fill_column(factors, rows, out[:, number])

    def column(self, number: int) -> FloatArray:
        """Return one column, shape (rows,)."""
        out = np.empty(self.rows)
        self._fill_column(self.products[number], slice(None), out)
        return out

    @staticmethod
    def _fill_column(
        factors: tuple[tuple[VariableColumns, int], ...], rows: slice, out: NDArray[np.float64]
    ) -> None:
        if not factors:
            out[...] = 1.0
            return
        variable, column = factors[0]
        if len(factors) == 1:
            variable.fill(column, rows, out)
            return
        product = variable.operand(column, rows)
        with np.errstate(invalid="ignore", over="ignore"):
            for variable, column in factors[1:]:
                np.multiply(product, variable.operand(column, rows), out=out)
                product = out

    def zeros(self, number: int, rows: slice, values: NDArray[np.float64]) -> bool:
        """Tell whether some rows of a column, filled into `values`, have a zero."""
        match self.products[number]:
            case ():
                return False
            case ((Numbers(columns=columns), place),):
                # The same numbers in a row of their own are read faster.
                return not columns[place][rows].all()
            case _:
                return not values.all()

    @property
    def most_entries(self) -> int:
        """The largest number of entries other than zero that a row can have."""
        total = 0
        for _, columns in groupby(zip(self.assign, self.products, strict=True), lambda x: x[0]):
            choices: dict[int, set[int]] = {}
            kinds: dict[int, VariableColumns] = {}
            for _, factors in columns:
                for variable, column in factors:
                    kinds[id(variable)] = variable
                    choices.setdefault(id(variable), set()).add(column)
            marks = [key for key, variable in kinds.items() if isinstance(variable, Indicators)]
            # Zero times a number that is not finite is an entry, too.
            if marks and all(_finite(variable, choices[key]) for key, variable in kinds.items()):
                choices |= {key: {0} for key in marks}
            total += prod(map(len, choices.values()))
        return total

    @property
    def indicators(self) -> tuple[bool, ...]:
        """Whether each column can hold nothing but zeros and ones."""
        return tuple(
            all(isinstance(variable, Indicators) for variable, _ in factors)
            for factors in self.products
        )

    def matrix(self) -> ModelMatrix:
        """Return the matrix itself, in Fortran order."""
        values = np.empty((self.rows, len(self.names)), order="F")
        squares = np.zeros(len(self.names))
        for rows in pieces(self.rows, 1):
            for number, factors in enumerate(self.products):
                piece = values[rows, number]
                self._fill_column(factors, rows, piece)
                # While the piece is in the cache this costs next to nothing.
                squares[number] += sum_of_squares(piece)
        return ModelMatrix(
            values, self.names, self.assign, self.contrasts, self.indicators, squares
        )


@dataclass(frozen=True, eq=False, slots=True)
class ModelMatrix:
    """A model matrix with R's attributes.

    Parameters
    ----------
    values : ndarray of float64, shape (n, p), Fortran order
        A csc_array where a sparse X was asked for.
    names : tuple of str, length p
    assign : tuple of int, length p
        The term of each column, 0 for the intercept.
    contrasts : mapping of str to (str or Matrix)
        The contrast of every factor.
    indicators : tuple of bool, length p
        Columns that are known to hold nothing but zeros and ones.
    squares : ndarray, shape (p,), optional
        The sum of squares of each column, where it is known.
    """

    values: FloatArray | csc_array
    names: tuple[str, ...]
    assign: tuple[int, ...]
    contrasts: Mapping[str, str | Matrix]
    indicators: tuple[bool, ...]
    squares: FloatArray | None = None

    def column(self, number: int) -> FloatArray:
        """Return one column, shape (n,), written out where the matrix is sparse."""
        if isinstance(self.values, np.ndarray):
            return self.values[:, number]
        column: FloatArray = self.values[:, [number]].toarray()[:, 0]
        return column


def plan(
    terms: Terms,
    frame: Frame,
    rows: int,
    collation: Collation,
    contrasts: Mapping[str, ContrastArgument] | None = None,
) -> Plan:
    """Work out the model matrix of `terms` on the columns of a model frame.

    Parameters
    ----------
    terms : Terms
        What to build; its variables are looked up in `frame` by their labels.
    frame : Frame
        The model frame.
    rows : int
        Number of rows of the frame.
    collation : Collation
        Order of levels for text that is not a factor yet.
    contrasts : mapping, optional
        R's ``contrasts.arg``.

    Raises
    ------
    DataError, FormulaError
        In R's words, e.g. for a factor with one level.
    """
    values = [_looked_up(terms, i, frame, collation) for i in range(len(terms.variables))]
    names = _unique(terms.frame_names)
    factors = {
        names[i]: value
        for i, value in enumerate(values)
        if isinstance(value, Factor) and i != terms.response
    }
    arguments, warnings = _usable(contrasts or {}, names, factors)
    warnings = terms.warnings + warnings
    chosen = resolve(factors, arguments)
    codes = terms.codes()
    if not terms.intercept:
        _expand_first_factor(codes, values, terms)
    coder = _Coder(values, terms.names, [chosen.get(name) for name in names])
    labels: list[str] = []
    assign: list[int] = []
    products: list[tuple[tuple[VariableColumns, int], ...]] = []
    if terms.intercept:
        labels, assign, products = ["(Intercept)"], [0], [()]
    for number, term in enumerate(terms.members):
        positions = terms.positions(term)
        if terms.response is not None and positions == (terms.response,):
            warnings += (
                "the response appeared on the right-hand side and was dropped",
                f"problem with term {number + 1} in model.matrix: no columns are assigned",
            )
            continue
        parts = [coder.columns(i, int(codes[i, number])) for i in positions]
        # product() runs its last argument fastest, R the first variable.
        for choice in product(*(range(len(part.suffixes)) for part in reversed(parts))):
            picked = tuple(zip(parts, reversed(choice), strict=True))
            labels.append(
                ":".join(
                    coder.names[i] + part.suffixes[column]
                    for i, (part, column) in zip(positions, picked, strict=True)
                )
            )
            assign.append(number + 1)
            products.append(picked)
    return Plan(tuple(labels), tuple(assign), chosen, rows, tuple(products), tuple(warnings))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with ``.1``, ``.2`` ... after repeated ones, as R's data frames have them.

    A name repeats when ``.`` stands for a column of the frame that is a call of the
    formula as well.
    """
    unique: list[str] = []
    for name in names:
        candidate, number = name, 0
        while candidate in unique:
            number += 1
            candidate = f"{name}.{number}"
        unique.append(candidate)
    return tuple(unique)


def _looked_up(terms: Terms, position: int, frame: Frame, collation: Collation) -> Value:
    name = terms.frame_names[position]
    value = frame.get(name)
    if value is None:
        raise FormulaError(
            "model frame and formula mismatch in model.matrix()",
            terms.variables[position].span,
            nearest(name, frame.names),
        )
    if isinstance(value, Character):
        return factor_of(value, collation)
    if position != terms.response and isinstance(value, Numeric) and value.kind == "logical":
        return _logical_factor(value.values)
    if position != terms.response and isinstance(value, Matrix) and value.kind == "logical":
        count, width = value.values.shape
        if width != 1:
            raise DataError(
                f"replacement has {count * width} rows, data has {count}",
                terms.variables[position].span,
                "R takes a logical matrix for a factor; make it numeric with 1 *",
            )
        return _logical_factor(value.values[:, 0])
    return value


def _logical_factor(numbers: NDArray[Any]) -> Factor:
    """Return a logical as model.matrix codes it: both levels, whichever are present."""
    codes = np.where(np.isnan(numbers), -1, numbers) if numbers.dtype.kind == "f" else numbers
    return Factor(codes.astype(np.int32), ("FALSE", "TRUE"))


def _usable(
    contrasts: Mapping[str, ContrastArgument], names: Sequence[str], factors: Mapping[str, Factor]
) -> tuple[dict[str, ContrastArgument], tuple[str, ...]]:
    """Return the entries of ``contrasts=`` that name a factor, and R's warnings for the others."""
    usable, warnings = {}, []
    for name, argument in contrasts.items():
        if name not in names:
            warnings.append(f"variable '{name}' is absent, its contrast will be ignored")
        elif name not in factors:
            raise DataError("contrasts apply only to factors", hint=f"'{name}' is not a factor")
        else:
            usable[name] = argument
    return usable, tuple(warnings)


def _expand_first_factor(codes: NDArray[np.uint8], values: Sequence[Value], terms: Terms) -> None:
    """Give indicators to the first factor met, term by term; only to that one."""
    for column in range(len(terms.members)):
        if terms.response is not None and codes[terms.response, column]:
            continue
        for row, value in enumerate(values):
            if codes[row, column] and isinstance(value, Factor):
                codes[row, column] = 2
                return


class _Coder:
    """The columns of each variable under each coding, made once."""

    def __init__(
        self,
        values: Sequence[Value],
        names: Sequence[str],
        contrasts: Sequence[str | Matrix | None],
    ) -> None:
        self.names = names
        self._values = values
        self._contrasts = contrasts
        self._made: dict[tuple[int, int], VariableColumns] = {}

    def columns(self, position: int, code: int) -> VariableColumns:
        """Return the columns of a variable under code 1 (contrasts) or 2 (indicators)."""
        value = self._values[position]
        key = (position, code if isinstance(value, Factor) else 0)
        if key not in self._made:
            self._made[key] = self._make(position, code)
        return self._made[key]

    def _make(self, position: int, code: int) -> VariableColumns:
        value = self._values[position]
        match value:
            case Factor():
                contrast = self._contrasts[position] or "contr.treatment"
                return self._coded(value, contrast, code)
            case Numeric():
                return Numbers((value.as_float(),), ("",))
            case Matrix(values=matrix, names=names):
                width = matrix.shape[1]
                suffixes = tuple(str(i + 1) for i in range(width)) if names is None else names
                columns = tuple(matrix[:, i] for i in range(width))
                return Numbers(columns, ("",) if width == 1 else suffixes)
            case _:
                name = self.names[position]
                raise DataError(f"variables of this type cannot be used in a term: '{name}'")

    @staticmethod
    def _coded(factor: Factor, contrast: str | Matrix, code: int) -> Indicators | Coded:
        missing = bool(factor.codes.size) and int(factor.codes.min()) < 0
        if not missing:
            if code == 2:
                return Indicators(factor.codes, 0, indicator_names(factor))
            if contrast == "contr.treatment" and len(factor.levels) > 1:
                return Indicators(factor.codes, 1, indicator_names(factor)[1:])
        if code == 2:
            table, suffixes = np.eye(len(factor.levels)), indicator_names(factor)
        else:
            coding = contrast_table(contrast, factor)
            table = coding.values
            width = table.shape[1]
            suffixes = coding.names or tuple(str(i + 1) for i in range(width))
        if missing:
            # Code -1 picks the last row.
            table = np.vstack([table, np.full((1, table.shape[1]), np.nan)])
        return Coded(factor.codes, np.asfortranarray(table), suffixes)
