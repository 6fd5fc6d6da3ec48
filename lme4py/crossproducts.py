"""Cross-products of X, Z and y: all that a linear mixed model needs of its rows.

The penalised least squares problem of a linear mixed model reads the rows only through
ZᵗWZ, ZᵗWX, XᵗWX, ZᵗW(y - o), XᵗW(y - o) and (y - o)ᵗW(y - o), with the weights W and the offset
o (Bates et al. 2015, equation 17). Their size does not depend on the number of rows, and those of
two blocks of rows add up to those of both: a model of more rows than memory holds is fitted from
their sum, without approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.abbreviation import Abbreviated
from lme4py.archive import read_archive, write_archive
from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.moments import sum_of_squares

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Triplets: TypeAlias = tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]
"""Entries of a matrix, their rows and their columns."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Crossproducts(Abbreviated):
    """The cross-products of the rows of a model; weights and offset are inside.

    Parameters
    ----------
    XtX : ndarray of float64, shape (p, p)
        XᵗWX.
    Xty : ndarray of float64, shape (p,)
        XᵗW(y - o).
    yty : float
        (y - o)ᵗW(y - o).
    ZtX : ndarray of float64, shape (q, p)
        ZᵗWX.
    Zty : ndarray of float64, shape (q,)
        ZᵗW(y - o).
    ZtZ : csc_array of float64, shape (q, q)
        ZᵗWZ, both triangles, indices sorted. It is not divided by Λ, so that it serves for all
        parameters.
    n : int
        How many rows there are, those of weight 0 among them, as lme4 counts.
    sum_log_weights : float
        The sum of the logarithms of the weights, which the deviance has; minus infinity with a
        weight of 0.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> products = design.crossproducts()
    >>> products.XtX.tolist(), products.ZtZ.shape, products.n
    ([[180.0, 810.0], [810.0, 5130.0]], (18, 18), 180)
    """

    XtX: FloatArray
    Xty: FloatArray
    yty: float
    ZtX: FloatArray
    Zty: FloatArray
    ZtZ: csc_array
    n: int
    sum_log_weights: float

    @classmethod
    def of(
        cls,
        X: Any,
        Zt: csc_array,
        y: FloatArray,
        *,
        weights: FloatArray | None = None,
        offset: FloatArray | None = None,
    ) -> Crossproducts:
        """Return the cross-products of some rows: those of a design, or of a block of one.

        Parameters
        ----------
        X : ndarray or csc_array of float64, shape (m, p)
            Fixed-effects model matrix of the rows.
        Zt : csc_array of float64, shape (q, m)
            Transposed random-effects model matrix of the rows.
        y : ndarray of float64, shape (m,)
            The response.
        weights, offset : ndarray of float64, shape (m,), optional
            Ones and zeros where there are none.

        Returns
        -------
        Crossproducts
            It needs memory in proportion to the entries of Zt, X and ZᵗZ.

        Examples
        --------
        >>> from scipy.sparse import csc_array
        >>> Zt = csc_array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> products = Crossproducts.of(np.ones((3, 1)), Zt, np.array([1.0, 2.0, 4.0]))
        >>> products.ZtZ.toarray().tolist(), products.Zty.tolist()
        ([[2.0, 0.0], [0.0, 1.0]], [3.0, 4.0])
        """
        sums = RunningSum(Zt.shape[0], X.shape[1])
        sums.add(X, Zt, y, weights=weights, offset=offset)
        return sums.total()

    def __add__(self, other: Crossproducts) -> Crossproducts:
        """Return the cross-products of the rows of both.

        The sums are rounded: the same blocks in the same order give the same bits again.

        Raises
        ------
        DataError
            If they are not of the same columns.
        """
        if not isinstance(other, Crossproducts):
            return NotImplemented
        if self.ZtX.shape != other.ZtX.shape:
            raise DataError(
                "cross-products of different models cannot be added: "
                f"Z and X have {self.ZtX.shape} and {other.ZtX.shape} columns"
            )
        return Crossproducts(
            **{item.name: getattr(self, item.name) + getattr(other, item.name) for item in _FIELDS}
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write them to a file, numpy's npz; a file that is there is replaced at the end.

        Parameters
        ----------
        path : path

        Examples
        --------
        >>> import pathlib, tempfile, lme4py
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "products.npz"
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.crossproducts().save(path)
        >>> Crossproducts.load(path).n
        180
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {part: getattr(self.ZtZ, part) for part in ("data", "indices", "indptr")}
        write_archive(path, arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Crossproducts:
        """Return what `save` wrote.

        Parameters
        ----------
        path : path

        Returns
        -------
        Crossproducts

        Raises
        ------
        DataError
            If the file is another, or damaged.

        Examples
        --------
        >>> import pathlib, tempfile, lme4py
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "products.npz"
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.crossproducts().save(path)
        >>> Crossproducts.load(path).ZtZ.shape
        (18, 18)
        """
        from scipy.sparse import csc_array

        found = read_archive(path, "a file of cross-products")
        try:
            data, indices, indptr = (found.pop(part) for part in ("data", "indices", "indptr"))
            q = found["Zty"].size
            ZtZ = csc_array((data, indices, indptr), shape=(q, q))
            ZtZ.check_format(full_check=True)
            numbers = {name: found[name].item() for name in ("yty", "n", "sum_log_weights")}
            return cls(**{**found, **numbers}, ZtZ=ZtZ)
        except (KeyError, TypeError, ValueError) as fault:
            raise DataError(f"'{path}' holds no cross-products: {fault}") from fault


_FIELDS = fields(Crossproducts)
_ARRAYS = tuple(item.name for item in _FIELDS if item.name != "ZtZ")


class RunningSum:
    """Cross-products that blocks of rows are added to, in place: here, and nowhere else.

    Of a million levels each block has few, so that their sums are not made anew for every block.
    Products of two levels of a row wait until they are many, for a sparse matrix is made anew with
    every sum. `q` and `p` are the columns of Z and X.
    """

    def __init__(self, q: int, p: int) -> None:
        # Memory that is not written to is none.
        self._sums: dict[str, Any] = {
            "XtX": np.zeros((p, p)),
            "Xty": np.zeros(p),
            "yty": 0.0,
            "ZtX": np.zeros((q, p), order="F"),
            "Zty": np.zeros(q),
            "n": 0,
            "sum_log_weights": 0.0,
        }
        self._squares = np.zeros(q)
        self._pairs = _sparse([], q)
        self._waiting: list[Triplets] = []

    def add(
        self,
        X: Any,
        Zt: csc_array,
        y: FloatArray,
        *,
        weights: FloatArray | None = None,
        offset: FloatArray | None = None,
    ) -> None:
        """Add some rows; the arguments are those of `Crossproducts.of`."""
        sums = self._sums
        if offset is not None:
            y = y - offset
        if weights is not None:
            with np.errstate(divide="ignore"):
                sums["sum_log_weights"] += float(np.log(weights).sum())
            roots = np.sqrt(weights)
            y = roots * y
            X = X.multiply(roots[:, None]) if hasattr(X, "multiply") else X * roots[:, None]
            Zt = Zt.copy()
            Zt.data *= np.repeat(roots, np.diff(Zt.indptr))
        if isinstance(X, np.ndarray):
            sums["XtX"] += X.T @ X
            # For so little work a product of BLAS wakes all its threads.
            sums["Xty"] += np.einsum("ij,i->j", X, y)
            for number, column in enumerate(X.T):
                sums["ZtX"][:, number] += Zt @ column
        else:
            sums["XtX"] += (X.T @ X).toarray()
            sums["Xty"] += X.T @ y
            sums["ZtX"] += (Zt @ X).toarray()
        sums["Zty"] += Zt @ y
        sums["yty"] += sum_of_squares(y)
        sums["n"] += y.size
        self._squares += np.bincount(Zt.indices, Zt.data * Zt.data, self._squares.size)
        self._add_pairs(Zt)

    def _add_pairs(self, Zt: csc_array) -> None:
        """Let the products of each two entries of a column of Zt wait."""
        counts = np.diff(Zt.indptr)
        width, least = int(counts.max(initial=0)), int(counts.min(initial=0))
        for earlier, later in combinations(range(width), 2):
            starts: Any = Zt.indptr[:-1][counts > later]
            # Mostly all columns have as many.
            one, two = (
                slice(place, None, width) if least == width else starts + place
                for place in (earlier, later)
            )
            products = Zt.data[one] * Zt.data[two]
            self._waiting.append((products, Zt.indices[two], Zt.indices[one]))
        many = max(self._squares.size, self._pairs.nnz)
        if sum(len(products) for products, _, _ in self._waiting) >= many:
            self._settle()

    def _settle(self) -> None:
        self._pairs = self._pairs + _sparse(self._waiting, self._squares.size)
        self._waiting = []

    def total(self) -> Crossproducts:
        """Return the sum."""
        self._settle()
        levels = np.flatnonzero(self._squares).astype(np.int32)
        squares = _sparse([(self._squares[levels], levels, levels)], self._squares.size)
        ZtZ = squares + self._pairs + self._pairs.T.tocsc()
        ZtZ.sort_indices()
        return Crossproducts(**self._sums, ZtZ=ZtZ)


def _sparse(parts: Sequence[Triplets], size: int) -> csc_array:
    """Return a square matrix; entries of one place are added."""
    from scipy.sparse import coo_array, csc_array

    if not parts:
        return csc_array((size, size))
    entries, rows, columns = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return coo_array((entries, (rows, columns)), shape=(size, size)).tocsc()
