"""A model matrix before its numbers are written, and after.

A column is a product of columns of variables. The plan names the columns and can write any
rows of them into any array, so that X and the left sides of bars are written at their final
places, without a matrix in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.data.values import Factor, FloatArray, Matrix, Numeric
from lme4py.moments import sum_of_squares

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Rows: TypeAlias = slice | NDArray[Any]

_HUGE = 1e300
_INT32_LIMIT = 2**31 - 1
_PIECE = 1 << 18
_SHORTEST_PIECE, _LONGEST_PIECE = 1 << 10, 1 << 15


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Numbers(Abbreviated):
    """A column of a numeric variable, of float64, and what it adds to the variable's name."""

    vector: Numeric
    suffix: str = ""

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows, in `out` where that is given."""
        values = self.vector.values[rows]
        if out is None:
            return values
        np.copyto(out, values)
        return out

    @property
    def finite(self) -> bool:
        """Whether it is plainly free of missing, infinite and huge numbers."""
        return self.vector.squares < _HUGE


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Indicator(Abbreviated):
    """One level of a factor: ones in its rows, zeros in the others."""

    factor: Factor
    level: int
    finite: ClassVar[bool] = True

    @property
    def suffix(self) -> str:
        """What the level adds to the variable's name."""
        level = self.factor.levels[self.level]
        return "NA" if level is None else level

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows, in `out` where that is given."""
        codes = self.factor.codes[rows]
        marks: NDArray[Any] = np.equal(codes, self.level, out=out, casting="unsafe")
        return marks


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Coded(Abbreviated):
    """A column of a factor's coding: a number for each level, which its code selects."""

    codes: NDArray[np.int32]
    numbers: FloatArray
    suffix: str

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return some rows, in `out` where that is given."""
        # "wrap" takes code -1 to the last number, and spares numpy a copy of `out`.
        taken: NDArray[Any] = np.take(self.numbers, self.codes[rows], out=out, mode="wrap")
        return taken

    @property
    def finite(self) -> bool:
        """Whether it is free of missing and infinite numbers."""
        return bool(np.isfinite(self.numbers).all())


Part: TypeAlias = Numbers | Indicator | Coded
"""A column of one variable, of which a column of the matrix is made."""


def pieces(rows: int, width: int) -> Iterator[slice]:
    """Return slices of so many rows of `width` numbers that they stay in the cache."""
    size = max(_SHORTEST_PIECE, min(_LONGEST_PIECE, _PIECE // max(width, 1)))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))


@dataclass(frozen=True, repr=False, slots=True, kw_only=True)
class Plan(Abbreviated):
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
    products : tuple of tuple of Part
        The columns of variables that each column multiplies.
    variables : tuple of str
        The names of the variables, whether or not a column is made of them.
    warnings : tuple of str
        R's warnings.
    whole : bool
        Whether the columns were given: what they are made of is not known, and each stands
        for itself.
    """

    names: tuple[str, ...]
    assign: tuple[int, ...]
    contrasts: Mapping[str, str | Matrix]
    rows: int
    # Every product would print all numbers of its variables.
    products: tuple[tuple[Part, ...], ...] = field(repr=False)
    variables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    whole: bool = False

    @classmethod
    def given(cls, values: FloatArray, names: Sequence[str], assign: Sequence[int]) -> Plan:
        """Return the plan of a matrix that is there already, shape (rows, columns)."""
        products = tuple(
            ()
            if name == "(Intercept)" and bool((values[:, place] == 1.0).all())
            else (Numbers(Numeric(values[:, place], "double")),)
            for place, name in enumerate(names)
        )
        return cls(
            names=tuple(names),
            assign=tuple(assign),
            contrasts={},
            rows=len(values),
            products=products,
            whole=True,
        )

    def fill(self, out: NDArray[np.float64]) -> None:
        """Write the matrix into `out`, shape (rows, columns), of any memory order."""
        for rows in pieces(self.rows, len(self.names)):
            self.fill_rows(rows, out[rows])

    def fill_rows(self, rows: slice, out: NDArray[np.float64]) -> None:
        """Write some rows of the matrix into `out`, shape (rows of the slice, columns)."""
        for number, factors in enumerate(self.products):
            self._fill_column(factors, rows, out[:, number])

    def column(self, number: int, rows: NDArray[np.integer] | None = None) -> FloatArray:
        """Return one column, shape (rows,), or some of its rows."""
        out = np.empty(self.rows if rows is None else rows.size)
        self._fill_column(self.products[number], slice(None) if rows is None else rows, out)
        return out

    @staticmethod
    def _fill_column(
        factors: tuple[Part, ...],
        rows: Rows,
        out: FloatArray,
        written: Mapping[Part, FloatArray] = MappingProxyType({}),
    ) -> None:
        if not factors:
            out[...] = 1.0
            return
        if len(factors) == 1:
            factors[0].take(rows, out)
            return
        parts = [written[part] if part in written else part.take(rows) for part in factors]
        product = parts[0]
        with np.errstate(invalid="ignore", over="ignore"):
            for values in parts[1:]:
                product = np.multiply(product, values, out=out)

    @property
    def may_hold_zeros(self) -> bool:
        """Whether a column has a zero, or is made of factors or products, which have mostly."""
        for factors in self.products:
            match factors:
                case ():
                    continue
                case (Numbers(vector),) if vector.values.all():
                    continue
                case _:
                    return True
        return False

    @property
    def plainly_finite(self) -> bool:
        """Whether no column can have a missing or infinite number, or a huge one."""
        return all(
            len(factors) < 2 and all(part.finite for part in factors) for factors in self.products
        )

    @property
    def most_entries(self) -> int:
        """The largest number of entries other than zero that a row can have."""
        finite, alone = self._finite_parts(), 0
        exclusive: set[tuple[object, ...]] = set()
        for term, factors in zip(self.assign, self.products, strict=True):
            # Zero times a number that is not finite is an entry, too.
            if any(isinstance(part, Indicator) for part in factors) and finite.issuperset(factors):
                # A row has one level of a factor: of these columns one at most is not zero.
                same = (p.factor if isinstance(p, Indicator) else p for p in factors)
                exclusive.add((term, *same))
            else:
                alone += 1
        return alone + len(exclusive)

    def _finite_parts(self) -> set[Part]:
        return {part for factors in self.products for part in factors if part.finite}

    @property
    def indicators(self) -> tuple[bool, ...]:
        """Whether each column can hold nothing but zeros and ones."""
        return tuple(
            all(isinstance(part, Indicator) for part in factors) for factors in self.products
        )

    def matrix(self) -> ModelMatrix:
        """Return the matrix itself, in Fortran order."""
        values = np.empty((self.rows, len(self.names)), order="F")
        # An indicator leaves some of the squares of the column that it multiplies.
        bare = [
            tuple(part for part in factors if not isinstance(part, Indicator))
            for factors in self.products
        ]
        places = {factors: number for number, factors in enumerate(self.products)}
        bounds = [places.get(factors, number) for number, factors in enumerate(bare)]
        squares = np.array([0.0 if factors else float(self.rows) for factors in bare])
        unknown = []
        for number in {place for place in bounds if bare[place]}:
            match bare[number]:
                case (Numbers(vector),):
                    squares[number] = vector.squares
                case _:
                    unknown.append(number)
        for rows in pieces(self.rows, 1):
            # A product takes columns that have just been written, and are in the cache.
            written: dict[Part, FloatArray] = {}
            for number, factors in enumerate(self.products):
                piece = values[rows, number]
                self._fill_column(factors, rows, piece, written)
                if len(factors) == 1:
                    written[factors[0]] = piece
                if number in unknown:
                    squares[number] += sum_of_squares(piece)
        squares = squares[bounds]
        return ModelMatrix.of(self, values, squares=squares)

    def sparse_matrix(self) -> ModelMatrix:
        """Return the matrix, its values a csc_array, without a dense one beside it.

        No zeros are stored; NaN is no zero. Indices are int32 whenever they fit. A column with
        a factor's indicator among its parts is computed in the rows of that level alone; any
        other is computed whole.

        Examples
        --------
        >>> f = Factor(np.array([0, 1, 1], dtype=np.int32), ("p", "q"))
        >>> products = (Indicator(f, 0),), (Indicator(f, 1),)
        >>> plan = Plan(
        ...     names=("fp", "fq"), assign=(1, 1), contrasts={}, rows=3, products=products)
        >>> plan.sparse_matrix().values.toarray().tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
        """
        from scipy.sparse import csc_array

        by_level: dict[Factor, list[NDArray[Any]]] = {}
        finite = self._finite_parts()

        def marked(part: Indicator) -> NDArray[Any]:
            """Return the rows of a level; those of all levels of its factor are found once."""
            if part.factor not in by_level:
                codes = part.factor.codes
                order = np.argsort(codes, kind="stable").astype(np.int32)
                ends = np.cumsum(np.bincount(codes))
                by_level[part.factor] = np.split(order, ends[:-1])
            found = by_level[part.factor]
            return found[part.level] if part.level < len(found) else np.zeros(0, dtype=np.int32)

        def entries(number: int) -> tuple[NDArray[Any], FloatArray]:
            """Return the rows of a column that hold no zero, and its values there."""
            factors, rows = self.products[number], None
            # Zero times a number that is not finite is an entry, too.
            if finite.issuperset(factors):
                known = [marked(part) for part in factors if isinstance(part, Indicator)]
                rows = min(known, key=len, default=None)
            values = self.column(number, rows)
            if rows is not None and values.all():
                return rows, values
            stored = np.flatnonzero(values)
            return (stored if rows is None else rows[stored]), values[stored]

        columns = [entries(number) for number in range(len(self.products))]
        pointers = np.zeros(len(columns) + 1, dtype=np.int64)
        np.cumsum([values.size for _, values in columns], out=pointers[1:])
        narrow = max(int(pointers[-1]), self.rows) <= _INT32_LIMIT
        kind = np.int32 if narrow else np.int64
        indices, data = np.empty(pointers[-1], dtype=kind), np.empty(pointers[-1])
        # Written from the last column on, so that each piece is let go when it has been copied.
        for begin, end in zip(pointers[-2::-1], pointers[:0:-1], strict=True):
            rows, values = columns.pop()
            indices[begin:end], data[begin:end] = rows, values
        starts = pointers.astype(np.int32) if narrow else pointers
        shape = (self.rows, len(self.products))
        matrix = csc_array((data, indices, starts), shape=shape)
        matrix.has_sorted_indices = matrix.has_canonical_format = True
        return ModelMatrix.of(self, matrix)


@dataclass(frozen=True, eq=False, repr=False, slots=True, kw_only=True)
class ModelMatrix(Abbreviated):
    """Columns of a plan, written: those that were kept, as they were centred and divided.

    Parameters
    ----------
    plan : Plan
    values : ndarray of float64, shape (n, p), Fortran order
        A csc_array where a sparse X was asked for.
    kept : tuple of int, length p
        Which columns of the plan these are.
    centers, divisors : ndarray, shape (p,)
        What was taken off each column, and what it was divided by; NaN for nothing.
    squares : ndarray, shape (p,), optional
        The sum of squares of each column, or a bound of it, where it is known.
    spreads : ndarray, shape (p,), optional
        The standard deviation of each column, NaN for one of zeros and ones alone: where
        `values` are not the rows of X but their triangular factor.
    """

    plan: Plan
    values: FloatArray | csc_array
    kept: tuple[int, ...]
    centers: FloatArray
    divisors: FloatArray
    squares: FloatArray | None = None
    spreads: FloatArray | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        values: FloatArray | csc_array,
        *,
        squares: FloatArray | None = None,
        spreads: FloatArray | None = None,
    ) -> ModelMatrix:
        """Return all columns of a plan, as they are."""
        width = len(plan.names)
        nothing = np.full(width, np.nan)
        return cls(
            plan=plan,
            values=values,
            kept=tuple(range(width)),
            centers=nothing,
            divisors=nothing,
            squares=squares,
            spreads=spreads,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.plan.names[place] for place in self.kept)

    @property
    def indicators(self) -> list[bool]:
        """Whether each column is known to hold nothing but zeros and ones."""
        known, untouched = self.plan.indicators, np.isnan(self.divisors).tolist()
        return [known[place] and alone for place, alone in zip(self.kept, untouched, strict=True)]

    def column(self, number: int) -> FloatArray:
        """Return one column, shape (n,), written out where the matrix is sparse."""
        if isinstance(self.values, np.ndarray):
            return self.values[:, number]
        column: FloatArray = self.values[:, [number]].toarray()[:, 0]
        return column

    def taking(self, columns: NDArray[np.integer]) -> ModelMatrix:
        """Return some of the columns."""
        values, spreads = self.values[:, columns], self.spreads
        return ModelMatrix(
            plan=self.plan,
            values=np.asfortranarray(values) if isinstance(values, np.ndarray) else values,
            kept=tuple(self.kept[place] for place in columns),
            centers=self.centers[columns],
            divisors=self.divisors[columns],
            spreads=None if spreads is None else spreads[columns],
        )
