"""Cross-products of X, Z and y: all that a linear mixed model needs of its rows.

The penalised least squares problem of a linear mixed model reads the rows only through
ZᵗWZ, ZᵗWX, XᵗWX, ZᵗW(y - o), XᵗW(y - o) and (y - o)ᵗW(y - o), with the weights W and the offset
o (Bates et al. 2015, equation 17). Their size does not depend on the number of rows, and those of
two blocks of rows add up to those of both: a model of more rows than memory holds is fitted from
their sum, without approximation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.abbreviation import Abbreviated
from lme4py.archive import read_archive, write_archive
from lme4py.data.values import FloatArray
from lme4py.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["Crossproducts"]


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
        sum_log_weights = 0.0
        if offset is not None:
            y = y - offset
        if weights is not None:
            with np.errstate(divide="ignore"):
                sum_log_weights = float(np.log(weights).sum())
            roots = np.sqrt(weights)
            y = roots * y
            X = X.multiply(roots[:, None]) if hasattr(X, "multiply") else X * roots[:, None]
            Zt = Zt.copy()
            Zt.data *= np.repeat(roots, np.diff(Zt.indptr))
        Xt = X.T
        XtX, ZtX = Xt @ X, Zt @ X
        ZtZ = (Zt @ Zt.T).tocsc()
        ZtZ.sum_duplicates()
        return cls(
            XtX=XtX.toarray() if hasattr(XtX, "toarray") else XtX,
            Xty=np.asarray(Xt @ y),
            yty=float(y @ y),
            ZtX=ZtX.toarray() if hasattr(ZtX, "toarray") else ZtX,
            Zty=np.asarray(Zt @ y),
            ZtZ=ZtZ,
            n=y.size,
            sum_log_weights=sum_log_weights,
        )

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
